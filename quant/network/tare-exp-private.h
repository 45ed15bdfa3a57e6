/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <string.h>

#include "quant/tare-simd.h"

G_BEGIN_DECLS

/**
 * TARE_CONTRACT:
 *
 * After the includes of a file of activations, whose last bits differ between machines anyway,
 * since OpenBLAS has kernels of its own for each: a product and a sum may be rounded once. Never
 * where codes or files are made.
 */
#if defined (__clang__)
#define TARE_CONTRACT _Pragma ("clang fp contract(fast)")
#elif defined (__GNUC__)
#define TARE_CONTRACT _Pragma ("GCC optimize (\"fp-contract=fast\")")
#else
#define TARE_CONTRACT
#endif

/* The least x whose exponential is a normal number, and one whose exponential is infinite. */
#define TARE_EXP_LOWEST  (-87.3365448f)
#define TARE_EXP_HIGHEST 89.0f

/*
 * exp (x) within 2 ulp, without branches or calls so that loops around it become vectors; what
 * would be denormal is 0. NaN stays NaN.
 *
 * e^x = 2^n e^r with n = round (x / ln 2) and |r| <= ln 2 / 2. Splitting of ln 2 and coefficients:
 * S. Moshier, Cephes Mathematical Library, expf.
 */
static inline float
_tare_exp (float x)
{
  /* Adding it leaves the rounded number in the low bits: 1.5 * 2^23. */
  const float shifter = 12582912.0f;
  float bounded = x < TARE_EXP_LOWEST ? TARE_EXP_LOWEST : x;
  float shifted, n, r, p, low_scale, high_scale;
  gint32 exponent, half, low, high;

  bounded = bounded > TARE_EXP_HIGHEST ? TARE_EXP_HIGHEST : bounded;
  shifted = bounded * 1.44269504088896341f + shifter;
  n = shifted - shifter;
  r = bounded - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;

  p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;

  /* Two factors, since 2^128 is not a number: e^88.7 is. */
  memcpy (&exponent, &shifted, sizeof exponent);
  exponent -= 0x4b400000;
  half = exponent >> 1;
  low = (gint32) ((guint32) (half + 127) << 23);
  high = (gint32) ((guint32) (exponent - half + 127) << 23);
  memcpy (&low_scale, &low, sizeof low_scale);
  memcpy (&high_scale, &high, sizeof high_scale);
  p = p * low_scale * high_scale;

  return x < TARE_EXP_LOWEST ? 0.0f : p;
}

/* tanh (x) within 4 ulp, likewise. Polynomial around 0: S. Moshier, Cephes, tanhf. */
static inline float
_tare_tanh (float x)
{
  float z = x * x;
  float p = -5.70498872745e-3f;

  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  p = p * z * x + x;

  return z < 0.390625f ? p : 1.0f - 2.0f / (1.0f + _tare_exp (2.0f * x));
}

G_END_DECLS
