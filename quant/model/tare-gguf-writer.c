/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* fallocate() */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf-private.h"
#include "quant/model/tare-metadata-private.h"

#define ALIGNMENT    32u
#define BUFFER_BYTES (1u << 20)

/* What of a file's name the temporary one repeats, so that both fit the 255 bytes of a name. */
#define MAX_STEM 200

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
  char         *path;
  char         *folder;
  char         *temporary;
  int           fd;
  State         state;
  TareMetadata *metadata;
  GArray       *planned;
  GHashTable   *names;
  GByteArray   *buffer;
  guint         current;
  guint64       left;
};

static void
planned_clear (gpointer data)
{
  g_free (((Planned *) data)->name);
}

static gboolean
fail_system (TareGgufWriter  *self,
             int              errsv,
             GError         **error)
{
  g_autofree char *shown = g_filename_display_name (self->path);

  self->state = STATE_FAILED;
  g_strdelimit (shown, "\n\r", ' ');
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "%s: cannot be written: %s", shown, g_strerror (errsv));

  return FALSE;
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

static char *
get_stem (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);

  return g_strdup_printf (".%.*s.tare-", MAX_STEM, base);
}

/* What an export that was killed left behind. One that still runs holds a lock on its file. */
static void
remove_stale (TareGgufWriter *self,
              const char     *stem)
{
  g_autoptr(GDir) dir = g_dir_open (self->folder, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->folder, name, NULL);
      int fd = -1;

      if (!g_str_has_prefix (name, stem) || strlen (name) != strlen (stem) + 6)
        continue;

      fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
      if (fd < 0)
        continue;
      if (flock (fd, LOCK_EX | LOCK_NB) == 0)
        g_unlink (path);
      close (fd);
    }
}

/* Between making the file and locking it, another process may have taken it for stale. */
static gboolean
open_temporary (TareGgufWriter  *self,
                const char      *stem,
                GError         **error)
{
  struct stat status;

  for (int attempt = 0; attempt < 8; attempt++)
    {
      g_autofree char *name = g_strconcat (stem, "XXXXXX", NULL);

      g_free (self->temporary);
      self->temporary = g_build_filename (self->folder, name, NULL);
      self->fd = g_mkstemp_full (self->temporary, O_RDWR | O_CLOEXEC, 0666);
      if (self->fd < 0)
        break;

      /* A file system without locks has no other process to be wary of either. */
      if (flock (self->fd, LOCK_EX) < 0
          || (fstat (self->fd, &status) == 0 && status.st_nlink > 0))
        return TRUE;

      close (self->fd);
      self->fd = -1;
    }

  fail_system (self, self->fd < 0 ? errno : EBUSY, error);
  g_clear_pointer (&self->temporary, g_free);

  return FALSE;
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
  g_autofree char *stem = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (metadata != NULL, NULL);

  self = g_new0 (TareGgufWriter, 1);
  self->fd = -1;
  self->path = g_strdup (path);
  self->folder = g_path_get_dirname (path);
  self->metadata = tare_metadata_copy (metadata);
  self->planned = g_array_new (FALSE, FALSE, sizeof (Planned));
  g_array_set_clear_func (self->planned, planned_clear);
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->buffer = g_byte_array_sized_new (BUFFER_BYTES);

  /* This writer's own, whatever the source had. */
  tare_metadata_remove (self->metadata, "general.alignment");

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      fail_system (self, EISDIR, error);
      return NULL;
    }

  stem = get_stem (path);
  remove_stale (self, stem);
  if (!open_temporary (self, stem, error))
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

  if (self->temporary != NULL)
    g_unlink (self->temporary);
  if (self->fd >= 0)
    close (self->fd);

  tare_metadata_unref (self->metadata);
  g_array_unref (self->planned);
  g_hash_table_unref (self->names);
  g_byte_array_unref (self->buffer);
  g_free (self->temporary);
  g_free (self->folder);
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

static gboolean
write_all (TareGgufWriter  *self,
           const guint8    *bytes,
           gsize            n_bytes,
           GError         **error)
{
  while (n_bytes > 0)
    {
      gssize written = write (self->fd, bytes, n_bytes);

      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return fail_system (self, written < 0 ? errno : EIO, error);
      bytes += written;
      n_bytes -= (gsize) written;
    }

  return TRUE;
}

