/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TarePattern:
 *
 * A regular expression as tokenizers write them, compiled; immutable and safe in any thread.
 * Classes, categories and scripts of Unicode, groups, alternatives (the first that matches is
 * taken), greedy, lazy and possessive repetition, looking ahead, and letter case ignored in a
 * group. It takes any bytes: one that is part of no character is a character in no category.
 */
typedef struct _TarePattern TarePattern;

TarePattern *tare_pattern_new   (const char         *regex,
                                 GError            **error);
TarePattern *tare_pattern_ref   (TarePattern        *self);
void         tare_pattern_unref (TarePattern        *self);
gboolean     tare_pattern_equal (const TarePattern  *a,
                                 const TarePattern  *b);
guint64      tare_pattern_steps (gsize               length);
gboolean     tare_pattern_find  (const TarePattern  *self,
                                 const char         *text,
                                 gsize               length,
                                 gsize               from,
                                 guint64            *steps,
                                 gsize              *start,
                                 gsize              *end);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TarePattern, tare_pattern_unref)

G_END_DECLS
