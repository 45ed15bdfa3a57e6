/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure.h"
#include "analysis/sensitivity/tare-sweep.h"
#include "analysis/statistics/tare-pyramid.h"
#include "analysis/statistics/tare-ranges.h"
#include "analysis/statistics/tare-spectrum.h"
#include "app/tare-measurements.h"
#include "app/tare-study.h"

G_BEGIN_DECLS

/**
 * TareDossierFindings:
 * @layer: whose they are
 * @pyramid: its weights, to draw them as a picture
 * @ranges: of its outputs
 * @spectrum: (nullable): of its input Hessian, if the calibration has it
 * @points: of #TareSweepPoint: what the formats that runtimes read make of it
 * @weighted: whether a calibration says how much each input weighs in that
 * @values: of every row of the measure table; NaN where it is not defined
 * @known: (array): of every row, whether it was measured
 * @at_reference: (array): of every row, whether its value is of @reference and not of the format
 *   that the layer is assigned
 * @reference: the format that layers are compared in
 *
 * What is found out about one layer for its dossier.
 */
typedef struct
{
  TareLayer        *layer;
  TarePyramid      *pyramid;
  TareRanges       *ranges;
  TareSpectrum     *spectrum;
  GArray           *points;
  gboolean          weighted;
  TareMeasureValue *values;
  gboolean         *known;
  gboolean         *at_reference;
  const TareFormat *reference;
} TareDossierFindings;

gpointer tare_dossier_request_new   (TareLayer        *layer,
                                     TareMeasurements *measurements);
void     tare_dossier_request_free  (gpointer          data);
void     tare_dossier_findings_free (gpointer          data);
gboolean tare_dossier_study         (TareStudyTask    *task,
                                     GError          **error);

G_END_DECLS
