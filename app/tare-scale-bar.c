/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-scale-bar.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-text.h"
#include "widgets/tare-fold-layout.h"

/* Pixels between two figures. */
#define FIGURE_SPACING 18

/* What one figure shows; @stale is for what belongs to an earlier recipe. */
typedef struct
{
  char     *text;
  char     *hint;
  gboolean  stale;
} Reading;

/* Where the window is narrow the figure with the highest @rank goes first; those without stay. */
typedef struct
{
  const char *id;
  guint       rank;
  const char *caption;
  const char *stale_caption;
  const char *definition;
  void      (*read) (TareSession *session,
                     Reading     *reading);
} Figure;

static void read_size       (TareSession *session,
                             Reading     *reading);
static void read_bits       (TareSession *session,
                             Reading     *reading);
static void read_saving     (TareSession *session,
                             Reading     *reading);
static void read_perplexity (TareSession *session,
                             Reading     *reading);
static void read_kl         (TareSession *session,
                             Reading     *reading);
static void read_top        (TareSession *session,
                             Reading     *reading);

static const Figure figures[] = {
  { "size", 0, N_("size"), NULL,
    N_("All tensors under the recipe, those without a format as the source has them, without the "
       "file's header"), read_size },
  { "bits", 1, N_("bits/weight"), NULL,
    N_("Bits per weight: 8 × bytes / weights, scales and all"), read_bits },
  { "saving", 3, N_("vs. source"), NULL,
    N_("Change in size against the tensors as the source has them"), read_saving },
  { "perplexity", 0, N_("perplexity"), N_("perplexity (stale)"),
    N_("Perplexity: exp of the mean negative log-likelihood of the text's tokens, ± its standard "
       "error; the model as stored → the recipe"), read_perplexity },
  { "kl", 0, N_("KL divergence"), N_("KL divergence (stale)"),
    N_("Mean Kullback-Leibler divergence of the recipe's next-token distribution from the "
       "stored model's, in nats, ± its standard error"), read_kl },
  { "top", 2, N_("same top"), N_("same top (stale)"),
    N_("Share of predictions whose likeliest next token is the stored model's, ± its "
       "standard error"), read_top },
};

struct _TareScaleBar
{
  AdwBin         parent_instance;

  GtkBox        *figures;
  GtkButton     *measure_button;
  GtkWidget     *trouble_button;
  GtkLabel      *trouble_label;
  GtkLabel      *trouble_whole;
  GtkWidget     *job_box;
  GtkMenuButton *job_button;
  GtkListBox    *job_list;
  GtkLabel      *job_label;
  GtkProgressBar *job_progress;
  GtkWidget     *cancel_button;

  GtkWidget     *boxes[G_N_ELEMENTS (figures)];
  GtkLabel      *values[G_N_ELEMENTS (figures)];
  GtkLabel      *captions[G_N_ELEMENTS (figures)];
  GtkLabel      *obstacle_label;

  TareSession   *session;
  GSignalGroup  *job_signals;
};

G_DEFINE_FINAL_TYPE (TareScaleBar, tare_scale_bar, ADW_TYPE_BIN)

static void
read_size (TareSession *session,
           Reading     *reading)
{
  TareRecipeSize size = tare_session_get_size (session);

  reading->text = tare_text_bytes (size.bytes);
  reading->hint = tare_text_bytes_exact (size.bytes);
}

static void
read_bits (TareSession *session,
           Reading     *reading)
{
  TareRecipeSize size = tare_session_get_size (session);

  reading->text = tare_text_bits (size.bits_per_weight);
  if (size.n_fallbacks > 0)
    reading->hint = g_strdup_printf (ngettext ("%u tensor has rows that its format does not "
                                               "divide and takes another",
                                               "%u tensors have rows that their format does not "
                                               "divide and take another", size.n_fallbacks),
                                     size.n_fallbacks);
}

/* No sign before what is shown as nothing. */
static char *
write_change (double change)
{
  g_autofree char *share = NULL;

  if (!isfinite (change))
    return g_strdup (TARE_TEXT_UNKNOWN);
  if (fabs (change) < 0.0005)
    return g_strdup ("0 %");

  share = tare_text_share (fabs (change), 1);

  return g_strconcat (change < 0.0 ? "−" : "+", share, NULL);
}

