/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/formats/tare-range.h"

G_BEGIN_DECLS

/**
 * TareFormatFamily:
 * @TARE_FORMAT_FAMILY_FLOAT: IEEE and brain floats, one number a weight
 * @TARE_FORMAT_FAMILY_BLOCK: ggml's blocks of 32 weights with one scale
 * @TARE_FORMAT_FAMILY_K_QUANT: ggml's super-blocks of 256 weights with quantized scales
 * @TARE_FORMAT_FAMILY_LATTICE: ggml's uneven levels and lattices, "I-quants"
 * @TARE_FORMAT_FAMILY_TERNARY: ggml's blocks of 256 weights with three levels
 * @TARE_FORMAT_FAMILY_INTEGER: integers with a scale for each channel or group
 * @TARE_FORMAT_FAMILY_MINIFLOAT: floats of a few bits with a scale for each channel or group
 * @TARE_FORMAT_FAMILY_MICROSCALING: blocks of 32 weights that share a power of two
 * @TARE_FORMAT_FAMILY_CODEBOOK: fixed levels of any spacing with a scale for each group
 */
typedef enum
{
  TARE_FORMAT_FAMILY_FLOAT,
  TARE_FORMAT_FAMILY_BLOCK,
  TARE_FORMAT_FAMILY_K_QUANT,
  TARE_FORMAT_FAMILY_LATTICE,
  TARE_FORMAT_FAMILY_TERNARY,
  TARE_FORMAT_FAMILY_INTEGER,
  TARE_FORMAT_FAMILY_MINIFLOAT,
  TARE_FORMAT_FAMILY_MICROSCALING,
  TARE_FORMAT_FAMILY_CODEBOOK,
} TareFormatFamily;

/**
 * TareContainers:
 * @TARE_CONTAINER_GGUF: llama.cpp's file
 * @TARE_CONTAINER_SAFETENSORS: a plain Hugging Face folder
 *
 * Which containers can hold a format.
 */
typedef enum
{
  TARE_CONTAINER_NONE        = 0,
  TARE_CONTAINER_GGUF        = 1 << 0,
  TARE_CONTAINER_SAFETENSORS = 1 << 1,
} TareContainers;

typedef struct _TareFormat TareFormat;
typedef struct _TareFormatClass TareFormatClass;

/**
 * TareFormat:
 * @id: what the command line and recipes call it, "q4_k"
 * @label: what a person reads, "Q4_K"
 * @description: one translatable sentence
 * @family: what it is akin to
 * @bits: of one code, without scales; rounded down where several share a byte
 * @group: weights along a row that share a scale; 0 for the whole row
 * @block: a row's length must be a multiple of it; 1 takes any
 * @ggml_type: its number in GGUF, or -1
 * @containers: what can hold it
 * @fallback: id of the format to take where @block does not divide a row, or %NULL
 * @klass: how it is encoded and decoded, private to quant/formats
 * @asymmetric: for the codec: whether it has a zero point or a minimum
 *
 * One row of the format table: what a weight can be stored as. Files, recipes, pickers, tests and
 * benchmarks iterate the table; nothing outside this folder asks for a particular format.
 */
struct _TareFormat
{
  const char            *id;
  const char            *label;
  const char            *description;
  TareFormatFamily       family;
  guint                  bits;
  guint                  group;
  guint                  block;
  int                    ggml_type;
  TareContainers         containers;
  const char            *fallback;
  const TareFormatClass *klass;
  gboolean               asymmetric;
};

/**
 * TareEncoding:
 * @range: how a group's range is chosen
 * @percentile: for %TARE_RANGE_PERCENTILE, in percent of |x|, such as 99.9
 * @importance: (nullable): one weight a column, the mean of x² over calibration tokens
 *
 * What an encoder may choose. %NULL stands for the searched range without importance.
 */
typedef struct
{
  TareRange    range;
  double       percentile;
  const float *importance;
} TareEncoding;

/* The most levels that a grid can have for tare_format_get_levels(). */
#define TARE_FORMAT_MAX_LEVELS 256

gsize             tare_format_get_n_formats       (void);
const TareFormat *tare_format_get                 (gsize                 index);
const TareFormat *tare_format_lookup              (const char           *id);
const TareFormat *tare_format_lookup_ggml         (int                   ggml_type);
const char       *tare_format_family_get_id       (TareFormatFamily      family);
const char       *tare_format_family_get_label    (TareFormatFamily      family);

gboolean          tare_format_accepts             (const TareFormat     *self,
                                                   gsize                 columns);
const TareFormat *tare_format_fit                 (const TareFormat     *self,
                                                   gsize                 columns);
gsize             tare_format_get_row_bytes       (const TareFormat     *self,
                                                   gsize                 columns);
double            tare_format_get_bits_per_weight (const TareFormat     *self,
                                                   gsize                 columns);
gboolean          tare_format_encode              (const TareFormat     *self,
                                                   const TareEncoding   *encoding,
                                                   const float          *x,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   guint8               *codes,
                                                   GError              **error);
void              tare_format_decode              (const TareFormat     *self,
                                                   const guint8         *codes,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   float                *y);
gsize             tare_format_get_levels          (const TareFormat     *self,
                                                   float                 minimum,
                                                   float                 maximum,
                                                   float                *levels);

G_END_DECLS
