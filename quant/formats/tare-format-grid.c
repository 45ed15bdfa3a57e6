/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-pack-private.h"

/* Rows of codes that stand for fixed levels, with a scale for every group.
 *
 * A matrix is, with no padding but to whole bytes,
 *
 *   exponent: one binary32, where the levels are i^(1/a): a
 *   split:    a byte, where there are several grids: the bits of the exponent
 *   order:    one 32-bit number for each column, where columns are sorted: which of the matrix it
 *   is scaling:  what the scales keep once for the matrix, see tare-scale.c
 *   rows
 *
 * and a row of n weights of b bits in G groups
 *
 *   codes:  ceil (n b / 8) bytes; code i occupies the bits from i b on, bit 0 the lowest of byte 0;
 *           codes of three levels come five to a byte
 *   scales: G IEEE binary16; or binary32 where a level may be so large that the quotient by it is
 *           below what binary16 holds with its full precision; or a byte each
 *
 * and the last group may be short. A weight is level times scale. A row that a stranger wrote may
 * decode to NaN or infinity: the byte 0xff of E8M0 stands for NaN, an 8-bit minifloat has codes for
 * either, and a scale may be anything. */

#define SPAN TARE_GRID_SPAN

/* Weights in a line of a cache. */
#define LINE 16

static gsize
group_length (const TareFormat *self,
              gsize             columns)
{
  return self->group != 0 ? self->group : columns;
}

static gsize
count_groups (const TareFormat *self,
              gsize             columns)
{
  return columns == 0 ? 0 : (columns - 1) / group_length (self, columns) + 1;
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  return _tare_packed_bytes (columns, self->grid->bits)
         + count_groups (self, columns) * self->scaling->klass->bytes;
}

/* Of what the grid itself keeps, before what its scales do. */
gsize
_tare_grid_get_fitted_bytes (const TareFormat *self,
                             gsize             columns)
{
  return (self->grid->power ? sizeof (float) : 0)
         + (self->grid->n_splits > 0 ? 1 : 0)
         + (self->grid->sorted ? columns * sizeof (guint32) : 0);
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  const TareScaleClass *scale = self->scaling->klass;
  gsize n_bytes = _tare_grid_get_fitted_bytes (self, columns);

  if (scale->get_parameter_bytes != NULL)
    n_bytes += scale->get_parameter_bytes (rows, count_groups (self, columns));

  return n_bytes;
}

/* A grid whose levels a matrix chooses is made anew from its parameters. */
typedef struct
{
  TareGrid     grid;
  TareCodebook codebook;
} Chosen;

static const TareGrid *
choose_grid (const TareFormat *self,
             const guint8     *parameters,
             Chosen           *chosen)
{
  float exponent;

  if (!self->grid->power)
    return _tare_grid_choose_split (self->grid, parameters);

  memcpy (&exponent, parameters, sizeof exponent);
  chosen->grid = *self->grid;
  chosen->grid.codebook = &chosen->codebook;
  _tare_power_list (self->grid->n_codes, exponent, &chosen->codebook);

  return &chosen->grid;
}

static TareScalePlace
get_place (const TareFormat *self,
           const TareGrid   *grid,
           const guint8     *parameters,
           gsize             row,
           gsize             columns)
{
  return (TareScalePlace) {
    .parameters = parameters != NULL ? parameters + _tare_grid_get_fitted_bytes (self, columns)
                                     : NULL,
    .largest = grid->most,
    .row = row,
    .n_groups = count_groups (self, columns),
  };
}

/* --- weights with a scale for every group --- */

/* With a constant length this becomes a kernel of its own. */
TARE_INLINE void
scale_groups (const float *restrict x,
              gsize                 n_groups,
              gsize                 length,
              const float          *factors,
              gboolean              divides,
              float        *restrict y)
{
  for (gsize g = 0; g < n_groups; g++)
    {
      float factor = factors[g];

      #pragma omp simd
      for (gsize j = 0; j < length; j++)
        y[g * length + j] = divides ? x[g * length + j] / factor : x[g * length + j] * factor;
    }
}

TARE_INLINE void
scale_lengths (const float *x,
               gsize        n,
               gsize        length,
               const float *factors,
               gboolean     divides,
               float       *y)
{
  gsize whole = n / length, rest = n % length;

  if (length == 16)
    scale_groups (x, whole, 16, factors, divides, y);
  else if (length == 32)
    scale_groups (x, whole, 32, factors, divides, y);
  else
    scale_groups (x, whole, length, factors, divides, y);
  scale_groups (x + n - rest, rest > 0 ? 1 : 0, rest, factors + whole, divides, y + n - rest);
}

