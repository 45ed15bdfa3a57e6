/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/formats/tare-format-grid-private.h"
#include "quant/formats/tare-pack-private.h"

/* The table of formats: those of ggml are listed, the others combined from grids, which say what a
 * weight can become, and scalings, which say what shares a scale. Not every pair is worth a row: a
 * person must find her way. */

#define N_(text) (text)

#define PACKED TARE_CONTAINER_COMPRESSED_TENSORS
#define GPTQ TARE_CONTAINER_GPTQ
#define AWQ TARE_CONTAINER_AWQ

/* Of scales that are powers of two one is enough for a channel and for a group. */
typedef enum
{
  NO_SCALING,
  TENSOR,
  CHANNEL,
  G256,
  G128,
  G64,
  G32,
  G16,
  OUT_G128,
  DOUBLE_G64,
  DOUBLE_G32,
  WIDE_CHANNEL,
  WIDE_G128,
  WIDE_G32,
  POWER_CHANNEL,
  POWER_G128,
  SHIFT_CHANNEL,
  SHIFT_G128,
  BLOCK_64,
  BLOCK_64_DOUBLE,
  MX,
  NV,
} ScalingId;

/* What a phrase has no number for takes none. */
static const TareScaling scalings[] = {
  [TENSOR] = { "_tensor", "tensor", N_("one scale for all"), &_tare_scale_tensor, 0, FALSE },
  [CHANNEL] = { "_channel", "channel", N_("one scale for each output"), &_tare_scale_half, 0 },
  [G256] = { "_g256", "g256", N_("one scale for %u weights"), &_tare_scale_half, 256 },
  [G128] = { "_g128", "g128", N_("one scale for %u weights"), &_tare_scale_half, 128 },
  [G64] = { "_g64", "g64", N_("one scale for %u weights"), &_tare_scale_half, 64 },
  [G32] = { "_g32", "g32", N_("one scale for %u weights"), &_tare_scale_half, 32 },
  [G16] = { "_g16", "g16", N_("one scale for %u weights"), &_tare_scale_half, 16 },
  [OUT_G128] = { "_out_g128", "outputs g128", N_("one scale for %u outputs of an input (AdaDim)"),
                 &_tare_scale_half, 128, TRUE },
  [DOUBLE_G64] = { "_dq_g64", "double g64", N_("one scale in 8 bits for %u weights"),
                   &_tare_scale_double, 64 },
  [DOUBLE_G32] = { "_dq_g32", "double g32", N_("one scale in 8 bits for %u weights"),
                   &_tare_scale_double, 32 },
  [WIDE_CHANNEL] = { "_channel", "channel", N_("one scale for each output"), &_tare_scale_single,
                     0 },
  [WIDE_G128] = { "_g128", "g128", N_("one scale for %u weights"), &_tare_scale_single, 128 },
  [WIDE_G32] = { "_g32", "g32", N_("one scale for %u weights"), &_tare_scale_single, 32 },
  [POWER_CHANNEL] = { "_m1_channel", "M1 channel", N_("one power of two for each output"),
                      &_tare_scale_power_up, 0 },
  [POWER_G128] = { "_m1_g128", "M1 g128", N_("one power of two for %u weights"),
                   &_tare_scale_power_up, 128 },
  [SHIFT_CHANNEL] = { "_m2_channel", "M2 channel",
                      N_("scales of outputs a power of two apart"), &_tare_scale_shift, 0 },
  [SHIFT_G128] = { "_m2_g128", "M2 g128", N_("scales of %u weights a power of two apart"),
                   &_tare_scale_shift, 128 },
  [BLOCK_64] = { "", "", N_("one scale for %u weights"), &_tare_scale_half, 64 },
  [BLOCK_64_DOUBLE] = { "_dq", "double", N_("one scale in 8 bits for %u weights"),
                        &_tare_scale_double, 64 },
  [MX] = { "", "", N_("one power of two for %u weights"), &_tare_scale_power, 32 },
  [NV] = { "", "", N_("one E4M3 scale for %u weights, and one for all"), &_tare_scale_e4m3, 16 },
};

