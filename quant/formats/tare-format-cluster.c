/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format-grid-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/formats/tare-bits-private.h"
#include "quant/formats/tare-k-means-private.h"
#include "quant/formats/tare-pack-private.h"
#include "quant/tare-error.h"

/* Scalar codebooks: 2^b levels of least weighted squared error, in half precision, for a matrix,
 * for each of several bands of rows of like spread, or for each row.
 *
 *   parameters: levels f16 [n_books][2^b], and if n_books > 1 the book of each row, a byte
 *   row: codes of b bits; levels f16 [2^b] if it has its own; outliers f16 [m], columns u32 [m]
 *
 * Outliers, the weights of largest magnitude of a row, are kept apart (Kim et al., SqueezeLLM,
 * 2023); their codes stay unused. */

#define N_(text) (text)

#define MOST_LEVELS 256

/* Bits of a weight's sign, exponent and mantissa by which values are binned where there are too
 * many to sort: half precision has no more, so that what was decoded once keeps its bins. */
#define BIN_SHIFT 13
#define N_BINS ((gsize) 1 << (32 - BIN_SHIFT))

/* Fewer weights than this are not worth a second thread. */
#define PARALLEL 32768

/* Weights of which each makes a point. */
#define FEW ((gsize) 1 << 16)

/* Weights binned between two looks at whether to go on. */
#define BAND ((gsize) 1 << 20)

/* Weights whose codes are sought at a time. */
#define PIECE 512

/* n_books: codebooks of a matrix, 0 for one in each row; outliers: of how many weights of a row the
 * largest is kept apart, 0 for none */
typedef struct
{
  TareFormatClass parent;
  gsize           n_books;
  gsize           outliers;
} Cluster;

static const Cluster *
get_cluster (const TareFormat *self)
{
  return (const Cluster *) self->klass;
}

static gsize
count_levels (const TareFormat *self)
{
  return (gsize) 1 << self->bits;
}

static gsize
count_outliers (const TareFormat *self,
                gsize             columns)
{
  gsize outliers = get_cluster (self)->outliers;

  return outliers == 0 ? 0 : (columns + outliers - 1) / outliers;
}

static gsize
get_row_bytes (const TareFormat *self,
               gsize             columns)
{
  gsize book = get_cluster (self)->n_books == 0 ? count_levels (self) * sizeof (guint16) : 0;

  return count_packed_bytes (columns, self->bits) + book +
         count_outliers (self, columns) * (sizeof (guint16) + sizeof (guint32));
}

static gsize
get_parameter_bytes (const TareFormat *self,
                     gsize             rows,
                     gsize             columns)
{
  gsize n_books = get_cluster (self)->n_books;

  return n_books * count_levels (self) * sizeof (guint16) + (n_books > 1 ? rows : 0);
}

/* Levels that are evenly spaced between the ends as they are stored, so that the ends of what was
 * decoded once give the same levels. */
static void
span_levels (double  minimum,
             double  maximum,
             gsize   k,
             float  *levels)
{
  double first = (double) round_offset ((float) minimum);
  double last = (double) round_offset ((float) maximum);

  for (gsize c = 0; c < k; c++)
    {
      double share = (double) c / (double) (k - 1);

      levels[c] = round_offset ((float) (first * (1.0 - share) + last * share));
    }
}

static double
measure_levels (const TarePoints *points,
                const float      *levels,
                gsize             k)
{
  double wide[MOST_LEVELS];

  for (gsize c = 0; c < k; c++)
    wide[c] = (double) levels[c];

  return _tare_points_measure (points, wide, k);
}

/* The best levels as they are stored, in ascending order; the last is repeated where there are
 * more levels than points. levels: (out): [k] */
