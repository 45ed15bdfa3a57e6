/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-compare-sheet.h"

#include <glib/gi18n.h>

#include "app/tare-compare-private.h"
#include "app/tare-text.h"

/* How long news is gathered before rows find their new places, in milliseconds. */
#define REFRESH_DELAY 300

/* Rows that one study is asked for at most; it takes as many as it has time for. */
#define MAX_BATCH 64

struct _TareCompareSheet
{
  AdwWindow           parent_instance;

  AdwWindowTitle     *heading;
  GtkStack           *stack;
  AdwStatusPage      *opening_page;
  AdwStatusPage      *failed_page;
  AdwStatusPage      *nothing_page;
  GtkToggleButton    *only_button;
  GtkSearchEntry     *entry;
  GtkLabel           *count_label;
  GtkStack           *rows_stack;
  GtkColumnView      *table;
  GtkLabel           *warning_label;
  GtkLabel           *total_a_label;
  GtkLabel           *total_b_label;
  GtkLabel           *state_label;
  GtkSpinner         *spinner;

  TareSession        *session;
  TareCompareKind     kind;
  TareStudy          *opening;
  TareStudy          *study;
  TareModel          *models[2];
  TareRecipe         *recipes[2];
  char               *path;
  char               *names[2];
  GListStore         *rows;
  GtkFilter          *filter;
  GtkSortListModel   *sorted;
  GtkSingleSelection *selection;
  char               *needle;
  gboolean            stopped;
  gboolean            filling;
  guint               refresh;
};

G_DEFINE_FINAL_TYPE (TareCompareSheet, tare_compare_sheet, ADW_TYPE_WINDOW)

static TareCompareRow *
get_row (TareCompareSheet *self,
         guint             index)
{
  g_autoptr(TareCompareRow) row = g_list_model_get_item (G_LIST_MODEL (self->rows), index);

  return row;
}

static guint
count_rows (TareCompareSheet *self)
{
  return g_list_model_get_n_items (G_LIST_MODEL (self->rows));
}

/* --- what stands below the table --- */

static void
write_total (TareCompareSheet *self,
             GtkLabel         *label,
             guint             side)
{
  g_autofree char *text = _tare_compare_totals_dup_side (G_LIST_MODEL (self->rows), side,
                                                         self->names[side]);

  gtk_label_set_label (label, text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (label), text);
}

static void
update_totals (TareCompareSheet *self)
{
  GListModel *rows = G_LIST_MODEL (self->rows);
  g_autofree char *warning = _tare_compare_totals_dup_warning (rows);
  g_autofree char *state = _tare_compare_totals_dup_state (rows, self->stopped);

  gtk_label_set_label (self->warning_label, warning != NULL ? warning : "");
  gtk_widget_set_visible (GTK_WIDGET (self->warning_label), warning != NULL);
  gtk_label_set_label (self->state_label, state);
  gtk_spinner_set_spinning (self->spinner, !self->stopped
                                           && _tare_compare_totals_count_pending (rows) > 0);
}

static void
update_count (TareCompareSheet *self)
{
  guint shown = tare_compare_sheet_get_n_shown (self);
  guint total = count_rows (self);
  gboolean only = gtk_toggle_button_get_active (self->only_button);
  g_autofree char *text = NULL;

  if (shown == total)
    text = g_strdup_printf (ngettext ("%u tensor", "%u tensors", total), total);
  else
    /* translators: how many of how many tensors pass the filter */
    text = g_strdup_printf (_("%u of %u"), shown, total);
  gtk_label_set_label (self->count_label, text);
  gtk_stack_set_visible_child_name (self->rows_stack, shown == 0 && total > 0 ? "nothing" : "rows");
  adw_status_page_set_title (self->nothing_page, only && self->needle == NULL
                                                   ? _("Nothing Differs")
                                                   : _("No Tensor Matches"));
}

static void
refresh (TareCompareSheet *self)
{
  if (gtk_toggle_button_get_active (self->only_button))
    gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  gtk_sorter_changed (gtk_column_view_get_sorter (self->table), GTK_SORTER_CHANGE_DIFFERENT);
  update_count (self);
  update_totals (self);
}

static gboolean
refresh_cb (gpointer data)
{
  TareCompareSheet *self = data;

  self->refresh = 0;
  refresh (self);

  return G_SOURCE_REMOVE;
}

/* --- errors, as they are found --- */

