/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

static void
test_open (void)
{
  g_autofree char *path = tare_test_temporary ("some.bin");
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = NULL;

  g_assert_true (g_file_set_contents (path, "four", 4, NULL));
  file = tare_file_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tare_file_get_path (file), ==, path);
  g_assert_cmpuint (tare_file_get_size (file), ==, 4);
  g_assert_cmpmem (tare_file_get_data (file), 4, "four", 4);
}

static void
test_empty (void)
{
  g_autofree char *path = tare_test_temporary ("empty.bin");
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = NULL;

  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  file = tare_file_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (tare_file_get_size (file), ==, 0);
  g_assert_nonnull (tare_file_get_data (file));
  tare_file_release (file, 0, 100);
}

static void
check_refused (const char *path,
               GQuark      domain,
               int         code)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_file_open (path, &error));
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_null (strchr (error->message, '\n'));
}

/* Opening a pipe that nobody writes to must not wait for somebody. */
static void
test_refused (void)
{
  g_autofree char *missing = tare_test_temporary ("missing.bin");
  g_autofree char *folder = tare_test_temporary ("folder");
  g_autofree char *pipe = tare_test_temporary ("pipe");

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);

  check_refused (missing, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  check_refused (folder, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  check_refused (pipe, TARE_ERROR, TARE_ERROR_INVALID);
  check_refused ("/dev/zero", TARE_ERROR, TARE_ERROR_INVALID);
}

/* What was released comes back as it was. */
static void
test_release (void)
{
  const gsize size = 3 * 65536 + 17;
  g_autofree char *path = tare_test_temporary ("pages.bin");
  g_autofree char *bytes = g_malloc (size);
  g_autoptr(TareFile) file = NULL;

  for (gsize i = 0; i < size; i++)
    bytes[i] = (char) (i * 31 >> 3);
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size, NULL));

  file = tare_file_open (path, NULL);
  g_assert_nonnull (file);
  tare_file_release (file, 0, size);
  tare_file_release (file, 5, 3);
  tare_file_release (file, size - 1, G_MAXUINT64);
  tare_file_release (file, G_MAXUINT64, 4);
  g_assert_cmpmem (tare_file_get_data (file), size, bytes, size);
}

static void
test_bytes (void)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static ("abc", 3);
  TareFile *file = tare_file_new_bytes ("a name", bytes);
  TareFile *again = tare_file_ref (file);

  tare_file_unref (file);
  tare_file_release (again, 0, 3);
  g_assert_cmpmem (tare_file_get_data (again), tare_file_get_size (again), "abc", 3);
  g_assert_cmpstr (tare_file_get_path (again), ==, "a name");
  tare_file_unref (again);
}

static void
test_cursor (void)
{
  static const guint8 content[] = {
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x03, 0, 0, 0, 0, 0, 0, 0, 'x', 'y', 'z',
  };
  g_autoptr(GBytes) bytes = g_bytes_new_static (content, sizeof content);
  g_autoptr(TareFile) file = tare_file_new_bytes ("cursor", bytes);
  g_autoptr(GError) error = NULL;
  g_autofree char *string = NULL;
  TareCursor cursor = { file, 0, sizeof content };
  guint8 u8 = 0;
  guint16 u16 = 0;
  guint32 u32 = 0;
  guint64 u64 = 0;

  g_assert_true (tare_cursor_read_u8 (&cursor, &u8, &error));
  g_assert_cmphex (u8, ==, 0x01);
  g_assert_true (tare_cursor_read_u16 (&cursor, &u16, &error));
  g_assert_cmphex (u16, ==, 0x0302);
  g_assert_true (tare_cursor_read_u32 (&cursor, &u32, &error));
  g_assert_cmphex (u32, ==, 0x07060504);
  g_assert_true (tare_cursor_read_u64 (&cursor, &u64, &error));
  g_assert_cmphex (u64, ==, G_GUINT64_CONSTANT (0x0f0e0d0c0b0a0908));
  g_assert_true (tare_cursor_read_string (&cursor, &string, &error));
  g_assert_cmpstr (string, ==, "xyz");
  g_assert_no_error (error);

  g_assert_false (tare_cursor_read_u8 (&cursor, &u8, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_cmpstr (error->message, ==,
                   "cursor: truncated at offset 26: 1 bytes wanted, 0 left");
}

/* A cursor beyond its end, an end beyond the file, lengths that overflow: all are refused. */
static void
test_cursor_bounds (void)
{
  static const guint8 content[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  g_autoptr(GBytes) bytes = g_bytes_new_static (content, sizeof content);
  g_autoptr(TareFile) file = tare_file_new_bytes ("cursor", bytes);
  TareCursor beyond = { file, G_MAXUINT64 - 1, G_MAXUINT64 };
  TareCursor lying = { file, 0, G_MAXUINT64 };
  const guint8 *taken = NULL;
  char *string = NULL;
  guint64 u64 = 0;

  g_assert_false (tare_cursor_read_u64 (&beyond, &u64, NULL));
  g_assert_false (tare_cursor_read_bytes (&lying, 17, &taken, NULL));
  g_assert_false (tare_cursor_read_bytes (&lying, G_MAXUINT64, &taken, NULL));
  g_assert_false (tare_cursor_read_string (&lying, &string, NULL));
  g_assert_null (string);
}

static void
test_cursor_text (void)
{
  static const guint8 broken[] = { 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28 };
  static const guint8 nul[] = { 3, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 'b' };
  g_autoptr(GBytes) broken_bytes = g_bytes_new_static (broken, sizeof broken);
  g_autoptr(GBytes) nul_bytes = g_bytes_new_static (nul, sizeof nul);
  g_autoptr(TareFile) broken_file = tare_file_new_bytes ("broken", broken_bytes);
  g_autoptr(TareFile) nul_file = tare_file_new_bytes ("nul", nul_bytes);
  TareCursor first = { broken_file, 0, sizeof broken };
  TareCursor second = { nul_file, 0, sizeof nul };
  g_autoptr(GError) error = NULL;
  char *string = NULL;

  g_assert_false (tare_cursor_read_string (&first, &string, &error));
  g_assert_cmpstr (error->message, ==, "broken: the name at offset 0 is not UTF-8 text");
  g_clear_error (&error);
  g_assert_false (tare_cursor_read_string (&second, &string, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/file/open", test_open);
  g_test_add_func ("/file/empty", test_empty);
  g_test_add_func ("/file/refused", test_refused);
  g_test_add_func ("/file/release", test_release);
  g_test_add_func ("/file/bytes", test_bytes);
  g_test_add_func ("/file/cursor", test_cursor);
  g_test_add_func ("/file/cursor-bounds", test_cursor_bounds);
  g_test_add_func ("/file/cursor-text", test_cursor_text);

  return g_test_run ();
}
