/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-output-file.h"

#include <glib/gstdio.h>
#include <string.h>

#include "tests/tare-test.h"

#define PART_BYTES (256 * 1024)
#define N_PARTS    16

static gsize
count_files (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  gsize n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

static void
assert_contents (const char *path,
                 const char *contents)
{
  g_autofree char *found = NULL;

  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, contents);
}

static TareOutputFile *
begin (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareOutputFile *file = tare_output_file_new (path, &error);

  g_assert_no_error (error);

  return file;
}

static void
put (TareOutputFile *file,
     const char     *text)
{
  g_autoptr(GError) error = NULL;

  tare_output_file_write (file, (const guint8 *) text, strlen (text), &error);
  g_assert_no_error (error);
}

/* The old file is there until the new one is complete. */
static void
test_replace (void)
{
  g_autofree char *folder = tare_test_folder ("replace");
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autoptr(TareOutputFile) file = NULL;

  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  file = begin (path);
  put (file, "new ");
  put (file, "file");
  assert_contents (path, "old");
  assert_contents (tare_output_file_finish (file, NULL), "new file");
  assert_contents (path, "old");
  g_assert_true (tare_output_file_commit (file, NULL));
  assert_contents (path, "new file");
  g_assert_cmpuint (count_files (folder), ==, 1);
}

/* However far it came, nothing is left of a file that is given up. */
static void
test_give_up (void)
{
  g_autofree char *folder = tare_test_folder ("give-up");
  g_autofree char *path = g_build_filename (folder, "file", NULL);

  for (gsize stage = 0; stage < 3; stage++)
    {
      TareOutputFile *file = begin (path);

      if (stage > 0)
        put (file, "half");
      if (stage > 1)
        g_assert_nonnull (tare_output_file_finish (file, NULL));
      g_assert_cmpuint (count_files (folder), ==, 1);
      tare_output_file_free (file);
      g_assert_cmpuint (count_files (folder), ==, 0);
    }
}

/* What is written is in the file, but for a megabyte of it. */
static void
test_stream (void)
{
  g_autofree char *folder = tare_test_folder ("stream");
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autofree guint8 *part = g_malloc0 (PART_BYTES);
  g_autoptr(TareOutputFile) file = begin (path);
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  g_autofree char *temporary = g_build_filename (folder, g_dir_read_name (dir), NULL);
  GStatBuf status;

  g_assert_true (tare_output_file_reserve (file, N_PARTS * PART_BYTES, NULL));
  for (gsize i = 0; i < N_PARTS; i++)
    {
      memset (part, (int) i, PART_BYTES);
      g_assert_true (tare_output_file_write (file, part, PART_BYTES, NULL));
      g_assert_cmpint (g_stat (temporary, &status), ==, 0);
      g_assert_cmpint (status.st_size + (1 << 20), >=, (gint64) (i + 1) * PART_BYTES);
    }
  g_assert_cmpstr (tare_output_file_finish (file, NULL), ==, temporary);
  g_assert_true (tare_output_file_commit (file, NULL));
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_size, ==, N_PARTS * PART_BYTES);
}

static void
test_refused (void)
{
  g_autofree char *folder = tare_test_folder ("refused");
  g_autofree char *nowhere = g_build_filename (folder, "missing", "file", NULL);
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autoptr(GError) is_folder = NULL;
  g_autoptr(GError) missing = NULL;
  g_autoptr(GError) large = NULL;
  g_autoptr(TareOutputFile) file = begin (path);

  g_assert_null (tare_output_file_new (folder, &is_folder));
  g_assert_error (is_folder, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_assert_true (g_str_has_prefix (is_folder->message, folder));
  g_assert_null (tare_output_file_new (nowhere, &missing));
  g_assert_error (missing, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_false (tare_output_file_reserve (file, G_MAXUINT64, &large));
  g_assert_true (g_str_has_prefix (large->message, path));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/output-file/replace", test_replace);
  g_test_add_func ("/output-file/give-up", test_give_up);
  g_test_add_func ("/output-file/stream", test_stream);
  g_test_add_func ("/output-file/refused", test_refused);

  return g_test_run ();
}
