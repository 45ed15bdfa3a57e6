/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-preview-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-continuation.h"
#include "app/tare-study.h"
#include "app/tare-text.h"

/* Predictions that are listed: those beyond changed less, and nobody reads that far. */
#define ROWS 100

/* Tokens before a prediction that are shown with it. */
#define CONTEXT_TOKENS 24

/* Of each side, what may come next. */
#define CANDIDATES 8

struct _TarePreviewPage
{
  AdwBin       parent_instance;

  GtkStack    *stack;
  GtkDropDown *order_drop;
  GtkColumnView *table;
  GtkSingleSelection *selection;
  GtkGrid     *candidates;
  GtkLabel    *candidates_label;
  GtkLabel    *stale_label;
  GtkEntry    *prompt_entry;
  GtkWidget   *write_button;
  GtkSpinButton *tokens_spin;
  GtkSpinButton *temperature_spin;
  GtkSpinner  *spinner;
  GtkLabel    *base_label;
  GtkLabel    *recipe_label;

  TareSession *session;
  TareStudy   *next_study;
  TareStudy   *text_study;
  /* Which scores the rows are of, and which prediction each row is. */
  TareTokenScores *scores;
  GArray      *rows;
  guint        n_candidates;
  /* What the text has where the candidates are of. */
  guint32      actual;
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TarePreviewPage, tare_preview_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

/* --- what would come next --- */

typedef struct
{
  guint32 *tokens;
  gsize    n_tokens;
  guint32  actual;
} Prefix;

static void
prefix_free (gpointer data)
{
  Prefix *prefix = data;

  g_free (prefix->tokens);
  g_free (prefix);
}

static gboolean
study_next (TareStudyTask  *task,
            GError        **error)
{
  const Prefix *prefix = task->request;
  g_autoptr(TareRecipeWeights) weights = tare_recipe_weights_new (task->engine, task->recipe,
                                                                  task->calibration);
  TareNextTokens *next = tare_next_tokens_new (task->model, &tare_weights_of_file,
                                               &weights->weights, prefix->tokens,
                                               prefix->n_tokens, CANDIDATES, prefix->actual,
                                               task->progress, error);

  if (next == NULL)
    return FALSE;
  tare_study_post (task, next);

  return TRUE;
}

static char *
dup_percent (double share)
{
  g_autofree char *number = tare_text_significant (100.0 * share, 3);

  return g_strdup_printf ("%s %%", number);
}

static void
attach (TarePreviewPage *self,
        const char      *text,
        int              column,
        int              row,
        const char      *style)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), column == 0 ? 0.0f : 1.0f);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_widget_set_hexpand (label, column == 0);
  if (style != NULL)
    gtk_widget_add_css_class (label, style);
  gtk_grid_attach (self->candidates, label, column, row, 1, 1);
}

static void
clear_candidates (TarePreviewPage *self)
{
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->candidates))) != NULL)
    gtk_grid_remove (self->candidates, child);
  self->n_candidates = 0;
}

static void
take_next (gpointer owner,
           gpointer item)
{
  TarePreviewPage *self = owner;
  const TareNextTokens *next = item;
  g_autofree char *divergence = tare_text_significant (next->divergence, 3);
  g_autofree char *title = g_strdup_printf (_("What may come next; KL divergence %s"), divergence);

  clear_candidates (self);
  gtk_label_set_label (self->candidates_label, title);
  attach (self, _("token"), 0, 0, "dim-label");
  attach (self, _("text"), 1, 0, "dim-label");
  attach (self, _("as it is"), 2, 0, "dim-label");
  attach (self, _("recipe"), 3, 0, "dim-label");
  for (gsize i = 0; i < next->n; i++)
    {
      g_autofree char *text = tare_text_visible (next->rows[i].text);
      g_autofree char *quoted = g_strdup_printf ("“%s”", text);
      g_autofree char *base = dup_percent ((double) next->rows[i].base);
      g_autofree char *other = dup_percent ((double) next->rows[i].other);

      attach (self, quoted, 0, (int) i + 1, "numeric");
      if (next->rows[i].token == self->actual)
        attach (self, "✓", 1, (int) i + 1, NULL);
      attach (self, base, 2, (int) i + 1, "numeric");
      attach (self, other, 3, (int) i + 1, "numeric");
    }
  self->n_candidates = (guint) next->n;
}

