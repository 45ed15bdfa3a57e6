/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-calibration.h"

#include <math.h>
#include <string.h>

#include "quant/methods/tare-calibration-private.h"
#include "quant/model/tare-role.h"

static void
record_free (TareCalibrationRecord *record)
{
  g_free (record->activations.sum_squares);
  g_free (record->activations.maximum);
  g_free (record->activations.positions);
  tare_activation_profile_free (record->activations.profile);
  tare_expert_activations_free (record->activations.experts);
  g_free (record->activations.sketch);
  if (record->gram_file != NULL)
    tare_file_unref (record->gram_file);
  else
    g_free (record->activations.gram);
  g_free (record);
}

static void
layer_free (gpointer data)
{
  TareCalibrationLayer *layer = data;

  if (layer->same_as == NULL)
    record_free (layer->record);
  g_free (layer->name);
  g_free (layer);
}

/**
 * tare_calibration_new:
 * @dataset: (nullable): what the text is called
 * @context: tokens of one sequence
 *
 * Returns: (transfer full): a calibration without layers, to be filled and then left alone
 */
TareCalibration *
tare_calibration_new (const char *dataset,
                      guint       context)
{
  TareCalibration *self = g_new0 (TareCalibration, 1);

  self->ref_count = 1;
  self->dataset = g_strdup (dataset != NULL ? dataset : "");
  self->context = context;
  self->layers = g_ptr_array_new_with_free_func (layer_free);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  self->blocks = g_array_new (FALSE, FALSE, sizeof (TareBlockActivity));

  return self;
}

/**
 * tare_calibration_ref:
 * @self: the calibration
 *
 * Returns: (transfer full): @self
 */
