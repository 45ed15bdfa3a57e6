/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tensor.h"

#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-tensor-private.h"

/* What a network keeps as it is although it has two dimensions, by parts of the name: norms,
 * positions, the routing of experts, rotary factors. llama.cpp wants these in F32. */
static const char *const kept[] = {
  "norm", "position_embd", "wpe", "embed_positions", "ffn_gate_inp", "rope_f", "ln_",
};

/**
 * _tare_tensor_new:
 * @file: where it lies
 * @name: its name there
 * @type_name: the stored type
 * @format: (nullable): how to decode it
 * @n_dimensions: at most %TARE_TENSOR_MAX_DIMENSIONS
 * @shape: (array length=n_dimensions): outermost first, the product checked not to overflow
 * @offset: from the start of @file
 * @bytes: how much of it, checked to lie within @file
 *
 * Returns: (transfer full): a tensor of which only the file is known
 */
TareTensor *
_tare_tensor_new (TareFile         *file,
                  const char       *name,
                  const char       *type_name,
                  const TareFormat *format,
                  guint             n_dimensions,
                  const guint64    *shape,
                  guint64           offset,
                  guint64           bytes)
{
  TareTensor *self = g_new0 (TareTensor, 1);

  self->name = g_strdup (name);
  self->canonical = g_strdup (name);
  self->block = -1;
  self->type_name = g_strdup (type_name);
  self->format = format;
  self->n_dimensions = n_dimensions;
  self->columns = n_dimensions > 0 ? (gsize) shape[n_dimensions - 1] : 1;
  self->rows = 1;
  for (guint i = 0; i < n_dimensions; i++)
    {
      self->shape[i] = shape[i];
      if (i + 1 < n_dimensions)
        self->rows *= (gsize) shape[i];
    }
  /* Nothing is in a tensor without bytes, and nobody should walk 2^63 rows of nothing. */
  if (bytes == 0)
    self->rows = 0;
  self->file = tare_file_ref (file);
  self->offset = offset;
  self->bytes = bytes;

  return self;
}

/**
 * _tare_tensor_copy:
 * @self: a tensor of which only the file is known
 *
 * Returns: (transfer full): another on the same bytes
 */
TareTensor *
_tare_tensor_copy (const TareTensor *self)
{
  TareTensor *copy = _tare_tensor_new (self->file, self->name, self->type_name, self->format,
                                       self->n_dimensions, self->shape, self->offset, self->bytes);

  if (self->stored != NULL)
    copy->stored = tare_stored_ref (self->stored);
  copy->parameters = g_memdup2 (self->parameters, tare_tensor_get_parameter_bytes (self));

  return copy;
}

/**
 * _tare_tensor_is_raw:
 * @self: a tensor of a safetensors file
 *
 * Returns: whether it is encoded as a whole, in Tare's own layout, and so has GGUF's order of rows
 *   already; safetensors' own types are all floats
 */
gboolean
_tare_tensor_is_raw (const TareTensor *self)
{
  return self->format != NULL && self->format->family != TARE_FORMAT_FAMILY_FLOAT;
}

/**
 * tare_tensor_free:
 * @self: (transfer full): a tensor
 */
void
tare_tensor_free (TareTensor *self)
{
  g_return_if_fail (self != NULL);

  g_free (self->name);
  g_free (self->canonical);
  g_free (self->type_name);
  g_free (self->parameters);
  for (gsize i = 0; i < self->n_slices; i++)
    {
      g_clear_pointer (&self->slices[i].stored, tare_stored_unref);
      tare_file_unref (self->slices[i].file);
    }
  g_free (self->slices);
  g_clear_pointer (&self->stored, tare_stored_unref);
  tare_file_unref (self->file);
  g_free (self);
}

/**
 * _tare_tensor_count_parameters:
 * @self: a tensor
 *
 * Returns: how many matrices have parameters of their own: the experts, whatever the role
 */
gsize
_tare_tensor_count_parameters (const TareTensor *self)
{
  return self->n_dimensions == 3 ? MAX ((gsize) self->shape[0], 1) : 1;
}

/**
 * _tare_tensor_set_unit:
 * @self: a tensor that nobody else has yet
 *
 * Where its format keeps a binary32 once for a matrix, makes that 1 until it is known.
 */
