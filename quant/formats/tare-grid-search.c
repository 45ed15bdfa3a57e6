/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>

#include "quant/formats/tare-search-private.h"

/* The scale of a grid for a group of weights, or for a whole matrix. */

#define PIECE TARE_SEARCH_PIECE
#define LANES TARE_SEARCH_LANES
#define N_CANDIDATES TARE_GRID_CANDIDATES

/* Rows that are measured together where there are many: their sums are added in order, so that the
 * result does not depend on the number of threads. */
#define BAND 64

/* Candidates of the search, as factors of the plain scale: that scale; those that put the largest
 * weight on another of the upper levels; and a constant ratio from wide to narrow, which is less
 * close where much would be clipped: only rows with outliers come to it. */
#define N_ALIGNED 16
#define N_DENSE 64
#define N_UNEVEN 96
#define WIDEST 2.1f
#define DENSE_RATIO 0.976f
#define RATIO 0.92f

/* For equally spaced levels the range shrinks by hundredths, as in the clip search of GPTQ and
 * QuaRot, but from beyond the weights on, as small groups may fit a wider grid better; and then by
 * a constant ratio, for long rows whose largest weight says nothing of the others. */
#define N_STEPS 104
#define EVEN_WIDEST 1.24f
#define STEP 0.01f
#define EVEN_RATIO 0.87f

/* Around the best of them, by this share of it. */
#define NEAR 0.003f

/* Rounds of closed-form refit and rounding anew. */
#define N_REFITS 10

/**
 * _tare_grid_list_factors:
 * @self: a grid that is complete but for its factors
 *
 * Lists what the search tries first.
 */
void
_tare_grid_list_factors (TareGrid *self)
{
  float levels[TARE_FORMAT_MAX_LEVELS];
  guint8 codes[TARE_FORMAT_MAX_LEVELS];
  float level = self->most;

  self->n_factors = self->klass == &_tare_level_class ? N_CANDIDATES : N_UNEVEN;
  for (gsize c = 0; self->klass == &_tare_level_class && c < N_CANDIDATES; c++)
    self->factors[c] = c < N_STEPS ? EVEN_WIDEST - STEP * (float) c
                                   : self->factors[c - 1] * EVEN_RATIO;
  if (self->klass == &_tare_level_class)
    return;

  for (gsize k = 0; k < self->n_codes; k++)
    codes[k] = (guint8) k;
  self->klass->decode (self, codes, self->n_codes, levels);

  self->factors[0] = 1.0f;
  for (gsize c = 1; c < N_ALIGNED; c++)
    {
      float next = 0.0f;

      for (gsize k = 0; k < self->n_codes; k++)
        next = fabsf (levels[k]) < level && fabsf (levels[k]) > next ? fabsf (levels[k]) : next;

      level = next > 0.4f * self->most ? next : level;
      self->factors[c] = self->most / level;
    }

  self->factors[N_ALIGNED] = WIDEST;
  for (gsize c = N_ALIGNED + 1; c < N_UNEVEN; c++)
    self->factors[c] = self->factors[c - 1] * (c < N_DENSE ? DENSE_RATIO : RATIO);
}

/* --- the plain scale --- */

/* A subnormal scale may be so coarse that a group's end, though its scale follows from it, is not
 * nearest to the largest level: then the next scale clips it a little, and both are kept. */
static float
lower_scale (const TareGrid *self,
             float           largest,
             float           scale)
{
  guint8 code;
  float level;

  _tare_grid_encode (self, &largest, 1, 1, &scale, &code);
  self->klass->decode (self, &code, 1, &level);

  return level < self->largest ? scale - TARE_HALF_MIN : scale;
}

/**
 * _tare_grid_span:
 * @self: a grid
 * @scale: how scales are stored
 * @place: where the first of these belongs
 * @range: whether a power of two is to be rounded up
 * @n_groups: how many consecutive groups there are, at most %TARE_GRID_SPAN
 * @scales: (inout): the largest magnitude of each; the scale with which the grid reaches from end
 *   to end, or for powers that of the OCP's rule
 */
void
_tare_grid_span (const TareGrid       *self,
                 const TareScaleClass *scale,
                 const TareScalePlace *place,
                 TareRange             range,
                 gsize                 n_groups,
                 float                *scales)
{
  int exponent = _tare_get_exponent (self->largest);
  float largest[TARE_GRID_SPAN];

  if (scale->powers && !scale->upward && range != TARE_RANGE_ROUND_UP)
    {
      for (gsize g = 0; g < n_groups; g++)
        scales[g] = _tare_power_get (_tare_get_exponent (scales[g]) - exponent);
      return;
    }

  for (gsize g = 0; g < n_groups; g++)
    {
      largest[g] = scales[g];
      scales[g] /= self->largest;
    }
  _tare_scale_round_groups (scale, *place, n_groups, scales);
  for (gsize g = 0; scale == &_tare_scale_half && g < n_groups; g++)
    if (scales[g] > TARE_HALF_MIN && scales[g] < 0x1p-14f)
      scales[g] = lower_scale (self, largest[g], scales[g]);
}

