/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "app/tare-session.h"
#include "widgets/tare-format-map.h"

G_BEGIN_DECLS

/**
 * TareWindow:
 *
 * One model with everything that is seen of it. Its actions:
 * win.open, win.open-folder, win.open-path (s), win.close;
 * win.undo, win.redo, win.open-recipe, win.save-recipe, win.save-recipe-as;
 * win.calibrate, win.calibrate-with, win.evaluate-with, win.measure, win.export, win.export-to (s);
 * win.compare-model, win.compare-folder, win.compare-recipe;
 * win.brush and win.show-map (states), win.show-page (s), win.find, win.select-all.
 */
#define TARE_TYPE_WINDOW (tare_window_get_type ())
G_DECLARE_FINAL_TYPE (TareWindow, tare_window, TARE, WINDOW, AdwApplicationWindow)

TareWindow    *tare_window_new         (GtkApplication *application);
TareSession   *tare_window_get_session (TareWindow     *self);
TareFormatMap *tare_window_get_map     (TareWindow     *self);
GtkWidget     *tare_window_get_page    (TareWindow     *self,
                                        const char     *name);
void           tare_window_show_page   (TareWindow     *self,
                                        const char     *name);
void           tare_window_open        (TareWindow     *self,
                                        const char     *path);

G_END_DECLS
