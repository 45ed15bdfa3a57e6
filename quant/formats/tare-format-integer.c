/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-search-private.h"

/* Integers of 2 to 8 bits with a scale, and perhaps a zero point, for every group of a row.
 *
 * A row of n weights of b bits in G groups is, with no padding but to whole bytes,
 *
 *   codes:  ceil (n b / 8) bytes; code i occupies the bits from i b on, bit 0 the lowest of byte 0
 *   scales: G IEEE binary16
 *   zeros:  ceil (G b / 8) bytes, packed as the codes; only where there is a zero point
 *
 * and the last group may be short. A weight is (code - zero) scale; without a zero point the zero
 * is 2^(b-1), so that the grid is -2^(b-1) .. 2^(b-1) - 1. The scale is never negative. */

#define PIECE TARE_SEARCH_PIECE
#define LANES TARE_SEARCH_LANES

/* The range shrinks by hundredths, as in the clip search of GPTQ and QuaRot, but from beyond the
 * weights on, as small groups may fit a wider grid better; and then by a constant ratio, for long
 * rows whose largest weight says nothing of the others. */
#define N_STEPS 104
#define N_CANDIDATES 112
#define WIDEST 1.24f
#define STEP 0.01f
#define RATIO 0.87f

/* Rounds of closed-form refit and rounding anew. */
#define N_REFITS 10

/* The grid of one group: codes from 0 to highest, of which zero stands for no weight. */
typedef struct
{
  float scale;
  float zero;
} Grid;

static gsize
group_length (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? self->group : columns;
}

static gsize
count_groups (const TareFormat *self,
              gsize             columns)
{
  return columns == 0 ? 0 : (columns - 1) / group_length (self, columns) + 1;
}

static gsize
packed_bytes (gsize n,
              guint bits)
{
  return n / 8 * bits + (n % 8 * bits + 7) / 8;
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  gsize n_groups = count_groups (self, columns);

  return packed_bytes (columns, self->bits) + n_groups * sizeof (guint16) +
         (self->asymmetric ? packed_bytes (n_groups, self->bits) : 0);
}

static guint
load_code (const guint8 *codes,
           gsize         i,
           guint         bits)
{
  const guint8 *byte = codes + i / 8 * bits + i % 8 * bits / 8;
  guint shift = i % 8 * bits % 8;
  guint word = byte[0];

  if (shift + bits > 8)
    word |= (guint) byte[1] << 8;

  return (word >> shift) & ((1u << bits) - 1);
}

/* The bytes must be zero before. */
static void
store_code (guint8 *codes,
            gsize   i,
            guint   bits,
            guint   code)
{
  guint8 *byte = codes + i / 8 * bits + i % 8 * bits / 8;
  guint shift = i % 8 * bits % 8;

  byte[0] |= (guint8) (code << shift);
  if (shift + bits > 8)
    byte[1] |= (guint8) (code << shift >> 8);
}

/* Eight codes of up to four bits are one word. */
TARE_INLINE guint32
load_eight (const guint8 *codes,
            guint         bits)
{
  guint32 word = codes[0];

  for (guint k = 1; k < bits; k++)
    word |= (guint32) codes[k] << 8 * k;

  return word;
}

/* A group that begins at a whole byte. y: [n] */
TARE_INLINE void
decode_group (const guint8 *restrict codes,
              gsize                  n,
              guint                  bits,
              float                  scale,
              int                    zero,
              float        *restrict y)
{
  gsize whole = bits == 8 ? n : n & ~(gsize) 7;

  if (bits == 8)
    {
      #pragma omp simd
      for (gsize j = 0; j < n; j++)
        y[j] = (float) ((int) codes[j] - zero) * scale;
    }
  else
    {
      for (gsize j = 0; j < whole; j += 8)
        {
          guint32 word = load_eight (codes + j / 8 * bits, bits);

          #pragma omp simd
          for (guint k = 0; k < 8; k++)
            y[j + k] = (float) ((int) ((word >> bits * k) & ((1u << bits) - 1)) - zero) * scale;
        }
    }

  for (gsize j = whole; j < n; j++)
    y[j] = (float) ((int) load_code (codes, j, bits) - zero) * scale;
}

