/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-layer-page.h"

G_BEGIN_DECLS

/**
 * TareHessianPage:
 *
 * Which directions matter: the spectrum of the Hessian of the selected layer's input, and, probe
 * by probe, the trace of the loss's Hessian over every layer; or the loss around the layer's
 * weights, with the density of its Hessian's eigenvalues.
 */
#define TARE_TYPE_HESSIAN_PAGE (tare_hessian_page_get_type ())
G_DECLARE_FINAL_TYPE (TareHessianPage, tare_hessian_page, TARE, HESSIAN_PAGE, TareLayerPage)

void   tare_hessian_page_set_probing   (TareHessianPage *self,
                                        gboolean         probing);
gsize  tare_hessian_page_get_n_probes  (TareHessianPage *self);
gsize  tare_hessian_page_get_n_values  (TareHessianPage *self);
void   tare_hessian_page_set_surveying (TareHessianPage *self,
                                        gboolean         surveying);
gsize  tare_hessian_page_get_n_losses  (TareHessianPage *self);

G_END_DECLS
