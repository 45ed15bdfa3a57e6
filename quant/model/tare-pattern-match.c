/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Runs a pattern over a text: the first way that matches is taken, the ways not taken are kept on
 * a stack. */
#include "quant/model/tare-pattern.h"

#include "quant/model/tare-pattern-private.h"
#include "quant/model/tare-unicode.h"

/* What any text may take, and what each of its bytes may. A pattern that is no trap takes some
 * ten steps for a byte. */
#define STEPS_LEAST 65536
#define STEPS_PER_BYTE 512

/* A way not taken: on at @step and @position; from a loop, with any number of its characters up to
 * there as long as the position is beyond @limit, or with more of them. */
typedef struct
{
  guint32 step;
  gint32  loop;
  gsize   position;
  gsize   limit;
} Way;

typedef struct
{
  const TarePattern     *pattern;
  const TarePatternStep *steps;
  const char            *text;
  gsize                  length;
  GArray                *ways;
  guint64               *left;
} Run;

/* Bytes of the next character if it is in the set, or 0. */
static guint
step_over (const Run *run,
           guint32    set,
           gsize      position)
{
  const TarePatternSet *members = &g_array_index (run->pattern->sets, TarePatternSet, set);
  gunichar character;
  guint8 byte;
  guint n;

  if (position >= run->length)
    return 0;
  byte = (guint8) run->text[position];
  if (byte < 128)
    return members->ascii[byte / 32] >> byte % 32 & 1;
  n = tare_unicode_decode (run->text + position, run->length - position, &character);

  return _tare_pattern_set_has (run->pattern, set, character) ? n : 0;
}

/* Where the character before @position begins. */
static gsize
step_back (const Run *run,
           gsize      position,
           gsize      limit)
{
  for (guint n = 4; n > 1; n--)
    {
      gunichar character;

      if (position - limit >= n
          && tare_unicode_decode (run->text + position - n, n, &character) == n)
        return position - n;
    }

  return position - 1;
}

static void
keep (Run     *run,
      guint32  step,
      gint32   loop,
      gsize    position,
      gsize    limit)
{
  Way way = { step, loop, position, limit };

  g_array_append_val (run->ways, way);
}

/* As many characters as the loop takes at first; FALSE where there are too few. */
static gboolean
run_loop (Run     *run,
          guint32  index,
          gsize   *position)
{
  const TarePatternStep *step = &run->steps[index];
  guint32 most = step->greed == TARE_PATTERN_LAZY ? step->least : step->most;
  gsize limit = *position;
  guint32 n = 0;
  guint bytes;

  for (; n < most && (bytes = step_over (run, step->set, *position)) > 0; n++)
    {
      *position += bytes;
      if (n + 1 == step->least)
        limit = *position;
    }
  *run->left -= MIN (*run->left, n);
  if (n < step->least)
    return FALSE;

  if (step->greed == TARE_PATTERN_GREEDY && *position > limit)
    keep (run, index + 1, -1, *position, limit);
  if (step->greed == TARE_PATTERN_LAZY && step->most > step->least)
    keep (run, index + 1, (gint32) index, *position, step->most - step->least);

  return TRUE;
}

/* The last way not taken becomes the one to go; FALSE where there is none. */
static gboolean
take_way (Run     *run,
          guint    base,
          guint32 *step,
          gsize   *position)
{
  while (run->ways->len > base)
    {
      Way way = g_array_index (run->ways, Way, run->ways->len - 1);

      g_array_set_size (run->ways, run->ways->len - 1);
      *step = way.step;
      *position = way.position;
      if (way.loop >= 0)
        {
          guint bytes = step_over (run, run->steps[way.loop].set, way.position);

          if (bytes == 0)
            continue;
          *position += bytes;
          if (way.limit > 1)
            keep (run, way.step, way.loop, *position,
                  way.limit == G_MAXUINT32 ? way.limit : way.limit - 1);
        }
      else if (way.position > way.limit)
        {
          *position = step_back (run, way.position, way.limit);
          if (*position > way.limit)
            keep (run, way.step, -1, *position, way.limit);
        }
      return TRUE;
    }

  return FALSE;
}

