/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli-output.h"

#include <errno.h>
#include <gio/gio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Six significant digits with their sign and exponent. */
#define NUMBER_WIDTH 12

/**
 * cli_set_number:
 * @object: where to
 * @key: its key
 * @value: a number; what is not finite becomes null, which JSON has
 */
void
cli_set_number (JsonObject *object,
                const char *key,
                double      value)
{
  if (isfinite (value))
    json_object_set_double_member (object, key, value);
  else
    json_object_set_null_member (object, key);
}

/**
 * cli_set_string:
 * @object: where to
 * @key: its key
 * @value: (nullable): a string; %NULL becomes null
 */
void
cli_set_string (JsonObject *object,
                const char *key,
                const char *value)
{
  g_autofree char *valid = NULL;

  if (value == NULL)
    {
      json_object_set_null_member (object, key);
      return;
    }

  valid = g_utf8_make_valid (value, -1);
  json_object_set_string_member (object, key, valid);
}

/**
 * cli_set_size:
 * @object: where to
 * @key: its key
 * @value: a count
 */
void
cli_set_size (JsonObject *object,
              const char *key,
              guint64     value)
{
  json_object_set_int_member (object, key, (gint64) MIN (value, (guint64) G_MAXINT64));
}

/**
 * cli_set_tokens:
 * @object: where to
 * @key: its key
 * @tokens: tokens of a text
 * @n_tokens: how many
 */
void
cli_set_tokens (JsonObject    *object,
                const char    *key,
                const guint32 *tokens,
                gsize          n_tokens)
{
  JsonArray *array = json_array_sized_new ((guint) n_tokens);

  for (gsize i = 0; i < n_tokens; i++)
    json_array_add_int_element (array, tokens[i]);
  json_object_set_array_member (object, key, array);
}

static char *format_node (JsonNode     *node,
                          CliFieldKind  kind);

static char *
format_array (JsonArray    *array,
              CliFieldKind  kind)
{
  g_autoptr(GString) text = g_string_new (NULL);

  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char *element = format_node (json_array_get_element (array, i), kind);

      if (i > 0)
        g_string_append (text, kind == CLI_SHAPE ? " x " : " ");
      g_string_append (text, element);
    }

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
format_number (double       value,
               CliFieldKind kind)
{
  switch (kind)
    {
    case CLI_INTEGER:
    case CLI_SHAPE:
      return g_strdup_printf ("%.0f", value);
    case CLI_SIZE:
      return g_format_size ((guint64) MAX (value, 0.0));
    case CLI_PERCENT:
      return g_strdup_printf ("%.4g %%", 100.0 * value);
    case CLI_TEXT:
    case CLI_NUMBER:
    default:
      return g_strdup_printf ("%.6g", value);
    }
}

static char *
format_node (JsonNode     *node,
             CliFieldKind  kind)
{
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return g_strdup ("-");
  if (JSON_NODE_HOLDS_ARRAY (node))
    return format_array (json_node_get_array (node), kind);
  if (!JSON_NODE_HOLDS_VALUE (node))
    return g_strdup ("");
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return json_node_dup_string (node);
  if (json_node_get_value_type (node) == G_TYPE_BOOLEAN)
    return g_strdup (json_node_get_boolean (node) ? "yes" : "no");

  return format_number (json_node_get_double (node), kind);
}

/* The value at "a.b", which is b within a. */
static JsonNode *
find_node (JsonObject *object,
           const char *key)
{
  const char *dot = strchr (key, '.');
  g_autofree char *head = NULL;
  JsonNode *node;

  if (dot == NULL)
    return json_object_get_member (object, key);

  head = g_strndup (key, (gsize) (dot - key));
  node = json_object_get_member (object, head);
  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
    return NULL;

  return find_node (json_node_get_object (node), dot + 1);
}

static void
append_padded (GString    *text,
               const char *cell,
               glong       width,
               gboolean    right)
{
  int padding = (int) (width - g_utf8_strlen (cell, -1));

  if (right)
    g_string_append_printf (text, "%*s%s", padding, "", cell);
  else
    g_string_append_printf (text, "%s%*s", cell, padding, "");
}

static void
append_fields (GString        *text,
               JsonObject     *object,
               const CliField *fields)
{
  glong width = 0;

  for (const CliField *field = fields; field->key != NULL; field++)
    width = MAX (width, g_utf8_strlen (field->label, -1));

  for (const CliField *field = fields; field->key != NULL; field++)
    {
      JsonNode *node = find_node (object, field->key);
      g_autofree char *value = NULL;

      if (node == NULL || JSON_NODE_HOLDS_NULL (node))
        continue;
      value = format_node (node, field->kind);
      append_padded (text, field->label, width, FALSE);
      g_string_append_printf (text, "  %s\n", value);
    }
}

static void
append_row (GString        *text,
            char          **cells,
            const CliField *columns,
            const glong    *widths)
{
  for (gsize i = 0; columns[i].key != NULL; i++)
    {
      gboolean last = columns[i + 1].key == NULL;
      gboolean right = columns[i].kind != CLI_TEXT && columns[i].kind != CLI_SHAPE;

      if (last && !right)
        g_string_append (text, cells[i]);
      else
        append_padded (text, cells[i], widths[i], right);
      g_string_append (text, last ? "\n" : "  ");
    }
}

