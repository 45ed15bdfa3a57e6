/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-layout-private.h"

#include <string.h>

/* How quantized checkpoints keep a matrix of outputs (rows) by inputs (columns).
 *
 * compressed-tensors (https://github.com/vllm-project/compressed-tensors, 0.12): the codes of a row
 * one after another in 32-bit words, lowest bits first, with 2^(bits-1) added to them; zero points
 * alike, but down each column. Releases before 2026 let no code straddle two words, which for 3, 5,
 * 6 and 7 bits is another layout, told apart by its width. 4-bit floats lie two to a byte.
 *
 * GPTQ (AutoGPTQ, GPTQModel): inputs down, outputs across; each word has consecutive inputs of one
 * output. Zero points are packed across, in the first version with 1 taken off.
 *
 * AWQ (AutoAWQ, "gemm"): inputs down; each word has eight outputs, in the order 0, 2, 4, 6, 1, 3,
 * 5, 7 of its nibbles. */

/* Nibble of a word in which AWQ keeps each of its eight outputs. */
static const guint8 awq_nibble[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };

/* FP4 E2M1, OCP Microscaling Formats (MX) Specification, version 1.0. */
static const float float4[16] = {
  0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f,
  -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f,
};

static const char *const words[] = { "I32", "U32", NULL };
static const char *const bytes[] = { "U8", NULL };
static const char *const integers[] = { "I8", NULL };
static const char *const floats8[] = { "F8_E4M3", "F8_E5M2", NULL };
static const char *const scale_floats[] = { "F16", "BF16", "F32", NULL };
static const char *const scale_float8[] = { "F8_E4M3", NULL };
static const char *const scale_powers[] = { "U8", "F8_E8M0", NULL };
static const char *const scale_any[] = { "F16", "BF16", "F32", "U8", "F8_E8M0", NULL };

static char *
describe_shape (const TareTensor *part)
{
  g_autoptr(GString) text = g_string_new (NULL);

  if (part->n_dimensions == 0)
    return g_strdup ("a single number");
  for (guint i = 0; i < part->n_dimensions; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i > 0 ? "x" : "", part->shape[i]);

  return g_strdup (text->str);
}

/* What is wrong, for behind the name of the file. */
static char *
find_fault (const TareStored *self,
            TarePart          part,
            const char       *wanted)
{
  g_autofree char *found = describe_shape (self->parts[part]);

  return g_strdup_printf ("tensor '%s' is %s, which is not %s", self->parts[part]->name, found,
                          wanted);
}

static gboolean
has_shape (const TareTensor *part,
           guint64           rows,
           guint64           columns)
{
  if (part->n_dimensions == 1)
    return part->shape[0] == (columns == 1 ? rows : columns) && (rows == 1 || columns == 1);

  return part->n_dimensions == 2 && part->shape[0] == rows && part->shape[1] == columns;
}

static char *
check_part (const TareStored *self,
            TarePart          part,
            guint64           rows,
            guint64           columns)
{
  g_autofree char *wanted = NULL;

  if (self->parts[part] == NULL || has_shape (self->parts[part], rows, columns))
    return NULL;

  wanted = g_strdup_printf ("%" G_GUINT64_FORMAT "x%" G_GUINT64_FORMAT, rows, columns);

  return find_fault (self, part, wanted);
}

static gboolean
check_codes (const TareStored *self)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];

  return codes->n_dimensions == 2 && codes->shape[0] > 0 && codes->shape[1] > 0;
}

static char *
take_groups (TareStored *self,
             gsize       n_groups)
{
  self->n_groups = n_groups;
  self->group = n_groups > 0 ? self->columns / n_groups : 0;
  if (self->group > 0 && (self->group * n_groups == self->columns
                          || self->parts[TARE_PART_GROUPS] != NULL))
    return check_part (self, TARE_PART_GROUPS, self->columns, 1);

  return g_strdup_printf ("tensor '%s' has %" G_GSIZE_FORMAT " groups for %" G_GSIZE_FORMAT
                          " columns, which do not divide evenly",
                          self->parts[TARE_PART_SCALES]->name, n_groups, self->columns);
}