static void
add_pair (TareCompareRow *row,
          GArray         *pairs)
{
  TareComparePair pair = { row->index, row->sides[0].tensor, row->sides[1].tensor };

  if (row->pending && pairs->len < MAX_BATCH)
    g_array_append_val (pairs, pair);
}

/* What is shown comes first, from above; what the filter hides comes last. */
static GArray *
list_pairs (TareCompareSheet *self)
{
  GArray *pairs = g_array_new (FALSE, FALSE, sizeof (TareComparePair));
  guint shown = tare_compare_sheet_get_n_shown (self);

  for (guint i = 0; i < shown; i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (G_LIST_MODEL (self->sorted), i);

      add_pair (row, pairs);
    }
  for (guint i = 0; i < count_rows (self) && pairs->len == 0; i++)
    add_pair (get_row (self, i), pairs);

  return pairs;
}

static void
ask (TareCompareSheet *self)
{
  g_autoptr(GArray) pairs = list_pairs (self);
  TareCompareRequest *request;

  self->stopped = FALSE;
  if (pairs->len == 0)
    {
      tare_study_stop (self->study);
      refresh (self);
      return;
    }

  request = g_new0 (TareCompareRequest, 1);
  request->kind = self->kind;
  request->b = self->models[1] != NULL ? tare_model_ref (self->models[1]) : NULL;
  for (guint i = 0; i < 2; i++)
    request->recipes[i] = self->recipes[i] != NULL ? tare_recipe_ref (self->recipes[i]) : NULL;
  request->pairs = g_steal_pointer (&pairs);
  tare_study_start (self->study, NULL, request, _tare_compare_request_free);
}

static void
take_finding (gpointer owner,
              gpointer item)
{
  TareCompareSheet *self = owner;
  const TareCompareFinding *finding = item;

  _tare_compare_row_set_figures (get_row (self, finding->row), finding->figures,
                                 finding->verdict, finding->note);
  if (self->refresh == 0)
    self->refresh = g_timeout_add (REFRESH_DELAY, refresh_cb, self);
}

/* Each study takes a moment's worth, so that pages get their turn; the next goes on. */
static void
study_done (gpointer      owner,
            const GError *error)
{
  TareCompareSheet *self = owner;

  if (error == NULL)
    {
      ask (self);
      return;
    }
  self->stopped = TRUE;
  refresh (self);
}

static const TareStudyClass study_class = {
  .title = N_("Comparing"),
  .work = _tare_compare_study_work,
  .news = take_finding,
  .free_news = _tare_compare_finding_free,
  .done = study_done,
};

/* --- rows --- */

static void
add_row (TareCompareSheet *self,
         TareCompareRow   *row)
{
  g_list_store_append (self->rows, row);
  g_object_unref (row);
}

static void
show_rows (TareCompareSheet *self)
{
  write_total (self, self->total_a_label, 0);
  write_total (self, self->total_b_label, 1);
  gtk_stack_set_visible_child_name (self->stack, "table");
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "sheet.copy", TRUE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->only_button), TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->table));
  refresh (self);
  ask (self);
}

static void
fail (TareCompareSheet *self,
      const char       *title,
      const char       *message)
{
  g_autofree char *markup = g_markup_escape_text (message, -1);

  adw_status_page_set_title (self->failed_page, title);
  adw_status_page_set_description (self->failed_page, markup);
  gtk_stack_set_visible_child_name (self->stack, "failed");
}

static gboolean
add_models (TareCompareSheet *self)
{
  TareModel *a = self->models[0];
  TareModel *b = self->models[1];
  guint n_common = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (a); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (a, i);
      const TareTensor *other = tare_model_lookup (b, tensor->canonical);

      n_common += other != NULL ? 1 : 0;
      add_row (self, _tare_compare_row_new_models (count_rows (self), tensor, other));
    }
  for (gsize i = 0; i < tare_model_get_n_tensors (b); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (b, i);

      if (tare_model_lookup (a, tensor->canonical) == NULL)
        add_row (self, _tare_compare_row_new_models (count_rows (self), NULL, tensor));
    }

  return n_common > 0;
}

/* --- the other model --- */

static gboolean
open_model (TareStudyTask  *task,
            GError        **error)
{
  TareModel *model = tare_model_open (task->request, error);

  if (model == NULL)
    return FALSE;
  tare_study_post (task, model);

  return TRUE;
}

static void
free_model (gpointer data)
{
  tare_model_unref (data);
}

