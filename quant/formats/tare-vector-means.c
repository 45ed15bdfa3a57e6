/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-vector-means-private.h"

#include <math.h>
#include <string.h>

#include "quant/tare-simd.h"

/* Codebooks of short vectors by Lloyd's method, from vectors drawn each with a chance that grows
 * with its squared distance to those before it (Arthur and Vassilvitskii, k-means++, 2007). */

/* Vectors that are compared with one centroid at a time: a few vector registers for each of their
 * coordinates. */
#define LANES 16

/* Pairs of a vector and a centroid, or where there are cells vectors, between two looks at whether
 * to go on: some 10 ms. */
#define BAND ((gsize) 1 << 23)
#define CELLS_BAND ((gsize) 1 << 15)

/* Vectors that a thread takes at a time. */
#define PIECE 256

/* Rounds at most, and the gain below which another is not worth its time. */
#define N_ROUNDS 12
#define LEAST_GAIN 2e-3

/* Vectors for each centroid among which the first centroids are drawn. */
#define DRAWN 4

/* The nearest centroid of each lane. x: [length][LANES]. The differences are squared as they are,
 * not expanded into products, so that a vector finds its equal without error. */
TARE_INLINE void
compare_lanes (const float *restrict x,
               gsize                 length,
               const float          *book,
               gsize                 k,
               float       *restrict least,
               gint32      *restrict best)
{
  for (gsize i = 0; i < LANES; i++)
    {
      least[i] = INFINITY;
      best[i] = 0;
    }

  for (gsize c = 0; c < k; c++)
    {
      const float *centroid = book + c * length;
      float sums[LANES] = { 0.0f };

      for (gsize d = 0; d < length; d++)
        {
          #pragma omp simd
          for (gsize i = 0; i < LANES; i++)
            sums[i] += (x[d * LANES + i] - centroid[d]) * (x[d * LANES + i] - centroid[d]);
        }

      #pragma omp simd
      for (gsize i = 0; i < LANES; i++)
        {
          best[i] = sums[i] < least[i] ? (gint32) c : best[i];
          least[i] = sums[i] < least[i] ? sums[i] : least[i];
        }
    }
}

/* With the usual lengths this becomes a kernel for each. */
TARE_CLONES static void
assign_lanes (const float *x,
              gsize        length,
              const float *book,
              gsize        k,
              float       *least,
              gint32      *best)
{
  if (length == 4)
    compare_lanes (x, 4, book, k, least, best);
  else if (length == 6)
    compare_lanes (x, 6, book, k, least, best);
  else if (length == 8)
    compare_lanes (x, 8, book, k, least, best);
  else
    compare_lanes (x, length, book, k, least, best);
}

/**
 * _tare_vectors_assign:
 * @x: n x length
 * @n: how many vectors
 * @length: of each, up to %TARE_VECTOR_MAX
 * @book: k x length
 * @k: how many centroids, up to 65536
 * @codes: (out caller-allocates): n, the first of the nearest centroids
 * @errors: (nullable) (out caller-allocates): n, the squared distances to them
 *
 * Finds the nearest centroid of each vector. Squares must not overflow a float.
 */
void
_tare_vectors_assign (const float *x,
                      gsize        n,
                      gsize        length,
                      const float *book,
                      gsize        k,
                      guint16     *codes,
                      float       *errors)
{
  for (gsize begin = 0; begin < n; begin += LANES)
    {
      gsize width = MIN (LANES, n - begin);
      float lanes[TARE_VECTOR_MAX * LANES] = { 0.0f };
      float least[LANES];
      gint32 best[LANES];

      for (gsize i = 0; i < width; i++)
        for (gsize d = 0; d < length; d++)
          lanes[d * LANES + i] = x[(begin + i) * length + d];

      assign_lanes (lanes, length, book, k, least, best);

      for (gsize i = 0; i < width; i++)
        codes[begin + i] = (guint16) best[i];
      for (gsize i = 0; errors != NULL && i < width; i++)
        errors[begin + i] = least[i];
    }
}

/**
 * _tare_vectors_assign_naive:
 *
 * The reference of _tare_vectors_assign(), one pair after the other.
 */
