/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-measure-context.h"

#include <string.h>

struct _TareMeasureContext
{
  TareEngine      *engine;
  TareCalibration *calibration;
  char            *text;
  gsize            text_length;
  guint            text_context;
  gsize            maximum_tokens;
  guint64          memory;
  GHashTable      *findings;
};

/* Something that was found out, of a tensor or of the whole model. */
typedef struct
{
  char             *key;
  const TareTensor *tensor;
  gpointer          value;
  GDestroyNotify    destroy;
} Finding;

static void
finding_free (gpointer data)
{
  Finding *finding = data;

  if (finding->value != NULL)
    finding->destroy (finding->value);
  g_free (finding->key);
  g_free (finding);
}

static guint
finding_hash (gconstpointer data)
{
  const Finding *finding = data;

  return g_str_hash (finding->key) ^ g_direct_hash (finding->tensor);
}

static gboolean
finding_equal (gconstpointer a,
               gconstpointer b)
{
  const Finding *first = a;
  const Finding *second = b;

  return first->tensor == second->tensor && strcmp (first->key, second->key) == 0;
}

/**
 * tare_measure_context_new:
 * @engine: the engine of the model that is measured
 * @calibration: (nullable): what a text sent through it
 *
 * Returns: (transfer full): a context
 */
TareMeasureContext *
tare_measure_context_new (TareEngine      *engine,
                          TareCalibration *calibration)
{
  TareMeasureContext *self;

  g_return_val_if_fail (engine != NULL, NULL);

  self = g_new0 (TareMeasureContext, 1);
  self->engine = tare_engine_ref (engine);
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  self->findings = g_hash_table_new_full (finding_hash, finding_equal, finding_free, NULL);

  return self;
}

/**
 * tare_measure_context_free:
 * @self: (transfer full): the context
 */
void
tare_measure_context_free (TareMeasureContext *self)
{
  g_return_if_fail (self != NULL);

  g_hash_table_unref (self->findings);
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  tare_engine_unref (self->engine);
  g_free (self->text);
  g_free (self);
}

/**
 * tare_measure_context_set_text:
 * @self: a context that has not been used yet
 * @text: what to run the network on, UTF-8
 * @length: bytes of @text
 * @context: tokens of one sequence; 0 for the smaller of 512 and the model's own
 * @maximum_tokens: how much of the text to use at most; 0 for all of it
 *
 * Gives the measures that run the network something to run it on.
 */
void
tare_measure_context_set_text (TareMeasureContext *self,
                               const char         *text,
                               gsize               length,
                               guint               context,
                               gsize               maximum_tokens)
{
  g_return_if_fail (self != NULL && text != NULL);

  g_free (self->text);
  self->text = g_strndup (text, length);
  self->text_length = length;
  self->text_context = context;
  self->maximum_tokens = maximum_tokens;
}

/**
 * tare_measure_context_set_memory:
 * @self: a context that has not been used yet
 * @bytes: memory that running the network may take, weights at hand and states together; 0 for the
 *   default. What measures of a matrix's weights take, which is a few times the matrix, comes on
 *   top
 */
void
tare_measure_context_set_memory (TareMeasureContext *self,
                                 guint64             bytes)
{
  g_return_if_fail (self != NULL);

  self->memory = bytes;
}

/**
 * tare_measure_context_get_memory:
 * @self: the context
 *
 * Returns: bytes of memory to get by with, 0 for the default
 */
guint64
tare_measure_context_get_memory (TareMeasureContext *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->memory;
}

/**
 * tare_measure_context_get_model:
 * @self: the context
 *
 * Returns: (transfer none): the model that is measured
 */
TareModel *
tare_measure_context_get_model (TareMeasureContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return tare_engine_get_model (self->engine);
}

/**
 * tare_measure_context_get_engine:
 * @self: the context
 *
 * Returns: (transfer none): what rounds its tensors
 */
TareEngine *
tare_measure_context_get_engine (TareMeasureContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->engine;
}

/**
 * tare_measure_context_get_calibration:
 * @self: the context
 *
 * Returns: (transfer none) (nullable): the calibration
 */
TareCalibration *
tare_measure_context_get_calibration (TareMeasureContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->calibration;
}

/**
 * tare_measure_context_get_text:
 * @self: the context
 * @length: (out) (optional): bytes of it
 * @context: (out) (optional): tokens of one sequence, 0 for the default
 * @maximum_tokens: (out) (optional): how much of it to use at most, 0 for all
 *
 * Returns: (transfer none) (nullable): the text, %NULL if there is none
 */
const char *
tare_measure_context_get_text (TareMeasureContext *self,
                               gsize              *length,
                               guint              *context,
                               gsize              *maximum_tokens)
{
  g_return_val_if_fail (self != NULL, NULL);

  if (length != NULL)
    *length = self->text_length;
  if (context != NULL)
    *context = self->text_context;
  if (maximum_tokens != NULL)
    *maximum_tokens = self->maximum_tokens;

  return self->text;
}

static gpointer
make_statistics (TareMeasureContext  *self,
                 const TareTensor    *tensor,
                 const TareProgress  *progress,
                 GError             **error)
{
  return tare_statistics_measure (tensor, progress, error);
}

static void
free_statistics (gpointer data)
{
  tare_statistics_unref (data);
}

/**
 * tare_measure_context_get_statistics:
 * @self: the context
 * @tensor: a tensor of its model
 * @progress: (nullable): told of the reading and asked whether to go on
 * @error: return location for an error
 *
 * Returns: (transfer none): the tensor's statistics, read when they are first asked for, or %NULL
 *   with @error set
 */
TareStatistics *
tare_measure_context_get_statistics (TareMeasureContext  *self,
                                     const TareTensor    *tensor,
                                     const TareProgress  *progress,
                                     GError             **error)
{
  return tare_measure_context_find (self, "statistics", tensor, make_statistics, free_statistics,
                                    progress, error);
}

/**
 * tare_measure_context_find:
 * @self: the context
 * @key: what it is that is to be found
 * @tensor: (nullable): of which tensor, %NULL for the whole model
 * @make: finds it where it is not known yet
 * @destroy: frees it with the context
 * @progress: (nullable): for @make
 * @error: return location for an error
 *
 * Finds something out once. What fails or is cancelled is not kept.
 *
 * Returns: (transfer none): what @make returned, %NULL with @error set
 */
gpointer
tare_measure_context_find (TareMeasureContext  *self,
                           const char          *key,
                           const TareTensor    *tensor,
                           TareMeasureMake      make,
                           GDestroyNotify       destroy,
                           const TareProgress  *progress,
                           GError             **error)
{
  const Finding wanted = { .key = (char *) key, .tensor = tensor };
  Finding *finding;
  gpointer value;

  g_return_val_if_fail (self != NULL && key != NULL, NULL);
  g_return_val_if_fail (make != NULL && destroy != NULL, NULL);

  finding = g_hash_table_lookup (self->findings, &wanted);
  if (finding != NULL)
    return finding->value;

  value = make (self, tensor, progress, error);
  if (value == NULL)
    return NULL;

  finding = g_new0 (Finding, 1);
  *finding = (Finding) { g_strdup (key), tensor, value, destroy };
  g_hash_table_add (self->findings, finding);

  return value;
}