static void
take_model (gpointer owner,
            gpointer item)
{
  TareCompareSheet *self = owner;
  TareModel *model = item;

  self->models[1] = tare_model_ref (model);
  self->filling = TRUE;
  if (add_models (self))
    {
      self->filling = FALSE;
      show_rows (self);
    }
  else
    {
      const char *path = tare_model_get_path (self->models[0]);
      g_autofree char *message = g_strdup_printf (_("%s has no tensor of the name of any in %s"),
                                                  self->path, path);

      fail (self, _("These Models Have Nothing in Common"), message);
    }
}

static void
opening_done (gpointer      owner,
              const GError *error)
{
  if (error != NULL)
    fail (owner, _("The Other Model Could Not Be Opened"), error->message);
}

static const TareStudyClass opening_class = {
  .title = N_("Opening"),
  .work = open_model,
  .news = take_model,
  .free_news = free_model,
  .done = opening_done,
};

/* --- what the user does --- */

static gboolean
match_cb (gpointer item,
          gpointer data)
{
  TareCompareRow *row = item;
  TareCompareSheet *self = data;

  if (gtk_toggle_button_get_active (self->only_button) && !_tare_compare_row_differs (row))
    return FALSE;

  return self->needle == NULL || tare_text_contains (row->name, self->needle)
         || tare_text_contains (row->sides[0].format, self->needle)
         || tare_text_contains (row->sides[1].format, self->needle);
}

static void
filter_changed_cb (TareCompareSheet *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->entry));

  if (self->filter == NULL)
    return;

  g_clear_pointer (&self->needle, g_free);
  if (*text != '\0')
    self->needle = g_utf8_casefold (text, -1);
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  update_count (self);
}

/* Escape empties the filter; where that is empty, it closes the sheet. */
static void
stop_search_cb (TareCompareSheet *self)
{
  if (self->needle == NULL)
    {
      gtk_window_close (GTK_WINDOW (self));
      return;
    }
  tare_compare_sheet_set_filter (self, "");
  gtk_widget_grab_focus (GTK_WIDGET (self->table));
}

/* Rows come in the order of the session's layers, those of B alone after them. */
static void
selected_cb (TareCompareSheet *self)
{
  TareCompareRow *row = gtk_single_selection_get_selected_item (self->selection);

  if (self->filling || row == NULL || row->sides[0].tensor == NULL)
    return;

  tare_session_set_selection (self->session, &row->index, 1);
}

static void
copy_cb (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  g_autofree char *csv = tare_compare_sheet_dup_csv (TARE_COMPARE_SHEET (widget));

  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), csv);
}

static void
find_cb (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  gtk_widget_grab_focus (GTK_WIDGET (TARE_COMPARE_SHEET (widget)->entry));
}

/* --- what the session does --- */

static void
model_changed_cb (TareCompareSheet *self)
{
  gtk_window_destroy (GTK_WINDOW (self));
}

static void
recipe_changed_cb (TareCompareSheet *self)
{
  gboolean changed = FALSE;

  if (self->recipes[1] == NULL)
    return;

  tare_recipe_unref (self->recipes[0]);
  self->recipes[0] = tare_recipe_ref (tare_session_get_recipe (self->session));
  for (guint i = 0; i < count_rows (self); i++)
    changed |= _tare_compare_row_set_recipes (get_row (self, i), self->recipes[0],
                                              self->recipes[1]);
  if (!changed)
    return;

  write_total (self, self->total_a_label, 0);
  refresh (self);
  ask (self);
}

/* --- the window --- */

static void
tare_compare_sheet_dispose (GObject *object)
{
  TareCompareSheet *self = (TareCompareSheet *) object;
  g_autoptr(TareSession) session = NULL;

  g_clear_handle_id (&self->refresh, g_source_remove);
  g_clear_pointer (&self->opening, tare_study_free);
  g_clear_pointer (&self->study, tare_study_free);
  session = g_steal_pointer (&self->session);
  if (self->table != NULL)
    gtk_column_view_set_model (self->table, NULL);
  g_clear_object (&self->selection);
  g_clear_object (&self->sorted);
  g_clear_object (&self->filter);
  g_clear_object (&self->rows);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_COMPARE_SHEET);
  for (guint i = 0; i < 2; i++)
    {
      g_clear_pointer (&self->models[i], tare_model_unref);
      g_clear_pointer (&self->recipes[i], tare_recipe_unref);
      g_clear_pointer (&self->names[i], g_free);
    }
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->needle, g_free);

  G_OBJECT_CLASS (tare_compare_sheet_parent_class)->dispose (object);
}