static void
read_saving (TareSession *session,
             Reading     *reading)
{
  TareRecipeSize size = tare_session_get_size (session);
  double change = (double) NAN;
  g_autofree char *source = NULL;

  if (size.source_bytes > 0)
    change = (double) size.bytes / (double) size.source_bytes - 1.0;

  reading->text = write_change (change);
  source = tare_text_bytes_exact (size.source_bytes);
  reading->hint = g_strdup_printf (_("The source: %s"), source);
}

/* Whether there is a figure to show; otherwise says why there is none. */
static gboolean
read_state (TareSession     *session,
            TareFigureState  state,
            Reading         *reading)
{
  TareModel *model = tare_session_get_model (session);
  g_autoptr(GError) error = NULL;

  reading->stale = state == TARE_FIGURE_STATE_STALE;
  if (state != TARE_FIGURE_STATE_NONE)
    return TRUE;

  if (model != NULL && !tare_model_check_runnable (model, &error))
    reading->hint = g_strdup (error->message);
  else if (tare_session_is_measuring (session))
    reading->hint = g_strdup (_("Being measured"));
  else if (tare_session_get_trouble (session) != NULL)
    reading->hint = g_strdup (tare_session_get_trouble (session));
  else
    reading->hint = g_strdup (_("Not yet measured"));

  return FALSE;
}

/* What is kept of a run, so that the next, or one that was stopped, goes on from there. */
static char *
describe_boundaries (TareSession        *session,
                     const TareAccuracy *accuracy)
{
  const TareConfig *config = tare_model_get_config (tare_session_get_model (session));
  guint64 each = (guint64) accuracy->n_chunks * accuracy->context * config->width * sizeof (float);
  g_autofree char *bytes = tare_text_bytes (each * accuracy->n_boundaries);

  /* translators: of the blocks' boundaries so many are kept, so many of these in files; a size */
  return g_strdup_printf (_("Boundary cache: %u of %u blocks, %u of them in files, %s"),
                          accuracy->n_boundaries, config->n_blocks, accuracy->n_in_files, bytes);
}

/* On what and by which convention a figure was measured. */
static char *
describe_evaluation (TareSession        *session,
                     const TareAccuracy *accuracy)
{
  const char *path = tare_session_get_evaluation_text (session);
  g_autofree char *name = path != NULL ? g_path_get_basename (path) : g_strdup (TARE_TEXT_UNKNOWN);
  g_autofree char *kept = describe_boundaries (session, accuracy);
  g_autofree char *on = NULL;

  /* translators: a text, how many predictions, and how many tokens a chunk has */
  on = g_strdup_printf (ngettext ("%s: %lu prediction, as llama.cpp does it: chunks of %u "
                                  "tokens, the second half of each is scored",
                                  "%s: %lu predictions, as llama.cpp does it: chunks of %u "
                                  "tokens, the second half of each is scored",
                                  accuracy->n_tokens),
                        name, (gulong) accuracy->n_tokens, accuracy->context);

  return g_strdup_printf ("%s\n%s", on, kept);
}

static void
read_perplexity (TareSession *session,
                 Reading     *reading)
{
  TareAccuracy base;
  TareAccuracy accuracy;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (tare_session_get_base_accuracy (session, &base) == TARE_FIGURE_STATE_NONE)
    {
      read_state (session, TARE_FIGURE_STATE_NONE, reading);
      reading->text = g_strdup (TARE_TEXT_UNKNOWN);
      return;
    }

  before = tare_text_doubtful (base.perplexity, base.perplexity_error);
  if (read_state (session, tare_session_get_accuracy (session, &accuracy), reading))
    {
      after = tare_text_doubtful (accuracy.perplexity, accuracy.perplexity_error);
      reading->text = g_strdup_printf ("%s → %s", before, after);
      reading->hint = describe_evaluation (session, &accuracy);
    }
  else
    {
      reading->text = g_strdup (before);
    }
}

static void
read_kl (TareSession *session,
         Reading     *reading)
{
  TareAccuracy accuracy;
  g_autofree char *on = NULL;

  if (!read_state (session, tare_session_get_accuracy (session, &accuracy), reading))
    {
      reading->text = g_strdup (TARE_TEXT_UNKNOWN);
      return;
    }
  if (!accuracy.has_base)
    accuracy.kl_mean = (double) NAN;

  reading->text = tare_text_doubtful (accuracy.kl_mean, accuracy.kl_error);
  on = describe_evaluation (session, &accuracy);
  if (accuracy.has_base)
    {
      g_autofree char *median = tare_text_number (accuracy.kl_median, 3);
      g_autofree char *p99 = tare_text_number (accuracy.kl_p99, 3);
      g_autofree char *largest = tare_text_number (accuracy.kl_max, 3);

      reading->hint = g_strdup_printf (_("Median %s, 99th percentile %s, largest %s\n%s"), median,
                                       p99, largest, on);
    }
}