/* One scale for all, for each row, for groups of each row, or for blocks of rows and columns. */
static char *
take_scales (TareStored       *self,
             const TareScheme *scheme)
{
  const TareTensor *scales = self->parts[TARE_PART_SCALES];
  gsize n = scales != NULL ? tare_tensor_get_n_weights (scales) : 1;
  gsize rows = scales != NULL && scales->n_dimensions > 0 ? scales->shape[0] : 1;

  self->row_block = 1;
  if (n == 1)
    {
      self->row_block = self->rows;
      return take_groups (self, 1);
    }
  if (scheme->block_rows > 0 && scheme->block_columns > 0 && scales->n_dimensions == 2)
    {
      self->row_block = scheme->block_rows;
      self->group = scheme->block_columns;
      self->n_groups = (self->columns - 1) / self->group + 1;
      return check_part (self, TARE_PART_SCALES, (self->rows - 1) / self->row_block + 1,
                         self->n_groups);
    }
  if (rows == self->rows && scales->n_dimensions <= 2 && n > 0)
    return take_groups (self, n / rows);

  return find_fault (self, TARE_PART_SCALES, "a scale for every output");
}

/* 32-bit words along the inputs. */

static gsize
find_bit (const TareStored *self,
          gsize             index)
{
  guint per_word = 32 / self->bits;

  if (!self->padded)
    return index * self->bits;

  return index / per_word * 32 + index % per_word * self->bits;
}

static gsize
count_words (const TareStored *self,
             gsize             n)
{
  return find_bit (self, n - 1) / 32 + 1
         + (!self->padded && find_bit (self, n - 1) % 32 + self->bits > 32 ? 1 : 0);
}

static guint64
read_integer (const TareTensor *part,
              gsize             index)
{
  const guint8 *data = tare_file_get_data (part->file) + part->offset;
  guint64 low, high;

  if (strcmp (part->type_name, "I64") != 0)
    return _tare_layout_load_word (data + 4 * index);
  low = _tare_layout_load_word (data + 8 * index);
  high = _tare_layout_load_word (data + 8 * index + 4);

  return low | high << 32;
}

static char *
take_shape (TareStored *self)
{
  const TareTensor *shape = self->parts[TARE_PART_SHAPE];

  if (shape->n_dimensions != 1 || shape->shape[0] != 2
      || (strcmp (shape->type_name, "I64") != 0 && strcmp (shape->type_name, "I32") != 0))
    return find_fault (self, TARE_PART_SHAPE, "two integers");

  self->columns = (gsize) read_integer (shape, 1);
  if (read_integer (shape, 0) == self->rows && self->columns > 0
      && self->columns <= self->parts[TARE_PART_CODES]->shape[1] * 32)
    return NULL;

  return g_strdup_printf ("tensor '%s' holds %" G_GUINT64_FORMAT "x%" G_GUINT64_FORMAT
                          ", which does not go with the codes", shape->name,
                          read_integer (shape, 0), read_integer (shape, 1));
}

/* Finds the bits where they are not said, and whether words are padded, by the width. */
static gboolean
take_bits (TareStored *self,
           guint       bits)
{
  static const guint8 usual[] = { 4, 8, 2, 3, 6, 5, 7, 1 };
  gsize width = self->parts[TARE_PART_CODES]->shape[1];

  for (guint i = 0; i < 2 * G_N_ELEMENTS (usual); i++)
    {
      self->bits = usual[i / 2];
      self->padded = i % 2 == 1;
      if ((bits == 0 || bits == self->bits) && count_words (self, self->columns) == width)
        return TRUE;
    }

  return FALSE;
}

static char *
take_packed (TareStored       *self,
             const TareScheme *scheme)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];
  char *fault = NULL;

  if (!check_codes (self) || scheme->bits > 8)
    return find_fault (self, TARE_PART_CODES, "a matrix of up to 8 bits");

  self->rows = (gsize) codes->shape[0];
  self->columns = (gsize) codes->shape[1] * 32 / (scheme->bits > 0 ? scheme->bits : 4);
  if (self->parts[TARE_PART_SHAPE] != NULL)
    fault = take_shape (self);
  if (fault == NULL && !take_bits (self, scheme->bits))
    {
      g_autofree char *wanted = g_strdup_printf ("as wide as %" G_GSIZE_FORMAT " columns of %u "
                                                 "bits are", self->columns, scheme->bits);

      return find_fault (self, TARE_PART_CODES, scheme->bits > 0 ? wanted : "any known packing");
    }
  if (fault == NULL)
    fault = take_scales (self, scheme);
  if (fault == NULL && self->row_block != 1 && self->rows > 1)
    fault = find_fault (self, TARE_PART_SCALES, "a scale for every output");
  if (fault == NULL)
    fault = check_part (self, TARE_PART_ZEROS, count_words (self, self->rows), self->n_groups);

  return fault;
}

