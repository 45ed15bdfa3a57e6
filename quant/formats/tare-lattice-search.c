/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-lattice-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-format-private.h"
#include "quant/formats/tare-search-private.h"

/* The search for points and scales.
 *
 * With a scale s, a point p and signs that agree, eight weights have the error
 * Σwx² + s (s b - a), where a = 2 Σw|x|p and b = Σwp². Both are found once for all points; then the
 * best point for a scale is the one of least s b - a. An odd number of negative weights, where only
 * even ones can be stored, costs the point the sign of the element of least w|x|p.
 *
 * The points that are best for some of many scales are kept. With these few the error of a group
 * is known for any scale, so that all codes of all groups are tried with each scale of
 * the super-block. The points of the best are searched among all again, and its scale is refit.
 *
 * x: [256] weights; w: [256] their importance */

#define LANES TARE_SEARCH_LANES
#define SUPER TARE_LATTICE_SUPER
#define VECTORS TARE_LATTICE_VECTORS
#define POINTS TARE_LATTICE_POINTS
#define WIDTH 8

/* Of the scales tried for a group the last reach far up, for groups next to much larger ones. */
#define N_FAR 3

/* The scale of a super-block, in units of the one that gives the largest scale of a group its last
 * code: first over a range, then closer. */
#define D_FROM 0.64f
#define D_STEP 0.04f
#define D_CLOSER 0.005f

/* Bits for the number of a point. */
#define INDEX (guint32) (POINTS - 1)

typedef float Lanes __attribute__ ((vector_size (LANES * sizeof (float))));
typedef gint32 Mask __attribute__ ((vector_size (LANES * sizeof (gint32))));

/* What the points make of one vector. a, b: as above; c: what signs cost, or Σwp for shifts */
typedef struct
{
  float a[POINTS];
  float b[POINTS];
  float c[POINTS];
} Ranks;

/* The points that are worth trying. */
typedef struct
{
  gsize n;
  float a[LANES];
  float b[LANES];
} Choices;

/* The best for each of the scales. */
typedef struct
{
  float a[LANES];
  float b[LANES];
  float value[LANES];
  gint32 point[2][LANES];
  gboolean flip[2][LANES];
} Best;

/* A super-block while its scales are sought; two choices where points are shifted up or down. */
typedef struct
{
  const TareLatticeShape *shape;
  const TareLattice      *lattice;
  float                   x[SUPER];
  const float            *w;
  Choices                 choices[VECTORS][2];
} Search;

/* wx, w: [n_elements]; with constant arguments this becomes one kernel for each kind of lattice. */
TARE_INLINE void
rank (const TareLattice *lattice,
      gsize              n_elements,
      gboolean           shift,
      const float       *wx,
      const float       *w,
      Ranks             *ranks)
{
  gsize n = lattice->n_points;

  for (gsize begin = 0; begin < n; begin += LANES)
    {
      Lanes a = { 0.0f }, b = { 0.0f }, c = { 0.0f };

      #pragma GCC unroll 8
      for (gsize k = 0; k < n_elements; k++)
        {
          Lanes p, wp, xp;
          Mask less;

          memcpy (&p, lattice->planes + k * n + begin, sizeof p);
          wp = w[k] * p;
          xp = wx[k] * p;
          a += xp;
          b += wp * p;
          if (shift)
            {
              c += wp;
              continue;
            }

          less = k == 0 ? (Mask) { 0 } - 1 : xp < c;
          c = (Lanes) ((less & (Mask) xp) | (~less & (Mask) c));
        }

      a *= 2.0f;
      memcpy (ranks->a + begin, &a, sizeof a);
      memcpy (ranks->b + begin, &b, sizeof b);
      memcpy (ranks->c + begin, &c, sizeof c);
    }
}

