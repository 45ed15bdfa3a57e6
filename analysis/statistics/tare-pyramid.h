/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/* Rows and columns of a matrix that one cell of the finest level stands for. */
#define TARE_PYRAMID_BASE 8

/**
 * TareRowsFunc:
 * @data: the closure
 * @first: the first row
 * @n: how many
 * @out: (out caller-allocates): @n x columns numbers
 * @error: return location for an error
 *
 * Gives rows of a matrix, such as the error that a format makes. Called from several threads at
 * once.
 *
 * Returns: %FALSE with @error set
 */
typedef gboolean (*TareRowsFunc) (gpointer   data,
                                  gsize      first,
                                  gsize      n,
                                  float     *out,
                                  GError   **error);

/**
 * TarePool:
 * @row: the first row
 * @n_rows: how many
 * @column: the first column
 * @n_columns: how many
 * @width: values that are wanted along the columns, from 1 to @n_columns
 * @height: values that are wanted along the rows, from 1 to @n_rows
 *
 * A part of a matrix, and how finely it is looked at. Value i of a line stands for the columns from
 * i * @n_columns / @width, rounded down, to before those of value i + 1; lines likewise.
 */
typedef struct
{
  gsize row;
  gsize n_rows;
  gsize column;
  gsize n_columns;
  gsize width;
  gsize height;
} TarePool;

typedef struct _TarePyramid TarePyramid;

TarePyramid *tare_pyramid_build       (const TareTensor    *tensor,
                                       const TareProgress  *progress,
                                       GError             **error);
TarePyramid *tare_pyramid_build_rows  (gsize                rows,
                                       gsize                columns,
                                       TareRowsFunc         func,
                                       gpointer             data,
                                       const TareProgress  *progress,
                                       GError             **error);
TarePyramid *tare_pyramid_ref         (TarePyramid         *self);
void         tare_pyramid_unref       (TarePyramid         *self);
gsize        tare_pyramid_get_rows    (const TarePyramid   *self);
gsize        tare_pyramid_get_columns (const TarePyramid   *self);
float        tare_pyramid_get_extreme (const TarePyramid   *self);
gboolean     tare_pyramid_sample      (const TarePyramid   *self,
                                       const TarePool      *pool,
                                       float               *out);
gboolean     tare_pool_rows           (gsize                columns,
                                       TareRowsFunc         func,
                                       gpointer             data,
                                       const TarePool      *pool,
                                       const TareProgress  *progress,
                                       float               *out,
                                       GError             **error);
gboolean     tare_pool_tensor         (const TareTensor    *tensor,
                                       const TarePool      *pool,
                                       const TareProgress  *progress,
                                       float               *out,
                                       GError             **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TarePyramid, tare_pyramid_unref)

G_END_DECLS
