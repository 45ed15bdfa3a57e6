/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-packers-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-half.h"

/* How codes, scales and zero points are laid out for runtimes; the same as quant/model reads, see
 * tare-layout.c for the sources. Rows are outputs, in the file's order. */

/* Outputs of a word in which AWQ keeps each of its eight nibbles. */
static const guint8 awq_order[8] = { 0, 2, 4, 6, 1, 3, 5, 7 };

static void
store_word (guint8  *bytes,
            guint32  word)
{
  word = GUINT32_TO_LE (word);
  memcpy (bytes, &word, sizeof word);
}

static guint32
load_word (const guint8 *bytes)
{
  guint32 word;

  memcpy (&word, bytes, sizeof word);

  return GUINT32_FROM_LE (word);
}

/* Puts a code into a stream of 32-bit words, lowest bits first, of which one is @stride words after
 * the other. */
static void
insert (guint8 *words,
        gsize   stride,
        gsize   bit,
        guint   bits,
        guint   code)
{
  guint8 *word = words + 4 * stride * (bit / 32);
  guint shift = bit % 32;

  store_word (word, load_word (word) | code << shift);
  if (shift + bits > 32)
    store_word (word + 4 * stride, load_word (word + 4 * stride) | code >> (32 - shift));
}

/* Levels of a format without zero points begin at -2^(b-1). */
static int
get_bias (const TareFormat *format)
{
  return format->asymmetric ? 0 : 1 << (format->bits - 1);
}

static const TareFormat *
get_format (const TareItem *item)
{
  return item->format != NULL ? item->format : item->tensor->format;
}

static gsize
count_groups (const TareItem *item)
{
  const TareFormat *format = get_format (item);

  return format->group > 0 && !format->per_tensor
         ? (item->file->columns - 1) / format->group + 1 : 1;
}

static float
get_scale (const TareItem  *item,
           const TareParts *parts,
           gsize            row,
           gsize            group)
{
  return parts->scales[item->format->per_tensor ? 0 : row * parts->n_groups + group];
}

static guint
get_zero (const TareItem  *item,
          const TareParts *parts,
          gsize            row,
          gsize            group)
{
  gsize index = item->format->per_tensor ? 0 : row * parts->n_groups + group;

  return parts->zeros != NULL ? (guint) parts->zeros[index] : (guint) get_bias (item->format);
}

/**
 * _tare_packer_has_half_scales:
 * @format: a format with parts
 *
 * Told by what a row takes beside its codes: 16 bits, not the 32 of a single nor less than 16,
 * which is what scales take that are quantized themselves.
 *
 * Returns: whether each scale is a binary16 number
 */
gboolean
_tare_packer_has_half_scales (const TareFormat *format)
{
  gsize columns = format->group > 0 ? format->group * 32 : 1024;
  gsize n = format->group > 0 ? 32 : 1;
  gsize bytes = tare_format_get_bytes (format, 1, columns) - columns * format->bits / 8;

  return !format->per_tensor && bytes / n >= 2 && bytes / n < 4;
}

static void
put_scale (guint8     *bytes,
           const char *dtype,
           gsize       index,
           float       scale)
{
  guint16 half;

  if (strcmp (dtype, "F32") == 0)
    {
      store_word (bytes + 4 * index, tare_float_to_bits (scale));
      return;
    }
  half = GUINT16_TO_LE (tare_half_from_float (scale));
  memcpy (bytes + 2 * index, &half, sizeof half);
}

/* The code of a number that E4M3 holds exactly. */
static guint8
to_e4m3 (float x)
{
  int exponent = 0;
  float fraction = frexpf (x, &exponent);

  if (x == 0.0f)
    return 0;
  if (exponent < -5)
    return (guint8) ldexpf (x, 9);

  return (guint8) ((exponent + 6) << 3 | ((int) (fraction * 16.0f) & 7));
}

