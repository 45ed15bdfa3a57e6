/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-calibration.h"
#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareCalibratorOptions:
 * @context: tokens of one sequence; 0 for the smaller of 512 and the model's own
 * @maximum_tokens: how much of the text to use at most; 0 for all of it
 * @maximum_gram_columns: wider inputs keep only the diagonal; 0 for the default
 * @dataset: name of the text, kept with the result
 */
typedef struct
{
  guint       context;
  gsize       maximum_tokens;
  gsize       maximum_gram_columns;
  const char *dataset;
} TareCalibratorOptions;

TareCalibration *tare_calibrator_run (TareModel                    *model,
                                      const char                   *text,
                                      gsize                         length,
                                      const TareCalibratorOptions  *options,
                                      const TareProgress           *progress,
                                      GError                      **error);

G_END_DECLS
