/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-engine.h"

G_BEGIN_DECLS

typedef struct _TareMeasure TareMeasure;

/**
 * TareMeasure:
 * @id: what the command line calls it, "proxy_loss"
 * @label: what a person reads
 * @description: its definition in one translatable sentence
 * @unit: of its values, "" for none
 * @source: the paper or document that defines it
 * @needs_gram: whether a calibration with full input Hessians is needed
 * @compute: its value for one tensor in one format; NaN where it is not defined
 *
 * One row of the measure table: what rounding a layer costs. More is worse for every measure.
 */
struct _TareMeasure
{
  const char *id;
  const char *label;
  const char *description;
  const char *unit;
  const char *source;
  gboolean    needs_gram;
  gboolean  (*compute) (const TareMeasure     *self,
                        TareEngine            *engine,
                        const TareTensor      *tensor,
                        const TareAssignment  *assignment,
                        TareCalibration       *calibration,
                        const TareProgress    *progress,
                        double                *value,
                        GError               **error);
};

gsize              tare_measure_get_n_measures (void);
const TareMeasure *tare_measure_get            (gsize       index);
const TareMeasure *tare_measure_lookup         (const char *id);

G_END_DECLS
