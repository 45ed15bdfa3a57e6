/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include "quant/formats/tare-metric.h"
#include "quant/tare-error.h"

/* A bare matrix through one format. */
typedef struct
{
  char             *format_id;
  char             *range_id;
  char             *importance_path;
  char             *output;
  char             *decoded;
  gint64            columns;
  gint64            rows;
  const TareFormat *format;
  TareRange         range;
} Request;

static void
request_clear (Request *self)
{
  g_free (self->format_id);
  g_free (self->range_id);
  g_free (self->importance_path);
  g_free (self->output);
  g_free (self->decoded);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
check_request (Request  *self,
               GError  **error)
{
  self->range = TARE_RANGE_SEARCH;
  if (!cli_require (self->format_id, "--format", error) ||
      !cli_require (self->output, "--output", error) ||
      !cli_parse_range (self->range_id, &self->range, error))
    return FALSE;
  self->format = cli_parse_format (self->format_id, error);
  if (self->format == NULL)
    return FALSE;
  if (!tare_format_accepts (self->format, (gsize) self->columns))
    return cli_usage_error (error, "%s takes rows of a multiple of %u, not of %" G_GINT64_FORMAT,
                            self->format->label, self->format->block, self->columns);

  return TRUE;
}

static float *
load_matrix (const char  *path,
             gsize        columns,
             gsize       *rows,
             GError     **error)
{
  g_autofree float *x = NULL;
  gsize n = 0;

  x = cli_load_floats (path, &n, error);
  if (x == NULL)
    return NULL;
  if (n % columns != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GSIZE_FORMAT " numbers are not rows of %" G_GSIZE_FORMAT, path, n,
                   columns);
      return NULL;
    }
  *rows = n / columns;

  return g_steal_pointer (&x);
}

static gboolean
load_importance (const char  *path,
                 gsize        columns,
                 float      **importance,
                 GError     **error)
{
  gsize n = 0;

  if (path == NULL)
    return TRUE;

  *importance = cli_load_floats (path, &n, error);
  if (*importance == NULL)
    return FALSE;
  if (n == columns)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "%s: has %" G_GSIZE_FORMAT " numbers, not one for each of %" G_GSIZE_FORMAT
               " columns", path, n, columns);

  return FALSE;
}

static const CliField encode_fields[] = {
  { "rows", "Rows", CLI_INTEGER },
  { "columns", "Columns", CLI_INTEGER },
  { "bytes", "Size", CLI_SIZE },
  { "bits_per_weight", "Bits per weight", CLI_NUMBER },
  { "relative_error", "Relative error", CLI_NUMBER },
  { "weighted_relative_error", "  weighted", CLI_NUMBER },
  { NULL },
};

static const CliView encode_view = { encode_fields, NULL, NULL };

static gboolean
encode_matrix (const Request  *request,
               const char     *path,
               JsonObject     *root,
               GError        **error)
{
  gsize columns = (gsize) request->columns;
  gsize rows = 0;
  g_autofree float *x = load_matrix (path, columns, &rows, error);
  g_autofree float *importance = NULL;
  g_autofree float *y = NULL;
  g_autofree guint8 *codes = NULL;
  TareEncoding encoding = { .range = request->range, .percentile = TARE_RANGE_DEFAULT_PERCENTILE };
  TareDistortion distortion;
  gsize bytes;

  if (x == NULL || !load_importance (request->importance_path, columns, &importance, error))
    return FALSE;

  bytes = tare_format_get_bytes (request->format, rows, columns);
  codes = g_malloc (bytes);
  y = g_new (float, rows * columns);
  encoding.importance = importance;
  if (!tare_format_encode (request->format, &encoding, x, rows, columns, codes, NULL, error))
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  tare_format_decode (request->format, codes, rows, columns, y);
  distortion = tare_distortion_measure (x, y, rows, columns, importance);
  if (!cli_save (request->output, codes, bytes, error) ||
      (request->decoded != NULL &&
       !cli_save (request->decoded, y, rows * columns * sizeof (float), error)))
    return FALSE;

  cli_set_string (root, "format", request->format->id);
  cli_set_size (root, "rows", rows);
  cli_set_size (root, "columns", columns);
  cli_set_size (root, "bytes", bytes);
  cli_set_number (root, "bits_per_weight",
                  8.0 * (double) bytes / ((double) rows * (double) columns));
  cli_set_number (root, "relative_error", distortion.relative);
  cli_set_number (root, "weighted_relative_error", distortion.weighted);

  return TRUE;
}

