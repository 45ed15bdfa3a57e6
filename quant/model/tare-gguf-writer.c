/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf-private.h"
#include "quant/model/tare-metadata-private.h"
#include "quant/model/tare-output-file.h"
#include "quant/tare-bytes.h"

#define ALIGNMENT 32u

/* One tensor that was announced. */
typedef struct
{
  char    *name;
  int      type;
  guint    n_dimensions;
  guint64  shape[TARE_GGUF_MAX_DIMENSIONS];
  guint64  bytes;
} Planned;

typedef enum
{
  STATE_PLANNING,
  STATE_WRITING,
  STATE_FINISHED,
  STATE_FAILED,
} State;

struct _TareGgufWriter
{
  char           *path;
  TareOutputFile *file;
  State           state;
  TareMetadata   *metadata;
  GArray         *planned;
  GHashTable     *names;
  guint           current;
  guint64         left;
};

static void
planned_clear (gpointer data)
{
  g_free (((Planned *) data)->name);
}

static gboolean
fail_tensor (TareGgufWriter  *self,
             const char      *name,
             TareError        code,
             const char      *what,
             GError         **error)
{
  g_autofree char *quoted = _tare_file_quote (name, strlen (name));

  return _tare_file_fail_path (self->path, error, code, "tensor %s %s", quoted, what);
}

/**
 * tare_gguf_writer_new:
 * @path: the file to make, or to replace
 * @metadata: its keys
 * @error: return location
 *
 * Begins a file, as a temporary one named ".NAME.tare-XXXXXX" in the same folder. What killed
 * exports of the same name left there is removed.
 *
 * Returns: (transfer full): the writer, or %NULL with @error set
 */
