/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-dossier.h"
#include "app/tare-layers-page.h"
#include "app/tare-map-view.h"
#include "app/tare-study.h"
#include "app/tare-window.h"

G_BEGIN_DECLS

typedef enum
{
  TARE_WINDOW_PENDING_NONE,
  TARE_WINDOW_PENDING_OPEN,
  TARE_WINDOW_PENDING_CLOSE,
} TareWindowPending;

/* What waits for the user's answer about an unsaved recipe is in @pending. */
struct _TareWindow
{
  AdwApplicationWindow  parent_instance;

  AdwToastOverlay      *toasts;
  AdwToast             *locks_toast;    /* (nullable): weak; the last about locked layers */
  GtkStack             *stack;
  AdwWindowTitle       *title;
  AdwStatusPage        *opening_page;
  AdwFlap              *flap;
  GtkWidget            *map_button;
  GtkWidget            *undo_button;
  GtkWidget            *redo_button;
  GtkWidget            *calibrate_button;
  GtkWidget            *export_button;
  GtkWidget            *drop_cue;
  AdwViewStack         *pages;
  GtkWidget            *map_view;
  GtkWidget            *layers_page;
  GtkWidget            *inspector;
  GtkWidget            *foot;
  GtkWidget            *scale_bar;
  GMenu                *recent_menu;
  GMenu                *calibrate_menu;
  GMenu                *export_menu;

  TareSession          *session;
  GSettings            *settings;
  GtkNativeDialog      *dialog;
  TareWindowPending     pending;
  char                 *pending_path;
  TareStudy            *dossier_study;
  TareDossier          *dossier;        /* (nullable): gathered, and not yet used */
  char                 *dossier_path;   /* (nullable): where it goes; otherwise to a printer */
};

char *_tare_window_find_model    (const char        *path);
void _tare_window_init_actions   (TareWindow        *self);
void _tare_window_update_actions (TareWindow        *self);
void _tare_window_init_drop      (TareWindow        *self);
void _tare_window_init_print     (TareWindow        *self);
void _tare_window_notice         (TareWindow        *self,
                                  const char        *message);
void _tare_window_fail           (TareWindow        *self,
                                  const char        *title,
                                  const char        *message);
void _tare_window_ask_to_save    (TareWindow        *self,
                                  TareWindowPending  pending,
                                  const char        *path);
void _tare_window_resume         (TareWindow        *self);
void _tare_window_save_recipe    (TareWindow        *self,
                                  gboolean           choose);
void _tare_window_export         (TareWindow        *self,
                                  const TareTarget  *target);
void _tare_window_make_dossier   (TareWindow        *self,
                                  const char        *path);
void _tare_window_open_recipe    (TareWindow        *self,
                                  const char        *path);

G_END_DECLS
