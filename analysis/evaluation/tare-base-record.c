/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-base-record-private.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-half.h"
#include "quant/network/tare-kernels.h"

/* Where the parts of a prediction are, and how long a token kept is. */
#define NLL_AT      0
#define REST_AT     8
#define TOP_AT      12
#define TOKENS_AT   16
#define TOKEN_BYTES 8

/* Probabilities in binary32 sum to one within this. */
#define SUM_TOLERANCE 1e-3

typedef struct
{
  guint32 token;
  float   logit;
} Candidate;

static guint32
get_u32 (const guint8 *bytes)
{
  guint32 word;

  memcpy (&word, bytes, sizeof word);

  return GUINT32_FROM_LE (word);
}

static void
set_u32 (guint8  *bytes,
         guint32  word)
{
  word = GUINT32_TO_LE (word);
  memcpy (bytes, &word, sizeof word);
}

static float
get_float (const guint8 *bytes)
{
  return tare_float_from_bits (get_u32 (bytes));
}

static void
set_double (guint8 *bytes,
            double  x)
{
  guint64 word;

  memcpy (&word, &x, sizeof word);
  word = GUINT64_TO_LE (word);
  memcpy (bytes, &word, sizeof word);
}

/* Bytes of one. */
gsize
_tare_base_record_measure (const TareBaseRecord *self)
{
  return TOKENS_AT + (gsize) self->n_kept * TOKEN_BYTES;
}

/* Moves the first of a heap, the least likely of all on top, to where it belongs. */
static void
sift_down (Candidate *heap,
           gsize      n,
           gsize      i)
{
  Candidate moved = heap[i];

  for (gsize child = 2 * i + 1; child < n; child = 2 * i + 1)
    {
      if (child + 1 < n && heap[child + 1].logit < heap[child].logit)
        child++;
      if (!(heap[child].logit < moved.logit))
        break;
      heap[i] = heap[child];
      i = child;
    }
  heap[i] = moved;
}

static int
compare_tokens (const void *a,
                const void *b)
{
  const Candidate *first = a;
  const Candidate *second = b;

  return (first->token > second->token) - (first->token < second->token);
}

/* The likeliest tokens, by their numbers. Of equal ones the first stay. */
static void
find_likeliest (const float *logits,
                gsize        vocabulary,
                Candidate   *kept,
                gsize        n)
{
  for (gsize i = 0; i < n; i++)
    kept[i] = (Candidate) { (guint32) i, logits[i] };
  for (gsize i = n / 2; i-- > 0;)
    sift_down (kept, n, i);

  for (gsize i = n; i < vocabulary; i++)
    if (logits[i] > kept[0].logit)
      {
        kept[0] = (Candidate) { (guint32) i, logits[i] };
        sift_down (kept, n, 0);
      }

  qsort (kept, n, sizeof *kept, compare_tokens);
}

/* The probability of all tokens but those of a prediction: of the stretches between them. */
static double
sum_rest (const TareBaseRecord *self,
          const guint8         *bytes,
          const float          *logits,
          double                log_sum)
{
  gsize first = 0;
  double sum = 0.0;

  for (gsize i = 0; i <= self->n_kept; i++)
    {
      gsize end = i < self->n_kept ? get_u32 (bytes + TOKENS_AT + i * TOKEN_BYTES)
                                   : self->vocabulary;

      if (end > first)
        sum += exp (tare_kernel_log_softmax (logits + first, end - first).log_sum - log_sum);
      first = end + 1;
    }

  return sum;
}

/* The log-likelihood of @target, negative, and what @logits make likeliest. */
void
_tare_base_record_set (const TareBaseRecord *self,
                       const float          *logits,
                       guint32               target,
                       guint8               *bytes)
{
  TareLogSoftmax sum = tare_kernel_log_softmax (logits, self->vocabulary);
  g_autofree Candidate *kept = g_new (Candidate, self->n_kept);
  double rest;

  find_likeliest (logits, self->vocabulary, kept, self->n_kept);
  set_double (bytes + NLL_AT, sum.log_sum - (double) logits[target]);
  set_u32 (bytes + TOP_AT, (guint32) sum.top);
  for (gsize i = 0; i < self->n_kept; i++)
    {
      float value = (float) ((double) kept[i].logit - sum.log_sum);

      set_u32 (bytes + TOKENS_AT + i * TOKEN_BYTES, kept[i].token);
      set_u32 (bytes + TOKENS_AT + i * TOKEN_BYTES + 4, tare_float_to_bits (value));
    }
  rest = sum_rest (self, bytes, logits, sum.log_sum);
  set_u32 (bytes + REST_AT, tare_float_to_bits ((float) MIN (rest, 1.0)));
}

/* Whether the tokens are in order, and their probabilities and the rest's one. */
gboolean
_tare_base_record_is_distribution (const TareBaseRecord *self,
                                   const guint8         *bytes)
{
  double nll = _tare_base_record_get_nll (bytes);
  float rest = get_float (bytes + REST_AT);
  guint32 top = get_u32 (bytes + TOP_AT);
  double sum = (double) rest;
  float largest = -INFINITY;
  float of_top = -INFINITY;
  guint32 last = 0;

  if (!isfinite (nll) || nll < -SUM_TOLERANCE || !(rest >= 0.0f && rest <= 1.0f))
    return FALSE;

  for (gsize i = 0; i < self->n_kept; i++)
    {
      guint32 token = get_u32 (bytes + TOKENS_AT + i * TOKEN_BYTES);
      float value = get_float (bytes + TOKENS_AT + i * TOKEN_BYTES + sizeof token);

      if (token >= self->vocabulary || (i > 0 && token <= last) || !isfinite (value)
          || (double) value > SUM_TOLERANCE)
        return FALSE;
      last = token;
      largest = MAX (largest, value);
      of_top = token == top ? value : of_top;
      sum += exp ((double) value);
    }

  return of_top >= largest && fabs (sum - 1.0) <= SUM_TOLERANCE;
}

double
_tare_base_record_get_nll (const guint8 *bytes)
{
  guint64 word;
  double x;

  memcpy (&word, bytes + NLL_AT, sizeof word);
  word = GUINT64_FROM_LE (word);
  memcpy (&x, &word, sizeof x);

  return x;
}

guint32
_tare_base_record_get_top (const guint8 *bytes)
{
  return get_u32 (bytes + TOP_AT);
}

/* As tare_base_statistics_get_divergence(). */
double
_tare_base_record_get_divergence (const TareBaseRecord *self,
                                  const guint8         *bytes,
                                  const float          *logits,
                                  double                log_sum)
{
  double rest = (double) get_float (bytes + REST_AT);
  double sum = 0.0;

  for (gsize i = 0; i < self->n_kept; i++)
    {
      guint32 token = get_u32 (bytes + TOKENS_AT + i * TOKEN_BYTES);
      double value = (double) get_float (bytes + TOKENS_AT + i * TOKEN_BYTES + sizeof token);

      sum += exp (value) * (value - ((double) logits[token] - log_sum));
    }
  /* Taken for no less than it can be, the other's rest makes the bound no larger. */
  if (rest > 0.0)
    sum += rest * (log (rest) - log (fmax (sum_rest (self, bytes, logits, log_sum), DBL_MIN)));

  return sum;
}