TARE_INLINE void
decode_bits (const TareFormat *self,
             const guint8     *codes,
             gsize             columns,
             guint             bits,
             float            *y)
{
  gsize length = group_length (self, columns);
  gsize n_groups = count_groups (self, columns);
  const guint8 *scales = codes + packed_bytes (columns, bits);
  const guint8 *zeros = scales + n_groups * sizeof (guint16);

  for (gsize g = 0; g < n_groups; g++)
    {
      gsize begin = g * length;
      int zero = self->asymmetric ? (int) load_code (zeros, g, bits) : 1 << (bits - 1);

      decode_group (codes + begin / 8 * bits, MIN (length, columns - begin), bits,
                    load_half (scales + 2 * g), zero, y + begin);
    }
}

TARE_CLONES static void
decode_8 (const TareFormat *self,
          const guint8     *codes,
          gsize             columns,
          float            *y)
{
  decode_bits (self, codes, columns, 8, y);
}

TARE_CLONES static void
decode_4 (const TareFormat *self,
          const guint8     *codes,
          gsize             columns,
          float            *y)
{
  decode_bits (self, codes, columns, 4, y);
}

TARE_CLONES static void
decode_3 (const TareFormat *self,
          const guint8     *codes,
          gsize             columns,
          float            *y)
{
  decode_bits (self, codes, columns, 3, y);
}

TARE_CLONES static void
decode_2 (const TareFormat *self,
          const guint8     *codes,
          gsize             columns,
          float            *y)
{
  decode_bits (self, codes, columns, 2, y);
}

static void
decode_row (const TareFormat *self,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  static void (*const kernels[]) (const TareFormat *, const guint8 *, gsize, float *) = {
    [2] = decode_2, [3] = decode_3, [4] = decode_4, [8] = decode_8,
  };

  kernels[self->bits] (self, codes, columns, y);
}

static float
get_highest (const TareFormat *self)
{
  return (float) ((1u << self->bits) - 1);
}

/* The grid from end to end, which always holds zero. */
static Grid
span_grid (const TareFormat *self,
           float             minimum,
           float             maximum)
{
  float highest = get_highest (self);
  float half = (highest + 1.0f) / 2.0f;
  Grid grid = { 0.0f, half };

  minimum = MIN (minimum, 0.0f);
  maximum = MAX (maximum, 0.0f);

  if (!self->asymmetric)
    {
      grid.scale = round_scale (MAX (-minimum, maximum) / (half - 1.0f));
      return grid;
    }

  grid.scale = round_scale (maximum / highest - minimum / highest);
  if (grid.scale > 0.0f)
    grid.zero = rintf (MIN (-minimum / grid.scale, highest));

  return grid;
}

/* Candidate grids of one group, and what each would cost. */
typedef struct
{
  float scale[N_CANDIDATES];
  float zero[N_CANDIDATES];
  float low[N_CANDIDATES];
  float high[N_CANDIDATES];
  float error[N_CANDIDATES];
} Grids;

/* Ranges from the least to the largest weight, times the factors. */
TARE_CLONES static void
list_grids (Grids       *grids,
            const float *factors,
            float        minimum,
            float        maximum,
            gboolean     asymmetric,
            float        highest)
{
  float half = (highest + 1.0f) / 2.0f;
  float from = minimum < 0.0f ? minimum : 0.0f;
  float to = maximum > 0.0f ? maximum : 0.0f;
  float span = asymmetric ? (to - from) / highest : (-from > to ? -from : to) / (half - 1.0f);

  #pragma omp simd
  for (int c = 0; c < N_CANDIDATES; c++)
    {
      float scale = round_scale (factors[c] * span);
      float zero = -from * factors[c] / scale;

      zero = rintf (zero < highest ? zero : highest);
      grids->scale[c] = scale;
      grids->zero[c] = asymmetric ? zero : half;
    }
}

/* The grids around one: other zero points with its scale, with another scale, and with scales a
 * little off. */
