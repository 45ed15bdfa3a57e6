/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/methods/tare-activation-profile.h"

#include <math.h>
#include <string.h>

#include "quant/tare-simd.h"

/* Bits of a float below its exponent and three bits of its fraction. */
#define DROPPED_BITS 20

/* The code of 2⁻¹⁶, where the bins begin. */
#define FIRST_CODE ((127 - 16) * 8)

/* Columns whose sums stay in a first level cache while all tokens go by, and numbers that a thread
 * counts before it adds its counts to the others'. */
#define PANEL          512
#define COUNTS_AT_ONCE (1 << 20)

/* Codes of magnitudes. */
#define CODES 2048

/**
 * tare_activation_profile_new:
 * @columns: inputs of the layer
 *
 * Returns: (transfer full) (nullable): an empty profile, %NULL when there is no memory for it
 */
TareActivationProfile *
tare_activation_profile_new (gsize columns)
{
  TareActivationProfile *self = g_new0 (TareActivationProfile, 1);

  self->mean = g_try_new0 (float, columns);
  self->magnitude = g_try_new0 (float, columns);
  if (self->mean != NULL && self->magnitude != NULL)
    return self;

  tare_activation_profile_free (self);

  return NULL;
}

/**
 * tare_activation_profile_free:
 * @self: (nullable) (transfer full): the profile
 */
void
tare_activation_profile_free (TareActivationProfile *self)
{
  if (self == NULL)
    return;

  g_free (self->mean);
  g_free (self->magnitude);
  g_free (self);
}

/**
 * tare_activation_bin_get_edge:
 * @bin: up to the number of bins
 *
 * Returns: the least magnitude of a bin, 0 for the first; for the number of bins the end of the
 *   last, 2¹⁶
 */
double
tare_activation_bin_get_edge (guint bin)
{
  return bin == 0 ? 0.0 : ldexp (1.0 + (bin % 8) / 8.0, (int) (bin / 8) - 16);
}

/* Share of what is counted above a magnitude, evenly spread within a bin. */
static double
get_share_above (const double counts[TARE_ACTIVATION_BINS],
                 double       magnitude)
{
  double above = 0.0;
  double total = 0.0;

  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    {
      double low = tare_activation_bin_get_edge (i);
      double high = tare_activation_bin_get_edge (i + 1);

      total += counts[i];
      above += counts[i] * CLAMP ((high - magnitude) / (high - low), 0.0, 1.0);
    }

  return total > 0.0 ? above / total : (double) NAN;
}

static void
fold_signs (const TareActivationProfile *self,
            double                       counts[TARE_ACTIVATION_BINS])
{
  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    counts[i] = (double) self->histogram[i] + (double) self->histogram[TARE_ACTIVATION_BINS + i];
}

/**
 * tare_activation_profile_get_share_above:
 * @self: the profile
 * @magnitude: not negative
 *
 * Returns: the share of all |x| above it, exact where it is the edge of a bin, as 6 is
 */
double
tare_activation_profile_get_share_above (const TareActivationProfile *self,
                                         double                       magnitude)
{
  double counts[TARE_ACTIVATION_BINS];

  fold_signs (self, counts);

  return get_share_above (counts, magnitude);
}

/**
 * tare_activation_profile_get_token_share_above:
 * @self: the profile
 * @magnitude: not negative
 *
 * Returns: the share of tokens whose largest |x| is above it
 */
double
tare_activation_profile_get_token_share_above (const TareActivationProfile *self,
                                               double                       magnitude)
{
  double counts[TARE_ACTIVATION_BINS];

  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    counts[i] = (double) self->tokens[i];

  return get_share_above (counts, magnitude);
}

/**
 * tare_activation_profile_get_quantile:
 * @self: the profile
 * @share: from 0 to 1
 *
 * Returns: the magnitude up to which that share of all |x| is; NaN if nothing is counted
 */
double
tare_activation_profile_get_quantile (const TareActivationProfile *self,
                                      double                       share)
{
  double counts[TARE_ACTIVATION_BINS];
  double total = 0.0;
  double below = 0.0;

  fold_signs (self, counts);
  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    total += counts[i];

  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    {
      double low = tare_activation_bin_get_edge (i);
      double high = tare_activation_bin_get_edge (i + 1);

      if (counts[i] > 0.0 && below + counts[i] >= share * total)
        return low + (high - low) * MAX (share * total - below, 0.0) / counts[i];
      below += counts[i];
    }

  return NAN;
}

/**
 * tare_activation_sums_new:
 * @columns: inputs of the layer
 *
 * Returns: (transfer full) (nullable): sums of nothing, %NULL when there is no memory for them
 */
