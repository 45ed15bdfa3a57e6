/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-measurements.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/tare-study.h"

/* What the network is run on: an excerpt of which a small model's measures take seconds. */
#define CONTEXT 256
#define TOKENS  1024

/* No tokenizer makes fewer tokens of a text than one for 16 bytes. */
#define BYTES_PER_TOKEN 16

/* What one measure says of every row; @done tells what need not be asked again. */
typedef struct
{
  double   *values;
  double   *errors;
  gboolean *done;
  guint     revision;
} Column;

struct _TareMeasurements
{
  GObject            parent_instance;

  TareSession       *session;
  TareStudy         *study;
  GArray            *layers;
  Column            *columns;
  gsize              n_columns;
  const TareMeasure *first;
  guint              running;
  char              *problem;

  /* What the values belong to. */
  TareCalibration   *calibration;
  char              *text;
  const TareFormat  *reference;
};

enum
{
  CHANGED,
  N_SIGNALS
};

G_DEFINE_FINAL_TYPE (TareMeasurements, tare_measurements, G_TYPE_OBJECT)

static guint signals[N_SIGNALS];

/* --- the study --- */

typedef struct
{
  const TareMeasure *measure;
  const TareTensor  *tensor;
  gsize              column;
  guint              row;
} Question;

typedef struct
{
  GArray         *questions;
  TareAssignment  assignment;
  char           *text;
} Request;

typedef struct
{
  gsize            column;
  guint            row;
  TareMeasureValue value;
} Answer;

static void
request_free (gpointer data)
{
  Request *request = data;

  g_array_unref (request->questions);
  g_free (request->text);
  g_free (request);
}

static gboolean
needs_text (const Request *request)
{
  for (guint i = 0; i < request->questions->len; i++)
    if ((g_array_index (request->questions, Question, i).measure->needs & TARE_MEASURE_NEEDS_TEXT)
        != 0)
      return TRUE;

  return FALSE;
}

static gboolean
load_text (const Request       *request,
           TareMeasureContext  *context,
           GError             **error)
{
  g_autofree char *text = NULL;
  gsize length = 0;
  const char *end;

  if (request->text == NULL || !needs_text (request))
    return TRUE;
  if (!g_file_get_contents (request->text, &text, &length, error))
    return FALSE;

  /* A character that the excerpt would cut through is left away. */
  g_utf8_validate_len (text, MIN (length, (gsize) TOKENS * BYTES_PER_TOKEN), &end);
  tare_measure_context_set_text (context, text, (gsize) (end - text), CONTEXT, TOKENS);

  return TRUE;
}

static gboolean
answer (TareStudyTask  *task,
        GError        **error)
{
  const Request *request = task->request;
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (task->engine,
                                                                    task->calibration);
  guint n = request->questions->len;

  if (!load_text (request, context, error))
    return FALSE;

  for (guint i = 0; i < n; i++)
    {
      const Question *question = &g_array_index (request->questions, Question, i);
      TareProgress part = tare_progress_part (task->progress, (double) i / n,
                                              (double) (i + 1) / n);
      Answer found = { question->column, question->row, { NAN, NAN } };

      if (!tare_progress_step (&part, 0.0, _(question->measure->label), error)
          || !tare_measure_compute (question->measure, context, question->tensor,
                                    &request->assignment, &part, &found.value, error))
        return FALSE;
      tare_study_post (task, g_memdup2 (&found, sizeof found));
    }

  return TRUE;
}

