/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-page.h"

G_BEGIN_DECLS

/**
 * TarePreviewPage:
 *
 * What the model now says: which predictions of the evaluation text changed most, what would come
 * next at one of them by the model as it is and by the recipe, and how both write a prompt on.
 */
#define TARE_TYPE_PREVIEW_PAGE (tare_preview_page_get_type ())
G_DECLARE_FINAL_TYPE (TarePreviewPage, tare_preview_page, TARE, PREVIEW_PAGE, AdwBin)

guint       tare_preview_page_get_n_predictions (TarePreviewPage *self);
void        tare_preview_page_select            (TarePreviewPage *self,
                                                 guint            row);
guint       tare_preview_page_get_n_candidates  (TarePreviewPage *self);
void        tare_preview_page_write_on          (TarePreviewPage *self,
                                                 const char      *prompt);
const char *tare_preview_page_get_text          (TarePreviewPage *self,
                                                 gboolean         recipe);

G_END_DECLS
