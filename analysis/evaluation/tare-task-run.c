/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The choices of a question are one sequence that branches after what they have in common.
 * Sequences of about the same length are one group, padded at the end; as many groups as fit into
 * memory go through each block that is loaded. A row whose next token several choices predict
 * gives its logits once.
 */
#include "analysis/evaluation/tare-task-run-private.h"

#include <math.h>
#include <string.h>

#include "analysis/evaluation/tare-task-bundle-private.h"
#include "quant/network/tare-kernels.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"
#include "quant/tare-memory.h"

/* Rows whose logits exist at a time: as many as 64 MiB hold, but enough for a product. */
#define TILE_LOGITS (16u * 1024u * 1024u)
#define TILE_LEAST  16
#define TILE_MOST   512

/* One run of some weights. */
typedef struct
{
  TareTasks         *tasks;
  TareNetwork       *network;
  const TareWeights *weights;
  TareTaskScore     *scores;
  GArray            *bundles;
  GArray            *groups;
  float             *x;
  gsize              n_rows;
  guint64            memory;
} Run;

/* A token of a choice and the row that predicts it: of its bundle, then of a tile. */
typedef struct
{
  gsize   row;
  gsize   task;
  guint   choice;
  guint32 target;
} Prediction;

/* Rows that wait for their logits. */
typedef struct
{
  gsize   size;
  gsize   n;
  float  *x;
  float  *logits;
  GArray *predictions;
} Tile;

static void
tile_clear (Tile *self)
{
  g_free (self->x);
  g_free (self->logits);
  g_array_unref (self->predictions);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tile, tile_clear)

static gboolean
embed_group (Run                  *run,
             const TareTaskGroup  *group,
             GError              **error)
{
  gsize width = tare_network_get_config (run->network)->width;
  gsize length = group->branches.length;
  g_autofree guint32 *tokens = _tare_task_group_get_tokens (group, run->bundles);
  float *x = run->x + group->offset * width;

  if (group->parts)
    return tare_network_embed_branches (run->network, run->weights, tokens, &group->branches, x,
                                        error);

  return tare_network_embed (run->network, run->weights, tokens,
                             group->branches.n_sequences * length, length, x, error);
}

static gboolean
run_group (Run                  *run,
           const TareTaskGroup  *group,
           const TareBlock      *block,
           const TareProgress   *progress,
           GError              **error)
{
  float *x = run->x + group->offset * tare_network_get_config (run->network)->width;

  if (group->parts)
    return tare_network_run_branches (run->network, block, x, &group->branches, progress, error);

  return tare_network_run_block (run->network, block, x, group->branches.n_sequences,
                                 group->branches.length, NULL, progress, error);
}

static gboolean
run_blocks (Run                 *run,
            gsize                first,
            gsize                end,
            const TareProgress  *progress,
            GError             **error)
{
  const TareConfig *config = tare_network_get_config (run->network);
  const TareWeights weights = tare_weights_with_progress (run->weights, progress);
  gsize n_groups = end - first;

  for (gsize i = first; i < end; i++)
    if (!embed_group (run, &g_array_index (run->groups, TareTaskGroup, i), error))
      return FALSE;

  for (guint i = 0; i < config->n_blocks; i++)
    {
      g_autoptr(TareBlock) block = tare_network_load_block (run->network, &weights, i, error);

      for (gsize j = 0; block != NULL && j < n_groups; j++)
        {
          double done = i + (double) j / (double) n_groups;
          TareProgress part = tare_progress_part (progress, done / config->n_blocks,
                                                  (done + 1.0 / (double) n_groups)
                                                  / config->n_blocks);

          if (!run_group (run, &g_array_index (run->groups, TareTaskGroup, first + j), block,
                          &part, error))
            return FALSE;
        }
      if (block == NULL)
        return FALSE;
    }

  return TRUE;
}

