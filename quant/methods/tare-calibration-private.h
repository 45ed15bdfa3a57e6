/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/methods/tare-calibration.h"
#include "quant/model/tare-file.h"

G_BEGIN_DECLS

/* One record; a gram that a file holds as it is needed stays there, mapped. */
typedef struct
{
  TareLayerActivations  activations;
  TareFile             *gram_file;
} TareCalibrationRecord;

/* A name and its record, which it owns or shares with the one of @same_as. */
typedef struct
{
  char                  *name;
  const char            *same_as;
  TareCalibrationRecord *record;
} TareCalibrationLayer;

struct _TareCalibration
{
  gint        ref_count;
  char       *dataset;
  guint       context;
  GPtrArray  *layers;
  GHashTable *by_name;
  GArray     *blocks;
  gsize       fingerprint;
};

TareCalibrationLayer *_tare_calibration_get_layer   (TareCalibration  *self,
                                                     const char       *canonical);
void                  _tare_calibration_join_inputs (TareCalibration  *self);
double                _tare_calibration_count_tokens (const TareLayerActivations *activations);
TareCalibration      *_tare_calibration_load_dat    (TareFile         *file,
                                                     GError          **error);
gboolean              _tare_calibration_save_dat    (TareCalibration  *self,
                                                     const char       *path,
                                                     GError          **error);

G_END_DECLS
