/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Every choice after its context is a sequence. Sequences of about the same length are one group,
 * padded at the end, where padding is seen by nothing; as many groups as fit into memory go
 * through each block that is loaded.
 */
#include "analysis/evaluation/tare-task.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-kernels.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"
#include "quant/tare-memory.h"

/* Shares of a group that may be padding, and tokens of one. */
#define MAXIMUM_PADDING 0.1
#define GROUP_TOKENS    4096

/* Predictions whose logits exist at a time: as many as 64 MiB hold, but enough for a product. */
#define TILE_LOGITS (16u * 1024u * 1024u)
#define TILE_LEAST  16
#define TILE_MOST   512

/* The 97.5 % point of the normal distribution. */
#define Z 1.959963984540054

struct _TareTaskScores
{
  gatomicrefcount  references;
  TareTasks       *tasks;
  gsize            n;
  TareTaskScore   *scores;
};

/* A choice after its context: tokens of which those from @first on are predicted. */
typedef struct
{
  gsize   task;
  guint   choice;
  GArray *tokens;
  gsize   first;
} Sequence;

/* Sequences from @begin to @end, each of @length tokens with its padding. */
typedef struct
{
  gsize begin;
  gsize end;
  gsize length;
  gsize offset;
} Group;

/* One run of some weights. */
typedef struct
{
  TareNetwork         *network;
  const TareWeights   *weights;
  TareTaskScores      *scores;
  GArray              *sequences;
  GArray              *groups;
  float               *x;
  gsize                n_rows;
  guint64              memory;
} Run;

static void
clear_sequence (gpointer data)
{
  g_array_unref (((Sequence *) data)->tokens);
}

/* The tokens of the whole; what of its begin is the context's alone is not predicted. */
static gboolean
add_sequence (Run            *run,
              TareTokenizer  *tokenizer,
              gsize           task_index,
              guint           choice,
              GError        **error)
{
  TareModel *model = tare_network_get_model (run->network);
  const TareTask *task = tare_tasks_get (run->scores->tasks, task_index);
  g_autofree char *whole = g_strconcat (task->context, task->choices[choice], NULL);
  g_autoptr(GArray) context = NULL;
  Sequence sequence = { task_index, choice, NULL, 0 };
  const guint32 *tokens;

  context = tare_tokenizer_encode (tokenizer, task->context, strlen (task->context),
                                   TARE_TOKEN_FLAGS_ADD_BEGIN);
  sequence.tokens = tare_tokenizer_encode (tokenizer, whole, strlen (whole),
                                           TARE_TOKEN_FLAGS_ADD_BEGIN);
  tokens = (const guint32 *) (gpointer) sequence.tokens->data;
  while (sequence.first < context->len && sequence.first + 1 < sequence.tokens->len
         && tokens[sequence.first] == g_array_index (context, guint32, sequence.first))
    sequence.first++;
  g_array_append_val (run->sequences, sequence);
  if (sequence.first > 0)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: line %u: nothing stands before choice %u that it could be predicted from",
               tare_model_get_path (model), task->line, choice + 1);

  return FALSE;
}

static int
compare_lengths (gconstpointer a,
                 gconstpointer b)
{
  const Sequence *x = a;
  const Sequence *y = b;

  if (x->tokens->len != y->tokens->len)
    return x->tokens->len < y->tokens->len ? -1 : 1;

  return x->task != y->task ? (x->task < y->task ? -1 : 1) : (int) x->choice - (int) y->choice;
}

static void
make_groups (Run *run)
{
  g_array_sort (run->sequences, compare_lengths);

  for (gsize i = 0; i < run->sequences->len; i++)
    {
      gsize length = g_array_index (run->sequences, Sequence, i).tokens->len;
      Group *last = run->groups->len > 0
                    ? &g_array_index (run->groups, Group, run->groups->len - 1) : NULL;
      Group group = { i, i + 1, length, 0 };
      gsize shortest = last != NULL
                       ? g_array_index (run->sequences, Sequence, last->begin).tokens->len : 0;

      if (last != NULL && (double) (length - shortest) <= MAXIMUM_PADDING * (double) length
          && (i + 1 - last->begin) * length <= GROUP_TOKENS)
        {
          last->end = i + 1;
          last->length = length;
        }
      else
        {
          g_array_append_val (run->groups, group);
        }
    }
}

static gboolean
embed_group (Run          *run,
             const Group  *group,
             GError      **error)
{
  gsize n = (group->end - group->begin) * group->length;
  gsize width = tare_network_get_config (run->network)->width;
  g_autofree guint32 *tokens = g_new (guint32, n);

  for (gsize i = 0; i < n; i++)
    {
      const GArray *own = g_array_index (run->sequences, Sequence,
                                         group->begin + i / group->length).tokens;

      /* Padding is the last token again. */
      tokens[i] = g_array_index (own, guint32, MIN (i % group->length, own->len - 1));
    }

  return tare_network_embed (run->network, run->weights, tokens, n, group->length,
                             run->x + group->offset * width, error);
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
    if (!embed_group (run, &g_array_index (run->groups, Group, i), error))
      return FALSE;

  for (guint i = 0; i < config->n_blocks; i++)
    {
      g_autoptr(TareBlock) block = tare_network_load_block (run->network, &weights, i, error);

      for (gsize j = 0; block != NULL && j < n_groups; j++)
        {
          const Group *group = &g_array_index (run->groups, Group, first + j);
          double done = i + (double) j / (double) n_groups;
          TareProgress part = tare_progress_part (progress, done / config->n_blocks,
                                                  (done + 1.0 / (double) n_groups)
                                                  / config->n_blocks);

          if (!tare_network_run_block (run->network, block, run->x + group->offset * config->width,
                                       group->end - group->begin, group->length, NULL, &part,
                                       error))
            return FALSE;
        }
      if (block == NULL)
        return FALSE;
    }

  return TRUE;
}