static void
bind_children (GtkWidgetClass *widget_class)
{
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, heading);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, stack);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, opening_page);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, failed_page);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, nothing_page);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, only_button);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, entry);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, count_label);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, rows_stack);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, table);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, warning_label);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, total_a_label);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, total_b_label);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, state_label);
  gtk_widget_class_bind_template_child (widget_class, TareCompareSheet, spinner);
  gtk_widget_class_bind_template_callback (widget_class, filter_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, stop_search_cb);
}

static void
tare_compare_sheet_class_init (TareCompareSheetClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = tare_compare_sheet_dispose;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-compare-sheet.ui");
  bind_children (widget_class);
  gtk_widget_class_install_action (widget_class, "sheet.copy", NULL, copy_cb);
  gtk_widget_class_install_action (widget_class, "sheet.find", NULL, find_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "sheet.copy",
                                       NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_f, GDK_CONTROL_MASK, "sheet.find",
                                       NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "window.close",
                                       NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
add_list_models (TareCompareSheet *self)
{
  GtkFilterListModel *filtered;

  self->rows = g_list_store_new (TARE_TYPE_COMPARE_ROW);
  self->filter = GTK_FILTER (gtk_custom_filter_new (match_cb, self, NULL));
  filtered = gtk_filter_list_model_new (G_LIST_MODEL (g_object_ref (self->rows)),
                                        g_object_ref (self->filter));
  self->sorted = gtk_sort_list_model_new (G_LIST_MODEL (filtered),
                                          g_object_ref (gtk_column_view_get_sorter (self->table)));
  self->selection = gtk_single_selection_new (G_LIST_MODEL (g_object_ref (self->sorted)));
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_single_selection_set_selected (self->selection, GTK_INVALID_LIST_POSITION);
  gtk_column_view_set_model (self->table, GTK_SELECTION_MODEL (self->selection));
  g_signal_connect_object (self->selection, "notify::selected-item", G_CALLBACK (selected_cb),
                           self, G_CONNECT_SWAPPED);
}

static void
tare_compare_sheet_init (TareCompareSheet *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "sheet.copy", FALSE);
  gtk_widget_set_sensitive (GTK_WIDGET (self->only_button), FALSE);
}

static TareCompareSheet *
new_sheet (GtkWindow       *parent,
           TareSession     *session,
           TareCompareKind  kind,
           const char      *path)
{
  TareCompareSheet *self = g_object_new (TARE_TYPE_COMPARE_SHEET, "transient-for", parent, NULL);
  const char *title = kind == TARE_COMPARE_KIND_MODELS ? _("Two Models") : _("Two Recipes");
  g_autofree char *subtitle = NULL;

  self->session = g_object_ref (session);
  self->kind = kind;
  self->path = g_strdup (path);
  self->names[1] = g_path_get_basename (path);
  self->names[0] = kind == TARE_COMPARE_KIND_MODELS
    ? g_path_get_basename (tare_model_get_path (tare_session_get_model (session)))
    : g_strdup (_("the present recipe"));
  self->models[0] = tare_model_ref (tare_session_get_model (session));
  self->opening = tare_study_new (&opening_class, session, self);
  self->study = tare_study_new (&study_class, session, self);
  _tare_compare_columns_add (self->table, kind);
  add_list_models (self);

  /* translators: names of the two that are compared */
  subtitle = g_strdup_printf (_("%s and %s"), self->names[0], self->names[1]);
  adw_window_title_set_title (self->heading, title);
  adw_window_title_set_subtitle (self->heading, subtitle);
  gtk_window_set_title (GTK_WINDOW (self), title);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);

  return self;
}

/**
 * tare_compare_sheet_new_models:
 * @parent: the window it belongs to
 * @session: with a model, which is A
 * @path: B: a file or a folder
 *
 * Returns: (transfer none): a sheet that opens B in the background, owned by GTK until it is closed
 */
TareCompareSheet *
tare_compare_sheet_new_models (GtkWindow   *parent,
                               TareSession *session,
                               const char  *path)
{
  TareCompareSheet *self;

  g_return_val_if_fail (TARE_IS_SESSION (session) && path != NULL, NULL);
  g_return_val_if_fail (tare_session_get_model (session) != NULL, NULL);

  self = new_sheet (parent, session, TARE_COMPARE_KIND_MODELS, path);
  adw_status_page_set_title (self->opening_page, _("Opening…"));
  tare_study_start (self->opening, NULL, g_strdup (path), g_free);

  return self;
}

