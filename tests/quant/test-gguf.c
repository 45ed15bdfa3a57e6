/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-gguf.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define NAME "w.gguf"

/* Files are put together byte by byte here, so that they can be wrong in every way. */
static void
add_u32 (GByteArray *out,
         guint32     number)
{
  number = GUINT32_TO_LE (number);
  g_byte_array_append (out, (const guint8 *) &number, 4);
}

static void
add_u64 (GByteArray *out,
         guint64     number)
{
  number = GUINT64_TO_LE (number);
  g_byte_array_append (out, (const guint8 *) &number, 8);
}

static void
add_string (GByteArray *out,
            const char *string)
{
  add_u64 (out, strlen (string));
  g_byte_array_append (out, (const guint8 *) string, (guint) strlen (string));
}

static GByteArray *
begin (guint32 version,
       guint64 n_tensors,
       guint64 n_keys)
{
  GByteArray *out = g_byte_array_new ();

  g_byte_array_append (out, (const guint8 *) "GGUF", 4);
  add_u32 (out, version);
  add_u64 (out, n_tensors);
  add_u64 (out, n_keys);

  return out;
}

static void
add_info (GByteArray *out,
          const char *name,
          guint64     columns,
          guint64     rows,
          guint32     type,
          guint64     offset)
{
  add_string (out, name);
  add_u32 (out, 2);
  add_u64 (out, columns);
  add_u64 (out, rows);
  add_u32 (out, type);
  add_u64 (out, offset);
}

static void
finish (GByteArray *out,
        gsize       alignment,
        gsize       data)
{
  static const guint8 zero = 0;

  while (out->len % alignment != 0)
    g_byte_array_append (out, &zero, 1);
  for (gsize i = 0; i < data; i++)
    g_byte_array_append (out, &zero, 1);
}

static TareFile *
to_file (const GByteArray *content,
         gsize             length)
{
  g_autoptr(GBytes) bytes = g_bytes_new (content->data, length);

  return tare_file_new_bytes (NAME, bytes);
}

static GPtrArray *
new_tensors (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
}

/* Takes the content. */
static void
check_refused (GByteArray *content,
               const char *part)
{
  g_autoptr(TareFile) file = to_file (content, content->len);
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(GError) error = NULL;
  TareMetadata *metadata = NULL;

  g_byte_array_unref (content);
  g_assert_false (tare_gguf_read (file, tensors, &metadata, &error));
  g_assert_null (metadata);
  g_assert_cmpuint (tensors->len, ==, 0);
  g_assert_true (error->domain == TARE_ERROR);
  g_assert_true (g_str_has_prefix (error->message, NAME ": "));
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, error->message);
}

/* Two tensors and every kind of value. */
static GByteArray *
build_good (guint32 version)
{
  GByteArray *out = begin (version, 2, 5);

  add_string (out, "general.architecture");
  add_u32 (out, TARE_VALUE_STRING);
  add_string (out, "llama");
  add_string (out, "llama.block_count");
  add_u32 (out, TARE_VALUE_U32);
  add_u32 (out, 7);
  add_string (out, "general.alignment");
  add_u32 (out, TARE_VALUE_U32);
  add_u32 (out, 64);
  add_string (out, "tokens");
  add_u32 (out, TARE_VALUE_ARRAY);
  add_u32 (out, TARE_VALUE_STRING);
  add_u64 (out, 2);
  add_string (out, "one");
  add_string (out, "");
  add_string (out, "scores");
  add_u32 (out, TARE_VALUE_ARRAY);
  add_u32 (out, TARE_VALUE_I32);
  add_u64 (out, 2);
  add_u32 (out, 3);
  add_u32 (out, (guint32) -4);
  add_info (out, "blk.3.attn_q.weight", 32, 2, 8, 0);
  add_info (out, "output_norm.weight", 3, 1, 0, 128);
  finish (out, 64, 128 + 12);

  return out;
}