static void
read_top (TareSession *session,
          Reading     *reading)
{
  TareAccuracy accuracy;
  g_autofree char *doubt = NULL;
  g_autofree char *on = NULL;

  if (!read_state (session, tare_session_get_accuracy (session, &accuracy), reading)
      || !accuracy.has_base)
    {
      reading->text = g_strdup (TARE_TEXT_UNKNOWN);
      return;
    }

  reading->text = tare_text_share (accuracy.same_top, 1);
  doubt = tare_text_share (accuracy.same_top_error, 2);
  on = describe_evaluation (session, &accuracy);
  reading->hint = g_strdup_printf (_("Standard error %s\n%s"), doubt, on);
}

static void
show_figure (TareScaleBar *self,
             gsize         index)
{
  const Figure *figure = &figures[index];
  Reading reading = { NULL, NULL, FALSE };
  const char *caption;
  g_autofree char *hint = NULL;
  g_autofree char *label = NULL;

  figure->read (self->session, &reading);
  caption = reading.stale && figure->stale_caption != NULL ? _(figure->stale_caption)
                                                           : _(figure->caption);
  hint = reading.hint != NULL ? g_strdup_printf ("%s\n%s", _(figure->definition), reading.hint)
                              : g_strdup (_(figure->definition));
  label = g_strdup_printf ("%s: %s", caption, reading.text);

  gtk_label_set_label (self->values[index], reading.text);
  gtk_label_set_label (self->captions[index], caption);
  gtk_widget_set_tooltip_text (self->boxes[index], hint);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->boxes[index]),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, hint,
                                  -1);
  if (reading.stale)
    gtk_widget_add_css_class (self->boxes[index], "stale");
  else
    gtk_widget_remove_css_class (self->boxes[index], "stale");

  g_free (reading.text);
  g_free (reading.hint);
}

/* Why the last measurement failed stands beside the button that tries again. */
static void
show_trouble (TareScaleBar *self,
              gboolean      can_measure)
{
  const char *trouble = tare_session_get_trouble (self->session);
  g_autofree char *text = NULL;

  gtk_widget_set_visible (self->trouble_button, can_measure && trouble != NULL);
  gtk_button_set_label (self->measure_button, trouble != NULL ? _("Try Again") : _("Measure"));
  if (trouble == NULL)
    return;

  /* translators: %s says why */
  text = g_strdup_printf (_("Not measured: %s"), trouble);
  gtk_label_set_label (self->trouble_label, text);
  gtk_label_set_label (self->trouble_whole, text);
  gtk_widget_set_tooltip_text (self->trouble_button, text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->trouble_button),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
}

static void
show_measure_button (TareScaleBar *self)
{
  GListModel *jobs = G_LIST_MODEL (tare_session_get_jobs (self->session));
  TareModel *model = tare_session_get_model (self->session);
  gboolean idle = g_list_model_get_n_items (jobs) == 0;
  TareAccuracy accuracy;
  TareFigureState state = tare_session_get_accuracy (self->session, &accuracy);
  gboolean can_measure = idle && state != TARE_FIGURE_STATE_CURRENT && model != NULL
                         && tare_model_check_runnable (model, NULL);

  gtk_widget_set_visible (GTK_WIDGET (self->measure_button), can_measure);
  show_trouble (self, can_measure);
}

/* Where the model cannot be run, the reason stands in the place of what cannot be measured. */
static void
show_obstacle (TareScaleBar *self)
{
  TareModel *model = tare_session_get_model (self->session);
  g_autoptr(GError) error = NULL;
  gboolean runnable = model == NULL || tare_model_check_runnable (model, &error);
  g_autofree char *prefix = NULL;
  g_autofree char *text = NULL;
  const char *reason;

  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    gtk_widget_set_visible (self->boxes[i], runnable || figures[i].stale_caption == NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->obstacle_label), !runnable);
  if (runnable)
    return;

  /* Which model needs no saying here. */
  prefix = g_strconcat (tare_model_get_path (model), ": ", NULL);
  reason = g_str_has_prefix (error->message, prefix) ? error->message + strlen (prefix)
                                                     : error->message;
  /* translators: %s says why a model cannot be run */
  text = g_strdup_printf (_("Perplexity cannot be measured: %s"), reason);
  gtk_label_set_label (self->obstacle_label, text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->obstacle_label), text);
}

