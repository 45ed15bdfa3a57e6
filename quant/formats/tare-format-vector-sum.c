/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-vector-private.h"

#include <math.h>
#include <string.h>

/* Vector quantization in two stages (Liu et al., VPTQ, 2024): a vector of consecutive outputs of
 * one input is the sum of a centroid and of another for what the first leaves.
 *
 *   parameters: step binary32; centroids i32 [K][v], and of the residual i32 [K][v]
 *   input: indices, a byte each; those of the residual; and the outputs beyond the last whole
 *          vector in f16
 *
 * A weight is the sum of two integers times the step. From a sum its terms cannot be told, unless
 * they say it themselves: the lowest bits of a centroid's numbers are the bits of its index, and
 * above them are as many that are those of the residual's index, so that vectors that were decoded
 * once are found again. */

#define K 256
#define INDEX_BITS 8

/* Centroids are no larger than that, so that sums, also where what all of one book have in common
 * has moved to the other, are exact in single precision. */
#define LARGEST 0x1p21f
#define LARGEST_BITS 21
#define LARGEST_SUM 0x1p23f

/* And twice that many of the largest step do not become infinite. */
#define MOST_STEP_EXPONENT 105
#define LEAST_STEP_EXPONENT (-149)

/* In units of the step. */
typedef struct
{
  float first[K * TARE_VECTOR_MAX];
  float second[K * TARE_VECTOR_MAX];
} Books;

static gsize
get_length (const TareFormat *self)
{
  return self->klass == &_tare_vector_sum4_class ? 4 : 8;
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  return sizeof (float) + 2 * K * get_length (self) * sizeof (gint32);
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  gsize length = get_length (self);

  return columns / length * 2 + columns % length * sizeof (guint16);
}

static void
store_word (guint32  word,
            guint8  *bytes)
{
  for (guint k = 0; k < 4; k++)
    bytes[k] = (guint8) (word >> 8 * k);
}

