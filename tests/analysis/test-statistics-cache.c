/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/statistics/tare-statistics-cache.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <utime.h>

#include "tests/analysis/tensor-fixture.h"
#include "tests/tare-test.h"

#define ROWS    400
#define COLUMNS 300

/* A tensor that lies in a file. */
static TareTensor *
make_tensor (const char *name,
             guint32     seed)
{
  g_autofree float *x = g_new (float, ROWS * COLUMNS);
  g_autofree char *path = tare_test_temporary (name);
  TareTensor *tensor;

  tare_test_fill_gaussian (x, ROWS * COLUMNS, seed);
  x[777] = NAN;
  g_assert_true (g_file_set_contents (path, (const char *) x, ROWS * COLUMNS * sizeof *x, NULL));
  tensor = tensor_fixture_new (x, ROWS, COLUMNS);
  tare_file_unref (tensor->file);
  tensor->file = tare_file_open (path, NULL);
  g_assert_nonnull (tensor->file);

  return tensor;
}

static void
assert_equal (const TareStatistics *a,
              const TareStatistics *b)
{
  g_assert_nonnull (a);
  g_assert_cmpuint (a->n, ==, b->n);
  g_assert_cmpuint (a->n_not_finite, ==, b->n_not_finite);
  g_assert_cmpuint (a->first_not_finite, ==, b->first_not_finite);
  g_assert_cmpfloat (a->minimum, ==, b->minimum);
  g_assert_cmpfloat (a->maximum, ==, b->maximum);
  g_assert_cmpfloat (a->absolute_maximum, ==, b->absolute_maximum);
  g_assert_cmpfloat (a->mean, ==, b->mean);
  g_assert_cmpfloat (a->standard_deviation, ==, b->standard_deviation);
  g_assert_cmpfloat (a->skewness, ==, b->skewness);
  g_assert_cmpfloat (a->kurtosis, ==, b->kurtosis);
  g_assert_cmpfloat (a->outlier_ratio, ==, b->outlier_ratio);
  g_assert_cmpmem (a->histogram, sizeof a->histogram, b->histogram, sizeof b->histogram);
  g_assert_cmpmem (a->row_maximum, a->rows * sizeof (float), b->row_maximum,
                   b->rows * sizeof (float));
  g_assert_cmpmem (a->column_maximum, a->columns * sizeof (float), b->column_maximum,
                   b->columns * sizeof (float));
}

/* What was kept comes back to the bit, in another cache of the folder too. */
static void
test_again (void)
{
  g_autofree char *folder = tare_test_temporary ("cache-again");
  g_autoptr(TareStatisticsCache) cache = tare_statistics_cache_new (folder, 1 << 20);
  g_autoptr(TareStatisticsCache) other = tare_statistics_cache_new (folder, 1 << 20);
  g_autoptr(TareTensor) tensor = make_tensor ("again", 1);
  g_autoptr(TareTensor) stranger = make_tensor ("stranger", 2);
  g_autoptr(TareStatistics) measured = NULL;
  g_autoptr(TareStatistics) first = NULL;
  g_autoptr(TareStatistics) second = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_statistics_cache_get (cache, tensor));
  measured = tare_statistics_cache_measure (cache, tensor, NULL, &error);
  g_assert_no_error (error);
  first = tare_statistics_cache_get (cache, tensor);
  second = tare_statistics_cache_measure (other, tensor, NULL, &error);
  assert_equal (first, measured);
  assert_equal (second, measured);
  g_assert_null (tare_statistics_cache_get (cache, stranger));
}

/* A file that was changed is another, even where its size and times are the same. */
static void
test_changed (void)
{
  g_autofree char *folder = tare_test_temporary ("cache-changed");
  g_autofree char *path = tare_test_temporary ("changed");
  g_autoptr(TareStatisticsCache) cache = tare_statistics_cache_new (folder, 1 << 20);
  g_autoptr(TareTensor) tensor = make_tensor ("changed", 3);
  g_autoptr(TareTensor) later = NULL;
  g_autoptr(TareStatistics) statistics = NULL;
  g_autofree char *contents = NULL;
  struct utimbuf times = { 1000000000, 1000000000 };
  FILE *file;
  gsize length;

  g_assert_cmpint (utime (path, &times), ==, 0);
  statistics = tare_statistics_cache_measure (cache, tensor, NULL, NULL);
  g_clear_pointer (&statistics, tare_statistics_unref);
  statistics = tare_statistics_cache_get (cache, tensor);
  g_assert_nonnull (statistics);

  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  contents[5] ^= 1;
  file = g_fopen (path, "r+b");
  g_assert_cmpuint (fwrite (contents, 1, length, file), ==, length);
  fclose (file);
  g_assert_cmpint (utime (path, &times), ==, 0);
  g_assert_null (tare_statistics_cache_get (cache, tensor));
}

