/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "quant/formats/tare-range.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareFormatFamily:
 * @TARE_FORMAT_FAMILY_FLOAT: IEEE and brain floats, one number a weight
 * @TARE_FORMAT_FAMILY_BLOCK: ggml's blocks of 32 weights with one scale
 * @TARE_FORMAT_FAMILY_K_QUANT: ggml's super-blocks of 256 weights with quantized scales
 * @TARE_FORMAT_FAMILY_LATTICE: ggml's uneven levels and lattices, "I-quants"
 * @TARE_FORMAT_FAMILY_TERNARY: two or three levels, and sums of a few of two
 * @TARE_FORMAT_FAMILY_INTEGER: integers with a scale for each channel or group
 * @TARE_FORMAT_FAMILY_ASYMMETRIC: the same with a zero point or a minimum
 * @TARE_FORMAT_FAMILY_MINIFLOAT: floats of a few bits with a scale for each channel or group
 * @TARE_FORMAT_FAMILY_MICROSCALING: blocks of 32 weights that share a power of two
 * @TARE_FORMAT_FAMILY_CODEBOOK: levels of any spacing: fixed ones with a scale for each group, or
 *   fitted ones
 * @TARE_FORMAT_FAMILY_POWER: levels that are powers of a number, or of their index
 */
typedef enum
{
  TARE_FORMAT_FAMILY_FLOAT,
  TARE_FORMAT_FAMILY_BLOCK,
  TARE_FORMAT_FAMILY_K_QUANT,
  TARE_FORMAT_FAMILY_LATTICE,
  TARE_FORMAT_FAMILY_TERNARY,
  TARE_FORMAT_FAMILY_INTEGER,
  TARE_FORMAT_FAMILY_ASYMMETRIC,
  TARE_FORMAT_FAMILY_MINIFLOAT,
  TARE_FORMAT_FAMILY_MICROSCALING,
  TARE_FORMAT_FAMILY_CODEBOOK,
  TARE_FORMAT_FAMILY_POWER,
} TareFormatFamily;

/**
 * TareContainers:
 * @TARE_CONTAINER_GGUF: llama.cpp's file
 * @TARE_CONTAINER_SAFETENSORS: a plain Hugging Face folder, as floats
 * @TARE_CONTAINER_COMPRESSED_TENSORS: safetensors as vLLM's compressed-tensors packs them
 * @TARE_CONTAINER_GPTQ: safetensors as GPTQ packs them
 * @TARE_CONTAINER_AWQ: safetensors as AWQ packs them
 * @TARE_CONTAINER_TARE: Tare's own safetensors, which hold every format
 * @TARE_CONTAINER_FP8: safetensors with 8-bit floats in squares, as DeepSeek's models come
 *
 * Which containers can hold a format.
 */
typedef enum
{
  TARE_CONTAINER_NONE               = 0,
  TARE_CONTAINER_GGUF               = 1 << 0,
  TARE_CONTAINER_SAFETENSORS        = 1 << 1,
  TARE_CONTAINER_COMPRESSED_TENSORS = 1 << 2,
  TARE_CONTAINER_GPTQ               = 1 << 3,
  TARE_CONTAINER_AWQ                = 1 << 4,
  TARE_CONTAINER_TARE               = 1 << 5,
  TARE_CONTAINER_FP8                = 1 << 6,
} TareContainers;

typedef struct _TareFormat TareFormat;
typedef struct _TareFormatClass TareFormatClass;

/**
 * TareFormat:
 * @id: what the command line and recipes call it, "q4_k"
 * @label: what a person reads, "Q4_K"
 * @description: one translatable sentence
 * @family: what it is akin to
 * @bits: of one code, without scales; rounded down where several share them
 * @group: weights along a row that share a scale; 0 for the whole row, or the whole matrix
 * @block: a row's length must be a multiple of it; 1 takes any
 * @ggml_type: its number in GGUF, or -1
 * @containers: what can hold it
 * @fallback: id of the format to take where @block does not divide a row, or %NULL
 * @klass: how it is encoded and decoded, private to quant/formats
 * @asymmetric: whether a group has a zero point or a minimum
 * @per_tensor: whether the whole matrix shares one scale
 * @along_outputs: whether groups are of consecutive outputs of one input; @block is 1 then
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
  gboolean               per_tensor;
  gboolean               along_outputs;

  /*< private >*/
  const struct _TareGrid    *grid;
  const struct _TareScaling *scaling;
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

