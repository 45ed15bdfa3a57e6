/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-task.h"
#include "quant/network/tare-branches.h"

G_BEGIN_DECLS

/**
 * TareTaskChoice:
 * @index: which choice of the question
 * @tokens: of the context and the choice together
 * @first: the first of them that is predicted
 * @begin: the row at which it parts from the others
 *
 * A choice after its context.
 */
typedef struct
{
  guint   index;
  GArray *tokens;
  gsize   first;
  gsize   begin;
} TareTaskChoice;

/**
 * TareTaskBundle:
 * @task: which question
 * @choices: of #TareTaskChoice, all of a question or one
 * @shared: how many of the first tokens they have in common
 * @length: rows in all, one a token that predicts another
 * @n_positions: of the longest choice
 *
 * What goes through the network as one sequence: the shared tokens, then what each choice adds.
 */
typedef struct
{
  gsize   task;
  GArray *choices;
  gsize   shared;
  gsize   length;
  gsize   n_positions;
} TareTaskBundle;

/**
 * TareTaskGroup:
 * @begin: the first bundle
 * @end: the one after the last
 * @branches: of them, each as long as the longest with its padding
 * @parts: whether any of them has more than one way to go
 * @shared: what @branches points to
 * @starts: likewise
 * @offset: its first row among those that are held at a time
 *
 * Bundles of about the same length.
 */
typedef struct
{
  gsize         begin;
  gsize         end;
  TareBranches  branches;
  gboolean      parts;
  gsize        *shared;
  gsize        *starts;
  gsize         offset;
} TareTaskGroup;

gboolean  _tare_task_bundles_add    (GArray                *bundles,
                                     TareTasks             *tasks,
                                     gsize                  task,
                                     TareTokenizer         *tokenizer,
                                     gboolean               shares,
                                     const char            *path,
                                     GError               **error);
gsize     _tare_task_bundle_get_row (const TareTaskBundle  *self,
                                     const TareTaskChoice  *choice,
                                     gsize                  token);
GArray   *_tare_task_bundles_new    (void);
GArray   *_tare_task_groups_new     (GArray                *bundles,
                                     gsize                  long_context);
guint32  *_tare_task_group_get_tokens (const TareTaskGroup *self,
                                       GArray              *bundles);

G_END_DECLS