static void
check_good (guint32 version)
{
  g_autoptr(GByteArray) content = build_good (version);
  g_autoptr(TareFile) file = to_file (content, content->len);
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(GError) error = NULL;
  const TareTensor *tensor = NULL;
  double number = 0.0;
  gint64 integer = 0;

  g_assert_true (tare_gguf_probe (file));
  g_assert_true (tare_gguf_read (file, tensors, &metadata, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tensors->len, ==, 2);

  tensor = g_ptr_array_index (tensors, 0);
  g_assert_cmpstr (tensor->canonical, ==, "blk.3.attn_q.weight");
  g_assert_cmpstr (tensor->role->id, ==, "attn_q");
  g_assert_cmpint (tensor->block, ==, 3);
  g_assert_cmpstr (tensor->type_name, ==, "Q8_0");
  g_assert_cmpuint (tensor->rows, ==, 2);
  g_assert_cmpuint (tensor->columns, ==, 32);
  g_assert_cmpuint (tensor->bytes, ==, 68);
  g_assert_cmpuint (tensor->offset % 64, ==, 0);
  tensor = g_ptr_array_index (tensors, 1);
  g_assert_cmpuint (tensor->rows, ==, 1);
  g_assert_cmpuint (tensor->offset, ==, content->len - 12);

  g_assert_cmpstr (tare_metadata_get_string (metadata, "general.architecture"), ==, "llama");
  g_assert_true (tare_metadata_get_integer (metadata, "llama.block_count", &integer));
  g_assert_cmpint (integer, ==, 7);
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "tokens", 0), ==, "one");
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "tokens", 1), ==, "");
  g_assert_true (tare_metadata_get_number_at (metadata, "scores", 1, &number));
  g_assert_cmpfloat (number, ==, -4.0);
}

static void
test_good (void)
{
  check_good (2);
  check_good (3);
}

static void
test_refused_header (void)
{
  GByteArray *magic = begin (3, 0, 0);

  magic->data[0] = 'g';
  check_refused (magic, "not a GGUF file");
  check_refused (begin (0, 0, 0), "GGUF version 0");
  check_refused (begin (1, 0, 0), "GGUF version 1");
  check_refused (begin (4, 0, 0), "GGUF version 4");
  check_refused (begin (0x03000000, 0, 0), "big-endian");
  check_refused (begin (3, 1, 0), "1 tensors at offset 8");
  check_refused (begin (3, G_MAXUINT64, 0), "tensors at offset 8");
  check_refused (begin (3, 0, 1), "1 keys at offset 16");
  check_refused (begin (3, 0, G_MAXUINT64), "keys at offset 16");
}

static GByteArray *
begin_key (const char *key,
           guint32     type)
{
  GByteArray *out = begin (3, 0, 1);

  add_string (out, key);
  add_u32 (out, type);

  return out;
}

static void
test_refused_keys (void)
{
  GByteArray *out = begin (3, 0, 2);

  for (int i = 0; i < 2; i++)
    {
      add_string (out, "twice");
      add_u32 (out, TARE_VALUE_U32);
      add_u32 (out, 1);
    }
  check_refused (out, "key 'twice' occurs twice");

  out = begin_key ("", TARE_VALUE_U32);
  add_u32 (out, 1);
  check_refused (out, "empty key at offset 24");

  out = begin_key ("kind", 13);
  add_u32 (out, 1);
  check_refused (out, "key 'kind' has the unknown type 13");

  out = begin_key ("nested", TARE_VALUE_ARRAY);
  add_u32 (out, TARE_VALUE_ARRAY);
  add_u64 (out, 1);
  check_refused (out, "key 'nested' has elements of type 9");

  out = begin_key ("bell\a", 99);
  check_refused (out, "key 'bell\\u0007' has the unknown type 99");
}

static void
test_refused_lengths (void)
{
  GByteArray *out = begin (3, 0, 1);

  add_u64 (out, G_MAXUINT64);
  add_u64 (out, 0);
  check_refused (out, "truncated at offset 32");

  out = begin_key ("text", TARE_VALUE_STRING);
  add_u64 (out, 1u << 30);
  check_refused (out, "truncated at offset 48");

  out = begin_key ("many", TARE_VALUE_ARRAY);
  add_u32 (out, TARE_VALUE_U64);
  add_u64 (out, (guint64) 1 << 61);
  check_refused (out, "key 'many' has 2305843009213693952 elements");

  out = begin_key ("strings", TARE_VALUE_ARRAY);
  add_u32 (out, TARE_VALUE_STRING);
  add_u64 (out, 3);
  add_string (out, "longer than eight");
  check_refused (out, "truncated");
}

