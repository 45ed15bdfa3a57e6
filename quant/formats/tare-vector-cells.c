/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-vector-means-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/tare-simd.h"

/* The nearest of many short vectors. A book in order has neighbours together: every few centroids
 * are a cell with a box around them, and only the cells whose box is no further than what was found
 * are looked into. The order is that of the leaves of a k-d tree (Friedman, Bentley, Finkel, An
 * Algorithm for Finding Best Matches in Logarithmic Expected Time, 1977); with all boxes measured
 * at once, its branches would gain nothing. */

/* Centroids of a cell, and cells whose boxes are compared at once. */
#define CELL 32
#define BLOCK 16

/* Books smaller than this are compared as they are. */
#define LEAST_CENTROIDS 1024

/* Distances to boxes are a little less than they are said to be, since sums are rounded. */
#define SLACK 0.99999f

/**
 * TareVectorCells:
 * @length: of a centroid
 * @n: how many cells
 * @points: [n][length][CELL]
 * @low: [length][n], the least coordinates of each cell
 * @high: [length][n], and the greatest
 */
struct _TareVectorCells
{
  gsize  length;
  gsize  n;
  float *points;
  float *low;
  float *high;
};

/**
 * _tare_vector_cells_suit:
 * @k: how many centroids
 *
 * Returns: whether cells are worth their while, and can be made
 */
gboolean
_tare_vector_cells_suit (gsize k)
{
  return k >= LEAST_CENTROIDS && k % (CELL * BLOCK) == 0;
}

typedef struct
{
  float key;
  float x[TARE_VECTOR_MAX];
} Entry;

static int
compare_entries (gconstpointer a,
                 gconstpointer b)
{
  float x = ((const Entry *) a)->key;
  float y = ((const Entry *) b)->key;

  return (x > y) - (x < y);
}

/* Halves entries by the coordinate in which they spread most, down to cells. */
static void
sort_entries (Entry *entries,
              gsize  n,
              gsize  length)
{
  gsize widest = 0;
  float most = -1.0f;

  if (n <= CELL)
    return;

  for (gsize d = 0; d < length; d++)
    {
      float low = INFINITY, high = -INFINITY;

      for (gsize i = 0; i < n; i++)
        {
          low = MIN (low, entries[i].x[d]);
          high = MAX (high, entries[i].x[d]);
        }
      if (high - low > most)
        {
          most = high - low;
          widest = d;
        }
    }

  for (gsize i = 0; i < n; i++)
    entries[i].key = entries[i].x[widest];
  qsort (entries, n, sizeof (Entry), compare_entries);

  sort_entries (entries, n / 2, length);
  sort_entries (entries + n / 2, n - n / 2, length);
}

/**
 * _tare_vector_cells_sort:
 * @book: (inout): k x length
 * @length: of each centroid
 * @k: how many there are
 *
 * Puts centroids in an order in which neighbours lie together.
 */
void
_tare_vector_cells_sort (float *book,
                        gsize  length,
                        gsize  k)
{
  g_autofree Entry *entries = g_new (Entry, MAX (k, 1));

  for (gsize c = 0; c < k; c++)
    memcpy (entries[c].x, book + c * length, length * sizeof (float));
  sort_entries (entries, k, length);
  for (gsize c = 0; c < k; c++)
    memcpy (book + c * length, entries[c].x, length * sizeof (float));
}

/**
 * _tare_vector_cells_new:
 * @book: k x length, in any order, best in that of _tare_vector_cells_sort()
 * @length: of each centroid
 * @k: how many, for which _tare_vector_cells_suit()
 *
 * Returns: (transfer full): what searches it
 */
TareVectorCells *
_tare_vector_cells_new (const float *book,
                        gsize        length,
                        gsize        k)
{
  TareVectorCells *self = g_new0 (TareVectorCells, 1);
  gsize n = k / CELL;

  self->length = length;
  self->n = n;
  self->points = g_new (float, k * length);
  self->low = g_new (float, n * length);
  self->high = g_new (float, n * length);

  for (gsize cell = 0; cell < n; cell++)
    for (gsize d = 0; d < length; d++)
      {
        const float *in = book + cell * CELL * length + d;
        float *out = self->points + (cell * length + d) * CELL;
        float low = INFINITY, high = -INFINITY;

        for (gsize i = 0; i < CELL; i++)
          {
            out[i] = in[i * length];
            low = MIN (low, out[i]);
            high = MAX (high, out[i]);
          }
        self->low[d * n + cell] = low;
        self->high[d * n + cell] = high;
      }

  return self;
}

