/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-lattice-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/formats/tare-format-private.h"
#include "quant/formats/tare-lattice-points-private.h"
#include "quant/formats/tare-search-private.h"

/* The search for scales.
 *
 * The points that are best for some of many scales are kept. With these few the error of a group
 * is known for any scale, so that codes of all groups are tried with each scale of the super-block.
 * The points of the best are searched among all again, and its scale is refit.
 *
 * x: [256] weights; w: [256] their importance */

#define LANES TARE_SEARCH_LANES
#define SUPER TARE_LATTICE_SUPER
#define VECTORS TARE_LATTICE_VECTORS
#define WIDTH TARE_LATTICE_WIDTH

/* Scales that are tried for a group, so that as many vectors go side by side as fill the lanes; the
 * last reach far up, for groups next to much larger ones. */
#define N_SCALES 8
#define N_FAR 2

/* The scale of a super-block, in units of the one that gives the largest scale of a group its last
 * code: first over a range, then closer. */
#define D_FROM 0.64f
#define D_STEP 0.04f
#define D_CLOSER 0.005f

/* Codes that are tried for a group with each of them, around the one that the group wants. */
#define N_CODES 4

/* The points that are worth trying. */
typedef struct
{
  gsize n;
  float a[N_SCALES];
  float b[N_SCALES];
} Choices;

/* A super-block while its scales are sought; two choices where points are shifted up or down. */
typedef struct
{
  const TareLatticeShape *shape;
  const TareLattice      *lattice;
  float                   x[SUPER];
  const float            *w;
  float                   wanted[VECTORS];
  Choices                 choices[VECTORS][2];
} Search;

/* What makes the error of a vector with one of the points. */
static void
sum_point (const TareLattice     *lattice,
           const float           *x,
           const float           *w,
           const TareLatticeBest *best,
           gsize                  lane,
           float                  shift,
           float                 *a,
           float                 *b)
{
  *a = *b = 0.0f;

  for (gsize part = 0; part < WIDTH / lattice->n_elements; part++)
    {
      const float *p = lattice->floats + best->point[part][lane] * lattice->n_elements;
      float cheapest = INFINITY;

      for (gsize e = 0; e < lattice->n_elements; e++)
        {
          gsize k = part * lattice->n_elements + e;
          float element = p[e] + shift, wx = w[k] * (shift != 0.0f ? x[k] : fabsf (x[k]));

          *a += 2.0f * wx * element;
          *b += w[k] * element * element;
          cheapest = MIN (cheapest, wx * element);
        }

      if (best->flip[part][lane])
        *a -= 4.0f * cheapest;
    }
}

/* The points of a vector, whose lanes begin at first, each once.
 *
 * a, b: (out): [N_SCALES] what they make of it */