TareActivationSums *
tare_activation_sums_new (gsize columns)
{
  TareActivationSums *self = g_new0 (TareActivationSums, 1);

  self->columns = columns;
  self->sum = g_try_new0 (double, columns);
  self->magnitude = g_try_new0 (double, columns);
  if (self->sum != NULL && self->magnitude != NULL)
    return self;

  tare_activation_sums_free (self);

  return NULL;
}

/**
 * tare_activation_sums_free:
 * @self: (nullable) (transfer full): the sums
 */
void
tare_activation_sums_free (TareActivationSums *self)
{
  if (self == NULL)
    return;

  g_free (self->sum);
  g_free (self->magnitude);
  g_free (self);
}

/* Columns whose tokens are @stride apart. */
TARE_CLONES static void
add_panel (const float *x,
           gsize        n_tokens,
           gsize        stride,
           gsize        n,
           double      *sum,
           double      *magnitude)
{
  for (gsize t = 0; t < n_tokens; t++)
    {
      const float *token = x + t * stride;

#pragma omp simd
      for (gsize i = 0; i < n; i++)
        {
          sum[i] += (double) token[i];
          magnitude[i] += fabs ((double) token[i]);
        }
    }
}

/* Returns the largest code of a magnitude. */
static guint32
count_codes (const float *x,
             gsize        n,
             guint32     *counts)
{
  guint32 largest = 0;

  for (gsize i = 0; i < n; i++)
    {
      guint32 code;

      memcpy (&code, x + i, sizeof code);
      code >>= DROPPED_BITS;
      counts[code]++;
      largest = MAX (largest, code % CODES);
    }

  return largest;
}

/* Counts tokens by themselves, then adds them to those of other threads. */
static void
add_counts (TareActivationSums *self,
            const float        *x,
            gsize               n_tokens)
{
  guint32 counts[2 * CODES] = { 0 };
  guint32 tokens[CODES] = { 0 };

  for (gsize t = 0; t < n_tokens; t++)
    tokens[count_codes (x + t * self->columns, self->columns, counts)]++;

#pragma omp critical (tare_activation_sums)
  {
    for (gsize i = 0; i < 2 * CODES; i++)
      self->counts[i] += counts[i];
    for (gsize i = 0; i < CODES; i++)
      self->tokens[i] += tokens[i];
  }
}

/**
 * tare_activation_sums_add:
 * @self: the sums
 * @x: [n_tokens, columns]: what enters the layer
 * @n_tokens: how many
 *
 * Adds tokens. The top 12 bits of a float are its sign, its exponent and an eighth of an octave, so
 * that nothing is computed to find a bin.
 */
void
tare_activation_sums_add (TareActivationSums *self,
                          const float        *x,
                          gsize               n_tokens)
{
  const gsize columns = self->columns;
  const gsize share = MAX (COUNTS_AT_ONCE / columns, 1);

#pragma omp parallel
  {
#pragma omp for schedule(static) nowait
    for (gsize first = 0; first < columns; first += PANEL)
      add_panel (x + first, n_tokens, columns, MIN ((gsize) PANEL, columns - first),
                 self->sum + first, self->magnitude + first);

#pragma omp for schedule(dynamic)
    for (gsize first = 0; first < n_tokens; first += share)
      add_counts (self, x + first * columns, MIN (share, n_tokens - first));
  }

  self->n_tokens += n_tokens;
}

static guint
find_bin (guint code)
{
  return (guint) CLAMP ((int) code - FIRST_CODE, 0, TARE_ACTIVATION_BINS - 1);
}

/* Sums first, so that counts above 2²⁴ lose no more than their last bits. */
static void
fold_codes (const guint64 *codes,
            float         *bins)
{
  guint64 sums[TARE_ACTIVATION_BINS] = { 0 };

  for (guint i = 0; i < CODES; i++)
    sums[find_bin (i)] += codes[i];
  for (guint i = 0; i < TARE_ACTIVATION_BINS; i++)
    bins[i] = (float) sums[i];
}

/**
 * tare_activation_sums_finish:
 * @self: the sums
 * @profile: (out caller-allocates): a profile of as many columns
 */
void
tare_activation_sums_finish (const TareActivationSums *self,
                             TareActivationProfile    *profile)
{
  double n_tokens = (double) MAX (self->n_tokens, 1);

  for (gsize i = 0; i < self->columns; i++)
    {
      profile->mean[i] = (float) (self->sum[i] / n_tokens);
      profile->magnitude[i] = (float) (self->magnitude[i] / n_tokens);
    }

  fold_codes (self->counts + CODES, profile->histogram);
  fold_codes (self->counts, profile->histogram + TARE_ACTIVATION_BINS);
  fold_codes (self->tokens, profile->tokens);
}
