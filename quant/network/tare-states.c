/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-states.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "quant/tare-error.h"

/* Cache lines, and the widest vectors. */
#define ALIGNMENT 64

/* Bytes of states that are resident at a time where they lie in a file: enough tokens for a
 * product's full speed at any width. */
#define GROUP_BYTES (64u * 1024u * 1024u)

struct _TareStates
{
  gsize    rows;
  gsize    width;
  gsize    bytes;
  float   *data;
  gboolean mapped;
};

static gboolean
fail_to_write (GError     **error,
               const char  *directory,
               gsize        bytes,
               int          code)
{
  g_autofree char *size = g_format_size (bytes);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
               "%s: a temporary file of %s cannot be made: %s", directory, size,
               g_strerror (code));

  return FALSE;
}

/* A file that has lost its name, so that it is gone whatever becomes of the program. */
static int
open_unnamed (const char *directory)
{
  g_autofree char *path = g_build_filename (directory, "tare-XXXXXX", NULL);
  int fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0)
    g_unlink (path);

  return fd;
}

/* Its blocks are allocated now: a disk that fills up later would end the program. */
static gboolean
map_file (TareStates  *self,
          GError     **error)
{
  const char *directory = tare_memory_get_directory ();
  int fd = open_unnamed (directory);
  void *data = MAP_FAILED;
  int code = fd < 0 ? errno : posix_fallocate (fd, 0, (off_t) self->bytes);

  if (code == 0)
    {
      data = mmap (NULL, self->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      code = data == MAP_FAILED ? errno : 0;
    }
  if (fd >= 0)
    close (fd);
  if (code != 0)
    return fail_to_write (error, directory, self->bytes, code);

  self->data = data;
  self->mapped = TRUE;

  return TRUE;
}

/**
 * tare_states_new:
 * @rows: tokens
 * @width: numbers of each
 * @budget: (inout): where the room is taken from, memory first
 * @error: neither memory nor disk has the room, or the file cannot be made
 *
 * Returns: (transfer full): states whose values are not set
 */
TareStates *
tare_states_new (gsize        rows,
                 gsize        width,
                 TareBudget  *budget,
                 GError     **error)
{
  g_autoptr(TareStates) self = g_new0 (TareStates, 1);
  void *data = NULL;
  gsize count = 0;

  self->rows = rows;
  self->width = width;
  if (!g_size_checked_mul (&count, MAX (rows, 1), MAX (width, 1))
      || !g_size_checked_mul (&self->bytes, count, sizeof (float)))
    self->bytes = G_MAXSIZE;

  if (self->bytes <= budget->memory && posix_memalign (&data, ALIGNMENT, self->bytes) == 0)
    {
      self->data = data;
      budget->memory -= self->bytes;
      return g_steal_pointer (&self);
    }
  if (self->bytes > budget->disk)
    {
      g_autofree char *memory = g_format_size (budget->memory);
      g_autofree char *disk = g_format_size (budget->disk);
      g_autofree char *size = g_format_size (self->bytes);

      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "the states of %" G_GSIZE_FORMAT " tokens take %s, and %s of memory and %s of "
                   "disk are left for them", rows, size, memory, disk);
      return NULL;
    }
  if (!map_file (self, error))
    return NULL;
  budget->disk -= self->bytes;

  return g_steal_pointer (&self);
}

/**
 * tare_states_free:
 * @self: (nullable): states
 */
void
tare_states_free (TareStates *self)
{
  if (self == NULL)
    return;

  if (self->mapped)
    munmap (self->data, self->bytes);
  else
    free (self->data);
  g_free (self);
}

/**
 * tare_states_get_n_rows:
 * @self: states
 *
 * Returns: of how many tokens
 */
gsize
tare_states_get_n_rows (const TareStates *self)
{
  return self->rows;
}

/**
 * tare_states_get_width:
 * @self: states
 *
 * Returns: numbers of one token
 */
gsize
tare_states_get_width (const TareStates *self)
{
  return self->width;
}

/**
 * tare_states_are_in_memory:
 * @self: states
 *
 * Returns: %FALSE if they lie in a temporary file
 */
gboolean
tare_states_are_in_memory (const TareStates *self)
{
  return !self->mapped;
}

/**
 * tare_states_get_rows:
 * @self: states
 * @first: a token
 *
 * Returns: (transfer none): the states from @first on, width numbers each
 */
float *
tare_states_get_rows (TareStates *self,
                      gsize       first)
{
  g_return_val_if_fail (first <= self->rows, NULL);

  return self->data + first * self->width;
}