/* Adds the log-likelihoods of the tokens that a tile predicts, and empties it. */
static gboolean
score_tile (Run              *run,
            const TareBlock  *output,
            Tile             *tile,
            GError          **error)
{
  gsize vocabulary = tare_network_get_config (run->network)->vocabulary;
  g_autofree double *sums = g_new (double, tile->n);

  if (!tare_network_run_output (run->network, output, tile->x, tile->n, tile->logits, NULL, error))
    return FALSE;

#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < tile->n; i++)
    sums[i] = tare_kernel_log_softmax (tile->logits + i * vocabulary, vocabulary).log_sum;

  for (gsize i = 0; i < tile->predictions->len; i++)
    {
      const Prediction *own = &g_array_index (tile->predictions, Prediction, i);
      double value = (double) tile->logits[own->row * vocabulary + own->target] - sums[own->row];

      run->scores[own->task].log_likelihoods[own->choice] += value;
      if (!isfinite (value))
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                       "%s: the output is not finite in the question of line %u",
                       tare_model_get_path (tare_network_get_model (run->network)),
                       tare_tasks_get (run->tasks, own->task)->line);
          return FALSE;
        }
    }
  tile->n = 0;
  g_array_set_size (tile->predictions, 0);

  return TRUE;
}

static int
compare_rows (gconstpointer a,
              gconstpointer b)
{
  const Prediction *x = a;
  const Prediction *y = b;

  if (x->row != y->row)
    return x->row < y->row ? -1 : 1;

  return (x->choice > y->choice) - (x->choice < y->choice);
}

/* Returns: (transfer full): what a bundle predicts, in the order of its rows */
static GArray *
list_predictions (const TareTaskBundle *bundle)
{
  GArray *predictions = g_array_new (FALSE, FALSE, sizeof (Prediction));

  for (guint i = 0; i < bundle->choices->len; i++)
    {
      const TareTaskChoice *choice = &g_array_index (bundle->choices, TareTaskChoice, i);

      for (gsize k = choice->first; k < choice->tokens->len; k++)
        {
          Prediction prediction = {
            _tare_task_bundle_get_row (bundle, choice, k - 1), bundle->task, choice->index,
            g_array_index (choice->tokens, guint32, k),
          };

          g_array_append_val (predictions, prediction);
        }
    }
  g_array_sort (predictions, compare_rows);

  return predictions;
}

/* The rows of a bundle into the tile, which is scored whenever it is full. */
static gboolean
score_bundle (Run                   *run,
              const TareTaskBundle  *bundle,
              const float           *x,
              const TareBlock       *output,
              Tile                  *tile,
              GError               **error)
{
  gsize width = tare_network_get_config (run->network)->width;
  g_autoptr(GArray) predictions = list_predictions (bundle);
  gsize last = G_MAXSIZE;

  for (gsize i = 0; i < predictions->len; i++)
    {
      Prediction prediction = g_array_index (predictions, Prediction, i);

      if (prediction.row != last)
        {
          if (tile->n == tile->size && !score_tile (run, output, tile, error))
            return FALSE;
          last = prediction.row;
          memcpy (tile->x + tile->n * width, x + last * width, width * sizeof *x);
          tile->n++;
        }
      prediction.row = tile->n - 1;
      g_array_append_val (tile->predictions, prediction);
    }

  return TRUE;
}

static gboolean
score_groups (Run                 *run,
              gsize                first,
              gsize                end,
              const TareProgress  *progress,
              GError             **error)
{
  const TareConfig *config = tare_network_get_config (run->network);
  const TareWeights weights = tare_weights_with_progress (run->weights, progress);
  g_autoptr(TareBlock) output = tare_network_load_output (run->network, &weights, error);
  gsize size = CLAMP (TILE_LOGITS / config->vocabulary, TILE_LEAST, TILE_MOST);
  g_auto(Tile) tile = {
    size, 0, g_try_new (float, size * config->width), g_try_new (float, size * config->vocabulary),
    g_array_new (FALSE, FALSE, sizeof (Prediction)),
  };

  if (output == NULL)
    return FALSE;
  if (tile.x == NULL || tile.logits == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: not enough memory for %" G_GSIZE_FORMAT " x %u logits",
                   tare_model_get_path (tare_network_get_model (run->network)), size,
                   config->vocabulary);
      return FALSE;
    }

  for (gsize i = first; i < end; i++)
    {
      const TareTaskGroup *group = &g_array_index (run->groups, TareTaskGroup, i);

      if (!tare_progress_step (progress, (double) (i - first) / (double) (end - first), NULL,
                               error))
        return FALSE;
      for (gsize j = group->begin; j < group->end; j++)
        {
          gsize row = group->offset + (j - group->begin) * group->branches.length;

          if (!score_bundle (run, &g_array_index (run->bundles, TareTaskBundle, j),
                             run->x + row * config->width, output, &tile, error))
            return FALSE;
        }
    }

  return score_tile (run, output, &tile, error);
}