/* A grid on its way into the table. */
typedef struct
{
  char             *id;
  char             *label;
  char             *noun;
  TareFormatFamily  family;
  guint             bits;
  const TareGrid   *grid;
  gboolean          whole;
  guint             block;
  const char       *fallback;
  TareContainers    containers;
} Elements;

/* Returns: (transfer full): the text with the number in place of its %u, if it has one */
static char *
put_number (const char *text,
            guint       number)
{
  const char *place = strstr (text, "%u");

  if (place == NULL)
    return g_strdup (text);

  return g_strdup_printf ("%.*s%u%s", (int) (place - text), text, number, place + 2);
}

static char *
describe (const char *noun,
          const char *phrase,
          guint       group)
{
  g_autofree char *scale = put_number (g_dgettext ("tare", phrase), group);

  return g_strjoin (", ", noun, scale, NULL);
}

static TareFormat *
add_format (GPtrArray         *list,
            const Elements    *elements,
            const TareScaling *scaling)
{
  TareFormat *format = g_new0 (TareFormat, 1);

  format->id = g_strconcat (elements->id, scaling->suffix, NULL);
  format->label = g_strconcat (elements->label, *scaling->label != '\0' ? " " : "",
                               scaling->label, NULL);
  format->description = describe (elements->noun, scaling->phrase, scaling->group);
  format->family = elements->family;
  format->bits = elements->bits;
  format->group = scaling->group;
  format->block = MAX (elements->block, 1);
  format->ggml_type = -1;
  format->fallback = elements->fallback;
  format->per_tensor = scaling->klass->shared;
  format->along_outputs = scaling->along_outputs;
  format->grid = elements->grid;
  format->scaling = scaling;
  format->klass = elements->whole || scaling->along_outputs || scaling->klass->fits_scales
                  ? &_tare_grid_whole_class : &_tare_grid_class;
  format->containers = TARE_CONTAINER_TARE
                       | (format->klass == &_tare_grid_class ? elements->containers : 0);
  if (format->per_tensor)
    format->containers &= ~(TareContainers) GPTQ;
  g_ptr_array_add (list, format);

  return format;
}

static void
elements_clear (Elements *self)
{
  g_free (self->id);
  g_free (self->label);
  g_free (self->noun);
}

/* Takes the elements. */
static void
combine (GPtrArray       *list,
         Elements         elements,
         const ScalingId *wanted)
{
  for (gsize i = 0; wanted[i] != NO_SCALING; i++)
    add_format (list, &elements, &scalings[wanted[i]]);
  elements_clear (&elements);
}

/* --- integers --- */

static const ScalingId all_scalings[] = {
  TENSOR, CHANNEL, G256, G128, G64, G32, G16, OUT_G128, DOUBLE_G64, DOUBLE_G32, NO_SCALING,
};
static const ScalingId some_scalings[] = { CHANNEL, G128, G64, G32, NO_SCALING };
static const ScalingId two_scalings[] = { CHANNEL, G128, NO_SCALING };
static const ScalingId power_scalings[] = {
  POWER_CHANNEL, POWER_G128, SHIFT_CHANNEL, SHIFT_G128, NO_SCALING,
};

/* The widths that runtimes have get every scaling, those between them the usual ones. */
static gboolean
is_usual (guint bits)
{
  return bits == 8 || bits <= 4;
}

static TareContainers
get_integer_containers (guint bits)
{
  return (bits == 4 || bits == 8 ? PACKED : 0) | (is_usual (bits) ? GPTQ : 0);
}