static void
fit_levels (const TarePoints *points,
            gboolean          search,
            gsize             k,
            float            *levels)
{
  double wide[MOST_LEVELS];
  float found[MOST_LEVELS];
  gsize n;

  if (points->n == 0)
    {
      memset (levels, 0, k * sizeof (float));
      return;
    }

  span_levels (points->values[0], points->values[points->n - 1], k, levels);
  if (!search)
    return;

  n = _tare_k_means (points, k, wide);
  for (gsize c = 0; c < k; c++)
    found[c] = round_offset ((float) wide[MIN (c, n - 1)]);

  if (measure_levels (points, found, k) <= measure_levels (points, levels, k))
    memcpy (levels, found, k * sizeof (float));
}

static void
store_levels (const float *levels,
              gsize        k,
              guint8      *bytes)
{
  for (gsize c = 0; c < k; c++)
    store_half (bytes + 2 * c, levels[c]);
}

static void
load_levels (const guint8 *bytes,
             gsize         k,
             float        *levels)
{
  for (gsize c = 0; c < k; c++)
    levels[c] = load_half (bytes + 2 * c);
}

/* How many of few limits lie below each weight. */
TARE_CLONES static void
count_limits (const float *restrict x,
              gsize                 n,
              const float          *limits,
              gsize                 n_limits,
              guint16     *restrict codes)
{
  guint32 counts[PIECE];

  memset (counts, 0, sizeof counts);
  for (gsize c = 0; c < n_limits; c++)
    {
      float limit = limits[c];

      #pragma omp simd
      for (gsize j = 0; j < n; j++)
        counts[j] += x[j] > limit ? 1 : 0;
    }
  for (gsize j = 0; j < n; j++)
    codes[j] = (guint16) counts[j];
}

static guint16
search_limits (float        x,
               const float *limits,
               gsize        n_limits)
{
  gsize low = 0;

  for (gsize step = (n_limits + 1) / 2; step > 0; step /= 2)
    if (low + step <= n_limits && x > limits[low + step - 1])
      low += step;

  return (guint16) low;
}

/* The nearest of k levels for each weight; k is a power of two. */
static void
find_codes (const float *x,
            gsize        n,
            const float *levels,
            gsize        k,
            guint16     *codes)
{
  float limits[MOST_LEVELS];

  for (gsize c = 0; c + 1 < k; c++)
    limits[c] = 0.5f * (levels[c] + levels[c + 1]);

  for (gsize begin = 0; begin < n && k <= 32; begin += PIECE)
    count_limits (x + begin, MIN (PIECE, n - begin), limits, k - 1, codes + begin);
  for (gsize j = 0; j < n && k > 32; j++)
    codes[j] = search_limits (x[j], limits, k - 1);
}

typedef struct
{
  float   magnitude;
  guint32 column;
} Outlier;

static int
compare_outliers (gconstpointer a,
                  gconstpointer b)
{
  const Outlier *x = a;
  const Outlier *y = b;

  if (x->magnitude != y->magnitude)
    return x->magnitude < y->magnitude ? 1 : -1;

  return (x->column > y->column) - (x->column < y->column);
}

/* Puts aside the weights of largest magnitude; rest: (out): [columns] what is left, in order.
 *
 * Returns: (transfer full): the outliers first, in descending order */
static Outlier *
split_outliers (const float *x,
                const float *weights,
                gsize        columns,
                gsize        n_outliers,
                float       *rest,
                float       *rest_weights)
{
  Outlier *outliers = g_new (Outlier, columns);
  g_autofree guint8 *apart = g_malloc0 (columns);
  gsize n = 0;

  for (gsize j = 0; j < columns; j++)
    outliers[j] = (Outlier) { fabsf (x[j]), (guint32) j };
  qsort (outliers, columns, sizeof (Outlier), compare_outliers);

  for (gsize i = 0; i < n_outliers; i++)
    apart[outliers[i].column] = 1;
  for (gsize j = 0; j < columns; j++)
    if (!apart[j])
      {
        rest[n] = x[j];
        rest_weights[n++] = weights[j];
      }

  return outliers;
}

