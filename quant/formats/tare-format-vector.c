/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-vector-private.h"

#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-bits-private.h"

/* Vector quantization, after Liu et al., VPTQ, 2024: a vector of consecutive outputs of one input
 * is the index of a centroid, in half precision, of a codebook for the whole matrix. The few inputs
 * that matter most may have a codebook of their own.
 *
 *   parameters: centroids f16 [n_books][k][v], and if n_books > 1 the book of each input, a byte
 *   input: indices of log2 k bits, and the outputs beyond the last whole vector in f16
 *
 * Of two books, the lowest bit of a centroid's first number is the book: inputs that were decoded
 * once find their books again by it. */

#define N_(text) (text)

/* Of how many inputs one counts as an outlier. */
#define OUTLIERS 64

typedef struct
{
  TareFormatClass parent;
  gsize           length;
  guint           index_bits;
  gsize           n_books;
} Vector;

/* Rows of the matrix, which are inputs. */
typedef struct
{
  const TareMatrix *matrix;
  gsize             length;
  gsize             n;
  const gsize      *lines;
} Part;

/* A vector as it is stored, zeros behind its end. */
typedef struct
{
  guint16 halves[TARE_VECTOR_MAX];
} Key;

static const Vector *
get_vector (const TareFormat *self)
{
  return (const Vector *) self->klass;
}

static gsize
count_centroids (const Vector *vector)
{
  return (gsize) 1 << vector->index_bits;
}

static gsize
count_book_bytes (const Vector *vector)
{
  return count_centroids (vector) * vector->length * sizeof (guint16);
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  const Vector *vector = get_vector (self);

  return vector->n_books * count_book_bytes (vector) + (vector->n_books > 1 ? rows : 0);
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  const Vector *vector = get_vector (self);

  return count_packed_bytes (columns / vector->length, vector->index_bits) +
         columns % vector->length * sizeof (guint16);
}

/* No centroid lies beyond what half precision holds, and squares must not overflow. */
static void
clamp_weights (const float *x,
               gsize        n,
               float       *y)
{
  for (gsize i = 0; i < n; i++)
    y[i] = CLAMP (x[i], -TARE_HALF_MAX, TARE_HALF_MAX);
}

/* --- what was decoded once --- */

/* FNV-1a (Fowler, Noll, Vo; RFC draft-eastlake-fnv), of two bytes at a time. */
static guint
hash_key (gconstpointer key)
{
  const Key *self = key;
  guint hash = 2166136261u;

  for (gsize d = 0; d < TARE_VECTOR_MAX; d++)
    hash = (hash ^ self->halves[d]) * 16777619u;

  return hash ^ hash >> 15;
}

static gboolean
equal_keys (gconstpointer a,
            gconstpointer b)
{
  return memcmp (a, b, sizeof (Key)) == 0;
}

/* A book of all vectors there are, if there are no more than it holds: what was decoded once comes
 * back as it was. Returns: whether there are so few */
static gboolean
list_vectors (const Part *part,
              gsize       k,
              guint8     *book)
{
  g_autofree Key *keys = g_new0 (Key, k);
  g_autoptr(GHashTable) found = g_hash_table_new (hash_key, equal_keys);
  gsize length = part->length, columns = part->matrix->columns, n_keys = 0;

  for (gsize i = 0; i < part->n && !tare_progress_cancelled (part->matrix->progress); i++)
    for (gsize b = 0; b < columns / length; b++)
      {
        const float *x = part->matrix->x + part->lines[i] * columns + b * length;
        Key key = { { 0 } };

        for (gsize d = 0; d < length; d++)
          key.halves[d] = tare_half_from_float (round_offset (x[d]) + 0.0f);
        if (g_hash_table_contains (found, &key))
          continue;
        if (n_keys == k)
          return FALSE;

        keys[n_keys] = key;
        g_hash_table_add (found, &keys[n_keys++]);
      }

  for (gsize i = 0; i < k * length; i++)
    {
      guint16 half = keys[i / length].halves[i % length];

      book[2 * i] = half & 0xff;
      book[2 * i + 1] = half >> 8;
    }

  return TRUE;
}

/* The book that a vector names, if it is in half precision. Returns: whether it is */
static gboolean
tell_book (const float *x,
           gsize        length,
           guint8      *book)
{
  for (gsize d = 0; d < length; d++)
    if (round_offset (x[d]) != x[d])
      return FALSE;
  *book = tare_half_from_float (x[0]) & 1;

  return TRUE;
}