TareCalibration *
tare_calibration_ref (TareCalibration *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_calibration_unref:
 * @self: (transfer full): the calibration
 */
void
tare_calibration_unref (TareCalibration *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_hash_table_unref (self->by_name);
  g_ptr_array_unref (self->layers);
  g_array_unref (self->blocks);
  g_free (self->dataset);
  g_free (self);
}

TareCalibrationLayer *
_tare_calibration_get_layer (TareCalibration *self,
                             const char      *canonical)
{
  return g_hash_table_lookup (self->by_name, canonical);
}

static void
add_layer (TareCalibration       *self,
           const char            *canonical,
           TareCalibrationRecord *record,
           const char            *same_as)
{
  TareCalibrationLayer *layer = g_new0 (TareCalibrationLayer, 1);

  layer->name = g_strdup (canonical);
  layer->same_as = same_as;
  layer->record = record;
  g_ptr_array_add (self->layers, layer);
  g_hash_table_insert (self->by_name, layer->name, layer);
}

static gboolean
allocate_gram (TareLayerActivations *activations)
{
  gsize columns = activations->columns;

  if (columns > G_MAXSIZE / sizeof (float) / columns)
    return FALSE;

  activations->gram = g_try_new0 (float, columns * columns);

  return activations->gram != NULL;
}

/**
 * tare_calibration_add:
 * @self: a calibration that nobody else has yet
 * @canonical: a layer that it does not have
 * @columns: its inputs
 * @with_gram: whether to keep Σxx', @columns x @columns
 *
 * Adds a layer. Its sums begin at 0, the caller fills them.
 *
 * Returns: (transfer none) (nullable): its record, %NULL when there is no memory for it
 */
TareLayerActivations *
tare_calibration_add (TareCalibration *self,
                      const char      *canonical,
                      gsize            columns,
                      gboolean         with_gram)
{
  TareCalibrationRecord *record;
  TareLayerActivations *activations;

  g_return_val_if_fail (self != NULL && self->fingerprint == 0, NULL);
  g_return_val_if_fail (canonical != NULL && columns > 0, NULL);
  g_return_val_if_fail (_tare_calibration_get_layer (self, canonical) == NULL, NULL);

  record = g_new0 (TareCalibrationRecord, 1);
  activations = &record->activations;
  activations->columns = columns;
  activations->sum_squares = g_try_new0 (float, columns);
  activations->maximum = g_try_new0 (float, columns);

  if (activations->sum_squares == NULL || activations->maximum == NULL
      || (with_gram && !allocate_gram (activations)))
    {
      record_free (record);
      return NULL;
    }

  add_layer (self, canonical, record, NULL);

  return activations;
}

/**
 * tare_calibration_share:
 * @self: a calibration that nobody else has yet
 * @canonical: a layer that it does not have
 * @same_as: one that it has
 *
 * Says that two layers have the same input, of which only one record is kept.
 */
void
tare_calibration_share (TareCalibration *self,
                        const char      *canonical,
                        const char      *same_as)
{
  TareCalibrationLayer *owner;

  g_return_if_fail (self != NULL && self->fingerprint == 0);
  g_return_if_fail (canonical != NULL && same_as != NULL);
  g_return_if_fail (_tare_calibration_get_layer (self, canonical) == NULL);

  owner = _tare_calibration_get_layer (self, same_as);
  g_return_if_fail (owner != NULL);

  add_layer (self, canonical, owner->record,
             owner->same_as != NULL ? owner->same_as : owner->name);
}

/**
 * tare_calibration_truncate:
 * @self: a calibration that nobody else has yet
 * @n_layers: how many layers to keep
 *
 * Forgets the layers that were added last, as if they had never been.
 */
void
tare_calibration_truncate (TareCalibration *self,
                           gsize            n_layers)
{
  g_return_if_fail (self != NULL && self->fingerprint == 0);

  while (self->layers->len > n_layers)
    {
      const TareCalibrationLayer *layer = g_ptr_array_index (self->layers, self->layers->len - 1);

      g_hash_table_remove (self->by_name, layer->name);
      g_ptr_array_set_size (self->layers, (int) self->layers->len - 1);
    }
}

/* The layer of which the role table says that it has the input of @layer, if it is another. */
static TareCalibrationLayer *
find_input_owner (TareCalibration            *self,
                  const TareCalibrationLayer *layer)
{
  g_autofree char *name = NULL;
  gboolean bias = FALSE;
  int block = -1;
  const TareRole *role = tare_role_from_canonical (layer->name, &block, &bias);

  if (role == NULL || bias || role->input == NULL || strcmp (role->input, role->id) == 0)
    return NULL;

  name = block >= 0 ? g_strdup_printf ("blk.%d.%s.weight", block, role->input)
                    : g_strdup_printf ("%s.weight", role->input);

  return _tare_calibration_get_layer (self, name);
}

static gboolean
has_same_experts (const TareExpertActivations *a,
                  const TareExpertActivations *b,
                  gsize                        columns)
{
  if (a == NULL || b == NULL)
    return a == b;

  return a->n == b->n
         && memcmp (a->n_tokens, b->n_tokens, a->n * sizeof (double)) == 0
         && memcmp (a->sum_squares, b->sum_squares, a->n * columns * sizeof (float)) == 0;
}

static gboolean
has_same_sums (const TareLayerActivations *a,
               const TareLayerActivations *b)
{
  return a->columns == b->columns
         && a->n_tokens == b->n_tokens
         && memcmp (a->sum_squares, b->sum_squares, a->columns * sizeof (float)) == 0
         && has_same_experts (a->experts, b->experts, a->columns);
}

/* Files repeat what layers share. Where the role table says that they do, and the figures agree to
 * the bit, one record is kept. */
void
_tare_calibration_join_inputs (TareCalibration *self)
{
  for (gsize i = 0; i < self->layers->len; i++)
    {
      TareCalibrationLayer *layer = g_ptr_array_index (self->layers, i);
      TareCalibrationLayer *owner = find_input_owner (self, layer);

      if (owner == NULL || layer->same_as != NULL || owner->same_as != NULL
          || layer->record->activations.gram != NULL
          || layer->record->activations.sketch != NULL
          || !has_same_sums (&layer->record->activations, &owner->record->activations))
        continue;

      record_free (layer->record);
      layer->record = owner->record;
      layer->same_as = owner->name;
    }
}

/**
 * tare_calibration_get_n_layers:
 * @self: the calibration
 *
 * Returns: how many layers it knows
 */
gsize
tare_calibration_get_n_layers (TareCalibration *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->layers->len;
}

/**
 * tare_calibration_get_name:
 * @self: the calibration
 * @index: below the number of layers
 *
 * Returns: (transfer none): the canonical name of a layer, in the order in which they were added
 */
const char *
tare_calibration_get_name (TareCalibration *self,
                           gsize            index)
{
  g_return_val_if_fail (self != NULL && index < self->layers->len, NULL);

  return ((TareCalibrationLayer *) g_ptr_array_index (self->layers, index))->name;
}

/**
 * tare_calibration_lookup:
 * @self: (nullable): the calibration
 * @canonical: a layer
 *
 * Returns: (transfer none) (nullable): its record, %NULL where it was not seen
 */
const TareLayerActivations *
tare_calibration_lookup (TareCalibration *self,
                         const char      *canonical)
{
  TareCalibrationLayer *layer;

  g_return_val_if_fail (canonical != NULL, NULL);

  if (self == NULL)
    return NULL;

  layer = _tare_calibration_get_layer (self, canonical);

  return layer != NULL ? &layer->record->activations : NULL;
}

/**
 * tare_layer_activations_set_positions:
 * @self: what a layer saw
 * @n: tokens of a sequence, at least 1
 *
 * Makes room for the maxima of positions. They begin at 0, the caller fills them.
 *
 * Returns: whether there was memory for it
 */
gboolean
tare_layer_activations_set_positions (TareLayerActivations *self,
                                      gsize                 n)
{
  g_return_val_if_fail (self != NULL && self->positions == NULL && n > 0, FALSE);

  self->positions = g_try_new0 (float, n);
  self->n_positions = self->positions != NULL ? n : 0;

  return self->positions != NULL;
}

/**
 * tare_layer_activations_sketch:
 * @self: a record that has no sketch yet
 * @n: columns of the sketch, no more than @self has
 *
 * Makes room for a sketch of the gram, of zeros. The caller fills it.
 *
 * Returns: whether there was memory for it
 */
gboolean
tare_layer_activations_sketch (TareLayerActivations *self,
                               gsize                 n)
{
  g_return_val_if_fail (self != NULL && self->sketch == NULL, FALSE);
  g_return_val_if_fail (n > 0 && n <= self->columns, FALSE);

  if (n > G_MAXSIZE / sizeof (float) / self->columns)
    return FALSE;

  self->sketch = g_try_new0 (float, n * self->columns);
  self->n_sketch = self->sketch != NULL ? n : 0;

  return self->sketch != NULL;
}

/**
 * tare_layer_activations_split:
 * @self: the record of a stacked layer, which is not split yet
 * @n: its matrices
 *
 * Makes room for the sums of each matrix. The caller fills them.
 *
 * Returns: whether there was memory for it
 */
gboolean
tare_layer_activations_split (TareLayerActivations *self,
                              gsize                 n)
{
  g_return_val_if_fail (self != NULL && self->experts == NULL, FALSE);

  self->experts = tare_expert_activations_new (n, self->columns);

  return self->experts != NULL;
}

/**
 * tare_layer_activations_total:
 * @self: a record that is split
 *
 * Adds up tokens and Σx² of all experts, and takes the largest of their maxima.
 */
void
tare_layer_activations_total (TareLayerActivations *self)
{
  const TareExpertActivations *experts;

  g_return_if_fail (self != NULL && self->experts != NULL);

  experts = self->experts;
  self->n_tokens = 0.0;
  for (gsize e = 0; e < experts->n; e++)
    self->n_tokens += experts->n_tokens[e];

  for (gsize i = 0; i < self->columns; i++)
    {
      double sum = 0.0;
      float maximum = 0.0f;

      for (gsize e = 0; e < experts->n; e++)
        {
          sum += (double) experts->sum_squares[e * self->columns + i];
          if (experts->maximum != NULL)
            maximum = MAX (maximum, experts->maximum[e * self->columns + i]);
        }
      self->sum_squares[i] = (float) sum;
      if (self->maximum != NULL)
        self->maximum[i] = maximum;
    }
}

/**
 * tare_layer_activations_get_expert:
 * @self: the record of a layer
 * @expert: one of its matrices
 *
 * Returns: what that matrix saw, which points into @self; @self where matrices are not told apart
 */
TareLayerActivations
tare_layer_activations_get_expert (const TareLayerActivations *self,
                                   gsize                       expert)
{
  const TareExpertActivations *experts = self->experts;

  if (experts == NULL)
    return *self;

  g_return_val_if_fail (expert < experts->n, *self);

  return (TareLayerActivations) {
    .columns = self->columns,
    .n_tokens = experts->n_tokens[expert],
    .sum_squares = experts->sum_squares + expert * self->columns,
    .maximum = experts->maximum != NULL ? experts->maximum + expert * self->columns : NULL,
  };
}

/**
 * tare_layer_activations_dup_importance:
 * @self: what a matrix saw
 *
 * Tells how much a column matters: the mean of x² over the tokens, which is what llama.cpp's
 * importance matrices hold. A matrix that no token reached has 1 everywhere, as there.
 *
 * Returns: (transfer full) (array): the importance of every column
 */
float *
tare_layer_activations_dup_importance (const TareLayerActivations *self)
{
  float *importance = g_new (float, self->columns);

  for (gsize i = 0; i < self->columns; i++)
    importance[i] = self->n_tokens > 0.0
                      ? (float) ((double) self->sum_squares[i] / self->n_tokens)
                      : 1.0f;

  return importance;
}

/**
 * tare_calibration_dup_importance:
 * @self: (nullable): the calibration
 * @canonical: a layer
 * @columns: its inputs
 *
 * tare_layer_activations_dup_importance() of the layer as a whole.
 *
 * Returns: (transfer full) (nullable) (array length=columns): the importance of every column, %NULL
 *   where the layer is unknown or has other inputs
 */
float *
tare_calibration_dup_importance (TareCalibration *self,
                                 const char      *canonical,
                                 gsize            columns)
{
  const TareLayerActivations *activations = tare_calibration_lookup (self, canonical);

  if (activations == NULL || activations->columns != columns)
    return NULL;

  return tare_layer_activations_dup_importance (activations);
}

/**
 * tare_calibration_set_block:
 * @self: a calibration that nobody else has yet
 * @block: index of a block
 * @activity: what it does
 */
void
tare_calibration_set_block (TareCalibration         *self,
                            guint                    block,
                            const TareBlockActivity *activity)
{
  const TareBlockActivity unknown = { NAN, NAN, NAN, NAN };

  g_return_if_fail (self != NULL && self->fingerprint == 0);

  while (self->blocks->len <= block)
    g_array_append_val (self->blocks, unknown);
  g_array_index (self->blocks, TareBlockActivity, block) = *activity;
}

/**
 * tare_calibration_get_block:
 * @self: (nullable): the calibration
 * @block: index of a block
 * @activity: (out): what it does; NaN where that is unknown
 *
 * Returns: whether anything is known of the block
 */
gboolean
tare_calibration_get_block (TareCalibration   *self,
                            guint              block,
                            TareBlockActivity *activity)
{
  *activity = (TareBlockActivity) { NAN, NAN, NAN, NAN };
  if (self == NULL || block >= self->blocks->len)
    return FALSE;

  *activity = g_array_index (self->blocks, TareBlockActivity, block);

  return !isnan (activity->cosine) || !isnan (activity->spread);
}

/* Of a matrix, that of them that saw most. */
double
_tare_calibration_count_tokens (const TareLayerActivations *activations)
{
  double n_tokens = 0.0;

  if (activations->experts == NULL)
    return activations->n_tokens;

  for (gsize e = 0; e < activations->experts->n; e++)
    n_tokens = MAX (n_tokens, activations->experts->n_tokens[e]);

  return n_tokens;
}

/**
 * tare_calibration_get_n_tokens:
 * @self: the calibration
 *
 * Returns: tokens that the matrix saw that saw most
 */
double
tare_calibration_get_n_tokens (TareCalibration *self)
{
  double n_tokens = 0.0;

  g_return_val_if_fail (self != NULL, 0.0);

  for (gsize i = 0; i < self->layers->len; i++)
    {
      TareCalibrationLayer *layer = g_ptr_array_index (self->layers, i);

      n_tokens = MAX (n_tokens, _tare_calibration_count_tokens (&layer->record->activations));
    }

  return n_tokens;
}

/**
 * tare_calibration_get_dataset:
 * @self: the calibration
 *
 * Returns: (transfer none): what the text was called, "" if that is unknown
 */
const char *
tare_calibration_get_dataset (TareCalibration *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->dataset;
}

/**
 * tare_calibration_get_context:
 * @self: the calibration
 *
 * Returns: tokens of one sequence, 0 if that is unknown
 */
guint
tare_calibration_get_context (TareCalibration *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->context;
}

static void
hash_layer (GChecksum                  *checksum,
            const TareCalibrationLayer *layer)
{
  const TareLayerActivations *activations = &layer->record->activations;
  const TareExpertActivations *experts = activations->experts;
  guint64 numbers[2] = { activations->columns,
                         (activations->gram != NULL) + 2 * activations->n_sketch };

  g_checksum_update (checksum, (const guchar *) layer->name, (gssize) strlen (layer->name) + 1);
  g_checksum_update (checksum, (const guchar *) numbers, sizeof numbers);
  g_checksum_update (checksum, (const guchar *) &activations->n_tokens,
                     sizeof activations->n_tokens);
  g_checksum_update (checksum, (const guchar *) activations->sum_squares,
                     (gssize) (activations->columns * sizeof (float)));
  if (experts == NULL)
    return;

  g_checksum_update (checksum, (const guchar *) experts->n_tokens,
                     (gssize) (experts->n * sizeof *experts->n_tokens));
  g_checksum_update (checksum, (const guchar *) experts->sum_squares,
                     (gssize) (experts->n * activations->columns * sizeof (float)));
}

/**
 * tare_calibration_get_fingerprint:
 * @self: a calibration that is complete
 *
 * Tells calibrations apart by the names, tokens and Σx² of their layers, and by whether they
 * have grams or sketches. No other text gives the same sums to the bit, so grams themselves,
 * which may be gigabytes in a file that is only mapped, are not read.
 *
 * Returns: a number that is not 0
 */
guint64
tare_calibration_get_fingerprint (TareCalibration *self)
{
  g_return_val_if_fail (self != NULL, 0);

  if (g_once_init_enter (&self->fingerprint))
    {
      g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
      guint8 digest[32];
      gsize length = sizeof digest;
      gsize value = 0;

      for (gsize i = 0; i < self->layers->len; i++)
        hash_layer (checksum, g_ptr_array_index (self->layers, i));
      g_checksum_get_digest (checksum, digest, &length);
      memcpy (&value, digest, sizeof value);

      g_once_init_leave (&self->fingerprint, MAX (value, 1));
    }

  return self->fingerprint;
}