/* The groups from @first on that are held at a time, at least one: half of what is left beside the
 * weights at hand. */
static gsize
take_groups (Run   *run,
             gsize  first)
{
  const TareBudget free = tare_budget_new (run->memory, tare_network_measure_memory (run->network));
  guint64 budget = free.memory / 2
                   / (tare_network_get_config (run->network)->width * sizeof (float));
  gsize end = first;

  run->n_rows = 0;
  while (end < run->groups->len)
    {
      TareTaskGroup *group = &g_array_index (run->groups, TareTaskGroup, end);
      gsize n = group->branches.n_sequences * group->branches.length;

      if (end > first && run->n_rows + n > budget)
        break;
      group->offset = run->n_rows;
      run->n_rows += n;
      end++;
    }

  return end;
}

static gboolean
run_all (Run                 *run,
         const TareProgress  *progress,
         GError             **error)
{
  gsize width = tare_network_get_config (run->network)->width;
  gboolean ok = TRUE;

  for (gsize end, first = 0; ok && first < run->groups->len; first = end)
    {
      double n = run->groups->len;
      TareProgress blocks, output;
      g_autofree float *x = NULL;

      end = take_groups (run, first);
      blocks = tare_progress_part (progress, (double) first / n,
                                   ((double) first + 0.8 * (double) (end - first)) / n);
      output = tare_progress_part (progress,
                                   ((double) first + 0.8 * (double) (end - first)) / n,
                                   (double) end / n);
      x = run->x = g_try_malloc_n (run->n_rows * width, sizeof *x);
      if (x == NULL)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                       "%s: not enough memory for %" G_GSIZE_FORMAT " tokens",
                       tare_model_get_path (tare_network_get_model (run->network)), run->n_rows);
          return FALSE;
        }
      ok = run_blocks (run, first, end, &blocks, error)
           && score_groups (run, first, end, &output, error);
    }

  return ok;
}

/*
 * _tare_task_run:
 * @tasks: questions
 * @n: how many of the first
 * @scores: (inout): of them, whose log-likelihoods are set from 0
 * @n_tokens: (out): that were run, padding not among them
 *
 * As tare_task_scores_new(), which is the only one to call it.
 *
 * Returns: %FALSE on error
 */
gboolean
_tare_task_run (TareTasks           *tasks,
                gsize                n,
                TareModel           *model,
                const TareWeights   *weights,
                guint64              memory,
                TareTaskScore       *scores,
                gsize               *n_tokens,
                const TareProgress  *progress,
                GError             **error)
{
  g_autoptr(TareNetwork) network = tare_network_new (model, error);
  g_autoptr(GArray) bundles = _tare_task_bundles_new ();
  g_autoptr(GArray) groups = NULL;
  TareTokenizer *tokenizer = network != NULL ? tare_model_get_tokenizer (model, error) : NULL;
  Run run = { tasks, network, weights, scores, bundles, NULL, NULL, 0, memory };
  gboolean shares;

  if (tokenizer == NULL || !tare_network_check_memory (network, memory, error)
      || !tare_progress_step (progress, 0.0, "Answering questions", error))
    return FALSE;

  shares = tare_network_can_branch (network, weights);
  for (gsize i = 0; i < n; i++)
    if (!_tare_task_bundles_add (bundles, tasks, i, tokenizer, shares,
                                 tare_model_get_path (model), error))
      return FALSE;
  run.groups = groups = _tare_task_groups_new (bundles, tare_network_get_config (network)
                                                        ->rope_original_context);
  *n_tokens = 0;
  for (gsize i = 0; i < bundles->len; i++)
    *n_tokens += g_array_index (bundles, TareTaskBundle, i).length;

  return run_all (&run, progress, error) && tare_progress_step (progress, 1.0, NULL, error);
}
