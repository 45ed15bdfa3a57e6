/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <stdarg.h>

/**
 * cli_parse:
 * @self: the command
 * @argc: its arguments
 * @argv: (array length=argc): of which the first is its name
 * @entries: its options, ended by one without a name
 * @n_positional: how many arguments are not options
 * @json: (out): whether --json was given
 * @error: of the #G_OPTION_ERROR domain
 *
 * Reads a command's arguments; with --help it prints what they are, and leaves.
 *
 * Returns: (transfer full) (nullable): the arguments that are not options
 */
char **
cli_parse (const CliCommand    *self,
           int                  argc,
           char               **argv,
           const GOptionEntry  *entries,
           gsize                n_positional,
           gboolean            *json,
           GError             **error)
{
  const GOptionEntry common[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, json, "Print one JSON object", NULL },
    { NULL },
  };
  g_autoptr(GOptionContext) context = g_option_context_new (self->arguments);
  g_autofree char *program = g_strconcat ("tare-cli ", self->name, NULL);
  g_auto(GStrv) rest = g_new0 (char *, (gsize) argc + 1);

  for (int i = 0; i < argc; i++)
    rest[i] = g_strdup (argv[i]);

  g_set_prgname (program);
  g_option_context_set_summary (context, self->description);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  if (!g_option_context_parse_strv (context, &rest, error))
    return NULL;

  if (g_strv_length (rest) != n_positional + 1)
    {
      cli_usage_error (error, "%u arguments given that are not options, %" G_GSIZE_FORMAT
                       " needed", g_strv_length (rest) - 1, n_positional);
      return NULL;
    }

  return g_strdupv (rest + 1);
}

/**
 * cli_usage_error:
 * @error: set to an error of the #G_OPTION_ERROR domain
 * @format: what is wrong
 *
 * Returns: %FALSE
 */
gboolean
cli_usage_error (GError     **error,
                 const char  *format,
                 ...)
{
  g_autofree char *message = NULL;
  va_list arguments;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);

  return FALSE;
}

/**
 * cli_unknown_error:
 * @error: set to an error of the #G_OPTION_ERROR domain that has the names that there are
 * @kind: what was to be named, "method"
 * @name: what was given
 * @at: the table
 *
 * Returns: %FALSE
 */
gboolean
cli_unknown_error (GError     **error,
                   const char  *kind,
                   const char  *name,
                   TareNameAt   at)
{
  g_autofree char *message = tare_names_explain (kind, name, at);

  return cli_usage_error (error, "%s", message);
}

/**
 * cli_require:
 * @value: (nullable): what was given
 * @option: the option, "--text"
 * @error: set when nothing was
 */
gboolean
cli_require (const char  *value,
             const char  *option,
             GError     **error)
{
  return value != NULL || cli_usage_error (error, "%s is missing", option);
}

/**
 * cli_parse_count:
 * @value: what was given
 * @option: the option
 * @minimum: the least
 * @maximum: the most
 * @error: set when it is neither
 */
gboolean
cli_parse_count (gint64       value,
                 const char  *option,
                 gint64       minimum,
                 gint64       maximum,
                 GError     **error)
{
  if (value >= minimum && value <= maximum)
    return TRUE;

  return cli_usage_error (error, "%s must be from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                          option, minimum, maximum);
}

/**
 * cli_parse_size:
 * @text: (nullable): a number of bytes, such as "800MB" or "4GiB"; %NULL is 0
 * @option: the option
 * @bytes: (out): how many
 * @error: set when it is none
 */
gboolean
cli_parse_size (const char  *text,
                const char  *option,
                guint64     *bytes,
                GError     **error)
{
  static const struct { const char *unit; double bytes; } units[] = {
    { "", 1.0 }, { "B", 1.0 },
    { "kB", 1e3 }, { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 },
    { "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 },
    { "TiB", 1099511627776.0 },
  };
  char *end = NULL;
  double value;

  *bytes = 0;
  if (text == NULL)
    return TRUE;

  value = g_ascii_strtod (text, &end);
  while (g_ascii_isspace (*end))
    end++;
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    if (end != text && strcmp (end, units[i].unit) == 0 && value * units[i].bytes >= 1.0
        && value * units[i].bytes < 1e18)
      {
        *bytes = (guint64) (value * units[i].bytes);
        return TRUE;
      }

  return cli_usage_error (error, "%s must be a size such as 800MB or 4GiB, not '%s'", option, text);
}

/**
 * cli_parse_format:
 * @id: a format's id, or its label
 * @error: set when there is none of that name
 *
 * Returns: (nullable): the format
 */
const TareFormat *
cli_parse_format (const char  *id,
                  GError     **error)
{
  const TareFormat *format = tare_format_find (id);
  g_autofree char *message = NULL;

  if (format == NULL)
    {
      message = tare_names_explain ("format", id, tare_format_name_at);
      cli_usage_error (error, "%s; 'tare-cli formats' lists all", message);
    }

  return format;
}

/**
 * cli_parse_method:
 * @id: (nullable): a method's id; %NULL leaves @method as it is
 * @method: (inout): the method
 * @error: set when there is none of that name
 */
gboolean
cli_parse_method (const char         *id,
                  const TareMethod  **method,
                  GError            **error)
{
  const TareMethod *found;

  if (id == NULL)
    return TRUE;

  found = tare_method_lookup (id);
  if (found == NULL)
    return cli_unknown_error (error, "method", id, tare_method_name_at);
  *method = found;

  return TRUE;
}

/**
 * cli_parse_range:
 * @id: (nullable): a range's id; %NULL leaves @range as it is
 * @range: (inout): the range
 * @error: set when there is none of that name
 */
gboolean
cli_parse_range (const char  *id,
                 TareRange   *range,
                 GError     **error)
{
  const TareRangeInfo *found;

  if (id == NULL)
    return TRUE;

  found = tare_range_lookup (id);
  if (found == NULL)
    return cli_unknown_error (error, "range", id, tare_range_name_at);
  *range = found->range;

  return TRUE;
}
