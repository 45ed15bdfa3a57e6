/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-format-private.h"
#include "quant/tare-error.h"

/* Matrices through a format. An encoded matrix is what the format keeps once for all of it, if
 * anything, and then the codes of its rows; or, where groups lie along the outputs, of its
 * columns. */

/* Fewer weights than this are not worth a second thread. */
#define PARALLEL 32768

/* Weights between two looks at whether to go on: the slowest search takes some 10 ms for them. */
#define BAND ((gsize) 1 << 18)

/* What no calibration text has touched still wants a sensible code: no column counts for less than
 * this share of the most important one. */
#define IMPORTANCE_FLOOR 1e-6f

/* Rows and columns of a matrix without end: a multiple of every group, so long that what is kept
 * once does not show. */
#define ENDLESS ((gsize) 1 << 30)

/* A side of the squares in which a matrix is transposed: one fits the innermost cache twice. */
#define TILE 32

/* Weights that the second cache holds. */
#define DECODED ((gsize) 1 << 17)

/**
 * tare_format_get_parameter_bytes:
 * @self: a format
 * @rows: of an encoded matrix
 * @columns: of it
 *
 * Returns: bytes of what is kept once for the matrix and lies before its rows (or before its
 *   columns, where groups lie along the outputs, and then @rows and @columns change places)
 */
gsize
tare_format_get_parameter_bytes (const TareFormat *self,
                                 gsize             rows,
                                 gsize             columns)
{
  if (self->klass->get_parameter_bytes == NULL)
    return 0;

  return self->klass->get_parameter_bytes (self, rows, columns);
}

static gsize
count_row_bytes (const TareFormat *self,
                 gsize             columns)
{
  if (self->klass->get_row_bytes != NULL)
    return self->klass->get_row_bytes (self, columns);

  return columns / self->block * self->klass->block_bytes;
}

/**
 * tare_format_is_row_local:
 * @self: a format
 *
 * Returns: whether the rows of an encoded matrix know nothing of each other and lie one after the
 *   other, tare_format_get_row_bytes() each, so that any of them can be coded alone
 */
gboolean
tare_format_is_row_local (const TareFormat *self)
{
  return !self->along_outputs && tare_format_get_parameter_bytes (self, 1, self->block) == 0;
}

/**
 * tare_format_has_blocks:
 * @self: a format
 *
 * Returns: whether a row is blocks of its own, one after the other, so that any of them can be
 *   coded alone
 */
gboolean
tare_format_has_blocks (const TareFormat *self)
{
  return tare_format_is_row_local (self) && self->klass->get_row_bytes == NULL;
}

/**
 * tare_format_get_row_bytes:
 * @self: a format that is row local
 * @columns: length of a row, which the format must accept
 *
 * Returns: bytes of a row's codes with all its scales
 */
gsize
tare_format_get_row_bytes (const TareFormat *self,
                           gsize             columns)
{
  g_return_val_if_fail (tare_format_is_row_local (self), 0);
  g_return_val_if_fail (tare_format_accepts (self, columns), 0);

  return count_row_bytes (self, columns);
}

/**
 * tare_format_get_bytes:
 * @self: a format
 * @rows: outputs
 * @columns: inputs, which the format must accept
 *
 * Returns: bytes of an encoded matrix, with all that is kept once for it; 0 if it is empty
 */
gsize
tare_format_get_bytes (const TareFormat *self,
                       gsize             rows,
                       gsize             columns)
{
  gsize m = self->along_outputs ? columns : rows;
  gsize n = self->along_outputs ? rows : columns;

  g_return_val_if_fail (tare_format_accepts (self, columns), 0);

  if (rows == 0 || columns == 0)
    return 0;

  return tare_format_get_parameter_bytes (self, m, n) + m * count_row_bytes (self, n);
}

/**
 * tare_format_get_bits_per_weight:
 * @self: a format
 * @rows: outputs, or 0 for the figure that rows without end would have
 * @columns: length of a row, or 0 for the figure that columns without end would have
 *
 * Returns: bits of a weight, its share of scales, padding and all that is kept once included
 */
