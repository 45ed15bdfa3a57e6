/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-metadata.h"

#include <string.h>

#include "quant/model/tare-gguf.h"
#include "tests/tare-test.h"

static void
test_values (void)
{
  static const char *strings[] = { "a", "", "ccc" };
  static const gint32 integers[] = { -1, 0, G_MAXINT32 };
  static const float floats[] = { -0.5f, 3.0f };
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  TareValueType type = TARE_VALUE_U8;
  TareValueType element = TARE_VALUE_U8;
  double number = 0.0;
  gint64 integer = 0;
  gboolean boolean = TRUE;

  tare_metadata_set_u32 (metadata, "u32", G_MAXUINT32);
  tare_metadata_set_f32 (metadata, "f32", 0.25f);
  tare_metadata_set_boolean (metadata, "bool", FALSE);
  tare_metadata_set_string (metadata, "string", "text");
  tare_metadata_set_strings (metadata, "strings", strings, 3);
  tare_metadata_set_i32s (metadata, "i32s", integers, 3);
  tare_metadata_set_f32s (metadata, "f32s", floats, 2);

  g_assert_true (tare_metadata_get_integer (metadata, "u32", &integer));
  g_assert_cmpint (integer, ==, G_MAXUINT32);
  g_assert_true (tare_metadata_get_number (metadata, "u32", &number));
  g_assert_cmpfloat (number, ==, 4294967295.0);
  g_assert_true (tare_metadata_get_number (metadata, "f32", &number));
  g_assert_cmpfloat (number, ==, 0.25);
  g_assert_true (tare_metadata_get_boolean (metadata, "bool", &boolean));
  g_assert_false (boolean);
  g_assert_cmpstr (tare_metadata_get_string (metadata, "string"), ==, "text");
  g_assert_cmpuint (tare_metadata_get_length (metadata, "strings"), ==, 3);
  g_assert_cmpstr (tare_metadata_get_string_at (metadata, "strings", 2), ==, "ccc");
  g_assert_true (tare_metadata_get_number_at (metadata, "i32s", 0, &number));
  g_assert_cmpfloat (number, ==, -1.0);
  g_assert_true (tare_metadata_get_number_at (metadata, "f32s", 0, &number));
  g_assert_cmpfloat (number, ==, -0.5);

  g_assert_true (tare_metadata_get_type (metadata, "i32s", &type, &element));
  g_assert_cmpint (type, ==, TARE_VALUE_ARRAY);
  g_assert_cmpint (element, ==, TARE_VALUE_I32);
  g_assert_true (tare_metadata_get_type (metadata, "f32", &type, &element));
  g_assert_cmpint (type, ==, TARE_VALUE_F32);
  g_assert_cmpint (element, ==, TARE_VALUE_F32);
}

/* What is not there, or is of another kind, is no answer. */
static void
test_wrong_types (void)
{
  static const char *strings[] = { "a" };
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  double number = 0.0;
  gint64 integer = 0;
  gboolean boolean = FALSE;

  tare_metadata_set_string (metadata, "string", "1");
  tare_metadata_set_f32 (metadata, "f32", 1.0f);
  tare_metadata_set_boolean (metadata, "bool", TRUE);
  tare_metadata_set_strings (metadata, "strings", strings, 1);

  g_assert_false (tare_metadata_get_integer (metadata, "f32", &integer));
  g_assert_false (tare_metadata_get_integer (metadata, "bool", &integer));
  g_assert_false (tare_metadata_get_integer (metadata, "none", &integer));
  g_assert_false (tare_metadata_get_number (metadata, "string", &number));
  g_assert_false (tare_metadata_get_number (metadata, "bool", &number));
  g_assert_false (tare_metadata_get_number (metadata, "strings", &number));
  g_assert_false (tare_metadata_get_boolean (metadata, "f32", &boolean));
  g_assert_null (tare_metadata_get_string (metadata, "strings"));
  g_assert_null (tare_metadata_get_string_at (metadata, "strings", 1));
  g_assert_null (tare_metadata_get_string_at (metadata, "string", 0));
  g_assert_false (tare_metadata_get_number_at (metadata, "strings", 0, &number));
  g_assert_cmpuint (tare_metadata_get_length (metadata, "string"), ==, 0);
  g_assert_false (tare_metadata_get_type (metadata, "none", NULL, NULL));
  g_assert_false (tare_metadata_has (metadata, "none"));
}

