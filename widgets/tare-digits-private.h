/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _TareDigits TareDigits;

TareDigits *_tare_digits_new        (PangoLayout      *layout);
void        _tare_digits_free       (TareDigits       *self);
double      _tare_digits_get_height (const TareDigits *self);
double      _tare_digits_measure    (const TareDigits *self,
                                     const char       *text);
void        _tare_digits_append     (const TareDigits *self,
                                     GtkSnapshot      *snapshot,
                                     const char       *text,
                                     const GdkRGBA    *color,
                                     double            x,
                                     double            y);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareDigits, _tare_digits_free)

G_END_DECLS