/* Of a power of two. */
static guint8
to_e8m0 (float x)
{
  int exponent = 0;

  frexpf (x, &exponent);

  return (guint8) CLAMP (exponent - 1 + 127, 0, 254);
}

static void
plan_packed (TareItem *item)
{
  const TareFormat *format = get_format (item);
  gsize rows = item->file->rows;
  gsize columns = item->file->columns;
  gsize n_groups = count_groups (item);

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "I32", rows,
                         (columns * format->bits + 31) / 32);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL,
                         _tare_packer_has_half_scales (format) ? "F16" : "F32", rows, n_groups);
  _tare_item_add_output (item, TARE_PART_SHAPE, NULL, "I64", 2, 0);
  if (format->asymmetric)
    _tare_item_add_output (item, TARE_PART_ZEROS, NULL, "I32", (rows * format->bits + 31) / 32,
                           n_groups);
}

static void
pack_packed (const TareItem   *item,
             const TareParts  *parts,
             guint8          **outputs)
{
  guint bits = item->format->bits;
  int bias = get_bias (item->format);
  gsize width = item->outputs[TARE_PART_CODES].shape[1];
  gsize n_groups = count_groups (item);
  const guint64 shape[] = { GUINT64_TO_LE (parts->rows), GUINT64_TO_LE (parts->columns) };

  memcpy (outputs[TARE_PART_SHAPE], shape, sizeof shape);
  for (gsize i = 0; i < parts->rows; i++)
    {
      for (gsize j = 0; j < parts->columns; j++)
        insert (outputs[TARE_PART_CODES] + 4 * width * i, 1, j * bits, bits,
                (guint) (parts->codes[i * parts->columns + j] + bias));
      for (gsize group = 0; group < n_groups; group++)
        {
          put_scale (outputs[TARE_PART_SCALES], item->outputs[TARE_PART_SCALES].dtype,
                     i * n_groups + group, get_scale (item, parts, i, group));
          if (outputs[TARE_PART_ZEROS] != NULL)
            insert (outputs[TARE_PART_ZEROS] + 4 * group, n_groups, i * bits, bits,
                    get_zero (item, parts, i, group));
        }
    }
}

const TarePacker _tare_packer_packed = { "pack-quantized", plan_packed, pack_packed, FALSE };

/* A scale for the inputs that is known before. */
static void
plan_input (TareItem *item)
{
  if (item->input.format != NULL && item->input.scale == TARE_ACTIVATION_SCALE_TENSOR)
    _tare_item_add_output (item, TARE_PART_INPUT_SCALE, NULL, "F32", 1, 0);
}

/* One code to a byte, for integers that are multiplied as such. */
static void
plan_int8 (TareItem *item)
{
  const TareFormat *format = get_format (item);

  plan_input (item);
  _tare_item_add_output (item, TARE_PART_CODES, NULL, "I8", item->file->rows, item->file->columns);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL,
                         _tare_packer_has_half_scales (format) ? "F16" : "F32", item->file->rows,
                         1);
}

static void
pack_int8 (const TareItem   *item,
           const TareParts  *parts,
           guint8          **outputs)
{
  for (gsize i = 0; i < parts->rows * parts->columns; i++)
    outputs[TARE_PART_CODES][i] = (guint8) parts->codes[i];
  for (gsize i = 0; i < parts->rows; i++)
    put_scale (outputs[TARE_PART_SCALES], item->outputs[TARE_PART_SCALES].dtype, i,
               get_scale (item, parts, i, 0));
}

const TarePacker _tare_packer_int8 = { "int-quantized", plan_int8, pack_int8, FALSE };

static void
plan_float8 (TareItem *item)
{
  const TareFormat *format = get_format (item);

  plan_input (item);

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "F8_E4M3", item->file->rows,
                         item->file->columns);
  if (format->per_tensor)
    _tare_item_add_output (item, TARE_PART_SCALES, NULL, "F32", 1, 0);
  else
    _tare_item_add_output (item, TARE_PART_SCALES, NULL,
                           _tare_packer_has_half_scales (format) ? "F16" : "F32",
                           item->file->rows, 1);
}

