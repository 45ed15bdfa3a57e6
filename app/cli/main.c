/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <cblas.h>
#include <json-glib/json-glib.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "app/cli/cli.h"
#include "quant/tare-threads.h"

#define STATUS_FAILED 1
#define STATUS_USAGE 2

static const CliCommand *const commands[] = {
  &cli_command_inspect,
  &cli_command_formats,
  &cli_command_tokenize,
  &cli_command_logits,
  &cli_command_evaluate,
  &cli_command_continue,
  &cli_command_calibrate,
  &cli_command_sensitivity,
  &cli_command_quantize,
  &cli_command_encode,
  &cli_command_decode,
  &cli_command_compare,
};

static void
print_usage (FILE *stream)
{
  fputs ("Usage: tare-cli COMMAND ...\n\n", stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-12s %s\n", commands[i]->name, commands[i]->description);
  fputs ("\n'tare-cli COMMAND --help' tells a command's options; with --json it prints JSON.\n",
         stream);
}

/* What it was built with, then what it runs with. */
static void
print_version (void)
{
  printf ("tare-cli %s\n", TARE_VERSION);
  printf ("GLib %d.%d.%d, %u.%u.%u\n", GLIB_MAJOR_VERSION, GLIB_MINOR_VERSION, GLIB_MICRO_VERSION,
          glib_major_version, glib_minor_version, glib_micro_version);
  printf ("JSON-GLib %s\n", JSON_VERSION_S);
  printf ("%s, %s\n", OPENBLAS_VERSION, openblas_get_config ());
}

static const CliCommand *
find_command (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i]->name, name))
      return commands[i];

  return NULL;
}

/* Every error is one line, also where a library's message is not. */
static int
report (const CliCommand *command,
        const GError     *error)
{
  g_autofree char *message = g_strdup (error->message);

  cli_progress_finish ();
  g_strdelimit (message, "\r\n", ' ');
  fprintf (stderr, "tare-cli: %s\n", g_strstrip (message));
  if (error->domain != G_OPTION_ERROR)
    return STATUS_FAILED;

  fprintf (stderr, "Usage: tare-cli %s %s\n", command->name, command->arguments);

  return STATUS_USAGE;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr(GError) error = NULL;
  const CliCommand *command;

  tare_threads_settle (argv);

  /* Numbers are written and read in the C locale; only names of files follow the user's. */
  setlocale (LC_CTYPE, "");

  /* So that a limit on the size of files fails a write, as a full disk does. */
  signal (SIGXFSZ, SIG_IGN);

  if (argc < 2)
    {
      print_usage (stderr);
      return STATUS_USAGE;
    }
  if (g_str_equal (argv[1], "--help") || g_str_equal (argv[1], "-h"))
    {
      print_usage (stdout);
      return 0;
    }
  if (g_str_equal (argv[1], "--version"))
    {
      print_version ();
      return 0;
    }

  command = find_command (argv[1]);
  if (command == NULL)
    {
      fprintf (stderr, "tare-cli: unknown command '%s'\n", argv[1]);
      print_usage (stderr);
      return STATUS_USAGE;
    }
  if (!command->run (command, argc - 1, argv + 1, &error))
    return report (command, error);

  return 0;
}