static void
unpack_packed (const TareStored *self,
               gsize             first,
               gsize             n,
               float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES);
  gsize width = self->parts[TARE_PART_CODES]->shape[1];

  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < self->columns; j++)
      *out++ = (float) _tare_layout_extract (data + 4 * width * (first + i), 1,
                                             find_bit (self, j), self->bits);
}

static float
get_packed_zero (const TareStored *self,
                 gsize             row,
                 gsize             group)
{
  if (self->parts[TARE_PART_ZEROS] == NULL)
    return (float) (1u << (self->bits - 1));

  return (float) _tare_layout_extract (_tare_layout_get_data (self, TARE_PART_ZEROS) + 4 * group,
                                       self->n_groups, find_bit (self, row), self->bits);
}

static void
describe_groups (const TareStored *self,
                 GString          *text)
{
  if (self->row_block > 1 && (self->row_block < self->rows || self->n_groups > 1))
    g_string_append_printf (text, " %" G_GSIZE_FORMAT "x%" G_GSIZE_FORMAT, self->row_block,
                            self->group);
  else if (self->row_block > 1)
    g_string_append (text, " tensor");
  else if (self->n_groups > 1)
    g_string_append_printf (text, " g%" G_GSIZE_FORMAT, self->group);
  else
    g_string_append (text, " channel");
}

static void
describe_packed (const TareStored *self,
                 GString          *text)
{
  g_string_append_printf (text, "W%uA16", self->bits);
  describe_groups (self, text);
  if (self->parts[TARE_PART_ZEROS] != NULL)
    g_string_append (text, " asym");
}

/* One code to a byte. */

static char *
take_bytes (TareStored       *self,
            const TareScheme *scheme)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];
  const TareTensor *zeros = self->parts[TARE_PART_ZEROS];
  char *fault;

  if (!check_codes (self))
    return find_fault (self, TARE_PART_CODES, "a matrix");

  self->rows = (gsize) codes->shape[0];
  self->columns = (gsize) codes->shape[1];
  self->bits = 8;
  fault = take_scales (self, scheme);
  if (fault == NULL && zeros != NULL
      && (strcmp (zeros->type_name, "I8") != 0
          || zeros->bytes != ((self->rows - 1) / self->row_block + 1) * self->n_groups))
    fault = find_fault (self, TARE_PART_ZEROS, "a byte for every scale");

  return fault;
}

static void
unpack_integers (const TareStored *self,
                 gsize             first,
                 gsize             n,
                 float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES) + first * self->columns;

  for (gsize i = 0; i < n * self->columns; i++)
    out[i] = (float) (gint8) data[i];
}

static float
get_integer_zero (const TareStored *self,
                  gsize             row,
                  gsize             group)
{
  if (self->parts[TARE_PART_ZEROS] == NULL)
    return 0.0f;

  return (float) (gint8) _tare_layout_get_data (self, TARE_PART_ZEROS)
                           [row / self->row_block * self->n_groups + group];
}

static void
describe_integers (const TareStored *self,
                   GString          *text)
{
  g_string_append (text, "W8A8");
  describe_groups (self, text);
}

static void
unpack_floats8 (const TareStored *self,
                gsize             first,
                gsize             n,
                float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES) + first * self->columns;
  float values[256];

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = _tare_layout_decode_float8 (self->parts[TARE_PART_CODES]->type_name, (guint8) i);
  for (gsize i = 0; i < n * self->columns; i++)
    out[i] = values[data[i]];
}

static void
describe_floats8 (const TareStored *self,
                  GString          *text)
{
  g_string_append_printf (text, "FP8 %s", self->parts[TARE_PART_CODES]->type_name + 3);
  describe_groups (self, text);
}

/* Two codes to a byte. */

static char *
take_nibbles (TareStored       *self,
              const TareScheme *scheme,
              gsize             group)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];
  const TareTensor *all = self->parts[TARE_PART_TENSOR_SCALE];
  char *fault = NULL;

  if (!check_codes (self))
    return find_fault (self, TARE_PART_CODES, "a matrix");

  self->rows = (gsize) codes->shape[0];
  self->columns = (gsize) codes->shape[1] * 2;
  self->bits = 4;
  if (all != NULL && (tare_tensor_get_n_weights (all) != 1 || strcmp (all->type_name, "F32") != 0))
    fault = find_fault (self, TARE_PART_TENSOR_SCALE, "one number in F32");
  if (fault == NULL)
    fault = take_scales (self, scheme);
  if (fault == NULL && (self->group != group || self->row_block != 1))
    {
      g_autofree char *wanted = g_strdup_printf ("a scale for every %" G_GSIZE_FORMAT " columns",
                                                 group);

      fault = find_fault (self, TARE_PART_SCALES, wanted);
    }

  return fault;
}