static guint32
load_word (const guint8 *bytes)
{
  return (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 |
         (guint32) bytes[3] << 24;
}

static void
store_books (float         step,
             const Books  *books,
             gsize         length,
             guint8       *parameters)
{
  store_word (tare_float_to_bits (step), parameters);
  parameters += sizeof (float);
  for (gsize i = 0; i < K * length; i++)
    {
      store_word ((guint32) (gint32) books->first[i], parameters + 4 * i);
      store_word ((guint32) (gint32) books->second[i], parameters + 4 * (K * length + i));
    }
}

/* Returns: the step */
static float
load_books (const guint8 *parameters,
            gsize         length,
            Books        *books)
{
  const guint8 *bytes = parameters + sizeof (float);

  for (gsize i = 0; i < K * length; i++)
    {
      books->first[i] = (float) (gint32) load_word (bytes + 4 * i);
      books->second[i] = (float) (gint32) load_word (bytes + 4 * (K * length + i));
    }

  return tare_float_from_bits (load_word (parameters));
}

/* --- indices in the lowest bits --- */

/* Bits of an index that a number of a vector carries. */
static guint
count_marks (gsize length)
{
  return INDEX_BITS / (guint) length;
}

/* What number d of centroid i has in its lowest bits. */
static float
get_mark (gsize    i,
          gsize    d,
          gsize    length,
          gboolean second)
{
  guint n = count_marks (length);
  gsize mark = i >> n * d & ((1u << n) - 1);

  return (float) (mark << (second ? n : 0));
}

/* Moves the numbers of centroids to the nearest with the right lowest bits. */
static void
mark_book (float    *book,
           gsize     length,
           gboolean  second)
{
  float unit = (float) (1u << 2 * count_marks (length));

  for (gsize i = 0; i < K; i++)
    for (gsize d = 0; d < length; d++)
      {
        float *x = &book[i * length + d];
        float mark = get_mark (i, d, length, second);

        *x = rintf ((CLAMP (*x, -LARGEST, LARGEST) - mark) / unit) * unit + mark;
      }
}

/* The indices that a vector in units of the step names. Returns: whether it can be a sum */
static gboolean
read_marks (const float *x,
            gsize        length,
            gsize       *first,
            gsize       *second)
{
  guint n = count_marks (length);

  *first = *second = 0;
  for (gsize d = 0; d < length; d++)
    {
      guint32 bits;

      if (!(fabsf (x[d]) < LARGEST_SUM) || rintf (x[d]) != x[d])
        return FALSE;
      bits = (guint32) (gint32) x[d];
      *first |= (gsize) (bits & ((1u << n) - 1)) << n * d;
      *second |= (gsize) (bits >> n & ((1u << n) - 1)) << n * d;
    }

  return TRUE;
}

/* --- what was decoded once --- */

/* Sums of two indices each. */
typedef struct
{
  gsize   n;
  guint8 *found;
  gsize  *pairs;
  float  *vectors;
} Sums;

static void
clear_sums (Sums *sums)
{
  g_free (sums->found);
  g_free (sums->pairs);
  g_free (sums->vectors);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sums, clear_sums)

/* Returns: whether every vector of a matrix can be a sum, and those of the same indices the same */
static gboolean
list_sums (const TareMatrix *matrix,
           gsize             length,
           float             step,
           Sums             *sums)
{
  for (gsize i = 0; i < matrix->rows * (matrix->columns / length); i++)
    {
      gsize per_row = matrix->columns / length, first, second, pair;
      const float *in = matrix->x + i / per_row * matrix->columns + i % per_row * length;
      float x[TARE_VECTOR_MAX];

      for (gsize d = 0; d < length; d++)
        x[d] = in[d] / step;
      if (!read_marks (x, length, &first, &second))
        return FALSE;

      pair = first * K + second;
      if (!sums->found[pair])
        {
          sums->found[pair] = 1;
          sums->pairs[sums->n++] = pair;
          memcpy (sums->vectors + pair * length, x, length * sizeof (float));
        }
      else
        {
          for (gsize d = 0; d < length; d++)
            if (sums->vectors[pair * length + d] != x[d])
              return FALSE;
        }
    }

  return TRUE;
}

/* What is known of the terms of sums. */
typedef struct
{
  guint8 first[K];
  guint8 second[K];
} Known;

/* Finds a term from a sum and the other. Returns: whether both are known now */
static gboolean
find_term (const float *sum,
           gsize        length,
           guint8      *is_first,
           float       *first,
           guint8      *is_second,
           float       *second)
{
  if (*is_first == *is_second)
    return *is_first;

  for (gsize d = 0; d < length; d++)
    if (*is_first)
      second[d] = sum[d] - first[d];
    else
      first[d] = sum[d] - second[d];
  *is_first = *is_second = 1;

  return TRUE;
}

/* Terms for all sums: wherever none is known, the first one's numbers may be nothing but their
 * lowest bits. Returns: whether all are the sums of their terms */
static gboolean
solve_sums (const Sums *sums,
            gsize       length,
            Books      *books)
{
  Known known = { { 0 }, { 0 } };
  gsize n_left = sums->n, last = sums->n + 1;
  g_autofree gsize *left = g_memdup2 (sums->pairs, MAX (sums->n, 1) * sizeof (gsize));

  while (n_left > 0)
    {
      gsize n = 0;

      if (n_left == last)
        known.first[left[0] / K] = 1;
      last = n_left;

      for (gsize s = 0; s < n_left; s++)
        {
          gsize i = left[s] / K, j = left[s] % K;

          if (!find_term (sums->vectors + left[s] * length, length, &known.first[i],
                          books->first + i * length, &known.second[j], books->second + j * length))
            left[n++] = left[s];
        }
      n_left = n;
    }

  for (gsize s = 0; s < sums->n; s++)
    for (gsize d = 0; d < length; d++)
      if (books->first[sums->pairs[s] / K * length + d]
          + books->second[sums->pairs[s] % K * length + d]
          != sums->vectors[sums->pairs[s] * length + d])
        return FALSE;

  return TRUE;
}

/* The greatest power of two of which all weights are multiples. Returns: 0 if they are zeros */
static double
find_unit (const TareMatrix *matrix,
           gsize             length)
{
  gsize n = matrix->columns / length * length;
  int least = G_MAXINT;

  for (gsize i = 0; i < matrix->rows; i++)
    for (gsize j = 0; j < n; j++)
      {
        guint32 bits = tare_float_to_bits (matrix->x[i * matrix->columns + j]) & 0x7fffffff;
        int exponent = (int) (bits >> 23);
        guint32 mantissa = (bits & 0x7fffff) | (exponent > 0 ? 0x800000 : 0);

        if (bits != 0)
          least = MIN (least, MAX (exponent, 1) + __builtin_ctz (mantissa));
      }

  /* An exponent of 1 and the lowest bit are 2^-149. */
  return least == G_MAXINT ? 0.0 : ldexp (1.0, least - 150);
}

/* Books in which every vector there is can be found, if there are such. The unit of the weights is
 * the step unless all the lowest bits are zeros.
 *
 * Returns: the step, or 0 */
static float
recognize (const TareMatrix *matrix,
           gsize             length,
           Books            *books)
{
  double unit = find_unit (matrix, length);

  for (guint t = 0; unit > 0.0 && t < 2 * count_marks (length); t++)
    {
      float step = (float) ldexp (unit, -(int) t);
      g_auto(Sums) sums = {
        0, g_new0 (guint8, K * K), g_new (gsize, K * K), g_new (float, K * K * length),
      };

      if (step == 0.0f)
        break;
      memset (books, 0, sizeof *books);
      mark_book (books->first, length, FALSE);
      mark_book (books->second, length, TRUE);
      if (list_sums (matrix, length, step, &sums) && solve_sums (&sums, length, books))
        return step;
    }

  return 0.0f;
}

/* --- fitting --- */

/* Takes from vectors the centroids nearest to them. */
static void
subtract_nearest (float       *x,
                  gsize        n,
                  gsize        length,
                  const float *book,
                  guint16     *codes)
{
  _tare_vectors_assign (x, n, length, book, K, codes, NULL);
  for (gsize i = 0; i < n; i++)
    for (gsize d = 0; d < length; d++)
      x[i * length + d] -= book[codes[i] * length + d];
}

/* A power of two. */
static float
find_step (const TareMatrix *matrix)
{
  float largest = 0.0f;
  int exponent;

  for (gsize i = 0; i < matrix->rows * matrix->columns; i++)
    largest = MAX (largest, fabsf (matrix->x[i]));
  frexpf (largest, &exponent);

  return ldexpf (1.0f, CLAMP (exponent - LARGEST_BITS, LEAST_STEP_EXPONENT, MOST_STEP_EXPONENT));
}

static gboolean
fit_books (const TareMatrix  *matrix,
           gsize              length,
           float              step,
           Books             *books,
           GError           **error)
{
  gsize n = MIN (matrix->rows * (matrix->columns / length),
                 MAX (TARE_VECTOR_SAMPLE, TARE_VECTOR_SAMPLE_SHARE * K));
  g_autofree float *x = g_new (float, MAX (n * length, 1));
  g_autofree float *w = g_new (float, MAX (n, 1));
  g_autofree guint16 *codes = g_new (guint16, MAX (n, 1));

  memset (books, 0, sizeof *books);
  if (n == 0)
    return TRUE;

  _tare_vectors_take_sample (matrix, NULL, matrix->rows, length, n, x, w);
  for (gsize i = 0; i < n * length; i++)
    x[i] = CLAMP (x[i] / step, -LARGEST, LARGEST);

  if (!_tare_vector_means (x, w, n, length, K, books->first, matrix->progress, error))
    return FALSE;
  mark_book (books->first, length, FALSE);

  subtract_nearest (x, n, length, books->first, codes);
  if (!_tare_vector_means (x, w, n, length, K, books->second, matrix->progress, error))
    return FALSE;
  mark_book (books->second, length, TRUE);

  return TRUE;
}

static gboolean
fit (const TareFormat  *self,
     const TareMatrix  *matrix,
     guint8            *parameters,
     GError           **error)
{
  gsize length = get_length (self);
  g_autofree Books *books = g_new (Books, 1);
  float step;

  if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
    return FALSE;

  step = recognize (matrix, length, books);
  if (step == 0.0f)
    {
      step = find_step (matrix);
      if (!fit_books (matrix, length, step, books, error))
        return FALSE;
    }
  store_books (step, books, length, parameters);

  return TRUE;
}

/* --- rows --- */

/* The indices of vectors that are sums. x: [n][length] in units of the step. Returns: of how many
 * the indices were found */
static gsize
find_sums (const float *x,
           gsize        n,
           gsize        length,
           const Books *books,
           guint8      *first,
           guint8      *second)
{
  for (gsize i = 0; i < n; i++)
    {
      gsize a, b;

      if (!read_marks (x + i * length, length, &a, &b))
        return i;
      for (gsize d = 0; d < length; d++)
        if (books->first[a * length + d] + books->second[b * length + d] != x[i * length + d])
          return i;

      first[i] = (guint8) a;
      second[i] = (guint8) b;
    }

  return n;
}

static void
encode_matrix_row (const TareFormat *self,
                   const TareMatrix *matrix,
                   gsize             row,
                   const guint8     *parameters,
                   guint8           *codes)
{
  gsize length = get_length (self), columns = matrix->columns, n = columns / length, found;
  const float *in = matrix->x + row * columns;
  g_autofree Books *books = g_new (Books, 1);
  g_autofree float *x = g_new (float, MAX (n * length, 1));
  g_autofree guint16 *indices = g_new (guint16, MAX (n, 1));
  float step = load_books (parameters, length, books);

  for (gsize j = 0; j < n * length; j++)
    x[j] = in[j] / step;

  found = find_sums (x, n, length, books, codes, codes + n);
  if (found < n)
    {
      for (gsize j = 0; j < n * length; j++)
        x[j] = CLAMP (x[j], -LARGEST, LARGEST);
      subtract_nearest (x, n, length, books->first, indices);
      for (gsize i = 0; i < n; i++)
        codes[i] = (guint8) indices[i];
      subtract_nearest (x, n, length, books->second, indices);
      for (gsize i = 0; i < n; i++)
        codes[n + i] = (guint8) indices[i];
    }

  store_halves (in + n * length, columns - n * length, codes + 2 * n);
}

/* A constant length makes a kernel of its own. */
TARE_INLINE void
add_centroids (const guint8 *codes,
               gsize         n,
               gsize         length,
               float         step,
               const Books  *books,
               float        *y)
{
  for (gsize i = 0; i < n; i++)
    for (gsize d = 0; d < length; d++)
      y[i * length + d] = (books->first[codes[i] * length + d]
                           + books->second[codes[n + i] * length + d]) * step;
}

static void
decode_matrix_row (const TareFormat *self,
                   const guint8     *parameters,
                   gsize             row,
                   const guint8     *codes,
                   gsize             columns,
                   float            *y)
{
  gsize length = get_length (self), n = columns / length;
  g_autofree Books *books = g_new (Books, 1);
  float step = load_books (parameters, length, books);

  if (length == 8)
    add_centroids (codes, n, 8, step, books, y);
  else
    add_centroids (codes, n, 4, step, books, y);
  load_halves (codes + 2 * n, columns - n * length, y + n * length);
}

#define CLASS(v)                                                                           \
  const TareFormatClass _tare_vector_sum##v##_class = {                                    \
    .get_row_bytes = get_row_bytes, .get_parameter_bytes = get_parameter_bytes,            \
    .fit = fit, .encode_matrix_row = encode_matrix_row,                                    \
    .decode_matrix_row = decode_matrix_row,                                                \
  }

CLASS (4);
CLASS (8);
