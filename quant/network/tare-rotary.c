/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-rotary.h"

#include <math.h>

/* Turns per trained context at which YaRN keeps a frequency, and at which it stretches it fully:
 * Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models" (2023), 3.2. */
#define YARN_FAST_TURNS 32.0
#define YARN_SLOW_TURNS 1.0

/* The pair that makes @turns over the trained context. */
static double
yarn_pair (const TareConfig *config,
           double            turns)
{
  return (double) config->rope_width
         * log ((double) config->rope_original_context / (2.0 * G_PI * turns))
         / (2.0 * log ((double) config->rope_base));
}

static void
scale_yarn (const TareConfig *config,
            double           *frequencies)
{
  double low = MAX (0.0, floor (yarn_pair (config, YARN_FAST_TURNS)));
  double high = MIN ((double) config->rope_width - 1.0,
                     ceil (yarn_pair (config, YARN_SLOW_TURNS)));
  double span = MAX (0.001, high - low);

  for (guint i = 0; i < config->rope_width / 2; i++)
    {
      double kept = 1.0 - CLAMP (((double) i - low) / span, 0.0, 1.0);

      frequencies[i] *= (1.0 - kept) / (double) config->rope_factor + kept;
    }
}

/* Llama 3.1: long waves are stretched, short ones kept, those between blended by wavelength. */
static void
scale_llama3 (const TareConfig *config,
              double           *frequencies)
{
  double context = config->rope_original_context;
  double low = (double) config->rope_low_frequency;
  double high = (double) config->rope_high_frequency;
  double factor = (double) config->rope_factor;

  for (guint i = 0; i < config->rope_width / 2; i++)
    {
      double wavelength = 2.0 * G_PI / frequencies[i];
      double kept;

      if (wavelength < context / high)
        kept = 1.0;
      else if (wavelength > context / low)
        kept = 0.0;
      else
        kept = (context / wavelength - low) / (high - low);

      frequencies[i] *= (1.0 - kept) / factor + kept;
    }
}

/**
 * tare_rotary_frequencies:
 * @config: the numbers of the network
 * @divisors: (nullable): one a pair, from "rope_freqs.weight"; they then stand for Llama 3's
 *   scaling, whatever @config says of it
 * @frequencies: (out caller-allocates): config->rope_width / 2 of them, in radians a position
 *
 * base^(-2i / rope_width), scaled as @config says. Su et al., "RoFormer" (2021), 3.2.2.
 */
void
tare_rotary_frequencies (const TareConfig *config,
                         const float      *divisors,
                         double           *frequencies)
{
  guint n_pairs = config->rope_width / 2;

  for (guint i = 0; i < n_pairs; i++)
    frequencies[i] = pow ((double) config->rope_base,
                          -2.0 * (double) i / (double) config->rope_width);

  if (config->rope_scaling == TARE_ROPE_SCALING_LINEAR)
    {
      for (guint i = 0; i < n_pairs; i++)
        frequencies[i] /= (double) config->rope_factor;
    }
  else if (config->rope_scaling == TARE_ROPE_SCALING_YARN)
    scale_yarn (config, frequencies);
  else if (config->rope_scaling == TARE_ROPE_SCALING_LLAMA3 && divisors == NULL)
    scale_llama3 (config, frequencies);

  for (guint i = 0; divisors != NULL && i < n_pairs; i++)
    frequencies[i] /= (double) divisors[i];
}

/**
 * tare_rotary_magnitude:
 * @config: the numbers of the network
 *
 * Returns: what multiplies cosine and sine: 1, YaRN's root of the temperature (2023, 3.4), or
 *   longrope's factor
 */
double
tare_rotary_magnitude (const TareConfig *config)
{
  if (config->rope_scaling == TARE_ROPE_SCALING_LONGROPE)
    return config->rope_attention_factor > 0.0f ? (double) config->rope_attention_factor : 1.0;
  if (config->rope_scaling != TARE_ROPE_SCALING_YARN)
    return 1.0;
  if (config->rope_attention_factor > 0.0f)
    return (double) config->rope_attention_factor;

  return 0.1 * log ((double) config->rope_factor) + 1.0;
}

/**
 * tare_angles_new:
 * @rotary: which elements of a head are a pair
 * @frequencies: @n_pairs of them, in radians a position
 * @magnitude: what multiplies cosine and sine
 * @n_pairs: pairs of a head
 * @length: positions from 0 on
 *
 * Returns: (transfer full): the angles, made in double
 */
TareAngles *
tare_angles_new (TareRotary    rotary,
                 const double *frequencies,
                 double        magnitude,
                 gsize         n_pairs,
                 gsize         length)
{
  TareAngles *self = g_new0 (TareAngles, 1);

  self->rotary = rotary;
  self->n_pairs = n_pairs;
  self->length = length;
  self->cosine = g_new (float, MAX (length * n_pairs, 1));
  self->sine = g_new (float, MAX (length * n_pairs, 1));

  for (gsize position = 0; position < length; position++)
    for (gsize i = 0; i < n_pairs; i++)
      {
        double angle = (double) position * frequencies[i];

        self->cosine[position * n_pairs + i] = (float) (cos (angle) * magnitude);
        self->sine[position * n_pairs + i] = (float) (sin (angle) * magnitude);
      }

  return self;
}

void
tare_angles_free (TareAngles *self)
{
  if (self == NULL)
    return;

  g_free (self->cosine);
  g_free (self->sine);
  g_free (self);
}