static char *
take_nvfp4 (TareStored       *self,
            const TareScheme *scheme)
{
  return take_nibbles (self, scheme, 16);
}

static char *
take_mxfp4 (TareStored       *self,
            const TareScheme *scheme)
{
  return take_nibbles (self, scheme, 32);
}

static void
unpack_nibbles (const TareStored *self,
                gsize             first,
                gsize             n,
                float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES) + first * self->columns / 2;

  for (gsize i = 0; i < n * self->columns / 2; i++)
    {
      *out++ = float4[data[i] & 15];
      *out++ = float4[data[i] >> 4];
    }
}

static void
describe_nvfp4 (const TareStored *self,
                GString          *text)
{
  g_string_append (text, "NVFP4");
}

static void
describe_mxfp4 (const TareStored *self,
                GString          *text)
{
  g_string_append (text, "MXFP4");
}

/* Inputs down. */

/* Groups down, outputs across: as many groups as zero points, and as many scales. */
static char *
take_groups_down (TareStored *self)
{
  const TareTensor *scales = self->parts[TARE_PART_SCALES];
  char *fault = take_groups (self, (gsize) self->parts[TARE_PART_ZEROS]->shape[0]);

  if (fault == NULL
      && (scales->n_dimensions != 2 || !has_shape (scales, self->n_groups, self->rows)))
    fault = find_fault (self, TARE_PART_SCALES, "a scale for every output and group");

  return fault;
}

static char *
take_gptq (TareStored       *self,
           const TareScheme *scheme)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];
  const TareTensor *zeros = self->parts[TARE_PART_ZEROS];

  if (!check_codes (self))
    return find_fault (self, TARE_PART_CODES, "a matrix");

  self->rows = (gsize) codes->shape[1];
  if (zeros->n_dimensions != 2 || zeros->shape[0] == 0 || zeros->shape[1] * 32 % self->rows != 0)
    return find_fault (self, TARE_PART_ZEROS, "a row of codes for every group");

  self->bits = (guint) MIN (zeros->shape[1] * 32 / self->rows, G_MAXUINT);
  if (self->bits != 2 && self->bits != 3 && self->bits != 4 && self->bits != 8)
    return find_fault (self, TARE_PART_ZEROS, "made of codes of 2, 3, 4 or 8 bits");
  if (codes->shape[0] * 32 % self->bits != 0)
    return find_fault (self, TARE_PART_CODES, "made of whole codes");

  self->columns = (gsize) codes->shape[0] * 32 / self->bits;
  self->row_block = 1;
  self->zero_offset = scheme->version == 2 ? 0 : 1;

  return take_groups_down (self);
}

static void
unpack_gptq (const TareStored *self,
             gsize             first,
             gsize             n,
             float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES) + 4 * first;

  for (gsize j = 0; j < self->columns; j++)
    for (gsize i = 0; i < n; i++)
      out[i * self->columns + j] = (float) _tare_layout_extract (data + 4 * i, self->rows,
                                                                 j * self->bits, self->bits);
}

/* A zero point of 0 with 1 taken off wraps around; readers elsewhere disagree on what it means. */
static float
get_gptq_zero (const TareStored *self,
               gsize             row,
               gsize             group)
{
  gsize width = self->parts[TARE_PART_ZEROS]->shape[1];
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_ZEROS) + 4 * width * group;
  guint zero = _tare_layout_extract (data, 1, row * self->bits, self->bits);

  return (float) ((zero + self->zero_offset) & ((1u << self->bits) - 1));
}

static void
describe_gptq (const TareStored *self,
               GString          *text)
{
  g_string_append_printf (text, "W%uA16", self->bits);
  describe_groups (self, text);
  g_string_append (text, " GPTQ");
}

static char *
take_awq (TareStored       *self,
          const TareScheme *scheme)
{
  const TareTensor *codes = self->parts[TARE_PART_CODES];
  const TareTensor *zeros = self->parts[TARE_PART_ZEROS];

  if (!check_codes (self))
    return find_fault (self, TARE_PART_CODES, "a matrix");

  self->rows = (gsize) codes->shape[1] * 8;
  self->columns = (gsize) codes->shape[0];
  self->bits = 4;
  self->row_block = 1;
  if (zeros->n_dimensions != 2 || zeros->shape[1] != codes->shape[1])
    return find_fault (self, TARE_PART_ZEROS, "a row of codes for every group");

  return take_groups_down (self);
}

