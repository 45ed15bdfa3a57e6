/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-inspector.h"

#include <glib/gi18n.h>

#include "app/tare-inspector-choice.h"
#include "app/tare-inspector-facts.h"
#include "app/tare-inspector-sites.h"
#include "app/tare-text.h"
#include "app/tare-weight-histogram.h"

struct _TareInspector
{
  AdwBin               parent_instance;

  GtkStack            *stack;
  GtkLabel            *name_label;
  GtkLabel            *role_label;
  GtkLabel            *note_label;
  GtkWidget           *recipe_group;
  GtkDropDown         *format_drop;
  GtkWidget           *method_row;
  GtkDropDown         *method_drop;
  GtkLabel            *method_label;
  GtkWidget           *range_row;
  GtkDropDown         *range_drop;
  GtkSwitch           *lock_switch;
  TareChart           *chart;
  GtkWidget           *facts;
  TareInspectorSites  *sites;

  TareWeightHistogram *histogram;
  TareSession         *session;
  guint                refresh;
  gboolean             updating;
  gboolean             applying;
};

G_DEFINE_FINAL_TYPE (TareInspector, tare_inspector, ADW_TYPE_BIN)

/* --- the selection --- */

static guint
get_n_selected (TareInspector *self)
{
  guint n;

  tare_session_get_selection (self->session, &n);

  return n;
}

static TareLayer *
get_selected (TareInspector *self,
              guint          position)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  return tare_session_get_layer (self->session, selection[position]);
}

/* The assignable layers of the selection. */
static GArray *
list_assignable (TareInspector *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);
  g_autoptr(GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < n; i++)
    if (tare_layer_is_assignable (tare_session_get_layer (self->session, selection[i])))
      g_array_append_val (indices, selection[i]);

  return g_steal_pointer (&indices);
}

static TareLayer *
get_layer (TareInspector *self,
           GArray        *indices,
           guint          position)
{
  return tare_session_get_layer (self->session, g_array_index (indices, guint, position));
}

/* The role of all of them, or that it differs. */
static char *
dup_shared_role (TareInspector *self)
{
  guint n = get_n_selected (self);
  g_autofree char *shared = NULL;

  g_object_get (get_selected (self, 0), "role", &shared, NULL);
  for (guint i = 1; i < n; i++)
    {
      g_autofree char *text = NULL;

      g_object_get (get_selected (self, i), "role", &text, NULL);
      if (g_strcmp0 (text, shared) != 0)
        return g_strdup (_("mixed"));
    }

  return g_steal_pointer (&shared);
}

static void
update_heading (TareInspector *self)
{
  guint n = get_n_selected (self);
  g_autofree char *title = NULL;
  g_autofree char *role = NULL;

  if (n == 1)
    {
      const TareTensor *tensor = tare_layer_get_tensor (get_selected (self, 0));

      title = g_strdup (tensor->canonical);
      role = g_strdup (tensor->role != NULL ? _(tensor->role->description)
                                            : _("A tensor whose role is not known"));
    }
  else
    {
      g_autofree char *shared = dup_shared_role (self);

      title = g_strdup_printf (ngettext ("%u layer", "%u layers", n), n);
      /* translators: %s is a role such as attn_q, or "mixed" */
      role = g_strdup_printf (_("Role: %s"), shared);
    }
  gtk_label_set_label (self->name_label, title);
  gtk_label_set_label (self->role_label, role);
}

/* --- pickers --- */

static void
append_choice (GListStore    *store,
               const char    *label,
               const char    *detail,
               const char    *note,
               const char    *heading,
               gconstpointer  row)
{
  g_autoptr(TareInspectorChoice) choice = tare_inspector_choice_new (label, detail, note, heading,
                                                                     row);

  g_list_store_append (store, choice);
}

/* The columns that all have in common, or 0. */
static gsize
get_shared_columns (TareInspector *self,
                    GArray        *indices)
{
  gsize columns = tare_layer_get_tensor (get_layer (self, indices, 0))->columns;

  for (guint i = 1; i < indices->len; i++)
    if (tare_layer_get_tensor (get_layer (self, indices, i))->columns != columns)
      return 0;

  return columns;
}

