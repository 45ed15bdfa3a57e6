/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-layer.h"

G_BEGIN_DECLS

/**
 * TareMapMeasure:
 * @id: what actions and tests call it
 * @label: what a person reads
 * @unit: of the legend
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
  double      minimum;
  double      maximum;
  double    (*get)   (TareLayer *layer);
  char     *(*write) (double     value);
} TareMapMeasure;

gsize                 tare_map_measure_get_n_measures (void);
const TareMapMeasure *tare_map_measure_get            (gsize index);

G_END_DECLS
