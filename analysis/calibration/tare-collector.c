/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-collector.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "analysis/calibration/tare-sketcher.h"
#include "analysis/statistics/tare-spectrum.h"
#include "quant/tare-error.h"
#include "quant/tare-simd.h"

/* Tokens whose Σxx' is added up in binary32. Its rounding errors grow with the root of them, to
 * about 2e-6; from there on sums are in binary64. */
#define TOKENS_PER_SUM 2048

/* Columns whose sums stay in a first level cache while all tokens go by. */
#define PANEL 512

/* Multiplications of one product at most, unless its columns alone are more: a product cannot be
 * cancelled, and these take a tenth of a second or less. */
#define PRODUCT_SIZE 4e9

/* A tile of the matrix that is mirrored: two fit a first level cache. */
#define TILE 64

/* One layer of the block at hand; @sum_squares are of one of its experts after the other. The
 * double-precision gram is the upper triangle, row after row: n (n + 1) / 2 numbers, no more bytes
 * than the n x n floats that it becomes. A layer too wide for one has a sketch. */
typedef struct
{
  TareLayerActivations *activations;
  double               *sum_squares;
  double               *triangle;
  double               *sketch;
  TareActivationSums   *spread;
} Sums;

/* What the block at hand does: sums over its tokens, and over its sequences. */
typedef struct
{
  guint  block;
  gsize  n_tokens;
  double cosine;
  double before;
  double after;
  gsize  n_sequences;
  double spread;
  double sink;
} Activity;

struct _TareCollector
{
  TareCalibration *calibration;
  gsize            maximum_gram_columns;
  gsize            sketch_columns;
  TareSketcher    *sketcher;
  TareProgress     progress;
  GHashTable      *block;
  Activity         activity;
  float           *product;
  gsize            product_columns;
  GError          *failure;
};

static void
sums_free (gpointer data)
{
  Sums *sums = data;

  g_free (sums->sum_squares);
  g_free (sums->triangle);
  g_free (sums->sketch);
  tare_activation_sums_free (sums->spread);
  g_free (sums);
}

/**
 * tare_collector_new:
 * @calibration: what to fill
 * @maximum_gram_columns: wider inputs keep a sketch of the gram
 * @progress: (nullable): asked, though not told, between products; once it is cancelled, what is
 *   observed no longer counts
 *
 * Returns: (transfer full): a collector
 */
TareCollector *
tare_collector_new (TareCalibration    *calibration,
                    gsize               maximum_gram_columns,
                    const TareProgress *progress)
{
  TareCollector *self = g_new0 (TareCollector, 1);

  self->calibration = tare_calibration_ref (calibration);
  self->maximum_gram_columns = maximum_gram_columns;
  self->sketch_columns = TARE_SKETCH_COLUMNS;
  self->sketcher = tare_sketcher_new ();
  self->progress = tare_progress_part (progress, 0.0, 1.0);
  self->block = g_hash_table_new_full (NULL, NULL, NULL, sums_free);

  return self;
}

/**
 * tare_collector_free:
 * @self: (transfer full): the collector
 */
void
tare_collector_free (TareCollector *self)
{
  g_clear_error (&self->failure);
  g_hash_table_unref (self->block);
  tare_calibration_unref (self->calibration);
  g_free (self->product);
  tare_sketcher_free (self->sketcher);
  g_free (self);
}

/**
 * tare_collector_set_sketch_columns:
 * @self: a collector that has observed nothing yet
 * @columns: of the sketch that stands for a gram that is too wide; 0 for none
 */
void
tare_collector_set_sketch_columns (TareCollector *self,
                                   gsize          columns)
{
  self->sketch_columns = columns;
}

static gsize
triangle_size (gsize n)
{
  return n % 2 == 0 ? n / 2 * (n + 1) : (n + 1) / 2 * n;
}

/* Index of element (0, 0) of row @i of a triangle, had it all n columns: the rows before it have
 * n, n - 1, ... elements, and @i are missing from its own. */
