/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <string.h>

/* NVFP4: FP4 E2M1 in groups of 16 with an E4M3 scale each, and one binary32 for the whole matrix,
 * as ggml lays it out in blocks of 64 (type 40 of GGUF):
 *
 *   d[4]:  a byte for each group, its scale: E4M3 without a sign, 0 also where it would be NaN
 *   codes[32]: 8 bytes for each group, of which byte k has weight k in its low half and weight
 *          k + 8 in its high one
 *
 * The last block of a row that 64 does not divide is as much shorter as it lacks groups; GGUF has
 * no such rows. The one for the matrix lies before the rows, and in GGUF in a tensor of its own.
 * Scales and codes are chosen as those of any grid, and then put into these places. */

#define GROUP 16
#define HALF (GROUP / 2)
#define GROUPS 4
#define GROUP_BYTES (1 + HALF)
#define N_CODES 16

/* The scale of a group that is not 0, and the byte that no number has. */
#define E4M3_BIAS 7
#define E4M3_MANTISSA 3
#define E4M3_NAN 0x7f

/* Twice E2M1's; a zero has no sign. */
static const gint8 levels[N_CODES] = {
  0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  return columns / GROUP * GROUP_BYTES;
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  return rows > 0 ? sizeof (float) : 0;
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *out)
{
  return _tare_grid_class.get_levels (self, minimum, maximum, out);
}

TARE_INLINE float
load_scale (guint8 byte)
{
  guint32 code = byte & 0x7f;
  float small = (float) code * 0x1p-9f;
  float normal = tare_float_from_bits ((code << (23 - E4M3_MANTISSA))
                                       + ((127 - E4M3_BIAS) << 23));

  if (byte == E4M3_NAN)
    return 0.0f;

  return code < 1 << E4M3_MANTISSA ? small : normal;
}

static float
load_unit (const guint8 *parameters)
{
  guint32 bits;

  memcpy (&bits, parameters, sizeof bits);

  return tare_float_from_bits (GUINT32_FROM_LE (bits));
}

/* Where the scale and the codes of a group are. */
TARE_INLINE gsize
find_scale_at (gsize group)
{
  return group / GROUPS * GROUPS * GROUP_BYTES + group % GROUPS;
}

TARE_INLINE gsize
find_codes_at (gsize group,
               gsize n_groups)
{
  gsize first = group / GROUPS * GROUPS;

  return first * GROUP_BYTES + MIN (GROUPS, n_groups - first) + group % GROUPS * HALF;
}

/* --- rows --- */

/* From the codes of a row as a grid packs them, two neighbours to a byte, and then its scales. */
static void
encode_row (const TareFormat *self,
            const TareMatrix *matrix,
            gsize             row,
            const guint8     *parameters,
            guint8           *codes)
{
  gsize n_groups = matrix->columns / GROUP;
  g_autofree guint8 *packed = g_malloc (MAX (matrix->columns / 2 + n_groups, 1));

  _tare_grid_class.encode_matrix_row (self, matrix, row, parameters, packed);
  for (gsize g = 0; g < n_groups; g++)
    {
      const guint8 *in = packed + g * HALF;
      guint8 *out = codes + find_codes_at (g, n_groups);

      codes[find_scale_at (g)] = packed[matrix->columns / 2 + g];
      for (gsize k = 0; k < HALF; k++)
        out[k] = (guint8) (((in[k / 2] >> (k % 2 * 4)) & 15)
                           | ((in[(k + HALF) / 2] >> (k % 2 * 4)) & 15) << 4);
    }
}