static void
store_outliers (const float   *x,
                const Outlier *outliers,
                gsize          n,
                guint16       *row_codes,
                guint8        *bytes)
{
  for (gsize i = 0; i < n; i++)
    {
      guint32 column = outliers[i].column;

      store_half (bytes + 2 * i, round_offset (x[column]));
      for (gsize k = 0; k < sizeof column; k++)
        bytes[2 * n + sizeof column * i + k] = (guint8) (column >> 8 * k);
      row_codes[column] = 0;
    }
}

/* A row with levels of its own. */
static void
encode_row (const TareFormat *self,
            gboolean          search,
            const float      *x,
            const float      *weights,
            gsize             columns,
            guint8           *codes)
{
  gsize k = count_levels (self), n_outliers = count_outliers (self, columns);
  gsize book_at = count_packed_bytes (columns, self->bits);
  g_autofree guint16 *row_codes = g_new (guint16, MAX (columns, 1));
  g_autoptr(TarePoints) points = _tare_points_new (columns);
  float levels[MOST_LEVELS];

  if (n_outliers > 0)
    {
      g_autofree float *rest = g_new (float, columns);
      g_autofree float *rest_weights = g_new (float, columns);
      g_autofree Outlier *outliers = split_outliers (x, weights, columns, n_outliers, rest,
                                                     rest_weights);

      _tare_points_take (points, rest, rest_weights, columns - n_outliers);
      fit_levels (points, search, k, levels);
      find_codes (x, columns, levels, k, row_codes);
      store_outliers (x, outliers, n_outliers, row_codes, codes + book_at + 2 * k);
    }
  else
    {
      _tare_points_take (points, x, weights, columns);
      fit_levels (points, search, k, levels);
      find_codes (x, columns, levels, k, row_codes);
    }

  pack_codes (row_codes, columns, self->bits, codes);
  store_levels (levels, k, codes + book_at);
}

/* levels: [16], or 2^bits if that is more */
static void
decode_codes (const guint8 *codes,
              gsize         columns,
              guint         bits,
              const float  *levels,
              float        *y)
{
  for (gsize begin = 0; begin < columns; begin += PIECE)
    {
      gsize n = MIN (PIECE, columns - begin);
      guint8 piece[PIECE];

      _tare_unpack (codes + begin / 8 * bits, n, bits, piece);
      if (bits <= 4)
        _tare_codebook_look_up (levels, piece, n, y + begin);

      #pragma GCC unroll 8
      for (gsize j = 0; bits > 4 && j < n; j++)
        y[begin + j] = levels[piece[j]];
    }
}

static void
decode_row (const TareFormat *self,
            const guint8     *codes,
            gsize             columns,
            float            *y)
{
  gsize k = count_levels (self), n_outliers = count_outliers (self, columns);
  const guint8 *book = codes + count_packed_bytes (columns, self->bits);
  float levels[MOST_LEVELS];

  load_levels (book, k, levels);
  decode_codes (codes, columns, self->bits, levels, y);

  for (gsize i = 0; i < n_outliers; i++)
    {
      const guint8 *value = book + 2 * (k + i);
      const guint8 *bytes = book + 2 * (k + n_outliers) + sizeof (guint32) * i;
      guint32 column = (guint32) bytes[0] | (guint32) bytes[1] << 8 | (guint32) bytes[2] << 16 |
                       (guint32) bytes[3] << 24;

      if (column < columns)
        y[column] = load_half (value);
    }
}

/* Sums of weights and of weighted values. */
typedef struct
{
  double w;
  double wx;
} Bin;

/* In the order of the values. */
TARE_INLINE guint32
find_bin (float x)
{
  guint32 bits = tare_float_to_bits (x);

  bits = bits >> 31 ? ~bits : bits | 0x80000000u;

  return bits >> BIN_SHIFT;
}

