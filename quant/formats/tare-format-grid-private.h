/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-scale-private.h"

G_BEGIN_DECLS

typedef struct _TareGrid TareGrid;
typedef struct _TareGridClass TareGridClass;
typedef struct _TareCodebook TareCodebook;
typedef struct _TareScaling TareScaling;

/**
 * TareGridClass:
 * @divides: whether weights are divided by their scale, or else multiplied by its reciprocal
 * @encode: the nearest codes of weights whose scale is 1; what is beyond the largest level takes it
 * @decode: levels
 * @measure: Σw|x - scale q|^p for each of @m scales, a multiple of the search's lanes, with the
 *   nearest levels q; @n is at most the search's piece; p is 2, or 2.4 where @norm is set
 * @measure_one: (nullable): the same of one scale alone, to the bit, where that is quicker; p is 2
 *
 * How the elements of a grid are rounded; a code is the low bits of a byte. The scale is never
 * negative; where it is 0, so are all weights.
 */
struct _TareGridClass
{
  gboolean divides;
  void (*encode)  (const TareGrid *self,
                   const float    *x,
                   gsize           n,
                   guint8         *codes);
  void (*decode)  (const TareGrid *self,
                   const guint8   *codes,
                   gsize           n,
                   float          *y);
  void (*measure) (const TareGrid *self,
                   gboolean        norm,
                   const float    *x,
                   const float    *w,
                   gsize           n,
                   gsize           m,
                   const float    *scale,
                   float          *error);
  float (*measure_one) (const TareGrid *self,
                        const float    *x,
                        const float    *w,
                        gsize           n,
                        float           scale);
};

/* The most levels that a codebook has. */
#define TARE_CODEBOOK_MOST 16

/**
 * TareCodebook:
 * @n: how many levels are written
 * @levels: by code
 * @order: the codes that are written by ascending level
 */
struct _TareCodebook
{
  guint  n;
  float  levels[TARE_CODEBOOK_MOST];
  guint8 order[TARE_CODEBOOK_MOST];
};

/* Scales that the search judges at first: a multiple of its lanes. */
#define TARE_GRID_CANDIDATES 112

/**
 * TareGrid:
 * @klass: how elements are rounded
 * @bits: of a code, or %TARE_PACK_TERNARY
 * @n_codes: how many codes there are
 * @largest: the magnitude that the plain scale gives a group's largest
 * @most: the level of largest magnitude that is used
 * @mantissa_bits: of a minifloat
 * @bias: of its exponent
 * @highest: the code of its largest finite magnitude
 * @infinite: whether the code after that stands for infinity, others for NaN
 * @unsigned_zero: whether the code of the sign alone stands for NaN, not for another zero
 * @lowest: of integers, the least that is used
 * @top: and the greatest
 * @offset: what is taken off a code for an integer; a level is that and @shift
 * @shift: what is added to an integer for a level: a half where there is none at zero
 * @signed_codes: whether a code is an integer in two's complement
 * @codebook: the levels of a codebook
 * @power: the levels are i^(1/a) for integers i: whether a matrix chooses an exponent a
 * @n_splits: between how many grids a matrix chooses, 0 where this is the only one
 * @splits: those, by the bits of their exponent, from 1 on
 * @sorted: whether a matrix has its columns ordered by their magnitude
 * @nested: how many bits of integers are rounded away after they were rounded once
 * @find_scale: (nullable): a rule for the scale instead of a search
 * @factors: candidates of the search, as factors of the plain scale
 * @n_factors: how many; a multiple of the search's lanes
 *
 * A fixed set of levels that a scale for every group stretches: see tare-format-grid.c.
 */
struct _TareGrid
{
  const TareGridClass *klass;
  guint                bits;
  guint                n_codes;
  float                largest;
  float                most;
  guint                mantissa_bits;
  int                  bias;
  guint                highest;
  gboolean             infinite;
  gboolean             unsigned_zero;
  int                  lowest;
  int                  top;
  int                  offset;
  float                shift;
  gboolean             signed_codes;
  const TareCodebook  *codebook;
  gboolean             power;
  guint                n_splits;
  const TareGrid     **splits;
  gboolean             sorted;
  guint                nested;
  float              (*find_scale) (const float *x,
                                    const float *w,
                                    gsize        n);
  float                factors[TARE_GRID_CANDIDATES];
  gsize                n_factors;
};

/**
 * TareScaling:
 * @suffix: of the id of a format, "_g128"
 * @label: of its label, "g128"
 * @phrase: translatable, in its description
 * @klass: how scales are stored
 * @group: weights that share a scale; 0 for the whole row, or the whole matrix
 * @along_outputs: whether those are of consecutive outputs
 *
 * What shares a scale: one of the two halves of a format, of which the other is a grid.
 */
struct _TareScaling
{
  const char           *suffix;
  const char           *label;
  const char           *phrase;
  const TareScaleClass *klass;
  guint                 group;
  gboolean              along_outputs;
};