/* in: [8]; y: (out): [16] */
TARE_INLINE void
decode_group (const guint8 *restrict in,
              float                  half,
              float        *restrict y)
{
#if defined (__GNUC__) && !defined (__clang__)
  /* A table of sixteen bytes is what the machine's shuffles look up. */
  typedef gint8 Bytes __attribute__ ((vector_size (16)));
  Bytes all, packed = { 0 }, values;

  memcpy (&all, levels, sizeof all);
  for (gsize k = 0; k < HALF; k++)
    {
      packed[k] = in[k] & 15;
      packed[k + HALF] = in[k] >> 4;
    }
  values = __builtin_shuffle (all, packed);

  #pragma omp simd
  for (gsize j = 0; j < GROUP; j++)
    y[j] = (float) values[j] * half;
#else
  for (gsize k = 0; k < HALF; k++)
    {
      y[k] = (float) levels[in[k] & 15] * half;
      y[k + HALF] = (float) levels[in[k] >> 4] * half;
    }
#endif
}

TARE_CLONES static void
decode_row (const TareFormat *self,
            const guint8     *parameters,
            gsize             row,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  float unit = load_unit (parameters);
  gsize n_groups = columns / GROUP;

  for (gsize g = 0; g < n_groups; g++)
    decode_group (codes + find_codes_at (g, n_groups),
                  load_scale (codes[find_scale_at (g)]) * unit * 0.5f, y + g * GROUP);
}

/* --- parts --- */

static void
take_apart (const TareFormat *self,
            const guint8     *codes,
            TareParts        *parts)
{
  gsize row_bytes = get_row_bytes (self, parts->columns);
  gsize n_groups = parts->n_groups;

  parts->tensor_scale = load_unit (codes);
  codes += sizeof (float);
  for (gsize i = 0; i < parts->rows; i++, codes += row_bytes)
    for (gsize g = 0; g < n_groups; g++)
      {
        const guint8 *in = codes + find_codes_at (g, n_groups);
        gint16 *out = parts->codes + i * parts->columns + g * GROUP;

        parts->scales[i * n_groups + g] = load_scale (codes[find_scale_at (g)]);
        for (gsize k = 0; k < HALF; k++)
          {
            out[k] = in[k] & 15;
            out[k + HALF] = in[k] >> 4;
          }
      }
}

/* Returns: the byte of a scale, or one that no scale has */
static guint8
find_scale (float scale)
{
  guint8 byte = 0;

  while (byte < E4M3_NAN && load_scale (byte) != scale)
    byte++;

  return byte;
}

static gboolean
put_group (const TareFormat  *self,
           const TareParts   *parts,
           gsize              index,
           guint8            *scale,
           guint8            *out,
           GError           **error)
{
  const gint16 *in = parts->codes + index * GROUP;

  *scale = find_scale (parts->scales[index]);
  if (*scale == E4M3_NAN)
    return _tare_parts_fail_scale (self, parts, index, error);
  for (gsize k = 0; k < GROUP; k++)
    if (in[k] < 0 || in[k] >= N_CODES)
      return _tare_parts_fail_code (self, parts, index * GROUP + k, error);
  for (gsize k = 0; k < HALF; k++)
    out[k] = (guint8) (in[k] | in[k + HALF] << 4);

  return TRUE;
}

static gboolean
put_together (const TareFormat  *self,
              const TareParts   *parts,
              guint8            *codes,
              GError           **error)
{
  gsize row_bytes = get_row_bytes (self, parts->columns);
  gsize n_groups = parts->n_groups;
  guint32 bits = GUINT32_TO_LE (tare_float_to_bits (parts->tensor_scale));

  memcpy (codes, &bits, sizeof bits);
  codes += sizeof bits;
  for (gsize i = 0; i < parts->rows; i++, codes += row_bytes)
    for (gsize g = 0; g < n_groups; g++)
      if (!put_group (self, parts, i * n_groups + g, codes + find_scale_at (g),
                      codes + find_codes_at (g, n_groups), error))
        return FALSE;

  return TRUE;
}

const TareFormatClass _tare_format_nvfp4_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .get_parameter_bytes = get_parameter_bytes,
  .fit = _tare_grid_fit,
  .encode_matrix_row = encode_row,
  .decode_matrix_row = decode_row,
  .take_apart = take_apart,
  .put_together = put_together,
};
