/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/**
 * TareGreeter:
 *
 * What the window shows while no model is open: how to open one.
 */
#define TARE_TYPE_GREETER (tare_greeter_get_type ())
G_DECLARE_FINAL_TYPE (TareGreeter, tare_greeter, TARE, GREETER, AdwBin)

void    tare_greeter_add_recent  (const char *path,
                                  const char *name,
                                  const char *container);
GList  *tare_greeter_dup_recents (guint       most);

G_END_DECLS
