/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-measure.h"
#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareMeasurements:
 *
 * What the measures of the table say of every layer that can be assigned a format, as far as it is
 * known: the rows are those layers, in the order of the model. Measures that look at a format are
 * of the session's reference format. They are computed in the background, when they are asked for,
 * and forgotten when the model, the calibration or the format is another.
 *
 * Signals:
 * "changed": more is known, or less, or the work began or ended
 *
 * For the main thread only.
 */
#define TARE_TYPE_MEASUREMENTS (tare_measurements_get_type ())
G_DECLARE_FINAL_TYPE (TareMeasurements, tare_measurements, TARE, MEASUREMENTS, GObject)

TareMeasurements *tare_measurements_new          (TareSession         *session);
TareSession      *tare_measurements_get_session  (TareMeasurements    *self);
guint             tare_measurements_get_n_rows   (TareMeasurements    *self);
const guint      *tare_measurements_get_layers   (TareMeasurements    *self);
char            **tare_measurements_dup_names    (TareMeasurements    *self);
void              tare_measurements_ask          (TareMeasurements    *self,
                                                  const TareMeasure   *first,
                                                  guint                costs);
void              tare_measurements_stop         (TareMeasurements    *self);
gboolean          tare_measurements_is_running   (TareMeasurements    *self,
                                                  guint                costs);
const char       *tare_measurements_get_problem  (TareMeasurements    *self);
const double     *tare_measurements_get_values   (TareMeasurements    *self,
                                                  gsize                measure);
const double     *tare_measurements_get_errors   (TareMeasurements    *self,
                                                  gsize                measure);
guint             tare_measurements_get_revision (TareMeasurements    *self,
                                                  gsize                measure);
guint             tare_measurements_count_known  (TareMeasurements    *self,
                                                  gsize                measure);
void              tare_measurements_select       (TareMeasurements    *self,
                                                  guint                layer,
                                                  gboolean             toggle);

G_END_DECLS