TareGgufWriter *
tare_gguf_writer_new (const char    *path,
                      TareMetadata  *metadata,
                      GError       **error)
{
  g_autoptr(TareGgufWriter) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (metadata != NULL, NULL);

  self = g_new0 (TareGgufWriter, 1);
  self->path = g_strdup (path);
  self->metadata = tare_metadata_copy (metadata);
  self->planned = g_array_new (FALSE, FALSE, sizeof (Planned));
  g_array_set_clear_func (self->planned, planned_clear);
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  /* This writer's own, whatever the source had. */
  tare_metadata_remove (self->metadata, "general.alignment");

  self->file = tare_output_file_new (path, error);
  if (self->file == NULL)
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_gguf_writer_free:
 * @self: (transfer full): a writer
 *
 * Without tare_gguf_writer_commit() before, nothing is left of the file.
 */
void
tare_gguf_writer_free (TareGgufWriter *self)
{
  g_return_if_fail (self != NULL);

  tare_output_file_free (self->file);
  tare_metadata_unref (self->metadata);
  g_array_unref (self->planned);
  g_hash_table_unref (self->names);
  g_free (self->path);
  g_free (self);
}

static const char *
check_planned (TareGgufWriter      *self,
               const char          *name,
               const TareGgufType  *type,
               guint                n_dimensions)
{
  if (self->state != STATE_PLANNING)
    return "is announced after the first was written";
  if (*name == '\0' || strlen (name) > TARE_GGUF_MAX_NAME || !g_utf8_validate (name, -1, NULL))
    return "has no name of 1 to 63 bytes of UTF-8";
  if (g_hash_table_contains (self->names, name))
    return "occurs twice";
  if (type == NULL)
    return "has a type that GGUF does not know";
  if (n_dimensions == 0 || n_dimensions > TARE_GGUF_MAX_DIMENSIONS)
    return "has not 1 to 4 dimensions";

  return NULL;
}

/**
 * tare_gguf_writer_add:
 * @self: a writer that nothing was written to yet
 * @name: the tensor's canonical name
 * @ggml_type: its type's number
 * @n_dimensions: 1 to 4
 * @shape: (array length=n_dimensions): outermost first
 * @error: return location
 *
 * Announces a tensor. Their bytes follow in the order in which they are announced.
 *
 * Returns: %FALSE with @error set where a GGUF file cannot hold it
 */
gboolean
tare_gguf_writer_add (TareGgufWriter  *self,
                      const char      *name,
                      int              ggml_type,
                      guint            n_dimensions,
                      const guint64   *shape,
                      GError         **error)
{
  const TareGgufType *type = tare_gguf_type_lookup (ggml_type);
  const char *fault = NULL;
  Planned planned = { 0 };

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (name != NULL, FALSE);

  fault = check_planned (self, name, type, n_dimensions);
  if (fault == NULL)
    fault = _tare_gguf_type_get_bytes (type, n_dimensions, shape, &planned.bytes);
  if (fault != NULL)
    return fail_tensor (self, name, TARE_ERROR_INVALID, fault, error);

  planned.name = g_strdup (name);
  planned.type = ggml_type;
  planned.n_dimensions = n_dimensions;
  memcpy (planned.shape, shape, n_dimensions * sizeof *shape);
  g_array_append_val (self->planned, planned);
  g_hash_table_add (self->names, g_strdup (name));

  return TRUE;
}

/* After a failure nothing more is taken. */
static gboolean
put (TareGgufWriter  *self,
     const guint8    *bytes,
     gsize            n_bytes,
     GError         **error)
{
  if (tare_output_file_write (self->file, bytes, n_bytes, error))
    return TRUE;
  self->state = STATE_FAILED;

  return FALSE;
}

static gboolean
reserve (TareGgufWriter  *self,
         guint64          bytes,
         GError         **error)
{
  if (tare_output_file_reserve (self->file, bytes, error))
    return TRUE;
  self->state = STATE_FAILED;

  return FALSE;
}

static guint64
pad (guint64 bytes)
{
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void
append_info (const Planned *planned,
             guint64        offset,
             GByteArray    *out)
{
  tare_bytes_append_u64 (out, strlen (planned->name));
  g_byte_array_append (out, (const guint8 *) planned->name, (guint) strlen (planned->name));
  tare_bytes_append_u32 (out, planned->n_dimensions);
  for (guint i = planned->n_dimensions; i-- > 0;)
    tare_bytes_append_u64 (out, planned->shape[i]);
  tare_bytes_append_u32 (out, (guint32) planned->type);
  tare_bytes_append_u64 (out, offset);
}

static gboolean
write_header (TareGgufWriter  *self,
              GError         **error)
{
  g_autoptr(GByteArray) header = g_byte_array_new ();
  static const guint8 zeros[ALIGNMENT] = { 0 };
  guint64 offset = 0;

  g_byte_array_append (header, (const guint8 *) "GGUF", 4);
  tare_bytes_append_u32 (header, TARE_GGUF_VERSION);
  tare_bytes_append_u64 (header, self->planned->len);
  tare_bytes_append_u64 (header, tare_metadata_get_n_keys (self->metadata));
  _tare_metadata_write (self->metadata, header);

  for (guint i = 0; i < self->planned->len; i++)
    {
      const Planned *planned = &g_array_index (self->planned, Planned, i);

      append_info (planned, offset, header);
      if (!g_uint64_checked_add (&offset, offset, pad (planned->bytes)))
        return reserve (self, G_MAXUINT64, error);
    }
  g_byte_array_append (header, zeros, (guint) (pad (header->len) - header->len));

  self->state = STATE_WRITING;
  if (self->planned->len > 0)
    self->left = g_array_index (self->planned, Planned, 0).bytes;

  return reserve (self, header->len + offset, error)
         && put (self, header->data, header->len, error);
}

static gboolean
begin_writing (TareGgufWriter  *self,
               GError         **error)
{
  if (self->state == STATE_PLANNING)
    return write_header (self, error);

  if (self->state == STATE_WRITING)
    return TRUE;

  return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                               self->state == STATE_FINISHED ? "is complete"
                                                             : "has failed to be written before");
}

/**
 * tare_gguf_writer_write:
 * @self: a writer whose tensors are all announced
 * @bytes: (array length=n_bytes): of the next tensor, or the next part of the current one
 * @n_bytes: how many, at most what is left of the current tensor
 * @error: return location
 *
 * Returns: %FALSE with @error set where the disk refuses, or where it is more than was announced
 */
gboolean
tare_gguf_writer_write (TareGgufWriter  *self,
                        const guint8    *bytes,
                        gsize            n_bytes,
                        GError         **error)
{
  static const guint8 zeros[ALIGNMENT] = { 0 };
  const Planned *planned = NULL;

  g_return_val_if_fail (self != NULL, FALSE);

  if (!begin_writing (self, error))
    return FALSE;
  if (n_bytes == 0)
    return TRUE;
  if (self->current == self->planned->len)
    return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                                 "more bytes than its tensors take");

  planned = &g_array_index (self->planned, Planned, self->current);
  if (n_bytes > self->left)
    {
      g_autofree char *what = g_strdup_printf ("has %" G_GUINT64_FORMAT " bytes left to be "
                                               "written, not %" G_GSIZE_FORMAT,
                                               self->left, n_bytes);

      return fail_tensor (self, planned->name, TARE_ERROR_INVALID, what, error);
    }

  if (!put (self, bytes, n_bytes, error))
    return FALSE;

  self->left -= n_bytes;
  if (self->left > 0)
    return TRUE;

  self->current++;
  if (self->current < self->planned->len)
    self->left = g_array_index (self->planned, Planned, self->current).bytes;

  return put (self, zeros, (gsize) (pad (planned->bytes) - planned->bytes), error);
}

/**
 * tare_gguf_writer_finish:
 * @self: a writer to which every byte was written
 * @error: return location
 *
 * Puts the file on the disk, still under its temporary name, so that it can be read back before
 * it takes the place of another.
 *
 * Returns: (transfer none): the temporary path, or %NULL with @error set
 */
const char *
tare_gguf_writer_finish (TareGgufWriter  *self,
                         GError         **error)
{
  const char *temporary = NULL;

  g_return_val_if_fail (self != NULL, NULL);

  if (!begin_writing (self, error))
    return NULL;

  if (self->current < self->planned->len)
    {
      const Planned *planned = &g_array_index (self->planned, Planned, self->current);

      fail_tensor (self, planned->name, TARE_ERROR_INVALID, "is not written completely", error);
      return NULL;
    }

  temporary = tare_output_file_finish (self->file, error);
  self->state = temporary != NULL ? STATE_FINISHED : STATE_FAILED;

  return temporary;
}

/**
 * tare_gguf_writer_commit:
 * @self: a writer that is finished
 * @error: return location
 *
 * Gives the file its name, in place of what had it before. There is no moment at which neither
 * has it.
 *
 * Returns: %FALSE with @error set where the folder refuses
 */
gboolean
tare_gguf_writer_commit (TareGgufWriter  *self,
                         GError         **error)
{
  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (self->state == STATE_FINISHED, FALSE);

  if (tare_output_file_commit (self->file, error))
    return TRUE;
  self->state = STATE_FAILED;

  return FALSE;
}
