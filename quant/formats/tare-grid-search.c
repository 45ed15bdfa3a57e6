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
  self->klass->decode (self, codes, self->n_codes, 1.0f, levels);

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

  self->klass->encode (self, &largest, 1, scale, &code);
  self->klass->decode (self, &code, 1, 1.0f, &level);

  return level < self->largest ? scale - TARE_HALF_MIN : scale;
}

/**
 * _tare_grid_span:
 * @self: a grid
 * @scale: how scales are stored
 * @place: where this one belongs
 * @range: whether a power of two is to be rounded up
 * @minimum: of the weights
 * @maximum: of the weights
 *
 * Returns: the scale with which the grid reaches from end to end, or for powers that of the OCP's
 *   rule
 */
float
_tare_grid_span (const TareGrid       *self,
                 const TareScaleClass *scale,
                 const TareScalePlace *place,
                 TareRange             range,
                 float                 minimum,
                 float                 maximum)
{
  float largest = MAX (MAX (-minimum, maximum), 0.0f);
  float result = largest / self->largest;

  if (scale->powers && !scale->upward && range != TARE_RANGE_ROUND_UP)
    return _tare_power_get (_tare_get_exponent (largest) - _tare_get_exponent (self->largest));

  scale->round (place, 1, &result);
  if (scale == &_tare_scale_half && result > TARE_HALF_MIN && result < 0x1p-14f)
    result = lower_scale (self, largest, result);

  return result;
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
  double total[LANES];

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

        self->klass->encode (self, x, length, scale, codes);
        self->klass->decode (self, codes, length, 1.0f, q);
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
  gboolean searches = range != TARE_RANGE_MINIMUM_MAXIMUM && range != TARE_RANGE_ROUND_UP;
  gboolean norm = range == TARE_RANGE_NORM;
  float minimum, maximum, largest, plain;

  find_range (sample, &minimum, &maximum);
  largest = MAX (-minimum, maximum);
  if (self->find_scale != NULL && searches)
    {
      float result = sample->rows > 1 ? self->find_scale (sample->x, NULL, sample->rows * sample->n)
                                      : self->find_scale (sample->x, sample->w, sample->n);

      scale->round (place, 1, &result);
      return result;
    }

  plain = _tare_grid_span (self, scale, place, range, minimum, maximum);
  if (!searches || largest < TARE_SEARCH_SMALLEST || largest > TARE_SEARCH_LARGEST)
    return plain;
  if (scale->powers)
    return search_power (self, norm, sample, plain);

  return search_scale (self, scale, place, norm, sample, largest, plain);
}
