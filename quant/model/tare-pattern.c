/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-pattern.h"

#include <string.h>

#include "quant/model/tare-pattern-private.h"
#include "quant/tare-error.h"

/* No pattern in use has a tenth of either; repeated groups are written out. */
#define MAXIMUM_STEPS 8192
#define MAXIMUM_DEPTH 32

/* Counts beyond any that a pattern for words needs. */
#define MAXIMUM_COUNT 1000

/* A pattern while it is compiled. */
typedef struct
{
  TarePattern *pattern;
  const char  *regex;
  const char  *rest;
  gboolean     fold;
  guint        depth;
} Parser;

/* A repetition: how often, and which number first. */
typedef struct
{
  guint32          least;
  guint32          most;
  TarePatternGreed greed;
} Count;

static gboolean parse_alternatives (Parser    *parser,
                                    gboolean  *empty,
                                    GError   **error);

/* Says what of a regular expression was not understood; always %FALSE. */
gboolean
_tare_pattern_error (const char  *regex,
                     const char  *at,
                     const char  *what,
                     GError     **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "the regular expression \"%s\" has %s at byte %" G_GSIZE_FORMAT, regex, what,
               (gsize) (at - regex));

  return FALSE;
}

static gboolean
fail (Parser      *parser,
      const char  *what,
      GError     **error)
{
  return _tare_pattern_error (parser->regex, parser->rest, what, error);
}

static void
insert (Parser          *parser,
        guint            index,
        TarePatternStep  step)
{
  g_array_insert_val (parser->pattern->steps, index, step);
}

static void
append (Parser          *parser,
        TarePatternStep  step)
{
  g_array_append_val (parser->pattern->steps, step);
}

static guint
get_n_steps (Parser *parser)
{
  return parser->pattern->steps->len;
}

/* "{3}", "{1,3}", "{2,}"; a brace that begins none is a character. */
static gboolean
parse_braces (Parser *parser,
              Count  *count)
{
  const char *rest = parser->rest + 1;
  char *end = NULL;

  if (!g_ascii_isdigit (*rest))
    return FALSE;
  count->least = count->most = (guint32) MIN (g_ascii_strtoull (rest, &end, 10), MAXIMUM_COUNT);
  if (*end == ',')
    {
      rest = end + 1;
      count->most = G_MAXUINT32;
      end = (char *) rest;
      if (g_ascii_isdigit (*rest))
        count->most = (guint32) MIN (g_ascii_strtoull (rest, &end, 10), MAXIMUM_COUNT);
    }
  if (*end != '}')
    return FALSE;
  parser->rest = end + 1;

  return TRUE;
}

static gboolean
parse_count (Parser *parser,
             Count  *count)
{
  static const struct
  {
    char    name;
    guint32 least;
    guint32 most;
  } names[] = { { '?', 0, 1 }, { '*', 0, G_MAXUINT32 }, { '+', 1, G_MAXUINT32 } };
  gboolean found = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (names) && !found; i++)
    if (*parser->rest == names[i].name)
      {
        *count = (Count) { names[i].least, names[i].most, TARE_PATTERN_GREEDY };
        parser->rest++;
        found = TRUE;
      }
  if (!found && (*parser->rest != '{' || !parse_braces (parser, count)))
    return FALSE;

  count->greed = *parser->rest == '?' ? TARE_PATTERN_LAZY
                 : *parser->rest == '+' ? TARE_PATTERN_POSSESSIVE : TARE_PATTERN_GREEDY;
  parser->rest += count->greed != TARE_PATTERN_GREEDY;

  return TRUE;
}

static void
append_split (Parser   *parser,
              guint     index,
              gint32    over,
              gboolean  lazy)
{
  TarePatternStep split = { .op = TARE_PATTERN_SPLIT, .to = lazy ? over : 1,
                            .otherwise = lazy ? 1 : over };

  insert (parser, index, split);
}