static void
keep_choices (const Search          *self,
              gsize                  v,
              const TareLatticeBest *best,
              gsize                  first,
              float                  shift,
              Choices               *choices,
              float                 *a,
              float                 *b)
{
  choices->n = 0;

  for (gsize k = first; k < first + N_SCALES; k++)
    {
      if (k == first || best->point[0][k] != best->point[0][k - 1] ||
          best->point[1][k] != best->point[1][k - 1] || best->flip[0][k] != best->flip[0][k - 1])
        {
          sum_point (self->lattice, self->x + v * WIDTH, self->w + v * WIDTH, best, k, shift,
                     &choices->a[choices->n], &choices->b[choices->n]);
          choices->n++;
        }

      a[k - first] = choices->a[choices->n - 1];
      b[k - first] = choices->b[choices->n - 1];
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

/* Scales for a group whose largest magnitude is given. */
static void
list_scales (const TareLatticeShape *shape,
             float                   largest,
             float                  *scale)
{
  gsize n_near = N_SCALES - N_FAR;
  float step = (shape->reach[1] - shape->reach[0]) / (float) (n_near - 1);

  for (gsize k = 0; k < LANES; k++)
    {
      float reach = shape->reach[0] + step * (float) (k % N_SCALES);

      if (k % N_SCALES >= n_near)
        reach = shape->reach[1] * (k % N_SCALES == n_near ? 1.4f : 3.0f);
      scale[k] = largest * reach / get_highest (shape);
    }
}

/* The points of a vector with each scale. a, b: (inout): [N_SCALES] sums over vectors */
static void
add_vector (Search                *self,
            gsize                  v,
            const TareLatticeBest *found,
            gsize                  first,
            float                 *a,
            float                 *b)
{
  gboolean shift = self->shape->shift != 0;
  float va[2][N_SCALES], vb[2][N_SCALES];

  for (gsize down = 0; down <= (gsize) shift; down++)
    keep_choices (self, v, &found[down], first,
                  !shift ? 0.0f : down ? -TARE_LATTICE_SHIFT : TARE_LATTICE_SHIFT,
                  &self->choices[v][down], va[down], vb[down]);

  for (gsize k = 0; k < N_SCALES; k++)
    {
      gsize down = shift && found[1].value[first + k] < found[0].value[first + k];

      a[k] += va[down][k];
      b[k] += vb[down][k];
    }
}

/* Returns: the best scale for the group by itself */
static float
try_group (Search *self,
           gsize   group)
{
  const TareLatticeShape *shape = self->shape;
  gsize n = shape->group / WIDTH, best = 0, side = LANES / N_SCALES;
  float largest = MAX (find_largest (self->x + group * shape->group, shape->group), FLT_MIN);
  float a[N_SCALES] = { 0.0f }, b[N_SCALES] = { 0.0f }, loss[N_SCALES];
  TareLatticeVectors vectors;

  list_scales (shape, largest, vectors.scale);

  for (gsize v = group * n; v < (group + 1) * n; v += side)
    {
      TareLatticeBest found[2];

      for (gsize e = 0; e < WIDTH; e++)
        for (gsize k = 0; k < LANES; k++)
          {
            vectors.x[e][k] = self->x[(v + k / N_SCALES) * WIDTH + e];
            vectors.w[e][k] = self->w[(v + k / N_SCALES) * WIDTH + e];
          }

      if (shape->shift != 0)
        _tare_lattice_find_shifted (shape, &vectors, found);
      else
        _tare_lattice_find_signed (shape, &vectors, found);

      for (gsize i = 0; i < side; i++)
        add_vector (self, v + i, found, i * N_SCALES, a, b);
    }

  for (gsize k = 0; k < N_SCALES; k++)
    {
      loss[k] = b[k] > 0.0f ? -a[k] * (a[k] / b[k]) : 0.0f;
      best = loss[k] < loss[best] ? k : best;
    }

  return b[best] > 0.0f ? 0.5f * a[best] / b[best] : 0.0f;
}

/* The error of a group for each of the scales, less Σwx². */
TARE_CLONES static void
measure_group (const Choices (*choices)[2],
               gsize         n_vectors,
               gsize         n_shifts,
               gboolean      shared,
               const float  *scale,
               float        *error)
{
  float total[2][LANES] = { { 0.0f }, { 0.0f } };

  for (gsize v = 0; v < n_vectors; v++)
    {
      float least[2][LANES];

      for (gsize down = 0; down < n_shifts; down++)
        {
          const Choices *c = &choices[v][down];
          float value[LANES];

          for (gsize k = 0; k < LANES; k++)
            value[k] = INFINITY;

          for (gsize i = 0; i < c->n; i++)
            {
              float a = c->a[i], b = c->b[i];

              TARE_VECTOR_LOOP
              for (gsize k = 0; k < LANES; k++)
                {
                  float loss = scale[k] * b - a;

                  value[k] = loss < value[k] ? loss : value[k];
                }
            }
          memcpy (least[down], value, sizeof value);
        }

      TARE_VECTOR_LOOP
      for (gsize k = 0; k < LANES; k++)
        {
          float down = n_shifts == 2 ? least[1][k] : INFINITY;

          total[0][k] += shared || least[0][k] < down ? least[0][k] : down;
          total[1][k] += shared ? down : 0.0f;
        }
    }

  TARE_VECTOR_LOOP
  for (gsize k = 0; k < LANES; k++)
    error[k] = scale[k] * (shared && total[1][k] < total[0][k] ? total[1][k] : total[0][k]);
}

/* Tries scales of the super-block with codes near what each group wants.
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
  float codes[VECTORS][LANES], total[LANES] = { 0.0f }, limit = (float) (shape->n_scales - 1);

  for (gsize b = 0; b < n_groups; b++)
    {
      float smallest[LANES], s[LANES], error[LANES], code[LANES], first[LANES];

      for (gsize k = 0; k < LANES; k++)
        {
          float steps = self->wanted[b] * invert (d[k] * shape->unit);

          first[k] = floorf (((steps < 256.0f ? steps : 256.0f) - 1.0f) / 2.0f) - 1.0f;
          smallest[k] = INFINITY;
          codes[b][k] = 0.0f;
        }

      for (gsize c = 0; c < N_CODES; c++)
        {
          for (gsize k = 0; k < LANES; k++)
            {
              code[k] = CLAMP (first[k] + (float) c, 0.0f, limit);
              s[k] = d[k] * shape->unit * (2.0f * code[k] + 1.0f);
            }

          measure_group (self->choices + b * n, n, shape->shift != 0 ? 2 : 1, shared, s, error);
          for (gsize k = 0; k < LANES; k++)
            {
              codes[b][k] = error[k] < smallest[k] ? code[k] : codes[b][k];
              smallest[k] = error[k] < smallest[k] ? error[k] : smallest[k];
            }
        }

      for (gsize k = 0; k < LANES; k++)
        total[k] += smallest[k];
    }

  best = _tare_search_find_least (total, LANES);
  for (gsize b = 0; total[best] < *least && b < n_groups; b++)
    scale[b] = (guint8) codes[b][best];
  *least = MIN (*least, total[best]);

  return d[best];
}

/* Signs of eight weights that go with two points, or one. */
static guint8
find_signs (const TareLattice     *lattice,
            const float           *x,
            const float           *w,
            const TareLatticeBest *best,
            gsize                  lane)
{
  guint signs = 0;

  for (gsize k = 0; k < WIDTH; k++)
    signs |= (guint) (x[k] < 0.0f) << k;

  for (gsize part = 0; part < WIDTH / lattice->n_elements; part++)
    {
      gsize begin = part * lattice->n_elements, cheapest = begin;
      const gint8 *point = lattice->points + best->point[part][lane] * lattice->n_elements;
      float least = INFINITY;

      for (gsize k = 0; best->flip[part][lane] && k < lattice->n_elements; k++)
        {
          float cost = w[begin + k] * fabsf (x[begin + k]) * (float) point[k];

          if (cost < least)
            {
              least = cost;
              cheapest = begin + k;
            }
        }

      if (best->flip[part][lane])
        signs ^= 1u << cheapest;
    }

  return (guint8) signs;
}

/* The nearest points of sixteen vectors with the scales of the code. */
static void
assign_vectors (const Search    *self,
                gsize            first,
                TareLatticeCode *code)
{
  const TareLatticeShape *shape = self->shape;
  gsize shared = MAX (shape->shift, WIDTH) / WIDTH;
  TareLatticeVectors vectors;
  TareLatticeBest found[2];

  for (gsize k = 0; k < LANES; k++)
    {
      gsize b = (first + k) * WIDTH / shape->group;

      vectors.scale[k] = code->d * shape->unit * (float) (2 * code->scale[b] + 1);
      for (gsize e = 0; e < WIDTH; e++)
        {
          vectors.x[e][k] = self->x[(first + k) * WIDTH + e];
          vectors.w[e][k] = self->w[(first + k) * WIDTH + e];
        }
    }

  if (shape->shift != 0)
    _tare_lattice_find_shifted (shape, &vectors, found);
  else
    _tare_lattice_find_signed (shape, &vectors, found);

  for (gsize k = 0; k < LANES; k++)
    {
      gsize v = first + k, begin = k / shared * shared;
      float total[2] = { 0.0f, 0.0f };

      if (shape->shift == 0)
        {
          code->point[v][0] = found[0].point[0][k];
          code->point[v][1] = found[0].point[1][k];
          code->negative[v] = find_signs (self->lattice, self->x + v * WIDTH,
                                          self->w + v * WIDTH, &found[0], k);
          continue;
        }

      for (gsize i = begin; i < begin + shared; i++)
        for (gsize down = 0; down < 2; down++)
          total[down] += found[down].value[i];

      code->point[v][0] = found[total[1] < total[0]].point[0][k];
      code->negative[v] = total[1] < total[0] ? 0xff : 0;
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

  for (gsize v = 0; v < VECTORS; v += LANES)
    assign_vectors (self, v, code);

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
      self->wanted[b] = try_group (self, b);
      widest = MAX (widest, self->wanted[b]);
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
