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
 * @n_starts: scales of the super-block that a search starts from, for coarse scales of groups
 * @lowest: the lowest code
 * @highest: the highest
 * @min_scale: the lowest code of a group's scale
 * @max_scale: the highest, also of its minimum
 * @encode: (nullable): the levels nearest to weights on a grid whose steps are not equal
 * @measure: (nullable): the errors with it, as _tare_search_error_symmetric()
 *
 * How a super-block of 256 weights is divided.
 */
typedef struct
{
  gsize n_groups;
  gsize group;
  gsize n_starts;
  float lowest;
  float highest;
  float min_scale;
  float max_scale;
  void (*encode)  (const float *x,
                   gsize        n,
                   float        scale,
                   float       *q);
  void (*measure) (const float *x,
                   const float *w,
                   gsize        n,
                   gsize        m,
                   const float *scale,
                   float       *error);
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
                            float                *wanted,
                            TareSuper            *super,
                            float                *q);
void _tare_super_span      (const TareSuperShape *shape,
                            float                 minimum,
                            float                 maximum,
                            float                *scale,
                            float                *offset);

G_END_DECLS