static void
next_done (gpointer      owner,
           const GError *error)
{
  TarePreviewPage *self = owner;

  if (error != NULL)
    gtk_label_set_label (self->candidates_label, error->message);
}

static const TareStudyClass next_class = {
  .title = N_("Looking at a prediction"),
  .work = study_next,
  .news = take_next,
  .free_news = (GDestroyNotify) tare_next_tokens_free,
  .done = next_done,
};

static void
row_selected_cb (TarePreviewPage *self)
{
  guint row = gtk_single_selection_get_selected (self->selection);
  Prefix *prefix;
  const guint32 *tokens;
  gsize index, n;

  if (self->session == NULL)
    return;
  clear_candidates (self);
  if (self->scores == NULL || row >= self->rows->len)
    return;

  index = g_array_index (self->rows, gsize, row);
  tokens = tare_token_scores_get_prefix (self->scores, index, &n);
  if (n == 0)
    return;
  self->actual = tare_token_scores_get (self->scores, index)->token;
  prefix = g_new (Prefix, 1);
  prefix->tokens = g_memdup2 (tokens, n * sizeof *tokens);
  prefix->n_tokens = n;
  prefix->actual = self->actual;
  tare_study_start (self->next_study, NULL, prefix, prefix_free);
}

/* --- the predictions --- */

/**
 * Column:
 * @title: its head
 * @definition: what it shows
 * @write: what it says of a prediction; (nullable): the words before it, which a row is
 * @width: in characters
 * @figure: whether it is a number
 *
 * One column of the predictions.
 */
typedef struct
{
  const char *title;
  const char *definition;
  char     *(*write) (TarePreviewPage *self,
                      gsize            index);
  int         width;
  gboolean    figure;
} Column;

static char *
write_token (TarePreviewPage *self,
             gsize            index)
{
  g_autofree char *token =
    tare_token_scores_dup_text (self->scores, tare_token_scores_get_position (self->scores, index),
                                1);
  g_autofree char *shown = tare_text_visible (token);

  return g_strdup_printf ("“%s”", shown);
}

static char *
write_base (TarePreviewPage *self,
            gsize            index)
{
  return dup_percent (exp (-(double) tare_token_scores_get (self->scores, index)->base_nll));
}

static char *
write_recipe (TarePreviewPage *self,
              gsize            index)
{
  return dup_percent (exp (-(double) tare_token_scores_get (self->scores, index)->nll));
}

static char *
write_divergence (TarePreviewPage *self,
                  gsize            index)
{
  return tare_text_significant ((double) tare_token_scores_get (self->scores, index)->divergence,
                                3);
}

static char *
write_top (TarePreviewPage *self,
           gsize            index)
{
  return g_strdup (tare_token_scores_get (self->scores, index)->same_top ? _("same")
                                                                         : _("other"));
}

static const Column columns[] = {
  { N_("Before"), N_("What stands before the token in the text"), NULL, 12, FALSE },
  { N_("Token"), N_("What the text has next, and was to be predicted"), write_token, 8, FALSE },
  { N_("As it is"), N_("How likely the token is by the model as it is"), write_base, 8, TRUE },
  { N_("Recipe"), N_("How likely the token is under the recipe"), write_recipe, 8, TRUE },
  { N_("KL"), N_("KL divergence of all that may come next, recipe from model, in nats"),
    write_divergence, 8, TRUE },
  { N_("Top"), N_("Whether the likeliest token is still the same"), write_top, 5, FALSE },
};

static char *
dup_context (TarePreviewPage *self,
             gsize            index)
{
  gsize position = tare_token_scores_get_position (self->scores, index);
  gsize before = MIN (position, CONTEXT_TOKENS);
  g_autofree char *context = tare_token_scores_dup_text (self->scores, position - before, before);

  return tare_text_visible (context);
}

