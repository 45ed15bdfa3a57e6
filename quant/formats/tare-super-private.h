/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Weights of a super-block, and the most groups that it has. */
#define TARE_SUPER_BLOCK 256
#define TARE_SUPER_GROUPS 16

/**
 * TareSuperShape:
 * @n_groups: groups of a super-block
 * @group: weights of a group
 * @lowest: the lowest code
 * @highest: the highest
 * @min_scale: the lowest code of a group's scale
 * @max_scale: the highest, also of its minimum
 * @uneven: whether codes stand for the levels of IQ4_NL, and @lowest and @highest for the ends of
 *   these
 *
 * How a super-block of 256 weights is divided.
 */
typedef struct
{
  gsize    n_groups;
  gsize    group;
  float    lowest;
  float    highest;
  float    min_scale;
  float    max_scale;
  gboolean uneven;
} TareSuperShape;

/**
 * TareSuper:
 * @d: the scale of scales
 * @dmin: the scale of minimums
 * @scale: the code of each group's scale
 * @minimum: the code of each group's minimum
 *
 * Group b has the scale d scale[b] and, if it has a minimum, the offset -dmin minimum[b].
 */
typedef struct
{
  float d;
  float dmin;
  float scale[TARE_SUPER_GROUPS];
  float minimum[TARE_SUPER_GROUPS];
} TareSuper;

void _tare_super_affine    (const TareSuperShape *shape,
                            gboolean              search,
                            const float          *x,
                            const float          *w,
                            gsize                 n_supers,
                            TareSuper            *super,
                            float                *q);
void _tare_super_symmetric (const TareSuperShape *shape,
                            gboolean              search,
                            const float          *x,
                            const float          *w,
                            gsize                 n_supers,
                            TareSuper            *super,
                            float                *q);
void _tare_super_span      (const TareSuperShape *shape,
                            float                 minimum,
                            float                 maximum,
                            float                *scale,
                            float                *offset);

G_END_DECLS
