/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* fallocate() */

#include "quant/model/tare-output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

/* What of a file's name the temporary one repeats, so that both fit the 255 bytes of a name. */
#define MAX_STEM 200

typedef enum
{
  STATE_WRITING,
  STATE_FINISHED,
  STATE_FAILED,
} State;

struct _TareOutputFile
{
  char       *path;
  char       *folder;
  char       *temporary;
  int         fd;
  State       state;
  GByteArray *buffer;
};

static gboolean
fail_system (TareOutputFile  *self,
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

static char *
get_stem (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);

  return g_strdup_printf (".%.*s.tare-", MAX_STEM, base);
}

/* What a program that was killed left behind. One that still runs holds a lock on its file. */
static void
remove_stale (TareOutputFile *self,
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
open_temporary (TareOutputFile  *self,
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
 * tare_output_file_new:
 * @path: the file to make, or to replace
 * @error: return location
 *
 * Begins a file, as a temporary one named ".NAME.tare-XXXXXX" in the same folder. What killed
 * programs that wrote the same name left there is removed.
 *
 * Returns: (transfer full): the file, or %NULL with @error set
 */
TareOutputFile *
tare_output_file_new (const char  *path,
                      GError     **error)
{
  g_autoptr(TareOutputFile) self = NULL;
  g_autofree char *stem = NULL;

  g_return_val_if_fail (path != NULL, NULL);

  self = g_new0 (TareOutputFile, 1);
  self->fd = -1;
  self->path = g_strdup (path);
  self->folder = g_path_get_dirname (path);
  self->buffer = g_byte_array_sized_new (BUFFER_BYTES);

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
 * tare_output_file_free:
 * @self: (nullable): a file
 *
 * Without tare_output_file_commit() before, nothing is left of it, and what had its name keeps it.
 */
void
tare_output_file_free (TareOutputFile *self)
{
  if (self == NULL)
    return;

  if (self->temporary != NULL)
    g_unlink (self->temporary);
  if (self->fd >= 0)
    close (self->fd);

  g_byte_array_unref (self->buffer);
  g_free (self->temporary);
  g_free (self->folder);
  g_free (self->path);
  g_free (self);
}

/**
 * tare_output_file_reserve:
 * @self: a file
 * @bytes: how long it will be
 * @error: return location
 *
 * Asks for the room at once: a full disk is better told before the work than after it.
 *
 * Returns: %FALSE with @error set where there is not so much of it
 */
gboolean
tare_output_file_reserve (TareOutputFile  *self,
                          guint64          bytes,
                          GError         **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  if (bytes > G_MAXINT64)
    return fail_system (self, EFBIG, error);

  if (bytes > 0 && fallocate (self->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t) bytes) < 0
      && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT))
    return fail_system (self, errno, error);

  return TRUE;
}

static gboolean
write_all (TareOutputFile  *self,
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
flush (TareOutputFile  *self,
       GError         **error)
{
  gboolean done = write_all (self, self->buffer->data, self->buffer->len, error);

  g_byte_array_set_size (self->buffer, 0);

  return done;
}

/**
 * tare_output_file_write:
 * @self: a file that is not finished
 * @bytes: (array length=n_bytes): what comes next
 * @n_bytes: how many
 * @error: return location
 *
 * No more than a megabyte of it stays in memory.
 *
 * Returns: %FALSE with @error set where the disk refuses
 */
gboolean
tare_output_file_write (TareOutputFile  *self,
                        const guint8    *bytes,
                        gsize            n_bytes,
                        GError         **error)
{
  g_return_val_if_fail (self != NULL && self->state != STATE_FINISHED, FALSE);

  if (self->buffer->len + n_bytes > BUFFER_BYTES && !flush (self, error))
    return FALSE;

  if (n_bytes > BUFFER_BYTES)
    return write_all (self, bytes, n_bytes, error);

  g_byte_array_append (self->buffer, bytes, (guint) n_bytes);

  return TRUE;
}

/**
 * tare_output_file_finish:
 * @self: a file to which every byte was written
 * @error: return location
 *
 * Puts the file on the disk, still under its temporary name, so that it can be read back before
 * it takes the place of another.
 *
 * Returns: (transfer none): the temporary path, or %NULL with @error set
 */
const char *
tare_output_file_finish (TareOutputFile  *self,
                         GError         **error)
{
  g_return_val_if_fail (self != NULL && self->state == STATE_WRITING, NULL);

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
sync_folder (TareOutputFile  *self,
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
 * tare_output_file_commit:
 * @self: a file that is finished
 * @error: return location
 *
 * Gives the file its name, in place of what had it before. There is no moment at which neither
 * has it.
 *
 * Returns: %FALSE with @error set where the folder refuses
 */
gboolean
tare_output_file_commit (TareOutputFile  *self,
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
