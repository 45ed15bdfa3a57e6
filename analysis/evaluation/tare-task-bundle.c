/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-task-bundle-private.h"

#include <string.h>

#include "quant/tare-error.h"

/* Shares of a group that may be padding, and tokens of one. */
#define MAXIMUM_PADDING 0.1
#define GROUP_TOKENS    4096

static void
clear_choice (gpointer data)
{
  g_array_unref (((TareTaskChoice *) data)->tokens);
}

static void
clear_bundle (gpointer data)
{
  g_array_unref (((TareTaskBundle *) data)->choices);
}

/* Room for bundles. */
GArray *
_tare_task_bundles_new (void)
{
  GArray *bundles = g_array_new (FALSE, FALSE, sizeof (TareTaskBundle));

  g_array_set_clear_func (bundles, clear_bundle);

  return bundles;
}

/* The tokens of the whole; what of its begin is the context's alone is not predicted. */
static gboolean
add_choice (GArray          *choices,
            const TareTask  *task,
            guint            index,
            TareTokenizer   *tokenizer,
            const char      *path,
            GError         **error)
{
  g_autofree char *whole = g_strconcat (task->context, task->choices[index], NULL);
  g_autoptr(GArray) context = NULL;
  TareTaskChoice choice = { index, NULL, 0, 0 };
  const guint32 *tokens;

  context = tare_tokenizer_encode (tokenizer, task->context, strlen (task->context),
                                   TARE_TOKEN_FLAGS_ADD_BEGIN);
  choice.tokens = tare_tokenizer_encode (tokenizer, whole, strlen (whole),
                                         TARE_TOKEN_FLAGS_ADD_BEGIN);
  tokens = (const guint32 *) (gpointer) choice.tokens->data;
  while (choice.first < context->len && choice.first + 1 < choice.tokens->len
         && tokens[choice.first] == g_array_index (context, guint32, choice.first))
    choice.first++;
  g_array_append_val (choices, choice);
  if (choice.first > 0)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: line %u: nothing stands before choice %u that it could be predicted from",
               path, task->line, index + 1);

  return FALSE;
}

/* How many tokens two choices begin with together, of those that predict others. */
static gsize
count_shared (const GArray *a,
              const GArray *b)
{
  gsize most = MIN (a->len, b->len) - 1;
  gsize n = 0;

  while (n < most && g_array_index (a, guint32, n) == g_array_index (b, guint32, n))
    n++;

  return n;
}

/* The last token of a choice predicts nothing and has no row. */
static void
lay_out (TareTaskBundle *self)
{
  TareTaskChoice *choices = (TareTaskChoice *) (gpointer) self->choices->data;

  self->shared = choices[0].tokens->len - 1;
  for (guint i = 1; i < self->choices->len; i++)
    self->shared = MIN (self->shared, count_shared (choices[0].tokens, choices[i].tokens));

  self->length = self->shared;
  self->n_positions = self->shared;
  for (guint i = 0; i < self->choices->len; i++)
    {
      gsize n = choices[i].tokens->len - 1;

      choices[i].begin = self->length;
      self->length += n - self->shared;
      self->n_positions = MAX (self->n_positions, n);
    }
}

/* The row of a token that predicts the one after it. */
gsize
_tare_task_bundle_get_row (const TareTaskBundle *self,
                           const TareTaskChoice *choice,
                           gsize                 token)
{
  return token < self->shared ? token : choice->begin + token - self->shared;
}

/* One bundle of all choices of a question, or, where they cannot share, one of each. */
gboolean
_tare_task_bundles_add (GArray         *bundles,
                        TareTasks      *tasks,
                        gsize           task,
                        TareTokenizer  *tokenizer,
                        gboolean        shares,
                        const char     *path,
                        GError        **error)
{
  guint n_choices = tare_tasks_get (tasks, task)->n_choices;

  for (guint i = 0; i < n_choices; i++)
    {
      if (i == 0 || !shares)
        {
          TareTaskBundle bundle = { .task = task };

          bundle.choices = g_array_new (FALSE, FALSE, sizeof (TareTaskChoice));
          g_array_set_clear_func (bundle.choices, clear_choice);
          g_array_append_val (bundles, bundle);
        }
      if (!add_choice (g_array_index (bundles, TareTaskBundle, bundles->len - 1).choices,
                       tare_tasks_get (tasks, task), i, tokenizer, path, error))
        return FALSE;
      if (i + 1 == n_choices || !shares)
        lay_out (&g_array_index (bundles, TareTaskBundle, bundles->len - 1));
    }

  return TRUE;
}