double
tare_format_get_bits_per_weight (const TareFormat *self,
                                 gsize             rows,
                                 gsize             columns)
{
  gsize outputs = rows != 0 ? rows : ENDLESS;
  gsize inputs = columns != 0 ? columns : ENDLESS;
  gsize m = self->along_outputs ? inputs : outputs;
  gsize n = self->along_outputs ? outputs : inputs;
  double parameters = (double) tare_format_get_parameter_bytes (self, m, n);

  g_return_val_if_fail (tare_format_accepts (self, inputs), 0.0);

  return 8.0 * (parameters / (double) m + (double) count_row_bytes (self, n)) / (double) n;
}

/* Returns: the first column that is NaN or infinite, or n. x: [n] */
TARE_CLONES static gsize
find_not_finite (const float *x,
                 gsize        n)
{
  for (gsize begin = 0; begin < n; begin += 1024)
    {
      gsize end = MIN (begin + 1024, n);
      guint32 found = 0;

      for (gsize i = begin; i < end; i++)
        found |= (tare_float_to_bits (x[i]) & 0x7f800000) == 0x7f800000;

      for (gsize i = begin; found && i < end; i++)
        if (!isfinite (x[i]))
          return i;
    }

  return n;
}

static gboolean
check_finite (const float  *x,
              gsize         rows,
              gsize         columns,
              GError      **error)
{
  gsize first = rows;

  #pragma omp parallel for schedule (static) reduction (min : first) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    if (find_not_finite (x + i * columns, columns) < columns)
      first = MIN (first, i);

  if (first < rows)
    {
      gsize column = find_not_finite (x + first * columns, columns);

      g_set_error (error, TARE_ERROR, TARE_ERROR_NOT_FINITE,
                   "row %" G_GSIZE_FORMAT ", column %" G_GSIZE_FORMAT " is %s", first, column,
                   isnan (x[first * columns + column]) ? "NaN" : "infinite");
      return FALSE;
    }

  return TRUE;
}

/* Returns: (transfer full): one positive weight a column, of which the largest is one */
static float *
make_weights (const TareEncoding  *encoding,
              gsize                columns,
              GError             **error)
{
  g_autofree float *weights = g_new (float, MAX (columns, 1));
  const float *importance = encoding->importance;
  float largest = 0.0f;

  for (gsize j = 0; importance != NULL && j < columns; j++)
    {
      if (!isfinite (importance[j]) || importance[j] < 0.0f)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "the importance of column %" G_GSIZE_FORMAT " is %g", j,
                       (double) importance[j]);
          return NULL;
        }
      largest = MAX (largest, importance[j]);
    }

  for (gsize j = 0; j < columns; j++)
    weights[j] = largest > 0.0f ? MAX (importance[j] / largest, IMPORTANCE_FLOOR) : 1.0f;

  return g_steal_pointer (&weights);
}

/* --- percentiles --- */

/* Puts the value of a rank in its place, smaller ones before it and larger ones behind (Hoare,
 * Algorithm 65: Find, 1961). */
static void
select_rank (float *values,
             gsize  n,
             gsize  rank)
{
  gssize low = 0, high = (gssize) n - 1;

  while (low < high)
    {
      float pivot = values[low + (high - low) / 2];
      gssize i = low, j = high;

      while (i <= j)
        {
          while (values[i] < pivot)
            i++;
          while (values[j] > pivot)
            j--;
          if (i <= j)
            {
              float value = values[i];

              values[i++] = values[j];
              values[j--] = value;
            }
        }

      if ((gssize) rank <= j)
        high = j;
      else if ((gssize) rank >= i)
        low = i;
      else
        break;
    }
}

