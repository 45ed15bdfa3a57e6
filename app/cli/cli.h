/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "app/cli/cli-output.h"
#include "quant/recipe/tare-target.h"
#include "quant/tare-names.h"

G_BEGIN_DECLS

typedef struct _CliCommand CliCommand;

/**
 * CliCommand:
 * @name: what it is called
 * @arguments: how it is used, after the name
 * @description: what it does, in one line
 * @run: does it; an error of the #G_OPTION_ERROR domain is wrong usage
 *
 * One row of the command table.
 */
struct _CliCommand
{
  const char  *name;
  const char  *arguments;
  const char  *description;
  gboolean   (*run) (const CliCommand  *self,
                     int                argc,
                     char             **argv,
                     GError           **error);
};

/* What tokens of a sequence are if they are not given. */
#define CLI_USUAL_CONTEXT "the smaller of 512 and the model's own"

/* What a number is until it is given. */
#define CLI_NOT_GIVEN G_MININT64

/**
 * CliNumber:
 * @name: of the option; %NULL ends a list of them
 * @description: what it is
 * @value: where it goes, %CLI_NOT_GIVEN at first
 * @minimum: the least
 * @maximum: the most
 * @usual: what it is if it is not given, which need not lie between them
 * @usually: (nullable): how that is told; %NULL where it must be given
 *
 * An option that takes a whole number.
 */
typedef struct
{
  const char *name;
  const char *description;
  gint64     *value;
  gint64      minimum;
  gint64      maximum;
  gint64      usual;
  const char *usually;
} CliNumber;

/**
 * CliChoice:
 * @name: of the option; %NULL ends a list of them
 * @description: what it is
 * @value: where it goes
 * @at: what may be chosen
 * @usually: what is if nothing is
 *
 * An option that takes one of the names of a table.
 */
typedef struct
{
  const char  *name;
  const char  *description;
  char       **value;
  TareNameAt   at;
  const char  *usually;
} CliChoice;

extern const CliCommand cli_command_inspect;
extern const CliCommand cli_command_formats;
extern const CliCommand cli_command_tokenize;
extern const CliCommand cli_command_logits;
extern const CliCommand cli_command_evaluate;
extern const CliCommand cli_command_continue;
extern const CliCommand cli_command_calibrate;
extern const CliCommand cli_command_sensitivity;
extern const CliCommand cli_command_quantize;
extern const CliCommand cli_command_encode;
extern const CliCommand cli_command_decode;
extern const CliCommand cli_command_compare;

/* cli-options.c */
char              **cli_parse            (const CliCommand    *self,
                                          int                  argc,
                                          char               **argv,
                                          const GOptionEntry  *entries,
                                          gsize                n_positional,
                                          gboolean            *json,
                                          GError             **error);
char              **cli_parse_with       (const CliCommand    *self,
                                          int                  argc,
                                          char               **argv,
                                          const GOptionEntry  *entries,
                                          const CliNumber     *numbers,
                                          const CliChoice     *choices,
                                          gsize                n_positional,
                                          gboolean            *json,
                                          GError             **error);
gboolean            cli_usage_error      (GError             **error,
                                          const char          *format,
                                          ...) G_GNUC_PRINTF (2, 3);
gboolean            cli_unknown_error    (GError             **error,
                                          const char          *kind,
                                          const char          *name,
                                          TareNameAt           at);
gboolean            cli_require          (const char          *value,
                                          const char          *option,
                                          GError             **error);
gboolean            cli_parse_size       (const char          *text,
                                          const char          *option,
                                          guint64             *bytes,
                                          GError             **error);
const TareFormat   *cli_parse_format     (const char          *id,
                                          GError             **error);
gboolean            cli_parse_method     (const char          *id,
                                          const TareMethod   **method,
                                          GError             **error);
gboolean            cli_parse_range      (const char          *id,
                                          TareRange           *range,
                                          GError             **error);

/* cli-files.c */
char               *cli_load_text        (const char          *path,
                                          gsize               *length,
                                          GError             **error);
float              *cli_load_floats      (const char          *path,
                                          gsize               *n,
                                          GError             **error);
gboolean            cli_save             (const char          *path,
                                          const void          *data,
                                          gsize                length,
                                          GError             **error);
void                cli_tell_unmatched   (const char          *path,
                                          TareRecipe          *recipe,
                                          TareModel           *model,
                                          gboolean             json,
                                          JsonObject          *root);
gboolean            cli_open_calibration (const char          *path,
                                          TareCalibration    **calibration,
                                          GError             **error);

/* cli-evaluate-tasks.c */
gboolean            cli_evaluate_tasks   (const char          *path,
                                          gsize                maximum,
                                          TareModel           *model,
                                          const TareWeights   *weights,
                                          TareModel           *base,
                                          guint64              memory,
                                          JsonObject          *root,
                                          const TareProgress  *progress,
                                          GError             **error);

/* cli-progress.c */
const TareProgress *cli_progress_start   (void);
void                cli_progress_finish  (void);

G_END_DECLS
