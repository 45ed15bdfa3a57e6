/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-memory.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A number of kibibytes from a file of the kernel's, whose lines begin with their names. */
static guint64
read_kibibytes (const char *path,
                const char *name)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents (path, &text, NULL, NULL) || (line = strstr (text, name)) == NULL)
    return 0;

  return g_ascii_strtoull (line + strlen (name), NULL, 10) * 1024;
}

/**
 * tare_memory_get_available:
 *
 * Returns: bytes that programs can still have without swapping, as the kernel estimates it
 */
guint64
tare_memory_get_available (void)
{
  guint64 available = read_kibibytes ("/proc/meminfo", "MemAvailable:");

  if (available == 0)
    available = (guint64) sysconf (_SC_AVPHYS_PAGES) * (guint64) sysconf (_SC_PAGESIZE);

  return available;
}

/**
 * tare_memory_get_resident:
 *
 * Returns: bytes of this process that are in memory, pages of mapped files among them; 0 where the
 *   system does not tell
 */
guint64
tare_memory_get_resident (void)
{
  return read_kibibytes ("/proc/self/status", "VmRSS:");
}

/**
 * tare_memory_get_default:
 *
 * Returns: what long work may take when nobody says: half of what is available
 */
guint64
tare_memory_get_default (void)
{
  return tare_memory_get_available () / 2;
}

/**
 * tare_memory_get_directory:
 *
 * Where large temporary files go: TMPDIR if it is set, or else /var/tmp, since /tmp is often made
 * of memory (file-hierarchy(7)).
 *
 * Returns: (transfer none): the folder
 */
const char *
tare_memory_get_directory (void)
{
  const char *directory = g_getenv ("TMPDIR");

  if (directory != NULL && directory[0] != '\0')
    return directory;

  return access ("/var/tmp", W_OK) == 0 ? "/var/tmp" : g_get_tmp_dir ();
}

/**
 * tare_memory_get_available_disk:
 *
 * Returns: bytes that are free where large temporary files go; 0 where that is unknown
 */
guint64
tare_memory_get_available_disk (void)
{
  struct statvfs status;

  if (statvfs (tare_memory_get_directory (), &status) != 0)
    return 0;

  return (guint64) status.f_bavail * status.f_frsize;
}

/**
 * tare_budget_new:
 * @memory: bytes of memory in all, or 0 for the default
 * @needed: what of them the weights at hand take
 *
 * Returns: the rest, and half of the disk; where a default leaves next to nothing, a quarter of it
 */
TareBudget
tare_budget_new (guint64 memory,
                 guint64 needed)
{
  guint64 total = memory > 0 ? memory : tare_memory_get_default ();
  guint64 rest = total > needed ? total - needed : 0;

  return (TareBudget) {
    .memory = memory > 0 ? rest : MAX (rest, total / 4),
    .disk = tare_memory_get_available_disk () / 2,
  };
}
