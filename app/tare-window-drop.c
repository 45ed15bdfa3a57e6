/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-window-private.h"

#include <glib/gi18n.h>

static GdkDragAction
enter_cb (TareWindow    *self,
          double         x,
          double         y,
          GtkDropTarget *target)
{
  gtk_widget_show (self->drop_cue);

  return GDK_ACTION_COPY;
}

static void
leave_cb (TareWindow    *self,
          GtkDropTarget *target)
{
  gtk_widget_hide (self->drop_cue);
}

static gboolean
drop_cb (TareWindow    *self,
         const GValue  *value,
         double         x,
         double         y,
         GtkDropTarget *target)
{
  GSList *files = g_value_get_boxed (value);
  g_autofree char *path = NULL;

  gtk_widget_hide (self->drop_cue);
  if (files == NULL)
    return FALSE;

  path = g_file_get_path (files->data);
  if (path == NULL)
    {
      _tare_window_notice (self, _("Only files on this machine can be opened"));
      return FALSE;
    }
  if (files->next != NULL)
    _tare_window_notice (self, _("One at a time: the first was opened"));
  tare_window_open (self, path);

  return TRUE;
}

void
_tare_window_init_drop (TareWindow *self)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  g_signal_connect_object (target, "enter", G_CALLBACK (enter_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (target, "leave", G_CALLBACK (leave_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (target, "drop", G_CALLBACK (drop_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (target));
}
