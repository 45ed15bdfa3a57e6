/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "analysis/evaluation/tare-base-statistics.h"
#include "tests/fuzz/fuzz.h"

/* More logits than that are not made up. */
#define MOST_TOKENS 100000

static void
use (TareBaseStatistics *statistics)
{
  const TareBaseIdentity *identity = tare_base_statistics_get_identity (statistics);
  g_autofree float *logits = NULL;

  g_assert_nonnull (identity->name);
  g_assert_cmpuint (tare_base_statistics_get_n_kept (statistics), <=, identity->vocabulary);
  if (identity->vocabulary > MOST_TOKENS)
    return;

  logits = g_new0 (float, identity->vocabulary);
  for (gsize i = 0; i < identity->n_predictions; i++)
    {
      g_assert_cmpuint (tare_base_statistics_get_top (statistics, i), <, identity->vocabulary);
      g_assert_true (isfinite (tare_base_statistics_get_nll (statistics, i)));
      g_assert_true (isfinite (tare_base_statistics_get_divergence (statistics, i, logits,
                                                                    log (identity->vocabulary))));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);
  g_autoptr(TareFile) file = tare_file_new_bytes ("fuzz", bytes);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBaseStatistics) statistics = tare_base_statistics_new_file (file, NULL, &error);

  if (statistics != NULL)
    use (statistics);
  else
    g_assert_nonnull (error);

  return 0;
}
