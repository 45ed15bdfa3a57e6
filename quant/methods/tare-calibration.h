/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/methods/tare-activation-profile.h"
#include "quant/methods/tare-expert-activations.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareLayerActivations:
 * @columns: inputs of the layer
 * @n_tokens: tokens that were seen
 * @sum_squares: Σx² of every column; divided by @n_tokens it is the importance (imatrix)
 * @maximum: (nullable): the largest |x| of every column, %NULL where a file did not tell
 * @gram: (nullable): Σxx' as a full symmetric columns x columns matrix, %NULL where it was not
 *   kept; H = 2 gram / n_tokens
 * @sketch: (nullable): where there is no gram, its product with a matrix of random signs, columns x
 *   @n_sketch; %NULL where it was not kept
 * @n_sketch: columns of @sketch
 * @profile: (nullable): how the numbers are spread, %NULL where a file did not tell
 * @positions: (nullable) (array length=n_positions): the largest |x| of the tokens at each position
 *   of a sequence, %NULL where a file did not tell and for one expert; 0 where no token was at it
 * @n_positions: how many they are, tokens of a sequence
 * @experts: (nullable): the same for each matrix of a stacked layer, of which all else here is the
 *   sum: a token counts once for every expert that it goes to; %NULL where there is but one matrix,
 *   or they are not told apart
 *
 * What a calibration text sent through one linear layer.
 */
typedef struct
{
  gsize                  columns;
  double                 n_tokens;
  float                 *sum_squares;
  float                 *maximum;
  float                 *gram;
  float                 *sketch;
  gsize                  n_sketch;
  TareActivationProfile *profile;
  float                 *positions;
  gsize                  n_positions;
  TareExpertActivations *experts;
} TareLayerActivations;

/**
 * TareBlockActivity:
 * @cosine: between what enters and what leaves the block, of the residual stream, the mean over
 *   tokens; NaN where it is unknown
 * @gain: root of the stream's energy after the block over that before it; NaN likewise
 * @spread: the share of its positions that a sequence's attention uses: exp of the entropy of what
 *   they receive, over their number, the mean over sequences; NaN where there is no attention
 * @sink: the share of all attention that the position receives that receives most, likewise
 *
 * What a block does to the tokens of a calibration text.
 */
typedef struct
{
  double cosine;
  double gain;
  double spread;
  double sink;
} TareBlockActivity;

/**
 * TareCalibration:
 *
 * The activations of every linear layer for one text. Layers that share an input share one record.
 * Built by a calibrator or read from a file, then immutable. Reference counted.
 */
typedef struct _TareCalibration TareCalibration;

TareCalibration            *tare_calibration_new            (const char            *dataset,
                                                             guint                  context);
TareCalibration            *tare_calibration_ref            (TareCalibration       *self);
void                        tare_calibration_unref          (TareCalibration       *self);
TareLayerActivations       *tare_calibration_add            (TareCalibration       *self,
                                                             const char            *canonical,
                                                             gsize                  columns,
                                                             gboolean               with_gram);
void                        tare_calibration_share          (TareCalibration       *self,
                                                             const char            *canonical,
                                                             const char            *same_as);
void                        tare_calibration_set_block      (TareCalibration       *self,
                                                             guint                  block,
                                                             const TareBlockActivity *activity);
gboolean                    tare_calibration_get_block      (TareCalibration       *self,
                                                             guint                  block,
                                                             TareBlockActivity     *activity);
void                        tare_calibration_truncate       (TareCalibration       *self,
                                                             gsize                  n_layers);

gsize                       tare_calibration_get_n_layers   (TareCalibration       *self);
const char                 *tare_calibration_get_name       (TareCalibration       *self,
                                                             gsize                  index);
const TareLayerActivations *tare_calibration_lookup         (TareCalibration       *self,
                                                             const char            *canonical);
float                      *tare_calibration_dup_importance (TareCalibration       *self,
                                                             const char            *canonical,
                                                             gsize                  columns);
double                      tare_calibration_get_n_tokens   (TareCalibration       *self);
const char                 *tare_calibration_get_dataset    (TareCalibration       *self);
guint                       tare_calibration_get_context    (TareCalibration       *self);
guint64                     tare_calibration_get_fingerprint (TareCalibration      *self);

TareCalibration            *tare_calibration_load           (const char            *path,
                                                             GError               **error);
gboolean                    tare_calibration_save           (TareCalibration       *self,
                                                             const char            *path,
                                                             GError               **error);

gboolean                    tare_layer_activations_set_positions
                                                            (TareLayerActivations  *self,
                                                             gsize                  n);
gboolean                    tare_layer_activations_sketch   (TareLayerActivations  *self,
                                                             gsize                  n);
gboolean                    tare_layer_activations_split    (TareLayerActivations  *self,
                                                             gsize                  n);
void                        tare_layer_activations_total    (TareLayerActivations  *self);
TareLayerActivations        tare_layer_activations_get_expert
                                                            (const TareLayerActivations *self,
                                                             gsize                  expert);
float                      *tare_layer_activations_dup_importance
                                                            (const TareLayerActivations *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareCalibration, tare_calibration_unref)

G_END_DECLS