static void
setup_cb (GtkSignalListItemFactory *factory,
          GtkListItem              *item,
          gpointer                  data)
{
  const Column *column = data;
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_width_chars (GTK_LABEL (label), column->width);
  if (column->write == NULL)
    {
      /* The words next to the token tell most. */
      gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_START);
      gtk_label_set_xalign (GTK_LABEL (label), 1.0f);
      gtk_widget_add_css_class (label, "dim-label");
    }
  else
    {
      gtk_label_set_xalign (GTK_LABEL (label), column->figure ? 1.0f : 0.0f);
      gtk_widget_add_css_class (label, "numeric");
    }
  gtk_list_item_set_child (item, label);
}

static void
bind_cb (TarePreviewPage *self,
         GtkListItem     *item,
         GObject         *factory)
{
  const Column *column = g_object_get_data (factory, "tare-column");
  GtkLabel *label = GTK_LABEL (gtk_list_item_get_child (item));
  gsize index = g_array_index (self->rows, gsize, gtk_list_item_get_position (item));
  g_autofree char *text = NULL;

  if (column->write == NULL)
    {
      gtk_label_set_label (label,
                           gtk_string_object_get_string (gtk_list_item_get_item (item)));
      return;
    }

  text = column->write (self, index);
  gtk_label_set_label (label, text);
}

static void
add_column (TarePreviewPage *self,
            const Column    *column)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_autoptr(GtkColumnViewColumn) added = NULL;

  g_object_set_data (G_OBJECT (factory), "tare-column", (gpointer) column);
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), (gpointer) column);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_cb), self, G_CONNECT_SWAPPED);
  added = gtk_column_view_column_new (_(column->title), factory);
  gtk_column_view_column_set_resizable (added, TRUE);
  gtk_column_view_column_set_expand (added, column->write == NULL);
  gtk_column_view_append_column (self->table, added);
}

/* Heads stand over their numbers, with what they mean. */
static void
dress_heads (TarePreviewPage *self)
{
  GtkWidget *head = gtk_widget_get_first_child (GTK_WIDGET (self->table));
  GtkWidget *title = head != NULL ? gtk_widget_get_first_child (head) : NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (columns) && title != NULL; i++)
    {
      GtkWidget *box = gtk_widget_get_first_child (title);

      gtk_widget_set_tooltip_text (title, _(columns[i].definition));
      if ((columns[i].figure || columns[i].write == NULL) && box != NULL)
        gtk_widget_set_halign (box, GTK_ALIGN_END);
      title = gtk_widget_get_next_sibling (title);
    }
}

static void
fill_rows (TarePreviewPage *self)
{
  g_autoptr(GtkStringList) contexts = gtk_string_list_new (NULL);
  g_autofree gsize *order = NULL;
  gsize n = 0;

  /* The template's lists speak up while it is built and taken down. */
  if (self->session == NULL)
    return;

  tare_study_stop (self->next_study);
  gtk_single_selection_set_model (self->selection, NULL);
  g_array_set_size (self->rows, 0);
  clear_candidates (self);
  gtk_label_set_label (self->candidates_label, _("Select a prediction"));
  if (self->scores == NULL)
    return;

  order = tare_token_scores_sort (self->scores, gtk_drop_down_get_selected (self->order_drop), 0,
                                  G_MAXSIZE, &n);
  for (gsize i = 0; i < MIN (n, ROWS); i++)
    {
      g_autofree char *context = dup_context (self, order[i]);

      g_array_append_val (self->rows, order[i]);
      gtk_string_list_append (contexts, context);
    }
  gtk_single_selection_set_model (self->selection, G_LIST_MODEL (contexts));
}