/* Points of few weights: all of them. */
static TarePoints *
sort_band (const TareMatrix *matrix,
           const guint8     *book,
           gsize             band,
           gsize             n_rows)
{
  gsize columns = matrix->columns, n = 0;
  g_autofree float *x = g_new (float, MAX (n_rows * columns, 1));
  g_autofree float *w = g_new (float, MAX (n_rows * columns, 1));
  TarePoints *points = _tare_points_new (n_rows * columns);

  for (gsize i = 0; i < matrix->rows; i++)
    if (book == NULL || book[i] == band)
      {
        memcpy (x + n, matrix->x + i * columns, columns * sizeof (float));
        memcpy (w + n, matrix->weights, columns * sizeof (float));
        n += columns;
      }
  _tare_points_take (points, x, w, n);

  return points;
}

/* Points of many weights: the means of those that are alike. Returns: (nullable): %NULL if
 * cancelled */
static TarePoints *
bin_band (const TareMatrix  *matrix,
          const guint8      *book,
          gsize              band,
          GError           **error)
{
  g_autofree Bin *bins = g_new0 (Bin, N_BINS);
  TarePoints *points;
  gsize n = 0, since = 0;

  for (gsize i = 0; i < matrix->rows; i++)
    {
      const float *x = matrix->x + i * matrix->columns;

      if (book != NULL && book[i] != band)
        continue;

      since += matrix->columns;
      if (since >= BAND)
        {
          since = 0;
          if (!tare_progress_step (matrix->progress, 0.0, NULL, error))
            return NULL;
        }

      for (gsize j = 0; j < matrix->columns; j++)
        {
          Bin *bin = &bins[find_bin (x[j])];

          bin->w += (double) matrix->weights[j];
          bin->wx += (double) matrix->weights[j] * (double) x[j];
        }
    }

  for (gsize b = 0; b < N_BINS; b++)
    n += bins[b].w > 0.0;

  points = _tare_points_new (n);
  for (gsize b = 0; b < N_BINS; b++)
    if (bins[b].w > 0.0)
      {
        points->values[points->n] = bins[b].wx / bins[b].w;
        points->weights[points->n++] = bins[b].w;
      }

  return points;
}

/* The ends of the weights of a band. */
static void
find_ends (const TareMatrix *matrix,
           const guint8     *book,
           gsize             band,
           double           *ends)
{
  ends[0] = INFINITY;
  ends[1] = -INFINITY;

  for (gsize i = 0; i < matrix->rows; i++)
    {
      const float *x = matrix->x + i * matrix->columns;

      for (gsize j = 0; (book == NULL || book[i] == band) && j < matrix->columns; j++)
        {
          ends[0] = MIN (ends[0], (double) x[j]);
          ends[1] = MAX (ends[1], (double) x[j]);
        }
    }
}

typedef struct
{
  double spread;
  gsize  row;
} Spread;

static int
compare_spreads (gconstpointer a,
                 gconstpointer b)
{
  const Spread *x = a;
  const Spread *y = b;

  if (x->spread != y->spread)
    return x->spread < y->spread ? -1 : 1;

  return (x->row > y->row) - (x->row < y->row);
}

/* Rows in the order of their standard deviations, as many to each book. */
static void
order_rows (const TareMatrix *matrix,
            gsize             n_books,
            guint8           *book)
{
  g_autofree Spread *spreads = g_new (Spread, matrix->rows);

  #pragma omp parallel for schedule (static) if (matrix->rows * matrix->columns > PARALLEL)
  for (gsize i = 0; i < matrix->rows; i++)
    {
      const float *x = matrix->x + i * matrix->columns;
      double sum = 0.0, squares = 0.0, mean;

      for (gsize j = 0; j < matrix->columns; j++)
        sum += (double) x[j];
      mean = sum / (double) matrix->columns;
      for (gsize j = 0; j < matrix->columns; j++)
        squares += ((double) x[j] - mean) * ((double) x[j] - mean);
      spreads[i] = (Spread) { squares, i };
    }

  qsort (spreads, matrix->rows, sizeof (Spread), compare_spreads);
  for (gsize i = 0; i < matrix->rows; i++)
    book[spreads[i].row] = (guint8) (i * n_books / matrix->rows);
}

