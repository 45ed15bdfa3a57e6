/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-scores-private.h"

#include <math.h>
#include <stdlib.h>

TareScores *
_tare_scores_new (gsize n)
{
  TareScores *self = g_new0 (TareScores, 1);

  self->n = n;
  self->nll = g_new0 (double, n);
  self->base_nll = g_new0 (double, n);
  self->divergence = g_new0 (double, n);
  self->same_top = g_new0 (guint8, n);

  return self;
}

void
_tare_scores_free (TareScores *self)
{
  if (self == NULL)
    return;

  g_free (self->nll);
  g_free (self->base_nll);
  g_free (self->divergence);
  g_free (self->same_top);
  g_free (self);
}

/* The mean, and its standard error sqrt ((E[x²] - E[x]²) / (n - 1)), summed about the mean. */
static double
mean_of (const double *x,
         gsize         n,
         double       *error)
{
  double sum = 0.0;
  double squares = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += x[i];
  for (gsize i = 0; i < n; i++)
    squares += (x[i] - sum / (double) n) * (x[i] - sum / (double) n);
  *error = n > 1 ? sqrt (squares / (double) n / (double) (n - 1)) : 0.0;

  return sum / (double) n;
}

/* Between the sorted values beside position fraction (n - 1), linearly. */
double
_tare_scores_percentile (const double *sorted,
                         gsize         n,
                         double        fraction)
{
  double position = fraction * (double) (n - 1);
  gsize below = MIN ((gsize) position, n - 1);
  gsize above = MIN (below + 1, n - 1);

  return sorted[below] + (position - (double) below) * (sorted[above] - sorted[below]);
}

static int
compare (const void *a,
         const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

/* nll, perplexity and its error. All chunks have as many predictions, so that the mean over all is
 * the mean of the chunks' means too, which is how papers write it. */
void
_tare_scores_sum_nll (const TareScores *self,
                      TareAccuracy     *accuracy)
{
  double error;

  accuracy->n_tokens = self->n;
  accuracy->nll = mean_of (self->nll, self->n, &error);
  accuracy->perplexity = exp (accuracy->nll);
  accuracy->perplexity_error = accuracy->perplexity * error;
}

/* The figures against the base. */
void
_tare_scores_sum_base (const TareScores *self,
                       TareAccuracy     *accuracy)
{
  g_autofree double *sorted = g_memdup2 (self->divergence, self->n * sizeof *sorted);
  gsize same = 0;
  double share, error;

  qsort (sorted, self->n, sizeof *sorted, compare);
  for (gsize i = 0; i < self->n; i++)
    same += self->same_top[i];
  share = (double) same / (double) self->n;

  accuracy->has_base = TRUE;
  accuracy->base_perplexity = exp (mean_of (self->base_nll, self->n, &error));
  accuracy->kl_mean = mean_of (self->divergence, self->n, &accuracy->kl_error);
  accuracy->kl_median = _tare_scores_percentile (sorted, self->n, 0.5);
  accuracy->kl_p99 = _tare_scores_percentile (sorted, self->n, 0.99);
  accuracy->kl_max = sorted[self->n - 1];
  accuracy->same_top = share;
  accuracy->same_top_error = self->n > 1
                             ? sqrt (share * (1.0 - share) / (double) (self->n - 1)) : 0.0;
}