static void
update (TarePreviewPage *self)
{
  TareTokenScores *scores = tare_session_get_token_scores (self->session);
  TareAccuracy accuracy;
  TareFigureState state = tare_session_get_accuracy (self->session, &accuracy);

  gtk_widget_set_visible (GTK_WIDGET (self->stale_label), state == TARE_FIGURE_STATE_STALE);
  gtk_stack_set_visible_child_name (self->stack, scores != NULL ? "content" : "empty");
  if (scores == self->scores || !gtk_widget_get_mapped (GTK_WIDGET (self)))
    return;

  g_clear_pointer (&self->scores, tare_token_scores_unref);
  self->scores = scores != NULL ? tare_token_scores_ref (scores) : NULL;
  fill_rows (self);
}

/* --- a prompt, written on --- */

typedef struct
{
  char     *text;
  gboolean  recipe;
} Written;

/* What to write on, and how. */
typedef struct
{
  char   *prompt;
  guint   n_tokens;
  double  temperature;
} Prompt;

static void
prompt_free (gpointer data)
{
  Prompt *prompt = data;

  g_free (prompt->prompt);
  g_free (prompt);
}

static void
written_free (gpointer data)
{
  Written *written = data;

  g_free (written->text);
  g_free (written);
}

static gboolean
write_on (TareStudyTask      *task,
          const TareWeights  *weights,
          gboolean            recipe,
          double              begin,
          double              end,
          GError            **error)
{
  TareContinuationOptions options = TARE_CONTINUATION_OPTIONS_DEFAULT;
  const Prompt *prompt = task->request;
  TareProgress part = tare_progress_part (task->progress, begin, end);
  g_autoptr(TareContinuation) continuation = NULL;
  Written *written;

  options.n_tokens = prompt->n_tokens;
  options.temperature = prompt->temperature;
  continuation = tare_continuation_new (task->model, weights, prompt->prompt,
                                        strlen (prompt->prompt), &options, &part, error);
  if (continuation == NULL)
    return FALSE;

  written = g_new (Written, 1);
  written->recipe = recipe;
  written->text = tare_continuation_dup_written (continuation);
  tare_study_post (task, written);

  return TRUE;
}

static gboolean
study_text (TareStudyTask  *task,
            GError        **error)
{
  g_autoptr(TareRecipeWeights) weights = tare_recipe_weights_new (task->engine, task->recipe,
                                                                  task->calibration);

  return write_on (task, &tare_weights_of_file, FALSE, 0.0, 0.5, error)
         && write_on (task, &weights->weights, TRUE, 0.5, 1.0, error);
}

static void
take_text (gpointer owner,
           gpointer item)
{
  TarePreviewPage *self = owner;
  const Written *written = item;

  gtk_label_set_label (written->recipe ? self->recipe_label : self->base_label, written->text);
}

static void
text_done (gpointer      owner,
           const GError *error)
{
  TarePreviewPage *self = owner;

  gtk_spinner_stop (self->spinner);
  if (error != NULL)
    gtk_label_set_label (self->recipe_label, error->message);
}

static const TareStudyClass text_class = {
  .title = N_("Writing a prompt on"),
  .work = study_text,
  .news = take_text,
  .free_news = written_free,
  .done = text_done,
};

static void
write_cb (TarePreviewPage *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->prompt_entry));
  Prompt *prompt;

  if (text[0] == '\0')
    return;
  gtk_label_set_label (self->base_label, "");
  gtk_label_set_label (self->recipe_label, "");
  gtk_spinner_start (self->spinner);
  prompt = g_new (Prompt, 1);
  prompt->prompt = g_strdup (text);
  prompt->n_tokens = (guint) gtk_spin_button_get_value_as_int (self->tokens_spin);
  prompt->temperature = gtk_spin_button_get_value (self->temperature_spin);
  tare_study_start (self->text_study, NULL, prompt, prompt_free);
}

/* --- the page --- */

static void
model_changed_cb (TarePreviewPage *self)
{
  TareModel *model = tare_session_get_model (self->session);

  tare_study_stop (self->next_study);
  tare_study_stop (self->text_study);
  gtk_spinner_stop (self->spinner);
  gtk_label_set_label (self->base_label, "");
  gtk_label_set_label (self->recipe_label, "");
  gtk_widget_set_sensitive (self->write_button,
                            model != NULL && tare_model_check_runnable (model, NULL));
  update (self);
}