/* Values that a book holds while rows are sorted into books. */
typedef struct
{
  gsize  n;
  double values[MOST_LEVELS];
} Book;

/* Returns: how many of the points the book lacks, unless they are added. */
static gsize
find_missing (Book             *book,
              const TarePoints *points,
              gboolean          add)
{
  gsize missing = 0;

  for (gsize i = 0; i < points->n; i++)
    {
      gboolean found = FALSE;

      for (gsize c = 0; c < book->n && !found; c++)
        found = book->values[c] == points->values[i];
      if (!found && add)
        book->values[book->n++] = points->values[i];
      missing += !found;
    }

  return missing;
}

/* Rows that were decoded once have few values each and find their books again by them.
 *
 * Returns: whether all of them do */
static gboolean
match_rows (const TareMatrix *matrix,
            gsize             n_books,
            gsize             k,
            guint8           *book)
{
  g_autofree Book *books = g_new0 (Book, n_books);
  g_autoptr(TarePoints) points = _tare_points_new (matrix->columns);

  for (gsize i = 0; i < matrix->rows; i++)
    {
      gsize best = n_books, least = G_MAXSIZE;

      _tare_points_take (points, matrix->x + i * matrix->columns, NULL, matrix->columns);
      if (points->n > k)
        return FALSE;

      for (gsize b = 0; b < n_books; b++)
        {
          gsize missing = find_missing (&books[b], points, FALSE);

          if (books[b].n + missing <= k && missing < least)
            {
              least = missing;
              best = b;
            }
        }
      if (best == n_books)
        return FALSE;

      find_missing (&books[best], points, TRUE);
      book[i] = (guint8) best;
    }

  return TRUE;
}

/* The levels of one book, which stay zero where no row goes by it. */
static gboolean
fit_book (const TareMatrix  *matrix,
          const guint8      *book,
          gsize              band,
          gsize              k,
          float             *levels,
          GError           **error)
{
  g_autoptr(TarePoints) points = NULL;
  gsize n_rows = 0;

  for (gsize i = 0; i < matrix->rows; i++)
    n_rows += book == NULL || book[i] == band;
  if (n_rows == 0)
    return TRUE;

  if (matrix->range == TARE_RANGE_MINIMUM_MAXIMUM)
    {
      double ends[2];

      find_ends (matrix, book, band, ends);
      span_levels (ends[0], ends[1], k, levels);
      return TRUE;
    }

  points = n_rows * matrix->columns <= FEW ? sort_band (matrix, book, band, n_rows)
                                           : bin_band (matrix, book, band, error);
  if (points == NULL)
    return FALSE;

  fit_levels (points, TRUE, k, levels);

  return TRUE;
}

static gboolean
fit (const TareFormat  *self,
     const TareMatrix  *matrix,
     guint8            *parameters,
     GError           **error)
{
  gsize n_books = get_cluster (self)->n_books, k = count_levels (self);
  guint8 *book = n_books > 1 ? parameters + n_books * k * sizeof (guint16) : NULL;

  if (book != NULL && !match_rows (matrix, n_books, k, book))
    order_rows (matrix, n_books, book);

  for (gsize b = 0; b < n_books; b++)
    {
      float levels[MOST_LEVELS] = { 0.0f };

      if (!tare_progress_step (matrix->progress, 0.0, NULL, error)
          || !fit_book (matrix, book, b, k, levels, error))
        return FALSE;
      store_levels (levels, k, parameters + b * k * sizeof (guint16));
    }

  return TRUE;
}

static void
load_book (const TareFormat *self,
           const guint8     *parameters,
           gsize             row,
           float            *levels)
{
  gsize n_books = get_cluster (self)->n_books, k = count_levels (self);
  gsize book = n_books > 1 ? parameters[n_books * k * sizeof (guint16) + row] : 0;

  load_levels (parameters + MIN (book, n_books - 1) * k * sizeof (guint16), k, levels);
}

