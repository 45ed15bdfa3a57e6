/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-calibration.h"
#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareCalibratorOptions:
 * @context: tokens of one sequence; 0 for the smaller of 512 and the model's own
 * @maximum_tokens: how much of the text to use at most; 0 for all of it
 * @maximum_gram_columns: wider inputs keep the diagonal and a sketch; 0 for the
 *   default
 * @dataset: name of the text, kept with the result
 * @memory_budget: bytes of memory to get by with; what does not fit goes to temporary files, and
 *   the widest grams are sketched; 0 for the default, half of what is free
 */
typedef struct
{
  guint       context;
  gsize       maximum_tokens;
  gsize       maximum_gram_columns;
  const char *dataset;
  guint64     memory_budget;
} TareCalibratorOptions;

/**
 * TareCalibrator:
 *
 * Sends one text through a model and adds up what enters its layers. What it has finished when it
 * is cancelled it need not do again. Not for two threads at once.
 */
typedef struct _TareCalibrator TareCalibrator;

TareCalibrator  *tare_calibrator_new   (TareModel                    *model,
                                        const char                   *text,
                                        gsize                         length,
                                        const TareCalibratorOptions  *options,
                                        GError                      **error);
void             tare_calibrator_free  (TareCalibrator               *self);
guint            tare_calibrator_get_n_blocks_done
                                       (TareCalibrator               *self);
TareCalibration *tare_calibrator_run   (TareCalibrator               *self,
                                        const TareProgress           *progress,
                                        GError                      **error);
TareCalibration *tare_calibrate        (TareModel                    *model,
                                        const char                   *text,
                                        gsize                         length,
                                        const TareCalibratorOptions  *options,
                                        const TareProgress           *progress,
                                        GError                      **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareCalibrator, tare_calibrator_free)

G_END_DECLS
