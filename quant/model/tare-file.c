/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-file.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quant/model/tare-file-private.h"

/* How much of a name from a file an error message repeats. */
#define MAX_QUOTE 160

struct _TareFile
{
  gint          ref_count;
  char         *path;
  const guint8 *data;
  guint64       size;
  GBytes       *bytes;
};

/**
 * _tare_file_quote:
 * @text: bytes from a file, of any content
 * @length: how many
 *
 * Returns: (transfer full): @text as one printable line in quotes, shortened where it is long
 */
char *
_tare_file_quote (const char *text,
                  gsize       length)
{
  gsize kept = MIN (length, MAX_QUOTE);
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) kept);
  GString *quoted = g_string_new ("'");

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_isprint (c))
        g_string_append_unichar (quoted, c);
      else
        g_string_append_printf (quoted, "\\u%04x", c);
    }

  g_string_append (quoted, kept < length ? "…'" : "'");

  return g_string_free (quoted, FALSE);
}

static void
fail_valist (const char  *path,
             GError     **error,
             TareError    code,
             const char  *format,
             va_list      arguments) G_GNUC_PRINTF (4, 0);

static void
fail_valist (const char  *path,
             GError     **error,
             TareError    code,
             const char  *format,
             va_list      arguments)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_autofree char *message = g_strdup_vprintf (format, arguments);

  g_strdelimit (shown, "\n\r", ' ');
  g_set_error (error, TARE_ERROR, (int) code, "%s: %s", shown, message);
}

/**
 * _tare_file_fail_path:
 * @path: the file at fault
 * @error: return location
 * @code: what kind of fault
 * @format: what is wrong with it, on one line
 *
 * Returns: %FALSE, with @error set to "PATH: MESSAGE"
 */
gboolean
_tare_file_fail_path (const char  *path,
                      GError     **error,
                      TareError    code,
                      const char  *format,
                      ...)
{
  va_list arguments;

  va_start (arguments, format);
  fail_valist (path, error, code, format, arguments);
  va_end (arguments);

  return FALSE;
}

/**
 * _tare_file_fail:
 * @self: the file at fault
 * @error: return location
 * @code: what kind of fault
 * @format: what is wrong with it, on one line
 *
 * Returns: %FALSE, with @error set to "PATH: MESSAGE"
 */
gboolean
_tare_file_fail (TareFile    *self,
                 GError     **error,
                 TareError    code,
                 const char  *format,
                 ...)
{
  va_list arguments;

  va_start (arguments, format);
  fail_valist (self->path, error, code, format, arguments);
  va_end (arguments);

  return FALSE;
}

/**
 * _tare_file_fail_errno:
 * @path: the file at fault
 * @error: return location
 * @errsv: what the system said
 *
 * Returns: %FALSE, with @error set in %G_IO_ERROR
 */
gboolean
_tare_file_fail_errno (const char  *path,
                       GError     **error,
                       int          errsv)
{
  g_autofree char *shown = g_filename_display_name (path);

  g_strdelimit (shown, "\n\r", ' ');
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "%s: %s", shown, g_strerror (errsv));

  return FALSE;
}

static gboolean
check_regular (const char         *path,
               const struct stat  *status,
               GError            **error)
{
  if (S_ISREG (status->st_mode))
    return TRUE;

  if (S_ISDIR (status->st_mode))
    return _tare_file_fail_errno (path, error, EISDIR);

  return _tare_file_fail_path (path, error, TARE_ERROR_INVALID,
                               "not a regular file, so it cannot be mapped");
}

static TareFile *
file_new (const char *path)
{
  TareFile *self = g_new0 (TareFile, 1);

  self->ref_count = 1;
  self->path = g_strdup (path);
  self->data = (const guint8 *) "";

  return self;
}

/**
 * tare_file_open:
 * @path: a regular file, or a link to one
 * @error: return location
 *
 * Maps a file without reading it. Nothing else is opened: a folder, a pipe or a device is an
 * error, at once.
 *
 * Returns: (transfer full): the file, or %NULL with @error set
 */
