/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-dossier-study.h"

#include <math.h>

#include "analysis/sensitivity/tare-hessian.h"

/* Formats that something else than this program reads. */
#define RUNTIMES                                                                             \
  (TARE_CONTAINER_GGUF | TARE_CONTAINER_COMPRESSED_TENSORS | TARE_CONTAINER_GPTQ             \
   | TARE_CONTAINER_AWQ | TARE_CONTAINER_FP8)

/* What is measured for the dossier itself; the rest only when it was asked for before. */
#define MOST_COST TARE_MEASURE_COST_CALIBRATION

typedef struct
{
  TareLayer        *layer;
  TareAssignment    assignment;
  const TareFormat *reference;
  TareMeasureValue *values;
  gboolean         *known;
  gboolean         *at_reference;
  gboolean          assigned;   /* whether the layer has a format and is measured in that */
} Request;

/* What layers are compared in, and what the measurements that are known are of. */
static TareAssignment
get_reference (TareSession *session)
{
  TareAssignment reference = tare_session_get_brush (session);

  reference.format = tare_session_get_reference (session);

  return reference;
}

static gboolean
same_assignment (const TareAssignment *a,
                 const TareAssignment *b)
{
  return a->format == b->format && a->method == b->method && a->range == b->range;
}

/**
 * tare_dossier_request_new:
 * @layer: the layer, which has its statistics
 * @measurements: what is known of it already
 *
 * Returns: (transfer full): what to ask tare_dossier_study()
 */
gpointer
tare_dossier_request_new (TareLayer        *layer,
                          TareMeasurements *measurements)
{
  TareSession *session = tare_measurements_get_session (measurements);
  const guint *layers = tare_measurements_get_layers (measurements);
  gsize n = tare_measure_get_n_measures ();
  const TareAssignment reference = get_reference (session);
  Request *request = g_new0 (Request, 1);
  guint row = 0;

  while (row < tare_measurements_get_n_rows (measurements)
         && layers[row] != tare_layer_get_index (layer))
    row++;

  request->layer = g_object_ref (layer);
  request->assignment = tare_layer_get_assignment (layer);
  request->reference = reference.format;
  request->assigned = request->assignment.format != NULL;
  if (!request->assigned)
    request->assignment = reference;
  request->values = g_new (TareMeasureValue, n);
  request->known = g_new0 (gboolean, n);
  request->at_reference = g_new0 (gboolean, n);
  for (gsize i = 0; i < n; i++)
    {
      gboolean by_format = tare_measure_is_by_format (tare_measure_get (i));

      request->values[i] = (TareMeasureValue) { NAN, NAN };
      request->at_reference[i] = by_format && !request->assigned;
      if (row == tare_measurements_get_n_rows (measurements))
        continue;
      request->values[i].value = tare_measurements_get_values (measurements, i)[row];
      request->values[i].error = tare_measurements_get_errors (measurements, i)[row];
      request->known[i] = isfinite (request->values[i].value);
      if (by_format && request->known[i])
        request->at_reference[i] = !request->assigned
                                   || !same_assignment (&request->assignment, &reference);
    }

  return request;
}

/**
 * tare_dossier_request_free:
 * @data: (transfer full): a request
 */
void
tare_dossier_request_free (gpointer data)
{
  Request *request = data;

  g_object_unref (request->layer);
  g_free (request->values);
  g_free (request->known);
  g_free (request->at_reference);
  g_free (request);
}

/**
 * tare_dossier_findings_free:
 * @data: (transfer full): a #TareDossierFindings
 */
void
tare_dossier_findings_free (gpointer data)
{
  TareDossierFindings *self = data;

  g_object_unref (self->layer);
  g_clear_pointer (&self->pyramid, tare_pyramid_unref);
  g_clear_pointer (&self->ranges, tare_ranges_free);
  g_clear_pointer (&self->spectrum, tare_spectrum_free);
  g_array_unref (self->points);
  g_free (self->values);
  g_free (self->known);
  g_free (self->at_reference);
  g_free (self);
}

static void
take_point (const TareSweepPoint *point,
            gpointer              points)
{
  g_array_append_val ((GArray *) points, *point);
}