static void
update_figures (TareScaleBar *self)
{
  show_obstacle (self);
  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    show_figure (self, i);
  show_measure_button (self);
}

/* What runs, or else the first that waits. */
static TareJob *
dup_present_job (TareScaleBar *self)
{
  GListModel *jobs = G_LIST_MODEL (tare_session_get_jobs (self->session));

  for (guint i = 0; i < g_list_model_get_n_items (jobs); i++)
    {
      g_autoptr(TareJob) job = g_list_model_get_item (jobs, i);

      if (tare_job_get_state (job) == TARE_JOB_STATE_RUNNING)
        return g_steal_pointer (&job);
    }

  return g_list_model_get_item (jobs, 0);
}

static char *
describe_job (TareJob *job)
{
  int percent = (int) (100.0 * tare_job_get_progress (job));
  double remaining = tare_job_get_remaining (job);
  g_autofree char *left = NULL;

  if (tare_job_get_state (job) == TARE_JOB_STATE_QUEUED)
    return g_strdup_printf (_("%s, waiting"), tare_job_get_title (job));
  if (remaining < 0.0 || !isfinite (remaining))
    return g_strdup_printf (_("%s, %d %%"), tare_job_get_title (job), percent);

  left = tare_text_duration (remaining);

  /* translators: what is done, how much of it, and the time it still takes */
  return g_strdup_printf (_("%s, %d %%, %s left"), tare_job_get_title (job), percent, left);
}

static void
update_job (TareScaleBar *self)
{
  GListModel *jobs = G_LIST_MODEL (tare_session_get_jobs (self->session));
  guint n = g_list_model_get_n_items (jobs);
  g_autoptr(TareJob) job = g_signal_group_dup_target (self->job_signals);
  g_autofree char *text = NULL;

  if (job == NULL)
    return;

  text = describe_job (job);
  if (n > 1)
    {
      g_autofree char *alone = g_steal_pointer (&text);

      /* translators: %s is what runs, %u how many other things run or wait */
      text = g_strdup_printf (ngettext ("%s, %u more", "%s, %u more", n - 1), alone, n - 1);
    }
  gtk_label_set_label (self->job_label, text);
  gtk_progress_bar_set_fraction (self->job_progress, tare_job_get_progress (job));
}

static void
update_jobs (TareScaleBar *self)
{
  g_autoptr(TareJob) job = dup_present_job (self);

  g_signal_group_set_target (self->job_signals, job);
  gtk_widget_set_visible (self->job_box, job != NULL);
  if (job == NULL)
    gtk_menu_button_popdown (self->job_button);
  update_job (self);
  show_measure_button (self);
}

static void
job_notify_cb (TareScaleBar *self)
{
  g_autoptr(TareJob) shown = g_signal_group_dup_target (self->job_signals);

  if (shown != NULL && tare_job_get_state (shown) == TARE_JOB_STATE_QUEUED)
    update_jobs (self);
  else
    update_job (self);
}

static void
cancel_cb (TareScaleBar *self)
{
  g_autoptr(TareJob) job = g_signal_group_dup_target (self->job_signals);

  if (job != NULL)
    tare_job_cancel (job);
}

static GtkWidget *
create_job_row (gpointer item,
                gpointer user_data)
{
  TareJob *job = item;
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *bar = gtk_progress_bar_new ();
  GtkWidget *button = gtk_button_new_from_icon_name ("process-stop-symbolic");

  g_object_bind_property (job, "title", row, "title", G_BINDING_SYNC_CREATE);
  g_object_bind_property (job, "stage", row, "subtitle", G_BINDING_SYNC_CREATE);
  g_object_bind_property (job, "progress", bar, "fraction", G_BINDING_SYNC_CREATE);
  g_signal_connect_object (button, "clicked", G_CALLBACK (tare_job_cancel), job,
                           G_CONNECT_SWAPPED);

  adw_preferences_row_set_use_markup (ADW_PREFERENCES_ROW (row), FALSE);
  gtk_widget_set_valign (bar, GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (bar, 80, -1);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, _("Cancel"));
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), bar);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);

  return row;
}

