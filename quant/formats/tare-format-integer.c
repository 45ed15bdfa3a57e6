/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-integer-private.h"

#include <math.h>

#include "quant/formats/tare-format-grid-private.h"
#include "quant/formats/tare-pack-private.h"

/* Integers of 2 to 8 bits with a scale and a zero point for every group of a row.
 *
 * A row of n weights of b bits in G groups is, with no padding but to whole bytes,
 *
 *   codes:  ceil (n b / 8) bytes, see tare-pack.c
 *   scales: G IEEE binary16
 *   zeros:  ceil (G b / 8) bytes, packed as the codes
 *
 * and the last group may be short. A weight is (code - zero) scale. The scale is never negative.
 * Where the whole matrix shares them, a scale and a byte for the zero point lie before the rows,
 * which are codes alone. */

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
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  gsize n_groups = count_groups (self, columns);

  if (self->per_tensor)
    return _tare_packed_bytes (columns, self->bits);

  return _tare_packed_bytes (columns, self->bits) + n_groups * sizeof (guint16)
         + _tare_packed_bytes (n_groups, self->bits);
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  return self->per_tensor ? sizeof (guint16) + 1 : 0;
}

TARE_CLONES static void
decode_zero_points (const guint8  *codes,
                    gsize          n_groups,
                    gsize          length,
                    const Groups  *grids,
                    float         *y)
{
  decode_lengths (codes, n_groups, length, grids, FALSE, y);
}

/* What lies in a row beside its codes, or before all rows. */
typedef struct
{
  const guint8 *scales;
  guint8        zeros[PIECE];
  gsize         first;
} Sides;

/* Zero points are unpacked as many at a time as there is room for. */
static Grid
load_grid (const TareFormat *self,
           const guint8     *parameters,
           Sides            *sides,
           gsize             n_groups,
           gsize             g)
{
  const guint8 *zeros = sides->scales + n_groups * sizeof (guint16);

  if (self->per_tensor)
    return (Grid) { load_half (parameters), (float) parameters[2] };

  if (g % PIECE == 0)
    _tare_unpack (zeros + g / 8 * self->bits, MIN (PIECE, n_groups - g), self->bits, sides->zeros);

  return (Grid) { load_half (sides->scales + 2 * g), (float) sides->zeros[g % PIECE] };
}

static void
decode_row (const TareFormat *self,
            const guint8     *parameters,
            gsize             row,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  gsize length = group_length (self, columns);
  gsize n_groups = count_groups (self, columns);
  Sides sides = { .scales = codes + _tare_packed_bytes (columns, self->bits) };

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize n = MIN (PIECE, columns - begin);
      gsize step = MIN (length, n), whole = n / step;
      guint8 piece[PIECE];
      Groups grids;

      for (gsize g = 0; g * step < n; g++)
        {
          Grid grid = load_grid (self, parameters, &sides, n_groups, begin / length + g);

          grids.scale[g] = grid.scale;
          grids.zero[g] = grid.zero;
        }

      _tare_unpack (codes + begin / 8 * self->bits, n, self->bits, piece);
      decode_zero_points (piece, whole, step, &grids, y + begin);
      if (whole * step < n)
        {
          grids.scale[0] = grids.scale[whole];
          grids.zero[0] = grids.zero[whole];
          decode_zero_points (piece + whole * step, 1, n - whole * step, &grids,
                              y + begin + whole * step);
        }
    }
}

/* The grids from end to end, which always hold zero. */
TARE_CLONES static void
span_grids (const float *minimums,
            const float *maximums,
            gsize        n,
            float        highest,
            float       *scales,
            float       *zeros)
{
  #pragma omp simd
  for (gsize g = 0; g < n; g++)
    {
      float minimum = minimums[g] < 0.0f ? minimums[g] : 0.0f;
      float maximum = maximums[g] > 0.0f ? maximums[g] : 0.0f;
      float scale = round_scale (maximum / highest - minimum / highest);
      float zero = -minimum / scale;

      zero = rintf (zero < highest ? zero : highest);
      scales[g] = scale;
      zeros[g] = scale > 0.0f ? zero : (highest + 1.0f) / 2.0f;
    }
}

static Grid
span_grid (const TareFormat *self,
           float             minimum,
           float             maximum)
{
  Grid grid;

  span_grids (&minimum, &maximum, 1, get_highest (self), &grid.scale, &grid.zero);

  return grid;
}

/* Candidate grids of one group, and what each would cost. */
typedef struct
{
  float scale[N_CANDIDATES];
  float zero[N_CANDIDATES];
  float low[N_CANDIDATES];
  float high[N_CANDIDATES];
  double error[N_CANDIDATES];
} Grids;