static void
list_integers (GPtrArray *list,
               guint      bits)
{
  int half = 1 << (bits - 1);
  float top = (float) half - 1.0f;
  Elements elements = {
    .family = TARE_FORMAT_FAMILY_INTEGER, .bits = bits, .containers = get_integer_containers (bits),
  };

  elements.id = put_number ("int%u", bits);
  elements.label = put_number ("INT%u", bits);
  elements.noun = put_number (g_dgettext ("tare", N_("%u-bit integers")), bits);
  elements.grid = _tare_level_new (bits, -half, top, 0.0f);
  combine (list, elements, is_usual (bits) ? all_scalings : some_scalings);
  if (!is_usual (bits))
    return;

  elements.id = put_number ("int%u_restricted", bits);
  elements.label = put_number ("INT%u restricted", bits);
  elements.noun = g_strdup (g_dgettext ("tare", N_("Integers without the lowest")));
  elements.grid = _tare_level_new (bits, 1 - half, top, 0.0f);
  combine (list, elements, two_scalings);

  elements.id = put_number ("int%u_gptq", bits);
  elements.label = put_number ("INT%u GPTQ", bits);
  elements.noun = g_strdup (g_dgettext ("tare", N_("Integers with GPTQ's symmetric range")));
  elements.grid = _tare_level_new (bits, -half, (float) half - 0.5f, 0.0f);
  combine (list, elements, two_scalings);

  elements.containers = 0;
  elements.whole = TRUE;
  elements.id = put_number ("bipolar%u", bits);
  elements.label = put_number ("Bipolar INT%u", bits);
  elements.noun = g_strdup (g_dgettext ("tare", N_("Odd integers of either sign, without zero")));
  elements.grid = _tare_level_new (bits, -half, (float) half - 0.5f, 0.5f);
  combine (list, elements, two_scalings);
}

/* What fewer bits of 8-bit integers are worth. */
static void
list_nested (GPtrArray *list,
             guint      bits)
{
  guint rest = 8 - bits;
  TareGrid *grid = _tare_level_new (bits, -(1 << (bits - 1)), 127.0f / (float) (1u << rest), 0.0f);
  Elements elements = {
    .id = put_number ("nested8_%u", bits),
    .label = put_number ("Nested INT8 to %u", bits),
    .noun = g_strdup (g_dgettext ("tare", N_("The upper bits of 8-bit integers"))),
    .family = TARE_FORMAT_FAMILY_INTEGER,
    .bits = bits,
    .grid = grid,
    .containers = get_integer_containers (bits),
  };

  grid->nested = rest;
  combine (list, elements, two_scalings);
}

/* Their rows are laid out in a way of their own, so that only what shares a scale is combined. */
static void
list_asymmetric (GPtrArray       *list,
                 guint            bits,
                 gboolean         minimum,
                 const ScalingId *wanted)
{
  Elements elements = {
    .id = put_number (minimum ? "int%u_min" : "int%u_asym", bits),
    .label = put_number (minimum ? "INT%u min" : "INT%u asym", bits),
    .noun = g_strdup (g_dgettext ("tare", minimum ? N_("Integers with a minimum")
                                                  : N_("Integers with a zero point"))),
    .family = TARE_FORMAT_FAMILY_ASYMMETRIC,
    .bits = bits,
    .containers = minimum ? 0 : get_integer_containers (bits),
  };

  for (gsize i = 0; wanted[i] != NO_SCALING; i++)
    {
      TareFormat *format = add_format (list, &elements, &scalings[wanted[i]]);

      format->asymmetric = TRUE;
      format->klass = minimum ? &_tare_format_minimum_class : &_tare_format_zero_point_class;
      if (bits == 4 && !minimum && !format->per_tensor && !format->along_outputs)
        format->containers |= AWQ;
    }
  elements_clear (&elements);
}

static void
list_all_integers (GPtrArray *list)
{
  static const ScalingId usual[] = {
    TENSOR, CHANNEL, G256, G128, G64, G32, G16, OUT_G128, NO_SCALING,
  };
  static const ScalingId minimums[] = { G128, G64, G32, NO_SCALING };
  static const guint nested[] = { 6, 4, 3, 2 };

  for (guint bits = 8; bits >= 2; bits--)
    list_integers (list, bits);
  for (gsize i = 0; i < G_N_ELEMENTS (nested); i++)
    list_nested (list, nested[i]);
  for (guint bits = 8; bits >= 2; bits--)
    {
      list_asymmetric (list, bits, FALSE, is_usual (bits) ? usual : some_scalings);
      if (is_usual (bits))
        list_asymmetric (list, bits, TRUE, minimums);
    }
}