/* Adds the log-likelihoods of the tokens that a tile predicts. */
static gboolean
score_tile (Run              *run,
            const TareBlock  *output,
            const float      *buffer,
            const gsize      *owners,
            const guint32    *targets,
            gsize             n,
            float            *logits,
            GError          **error)
{
  gsize vocabulary = tare_network_get_config (run->network)->vocabulary;

  if (!tare_network_run_output (run->network, output, buffer, n, logits, NULL, error))
    return FALSE;

  for (gsize i = 0; i < n; i++)
    {
      const Sequence *sequence = &g_array_index (run->sequences, Sequence, owners[i]);
      TareTaskScore *score = &run->scores->scores[sequence->task];
      TareLogSoftmax sum = tare_kernel_log_softmax (logits + i * vocabulary, vocabulary);
      double value = (double) logits[i * vocabulary + targets[i]] - sum.log_sum;

      score->log_likelihoods[sequence->choice] += value;
      if (!isfinite (value))
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                       "%s: the output is not finite in the question of line %u",
                       tare_model_get_path (tare_network_get_model (run->network)),
                       tare_tasks_get (run->scores->tasks, sequence->task)->line);
          return FALSE;
        }
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
  gsize tile = CLAMP (TILE_LOGITS / config->vocabulary, TILE_LEAST, TILE_MOST);
  g_autofree float *logits = g_try_new (float, tile * config->vocabulary);
  g_autofree float *buffer = g_new (float, tile * config->width);
  g_autofree guint32 *targets = g_new (guint32, tile);
  g_autofree gsize *owners = g_new (gsize, tile);
  gsize n = 0;

  if (output == NULL || logits == NULL)
    return FALSE;

  for (gsize i = first; i < end; i++)
    {
      const Group *group = &g_array_index (run->groups, Group, i);

      if (!tare_progress_step (progress, (double) (i - first) / (double) (end - first), NULL,
                               error))
        return FALSE;
      for (gsize j = group->begin; j < group->end; j++)
        {
          const Sequence *sequence = &g_array_index (run->sequences, Sequence, j);
          const float *x = run->x + (group->offset + (j - group->begin) * group->length)
                                    * config->width;

          for (gsize k = sequence->first; k < sequence->tokens->len; k++)
            {
              memcpy (buffer + n * config->width, x + (k - 1) * config->width,
                      config->width * sizeof *x);
              targets[n] = g_array_index (sequence->tokens, guint32, k);
              owners[n++] = j;
              if (n == tile)
                {
                  if (!score_tile (run, output, buffer, owners, targets, n, logits, error))
                    return FALSE;
                  n = 0;
                }
            }
        }
    }

  return n == 0 || score_tile (run, output, buffer, owners, targets, n, logits, error);
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
      Group *group = &g_array_index (run->groups, Group, end);
      gsize n = (group->end - group->begin) * group->length;

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

static gboolean
run_scores (TareTaskScores      *self,
            TareModel           *model,
            const TareWeights   *weights,
            guint64              memory,
            const TareProgress  *progress,
            GError             **error)
{
  g_autoptr(TareNetwork) network = tare_network_new (model, error);
  g_autoptr(GArray) sequences = g_array_new (FALSE, FALSE, sizeof (Sequence));
  g_autoptr(GArray) groups = g_array_new (FALSE, FALSE, sizeof (Group));
  TareTokenizer *tokenizer = network != NULL ? tare_model_get_tokenizer (model, error) : NULL;
  Run run = { network, weights, self, sequences, groups, NULL, 0, memory };

  g_array_set_clear_func (sequences, clear_sequence);
  if (tokenizer == NULL || !tare_network_check_memory (network, memory, error)
      || !tare_progress_step (progress, 0.0, "Answering questions", error))
    return FALSE;

  for (gsize i = 0; i < self->n; i++)
    for (guint j = 0; j < tare_tasks_get (self->tasks, i)->n_choices; j++)
      if (!add_sequence (&run, tokenizer, i, j, error))
        return FALSE;
  make_groups (&run);
  if (!run_all (&run, progress, error))
    return FALSE;
  for (gsize i = 0; i < self->n; i++)
    choose (tare_tasks_get (self->tasks, i), &self->scores[i]);

  return tare_progress_step (progress, 1.0, NULL, error);
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
 * the context alone.
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

  if (!run_scores (self, model, weights, memory, progress, error))
    return NULL;

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