static gboolean
holds_anchor (const Run     *run,
              TarePatternOp  op,
              gsize          position)
{
  if (op == TARE_PATTERN_BEGIN)
    return position == 0 || run->text[position - 1] == '\n';

  return position == run->length || run->text[position] == '\n';
}

/* Whether the steps from @step on match at @position, and up to where. */
static gboolean
match (Run     *run,
       guint32  step,
       gsize    position,
       gsize   *end)
{
  guint base = run->ways->len;
  gboolean ok;

  while (*run->left > 0)
    {
      const TarePatternStep *s = &run->steps[step];
      guint bytes;
      gsize there;

      --*run->left;
      ok = TRUE;
      switch (s->op)
        {
        case TARE_PATTERN_SET:
          bytes = step_over (run, s->set, position);
          ok = bytes > 0;
          position += bytes;
          step++;
          break;
        case TARE_PATTERN_LOOP:
          ok = run_loop (run, step, &position);
          step++;
          break;
        case TARE_PATTERN_SPLIT:
          keep (run, (guint32) ((gint32) step + s->otherwise), -1, position, position);
          step = (guint32) ((gint32) step + s->to);
          break;
        case TARE_PATTERN_JUMP:
          step = (guint32) ((gint32) step + s->to);
          break;
        case TARE_PATTERN_LOOK:
          ok = match (run, step + 1, position, &there) != s->negated;
          step = (guint32) ((gint32) step + s->to);
          break;
        case TARE_PATTERN_BEGIN:
        case TARE_PATTERN_END:
          ok = holds_anchor (run, s->op, position);
          step++;
          break;
        case TARE_PATTERN_MATCH:
        default:
          g_array_set_size (run->ways, base);
          *end = position;
          return TRUE;
        }
      if (!ok && !take_way (run, base, &step, &position))
        return FALSE;
    }
  g_array_set_size (run->ways, base);

  return FALSE;
}

/**
 * tare_pattern_steps:
 * @length: bytes of a text
 *
 * Returns: the steps that all of tare_pattern_find() in that text may take together, so that a
 *   pattern made to take forever does not
 */
guint64
tare_pattern_steps (gsize length)
{
  return STEPS_LEAST + STEPS_PER_BYTE * (guint64) length;
}

/**
 * tare_pattern_find:
 * @self: a pattern
 * @text: bytes, which need not be UTF-8 and may hold zeros
 * @length: how many
 * @from: where to begin looking
 * @steps: (inout): the steps that are left; when they are used up nothing more is found
 * @start: (out): the first byte of the first match that is not empty
 * @end: (out): the byte after its last
 *
 * Returns: whether there is a match
 */
gboolean
tare_pattern_find (const TarePattern *self,
                   const char        *text,
                   gsize              length,
                   gsize              from,
                   guint64           *steps,
                   gsize             *start,
                   gsize             *end)
{
  g_autoptr(GArray) ways = g_array_new (FALSE, FALSE, sizeof (Way));
  const TarePatternStep *first = &g_array_index (self->steps, TarePatternStep, 0);
  Run run = { self, first, text, length, ways, steps };
  gboolean begins = first->op == TARE_PATTERN_SET
                    || (first->op == TARE_PATTERN_LOOP && first->least > 0);
  gboolean runs = first->op == TARE_PATTERN_LOOP && first->most == G_MAXUINT32;
  gunichar character;

  for (gsize position = from; position < length;)
    {
      guint n = begins || runs ? step_over (&run, first->set, position) : 0;

      if ((n > 0 || !begins) && match (&run, 0, position, end) && *end > position)
        {
          *start = position;
          return TRUE;
        }
      if (*steps == 0)
        break;

      /* What follows a run of characters and does not match does not from within the run. */
      if (n == 0 || !runs)
        position += tare_unicode_decode (text + position, length - position, &character);
      else
        for (; n > 0; n = step_over (&run, first->set, position))
          position += n;
    }

  return FALSE;
}
