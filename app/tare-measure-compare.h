/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-measurements.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

/**
 * TareMeasureShow:
 * @TARE_MEASURE_SHOW_BY_FORMAT: those that say what rounding costs
 * @TARE_MEASURE_SHOW_BY_ITSELF: those that say what a layer is, whatever its format
 * @TARE_MEASURE_SHOW_ALL: all of them
 *
 * Which measures are compared.
 */
typedef enum
{
  TARE_MEASURE_SHOW_BY_FORMAT,
  TARE_MEASURE_SHOW_BY_ITSELF,
  TARE_MEASURE_SHOW_ALL,
} TareMeasureShow;

/**
 * TareMeasureCompare:
 *
 * Do two measures say the same of the layers: the rank correlations of all measures that are known
 * as a matrix, and below it the layers by the two measures of the cell that is chosen.
 *
 * Signals:
 * "chosen": the layers are shown by two other measures
 */
#define TARE_TYPE_MEASURE_COMPARE (tare_measure_compare_get_type ())
G_DECLARE_FINAL_TYPE (TareMeasureCompare, tare_measure_compare, TARE, MEASURE_COMPARE, AdwBin)

void               tare_measure_compare_set_measurements (TareMeasureCompare *self,
                                                          TareMeasurements   *measurements);
void               tare_measure_compare_refresh          (TareMeasureCompare *self);
void               tare_measure_compare_set_show         (TareMeasureCompare *self,
                                                          TareMeasureShow     show);
char              *tare_measure_compare_dup_caption      (TareMeasureCompare *self);
void               tare_measure_compare_choose           (TareMeasureCompare *self,
                                                          const TareMeasure  *x,
                                                          const TareMeasure  *y);
guint              tare_measure_compare_get_n_measures   (TareMeasureCompare *self);
const TareMeasure *tare_measure_compare_get_measure      (TareMeasureCompare *self,
                                                          guint               index);
double             tare_measure_compare_get_correlation  (TareMeasureCompare *self,
                                                          guint               row,
                                                          guint               column);
TareChart         *tare_measure_compare_get_matrix       (TareMeasureCompare *self);
TarePlot          *tare_measure_compare_get_heat         (TareMeasureCompare *self);
TarePlot          *tare_measure_compare_get_scatter      (TareMeasureCompare *self);

G_END_DECLS