static void
take_answer (gpointer owner,
             gpointer item)
{
  TareMeasurements *self = owner;
  const Answer *found = item;
  Column *column = &self->columns[found->column];

  column->values[found->row] = isfinite (found->value.value) ? found->value.value : (double) NAN;
  column->errors[found->row] = found->value.error;
  column->done[found->row] = TRUE;
  column->revision++;
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
answered (gpointer      owner,
          const GError *error)
{
  TareMeasurements *self = owner;

  self->running = 0;
  if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    self->problem = g_strdup (error->message);
  g_signal_emit (self, signals[CHANGED], 0);
}

static const TareStudyClass study_class = {
  .title = N_("Measuring the layers"),
  .work = answer,
  .news = take_answer,
  .free_news = g_free,
  .done = answered,
};

/* --- what is known --- */

static void
forget_column (TareMeasurements *self,
               gsize             index)
{
  Column *column = &self->columns[index];

  for (guint i = 0; i < self->layers->len; i++)
    {
      column->values[i] = column->errors[i] = (double) NAN;
      column->done[i] = FALSE;
    }
  column->revision++;
}

/* The values of the measures that need one of @needs, 0 for all, are no longer true. */
static void
forget (TareMeasurements *self,
        guint             needs)
{
  for (gsize i = 0; i < self->n_columns; i++)
    if (needs == 0 || (tare_measure_get (i)->needs & needs) != 0)
      forget_column (self, i);
}

static void
clear_columns (TareMeasurements *self)
{
  for (gsize i = 0; i < self->n_columns; i++)
    {
      g_clear_pointer (&self->columns[i].values, g_free);
      g_clear_pointer (&self->columns[i].errors, g_free);
      g_clear_pointer (&self->columns[i].done, g_free);
    }
}

static void
stop (TareMeasurements *self)
{
  tare_study_stop (self->study);
  self->running = 0;
  self->first = NULL;
  g_clear_pointer (&self->problem, g_free);
}

/* On another text the network is another; the calibration's is the one that layers are weighed on,
 * so that the one for evaluation stays unseen. */
static const char *
get_text (TareMeasurements *self)
{
  const char *text = tare_session_get_calibration_text (self->session);

  return text != NULL ? text : tare_session_get_evaluation_text (self->session);
}

/* Notes what the values now belong to. */
static void
take_stock (TareMeasurements *self)
{
  TareCalibration *calibration = tare_session_get_calibration (self->session);

  g_clear_pointer (&self->calibration, tare_calibration_unref);
  self->calibration = calibration != NULL ? tare_calibration_ref (calibration) : NULL;
  g_free (self->text);
  self->text = g_strdup (get_text (self));
  self->reference = tare_session_get_reference (self->session);
}

static void
model_changed_cb (TareMeasurements *self)
{
  guint n = tare_session_get_n_layers (self->session);

  stop (self);
  clear_columns (self);
  g_array_set_size (self->layers, 0);
  for (guint i = 0; i < n; i++)
    if (tare_layer_is_assignable (tare_session_get_layer (self->session, i)))
      g_array_append_val (self->layers, i);
  for (gsize i = 0; i < self->n_columns; i++)
    {
      self->columns[i].values = g_new (double, MAX (self->layers->len, 1));
      self->columns[i].errors = g_new (double, MAX (self->layers->len, 1));
      self->columns[i].done = g_new (gboolean, MAX (self->layers->len, 1));
    }
  forget (self, 0);
  take_stock (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
calibration_changed_cb (TareMeasurements *self)
{
  guint needs = 0;

  if (self->calibration != tare_session_get_calibration (self->session))
    needs |= TARE_MEASURE_NEEDS_CALIBRATION | TARE_MEASURE_NEEDS_GRAM
             | TARE_MEASURE_NEEDS_SPECTRUM | TARE_MEASURE_NEEDS_FORMAT;
  if (g_strcmp0 (self->text, get_text (self)) != 0)
    needs |= TARE_MEASURE_NEEDS_TEXT;
  if (self->reference != tare_session_get_reference (self->session))
    needs |= TARE_MEASURE_NEEDS_FORMAT;
  if (needs == 0)
    return;

  stop (self);
  forget (self, needs);
  take_stock (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
tare_measurements_dispose (GObject *object)
{
  TareMeasurements *self = (TareMeasurements *) object;

  g_clear_pointer (&self->study, tare_study_free);
  g_clear_object (&self->session);

  G_OBJECT_CLASS (tare_measurements_parent_class)->dispose (object);
}

static void
tare_measurements_finalize (GObject *object)
{
  TareMeasurements *self = (TareMeasurements *) object;

  clear_columns (self);
  g_free (self->columns);
  g_array_unref (self->layers);
  g_clear_pointer (&self->calibration, tare_calibration_unref);
  g_free (self->text);
  g_free (self->problem);

  G_OBJECT_CLASS (tare_measurements_parent_class)->finalize (object);
}

static void
tare_measurements_class_init (TareMeasurementsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = tare_measurements_dispose;
  object_class->finalize = tare_measurements_finalize;

  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
tare_measurements_init (TareMeasurements *self)
{
  self->layers = g_array_new (FALSE, FALSE, sizeof (guint));
  self->n_columns = tare_measure_get_n_measures ();
  self->columns = g_new0 (Column, self->n_columns);
}

/**
 * tare_measurements_new:
 * @session: whose model is measured
 *
 * Returns: (transfer full): measurements of which nothing has been asked for
 */
TareMeasurements *
tare_measurements_new (TareSession *session)
{
  TareMeasurements *self;

  g_return_val_if_fail (TARE_IS_SESSION (session), NULL);

  self = g_object_new (TARE_TYPE_MEASUREMENTS, NULL);
  self->session = g_object_ref (session);
  self->study = tare_study_new (&study_class, session, self);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (calibration_changed_cb),
                           self, G_CONNECT_SWAPPED);
  model_changed_cb (self);

  return self;
}

/**
 * tare_measurements_get_session:
 * @self: the measurements
 *
 * Returns: (transfer none): whose model is measured
 */
TareSession *
tare_measurements_get_session (TareMeasurements *self)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), NULL);

  return self->session;
}

/**
 * tare_measurements_get_n_rows:
 * @self: the measurements
 *
 * Returns: how many layers there are
 */
guint
tare_measurements_get_n_rows (TareMeasurements *self)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), 0);

  return self->layers->len;
}