/* --- the search --- */

static void
measure_row (const TareGrid *self,
             gboolean        norm,
             const float    *x,
             const float    *w,
             gsize           n,
             gsize           m,
             const float    *scale,
             double         *total)
{
  for (gsize begin = 0; begin < n; begin += PIECE)
    {
      float error[N_CANDIDATES];

      self->klass->measure (self, norm, x + begin, w + begin, MIN (PIECE, n - begin), m, scale,
                            error);
      for (gsize c = 0; c < m; c++)
        total[c] += (double) error[c];
    }
}

/* A cancelled measure is of no use; whoever asked for it finds out by itself. */
static void
measure (const TareGrid       *self,
         gboolean              norm,
         const TareGridSample *sample,
         gsize                 m,
         const float          *scale,
         double               *total)
{
  g_autofree double *rows = NULL;

  for (gsize c = 0; c < m; c++)
    total[c] = 0.0;
  if (sample->rows == 1)
    {
      measure_row (self, norm, sample->x, sample->w, sample->n, m, scale, total);
      return;
    }

  rows = g_new (double, BAND * N_CANDIDATES);
  for (gsize first = 0; first < sample->rows; first += BAND)
    {
      gsize n = MIN (BAND, sample->rows - first);

      if (tare_progress_cancelled (sample->progress))
        return;

      for (gsize i = 0; i < n * N_CANDIDATES; i++)
        rows[i] = 0.0;
      #pragma omp parallel for schedule (dynamic)
      for (gsize i = 0; i < n; i++)
        measure_row (self, norm, sample->x + (first + i) * sample->stride, sample->w, sample->n, m,
                     scale, rows + i * N_CANDIDATES);
      for (gsize i = 0; i < n; i++)
        for (gsize c = 0; c < m; c++)
          total[c] += rows[i * N_CANDIDATES + c];
    }
}

/**
 * _tare_grid_measure:
 * @self: a grid
 * @sample: weights
 * @scale: of all of them
 *
 * Returns: Σw(x - y)²
 */
double
_tare_grid_measure (const TareGrid       *self,
                    const TareGridSample *sample,
                    float                 scale)
{
  float scales[LANES];
  double total[LANES] = { 0.0 };

  if (self->klass->measure_one != NULL && sample->rows == 1)
    {
      for (gsize begin = 0; begin < sample->n; begin += PIECE)
        total[0] += (double) self->klass->measure_one (self, sample->x + begin, sample->w + begin,
                                                       MIN (PIECE, sample->n - begin), scale);
      return total[0];
    }

  for (gsize c = 0; c < LANES; c++)
    scales[c] = scale;
  measure (self, FALSE, sample, LANES, scales, total);

  return total[0];
}

static gsize
find_least (const double *total,
            gsize         m)
{
  gsize least = 0;

  for (gsize c = 1; c < m; c++)
    if (total[c] < total[least])
      least = c;

  return least;
}

/* Least squares for the scale with all codes as they are. */
static float
refit (const TareGrid       *self,
       const TareGridSample *sample,
       float                 scale)
{
  double xq = 0.0, qq = 0.0;

  for (gsize i = 0; i < sample->rows; i++)
    for (gsize begin = 0; begin < sample->n; begin += PIECE)
      {
        const float *x = sample->x + i * sample->stride + begin;
        gsize length = MIN (PIECE, sample->n - begin);
        guint8 codes[PIECE];
        float q[PIECE];
        TareSearchSums sums;

        _tare_grid_encode (self, x, length, length, &scale, codes);
        self->klass->decode (self, codes, length, q);
        sums = _tare_search_sum (x, sample->w + begin, q, length);
        xq += sums.xq;
        qq += sums.qq;
      }

  return qq > 0.0 && xq > 0.0 ? (float) (xq / qq) : scale;
}

/* Of a power its neighbours downwards, which clip, and upwards, which clip less. */
static float
search_power (const TareGrid       *self,
              gboolean              norm,
              const TareGridSample *sample,
              float                 plain)
{
  int exponent = _tare_get_exponent (plain);
  float scale[LANES];
  double total[LANES];

  scale[0] = plain;
  scale[1] = _tare_power_get (exponent + 1);
  for (int c = 2; c < LANES; c++)
    scale[c] = _tare_power_get (exponent + 1 - c);

  measure (self, norm, sample, LANES, scale, total);

  return scale[find_least (total, LANES)];
}

/* Of equal candidates the first is taken: the plain one, or the widest. */
static float
search_scale (const TareGrid       *self,
              const TareScaleClass *klass,
              const TareScalePlace *place,
              gboolean              norm,
              const TareGridSample *sample,
              float                 largest,
              float                 plain)
{
  float scale[N_CANDIDATES];
  double total[N_CANDIDATES];
  double least = (double) INFINITY;
  float best = plain;
  gsize m = self->n_factors;

  for (gsize c = 0; c < m; c++)
    scale[c] = largest / self->largest * self->factors[c];
  klass->round (place, m, scale);
  scale[0] = plain;

  for (int i = 0; i <= N_REFITS; i++)
    {
      gsize winner;

      measure (self, norm, sample, m, scale, total);
      winner = find_least (total, m);
      if (total[winner] >= least)
        break;

      least = total[winner];
      best = scale[winner];
      m = LANES;
      for (int c = 0; c < LANES; c++)
        scale[c] = best * (1.0f + NEAR * (float) (c - LANES / 2));
      if (!norm)
        scale[0] = refit (self, sample, best);
      klass->round (place, LANES, scale);
    }

  return best;
}