/* x, w: [n_elements] */
TARE_CLONES static void
rank_points (const TareLattice *lattice,
             const float       *x,
             const float       *w,
             gboolean           shift,
             Ranks             *ranks)
{
  float wx[TARE_LATTICE_ELEMENTS];

  for (gsize k = 0; k < lattice->n_elements; k++)
    wx[k] = w[k] * (shift ? x[k] : fabsf (x[k]));

  if (shift)
    rank (lattice, 8, TRUE, wx, w, ranks);
  else if (lattice->n_elements == 8)
    rank (lattice, 8, FALSE, wx, w, ranks);
  else
    rank (lattice, 4, FALSE, wx, w, ranks);
}

/* The point of least s b - a for each of the scales. Its number replaces the last bits of what is
 * compared: of points that differ in these alone, any serves for choosing scales. */
TARE_CLONES static void
pick_apart (const float *a,
            const float *b,
            gsize        n,
            const float *scale,
            float       *value,
            gint32      *point)
{
  float least[LANES], s[LANES];

  memcpy (s, scale, sizeof s);
  for (gsize k = 0; k < LANES; k++)
    least[k] = INFINITY;

  for (gsize i = 0; i < n; i++)
    {
      float vb = b[i], va = a[i];

      #pragma omp simd
      for (gsize k = 0; k < LANES; k++)
        {
          guint32 bits = (tare_float_to_bits (s[k] * vb - va) & ~INDEX) | (guint32) i;
          float v = tare_float_from_bits (bits);

          least[k] = v < least[k] ? v : least[k];
        }
    }

  for (gsize k = 0; k < LANES; k++)
    {
      point[k] = (gint32) (tare_float_to_bits (least[k]) & INDEX);
      value[k] = s[k] * b[point[k]] - a[point[k]];
    }
}

/* The same for a single scale, which is put into all lanes of the result: points go by lanes. */
TARE_CLONES static void
pick_alike (const float *a,
            const float *b,
            gsize        n,
            float        scale,
            float       *value,
            gint32      *point)
{
  Lanes least = (Lanes) { 0.0f } + INFINITY;
  Mask found = { 0 };
  float lane_value[LANES];
  gint32 lane_point[LANES];
  gsize best = 0;

  for (gsize i = 0; i < n; i += LANES)
    {
      Lanes va, vb, v;
      Mask better;

      memcpy (&va, a + i, sizeof va);
      memcpy (&vb, b + i, sizeof vb);
      v = scale * vb - va;
      better = v < least;
      least = (Lanes) ((better & (Mask) v) | (~better & (Mask) least));
      found = (better & (gint32) i) | (~better & found);
    }

  memcpy (lane_value, &least, sizeof least);
  memcpy (lane_point, &found, sizeof found);
  for (gsize k = 0; k < LANES; k++)
    {
      lane_point[k] += (gint32) k;
      if (lane_value[k] < lane_value[best])
        best = k;
    }
  for (gsize k = 0; k < LANES; k++)
    {
      value[k] = lane_value[best];
      point[k] = lane_point[best];
    }
}

static void
pick_points (const float *a,
             const float *b,
             gsize        n,
             const float *scale,
             float       *value,
             gint32      *point)
{
  if (scale[0] == scale[LANES - 1])
    pick_alike (a, b, n, scale[0], value, point);
  else
    pick_apart (a, b, n, scale, value, point);
}

static gboolean
is_odd (const float *x)
{
  guint n = 0;

  for (gsize k = 0; k < WIDTH; k++)
    n += x[k] < 0.0f;

  return n % 2;
}