static void
test_refused_alignment (void)
{
  static const guint32 wrong[] = { 0, 3, 48, G_MAXUINT32 };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      GByteArray *out = begin_key ("general.alignment", TARE_VALUE_U32);

      add_u32 (out, wrong[i]);
      check_refused (out, "general.alignment");
    }

  {
    GByteArray *out = begin_key ("general.alignment", TARE_VALUE_I32);

    add_u32 (out, 32);
    check_refused (out, "general.alignment");
  }
}

static void
check_info (const char *name,
            guint64     columns,
            guint64     rows,
            guint32     type,
            guint64     offset,
            gsize       data,
            const char *part)
{
  GByteArray *out = begin (3, 1, 0);

  add_info (out, name, columns, rows, type, offset);
  finish (out, 32, data);
  check_refused (out, part);
}

static void
test_refused_tensors (void)
{
  static const guint32 removed[] = { 4, 5, 31, 32, 33, 36, 37, 38, 43, 1000, G_MAXUINT32 };
  GByteArray *out = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (removed); i++)
    check_info ("a", 256, 1, removed[i], 0, 4096, "tensor 'a' has the unknown type");

  check_info ("", 1, 1, 0, 0, 32, "has no name");
  check_info ("0123456789012345678901234567890123456789012345678901234567890123", 1, 1, 0, 0, 32,
              "more than 63 bytes");
  check_info ("a", G_MAXUINT64, 1, 0, 0, 32, "negative dimension");
  check_info ("a", 0, 1, 0, 0, 32, "dimension of 0");
  check_info ("a", (guint64) 1 << 32, (guint64) 1 << 31, 0, 0, 32, "more than 2^63 elements");
  check_info ("a", (guint64) 1 << 32, (guint64) 1 << 32, 0, 0, 32, "more than 2^63 elements");
  check_info ("a", (guint64) 1 << 62, 1, 0, 0, 32, "more than 2^63 bytes");
  check_info ("a", 33, 1, 2, 0, 64, "blocks of its type do not divide");
  check_info ("a", 128, 1, 12, 0, 144, "blocks of its type do not divide");
  check_info ("a", 8, 1, 0, 32, 64, "is at data offset 32, not at 0");
  check_info ("a", 8, 1, 0, 0, 31, "is truncated: it takes 32 bytes at data offset 0, of which "
              "the file has 31");
  check_info ("a", (guint64) 1 << 40, 1, 0, 0, 64, "is truncated");

  out = begin (3, 1, 0);
  add_string (out, "a");
  add_u32 (out, 5);
  finish (out, 32, 64);
  check_refused (out, "more than 4 dimensions");
}

static void
check_second (const char *name,
              guint64     offset,
              const char *part)
{
  GByteArray *out = begin (3, 2, 0);

  add_info (out, "a", 5, 1, 0, 0);
  add_info (out, name, 5, 1, 0, offset);
  finish (out, 32, 64);
  check_refused (out, part);
}

static void
test_refused_layout (void)
{
  check_second ("a", 32, "tensor 'a' occurs twice");
  check_second ("b", 20, "tensor 'b' is at data offset 20, not at 32");
  check_second ("b", 0, "tensor 'b' is at data offset 0, not at 32");
  check_second ("b", 64, "tensor 'b' is at data offset 64, not at 32");
  check_second ("b", G_MAXUINT64, "tensor 'b' is at data offset");
}

/* Cut anywhere it is refused, but for the zeros that may be missing at the end; with any one byte
 * changed it is an answer and never a crash. */
static void
test_damaged (void)
{
  g_autoptr(GByteArray) content = build_good (3);
  guint good = 0;

  for (gsize cut = 0; cut < content->len; cut++)
    {
      g_autoptr(TareFile) file = to_file (content, cut);
      g_autoptr(GPtrArray) tensors = new_tensors ();
      g_autoptr(TareMetadata) metadata = NULL;
      g_autoptr(GError) error = NULL;

      g_assert_false (tare_gguf_read (file, tensors, &metadata, &error));
      g_assert_nonnull (error);
    }

  for (gsize i = 0; i < content->len - 140; i++)
    for (int c = 0; c < 256; c += 5)
      {
        guint8 old = content->data[i];
        g_autoptr(GPtrArray) tensors = new_tensors ();
        g_autoptr(TareMetadata) metadata = NULL;
        g_autoptr(TareFile) file = NULL;

        content->data[i] = (guint8) c;
        file = to_file (content, content->len);
        good += tare_gguf_read (file, tensors, &metadata, NULL) ? 1 : 0;
        content->data[i] = old;
      }

  g_assert_cmpuint (good, >, 0);
}