/* Writes a group out: as often as it must be, then as often as it may or in a circle. */
static gboolean
repeat_group (Parser       *parser,
              guint         begin,
              const Count  *count,
              GError      **error)
{
  GArray *steps = parser->pattern->steps;
  guint n = get_n_steps (parser) - begin;
  g_autofree TarePatternStep *body = g_memdup2 (&g_array_index (steps, TarePatternStep, begin),
                                                n * sizeof *body);
  gboolean circle = count->most == G_MAXUINT32;
  guint copies = circle ? count->least : count->most;

  if ((guint64) (n + 2) * (copies + 1) > MAXIMUM_STEPS)
    return fail (parser, "a repetition of too much", error);
  if (count->most < count->least)
    return fail (parser, "a repetition without an end", error);

  g_array_set_size (steps, begin);
  for (guint i = 0; i < copies; i++)
    {
      if (i >= count->least)
        append_split (parser, get_n_steps (parser), (gint32) ((n + 1) * (copies - i)),
                      count->greed == TARE_PATTERN_LAZY);
      g_array_append_vals (steps, body, n);
    }
  if (circle)
    {
      append_split (parser, get_n_steps (parser), (gint32) n + 2,
                    count->greed == TARE_PATTERN_LAZY);
      g_array_append_vals (steps, body, n);
      append (parser, (TarePatternStep) { .op = TARE_PATTERN_JUMP, .to = -(gint32) n - 1 });
    }

  return TRUE;
}

/* What stands after a "(" and says what kind of group it is. */
static gboolean
parse_group_kind (Parser    *parser,
                  gboolean  *looks,
                  gboolean  *negated,
                  gboolean  *whole,
                  GError   **error)
{
  *looks = *negated = *whole = FALSE;
  if (*parser->rest != '?')
    return TRUE;

  if (g_str_has_prefix (parser->rest, "?:"))
    parser->rest += 2;
  else if (g_str_has_prefix (parser->rest, "?=") || g_str_has_prefix (parser->rest, "?!"))
    {
      *looks = TRUE;
      *negated = parser->rest[1] == '!';
      parser->rest += 2;
    }
  else if (g_str_has_prefix (parser->rest, "?i:") || g_str_has_prefix (parser->rest, "?i)"))
    {
      parser->fold = TRUE;
      *whole = parser->rest[2] == ')';
      parser->rest += 3;
    }
  else
    {
      return fail (parser, "an unknown kind of group", error);
    }

  return TRUE;
}

/* A group, after its "("; "(?i)" holds up to the end of the group around it. */
static gboolean
parse_group (Parser    *parser,
             gboolean  *empty,
             GError   **error)
{
  guint begin = get_n_steps (parser);
  gboolean fold = parser->fold;
  gboolean looks, negated, whole;

  if (!parse_group_kind (parser, &looks, &negated, &whole, error))
    return FALSE;
  *empty = TRUE;
  if (whole)
    return TRUE;
  if (++parser->depth > MAXIMUM_DEPTH)
    return fail (parser, "too many groups in one", error);
  if (!parse_alternatives (parser, empty, error))
    return FALSE;
  if (*parser->rest != ')')
    return fail (parser, "a group without an end", error);

  parser->rest++;
  parser->depth--;
  parser->fold = fold;
  if (looks)
    {
      append (parser, (TarePatternStep) { .op = TARE_PATTERN_MATCH });
      insert (parser, begin, (TarePatternStep) {
        .op = TARE_PATTERN_LOOK, .negated = negated,
        .to = (gint32) (get_n_steps (parser) - begin) + 1,
      });
      *empty = TRUE;
    }

  return TRUE;
}

/* One character, group or anchor, and how often. */
static gboolean
parse_item (Parser    *parser,
            gboolean  *empty,
            GError   **error)
{
  guint begin = get_n_steps (parser);
  TarePatternStep step = { .op = TARE_PATTERN_SET };
  gboolean group = *parser->rest == '(';
  gboolean anchor = *parser->rest == '^' || *parser->rest == '$';
  Count count;

  *empty = anchor;
  if (group || anchor)
    {
      step.op = *parser->rest++ == '^' ? TARE_PATTERN_BEGIN : TARE_PATTERN_END;
      if (anchor)
        append (parser, step);
      else if (!parse_group (parser, empty, error))
        return FALSE;
    }
  else if (!_tare_pattern_class (&parser->rest, parser->fold, parser->pattern, &step.set,
                                 parser->regex, error))
    {
      return FALSE;
    }

  if (!parse_count (parser, &count))
    {
      if (!group && !anchor)
        append (parser, step);
      return TRUE;
    }
  if (group || anchor)
    {
      if (*empty || count.greed == TARE_PATTERN_POSSESSIVE)
        return fail (parser, "a repetition of what may be empty or gives nothing back", error);
      *empty = count.least == 0;
      return repeat_group (parser, begin, &count, error);
    }
  step.op = TARE_PATTERN_LOOP;
  step.least = count.least;
  step.most = count.most;
  step.greed = count.greed;
  append (parser, step);
  *empty = count.least == 0;

  return TRUE;
}

