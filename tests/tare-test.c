/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/tare-test.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "quant/tare-hash.h"

/**
 * tare_test_shared:
 * @name: a path below the folder of reference data
 *
 * Returns: (nullable) (transfer full): where it is, or %NULL when it is not on this machine
 */
char *
tare_test_shared (const char *name)
{
  const char *root = g_getenv ("TARE_SHARED");
  g_autofree char *path = g_build_filename (root != NULL ? root : "../shared", name, NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;

  return g_steal_pointer (&path);
}

/**
 * tare_test_source:
 * @name: a path below the project's root
 *
 * Returns: (transfer full): where it is
 */
char *
tare_test_source (const char *name)
{
  const char *root = g_getenv ("TARE_SOURCE_ROOT");

  return g_build_filename (root != NULL ? root : ".", name, NULL);
}

/**
 * tare_test_temporary:
 * @name: name of a file
 *
 * Returns: (transfer full): its path in a folder of this test's own, which the system clears
 */
char *
tare_test_temporary (const char *name)
{
  static char *folder = NULL;

  if (g_once_init_enter (&folder))
    {
      g_autoptr(GError) error = NULL;
      char *made = g_dir_make_tmp ("tare-test-XXXXXX", &error);

      g_assert_no_error (error);
      g_once_init_leave (&folder, made);
    }

  return g_build_filename (folder, name, NULL);
}

/**
 * tare_test_folder:
 * @name: name of a folder
 *
 * Makes it where it is not there, so that what is left behind in it shows.
 *
 * Returns: (transfer full): its path in a folder of this test's own
 */
char *
tare_test_folder (const char *name)
{
  char *path = tare_test_temporary (name);

  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);

  return path;
}

/**
 * tare_test_write_excerpt:
 * @name: one of the sample's texts
 * @length: bytes to take from its beginning
 *
 * A short text, so that a test does not wait for a whole novel.
 *
 * Returns: (transfer full): the path of the excerpt
 */
char *
tare_test_write_excerpt (const char *name,
                         gsize       length)
{
  g_autofree char *source = g_build_filename ("data", "sample", name, NULL);
  g_autofree char *from = tare_test_source (source);
  g_autofree char *to = tare_test_temporary (name);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  gsize whole;

  g_file_get_contents (from, &text, &whole, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (whole, >, length);
  g_file_set_contents (to, text, (gssize) length, &error);
  g_assert_no_error (error);

  return g_steal_pointer (&to);
}

GBytes *
tare_test_load_bytes (const char *path)
{
  g_autoptr(GError) error = NULL;
  char *contents = NULL;
  gsize length = 0;

  g_file_get_contents (path, &contents, &length, &error);
  g_assert_no_error (error);

  return g_bytes_new_take (contents, length);
}

/**
 * tare_test_copy_changed:
 * @from: a file
 * @to: where a copy goes
 * @old: text that occurs in it
 * @other: as many bytes that replace it where it occurs first
 */
void
tare_test_copy_changed (const char *from,
                        const char *to,
                        const char *old,
                        const char *other)
{
  g_autofree char *content = NULL;
  gsize length = 0, n = strlen (old), i = 0;

  g_assert_cmpuint (strlen (other), ==, n);
  g_assert_true (g_file_get_contents (from, &content, &length, NULL));
  while (i + n <= length && memcmp (content + i, old, n) != 0)
    i++;
  g_assert_cmpuint (i + n, <=, length);
  memcpy (content + i, other, n);
  g_assert_true (g_file_set_contents (to, content, (gssize) length, NULL));
}

/**
 * tare_test_load_floats:
 * @path: a file of little-endian binary32
 * @n: (out): how many
 *
 * Returns: (transfer full): the numbers
 */
float *
tare_test_load_floats (const char *path,
                       gsize      *n)
{
  g_autoptr(GBytes) bytes = tare_test_load_bytes (path);
  gsize size = 0;
  const void *data = g_bytes_get_data (bytes, &size);

  *n = size / sizeof (float);

  return g_memdup2 (data, *n * sizeof (float));
}

/**
 * tare_test_difference:
 * @a: numbers
 * @b: what they are held against
 * @n: how many
 *
 * Returns: ||a - b|| / ||b||
 */
double
tare_test_difference (const float *a,
                      const float *b,
                      gsize        n)
{
  double difference = 0.0;
  double norm = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      difference += ((double) a[i] - (double) b[i]) * ((double) a[i] - (double) b[i]);
      norm += (double) b[i] * (double) b[i];
    }

  return norm > 0.0 ? sqrt (difference / norm) : sqrt (difference);
}

/**
 * tare_test_hash:
 * @data: (array length=n) (element-type guint8): bytes
 * @n: how many
 *
 * Returns: their hash, for goldens
 */
guint64
tare_test_hash (gconstpointer data,
                gsize         n)
{
  return tare_hash_bytes (TARE_HASH_START, data, n);
}

/**
 * tare_test_fill_gaussian:
 * @x: (out caller-allocates): standard normal numbers, by Box and Muller
 * @n: how many
 * @seed: the same numbers for the same seed
 */
void
tare_test_fill_gaussian (float   *x,
                         gsize    n,
                         guint32  seed)
{
  g_autoptr(GRand) random = g_rand_new_with_seed (seed);

  for (gsize i = 0; i < n; i++)
    {
      double u = 1.0 - g_rand_double (random);
      double v = g_rand_double (random);

      x[i] = (float) (sqrt (-2.0 * log (u)) * cos (2.0 * G_PI * v));
    }
}