/* Points with signs of their own. x, w: [8] */
static void
find_signed (const TareLatticeShape *shape,
             const TareLattice      *lattice,
             const float            *x,
             const float            *w,
             const float            *scale,
             Best                   *best)
{
  gsize n = lattice->n_points, n_parts = WIDTH / lattice->n_elements;
  gboolean odd = shape->even && is_odd (x);
  float value[2][2][LANES], a[2][2][LANES], b[2][2][LANES];
  gint32 point[2][2][LANES];
  Ranks ranks;

  for (gsize part = 0; part < n_parts; part++)
    {
      gsize at = part * lattice->n_elements;

      rank_points (lattice, x + at, w + at, FALSE, &ranks);

      for (gsize flip = 0; flip < 2; flip++)
        {
          if (flip == 1)
            for (gsize i = 0; i < n; i++)
              ranks.a[i] -= 4.0f * ranks.c[i];
          if ((flip == 1 && !odd) || (flip == 0 && odd && n_parts == 1))
            continue;

          pick_points (ranks.a, ranks.b, n, scale, value[part][flip], point[part][flip]);
          for (gsize k = 0; k < LANES; k++)
            {
              a[part][flip][k] = ranks.a[point[part][flip][k]];
              b[part][flip][k] = ranks.b[point[part][flip][k]];
            }
        }
    }

  for (gsize k = 0; k < LANES; k++)
    {
      gsize first = odd;

      if (n_parts == 2 && odd)
        first = value[0][1][k] + value[1][0][k] < value[0][0][k] + value[1][1][k];

      best->a[k] = a[0][first][k];
      best->b[k] = b[0][first][k];
      best->value[k] = value[0][first][k];
      best->point[0][k] = point[0][first][k];
      best->flip[0][k] = first == 1;
      best->point[1][k] = 0;
      best->flip[1][k] = FALSE;

      if (n_parts == 2)
        {
          gsize second = odd && first == 0;

          best->a[k] += a[1][second][k];
          best->b[k] += b[1][second][k];
          best->value[k] += value[1][second][k];
          best->point[1][k] = point[1][second][k];
          best->flip[1][k] = second == 1;
        }
    }
}

/* Points that are shifted, up first and then down. x, w: [8]; best: [2] */
static void
find_shifted (const TareLattice *lattice,
              const float       *x,
              const float       *w,
              const float       *scale,
              Best              *best)
{
  const float shifts[2] = { TARE_LATTICE_SHIFT, -TARE_LATTICE_SHIFT };
  gsize n = lattice->n_points;
  float sum_x = 0.0f, sum_w = 0.0f, a[POINTS], b[POINTS];
  Ranks ranks;

  rank_points (lattice, x, w, TRUE, &ranks);
  for (gsize k = 0; k < WIDTH; k++)
    {
      sum_x += w[k] * x[k];
      sum_w += w[k];
    }

  for (gsize v = 0; v < 2; v++)
    {
      for (gsize i = 0; i < n; i++)
        {
          a[i] = ranks.a[i] + 2.0f * shifts[v] * sum_x;
          b[i] = ranks.b[i] + 2.0f * shifts[v] * ranks.c[i] + shifts[v] * shifts[v] * sum_w;
        }

      pick_points (a, b, n, scale, best[v].value, best[v].point[0]);
      for (gsize k = 0; k < LANES; k++)
        {
          best[v].a[k] = a[best[v].point[0][k]];
          best[v].b[k] = b[best[v].point[0][k]];
        }
    }
}

static void
keep_choices (const Best *best,
              Choices    *choices)
{
  choices->n = 0;

  for (gsize k = 0; k < LANES; k++)
    if (k == 0 || best->a[k] != best->a[k - 1] || best->b[k] != best->b[k - 1])
      {
        choices->a[choices->n] = best->a[k];
        choices->b[choices->n] = best->b[k];
        choices->n++;
      }
}

static float
find_largest (const float *x,
              gsize        n)
{
  float largest = 0.0f;

  for (gsize j = 0; j < n; j++)
    largest = MAX (largest, fabsf (x[j]));

  return largest;
}

/* The largest magnitude that a point can have. */
static float
get_highest (const TareLatticeShape *shape)
{
  const TareLattice *lattice = _tare_lattice_get (shape->kind);

  return (float) lattice->magnitudes[lattice->n_magnitudes - 1] +
         (shape->shift != 0 ? TARE_LATTICE_SHIFT : 0.0f);
}

