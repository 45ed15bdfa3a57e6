/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-statistics-cache.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <utime.h>

/* Smaller tensors are read faster than a cached file is opened. */
#define LEAST_BYTES (G_GUINT64_CONSTANT (256) << 10)

/* Where nothing else is said: statistics of some thousand tensors. */
#define DEFAULT_LIMIT (G_GUINT64_CONSTANT (256) << 20)

/* How much is left when the limit has been reached: three quarters. */
#define KEPT_QUARTERS 3

/* Places of a tensor that are compared, and bytes at each. */
#define SAMPLES      16
#define SAMPLE_BYTES 4096

#define KEY_LENGTH 32
#define SUFFIX     ".statistics"

struct _TareStatisticsCache
{
  char    *folder;
  guint64  limit;
  GMutex   mutex;
  guint64  bytes;
  gboolean counted;
};

/* A file of the cache. */
typedef struct
{
  char    *path;
  guint64  bytes;
  gint64   used;
} Entry;

static void
entry_clear (gpointer data)
{
  Entry *entry = data;

  g_free (entry->path);
}

/**
 * tare_statistics_cache_new:
 * @folder: where to, which is made when it is needed
 * @limit: bytes that its files may take; those that have not been used longest are removed
 *
 * Returns: (transfer full): a cache, with what the folder has already
 */
TareStatisticsCache *
tare_statistics_cache_new (const char *folder,
                           guint64     limit)
{
  TareStatisticsCache *self;

  g_return_val_if_fail (folder != NULL, NULL);

  self = g_new0 (TareStatisticsCache, 1);
  self->folder = g_strdup (folder);
  self->limit = limit;
  g_mutex_init (&self->mutex);

  return self;
}

/**
 * tare_statistics_cache_free:
 * @self: (transfer full): the cache, whose files stay
 */
void
tare_statistics_cache_free (TareStatisticsCache *self)
{
  g_return_if_fail (self != NULL);

  g_mutex_clear (&self->mutex);
  g_free (self->folder);
  g_free (self);
}

/**
 * tare_statistics_cache_get_default:
 *
 * Returns: (transfer none): the cache beside the user's other caches, of at most 256 MB
 */
TareStatisticsCache *
tare_statistics_cache_get_default (void)
{
  static TareStatisticsCache *cache;

  if (g_once_init_enter (&cache))
    {
      g_autofree char *folder = g_build_filename (g_get_user_cache_dir (), "tare", "statistics",
                                                  NULL);

      g_once_init_leave (&cache, tare_statistics_cache_new (folder, DEFAULT_LIMIT));
    }

  return cache;
}

static void
hash_numbers (GChecksum     *checksum,
              const guint64 *numbers,
              gsize          n)
{
  g_checksum_update (checksum, (const guchar *) numbers, (gssize) (n * sizeof *numbers));
}

/* What the file is: %FALSE where it is none. */
static gboolean
hash_file (GChecksum *checksum,
           TareFile  *file)
{
  struct stat status;

  if (stat (tare_file_get_path (file), &status) != 0
      || (guint64) status.st_size != tare_file_get_size (file))
    return FALSE;

  hash_numbers (checksum, (const guint64[]) {
    (guint64) status.st_dev, (guint64) status.st_ino, (guint64) status.st_size,
    (guint64) status.st_mtim.tv_sec, (guint64) status.st_mtim.tv_nsec,
  }, 5);

  return TRUE;
}

static void
hash_sample (GChecksum        *checksum,
             const TareTensor *tensor)
{
  const guint8 *data = tare_file_get_data (tensor->file) + tensor->offset;

  for (guint64 i = 0; i < SAMPLES; i++)
    {
      guint64 first = (tensor->bytes - SAMPLE_BYTES) / (SAMPLES - 1) * i;

      g_checksum_update (checksum, data + first, SAMPLE_BYTES);
    }
}

/* Fails for what is not worth keeping, or cannot be known again. */
static gboolean
make_key (const TareTensor *tensor,
          guint8            key[KEY_LENGTH])
{
  g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  const guint64 numbers[] = {
    tensor->offset, tensor->bytes, tensor->rows, tensor->columns, tensor->head_rows,
    tensor->head_groups, (guint64) tensor->transposed,
  };
  gsize length = KEY_LENGTH;

  if (tensor->bytes < LEAST_BYTES || !hash_file (checksum, tensor->file)
      || tensor->offset > tare_file_get_size (tensor->file)
      || tensor->bytes > tare_file_get_size (tensor->file) - tensor->offset)
    return FALSE;

  hash_numbers (checksum, numbers, G_N_ELEMENTS (numbers));
  g_checksum_update (checksum, (const guchar *) tensor->type_name, -1);
  hash_sample (checksum, tensor);
  g_checksum_get_digest (checksum, key, &length);

  return TRUE;
}