static void
test_types (void)
{
  guint n = 0;

  for (int i = -1; i < 64; i++)
    {
      const TareGgufType *type = tare_gguf_type_lookup (i);
      const TareFormat *format = type != NULL ? tare_format_lookup_ggml (i) : NULL;

      if (type == NULL)
        continue;
      n++;
      g_assert_cmpint (type->type, ==, i);
      /* Where there is a codec, the two tables agree on the size. */
      if (format != NULL)
        g_assert_cmpuint (tare_format_get_bytes (format, 1, type->block)
                          - tare_format_get_parameter_bytes (format, 1, type->block), ==,
                          type->block_bytes);
    }

  g_assert_cmpuint (n, ==, 35);
}

static TareMetadata *
make_metadata (void)
{
  static const char *tokens[] = { "<s>", "ü", "" };
  static const gint32 kinds[] = { 3, 1, -1 };
  static const float scores[] = { 0.0f, -1.5f, 1e30f };
  TareMetadata *metadata = tare_metadata_new ();

  tare_metadata_set_string (metadata, "general.architecture", "llama");
  tare_metadata_set_u32 (metadata, "general.alignment", 4096);
  tare_metadata_set_u32 (metadata, "llama.block_count", G_MAXUINT32);
  tare_metadata_set_f32 (metadata, "llama.rope.freq_base", 10000.0f);
  tare_metadata_set_boolean (metadata, "tokenizer.ggml.add_bos_token", TRUE);
  tare_metadata_set_strings (metadata, "tokenizer.ggml.tokens", tokens, 3);
  tare_metadata_set_i32s (metadata, "tokenizer.ggml.token_type", kinds, 3);
  tare_metadata_set_f32s (metadata, "tokenizer.ggml.scores", scores, 3);

  return metadata;
}

static void
check_metadata (TareMetadata *metadata)
{
  double number = 0.0;
  gint64 integer = 0;
  gboolean boolean = FALSE;

  g_assert_cmpuint (tare_metadata_get_n_keys (metadata), ==, 7);
  g_assert_cmpstr (tare_metadata_get_key (metadata, 6), ==, "tokenizer.ggml.scores");
  g_assert_true (tare_metadata_get_integer (metadata, "llama.block_count", &integer));
  g_assert_cmpint (integer, ==, G_MAXUINT32);
  g_assert_true (tare_metadata_get_boolean (metadata, "tokenizer.ggml.add_bos_token", &boolean));
  g_assert_true (boolean);
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "tokenizer.ggml.tokens", 1), ==, "ü");
  g_assert_true (tare_metadata_get_number_at (metadata, "tokenizer.ggml.token_type", 2, &number));
  g_assert_cmpfloat (number, ==, -1.0);
  g_assert_true (tare_metadata_get_number_at (metadata, "tokenizer.ggml.scores", 1, &number));
  g_assert_cmpfloat (number, ==, -1.5);
}

static guint
count_files (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

static const guint64 matrix_shape[] = { 3, 64 };
static const guint64 vector_shape[] = { 5 };

static void
write_tensors (TareGgufWriter *writer,
               const guint8   *matrix,
               const guint8   *vector)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_gguf_writer_add (writer, "blk.0.ffn_up.weight", 8, 2, matrix_shape, &error));
  g_assert_true (tare_gguf_writer_add (writer, "output_norm.weight", 0, 1, vector_shape, &error));
  /* The matrix in two parts. */
  g_assert_true (tare_gguf_writer_write (writer, matrix, 68, &error));
  g_assert_true (tare_gguf_writer_write (writer, matrix + 68, 136, &error));
  g_assert_true (tare_gguf_writer_write (writer, vector, 20, &error));
  g_assert_no_error (error);
}

