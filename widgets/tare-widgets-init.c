/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-widgets-init.h"

#include "widgets/tare-bar-plot.h"
#include "widgets/tare-bits-bar.h"
#include "widgets/tare-chart.h"
#include "widgets/tare-format-map.h"
#include "widgets/tare-histogram-plot.h"
#include "widgets/tare-marker-plot.h"
#include "widgets/tare-widgets-resources.h"

/**
 * tare_widgets_init:
 *
 * Makes the types known to templates and loads the style of the widgets. To be called once a
 * display is open, after adw_init() or in the startup of the application; calling it again does
 * nothing.
 */
void
tare_widgets_init (void)
{
  static gboolean done = FALSE;
  g_autoptr(GtkCssProvider) provider = NULL;

  if (done)
    return;

  done = TRUE;
  g_type_ensure (TARE_TYPE_AXIS);
  g_type_ensure (TARE_TYPE_BAR_PLOT);
  g_type_ensure (TARE_TYPE_BITS_BAR);
  g_type_ensure (TARE_TYPE_CHART);
  g_type_ensure (TARE_TYPE_FORMAT_MAP);
  g_type_ensure (TARE_TYPE_HISTOGRAM_PLOT);
  g_type_ensure (TARE_TYPE_MARKER_PLOT);

  g_resources_register (tare_widgets_get_resource ());
  provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (provider, "/io/github/tare/Tare/widgets/widgets.css");
  gtk_style_context_add_provider_for_display (gdk_display_get_default (),
                                              GTK_STYLE_PROVIDER (provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION - 1);
}
