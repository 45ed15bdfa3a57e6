/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include "quant/formats/tare-format-grid-private.h"
#include "quant/formats/tare-format-private.h"

#define N_(text) (text)

#define GGUF (TARE_CONTAINER_GGUF | TARE_CONTAINER_TARE)
#define BOTH (GGUF | TARE_CONTAINER_SAFETENSORS)

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
    TARE_CONTAINER_TARE | TARE_CONTAINER_GPTQ                                          \
    | ((bits) == 4 || (bits) == 8 ? TARE_CONTAINER_COMPRESSED_TENSORS : 0)             \
    | ((bits) == 4 && (asymmetric) ? TARE_CONTAINER_AWQ : 0),                          \
    NULL, &_tare_format_integer_class, asymmetric }
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
    TARE_CONTAINER_TARE, fallback, &_tare_format_##grid##_grid.parent, FALSE }
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
