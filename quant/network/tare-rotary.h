/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-architecture.h"
#include "quant/model/tare-config.h"

G_BEGIN_DECLS

/**
 * TareAngles:
 * @rotary: which elements of a head are a pair
 * @n_pairs: how many pairs of a head rotate; the elements after them stay
 * @length: positions
 * @cosine: length x n_pairs
 * @sine: length x n_pairs
 *
 * By how much every pair of a head turns at every position.
 */
typedef struct
{
  TareRotary  rotary;
  gsize       n_pairs;
  gsize       length;
  float      *cosine;
  float      *sine;
} TareAngles;

void        tare_rotary_frequencies (const TareConfig *config,
                                     const float      *divisors,
                                     double           *frequencies);
double      tare_rotary_magnitude   (const TareConfig *config);
TareAngles *tare_angles_new         (TareRotary        rotary,
                                     const double     *frequencies,
                                     double            magnitude,
                                     gsize             n_pairs,
                                     gsize             length);
void        tare_angles_free        (TareAngles       *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareAngles, tare_angles_free)

G_END_DECLS