/**
 * tare_measurements_get_layers:
 * @self: the measurements
 *
 * Returns: (transfer none) (nullable): of every row, which of the session's layers it is; until
 *   the model is another
 */
const guint *
tare_measurements_get_layers (TareMeasurements *self)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), NULL);

  return (const guint *) self->layers->data;
}

/**
 * tare_measurements_dup_names:
 * @self: the measurements
 *
 * Returns: (transfer full): of every row, what its layer is called, without the ".weight" in which
 *   all of them end
 */
char **
tare_measurements_dup_names (TareMeasurements *self)
{
  char **names;

  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), NULL);

  names = g_new0 (char *, self->layers->len + 1);
  for (guint i = 0; i < self->layers->len; i++)
    {
      TareLayer *layer = tare_session_get_layer (self->session,
                                                 g_array_index (self->layers, guint, i));
      const char *name = tare_layer_get_tensor (layer)->canonical;
      gsize length = strlen (name);

      names[i] = g_strndup (name, g_str_has_suffix (name, ".weight") ? length - 7 : length);
    }

  return names;
}

static void
ask_column (TareMeasurements *self,
            GArray           *questions,
            gsize             column)
{
  for (guint row = 0; row < self->layers->len; row++)
    {
      TareLayer *layer = tare_session_get_layer (self->session,
                                                 g_array_index (self->layers, guint, row));
      const Question question = { tare_measure_get (column), tare_layer_get_tensor (layer), column,
                                  row };

      if (!self->columns[column].done[row])
        g_array_append_val (questions, question);
    }
}

/* (transfer full): what is not known yet, the cheap before the dear */
static GArray *
list_questions (TareMeasurements  *self,
                const TareMeasure *first,
                guint              costs)
{
  GArray *questions = g_array_new (FALSE, FALSE, sizeof (Question));

  for (gsize i = 0; i < self->n_columns; i++)
    if (tare_measure_get (i) == first && (costs & (1u << first->cost)) != 0)
      ask_column (self, questions, i);

  for (guint cost = 0; cost <= TARE_MEASURE_COST_HESSIAN; cost++)
    for (gsize i = 0; i < self->n_columns; i++)
      {
        const TareMeasure *measure = tare_measure_get (i);

        if (measure->cost == cost && measure != first && (costs & (1u << cost)) != 0)
          ask_column (self, questions, i);
      }

  return questions;
}

/* Whether the work under way leads to what is asked for, and soon. */
static gboolean
is_under_way (TareMeasurements  *self,
              const TareMeasure *first,
              guint              costs)
{
  if (self->running == 0 || (costs & ~self->running) != 0)
    return FALSE;
  if (first == NULL || first == self->first || (self->running & (1u << first->cost)) == 0)
    return TRUE;

  for (gsize i = 0; i < self->n_columns; i++)
    for (guint row = 0; row < self->layers->len; row++)
      if (tare_measure_get (i) == first && !self->columns[i].done[row])
        return FALSE;

  return TRUE;
}