/* --- minifloats --- */

/* Every exponent and mantissa; where a format of a runtime has special codes, with these. */
typedef struct
{
  guint       exponent;
  guint       mantissa;
  const char *mode;
  gboolean    usual;
} Split;

static const Split splits[] = {
  { 7, 0, "none" }, { 6, 1, "none" }, { 5, 2, "ieee", TRUE }, { 5, 2, "fnuz" }, { 5, 2, "none" },
  { 4, 3, "fn", TRUE }, { 4, 3, "fnuz" }, { 4, 3, "ieee" }, { 4, 3, "none" },
  { 3, 4, "none", TRUE }, { 2, 5, "none" }, { 1, 6, "none" },
  { 6, 0, "none" }, { 5, 1, "none" }, { 4, 2, "none" }, { 3, 3, "none" }, { 2, 4, "none" },
  { 1, 5, "none" },
  { 5, 0, "none" }, { 4, 1, "none" }, { 3, 2, "none", TRUE }, { 2, 3, "none", TRUE },
  { 1, 4, "none" },
  { 4, 0, "none" }, { 3, 1, "none" }, { 2, 2, "none", TRUE }, { 1, 3, "none" },
  { 3, 0, "none" }, { 2, 1, "none", TRUE }, { 1, 2, "none", TRUE },
  { 2, 0, "none", TRUE }, { 1, 1, "none" },
};

/* The one whose special codes need no name: the runtimes' own, or none. */
static gboolean
is_plain (const Split *split)
{
  return split->usual || (g_str_equal (split->mode, "none")
                          && !(split->exponent + split->mantissa == 7
                               && (split->exponent == 4 || split->exponent == 5)));
}

static void
list_minifloat (GPtrArray   *list,
                const Split *split)
{
  static const ScalingId wide[] = { TENSOR, WIDE_CHANNEL, WIDE_G128, WIDE_G32, NO_SCALING };
  static const ScalingId narrow[] = { TENSOR, WIDE_CHANNEL, G128, G32, NO_SCALING };
  static const ScalingId wide_two[] = { WIDE_CHANNEL, WIDE_G128, NO_SCALING };
  static const ScalingId narrow_two[] = { WIDE_CHANNEL, G128, NO_SCALING };
  guint bits = 1 + split->exponent + split->mantissa;
  gboolean needs_width = split->exponent >= 4;
  const char *mode = is_plain (split) ? "" : split->mode;
  g_autofree char *upper = g_ascii_strup (mode, -1);
  const char *noun = g_dgettext ("tare", N_("Floats of few bits"));
  Elements elements = {
    .family = TARE_FORMAT_FAMILY_MINIFLOAT,
    .bits = bits,
    .grid = _tare_minifloat_new (split->exponent, split->mantissa, split->mode),
  };

  elements.id = g_strdup_printf ("fp%u_e%um%u%s%s", bits, split->exponent, split->mantissa,
                                 *mode != '\0' ? "_" : "", mode);
  elements.label = g_strdup_printf ("FP%u E%uM%u%s%s", bits, split->exponent, split->mantissa,
                                    *mode != '\0' ? " " : "", upper);
  elements.noun = g_strdup (noun);
  elements.containers = g_str_equal (elements.id, "fp8_e4m3") ? PACKED : 0;
  combine (list, elements, split->usual ? (needs_width ? wide : narrow)
                                        : (needs_width ? wide_two : narrow_two));

  if (bits == 4 && split->exponent == 2)
    {
      elements.id = g_strdup ("fp4_e2m1");
      elements.label = g_strdup ("FP4 E2M1");
      elements.noun = g_strdup (noun);
      combine (list, elements, power_scalings);
    }
}

