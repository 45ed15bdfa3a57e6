/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "tests/widgets/widget-test.h"
#include "widgets/tare-chart.h"

G_BEGIN_DECLS

TareChart *chart_fixture_new      (TarePlot     *plot);
void       chart_fixture_finish   (TareChart    *chart,
                                   GtkWindow    *window);
guint32    chart_fixture_category (guint         index);
int        chart_fixture_get_x    (TareChart    *chart,
                                   double        value);
int        chart_fixture_get_y    (TareChart    *chart,
                                   double        value);
void       chart_fixture_point    (TareChart    *chart,
                                   double        x,
                                   double        y);
void       chart_fixture_scroll   (TareChart    *chart,
                                   double        dy);
guint      chart_fixture_height   (TareChart    *chart,
                                   WidgetPixels *pixels,
                                   guint32       color,
                                   double        value);

G_END_DECLS