/* The rows of the only one, or 0 for the bits per weight that rows without end would have. */
static gsize
get_rows (TareInspector *self,
          GArray        *indices)
{
  return indices->len == 1 ? tare_layer_get_tensor (get_layer (self, indices, 0))->rows : 0;
}

static guint
count_misfits (TareInspector    *self,
               GArray           *indices,
               const TareFormat *format)
{
  guint n = 0;

  for (guint i = 0; i < indices->len; i++)
    {
      const TareTensor *tensor = tare_layer_get_tensor (get_layer (self, indices, i));

      if (!tare_format_accepts (format, tensor->columns))
        n++;
    }

  return n;
}

/* What becomes of layers whose rows the format's blocks do not divide. */
static char *
describe_misfit (TareInspector    *self,
                 GArray           *indices,
                 const TareFormat *format)
{
  gsize columns = get_shared_columns (self, indices);
  guint n = count_misfits (self, indices, format);
  const TareFormat *fit = columns > 0 ? tare_format_fit (format, columns) : NULL;

  if (n == 0)
    return NULL;
  if (fit != NULL && fit != format)
    return g_strdup_printf (_("Blocks of %u don't divide rows of %u: becomes %s"), format->block,
                            (guint) columns, fit->label);
  if (columns > 0)
    return g_strdup_printf (_("Blocks of %u don't divide rows of %u: kept as stored"),
                            format->block, (guint) columns);

  return g_strdup_printf (ngettext ("%u layer takes another format: its rows don't divide",
                                    "%u layers take another format: their rows don't divide", n),
                          n);
}

static guint
fill_formats (TareInspector    *self,
              GListStore       *store,
              GArray           *indices,
              const TareFormat *present,
              gboolean          mixed)
{
  gsize columns = get_shared_columns (self, indices);
  guint selected = 0;

  if (mixed)
    append_choice (store, _("mixed"), NULL, NULL, NULL, NULL);
  append_choice (store, _("As stored"), NULL, NULL, NULL, NULL);
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gboolean first = i == 0 || tare_format_get (i - 1)->family != format->family;
      gsize length = columns > 0 && tare_format_accepts (format, columns) ? columns : 4096;
      g_autofree char *note = describe_misfit (self, indices, format);
      double weight = tare_format_get_bits_per_weight (format, get_rows (self, indices), length);
      g_autofree char *bits = tare_text_bits (weight);
      /* translators: bits per weight, short */
      g_autofree char *detail = g_strdup_printf (_("%s b/w"), bits);

      if (format == present && !mixed)
        selected = g_list_model_get_n_items (G_LIST_MODEL (store));
      append_choice (store, format->label, detail, note,
                     first ? _(tare_format_family_get_label (format->family)) : NULL, format);
    }

  return selected;
}

static void
set_choices (GtkDropDown *drop_down,
             GListStore  *store,
             guint        selected)
{
  gtk_drop_down_set_model (drop_down, G_LIST_MODEL (store));
  gtk_drop_down_set_selected (drop_down, selected);
}

/* Which fields of the assignments differ. */
typedef struct
{
  gboolean format;
  gboolean method;
  gboolean range;
  gboolean locked;
} Mixed;

static Mixed
find_mixed (TareInspector *self,
            GArray        *indices)
{
  TareAssignment first = tare_layer_get_assignment (get_layer (self, indices, 0));
  Mixed mixed = { FALSE, FALSE, FALSE, FALSE };

  for (guint i = 1; i < indices->len; i++)
    {
      TareAssignment other = tare_layer_get_assignment (get_layer (self, indices, i));

      mixed.format |= other.format != first.format;
      mixed.method |= other.method != first.method;
      mixed.range |= other.range != first.range;
      mixed.locked |= other.locked != first.locked;
    }

  return mixed;
}

/* Rounding what is rounded already starts from the source's own error. */
static char *
describe_source (const TareTensor *tensor,
                 const TareFormat *format)
{
  if (tensor->format == NULL || tensor->format == format
      || tensor->format->family == TARE_FORMAT_FAMILY_FLOAT)
    return NULL;

  return g_strdup_printf (_("%s. The source is rounded to %s already, and what that lost stays "
                            "lost"),
                          _(format->description), tensor->format->label);
}