void
_tare_vectors_assign_naive (const float *x,
                            gsize        n,
                            gsize        length,
                            const float *book,
                            gsize        k,
                            guint16     *codes,
                            float       *errors)
{
  for (gsize i = 0; i < n; i++)
    {
      float least = INFINITY;

      codes[i] = 0;
      for (gsize c = 0; c < k; c++)
        {
          float sum = 0.0f;

          for (gsize d = 0; d < length; d++)
            sum += (x[i * length + d] - book[c * length + d]) *
                   (x[i * length + d] - book[c * length + d]);
          if (sum < least)
            {
              least = sum;
              codes[i] = (guint16) c;
            }
        }
      if (errors != NULL)
        errors[i] = least;
    }
}

/* The same for many vectors, in parallel, in steps that can be cancelled. */
static gboolean
assign_all (const float         *x,
            gsize                n,
            gsize                length,
            const float         *book,
            gsize                k,
            guint16             *codes,
            float               *errors,
            const TareProgress  *progress,
            GError             **error)
{
  g_autoptr(TareVectorCells) cells = NULL;
  gsize band = MAX (BAND / k, PIECE);

  if (_tare_vector_cells_suit (k))
    {
      cells = _tare_vector_cells_new (book, length, k);
      band = CELLS_BAND;
    }

  for (gsize begin = 0; begin < n; begin += band)
    {
      gsize end = MIN (begin + band, n);

      if (!tare_progress_step (progress, 0.0, NULL, error))
        return FALSE;

      #pragma omp parallel for schedule (dynamic) if ((end - begin) * k > 65536)
      for (gsize i = begin; i < end; i += PIECE)
        {
          gsize m = MIN (PIECE, end - i);

          if (cells != NULL)
            _tare_vector_cells_assign (cells, x + i * length, m, codes + i, errors + i);
          else
            _tare_vectors_assign (x + i * length, m, length, book, k, codes + i, errors + i);
        }
    }

  return TRUE;
}

/* Numbers that are the same on every machine (Marsaglia, Xorshift RNGs, 2003). */
static double
draw (guint64 *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;

  return (double) (*state >> 11) / 9007199254740992.0;
}

/* Vectors among which the first centroids are drawn.
 *
 * x: [length][n]; chances: [n], the weighted squared distance to the nearest centroid so far */
typedef struct
{
  gsize   n;
  gsize   length;
  float  *x;
  float  *w;
  float  *chances;
} Pool;

static void
clear_pool (Pool *pool)
{
  g_free (pool->x);
  g_free (pool->w);
  g_free (pool->chances);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pool, clear_pool)

/* One of each few neighbours, any of them, so that what recurs among them is not passed over. Those
 * beyond the last have no weight. Returns: how many have */
static gsize
fill_pool (Pool        *pool,
           const float *x,
           const float *w,
           gsize        n,
           gsize        length,
           gsize        k,
           guint64     *state)
{
  gsize stride = MAX (n / (DRAWN * k), 1), n_drawn = n / stride;

  pool->n = (n_drawn + LANES - 1) / LANES * LANES;
  pool->length = length;
  pool->x = g_new0 (float, pool->n * length);
  pool->w = g_new0 (float, pool->n);
  pool->chances = g_new (float, pool->n);

  for (gsize i = 0; i < n_drawn; i++)
    {
      gsize from = i * stride + (gsize) (draw (state) * (double) stride);

      for (gsize d = 0; d < length; d++)
        pool->x[d * pool->n + i] = x[from * length + d];
      pool->w[i] = w[from];
    }
  for (gsize i = 0; i < pool->n; i++)
    pool->chances[i] = INFINITY;

  return n_drawn;
}

/* Returns: the vector in which the sum of the chances passes a share of all */
static gsize
find_share (const Pool *pool,
            double      share)
{
  double sum = 0.0;
  gsize last = 0;

  for (gsize i = 0; i < pool->n && sum <= share; i++)
    if (pool->chances[i] > 0.0f)
      {
        last = i;
        sum += (double) pool->chances[i];
      }

  return last;
}

/* Every vector's distance to the nearest centroid so far. Returns: the sum of the chances */
TARE_CLONES static double
lower_chances (const Pool  *pool,
               const float *centroid)
{
  double sums[LANES] = { 0.0 }, total = 0.0;

  for (gsize begin = 0; begin < pool->n; begin += LANES)
    {
      const float *x = pool->x + begin, *w = pool->w + begin;
      float *restrict chances = pool->chances + begin;
      float squares[LANES] = { 0.0f };

      for (gsize d = 0; d < pool->length; d++)
        {
          #pragma omp simd
          for (gsize i = 0; i < LANES; i++)
            squares[i] += (x[d * pool->n + i] - centroid[d]) * (x[d * pool->n + i] - centroid[d]);
        }

      #pragma omp simd
      for (gsize i = 0; i < LANES; i++)
        {
          float chance = w[i] * squares[i];

          chances[i] = chance < chances[i] ? chance : chances[i];
          sums[i] += (double) chances[i];
        }
    }

  for (gsize i = 0; i < LANES; i++)
    total += sums[i];

  return total;
}