static void
test_round_trip (void)
{
  g_autofree char *folder = tare_test_folder ("round-trip");
  g_autofree char *path = g_build_filename (folder, "out.gguf", NULL);
  g_autoptr(TareMetadata) metadata = make_metadata ();
  g_autoptr(TareMetadata) read = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareGgufWriter) writer = tare_gguf_writer_new (path, metadata, &error);
  g_autoptr(GPtrArray) tensors = new_tensors ();
  g_autoptr(TareFile) file = NULL;
  guint8 matrix[204];
  guint8 vector[20];
  const char *temporary = NULL;
  const TareTensor *tensor = NULL;

  for (gsize i = 0; i < sizeof matrix; i++)
    matrix[i] = (guint8) (i * 7);
  for (gsize i = 0; i < sizeof vector; i++)
    vector[i] = (guint8) (255 - i);

  g_assert_no_error (error);
  write_tensors (writer, matrix, vector);
  temporary = tare_gguf_writer_finish (writer, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (temporary, "/.out.gguf.tare-"));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));

  file = tare_file_open (temporary, &error);
  g_assert_true (tare_gguf_read (file, tensors, &read, &error));
  g_assert_no_error (error);
  check_metadata (read);
  g_assert_cmpuint (tensors->len, ==, 2);
  tensor = g_ptr_array_index (tensors, 0);
  g_assert_cmpuint (tensor->offset % 32, ==, 0);
  g_assert_cmpuint (tensor->shape[0], ==, 3);
  g_assert_cmpuint (tensor->shape[1], ==, 64);
  g_assert_cmpmem (tare_file_get_data (file) + tensor->offset, tensor->bytes, matrix, 204);
  tensor = g_ptr_array_index (tensors, 1);
  g_assert_cmpmem (tare_file_get_data (file) + tensor->offset, tensor->bytes, vector, 20);
  g_assert_cmpuint (tare_file_get_size (file) % 32, ==, 0);

  g_assert_true (tare_gguf_writer_commit (writer, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_files (folder), ==, 1);
}

/* Given up, nothing is left, and what was there before is untouched. */
static void
test_given_up (void)
{
  g_autofree char *folder = tare_test_folder ("given-up");
  g_autofree char *path = g_build_filename (folder, "out.gguf", NULL);
  g_autofree char *other = g_build_filename (folder, ".other.gguf.tare-ABCDEF", NULL);
  g_autofree char *stale = g_build_filename (folder, ".out.gguf.tare-ABCDEF", NULL);
  g_autoptr(TareMetadata) metadata = make_metadata ();
  TareGgufWriter *first = NULL;
  TareGgufWriter *second = NULL;
  g_autofree char *content = NULL;
  guint8 zeros[204] = { 0 };

  g_assert_true (g_file_set_contents (path, "old", 3, NULL));
  g_assert_true (g_file_set_contents (stale, "killed", 6, NULL));
  g_assert_true (g_file_set_contents (other, "another's", 9, NULL));

  first = tare_gguf_writer_new (path, metadata, NULL);
  g_assert_false (g_file_test (stale, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));

  /* A second writer leaves alone what the first is at. */
  second = tare_gguf_writer_new (path, metadata, NULL);
  g_assert_cmpuint (count_files (folder), ==, 4);
  write_tensors (first, zeros, zeros);
  g_assert_nonnull (tare_gguf_writer_finish (first, NULL));
  tare_gguf_writer_free (first);
  tare_gguf_writer_free (second);

  g_assert_cmpuint (count_files (folder), ==, 2);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "old");
}

