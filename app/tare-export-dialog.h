/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

char            *tare_export_dialog_dup_changes (const TarePlan    *plan);
char            *tare_export_dialog_dup_name    (TareSession       *session,
                                                 const TareTarget  *target);
char            *tare_export_dialog_dup_path    (const TareTarget  *target,
                                                 const char        *path);
GtkNativeDialog *tare_export_dialog_new         (GtkWindow         *parent,
                                                 TareSession       *session,
                                                 const TareTarget  *target);
GtkWidget       *tare_export_dialog_new_changes (GtkWindow         *parent,
                                                 const TareTarget  *target,
                                                 const TarePlan    *plan);

G_END_DECLS
