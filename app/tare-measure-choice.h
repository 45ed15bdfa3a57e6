/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "analysis/sensitivity/tare-measure.h"

G_BEGIN_DECLS

void               tare_measure_choice_set_up (GtkDropDown        *drop);
const TareMeasure *tare_measure_choice_get    (GtkDropDown        *drop);
void               tare_measure_choice_set    (GtkDropDown        *drop,
                                               const TareMeasure  *measure);
char              *tare_measure_choice_describe
                                              (const TareMeasure  *measure);

G_END_DECLS