TARE_CLONES static void
multiply (const float *x,
          gsize        n,
          gsize        length,
          const float *factors,
          float       *y)
{
  scale_lengths (x, n, length, factors, FALSE, y);
}

TARE_CLONES static void
divide (const float *x,
        gsize        n,
        gsize        length,
        const float *divisors,
        float       *y)
{
  scale_lengths (x, n, length, divisors, TRUE, y);
}

/* In place: what comes out of a look-up. */
TARE_CLONES static void
multiply_levels (float       *y,
                 gsize        n,
                 gsize        length,
                 const float *factors)
{
  for (gsize begin = 0, g = 0; begin < n; begin += length, g++)
    {
      gsize m = MIN (length, n - begin);
      float factor = factors[g];

      #pragma omp simd
      for (gsize j = 0; j < m; j++)
        y[begin + j] *= factor;
    }
}

/**
 * _tare_grid_encode:
 * @self: a grid
 * @x: weights
 * @n: how many, at most %TARE_GRID_SPAN
 * @length: of a group; the last may be short
 * @scales: one for each group
 * @codes: (out): [n] the nearest codes of @x over its scale
 */
void
_tare_grid_encode (const TareGrid *self,
                   const float    *x,
                   gsize           n,
                   gsize           length,
                   const float    *scales,
                   guint8         *codes)
{
  float factors[SPAN], quotients[SPAN];

  for (gsize g = 0; g * length < n; g++)
    factors[g] = !self->klass->divides ? invert (scales[g])
                 : scales[g] != 0.0f   ? scales[g] : 1.0f;

  if (self->klass->divides)
    divide (x, n, length, factors, quotients);
  else
    multiply (x, n, length, factors, quotients);
  self->klass->encode (self, quotients, n, codes);
}

/**
 * _tare_grid_decode:
 * @self: a grid
 * @codes: [n]
 * @n: how many
 * @length: of a group; the last may be short
 * @scales: one for each group
 * @y: (out): [n] levels times their scale
 */
void
_tare_grid_decode (const TareGrid *self,
                   const guint8   *codes,
                   gsize           n,
                   gsize           length,
                   const float    *scales,
                   float          *y)
{
  self->klass->decode (self, codes, n, y);
  multiply_levels (y, n, length, scales);
}

/* --- rows --- */

/* A group that is longer than a span has its scale found where it begins. */
static void
encode_groups (const TareFormat *self,
               const TareMatrix *matrix,
               TareScalePlace    place,
               const TareGrid   *grid,
               const float      *x,
               const float      *w,
               guint8           *codes)
{
  const TareScaleClass *scale = self->scaling->klass;
  gsize columns = matrix->columns;
  gsize length = group_length (self, columns);
  guint8 *scales = codes + _tare_packed_bytes (columns, grid->bits);
  guint8 piece[SPAN];
  float steps[SPAN];

  for (gsize begin = 0; begin < columns; begin += SPAN)
    {
      gsize n = MIN (SPAN, columns - begin), step = MIN (length, SPAN);
      gsize n_groups = (n - 1) / step + 1;

      place.group = begin / length;
      if (begin % length == 0)
        {
          if (scale->shared)
            scale->load (&place, n_groups, NULL, steps);
          else
            _tare_grid_find_scales (grid, scale, &place, matrix->range, x + begin, w + begin,
                                    MAX (n, MIN (length, columns - begin)), length, steps);
          scale->store (&place, n_groups, steps, scales + place.group * scale->bytes);
        }

      _tare_grid_encode (grid, x + begin, n, step, steps, piece);
      _tare_pack (piece, n, grid->bits, codes + _tare_packed_bytes (begin, grid->bits));
    }
}

static guint32
load_index (const guint8 *order,
            gsize         j)
{
  guint32 index;

  memcpy (&index, order + 4 * j, sizeof index);

  return GUINT32_FROM_LE (index);
}

static void
encode_row (const TareFormat *self,
            const TareMatrix *matrix,
            gsize             row,
            const guint8     *parameters,
            guint8           *codes)
{
  gsize columns = matrix->columns;
  const float *x = matrix->x + row * columns;
  const float *w = matrix->weights;
  Chosen chosen;
  const TareGrid *grid = choose_grid (self, parameters, &chosen);
  g_autofree float *sorted = NULL;

  if (grid->sorted)
    {
      sorted = g_new (float, 2 * columns);
      for (gsize j = 0; j < columns; j++)
        {
          sorted[j] = x[load_index (parameters, j)];
          sorted[columns + j] = w[load_index (parameters, j)];
        }
      x = sorted;
      w = sorted + columns;
    }

  encode_groups (self, matrix, get_place (self, grid, parameters, row, columns), grid, x, w, codes);
}