static void
update_note (TareInspector *self,
             GArray        *indices,
             Mixed          mixed)
{
  TareLayer *layer = get_layer (self, indices, 0);
  TareAssignment assignment = tare_layer_get_assignment (layer);
  g_autofree char *misfit = NULL;
  const char *text;

  if (mixed.format)
    text = _("The selection differs in format; choosing one sets all of it");
  else if (assignment.format == NULL)
    text = _("Kept as the source stores it");
  else
    text = _(assignment.format->description);

  if (!mixed.format && assignment.format != NULL)
    misfit = describe_misfit (self, indices, assignment.format);
  if (!mixed.format && assignment.format != NULL && misfit == NULL)
    misfit = describe_source (tare_layer_get_tensor (layer), assignment.format);
  gtk_label_set_label (self->note_label, misfit != NULL ? misfit : text);
}

/* One method is no choice. */
static void
show_method (TareInspector    *self,
             const TareMethod *method,
             gboolean          mixed)
{
  gboolean only = tare_method_get_n_methods () == 1 && !mixed;

  gtk_widget_set_visible (GTK_WIDGET (self->method_drop), !only);
  gtk_widget_set_visible (GTK_WIDGET (self->method_label), only);
  gtk_label_set_label (self->method_label, _(method->label));
}

/* What is kept as it is stored is not rounded in any way. */
static void
update_rows (TareInspector *self,
             gboolean       rounded)
{
  GtkWidget *rows[] = { self->method_row, self->range_row };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gtk_widget_set_sensitive (rows[i], rounded);
      gtk_widget_set_tooltip_text (rows[i], rounded ? NULL
                                                    : _("Nothing is rounded while the selection "
                                                        "is kept as stored"));
    }
}

static void
update_pickers (TareInspector *self)
{
  g_autoptr(GArray) indices = list_assignable (self);
  g_autoptr(GListStore) formats = g_list_store_new (TARE_TYPE_INSPECTOR_CHOICE);
  g_autoptr(GListStore) methods = g_list_store_new (TARE_TYPE_INSPECTOR_CHOICE);
  g_autoptr(GListStore) ranges = g_list_store_new (TARE_TYPE_INSPECTOR_CHOICE);
  TareAssignment first;
  Mixed mixed;

  gtk_widget_set_sensitive (self->recipe_group, indices->len > 0);
  if (indices->len == 0)
    {
      gtk_label_set_label (self->note_label, _("Biases and norms are not quantized"));
      return;
    }

  first = tare_layer_get_assignment (get_layer (self, indices, 0));
  mixed = find_mixed (self, indices);
  if (first.method == NULL)
    first.method = tare_session_get_brush (self->session).method;
  self->updating = TRUE;
  set_choices (self->format_drop, formats,
               fill_formats (self, formats, indices, first.format, mixed.format));
  set_choices (self->method_drop, methods,
               tare_inspector_choice_fill_methods (methods, first.method, mixed.method));
  set_choices (self->range_drop, ranges,
               tare_inspector_choice_fill_ranges (ranges, first.range, mixed.range));
  show_method (self, first.method, mixed.method);
  update_rows (self, first.format != NULL || mixed.format);
  gtk_switch_set_active (self->lock_switch, first.locked && !mixed.locked);
  self->updating = FALSE;
  update_note (self, indices, mixed);
}

/* The weights of one layer; several have no common picture. */
static void
update_histogram (TareInspector *self)
{
  TareLayer *layer = get_n_selected (self) == 1 ? get_selected (self, 0) : NULL;
  gboolean known = tare_weight_histogram_show (self->histogram, layer);

  gtk_widget_set_visible (GTK_WIDGET (self->chart), known);
  if (known)
    gtk_widget_set_tooltip_text (GTK_WIDGET (self->chart),
                                 tare_weight_histogram_get_caption (self->histogram));
}

static void
layer_changed_cb (TareInspector *self,
                  guint          index)
{
  if (get_n_selected (self) == 1 && tare_layer_get_index (get_selected (self, 0)) == index)
    update_histogram (self);
}

static gboolean refresh_cb (gpointer data);

