/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The parts of a forward pass as formulas in double, for tests: every number of N_TOKENS tokens,
 * one after the other, from the tensors as a file of safetensors has them. */
#pragma once

#include <math.h>
#include <string.h>

#include "quant/model/tare-model.h"

G_BEGIN_DECLS

#define N_TOKENS 48

typedef double (*Activation) (double x);

/* The numbers of a network, by hand. */
typedef struct
{
  gsize      width;
  gsize      inner;
  gsize      n_blocks;
  gsize      n_heads;
  gsize      n_groups;
  gsize      d;
  gsize      rotary;
  gsize      vocabulary;
  gsize      window;
  double     epsilon;
  double     scale;
  double     cap;
  Activation activation;
  gboolean   parallel;
  gboolean   gated;
} Shape;

typedef struct
{
  const Shape *shape;
  GPtrArray   *tensors;
  double      *x;
  gsize        window;
  double       base;
  double       stretch;
  double       divisor;
  double       magnitude;
} Naive;

static inline double
gelu_tanh (double x)
{
  return 0.5 * x * (1.0 + tanh (sqrt (2.0 / G_PI) * (x + 0.044715 * x * x * x)));
}

static inline double
gelu_erf (double x)
{
  return 0.5 * x * (1.0 + erf (x / sqrt (2.0)));
}

static inline double
silu (double x)
{
  return x / (1.0 + exp (-x));
}

static inline char *
fill_hole (const char *pattern,
           gsize       block)
{
  const char *hole = strstr (pattern, "%d");

  if (hole == NULL)
    return g_strdup (pattern);

  return g_strdup_printf ("%.*s%" G_GSIZE_FORMAT "%s", (int) (hole - pattern), pattern, block,
                          hole + 2);
}

/* A tensor of the file, block @block's where the name has a hole. */
static inline double *
get (const Naive *self,
     const char  *pattern,
     gsize        block)
{
  g_autofree char *name = fill_hole (pattern, block);

  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *values = NULL;
      double *result;

      if (strcmp (tensor->name, name) != 0)
        continue;
      values = g_new (float, n);
      result = g_new (double, n);
      g_assert_true (tare_tensor_read (tensor, values, NULL));
      for (gsize j = 0; j < n; j++)
        result[j] = (double) values[j];
      return result;
    }

  g_error ("no tensor %s", name);
}

/* x W' of the file's outputs x inputs, or x W of its inputs x outputs. */
static inline double *
linear (const Naive  *self,
        const double *x,
        const char   *name,
        const char   *bias_name,
        gsize         block,
        gsize         inputs,
        gsize         outputs,
        gboolean      transposed)
{
  g_autofree double *weight = get (self, name, block);
  g_autofree double *bias = bias_name != NULL ? get (self, bias_name, block) : NULL;
  double *y = g_new (double, N_TOKENS * outputs);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize o = 0; o < outputs; o++)
      {
        double sum = bias != NULL ? bias[o] : 0.0;

        for (gsize i = 0; i < inputs; i++)
          sum += x[t * inputs + i] * weight[transposed ? i * outputs + o : o * inputs + i];
        y[t * outputs + o] = sum;
      }

  return y;
}

/* x / rms (x) (offset + w) */
static inline double *
rms_norm (const Naive  *self,
          const double *x,
          const char   *name,
          gsize         block,
          double        offset)
{
  g_autofree double *weight = get (self, name, block);
  gsize n = self->shape->width;
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    {
      double mean = 0.0;

      for (gsize i = 0; i < n; i++)
        mean += x[t * n + i] * x[t * n + i] / (double) n;
      for (gsize i = 0; i < n; i++)
        y[t * n + i] = x[t * n + i] / sqrt (mean + self->shape->epsilon) * (offset + weight[i]);
    }

  return y;
}

/* x / rms (x) (offset + w) of each of the @n_heads parts of a row, in place */
static inline void
head_rms_norm (const Naive *self,
               double      *heads,
               gsize        n_heads,
               gsize        d,
               const char  *name,
               gsize        block,
               double       offset)
{
  g_autofree double *weight = get (self, name, block);

  for (gsize i = 0; i < N_TOKENS * n_heads; i++)
    {
      double *head = heads + i * d;
      double mean = 0.0;

      for (gsize j = 0; j < d; j++)
        mean += head[j] * head[j] / (double) d;
      for (gsize j = 0; j < d; j++)
        head[j] = head[j] / sqrt (mean + self->shape->epsilon) * (offset + weight[j]);
    }
}

