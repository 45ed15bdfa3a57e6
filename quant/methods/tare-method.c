/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-method.h"

#include <string.h>

/* So that gettext finds what the application translates. */
#define N_(string) (string)

/* In percent of |x|: a clipped range gives up one weight in a thousand. */
#define PERCENTILE 99.9

/* Every weight goes to the nearest level of its own group's grid; activations only weigh the
 * errors by which the range of a group is chosen. */
static gboolean
round_to_nearest (const TareMethod            *self,
                  const TareFormat            *format,
                  TareRange                    range,
                  const float                 *x,
                  gsize                        rows,
                  gsize                        columns,
                  const TareLayerActivations  *activations,
                  guint8                      *codes,
                  const TareProgress          *progress,
                  GError                     **error)
{
  g_autofree float *importance = NULL;
  TareEncoding encoding = { .range = range, .percentile = TARE_RANGE_DEFAULT_PERCENTILE };

  if (activations != NULL && activations->columns == columns && activations->n_tokens > 0.0)
    {
      importance = g_new (float, columns);
      for (gsize i = 0; i < columns; i++)
        importance[i] = (float) ((double) activations->sum_squares[i] / activations->n_tokens);
      encoding.importance = importance;
    }

  return tare_format_encode (format, &encoding, x, rows, columns, codes, progress, error);
}

static const TareMethod methods[] = {
  {
    .id = "rtn",
    .label = N_("Round to nearest"),
    .description = N_("Rounds every weight by itself to the nearest level that its format has."),
    .round = round_to_nearest,
  },
};

/**
 * tare_method_get_n_methods:
 *
 * Returns: rows of the method table
 */
gsize
tare_method_get_n_methods (void)
{
  return G_N_ELEMENTS (methods);
}

/**
 * tare_method_get:
 * @index: below the number of methods
 *
 * Returns: (transfer none): one method; the first is the default
 */
const TareMethod *
tare_method_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (methods), NULL);

  return &methods[index];
}

/**
 * tare_method_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_method_name_at (gsize index)
{
  return index < G_N_ELEMENTS (methods) ? methods[index].id : NULL;
}

/**
 * tare_method_lookup:
 * @id: what the command line calls it
 *
 * Returns: (transfer none) (nullable): the method, or %NULL when there is none of that name
 */
const TareMethod *
tare_method_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      if (strcmp (methods[i].id, id) == 0)
        return &methods[i];
    }

  return NULL;
}