/* Returns: the best scale for the group by itself */
static float
try_group (Search *self,
           gsize   b)
{
  const TareLatticeShape *shape = self->shape;
  gsize n = shape->group / WIDTH, n_near = LANES - N_FAR;
  float largest = MAX (find_largest (self->x + b * shape->group, shape->group), FLT_MIN);
  float scale[LANES], a[LANES] = { 0.0f }, bb[LANES] = { 0.0f }, loss[LANES];
  float step = (shape->reach[1] - shape->reach[0]) / (float) (n_near - 1);
  gsize best;

  for (gsize k = 0; k < LANES; k++)
    {
      float reach = shape->reach[0] + step * (float) k;

      if (k >= n_near)
        reach = shape->reach[1] * (k == n_near ? 1.3f : k == n_near + 1 ? 2.0f : 4.0f);
      scale[k] = largest * reach / get_highest (shape);
    }

  for (gsize v = b * n; v < (b + 1) * n; v++)
    {
      Best found[2];
      gboolean shift = shape->shift != 0;

      if (shift)
        find_shifted (self->lattice, self->x + v * WIDTH, self->w + v * WIDTH, scale, found);
      else
        find_signed (shape, self->lattice, self->x + v * WIDTH, self->w + v * WIDTH, scale, found);

      for (gsize k = 0; k < LANES; k++)
        {
          gsize which = shift && found[1].value[k] < found[0].value[k];

          a[k] += found[which].a[k];
          bb[k] += found[which].b[k];
        }
      for (gsize which = 0; which <= (gsize) shift; which++)
        keep_choices (&found[which], &self->choices[v][which]);
    }

  for (gsize k = 0; k < LANES; k++)
    loss[k] = bb[k] > 0.0f ? -a[k] * (a[k] / bb[k]) : 0.0f;
  best = _tare_search_find_least (loss, LANES);

  return bb[best] > 0.0f ? 0.5f * a[best] / bb[best] : 0.0f;
}

/* The error of a group for each of the scales, less Σwx². */
TARE_CLONES static void
measure_group (const Choices (*choices)[2],
               gsize           n_vectors,
               gsize           n_shifts,
               gboolean        shared,
               const float    *scale,
               float          *error)
{
  Lanes s, total[2] = { { 0.0f }, { 0.0f } };

  memcpy (&s, scale, sizeof s);

  for (gsize v = 0; v < n_vectors; v++)
    {
      Lanes least[2];

      for (gsize which = 0; which < n_shifts; which++)
        {
          const Choices *c = &choices[v][which];

          least[which] = s * c->b[0] - c->a[0];
          for (gsize i = 1; i < c->n; i++)
            {
              Lanes value = s * c->b[i] - c->a[i];
              Mask better = value < least[which];

              least[which] = (Lanes) ((better & (Mask) value) | (~better & (Mask) least[which]));
            }
        }

      if (n_shifts == 2 && !shared)
        {
          Mask better = least[1] < least[0];

          least[0] = (Lanes) ((better & (Mask) least[1]) | (~better & (Mask) least[0]));
        }

      total[0] += least[0];
      if (shared)
        total[1] += least[1];
    }

  if (shared)
    {
      Mask better = total[1] < total[0];

      total[0] = (Lanes) ((better & (Mask) total[1]) | (~better & (Mask) total[0]));
    }

  total[0] *= s;
  memcpy (error, &total[0], sizeof total[0]);
}

/* Tries scales of the super-block with all codes of all groups.
 *
 * d: [LANES]; scale: (out): the codes of the best
 *
 * Returns: the best scale */
static float
try_scales (const Search *self,
            const float  *d,
            float        *least,
            guint8       *scale)
{
  const TareLatticeShape *shape = self->shape;
  gsize n_groups = SUPER / shape->group, n = shape->group / WIDTH, best;
  gboolean shared = shape->shift > WIDTH;
  guint8 codes[VECTORS][LANES];
  float total[LANES] = { 0.0f };

  for (gsize b = 0; b < n_groups; b++)
    {
      float smallest[LANES];

      for (gsize k = 0; k < LANES; k++)
        smallest[k] = INFINITY;
      memset (codes[b], 0, LANES);

      for (gsize c = 0; c < shape->n_scales; c++)
        {
          float s[LANES], error[LANES];

          for (gsize k = 0; k < LANES; k++)
            s[k] = d[k] * self->shape->unit * (float) (2 * c + 1);

          measure_group (self->choices + b * n, n, shape->shift != 0 ? 2 : 1, shared, s, error);
          for (gsize k = 0; k < LANES; k++)
            if (error[k] < smallest[k])
              {
                smallest[k] = error[k];
                codes[b][k] = (guint8) c;
              }
        }

      for (gsize k = 0; k < LANES; k++)
        total[k] += smallest[k];
    }

  best = _tare_search_find_least (total, LANES);
  for (gsize b = 0; total[best] < *least && b < n_groups; b++)
    scale[b] = codes[b][best];
  *least = MIN (*least, total[best]);

  return d[best];
}

