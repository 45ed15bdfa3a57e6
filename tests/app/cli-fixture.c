/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/app/cli-fixture.h"

#include <string.h>
#include <sys/wait.h>

#include "tests/tare-test.h"

#define MAX_ARGUMENTS 24

/**
 * cli_run_clear:
 * @self: what a run left behind
 */
void
cli_run_clear (CliRun *self)
{
  g_free (self->output);
  g_free (self->error);
}

/**
 * cli_find_program:
 *
 * Returns: (transfer full): where the program was built
 */
char *
cli_find_program (void)
{
  const char *root = g_getenv ("TARE_BUILD_ROOT");

  return g_build_filename (root != NULL ? root : "build", "app", "cli", "tare-cli", NULL);
}

/**
 * cli_find_sample:
 * @name: a file of the sample
 *
 * Returns: (transfer full): where it is
 */
char *
cli_find_sample (const char *name)
{
  g_autofree char *folder = tare_test_source ("data/sample");

  return g_build_filename (folder, name, NULL);
}

/**
 * cli_make_arguments:
 * @line: arguments of the program
 * @paths: what stands for each %s in it
 *
 * Returns: (transfer full): the program and its arguments
 */
char **
cli_make_arguments (const char *line,
                    va_list     paths)
{
  g_auto(GStrv) words = g_strsplit (line, " ", -1);
  char **arguments = g_new0 (char *, MAX_ARGUMENTS);

  g_assert_cmpuint (g_strv_length (words) + 2, <, MAX_ARGUMENTS);
  arguments[0] = cli_find_program ();
  for (gsize i = 0; words[i] != NULL; i++)
    if (*words[i] != '\0')
      arguments[i + 1] = g_strdup (g_str_equal (words[i], "%s") ? va_arg (paths, const char *)
                                                                : words[i]);

  return arguments;
}

/**
 * cli_run_with:
 * @setup: (nullable): called in the program before it begins
 * @arguments: the program and its arguments
 *
 * Returns: what the run left behind
 */
CliRun
cli_run_with (GSpawnChildSetupFunc  setup,
              char                **arguments)
{
  g_autoptr(GError) error = NULL;
  CliRun run = { 0 };
  int status = 0;

  g_spawn_sync (NULL, arguments, NULL, G_SPAWN_DEFAULT, setup, NULL, &run.output, &run.error,
                &status, &error);
  g_assert_no_error (error);
  run.status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);

  return run;
}

/**
 * cli_run:
 * @line: arguments of the program
 * @...: what stands for each %s in it
 *
 * Returns: what the run left behind
 */
CliRun
cli_run (const char *line,
         ...)
{
  g_auto(GStrv) arguments = NULL;
  va_list paths;

  va_start (paths, line);
  arguments = cli_make_arguments (line, paths);
  va_end (paths);

  return cli_run_with (NULL, arguments);
}

/**
 * cli_run_json:
 * @line: arguments of the program
 * @...: what stands for each %s in it
 *
 * Returns: (transfer full): the one object of a run that must go well
 */
JsonObject *
cli_run_json (const char *line,
              ...)
{
  g_auto(GStrv) arguments = NULL;
  g_auto(CliRun) done = { 0 };
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;
  va_list paths;

  va_start (paths, line);
  arguments = cli_make_arguments (line, paths);
  va_end (paths);
  done = cli_run_with (NULL, arguments);
  if (done.status != 0)
    g_test_message ("%s: %s", line, done.error);
  g_assert_cmpint (done.status, ==, 0);
  g_assert_cmpstr (done.error, ==, "");

  node = json_from_string (done.output, &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (node));
  g_assert_null (strstr (done.output, ":nan"));
  g_assert_null (strstr (done.output, ":inf"));

  return json_node_dup_object (node);
}

/**
 * cli_get_number:
 * @object: an object
 * @key: a member that must be a number
 *
 * Returns: the number
 */
double
cli_get_number (JsonObject *object,
                const char *key)
{
  g_assert_true (json_object_has_member (object, key));
  g_assert_false (json_object_get_null_member (object, key));

  return json_object_get_double_member (object, key);
}

/**
 * cli_find_row:
 * @object: an object
 * @array_key: its member that is an array of objects
 * @key: a member of those
 * @value: what it must be
 *
 * Returns: (transfer none) (nullable): the first of the objects where it is
 */
JsonObject *
cli_find_row (JsonObject *object,
              const char *array_key,
              const char *key,
              const char *value)
{
  JsonArray *array = json_object_get_array_member (object, array_key);

  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonObject *row = json_array_get_object_element (array, i);

      if (g_strcmp0 (json_object_get_string_member (row, key), value) == 0)
        return row;
    }

  return NULL;
}

/**
 * cli_write_recipe:
 * @path: where to
 * @rules: the rules of a recipe, JSON
 */
void
cli_write_recipe (const char *path,
                  const char *rules)
{
  g_autofree char *text = g_strdup_printf ("{\"tare\": 1, \"rules\": [%s]}", rules);
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/**
 * cli_write_floats:
 * @path: where to
 * @x: numbers
 * @n: how many
 */
void
cli_write_floats (const char  *path,
                  const float *x,
                  gsize        n)
{
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, (const char *) x, (gssize) (n * sizeof (float)), &error);
  g_assert_no_error (error);
}