static char **
make_row (JsonObject     *object,
          const CliField *columns,
          gsize           n_columns)
{
  char **cells = g_new0 (char *, n_columns + 1);

  for (gsize i = 0; i < n_columns; i++)
    cells[i] = object != NULL ? format_node (find_node (object, columns[i].key), columns[i].kind)
                              : g_strdup (columns[i].label);

  return cells;
}

static gsize
count_columns (const CliField *columns)
{
  gsize n = 0;

  while (columns[n].key != NULL)
    n++;

  return n;
}

/* Widens columns to the cells of one row. */
static void
widen (glong  *widths,
       char  **cells)
{
  for (gsize i = 0; cells[i] != NULL; i++)
    widths[i] = MAX (widths[i], g_utf8_strlen (cells[i], -1));
}

static void
append_table (GString        *text,
              JsonArray      *array,
              const CliField *columns)
{
  gsize n_columns = count_columns (columns);
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autofree glong *widths = g_new0 (glong, n_columns + 1);

  g_ptr_array_add (rows, make_row (NULL, columns, n_columns));
  for (guint i = 0; i < json_array_get_length (array); i++)
    g_ptr_array_add (rows, make_row (json_array_get_object_element (array, i), columns,
                                     n_columns));

  for (guint i = 0; i < rows->len; i++)
    widen (widths, g_ptr_array_index (rows, i));
  for (guint i = 0; i < rows->len; i++)
    append_row (text, g_ptr_array_index (rows, i), columns, widths);
}

static char *
make_text (JsonObject    *object,
           const CliView *view)
{
  GString *text = g_string_new (NULL);

  if (view->table != NULL && json_object_has_member (object, view->table))
    append_table (text, json_object_get_array_member (object, view->table), view->columns);
  if (view->fields != NULL)
    {
      if (text->len > 0)
        g_string_append_c (text, '\n');
      append_fields (text, object, view->fields);
    }

  return g_string_free (text, FALSE);
}

static char *
make_json (JsonObject *object)
{
  g_autoptr(JsonNode) node = json_node_init_object (json_node_alloc (), object);
  g_autofree char *text = json_to_string (node, FALSE);

  return g_strconcat (text, "\n", NULL);
}

static gboolean
put_text (const char  *text,
          GError     **error)
{
  int saved;

  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return TRUE;

  saved = errno;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved), "standard output: %s",
               g_strerror (saved));

  return FALSE;
}

/**
 * cli_begin_table:
 * @rows: what is known of its rows before the first is printed
 * @columns: what is shown of them, ended by a %NULL key
 * @error: says why standard output does not take it
 *
 * Prints the head of a table of which one row after the other will follow.
 *
 * Returns: (transfer full): the widths of its columns, with room for numbers that are not known
 *   yet; %NULL with @error set
 */
glong *
cli_begin_table (JsonArray       *rows,
                 const CliField  *columns,
                 GError         **error)
{
  gsize n_columns = count_columns (columns);
  g_autofree glong *widths = g_new0 (glong, n_columns + 1);
  g_autoptr(GString) text = g_string_new (NULL);
  g_auto(GStrv) head = make_row (NULL, columns, n_columns);

  for (gsize i = 0; i < n_columns; i++)
    widths[i] = columns[i].kind == CLI_NUMBER || columns[i].kind == CLI_PERCENT ? NUMBER_WIDTH : 0;
  widen (widths, head);
  for (guint i = 0; i < json_array_get_length (rows); i++)
    {
      g_auto(GStrv) cells = make_row (json_array_get_object_element (rows, i), columns, n_columns);

      widen (widths, cells);
    }
  append_row (text, head, columns, widths);

  return put_text (text->str, error) ? g_steal_pointer (&widths) : NULL;
}

/**
 * cli_print_row:
 * @row: one of the rows
 * @columns: those of cli_begin_table()
 * @widths: what that returned
 * @error: says why standard output does not take it
 */
gboolean
cli_print_row (JsonObject      *row,
               const CliField  *columns,
               const glong     *widths,
               GError         **error)
{
  g_autoptr(GString) text = g_string_new (NULL);
  g_auto(GStrv) cells = make_row (row, columns, count_columns (columns));

  append_row (text, cells, columns, widths);

  return put_text (text->str, error);
}

/**
 * cli_end_table:
 * @object: what a command found beside the rows
 * @fields: what is shown of it
 * @error: says why standard output does not take it
 */
gboolean
cli_end_table (JsonObject      *object,
               const CliField  *fields,
               GError         **error)
{
  g_autoptr(GString) text = g_string_new ("\n");

  append_fields (text, object, fields);

  return put_text (text->str, error);
}

/**
 * cli_print:
 * @object: what a command found
 * @json: whether to print it as JSON
 * @view: what a person is shown of it
 * @error: says why standard output does not take it
 */
gboolean
cli_print (JsonObject     *object,
           gboolean        json,
           const CliView  *view,
           GError        **error)
{
  g_autofree char *text = json ? make_json (object) : make_text (object, view);

  return put_text (text, error);
}
