/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-inspector-sites.h"

#include <glib/gi18n.h>

#include "app/tare-inspector-choice.h"
#include "app/tare-text.h"

struct _TareInspectorSites
{
  AdwBin       parent_instance;

  GtkLabel    *name_label;
  GtkLabel    *role_label;
  GtkLabel    *note_label;
  GtkDropDown *format_drop;
  GtkDropDown *scale_drop;
  GtkWidget   *scale_row;
  GtkWidget   *window_row;
  GtkSpinButton *window_spin;

  TareSession *session;
  gboolean     updating;
  gboolean     applying;
  guint        refresh;
};

G_DEFINE_FINAL_TYPE (TareInspectorSites, tare_inspector_sites, ADW_TYPE_BIN)

/* --- the selection --- */

static const TareActivationSite *
get_site (TareInspectorSites *self,
          guint               position)
{
  guint n;
  const guint *selection = tare_session_get_site_selection (self->session, &n);

  return tare_session_get_site (self->session, selection[position]);
}

static TareAssignment
get_assignment (TareInspectorSites *self,
                guint               position)
{
  guint n;
  const guint *selection = tare_session_get_site_selection (self->session, &n);

  return tare_session_get_site_assignment (self->session, selection[position]);
}

static guint
get_n_selected (TareInspectorSites *self)
{
  guint n;

  tare_session_get_site_selection (self->session, &n);

  return n;
}

/* Whether all of them can be rounded to @format itself. */
static gboolean
accept (TareInspectorSites *self,
        const TareFormat   *format)
{
  for (guint i = 0; i < get_n_selected (self); i++)
    if (!tare_activation_site_accepts (get_site (self, i), format))
      return FALSE;

  return TRUE;
}

/* Only the inputs of layers have ranges that a calibration has seen, and no group has one. */
static gboolean
can_be_static (TareInspectorSites *self,
               const TareFormat   *format)
{
  if (tare_session_get_calibration (self->session) == NULL || format == NULL || format->group > 0)
    return FALSE;

  for (guint i = 0; i < get_n_selected (self); i++)
    if (get_site (self, i)->kind != TARE_SITE_KIND_INPUT || get_site (self, i)->block < 0)
      return FALSE;

  return TRUE;
}

/* Whether all of them are keys or values, of which a cache may keep some as they are. */
static gboolean
are_cached (TareInspectorSites *self)
{
  for (guint i = 0; i < get_n_selected (self); i++)
    if (!tare_activation_site_is_cached (get_site (self, i)))
      return FALSE;

  return TRUE;
}

/* Which fields of the assignments differ. */
typedef struct
{
  gboolean format;
  gboolean scale;
} Mixed;

static Mixed
find_mixed (TareInspectorSites *self)
{
  TareAssignment first = get_assignment (self, 0);
  Mixed mixed = { FALSE, FALSE };

  for (guint i = 1; i < get_n_selected (self); i++)
    {
      TareAssignment other = get_assignment (self, i);

      mixed.format |= other.format != first.format;
      mixed.scale |= other.scale != first.scale;
    }

  return mixed;
}

/* --- what is shown --- */

static const char *
describe_kind (const TareActivationSite *site)
{
  if (site->kind == TARE_SITE_KIND_INPUT)
    return _("What enters this layer, and those that share its input");
  if (site->kind == TARE_SITE_KIND_QUERY)
    return _("Queries, as attention sees them");

  return _("What attention sees of earlier tokens and the KV cache keeps");
}

/* Bytes of one token, of all of them together. */
static guint64
count_bytes (TareInspectorSites *self)
{
  guint64 bytes = 0;

  for (guint i = 0; i < get_n_selected (self); i++)
    bytes += tare_activation_site_get_bytes (get_site (self, i), get_assignment (self, i).format);

  return bytes;
}

static void
update_heading (TareInspectorSites *self)
{
  guint n = get_n_selected (self);
  g_autofree char *bytes = tare_text_bytes (count_bytes (self));
  g_autofree char *title = NULL;
  g_autofree char *role = NULL;

  if (n == 1)
    {
      title = g_strdup (get_site (self, 0)->name);
      /* translators: what it is, then a size such as 1.02 kB */
      role = g_strdup_printf (_("%s. %s a token"), describe_kind (get_site (self, 0)), bytes);
    }
  else
    {
      title = g_strdup_printf (ngettext ("%u activation", "%u activations", n), n);
      role = g_strdup_printf (_("%s a token"), bytes);
    }
  gtk_label_set_label (self->name_label, title);
  gtk_label_set_label (self->role_label, role);
}

static guint
append (GListStore    *store,
        const char    *label,
        const char    *detail,
        const char    *heading,
        gconstpointer  row)
{
  g_autoptr(TareInspectorChoice) choice = tare_inspector_choice_new (label, detail, NULL, heading,
                                                                     row);

  g_list_store_append (store, choice);

  return g_list_model_get_n_items (G_LIST_MODEL (store)) - 1;
}