/* Ranges from the least to the largest weight, times the factors. */
TARE_CLONES static void
list_grids (Grids       *grids,
            const float *factors,
            float        minimum,
            float        maximum,
            float        highest)
{
  float from = minimum < 0.0f ? minimum : 0.0f;
  float to = maximum > 0.0f ? maximum : 0.0f;
  float span = (to - from) / highest;

  #pragma omp simd
  for (int c = 0; c < N_CANDIDATES; c++)
    {
      float scale = round_scale (factors[c] * span);
      float zero = -from * factors[c] / scale;

      grids->scale[c] = scale;
      grids->zero[c] = rintf (zero < highest ? zero : highest);
    }
}

/* The grids around one: other zero points with its scale, with another scale, and with scales a
 * little off. */
static void
list_neighbours (Grids *grids,
                 Grid   grid,
                 float  refit,
                 float  highest)
{
  const float scales[4] = { refit, grid.scale, round_scale (grid.scale * 0.99f),
                            round_scale (grid.scale * 1.01f) };

  for (int c = 0; c < LANES; c++)
    {
      float zero = grid.zero + (float) (c % 4) - 1.0f;

      grids->scale[c] = scales[c / 4];
      grids->zero[c] = CLAMP (zero, 0.0f, highest);
    }
}

TARE_INLINE void
measure_lanes (const float *x,
               const float *w,
               gsize        n,
               gsize        m,
               const Grids *grids,
               gboolean     norm,
               float       *error)
{
  for (gsize c = 0; c < m; c += LANES)
    {
      float sum[LANES] = { 0.0f }, inverse[LANES];

      for (gsize k = 0; k < LANES; k++)
        inverse[k] = invert (grids->scale[c + k]);

      for (gsize j = 0; j < n; j++)
        {
          #pragma omp simd
          for (gsize k = 0; k < LANES; k++)
            {
              float code = x[j] * inverse[k];

              code = code < grids->low[c + k] ? grids->low[c + k] : code;
              code = rintf (code > grids->high[c + k] ? grids->high[c + k] : code);
              sum[k] += weigh_difference (w[j], x[j] - grids->scale[c + k] * code, norm);
            }
        }

      for (gsize k = 0; k < LANES; k++)
        error[c + k] = sum[k];
    }
}

TARE_CLONES static void
measure_piece (const float *x,
               const float *w,
               gsize        n,
               gsize        m,
               const Grids *grids,
               gboolean     norm,
               float       *error)
{
  if (norm)
    measure_lanes (x, w, n, m, grids, TRUE, error);
  else
    measure_lanes (x, w, n, m, grids, FALSE, error);
}

/* Σw|x - y|^p for each of the first m grids, m a multiple of the lanes. */
static void
measure_grids (Grids                *grids,
               gsize                 m,
               gboolean              norm,
               const TareGridSample *sample,
               float                 highest)
{
  for (gsize c = 0; c < m; c++)
    {
      grids->low[c] = -grids->zero[c];
      grids->high[c] = highest - grids->zero[c];
      grids->error[c] = 0.0;
    }

  for (gsize i = 0; i < sample->rows && !tare_progress_cancelled (sample->progress); i++)
    for (gsize begin = 0; begin < sample->n; begin += PIECE)
      {
        float error[N_CANDIDATES];

        measure_piece (sample->x + i * sample->stride + begin, sample->w + begin,
                       MIN (PIECE, sample->n - begin), m, grids, norm, error);
        for (gsize c = 0; c < m; c++)
          grids->error[c] += (double) error[c];
      }
}

/* Least squares for the scale with all codes as they are. */
static float
refit_scale (const TareGridSample *sample,
             Grid                  grid,
             float                 highest)
{
  double xq = 0.0, qq = 0.0;

  for (gsize i = 0; i < sample->rows; i++)
    for (gsize begin = 0; begin < sample->n; begin += PIECE)
      {
        const float *x = sample->x + i * sample->stride + begin;
        float q[PIECE];
        gsize length = MIN (PIECE, sample->n - begin);
        TareSearchSums sums;

        _tare_search_encode (x, length, grid.scale, 0.0f, -grid.zero, highest - grid.zero, q);
        sums = _tare_search_sum (x, sample->w + begin, q, length);
        xq += sums.xq;
        qq += sums.qq;
      }

  return qq > 0.0 && xq > 0.0 ? round_scale ((float) (xq / qq)) : grid.scale;
}

static gsize
find_least (const double *error,
            gsize         m)
{
  gsize least = 0;

  for (gsize c = 1; c < m; c++)
    if (error[c] < error[least])
      least = c;

  return least;
}

/* Shrinks the range, and then refits the scale and tries the neighbours of the zero point until
 * nothing gets better. Of equal candidates the first is taken: the plain one, or the widest. */
