/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-measure-caption.h"

#include <glib/gi18n.h>

#include "app/tare-measure-choice.h"

/* What has to be done before a measure is known. */
static const struct
{
  TareMeasureCost  cost;
  const char      *hint;
} hints[] = {
  { TARE_MEASURE_COST_GRADIENT, N_("Weigh With Gradients finds it.") },
  { TARE_MEASURE_COST_FORWARD, N_("Measure Each Layer finds it.") },
  { TARE_MEASURE_COST_HESSIAN, N_("Measure Each Layer finds it.") },
};

static const char *
get_hint (TareMeasurements  *measurements,
          const TareMeasure *measure,
          guint              known)
{
  TareSession *session = tare_measurements_get_session (measurements);

  if (known > 0 || tare_measurements_is_running (measurements, 1u << measure->cost))
    return "";
  for (gsize i = 0; i < G_N_ELEMENTS (hints); i++)
    if (hints[i].cost == measure->cost)
      return _(hints[i].hint);
  if (tare_session_get_calibration (session) == NULL
      && measure->cost == TARE_MEASURE_COST_CALIBRATION)
    return _("It takes a calibration.");

  return "";
}

/**
 * tare_measure_caption_of_default:
 * @measurements: what is measured
 * @text: the name of the calibration text
 * @known: of how many layers it is known
 *
 * Returns: (transfer full): what the bars say that a calibration makes by itself
 */
char *
tare_measure_caption_of_default (TareMeasurements *measurements,
                                 const char       *text,
                                 guint             known)
{
  const TareFormat *reference =
    tare_session_get_reference (tare_measurements_get_session (measurements));

  return g_strdup_printf (_("Proxy loss tr(ΔW H ΔWᵀ) of rounding each layer to %s (GPTQ, "
                            "2210.17323), H from %s; %u of %u layers. Larger costs more; layers "
                            "share no scale with the perplexity. Click a bar to select its layer."),
                          reference->label, text, known,
                          tare_measurements_get_n_rows (measurements));
}

/**
 * tare_measure_caption_of:
 * @measurements: what is measured
 * @measure: of the measure table
 * @text: the name of the calibration text
 * @known: of how many layers it is known
 *
 * Returns: (transfer full): what the bars of a measure say, and what finds it where it is unknown
 */
char *
tare_measure_caption_of (TareMeasurements  *measurements,
                         const TareMeasure *measure,
                         const char        *text,
                         guint              known)
{
  const TareFormat *reference =
    tare_session_get_reference (tare_measurements_get_session (measurements));
  g_autofree char *definition = tare_measure_choice_describe (measure);
  GString *caption = g_string_new (definition);

  if (tare_measure_is_by_format (measure))
    /* translators: a format */
    g_string_append_printf (caption, _(" Of rounding to %s."), reference->label);
  if ((measure->needs & ~(guint) (TARE_MEASURE_NEEDS_WEIGHTS | TARE_MEASURE_NEEDS_FORMAT)) != 0)
    /* translators: the name of a text */
    g_string_append_printf (caption, _(" On %s."), text);
  g_string_append_printf (caption, _(" %u of %u layers. "), known,
                          tare_measurements_get_n_rows (measurements));
  g_string_append (caption, get_hint (measurements, measure, known));

  return g_string_free (caption, FALSE);
}
