/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-format-grid-private.h"
#include "quant/formats/tare-format-private.h"
#include "quant/tare-error.h"

#define N_(text) (text)

/* Fewer weights than this are not worth a second thread. */
#define PARALLEL 32768

/* What no calibration text has touched still wants a sensible code: no column counts for less than
 * this share of the most important one. */
#define IMPORTANCE_FLOOR 1e-6f

#define GGUF TARE_CONTAINER_GGUF
#define BOTH (TARE_CONTAINER_GGUF | TARE_CONTAINER_SAFETENSORS)

/* The numbers of types are those of the GGUF specification; where a row's length does not fit, the
 * next format down is the one that llama-quantize takes. */
#define FLOAT(id, label, description, bits, type)                                      \
  { #id, label, description, TARE_FORMAT_FAMILY_FLOAT, bits, 1, 1, type, BOTH, NULL,   \
    &_tare_format_##id##_class, FALSE }
#define BLOCK(id, label, description, bits, type, asymmetric)                          \
  { #id, label, description, TARE_FORMAT_FAMILY_BLOCK, bits, 32, 32, type, GGUF,       \
    "f16", &_tare_format_##id##_class, asymmetric }
#define K_QUANT(id, label, description, bits, group, type, fallback, asymmetric)       \
  { #id, label, description, TARE_FORMAT_FAMILY_K_QUANT, bits, group, 256, type, GGUF, \
    fallback, &_tare_format_##id##_class, asymmetric }
#define I_QUANT(id, label, description, bits, group, block, type, fallback)            \
  { #id, label, description, TARE_FORMAT_FAMILY_LATTICE, bits, group, block, type,     \
    GGUF, fallback, &_tare_format_##id##_class, FALSE }
#define TERNARY(id, label, description, bits, type)                                    \
  { #id, label, description, TARE_FORMAT_FAMILY_TERNARY, bits, 256, 256, type, GGUF,      \
    "q4_0", &_tare_format_##id##_class, FALSE }
#define INTEGER(id, label, description, bits, group, asymmetric)                       \
  { id, label, description, TARE_FORMAT_FAMILY_INTEGER, bits, group, 1, -1,            \
    TARE_CONTAINER_NONE, NULL, &_tare_format_integer_class, asymmetric }
#define INTEGERS(b)                                                                    \
  INTEGER ("int" #b "_channel", "INT" #b " channel",                                   \
           N_(#b "-bit integers with one scale for each output"), b, 0, FALSE),        \
  INTEGER ("int" #b "_g128", "INT" #b " g128",                                         \
           N_(#b "-bit integers with one scale for 128 weights"), b, 128, FALSE),      \
  INTEGER ("int" #b "_g64", "INT" #b " g64",                                           \
           N_(#b "-bit integers with one scale for 64 weights"), b, 64, FALSE),        \
  INTEGER ("int" #b "_g32", "INT" #b " g32",                                           \
           N_(#b "-bit integers with one scale for 32 weights"), b, 32, FALSE),        \
  INTEGER ("int" #b "_asym_channel", "INT" #b " asym channel",                         \
           N_(#b "-bit integers with a scale and a zero point for each output"),       \
           b, 0, TRUE),                                                                \
  INTEGER ("int" #b "_asym_g128", "INT" #b " asym g128",                               \
           N_(#b "-bit integers with a scale and a zero point for 128 weights"),       \
           b, 128, TRUE),                                                              \
  INTEGER ("int" #b "_asym_g64", "INT" #b " asym g64",                                 \
           N_(#b "-bit integers with a scale and a zero point for 64 weights"),        \
           b, 64, TRUE),                                                               \
  INTEGER ("int" #b "_asym_g32", "INT" #b " asym g32",                                 \
           N_(#b "-bit integers with a scale and a zero point for 32 weights"),        \
           b, 32, TRUE)

#define GRID(id, label, description, family, bits, group, block, fallback, grid)         \
  { id, label, description, TARE_FORMAT_FAMILY_##family, bits, group, block, -1,       \
    TARE_CONTAINER_NONE, fallback, &_tare_format_##grid##_grid.parent, FALSE }
#define MINIFLOAT_CHANNEL(id, bits, name)                                              \
  GRID (#id "_channel", name " channel",                                               \
        N_(name " floats with one scale for each output"),                             \
        MINIFLOAT, bits, 0, 1, NULL, id)
#define MINIFLOAT_GROUP(id, bits, name, n)                                             \
  GRID (#id "_g" #n, name " g" #n, N_(name " floats with one scale for " #n " weights"), \
        MINIFLOAT, bits, n, 1, NULL, id)
#define MINIFLOATS(id, bits, name)                                                     \
  MINIFLOAT_CHANNEL (id, bits, name),                                                  \
  MINIFLOAT_GROUP (id, bits, name, 128),                                               \
  MINIFLOAT_GROUP (id, bits, name, 32)
#define MX(id, label, description, bits, fallback)                                     \
  GRID (#id, label, description, MICROSCALING, bits, 32, 32, fallback, id)
#define CODEBOOK(id, label, description, bits)                                         \
  GRID (#id, label, description, CODEBOOK, bits, 64, 1, NULL, id)

static const TareFormat formats[] = {
  FLOAT (f32, "F32", N_("Single precision: 24 bits of precision"), 32, 0),
  FLOAT (f16, "F16", N_("Half precision: 11 bits of precision, up to 65504"), 16, 1),
  FLOAT (bf16, "BF16", N_("Brain float: the range of F32 with 8 bits of precision"), 16, 30),
  BLOCK (q8_0, "Q8_0", N_("8-bit codes in blocks of 32 with one scale"), 8, 8, FALSE),
  BLOCK (q5_1, "Q5_1", N_("5-bit codes in blocks of 32 with a scale and a minimum"), 5, 7, TRUE),
  BLOCK (q5_0, "Q5_0", N_("5-bit codes in blocks of 32 with one scale"), 5, 6, FALSE),
  BLOCK (q4_1, "Q4_1", N_("4-bit codes in blocks of 32 with a scale and a minimum"), 4, 3, TRUE),
  BLOCK (q4_0, "Q4_0", N_("4-bit codes in blocks of 32 with one scale"), 4, 2, FALSE),
  K_QUANT (q6_k, "Q6_K", N_("6-bit codes in groups of 16 with 8-bit scales"),
           6, 16, 14, "q8_0", FALSE),
  K_QUANT (q5_k, "Q5_K", N_("5-bit codes in groups of 32 with 6-bit scales and minimums"),
           5, 32, 13, "q5_1", TRUE),
  K_QUANT (q4_k, "Q4_K", N_("4-bit codes in groups of 32 with 6-bit scales and minimums"),
           4, 32, 12, "q5_0", TRUE),
  K_QUANT (q3_k, "Q3_K", N_("3-bit codes in groups of 16 with 6-bit scales"),
           3, 16, 11, "iq4_nl", FALSE),
  K_QUANT (q2_k, "Q2_K", N_("2-bit codes in groups of 16 with 4-bit scales and minimums"),
           2, 16, 10, "iq4_nl", TRUE),
  I_QUANT (iq4_nl, "IQ4_NL", N_("4-bit codes for uneven levels in blocks of 32 with one scale"),
           4, 32, 32, 20, "f16"),
  I_QUANT (iq4_xs, "IQ4_XS", N_("4-bit codes for uneven levels in groups of 32 with 6-bit scales"),
           4, 32, 256, 23, "iq4_nl"),
  I_QUANT (iq3_s, "IQ3_S", N_("Lattice of 512 points for 4 weights, 4-bit scales for 32"),
           3, 32, 256, 21, "iq4_nl"),
  I_QUANT (iq3_xxs, "IQ3_XXS", N_("Lattice of 256 points for 4 weights, 4-bit scales for 32"),
           3, 32, 256, 18, "iq4_nl"),
  I_QUANT (iq2_s, "IQ2_S", N_("Lattice of 1024 points for 8 weights, 4-bit scales for 16"),
           2, 16, 256, 22, "iq4_nl"),
  I_QUANT (iq2_xs, "IQ2_XS", N_("Lattice of 512 points for 8 weights, 4-bit scales for 16"),
           2, 16, 256, 17, "iq4_nl"),
  I_QUANT (iq2_xxs, "IQ2_XXS", N_("Lattice of 256 points for 8 weights, 4-bit scales for 32"),
           2, 32, 256, 16, "iq4_nl"),
  I_QUANT (iq1_m, "IQ1_M", N_("Lattice of 2048 points for 8 weights, 3-bit scales for 16"),
           1, 16, 256, 29, "iq4_nl"),
  I_QUANT (iq1_s, "IQ1_S", N_("Lattice of 2048 points for 8 weights, 3-bit scales for 32"),
           1, 32, 256, 19, "iq4_nl"),
  TERNARY (tq2_0, "TQ2_0", N_("Three levels in blocks of 256, four weights to a byte"), 2, 35),
  TERNARY (tq1_0, "TQ1_0", N_("Three levels in blocks of 256, five weights to a byte"), 1, 34),
  INTEGERS (8),
  INTEGERS (4),
  INTEGERS (3),
  INTEGERS (2),
  MINIFLOAT_CHANNEL (fp8_e5m2, 8, "FP8 E5M2"),
  MINIFLOAT_CHANNEL (fp8_e4m3, 8, "FP8 E4M3"),
  MINIFLOAT_CHANNEL (fp8_e3m4, 8, "FP8 E3M4"),
  MINIFLOATS (fp6_e3m2, 6, "FP6 E3M2"),
  MINIFLOATS (fp6_e2m3, 6, "FP6 E2M3"),
  MINIFLOAT_GROUP (fp5_e3m1, 5, "FP5 E3M1", 128),
  MINIFLOATS (fp5_e2m2, 5, "FP5 E2M2"),
  MINIFLOAT_GROUP (fp4_e3m0, 4, "FP4 E3M0", 128),
  MINIFLOATS (fp4_e2m1, 4, "FP4 E2M1"),
  MINIFLOATS (fp4_e1m2, 4, "FP4 E1M2"),
  MINIFLOATS (fp3_e2m0, 3, "FP3 E2M0"),
  MINIFLOAT_GROUP (fp3_e1m1, 3, "FP3 E1M1", 128),
  MX (mxfp8_e5m2, "MXFP8 E5M2", N_("FP8 E5M2 in blocks of 32 that share a power of two"),
      8, "fp8_e5m2_channel"),
  MX (mxfp8_e4m3, "MXFP8 E4M3", N_("FP8 E4M3 in blocks of 32 that share a power of two"),
      8, "fp8_e4m3_channel"),
  MX (mxint8, "MXINT8", N_("8-bit integers in blocks of 32 that share a power of two"),
      8, "int8_channel"),
  MX (mxfp6_e3m2, "MXFP6 E3M2", N_("FP6 E3M2 in blocks of 32 that share a power of two"),
      6, "fp6_e3m2_channel"),
  MX (mxfp6_e2m3, "MXFP6 E2M3", N_("FP6 E2M3 in blocks of 32 that share a power of two"),
      6, "fp6_e2m3_channel"),
  { "mxfp4", "MXFP4", N_("FP4 E2M1 in blocks of 32 that share a power of two"),
    TARE_FORMAT_FAMILY_MICROSCALING, 4, 32, 32, 39, GGUF, "f16", &_tare_format_mxfp4_class, FALSE },
  MX (bfp6, "BFP6", N_("Block floating point: 6-bit mantissas, one exponent for 32 weights"),
      6, "fp6_e2m3_channel"),
  MX (bfp4, "BFP4", N_("Block floating point: 4-bit mantissas, one exponent for 32 weights"),
      4, "fp4_e1m2_channel"),
  CODEBOOK (nf4, "NF4",
            N_("4-bit quantiles of a normal distribution, one scale for 64 weights"), 4),
  CODEBOOK (nf3, "NF3",
            N_("3-bit quantiles of a normal distribution, one scale for 64 weights"), 3),
  CODEBOOK (bnb_fp4, "bitsandbytes FP4",
            N_("The 4-bit floats of bitsandbytes, unlike E2M1, one scale for 64 weights"), 4),
};

static const struct
{
  const char *id;
  const char *label;
} families[] = {
  [TARE_FORMAT_FAMILY_FLOAT]        = { "float", N_("Floating point") },
  [TARE_FORMAT_FAMILY_BLOCK]        = { "block", N_("Blocks") },
  [TARE_FORMAT_FAMILY_K_QUANT]      = { "k-quant", N_("K-quants") },
  [TARE_FORMAT_FAMILY_LATTICE]      = { "i-quant", N_("I-quants") },
  [TARE_FORMAT_FAMILY_TERNARY]      = { "ternary", N_("Ternary") },
  [TARE_FORMAT_FAMILY_INTEGER]      = { "integer", N_("Integers") },
  [TARE_FORMAT_FAMILY_MINIFLOAT]    = { "minifloat", N_("Minifloats") },
  [TARE_FORMAT_FAMILY_MICROSCALING] = { "microscaling", N_("Microscaling") },
  [TARE_FORMAT_FAMILY_CODEBOOK]     = { "codebook", N_("Codebooks") },
};

gsize
tare_format_get_n_formats (void)
{
  return G_N_ELEMENTS (formats);
}

/**
 * tare_format_get:
 * @index: less than tare_format_get_n_formats()
 *
 * Returns: (transfer none): one row of the table
 */
const TareFormat *
tare_format_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (formats), NULL);

  return &formats[index];
}

/**
 * tare_format_lookup:
 * @id: (nullable): what the command line and recipes call it
 *
 * Returns: (transfer none) (nullable): the row of that id
 */
const TareFormat *
tare_format_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    if (g_strcmp0 (formats[i].id, id) == 0)
      return &formats[i];

  return NULL;
}

/**
 * tare_format_lookup_ggml:
 * @ggml_type: the number of a type in GGUF
 *
 * Returns: (transfer none) (nullable): the row of that type
 */
const TareFormat *
tare_format_lookup_ggml (int ggml_type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    if (ggml_type >= 0 && formats[i].ggml_type == ggml_type)
      return &formats[i];

  return NULL;
}

const char *
tare_format_family_get_id (TareFormatFamily family)
{
  g_return_val_if_fail ((gsize) family < G_N_ELEMENTS (families), NULL);

  return families[family].id;
}

const char *
tare_format_family_get_label (TareFormatFamily family)
{
  g_return_val_if_fail ((gsize) family < G_N_ELEMENTS (families), NULL);

  return families[family].label;
}

/**
 * tare_format_accepts:
 * @self: a format
 * @columns: length of a row
 *
 * Returns: whether the format can hold rows of that length
 */
gboolean
tare_format_accepts (const TareFormat *self,
                     gsize             columns)
{
  return columns % self->block == 0;
}

/**
 * tare_format_fit:
 * @self: a format
 * @columns: length of a row
 *
 * Returns: (transfer none): the format itself, or the first of its fallbacks that can hold the row
 */
const TareFormat *
tare_format_fit (const TareFormat *self,
                 gsize             columns)
{
  while (self != NULL && !tare_format_accepts (self, columns))
    self = tare_format_lookup (self->fallback);

  return self;
}

/**
 * tare_format_get_row_bytes:
 * @self: a format
 * @columns: length of a row, which the format must accept
 *
 * Returns: bytes of a row's codes with all its scales
 */
gsize
tare_format_get_row_bytes (const TareFormat *self,
                           gsize             columns)
{
  g_return_val_if_fail (tare_format_accepts (self, columns), 0);

  if (self->klass->get_row_bytes != NULL)
    return self->klass->get_row_bytes (self, columns);

  return columns / self->block * self->klass->block_bytes;
}

/**
 * tare_format_get_bits_per_weight:
 * @self: a format
 * @columns: length of a row, or 0 for the figure that rows without end would have
 *
 * Returns: bits of a weight, its share of scales and padding included
 */
double
tare_format_get_bits_per_weight (const TareFormat *self,
                                 gsize             columns)
{
  /* A multiple of every group, so long that one scale for all of it does not show. */
  gsize n = columns != 0 ? columns : (gsize) 1 << 40;

  return 8.0 * (double) tare_format_get_row_bytes (self, n) / (double) n;
}

/* Returns: the first column that is NaN or infinite, or n. x: [n] */
TARE_CLONES static gsize
find_not_finite (const float *x,
                 gsize        n)
{
  for (gsize begin = 0; begin < n; begin += 1024)
    {
      gsize end = MIN (begin + 1024, n);
      guint32 found = 0;

      for (gsize i = begin; i < end; i++)
        found |= (tare_float_to_bits (x[i]) & 0x7f800000) == 0x7f800000;

      for (gsize i = begin; found && i < end; i++)
        if (!isfinite (x[i]))
          return i;
    }

  return n;
}

static gboolean
check_finite (const float  *x,
              gsize         rows,
              gsize         columns,
              GError      **error)
{
  gsize first = rows;

  #pragma omp parallel for schedule (static) reduction (min : first) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    if (find_not_finite (x + i * columns, columns) < columns)
      first = MIN (first, i);

  if (first < rows)
    {
      gsize column = find_not_finite (x + first * columns, columns);

      g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                   "row %" G_GSIZE_FORMAT ", column %" G_GSIZE_FORMAT " is %s", first, column,
                   isnan (x[first * columns + column]) ? "NaN" : "infinite");
      return FALSE;
    }

  return TRUE;
}

/* Returns: (transfer full): one positive weight a column, of which the largest is one */
static float *
make_weights (const TareEncoding  *encoding,
              gsize                columns,
              GError             **error)
{
  g_autofree float *weights = g_new (float, MAX (columns, 1));
  const float *importance = encoding->importance;
  float largest = 0.0f;

  for (gsize j = 0; importance != NULL && j < columns; j++)
    {
      if (!isfinite (importance[j]) || importance[j] < 0.0f)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "the importance of column %" G_GSIZE_FORMAT " is %g", j,
                       (double) importance[j]);
          return NULL;
        }
      largest = MAX (largest, importance[j]);
    }

  for (gsize j = 0; j < columns; j++)
    weights[j] = largest > 0.0f ? MAX (importance[j] / largest, IMPORTANCE_FLOOR) : 1.0f;

  return g_steal_pointer (&weights);
}

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

/* The percentile of the magnitudes, between two of them by proportion. x, scratch: [n] */
static float
find_percentile (const float *x,
                 gsize        n,
                 double       percentile,
                 float       *scratch)
{
  double position = CLAMP (percentile, 0.0, 100.0) / 100.0 * (double) (n - 1);
  gsize below = (gsize) position;
  gsize above = MIN (below + 1, n - 1);

  for (gsize j = 0; j < n; j++)
    scratch[j] = fabsf (x[j]);

  qsort (scratch, n, sizeof (float), compare_floats);

  return scratch[below] + (float) (position - (double) below) * (scratch[above] - scratch[below]);
}

/* A group clipped at its percentile, and then from end to end. */
static void
encode_percentile (const TareFormat   *self,
                   const TareEncoding *encoding,
                   const float        *x,
                   const float        *weights,
                   gsize               columns,
                   guint8             *codes)
{
  g_autofree float *clipped = g_new (float, MAX (columns, 1));
  g_autofree float *scratch = g_new (float, MAX (columns, 1));
  gsize group = self->group != 0 ? self->group : MAX (columns, 1);

  for (gsize begin = 0; begin < columns; begin += group)
    {
      gsize n = MIN (group, columns - begin);
      float limit = find_percentile (x + begin, n, encoding->percentile, scratch);

      for (gsize j = begin; j < begin + n; j++)
        clipped[j] = CLAMP (x[j], -limit, limit);
    }

  self->klass->encode_row (self, FALSE, clipped, weights, columns, codes);
}

/**
 * tare_format_encode:
 * @self: a format that accepts @columns
 * @encoding: (nullable): how ranges are chosen; %NULL for the searched range without importance
 * @x: the weights, rows x columns
 * @rows: outputs
 * @columns: inputs
 * @codes: (out caller-allocates): rows x tare_format_get_row_bytes()
 * @error: set to %TARE_ERROR_NOT_FINITE with the place, counted from 0, of the first weight that is
 *   NaN or infinite, or to %TARE_ERROR_INVALID where an importance is not a number or negative
 *
 * Encodes a matrix, row by row, in parallel. Scales are rounded to the type in which they are
 * stored before the weights are rounded with them; no finite weight decodes to an infinite one.
 *
 * Returns: whether it was done
 */
gboolean
tare_format_encode (const TareFormat    *self,
                    const TareEncoding  *encoding,
                    const float         *x,
                    gsize                rows,
                    gsize                columns,
                    guint8              *codes,
                    GError             **error)
{
  static const TareEncoding searched = { .range = TARE_RANGE_SEARCH };
  g_autofree float *weights = NULL;
  gsize row_bytes;

  g_return_val_if_fail (tare_format_accepts (self, columns), FALSE);

  if (encoding == NULL)
    encoding = &searched;

  weights = make_weights (encoding, columns, error);
  if (weights == NULL || !check_finite (x, rows, columns, error))
    return FALSE;

  row_bytes = tare_format_get_row_bytes (self, columns);

  #pragma omp parallel for schedule (dynamic) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    {
      if (encoding->range == TARE_RANGE_PERCENTILE && self->group != 1)
        encode_percentile (self, encoding, x + i * columns, weights, columns,
                           codes + i * row_bytes);
      else
        self->klass->encode_row (self, encoding->range == TARE_RANGE_SEARCH, x + i * columns,
                                 weights, columns, codes + i * row_bytes);
    }

  return TRUE;
}

/**
 * tare_format_decode:
 * @self: a format that accepts @columns
 * @codes: rows x tare_format_get_row_bytes(), at any address
 * @rows: outputs
 * @columns: inputs
 * @y: (out caller-allocates): rows x columns
 *
 * Decodes a matrix, row by row, in parallel. The products are those of ggml, in its order, so that
 * the result is the same to the bit.
 */
void
tare_format_decode (const TareFormat *self,
                    const guint8     *codes,
                    gsize             rows,
                    gsize             columns,
                    float            *y)
{
  gsize row_bytes;

  g_return_if_fail (tare_format_accepts (self, columns));

  row_bytes = tare_format_get_row_bytes (self, columns);

  #pragma omp parallel for schedule (static) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    self->klass->decode_row (self, codes + i * row_bytes, columns, y + i * columns);
}

/**
 * tare_format_get_levels:
 * @self: a format
 * @minimum: the smallest weight of a group
 * @maximum: the largest
 * @levels: (out caller-allocates): room for %TARE_FORMAT_MAX_LEVELS
 *
 * Finds what a group's weights can become, in ascending order and each value once, where the range
 * reaches from @minimum to @maximum. For a K-quant the group is the widest of its super-block.
 *
 * Returns: how many levels there are; 0 for a float, which has no grid of its own
 */
gsize
tare_format_get_levels (const TareFormat *self,
                        float             minimum,
                        float             maximum,
                        float            *levels)
{
  gsize n = 0;
  gsize unique = 0;

  if (self->klass->get_levels == NULL || !isfinite (minimum) || !isfinite (maximum))
    return 0;

  n = self->klass->get_levels (self, MIN (minimum, maximum), MAX (minimum, maximum), levels);
  qsort (levels, n, sizeof (float), compare_floats);

  for (gsize i = 0; i < n; i++)
    if (unique == 0 || levels[i] != levels[unique - 1])
      levels[unique++] = levels[i];

  return unique;
}