/* books: (out): the book that all vectors of a row name. Returns: whether those of all rows do */
static gboolean
tell_books (const TareMatrix *matrix,
            gsize             length,
            guint8           *books)
{
  for (gsize i = 0; i < matrix->rows; i++)
    for (gsize b = 0; b < matrix->columns / length; b++)
      {
        guint8 book;

        if (!tell_book (matrix->x + i * matrix->columns + b * length, length, &book)
            || (b > 0 && book != books[i]))
          return FALSE;
        books[i] = book;
      }

  return TRUE;
}

/* --- fitting --- */

/**
 * _tare_vectors_take_sample:
 * @matrix: the weights
 * @lines: (nullable): some of its rows; %NULL for all of them
 * @n: how many rows these are
 * @length: of a vector
 * @n_sample: no more than there are vectors
 * @vectors: (out caller-allocates): n_sample x length
 * @weights: (out caller-allocates): n_sample
 *
 * Takes some vectors, one from each of as many equal stretches of all of them.
 */
void
_tare_vectors_take_sample (const TareMatrix *matrix,
                           const gsize      *lines,
                           gsize             n,
                           gsize             length,
                           gsize             n_sample,
                           float            *vectors,
                           float            *weights)
{
  gsize per_line = matrix->columns / length, total = n * per_line;
  guint32 state = 1;

  for (gsize s = 0; s < n_sample; s++)
    {
      gsize begin = (gsize) ((double) s * (double) total / (double) n_sample);
      gsize end = (gsize) ((double) (s + 1) * (double) total / (double) n_sample);
      gsize at, line;

      /* Numerical Recipes' linear congruential generator. */
      state = state * 1664525u + 1013904223u;
      at = MIN (begin + (state >> 8) % MAX (end - begin, 1), total - 1);
      line = lines != NULL ? lines[at / per_line] : at / per_line;
      memcpy (vectors + s * length, matrix->x + line * matrix->columns + at % per_line * length,
              length * sizeof (float));
      weights[s] = matrix->row_weights != NULL ? matrix->row_weights[line] : 1.0f;
    }
}

/* The codebook of some inputs. */
static gboolean
fit_book (const Vector  *vector,
          const Part    *part,
          guint8        *bytes,
          GError       **error)
{
  gsize length = vector->length, k = count_centroids (vector);
  gsize n_sample = MIN (part->n * (part->matrix->columns / length),
                        MAX (TARE_VECTOR_SAMPLE, TARE_VECTOR_SAMPLE_SHARE * k));
  g_autofree float *book = g_new0 (float, k * length);
  g_autofree float *x = g_new (float, MAX (n_sample * length, 1));
  g_autofree float *w = g_new (float, MAX (n_sample, 1));

  _tare_vectors_take_sample (part->matrix, part->lines, part->n, length, n_sample, x, w);
  clamp_weights (x, n_sample * length, x);
  if (n_sample > 0
      && !_tare_vector_means (x, w, n_sample, length, k, book, part->matrix->progress, error))
    return FALSE;
  store_halves (book, k * length, bytes);

  return TRUE;
}

typedef struct
{
  double energy;
  gsize  line;
} Energy;

static int
compare_energies (gconstpointer a,
                  gconstpointer b)
{
  const Energy *x = a;
  const Energy *y = b;

  if (x->energy != y->energy)
    return x->energy < y->energy ? 1 : -1;

  return (x->line > y->line) - (x->line < y->line);
}

/* The second book for those inputs that matter most: by their importance and the sum of their
 * squares. */
static void
choose_outliers (const TareMatrix *matrix,
                 guint8           *books)
{
  g_autofree Energy *energies = g_new (Energy, matrix->rows);
  gsize n_outliers = (matrix->rows + OUTLIERS - 1) / OUTLIERS;

  for (gsize i = 0; i < matrix->rows; i++)
    {
      const float *x = matrix->x + i * matrix->columns;
      double sum = 0.0;

      for (gsize j = 0; j < matrix->columns; j++)
        sum += (double) x[j] * (double) x[j];
      if (matrix->row_weights != NULL)
        sum *= (double) matrix->row_weights[i];
      energies[i] = (Energy) { sum, i };
    }

  qsort (energies, matrix->rows, sizeof (Energy), compare_energies);
  for (gsize i = 0; i < matrix->rows; i++)
    books[energies[i].line] = i < n_outliers;
}