static void
update (TareInspector *self)
{
  /* A picker that has just been used must not lose its list while it tells of that. */
  if (self->applying)
    {
      if (self->refresh == 0)
        self->refresh = g_idle_add (refresh_cb, self);
      return;
    }

  g_clear_handle_id (&self->refresh, g_source_remove);
  if (get_n_selected (self) == 0)
    {
      gtk_stack_set_visible_child_name (self->stack, tare_inspector_sites_update (self->sites)
                                                       ? "sites" : "empty");
      return;
    }

  gtk_stack_set_visible_child_name (self->stack, "layer");
  update_heading (self);
  update_pickers (self);
  update_histogram (self);
}

static gboolean
refresh_cb (gpointer data)
{
  TareInspector *self = data;

  self->refresh = 0;
  update (self);

  return G_SOURCE_REMOVE;
}

/* --- what the user chooses --- */

typedef void (*Change) (TareAssignment *assignment,
                        gconstpointer   value);

static void
change_format (TareAssignment *assignment,
               gconstpointer   value)
{
  assignment->format = value;
}

static void
change_method (TareAssignment *assignment,
               gconstpointer   value)
{
  assignment->method = value;
}

static void
change_range (TareAssignment *assignment,
              gconstpointer   value)
{
  assignment->range = ((const TareRangeInfo *) value)->range;
}

static void
change_lock (TareAssignment *assignment,
             gconstpointer   value)
{
  assignment->locked = value != NULL;
}

/* Changes one field of what the recipe says of the selection, and leaves the others as they are.
 * Only a lock is taken from what is locked. */
static void
apply (TareInspector *self,
       Change         change,
       gconstpointer  value,
       const char    *label)
{
  g_autoptr(GArray) all = list_assignable (self);
  g_autoptr(GArray) indices =
    change == change_lock ? g_array_ref (all)
                          : tare_session_leave_locked (self->session, (const guint *) all->data,
                                                       all->len);
  g_autofree TareAssignment *after = g_new0 (TareAssignment, indices->len + 1);
  TareAssignment brush = tare_session_get_brush (self->session);

  /* Also where nothing changed, the picker shows again what is. */
  if (self->refresh == 0)
    self->refresh = g_idle_add (refresh_cb, self);
  if (indices->len == 0)
    return;

  for (guint i = 0; i < indices->len; i++)
    {
      after[i] = tare_layer_get_assignment (get_layer (self, indices, i));
      if (after[i].method == NULL)
        after[i].method = brush.method;
      change (&after[i], value);
    }
  brush = after[0];
  brush.locked = FALSE;
  tare_session_set_brush (self->session, &brush);

  self->applying = TRUE;
  tare_session_assign_each (self->session, (const guint *) indices->data, indices->len, after,
                            label);
  self->applying = FALSE;
}

static char *
label_step (TareInspector *self,
            const char    *what)
{
  g_autoptr(GArray) indices = list_assignable (self);
  guint n = 0;

  for (guint i = 0; i < indices->len; i++)
    n += !tare_layer_get_assignment (get_layer (self, indices, i)).locked;

  /* translators: a step: how many layers, and what was set */
  return g_strdup_printf (ngettext ("Set %u layer to %s", "Set %u layers to %s", n), n, what);
}

static TareInspectorChoice *
get_choice (TareInspector *self,
            GtkDropDown   *drop_down)
{
  return self->updating || self->session == NULL ? NULL
                                                 : gtk_drop_down_get_selected_item (drop_down);
}

static void
format_changed_cb (TareInspector *self)
{
  TareInspectorChoice *choice = get_choice (self, self->format_drop);

  if (choice == NULL || g_str_equal (tare_inspector_choice_get_label (choice), _("mixed")))
    return;

  apply (self, change_format, tare_inspector_choice_get_row (choice), NULL);
}

static void
method_changed_cb (TareInspector *self)
{
  TareInspectorChoice *choice = get_choice (self, self->method_drop);
  g_autofree char *label = NULL;

  if (choice == NULL || tare_inspector_choice_get_row (choice) == NULL)
    return;

  label = label_step (self, tare_inspector_choice_get_label (choice));
  apply (self, change_method, tare_inspector_choice_get_row (choice), label);
}

static void
range_changed_cb (TareInspector *self)
{
  TareInspectorChoice *choice = get_choice (self, self->range_drop);
  g_autofree char *label = NULL;

  if (choice == NULL || tare_inspector_choice_get_row (choice) == NULL)
    return;

  label = label_step (self, tare_inspector_choice_get_label (choice));
  apply (self, change_range, tare_inspector_choice_get_row (choice), label);
}

