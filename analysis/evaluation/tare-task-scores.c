/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-task.h"

#include <math.h>

#include "analysis/evaluation/tare-task-run-private.h"

/* The 97.5 % point of the normal distribution. */
#define Z 1.959963984540054

struct _TareTaskScores
{
  gatomicrefcount  references;
  TareTasks       *tasks;
  gsize            n;
  gsize            n_tokens;
  TareTaskScore   *scores;
};

/* Characters of a choice, without the space that parts it from the context. */
static double
count_characters (const char *choice)
{
  return (double) MAX (g_utf8_strlen (choice + (choice[0] == ' '), -1), 1);
}

static void
choose (const TareTask *task,
        TareTaskScore  *score)
{
  double best = -INFINITY;
  double best_normalized = -INFINITY;

  for (guint i = 0; i < task->n_choices; i++)
    {
      double value = score->log_likelihoods[i];
      double normalized = value / count_characters (task->choices[i]);

      if (value > best)
        score->chosen = i;
      if (normalized > best_normalized)
        score->chosen_normalized = i;
      best = MAX (best, value);
      best_normalized = MAX (best_normalized, normalized);
    }
}

/**
 * tare_task_scores_new:
 * @tasks: questions
 * @model: what answers them
 * @weights: what takes the place of its weights, or tare_weights_of_file
 * @maximum: how many of the first questions; 0 for all
 * @memory: bytes of memory to get by with; 0 for the default
 * @progress: (nullable): the progress
 * @error: cancelled, no forward pass or tokenizer, memory, what @weights reports, an output that
 *   is not finite
 *
 * A choice's log-likelihood is that of the tokens by which context and choice together differ from
 * the context alone. What the choices of a question begin with together is run once.
 *
 * Returns: (transfer full): what was chosen, or %NULL on error
 */
TareTaskScores *
tare_task_scores_new (TareTasks           *tasks,
                      TareModel           *model,
                      const TareWeights   *weights,
                      gsize                maximum,
                      guint64              memory,
                      const TareProgress  *progress,
                      GError             **error)
{
  g_autoptr(TareTaskScores) self = NULL;

  g_return_val_if_fail (tasks != NULL && model != NULL && weights != NULL, NULL);

  self = g_new0 (TareTaskScores, 1);
  g_atomic_ref_count_init (&self->references);
  self->tasks = tare_tasks_ref (tasks);
  self->n = tare_tasks_get_n (tasks);
  if (maximum > 0)
    self->n = MIN (self->n, maximum);
  self->scores = g_new0 (TareTaskScore, self->n);
  for (gsize i = 0; i < self->n; i++)
    self->scores[i].log_likelihoods = g_new0 (double, tare_tasks_get (tasks, i)->n_choices);

  if (!_tare_task_run (tasks, self->n, model, weights, memory, self->scores, &self->n_tokens,
                       progress, error))
    return NULL;
  for (gsize i = 0; i < self->n; i++)
    choose (tare_tasks_get (tasks, i), &self->scores[i]);

  return g_steal_pointer (&self);
}

/**
 * tare_task_scores_ref:
 * @self: the scores
 *
 * Returns: (transfer full): @self
 */
TareTaskScores *
tare_task_scores_ref (TareTaskScores *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_task_scores_unref:
 * @self: (transfer full): the scores
 */
void
tare_task_scores_unref (TareTaskScores *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  for (gsize i = 0; i < self->n; i++)
    g_free (self->scores[i].log_likelihoods);
  g_free (self->scores);
  tare_tasks_unref (self->tasks);
  g_free (self);
}

/**
 * tare_task_scores_get_n:
 * @self: the scores
 *
 * Returns: questions that were answered
 */
gsize
tare_task_scores_get_n (const TareTaskScores *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n;
}

/**
 * tare_task_scores_get_n_tokens:
 * @self: the scores
 *
 * Returns: tokens that were run, padding not among them
 */
gsize
tare_task_scores_get_n_tokens (const TareTaskScores *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->n_tokens;
}

/**
 * tare_task_scores_get:
 * @self: the scores
 * @index: below tare_task_scores_get_n()
 *
 * Returns: (transfer none): what was chosen
 */
const TareTaskScore *
tare_task_scores_get (const TareTaskScores *self,
                      gsize                 index)
{
  g_return_val_if_fail (self != NULL && index < self->n, NULL);

  return &self->scores[index];
}

/**
 * tare_task_interval:
 * @n_right: how many of them
 * @n: how many, at least 1
 * @low: (out): lower end
 * @high: (out): upper end
 *
 * The 95 % score interval of a share (E. B. Wilson, Probable inference, the law of succession, and
 * statistical inference, 1927).
 */
void
tare_task_interval (gsize   n_right,
                    gsize   n,
                    double *low,
                    double *high)
{
  double count = (double) n;
  double p = (double) n_right / count;
  double scale = 1.0 / (1.0 + Z * Z / count);
  double middle = scale * (p + Z * Z / (2.0 * count));
  double half = scale * Z * sqrt (p * (1.0 - p) / count + Z * Z / (4.0 * count * count));

  *low = fmax (0.0, middle - half);
  *high = fmin (1.0, middle + half);
}

/* -ln of the share of the right choice. */
static double
loss_of (const TareTask      *task,
         const TareTaskScore *score)
{
  double highest = score->log_likelihoods[score->chosen];
  double sum = 0.0;

  for (guint i = 0; i < task->n_choices; i++)
    sum += exp (score->log_likelihoods[i] - highest);

  return highest + log (sum) - score->log_likelihoods[task->answer];
}

/**
 * tare_task_scores_sum:
 * @self: the scores
 * @base: (nullable): those of the same questions to agree with
 * @accuracy: (out caller-allocates): what they come to
 */
void
tare_task_scores_sum (const TareTaskScores *self,
                      const TareTaskScores *base,
                      TareTaskAccuracy     *accuracy)
{
  double n;
  double nll = 0.0;
  gsize right = 0;
  gsize normalized = 0;
  gsize agreed = 0;
  gsize agreed_normalized = 0;

  g_return_if_fail (self != NULL && accuracy != NULL && self->n > 0);
  g_return_if_fail (base == NULL || (base->n == self->n && base->tasks == self->tasks));

  n = (double) self->n;
  for (gsize i = 0; i < self->n; i++)
    {
      const TareTask *task = tare_tasks_get (self->tasks, i);
      const TareTaskScore *score = &self->scores[i];

      right += score->chosen == task->answer;
      normalized += score->chosen_normalized == task->answer;
      nll += loss_of (task, score);
      agreed += base != NULL && base->scores[i].chosen == score->chosen;
      agreed_normalized += base != NULL
                           && base->scores[i].chosen_normalized == score->chosen_normalized;
    }

  *accuracy = (TareTaskAccuracy) {
    .n_tasks = self->n,
    .accuracy = (double) right / n,
    .normalized = (double) normalized / n,
    .nll = nll / n,
    .has_base = base != NULL,
    .agreement = (double) agreed / n,
    .normalized_agreement = (double) agreed_normalized / n,
  };
  tare_task_interval (right, self->n, &accuracy->low, &accuracy->high);
  tare_task_interval (normalized, self->n, &accuracy->normalized_low, &accuracy->normalized_high);
}
