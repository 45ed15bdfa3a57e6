/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/**
 * TareApplication:
 *
 * The program: its command line, its windows, and what does not belong to one of them.
 */
#define TARE_TYPE_APPLICATION (tare_application_get_type ())
G_DECLARE_FINAL_TYPE (TareApplication, tare_application, TARE, APPLICATION, AdwApplication)

TareApplication *tare_application_new             (void);
char            *tare_application_dup_sample_path (void);

G_END_DECLS
