/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include "quant/formats/tare-pack-private.h"

/* Squares of weights with one scale each, as DeepSeek-V3 stores FP8 (technical report, 2024, 3.3).
 *
 *   parameters: scales binary32 [rows of squares][squares of a row]
 *   row: codes, ceil (n b / 8) bytes
 *
 * The squares at the right and at the bottom may be cut off. */

#define SPAN TARE_GRID_SPAN

static gsize
count_squares (const TareFormat *self,
               gsize             n)
{
  return n == 0 ? 0 : (n - 1) / self->group + 1;
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  return count_squares (self, rows) * count_squares (self, columns) * self->scaling->klass->bytes;
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  return _tare_packed_bytes (columns, self->grid->bits);
}

/* Where the scales of a row lie. */
static gsize
find_scales (const TareFormat *self,
             gsize             row,
             gsize             columns)
{
  return row / self->group * count_squares (self, columns) * self->scaling->klass->bytes;
}

/* The scales of the squares that begin with a row. */
static void
fit_squares (const TareFormat *self,
             const TareMatrix *matrix,
             gsize             row,
             guint8           *bytes)
{
  const TareScaleClass *klass = self->scaling->klass;
  gsize side = self->group, columns = matrix->columns, n = count_squares (self, columns);

  #pragma omp parallel for schedule (dynamic)
  for (gsize g = 0; g < n; g++)
    {
      TareScalePlace place = { NULL, self->grid->most, row, g, n };
      TareGridSample sample = {
        matrix->x + row * columns + g * side, matrix->weights + g * side,
        MIN (side, columns - g * side), MIN (side, matrix->rows - row), columns, NULL,
      };
      float scale = _tare_grid_find_scale (self->grid, klass, &place, matrix->range, &sample);

      klass->store (&place, 1, &scale, bytes + g * klass->bytes);
    }
}

static gboolean
fit (const TareFormat  *self,
     const TareMatrix  *matrix,
     guint8            *parameters,
     GError           **error)
{
  for (gsize row = 0; row < matrix->rows; row += self->group)
    {
      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return FALSE;

      fit_squares (self, matrix, row, parameters + find_scales (self, row, matrix->columns));
    }

  return TRUE;
}

/* The scales of a span of a row. */
static void
load_scales (const TareFormat *self,
             const guint8     *parameters,
             gsize             row,
             gsize             columns,
             gsize             begin,
             gsize             n,
             float            *scales)
{
  const TareScaleClass *klass = self->scaling->klass;
  gsize first = begin / self->group;
  TareScalePlace place = { NULL, self->grid->most, row, first, count_squares (self, columns) };

  klass->load (&place, count_squares (self, n),
               parameters + find_scales (self, row, columns) + first * klass->bytes, scales);
}

static void
encode_matrix_row (const TareFormat *self,
                   const TareMatrix *matrix,
                   gsize             row,
                   const guint8     *parameters,
                   guint8           *codes)
{
  gsize columns = matrix->columns;

  for (gsize begin = 0; begin < columns; begin += SPAN)
    {
      gsize n = MIN (SPAN, columns - begin);
      guint8 piece[SPAN];
      float scales[SPAN];

      load_scales (self, parameters, row, columns, begin, n, scales);
      _tare_grid_encode (self->grid, matrix->x + row * columns + begin, n, self->group, scales,
                         piece);
      _tare_pack (piece, n, self->grid->bits, codes + _tare_packed_bytes (begin, self->grid->bits));
    }
}

static void
decode_matrix_row (const TareFormat *self,
                   const guint8     *parameters,
                   gsize             row,
                   const guint8     *codes,
                   gsize             columns,
                   float            *y)
{
  for (gsize begin = 0; begin < columns; begin += SPAN)
    {
      gsize n = MIN (SPAN, columns - begin);
      guint8 piece[SPAN];
      float scales[SPAN];

      load_scales (self, parameters, row, columns, begin, n, scales);
      _tare_unpack (codes + _tare_packed_bytes (begin, self->grid->bits), n, self->grid->bits,
                    piece);
      _tare_grid_decode (self->grid, piece, n, self->group, scales, y + begin);
    }
}

/* Every row has the scales of its squares. */
static void
take_apart (const TareFormat *self,
            const guint8     *codes,
            TareParts        *parts)
{
  gsize columns = parts->columns, row_bytes = get_row_bytes (self, columns);
  const guint8 *rows = codes + get_parameter_bytes (self, parts->rows, columns);
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  for (gsize i = 0; i < parts->rows; i++)
    {
      _tare_unpack (rows + i * row_bytes, columns, self->grid->bits, unpacked);
      for (gsize j = 0; j < columns; j++)
        parts->codes[i * columns + j] = unpacked[j];
      load_scales (self, codes, i, columns, 0, columns, parts->scales + i * parts->n_groups);
    }
}

static gboolean
put_row (const TareFormat  *self,
         const TareParts   *parts,
         gsize              row,
         guint8            *unpacked,
         guint8            *codes,
         GError           **error)
{
  for (gsize j = 0; j < parts->columns; j++)
    {
      gint16 code = parts->codes[row * parts->columns + j];

      if (code < 0 || code >= (int) self->grid->n_codes)
        return _tare_parts_fail_code (self, parts, row * parts->columns + j, error);
      unpacked[j] = (guint8) code;
    }
  _tare_pack (unpacked, parts->columns, self->grid->bits, codes);

  return TRUE;
}

/* Rows of one square must have one scale. */
static gboolean
put_together (const TareFormat  *self,
              const TareParts   *parts,
              guint8            *codes,
              GError           **error)
{
  const TareScaleClass *klass = self->scaling->klass;
  gsize columns = parts->columns, row_bytes = get_row_bytes (self, columns);
  guint8 *rows = codes + get_parameter_bytes (self, parts->rows, columns);
  g_autofree guint8 *unpacked = g_malloc (MAX (columns, 1));

  for (gsize i = 0; i < parts->rows; i++)
    {
      const float *scales = parts->scales + i * parts->n_groups;
      const float *first = parts->scales + i / self->group * self->group * parts->n_groups;
      TareScalePlace place = { NULL, self->grid->most, i, 0, parts->n_groups };

      for (gsize g = 0; g < parts->n_groups; g++)
        if (scales[g] != first[g])
          return _tare_parts_fail_scale (self, parts, i * parts->n_groups + g, error);
      if (i % self->group == 0)
        klass->store (&place, parts->n_groups, scales, codes + find_scales (self, i, columns));
      if (!put_row (self, parts, i, unpacked, rows + i * row_bytes, error))
        return FALSE;
    }

  return TRUE;
}

static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  return _tare_grid_class.get_levels (self, minimum, maximum, levels);
}

const TareFormatClass _tare_grid_square_class = {
  .get_row_bytes = get_row_bytes,
  .get_levels = get_levels,
  .get_parameter_bytes = get_parameter_bytes,
  .fit = fit,
  .encode_matrix_row = encode_matrix_row,
  .decode_matrix_row = decode_matrix_row,
  .take_apart = take_apart,
  .put_together = put_together,
};