/* lines: (out): the inputs of a book */
static Part
select_lines (const TareMatrix *matrix,
              gsize             length,
              const guint8     *books,
              guint8            book,
              gsize            *lines)
{
  Part part = { matrix, length, 0, lines };

  for (gsize i = 0; i < matrix->rows; i++)
    if (books == NULL || books[i] == book)
      lines[part.n++] = i;

  return part;
}

/* Puts the name of a book into its centroids. */
static void
name_book (const Vector *vector,
           guint8        book,
           guint8       *bytes)
{
  for (gsize c = 0; c < count_centroids (vector); c++)
    {
      guint8 *low = bytes + 2 * c * vector->length;

      *low = (guint8) ((*low & ~1) | book);
    }
}

static gboolean
fit_two_books (const Vector      *vector,
               const TareMatrix  *matrix,
               guint8            *bytes,
               guint8            *books,
               GError           **error)
{
  gsize length = vector->length, k = count_centroids (vector);
  guint8 *second = bytes + count_book_bytes (vector);
  g_autofree gsize *lines = g_new (gsize, 2 * matrix->rows);
  Part parts[2];

  if (tell_books (matrix, length, books))
    {
      parts[0] = select_lines (matrix, length, books, 0, lines);
      parts[1] = select_lines (matrix, length, books, 1, lines + parts[0].n);
      if (list_vectors (&parts[0], k, bytes) && list_vectors (&parts[1], k, second))
        return TRUE;
    }

  choose_outliers (matrix, books);
  parts[0] = select_lines (matrix, length, books, 0, lines);
  parts[1] = select_lines (matrix, length, books, 1, lines + parts[0].n);
  if (!fit_book (vector, &parts[0], bytes, error) || !fit_book (vector, &parts[1], second, error))
    return FALSE;
  name_book (vector, 0, bytes);
  name_book (vector, 1, second);

  return TRUE;
}

/* Puts the centroids of all books in the order in which they are searched. */
static void
sort_books (const Vector *vector,
            guint8       *bytes)
{
  gsize length = vector->length, k = count_centroids (vector);
  g_autofree float *book = g_new (float, k * length);

  for (gsize b = 0; b < vector->n_books && _tare_vector_cells_suit (k); b++)
    {
      load_halves (bytes + b * count_book_bytes (vector), k * length, book);
      _tare_vector_cells_sort (book, length, k);
      store_halves (book, k * length, bytes + b * count_book_bytes (vector));
    }
}

static gboolean
fit (const TareFormat  *self,
     const TareMatrix  *matrix,
     guint8            *parameters,
     GError           **error)
{
  const Vector *vector = get_vector (self);
  guint8 *books = parameters + vector->n_books * count_book_bytes (vector);
  g_autofree gsize *lines = g_new (gsize, matrix->rows);
  Part all = select_lines (matrix, vector->length, NULL, 0, lines);

  if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
    return FALSE;

  memset (parameters, 0, get_parameter_bytes (self, matrix->rows, matrix->columns));
  if (!list_vectors (&all, count_centroids (vector), parameters)
      && !(vector->n_books > 1 ? fit_two_books (vector, matrix, parameters, books, error)
                               : fit_book (vector, &all, parameters, error)))
    return FALSE;
  sort_books (vector, parameters);

  return TRUE;
}

/* --- rows --- */

/* Returns: the codebook of a row */
static const guint8 *
find_book (const Vector *vector,
           const guint8 *parameters,
           gsize         row)
{
  gsize book_bytes = count_book_bytes (vector);
  gsize book = vector->n_books > 1 ? parameters[vector->n_books * book_bytes + row] : 0;

  return parameters + MIN (book, vector->n_books - 1) * book_bytes;
}

static void
encode_matrix_row (const TareFormat *self,
                   const TareMatrix *matrix,
                   gsize             row,
                   const guint8     *parameters,
                   guint8           *codes)
{
  const Vector *vector = get_vector (self);
  gsize length = vector->length, n = matrix->columns / length, k = count_centroids (vector);
  g_autofree float *x = g_new (float, MAX (matrix->columns, 1));
  g_autofree guint16 *indices = g_new (guint16, MAX (n, 1));

  clamp_weights (matrix->x + row * matrix->columns, matrix->columns, x);
  if (n > 0)
    {
      g_autofree float *book = g_new (float, k * length);
      g_autoptr(TareVectorCells) cells = NULL;

      load_halves (find_book (vector, parameters, row), k * length, book);
      if (_tare_vector_cells_suit (k))
        {
          cells = _tare_vector_cells_new (book, length, k);
          _tare_vector_cells_assign (cells, x, n, indices, NULL);
        }
      else
        {
          _tare_vectors_assign (x, n, length, book, k, indices, NULL);
        }
      pack_codes (indices, n, vector->index_bits, codes);
    }

  store_halves (x + n * length, matrix->columns - n * length,
                codes + count_packed_bytes (n, vector->index_bits));
}