static Grid
search_grid (const TareFormat     *self,
             gboolean              norm,
             const float          *factors,
             const TareGridSample *sample,
             float                 minimum,
             float                 maximum)
{
  Grids grids;
  Grid best = span_grid (self, minimum, maximum);
  float largest = MAX (-minimum, maximum);
  float highest = get_highest (self);
  double least = (double) INFINITY;
  gsize m = N_CANDIDATES;

  if (largest < TARE_SEARCH_SMALLEST || largest > TARE_SEARCH_LARGEST)
    return best;

  list_grids (&grids, factors, minimum, maximum, highest);
  grids.scale[0] = best.scale;
  grids.zero[0] = best.zero;

  for (int i = 0; i <= N_REFITS; i++)
    {
      gsize winner;

      measure_grids (&grids, m, norm, sample, highest);
      winner = find_least (grids.error, m);
      if (grids.error[winner] >= least)
        break;

      least = grids.error[winner];
      best = (Grid) { grids.scale[winner], grids.zero[winner] };
      m = LANES;
      list_neighbours (&grids, best, norm ? best.scale : refit_scale (sample, best, highest),
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

static Grid
find_grid (const TareFormat     *self,
           TareRange             range,
           const TareGridSample *sample)
{
  float factors[N_CANDIDATES];
  float minimum = 0.0f, maximum = 0.0f;

  for (gsize i = 0; i < sample->rows; i++)
    {
      float low, high;

      _tare_search_range (sample->x + i * sample->stride, sample->n, &low, &high);
      minimum = MIN (minimum, low);
      maximum = MAX (maximum, high);
    }

  if (range == TARE_RANGE_MINIMUM_MAXIMUM || range == TARE_RANGE_ROUND_UP)
    return span_grid (self, minimum, maximum);

  list_factors (factors);

  return search_grid (self, range == TARE_RANGE_NORM, factors, sample, minimum, maximum);
}

TARE_CLONES static void
encode_zero_points (const float *x,
                    gsize        n,
                    gsize        length,
                    const float *scales,
                    const float *zeros,
                    float        highest,
                    guint8      *codes)
{
  encode_lengths (x, n, length, scales, zeros, FALSE, highest, codes);
}

static gboolean
fit (const TareFormat  *self,
     const TareMatrix  *matrix,
     guint8            *parameters,
     GError           **error)
{
  gboolean searches = matrix->range != TARE_RANGE_MINIMUM_MAXIMUM
                      && matrix->range != TARE_RANGE_ROUND_UP;
  gsize step = searches ? matrix->rows * matrix->columns / TARE_GRID_SAMPLE + 1 : 1;
  TareGridSample sample = {
    matrix->x, matrix->weights, matrix->columns, (matrix->rows - 1) / step + 1,
    step * matrix->columns, matrix->progress,
  };
  Grid grid = find_grid (self, matrix->range, &sample);

  store_half (parameters, grid.scale);
  parameters[2] = (guint8) grid.zero;

  return tare_progress_step (matrix->progress, 0.0, NULL, error);
}

/* The grids of the groups of n weights. */
static void
find_grids (const TareFormat *self,
            const TareMatrix *matrix,
            const guint8     *parameters,
            const float      *x,
            const float      *w,
            gsize             n,
            gsize             length,
            Groups           *grids)
{
  gboolean searches = matrix->range != TARE_RANGE_MINIMUM_MAXIMUM
                      && matrix->range != TARE_RANGE_ROUND_UP;
  gsize n_groups = (n - 1) / length + 1;
  float maximums[PIECE];

  if (!self->per_tensor && !searches)
    {
      _tare_search_ranges (x, n, length, grids->minimum, maximums);
      span_grids (grids->minimum, maximums, n_groups, get_highest (self), grids->scale,
                  grids->zero);
      return;
    }

  for (gsize g = 0; g < n_groups; g++)
    {
      TareGridSample sample = { x + g * length, w + g * length, MIN (length, n - g * length), 1, 0,
                                NULL };
      Grid grid = { 0.0f, 0.0f };

      if (self->per_tensor)
        grid = (Grid) { load_half (parameters), (float) parameters[2] };
      else
        grid = find_grid (self, matrix->range, &sample);
      grids->scale[g] = grid.scale;
      grids->zero[g] = grid.zero;
    }
}

/* Those of the groups from first on; zero points are packed as many at a time as there is room
 * for. */
static void
store_grids (const TareFormat *self,
             const Groups     *grids,
             gsize             first,
             gsize             n,
             gsize             n_groups,
             guint8           *scales,
             guint8           *unpacked)
{
  guint8 *zeros = scales + n_groups * sizeof (guint16);

  tare_half_from_floats (grids->scale, n, scales + first * sizeof (guint16));
  for (gsize g = first; g < first + n; g++)
    {
      unpacked[g % PIECE] = (guint8) grids->zero[g - first];
      if (g % PIECE == PIECE - 1 || g + 1 == n_groups)
        _tare_pack (unpacked, g % PIECE + 1, self->bits,
                    zeros + g / PIECE * PIECE / 8 * self->bits);
    }
}

/* A group that is longer than a piece has its grid found where it begins. */
static void
encode_row (const TareFormat *self,
            const TareMatrix *matrix,
            gsize             row,
            const guint8     *parameters,
            guint8           *codes)
{
  gsize columns = matrix->columns;
  gsize length = group_length (self, columns);
  gsize n_groups = count_groups (self, columns);
  const float *x = matrix->x + row * columns;
  guint8 *scales = codes + _tare_packed_bytes (columns, self->bits);
  guint8 unpacked[PIECE];
  Groups grids;

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize n = MIN (PIECE, columns - begin), step = MIN (length, PIECE);
      guint8 piece[PIECE];

      if (begin % length == 0)
        {
          find_grids (self, matrix, parameters, x + begin, matrix->weights + begin,
                      MAX (n, MIN (length, columns - begin)), length, &grids);
          if (!self->per_tensor)
            store_grids (self, &grids, begin / length, (n - 1) / step + 1, n_groups, scales,
                         unpacked);
        }

      encode_zero_points (x + begin, n, step, grids.scale, grids.zero, get_highest (self), piece);
      _tare_pack (piece, n, self->bits, codes + begin / 8 * self->bits);
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

static void
take_apart (const TareFormat *self,
            const guint8     *codes,
            TareParts        *parts)
{
  gsize columns = parts->columns;
  gsize row_bytes = get_row_bytes (self, columns);
  const guint8 *rows = codes + get_parameter_bytes (self, parts->rows, columns);
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  for (gsize i = 0; i < parts->rows; i++)
    {
      const guint8 *row = rows + i * row_bytes;
      Sides sides = { .scales = row + _tare_packed_bytes (columns, self->bits) };

      _tare_unpack (row, columns, self->bits, unpacked);
      for (gsize j = 0; j < columns; j++)
        parts->codes[i * columns + j] = unpacked[j];
      for (gsize g = 0; g < parts->n_groups; g++)
        {
          Grid grid = load_grid (self, codes, &sides, parts->n_groups, g);
          gsize index = self->per_tensor ? 0 : i * parts->n_groups + g;

          parts->scales[index] = grid.scale;
          parts->zeros[index] = (gint16) grid.zero;
        }
    }
}

/* Stores what load_grid() loads, of one group. */
static gboolean
put_grid (const TareFormat  *self,
          const TareParts   *parts,
          gsize              index,
          guint8            *scale,
          guint8            *zero,
          GError           **error)
{
  store_half (scale, parts->scales[index]);
  *zero = (guint8) parts->zeros[index];

  return (load_half (scale) == parts->scales[index] && parts->zeros[index] >> self->bits == 0)
         || _tare_parts_fail_scale (self, parts, index, error);
}

static gboolean
put_together (const TareFormat  *self,
              const TareParts   *parts,
              guint8            *codes,
              GError           **error)
{
  gsize columns = parts->columns;
  gsize row_bytes = get_row_bytes (self, columns);
  gsize n_scales = self->per_tensor ? 0 : parts->n_groups;
  guint8 *rows = codes + get_parameter_bytes (self, parts->rows, columns);
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  if (self->per_tensor && !put_grid (self, parts, 0, codes, codes + 2, error))
    return FALSE;

  for (gsize i = 0; i < parts->rows; i++)
    {
      guint8 *row = rows + i * row_bytes;
      guint8 *scales = row + _tare_packed_bytes (columns, self->bits);

      for (gsize j = 0; j < columns; j++)
        {
          if (parts->codes[i * columns + j] >> self->bits != 0)
            return _tare_parts_fail_code (self, parts, i * columns + j, error);
          unpacked[j] = (guint8) parts->codes[i * columns + j];
        }
      _tare_pack (unpacked, columns, self->bits, row);

      for (gsize g = 0; g < n_scales; g++)
        if (!put_grid (self, parts, i * n_scales + g, scales + 2 * g, unpacked + g, error))
          return FALSE;
      if (n_scales > 0)
        _tare_pack (unpacked, n_scales, self->bits, scales + 2 * n_scales);
    }

  return TRUE;
}

const TareFormatClass _tare_format_zero_point_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .get_parameter_bytes = get_parameter_bytes,
  .fit = fit,
  .encode_matrix_row = encode_row,
  .decode_matrix_row = decode_row,
  .take_apart = take_apart,
  .put_together = put_together,
};
