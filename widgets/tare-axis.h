/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib-object.h>

#include "widgets/tare-ticks.h"

G_BEGIN_DECLS

/**
 * TareAxisScale:
 * @TARE_AXIS_SCALE_LINEAR: equal differences take equal lengths
 * @TARE_AXIS_SCALE_LOG: equal ratios do; positive values only
 * @TARE_AXIS_SCALE_SYMLOG: linear near zero, logarithmic on both sides of it: asinh (v / 2t)
 */
typedef enum
{
  TARE_AXIS_SCALE_LINEAR,
  TARE_AXIS_SCALE_LOG,
  TARE_AXIS_SCALE_SYMLOG,
} TareAxisScale;

#define TARE_TYPE_AXIS_SCALE (tare_axis_scale_get_type ())
GType tare_axis_scale_get_type (void);

#define TARE_TYPE_AXIS (tare_axis_get_type ())
G_DECLARE_FINAL_TYPE (TareAxis, tare_axis, TARE, AXIS, GObject)

TareAxis          *tare_axis_new            (const char         *title);
const char        *tare_axis_get_title      (TareAxis           *self);
void               tare_axis_set_title      (TareAxis           *self,
                                             const char         *title);
TareAxisScale      tare_axis_get_scale      (TareAxis           *self);
void               tare_axis_set_scale      (TareAxis           *self,
                                             TareAxisScale       scale);
void               tare_axis_set_threshold  (TareAxis           *self,
                                             double              threshold);
void               tare_axis_set_reversed   (TareAxis           *self,
                                             gboolean            reversed);
void               tare_axis_set_counting   (TareAxis           *self,
                                             gboolean            counting);
gboolean           tare_axis_get_counting   (TareAxis           *self);
const char *const *tare_axis_get_categories (TareAxis           *self);
void               tare_axis_set_categories (TareAxis           *self,
                                             const char *const  *categories);
void               tare_axis_get_bounds     (TareAxis           *self,
                                             double             *minimum,
                                             double             *maximum);
void               tare_axis_set_bounds     (TareAxis           *self,
                                             double              minimum,
                                             double              maximum);
void               tare_axis_get_range      (TareAxis           *self,
                                             double             *minimum,
                                             double             *maximum);
void               tare_axis_set_range      (TareAxis           *self,
                                             double              minimum,
                                             double              maximum);
gboolean           tare_axis_is_fitted      (TareAxis           *self);
void               tare_axis_fit            (TareAxis           *self);
void               tare_axis_zoom           (TareAxis           *self,
                                             double              factor,
                                             double              anchor);
void               tare_axis_pan            (TareAxis           *self,
                                             double              distance);
double             tare_axis_normalize      (TareAxis           *self,
                                             double              value);
double             tare_axis_denormalize    (TareAxis           *self,
                                             double              position);
guint              tare_axis_make_ticks     (TareAxis           *self,
                                             guint               most,
                                             TareTick           *ticks);

G_END_DECLS
