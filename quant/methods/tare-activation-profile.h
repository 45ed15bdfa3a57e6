/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bins of magnitudes: eight to an octave, from 2⁻¹⁶ to 2¹⁶. */
#define TARE_ACTIVATION_BINS 256

/**
 * TareActivationProfile:
 * @mean: (array): mean of x of every column
 * @magnitude: (array): mean of |x| of every column
 * @histogram: counts of x: negative ones by magnitude first, then the others by magnitude
 * @tokens: counts of tokens by their largest |x|
 *
 * How the numbers that enter a layer are spread. The first bin holds all magnitudes below it too,
 * the last all above.
 */
typedef struct
{
  float *mean;
  float *magnitude;
  float  histogram[2 * TARE_ACTIVATION_BINS];
  float  tokens[TARE_ACTIVATION_BINS];
} TareActivationProfile;

TareActivationProfile *tare_activation_profile_new  (gsize                        columns);
void                   tare_activation_profile_free (TareActivationProfile       *self);
double                 tare_activation_bin_get_edge (guint                        bin);
double                 tare_activation_profile_get_share_above
                                                    (const TareActivationProfile *self,
                                                     double                       magnitude);
double                 tare_activation_profile_get_token_share_above
                                                    (const TareActivationProfile *self,
                                                     double                       magnitude);
double                 tare_activation_profile_get_quantile
                                                    (const TareActivationProfile *self,
                                                     double                       share);

/**
 * TareActivationSums:
 * @columns: of the layer
 * @n_tokens: that were added
 * @sum: (array length=columns): Σx
 * @magnitude: (array length=columns): Σ|x|
 * @counts: numbers by their sign, their exponent and three bits of their fraction
 * @tokens: tokens by their largest |x|, likewise
 *
 * What a profile is made of while tokens come in.
 */
typedef struct
{
  gsize    columns;
  gsize    n_tokens;
  double  *sum;
  double  *magnitude;
  guint64  counts[4096];
  guint64  tokens[2048];
} TareActivationSums;

TareActivationSums    *tare_activation_sums_new     (gsize                        columns);
void                   tare_activation_sums_free    (TareActivationSums          *self);
void                   tare_activation_sums_add     (TareActivationSums          *self,
                                                     const float                 *x,
                                                     gsize                        n_tokens);
void                   tare_activation_sums_finish  (const TareActivationSums    *self,
                                                     TareActivationProfile       *profile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareActivationProfile, tare_activation_profile_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareActivationSums, tare_activation_sums_free)

G_END_DECLS