static gboolean
encode (const CliCommand  *self,
        int                argc,
        char             **argv,
        GError           **error)
{
  gboolean json = FALSE;
  g_auto(Request) request = { .columns = CLI_NOT_GIVEN };
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_STRING, &request.format_id, "The format", "F" },
    { "importance", 0, 0, G_OPTION_ARG_FILENAME, &request.importance_path,
      "One F32 weight for each column", "FILE" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &request.output, "Where the codes go", "FILE" },
    { "decoded", 0, 0, G_OPTION_ARG_FILENAME, &request.decoded,
      "Where what they decode to goes", "FILE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "columns", "Numbers in a row", &request.columns, 1, G_MAXINT32, 0, NULL },
    { NULL },
  };
  const CliChoice choices[] = {
    { "range", "How ranges are chosen", &request.range_id, tare_range_name_at,
      tare_range_name_at (0) },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, choices, 1,
                                        &json, error);
  g_autoptr(JsonObject) root = json_object_new ();

  if (paths == NULL || !check_request (&request, error) ||
      !encode_matrix (&request, paths[0], root, error))
    return FALSE;

  return cli_print (root, json, &encode_view, error);
}

const CliCommand cli_command_encode = {
  .name = "encode",
  .arguments = "--format F --columns N X.f32 [--importance I.f32] [--range R] --output Q "
               "[--decoded Y.f32] [--json]",
  .description = "A bare F32 matrix through one format",
  .run = encode,
};

static const CliField decode_fields[] = {
  { "rows", "Rows", CLI_INTEGER },
  { "columns", "Columns", CLI_INTEGER },
  { NULL },
};

static const CliView decode_view = { decode_fields, NULL, NULL };

/* How many rows have so many bytes; several may where they share a byte, unless they are named. */
static gboolean
find_rows (const Request  *request,
           gsize           length,
           gsize          *rows)
{
  gsize columns = (gsize) request->columns;
  gsize low = request->rows > 0 ? (gsize) request->rows : 1;
  gsize high = request->rows > 0 ? low : (gsize) G_MAXINT32;

  while (low < high)
    {
      gsize middle = low + (high - low) / 2;

      if (tare_format_get_bytes (request->format, middle, columns) < length)
        low = middle + 1;
      else
        high = middle;
    }
  *rows = low;

  return tare_format_get_bytes (request->format, low, columns) == length
         && (request->rows > 0
             || tare_format_get_bytes (request->format, low + 1, columns) != length);
}

static gboolean
decode_matrix (const Request  *request,
               const char     *path,
               JsonObject     *root,
               GError        **error)
{
  gsize columns = (gsize) request->columns;
  g_autofree char *codes = NULL;
  g_autofree float *y = NULL;
  gsize length = 0;
  gsize rows;

  if (!g_file_get_contents (path, &codes, &length, error))
    return FALSE;
  if (!find_rows (request, length, &rows))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %" G_GSIZE_FORMAT " bytes are not rows of %" G_GSIZE_FORMAT " weights%s",
                   path, length, columns,
                   request->rows > 0 ? "" : ", or of more than one number of rows: name it with "
                                            "--rows");
      return FALSE;
    }

  y = g_try_malloc_n (rows, columns * sizeof (float));
  if (y == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT, "%s: no memory to decode it", path);
      return FALSE;
    }
  tare_format_decode (request->format, (const guint8 *) codes, rows, columns, y);
  cli_set_size (root, "rows", rows);
  cli_set_size (root, "columns", columns);

  return cli_save (request->output, y, rows * columns * sizeof (float), error);
}

static gboolean
decode (const CliCommand  *self,
        int                argc,
        char             **argv,
        GError           **error)
{
  gboolean json = FALSE;
  g_auto(Request) request = { .columns = CLI_NOT_GIVEN, .rows = CLI_NOT_GIVEN };
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_STRING, &request.format_id, "The format", "F" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &request.output, "Where the numbers go", "FILE" },
    { NULL },
  };
  const CliNumber numbers[] = {
    { "columns", "Numbers in a row", &request.columns, 1, G_MAXINT32, 0, NULL },
    { "rows", "Rows, where the size does not tell", &request.rows, 1, G_MAXINT32, 0,
      "what the size tells" },
    { NULL },
  };
  g_auto(GStrv) paths = cli_parse_with (self, argc, argv, entries, numbers, NULL, 1,
                                        &json, error);
  g_autoptr(JsonObject) root = json_object_new ();

  if (paths == NULL || !check_request (&request, error) ||
      !decode_matrix (&request, paths[0], root, error))
    return FALSE;

  return cli_print (root, json, &decode_view, error);
}

const CliCommand cli_command_decode = {
  .name = "decode",
  .arguments = "--format F --columns N [--rows M] Q --output Y.f32 [--json]",
  .description = "The F32 matrix that codes stand for",
  .run = decode,
};
