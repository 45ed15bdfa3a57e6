/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "analysis/evaluation/tare-task.h"

static void
add_interval (JsonObject *root,
              const char *key,
              double      low,
              double      high)
{
  JsonArray *array = json_array_new ();

  json_array_add_double_element (array, low);
  json_array_add_double_element (array, high);
  json_object_set_array_member (root, key, array);
}

static void
add_accuracy (JsonObject             *root,
              const TareTaskAccuracy *accuracy)
{
  cli_set_size (root, "tasks", accuracy->n_tasks);
  cli_set_number (root, "accuracy", accuracy->accuracy);
  add_interval (root, "accuracy_interval", accuracy->low, accuracy->high);
  cli_set_number (root, "normalized_accuracy", accuracy->normalized);
  add_interval (root, "normalized_accuracy_interval", accuracy->normalized_low,
                accuracy->normalized_high);
  cli_set_number (root, "task_nll", accuracy->nll);
}

static void
add_agreement (JsonObject             *root,
               const TareTaskAccuracy *accuracy,
               const TareTaskAccuracy *base)
{
  cli_set_number (root, "task_agreement", accuracy->agreement);
  cli_set_number (root, "normalized_task_agreement", accuracy->normalized_agreement);
  cli_set_number (root, "base_accuracy", base->accuracy);
  add_interval (root, "base_accuracy_interval", base->low, base->high);
  cli_set_number (root, "base_normalized_accuracy", base->normalized);
  cli_set_number (root, "base_task_nll", base->nll);
}

/**
 * cli_evaluate_tasks:
 * @path: the questions
 * @maximum: how many of them; 0 for all
 * @model: what answers
 * @weights: its weights
 * @base: (nullable): what to agree with, as its files have it
 * @memory: bytes of memory to get by with; 0 for the default
 * @root: where figures go
 * @progress: the progress
 * @error: return location
 *
 * Returns: %FALSE on error
 */
gboolean
cli_evaluate_tasks (const char          *path,
                    gsize                maximum,
                    TareModel           *model,
                    const TareWeights   *weights,
                    TareModel           *base,
                    guint64              memory,
                    JsonObject          *root,
                    const TareProgress  *progress,
                    GError             **error)
{
  TareProgress first = tare_progress_part (progress, 0.0, base != NULL ? 0.5 : 1.0);
  TareProgress second = tare_progress_part (progress, 0.5, 1.0);
  g_autoptr(TareTasks) tasks = tare_tasks_load (path, error);
  g_autoptr(TareTaskScores) scores = NULL;
  g_autoptr(TareTaskScores) base_scores = NULL;
  TareTaskAccuracy accuracy, base_accuracy;

  if (tasks == NULL)
    return FALSE;
  scores = tare_task_scores_new (tasks, model, weights, maximum, memory, &first, error);
  if (scores == NULL)
    return FALSE;
  if (base != NULL)
    {
      base_scores = tare_task_scores_new (tasks, base, &tare_weights_of_file, maximum, memory,
                                          &second, error);
      if (base_scores == NULL)
        return FALSE;
    }

  tare_task_scores_sum (scores, base_scores, &accuracy);
  add_accuracy (root, &accuracy);
  if (base_scores != NULL)
    {
      tare_task_scores_sum (base_scores, NULL, &base_accuracy);
      add_agreement (root, &accuracy, &base_accuracy);
    }

  return TRUE;
}
