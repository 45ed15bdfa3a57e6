/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-layout-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-half.h"
#include "quant/model/tare-file-private.h"

/* Rows that are unpacked together, so that layouts with their outputs side by side use all of a
 * cache line. */
#define TILE_ROWS 16

/* Weights from which on more than one thread is worth it. */
#define PARALLEL_WEIGHTS 65536

/* One number, by its type. U8 stands for E8M0, as compressed-tensors writes it. */
static float
load_f32 (const guint8 *bytes)
{
  return tare_float_from_bits (_tare_layout_load_word (bytes));
}

static float
load_f16 (const guint8 *bytes)
{
  return tare_half_to_float ((guint16) (bytes[0] | bytes[1] << 8));
}

static float
load_bf16 (const guint8 *bytes)
{
  return tare_bfloat_to_float ((guint16) (bytes[0] | bytes[1] << 8));
}

static float
load_e4m3 (const guint8 *bytes)
{
  return _tare_layout_decode_float8 ("F8_E4M3", *bytes);
}

static float
load_e8m0 (const guint8 *bytes)
{
  return *bytes == 0xff ? NAN : ldexpf (1.0f, *bytes - 127);
}

static const struct
{
  const char *type;
  gsize       bytes;
  float     (*load) (const guint8 *bytes);
} scalars[] = {
  { "F32", 4, load_f32 },
  { "F16", 2, load_f16 },
  { "BF16", 2, load_bf16 },
  { "F8_E4M3", 1, load_e4m3 },
  { "F8_E8M0", 1, load_e8m0 },
  { "U8", 1, load_e8m0 },
};

/**
 * _tare_layout_decode_float8:
 * @type: safetensors' name of an 8-bit float, "F8_E4M3" or "F8_E5M2"
 * @code: its bits
 *
 * The levels are those of the OCP 8-bit Floating Point Specification, revision 1.0: E4M3 has no
 * infinity, and NaN only where all bits are set; E5M2 is half of binary16.
 *
 * Returns: the number
 */