static guint
get_awq_nibble (const guint8 *data,
                gsize         row)
{
  return _tare_layout_load_word (data + 4 * (row / 8)) >> 4 * awq_nibble[row % 8] & 15;
}

static void
unpack_awq (const TareStored *self,
            gsize             first,
            gsize             n,
            float            *out)
{
  const guint8 *data = _tare_layout_get_data (self, TARE_PART_CODES);

  for (gsize j = 0; j < self->columns; j++)
    for (gsize i = 0; i < n; i++)
      out[i * self->columns + j] = (float) get_awq_nibble (data + self->rows / 2 * j, first + i);
}

static float
get_awq_zero (const TareStored *self,
              gsize             row,
              gsize             group)
{
  return (float) get_awq_nibble (_tare_layout_get_data (self, TARE_PART_ZEROS)
                                 + self->rows / 2 * group, row);
}

static void
describe_awq (const TareStored *self,
              GString          *text)
{
  g_string_append (text, "W4A16");
  describe_groups (self, text);
  g_string_append (text, " AWQ");
}

#define CODES  (1u << TARE_PART_CODES)
#define SCALES (1u << TARE_PART_SCALES)
#define ZEROS  (1u << TARE_PART_ZEROS)
#define ALL    (1u << TARE_PART_TENSOR_SCALE)

static const TareLayout layouts[] = {
  { "pack-quantized",
    { ".weight_packed", ".weight_scale", ".weight_zero_point", NULL, ".weight_g_idx",
      ".weight_shape" },
    CODES | SCALES, words, scale_floats, FALSE,
    take_packed, unpack_packed, get_packed_zero, describe_packed },
  { "nvfp4-pack-quantized",
    { ".weight_packed", ".weight_scale", NULL, ".weight_global_scale", NULL, NULL },
    CODES | SCALES | ALL, bytes, scale_float8, FALSE,
    take_nvfp4, unpack_nibbles, NULL, describe_nvfp4 },
  { "mxfp4-pack-quantized",
    { ".weight_packed", ".weight_scale", NULL, NULL, NULL, NULL },
    CODES | SCALES, bytes, scale_powers, FALSE,
    take_mxfp4, unpack_nibbles, NULL, describe_mxfp4 },
  { "modelopt-nvfp4",
    { ".weight", ".weight_scale", NULL, ".weight_scale_2", NULL, NULL },
    CODES | SCALES | ALL, bytes, scale_float8, FALSE,
    take_nvfp4, unpack_nibbles, NULL, describe_nvfp4 },
  { "int-quantized",
    { ".weight", ".weight_scale", ".weight_zero_point", NULL, NULL, NULL, ".input_scale" },
    CODES | SCALES, integers, scale_floats, FALSE,
    take_bytes, unpack_integers, get_integer_zero, describe_integers },
  { "fp8",
    { ".weight", ".weight_scale_inv", NULL, NULL, NULL, NULL },
    CODES | SCALES, floats8, scale_any, FALSE,
    take_bytes, unpack_floats8, NULL, describe_floats8 },
  { "float-quantized",
    { ".weight", ".weight_scale", NULL, NULL, NULL, NULL, ".input_scale" },
    CODES, floats8, scale_any, FALSE,
    take_bytes, unpack_floats8, NULL, describe_floats8 },
  { "awq",
    { ".qweight", ".scales", ".qzeros", NULL, NULL, NULL },
    CODES | SCALES | ZEROS, words, scale_floats, TRUE,
    take_awq, unpack_awq, get_awq_zero, describe_awq },
  { "gptq",
    { ".qweight", ".scales", ".qzeros", NULL, ".g_idx", NULL },
    CODES | SCALES | ZEROS, words, scale_floats, TRUE,
    take_gptq, unpack_gptq, get_gptq_zero, describe_gptq },
};

/**
 * tare_layout_get_n_layouts:
 *
 * Returns: how many rows the table of layouts has
 */
gsize
tare_layout_get_n_layouts (void)
{
  return G_N_ELEMENTS (layouts);
}

/**
 * tare_layout_get:
 * @index: less than tare_layout_get_n_layouts()
 *
 * Returns: (transfer none): a row of the table
 */
const TareLayout *
tare_layout_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (layouts), NULL);

  return &layouts[index];
}