/* The first centroids; where all vectors are taken, the last of them is repeated. */
static gboolean
draw_centroids (const float         *x,
                const float         *w,
                gsize                n,
                gsize                length,
                gsize                k,
                float               *book,
                const TareProgress  *progress,
                GError             **error)
{
  g_auto(Pool) pool = { 0 };
  guint64 state = G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  gsize n_drawn = fill_pool (&pool, x, w, n, length, k, &state);
  gsize chosen = (gsize) (draw (&state) * (double) n_drawn);

  for (gsize c = 0; c < k; c++)
    {
      double total;

      if (c % 64 == 0 && !tare_progress_step (progress, 0.0, NULL, error))
        return FALSE;

      for (gsize d = 0; d < length; d++)
        book[c * length + d] = pool.x[d * pool.n + chosen];
      total = lower_chances (&pool, book + c * length);
      if (total > 0.0)
        chosen = find_share (&pool, draw (&state) * total);
    }

  return TRUE;
}

/* Moves each centroid to the mean of its vectors, and those without any to the vectors that are
 * worst off. sums: [k][length + 1] of scratch; errors lose what is taken */
static void
move_centroids (const float   *x,
                const float   *w,
                gsize          n,
                gsize          length,
                const guint16 *codes,
                float         *errors,
                gsize          k,
                double        *sums,
                float         *book)
{
  gsize size = length + 1, n_empty = 0;

  memset (sums, 0, k * size * sizeof (double));
  for (gsize i = 0; i < n; i++)
    {
      double *sum = sums + codes[i] * size;

      for (gsize d = 0; d < length; d++)
        sum[d] += (double) w[i] * (double) x[i * length + d];
      sum[length] += (double) w[i];
    }

  for (gsize c = 0; c < k; c++)
    {
      const double *sum = sums + c * size;
      gsize worst = 0;

      for (gsize d = 0; d < length && sum[length] > 0.0; d++)
        book[c * length + d] = (float) (sum[d] / sum[length]);
      if (sum[length] > 0.0 || n_empty++ >= 16)
        continue;

      for (gsize i = 1; i < n; i++)
        if (w[i] * errors[i] > w[worst] * errors[worst])
          worst = i;
      memcpy (book + c * length, x + worst * length, length * sizeof (float));
      errors[worst] = 0.0f;
    }
}

/**
 * _tare_vector_means:
 * @x: n x length
 * @w: n, one positive weight for each vector
 * @n: how many vectors, at least one
 * @length: of each, up to %TARE_VECTOR_MAX
 * @k: how many centroids, up to 65536
 * @book: (out caller-allocates): k x length
 * @progress: (nullable): asked every some 10 ms
 * @error: set to what the cancellation of @progress says
 *
 * Finds centroids of little Σw|x - centroid|² with each vector at its nearest.
 *
 * Returns: whether it was done
 */
gboolean
_tare_vector_means (const float         *x,
                    const float         *w,
                    gsize                n,
                    gsize                length,
                    gsize                k,
                    float               *book,
                    const TareProgress  *progress,
                    GError             **error)
{
  g_autofree guint16 *codes = g_new (guint16, n);
  g_autofree float *errors = g_new (float, n);
  g_autofree double *sums = g_new (double, k * (length + 1));
  double last = INFINITY;

  if (!draw_centroids (x, w, n, length, k, book, progress, error))
    return FALSE;

  for (int round = 0; round < N_ROUNDS; round++)
    {
      double total = 0.0;

      if (_tare_vector_cells_suit (k))
        _tare_vector_cells_sort (book, length, k);
      if (!assign_all (x, n, length, book, k, codes, errors, progress, error))
        return FALSE;
      for (gsize i = 0; i < n; i++)
        total += (double) w[i] * (double) errors[i];
      if (total >= last * (1.0 - LEAST_GAIN))
        break;

      last = total;
      move_centroids (x, w, n, length, codes, errors, k, sums, book);
    }

  return TRUE;
}