/**
 * tare_measurements_ask:
 * @self: the measurements
 * @first: (nullable): the measure that is wanted before the others
 * @costs: which classes of cost, a bit for each
 *
 * Computes what is not known yet of some classes, all layers for a measure before the next, and
 * goes on with what was asked for before.
 */
void
tare_measurements_ask (TareMeasurements  *self,
                       const TareMeasure *first,
                       guint              costs)
{
  Request *request;
  GArray *questions;

  g_return_if_fail (TARE_IS_MEASUREMENTS (self));

  if (is_under_way (self, first, costs))
    return;

  costs |= self->running;
  questions = list_questions (self, first, costs);
  if (questions->len == 0)
    {
      g_array_unref (questions);
      return;
    }

  stop (self);
  request = g_new0 (Request, 1);
  request->questions = questions;
  request->assignment = tare_session_get_brush (self->session);
  request->assignment.format = self->reference;
  request->text = g_strdup (self->text);
  self->running = costs;
  self->first = first;
  tare_study_start (self->study, NULL, request, request_free);
  g_signal_emit (self, signals[CHANGED], 0);
}

/**
 * tare_measurements_stop:
 * @self: the measurements
 *
 * Ends the work; what is known stays.
 */
void
tare_measurements_stop (TareMeasurements *self)
{
  g_return_if_fail (TARE_IS_MEASUREMENTS (self));

  stop (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

/**
 * tare_measurements_is_running:
 * @self: the measurements
 * @costs: classes of cost, a bit for each
 *
 * Returns: whether measures of any of them are being computed
 */
gboolean
tare_measurements_is_running (TareMeasurements *self,
                              guint             costs)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), FALSE);

  return (self->running & costs) != 0;
}

/**
 * tare_measurements_get_problem:
 * @self: the measurements
 *
 * Returns: (nullable): why the last work ended before its time
 */
const char *
tare_measurements_get_problem (TareMeasurements *self)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self), NULL);

  return self->problem;
}

/**
 * tare_measurements_get_values:
 * @self: the measurements
 * @measure: a row of the measure table
 *
 * Returns: (transfer none): what it says of every layer, NaN where it is not known or not defined
 */
const double *
tare_measurements_get_values (TareMeasurements *self,
                              gsize             measure)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self) && measure < self->n_columns, NULL);

  return self->columns[measure].values;
}

/**
 * tare_measurements_get_errors:
 * @self: the measurements
 * @measure: a row of the measure table
 *
 * Returns: (transfer none): the standard errors of the values, NaN where they are not known
 */
const double *
tare_measurements_get_errors (TareMeasurements *self,
                              gsize             measure)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self) && measure < self->n_columns, NULL);

  return self->columns[measure].errors;
}

/**
 * tare_measurements_get_revision:
 * @self: the measurements
 * @measure: a row of the measure table
 *
 * Returns: another number whenever a value of the measure is another
 */
guint
tare_measurements_get_revision (TareMeasurements *self,
                                gsize             measure)
{
  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self) && measure < self->n_columns, 0);

  return self->columns[measure].revision;
}

/**
 * tare_measurements_count_known:
 * @self: the measurements
 * @measure: a row of the measure table
 *
 * Returns: of how many layers the measure has a value
 */
guint
tare_measurements_count_known (TareMeasurements *self,
                               gsize             measure)
{
  guint known = 0;

  g_return_val_if_fail (TARE_IS_MEASUREMENTS (self) && measure < self->n_columns, 0);

  for (guint i = 0; i < self->layers->len; i++)
    known += isnan (self->columns[measure].values[i]) ? 0 : 1;

  return known;
}

/**
 * tare_measurements_select:
 * @self: the measurements
 * @layer: one of the session's layers
 * @toggle: whether it joins or leaves the selection, as with Control, or becomes the selection
 */
void
tare_measurements_select (TareMeasurements *self,
                          guint             layer,
                          gboolean          toggle)
{
  g_autoptr(GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));
  const guint *selection;
  gboolean there = FALSE;
  guint n;

  g_return_if_fail (TARE_IS_MEASUREMENTS (self));

  selection = tare_session_get_selection (self->session, &n);
  for (guint i = 0; i < n && toggle; i++)
    {
      there = there || selection[i] == layer;
      if (selection[i] != layer)
        g_array_append_val (indices, selection[i]);
    }
  if (!there)
    g_array_append_val (indices, layer);
  tare_session_set_selection (self->session, (const guint *) indices->data, indices->len);
}
