/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/**
 * BenchFunc:
 * @json: an object that is open; members are added to it
 * @quick: whether a smoke test asks, which wants every path run once and no figures
 */
typedef void (*BenchFunc) (JsonBuilder *json,
                           gboolean     quick);

typedef void (*BenchBody) (gpointer data);

gboolean bench_wants          (const char  *name);
double   bench_time           (BenchBody    body,
                               gpointer     data,
                               gboolean     quick);
double   bench_memcpy_seconds (gsize        bytes,
                               gboolean     quick);
void     bench_add_number     (JsonBuilder *json,
                               const char  *name,
                               double       value);

void     bench_calibration    (JsonBuilder *json,
                               gboolean     quick);
void     bench_codec          (JsonBuilder *json,
                               gboolean     quick);
void     bench_evaluate       (JsonBuilder *json,
                               gboolean     quick);
void     bench_forward        (JsonBuilder *json,
                               gboolean     quick);
void     bench_pyramid        (JsonBuilder *json,
                               gboolean     quick);
void     bench_gradient       (JsonBuilder *json,
                               gboolean     quick);
void     bench_statistics     (JsonBuilder *json,
                               gboolean     quick);
void     bench_tokenizer      (JsonBuilder *json,
                               gboolean     quick);

G_END_DECLS
