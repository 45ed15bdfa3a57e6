/* SPDX-License-Identifier: GPL-3.0-or-later */
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
};

/**
 * _tare_format_list_ggml:
 * @list: (inout): the table of formats
 *
 * Adds the floats, and ggml's types.
 */
void
_tare_format_list_ggml (GPtrArray *list)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    g_ptr_array_add (list, (gpointer) &formats[i]);
}