static gsize
triangle_row (gsize n,
              gsize i)
{
  return i * n - triangle_size (i);
}

static gboolean
make_room (TareCollector *self,
           gsize          columns)
{
  if (columns <= self->product_columns)
    return TRUE;

  g_free (self->product);
  self->product = g_try_new (float, columns * columns);
  self->product_columns = self->product != NULL ? columns : 0;

  return self->product != NULL;
}

static gboolean
make_sketch (TareCollector *self,
             Sums          *sums,
             gsize          columns)
{
  gsize k = MIN (self->sketch_columns, columns);

  if (k == 0)
    return TRUE;

  if (!tare_layer_activations_sketch (sums->activations, k)
      || !tare_sketcher_make_room (self->sketcher, columns, k))
    return FALSE;
  sums->sketch = g_try_malloc0_n (k * sizeof (double), columns);

  return sums->sketch != NULL;
}

/* (nullable): the sums of @tensor, which are made when it is first seen; %NULL without memory */
static Sums *
get_sums (TareCollector    *self,
          const TareTensor *tensor,
          gsize             columns)
{
  Sums *sums = g_hash_table_lookup (self->block, tensor);
  gboolean with_gram = columns <= self->maximum_gram_columns;
  gsize n = tare_tensor_get_n_matrices (tensor);
  guint context = tare_calibration_get_context (self->calibration);

  if (sums != NULL)
    return sums;

  sums = g_new0 (Sums, 1);
  sums->activations = tare_calibration_add (self->calibration, tensor->canonical, columns,
                                            with_gram);
  sums->sum_squares = n <= G_MAXSIZE / columns ? g_try_new0 (double, n * columns) : NULL;
  sums->spread = tare_activation_sums_new (columns);
  if (with_gram)
    sums->triangle = g_try_new0 (double, triangle_size (columns));

  if (sums->activations == NULL || sums->sum_squares == NULL || sums->spread == NULL
      || (n > 1 && !tare_layer_activations_split (sums->activations, n))
      || (context > 0
          && !tare_layer_activations_set_positions (sums->activations, context))
      || (with_gram && (sums->triangle == NULL || !make_room (self, columns)))
      || (!with_gram && !make_sketch (self, sums, columns)))
    {
      sums_free (sums);
      return NULL;
    }

  g_hash_table_insert (self->block, (gpointer) tensor, sums);

  return sums;
}

/* Σx² and max |x| of @n of the columns of x, whose tokens are @stride apart; NaN stays in the first
 * and is found when the sums are finished. */
TARE_CLONES static void
add_panel (const float *x,
           gsize        n_tokens,
           gsize        stride,
           gsize        n,
           double      *sum_squares,
           float       *maximum)
{
  for (gsize t = 0; t < n_tokens; t++)
    {
      const float *token = x + t * stride;

#pragma omp simd
      for (gsize i = 0; i < n; i++)
        {
          float magnitude = fabsf (token[i]);

          sum_squares[i] += (double) token[i] * (double) token[i];
          maximum[i] = magnitude > maximum[i] ? magnitude : maximum[i];
        }
    }
}

static void
add_columns (const float *x,
             gsize        n_tokens,
             gsize        columns,
             double      *sum_squares,
             float       *maximum)
{
#pragma omp parallel for schedule(static)
  for (gsize first = 0; first < columns; first += PANEL)
    add_panel (x + first, n_tokens, columns, MIN ((gsize) PANEL, columns - first),
               sum_squares + first, maximum + first);
}

/* The largest |x|: as integers, magnitudes are in the same order. */
TARE_CLONES static float
find_largest (const float *x,
              gsize        n)
{
  gint32 largest = 0;
  float magnitude;

#pragma omp simd reduction(max:largest)
  for (gsize i = 0; i < n; i++)
    {
      gint32 bits;

      memcpy (&bits, x + i, sizeof bits);
      bits &= G_MAXINT32;
      largest = bits > largest ? bits : largest;
    }
  memcpy (&magnitude, &largest, sizeof magnitude);

  return magnitude;
}

