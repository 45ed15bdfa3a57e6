/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"
#include "app/tare-study.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

#define TARE_TYPE_LAYER_PAGE (tare_layer_page_get_type ())
G_DECLARE_DERIVABLE_TYPE (TareLayerPage, tare_layer_page, TARE, LAYER_PAGE, AdwBin)

/**
 * TareLayerPageClass:
 * @show: shows a layer, %NULL when there is none any more; only called while the page is looked at,
 *   when another layer is selected or tare_layer_page_refresh() was called
 * @session_set: (nullable): the session is there, for further signals
 *
 * What pages about one selected layer have in common: a head with its name and some controls, the
 * charts below each other, a caption, and what stands there instead while there is nothing to show.
 */
struct _TareLayerPageClass
{
  AdwBinClass parent_class;

  void (*show)        (TareLayerPage *self,
                       TareLayer     *layer);
  void (*session_set) (TareLayerPage *self,
                       TareSession   *session);
};

TareSession *tare_layer_page_get_session (TareLayerPage *self);
TareLayer   *tare_layer_page_get_layer   (TareLayerPage *self);
TareChart   *tare_layer_page_add_chart   (TareLayerPage *self,
                                          const char    *name);
void         tare_layer_page_add_control (TareLayerPage *self,
                                          GtkWidget     *control);
GtkDropDown *tare_layer_page_add_choice  (TareLayerPage *self,
                                          const char    *name,
                                          const char    *const *choices,
                                          GCallback      changed);
void         tare_layer_page_set_empty   (TareLayerPage *self,
                                          const char    *icon,
                                          const char    *title,
                                          const char    *description,
                                          const char    *label,
                                          const char    *action);
void         tare_layer_page_set_caption (TareLayerPage *self,
                                          const char    *caption);
void         tare_layer_page_set_busy    (TareLayerPage *self,
                                          gboolean       busy);
void         tare_layer_page_show_charts (TareLayerPage *self);
void         tare_layer_page_show_empty  (TareLayerPage *self);
const char  *tare_layer_page_get_state   (TareLayerPage *self);
void         tare_layer_page_refresh     (TareLayerPage *self);

G_END_DECLS