static void
expect_error (gboolean     done,
              GError     **error,
              const char  *part)
{
  g_assert_false (done);
  g_assert_nonnull (*error);
  if (strstr ((*error)->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, (*error)->message);
  g_clear_error (error);
}

static void
test_writer_refuses (void)
{
  static const guint64 odd[] = { 2, 33 };
  static const guint64 zero[] = { 0, 32 };
  g_autofree char *path = tare_test_temporary ("refuses.gguf");
  g_autoptr(TareMetadata) metadata = make_metadata ();
  g_autoptr(TareGgufWriter) writer = tare_gguf_writer_new (path, metadata, NULL);
  g_autoptr(GError) error = NULL;
  guint8 bytes[256] = { 0 };

  g_assert_true (tare_gguf_writer_add (writer, "a", 8, 2, matrix_shape, &error));
  expect_error (tare_gguf_writer_add (writer, "a", 8, 2, matrix_shape, &error), &error, "twice");
  expect_error (tare_gguf_writer_add (writer, "", 8, 2, matrix_shape, &error), &error, "name");
  expect_error (tare_gguf_writer_add (writer, "b", 8, 2, odd, &error), &error, "divide");
  expect_error (tare_gguf_writer_add (writer, "b", 8, 2, zero, &error), &error, "dimension of 0");
  expect_error (tare_gguf_writer_add (writer, "b", 4, 2, matrix_shape, &error), &error, "type");
  expect_error (tare_gguf_writer_add (writer, "b", 8, 5, matrix_shape, &error), &error,
                "1 to 4 dimensions");

  expect_error (tare_gguf_writer_write (writer, bytes, 205, &error), &error,
                "tensor 'a' has 204 bytes left to be written, not 205");
  expect_error (tare_gguf_writer_add (writer, "b", 8, 2, matrix_shape, &error), &error,
                "after the first was written");
  g_assert_true (tare_gguf_writer_write (writer, bytes, 203, &error));
  expect_error (tare_gguf_writer_finish (writer, &error) != NULL, &error,
                "tensor 'a' is not written completely");
  g_assert_true (tare_gguf_writer_write (writer, bytes, 1, &error));
  expect_error (tare_gguf_writer_write (writer, bytes, 1, &error), &error, "more bytes");
  g_assert_nonnull (tare_gguf_writer_finish (writer, &error));
  g_assert_no_error (error);
  expect_error (tare_gguf_writer_write (writer, bytes, 1, &error), &error, "complete");
}

static void
test_writer_folders (void)
{
  g_autofree char *folder = tare_test_folder ("a-folder");
  g_autofree char *missing = g_build_filename (folder, "no", "out.gguf", NULL);
  g_autoptr(TareMetadata) metadata = make_metadata ();
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_gguf_writer_new (folder, metadata, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_clear_error (&error);
  g_assert_null (tare_gguf_writer_new (missing, metadata, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, missing));
}

/* The system's bound on the size of files stands for a full disk. */
static void
test_full_disk (void)
{
  static const guint64 shape[] = { 1024, 1024 };
  g_autofree char *folder = tare_test_folder ("full");
  g_autofree char *path = g_build_filename (folder, "out.gguf", NULL);
  g_autofree guint8 *bytes = g_malloc0 (4 << 20);
  g_autoptr(TareMetadata) metadata = make_metadata ();
  g_autoptr(TareGgufWriter) writer = tare_gguf_writer_new (path, metadata, NULL);
  g_autoptr(GError) error = NULL;
  struct rlimit old;
  struct rlimit low;

  g_assert_true (tare_gguf_writer_add (writer, "a", 0, 2, shape, NULL));
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  low = old;
  low.rlim_cur = 2 << 20;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &low), ==, 0);
  g_assert_false (tare_gguf_writer_write (writer, bytes, 4 << 20, &error));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);

  g_assert_true (error->domain == G_IO_ERROR);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, "cannot be written"));
  g_assert_null (tare_gguf_writer_finish (writer, NULL));
  g_clear_pointer (&writer, tare_gguf_writer_free);
  g_assert_cmpuint (count_files (folder), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gguf/good", test_good);
  g_test_add_func ("/gguf/refused-header", test_refused_header);
  g_test_add_func ("/gguf/refused-keys", test_refused_keys);
  g_test_add_func ("/gguf/refused-lengths", test_refused_lengths);
  g_test_add_func ("/gguf/refused-alignment", test_refused_alignment);
  g_test_add_func ("/gguf/refused-tensors", test_refused_tensors);
  g_test_add_func ("/gguf/refused-layout", test_refused_layout);
  g_test_add_func ("/gguf/damaged", test_damaged);
  g_test_add_func ("/gguf/types", test_types);
  g_test_add_func ("/gguf/round-trip", test_round_trip);
  g_test_add_func ("/gguf/given-up", test_given_up);
  g_test_add_func ("/gguf/writer-refuses", test_writer_refuses);
  g_test_add_func ("/gguf/writer-folders", test_writer_folders);
  g_test_add_func ("/gguf/full-disk", test_full_disk);

  return g_test_run ();
}
