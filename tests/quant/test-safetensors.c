/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-safetensors.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

/* A file of a header and @data zero bytes behind it. */
static TareFile *
build (const char *header,
       gsize       length,
       gsize       data)
{
  gsize size = 8 + length + data;
  guint64 n = GUINT64_TO_LE ((guint64) length);
  guint8 *content = g_malloc0 (size);
  g_autoptr(GBytes) bytes = g_bytes_new_take (content, size);

  memcpy (content, &n, sizeof n);
  memcpy (content + 8, header, length);

  return tare_file_new_bytes ("w.safetensors", bytes);
}

static GPtrArray *
new_tensors (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
}

static GPtrArray *
read_good (const char *header,
           gsize       data)
{
  g_autoptr(TareFile) file = build (header, strlen (header), data);
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_safetensors_read (file, tensors, &error));
  g_assert_no_error (error);

  return g_steal_pointer (&tensors);
}

static void
check_refused (TareFile   *file,
               const char *part)
{
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(GError) error = NULL;

  g_assert_false (tare_safetensors_read (file, tensors, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == TARE_ERROR);
  g_assert_cmpuint (tensors->len, ==, 0);
  g_assert_true (g_str_has_prefix (error->message, "w.safetensors: "));
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, error->message);
}

#define TENSOR(name, dtype, shape, begin, end)                                           \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                                 \
  ",\"data_offsets\":[" #begin "," #end "]}"

typedef struct
{
  const char *header;
  gsize       data;
  const char *part;
} Case;