static gboolean
parse_sequence (Parser    *parser,
                gboolean  *empty,
                GError   **error)
{
  *empty = TRUE;
  while (*parser->rest != '\0' && *parser->rest != '|' && *parser->rest != ')')
    {
      gboolean item_empty = TRUE;

      if (!parse_item (parser, &item_empty, error))
        return FALSE;
      *empty = *empty && item_empty;
      if (get_n_steps (parser) > MAXIMUM_STEPS)
        return fail (parser, "too many parts", error);
    }

  return TRUE;
}

static gboolean
parse_alternatives (Parser    *parser,
                    gboolean  *empty,
                    GError   **error)
{
  g_autoptr(GArray) jumps = g_array_new (FALSE, FALSE, sizeof (guint));
  gboolean any = FALSE;

  while (TRUE)
    {
      guint begin = get_n_steps (parser);
      guint jump;

      if (!parse_sequence (parser, empty, error))
        return FALSE;
      any = any || *empty;
      if (*parser->rest != '|')
        break;
      parser->rest++;
      append_split (parser, begin, (gint32) (get_n_steps (parser) - begin) + 2, FALSE);
      jump = get_n_steps (parser);
      g_array_append_val (jumps, jump);
      append (parser, (TarePatternStep) { .op = TARE_PATTERN_JUMP });
    }

  for (guint i = 0; i < jumps->len; i++)
    {
      guint jump = g_array_index (jumps, guint, i);

      g_array_index (parser->pattern->steps, TarePatternStep, jump).to =
        (gint32) (get_n_steps (parser) - jump);
    }
  *empty = any;

  return TRUE;
}

static void
clear_set (gpointer data)
{
  g_array_unref (((TarePatternSet *) data)->items);
}

/**
 * tare_pattern_new:
 * @regex: a regular expression in UTF-8
 * @error: return location
 *
 * The syntax is what PCRE, Oniguruma and Rust's regular expressions have in common; "^" and "$"
 * hold at line breaks too, as in Oniguruma, which Hugging Face's tokenizers use.
 *
 * Returns: (transfer full): it compiled, or %NULL with %TARE_ERROR_UNSUPPORTED for what is not
 *   understood
 */
TarePattern *
tare_pattern_new (const char  *regex,
                  GError     **error)
{
  g_autoptr(TarePattern) self = g_new0 (TarePattern, 1);
  Parser parser = { self, regex, regex, FALSE, 0 };
  gboolean empty = FALSE;

  g_atomic_ref_count_init (&self->references);
  self->sets = g_array_new (FALSE, FALSE, sizeof (TarePatternSet));
  g_array_set_clear_func (self->sets, clear_set);
  self->steps = g_array_new (FALSE, FALSE, sizeof (TarePatternStep));

  if (!parse_alternatives (&parser, &empty, error))
    return NULL;
  if (*parser.rest != '\0')
    {
      fail (&parser, "a bracket that closes nothing", error);
      return NULL;
    }
  append (&parser, (TarePatternStep) { .op = TARE_PATTERN_MATCH });

  return g_steal_pointer (&self);
}

/**
 * tare_pattern_ref:
 * @self: a pattern
 *
 * Returns: (transfer full): @self
 */
TarePattern *
tare_pattern_ref (TarePattern *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_pattern_unref:
 * @self: (transfer full): a pattern
 */
void
tare_pattern_unref (TarePattern *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  g_array_unref (self->sets);
  g_array_unref (self->steps);
  g_free (self);
}

static gboolean
is_same_array (const GArray *a,
               const GArray *b)
{
  return a->len == b->len
         && memcmp (a->data, b->data, a->len * g_array_get_element_size ((GArray *) a)) == 0;
}

/**
 * tare_pattern_equal:
 * @a: a pattern
 * @b: a pattern
 *
 * Returns: whether they are the same, however their characters were written
 */
gboolean
tare_pattern_equal (const TarePattern *a,
                    const TarePattern *b)
{
  g_return_val_if_fail (a != NULL && b != NULL, FALSE);

  if (!is_same_array (a->steps, b->steps) || a->sets->len != b->sets->len)
    return FALSE;
  for (guint i = 0; i < a->sets->len; i++)
    {
      const TarePatternSet *x = &g_array_index (a->sets, TarePatternSet, i);
      const TarePatternSet *y = &g_array_index (b->sets, TarePatternSet, i);

      if (x->negated != y->negated || x->and != y->and || !is_same_array (x->items, y->items))
        return FALSE;
    }

  return TRUE;
}
