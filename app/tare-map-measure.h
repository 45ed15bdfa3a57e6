/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-layer.h"

G_BEGIN_DECLS

/**
 * TareMapMeasure:
 * @id: what actions and tests call it
 * @label: what a person reads
 * @unit: of the legend
 * @at_reference: whether it is of the session's reference format, not of the assigned one
 * @minimum: the first colour; NaN for the least there is
 * @maximum: the last colour; NaN for the most there is
 * @get: its value for a layer
 * @write: the letters in a cell
 *
 * What the colour of the map can show.
 */
typedef struct
{
  const char *id;
  const char *label;
  const char *unit;
  gboolean    at_reference;
  double      minimum;
  double      maximum;
  double    (*get)   (TareLayer *layer);
  char     *(*write) (double     value);
} TareMapMeasure;

gsize                 tare_map_measure_get_n_measures (void);
const TareMapMeasure *tare_map_measure_get            (gsize index);
char                 *tare_map_measure_dup_unit       (const TareMapMeasure *self,
                                                       const char           *reference);

G_END_DECLS