void
_tare_vector_cells_free (TareVectorCells *self)
{
  if (self == NULL)
    return;

  g_free (self->points);
  g_free (self->low);
  g_free (self->high);
  g_free (self);
}

/* What was found so far. */
typedef struct
{
  const float *x;
  float        least;
  gsize        best;
} Search;

/* No more than the squared distances to the centroids in each box. */
TARE_INLINE void
measure_boxes (const TareVectorCells *self,
               const float           *x,
               float                 *distances)
{
  gsize n = self->n;

  for (gsize c = 0; c < n; c++)
    distances[c] = 0.0f;

  for (gsize d = 0; d < self->length; d++)
    {
      const float *low = self->low + d * n;
      const float *high = self->high + d * n;

      #pragma omp simd
      for (gsize c = 0; c < n; c++)
        {
          float below = low[c] - x[d], above = x[d] - high[c];
          float outside = below > above ? below : above;

          outside = outside > 0.0f ? outside : 0.0f;
          distances[c] += SLACK * outside * outside;
        }
    }
}

/* blocks: (out): the least distance in each block. Returns: the nearest cell */
TARE_INLINE gsize
find_nearest (const float *distances,
              gsize        n_blocks,
              float       *blocks)
{
  gsize nearest = 0, cell;

  for (gsize b = 0; b < n_blocks; b++)
    {
      float least = INFINITY;

      #pragma omp simd reduction (min : least)
      for (gsize c = b * BLOCK; c < (b + 1) * BLOCK; c++)
        least = distances[c] < least ? distances[c] : least;
      blocks[b] = least;
      nearest = least < blocks[nearest] ? b : nearest;
    }

  cell = nearest * BLOCK;
  while (distances[cell] > blocks[nearest])
    cell++;

  return cell;
}

/* Looks into a cell. Of several centroids that are as near the first is found. */
TARE_INLINE void
search_cell (const TareVectorCells *self,
             gsize                  cell,
             Search                *search)
{
  const float *points = self->points + cell * CELL * self->length;
  float sums[CELL] = { 0.0f }, least = INFINITY;

  for (gsize d = 0; d < self->length; d++)
    {
      #pragma omp simd
      for (gsize i = 0; i < CELL; i++)
        sums[i] += (search->x[d] - points[d * CELL + i]) * (search->x[d] - points[d * CELL + i]);
    }

  #pragma omp simd reduction (min : least)
  for (gsize i = 0; i < CELL; i++)
    least = sums[i] < least ? sums[i] : least;
  if (least > search->least)
    return;

  for (gsize i = 0; i < CELL; i++)
    if (sums[i] < search->least || (sums[i] == search->least && cell * CELL + i < search->best))
      {
        search->least = sums[i];
        search->best = cell * CELL + i;
      }
}

/* distances: [n + n / BLOCK] of scratch */
TARE_CLONES static void
search_cells (const TareVectorCells *self,
              Search                *search,
              float                 *distances)
{
  gsize n_blocks = self->n / BLOCK, nearest;
  float *blocks = distances + self->n;

  measure_boxes (self, search->x, distances);
  nearest = find_nearest (distances, n_blocks, blocks);
  search_cell (self, nearest, search);

  for (gsize b = 0; b < n_blocks; b++)
    for (gsize c = b * BLOCK; blocks[b] <= search->least && c < (b + 1) * BLOCK; c++)
      if (distances[c] <= search->least && c != nearest)
        search_cell (self, c, search);
}

/**
 * _tare_vector_cells_assign:
 * @self: a book to search
 * @x: n x length
 * @n: how many vectors
 * @codes: (out caller-allocates): n, the first of the nearest centroids
 * @errors: (nullable) (out caller-allocates): n, the squared distances to them
 *
 * Finds the nearest centroid of each vector, the same as _tare_vectors_assign().
 */
void
_tare_vector_cells_assign (const TareVectorCells *self,
                           const float           *x,
                           gsize                  n,
                           guint16               *codes,
                           float                 *errors)
{
  g_autofree float *distances = g_new (float, self->n + self->n / BLOCK);

  for (gsize i = 0; i < n; i++)
    {
      Search search = { x + i * self->length, INFINITY, 0 };

      search_cells (self, &search, distances);
      codes[i] = (guint16) search.best;
      if (errors != NULL)
        errors[i] = search.least;
    }
}