/* Signs of eight weights that go with two points, or one. */
static guint8
find_signs (const TareLattice *lattice,
            const float       *x,
            const float       *w,
            const Best        *best)
{
  guint signs = 0;

  for (gsize k = 0; k < WIDTH; k++)
    signs |= (guint) (x[k] < 0.0f) << k;

  for (gsize part = 0; part < WIDTH / lattice->n_elements; part++)
    {
      gsize begin = part * lattice->n_elements, cheapest = begin;
      const gint8 *point = lattice->points + best->point[part][0] * (gint32) lattice->n_elements;
      float least = INFINITY;

      for (gsize k = 0; best->flip[part][0] && k < lattice->n_elements; k++)
        {
          float cost = w[begin + k] * fabsf (x[begin + k]) * (float) point[k];

          if (cost < least)
            {
              least = cost;
              cheapest = begin + k;
            }
        }

      if (best->flip[part][0])
        signs ^= 1u << cheapest;
    }

  return (guint8) signs;
}

/* The nearest points of a group with the scales of the code. */
static void
assign_group (const Search    *self,
              gsize            b,
              TareLatticeCode *code)
{
  const TareLatticeShape *shape = self->shape;
  gsize n = shape->group / WIDTH, first = b * n;
  float s = code->d * self->shape->unit * (float) (2 * code->scale[b] + 1), scale[LANES];
  float total[2] = { 0.0f, 0.0f };
  Best found[VECTORS][2];

  for (gsize k = 0; k < LANES; k++)
    scale[k] = s;

  for (gsize v = 0; v < n; v++)
    {
      const float *x = self->x + (first + v) * WIDTH, *w = self->w + (first + v) * WIDTH;

      if (shape->shift != 0)
        find_shifted (self->lattice, x, w, scale, found[v]);
      else
        find_signed (shape, self->lattice, x, w, scale, found[v]);

      total[0] += found[v][0].value[0];
      total[1] += shape->shift != 0 ? found[v][1].value[0] : 0.0f;
    }

  for (gsize v = 0; v < n; v++)
    {
      gboolean down = shape->shift > WIDTH ? total[1] < total[0]
                                           : found[v][1].value[0] < found[v][0].value[0];
      const Best *best = &found[v][shape->shift != 0 && down];

      code->point[first + v][0] = (guint16) best->point[0][0];
      if (shape->shift != 0)
        {
          code->negative[first + v] = down ? 0xff : 0;
          continue;
        }

      code->point[first + v][1] = (guint16) best->point[1][0];
      code->negative[first + v] = find_signs (self->lattice, self->x + (first + v) * WIDTH,
                                              self->w + (first + v) * WIDTH, best);
    }
}

/* u: (out): [256] what the code says in units of d */
static void
reconstruct (const Search          *self,
             const TareLatticeCode *code,
             float                 *u)
{
  const TareLatticeShape *shape = self->shape;
  gsize n_elements = self->lattice->n_elements;

  for (gsize j = 0; j < SUPER; j++)
    {
      gsize v = j / WIDTH, k = j % WIDTH;
      gsize point = code->point[v][k / n_elements];
      float element = (float) self->lattice->points[point * n_elements + k % n_elements];
      gboolean negative = (code->negative[v] >> k) & 1;

      if (shape->shift != 0)
        element += negative ? -TARE_LATTICE_SHIFT : TARE_LATTICE_SHIFT;
      else if (negative)
        element = -element;

      u[j] = self->shape->unit * (float) (2 * code->scale[j / shape->group] + 1) * element;
    }
}