static void
pack_float8 (const TareItem   *item,
             const TareParts  *parts,
             guint8          **outputs)
{
  gsize n = item->format->per_tensor ? 1 : parts->rows;

  for (gsize i = 0; i < parts->rows * parts->columns; i++)
    outputs[TARE_PART_CODES][i] = (guint8) parts->codes[i];
  for (gsize i = 0; i < n; i++)
    put_scale (outputs[TARE_PART_SCALES], item->outputs[TARE_PART_SCALES].dtype, i,
               get_scale (item, parts, i, 0));
}

const TarePacker _tare_packer_float8 = { "float-quantized", plan_float8, pack_float8, FALSE };

/* A scale for each square, which all of its rows have. */
static void
plan_squares (TareItem *item)
{
  gsize side = get_format (item)->group;

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "F8_E4M3", item->file->rows,
                         item->file->columns);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL, "F32", (item->file->rows - 1) / side + 1,
                         count_groups (item));
}

static void
pack_squares (const TareItem   *item,
              const TareParts  *parts,
              guint8          **outputs)
{
  gsize side = item->format->group;

  for (gsize i = 0; i < parts->rows * parts->columns; i++)
    outputs[TARE_PART_CODES][i] = (guint8) parts->codes[i];
  for (gsize i = 0; i < parts->rows; i += side)
    for (gsize group = 0; group < parts->n_groups; group++)
      put_scale (outputs[TARE_PART_SCALES], "F32", i / side * parts->n_groups + group,
                 get_scale (item, parts, i, group));
}

const TarePacker _tare_packer_squares = { "fp8", plan_squares, pack_squares, FALSE };

static void
plan_nvfp4 (TareItem *item)
{
  gsize columns = item->file->columns;

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "U8", item->file->rows, columns / 2);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL, "F8_E4M3", item->file->rows, columns / 16);
  _tare_item_add_output (item, TARE_PART_TENSOR_SCALE, NULL, "F32", 1, 0);
}

static void
pack_nibbles (const TareParts *parts,
              guint8          *out)
{
  for (gsize i = 0; i < parts->rows * parts->columns / 2; i++)
    out[i] = (guint8) ((parts->codes[2 * i] & 15) | (parts->codes[2 * i + 1] & 15) << 4);
}

static void
pack_nvfp4 (const TareItem   *item,
            const TareParts  *parts,
            guint8          **outputs)
{
  pack_nibbles (parts, outputs[TARE_PART_CODES]);
  for (gsize i = 0; i < parts->rows * parts->n_groups; i++)
    outputs[TARE_PART_SCALES][i] = to_e4m3 (parts->scales[i]);

  /* Here scales are divided by it. */
  put_scale (outputs[TARE_PART_TENSOR_SCALE], "F32", 0, 1.0f / parts->tensor_scale);
}

const TarePacker _tare_packer_nvfp4 = { "nvfp4-pack-quantized", plan_nvfp4, pack_nvfp4, FALSE };

static void
plan_mxfp4 (TareItem *item)
{
  gsize columns = item->file->columns;

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "U8", item->file->rows, columns / 2);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL, "U8", item->file->rows, columns / 32);
}

static void
pack_mxfp4 (const TareItem   *item,
            const TareParts  *parts,
            guint8          **outputs)
{
  pack_nibbles (parts, outputs[TARE_PART_CODES]);
  for (gsize i = 0; i < parts->rows * parts->n_groups; i++)
    outputs[TARE_PART_SCALES][i] = to_e8m0 (parts->scales[i]);
}

const TarePacker _tare_packer_mxfp4 = { "mxfp4-pack-quantized", plan_mxfp4, pack_mxfp4, FALSE };