/* Each matrix with the split that suits it. */
static void
list_split (GPtrArray *list,
            guint      bits)
{
  static const ScalingId wide[] = { TENSOR, WIDE_CHANNEL, WIDE_G128, NO_SCALING };
  static const ScalingId narrow[] = { TENSOR, WIDE_CHANNEL, G128, NO_SCALING };
  Elements elements = {
    .id = put_number ("fp%u_split", bits),
    .label = put_number ("FP%u split", bits),
    .noun = g_strdup (g_dgettext ("tare", N_("Floats with their best split (LLM-FP4)"))),
    .family = TARE_FORMAT_FAMILY_MINIFLOAT,
    .bits = bits,
    .grid = _tare_minifloat_new_split (bits),
    .whole = TRUE,
  };

  combine (list, elements, bits > 4 ? wide : narrow);
}

/* FP8 as DeepSeek's models come. */
static void
list_square (GPtrArray *list)
{
  static const TareScaling squares = {
    "_b128x128", "128x128", N_("one scale for %u outputs of as many weights"), &_tare_scale_single,
    128,
  };
  Elements elements = {
    .id = g_strdup ("fp8_e4m3"),
    .label = g_strdup ("FP8 E4M3"),
    .noun = g_strdup (g_dgettext ("tare", N_("Floats of few bits"))),
    .family = TARE_FORMAT_FAMILY_MINIFLOAT,
    .bits = 8,
    .grid = _tare_minifloat_new (4, 3, "fn"),
  };
  TareFormat *format;

  format = add_format (list, &elements, &squares);
  format->klass = &_tare_grid_square_class;
  format->containers |= TARE_CONTAINER_FP8;
  elements_clear (&elements);
}

/* --- blocks that share a power of two --- */

static void
list_block (GPtrArray  *list,
            const char *id,
            const char *label,
            const char *noun,
            TareGrid   *grid,
            ScalingId   scaling,
            const char *fallback)
{
  const ScalingId wanted[] = { scaling, NO_SCALING };
  Elements elements = {
    .id = g_strdup (id),
    .label = g_strdup (label),
    .noun = g_strdup (g_dgettext ("tare", noun)),
    .family = TARE_FORMAT_FAMILY_MICROSCALING,
    .bits = grid->bits,
    .grid = grid,
    .whole = grid->sorted,
    .block = scalings[scaling].group,
    .fallback = fallback,
  };

  combine (list, elements, wanted);
}

/* Where rows do not fit it, or a container has no scale of the whole, the next is MXFP4. */
static void
list_nvfp4 (GPtrArray *list)
{
  Elements elements = {
    .id = g_strdup ("nvfp4"),
    .label = g_strdup ("NVFP4"),
    .noun = g_strdup (g_dgettext ("tare", N_("FP4 E2M1 in blocks"))),
    .family = TARE_FORMAT_FAMILY_MICROSCALING,
    .bits = 4,
    .grid = _tare_minifloat_new (2, 1, "none"),
    .block = scalings[NV].group,
    .fallback = "mxfp4",
  };
  TareFormat *format = add_format (list, &elements, &scalings[NV]);

  format->klass = &_tare_format_nvfp4_class;
  format->ggml_type = 40;
  format->containers = TARE_CONTAINER_GGUF | TARE_CONTAINER_TARE | PACKED;
  elements_clear (&elements);
}