/* The percentile of the magnitudes, between two of them by proportion. x, scratch: [n] */
static float
find_percentile (const float *x,
                 gsize        n,
                 double       percentile,
                 float       *scratch)
{
  double position = CLAMP (percentile, 0.0, 100.0) / 100.0 * (double) (n - 1);
  gsize below = (gsize) position;
  float next = INFINITY;

  for (gsize j = 0; j < n; j++)
    scratch[j] = fabsf (x[j]);

  select_rank (scratch, n, below);
  for (gsize j = below + 1; j < n; j++)
    next = MIN (next, scratch[j]);
  if (below + 1 >= n)
    return scratch[below];

  return scratch[below] + (float) (position - (double) below) * (next - scratch[below]);
}

/* Groups clipped at their percentile. x, clipped: [n] */
static void
clip_groups (const float *x,
             gsize        n,
             gsize        group,
             double       percentile,
             float       *clipped)
{
  for (gsize begin = 0; begin < n; begin += group)
    {
      gsize length = MIN (group, n - begin);
      float limit = find_percentile (x + begin, length, percentile, clipped + begin);

      for (gsize j = begin; j < begin + length; j++)
        clipped[j] = CLAMP (x[j], -limit, limit);
    }
}

/* Returns: (transfer full) (nullable): a matrix clipped as its groups are; %NULL if cancelled */
static float *
clip_matrix (const TareFormat    *self,
             const TareMatrix    *matrix,
             double               percentile,
             GError             **error)
{
  gsize columns = matrix->columns;
  gsize n = matrix->rows * columns;
  gsize group = self->group != 0 ? self->group : columns;
  gsize band = MAX (BAND / columns, 1);
  g_autofree float *clipped = g_new (float, MAX (n, 1));

  if (self->per_tensor)
    {
      clip_groups (matrix->x, n, n, percentile, clipped);
      return g_steal_pointer (&clipped);
    }

  for (gsize first = 0; first < matrix->rows; first += band)
    {
      gsize end = MIN (first + band, matrix->rows);

      if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
        return NULL;

      #pragma omp parallel for schedule (dynamic) if ((end - first) * columns > PARALLEL)
      for (gsize i = first; i < end; i++)
        clip_groups (matrix->x + i * columns, columns, group, percentile, clipped + i * columns);
    }

  return g_steal_pointer (&clipped);
}

/* --- transposition --- */

/* Four rows of four; x and y with their strides. */
TARE_INLINE void
transpose_four (const float *restrict x,
                gsize                 x_stride,
                float       *restrict y,
                gsize                 y_stride)
{
#if defined (__GNUC__) && !defined (__clang__)
  typedef float Four __attribute__ ((vector_size (16)));
  typedef gint32 Order __attribute__ ((vector_size (16)));
  static const Order low = { 0, 4, 1, 5 }, high = { 2, 6, 3, 7 };
  Four row[4], even[2], odd[2];

  for (gsize k = 0; k < 4; k++)
    memcpy (row + k, x + k * x_stride, sizeof *row);

  even[0] = __builtin_shuffle (row[0], row[2], low);
  even[1] = __builtin_shuffle (row[0], row[2], high);
  odd[0] = __builtin_shuffle (row[1], row[3], low);
  odd[1] = __builtin_shuffle (row[1], row[3], high);

  for (gsize k = 0; k < 4; k++)
    {
      row[k] = __builtin_shuffle (even[k / 2], odd[k / 2], k % 2 == 0 ? low : high);
      memcpy (y + k * y_stride, row + k, sizeof *row);
    }
#else
  for (gsize i = 0; i < 4; i++)
    for (gsize k = 0; k < 4; k++)
      y[i * y_stride + k] = x[k * x_stride + i];
#endif
}

/* x: [m, x_stride], of which n columns; y: (out): [n, y_stride], of which m columns */
static void
transpose_block (const float *restrict x,
                 gsize                 x_stride,
                 gsize                 m,
                 gsize                 n,
                 float       *restrict y,
                 gsize                 y_stride)
{
  gsize i = 0;

  for (; i + 4 <= n; i += 4)
    {
      gsize k = 0;

      for (; k + 4 <= m; k += 4)
        transpose_four (x + k * x_stride + i, x_stride, y + i * y_stride + k, y_stride);
      for (; k < m; k++)
        for (gsize l = i; l < i + 4; l++)
          y[l * y_stride + k] = x[k * x_stride + l];
    }

  for (; i < n; i++)
    for (gsize k = 0; k < m; k++)
      y[i * y_stride + k] = x[k * x_stride + i];
}