/**
 * TareParts:
 * @rows: outputs
 * @columns: inputs
 * @group: weights along a row that share a scale; @columns where a row or the matrix shares one
 * @n_groups: groups of a row, ceil (columns / group)
 * @codes: rows x columns; of an integer its level, of a minifloat the code of the element, which is
 *   sign, exponent and mantissa from its highest bit on, of a codebook the index of the level, and
 *   of MXINT8 the integer in units of 1/64
 * @scales: rows x n_groups, or one number where the format's per_tensor is set
 * @zeros: (nullable): the zero points of integers, as many as there are scales; %NULL where every
 *   zero point is 0
 * @tensor_scale: a factor of all weights, kept once; 1 but for formats such as NVFP4
 *
 * An encoded matrix taken apart, for containers with a layout of their own. With l for an element's
 * level at scale 1, a weight is l scale tensor_scale; of an integer, (code - zero) scale. Integers
 * without a zero point have levels from -2^(b-1) to 2^(b-1) - 1, and with one from 0 to 2^b - 1, as
 * have the zero points. The scales are exact: each is one that the format stores, of MX a power of
 * two, and of NVFP4 an E4M3 number.
 */
typedef struct
{
  gsize   rows;
  gsize   columns;
  gsize   group;
  gsize   n_groups;
  gint16 *codes;
  float  *scales;
  gint16 *zeros;
  float   tensor_scale;
} TareParts;

/* The most levels that a grid can have for tare_format_get_levels(). */
#define TARE_FORMAT_MAX_LEVELS 256

gsize             tare_format_get_n_formats       (void);
const TareFormat *tare_format_get                 (gsize                 index);
const TareFormat *tare_format_lookup              (const char           *id);
const char       *tare_format_name_at             (gsize                 index);
const TareFormat *tare_format_find                (const char           *name);
const TareFormat *tare_format_lookup_ggml         (int                   ggml_type);
const char       *tare_format_family_get_id       (TareFormatFamily      family);
const char       *tare_format_family_get_label    (TareFormatFamily      family);

gboolean          tare_format_accepts             (const TareFormat     *self,
                                                   gsize                 columns);
const TareFormat *tare_format_fit                 (const TareFormat     *self,
                                                   gsize                 columns);
gboolean          tare_format_is_row_local        (const TareFormat     *self);
gboolean          tare_format_has_blocks          (const TareFormat     *self);
gsize             tare_format_get_parameter_bytes (const TareFormat     *self,
                                                   gsize                 rows,
                                                   gsize                 columns);
gsize             tare_format_get_row_bytes       (const TareFormat     *self,
                                                   gsize                 columns);
gsize             tare_format_get_bytes           (const TareFormat     *self,
                                                   gsize                 rows,
                                                   gsize                 columns);
double            tare_format_get_bits_per_weight (const TareFormat     *self,
                                                   gsize                 rows,
                                                   gsize                 columns);
gboolean          tare_format_encode              (const TareFormat     *self,
                                                   const TareEncoding   *encoding,
                                                   const float          *x,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   guint8               *codes,
                                                   const TareProgress   *progress,
                                                   GError              **error);
void              tare_format_decode              (const TareFormat     *self,
                                                   const guint8         *codes,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   float                *y);
void              tare_format_decode_rows         (const TareFormat     *self,
                                                   const guint8         *codes,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   gsize                 first,
                                                   gsize                 n,
                                                   float                *y);
void              tare_format_decode_apart        (const TareFormat     *self,
                                                   const guint8         *parameters,
                                                   const guint8         *codes,
                                                   gsize                 rows,
                                                   gsize                 columns,
                                                   float                *y);
gsize             tare_format_get_levels          (const TareFormat     *self,
                                                   float                 minimum,
                                                   float                 maximum,
                                                   float                *levels);

gboolean          tare_format_has_parts           (const TareFormat     *self);
TareParts        *tare_parts_new                  (const TareFormat     *self,
                                                   gsize                 rows,
                                                   gsize                 columns);
void              tare_parts_free                 (TareParts            *self);
gboolean          tare_format_take_apart          (const TareFormat     *self,
                                                   const guint8         *codes,
                                                   TareParts            *parts,
                                                   GError              **error);
gboolean          tare_format_put_together        (const TareFormat     *self,
                                                   const TareParts      *parts,
                                                   guint8               *codes,
                                                   GError              **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareParts, tare_parts_free)

G_END_DECLS