static void
encode_matrix_row (const TareFormat *self,
                   const TareMatrix *matrix,
                   gsize             row,
                   const guint8     *parameters,
                   guint8           *codes)
{
  g_autofree guint16 *row_codes = g_new (guint16, MAX (matrix->columns, 1));
  float levels[MOST_LEVELS];

  load_book (self, parameters, row, levels);
  find_codes (matrix->x + row * matrix->columns, matrix->columns, levels, count_levels (self),
              row_codes);
  pack_codes (row_codes, matrix->columns, self->bits, codes);
}

static void
decode_matrix_row (const TareFormat *self,
                   const guint8     *parameters,
                   gsize             row,
                   const guint8     *codes,
                   gsize             columns,
                   float            *y)
{
  float levels[MOST_LEVELS];

  load_book (self, parameters, row, levels);
  decode_codes (codes, columns, self->bits, levels, y);
}

/* Those of the plain rule: what a search finds depends on all weights. */
static gsize
get_levels (const TareFormat *self,
            float             minimum,
            float             maximum,
            float            *levels)
{
  span_levels ((double) minimum, (double) maximum, count_levels (self), levels);

  return count_levels (self);
}

#define ROW_CLUSTER(name, n)                                                              \
  static const Cluster cluster_##name = {                                                 \
    .parent = { .get_row_bytes = get_row_bytes, .encode_row = encode_row,                 \
                .decode_row = decode_row, .get_levels = get_levels },                     \
    .outliers = n,                                                                        \
  }
#define MATRIX_CLUSTER(name, n)                                                           \
  static const Cluster cluster_##name = {                                                 \
    .parent = { .get_row_bytes = get_row_bytes, .get_levels = get_levels, .fit = fit,     \
                .get_parameter_bytes = get_parameter_bytes,                               \
                .encode_matrix_row = encode_matrix_row,                                   \
                .decode_matrix_row = decode_matrix_row },                                 \
    .n_books = n,                                                                         \
  }

MATRIX_CLUSTER (tensor, 1);
MATRIX_CLUSTER (bands, 16);
ROW_CLUSTER (channel, 0);
ROW_CLUSTER (sparse, 222);

#define CLUSTER(id, label, description, bits, cluster, per_tensor)                        \
  { id, label, description, TARE_FORMAT_FAMILY_CODEBOOK, bits, 0, 1, -1,                  \
    TARE_CONTAINER_TARE, NULL, &cluster.parent, FALSE, per_tensor }
#define CLUSTER_TENSOR(b)                                                                 \
  CLUSTER ("kmeans" #b "_tensor", "K-means " #b "-bit tensor",                            \
           N_("The best " #b "-bit codebook for the whole matrix"), b, cluster_tensor,    \
           TRUE)
#define CLUSTERS(b)                                                                       \
  CLUSTER ("kmeans" #b "_channel", "K-means " #b "-bit channel",                          \
           N_("The best " #b "-bit codebook for each output"), b, cluster_channel,        \
           FALSE),                                                                        \
  CLUSTER ("kmeans" #b "_sparse", "K-means " #b "-bit sparse",                            \
           N_("The best " #b "-bit codebook for each output, few weights kept apart"), b, \
           cluster_sparse, FALSE),                                                        \
  CLUSTER ("kmeans" #b "_bands", "K-means " #b "-bit bands",                              \
           N_("The best " #b "-bit codebooks for 16 bands of outputs of like spread"), b, \
           cluster_bands, FALSE),                                                         \
  CLUSTER_TENSOR (b)

static const TareFormat formats[] = {
  CLUSTER_TENSOR (8),
  CLUSTER_TENSOR (6),
  CLUSTER_TENSOR (5),
  CLUSTERS (4),
  CLUSTERS (3),
  CLUSTERS (2),
};

/**
 * _tare_format_list_clusters:
 * @list: (inout): the table of formats
 *
 * Adds the formats whose levels are fitted to the weights.
 */
void
_tare_format_list_clusters (GPtrArray *list)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    g_ptr_array_add (list, (gpointer) &formats[i]);
}