void
_tare_tensor_set_unit (TareTensor *self)
{
  static const guint8 one[4] = { 0x00, 0x00, 0x80, 0x3f };
  gsize n = _tare_tensor_count_parameters (self);

  if (self->format == NULL || tare_format_is_row_local (self->format) || self->rows == 0)
    return;

  self->parameters = g_malloc (n * sizeof one);
  for (gsize i = 0; i < n; i++)
    memcpy (self->parameters + i * sizeof one, one, sizeof one);
}

/**
 * tare_tensor_get_parameter_bytes:
 * @self: a tensor
 *
 * Returns: bytes of what is kept of it elsewhere, 0 where nothing is
 */
gsize
tare_tensor_get_parameter_bytes (const TareTensor *self)
{
  gsize n = _tare_tensor_count_parameters (self);

  return self->parameters != NULL
         ? n * tare_format_get_parameter_bytes (self->format, self->rows / n, self->columns) : 0;
}

/**
 * tare_tensor_get_bytes:
 * @self: a tensor
 *
 * Returns: what it takes in its file, with what lies elsewhere there
 */
guint64
tare_tensor_get_bytes (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->bytes + tare_tensor_get_parameter_bytes (self);
}

/**
 * tare_tensor_can_read:
 * @self: a tensor
 *
 * Returns: whether tare_tensor_read_rows() decodes it
 */
gboolean
tare_tensor_can_read (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->format != NULL || self->stored != NULL;
}

/**
 * tare_tensor_is_weight:
 * @self: a tensor
 *
 * Returns: whether it is the matrix of a linear layer or an embedding, which may be quantized
 */
gboolean
tare_tensor_is_weight (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (self->n_dimensions < 2 || self->rows == 0 || self->columns < 2
      || !g_str_has_suffix (self->canonical, ".weight"))
    return FALSE;

  if (self->role != NULL)
    return self->role->matrix && !self->bias;

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    {
      if (strstr (self->canonical, kept[i]) != NULL)
        return FALSE;
    }

  return TRUE;
}

/**
 * tare_tensor_get_n_weights:
 * @self: a tensor
 *
 * Returns: the number of its elements
 */
gsize
tare_tensor_get_n_weights (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->rows * self->columns;
}

/**
 * tare_tensor_get_n_matrices:
 * @self: a tensor
 *
 * Returns: how many matrices lie one over the other, each with an equal part of the rows and inputs
 *   of its own: the experts where the tensor has three dimensions, the heads where a norm has two,
 *   otherwise 1
 */
gsize
tare_tensor_get_n_matrices (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, 1);

  return tare_tensor_is_stacked (self) ? MAX ((gsize) self->shape[0], 1) : 1;
}

/**
 * tare_tensor_is_stacked:
 * @self: a tensor
 *
 * Returns: whether it has the matrices of experts, or the norms of heads, one over the other, be it
 *   only one of them
 */
gboolean
tare_tensor_is_stacked (const TareTensor *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->n_dimensions == 3
         || (self->n_dimensions == 2 && self->role != NULL
             && g_str_has_suffix (self->role->id, "_norm"));
}

/* How many of @n rows from @first on lie together, and where. */
static const guint8 *
find_rows (const TareTensor *self,
           gsize             first,
           gsize             n,
           gsize            *n_found)
{
  guint64 row_bytes = self->bytes / self->rows;
  gsize per_slice = self->n_slices > 0 ? self->rows / self->n_slices : self->rows;
  const TareSlice *slice = self->n_slices > 0 ? &self->slices[first / per_slice] : NULL;
  TareFile *file = slice != NULL ? slice->file : self->file;
  guint64 offset = slice != NULL ? slice->offset : self->offset;

  *n_found = MIN (n, per_slice - first % per_slice);

  return tare_file_get_data (file) + offset + first % per_slice * row_bytes;
}

/* Where GGUF's row (or element, of a bias) is in a file that has groups of q heads of queries, one
 * of keys and one of values, of d rows each: gguf[(k q + j) d + i] = file[(k (q + 2) + j) d + i]
 * and so on (llama.cpp's conversion of GPT-NeoX, where q is 1). */
