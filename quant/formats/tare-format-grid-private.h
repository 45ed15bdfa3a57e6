/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format-private.h"

G_BEGIN_DECLS

typedef struct _TareGrid TareGrid;
typedef struct _TareGridClass TareGridClass;

/**
 * TareGridClass:
 * @encode: the nearest codes of @x / @scale; what is beyond the largest level takes it
 * @decode: levels times @scale
 * @measure: Σw(x - scale q)² for each of @m scales, a multiple of the search's lanes, with the
 *   nearest levels q; @n is at most the search's piece
 *
 * How the elements of a grid are rounded; a code is the low bits of a byte. The scale is never
 * negative; where it is 0, so are all weights.
 */
struct _TareGridClass
{
  void (*encode)  (const TareGrid *self,
                   const float    *x,
                   gsize           n,
                   float           scale,
                   guint8         *codes);
  void (*decode)  (const TareGrid *self,
                   const guint8   *codes,
                   gsize           n,
                   float           scale,
                   float          *y);
  void (*measure) (const TareGrid *self,
                   const float    *x,
                   const float    *w,
                   gsize           n,
                   gsize           m,
                   const float    *scale,
                   float          *error);
};

/**
 * TareGrid:
 * @parent: what the table of formats sees
 * @klass: how elements are rounded
 * @powers: whether a scale is a power of two in one byte, E8M0
 * @largest: the level of largest magnitude that is used; there is one of either sign
 * @mantissa_bits: of a minifloat
 * @bias: of its exponent
 * @highest: the code of its largest finite magnitude
 * @infinite: whether the code after that stands for infinity, others for NaN
 * @signed_codes: whether a code is an integer in two's complement
 * @codebook: the levels of a codebook
 *
 * A fixed set of levels that a scale for every group stretches: see tare-format-grid.c.
 */
struct _TareGrid
{
  TareFormatClass               parent;
  const TareGridClass          *klass;
  gboolean                      powers;
  float                         largest;
  guint                         bits;
  guint                         mantissa_bits;
  int                           bias;
  guint                         highest;
  gboolean                      infinite;
  gboolean                      signed_codes;
  const struct _TareCodebook   *codebook;
};

/* What the formats of all grids have in common. */
#define TARE_GRID_PARENT                        \
  {                                             \
    .get_row_bytes = _tare_grid_get_row_bytes,  \
    .encode_row = _tare_grid_encode_row,        \
    .decode_row = _tare_grid_decode_row,        \
    .get_levels = _tare_grid_get_levels,        \
    .take_apart = _tare_grid_take_apart,        \
    .put_together = _tare_grid_put_together,    \
  }

extern const TareGridClass _tare_minifloat_class;
extern const TareGridClass _tare_byte_class;
extern const TareGridClass _tare_codebook_class;

extern const TareGrid _tare_format_fp8_e5m2_grid;
extern const TareGrid _tare_format_fp8_e4m3_grid;
extern const TareGrid _tare_format_fp8_e3m4_grid;
extern const TareGrid _tare_format_fp6_e3m2_grid;
extern const TareGrid _tare_format_fp6_e2m3_grid;
extern const TareGrid _tare_format_fp5_e3m1_grid;
extern const TareGrid _tare_format_fp5_e2m2_grid;
extern const TareGrid _tare_format_fp4_e3m0_grid;
extern const TareGrid _tare_format_fp4_e2m1_grid;
extern const TareGrid _tare_format_fp4_e1m2_grid;
extern const TareGrid _tare_format_fp3_e2m0_grid;
extern const TareGrid _tare_format_fp3_e1m1_grid;
extern const TareGrid _tare_format_mxfp8_e5m2_grid;
extern const TareGrid _tare_format_mxfp8_e4m3_grid;
extern const TareGrid _tare_format_mxint8_grid;
extern const TareGrid _tare_format_mxfp6_e3m2_grid;
extern const TareGrid _tare_format_mxfp6_e2m3_grid;
extern const TareGrid _tare_format_bfp6_grid;
extern const TareGrid _tare_format_bfp4_grid;
extern const TareGrid _tare_format_nf4_grid;
extern const TareGrid _tare_format_nf3_grid;
extern const TareGrid _tare_format_bnb_fp4_grid;

float    _tare_power_load  (guint8   byte);
gboolean _tare_power_store (float    scale,
                            guint8  *byte);

gsize _tare_grid_get_row_bytes (const TareFormat *self,
                                gsize             columns);
void  _tare_grid_encode_row    (const TareFormat *self,
                                gboolean          search,
                                const float      *x,
                                const float      *weights,
                                gsize             columns,
                                guint8           *codes);
void  _tare_grid_decode_row    (const TareFormat *self,
                                const guint8     *codes,
                                gsize             columns,
                                float            *y);
gsize _tare_grid_get_levels    (const TareFormat *self,
                                float             minimum,
                                float             maximum,
                                float            *levels);
void  _tare_grid_take_apart    (const TareFormat *self,
                                const guint8     *codes,
                                TareParts        *parts);
gboolean _tare_grid_put_together (const TareFormat  *self,
                                  const TareParts   *parts,
                                  guint8            *codes,
                                  GError           **error);

G_END_DECLS