static void
list_neighbours (Grids    *grids,
                 Grid      grid,
                 float     refit,
                 gboolean  asymmetric,
                 float     highest)
{
  const float scales[4] = { refit, grid.scale, round_scale (grid.scale * 0.99f),
                            round_scale (grid.scale * 1.01f) };

  for (int c = 0; c < LANES; c++)
    {
      float zero = grid.zero + (asymmetric ? (float) (c % 4) - 1.0f : 0.0f);

      grids->scale[c] = scales[c / 4];
      grids->zero[c] = CLAMP (zero, 0.0f, highest);
    }
}

/* Σw(x - y)² for each of the first m grids, m a multiple of the lanes. */
static void
measure_grids (Grids       *grids,
               gsize        m,
               const float *x,
               const float *w,
               gsize        n,
               float        highest)
{
  double total[N_CANDIDATES] = { 0.0 };

  for (gsize c = 0; c < m; c++)
    {
      grids->low[c] = -grids->zero[c];
      grids->high[c] = highest - grids->zero[c];
    }

  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      _tare_search_error_symmetric (x + begin, w + begin, MIN (PIECE, n - begin), m, grids->scale,
                                    grids->low, grids->high, grids->error);
      for (gsize c = 0; c < m; c++)
        total[c] += (double) grids->error[c];
    }

  for (gsize c = 0; c < m; c++)
    grids->error[c] = (float) total[c];
}

/* Least squares for the scale with all codes as they are. */
static float
refit_scale (const float *x,
             const float *w,
             gsize        n,
             Grid         grid,
             float        highest)
{
  double xq = 0.0, qq = 0.0;

  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      float q[PIECE];
      gsize length = MIN (PIECE, n - begin);
      TareSearchSums sums;

      _tare_search_encode (x + begin, length, grid.scale, 0.0f, -grid.zero, highest - grid.zero, q);
      sums = _tare_search_sum (x + begin, w + begin, q, length);
      xq += sums.xq;
      qq += sums.qq;
    }

  return qq > 0.0 && xq > 0.0 ? round_scale ((float) (xq / qq)) : grid.scale;
}

/* Shrinks the range, and then refits the scale and tries the neighbours of the zero point until
 * nothing gets better. Of equal candidates the first is taken: the plain one, or the widest. */
static Grid
search_grid (const TareFormat *self,
             const float      *factors,
             const float      *x,
             const float      *w,
             gsize             n,
             float             minimum,
             float             maximum)
{
  Grids grids;
  Grid best = span_grid (self, minimum, maximum);
  float largest = MAX (-minimum, maximum);
  float highest = get_highest (self);
  float least = INFINITY;
  gsize m = N_CANDIDATES;

  if (largest < TARE_SEARCH_SMALLEST || largest > TARE_SEARCH_LARGEST)
    return best;

  list_grids (&grids, factors, minimum, maximum, self->asymmetric, highest);
  grids.scale[0] = best.scale;
  grids.zero[0] = best.zero;

  for (int i = 0; i <= N_REFITS; i++)
    {
      gsize winner;

      measure_grids (&grids, m, x, w, n, highest);
      winner = _tare_search_find_least (grids.error, m);
      if (grids.error[winner] >= least)
        break;

      least = grids.error[winner];
      best = (Grid) { grids.scale[winner], grids.zero[winner] };
      m = LANES;
      list_neighbours (&grids, best, refit_scale (x, w, n, best, highest), self->asymmetric,
                       highest);
    }

  return best;
}

static void
list_factors (float *factors)
{
  for (int c = 0; c < N_CANDIDATES; c++)
    factors[c] = c < N_STEPS ? WIDEST - STEP * (float) c : factors[c - 1] * RATIO;
}

/* A group that begins at a whole byte. */
static void
encode_group (const TareFormat *self,
              const float      *x,
              gsize             n,
              Grid              grid,
              guint8           *codes)
{
  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      float q[PIECE];
      gsize length = MIN (PIECE, n - begin);

      _tare_search_encode (x + begin, length, grid.scale, 0.0f, -grid.zero,
                           get_highest (self) - grid.zero, q);
      for (gsize j = 0; j < length; j++)
        store_code (codes, begin + j, self->bits, (guint) (q[j] + grid.zero));
    }
}