/* Returns: the greatest index of an order. order: [n] */
TARE_CLONES static guint32
find_last (const guint8 *order,
           gsize         n)
{
  guint32 last = 0;

  #pragma omp simd reduction (max : last)
  for (gsize j = 0; j < n; j++)
    {
      guint32 column = load_index (order, j);

      last = last > column ? last : column;
    }

  return last;
}

/* Puts weights where they belong; what a stranger's order puts nowhere is dropped. As they lie
 * anywhere in a row, caches are told before of where the same ones of the next row will be.
 * levels, order: [n]; y: [columns] */
static void
scatter (const float  *restrict levels,
         const guint8 *restrict order,
         gsize                  n,
         gsize                  length,
         const float  *restrict scales,
         gsize                  columns,
         const float           *next,
         float        *restrict y)
{
  gboolean inside = find_last (order, n) < columns;

  for (gsize begin = 0, g = 0; begin < n; begin += length, g++)
    {
      gsize end = MIN (begin + length, n);
      float scale = scales[g];

      for (gsize j = begin; j < end; j += LINE)
        __builtin_prefetch (next + j, 1);

      #pragma GCC unroll 8
      for (gsize j = begin; inside && j < end; j++)
        y[load_index (order, j)] = levels[j] * scale;

      for (gsize j = begin; !inside && j < end; j++)
        if (load_index (order, j) < columns)
          y[load_index (order, j)] = levels[j] * scale;
    }
}

/* order: (nullable): which column each is */
static void
decode_groups (const TareFormat *self,
               TareScalePlace    place,
               const TareGrid   *grid,
               const guint8     *codes,
               const guint8     *order,
               gsize             columns,
               float            *y)
{
  const TareScaleClass *scale = self->scaling->klass;
  const guint8 *scales = codes + _tare_packed_bytes (columns, grid->bits);
  gsize length = group_length (self, columns);
  gsize step = MIN (length, SPAN);

  for (gsize begin = 0; begin < columns; begin += SPAN)
    {
      gsize n = MIN (SPAN, columns - begin);
      const guint8 *packed = codes + _tare_packed_bytes (begin, grid->bits);
      guint8 piece[SPAN];
      float steps[SPAN], levels[SPAN];

      place.group = begin / length;
      scale->load (&place, (n - 1) / step + 1, scales + place.group * scale->bytes, steps);
      if (grid->bits != 8)
        _tare_unpack (packed, n, grid->bits, piece);

      if (order == NULL)
        {
          _tare_grid_decode (grid, grid->bits == 8 ? packed : piece, n, step, steps, y + begin);
          continue;
        }
      grid->klass->decode (grid, grid->bits == 8 ? packed : piece, n, levels);
      scatter (levels, order + 4 * begin, n, step, steps, columns, y + columns + begin, y);
    }
}

static void
decode_row (const TareFormat *self,
            const guint8     *parameters,
            gsize             row,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  Chosen chosen;
  const TareGrid *grid = choose_grid (self, parameters, &chosen);
  TareScalePlace place = get_place (self, grid, parameters, row, columns);

  /* Columns that an order leaves out are 0. */
  if (grid->sorted)
    memset (y, 0, columns * sizeof (float));
  decode_groups (self, place, grid, codes, grid->sorted ? parameters : NULL, columns, y);
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  const TareGrid *grid = self->grid;
  const TareScaleClass *scale = self->scaling->klass;
  TareScalePlace place = { .largest = grid->most, .n_groups = 1 };
  float largest = MAX (MAX (-minimum, maximum), 0.0f);
  float step = largest;
  guint8 codes[TARE_FORMAT_MAX_LEVELS], parameters[16];
  gsize n_used = 0;

  if (grid->power || grid->n_splits > 0)
    return 0;

  /* As if it were the only group, so that scales relative to others are what they would be. */
  if (scale->get_parameter_bytes != NULL)
    {
      _tare_grid_span (grid, &_tare_scale_single, &place, TARE_RANGE_MINIMUM_MAXIMUM, 1, &step);
      g_assert (scale->get_parameter_bytes (1, 1) <= sizeof parameters);
      scale->fit (&step, 1, 1, grid->most, parameters);
      place.parameters = parameters;
    }
  step = largest;
  if (largest > 0.0f)
    _tare_grid_span (grid, scale, &place, TARE_RANGE_MINIMUM_MAXIMUM, 1, &step);

  for (gsize k = 0; k < grid->n_codes; k++)
    codes[k] = (guint8) k;

  /* Codes that stand for no number, or are not written, are no levels. */
  grid->klass->decode (grid, codes, grid->n_codes, levels);
  for (gsize k = 0; k < grid->n_codes; k++)
    if (fabsf (levels[k]) <= grid->most)
      levels[n_used++] = levels[k] * step;

  return n_used;
}

