/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-names.h"

#include <string.h>

#include "tests/tare-test.h"

#define N_MANY 40

static const char *
colour_at (gsize index)
{
  static const char *const names[] = { "red", "green", "blue" };

  return index < G_N_ELEMENTS (names) ? names[index] : NULL;
}

static const char *
none_at (gsize index)
{
  return NULL;
}

/* "n0" to "n39" */
static const char *
many_at (gsize index)
{
  static char names[N_MANY][8];

  if (index >= N_MANY)
    return NULL;
  g_snprintf (names[index], sizeof names[index], "n%" G_GSIZE_FORMAT, index);

  return names[index];
}

/* The textbook's kitten and sitting are three apart. */
static void
test_distance (void)
{
  g_autofree char *endless = g_strnfill (100000, 'x');

  g_assert_cmpuint (tare_names_get_distance ("kitten", "sitting"), ==, 3);
  g_assert_cmpuint (tare_names_get_distance ("sitting", "kitten"), ==, 3);
  g_assert_cmpuint (tare_names_get_distance ("metod", "method"), ==, 1);
  g_assert_cmpuint (tare_names_get_distance ("Q4_K", "q4_k"), ==, 0);
  g_assert_cmpuint (tare_names_get_distance ("", "four"), ==, 4);
  g_assert_cmpuint (tare_names_get_distance ("four", ""), ==, 4);
  g_assert_cmpuint (tare_names_get_distance ("", ""), ==, 0);
  g_assert_cmpuint (tare_names_get_distance (endless, ""), ==, 64);
}

static void
test_explain (void)
{
  g_autofree char *few = tare_names_explain ("colour", "gren", colour_at);
  g_autofree char *many = tare_names_explain ("number", "n7", many_at);
  g_autofree char *none = tare_names_explain ("thing", "a", none_at);

  g_assert_cmpstr (few, ==, "unknown colour 'gren'; known, the nearest first: green, red, blue");
  g_assert_true (g_str_has_prefix (many, "unknown number 'n7'; the nearest are n7, "));
  g_assert_null (strstr (many, "n39"));
  g_assert_true (g_str_has_prefix (none, "unknown thing 'a'"));
}

/* A name from a file may be anything. */
static void
test_hostile (void)
{
  g_autofree char *long_name = g_strnfill (1 << 20, '\xff');
  g_autofree char *message = tare_names_explain ("colour", long_name, colour_at);

  g_assert_cmpuint (strlen (message), <, 300);
  g_assert_true (g_utf8_validate (message, -1, NULL));
}

static void
test_join (void)
{
  g_autofree char *joined = tare_names_join (colour_at, ", ");
  g_autofree char *empty = tare_names_join (none_at, ", ");

  g_assert_cmpstr (joined, ==, "red, green, blue");
  g_assert_cmpstr (empty, ==, "");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/names/distance", test_distance);
  g_test_add_func ("/names/explain", test_explain);
  g_test_add_func ("/names/hostile", test_hostile);
  g_test_add_func ("/names/join", test_join);

  return g_test_run ();
}
