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

/* Tokens that a prompt is written on by: a few lines. */
#define TOKENS 60

struct _TarePreviewPage
{
  AdwBin       parent_instance;

  GtkStack    *stack;
  GtkDropDown *order_drop;
  GtkListBox  *list;
  GtkGrid     *candidates;
  GtkLabel    *candidates_label;
  GtkLabel    *stale_label;
  GtkEntry    *prompt_entry;
  GtkWidget   *write_button;
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
};

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TarePreviewPage, tare_preview_page, ADW_TYPE_BIN,
                               G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

/* --- what would come next --- */

typedef struct
{
  guint32 *tokens;
  gsize    n_tokens;
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
                                               prefix->n_tokens, CANDIDATES, task->progress,
                                               error);

  if (next == NULL)
    return FALSE;
  tare_study_post (task, next);

  return TRUE;
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
  g_autofree char *divergence = tare_text_number (next->divergence, 3);
  g_autofree char *title = g_strdup_printf (_("What may come next; KL divergence %s"), divergence);

  clear_candidates (self);
  gtk_label_set_label (self->candidates_label, title);
  attach (self, _("token"), 0, 0, "dim-label");
  attach (self, _("as it is"), 1, 0, "dim-label");
  attach (self, _("recipe"), 2, 0, "dim-label");
  for (gsize i = 0; i < next->n; i++)
    {
      g_autofree char *text = tare_text_visible (next->rows[i].text);
      g_autofree char *quoted = g_strdup_printf ("“%s”", text);
      g_autofree char *base = g_strdup_printf ("%.1f %%", 100.0 * (double) next->rows[i].base);
      g_autofree char *other = g_strdup_printf ("%.1f %%", 100.0 * (double) next->rows[i].other);

      attach (self, quoted, 0, (int) i + 1, NULL);
      attach (self, base, 1, (int) i + 1, "numeric");
      attach (self, other, 2, (int) i + 1, "numeric");
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
row_selected_cb (TarePreviewPage *self,
                 GtkListBoxRow   *row)
{
  Prefix *prefix;
  const guint32 *tokens;
  gsize n;

  if (self->session == NULL)
    return;
  clear_candidates (self);
  if (row == NULL || self->scores == NULL || gtk_list_box_row_get_index (row) < 0
      || (guint) gtk_list_box_row_get_index (row) >= self->rows->len)
    return;

  tokens = tare_token_scores_get_prefix (self->scores,
                                         g_array_index (self->rows, gsize,
                                                        gtk_list_box_row_get_index (row)), &n);
  if (n == 0)
    return;
  prefix = g_new (Prefix, 1);
  prefix->tokens = g_memdup2 (tokens, n * sizeof *tokens);
  prefix->n_tokens = n;
  tare_study_start (self->next_study, NULL, prefix, prefix_free);
}

/* --- the predictions --- */

static GtkWidget *
new_row (TarePreviewPage *self,
         gsize            index)
{
  const TareTokenScore *score = tare_token_scores_get (self->scores, index);
  gsize position = tare_token_scores_get_position (self->scores, index);
  gsize before = MIN (position, CONTEXT_TOKENS);
  g_autofree char *context = tare_token_scores_dup_text (self->scores, position - before, before);
  g_autofree char *token = tare_token_scores_dup_text (self->scores, position, 1);
  g_autofree char *line = tare_text_visible (context);
  g_autofree char *shown = tare_text_visible (token);
  g_autofree char *quoted = g_strdup_printf ("“%s”", shown);
  g_autofree char *divergence = tare_text_number ((double) score->divergence, 3);
  g_autofree char *figures = g_strdup_printf (_("%.1f %% → %.1f %%   KL %s"),
                                              100.0 * exp (-(double) score->base_nll),
                                              100.0 * exp (-(double) score->nll), divergence);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *labels[3] = { gtk_label_new (line), gtk_label_new (quoted), gtk_label_new (figures) };

  gtk_label_set_ellipsize (GTK_LABEL (labels[0]), PANGO_ELLIPSIZE_START);
  gtk_label_set_xalign (GTK_LABEL (labels[0]), 1.0f);
  gtk_widget_set_hexpand (labels[0], TRUE);
  gtk_widget_add_css_class (labels[0], "dim-label");
  gtk_widget_add_css_class (labels[1], score->same_top ? "numeric" : "heading");
  gtk_widget_add_css_class (labels[2], "numeric");
  gtk_label_set_width_chars (GTK_LABEL (labels[1]), 10);
  gtk_label_set_xalign (GTK_LABEL (labels[1]), 0.0f);
  gtk_label_set_width_chars (GTK_LABEL (labels[2]), 26);
  gtk_label_set_xalign (GTK_LABEL (labels[2]), 1.0f);
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++)
    gtk_box_append (GTK_BOX (box), labels[i]);

  return box;
}

static void
fill_rows (TarePreviewPage *self)
{
  g_autofree gsize *order = NULL;
  GtkWidget *child;
  gsize n = 0;

  /* The template's lists speak up while it is built and taken down. */
  if (self->session == NULL)
    return;

  tare_study_stop (self->next_study);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->list))) != NULL)
    gtk_list_box_remove (self->list, child);
  g_array_set_size (self->rows, 0);
  clear_candidates (self);
  gtk_label_set_label (self->candidates_label, _("Select a prediction"));
  if (self->scores == NULL)
    return;

  order = tare_token_scores_sort (self->scores, gtk_drop_down_get_selected (self->order_drop), 0,
                                  G_MAXSIZE, &n);
  for (gsize i = 0; i < MIN (n, ROWS); i++)
    {
      g_array_append_val (self->rows, order[i]);
      gtk_list_box_append (self->list, new_row (self, order[i]));
    }
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
  const char *prompt = task->request;
  TareProgress part = tare_progress_part (task->progress, begin, end);
  g_autoptr(TareContinuation) continuation = NULL;
  Written *written;

  options.n_tokens = TOKENS;
  continuation = tare_continuation_new (task->model, weights, prompt, strlen (prompt), &options,
                                        &part, error);
  if (continuation == NULL)
    return FALSE;

  written = g_new (Written, 1);
  written->recipe = recipe;
  written->text = tare_continuation_dup_text (continuation, 0,
                                              tare_continuation_get_n_tokens (continuation));
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
  const char *prompt = gtk_editable_get_text (GTK_EDITABLE (self->prompt_entry));

  if (prompt[0] == '\0')
    return;
  gtk_label_set_label (self->base_label, "");
  gtk_label_set_label (self->recipe_label, "");
  gtk_spinner_start (self->spinner);
  tare_study_start (self->text_study, NULL, g_strdup (prompt), g_free);
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
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, list);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, candidates);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, candidates_label);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, stale_label);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, prompt_entry);
  gtk_widget_class_bind_template_child (widget_class, TarePreviewPage, write_button);
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

  gtk_list_box_select_row (self->list, gtk_list_box_get_row_at_index (self->list, (int) row));
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