static double
measure (const Search *self,
         const float  *u,
         float         d)
{
  double error = 0.0;

  for (gsize j = 0; j < SUPER; j++)
    {
      double difference = (double) self->x[j] - (double) d * (double) u[j];

      error += (double) self->w[j] * difference * difference;
    }

  return error;
}

/* Finds the points, and the scale of least squares for them.
 *
 * Returns: the error */
static double
finish (const Search    *self,
        gboolean         refit,
        TareLatticeCode *code)
{
  double xu = 0.0, uu = 0.0, error, refitted;
  float u[SUPER], d;

  for (gsize b = 0; b < SUPER / self->shape->group; b++)
    assign_group (self, b, code);

  reconstruct (self, code, u);
  error = measure (self, u, code->d);
  if (!refit)
    return error;

  for (gsize j = 0; j < SUPER; j++)
    {
      xu += (double) self->w[j] * (double) self->x[j] * (double) u[j];
      uu += (double) self->w[j] * (double) u[j] * (double) u[j];
    }

  d = uu > 0.0 ? round_offset ((float) (xu / uu)) : 0.0f;
  refitted = measure (self, u, d);
  if (refitted >= error)
    return error;

  code->d = d;

  return refitted;
}

/* Returns: the scale with which the last code of a group reaches a magnitude */
float
_tare_lattice_span (const TareLatticeShape *shape,
                    float                   magnitude)
{
  return round_offset (magnitude / get_highest (shape) /
                       (shape->unit * (float) (2 * shape->n_scales - 1)));
}

static void
search_super (Search          *self,
              TareLatticeCode *code)
{
  const TareLatticeShape *shape = self->shape;
  float d[LANES], widest = 0.0f, least = 0.0f, near, last;

  for (gsize b = 0; b < SUPER / shape->group; b++)
    {
      float wanted = try_group (self, b);

      widest = MAX (widest, wanted);
    }

  last = widest / (self->shape->unit * (float) (2 * shape->n_scales - 1));
  code->d = 0.0f;
  memset (code->scale, 0, sizeof code->scale);

  for (gsize round = 0; round < 2; round++)
    {
      float before = least;

      for (gsize k = 0; k < LANES; k++)
        d[k] = round_offset (round == 0 ? last * (D_FROM + D_STEP * (float) k)
                                        : last * (1.0f + D_CLOSER * ((float) k - 7.5f)));

      near = try_scales (self, d, &least, code->scale);
      if (least < before)
        code->d = near;
      last = code->d;
    }
}

/**
 * _tare_lattice_encode:
 * @search: whether to search, else each group reaches from end to end
 * @code: (out): the scales and points
 *
 * Encodes a super-block.
 */
void
_tare_lattice_encode (const TareLatticeShape *shape,
                      gboolean                search,
                      const float            *x,
                      const float            *w,
                      TareLatticeCode        *code)
{
  float largest = find_largest (x, SUPER);
  TareLatticeCode found;
  Search self = { .shape = shape, .lattice = _tare_lattice_get (shape->kind), .w = w };
  double error;

  memset (code, 0, sizeof *code);
  code->d = _tare_lattice_span (shape, largest);
  if (code->d == 0.0f)
    return;

  for (gsize j = 0; j < SUPER; j++)
    self.x[j] = CLAMP (x[j], -TARE_SEARCH_LARGEST, TARE_SEARCH_LARGEST);

  for (gsize b = 0; b < SUPER / shape->group; b++)
    {
      float wanted = find_largest (self.x + b * shape->group, shape->group) / get_highest (shape);
      float steps = wanted * invert (code->d) / shape->unit;

      code->scale[b] = (guint8) CLAMP (rintf ((MIN (steps, 256.0f) - 1.0f) / 2.0f), 0.0f,
                                       (float) (shape->n_scales - 1));
    }

  error = finish (&self, FALSE, code);
  if (!search || largest > TARE_SEARCH_LARGEST)
    return;

  found = *code;
  search_super (&self, &found);
  if (finish (&self, TRUE, &found) < error)
    *code = found;
}
