/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <stdarg.h>

/* The strings of options that are made from tables. */
typedef struct
{
  GArray    *entries;
  GPtrArray *strings;
} Entries;

static void
entries_clear (Entries *self)
{
  g_clear_pointer (&self->entries, g_array_unref);
  g_clear_pointer (&self->strings, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Entries, entries_clear)

/* Takes over @description. */
static void
entries_add (Entries    *self,
             const char *name,
             GOptionArg  kind,
             gpointer    value,
             char       *description,
             const char *placeholder)
{
  GOptionEntry entry = { name, 0, 0, kind, value, description, placeholder };

  g_ptr_array_add (self->strings, description);
  g_array_append_val (self->entries, entry);
}

static char *
describe_bounds (const CliNumber *number)
{
  if (number->maximum >= G_MAXINT32)
    return g_strdup_printf ("%" G_GINT64_FORMAT " or more", number->minimum);

  return g_strdup_printf ("from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, number->minimum,
                          number->maximum);
}

static void
add_number (Entries         *self,
            const CliNumber *number)
{
  g_autofree char *bounds = describe_bounds (number);
  char *description = number->usually != NULL
                        ? g_strdup_printf ("%s, %s; %s if not given", number->description, bounds,
                                           number->usually)
                        : g_strdup_printf ("%s, %s", number->description, bounds);

  entries_add (self, number->name, G_OPTION_ARG_INT64, number->value, description, "N");
}

static void
add_choice (Entries         *self,
            const CliChoice *choice)
{
  g_autofree char *names = tare_names_join (choice->at, ", ");

  entries_add (self, choice->name, G_OPTION_ARG_STRING, choice->value,
               g_strdup_printf ("%s: %s; %s if not given", choice->description, names,
                                choice->usually), "NAME");
}

/* Fills in what was not given. */
static gboolean
check_number (const CliNumber  *number,
              GError          **error)
{
  g_autofree char *bounds = NULL;

  if (*number->value == CLI_NOT_GIVEN && number->usually != NULL)
    {
      *number->value = number->usual;
      return TRUE;
    }
  if (*number->value >= number->minimum && *number->value <= number->maximum)
    return TRUE;

  bounds = describe_bounds (number);

  return cli_usage_error (error, "--%s must be %s", number->name, bounds);
}

static gboolean
check_choice (const CliChoice  *choice,
              GError          **error)
{
  if (*choice->value == NULL)
    return TRUE;

  for (gsize i = 0; choice->at (i) != NULL; i++)
    if (g_str_equal (choice->at (i), *choice->value))
      return TRUE;

  return cli_unknown_error (error, choice->name, *choice->value, choice->at);
}

static gboolean
check_options (const CliNumber  *numbers,
               const CliChoice  *choices,
               GError          **error)
{
  for (gsize i = 0; numbers != NULL && numbers[i].name != NULL; i++)
    if (!check_number (&numbers[i], error))
      return FALSE;
  for (gsize i = 0; choices != NULL && choices[i].name != NULL; i++)
    if (!check_choice (&choices[i], error))
      return FALSE;

  return TRUE;
}

/**
 * cli_parse_with:
 * @self: the command
 * @argc: its arguments
 * @argv: (array length=argc): of which the first is its name
 * @entries: its options, ended by one without a name
 * @numbers: (nullable): those that take a number
 * @choices: (nullable): those that take a name of a table
 * @n_positional: how many arguments are not options
 * @json: (out): whether --json was given
 * @error: of the #G_OPTION_ERROR domain
 *
 * Reads a command's arguments; with --help it prints what they are, what they may be and what they
 * are if not given, and leaves.
 *
 * Returns: (transfer full) (nullable): the arguments that are not options
 */
char **
cli_parse_with (const CliCommand    *self,
                int                  argc,
                char               **argv,
                const GOptionEntry  *entries,
                const CliNumber     *numbers,
                const CliChoice     *choices,
                gsize                n_positional,
                gboolean            *json,
                GError             **error)
{
  const GOptionEntry common[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, json, "Print one JSON object", NULL },
    { NULL },
  };
  g_auto(Entries) made = { g_array_new (TRUE, TRUE, sizeof (GOptionEntry)),
                           g_ptr_array_new_with_free_func (g_free) };
  g_autoptr(GOptionContext) context = g_option_context_new (self->arguments);
  g_autofree char *program = g_strconcat ("tare-cli ", self->name, NULL);
  g_auto(GStrv) rest = g_new0 (char *, (gsize) argc + 1);

  for (int i = 0; i < argc; i++)
    rest[i] = g_strdup (argv[i]);
  for (gsize i = 0; numbers != NULL && numbers[i].name != NULL; i++)
    add_number (&made, &numbers[i]);
  for (gsize i = 0; choices != NULL && choices[i].name != NULL; i++)
    add_choice (&made, &choices[i]);

  g_set_prgname (program);
  g_option_context_set_summary (context, self->description);
  g_option_context_add_main_entries (context, entries, NULL);
  if (made.entries->len > 0)
    g_option_context_add_main_entries (context, (GOptionEntry *) (gpointer) made.entries->data,
                                       NULL);
  g_option_context_add_main_entries (context, common, NULL);
  if (!g_option_context_parse_strv (context, &rest, error))
    return NULL;

  if (g_strv_length (rest) != n_positional + 1)
    {
      cli_usage_error (error, "%u arguments given that are not options, %" G_GSIZE_FORMAT
                       " needed", g_strv_length (rest) - 1, n_positional);
      return NULL;
    }

  return check_options (numbers, choices, error) ? g_strdupv (rest + 1) : NULL;
}

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
 * cli_parse_with() for a command that takes neither numbers nor names of tables.
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
  return cli_parse_with (self, argc, argv, entries, NULL, NULL, n_positional, json, error);
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