/* How many levels a matrix may be judged by when something is chosen for all of it. */
#define TARE_GRID_SAMPLE ((gsize) 1 << 20)

/* Weights that are coded at a time: a multiple of every group, of what is packed into whole bytes,
 * and of the piece of the search. */
#define TARE_GRID_SPAN 1280

extern const TareGridClass _tare_minifloat_class;
extern const TareGridClass _tare_byte_class;
extern const TareGridClass _tare_codebook_class;
extern const TareGridClass _tare_level_class;

extern const TareFormatClass _tare_grid_class;
extern const TareFormatClass _tare_grid_whole_class;
extern const TareFormatClass _tare_grid_square_class;

/* What judges a scale: some rows of the same columns, of a group or of a whole matrix.
 *
 * x: [rows, stride]; w: [n]; only the first n of every row count */
typedef struct
{
  const float        *x;
  const float        *w;
  gsize               n;
  gsize               rows;
  gsize               stride;
  const TareProgress *progress;
} TareGridSample;

void  _tare_grid_encode       (const TareGrid       *self,
                               const float          *x,
                               gsize                 n,
                               gsize                 length,
                               const float          *scales,
                               guint8               *codes);
void  _tare_grid_decode       (const TareGrid       *self,
                               const guint8         *codes,
                               gsize                 n,
                               gsize                 length,
                               const float          *scales,
                               float                *y);
void  _tare_grid_list_factors (TareGrid             *self);
void  _tare_grid_span         (const TareGrid       *self,
                               const TareScaleClass *scale,
                               const TareScalePlace *place,
                               TareRange             range,
                               gsize                 n_groups,
                               float                *scales);
void  _tare_grid_find_scales  (const TareGrid       *self,
                               const TareScaleClass *scale,
                               const TareScalePlace *place,
                               TareRange             range,
                               const float          *x,
                               const float          *w,
                               gsize                 n,
                               gsize                 length,
                               float                *scales);
float _tare_grid_find_scale   (const TareGrid       *self,
                               const TareScaleClass *scale,
                               const TareScalePlace *place,
                               TareRange             range,
                               const TareGridSample *sample);
double _tare_grid_measure     (const TareGrid       *self,
                               const TareGridSample *sample,
                               float                 scale);

const TareGrid *_tare_grid_choose_split (const TareGrid *self,
                                         const guint8   *parameters);
gsize    _tare_grid_get_fitted_bytes (const TareFormat  *self,
                                      gsize              columns);
gboolean _tare_grid_fit              (const TareFormat  *self,
                                      const TareMatrix  *matrix,
                                      guint8            *parameters,
                                      GError           **error);
void     _tare_codebook_look_up      (const float       *levels,
                                      const guint8      *codes,
                                      gsize              n,
                                      float             *y);
void     _tare_power_list            (guint              n_codes,
                                      float              exponent,
                                      TareCodebook      *codebook);

void     _tare_root_list            (guint              n_codes,
                                     double             base,
                                     TareCodebook      *codebook);

extern const TareCodebook _tare_codebook_nf4;
extern const TareCodebook _tare_codebook_nf3;
extern const TareCodebook _tare_codebook_nf2;
extern const TareCodebook _tare_codebook_af4;
extern const TareCodebook _tare_codebook_bnb_fp4;

TareGrid *_tare_minifloat_new  (guint                 exponent,
                                guint                 mantissa,
                                const char           *mode);
TareGrid *_tare_minifloat_new_split (guint            bits);
TareGrid *_tare_block_float_new (guint                 bits,
                                 gboolean              bytes);
TareGrid *_tare_level_new      (guint                 bits,
                                int                   lowest,
                                float                 largest,
                                float                 shift);
TareGrid *_tare_codebook_new   (guint                 bits,
                                const TareCodebook   *codebook);

float _tare_rule_mean      (const float *x,
                            const float *w,
                            gsize        n);
float _tare_rule_absmean   (const float *x,
                            const float *w,
                            gsize        n);
float _tare_rule_threshold (const float *x,
                            const float *w,
                            gsize        n);
float _tare_rule_ternary   (const float *x,
                            const float *w,
                            gsize        n);

/* w |x - y|^p: the fifth root of d², by Newton's method from a guess at its exponent, which is
 * within 1e-4 of the true one, makes |d|^2.4 of it. */
TARE_INLINE float
weigh_difference (float    w,
                  float    d,
                  gboolean norm)
{
  float square = d * d;

  if (norm)
    {
      float root = tare_float_from_bits (tare_float_to_bits (square) / 5 + 0x32cccccd);

      for (int i = 0; i < 2; i++)
        {
          float fourth = root * root * root * root;

          root = 0.8f * root + 0.2f * square / fourth;
        }
      square *= root;
    }

  return w * square;
}

G_END_DECLS