static void
list_blocks (GPtrArray *list)
{
  static const TareFormat mxfp4 = {
    "mxfp4", "MXFP4", N_("FP4 E2M1 in blocks of 32 that share a power of two"),
    TARE_FORMAT_FAMILY_MICROSCALING, 4, 32, 32, 39,
    TARE_CONTAINER_GGUF | TARE_CONTAINER_TARE | PACKED, "f16",
    &_tare_format_mxfp4_class, FALSE,
  };
  static const guint widths[] = { 8, 6, 5, 4, 3 };

  list_block (list, "mxfp8_e5m2", "MXFP8 E5M2", N_("FP8 E5M2 in blocks"),
              _tare_minifloat_new (5, 2, "ieee"), MX, "fp8_e5m2_channel");
  list_block (list, "mxfp8_e4m3", "MXFP8 E4M3", N_("FP8 E4M3 in blocks"),
              _tare_minifloat_new (4, 3, "fn"), MX, "fp8_e4m3_channel");
  list_block (list, "mxint8", "MXINT8", N_("8-bit integers in blocks"),
              _tare_block_float_new (8, TRUE), MX, "int8_channel");
  list_block (list, "mxfp6_e3m2", "MXFP6 E3M2", N_("FP6 E3M2 in blocks"),
              _tare_minifloat_new (3, 2, "none"), MX, "fp6_e3m2_channel");
  list_block (list, "mxfp6_e2m3", "MXFP6 E2M3", N_("FP6 E2M3 in blocks"),
              _tare_minifloat_new (2, 3, "none"), MX, "fp6_e2m3_channel");
  g_ptr_array_add (list, (gpointer) &mxfp4);
  list_nvfp4 (list);

  for (gsize i = 0; i < G_N_ELEMENTS (widths); i++)
    {
      g_autofree char *id = g_strdup_printf ("bfp%u", widths[i]);
      g_autofree char *label = g_strdup_printf ("BFP%u", widths[i]);
      g_autofree char *fallback = g_strdup_printf ("int%u_channel", widths[i]);

      list_block (list, id, label, N_("Block floating point"),
                  _tare_block_float_new (widths[i], FALSE), MX, g_intern_string (fallback));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (widths); i++)
    {
      g_autofree char *id = g_strdup_printf ("bfp%u_sorted", widths[i]);
      g_autofree char *label = g_strdup_printf ("BFP%u sorted", widths[i]);
      g_autofree char *fallback = g_strdup_printf ("int%u_channel", widths[i]);
      TareGrid *grid = _tare_block_float_new (widths[i], FALSE);

      grid->sorted = TRUE;
      list_block (list, id, label, N_("Block floating point with inputs by their magnitude"), grid,
                  MX, g_intern_string (fallback));
    }
}

/* --- levels of any spacing --- */

static void
list_codebook (GPtrArray          *list,
               const char         *id,
               const char         *label,
               const char         *noun,
               guint               bits,
               const TareCodebook *codebook)
{
  static const ScalingId wanted[] = { BLOCK_64, BLOCK_64_DOUBLE, NO_SCALING };
  Elements elements = {
    .id = g_strdup (id),
    .label = g_strdup (label),
    .noun = g_strdup (g_dgettext ("tare", noun)),
    .family = TARE_FORMAT_FAMILY_CODEBOOK,
    .bits = bits,
    .grid = _tare_codebook_new (bits, codebook),
  };

  combine (list, elements, wanted);
}

static void
list_power (GPtrArray    *list,
            const char   *id,
            const char   *label,
            const char   *noun,
            guint         bits,
            TareCodebook *codebook,
            gboolean      chosen)
{
  TareGrid *grid = _tare_codebook_new (bits, codebook);
  Elements elements = {
    .id = put_number (id, bits),
    .label = put_number (label, bits),
    .noun = g_strdup (g_dgettext ("tare", noun)),
    .family = TARE_FORMAT_FAMILY_POWER,
    .bits = bits,
    .grid = grid,
    .whole = TRUE,
  };

  grid->power = chosen;
  combine (list, elements, two_scalings);
}

static void
list_powers (GPtrArray *list)
{
  for (guint bits = 4; bits >= 3; bits--)
    {
      TareCodebook *integers = g_new0 (TareCodebook, 1);
      TareCodebook *roots = g_new0 (TareCodebook, 1);
      TareCodebook *powers = g_new0 (TareCodebook, 1);

      _tare_power_list (1u << bits, 1.0f, integers);
      list_power (list, "power%u", "Power exponent %u-bit",
                  N_("Powers of integers, with an exponent for all (NUPES)"), bits, integers, TRUE);
      _tare_root_list (1u << bits, G_SQRT2, roots);
      list_power (list, "post%u", "POST %u-bit", N_("Powers of the square root of two"), bits,
                  roots, FALSE);
      _tare_root_list (1u << bits, 2.0, powers);
      list_power (list, "pot%u", "POT %u-bit", N_("Powers of two"), bits, powers, FALSE);
    }
}