/* Of all tokens, in the order of their sequences, of which the layer has seen its n_tokens. */
static void
add_positions_in_order (TareLayerActivations *activations,
                        const float          *x,
                        gsize                 n_tokens)
{
  gsize length = activations->n_positions;
  gsize columns = activations->columns;
  gsize seen = (gsize) activations->n_tokens;

#pragma omp parallel for schedule(static)
  for (gsize first = 0; first < MIN (n_tokens, length); first++)
    {
      float *maximum = activations->positions + (seen + first) % length;

      for (gsize t = first; t < n_tokens; t += length)
        *maximum = MAX (*maximum, find_largest (x + t * columns, columns));
    }
}

/* Of these tokens, which are counted from the start of a sequence; several may be at a position. */
static void
add_positions (TareLayerActivations *activations,
               const float          *x,
               const guint32        *tokens,
               gsize                 n_tokens)
{
  for (gsize t = 0; t < n_tokens && activations->n_positions > 0; t++)
    {
      float *maximum = activations->positions + tokens[t] % activations->n_positions;

      *maximum = MAX (*maximum, find_largest (x + t * activations->columns,
                                              activations->columns));
    }
}

TARE_CLONES static void
add_row (double      *sums,
         const float *x,
         gsize        n)
{
#pragma omp simd
  for (gsize i = 0; i < n; i++)
    sums[i] += (double) x[i];
}

/* Σxx' of tokens into the upper triangle of the product, in steps between which it can be
 * cancelled. */
static void
multiply_tokens (TareCollector *self,
                 const float   *x,
                 gsize          n_tokens,
                 gsize          n)
{
  double fitting = PRODUCT_SIZE / ((double) n * (double) n);
  gsize most = (gsize) CLAMP (fitting, 1.0, (double) n_tokens);
  gsize n_steps = (n_tokens - 1) / most + 1;
  gsize step = (n_tokens - 1) / n_steps + 1;

  for (gsize t = 0; t < n_tokens && !tare_progress_cancelled (&self->progress); t += step)
    cblas_ssyrk (CblasRowMajor, CblasUpper, CblasTrans, (int) n, (int) MIN (step, n_tokens - t),
                 1.0f, x + t * n, (int) n, t > 0 ? 1.0f : 0.0f, self->product, (int) n);
}

/* Adds Σxx' of x (n_tokens x n) to a triangle. */
static void
add_gram (TareCollector *self,
          const float   *x,
          gsize          n_tokens,
          gsize          n,
          double        *triangle)
{
  const float *product = self->product;

  for (gsize t = 0; t < n_tokens && !tare_progress_cancelled (&self->progress);
       t += TOKENS_PER_SUM)
    {
      multiply_tokens (self, x + t * n, MIN ((gsize) TOKENS_PER_SUM, n_tokens - t), n);

#pragma omp parallel for schedule(dynamic, 16)
      for (gsize i = 0; i < n; i++)
        add_row (triangle + triangle_row (n, i) + i, product + i * n + i, n - i);
    }
}

/**
 * tare_collector_observe:
 * @tensor: the first of the layers that take an input
 * @expert: which of its matrices takes it
 * @x: the input, @n_tokens x @columns
 * @tokens: (nullable): which tokens these are, counted from the start of a sequence; %NULL for all,
 *   one after the other
 * @n_tokens: how many
 * @columns: inputs of the layer
 * @data: the collector
 *
 * What a network's observer calls, for whole sequences of the calibration's context one after the
 * other, though not at once. An error is kept for tare_collector_finish().
 */