static void
tare_preview_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (tare_preview_page_parent_class)->map (widget);

  if (((TarePreviewPage *) widget)->session != NULL)
    update ((TarePreviewPage *) widget);
}

static void
tare_preview_page_dispose (GObject *object)
{
  TarePreviewPage *self = (TarePreviewPage *) object;
  g_autoptr(TareSession) session = NULL;

  g_clear_pointer (&self->next_study, tare_study_free);
  g_clear_pointer (&self->text_study, tare_study_free);
  session = g_steal_pointer (&self->session);
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_PREVIEW_PAGE);
  g_clear_pointer (&self->scores, tare_token_scores_unref);
  g_clear_pointer (&self->rows, g_array_unref);

  G_OBJECT_CLASS (tare_preview_page_parent_class)->dispose (object);
}

static void
tare_preview_page_class_init (TarePreviewPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_preview_page_dispose;
  widget_class->map = tare_preview_page_map;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-preview-page.ui");
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, stack);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, order_drop);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, table);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, selection);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, candidates);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, candidates_label);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, stale_label);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, prompt_entry);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, write_button);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, tokens_spin);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, temperature_spin);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, spinner);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, base_label);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, recipe_label);
  gtk_widget_class_bind_template_callback (widget_class, fill_rows);
  gtk_widget_class_bind_template_callback (widget_class, row_selected_cb);
  gtk_widget_class_bind_template_callback (widget_class, write_cb);
}

static void
tare_preview_page_init (TarePreviewPage *self)
{
  self->rows = g_array_new (FALSE, FALSE, sizeof (gsize));
  gtk_widget_init_template (GTK_WIDGET (self));
  for (gsize i = 0; i < G_N_ELEMENTS (columns); i++)
    add_column (self, &columns[i]);
  dress_heads (self);
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TarePreviewPage *self = (TarePreviewPage *) page;

  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  self->next_study = tare_study_new (&next_class, session, self);
  self->text_study = tare_study_new (&text_class, session, self);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "figures-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  model_changed_cb (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_preview_page_get_n_predictions:
 * @self: the page
 *
 * Returns: how many predictions are listed
 */
guint
tare_preview_page_get_n_predictions (TarePreviewPage *self)
{
  g_return_val_if_fail (TARE_IS_PREVIEW_PAGE (self), 0);

  return self->rows->len;
}

/**
 * tare_preview_page_select:
 * @self: the page
 * @row: which of the listed predictions to look at
 */
void
tare_preview_page_select (TarePreviewPage *self,
                          guint            row)
{
  g_return_if_fail (TARE_IS_PREVIEW_PAGE (self));

  gtk_single_selection_set_selected (self->selection, row);
}

/**
 * tare_preview_page_get_n_candidates:
 * @self: the page
 *
 * Returns: how many tokens that may come next are shown
 */
guint
tare_preview_page_get_n_candidates (TarePreviewPage *self)
{
  g_return_val_if_fail (TARE_IS_PREVIEW_PAGE (self), 0);

  return self->n_candidates;
}

/**
 * tare_preview_page_write_on:
 * @self: the page
 * @prompt: what both are to write on
 */
void
tare_preview_page_write_on (TarePreviewPage *self,
                            const char      *prompt)
{
  g_return_if_fail (TARE_IS_PREVIEW_PAGE (self));

  gtk_editable_set_text (GTK_EDITABLE (self->prompt_entry), prompt);
  write_cb (self);
}

/**
 * tare_preview_page_get_text:
 * @self: the page
 * @recipe: of the recipe, or of the model as it is
 *
 * Returns: what was written so far
 */
const char *
tare_preview_page_get_text (TarePreviewPage *self,
                            gboolean         recipe)
{
  g_return_val_if_fail (TARE_IS_PREVIEW_PAGE (self), NULL);

  return gtk_label_get_label (recipe ? self->recipe_label : self->base_label);
}