static void
encode_row (const TareFormat *self,
            gboolean          search,
            const float      *x,
            const float      *weights,
            gsize             columns,
            guint8           *codes)
{
  gsize length = group_length (self, columns);
  gsize n_groups = count_groups (self, columns);
  guint8 *scales = codes + packed_bytes (columns, self->bits);
  guint8 *zeros = scales + n_groups * sizeof (guint16);
  float factors[N_CANDIDATES];

  list_factors (factors);
  memset (codes, 0, get_row_bytes (self, columns));

  for (gsize g = 0; g < n_groups; g++)
    {
      gsize begin = g * length;
      gsize n = MIN (length, columns - begin);
      float minimum, maximum;
      Grid grid;

      _tare_search_range (x + begin, n, &minimum, &maximum);
      if (search)
        grid = search_grid (self, factors, x + begin, weights + begin, n, minimum, maximum);
      else
        grid = span_grid (self, minimum, maximum);

      encode_group (self, x + begin, n, grid, codes + begin / 8 * self->bits);
      store_half (scales + 2 * g, grid.scale);
      if (self->asymmetric)
        store_code (zeros, g, self->bits, (guint) grid.zero);
    }
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  Grid grid = span_grid (self, minimum, maximum);
  gsize n = (gsize) 1 << self->bits;

  for (gsize code = 0; code < n; code++)
    levels[code] = ((float) code - grid.zero) * grid.scale;

  return n;
}

/* What is taken off a code for a level: half the grid where there is no zero point. */
static int
get_middle (const TareFormat *self)
{
  return self->asymmetric ? 0 : 1 << (self->bits - 1);
}

static void
take_apart (const TareFormat *self,
            const guint8     *codes,
            TareParts        *parts)
{
  gsize row_bytes = get_row_bytes (self, parts->columns);

  for (gsize i = 0; i < parts->rows; i++)
    {
      const guint8 *row = codes + i * row_bytes;
      const guint8 *scales = row + packed_bytes (parts->columns, self->bits);
      const guint8 *zeros = scales + parts->n_groups * sizeof (guint16);

      for (gsize j = 0; j < parts->columns; j++)
        parts->codes[i * parts->columns + j] =
          (gint16) ((int) load_code (row, j, self->bits) - get_middle (self));
      for (gsize g = 0; g < parts->n_groups; g++)
        {
          parts->scales[i * parts->n_groups + g] = load_half (scales + 2 * g);
          if (self->asymmetric)
            parts->zeros[i * parts->n_groups + g] = (gint16) load_code (zeros, g, self->bits);
        }
    }
}

static gboolean
put_scales (const TareFormat  *self,
            const TareParts   *parts,
            gsize              row,
            guint8            *scales,
            GError           **error)
{
  guint8 *zeros = scales + parts->n_groups * sizeof (guint16);

  for (gsize g = 0; g < parts->n_groups; g++)
    {
      gsize index = row * parts->n_groups + g;

      store_half (scales + 2 * g, parts->scales[index]);
      if (load_half (scales + 2 * g) != parts->scales[index]
          || (self->asymmetric && parts->zeros[index] >> self->bits != 0))
        return _tare_parts_fail_scale (self, parts, index, error);
      if (self->asymmetric)
        store_code (zeros, g, self->bits, (guint) parts->zeros[index]);
    }

  return TRUE;
}

static gboolean
put_together (const TareFormat  *self,
              const TareParts   *parts,
              guint8            *codes,
              GError           **error)
{
  gsize row_bytes = get_row_bytes (self, parts->columns);

  memset (codes, 0, parts->rows * row_bytes);
  for (gsize i = 0; i < parts->rows; i++)
    {
      guint8 *row = codes + i * row_bytes;

      for (gsize j = 0; j < parts->columns; j++)
        {
          int code = parts->codes[i * parts->columns + j] + get_middle (self);

          if (code >> self->bits != 0)
            return _tare_parts_fail_code (self, parts, i * parts->columns + j, error);
          store_code (row, j, self->bits, (guint) code);
        }
      if (!put_scales (self, parts, i, row + packed_bytes (parts->columns, self->bits), error))
        return FALSE;
    }

  return TRUE;
}

const TareFormatClass _tare_format_integer_class = {
  .take_apart = take_apart,
  .put_together = put_together,
  .get_row_bytes = get_row_bytes,
  .encode_row = encode_row,
  .decode_row = decode_row,
  .get_levels = get_levels,
};