void
tare_collector_observe (const TareTensor *tensor,
                        gsize             expert,
                        const float      *x,
                        const guint32    *tokens,
                        gsize             n_tokens,
                        gsize             columns,
                        gpointer          data)
{
  TareCollector *self = data;
  TareExpertActivations *experts;
  Sums *sums;

  if (self->failure != NULL)
    return;

  sums = get_sums (self, tensor, columns);
  if (sums == NULL)
    {
      g_set_error (&self->failure, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: %s: no memory for the activations of %" G_GSIZE_FORMAT " columns",
                   tare_file_get_path (tensor->file), tensor->canonical, columns);
      return;
    }

  experts = sums->activations->experts;
  if (tokens != NULL)
    add_positions (sums->activations, x, tokens, n_tokens);
  else
    add_positions_in_order (sums->activations, x, n_tokens);
  if (experts != NULL)
    experts->n_tokens[expert] += (double) n_tokens;
  else
    sums->activations->n_tokens += (double) n_tokens;
  add_columns (x, n_tokens, columns, sums->sum_squares + expert * columns,
               experts != NULL ? experts->maximum + expert * columns : sums->activations->maximum);
  tare_activation_sums_add (sums->spread, x, n_tokens);
  if (sums->triangle != NULL)
    add_gram (self, x, n_tokens, columns, sums->triangle);
  if (sums->sketch != NULL
      && tare_sketcher_make_room (self->sketcher, columns, sums->activations->n_sketch))
    tare_sketcher_add (self->sketcher, x, n_tokens, columns, sums->sketch, &self->progress);
}

TARE_CLONES static double
multiply (const float *a,
          const float *b,
          gsize        n)
{
  double sum = 0.0;

#pragma omp simd reduction(+:sum)
  for (gsize i = 0; i < n; i++)
    sum += (double) a[i] * (double) b[i];

  return sum;
}

static void
observe_stream (guint         block,
                const float  *before,
                const float  *after,
                gsize         n_tokens,
                gsize         width,
                gpointer      data)
{
  TareCollector *self = data;
  Activity *activity = &self->activity;

  activity->block = block;
  activity->n_tokens += n_tokens;
  for (gsize t = 0; t < n_tokens; t++)
    {
      double a = multiply (before + t * width, before + t * width, width);
      double b = multiply (after + t * width, after + t * width, width);
      double norm = sqrt (a) * sqrt (b);

      activity->before += a;
      activity->after += b;
      if (norm > 0.0)
        activity->cosine += multiply (before + t * width, after + t * width, width) / norm;
    }
}

/* exp of the entropy of the shares of one sequence, over their number, and the largest share. */
static void
observe_attention (guint         block,
                   const double *received,
                   gsize         n_sequences,
                   gsize         length,
                   gpointer      data)
{
  TareCollector *self = data;
  Activity *activity = &self->activity;

  activity->block = block;
  activity->n_sequences += n_sequences;
  for (gsize s = 0; s < n_sequences; s++)
    {
      const double *of = received + s * length;
      double total = 0.0;
      double entropy = 0.0;
      double largest = 0.0;

      for (gsize i = 0; i < length; i++)
        total += of[i];
      for (gsize i = 0; i < length && total > 0.0; i++)
        {
          double share = of[i] / total;

          largest = MAX (largest, share);
          if (share > 0.0)
            entropy -= share * log (share);
        }
      activity->spread += exp (entropy) / (double) length;
      activity->sink += largest;
    }
}

/**
 * tare_collector_get_observer:
 * @self: the collector
 *
 * Returns: what to hand to a network, which then tells the collector all that it collects
 */
TareObserver
tare_collector_get_observer (TareCollector *self)
{
  return (TareObserver) {
    .observe = tare_collector_observe,
    .data = self,
    .stream = observe_stream,
    .attend = observe_attention,
  };
}

static void
mirror_tile (float *matrix,
             gsize  n,
             gsize  row,
             gsize  column)
{
  for (gsize i = row; i < MIN (row + TILE, n); i++)
    {
      for (gsize j = MAX (column, i + 1); j < MIN (column + TILE, n); j++)
        matrix[j * n + i] = matrix[i * n + j];
    }
}

