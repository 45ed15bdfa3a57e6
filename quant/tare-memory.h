/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareBudget:
 * @memory: bytes of memory that may still be taken
 * @disk: bytes of temporary files that may still be taken, where memory does not suffice
 *
 * What long work may use beside the weights at hand. Whoever takes room takes it from here.
 */
typedef struct
{
  guint64 memory;
  guint64 disk;
} TareBudget;

guint64     tare_memory_get_available       (void);
guint64     tare_memory_get_resident        (void);
guint64     tare_memory_get_default         (void);
const char *tare_memory_get_directory       (void);
guint64     tare_memory_get_available_disk  (void);
TareBudget  tare_budget_new                 (guint64  memory,
                                             guint64  needed);

G_END_DECLS
