/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareInspectorFacts:
 *
 * What is known of the selected layers: what they share, their sums, and the ranges they span.
 */
#define TARE_TYPE_INSPECTOR_FACTS (tare_inspector_facts_get_type ())
G_DECLARE_FINAL_TYPE (TareInspectorFacts, tare_inspector_facts, TARE, INSPECTOR_FACTS, AdwBin)

void        tare_inspector_facts_set_session (TareInspectorFacts *self,
                                              TareSession        *session);
const char *tare_inspector_facts_get_text    (TareInspectorFacts *self,
                                              const char         *fact);

G_END_DECLS