static gboolean
flush (TareGgufWriter  *self,
       GError         **error)
{
  gboolean done = write_all (self, self->buffer->data, self->buffer->len, error);

  g_byte_array_set_size (self->buffer, 0);

  return done;
}

static gboolean
put (TareGgufWriter  *self,
     const guint8    *bytes,
     gsize            n_bytes,
     GError         **error)
{
  if (self->buffer->len + n_bytes > BUFFER_BYTES && !flush (self, error))
    return FALSE;

  if (n_bytes > BUFFER_BYTES)
    return write_all (self, bytes, n_bytes, error);

  g_byte_array_append (self->buffer, bytes, (guint) n_bytes);

  return TRUE;
}

static guint64
pad (guint64 bytes)
{
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void
append_u32 (GByteArray *out,
            guint32     number)
{
  number = GUINT32_TO_LE (number);
  g_byte_array_append (out, (const guint8 *) &number, sizeof number);
}

static void
append_u64 (GByteArray *out,
            guint64     number)
{
  number = GUINT64_TO_LE (number);
  g_byte_array_append (out, (const guint8 *) &number, sizeof number);
}

static void
append_info (const Planned *planned,
             guint64        offset,
             GByteArray    *out)
{
  append_u64 (out, strlen (planned->name));
  g_byte_array_append (out, (const guint8 *) planned->name, (guint) strlen (planned->name));
  append_u32 (out, planned->n_dimensions);
  for (guint i = planned->n_dimensions; i-- > 0;)
    append_u64 (out, planned->shape[i]);
  append_u32 (out, (guint32) planned->type);
  append_u64 (out, offset);
}

/* Asks for the room at once: a full disk is better told before the work than after it. */
static gboolean
reserve (TareGgufWriter  *self,
         guint64          bytes,
         GError         **error)
{
  if (bytes > G_MAXINT64)
    return fail_system (self, EFBIG, error);

  if (bytes > 0 && fallocate (self->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t) bytes) < 0
      && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT))
    return fail_system (self, errno, error);

  return TRUE;
}

static gboolean
write_header (TareGgufWriter  *self,
              GError         **error)
{
  g_autoptr(GByteArray) header = g_byte_array_new ();
  static const guint8 zeros[ALIGNMENT] = { 0 };
  guint64 offset = 0;

  g_byte_array_append (header, (const guint8 *) "GGUF", 4);
  append_u32 (header, TARE_GGUF_VERSION);
  append_u64 (header, self->planned->len);
  append_u64 (header, tare_metadata_get_n_keys (self->metadata));
  _tare_metadata_write (self->metadata, header);

  for (guint i = 0; i < self->planned->len; i++)
    {
      const Planned *planned = &g_array_index (self->planned, Planned, i);

      append_info (planned, offset, header);
      if (!g_uint64_checked_add (&offset, offset, pad (planned->bytes)))
        return fail_system (self, EFBIG, error);
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
  g_return_val_if_fail (self != NULL, NULL);

  if (!begin_writing (self, error))
    return NULL;

  if (self->current < self->planned->len)
    {
      const Planned *planned = &g_array_index (self->planned, Planned, self->current);

      fail_tensor (self, planned->name, TARE_ERROR_INVALID, "is not written completely", error);
      return NULL;
    }

  if (!flush (self, error))
    return NULL;
  if (fsync (self->fd) < 0)
    {
      fail_system (self, errno, error);
      return NULL;
    }
  self->state = STATE_FINISHED;

  return self->temporary;
}

/* The new name is on the disk only with its folder. Not every file system can do that. */
static gboolean
sync_folder (TareGgufWriter  *self,
             GError         **error)
{
  int fd = g_open (self->folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0);
  gboolean done = TRUE;

  if (fd < 0)
    return TRUE;

  if (fsync (fd) < 0 && errno == EIO)
    done = fail_system (self, errno, error);
  close (fd);

  return done;
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
  g_return_val_if_fail (self->temporary != NULL, FALSE);

  if (g_rename (self->temporary, self->path) < 0)
    return fail_system (self, errno, error);
  g_clear_pointer (&self->temporary, g_free);

  return sync_folder (self, error);
}