static void
find_range (const TareGridSample *sample,
            float                *minimum,
            float                *maximum)
{
  *minimum = *maximum = 0.0f;
  for (gsize i = 0; i < sample->rows; i++)
    {
      float low, high;

      _tare_search_range (sample->x + i * sample->stride, sample->n, &low, &high);
      *minimum = MIN (*minimum, low);
      *maximum = MAX (*maximum, high);
    }
}

static gboolean
is_searched (TareRange range)
{
  return range != TARE_RANGE_MINIMUM_MAXIMUM && range != TARE_RANGE_ROUND_UP;
}

/**
 * _tare_grid_find_scale:
 * @self: a grid
 * @scale: how scales are stored
 * @place: where this one belongs
 * @range: how it is chosen
 * @sample: the weights that share it
 *
 * Returns: the scale for these weights, as it can be stored
 */
float
_tare_grid_find_scale (const TareGrid       *self,
                       const TareScaleClass *scale,
                       const TareScalePlace *place,
                       TareRange             range,
                       const TareGridSample *sample)
{
  gboolean searches = is_searched (range);
  gboolean norm = range == TARE_RANGE_NORM;
  float minimum, maximum, largest, plain;

  find_range (sample, &minimum, &maximum);
  largest = MAX (MAX (-minimum, maximum), 0.0f);
  if (self->find_scale != NULL && searches)
    {
      float result = sample->rows > 1 ? self->find_scale (sample->x, NULL, sample->rows * sample->n)
                                      : self->find_scale (sample->x, sample->w, sample->n);

      scale->round (place, 1, &result);
      return result;
    }

  plain = largest;
  _tare_grid_span (self, scale, place, range, 1, &plain);
  if (!searches || largest < TARE_SEARCH_SMALLEST || largest > TARE_SEARCH_LARGEST)
    return plain;
  if (scale->powers)
    return search_power (self, norm, sample, plain);

  return search_scale (self, scale, place, norm, sample, largest, plain);
}

/* Magnitudes compare as their bits do, and integers have a maximum that vectors know. */
TARE_INLINE void
find_largest (const float *x,
              gsize        n_groups,
              gsize        length,
              float       *largest)
{
  for (gsize g = 0; g < n_groups; g++)
    {
      gint32 most = 0;

      #pragma omp simd reduction (max : most)
      for (gsize j = 0; j < length; j++)
        {
          gint32 magnitude = (gint32) (tare_float_to_bits (x[g * length + j]) & 0x7fffffff);

          most = most > magnitude ? most : magnitude;
        }
      largest[g] = tare_float_from_bits ((guint32) most);
    }
}

TARE_CLONES static void
find_magnitudes (const float *x,
                 gsize        n,
                 gsize        length,
                 float       *largest)
{
  gsize whole = n / length, rest = n % length;

  if (length == 16)
    find_largest (x, whole, 16, largest);
  else if (length == 32)
    find_largest (x, whole, 32, largest);
  else
    find_largest (x, whole, length, largest);
  find_largest (x + n - rest, rest > 0 ? 1 : 0, rest, largest + whole);
}

/**
 * _tare_grid_find_scales:
 * @self: a grid
 * @scale: how scales are stored
 * @place: where the first of these belongs
 * @range: how they are chosen
 * @x: weights
 * @w: their importance
 * @n: how many
 * @length: of a group; the last may be short
 * @scales: (out): one for each group, as it can be stored
 *
 * Finds what _tare_grid_find_scale() does of every group, but many at a time where it can.
 */
void
_tare_grid_find_scales (const TareGrid       *self,
                        const TareScaleClass *scale,
                        const TareScalePlace *place,
                        TareRange             range,
                        const float          *x,
                        const float          *w,
                        gsize                 n,
                        gsize                 length,
                        float                *scales)
{
  gsize n_groups = (n - 1) / length + 1;
  TareScalePlace there = *place;

  if (is_searched (range))
    {
      for (gsize g = 0; g < n_groups; g++)
        {
          TareGridSample sample = { x + g * length, w + g * length, MIN (length, n - g * length),
                                    1, 0, NULL };

          there.group = place->group + g;
          scales[g] = _tare_grid_find_scale (self, scale, &there, range, &sample);
        }
      return;
    }

  find_magnitudes (x, n, length, scales);
  for (gsize g = 0; g < n_groups; g += TARE_GRID_SPAN)
    {
      there.group = place->group + g;
      _tare_grid_span (self, scale, &there, range, MIN (TARE_GRID_SPAN, n_groups - g), scales + g);
    }
}