/* Both triangles of the n x n gram; its diagonal is Σx² as summed by itself. */
static void
expand_triangle (const double *triangle,
                 const float  *diagonal,
                 gsize         n,
                 float        *gram)
{
#pragma omp parallel for schedule(dynamic, 16)
  for (gsize i = 0; i < n; i++)
    {
      const double *row = triangle + triangle_row (n, i);

      gram[i * n + i] = diagonal[i];
      for (gsize j = i + 1; j < n; j++)
        gram[i * n + j] = (float) row[j];
    }

#pragma omp parallel for schedule(dynamic)
  for (gsize row = 0; row < n; row += TILE)
    {
      for (gsize column = row; column < n; column += TILE)
        mirror_tile (gram, n, row, column);
    }
}

/* As binary32; one that is beyond that is not kept. */
static void
finish_sketch (const Sums           *sums,
               TareLayerActivations *activations)
{
  gboolean good = TRUE;

  for (gsize i = 0; i < activations->columns * activations->n_sketch; i++)
    {
      activations->sketch[i] = (float) sums->sketch[i];
      good = good && isfinite (activations->sketch[i]);
    }
  if (!good)
    {
      g_clear_pointer (&activations->sketch, g_free);
      activations->n_sketch = 0;
    }
}

static gboolean
finish_sums (const TareTensor  *tensor,
             const Sums        *sums,
             GError           **error)
{
  TareLayerActivations *activations = sums->activations;
  TareExpertActivations *experts = activations->experts;
  gsize n = experts != NULL ? experts->n : 1;
  float *out = experts != NULL ? experts->sum_squares : activations->sum_squares;

  for (gsize i = 0; i < n * activations->columns; i++)
    {
      out[i] = (float) sums->sum_squares[i];
      if (!isfinite (out[i]))
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                       "%s: %s: column %" G_GSIZE_FORMAT " of its input is not finite",
                       tare_file_get_path (tensor->file), tensor->canonical,
                       i % activations->columns);
          return FALSE;
        }
    }
  if (experts != NULL)
    tare_layer_activations_total (activations);

  if (sums->triangle != NULL)
    expand_triangle (sums->triangle, activations->sum_squares, activations->columns,
                     activations->gram);
  if (sums->sketch != NULL)
    finish_sketch (sums, activations);

  activations->profile = tare_activation_profile_new (activations->columns);
  if (activations->profile != NULL)
    tare_activation_sums_finish (sums->spread, activations->profile);

  return TRUE;
}

/* Hands over what the block does, and begins with the next. */
static void
finish_activity (TareCollector *self)
{
  const Activity *sums = &self->activity;
  double n_sequences = (double) sums->n_sequences;
  TareBlockActivity activity = { NAN, NAN, NAN, NAN };

  if (sums->n_tokens > 0 && sums->before > 0.0)
    {
      activity.cosine = sums->cosine / (double) sums->n_tokens;
      activity.gain = sqrt (sums->after / sums->before);
    }
  if (sums->n_sequences > 0)
    {
      activity.spread = sums->spread / n_sequences;
      activity.sink = sums->sink / n_sequences;
    }
  if (sums->n_tokens > 0 || sums->n_sequences > 0)
    tare_calibration_set_block (self->calibration, sums->block, &activity);

  self->activity = (Activity) { 0 };
}

/**
 * tare_collector_finish:
 * @self: the collector
 * @error: return location for an error
 *
 * Hands the sums of the block over to the calibration, and is ready for the next block.
 *
 * Returns: whether all of them are there and finite
 */
gboolean
tare_collector_finish (TareCollector  *self,
                       GError        **error)
{
  GHashTableIter iter;
  gpointer tensor;
  gpointer sums;

  if (self->failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->failure));
      return FALSE;
    }

  g_hash_table_iter_init (&iter, self->block);
  while (g_hash_table_iter_next (&iter, &tensor, &sums))
    {
      if (!finish_sums (tensor, sums, error))
        return FALSE;
    }

  g_hash_table_remove_all (self->block);
  finish_activity (self);

  return TRUE;
}