static gsize
to_grouped_file (const TareTensor *self,
                 gsize             row)
{
  gsize n = (self->n_dimensions > 1 ? self->rows : self->columns) / self->head_rows;
  gsize queries = n / self->head_groups - 2;
  gsize head = row / self->head_rows;
  gsize group = head / queries;
  gsize within = head % queries;

  if (head >= self->head_groups * queries)
    {
      gsize rest = head - self->head_groups * queries;

      group = rest % self->head_groups;
      within = queries + rest / self->head_groups;
    }

  return (group * (queries + 2) + within) * self->head_rows + row % self->head_rows;
}

/* Likewise in a file that keeps the halves of the rotary pairs
 * of a head of d rows apart: gguf[2i+h] = file[h·d/2+i] (llama.cpp's conversion of Llama). */
static gsize
to_file (const TareTensor *self,
         gsize             row)
{
  gsize head = row / MAX (self->head_rows, 1);
  gsize within = row % MAX (self->head_rows, 1);

  if (self->head_rows == 0)
    return row;

  if (self->head_groups > 0)
    return to_grouped_file (self, row);

  return head * self->head_rows + within % 2 * (self->head_rows / 2) + within / 2;
}

static gboolean
interleaves_rows (const TareTensor *self)
{
  return self->head_rows > 0 && self->n_dimensions > 1;
}

/**
 * tare_tensor_get_file_row:
 * @self: a tensor that is not transposed
 * @row: in GGUF's order; of a vector, the element
 *
 * Returns: which row of the file that is
 */
gsize
tare_tensor_get_file_row (const TareTensor *self,
                          gsize             row)
{
  g_return_val_if_fail (self != NULL, 0);

  return to_file (self, row);
}

/**
 * tare_tensor_get_row:
 * @self: a tensor whose rows take whole bytes, and that is neither transposed nor in parts
 * @row: in GGUF's order, less than the number of rows
 *
 * Rows may be looked for one at a time only where a tensor is interleaved or in slices.
 * A vector has one row, in the file's order of elements whatever @head_rows;
 * tare_tensor_read_rows() puts them right.
 *
 * Returns: (transfer none): the bytes of the row, in the mapped file
 */
const guint8 *
tare_tensor_get_row (const TareTensor *self,
                     gsize             row)
{
  gsize n = 0;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (!self->transposed && self->stored == NULL && row < self->rows, NULL);
  g_return_val_if_fail (self->bytes % self->rows == 0, NULL);

  return find_rows (self, interleaves_rows (self) ? to_file (self, row) : row, 1, &n);
}

/* Where an element of a tensor of whole bytes an element is in the file. */
static const guint8 *
find_element (const TareTensor *self,
              gsize             row,
              gsize             column,
              gsize             element)
{
  gsize index = self->transposed ? column * self->rows + row : to_file (self, column);

  return tare_file_get_data (self->file) + self->offset + index * element;
}

/**
 * tare_tensor_copy_rows:
 * @self: a tensor whose rows take whole bytes, and that is not in parts
 * @first: the first row, in GGUF's order
 * @n: how many; @first + @n is at most the number of rows
 * @out: (out caller-allocates): the bytes of the rows, as they are stored but in GGUF's order
 */
void
tare_tensor_copy_rows (const TareTensor *self,
                       gsize             first,
                       gsize             n,
                       guint8           *out)
{
  gsize element, row_bytes;

  g_return_if_fail (self != NULL && self->stored == NULL);
  g_return_if_fail (first <= self->rows && n <= self->rows - first);

  if (n == 0)
    return;

  row_bytes = self->bytes / self->rows;
  if (!self->transposed && (self->head_rows == 0 || interleaves_rows (self)))
    {
      for (gsize i = 0; i < n; i++)
        memcpy (out + i * row_bytes, tare_tensor_get_row (self, first + i), row_bytes);
      return;
    }

  element = row_bytes / self->columns;
  for (gsize column = 0; column < self->columns; column++)
    for (gsize i = 0; i < n; i++)
      memcpy (out + i * row_bytes + column * element,
              find_element (self, first + i, column, element), element);
}

/* The file's rows are columns here, of which a part is read each. */
static void
read_transposed (const TareTensor *self,
                 gsize             first,
                 gsize             n,
                 float            *out)
{
  g_autofree float *stored = g_new (float, n);
  gsize element = self->bytes / self->rows / self->columns;

  for (gsize column = 0; column < self->columns; column++)
    {
      tare_format_decode (self->format, find_element (self, first, column, element), 1, n, stored);
      for (gsize i = 0; i < n; i++)
        out[i * self->columns + column] = stored[i];
    }
}

