/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The "llama3" scaling of transformers, which config.json says by four numbers and GGUF by what the
 * rotary frequencies are divided by: 1 for short waves, the factor for long ones, a blend between.
 */
#include <math.h>

#include "quant/model/tare-config-private.h"

/* What Llama 3.1, 3.2 and 3.3 say; their divisors are told by the context before scaling alone. */
#define USUAL_LOW  1.0
#define USUAL_HIGH 4.0

/* How far off divisors may be that another program computed in single precision. */
#define TOLERANCE 1e-5

static double
get_frequency (const TareConfig *self,
               guint             pair)
{
  return pow ((double) self->rope_base, -2.0 * pair / self->rope_width);
}

/**
 * _tare_config_make_divisors:
 * @self: the numbers of a network of which positions are scaled as Llama 3's are
 * @divisors: (out caller-allocates): one for each pair of a head's elements that rotates
 */
void
_tare_config_make_divisors (const TareConfig *self,
                            float            *divisors)
{
  double low = (double) self->rope_low_frequency;
  double high = (double) self->rope_high_frequency;
  double factor = (double) self->rope_factor;

  for (guint i = 0; i < self->rope_width / 2; i++)
    {
      double waves = self->rope_original_context * get_frequency (self, i) / (2.0 * G_PI);
      double blend = CLAMP ((waves - low) / (high - low), 0.0, 1.0);

      divisors[i] = (float) (1.0 / ((1.0 - blend) / factor + blend));
    }
}

/* Whether these numbers make the divisors. */
static gboolean
accept (TareConfig  *self,
        const float *divisors,
        double       low,
        double       high,
        double       original)
{
  g_autofree float *made = g_new (float, self->rope_width / 2 + 1);

  if (!(original >= 1.0 && original <= TARE_CONFIG_MAX_CONTEXT && low > 0.0 && high > low))
    return FALSE;

  self->rope_low_frequency = (float) low;
  self->rope_high_frequency = (float) high;
  self->rope_original_context = (guint) original;
  _tare_config_make_divisors (self, made);
  for (guint i = 0; i < self->rope_width / 2; i++)
    if (!(fabsf (made[i] - divisors[i]) <= (float) TOLERANCE * divisors[i]))
      return FALSE;

  return TRUE;
}

/* Blends are a (frequency) - b with a = original / (2 π (high - low)) and b = low / (high - low),
 * through the first and the last that is neither 0 nor 1; one of the three is free. */
static gboolean
solve (TareConfig  *self,
       const float *divisors)
{
  double factor = (double) self->rope_factor;
  double x[2] = { 0.0 }, y[2] = { 0.0 };
  double a, b, high;
  guint n = 0;

  for (guint i = 0; i < self->rope_width / 2; i++)
    {
      double blend = (1.0 / (double) divisors[i] - 1.0 / factor) / (1.0 - 1.0 / factor);

      if (!(blend > TOLERANCE && blend < 1.0 - TOLERANCE))
        continue;
      x[MIN (n, 1)] = get_frequency (self, i);
      y[MIN (n, 1)] = blend;
      n++;
    }
  if (n < 2)
    return FALSE;

  a = (y[0] - y[1]) / (x[0] - x[1]);
  b = a * x[0] - y[0];
  high = USUAL_LOW * (1.0 + 1.0 / b);
  if (!(b > 0.0))
    return FALSE;

  return accept (self, divisors, USUAL_LOW, high, round (2.0 * G_PI * (high - USUAL_LOW) * a));
}

/**
 * _tare_config_take_divisors:
 * @self: the numbers of a network, of which the rotation is known
 * @divisors: what a GGUF file has in "rope_freqs.weight", one for each pair
 *
 * Finds the numbers of Llama 3's scaling that make the divisors.
 *
 * Returns: %FALSE where none were found
 */
gboolean
_tare_config_take_divisors (TareConfig  *self,
                            const float *divisors)
{
  float factor = 0.0f;

  for (guint i = 0; i < self->rope_width / 2; i++)
    {
      if (!(divisors[i] > 0.0f && divisors[i] < G_MAXFLOAT))
        return FALSE;
      factor = MAX (factor, divisors[i]);
    }
  if (!(factor > 1.0f))
    return FALSE;

  self->rope_scaling = TARE_ROPE_SCALING_LLAMA3;
  self->rope_factor = factor;
  for (double original = 1.0; original <= TARE_CONFIG_MAX_CONTEXT; original *= 2.0)
    if (accept (self, divisors, USUAL_LOW, USUAL_HIGH, original))
      return TRUE;

  return solve (self, divisors);
}
