/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#include "quant/model/tare-unicode.h"

/* A part of a text. */
typedef struct
{
  gsize    start;
  gsize    length;
  gboolean matches;
} Part;

/* One run through all steps. */
typedef struct
{
  const TareSplitter *splitter;
  guint64             left;
  TareWordFunc        func;
  gpointer            data;
} Run;

static void split_from (Run        *run,
                        guint       index,
                        const char *text,
                        gsize       length);

static void
clear_step (gpointer data)
{
  TareSplitStep *step = data;

  g_free (step->regex);
  g_clear_pointer (&step->pattern, tare_pattern_unref);
}

/**
 * _tare_splitter_new:
 *
 * Returns: (transfer full): what leaves a text whole
 */
TareSplitter *
_tare_splitter_new (void)
{
  TareSplitter *self = g_array_new (FALSE, FALSE, sizeof (TareSplitStep));

  g_array_set_clear_func (self, clear_step);

  return self;
}

/**
 * _tare_splitter_add:
 * @self: a splitter
 * @regex: what to look for
 * @behavior: what becomes of matches
 * @inverted: that what lies between is what matches
 * @error: return location
 *
 * Adds a step that is applied to the pieces of the step before.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED for an expression that is not understood
 */
gboolean
_tare_splitter_add (TareSplitter       *self,
                    const char         *regex,
                    TareSplitBehavior   behavior,
                    gboolean            inverted,
                    GError            **error)
{
  TareSplitStep step = { NULL, _tare_find_lookup (regex), NULL, behavior, inverted };

  if (step.find == NULL && (step.pattern = tare_pattern_new (regex, error)) == NULL)
    return FALSE;
  step.regex = g_strdup (regex);
  g_array_append_val (self, step);

  return TRUE;
}

/* The next match at or after @from, or the end twice. */
static void
find_next (Run                 *run,
           const TareSplitStep *step,
           const char          *text,
           gsize                length,
           gsize                from,
           gsize               *start,
           gsize               *end)
{
  *start = *end = length;
  if (step->find != NULL)
    {
      gsize offset = 0;
      gsize n = step->find (text + from, length - from, &offset);

      *start = from + offset;
      *end = *start + n;
    }
  else
    {
      if (!tare_pattern_find (step->pattern, text, length, from, &run->left, start, end))
        *start = *end = length;
    }
}

static void
hand_on (Run        *run,
         guint       next,
         const char *text,
         gsize       length)
{
  if (length > 0)
    split_from (run, next, text, length);
}

/* Matches and what lies between, as they come. */
static void
isolate (Run                 *run,
         guint                index,
         const TareSplitStep *step,
         const char          *text,
         gsize                length)
{
  gsize position = 0;

  while (position < length)
    {
      gsize start, end;

      find_next (run, step, text, length, position, &start, &end);
      hand_on (run, index + 1, text + position, start - position);
      hand_on (run, index + 1, text + start, end - start);
      position = end;
    }
}

static void
add_part (GArray  *parts,
          gsize    start,
          gsize    end,
          gboolean matches)
{
  Part part = { start, end - start, matches };

  if (part.length > 0)
    g_array_append_val (parts, part);
}

static gboolean
joins (TareSplitBehavior  behavior,
       const Part        *part,
       const Part        *next)
{
  return (behavior == TARE_SPLIT_CONTIGUOUS && part->matches && next->matches)
         || (behavior == TARE_SPLIT_WITH_PREVIOUS && !part->matches && next->matches)
         || (behavior == TARE_SPLIT_WITH_NEXT && part->matches && !next->matches);
}

/* All that is no plain isolation. */
static void
arrange (Run                 *run,
         guint                index,
         const TareSplitStep *step,
         const char          *text,
         gsize                length)
{
  g_autoptr(GArray) parts = g_array_new (FALSE, FALSE, sizeof (Part));
  gsize position = 0;

  while (position < length)
    {
      gsize start, end;

      find_next (run, step, text, length, position, &start, &end);
      add_part (parts, position, start, step->inverted);
      add_part (parts, start, end, !step->inverted);
      position = end;
    }

  for (guint i = 0; i < parts->len; i++)
    {
      const Part *part = &g_array_index (parts, Part, i);
      gsize n = part->length;

      if (step->behavior == TARE_SPLIT_REMOVED && part->matches)
        continue;
      while (i + 1 < parts->len
             && joins (step->behavior, &g_array_index (parts, Part, i),
                       &g_array_index (parts, Part, i + 1)))
        n += g_array_index (parts, Part, ++i).length;
      hand_on (run, index + 1, text + part->start, n);
    }
}

static void
split_from (Run        *run,
            guint       index,
            const char *text,
            gsize       length)
{
  const TareSplitStep *step;

  if (index == run->splitter->len)
    {
      run->func (text, length, run->data);
      return;
    }

  step = &g_array_index (run->splitter, TareSplitStep, index);
  if (step->behavior == TARE_SPLIT_ISOLATED)
    isolate (run, index, step, text, length);
  else
    arrange (run, index, step, text, length);
}

/**
 * _tare_splitter_run:
 * @self: how
 * @text: bytes, which need not be UTF-8
 * @length: how many
 * @func: (scope call): is called for each word in order; the words together are the text, but for
 *   what a step removes
 * @data: for @func
 */
void
_tare_splitter_run (const TareSplitter *self,
                    const char         *text,
                    gsize               length,
                    TareWordFunc        func,
                    gpointer            data)
{
  Run run = { self, tare_pattern_steps (length) * (self->len + 1), func, data };

  if (length > 0)
    split_from (&run, 0, text, length);
}