static int
compare_lengths (gconstpointer a,
                 gconstpointer b)
{
  const TareTaskBundle *x = a;
  const TareTaskBundle *y = b;
  guint x_index = g_array_index (x->choices, TareTaskChoice, 0).index;
  guint y_index = g_array_index (y->choices, TareTaskChoice, 0).index;

  if (x->length != y->length)
    return x->length < y->length ? -1 : 1;

  return x->task != y->task ? (x->task < y->task ? -1 : 1)
                            : (x_index > y_index) - (x_index < y_index);
}

static void
clear_group (gpointer data)
{
  TareTaskGroup *self = data;

  g_free (self->shared);
  g_free (self->starts);
}

/* Where the branches of a bundle begin. Padding is where the last shared token is. */
static void
set_starts (const TareTaskBundle *bundle,
            gsize                 length,
            gsize                *starts)
{
  for (gsize row = 0; row < length; row++)
    starts[row] = row + (bundle->shared > 0);
  for (guint i = 0; i < bundle->choices->len; i++)
    {
      const TareTaskChoice *choice = &g_array_index (bundle->choices, TareTaskChoice, i);

      for (gsize j = bundle->shared; j + 1 < choice->tokens->len; j++)
        starts[choice->begin + j - bundle->shared] = choice->begin;
    }
}

static void
close_group (TareTaskGroup *self,
             GArray        *bundles)
{
  gsize n = self->end - self->begin;
  gsize length = g_array_index (bundles, TareTaskBundle, self->end - 1).length;

  self->shared = g_new (gsize, n);
  self->starts = g_new (gsize, n * length);
  self->branches = (TareBranches) { n, length, 0, self->shared, self->starts };
  for (gsize i = 0; i < n; i++)
    {
      const TareTaskBundle *bundle = &g_array_index (bundles, TareTaskBundle, self->begin + i);

      self->shared[i] = bundle->shared;
      self->parts |= bundle->shared < bundle->length && bundle->choices->len > 1;
      self->branches.n_positions = MAX (self->branches.n_positions, bundle->n_positions);
      set_starts (bundle, length, self->starts + i * length);
    }
}

/*
 * _tare_task_groups_new:
 * @bundles: (inout): of #TareTaskBundle, sorted by this
 * @long_context: positions beyond which a network may turn heads otherwise, or 0
 *
 * Returns: (transfer full): groups of bundles of about the same length, on one side of that
 */
GArray *
_tare_task_groups_new (GArray *bundles,
                       gsize   long_context)
{
  GArray *groups = g_array_new (FALSE, FALSE, sizeof (TareTaskGroup));
  TareTaskGroup group = { 0 };

  g_array_set_clear_func (groups, clear_group);
  g_array_sort (bundles, compare_lengths);
  for (gsize i = 0; i < bundles->len; i++)
    {
      const TareTaskBundle *bundle = &g_array_index (bundles, TareTaskBundle, i);
      const TareTaskBundle *first = &g_array_index (bundles, TareTaskBundle, group.begin);
      double padding = (double) (bundle->length - first->length);

      if (padding > MAXIMUM_PADDING * (double) bundle->length
          || (i + 1 - group.begin) * bundle->length > GROUP_TOKENS
          || (bundle->n_positions > long_context) != (first->n_positions > long_context))
        {
          if (i > group.begin)
            {
              close_group (&group, bundles);
              g_array_append_val (groups, group);
            }
          group = (TareTaskGroup) { .begin = i };
        }
      group.end = i + 1;
    }
  if (bundles->len > 0)
    {
      close_group (&group, bundles);
      g_array_append_val (groups, group);
    }

  return groups;
}

/* Returns: (transfer full): the tokens of all rows; padding is the last token again. */
guint32 *
_tare_task_group_get_tokens (const TareTaskGroup *self,
                             GArray              *bundles)
{
  gsize length = self->branches.length;
  guint32 *tokens = g_new (guint32, self->branches.n_sequences * length);

  for (gsize i = 0; i < self->branches.n_sequences; i++)
    {
      const TareTaskBundle *bundle = &g_array_index (bundles, TareTaskBundle, self->begin + i);
      guint32 *rows = tokens + i * length;

      for (guint j = 0; j < bundle->choices->len; j++)
        {
          const TareTaskChoice *choice = &g_array_index (bundle->choices, TareTaskChoice, j);

          for (gsize k = 0; k + 1 < choice->tokens->len; k++)
            rows[_tare_task_bundle_get_row (bundle, choice, k)] =
              g_array_index (choice->tokens, guint32, k);
        }
      for (gsize row = bundle->length; row < length; row++)
        rows[row] = rows[bundle->length - 1];
    }

  return tokens;
}