float
_tare_layout_decode_float8 (const char *type,
                            guint8      code)
{
  gboolean e4m3 = strcmp (type, "F8_E4M3") == 0;
  int exponent = code >> 3 & 15;
  float fraction = (float) (code & 7);
  float magnitude;

  if (!e4m3)
    return tare_half_to_float ((guint16) (code << 8));

  if ((code & 0x7f) == 0x7f)
    return NAN;
  magnitude = exponent > 0 ? ldexpf (8.0f + fraction, exponent - 10) : ldexpf (fraction, -9);

  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

/**
 * _tare_layout_load_scalar:
 * @part: a tensor of scales
 * @index: of the element
 *
 * Returns: the number, or NaN where nothing reads the type
 */
float
_tare_layout_load_scalar (const TareTensor *part,
                          gsize             index)
{
  const guint8 *bytes = tare_file_get_data (part->file) + part->offset;

  for (gsize i = 0; i < G_N_ELEMENTS (scalars); i++)
    if (strcmp (scalars[i].type, part->type_name) == 0)
      return scalars[i].load (bytes + index * scalars[i].bytes);

  return NAN;
}

static void
stored_clear (gpointer data)
{
  TareStored *self = data;

  for (guint i = 0; i < TARE_N_PARTS; i++)
    g_clear_pointer (&self->parts[i], tare_tensor_free);
  g_free (self->input_limits);
}

/**
 * tare_stored_ref:
 * @self: a matrix
 *
 * Returns: (transfer full): the same
 */
TareStored *
tare_stored_ref (TareStored *self)
{
  return g_atomic_rc_box_acquire (self);
}

/**
 * tare_stored_unref:
 * @self: (transfer full): a matrix
 */
void
tare_stored_unref (TareStored *self)
{
  g_atomic_rc_box_release_full (self, stored_clear);
}

static gboolean
fail_part (const TareStored  *self,
           TarePart           part,
           GError           **error,
           const char        *what)
{
  const TareTensor *tensor = self->parts[part];
  g_autofree char *quoted = _tare_file_quote (tensor->name, strlen (tensor->name));

  return _tare_file_fail (tensor->file, error, TARE_ERROR_INVALID, "tensor %s %s", quoted, what);
}

/* (nullable): the group of every column, checked; NULL without @error where they are in order. */
static guint32 *
read_groups (const TareStored  *self,
             GError           **error)
{
  g_autofree guint32 *groups = NULL;
  const guint8 *bytes;

  if (self->parts[TARE_PART_GROUPS] == NULL)
    return NULL;

  bytes = _tare_layout_get_data (self, TARE_PART_GROUPS);
  groups = g_new (guint32, self->columns);
  for (gsize i = 0; i < self->columns; i++)
    {
      g_autofree char *what = NULL;

      groups[i] = _tare_layout_load_word (bytes + 4 * i);
      if (groups[i] < self->n_groups)
        continue;

      what = g_strdup_printf ("puts column %" G_GSIZE_FORMAT " into group %d of %" G_GSIZE_FORMAT,
                              i, (int) groups[i], self->n_groups);
      fail_part (self, TARE_PART_GROUPS, error, what);
      return NULL;
    }

  return g_steal_pointer (&groups);
}

/* The one number for all scales: what NVFP4's are divided by in compressed-tensors, and multiplied
 * with in ModelOpt, where it has another name. */
static gboolean
read_tensor_scale (const TareStored  *self,
                   float             *factor,
                   GError           **error)
{
  const char *name = self->layout->names[TARE_PART_TENSOR_SCALE];
  float value;

  *factor = 1.0f;
  if (self->parts[TARE_PART_TENSOR_SCALE] == NULL)
    return TRUE;

  value = _tare_layout_load_scalar (self->parts[TARE_PART_TENSOR_SCALE], 0);
  *factor = strcmp (name, ".weight_global_scale") == 0 ? 1.0f / value : value;
  if (isfinite (*factor) && value > 0.0f)
    return TRUE;

  return fail_part (self, TARE_PART_TENSOR_SCALE, error,
                    "is no scale: neither positive nor finite");
}

static float
get_scale (const TareStored *self,
           gsize             row,
           gsize             group)
{
  gsize index = row / self->row_block * self->n_groups + group;

  if (self->parts[TARE_PART_SCALES] == NULL)
    return 1.0f;

  /* Of GPTQ and AWQ the scales of one group lie side by side. */
  if (self->layout->upright)
    index = group * self->rows + row;

  return _tare_layout_load_scalar (self->parts[TARE_PART_SCALES], index);
}

static void
scale_row (const TareStored *self,
           const guint32    *groups,
           const float      *scales,
           const float      *zeros,
           float            *restrict out)
{
  if (groups != NULL)
    {
      for (gsize i = 0; i < self->columns; i++)
        out[i] = (out[i] - zeros[groups[i]]) * scales[groups[i]];
      return;
    }

  for (gsize group = 0; group < self->n_groups; group++)
    {
      gsize begin = group * self->group;
      gsize end = MIN (begin + self->group, self->columns);
      float scale = scales[group];
      float zero = zeros[group];

      for (gsize i = begin; i < end; i++)
        out[i] = (out[i] - zero) * scale;
    }
}

static void
read_tile (const TareStored *self,
           const guint32    *groups,
           float             factor,
           gsize             first,
           gsize             n,
           float            *out)
{
  g_autofree float *scales = g_new (float, self->n_groups);
  g_autofree float *zeros = g_new0 (float, self->n_groups);

  self->layout->unpack (self, first, n, out);
  for (gsize i = 0; i < n; i++)
    {
      for (gsize group = 0; group < self->n_groups; group++)
        {
          scales[group] = get_scale (self, first + i, group) * factor;
          if (self->layout->get_zero != NULL)
            zeros[group] = self->layout->get_zero (self, first + i, group);
        }
      scale_row (self, groups, scales, zeros, out + i * self->columns);
    }
}

/**
 * tare_stored_read:
 * @self: a matrix
 * @first: the first row, in the file's order
 * @n: how many; @first + @n is at most the number of rows
 * @out: (out caller-allocates): n x columns floats, row-major
 * @error: return location
 *
 * Decodes rows to floats: (code - zero) scale, in single precision.
 *
 * Returns: %FALSE with %TARE_ERROR_INVALID where columns are in groups that there are not, or the
 *   scale of the whole matrix is none
 */
gboolean
tare_stored_read (const TareStored  *self,
                  gsize              first,
                  gsize              n,
                  float             *out,
                  GError           **error)
{
  g_autofree guint32 *groups = NULL;
  gsize n_tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
  float factor = 1.0f;

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (first <= self->rows && n <= self->rows - first, FALSE);

  groups = read_groups (self, error);
  if ((groups == NULL && self->parts[TARE_PART_GROUPS] != NULL)
      || !read_tensor_scale (self, &factor, error))
    return FALSE;

#pragma omp parallel for schedule(static) if (n * self->columns > PARALLEL_WEIGHTS)
  for (gsize i = 0; i < n_tiles; i++)
    read_tile (self, groups, factor, first + i * TILE_ROWS, MIN (TILE_ROWS, n - i * TILE_ROWS),
               out + i * TILE_ROWS * self->columns);

  return TRUE;
}
