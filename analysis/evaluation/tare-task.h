/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/network/tare-weights.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareTask:
 * @context: what stands before every choice
 * @choices: what may follow, with the space that parts it from @context; %NULL-terminated
 * @n_choices: how many, at least 2
 * @answer: which is right
 * @line: where in the file
 */
typedef struct
{
  char  *context;
  char **choices;
  guint  n_choices;
  guint  answer;
  guint  line;
} TareTask;

/**
 * TareTasks:
 *
 * Multiple-choice questions. Immutable and safe in any thread; reference counted.
 */
typedef struct _TareTasks TareTasks;

TareTasks      *tare_tasks_load   (const char       *path,
                                   GError          **error);
TareTasks      *tare_tasks_parse  (const char       *text,
                                   gsize             length,
                                   const char       *path,
                                   GError          **error);
TareTasks      *tare_tasks_ref    (TareTasks        *self);
void            tare_tasks_unref  (TareTasks        *self);
gsize           tare_tasks_get_n  (const TareTasks  *self);
const TareTask *tare_tasks_get    (const TareTasks  *self,
                                   gsize             index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTasks, tare_tasks_unref)

/**
 * TareTaskScore:
 * @log_likelihoods: of every choice after the context, in nats
 * @chosen: the likeliest choice
 * @chosen_normalized: the likeliest by log-likelihood over characters
 */
typedef struct
{
  double *log_likelihoods;
  guint   chosen;
  guint   chosen_normalized;
} TareTaskScore;

/**
 * TareTaskAccuracy:
 * @n_tasks: questions
 * @accuracy: share of them whose likeliest choice is right
 * @low: lower end of the 95 % interval of @accuracy (E. B. Wilson 1927)
 * @high: its upper end
 * @normalized: share whose choice likeliest by character is right
 * @normalized_low: lower end of its interval
 * @normalized_high: upper end
 * @nll: mean of -ln of the share that the right choice has of the likelihood of all choices
 * @has_base: whether there is another to agree with
 * @agreement: share of the questions with the base's choice
 * @normalized_agreement: likewise by character
 */
typedef struct
{
  gsize    n_tasks;
  double   accuracy;
  double   low;
  double   high;
  double   normalized;
  double   normalized_low;
  double   normalized_high;
  double   nll;
  gboolean has_base;
  double   agreement;
  double   normalized_agreement;
} TareTaskAccuracy;

/**
 * TareTaskScores:
 *
 * What a model chose. Immutable and safe in any thread; reference counted.
 */
typedef struct _TareTaskScores TareTaskScores;

TareTaskScores      *tare_task_scores_new          (TareTasks             *tasks,
                                                    TareModel             *model,
                                                    const TareWeights     *weights,
                                                    gsize                  maximum,
                                                    guint64                memory,
                                                    const TareProgress    *progress,
                                                    GError               **error);
TareTaskScores      *tare_task_scores_ref          (TareTaskScores        *self);
void                 tare_task_scores_unref        (TareTaskScores        *self);
gsize                tare_task_scores_get_n        (const TareTaskScores  *self);
gsize                tare_task_scores_get_n_tokens (const TareTaskScores  *self);
const TareTaskScore *tare_task_scores_get          (const TareTaskScores  *self,
                                                    gsize                  index);
void                 tare_task_scores_sum          (const TareTaskScores  *self,
                                                    const TareTaskScores  *base,
                                                    TareTaskAccuracy      *accuracy);
void                 tare_task_interval            (gsize                  n_right,
                                                    gsize                  n,
                                                    double                *low,
                                                    double                *high);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTaskScores, tare_task_scores_unref)

G_END_DECLS
