/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * TareProgressFunc:
 * @fraction: how much of the whole is done, from 0 to 1
 * @stage: what is being done, translated, or %NULL when it has not changed
 * @data: the closure
 *
 * Called from the thread that works, often: it must return at once.
 */
typedef void (*TareProgressFunc) (double      fraction,
                                  const char *stage,
                                  gpointer    data);

/**
 * TareProgress:
 * @cancellable: (nullable): checked at every step
 * @func: (nullable): told of every step
 * @data: closure of @func
 * @begin: where in the whole this part of the work begins
 * @end: where it ends
 *
 * What the caller of long work hands down to it. A %NULL progress is never cancelled and tells
 * nobody, so the engine needs no second path for tests and one-shot commands.
 */
typedef struct
{
  GCancellable     *cancellable;
  TareProgressFunc  func;
  gpointer          data;
  double            begin;
  double            end;
} TareProgress;

#define TARE_PROGRESS_INIT(cancellable_, func_, data_) \
  { .cancellable = (cancellable_), .func = (func_), .data = (data_), .begin = 0.0, .end = 1.0 }

gboolean     tare_progress_step      (const TareProgress  *self,
                                      double               fraction,
                                      const char          *stage,
                                      GError             **error);
gboolean     tare_progress_cancelled (const TareProgress  *self);
TareProgress tare_progress_part      (const TareProgress  *self,
                                      double               begin,
                                      double               end);

G_END_DECLS
