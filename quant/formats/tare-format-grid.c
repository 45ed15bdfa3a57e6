/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <string.h>

#include "quant/formats/tare-pack-private.h"
#include "quant/formats/tare-search-private.h"

/* Rows of codes that stand for fixed levels, with a scale for every group.
 *
 * A matrix is, with no padding but to whole bytes,
 *
 *   exponent: one binary32, where the levels are i^(1/a): a
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

#define PIECE TARE_SEARCH_PIECE

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
    return self->grid;

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

/* --- rows --- */

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
  g_autofree guint8 *trits = grid->bits == TARE_PACK_TERNARY ? g_new (guint8, columns) : NULL;

  for (gsize g = 0; g < place.n_groups; g++)
    {
      gsize begin = g * length;
      gsize end = MIN (begin + length, columns);
      TareGridSample sample = { x + begin, w + begin, end - begin, 1, 0, NULL };
      float step;

      place.group = g;
      step = scale->shared ? scale->load (&place, NULL)
                           : _tare_grid_find_scale (grid, scale, &place, matrix->range, &sample);
      for (gsize j = begin; j < end; j += PIECE)
        {
          guint8 piece[PIECE];
          gsize n = MIN (PIECE, end - j);

          grid->klass->encode (grid, x + j, n, step, trits != NULL ? trits + j : piece);
          if (trits == NULL)
            _tare_pack (piece, n, grid->bits, codes + j / 8 * grid->bits);
        }
      scale->store (&place, step, scales + g * scale->bytes);
    }

  if (trits != NULL)
    _tare_pack (trits, columns, TARE_PACK_TERNARY, codes);
}

static guint32
load_index (const guint8 *order,
            gsize         j)
{
  return (guint32) order[4 * j] | (guint32) order[4 * j + 1] << 8
         | (guint32) order[4 * j + 2] << 16 | (guint32) order[4 * j + 3] << 24;
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

static void
decode_groups (const TareFormat *self,
               TareScalePlace    place,
               const TareGrid   *grid,
               const guint8     *codes,
               gsize             columns,
               float            *y)
{
  const TareScaleClass *scale = self->scaling->klass;
  const guint8 *scales = codes + _tare_packed_bytes (columns, grid->bits);
  gsize length = group_length (self, columns);
  gsize step = MIN (length, PIECE);
  g_autofree guint8 *trits = grid->bits == TARE_PACK_TERNARY ? g_new (guint8, columns) : NULL;
  guint8 piece[PIECE];

  if (trits != NULL)
    _tare_unpack (codes, columns, TARE_PACK_TERNARY, trits);

  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize end = MIN (begin + PIECE, columns);
      const guint8 *unpacked = trits != NULL ? trits + begin : piece;

      if (grid->bits == 8)
        unpacked = codes + begin;
      else if (trits == NULL)
        _tare_unpack (codes + begin / 8 * grid->bits, end - begin, grid->bits, piece);

      for (gsize j = begin; j < end; j += step)
        {
          place.group = j / length;
          grid->klass->decode (grid, unpacked + (j - begin), MIN (step, end - j),
                               scale->load (&place, scales + place.group * scale->bytes), y + j);
        }
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
  g_autofree float *sorted = NULL;

  if (!grid->sorted)
    {
      decode_groups (self, place, grid, codes, columns, y);
      return;
    }

  sorted = g_new (float, columns);
  decode_groups (self, place, grid, codes, columns, sorted);
  memset (y, 0, columns * sizeof (float));
  for (gsize j = 0; j < columns; j++)
    if (load_index (parameters, j) < columns)
      y[load_index (parameters, j)] = sorted[j];
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
  float largest = MAX (-minimum, maximum);
  float step = 0.0f;
  guint8 codes[TARE_FORMAT_MAX_LEVELS], parameters[16];
  gsize n_used = 0;

  if (grid->power)
    return 0;

  /* As if it were the only group, so that scales relative to others are what they would be. */
  if (scale->get_parameter_bytes != NULL)
    {
      step = _tare_grid_span (grid, &_tare_scale_single, &place, TARE_RANGE_MINIMUM_MAXIMUM,
                              minimum, maximum);
      g_assert (scale->get_parameter_bytes (1, 1) <= sizeof parameters);
      scale->fit (&step, 1, 1, grid->most, parameters);
      place.parameters = parameters;
    }
  step = largest > 0.0f ? _tare_grid_span (grid, scale, &place, TARE_RANGE_MINIMUM_MAXIMUM,
                                           minimum, maximum) : 0.0f;

  for (gsize k = 0; k < grid->n_codes; k++)
    codes[k] = (guint8) k;

  /* Codes that stand for no number, or are not written, are no levels. */
  grid->klass->decode (grid, codes, grid->n_codes, 1.0f, levels);
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
      parts->scales[0] = scale->load (&place, NULL);
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
      for (gsize g = 0; !scale->shared && g < parts->n_groups; g++)
        parts->scales[i * parts->n_groups + g] = scale->load (&place, scales + g * scale->bytes);
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

      scale->store (&place, parts->scales[index], byte);
      if (scale->load (&place, byte) != parts->scales[index]
          && !(isnan (parts->scales[index]) && isnan (scale->load (&place, byte))))
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