static void
read_vector (const TareTensor *self,
             float            *out)
{
  g_autofree float *stored = g_new (float, self->columns);

  tare_format_decode (self->format, tare_tensor_get_row (self, 0), 1, self->columns, stored);
  for (gsize i = 0; i < self->columns; i++)
    out[i] = stored[to_file (self, i)];
}

/* All of a head in the file's order, and then what is wanted of it in GGUF's: where outputs lie
 * side by side, its rows cost little more than one. */
static gboolean
read_stored_head (const TareTensor  *self,
                  gsize              first,
                  gsize              n,
                  float             *out,
                  GError           **error)
{
  gsize head = first / self->head_rows * self->head_rows;
  g_autofree float *rows = g_new (float, self->head_rows * self->columns);

  if (!tare_stored_read (self->stored, head, self->head_rows, rows, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    memcpy (out + i * self->columns, rows + (to_file (self, first + i) - head) * self->columns,
            self->columns * sizeof *out);

  return TRUE;
}

static gboolean
read_stored_transposed (const TareTensor  *self,
                        gsize              first,
                        gsize              n,
                        float             *out,
                        GError           **error)
{
  g_autofree float *row = g_new (float, self->rows);

  for (gsize column = 0; column < self->columns; column++)
    {
      if (!tare_stored_read (self->stored, column, 1, row, error))
        return FALSE;
      for (gsize i = 0; i < n; i++)
        out[i * self->columns + column] = row[first + i];
    }

  return TRUE;
}

static gboolean
read_stored_slices (const TareTensor  *self,
                    gsize              first,
                    gsize              n,
                    float             *out,
                    GError           **error)
{
  gsize per_slice = self->rows / self->n_slices;

  while (n > 0)
    {
      gsize within = first % per_slice;
      gsize part = MIN (n, per_slice - within);

      if (!tare_stored_read (self->slices[first / per_slice].stored, within, part, out, error))
        return FALSE;
      first += part;
      n -= part;
      out += part * self->columns;
    }

  return TRUE;
}

static gboolean
read_stored (const TareTensor  *self,
             gsize              first,
             gsize              n,
             float             *out,
             GError           **error)
{
  if (self->n_slices > 0)
    return read_stored_slices (self, first, n, out, error);
  if (self->transposed)
    return read_stored_transposed (self, first, n, out, error);
  if (!interleaves_rows (self))
    return tare_stored_read (self->stored, first, n, out, error);

  while (n > 0)
    {
      gsize part = MIN (n, self->head_rows - first % self->head_rows);

      /* Heads in groups are elsewhere in the file, but each in one piece and in order. */
      if (self->head_groups > 0
          ? !tare_stored_read (self->stored, to_file (self, first), part, out, error)
          : !read_stored_head (self, first, part, out, error))
        return FALSE;
      first += part;
      n -= part;
      out += part * self->columns;
    }

  return TRUE;
}

/* Rows whose matrix has something for all of them elsewhere. */
static void
read_apart (const TareTensor *self,
            gsize             first,
            gsize             n,
            float            *out)
{
  gsize per_matrix = self->rows / _tare_tensor_count_parameters (self);
  gsize n_bytes = tare_format_get_parameter_bytes (self->format, per_matrix, self->columns);

  for (gsize i = 0, n_found = 0; i < n; i += n_found)
    {
      gsize row = first + i;
      gsize most = MIN (n - i, per_matrix - row % per_matrix);
      const guint8 *rows = find_rows (self, row, most, &n_found);

      tare_format_decode_apart (self->format, self->parameters + row / per_matrix * n_bytes, rows,
                                n_found, self->columns, out + i * self->columns);
    }
}

/**
 * tare_tensor_read_rows:
 * @self: a tensor
 * @first: the first row, in GGUF's order
 * @n: how many; @first + @n is at most the number of rows
 * @out: (out caller-allocates): n x columns floats, row-major
 * @error: return location
 *
 * Decodes rows to floats.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED where nothing here decodes the tensor's type, or as
 *   tare_stored_read() says of a matrix in parts
 */
gboolean
tare_tensor_read_rows (const TareTensor  *self,
                       gsize              first,
                       gsize              n,
                       float             *out,
                       GError           **error)
{
  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (first <= self->rows && n <= self->rows - first, FALSE);

  if (!tare_tensor_can_read (self))
    {
      g_autofree char *name = _tare_file_quote (self->name, strlen (self->name));

      return _tare_file_fail (self->file, error, TARE_ERROR_UNSUPPORTED,
                              "tensor %s is stored as %s, which cannot be decoded",
                              name, self->type_name);
    }

  if (n == 0)
    return TRUE;

  if (self->stored != NULL)
    return read_stored (self, first, n, out, error);

  if (self->parameters != NULL)
    {
      read_apart (self, first, n, out);
    }
  else if (!tare_format_is_row_local (self->format))
    {
      tare_format_decode_rows (self->format, tare_file_get_data (self->file) + self->offset,
                               self->rows, self->columns, first, n, out);
    }
  else if (self->transposed)
    {
      read_transposed (self, first, n, out);
    }
  else if (self->head_rows > 0 && !interleaves_rows (self))
    {
      read_vector (self, out);
    }
  else if (!interleaves_rows (self))
    {
      for (gsize i = 0, n_found = 0; i < n; i += n_found)
        {
          const guint8 *rows = find_rows (self, first + i, n - i, &n_found);

          tare_format_decode (self->format, rows, n_found, self->columns, out + i * self->columns);
        }
    }
  else
    {
      for (gsize i = 0; i < n; i++)
        tare_format_decode (self->format, tare_tensor_get_row (self, first + i), 1,
                            self->columns, out + i * self->columns);
    }

  return TRUE;
}

/**
 * tare_tensor_read:
 * @self: a tensor
 * @out: (out caller-allocates): rows x columns floats, row-major, in GGUF's order
 * @error: return location
 *
 * Decodes the whole tensor to floats.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED where nothing here decodes the tensor's type
 */
gboolean
tare_tensor_read (const TareTensor  *self,
                  float             *out,
                  GError           **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return tare_tensor_read_rows (self, 0, self->rows, out, error);
}

static void
release_stored (const TareStored *stored)
{
  for (guint i = 0; i < TARE_N_PARTS; i++)
    if (stored->parts[i] != NULL)
      tare_file_release (stored->parts[i]->file, stored->parts[i]->offset,
                         stored->parts[i]->bytes);
}

/**
 * tare_tensor_release_rows:
 * @self: a tensor
 * @first: the first row that was read, in GGUF's order
 * @n: how many
 *
 * Lets the system drop the pages of these rows; of an interleaved head that is only partly among
 * them, all of it, and with the last row all of a tensor that is transposed, grouped or in parts.
 */
void
tare_tensor_release_rows (const TareTensor *self,
                          gsize             first,
                          gsize             n)
{
  guint64 row_bytes = 0;
  gsize last = 0;

  g_return_if_fail (self != NULL);
  g_return_if_fail (first <= self->rows && n <= self->rows - first);

  if (n == 0)
    return;

  last = first + n;
  if (self->stored != NULL)
    {
      for (gsize i = 0; i < self->n_slices && last == self->rows; i++)
        release_stored (self->slices[i].stored);
      if (self->n_slices == 0 && last == self->rows)
        release_stored (self->stored);
      return;
    }

  if (interleaves_rows (self))
    {
      first = first / self->head_rows * self->head_rows;
      last = MIN ((last + self->head_rows - 1) / self->head_rows * self->head_rows, self->rows);
    }

  if (self->transposed || self->head_groups > 0)
    {
      if (last < self->rows)
        return;
      first = 0;
    }

  row_bytes = self->bytes / self->rows;
  if (self->n_slices == 0)
    tare_file_release (self->file, self->offset + first * row_bytes, (last - first) * row_bytes);

  for (gsize i = 0; i < self->n_slices; i++)
    {
      gsize per_slice = self->rows / self->n_slices;
      gsize begin = MAX (first, i * per_slice);
      gsize end = MIN (last, (i + 1) * per_slice);

      if (begin < end)
        tare_file_release (self->slices[i].file,
                           self->slices[i].offset + (begin - i * per_slice) * row_bytes,
                           (end - begin) * row_bytes);
    }
}
