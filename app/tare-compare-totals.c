/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-compare-private.h"

#include <glib/gi18n.h>

#include "app/tare-text.h"

/* What the sheet says of all its rows together: models of them come in, texts go out. */

guint
_tare_compare_totals_count_pending (GListModel *rows)
{
  guint n = 0;

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (rows, i);

      n += row->pending ? 1 : 0;
    }

  return n;
}

/* As far as it is known. */
guint
_tare_compare_totals_count_differing (GListModel *rows)
{
  guint n = 0;

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (rows, i);

      n += _tare_compare_row_differs (row) ? 1 : 0;
    }

  return n;
}

/* (transfer full): the size of one side, 0 for A, 1 for B */
char *
_tare_compare_totals_dup_side (GListModel *rows,
                               guint       side,
                               const char *name)
{
  guint64 bytes = 0;
  guint64 weights = 0;
  g_autofree char *size = NULL;
  g_autofree char *bits = NULL;

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (rows, i);
      const TareCompareSide *stored = &row->sides[side];

      bytes += stored->tensor != NULL ? stored->bytes : 0;
      weights += stored->tensor != NULL ? tare_tensor_get_n_weights (stored->tensor) : 0;
    }
  size = tare_text_bytes (bytes);
  bits = tare_text_bits (weights > 0 ? 8.0 * (double) bytes / (double) weights : (double) NAN);

  /* translators: "A" or "B", a name, a size, bits per weight */
  return g_strdup_printf (_("%s: %s, %s, %s bits per weight"), side == 0 ? _("A") : _("B"), name,
                          size, bits);
}

/* (transfer full) (nullable): the first row that both have and that cannot be compared, and how
 * many more there are like it */
char *
_tare_compare_totals_dup_warning (GListModel *rows)
{
  g_autofree char *first = NULL;
  guint n = 0;

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr(TareCompareRow) row = g_list_model_get_item (rows, i);

      if (row->note == NULL || row->sides[0].tensor == NULL || row->sides[1].tensor == NULL)
        continue;
      if (first == NULL)
        first = g_strdup (row->note);
      n++;
    }
  if (n <= 1)
    return g_steal_pointer (&first);

  /* translators: why a tensor cannot be compared, and of how many more that holds */
  return g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", n - 1), first, n - 1);
}

/* (transfer full): how many rows differ, and how many are still to come */
char *
_tare_compare_totals_dup_state (GListModel *rows,
                                gboolean    stopped)
{
  guint total = g_list_model_get_n_items (rows);
  guint compared = total - _tare_compare_totals_count_pending (rows);
  guint differing = _tare_compare_totals_count_differing (rows);

  if (compared < total && !stopped)
    /* translators: how many differ so far, how many are compared, of how many */
    return g_strdup_printf (_("%u differ, %u of %u compared"), differing, compared, total);
  if (compared < total)
    return g_strdup_printf (_("%u differ, stopped at %u of %u"), differing, compared, total);
  if (differing == 0)
    return g_strdup (_("Nothing differs"));

  return g_strdup_printf (_("%u of %u differ"), differing, total);
}