static char *
describe_bits (const TareActivationSite *site,
               const TareFormat         *format)
{
  double bits = 8.0 * (double) tare_activation_site_get_bytes (site, format)
                / (double) (site->rows * site->columns);

  g_autofree char *text = tare_text_bits (bits);

  /* translators: bits per number, short */
  return g_strdup_printf (_("%s b"), text);
}

static void
fill_formats (TareInspectorSites *self,
              const TareFormat   *present,
              gboolean            mixed)
{
  g_autoptr(GListStore) store = g_list_store_new (TARE_TYPE_INSPECTOR_CHOICE);
  const TareFormat *last = NULL;
  guint selected = 0;

  if (mixed)
    append (store, _("mixed"), NULL, NULL, NULL);
  append (store, _("As computed"), NULL, NULL, NULL);
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gboolean first = last == NULL || last->family != format->family;
      g_autofree char *bits = NULL;
      guint place;

      if (!accept (self, format) && (format != present || mixed))
        continue;
      bits = describe_bits (get_site (self, 0), format);
      place = append (store, format->label, bits,
                      first ? _(tare_format_family_get_label (format->family)) : NULL, format);
      if (format == present && !mixed)
        selected = place;
      last = format;
    }

  gtk_drop_down_set_model (self->format_drop, G_LIST_MODEL (store));
  gtk_drop_down_set_selected (self->format_drop, selected);
}

static void
fill_scales (TareInspectorSites *self,
             TareAssignment      present,
             gboolean            mixed)
{
  g_autoptr(GListStore) store = g_list_store_new (TARE_TYPE_INSPECTOR_CHOICE);
  gboolean both = can_be_static (self, present.format);
  guint selected = 0;

  if (mixed)
    append (store, _("mixed"), NULL, NULL, NULL);
  for (gsize i = 0; i < tare_activation_scale_get_n_scales (); i++)
    {
      const TareActivationScaleInfo *info = tare_activation_scale_get (i);
      gboolean here = info->scale == present.scale && !mixed;
      guint place;

      if (!both && !here && info->scale != TARE_ACTIVATION_SCALE_TOKEN)
        continue;
      place = append (store, _(info->label), NULL, NULL, info);
      if (here)
        selected = place;
    }

  gtk_drop_down_set_model (self->scale_drop, G_LIST_MODEL (store));
  gtk_drop_down_set_selected (self->scale_drop, selected);
  gtk_widget_set_sensitive (self->scale_row, present.format != NULL || mixed);
}

static void
update_note (TareInspectorSites *self,
             TareAssignment      first,
             Mixed               mixed)
{
  const TareFormat *fit = first.format != NULL
                            ? tare_format_fit (first.format, get_site (self, 0)->columns)
                            : NULL;
  g_autofree char *text = NULL;

  if (mixed.format)
    text = g_strdup (_("The selection differs in format; choosing one sets all of it"));
  else if (first.format == NULL)
    text = g_strdup (_("Not rounded: the layers that follow see what was computed"));
  else if (fit != NULL && fit != first.format)
    text = g_strdup_printf (_("Blocks of %u don't divide rows of %u: becomes %s"),
                            first.format->block, (guint) get_site (self, 0)->columns, fit->label);
  else
    text = g_strdup (_(first.format->description));
  gtk_label_set_label (self->note_label, text);
}

static gboolean
refresh_cb (gpointer data)
{
  TareInspectorSites *self = data;

  self->refresh = 0;
  tare_inspector_sites_update (self);

  return G_SOURCE_REMOVE;
}

/* A picker that has just been used must not lose its list while it tells of that. */
static void
queue_update (TareInspectorSites *self)
{
  if (self->refresh == 0)
    self->refresh = g_idle_add (refresh_cb, self);
}

/**
 * tare_inspector_sites_update:
 * @self: the inspector
 *
 * Shows what is selected now.
 *
 * Returns: whether any activations are
 */
gboolean
tare_inspector_sites_update (TareInspectorSites *self)
{
  TareAssignment first;
  Mixed mixed;

  g_return_val_if_fail (TARE_IS_INSPECTOR_SITES (self), FALSE);

  if (get_n_selected (self) == 0)
    return FALSE;
  if (self->applying)
    {
      queue_update (self);
      return TRUE;
    }

  g_clear_handle_id (&self->refresh, g_source_remove);
  first = get_assignment (self, 0);
  mixed = find_mixed (self);
  self->updating = TRUE;
  update_heading (self);
  fill_formats (self, first.format, mixed.format);
  fill_scales (self, first, mixed.scale);
  gtk_widget_set_visible (self->window_row, are_cached (self));
  gtk_widget_set_sensitive (self->window_row, first.format != NULL || mixed.format);
  gtk_spin_button_set_value (self->window_spin, first.window);
  self->updating = FALSE;
  update_note (self, first, mixed);

  return TRUE;
}

/* --- what the user chooses --- */