/* --- two and three levels --- */

static void
list_levels (GPtrArray       *list,
             const char      *id,
             const char      *label,
             const char      *noun,
             TareGrid        *grid,
             float          (*rule) (const float *x,
                                     const float *w,
                                     gsize        n),
             const ScalingId *wanted)
{
  Elements elements = {
    .id = g_strdup (id),
    .label = g_strdup (label),
    .noun = g_strdup (g_dgettext ("tare", noun)),
    .family = TARE_FORMAT_FAMILY_TERNARY,
    .bits = 1,
    .grid = grid,
    .whole = TRUE,
  };

  grid->find_scale = rule;
  combine (list, elements, wanted);
}

static void
list_residual (GPtrArray *list,
               guint      bits)
{
  Elements elements = {
    .id = put_number ("binary_residual%u", bits),
    .label = put_number ("Residual binary %u", bits),
    .noun = g_strdup (g_dgettext ("tare", N_("Sums of a few signs with a scale each"))),
    .family = TARE_FORMAT_FAMILY_TERNARY,
    .bits = bits,
  };

  for (gsize i = 0; two_scalings[i] != NO_SCALING; i++)
    add_format (list, &elements, &scalings[two_scalings[i]])->klass = &_tare_format_residual_class;
  elements_clear (&elements);
}

static void
list_ternary (GPtrArray *list)
{
  static const ScalingId three[] = { TENSOR, CHANNEL, G128, NO_SCALING };

  list_levels (list, "ternary", "Ternary", N_("Three levels of least squared error"),
               _tare_level_new (TARE_PACK_TERNARY, -1, 1.0f, 0.0f), _tare_rule_ternary,
               two_scalings);
  list_levels (list, "ternary_absmean", "Ternary absmean",
               N_("Three levels, the mean magnitude apart (BitNet)"),
               _tare_level_new (TARE_PACK_TERNARY, -1, 1.0f, 0.0f), _tare_rule_absmean, three);
  list_levels (list, "ternary_twn", "Ternary TWN",
               N_("Three levels by a threshold (Ternary Weight Networks)"),
               _tare_level_new (TARE_PACK_TERNARY, -1, 1.0f, 0.0f), _tare_rule_threshold, three);
  for (guint bits = 4; bits >= 2; bits--)
    list_residual (list, bits);
  list_levels (list, "binary", "Binary", N_("A sign"), _tare_level_new (1, -1, 0.5f, 0.5f),
               _tare_rule_mean, three);
}

/**
 * _tare_format_list:
 * @list: (inout): the table of formats, empty
 *
 * Makes the table, family by family.
 */
void
_tare_format_list (GPtrArray *list)
{
  _tare_format_list_ggml (list);
  list_ternary (list);
  list_all_integers (list);
  for (gsize i = 0; i < G_N_ELEMENTS (splits); i++)
    list_minifloat (list, &splits[i]);
  list_square (list);
  for (guint bits = 8; bits >= 4; bits--)
    list_split (list, bits);
  list_blocks (list);
  list_codebook (list, "nf4", "NF4", N_("4-bit quantiles of a normal distribution"), 4,
                 &_tare_codebook_nf4);
  list_codebook (list, "nf3", "NF3", N_("3-bit quantiles of a normal distribution"), 3,
                 &_tare_codebook_nf3);
  list_codebook (list, "nf2", "NF2", N_("2-bit quantiles of a normal distribution"), 2,
                 &_tare_codebook_nf2);
  list_codebook (list, "af4", "AF4", N_("The 4-bit levels of bitsandbytes' AF4"), 4,
                 &_tare_codebook_af4);
  list_codebook (list, "bnb_fp4", "bitsandbytes FP4",
                 N_("The 4-bit floats of bitsandbytes, unlike E2M1"), 4, &_tare_codebook_bnb_fp4);
  _tare_format_list_clusters (list);
  _tare_format_list_vectors (list);
  list_powers (list);
}