/* x: rows x columns; y: (out): columns x rows */
static void
transpose (const float *x,
           gsize        rows,
           gsize        columns,
           float       *y)
{
  #pragma omp parallel for schedule (static) if (rows * columns > PARALLEL)
  for (gsize j = 0; j < columns; j += TILE)
    for (gsize i = 0; i < rows; i += TILE)
      transpose_block (x + i * columns + j, columns, MIN (TILE, rows - i), MIN (TILE, columns - j),
                       y + j * rows + i, rows);
}

/* --- encoding --- */

static gboolean
encode_rows (const TareFormat  *self,
             const TareMatrix  *matrix,
             const guint8      *parameters,
             guint8            *codes,
             GError           **error)
{
  gsize columns = matrix->columns;
  gsize row_bytes = count_row_bytes (self, columns);
  gsize band = MAX (BAND / MAX (columns, 1), 1);
  gboolean search = matrix->range == TARE_RANGE_SEARCH || matrix->range == TARE_RANGE_NORM;

  for (gsize first = 0; first < matrix->rows; first += band)
    {
      gsize end = MIN (first + band, matrix->rows);

      if (!tare_progress_step (matrix->progress, (double) first / (double) matrix->rows, NULL,
                               error))
        return FALSE;

      #pragma omp parallel for schedule (dynamic) if ((end - first) * columns > PARALLEL)
      for (gsize i = first; i < end; i++)
        {
          if (self->klass->encode_matrix_row != NULL)
            self->klass->encode_matrix_row (self, matrix, i, parameters, codes + i * row_bytes);
          else
            self->klass->encode_row (self, search, matrix->x + i * columns, matrix->weights,
                                     columns, codes + i * row_bytes);
        }
    }

  return TRUE;
}

/* A matrix as the class sees it: transposed, clipped, with its parameters fitted first. */
static gboolean
encode_matrix (const TareFormat    *self,
               TareMatrix          *matrix,
               const TareEncoding  *encoding,
               guint8              *codes,
               GError             **error)
{
  gsize n_bytes = tare_format_get_parameter_bytes (self, matrix->rows, matrix->columns);
  g_autofree float *clipped = NULL;

  if (matrix->rows == 0 || matrix->columns == 0)
    return TRUE;

  if (encoding->range == TARE_RANGE_PERCENTILE)
    {
      matrix->range = TARE_RANGE_MINIMUM_MAXIMUM;
      if (self->group != 1)
        {
          clipped = clip_matrix (self, matrix, encoding->percentile, error);
          if (clipped == NULL)
            return FALSE;
          matrix->x = clipped;
        }
    }

  if (n_bytes > 0 && !self->klass->fit (self, matrix, codes, error))
    return FALSE;

  return encode_rows (self, matrix, n_bytes > 0 ? codes : NULL, codes + n_bytes, error);
}

static gboolean
encode_transposed (const TareFormat    *self,
                   TareMatrix          *matrix,
                   const TareEncoding  *encoding,
                   guint8              *codes,
                   GError             **error)
{
  gsize rows = matrix->rows, columns = matrix->columns;
  g_autofree float *transposed = g_try_malloc_n (MAX (rows, 1), MAX (columns, 1) * sizeof (float));
  g_autofree float *ones = g_new (float, MAX (rows, 1));

  if (transposed == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "no memory to transpose it");
      return FALSE;
    }

  for (gsize i = 0; i < rows; i++)
    ones[i] = 1.0f;
  transpose (matrix->x, rows, columns, transposed);
  matrix->x = transposed;
  matrix->rows = columns;
  matrix->columns = rows;
  matrix->row_weights = matrix->weights;
  matrix->weights = ones;

  return encode_matrix (self, matrix, encoding, codes, error);
}