static gboolean
find_errors (TareStudyTask        *task,
             TareDossierFindings  *findings,
             const TareProgress   *progress,
             GError              **error)
{
  const Request *request = task->request;
  const TareTensor *tensor = task->tensor;
  g_autofree float *importance = NULL;

  if (task->calibration != NULL)
    importance = tare_calibration_dup_importance (task->calibration, tensor->canonical,
                                                  tensor->columns);
  findings->weighted = importance != NULL;

  return tare_sweep_run_for (tensor, RUNTIMES, request->assignment.range, importance, take_point,
                             findings->points, progress, error);
}

static gboolean
find_spectrum (TareStudyTask        *task,
               TareDossierFindings  *findings,
               const TareProgress   *progress,
               GError              **error)
{
  const TareLayerActivations *activations = NULL;

  if (task->calibration != NULL)
    activations = tare_calibration_lookup (task->calibration, task->tensor->canonical);
  if (activations == NULL || !tare_hessian_has_spectrum (activations))
    return TRUE;
  findings->spectrum = tare_hessian_find_spectrum (activations, progress, error);

  return findings->spectrum != NULL;
}

/* Whether there is a value already that is not of another format than the assigned one. */
static gboolean
is_found (const Request             *request,
          const TareDossierFindings *findings,
          gsize                      measure)
{
  return findings->known[measure] && !(request->assigned && findings->at_reference[measure]);
}

/* What is not known yet and comes cheap. */
static gboolean
find_measures (TareStudyTask        *task,
               TareDossierFindings  *findings,
               const TareProgress   *progress,
               GError              **error)
{
  const Request *request = task->request;
  g_autoptr(TareMeasureContext) context = tare_measure_context_new (task->engine,
                                                                    task->calibration);
  gsize n = tare_measure_get_n_measures ();

  for (gsize i = 0; i < n; i++)
    {
      const TareMeasure *measure = tare_measure_get (i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n,
                                              (double) (i + 1) / (double) n);

      if (is_found (request, findings, i) || measure->cost > MOST_COST)
        continue;
      if (!tare_measure_compute (measure, context, task->tensor, &request->assignment, &part,
                                 &findings->values[i], error))
        return FALSE;
      findings->known[i] = TRUE;
      findings->at_reference[i] = !request->assigned && tare_measure_is_by_format (measure);
    }

  return TRUE;
}

static gboolean
fill (TareStudyTask        *task,
      TareDossierFindings  *findings,
      GError              **error)
{
  TareProgress parts[5];

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    parts[i] = tare_progress_part (task->progress, 0.2 * i, 0.2 * (i + 1));
  findings->pyramid = tare_pyramid_build (task->tensor, &parts[0], error);
  if (findings->pyramid == NULL)
    return FALSE;
  findings->ranges = tare_ranges_of_rows (task->tensor, &parts[1], error);

  return findings->ranges != NULL
         && find_spectrum (task, findings, &parts[2], error)
         && find_errors (task, findings, &parts[3], error)
         && find_measures (task, findings, &parts[4], error);
}

/**
 * tare_dossier_study:
 * @task: of a layer, its request from tare_dossier_request_new()
 * @error: cancelled, a tensor that cannot be read, memory
 *
 * Finds out what a dossier shows that is not known yet, as far as it takes no run of the network,
 * and posts it as one #TareDossierFindings.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_dossier_study (TareStudyTask  *task,
                    GError        **error)
{
  const Request *request = task->request;
  gsize n = tare_measure_get_n_measures ();
  TareDossierFindings *findings = g_new0 (TareDossierFindings, 1);

  findings->layer = g_object_ref (request->layer);
  findings->points = g_array_new (FALSE, FALSE, sizeof (TareSweepPoint));
  findings->values = g_memdup2 (request->values, n * sizeof *findings->values);
  findings->known = g_memdup2 (request->known, n * sizeof *findings->known);
  findings->at_reference = g_memdup2 (request->at_reference, n * sizeof *findings->at_reference);
  findings->reference = request->reference;
  if (!fill (task, findings, error))
    {
      tare_dossier_findings_free (findings);
      return FALSE;
    }
  tare_study_post (task, findings);

  return TRUE;
}
