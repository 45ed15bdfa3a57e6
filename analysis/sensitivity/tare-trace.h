/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/sensitivity/tare-operator.h"

G_BEGIN_DECLS

/**
 * TareProbe:
 * @n_parts: blocks on the diagonal whose traces are wanted
 * @probe: for one random vector v of signs writes v_l'(Av)_l of every part to @values
 * @data: closure
 *
 * A symmetric matrix that answers random questions. As the signs of different parts know nothing
 * of each other, one product answers for all parts at once.
 */
typedef struct
{
  gsize      n_parts;
  gboolean (*probe) (gpointer             data,
                     guint64              seed,
                     double              *values,
                     const TareProgress  *progress,
                     GError             **error);
  gpointer   data;
} TareProbe;

/**
 * TareTrace:
 * @n_parts: parts
 * @means: estimate of each part's trace, with its sign
 * @errors: its standard error; NaN with fewer than two probes
 * @mean: of the whole trace
 * @error: its standard error
 * @n_probes: how many were made
 * @converged: whether the estimate had come to rest before the probes ran out
 */
typedef struct
{
  gsize    n_parts;
  double  *means;
  double  *errors;
  double   mean;
  double   error;
  gsize    n_probes;
  gboolean converged;
} TareTrace;

/**
 * TareTraceOptions:
 * @minimum: probes in any case; 0 for 8
 * @maximum: probes at most; 0 for 100
 * @tolerance: relative change of the mean of the whole trace at which it has come to rest; 0 for
 *   1e-3, below 0 for never
 * @seed: of the first probe
 * @func: (nullable): told of the estimate after every probe; @trace is the caller's for the call
 * @data: closure of @func
 *
 * The defaults are those of HAWQ-V2's code.
 */
typedef struct
{
  gsize      minimum;
  gsize      maximum;
  double     tolerance;
  guint64    seed;
  void     (*func) (const TareTrace *trace,
                    gpointer         data);
  gpointer   data;
} TareTraceOptions;

TareTrace *tare_trace_estimate (const TareProbe         *probe,
                                const TareTraceOptions  *options,
                                const TareProgress      *progress,
                                GError                 **error);
void       tare_trace_free     (TareTrace               *trace);
TareProbe  tare_operator_probe (const TareOperator      *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTrace, tare_trace_free)

G_END_DECLS
