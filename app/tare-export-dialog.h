/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

gboolean         tare_export_dialog_check    (TareSession       *session,
                                              const TareTarget  *target,
                                              GError           **error);
char            *tare_export_dialog_dup_name (TareSession       *session,
                                              const TareTarget  *target);
char            *tare_export_dialog_dup_path (const TareTarget  *target,
                                              const char        *path);
GtkNativeDialog *tare_export_dialog_new      (GtkWindow         *parent,
                                              TareSession       *session,
                                              const TareTarget  *target);

G_END_DECLS
