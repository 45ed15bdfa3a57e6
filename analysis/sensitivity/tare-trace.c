/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sensitivity/tare-trace.h"

#include <math.h>

#define DEFAULT_MINIMUM   8
#define DEFAULT_MAXIMUM   100
#define DEFAULT_TOLERANCE 1e-3

/* Running mean and sum of squared distances from it: Welford (1962). */
typedef struct
{
  double mean;
  double squares;
} Sum;

static void
add (Sum   *sum,
     double value,
     gsize  n)
{
  double before = value - sum->mean;

  sum->mean += before / (double) n;
  sum->squares += before * (value - sum->mean);
}

static double
get_error (const Sum *sum,
           gsize      n)
{
  return n < 2 ? (double) NAN : sqrt (sum->squares / ((double) (n - 1) * (double) n));
}

static TareTrace *
trace_new (gsize n_parts)
{
  TareTrace *trace = g_new0 (TareTrace, 1);

  trace->n_parts = n_parts;
  trace->means = g_new0 (double, MAX (n_parts, 1));
  trace->errors = g_new0 (double, MAX (n_parts, 1));

  return trace;
}

/* The estimate with one more probe. */
static void
update (TareTrace    *trace,
        Sum          *sums,
        const double *values)
{
  double whole = 0.0;

  trace->n_probes++;
  for (gsize i = 0; i < trace->n_parts; i++)
    {
      whole += values[i];
      add (&sums[i], values[i], trace->n_probes);
      trace->means[i] = sums[i].mean;
      trace->errors[i] = get_error (&sums[i], trace->n_probes);
    }
  add (&sums[trace->n_parts], whole, trace->n_probes);
  trace->mean = sums[trace->n_parts].mean;
  trace->error = get_error (&sums[trace->n_parts], trace->n_probes);
}

/**
 * tare_trace_estimate:
 * @probe: what is asked
 * @options: (nullable): how, %NULL for the defaults
 * @progress: (nullable): the progress
 * @error: cancelled, or what a probe reports
 *
 * The mean of v'Av over vectors of random signs is the trace, and the mean of v_l'(Av)_l that of
 * a block on the diagonal: Hutchinson (1990); its variance is 2 (|A|² - Σ a_ii²).
 *
 * Returns: (transfer full): the estimate, %NULL on error
 */
TareTrace *
tare_trace_estimate (const TareProbe         *probe,
                     const TareTraceOptions  *options,
                     const TareProgress      *progress,
                     GError                 **error)
{
  const TareTraceOptions defaults = { 0 };
  g_autoptr(TareTrace) trace = NULL;
  g_autofree double *values = NULL;
  g_autofree Sum *sums = NULL;
  gsize minimum, maximum;
  double tolerance;

  g_return_val_if_fail (probe != NULL, NULL);

  if (options == NULL)
    options = &defaults;

  minimum = options->minimum > 0 ? options->minimum : DEFAULT_MINIMUM;
  maximum = MAX (options->maximum > 0 ? options->maximum : DEFAULT_MAXIMUM, 1);
  tolerance = options->tolerance == 0.0 ? DEFAULT_TOLERANCE : options->tolerance;
  trace = trace_new (probe->n_parts);
  values = g_new (double, MAX (probe->n_parts, 1));
  sums = g_new0 (Sum, probe->n_parts + 1);

  while (trace->n_probes < maximum && !trace->converged)
    {
      gsize i = trace->n_probes;
      double last = trace->mean;
      TareProgress part = tare_progress_part (progress, (double) i / (double) maximum,
                                              (double) (i + 1) / (double) maximum);

      if (!probe->probe (probe->data, options->seed + i, values, &part, error))
        return NULL;
      update (trace, sums, values);
      trace->converged = trace->n_probes >= MAX (minimum, 2)
                         && fabs (trace->mean - last) < tolerance * fabs (trace->mean);
      if (options->func != NULL)
        options->func (trace, options->data);
    }

  return g_steal_pointer (&trace);
}

/**
 * tare_trace_free:
 * @trace: (nullable): an estimate
 */
void
tare_trace_free (TareTrace *trace)
{
  if (trace == NULL)
    return;

  g_free (trace->means);
  g_free (trace->errors);
  g_free (trace);
}

static gboolean
probe_operator (gpointer             data,
                guint64              seed,
                double              *values,
                const TareProgress  *progress,
                GError             **error)
{
  const TareOperator *self = data;
  g_autofree float *v = g_new (float, self->n);
  g_autofree float *product = g_new (float, self->n);
  double sum = 0.0;

  tare_operator_fill_signs (seed, self->n, v);
  if (!self->apply (self->data, v, product, progress, error))
    return FALSE;

  for (gsize i = 0; i < self->n; i++)
    sum += (double) v[i] * (double) product[i];
  *values = sum;

  return TRUE;
}

/**
 * tare_operator_probe:
 * @self: a symmetric matrix, which must outlive what is returned
 *
 * Returns: what asks for its trace, as one part
 */
TareProbe
tare_operator_probe (const TareOperator *self)
{
  return (TareProbe) { 1, probe_operator, (gpointer) self };
}