/**
 * tare_states_release:
 * @self: states
 * @first: the first token that is not needed for a while
 * @n: how many
 *
 * Lets the system write out what lies in a file and drop it from memory; it comes back when it is
 * touched. Does nothing to states in memory.
 */
void
tare_states_release (TareStates *self,
                     gsize       first,
                     gsize       n)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize begin = first * self->width * sizeof (float) / page * page;
  gsize end = (first + n) * self->width * sizeof (float);

  g_return_if_fail (first <= self->rows && n <= self->rows - first);

  /* Pages that are shared with neighbours may go as well: nothing is lost with them. */
  if (self->mapped && begin < end)
    madvise ((char *) self->data + begin, end - begin, MADV_DONTNEED);
}

/**
 * tare_states_copy:
 * @self: states
 * @from: states of the same size
 *
 * Copies all values, a group of rows at a time.
 */
void
tare_states_copy (TareStates *self,
                  TareStates *from)
{
  gsize group = MAX (GROUP_BYTES / MAX (self->width * sizeof (float), 1), 1);

  g_return_if_fail (self->rows == from->rows && self->width == from->width);

  for (gsize i = 0; i < self->rows; i += group)
    {
      gsize n = MIN (group, self->rows - i);

      memcpy (tare_states_get_rows (self, i), tare_states_get_rows (from, i),
              n * self->width * sizeof (float));
      tare_states_release (self, i, n);
      tare_states_release (from, i, n);
    }
}

/**
 * tare_states_get_group:
 * @self: states of n_sequences x length tokens
 * @n_sequences: sequences
 * @length: tokens of each
 *
 * Returns: how many sequences are best worked on together: all of them where they are in memory
 */
gsize
tare_states_get_group (const TareStates *self,
                       gsize             n_sequences,
                       gsize             length)
{
  gsize sequence = MAX (length * self->width * sizeof (float), 1);

  return self->mapped ? CLAMP (GROUP_BYTES / sequence, 1, MAX (n_sequences, 1))
                      : MAX (n_sequences, 1);
}

/**
 * tare_states_embed:
 * @self: (inout): states of n_sequences x length tokens
 * @network: the network
 * @weights: where the values come from
 * @tokens: n_sequences x length
 * @n_sequences: sequences
 * @length: tokens of each
 * @error: what tare_network_embed() reports
 *
 * Sets the states to those before the first block.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_states_embed (TareStates         *self,
                   TareNetwork        *network,
                   const TareWeights  *weights,
                   const guint32      *tokens,
                   gsize               n_sequences,
                   gsize               length,
                   GError            **error)
{
  gsize group = tare_states_get_group (self, n_sequences, length);

  for (gsize i = 0; i < n_sequences; i += group)
    {
      gsize first = i * length;
      gsize n = MIN (group, n_sequences - i) * length;

      if (!tare_network_embed (network, weights, tokens + first, n, length,
                               tare_states_get_rows (self, first), error))
        return FALSE;
      tare_states_release (self, first, n);
    }

  return TRUE;
}

/**
 * tare_states_run_block:
 * @self: (inout): states of n_sequences x length tokens
 * @network: the network
 * @block: from tare_network_load_block()
 * @n_sequences: sequences
 * @length: tokens of each
 * @observer: (nullable): told of what enters the linear layers
 * @progress: (nullable): the progress
 * @error: what tare_network_run_block() reports
 *
 * Sends all sequences through one block, in place, as many at a time as are best resident.
 *
 * Returns: %FALSE on error; the states are then neither what they were nor what they would be
 */
gboolean
tare_states_run_block (TareStates          *self,
                       TareNetwork         *network,
                       const TareBlock     *block,
                       gsize                n_sequences,
                       gsize                length,
                       const TareObserver  *observer,
                       const TareProgress  *progress,
                       GError             **error)
{
  gsize group = tare_states_get_group (self, n_sequences, length);

  for (gsize i = 0; i < n_sequences; i += group)
    {
      gsize n = MIN (group, n_sequences - i);
      TareProgress part = tare_progress_part (progress, (double) i / (double) n_sequences,
                                              (double) (i + n) / (double) n_sequences);

      if (!tare_network_run_block (network, block, tare_states_get_rows (self, i * length), n,
                                   length, observer, &part, error))
        return FALSE;
      tare_states_release (self, i * length, n * length);
    }

  return TRUE;
}
