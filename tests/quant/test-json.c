/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-json.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

static void
check_refused (const char *text,
               gsize       length,
               TareError   code)
{
  g_autoptr(GError) error = NULL;

  g_assert_null (tare_json_parse (text, length, "config.json", &error));
  g_assert_error (error, TARE_ERROR, (int) code);
  g_assert_true (g_str_has_prefix (error->message, "config.json: "));
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_refused (void)
{
  static const char *const texts[] = {
    "", " ", "{", "[1,", "{\"a\":}", "\"", "\"\\", "{\"a\" 1}", "\xff{}", "{}\xc3", "{'a': 1}",
    "// comment\n{}", "/* \" */ {}", "# x\n{}", "\xef\xbb\xbf{}", "[\"\x80\"]", "{\n\n\"a\":\n]",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    check_refused (texts[i], strlen (texts[i]), TARE_ERROR_INVALID);

  check_refused ("{\0}", 3, TARE_ERROR_INVALID);
}

/* The parser recurses, so depth must be refused before; brackets in strings are no depth, and
 * what the parser takes for a comment may not hide any. */
static void
test_depth (void)
{
  g_autoptr(GString) deep = g_string_new (NULL);
  g_autoptr(GString) flat = g_string_new ("[\"");
  g_autoptr(GString) hidden = g_string_new ("/*\"*/");
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;

  for (int i = 0; i < 100000; i++)
    {
      g_string_append_c (deep, i % 2 == 0 ? '[' : '{');
      g_string_append_c (flat, '[');
      g_string_append_c (hidden, '[');
    }
  g_string_append (flat, "\\\"\"]");
  g_string_append (hidden, "/*\"*/");

  check_refused (deep->str, deep->len, TARE_ERROR_LIMIT);
  check_refused (hidden->str, hidden->len, TARE_ERROR_INVALID);
  node = tare_json_parse (flat->str, flat->len, "flat", &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_ARRAY (node));
}

static void
test_escapes (void)
{
  static const char good[] = "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"]";
  static const char *const bad[] = {
    "[\"\\255\"]", "[\"\\x41\"]", "[\"\\u12\"]", "[\"\\ud800\"]", "[\"\\",
  };
  g_autoptr(JsonNode) node = tare_json_parse (good, strlen (good), "good", NULL);

  g_assert_nonnull (node);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    check_refused (bad[i], strlen (bad[i]), TARE_ERROR_INVALID);
}

static void
test_depth_allowed (void)
{
  g_autoptr(GString) text = g_string_new (NULL);
  g_autoptr(JsonNode) node = NULL;

  for (int i = 0; i < 64; i++)
    g_string_append_c (text, '[');
  for (int i = 0; i < 64; i++)
    g_string_append_c (text, ']');

  node = tare_json_parse (text->str, text->len, "deep", NULL);
  g_assert_nonnull (node);

  g_string_prepend_c (text, '[');
  g_string_append_c (text, ']');
  check_refused (text->str, text->len, TARE_ERROR_LIMIT);
}

static void
test_too_large (void)
{
  g_autofree char *path = tare_test_temporary ("large.json");
  g_autoptr(GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  g_assert_true (g_file_set_contents (path, "{", 1, NULL));
  g_assert_cmpint (truncate (path, (off_t) 1 << 33), ==, 0);
  g_assert_null (tare_json_load (path, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  g_unlink (path);
}

static void
test_load (void)
{
  g_autofree char *path = tare_test_temporary ("good.json");
  g_autofree char *missing = tare_test_temporary ("no.json");
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;

  g_assert_true (g_file_set_contents (path, "{\"a\": 1}", -1, NULL));
  node = tare_json_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (node));

  g_assert_null (tare_json_load (missing, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

static void
test_accessors (void)
{
  static const char text[] = "{\"s\": \"text\", \"i\": 7, \"d\": 0.5, \"b\": true, \"n\": null,"
                             " \"o\": {\"x\": 1}, \"a\": [1, 2]}";
  g_autoptr(JsonNode) node = tare_json_parse (text, strlen (text), "text", NULL);
  JsonObject *object = json_node_get_object (node);
  double value = 42.0;

  g_assert_cmpstr (tare_json_get_string (object, "s"), ==, "text");
  g_assert_true (tare_json_get_number (object, "i", &value));
  g_assert_cmpfloat (value, ==, 7.0);
  g_assert_true (tare_json_get_number (object, "d", &value));
  g_assert_cmpfloat (value, ==, 0.5);
  g_assert_true (tare_json_get_boolean (object, "b", FALSE));
  g_assert_nonnull (tare_json_get_object (object, "o"));
  g_assert_cmpuint (json_array_get_length (tare_json_get_array (object, "a")), ==, 2);
}

/* A wrong type is as good as nothing, and never a warning. */
static void
test_wrong_types (void)
{
  static const char *const keys[] = { "s", "i", "b", "n", "o", "a", "none" };
  static const char text[] = "{\"s\": \"text\", \"i\": 7, \"b\": true, \"n\": null,"
                             " \"o\": {}, \"a\": []}";
  g_autoptr(JsonNode) node = tare_json_parse (text, strlen (text), "text", NULL);
  JsonObject *object = json_node_get_object (node);
  double value = 42.0;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      const char *key = keys[i];

      g_assert_true ((tare_json_get_string (object, key) != NULL) == (*key == 's'));
      g_assert_true (tare_json_get_number (object, key, &value) == (*key == 'i'));
      g_assert_true (tare_json_get_boolean (object, key, FALSE) == (*key == 'b'));
      g_assert_true (tare_json_get_boolean (object, key, TRUE));
      g_assert_true ((tare_json_get_object (object, key) != NULL) == (*key == 'o'));
      g_assert_true ((tare_json_get_array (object, key) != NULL) == (*key == 'a'));
      g_assert_null (tare_json_get_string (NULL, key));
      g_assert_false (tare_json_get_number (NULL, key, &value));
      g_assert_null (tare_json_get_object (NULL, key));
      g_assert_null (tare_json_get_array (NULL, key));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/refused", test_refused);
  g_test_add_func ("/json/depth", test_depth);
  g_test_add_func ("/json/depth-allowed", test_depth_allowed);
  g_test_add_func ("/json/escapes", test_escapes);
  g_test_add_func ("/json/too-large", test_too_large);
  g_test_add_func ("/json/load", test_load);
  g_test_add_func ("/json/accessors", test_accessors);
  g_test_add_func ("/json/wrong-types", test_wrong_types);

  return g_test_run ();
}