/* Inputs down, outputs across. */
static void
plan_gptq (TareItem *item)
{
  guint bits = get_format (item)->bits;
  gsize rows = item->file->rows;
  gsize columns = item->file->columns;
  gsize n_groups = count_groups (item);

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "I32", columns * bits / 32, rows);
  _tare_item_add_output (item, TARE_PART_ZEROS, NULL, "I32", n_groups, rows * bits / 32);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL, "F16", n_groups, rows);
  _tare_item_add_output (item, TARE_PART_GROUPS, NULL, "I32", columns, 0);
}

static void
pack_gptq_with (const TareItem   *item,
                const TareParts  *parts,
                guint8          **outputs,
                guint             taken_off)
{
  guint bits = item->format->bits;
  guint mask = (1u << bits) - 1;
  int bias = get_bias (item->format);
  gsize width = item->outputs[TARE_PART_ZEROS].shape[1];

  for (gsize i = 0; i < parts->rows; i++)
    {
      for (gsize j = 0; j < parts->columns; j++)
        insert (outputs[TARE_PART_CODES] + 4 * i, parts->rows, j * bits, bits,
                (guint) (parts->codes[i * parts->columns + j] + bias));
      for (gsize group = 0; group < parts->n_groups; group++)
        {
          insert (outputs[TARE_PART_ZEROS] + 4 * width * group, 1, i * bits, bits,
                  (get_zero (item, parts, i, group) - taken_off) & mask);
          put_scale (outputs[TARE_PART_SCALES], "F16", group * parts->rows + i,
                     get_scale (item, parts, i, group));
        }
    }
  for (gsize j = 0; j < parts->columns; j++)
    store_word (outputs[TARE_PART_GROUPS] + 4 * j, (guint32) (j / parts->group));
}

static void
pack_gptq (const TareItem   *item,
           const TareParts  *parts,
           guint8          **outputs)
{
  pack_gptq_with (item, parts, outputs, 1);
}

static void
pack_gptq_v2 (const TareItem   *item,
              const TareParts  *parts,
              guint8          **outputs)
{
  pack_gptq_with (item, parts, outputs, 0);
}

const TarePacker _tare_packer_gptq = { "gptq", plan_gptq, pack_gptq, FALSE };
const TarePacker _tare_packer_gptq_v2 = { "gptq", plan_gptq, pack_gptq_v2, FALSE };

static void
plan_awq (TareItem *item)
{
  gsize rows = item->file->rows;
  gsize n_groups = count_groups (item);

  _tare_item_add_output (item, TARE_PART_CODES, NULL, "I32", item->file->columns, rows / 8);
  _tare_item_add_output (item, TARE_PART_ZEROS, NULL, "I32", n_groups, rows / 8);
  _tare_item_add_output (item, TARE_PART_SCALES, NULL, "F16", n_groups, rows);
}

static void
pack_awq (const TareItem   *item,
          const TareParts  *parts,
          guint8          **outputs)
{
  int bias = get_bias (item->format);

  for (gsize i = 0; i < parts->rows; i++)
    {
      gsize output = i / 8 * 8 + awq_order[i % 8];

      /* Nibble i % 8 of a word is that of output awq_order[i % 8]. */
      for (gsize j = 0; j < parts->columns; j++)
        insert (outputs[TARE_PART_CODES] + parts->rows / 2 * j, 1, 4 * i, 4,
                (guint) (parts->codes[output * parts->columns + j] + bias));
      for (gsize group = 0; group < parts->n_groups; group++)
        {
          insert (outputs[TARE_PART_ZEROS] + parts->rows / 2 * group, 1, 4 * i, 4,
                  get_zero (item, parts, output, group));
          put_scale (outputs[TARE_PART_SCALES], "F16", group * parts->rows + output,
                     get_scale (item, parts, output, group));
        }
    }
}

const TarePacker _tare_packer_awq = { "awq", plan_awq, pack_awq, FALSE };