/* --- parts --- */

/* Where scales are relative to one for the matrix, that one is told apart: here it is 1. */
static const guint8 unit[4] = { 0x00, 0x00, 0x80, 0x3f };

static void
take_apart (const TareFormat *self,
            const guint8     *codes,
            TareParts        *parts)
{
  const TareGrid *grid = self->grid;
  const TareScaleClass *scale = self->scaling->klass;
  gsize columns = parts->columns;
  gsize row_bytes = get_row_bytes (self, columns);
  gsize n_bytes = get_parameter_bytes (self, parts->rows, columns);
  TareScalePlace place = { unit, grid->most, 0, 0, parts->n_groups };
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  if (scale->shared)
    {
      place.parameters = codes;
      scale->load (&place, 1, NULL, parts->scales);
    }
  else if (n_bytes > 0)
    {
      memcpy (&parts->tensor_scale, codes, sizeof (float));
    }

  for (gsize i = 0; i < parts->rows; i++)
    {
      const guint8 *row = codes + n_bytes + i * row_bytes;
      const guint8 *scales = row + _tare_packed_bytes (columns, grid->bits);

      _tare_unpack (row, columns, grid->bits, unpacked);
      for (gsize j = 0; j < columns; j++)
        parts->codes[i * columns + j] = (gint16) ((grid->signed_codes ? (gint8) unpacked[j]
                                                                      : unpacked[j])
                                                  - grid->offset);
      if (!scale->shared)
        scale->load (&place, parts->n_groups, scales, parts->scales + i * parts->n_groups);
    }
}

static gboolean
put_scales (const TareFormat  *self,
            const TareParts   *parts,
            gsize              row,
            guint8            *bytes,
            GError           **error)
{
  const TareScaleClass *scale = self->scaling->klass;
  TareScalePlace place = { unit, self->grid->most, row, 0, parts->n_groups };

  for (gsize g = 0; !scale->shared && g < parts->n_groups; g++)
    {
      gsize index = row * parts->n_groups + g;
      guint8 *byte = bytes + g * scale->bytes;
      float stored;

      scale->store (&place, 1, parts->scales + index, byte);
      scale->load (&place, 1, byte, &stored);
      if (stored != parts->scales[index] && !(isnan (parts->scales[index]) && isnan (stored)))
        return _tare_parts_fail_scale (self, parts, index, error);
    }

  return TRUE;
}

static gboolean
put_together (const TareFormat  *self,
              const TareParts   *parts,
              guint8            *codes,
              GError           **error)
{
  const TareGrid *grid = self->grid;
  gsize columns = parts->columns;
  gsize row_bytes = get_row_bytes (self, columns);
  gsize n_bytes = get_parameter_bytes (self, parts->rows, columns);
  int least = grid->signed_codes ? -(int) (grid->n_codes / 2) : 0;
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  if (self->scaling->klass->shared)
    memcpy (codes, parts->scales, sizeof (float));
  else if (n_bytes > 0)
    memcpy (codes, &parts->tensor_scale, sizeof (float));
  for (gsize i = 0; i < parts->rows; i++)
    {
      guint8 *row = codes + n_bytes + i * row_bytes;

      for (gsize j = 0; j < columns; j++)
        {
          int code = parts->codes[i * columns + j] + grid->offset;

          if (code < least || code >= least + (int) grid->n_codes)
            return _tare_parts_fail_code (self, parts, i * columns + j, error);
          unpacked[j] = (guint8) code;
        }

      _tare_pack (unpacked, columns, grid->bits, row);
      if (!put_scales (self, parts, i, row + _tare_packed_bytes (columns, grid->bits), error))
        return FALSE;
    }

  return TRUE;
}

/* Grids whose codes and scales other containers hold, and those that are known here only. */
const TareFormatClass _tare_grid_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .get_parameter_bytes = get_parameter_bytes,
  .fit = _tare_grid_fit,
  .encode_matrix_row = encode_row,
  .decode_matrix_row = decode_row,
  .take_apart = take_apart,
  .put_together = put_together,
};

const TareFormatClass _tare_grid_whole_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .get_parameter_bytes = get_parameter_bytes,
  .fit = _tare_grid_fit,
  .encode_matrix_row = encode_row,
  .decode_matrix_row = decode_row,
};
