/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-names.h"

#include <stdlib.h>
#include <string.h>

/* A table of more rows is too long for a message, which then names this many of the nearest. */
#define MOST_LISTED  16
#define MOST_NEAREST 3

/* Bytes of a name that are looked at: more than any row has, so that a hostile one costs little. */
#define MOST_BYTES 64

typedef struct
{
  const char *name;
  guint       distance;
  gsize       index;
} Candidate;

/**
 * tare_names_get_distance:
 * @a: a name
 * @b: another
 *
 * How far names are apart, without regard to the case of ASCII: the fewest bytes to put in, take
 * out or replace (V. I. Levenshtein, Soviet Physics Doklady 10, 1966). Only the first 64 count.
 *
 * Returns: that number
 */
guint
tare_names_get_distance (const char *a,
                         const char *b)
{
  gsize n = strnlen (a, MOST_BYTES), m = strnlen (b, MOST_BYTES);
  guint row[MOST_BYTES + 1];

  for (gsize j = 0; j <= m; j++)
    row[j] = (guint) j;
  for (gsize i = 1; i <= n; i++)
    {
      guint diagonal = row[0];

      row[0] = (guint) i;
      for (gsize j = 1; j <= m; j++)
        {
          guint above = row[j];
          guint replaced = diagonal + (g_ascii_tolower (a[i - 1]) != g_ascii_tolower (b[j - 1]));

          row[j] = MIN (replaced, MIN (above, row[j - 1]) + 1);
          diagonal = above;
        }
    }

  return row[m];
}

/**
 * tare_names_join:
 * @at: a table
 * @separator: what stands between two names
 *
 * Returns: (transfer full): its names, in its order
 */
char *
tare_names_join (TareNameAt  at,
                 const char *separator)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; at (i) != NULL; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? separator : "", at (i));

  return g_string_free (text, FALSE);
}

static int
compare_candidates (const void *a,
                    const void *b)
{
  const Candidate *x = a, *y = b;

  if (x->distance != y->distance)
    return x->distance < y->distance ? -1 : 1;

  return x->index < y->index ? -1 : x->index > y->index;
}

/**
 * tare_names_explain:
 * @kind: what the rows are, "format"
 * @name: what was asked for, which no row is called
 * @at: the table
 *
 * Returns: (transfer full): a line that says so, with the names that there are, the nearest first;
 *   of a long table only those
 */
char *
tare_names_explain (const char *kind,
                    const char *name,
                    TareNameAt  at)
{
  g_autoptr(GArray) candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autofree char *start = g_strndup (name, MOST_BYTES);
  g_autofree char *shown = g_utf8_make_valid (start, -1);
  GString *text = g_string_new (NULL);
  gboolean all;

  for (gsize i = 0; at (i) != NULL; i++)
    {
      Candidate candidate = { at (i), tare_names_get_distance (name, at (i)), i };

      g_array_append_val (candidates, candidate);
    }
  if (candidates->len > 1)
    qsort (candidates->data, candidates->len, sizeof (Candidate), compare_candidates);

  all = candidates->len <= MOST_LISTED;
  g_string_append_printf (text, "unknown %s '%s'; %s", kind, shown,
                          all ? "known, the nearest first: " : "the nearest are ");
  for (guint i = 0; i < (all ? candidates->len : MOST_NEAREST); i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "",
                            g_array_index (candidates, Candidate, i).name);

  return g_string_free (text, FALSE);
}