/* The centroids of a row, side by side; a length that is known makes each copy one move. */
TARE_INLINE void
gather (const guint8  *book,
        const guint16 *indices,
        gsize          n,
        gsize          length,
        guint8        *halves)
{
  gsize bytes = length * sizeof (guint16);

  for (gsize i = 0; i < n; i++)
    memcpy (halves + i * bytes, book + indices[i] * bytes, bytes);
}

static void
decode_matrix_row (const TareFormat *self,
                   const guint8     *parameters,
                   gsize             row,
                   const guint8     *codes,
                   gsize             columns,
                   float            *y)
{
  const Vector *vector = get_vector (self);
  const guint8 *book = find_book (vector, parameters, row);
  gsize length = vector->length, n = columns / length;
  g_autofree guint16 *indices = g_new (guint16, MAX (n, 1));
  g_autofree guint8 *halves = g_malloc (MAX (columns * sizeof (guint16), 1));

  unpack_codes (codes, n, vector->index_bits, indices);
  if (length == 4)
    gather (book, indices, n, 4, halves);
  else if (length == 6)
    gather (book, indices, n, 6, halves);
  else if (length == 8)
    gather (book, indices, n, 8, halves);
  else
    gather (book, indices, n, length, halves);
  tare_half_to_floats (halves, n * length, y);

  load_halves (codes + count_packed_bytes (n, vector->index_bits), columns - n * length,
               y + n * length);
}

#define VECTOR(name, v, log_k, books)                                                      \
  static const Vector vector_##name = {                                                    \
    .parent = { .get_row_bytes = get_row_bytes,                                            \
                .get_parameter_bytes = get_parameter_bytes,                                \
                .fit = fit, .encode_matrix_row = encode_matrix_row,                        \
                .decode_matrix_row = decode_matrix_row },                                  \
    .length = v, .index_bits = log_k, .n_books = books,                                    \
  }

VECTOR (v4_k4096, 4, 12, 1);
VECTOR (v6_k4096, 6, 12, 1);
VECTOR (v6_k4096_outliers, 6, 12, 2);
VECTOR (v4_k256, 4, 8, 1);
VECTOR (v8_k256, 8, 8, 1);

#define VECTOR_ROW(name, label, description, bits, klass)                                  \
  { "vq_" name, label, description, TARE_FORMAT_FAMILY_CODEBOOK, bits, 0, 1, -1,           \
    TARE_CONTAINER_TARE, NULL, klass, FALSE, TRUE, TRUE }
#define ROW(name, label, description, bits)                                                \
  VECTOR_ROW (#name, label, description, bits, &vector_##name.parent)

static const TareFormat formats[] = {
  VECTOR_ROW ("v4_k256_residual", "VQ v4 k256 residual",
              N_("The sum of one of 256 vectors and one of 256 others for 4 outputs of an input"),
              4, &_tare_vector_sum4_class),
  ROW (v4_k4096, "VQ v4 k4096", N_("The nearest of 4096 vectors for 4 outputs of an input"), 3),
  ROW (v6_k4096, "VQ v6 k4096", N_("The nearest of 4096 vectors for 6 outputs of an input"), 2),
  ROW (v6_k4096_outliers, "VQ v6 k4096 outliers",
       N_("The nearest of 4096 vectors for 6 outputs, of others for the inputs that matter most"),
       2),
  ROW (v4_k256, "VQ v4 k256", N_("The nearest of 256 vectors for 4 outputs of an input"), 2),
  VECTOR_ROW ("v8_k256_residual", "VQ v8 k256 residual",
              N_("The sum of one of 256 vectors and one of 256 others for 8 outputs of an input"),
              2, &_tare_vector_sum8_class),
  ROW (v8_k256, "VQ v8 k256", N_("The nearest of 256 vectors for 8 outputs of an input"), 1),
};

/**
 * _tare_format_list_vectors:
 * @list: (inout): the table of formats
 *
 * Adds the formats that code several weights at once.
 */
void
_tare_format_list_vectors (GPtrArray *list)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    g_ptr_array_add (list, (gpointer) &formats[i]);
}