TareFile *
tare_file_open (const char  *path,
                GError     **error)
{
  g_autoptr(TareFile) self = NULL;
  struct stat status;
  int fd = -1;

  g_return_val_if_fail (path != NULL, NULL);

  /* Without O_NONBLOCK, opening a pipe waits for its writer. */
  fd = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0 || fstat (fd, &status) < 0)
    {
      _tare_file_fail_errno (path, error, errno);
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  if (!check_regular (path, &status, error))
    {
      close (fd);
      return NULL;
    }

  self = file_new (path);
  if (status.st_size > 0)
    {
      void *data = mmap (NULL, (gsize) status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

      if (data == MAP_FAILED)
        {
          _tare_file_fail_errno (path, error, errno);
          close (fd);
          return NULL;
        }

      self->data = data;
      self->size = (guint64) status.st_size;
    }
  close (fd);

  return g_steal_pointer (&self);
}

/**
 * tare_file_new_bytes:
 * @name: what error messages call it
 * @bytes: its content
 *
 * Returns: (transfer full): bytes in memory that stand for a file
 */
TareFile *
tare_file_new_bytes (const char *name,
                     GBytes     *bytes)
{
  TareFile *self = NULL;
  gsize size = 0;
  const guint8 *data = NULL;

  g_return_val_if_fail (name != NULL, NULL);
  g_return_val_if_fail (bytes != NULL, NULL);

  self = file_new (name);
  self->bytes = g_bytes_ref (bytes);
  data = g_bytes_get_data (bytes, &size);
  if (size > 0)
    self->data = data;
  self->size = size;

  return self;
}

/**
 * tare_file_ref:
 * @self: a file
 *
 * Returns: (transfer full): @self
 */
TareFile *
tare_file_ref (TareFile *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_file_unref:
 * @self: (transfer full): a file
 *
 * Gives up a reference; the last one unmaps the file.
 */
void
tare_file_unref (TareFile *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  if (self->bytes != NULL)
    g_bytes_unref (self->bytes);
  else if (self->size > 0)
    munmap ((void *) self->data, (gsize) self->size);

  g_free (self->path);
  g_free (self);
}

/**
 * tare_file_get_path:
 * @self: a file
 *
 * Returns: its path as it was opened, or its name
 */
const char *
tare_file_get_path (TareFile *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->path;
}

/**
 * tare_file_get_data:
 * @self: a file
 *
 * Returns: its first byte; never %NULL, even where there is none
 */
const guint8 *
tare_file_get_data (TareFile *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->data;
}

/**
 * tare_file_get_size:
 * @self: a file
 *
 * Returns: its size in bytes when it was opened
 */
guint64
tare_file_get_size (TareFile *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->size;
}

/**
 * tare_file_release:
 * @self: a file
 * @offset: first byte that is no longer needed
 * @bytes: how many
 *
 * Lets the system drop the pages that lie wholly in the range. They come back from the file when
 * they are read again. Does nothing to bytes in memory.
 */
void
tare_file_release (TareFile *self,
                   guint64   offset,
                   guint64   bytes)
{
  guint64 page = (guint64) sysconf (_SC_PAGESIZE);
  guint64 begin = 0;
  guint64 end = 0;

  g_return_if_fail (self != NULL);

  if (self->bytes != NULL || offset >= self->size)
    return;

  bytes = MIN (bytes, self->size - offset);
  begin = (offset + page - 1) / page * page;
  end = (offset + bytes) / page * page;

  /* The last page of the file has nothing else in it. */
  if (offset + bytes == self->size)
    end = self->size;

  if (begin < end)
    madvise ((void *) (self->data + begin), (gsize) (end - begin), MADV_DONTNEED);
}

/**
 * tare_file_read_ahead:
 * @self: a file
 * @offset: first byte that will be needed
 * @bytes: how many
 *
 * Has the system read these bytes from the disk; they do not count as resident before they are
 * touched. May block while the disk is busy. Does nothing to bytes in memory.
 */
void
tare_file_read_ahead (TareFile *self,
                      guint64   offset,
                      guint64   bytes)
{
  guint64 page = (guint64) sysconf (_SC_PAGESIZE);
  guint64 begin = offset / page * page;

  g_return_if_fail (self != NULL);

  if (self->bytes != NULL || offset >= self->size)
    return;

  bytes = MIN (bytes, self->size - offset);
  madvise ((void *) (self->data + begin), (gsize) (offset + bytes - begin), MADV_WILLNEED);
}

/**
 * _tare_file_peek:
 * @self: a file
 * @offset: first byte; @offset + @bytes is within the file
 * @bytes: how many
 * @out: (out caller-allocates): they
 *
 * Copies a few bytes without what the system reads ahead around them, which for hundreds of places
 * in a large file on a cold disk is nearly all of the time.
 */
void
_tare_file_peek (TareFile *self,
                 guint64   offset,
                 gsize     bytes,
                 guint8   *out)
{
  guint64 page = (guint64) sysconf (_SC_PAGESIZE);
  guint64 begin = offset / page * page;
  void *address = (void *) (self->data + begin);
  gsize length = (gsize) (offset + bytes - begin);

  if (bytes == 0)
    return;

  if (self->bytes == NULL)
    madvise (address, length, MADV_RANDOM);
  memcpy (out, self->data + offset, bytes);
  if (self->bytes == NULL)
    madvise (address, length, MADV_NORMAL);
}

static const guint8 *
take (TareCursor  *self,
      guint64      n,
      GError     **error)
{
  const guint8 *bytes = NULL;
  guint64 end = MIN (self->end, self->file->size);

  if (self->position > end || n > end - self->position)
    {
      _tare_file_fail (self->file, error, TARE_ERROR_INVALID,
                       "truncated at offset %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT
                       " bytes wanted, %" G_GUINT64_FORMAT " left",
                       self->position, n, self->position > end ? 0 : end - self->position);
      return NULL;
    }

  bytes = self->file->data + self->position;
  self->position += n;

  return bytes;
}

/**
 * tare_cursor_read_u8:
 * @self: a cursor
 * @value: (out): the byte
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file ends
 */
gboolean
tare_cursor_read_u8 (TareCursor  *self,
                     guint8      *value,
                     GError     **error)
{
  const guint8 *bytes = take (self, sizeof *value, error);

  if (bytes == NULL)
    return FALSE;

  *value = *bytes;

  return TRUE;
}

/**
 * tare_cursor_read_u16:
 * @self: a cursor
 * @value: (out): two bytes, little-endian
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file ends
 */
gboolean
tare_cursor_read_u16 (TareCursor  *self,
                      guint16     *value,
                      GError     **error)
{
  const guint8 *bytes = take (self, sizeof *value, error);

  if (bytes == NULL)
    return FALSE;

  memcpy (value, bytes, sizeof *value);
  *value = GUINT16_FROM_LE (*value);

  return TRUE;
}

/**
 * tare_cursor_read_u32:
 * @self: a cursor
 * @value: (out): four bytes, little-endian
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file ends
 */
gboolean
tare_cursor_read_u32 (TareCursor  *self,
                      guint32     *value,
                      GError     **error)
{
  const guint8 *bytes = take (self, sizeof *value, error);

  if (bytes == NULL)
    return FALSE;

  memcpy (value, bytes, sizeof *value);
  *value = GUINT32_FROM_LE (*value);

  return TRUE;
}

/**
 * tare_cursor_read_u64:
 * @self: a cursor
 * @value: (out): eight bytes, little-endian
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file ends
 */
gboolean
tare_cursor_read_u64 (TareCursor  *self,
                      guint64     *value,
                      GError     **error)
{
  const guint8 *bytes = take (self, sizeof *value, error);

  if (bytes == NULL)
    return FALSE;

  memcpy (value, bytes, sizeof *value);
  *value = GUINT64_FROM_LE (*value);

  return TRUE;
}

/**
 * tare_cursor_read_bytes:
 * @self: a cursor
 * @n: how many
 * @bytes: (out) (transfer none): they, in the mapped file
 * @error: return location
 *
 * Returns: %FALSE with @error set where the file ends
 */
gboolean
tare_cursor_read_bytes (TareCursor    *self,
                        guint64        n,
                        const guint8 **bytes,
                        GError       **error)
{
  const guint8 *taken = take (self, n, error);

  if (taken == NULL)
    return FALSE;

  *bytes = taken;

  return TRUE;
}

/**
 * tare_cursor_read_string:
 * @self: a cursor
 * @string: (out) (transfer full): the string
 * @error: return location
 *
 * Reads a name as GGUF writes it: its length in eight bytes, then UTF-8 without a NUL.
 *
 * Returns: %FALSE with @error set where the file ends or the name is not such text
 */
gboolean
tare_cursor_read_string (TareCursor  *self,
                         char       **string,
                         GError     **error)
{
  const guint8 *bytes = NULL;
  guint64 start = self->position;
  guint64 length = 0;

  if (!tare_cursor_read_u64 (self, &length, error)
      || !tare_cursor_read_bytes (self, length, &bytes, error))
    return FALSE;

  /* Also refuses NUL. */
  if (length > G_MAXSSIZE || !g_utf8_validate_len ((const char *) bytes, (gsize) length, NULL))
    return _tare_file_fail (self->file, error, TARE_ERROR_INVALID,
                            "the name at offset %" G_GUINT64_FORMAT " is not UTF-8 text", start);

  *string = g_strndup ((const char *) bytes, (gsize) length);

  return TRUE;
}