static void
lock_changed_cb (TareInspector *self)
{
  gboolean locked = gtk_switch_get_active (self->lock_switch);
  guint n;
  g_autofree char *label = NULL;

  if (self->updating || self->session == NULL)
    return;

  n = get_n_selected (self);
  label = locked ? g_strdup_printf (ngettext ("Lock %u layer", "Lock %u layers", n), n)
                 : g_strdup_printf (ngettext ("Unlock %u layer", "Unlock %u layers", n), n);
  apply (self, change_lock, locked ? self : NULL, label);
}

/* --- the widget --- */

static void
tare_inspector_dispose (GObject *object)
{
  TareInspector *self = (TareInspector *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->refresh, g_source_remove);
  self->updating = TRUE;
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_INSPECTOR);
  g_clear_pointer (&self->histogram, tare_weight_histogram_free);

  G_OBJECT_CLASS (tare_inspector_parent_class)->dispose (object);
}

static void
tare_inspector_class_init (TareInspectorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_inspector_dispose;
  g_type_ensure (TARE_TYPE_CHART);
  g_type_ensure (TARE_TYPE_INSPECTOR_FACTS);
  g_type_ensure (TARE_TYPE_INSPECTOR_SITES);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-inspector.ui");
  gtk_widget_class_bind_template_child (widget_class, TareInspector, stack);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, name_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, role_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, note_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, recipe_group);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, format_drop);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, method_drop);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, range_drop);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, method_row);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, method_label);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, range_row);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, lock_switch);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, chart);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, facts);
  gtk_widget_class_bind_template_child (widget_class, TareInspector, sites);
  gtk_widget_class_bind_template_callback (widget_class, format_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, method_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, range_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, lock_changed_cb);
}

static void
tare_inspector_init (TareInspector *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  self->histogram = tare_weight_histogram_new (self->chart);
  tare_inspector_choice_dress (self->format_drop);
  tare_inspector_choice_dress (self->method_drop);
  tare_inspector_choice_dress (self->range_drop);
}

/**
 * tare_inspector_set_session:
 * @self: the inspector
 * @session: what to inspect; to be set once
 */
void
tare_inspector_set_session (TareInspector *self,
                            TareSession   *session)
{
  g_return_if_fail (TARE_IS_INSPECTOR (self));
  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (layer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  tare_inspector_facts_set_session (TARE_INSPECTOR_FACTS (self->facts), session);
  tare_inspector_sites_set_session (self->sites, session);
  update (self);
}

/**
 * tare_inspector_get_title:
 * @self: the inspector
 *
 * Returns: (nullable): what its heading says, or %NULL while nothing is selected
 */
const char *
tare_inspector_get_title (TareInspector *self)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR (self), NULL);

  return get_n_selected (self) > 0 ? gtk_label_get_label (self->name_label) : NULL;
}

/**
 * tare_inspector_get_n_levels:
 * @self: the inspector
 *
 * Returns: how many levels its histogram shows
 */
guint
tare_inspector_get_n_levels (TareInspector *self)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR (self), 0);

  return gtk_widget_get_visible (GTK_WIDGET (self->chart))
           ? tare_weight_histogram_get_n_levels (self->histogram)
           : 0;
}

/**
 * tare_inspector_get_fact:
 * @self: the inspector
 * @fact: such as "shape", "kind", "size", "minimum", "kurtosis"
 *
 * Returns: (nullable): what it shows
 */
const char *
tare_inspector_get_fact (TareInspector *self,
                         const char    *fact)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR (self), NULL);

  return tare_inspector_facts_get_text (TARE_INSPECTOR_FACTS (self->facts), fact);
}

/**
 * tare_inspector_choose_format:
 * @self: the inspector
 * @format: (nullable): what the picker shall show; %NULL keeps the selection as it is stored
 *
 * Does what a user does who picks @format.
 */
void
tare_inspector_choose_format (TareInspector    *self,
                              const TareFormat *format)
{
  GListModel *model = gtk_drop_down_get_model (self->format_drop);

  g_return_if_fail (TARE_IS_INSPECTOR (self));

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