static void
test_order (void)
{
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareMetadata) copy = NULL;

  tare_metadata_set_u32 (metadata, "a", 1);
  tare_metadata_set_u32 (metadata, "b", 2);
  tare_metadata_set_u32 (metadata, "c", 3);
  tare_metadata_set_string (metadata, "b", "two");
  g_assert_cmpuint (tare_metadata_get_n_keys (metadata), ==, 3);
  g_assert_cmpstr (tare_metadata_get_key (metadata, 1), ==, "b");
  g_assert_cmpstr (tare_metadata_get_string (metadata, "b"), ==, "two");

  copy = tare_metadata_copy (metadata);
  tare_metadata_remove (copy, "a");
  tare_metadata_remove (copy, "never there");
  g_assert_cmpuint (tare_metadata_get_n_keys (copy), ==, 2);
  g_assert_cmpstr (tare_metadata_get_key (copy, 0), ==, "b");
  g_assert_cmpstr (tare_metadata_get_string (copy, "b"), ==, "two");
  g_assert_true (tare_metadata_has (metadata, "a"));
}

/* One file with a value of every number type at its ends; @value little-endian. */
static TareMetadata *
read_value (TareValueType type,
            guint64       value,
            gsize         n_bytes)
{
  g_autoptr(GByteArray) out = g_byte_array_new ();
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(TareFile) file = NULL;
  g_autoptr(GPtrArray) tensors = g_ptr_array_new ();
  TareMetadata *metadata = NULL;
  guint64 header[] = { 0, GUINT64_TO_LE (1), GUINT64_TO_LE (1) };
  guint32 head[] = { GUINT32_TO_LE (3) };
  guint32 kind = GUINT32_TO_LE ((guint32) type);

  value = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) "GGUF", 4);
  g_byte_array_append (out, (const guint8 *) head, sizeof head);
  g_byte_array_append (out, (const guint8 *) header, sizeof header);
  g_byte_array_append (out, (const guint8 *) "k", 1);
  g_byte_array_append (out, (const guint8 *) &kind, 4);
  g_byte_array_append (out, (const guint8 *) &value, (guint) n_bytes);
  bytes = g_bytes_new (out->data, out->len);
  file = tare_file_new_bytes ("value", bytes);
  g_assert_true (tare_gguf_read (file, tensors, &metadata, NULL));

  return metadata;
}

static void
test_integers (void)
{
  const struct { TareValueType type; guint64 bits; gsize bytes; double expected; } values[] = {
    { TARE_VALUE_U8, 0xff, 1, 255.0 },
    { TARE_VALUE_I8, 0x80, 1, -128.0 },
    { TARE_VALUE_U16, 0xffff, 2, 65535.0 },
    { TARE_VALUE_I16, 0x8000, 2, -32768.0 },
    { TARE_VALUE_U32, 0xffffffff, 4, 4294967295.0 },
    { TARE_VALUE_I32, 0x80000000, 4, -2147483648.0 },
    { TARE_VALUE_I64, G_MAXINT64, 8, 9223372036854775807.0 },
    { TARE_VALUE_I64, (guint64) 1 << 63, 8, -9223372036854775808.0 },
    { TARE_VALUE_U64, 12345, 8, 12345.0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr(TareMetadata) metadata = read_value (values[i].type, values[i].bits,
                                                     values[i].bytes);
      gint64 integer = 0;
      double number = 0.0;

      g_assert_true (tare_metadata_get_number (metadata, "k", &number));
      g_assert_cmpfloat (number, ==, values[i].expected);
      g_assert_true (tare_metadata_get_integer (metadata, "k", &integer));
      g_assert_cmpfloat ((double) integer, ==, values[i].expected);
    }
}

/* The one that fits no gint64 is still a number. */
static void
test_integer_too_large (void)
{
  g_autoptr(TareMetadata) metadata = read_value (TARE_VALUE_U64, G_MAXUINT64, 8);
  g_autoptr(TareMetadata) real = read_value (TARE_VALUE_F64,
                                             G_GUINT64_CONSTANT (0xbff8000000000000), 8);
  gint64 integer = 0;
  double number = 0.0;

  g_assert_false (tare_metadata_get_integer (metadata, "k", &integer));
  g_assert_true (tare_metadata_get_number (metadata, "k", &number));
  g_assert_cmpfloat (number, ==, 18446744073709551615.0);
  g_assert_true (tare_metadata_get_number (real, "k", &number));
  g_assert_cmpfloat (number, ==, -1.5);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metadata/values", test_values);
  g_test_add_func ("/metadata/wrong-types", test_wrong_types);
  g_test_add_func ("/metadata/order", test_order);
  g_test_add_func ("/metadata/integers", test_integers);
  g_test_add_func ("/metadata/integer-too-large", test_integer_too_large);

  return g_test_run ();
}