/**
 * tare_compare_sheet_new_recipes:
 * @parent: the window it belongs to
 * @session: with a model; its present recipe, whatever becomes of it, is A
 * @path: B: a recipe
 *
 * Returns: (transfer none): a sheet, owned by GTK until it is closed
 */
TareCompareSheet *
tare_compare_sheet_new_recipes (GtkWindow   *parent,
                                TareSession *session,
                                const char  *path)
{
  g_autoptr(GError) error = NULL;
  TareCompareSheet *self;

  g_return_val_if_fail (TARE_IS_SESSION (session) && path != NULL, NULL);
  g_return_val_if_fail (tare_session_get_model (session) != NULL, NULL);

  self = new_sheet (parent, session, TARE_COMPARE_KIND_RECIPES, path);
  self->recipes[1] = tare_recipe_load (path, &error);
  if (self->recipes[1] == NULL)
    {
      fail (self, _("The Other Recipe Could Not Be Opened"), error->message);
      return self;
    }

  self->recipes[0] = tare_recipe_ref (tare_session_get_recipe (session));
  for (gsize i = 0; i < tare_model_get_n_tensors (self->models[0]); i++)
    add_row (self, _tare_compare_row_new_recipes ((guint) i,
                                                  tare_model_get_tensor (self->models[0], i),
                                                  self->recipes[0], self->recipes[1]));
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (recipe_changed_cb), self,
                           G_CONNECT_SWAPPED);
  show_rows (self);

  return self;
}

/**
 * tare_compare_sheet_get_state:
 * @self: the sheet
 *
 * Returns: "opening", "failed" or "table"
 */
const char *
tare_compare_sheet_get_state (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), NULL);

  return gtk_stack_get_visible_child_name (self->stack);
}

/**
 * tare_compare_sheet_get_message:
 * @self: the sheet
 *
 * Returns: (nullable): what went wrong, as markup; or which tensors cannot be compared
 */
const char *
tare_compare_sheet_get_message (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), NULL);

  if (g_str_equal (tare_compare_sheet_get_state (self), "failed"))
    return adw_status_page_get_description (self->failed_page);

  return gtk_label_get_label (self->warning_label);
}

/**
 * tare_compare_sheet_is_busy:
 * @self: the sheet
 *
 * Returns: whether there is more to come
 */
gboolean
tare_compare_sheet_is_busy (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), FALSE);

  return tare_study_is_running (self->opening) || tare_study_is_running (self->study)
         || self->refresh != 0;
}

/**
 * tare_compare_sheet_get_table:
 * @self: the sheet
 *
 * Returns: (transfer none): the table
 */
GtkColumnView *
tare_compare_sheet_get_table (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), NULL);

  return self->table;
}

/**
 * tare_compare_sheet_get_n_shown:
 * @self: the sheet
 *
 * Returns: how many rows pass the filter
 */
guint
tare_compare_sheet_get_n_shown (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), 0);

  return g_list_model_get_n_items (G_LIST_MODEL (self->sorted));
}

/**
 * tare_compare_sheet_count_differing:
 * @self: the sheet
 *
 * Returns: of how many tensors it is known that they differ
 */
guint
tare_compare_sheet_count_differing (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), 0);

  return _tare_compare_totals_count_differing (G_LIST_MODEL (self->rows));
}

/**
 * tare_compare_sheet_set_filter:
 * @self: the sheet
 * @text: part of a name or a format; "" for all tensors
 */
void
tare_compare_sheet_set_filter (TareCompareSheet *self,
                               const char       *text)
{
  g_return_if_fail (TARE_IS_COMPARE_SHEET (self));

  gtk_editable_set_text (GTK_EDITABLE (self->entry), text);
  filter_changed_cb (self);
}

/**
 * tare_compare_sheet_set_only_differing:
 * @self: the sheet
 * @only: whether to hide what is alike in both
 */
void
tare_compare_sheet_set_only_differing (TareCompareSheet *self,
                                       gboolean          only)
{
  g_return_if_fail (TARE_IS_COMPARE_SHEET (self));

  gtk_toggle_button_set_active (self->only_button, only);
}

/**
 * tare_compare_sheet_dup_csv:
 * @self: the sheet
 *
 * Returns: (transfer full): the rows in the order shown, with a head, commas between columns,
 *   numbers in full precision, nothing where there is none (RFC 4180)
 */
char *
tare_compare_sheet_dup_csv (TareCompareSheet *self)
{
  g_return_val_if_fail (TARE_IS_COMPARE_SHEET (self), NULL);

  return _tare_compare_columns_dup_csv (G_LIST_MODEL (self->sorted), self->kind);
}
