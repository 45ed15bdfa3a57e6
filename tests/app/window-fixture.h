/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-application.h"
#include "app/tare-window.h"

G_BEGIN_DECLS

/**
 * WindowFixture:
 * @application: the registered program
 * @window: its window, presented, without a model
 * @session: what the window works on
 *
 * A program as a user starts it.
 */
typedef struct
{
  TareApplication *application;
  TareWindow      *window;
  TareSession     *session;
} WindowFixture;

typedef gboolean (*WindowCondition) (WindowFixture *fixture);

gboolean  window_fixture_begin       (int              *argc,
                                      char           ***argv);
void      window_fixture_set_up      (WindowFixture    *fixture,
                                      gconstpointer     data);
void      window_fixture_tear_down   (WindowFixture    *fixture,
                                      gconstpointer     data);
void      window_fixture_settle      (WindowFixture    *fixture,
                                      guint             milliseconds);
void      window_fixture_wait        (WindowFixture    *fixture,
                                      WindowCondition   condition,
                                      double            seconds);
void      window_fixture_resize      (WindowFixture    *fixture,
                                      int               width,
                                      int               height);
void      window_fixture_open_sample (WindowFixture    *fixture);
void      window_fixture_use_excerpts (WindowFixture  *fixture,
                                       gsize           length);
GtkWindow *window_fixture_get_dialog (WindowFixture    *fixture);
GtkWidget *window_fixture_find       (GtkWidget        *root,
                                      GType             type,
                                      const char       *text);
guint     window_fixture_find_layer  (WindowFixture    *fixture,
                                      const char       *canonical);
void      window_fixture_select_layer (WindowFixture   *fixture,
                                       const char      *canonical);
GtkWidget *window_fixture_show_page  (WindowFixture    *fixture,
                                      const char       *name);
void      window_fixture_shoot       (WindowFixture    *fixture,
                                      GtkWidget        *window,
                                      const char       *name,
                                      gboolean          dark);

G_END_DECLS