static TareInspectorChoice *
get_choice (TareInspectorSites *self,
            GtkDropDown        *drop_down)
{
  TareInspectorChoice *choice = self->updating || self->session == NULL
                                  ? NULL
                                  : gtk_drop_down_get_selected_item (drop_down);

  if (choice == NULL || g_str_equal (tare_inspector_choice_get_label (choice), _("mixed")))
    return NULL;

  return choice;
}

static void
assign (TareInspectorSites   *self,
        const TareAssignment *assignment,
        const char           *label)
{
  guint n;
  const guint *selection = tare_session_get_site_selection (self->session, &n);
  g_autofree guint *indices = g_memdup2 (selection, n * sizeof (guint));

  tare_session_set_site_brush (self->session, assignment);
  self->applying = TRUE;
  tare_session_assign_sites (self->session, indices, n, assignment, label);
  self->applying = FALSE;
}

/* One format for all; what else they had goes where they differed or the format cannot have it. */
static void
format_changed_cb (TareInspectorSites *self)
{
  TareInspectorChoice *choice = get_choice (self, self->format_drop);
  TareAssignment assignment;

  if (choice == NULL || get_n_selected (self) == 0)
    return;

  assignment = get_assignment (self, 0);
  assignment.format = tare_inspector_choice_get_row (choice);
  if (find_mixed (self).scale || !can_be_static (self, assignment.format))
    assignment.scale = TARE_ACTIVATION_SCALE_TOKEN;
  if (!are_cached (self))
    assignment.window = 0;
  assign (self, &assignment, NULL);
}

static void
scale_changed_cb (TareInspectorSites *self)
{
  TareInspectorChoice *choice = get_choice (self, self->scale_drop);
  const TareActivationScaleInfo *info;
  TareAssignment assignment;
  g_autofree char *label = NULL;

  if (choice == NULL || get_n_selected (self) == 0)
    return;

  info = tare_inspector_choice_get_row (choice);
  assignment = get_assignment (self, 0);
  assignment.scale = info->scale;
  label = g_strdup_printf (_("Set scales of activations to %s"), _(info->label));
  assign (self, &assignment, label);
}

/* With its format, which the selection then shares. */
static void
window_changed_cb (TareInspectorSites *self)
{
  guint window = (guint) gtk_spin_button_get_value_as_int (self->window_spin);
  TareAssignment assignment;
  g_autofree char *label = NULL;

  if (self->updating || self->session == NULL || get_n_selected (self) == 0)
    return;

  assignment = get_assignment (self, 0);
  assignment.window = window;
  label = g_strdup_printf (ngettext ("Leave the last %u token of the cache as computed",
                                     "Leave the last %u tokens of the cache as computed", window),
                           window);
  assign (self, &assignment, label);
}

/* --- the widget --- */

static void
tare_inspector_sites_dispose (GObject *object)
{
  TareInspectorSites *self = (TareInspectorSites *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->refresh, g_source_remove);
  self->updating = TRUE;
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_INSPECTOR_SITES);

  G_OBJECT_CLASS (tare_inspector_sites_parent_class)->dispose (object);
}

static void
tare_inspector_sites_class_init (TareInspectorSitesClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_inspector_sites_dispose;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-inspector-sites.ui");
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, name_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, role_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, note_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, format_drop);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, scale_drop);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, scale_row);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, window_row);
  gtk_widget_class_bind_template_child (widget_class, TareInspectorSites, window_spin);
  gtk_widget_class_bind_template_callback (widget_class, format_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, scale_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, window_changed_cb);
}

static void
tare_inspector_sites_init (TareInspectorSites *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  tare_inspector_choice_dress (self->format_drop);
  tare_inspector_choice_dress (self->scale_drop);
}

/**
 * tare_inspector_sites_set_session:
 * @self: the inspector
 * @session: what to inspect; to be set once
 */
void
tare_inspector_sites_set_session (TareInspectorSites *self,
                                  TareSession        *session)
{
  g_return_if_fail (TARE_IS_INSPECTOR_SITES (self));
  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (queue_update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (queue_update), self,
                           G_CONNECT_SWAPPED);
}

/**
 * tare_inspector_sites_get_title:
 * @self: the inspector
 *
 * Returns: what its heading says
 */
const char *
tare_inspector_sites_get_title (TareInspectorSites *self)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR_SITES (self), NULL);

  return gtk_label_get_label (self->name_label);
}

/**
 * tare_inspector_sites_choose_format:
 * @self: the inspector
 * @format: (nullable): what the picker shall show; %NULL leaves the selection as it is computed
 *
 * Does what a user does who picks @format.
 */
void
tare_inspector_sites_choose_format (TareInspectorSites *self,
                                    const TareFormat   *format)
{
  GListModel *model = gtk_drop_down_get_model (self->format_drop);

  g_return_if_fail (TARE_IS_INSPECTOR_SITES (self));

  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr(TareInspectorChoice) choice = g_list_model_get_item (model, i);

      if (tare_inspector_choice_get_row (choice) == format
          && !g_str_equal (tare_inspector_choice_get_label (choice), _("mixed")))
        {
          gtk_drop_down_set_selected (self->format_drop, i);
          return;
        }
    }
}