/**
 * tare_format_encode:
 * @self: a format that accepts @columns
 * @encoding: (nullable): how ranges are chosen; %NULL for the searched range without importance
 * @x: the weights, rows x columns
 * @rows: outputs
 * @columns: inputs
 * @codes: (out caller-allocates): tare_format_get_bytes()
 * @progress: (nullable): told of, and asked, every few rows
 * @error: set to %TARE_ERROR_NOT_FINITE with the place, counted from 0, of the first weight that is
 *   NaN or infinite, to %TARE_ERROR_INVALID where an importance is not a number or negative, or to
 *   what the cancellation of @progress says
 *
 * Encodes a matrix, in parallel. Scales are rounded to the type in which they are stored before the
 * weights are rounded with them; no finite weight decodes to an infinite one. A format that is row
 * local encodes a part of the rows as it does all of them.
 *
 * Returns: whether it was done
 */
gboolean
tare_format_encode (const TareFormat    *self,
                    const TareEncoding  *encoding,
                    const float         *x,
                    gsize                rows,
                    gsize                columns,
                    guint8              *codes,
                    const TareProgress  *progress,
                    GError             **error)
{
  static const TareEncoding searched = { .range = TARE_RANGE_SEARCH };
  g_autofree float *weights = NULL;
  TareMatrix matrix = { .x = x, .rows = rows, .columns = columns, .progress = progress };

  g_return_val_if_fail (tare_format_accepts (self, columns), FALSE);

  if (encoding == NULL)
    encoding = &searched;

  weights = make_weights (encoding, columns, error);
  if (weights == NULL || !check_finite (x, rows, columns, error))
    return FALSE;

  matrix.weights = weights;
  matrix.range = encoding->range;
  if (self->along_outputs)
    return encode_transposed (self, &matrix, encoding, codes, error);

  return encode_matrix (self, &matrix, encoding, codes, error);
}

/* --- decoding --- */

static void
decode_row (const TareFormat *self,
            const guint8     *parameters,
            gsize             row,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  if (self->klass->decode_matrix_row != NULL)
    self->klass->decode_matrix_row (self, parameters, row, codes, columns, y);
  else
    self->klass->decode_row (self, codes, columns, y);
}

/* Columns are decoded whole, as many at a time as a cache holds, and the rows wanted taken from
 * them. Their distance is odd in lines of the cache, so that they do not share its sets. */
static void
decode_transposed (const TareFormat *self,
                   const guint8     *parameters,
                   const guint8     *codes,
                   gsize             rows,
                   gsize             columns,
                   gsize             first,
                   gsize             n,
                   float            *y)
{
  gsize column_bytes = count_row_bytes (self, rows);
  gsize stride = (rows / 32 * 2 + 3) * 16;
  gsize tile = CLAMP (DECODED / stride / 16 * 16, 16, 64);

  #pragma omp parallel if (rows * columns > PARALLEL)
  {
    g_autofree float *decoded = g_new (float, tile * stride);

    #pragma omp for schedule (static)
    for (gsize j = 0; j < columns; j += tile)
      {
        gsize width = MIN (tile, columns - j);

        for (gsize k = 0; k < width; k++)
          decode_row (self, parameters, j + k, codes + (j + k) * column_bytes, rows,
                      decoded + k * stride);
        transpose_block (decoded + first, stride, width, n, y + j, columns);
      }
  }
}

/**
 * tare_format_decode_rows:
 * @self: a format that accepts @columns
 * @codes: of the whole matrix, tare_format_get_bytes(), at any address
 * @rows: outputs
 * @columns: inputs
 * @first: the first row that is wanted
 * @n: how many; @first + @n is at most @rows
 * @y: (out caller-allocates): n x columns
 *
 * Decodes some rows of a matrix, in parallel. The products are those of ggml, in its order, so that
 * the result is the same to the bit. Where groups lie along the outputs, rows cost as much as the
 * whole.
 */