/* (x - mean) / deviation w + b */
static inline double *
layer_norm (const Naive  *self,
            const double *x,
            const char   *weight_name,
            const char   *bias_name,
            gsize         block)
{
  g_autofree double *weight = get (self, weight_name, block);
  g_autofree double *bias = get (self, bias_name, block);
  gsize n = self->shape->width;
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    {
      double mean = 0.0, variance = 0.0;

      for (gsize i = 0; i < n; i++)
        mean += x[t * n + i] / (double) n;
      for (gsize i = 0; i < n; i++)
        variance += (x[t * n + i] - mean) * (x[t * n + i] - mean) / (double) n;
      for (gsize i = 0; i < n; i++)
        y[t * n + i] = (x[t * n + i] - mean) / sqrt (variance + self->shape->epsilon) * weight[i]
                       + bias[i];
    }

  return y;
}

/* Some columns of rows. */
static inline double *
slice (const double *x,
       gsize         columns,
       gsize         first,
       gsize         n)
{
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    memcpy (y + t * n, x + t * columns + first, n * sizeof *y);

  return y;
}

/* Pairs half of the rotating part apart, base 10000 where none is said. */
static inline void
rotate (const Naive *self,
        double      *heads,
        gsize        n_heads)
{
  gsize d = self->shape->d, r = self->shape->rotary;

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize h = 0; h < n_heads; h++)
      for (gsize i = 0; i < r / 2; i++)
        {
          double base = self->base > 0.0 ? self->base : 10000.0;
          double angle = (double) t * pow (base, -2.0 * (double) i / (double) r)
                         / (self->stretch > 0.0 ? self->stretch : 1.0)
                         / (1.0 + self->divisor * (double) i);
          double factor = self->magnitude > 0.0 ? self->magnitude : 1.0;
          double *a = heads + (t * n_heads + h) * d + i;
          double *b = a + r / 2;
          double x = *a, y = *b;

          *a = factor * (x * cos (angle) - y * sin (angle));
          *b = factor * (x * sin (angle) + y * cos (angle));
        }
}

/* N_TOKENS x n_heads d of queries, as many of the groups' keys and values. */
static inline double *
attend (const Naive  *self,
        const double *q,
        const double *k,
        const double *v)
{
  const Shape *s = self->shape;
  double *y = g_new0 (double, N_TOKENS * s->n_heads * s->d);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize h = 0; h < s->n_heads; h++)
      {
        gsize g = h * s->n_groups / s->n_heads;
        double weights[N_TOKENS] = { 0.0 }, sum = 0.0;

        for (gsize j = 0; j <= t; j++)
          {
            double score = 0.0;

            if (self->window > 0 && t - j >= self->window)
              continue;
            for (gsize i = 0; i < s->d; i++)
              score += q[(t * s->n_heads + h) * s->d + i] * k[(j * s->n_groups + g) * s->d + i];
            score *= s->scale;
            weights[j] = exp (s->cap > 0.0 ? s->cap * tanh (score / s->cap) : score);
            sum += weights[j];
          }
        for (gsize j = 0; j <= t; j++)
          for (gsize i = 0; i < s->d; i++)
            y[(t * s->n_heads + h) * s->d + i] += weights[j] / sum
                                                  * v[(j * s->n_groups + g) * s->d + i];
      }

  return y;
}

static inline void
add (const Naive  *self,
     const double *y)
{
  for (gsize i = 0; i < N_TOKENS * self->shape->width; i++)
    self->x[i] += y[i];
}

static inline void
activate (const Naive *self,
          double      *x)
{
  for (gsize i = 0; i < N_TOKENS * self->shape->inner; i++)
    x[i] = self->shape->activation (x[i]);
}

/* The rows of the tokens, times @factor. */
static inline void
embed (Naive         *self,
       const char    *name,
       const guint32 *tokens,
       double         factor)
{
  g_autofree double *table = get (self, name, 0);
  gsize width = self->shape->width;

  self->x = g_new (double, N_TOKENS * width);
  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize i = 0; i < width; i++)
      self->x[t * width + i] = table[tokens[t] * width + i] * factor;
}

/* Tensors of a made folder, random: a name with a hole stands for every block's. */
typedef struct
{
  const char *name;
  gsize       rows;
  gsize       columns;
  float       center;
  gsize       experts;
} Made;

/* Of naive_open_mixtral(), which has two blocks and the sample's vocabulary. */
#define NAIVE_MIXTRAL_EXPERTS 4
#define NAIVE_MIXTRAL_WIDTH   32
#define NAIVE_MIXTRAL_INNER   64

TareModel *naive_open_mixtral (void);

char  *naive_make_folder (const char    *name,
                          const char    *config,
                          const Made    *made,
                          gsize          n_made,
                          gsize          n_blocks);
float *naive_run_model   (const char    *path,
                          const guint32 *tokens);
void   naive_check_folder (const char    *folder,
                          const char    *name,
                          const Shape   *shape,
                          double      *(*run) (Naive         *self,
                                               const guint32 *tokens),
                          const char    *exported);
void   naive_check       (const char    *folder,
                          const char    *name,
                          const Shape   *shape,
                          double      *(*run) (Naive         *self,
                                               const guint32 *tokens));

G_END_DECLS
