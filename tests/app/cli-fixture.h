/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/**
 * CliRun:
 * @status: its exit status
 * @output: what it printed
 * @error: what it complained about
 *
 * What a run of the program left behind.
 */
typedef struct
{
  int   status;
  char *output;
  char *error;
} CliRun;

void         cli_run_clear      (CliRun                *self);
char        *cli_find_program   (void);
char        *cli_find_sample    (const char            *name);
char       **cli_make_arguments (const char            *line,
                                 va_list                paths);
CliRun       cli_run_with       (GSpawnChildSetupFunc   setup,
                                 char                 **arguments);
CliRun       cli_run            (const char            *line,
                                 ...);
JsonObject  *cli_run_json       (const char            *line,
                                 ...);
double       cli_get_number     (JsonObject            *object,
                                 const char            *key);
JsonObject  *cli_find_row       (JsonObject            *object,
                                 const char            *array_key,
                                 const char            *key,
                                 const char            *value);
void         cli_write_recipe   (const char            *path,
                                 const char            *rules);
void         cli_write_floats   (const char            *path,
                                 const float           *x,
                                 gsize                  n);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliRun, cli_run_clear)

G_END_DECLS
