/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

char     *tare_test_shared        (const char   *name);
char     *tare_test_source        (const char   *name);
char     *tare_test_temporary     (const char   *name);
char     *tare_test_folder        (const char   *name);
char     *tare_test_write_excerpt (const char   *name,
                                   gsize         length);
void      tare_test_copy_changed  (const char   *from,
                                   const char   *to,
                                   const char   *old,
                                   const char   *other);
float    *tare_test_load_floats   (const char   *path,
                                   gsize        *n);
GBytes   *tare_test_load_bytes    (const char   *path);
double    tare_test_difference    (const float  *a,
                                   const float  *b,
                                   gsize         n);
guint64   tare_test_hash          (gconstpointer data,
                                   gsize         n);
void      tare_test_fill_gaussian (float        *x,
                                   gsize         n,
                                   guint32       seed);

/* Leaves the test, which counts as skipped, where the reference data is not beside the project. */
#define TARE_TEST_NEED_SHARED(variable, name)                                          \
  g_autofree char *variable = tare_test_shared (name);                                 \
  if (variable == NULL)                                                                \
    {                                                                                  \
      g_test_skip ("no reference data: " name);                                        \
      return;                                                                          \
    }

G_END_DECLS
