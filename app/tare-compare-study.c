/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-compare-private.h"

#include <glib/gi18n.h>
#include <math.h>

#include "analysis/statistics/tare-comparison.h"

/* How long a study goes on before others that a person waits for get their turn, in microseconds,
 * and before the order in which the sheet shows its rows is looked at anew. */
#define BATCH_TIME (G_USEC_PER_SEC / 4)

void
_tare_compare_request_free (gpointer data)
{
  TareCompareRequest *request = data;

  g_clear_pointer (&request->b, tare_model_unref);
  for (gsize i = 0; i < G_N_ELEMENTS (request->recipes); i++)
    g_clear_pointer (&request->recipes[i], tare_recipe_unref);
  g_clear_pointer (&request->pairs, g_array_unref);
  g_free (request);
}

void
_tare_compare_finding_free (gpointer data)
{
  TareCompareFinding *finding = data;

  g_free (finding->verdict);
  g_free (finding->note);
  g_free (finding);
}

static gboolean
compare_weights (const TareComparePair  *pair,
                 TareCompareFinding     *finding,
                 const TareProgress     *progress,
                 GError                **error)
{
  TareDistortion distortion;

  if (!tare_comparison_measure (pair->a, pair->b, &distortion, progress, error))
    return FALSE;

  finding->figures[0] = distortion.relative;
  finding->figures[1] = distortion.maximum;

  return TRUE;
}

static gboolean
compare_recipes (TareStudyTask          *task,
                 const TareComparePair  *pair,
                 TareCompareFinding     *finding,
                 const TareProgress     *progress,
                 GError                **error)
{
  const TareCompareRequest *request = task->request;

  for (gsize i = 0; i < G_N_ELEMENTS (request->recipes); i++)
    {
      TareAssignment assignment = tare_recipe_resolve (request->recipes[i], pair->a);
      TareProgress part = tare_progress_part (progress, 0.5 * (double) i, 0.5 * (double) (i + 1));
      TareQuantized *quantized = tare_engine_quantize (task->engine, pair->a, &assignment,
                                                       task->calibration, &part, error);

      if (quantized == NULL)
        return FALSE;
      finding->figures[i] = quantized->distortion.relative;
      tare_quantized_unref (quantized);
    }

  return TRUE;
}

/* Of what cannot be compared the others should not have to suffer. */
static gboolean
compare_pair (TareStudyTask          *task,
              const TareComparePair  *pair,
              const TareProgress     *progress,
              GError                **error)
{
  const TareCompareRequest *request = task->request;
  TareCompareFinding *finding = g_new0 (TareCompareFinding, 1);
  g_autoptr(GError) failure = NULL;
  gboolean found;

  finding->row = pair->row;
  if (request->kind == TARE_COMPARE_KIND_MODELS)
    found = compare_weights (pair, finding, progress, &failure);
  else
    found = compare_recipes (task, pair, finding, progress, &failure);

  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      _tare_compare_finding_free (finding);
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (!found)
    {
      finding->figures[0] = (double) NAN;
      finding->figures[1] = (double) NAN;
      finding->verdict = g_strdup (_("failed"));
      finding->note = g_strdup (failure->message);
    }
  tare_study_post (task, finding);

  return TRUE;
}

gboolean
_tare_compare_study_work (TareStudyTask  *task,
                          GError        **error)
{
  const TareCompareRequest *request = task->request;
  gint64 end = g_get_monotonic_time () + BATCH_TIME;
  double n = (double) request->pairs->len;

  for (guint i = 0; i < request->pairs->len && g_get_monotonic_time () < end; i++)
    {
      TareProgress part = tare_progress_part (task->progress, (double) i / n,
                                              (double) (i + 1) / n);

      if (!compare_pair (task, &g_array_index (request->pairs, TareComparePair, i), &part, error))
        return FALSE;
    }

  return TRUE;
}
