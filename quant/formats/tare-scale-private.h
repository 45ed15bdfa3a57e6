/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format-private.h"

G_BEGIN_DECLS

typedef struct _TareScaleClass TareScaleClass;

/**
 * TareScalePlace:
 * @parameters: (nullable): what the scales keep once for the matrix
 * @largest: the level of largest magnitude, times which a scale must stay finite
 * @row: of the matrix
 * @group: of the row; of several groups the first
 * @n_groups: of every row
 *
 * Where a scale belongs, for those that are stored relative to others.
 */
typedef struct
{
  const guint8 *parameters;
  float         largest;
  gsize         row;
  gsize         group;
  gsize         n_groups;
} TareScalePlace;

/**
 * TareScaleClass:
 * @bytes: of a group's scale in its row; 0 where all that there is are parameters
 * @powers: whether every scale is a power of two
 * @upward: of those: whether the plain scale is rounded upwards, so that nothing is clipped
 * @shared: whether one scale is for the whole matrix
 * @fits_scales: whether fit() wants the scale that every group would like to have
 * @get_parameter_bytes: (nullable): of what is kept once for a matrix
 * @fit: (nullable): chooses that; @scales has a number for every group, or the largest magnitude
 *   over @largest as its only one where @fits_scales is not set
 * @round: the nearest of @m scales that can be stored there; none is negative, and of those that
 *   are not zero none becomes zero
 * @together: consecutive groups, whatever their rows, for which round() does the same; 0 for all
 *   of a row
 * @load: what is stored of @n consecutive groups, @bytes each
 * @store: scales that round() gave of @n consecutive groups
 *
 * How the scales of groups are stored.
 */
struct _TareScaleClass
{
  gsize    bytes;
  gboolean powers;
  gboolean upward;
  gboolean shared;
  gboolean fits_scales;
  gsize    together;
  gsize  (*get_parameter_bytes) (gsize                  rows,
                                 gsize                  n_groups);
  void   (*fit)                 (const float           *scales,
                                 gsize                  rows,
                                 gsize                  n_groups,
                                 float                  largest,
                                 guint8                *parameters);
  void   (*round)               (const TareScalePlace  *place,
                                 gsize                  m,
                                 float                 *scale);
  void   (*load)                (const TareScalePlace  *place,
                                 gsize                  n,
                                 const guint8          *bytes,
                                 float                 *scales);
  void   (*store)               (const TareScalePlace  *place,
                                 gsize                  n,
                                 const float           *scales,
                                 guint8                *bytes);
};

extern const TareScaleClass _tare_scale_half;
extern const TareScaleClass _tare_scale_single;
extern const TareScaleClass _tare_scale_power;
extern const TareScaleClass _tare_scale_power_up;
extern const TareScaleClass _tare_scale_tensor;
extern const TareScaleClass _tare_scale_e4m3;
extern const TareScaleClass _tare_scale_double;
extern const TareScaleClass _tare_scale_shift;

float    _tare_power_load         (guint8                byte);
gboolean _tare_power_store        (float                 scale,
                                   guint8               *byte);
float    _tare_power_get          (int                   exponent);
int      _tare_get_exponent       (float                 magnitude);
void     _tare_scale_round_groups (const TareScaleClass *klass,
                                   TareScalePlace        place,
                                   gsize                 n,
                                   float                *scales);

G_END_DECLS