void
tare_format_decode_rows (const TareFormat *self,
                         const guint8     *codes,
                         gsize             rows,
                         gsize             columns,
                         gsize             first,
                         gsize             n,
                         float            *y)
{
  const guint8 *parameters = NULL;
  gsize row_bytes, n_bytes;

  g_return_if_fail (tare_format_accepts (self, columns));
  g_return_if_fail (first <= rows && n <= rows - first);

  if (n == 0 || columns == 0)
    return;

  n_bytes = self->along_outputs ? tare_format_get_parameter_bytes (self, columns, rows)
                                : tare_format_get_parameter_bytes (self, rows, columns);
  if (n_bytes > 0)
    parameters = codes;
  codes += n_bytes;
  if (self->along_outputs)
    {
      decode_transposed (self, parameters, codes, rows, columns, first, n, y);
      return;
    }

  row_bytes = count_row_bytes (self, columns);

  #pragma omp parallel for schedule (static) if (n * columns > PARALLEL)
  for (gsize i = first; i < first + n; i++)
    decode_row (self, parameters, i, codes + i * row_bytes, columns, y + (i - first) * columns);
}

/**
 * tare_format_decode_apart:
 * @self: a format that accepts @columns, with nothing along the outputs
 * @parameters: what it keeps once for the matrix, tare_format_get_parameter_bytes()
 * @codes: of the rows alone
 * @rows: outputs
 * @columns: inputs
 * @y: (out caller-allocates): rows x columns
 *
 * Decodes rows that do not lie behind what is kept once for their matrix.
 */
void
tare_format_decode_apart (const TareFormat *self,
                          const guint8     *parameters,
                          const guint8     *codes,
                          gsize             rows,
                          gsize             columns,
                          float            *y)
{
  gsize row_bytes = count_row_bytes (self, columns);

  g_return_if_fail (tare_format_accepts (self, columns) && !self->along_outputs);

  #pragma omp parallel for schedule (static) if (rows * columns > PARALLEL)
  for (gsize i = 0; i < rows; i++)
    decode_row (self, parameters, i, codes + i * row_bytes, columns, y + i * columns);
}

/**
 * tare_format_decode:
 * @self: a format that accepts @columns
 * @codes: tare_format_get_bytes(), at any address
 * @rows: outputs
 * @columns: inputs
 * @y: (out caller-allocates): rows x columns
 *
 * Decodes a matrix, as tare_format_decode_rows() does.
 */
void
tare_format_decode (const TareFormat *self,
                    const guint8     *codes,
                    gsize             rows,
                    gsize             columns,
                    float            *y)
{
  tare_format_decode_rows (self, codes, rows, columns, 0, rows, y);
}

static int
compare_floats (gconstpointer a,
                gconstpointer b)
{
  float x = *(const float *) a;
  float y = *(const float *) b;

  return (x > y) - (x < y);
}

/**
 * tare_format_get_levels:
 * @self: a format
 * @minimum: the smallest weight of a group
 * @maximum: the largest
 * @levels: (out caller-allocates): room for %TARE_FORMAT_MAX_LEVELS
 *
 * Finds what a group's weights can become, in ascending order and each value once, where the range
 * reaches from @minimum to @maximum. For a K-quant the group is the widest of its super-block.
 *
 * Returns: how many levels there are; 0 for a float, which has no grid of its own, and where a
 *   matrix chooses the grid
 */
gsize
tare_format_get_levels (const TareFormat *self,
                        float             minimum,
                        float             maximum,
                        float            *levels)
{
  gsize n = 0;
  gsize unique = 0;

  if (self->klass->get_levels == NULL || !isfinite (minimum) || !isfinite (maximum))
    return 0;

  n = self->klass->get_levels (self, MIN (minimum, maximum), MAX (minimum, maximum), levels);
  qsort (levels, n, sizeof (float), compare_floats);

  for (gsize i = 0; i < n; i++)
    if (unique == 0 || levels[i] != levels[unique - 1])
      levels[unique++] = levels[i];

  return unique;
}