static char *
make_path (TareStatisticsCache *self,
           const guint8         key[KEY_LENGTH])
{
  g_autoptr(GString) name = g_string_new (NULL);

  for (gsize i = 0; i < KEY_LENGTH; i++)
    g_string_append_printf (name, "%02x", key[i]);
  g_string_append (name, SUFFIX);

  return g_build_filename (self->folder, name->str, NULL);
}

/**
 * tare_statistics_cache_get:
 * @self: the cache
 * @tensor: a tensor
 *
 * Returns: (transfer full) (nullable): its statistics, %NULL where they are not known
 */
TareStatistics *
tare_statistics_cache_get (TareStatisticsCache *self,
                           const TareTensor    *tensor)
{
  g_autofree char *path = NULL;
  g_autofree char *contents = NULL;
  guint8 key[KEY_LENGTH];
  gsize length = 0;
  TareStatistics *statistics;

  g_return_val_if_fail (self != NULL && tensor != NULL, NULL);

  if (!make_key (tensor, key))
    return NULL;

  path = make_path (self, key);
  if (!g_file_get_contents (path, &contents, &length, NULL))
    return NULL;

  statistics = tare_statistics_from_bytes ((const guint8 *) contents, length, key, sizeof key,
                                           tensor->rows, tensor->columns);
  if (statistics != NULL)
    g_utime (path, NULL);
  else
    g_unlink (path);

  return statistics;
}

/* (transfer full): the files of the cache */
static GArray *
list_entries (TareStatisticsCache *self)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_autoptr(GDir) folder = g_dir_open (self->folder, 0, NULL);
  const char *name;

  g_array_set_clear_func (entries, entry_clear);
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->folder, name, NULL);
      GStatBuf status;
      Entry entry;

      if (!g_str_has_suffix (name, SUFFIX) || g_stat (path, &status) != 0)
        continue;
      entry = (Entry) { g_steal_pointer (&path), (guint64) status.st_size, status.st_mtime };
      g_array_append_val (entries, entry);
    }

  return entries;
}

static int
compare_entries (gconstpointer a,
                 gconstpointer b)
{
  const Entry *first = a;
  const Entry *second = b;

  return (first->used > second->used) - (first->used < second->used);
}

/* Counts what is there, and removes what has not been used longest where that is too much. */
static void
keep_within_limit (TareStatisticsCache *self)
{
  g_autoptr(GArray) entries = list_entries (self);
  guint i = 0;

  self->bytes = 0;
  self->counted = TRUE;
  for (guint k = 0; k < entries->len; k++)
    self->bytes += g_array_index (entries, Entry, k).bytes;
  if (self->bytes <= self->limit)
    return;

  g_array_sort (entries, compare_entries);
  for (; i < entries->len && self->bytes > self->limit / 4 * KEPT_QUARTERS; i++)
    {
      const Entry *entry = &g_array_index (entries, Entry, i);

      if (g_unlink (entry->path) == 0)
        self->bytes -= entry->bytes;
    }
}

/**
 * tare_statistics_cache_put:
 * @self: the cache
 * @tensor: a tensor
 * @statistics: its statistics
 *
 * Keeps statistics, if the tensor is large enough to be worth it and lies in a file. That nothing
 * can be written is no error.
 */
void
tare_statistics_cache_put (TareStatisticsCache  *self,
                           const TareTensor     *tensor,
                           const TareStatistics *statistics)
{
  g_autoptr(GByteArray) bytes = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *path = NULL;
  guint8 key[KEY_LENGTH];

  g_return_if_fail (self != NULL && tensor != NULL && statistics != NULL);

  if (!make_key (tensor, key) || g_mkdir_with_parents (self->folder, 0700) != 0)
    return;

  path = make_path (self, key);
  bytes = tare_statistics_to_bytes (statistics, key, sizeof key);
  if (!g_file_set_contents_full (path, (const char *) bytes->data, (gssize) bytes->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    {
      g_debug ("%s", error->message);
      return;
    }

  g_mutex_lock (&self->mutex);
  self->bytes += bytes->len;
  if (!self->counted || self->bytes > self->limit)
    keep_within_limit (self);
  g_mutex_unlock (&self->mutex);
}

/**
 * tare_statistics_cache_measure:
 * @self: (nullable): the cache, %NULL for none
 * @tensor: a tensor
 * @progress: (nullable): for tare_statistics_measure()
 * @error: return location for an error
 *
 * Returns: (transfer full): its statistics, as they are known or as they are measured and then
 *   kept; %NULL with @error set
 */
TareStatistics *
tare_statistics_cache_measure (TareStatisticsCache  *self,
                               const TareTensor     *tensor,
                               const TareProgress   *progress,
                               GError              **error)
{
  TareStatistics *statistics = self != NULL ? tare_statistics_cache_get (self, tensor) : NULL;

  if (statistics != NULL)
    return statistics;

  statistics = tare_statistics_measure (tensor, progress, error);
  if (statistics != NULL && self != NULL)
    tare_statistics_cache_put (self, tensor, statistics);

  return statistics;
}
