/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib-object.h>

#include "analysis/statistics/tare-statistics.h"
#include "quant/recipe/tare-recipe.h"

G_BEGIN_DECLS

/**
 * TareLayer:
 *
 * One row of the layer table: a tensor with what is known of it so far and what the recipe says.
 *
 * Properties, all read-only and notified: name, role, block (int, -1 for none), shape, kind (the
 * stored type), size (bytes under the recipe), bits (per weight under the recipe), outliers
 * (outlier ratio), error (relative error under the recipe), loss (proxy loss under the recipe),
 * sensitivity (proxy loss in the session's reference format), format (label of the effective
 * format). Unknown numbers are NaN.
 */
#define TARE_TYPE_LAYER (tare_layer_get_type ())
G_DECLARE_FINAL_TYPE (TareLayer, tare_layer, TARE, LAYER, GObject)

TareLayer        *tare_layer_new             (TareModel         *model,
                                              guint              index,
                                              TareRecipe        *recipe);
guint             tare_layer_get_index       (TareLayer         *self);
const TareTensor *tare_layer_get_tensor      (TareLayer         *self);
gboolean          tare_layer_is_assignable   (TareLayer         *self);
TareStatistics   *tare_layer_get_statistics  (TareLayer         *self);
void              tare_layer_set_statistics  (TareLayer         *self,
                                              TareStatistics    *statistics);
void              tare_layer_set_recipe      (TareLayer         *self,
                                              TareRecipe        *recipe);
TareAssignment    tare_layer_get_assignment  (TareLayer         *self);
const TareFormat *tare_layer_get_format      (TareLayer         *self);
double            tare_layer_get_bits        (TareLayer         *self);
guint64           tare_layer_get_size        (TareLayer         *self);
double            tare_layer_get_outliers    (TareLayer         *self);
double            tare_layer_get_error       (TareLayer         *self);
void              tare_layer_set_error       (TareLayer         *self,
                                              double             error);
double            tare_layer_get_loss        (TareLayer         *self);
void              tare_layer_set_loss        (TareLayer         *self,
                                              double             loss);
double            tare_layer_get_sensitivity (TareLayer         *self);
void              tare_layer_set_sensitivity (TareLayer         *self,
                                              double             sensitivity);
gboolean          tare_layer_is_measured     (TareLayer         *self);

G_END_DECLS