/* By the numbers of the reference reader's own errors, then this reader's further ones. */
static const Case refused[] = {
  { "", 0, "an object was expected" },
  { "{", 0, "a string was expected" },
  { "[]", 0, "an object was expected" },
  { "{} x", 0, "more text behind the end" },
  { "{}{}", 0, "more text behind the end" },
  { "{'a':1}", 0, "a string was expected" },
  { "{\"a\":{}}", 0, "tensor 'a': dtype is missing" },
  { "{\"a\":1}", 0, "an object was expected" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "'a': data_offsets are missing" },
  { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "'a': shape is missing" },
  { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'a': dtype is missing" },
  { "{" TENSOR ("a", "F31", "[1]", 0, 4) "}", 4, "tensor 'a': unknown dtype 'F31'" },
  { "{" TENSOR ("a", "F32", "[-1]", 0, 4) "}", 4, "whole number" },
  { "{" TENSOR ("a", "F32", "[1.0]", 0, 4) "}", 4, "not whole" },
  { "{" TENSOR ("a", "F32", "[1e0]", 0, 4) "}", 4, "not whole" },
  { "{" TENSOR ("a", "F32", "[01]", 0, 4) "}", 4, "idle zero" },
  { "{" TENSOR ("a", "F32", "[\"1\"]", 0, 4) "}", 4, "whole number" },
  { "{" TENSOR ("a", "F32", "[1,]", 0, 4) "}", 4, "whole number" },
  { "{" TENSOR ("a", "F32", "[1 1]", 0, 4) "}", 4, "comma" },
  { "{" TENSOR ("a", "F32", "1", 0, 4) "}", 4, "a list was expected" },
  { "{" TENSOR ("a", "F32", "[18446744073709551616]", 0, 4) "}", 4, "does not fit 64 bits" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "begin and an end" },
  { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "more than two" },
  { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ that is not a string" },
  { "{\"__metadata__\":1}", 0, "an object was expected" },
  { "{\"__metadata__\":{\"a\":\"x\",\"a\":\"y\"}}", 0, "the key 'a' a second time" },
  { "{" TENSOR ("a", "U8", "[4]", 4, 8) "}", 8, "leaving a hole from 0" },
  { "{" TENSOR ("a", "U8", "[4]", 0, 4) "," TENSOR ("b", "U8", "[4]", 5, 9) "}", 9,
    "tensor 'b': begins at data offset 5, leaving a hole from 4" },
  { "{" TENSOR ("a", "U8", "[4]", 0, 4) "," TENSOR ("b", "U8", "[4]", 3, 7) "}", 7,
    "tensor 'b': begins at data offset 3, overlapping" },
  { "{" TENSOR ("a", "U8", "[16]", 0, 16) "," TENSOR ("b", "U8", "[16]", 0, 16) "}", 16,
    "tensor 'b': begins at data offset 0, overlapping" },
  { "{" TENSOR ("a", "U8", "[4]", 0, 4) "," TENSOR ("b", "U8", "[0]", 4, 3) "}", 4,
    "tensor 'b': data_offsets end before they begin" },
  { "{" TENSOR ("a", "F32", "[2,18446744073709551614]", 0, 16) "}", 16, "overflows" },
  { "{" TENSOR ("a", "F32", "[2,9223372036854775806]", 0, 16) "}", 16, "overflows" },
  { "{" TENSOR ("a", "F4", "[3]", 0, 1) "}", 1, "do not fill whole bytes" },
  { "{" TENSOR ("a", "F32", "[2,2]", 0, 4) "}", 4, "span 4 bytes, its shape and dtype take 16" },
  { "{" TENSOR ("a", "F32", "[4]", 0, 16) "}", 14, "truncated" },
  { "{" TENSOR ("a", "F32", "[4]", 0, 16) "}", 18, "trailing bytes" },
  { "{}", 1, "trailing bytes" },
  { "{" TENSOR ("a", "U8", "[1]", 0, 1) "," TENSOR ("a", "U8", "[1]", 1, 2) "}", 2,
    "the key 'a' a second time" },
  { "{" TENSOR ("a", "U8", "[1]", 0, 1) "," TENSOR ("\\u0061", "U8", "[1]", 1, 2) "}", 2,
    "the key 'a' a second time" },
  { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
    "the key 'dtype' a second time" },
  { "{" TENSOR ("a\\u0000b", "U8", "[1]", 0, 1) "}", 1, "a name with a NUL" },
  { "{" TENSOR ("", "U8", "[1]", 0, 1) "}", 1, "without a name" },
  { "{" TENSOR ("\\ud800", "U8", "[1]", 0, 1) "}", 1, "surrogate" },
  { "{" TENSOR ("\\udc00", "U8", "[1]", 0, 1) "}", 1, "surrogate" },
  { "{" TENSOR ("\\ud800\\u0041", "U8", "[1]", 0, 1) "}", 1, "surrogate" },
  { "{" TENSOR ("\\u00g0", "U8", "[1]", 0, 1) "}", 1, "hexadecimal" },
  { "{" TENSOR ("\\q", "U8", "[1]", 0, 1) "}", 1, "unknown escape" },
  { "{" TENSOR ("a\nb", "U8", "[1]", 0, 1) "}", 1, "control character" },
  { "{" TENSOR ("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, "more than 8 dimensions" },
  { "{\"\xff\":1}", 0, "not UTF-8" },
  { "{\"a", 0, "does not end" },
  { "{\"a\\", 0, "does not end" },
  { "{\"a\\u12", 0, "ends early" },
};

static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr(TareFile) file = build (refused[i].header, strlen (refused[i].header),
                                        refused[i].data);

      check_refused (file, refused[i].part);
    }
}

static void
test_refused_container (void)
{
  static const guint8 huge[] = { 0x3c, 0, 0, 0, 0, 0, 0xff, 0xff, '{', '}' };
  static const guint8 large[] = { 0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{', '}' };
  static const guint8 longer[] = { 3, 0, 0, 0, 0, 0, 0, 0, '{', '}' };
  const struct { const guint8 *bytes; gsize size; const char *part; } files[] = {
    { huge, sizeof huge, "at most 100000000" },
    { large, sizeof large, "at most 100000000" },
    { longer, sizeof longer, "a header of 3 bytes in a file of 10" },
    { longer, 7, "7 bytes: neither GGUF nor safetensors" },
    { longer, 0, "0 bytes: neither GGUF nor safetensors" },
  };
  g_autoptr(TareFile) nul = build ("{\0}", 3, 0);

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr(GBytes) bytes = g_bytes_new_static (files[i].bytes, files[i].size);
      g_autoptr(TareFile) file = tare_file_new_bytes ("w.safetensors", bytes);

      check_refused (file, files[i].part);
    }

  check_refused (nul, "NUL");
}

/* Depth in a field that is skipped, a name of 4097 bytes: both bounded. */
static void
test_refused_long (void)
{
  g_autoptr(GString) deep = g_string_new ("{\"a\":{\"x\":");
  g_autoptr(GString) name = g_string_new ("{\"");
  g_autoptr(TareFile) deep_file = NULL;
  g_autoptr(TareFile) name_file = NULL;

  for (int i = 0; i < 200000; i++)
    g_string_append (deep, i % 2 == 0 ? "[" : "{\"a\":");
  deep_file = build (deep->str, deep->len, 0);
  check_refused (deep_file, "nesting too deep");

  for (int i = 0; i < 4097; i++)
    g_string_append_c (name, 'n');
  g_string_append (name, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
  name_file = build (name->str, name->len, 1);
  check_refused (name_file, "more than 4096 bytes");
}

static void
test_good (void)
{
  g_autoptr(GPtrArray) none = read_good ("{}", 0);
  g_autoptr(GPtrArray) padded = read_good ("\t\n {} \r\t", 0);
  g_autoptr(GPtrArray) tensors =
    read_good (" {\"__metadata__\":{\"format\":\"pt\"},"
               TENSOR ("m\\u00fc\\ud83d\\ude00", "BF16", "[2,3]", 4, 16) ","
               TENSOR ("scalar", "I32", "[]", 0, 4) ","
               TENSOR ("empty", "F32", "[2,0]", 16, 16) ","
               "\"later\":{\"dtype\":\"F4\",\"shape\":[2,4],\"more\":{\"x\":[true,null,-1.5e3]},"
               "\"data_offsets\":[16,20]}}  ", 20);
  const TareTensor *tensor = NULL;

  g_assert_cmpuint (none->len, ==, 0);
  g_assert_cmpuint (padded->len, ==, 0);
  g_assert_cmpuint (tensors->len, ==, 4);

  tensor = g_ptr_array_index (tensors, 0);
  g_assert_cmpstr (tensor->name, ==, "scalar");
  g_assert_cmpuint (tensor->rows * tensor->columns, ==, 1);
  g_assert_null (tensor->format);

  tensor = g_ptr_array_index (tensors, 1);
  g_assert_cmpstr (tensor->name, ==, "mü😀");
  g_assert_cmpstr (tensor->type_name, ==, "BF16");
  g_assert_cmpuint (tensor->rows, ==, 2);
  g_assert_cmpuint (tensor->columns, ==, 3);
  g_assert_cmpuint (tensor->bytes, ==, 12);
  g_assert_nonnull (tensor->format);

  tensor = g_ptr_array_index (tensors, 2);
  g_assert_cmpstr (tensor->name, ==, "empty");
  g_assert_cmpuint (tare_tensor_get_n_weights (tensor), ==, 0);
}

/* A header cut anywhere, or with any one byte changed, is an answer and never a crash. */
static void
test_damaged (void)
{
  static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                               TENSOR ("a\\u00fc", "F16", "[2,4]", 0, 16) ","
                               TENSOR ("b", "F32", "[1]", 16, 20) "}";
  g_autofree char *copy = g_strdup (header);
  guint good = 0;

  for (gsize cut = 0; cut < strlen (header); cut++)
    {
      g_autoptr(TareFile) file = build (header, cut, 20);

      check_refused (file, "");
    }

  for (gsize i = 0; i < strlen (header); i++)
    for (int c = 0; c < 256; c += 3)
      {
        g_autoptr(GPtrArray) tensors = new_tensors ();
        g_autoptr(TareFile) file = NULL;

        copy[i] = (char) c;
        file = build (copy, strlen (header), 20);
        good += tare_safetensors_read (file, tensors, NULL) ? 1 : 0;
        copy[i] = header[i];
      }

  g_assert_cmpuint (good, >, 0);
}

static gsize
get_resident (void)
{
  g_autofree char *text = NULL;
  gulong total = 0;
  gulong resident = 0;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%lu %lu", &total, &resident), ==, 2);

  return (gsize) resident * (gsize) sysconf (_SC_PAGESIZE);
}

/* Twenty gigabytes that are not there: only the header may be touched. */
static void
test_sparse (void)
{
  const guint64 bytes = (guint64) 8192 * 8192 * 2;
  const guint n = 150;
  g_autofree char *path = tare_test_temporary ("sparse.safetensors");
  g_autoptr(GString) header = g_string_new ("{");
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(TareFile) file = NULL;
  gsize before = get_resident ();
  gint64 start = 0;
  guint64 length = 0;
  int fd = -1;

  for (guint i = 0; i < n; i++)
    g_string_append_printf (header, "%s\"model.layers.%u.mlp.up_proj.weight\":{\"dtype\":\"BF16\","
                            "\"shape\":[8192,8192],\"data_offsets\":[%" G_GUINT64_FORMAT ",%"
                            G_GUINT64_FORMAT "]}", i > 0 ? "," : "", i, i * bytes,
                            (i + 1) * bytes);
  g_string_append_c (header, '}');
  length = GUINT64_TO_LE ((guint64) header->len);

  fd = g_open (path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  g_assert_cmpint (write (fd, &length, 8), ==, 8);
  g_assert_cmpint (write (fd, header->str, header->len), ==, (gssize) header->len);
  if (ftruncate (fd, (off_t) (8 + header->len + n * bytes)) != 0)
    {
      close (fd);
      g_test_skip ("no room for a sparse file of 20 GB");
      return;
    }
  close (fd);

  start = g_get_monotonic_time ();
  file = tare_file_open (path, NULL);
  g_assert_true (tare_safetensors_read (file, tensors, NULL));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 300 * 1000);
  g_assert_cmpuint (tensors->len, ==, n);
  g_assert_cmpuint (get_resident () - MIN (before, get_resident ()), <, 20u << 20);
  g_unlink (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/safetensors/good", test_good);
  g_test_add_func ("/safetensors/refused", test_refused);
  g_test_add_func ("/safetensors/refused-container", test_refused_container);
  g_test_add_func ("/safetensors/refused-long", test_refused_long);
  g_test_add_func ("/safetensors/damaged", test_damaged);
  g_test_add_func ("/safetensors/sparse", test_sparse);

  return g_test_run ();
}
