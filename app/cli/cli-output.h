/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/**
 * CliFieldKind:
 * @CLI_TEXT: as it is
 * @CLI_INTEGER: a whole number
 * @CLI_NUMBER: six significant digits
 * @CLI_SIZE: bytes, for people
 * @CLI_PERCENT: a share, in percent
 * @CLI_SHAPE: dimensions
 *
 * How a value of the JSON is shown to a person.
 */
typedef enum
{
  CLI_TEXT,
  CLI_INTEGER,
  CLI_NUMBER,
  CLI_SIZE,
  CLI_PERCENT,
  CLI_SHAPE,
} CliFieldKind;

/**
 * CliField:
 * @key: of the JSON; "a.b" for b within a
 * @label: what a person reads
 * @kind: how the value is shown
 */
typedef struct
{
  const char   *key;
  const char   *label;
  CliFieldKind  kind;
} CliField;

/**
 * CliView:
 * @fields: single values, ended by a %NULL key
 * @table: (nullable): key of an array of objects
 * @columns: (nullable): what is shown of each of them, ended by a %NULL key
 *
 * What a command shows without --json, of the same object that it prints with it.
 */
typedef struct
{
  const CliField *fields;
  const char     *table;
  const CliField *columns;
} CliView;

void     cli_set_number (JsonObject     *object,
                         const char     *key,
                         double          value);
void     cli_set_string (JsonObject     *object,
                         const char     *key,
                         const char     *value);
void     cli_set_size   (JsonObject     *object,
                         const char     *key,
                         guint64         value);
void     cli_set_tokens (JsonObject     *object,
                         const char     *key,
                         const guint32  *tokens,
                         gsize           n_tokens);
glong   *cli_begin_table (JsonArray      *rows,
                          const CliField *columns,
                          GError        **error);
gboolean cli_print_row  (JsonObject     *row,
                         const CliField *columns,
                         const glong    *widths,
                         GError        **error);
gboolean cli_end_table  (JsonObject     *object,
                         const CliField *fields,
                         GError        **error);
gboolean cli_print      (JsonObject     *object,
                         gboolean        json,
                         const CliView  *view,
                         GError        **error);

G_END_DECLS
