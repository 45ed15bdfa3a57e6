/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define TARE_TYPE_BITS_BAR (tare_bits_bar_get_type ())
G_DECLARE_FINAL_TYPE (TareBitsBar, tare_bits_bar, TARE, BITS_BAR, GtkWidget)

GtkWidget *tare_bits_bar_new       (void);
double     tare_bits_bar_get_value (TareBitsBar *self);
void       tare_bits_bar_set_value (TareBitsBar *self,
                                    double       value);

G_END_DECLS