static void
add_figure (TareScaleBar *self,
            gsize         index)
{
  GtkWidget *box = g_object_new (GTK_TYPE_BOX,
                                 "orientation", GTK_ORIENTATION_VERTICAL,
                                 "valign", GTK_ALIGN_CENTER,
                                 "accessible-role", GTK_ACCESSIBLE_ROLE_GROUP,
                                 NULL);
  GtkWidget *value = gtk_label_new (TARE_TEXT_UNKNOWN);
  GtkWidget *caption = gtk_label_new (_(figures[index].caption));

  gtk_label_set_xalign (GTK_LABEL (value), 0.0f);
  gtk_label_set_ellipsize (GTK_LABEL (value), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (value, "numeric");
  gtk_widget_add_css_class (value, "figure");
  gtk_label_set_xalign (GTK_LABEL (caption), 0.0f);
  gtk_label_set_ellipsize (GTK_LABEL (caption), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (caption, "caption");
  gtk_widget_add_css_class (caption, "dim-label");
  gtk_box_append (GTK_BOX (box), value);
  gtk_box_append (GTK_BOX (box), caption);
  gtk_box_append (self->figures, box);
  tare_fold_layout_set_rank (box, figures[index].rank);

  self->boxes[index] = box;
  self->values[index] = GTK_LABEL (value);
  self->captions[index] = GTK_LABEL (caption);
}

static void
tare_scale_bar_dispose (GObject *object)
{
  TareScaleBar *self = (TareScaleBar *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  if (self->job_list != NULL)
    gtk_list_box_bind_model (self->job_list, NULL, NULL, NULL, NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_SCALE_BAR);
  g_clear_object (&self->job_signals);

  G_OBJECT_CLASS (tare_scale_bar_parent_class)->dispose (object);
}

static void
tare_scale_bar_class_init (TareScaleBarClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_scale_bar_dispose;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-scale-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, figures);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, measure_button);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, trouble_button);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, trouble_label);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, trouble_whole);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, job_box);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, job_button);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, job_list);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, job_label);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, job_progress);
  gtk_widget_class_bind_template_child (widget_class, TareScaleBar, cancel_button);
  gtk_widget_class_bind_template_callback (widget_class, cancel_cb);
}

static void
tare_scale_bar_init (TareScaleBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  gtk_widget_set_layout_manager (GTK_WIDGET (self->figures),
                                 tare_fold_layout_new (FIGURE_SPACING));
  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    add_figure (self, i);
  self->obstacle_label = g_object_new (GTK_TYPE_LABEL,
                                       "visible", FALSE,
                                       "xalign", 0.0,
                                       "hexpand", TRUE,
                                       "max-width-chars", 40,
                                       "wrap", TRUE,
                                       "lines", 2,
                                       "ellipsize", PANGO_ELLIPSIZE_END,
                                       NULL);
  gtk_box_append (self->figures, GTK_WIDGET (self->obstacle_label));

  self->job_signals = g_signal_group_new (TARE_TYPE_JOB);
  g_signal_group_connect_object (self->job_signals, "notify", G_CALLBACK (job_notify_cb), self,
                                 G_CONNECT_SWAPPED);
}

/**
 * tare_scale_bar_set_session:
 * @self: the bar
 * @session: what to weigh; to be set once
 */
void
tare_scale_bar_set_session (TareScaleBar *self,
                            TareSession  *session)
{
  TareJobQueue *jobs = tare_session_get_jobs (session);

  g_return_if_fail (TARE_IS_SCALE_BAR (self));
  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  g_signal_connect_object (session, "figures-changed", G_CALLBACK (update_figures), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (update_figures), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (jobs, "items-changed", G_CALLBACK (update_jobs), self,
                           G_CONNECT_SWAPPED);
  gtk_list_box_bind_model (self->job_list, G_LIST_MODEL (jobs), create_job_row, NULL, NULL);
  update_figures (self);
  update_jobs (self);
}

/**
 * tare_scale_bar_get_text:
 * @self: the bar
 * @figure: "size", "bits", "saving", "perplexity", "kl" or "top", or "obstacle" for the reason why
 *   the last three cannot be measured, or "trouble" for the one why the last attempt failed
 *
 * Returns: (nullable): what it shows
 */
const char *
tare_scale_bar_get_text (TareScaleBar *self,
                         const char   *figure)
{
  g_return_val_if_fail (TARE_IS_SCALE_BAR (self), NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    if (g_str_equal (figures[i].id, figure))
      return gtk_label_get_label (self->values[i]);
  if (g_str_equal (figure, "obstacle")
      && gtk_widget_get_visible (GTK_WIDGET (self->obstacle_label)))
    return gtk_label_get_label (self->obstacle_label);
  if (g_str_equal (figure, "trouble") && gtk_widget_get_visible (self->trouble_button))
    return gtk_label_get_label (self->trouble_label);

  return NULL;
}