static char *
find_only_entry (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name = g_dir_read_name (dir);
  char *path = g_build_filename (folder, name, NULL);

  g_assert_null (g_dir_read_name (dir));

  return path;
}

/* Whatever a file of the cache has become, it does no harm, and is replaced. */
static void
test_corrupt (void)
{
  g_autofree char *folder = tare_test_temporary ("cache-corrupt");
  g_autoptr(TareStatisticsCache) cache = tare_statistics_cache_new (folder, 1 << 20);
  g_autoptr(TareTensor) tensor = make_tensor ("corrupt", 4);
  g_autoptr(TareStatistics) measured = tare_statistics_cache_measure (cache, tensor, NULL, NULL);
  g_autofree char *path = find_only_entry (folder);
  g_autofree char *contents = NULL;
  const gsize cuts[] = { 0, 3, 40, 100, 2000 };
  gsize length;

  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (cuts) + 3; i++)
    {
      g_autofree char *broken = g_memdup2 (contents, length);
      gsize cut = i < G_N_ELEMENTS (cuts) ? cuts[i] : length;

      if (i >= G_N_ELEMENTS (cuts))
        broken[i == 5 ? 7 : i == 6 ? 50 : length - 1] ^= 0x40;
      g_assert_true (g_file_set_contents (path, broken, (gssize) cut, NULL));
      g_assert_null (tare_statistics_cache_get (cache, tensor));
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    }

  tare_statistics_cache_put (cache, tensor, measured);
  g_clear_pointer (&measured, tare_statistics_unref);
  measured = tare_statistics_cache_get (cache, tensor);
  g_assert_nonnull (measured);
}

/* The longest unused go first, and never is much more there than may be. */
static void
test_limit (void)
{
  const guint n = 12;
  g_autofree char *folder = tare_test_temporary ("cache-limit");
  g_autoptr(TareStatisticsCache) cache = tare_statistics_cache_new (folder, 60000);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  guint known = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("limit-%u", i);
      g_autoptr(TareStatistics) statistics = NULL;
      g_autoptr(GDir) dir = NULL;
      const char *entry;

      g_ptr_array_add (tensors, make_tensor (name, i + 10));
      statistics = tare_statistics_cache_measure (cache, g_ptr_array_index (tensors, i), NULL,
                                                  NULL);

      /* Time goes by. */
      dir = g_dir_open (folder, 0, NULL);
      while ((entry = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *path = g_build_filename (folder, entry, NULL);
          GStatBuf status;
          struct utimbuf times;

          g_assert_cmpint (g_stat (path, &status), ==, 0);
          times.actime = times.modtime = status.st_mtime - 100;
          g_assert_cmpint (utime (path, &times), ==, 0);
        }
    }

  for (guint i = 0; i < n; i++)
    {
      g_autoptr(TareStatistics) statistics =
        tare_statistics_cache_get (cache, g_ptr_array_index (tensors, i));

      known += statistics != NULL;
      if (i == 0)
        g_assert_null (statistics);
      if (i == n - 1)
        g_assert_nonnull (statistics);
    }
  g_assert_cmpuint (known, >, 2);
  g_assert_cmpuint (known, <, n - 2);
}

/* What lies in no file, or is small, is measured and not kept; nor is there harm in a folder that
 * cannot be made. */
static void
test_unkept (void)
{
  const float x[] = { 1.0f, 2.0f };
  g_autofree char *blocked = tare_test_temporary ("blocked");
  g_autofree char *folder = g_build_filename (blocked, "cache", NULL);
  g_autoptr(TareStatisticsCache) cache = NULL;
  g_autoptr(TareTensor) small = tensor_fixture_new (x, 1, 2);
  g_autoptr(TareTensor) large = make_tensor ("unkept", 5);
  g_autoptr(TareStatistics) first = NULL;
  g_autoptr(TareStatistics) second = NULL;
  g_autoptr(TareStatistics) third = NULL;

  g_assert_true (g_file_set_contents (blocked, "", 0, NULL));
  cache = tare_statistics_cache_new (folder, 1 << 20);
  first = tare_statistics_cache_measure (cache, small, NULL, NULL);
  second = tare_statistics_cache_measure (cache, large, NULL, NULL);
  third = tare_statistics_cache_measure (NULL, large, NULL, NULL);
  g_assert_cmpuint (first->n, ==, 2);
  assert_equal (second, third);
  g_assert_null (tare_statistics_cache_get (cache, large));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/statistics-cache/again", test_again);
  g_test_add_func ("/statistics-cache/changed", test_changed);
  g_test_add_func ("/statistics-cache/corrupt", test_corrupt);
  g_test_add_func ("/statistics-cache/limit", test_limit);
  g_test_add_func ("/statistics-cache/unkept", test_unkept);

  return g_test_run ();
}
