/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

#include "app/tare-dossier-study.h"

G_BEGIN_DECLS

/**
 * TareDossier:
 *
 * All that is known of one layer, on one page of paper: what it is, its histogram with the levels
 * of its format, its weights as a picture, the ranges of its channels, the spectrum of its input,
 * what formats would cost it, and every measure of the table.
 */
typedef struct _TareDossier TareDossier;

TareDossier       *tare_dossier_new       (TareSession                *session,
                                           const TareDossierFindings  *findings);
void               tare_dossier_free      (TareDossier                *self);
const char        *tare_dossier_get_text  (TareDossier                *self,
                                           const char                 *caption);
void               tare_dossier_draw      (TareDossier                *self,
                                           cairo_t                    *cr,
                                           double                      width,
                                           double                      height);
gboolean           tare_dossier_save      (TareDossier                *self,
                                           const char                 *path,
                                           GError                    **error);
GtkPrintOperation *tare_dossier_new_print (TareDossier                *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareDossier, tare_dossier_free)

G_END_DECLS
