/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* fallocate() */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-safetensors.h"

/* What of a folder's name the temporary one repeats, so that both fit the 255 bytes of a name. */
#define MAX_STEM 200

/* Of the reference reader. */
#define MAX_HEADER 100000000u

/* One tensor that was announced. */
typedef struct
{
  char    *name;
  char    *dtype;
  guint    bits;
  guint    n_dimensions;
  guint64  shape[TARE_TENSOR_MAX_DIMENSIONS];
  guint64  bytes;
  guint    shard;
  guint64  offset;
} Planned;

typedef struct
{
  char    *name;
  int      fd;
  guint64  bytes;
} Shard;

struct _TareSafetensorsWriter
{
  char       *path;
  char       *parent;
  char       *temporary;
  int         fd;
  guint64     shard_bytes;
  GPtrArray  *planned;
  GHashTable *names;
  GArray     *shards;
};

static void
planned_free (gpointer data)
{
  Planned *self = data;

  g_free (self->name);
  g_free (self->dtype);
  g_free (self);
}

static void
shard_clear (gpointer data)
{
  Shard *self = data;

  g_free (self->name);
  if (self->fd >= 0)
    close (self->fd);
}

static void
remove_folder (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_unlink (file);
    }
  g_rmdir (path);
}

/* What an export that was killed left behind. One that still runs holds a lock on its folder. */
static void
remove_stale (TareSafetensorsWriter *self,
              const char            *stem)
{
  g_autoptr(GDir) dir = g_dir_open (self->parent, 0, NULL);
  const char *name = NULL;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->parent, name, NULL);
      int fd = -1;

      if (!g_str_has_prefix (name, stem) || strlen (name) != strlen (stem) + 6)
        continue;

      fd = g_open (path, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW, 0);
      if (fd < 0)
        continue;
      if (flock (fd, LOCK_EX | LOCK_NB) == 0)
        remove_folder (path);
      close (fd);
    }
}

static gboolean
is_empty (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);

  return dir != NULL && g_dir_read_name (dir) == NULL;
}

/**
 * tare_safetensors_writer_new:
 * @folder: the folder to make; it may be there, but only empty
 * @shard_bytes: how long a file may be, but for one that holds a single tensor
 * @error: return location
 *
 * Begins a folder, as a temporary one named ".NAME.tare-XXXXXX" beside it. What killed exports of
 * the same name left there is removed.
 *
 * Returns: (transfer full): the writer, or %NULL with @error set
 */
TareSafetensorsWriter *
tare_safetensors_writer_new (const char  *folder,
                             guint64      shard_bytes,
                             GError     **error)
{
  g_autoptr(TareSafetensorsWriter) self = NULL;
  g_autofree char *base = NULL, *stem = NULL, *name = NULL;

  g_return_val_if_fail (folder != NULL, NULL);

  self = g_new0 (TareSafetensorsWriter, 1);
  self->fd = -1;
  self->path = g_canonicalize_filename (folder, NULL);
  self->parent = g_path_get_dirname (self->path);
  self->shard_bytes = shard_bytes;
  self->planned = g_ptr_array_new_with_free_func (planned_free);
  self->names = g_hash_table_new (g_str_hash, g_str_equal);
  self->shards = g_array_new (FALSE, TRUE, sizeof (Shard));
  g_array_set_clear_func (self->shards, shard_clear);

  if (g_file_test (self->path, G_FILE_TEST_EXISTS) && !is_empty (self->path))
    {
      _tare_file_fail_path (folder, error, TARE_ERROR_INVALID,
                            "is there already, and not an empty folder");
      return NULL;
    }

  base = g_path_get_basename (self->path);
  stem = g_strdup_printf (".%.*s.tare-", MAX_STEM, base);
  remove_stale (self, stem);
  name = g_strconcat (stem, "XXXXXX", NULL);
  self->temporary = g_build_filename (self->parent, name, NULL);
  if (g_mkdtemp_full (self->temporary, 0777) == NULL)
    {
      _tare_file_fail_errno (folder, error, errno);
      g_clear_pointer (&self->temporary, g_free);
      return NULL;
    }
  self->fd = g_open (self->temporary, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0);
  if (self->fd >= 0)
    flock (self->fd, LOCK_EX | LOCK_NB);

  return g_steal_pointer (&self);
}

/**
 * tare_safetensors_writer_free:
 * @self: (transfer full): a writer
 *
 * Without tare_safetensors_writer_commit() before, nothing is left of the folder.
 */
void
tare_safetensors_writer_free (TareSafetensorsWriter *self)
{
  g_return_if_fail (self != NULL);

  if (self->temporary != NULL)
    remove_folder (self->temporary);
  if (self->fd >= 0)
    close (self->fd);

  g_array_unref (self->shards);
  g_hash_table_unref (self->names);
  g_ptr_array_unref (self->planned);
  g_free (self->temporary);
  g_free (self->parent);
  g_free (self->path);
  g_free (self);
}

/**
 * tare_safetensors_writer_add:
 * @self: a writer that nothing was written to yet
 * @name: the tensor's name
 * @dtype: a type of the format, "BF16"
 * @n_dimensions: at most %TARE_TENSOR_MAX_DIMENSIONS
 * @shape: (array length=n_dimensions): outermost first
 * @index: (out): what to call it when it is written
 * @error: return location
 *
 * Announces a tensor. Shards are filled in the order in which tensors are announced.
 *
 * Returns: %FALSE with @error set where a name comes twice or a size overflows
 */
gboolean
tare_safetensors_writer_add (TareSafetensorsWriter  *self,
                             const char             *name,
                             const char             *dtype,
                             guint                   n_dimensions,
                             const guint64          *shape,
                             gsize                  *index,
                             GError                **error)
{
  guint64 bits = tare_safetensors_get_bits (dtype);
  Planned *planned = NULL;

  g_return_val_if_fail (self->shards->len == 0 && bits > 0, FALSE);

  for (guint i = 0; i < n_dimensions; i++)
    if (!g_uint64_checked_mul (&bits, bits, shape[i]))
      return _tare_file_fail_path (self->path, error, TARE_ERROR_LIMIT,
                                   "tensor '%s' is too large", name);
  if (g_hash_table_contains (self->names, name))
    return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                                 "tensor '%s' occurs twice", name);

  planned = g_new0 (Planned, 1);
  planned->name = g_strdup (name);
  planned->dtype = g_strdup (dtype);
  planned->bits = tare_safetensors_get_bits (dtype);
  planned->n_dimensions = n_dimensions;
  memcpy (planned->shape, shape, n_dimensions * sizeof *shape);
  planned->bytes = bits / 8;
  *index = self->planned->len;
  g_ptr_array_add (self->planned, planned);
  g_hash_table_add (self->names, planned->name);

  return TRUE;
}

/* The order of the reference writer: wide types first, so that each is aligned, then by name. */
static int
compare_planned (gconstpointer a,
                 gconstpointer b)
{
  const Planned *x = *(Planned *const *) a;
  const Planned *y = *(Planned *const *) b;

  if (x->shard != y->shard)
    return x->shard < y->shard ? -1 : 1;
  if (x->bits != y->bits)
    return x->bits > y->bits ? -1 : 1;

  return strcmp (x->name, y->name);
}

static guint
assign_shards (TareSafetensorsWriter *self)
{
  guint64 filled = 0;
  guint shard = 0;

  for (guint i = 0; i < self->planned->len; i++)
    {
      Planned *planned = g_ptr_array_index (self->planned, i);

      if (filled > 0 && planned->bytes > self->shard_bytes - MIN (filled, self->shard_bytes))
        {
          shard++;
          filled = 0;
        }
      planned->shard = shard;
      filled += planned->bytes;
    }

  return shard + 1;
}

static JsonNode *
describe (const Planned *planned,
          guint64        begin)
{
  JsonObject *object = json_object_new ();
  JsonArray *shape = json_array_new ();
  JsonArray *offsets = json_array_new ();
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  for (guint i = 0; i < planned->n_dimensions; i++)
    json_array_add_int_element (shape, (gint64) planned->shape[i]);
  json_array_add_int_element (offsets, (gint64) begin);
  json_array_add_int_element (offsets, (gint64) (begin + planned->bytes));
  json_object_set_string_member (object, "dtype", planned->dtype);
  json_object_set_array_member (object, "shape", shape);
  json_object_set_array_member (object, "data_offsets", offsets);
  json_node_take_object (node, object);

  return node;
}

/* A shard's header, padded to a multiple of 8 bytes with its length before it. Offsets of the
 * planned are from here on those in the file. */
static GByteArray *
make_header (Planned **planned,
             guint     n,
             guint64  *end)
{
  g_autoptr(JsonObject) root = json_object_new ();
  g_autoptr(JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  JsonObject *metadata = json_object_new ();
  GByteArray *header = g_byte_array_new ();
  guint64 length, offset = 0;

  json_object_set_string_member (metadata, "format", "pt");
  json_object_set_object_member (root, "__metadata__", metadata);
  for (guint i = 0; i < n; i++)
    {
      json_object_set_member (root, planned[i]->name, describe (planned[i], offset));
      planned[i]->offset = offset;
      offset += planned[i]->bytes;
    }
  json_node_set_object (node, root);
  text = json_to_string (node, FALSE);

  length = (strlen (text) + 7) / 8 * 8;
  for (guint i = 0; i < n; i++)
    planned[i]->offset += 8 + length;
  *end = 8 + length + offset;
  length = GUINT64_TO_LE (length);
  g_byte_array_append (header, (const guint8 *) &length, 8);
  g_byte_array_append (header, (const guint8 *) text, (guint) strlen (text));
  while (header->len % 8 != 0)
    g_byte_array_append (header, (const guint8 *) " ", 1);

  return header;
}

static gboolean
write_at (TareSafetensorsWriter  *self,
          int                     fd,
          guint64                 offset,
          const guint8           *bytes,
          gsize                   n_bytes,
          GError                **error)
{
  while (n_bytes > 0)
    {
      gssize written = pwrite (fd, bytes, n_bytes, (off_t) offset);

      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return _tare_file_fail_errno (self->path, error, written < 0 ? errno : EIO);
      bytes += written;
      offset += (guint64) written;
      n_bytes -= (gsize) written;
    }

  return TRUE;
}

/* Takes all of the space at once, so that a disk that is too small is known before the work. */
static gboolean
begin_shard (TareSafetensorsWriter  *self,
             Planned               **planned,
             guint                   n,
             guint                   n_shards,
             GError                **error)
{
  g_autoptr(GByteArray) header = NULL;
  g_autofree char *path = NULL;
  Shard shard = { .fd = -1 };

  header = make_header (planned, n, &shard.bytes);
  if (header->len - 8 > MAX_HEADER)
    return _tare_file_fail_path (self->path, error, TARE_ERROR_LIMIT,
                                 "the header would be longer than %u bytes", MAX_HEADER);

  shard.name = n_shards == 1 ? g_strdup ("model.safetensors")
                             : g_strdup_printf ("model-%05u-of-%05u.safetensors",
                                                self->shards->len + 1, n_shards);
  path = g_build_filename (self->temporary, shard.name, NULL);
  shard.fd = g_open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  g_array_append_val (self->shards, shard);
  if (shard.fd < 0
      || (fallocate (shard.fd, 0, 0, (off_t) shard.bytes) < 0
          && errno != EOPNOTSUPP && errno != ENOSYS))
    return _tare_file_fail_errno (self->path, error, errno);
  if (ftruncate (shard.fd, (off_t) shard.bytes) < 0)
    return _tare_file_fail_errno (self->path, error, errno);

  return write_at (self, shard.fd, 0, header->data, header->len, error);
}

static gboolean
write_index (TareSafetensorsWriter  *self,
             GError                **error)
{
  g_autoptr(JsonObject) root = json_object_new ();
  g_autoptr(JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *metadata = json_object_new ();
  JsonObject *map = json_object_new ();
  g_autofree char *text = NULL;
  guint64 total = 0;

  for (guint i = 0; i < self->planned->len; i++)
    {
      const Planned *planned = g_ptr_array_index (self->planned, i);

      total += planned->bytes;
      json_object_set_string_member (map, planned->name,
                                     g_array_index (self->shards, Shard, planned->shard).name);
    }
  json_object_set_int_member (metadata, "total_size", (gint64) total);
  json_object_set_object_member (root, "metadata", metadata);
  json_object_set_object_member (root, "weight_map", map);
  json_node_set_object (node, root);
  text = json_to_string (node, TRUE);

  return tare_safetensors_writer_write_file (self, "model.safetensors.index.json", text,
                                             strlen (text), error);
}

/* Ends the announcing. */
static gboolean
begin (TareSafetensorsWriter  *self,
       GError                **error)
{
  guint n_shards = assign_shards (self);
  g_autofree Planned **sorted = g_new (Planned *, MAX (self->planned->len, 1));
  guint first = 0;

  for (guint i = 0; i < self->planned->len; i++)
    sorted[i] = g_ptr_array_index (self->planned, i);
  qsort (sorted, self->planned->len, sizeof *sorted, compare_planned);

  for (guint shard = 0; shard < n_shards; shard++)
    {
      guint n = 0;

      while (first + n < self->planned->len && sorted[first + n]->shard == shard)
        n++;
      if (!begin_shard (self, sorted + first, n, n_shards, error))
        return FALSE;
      first += n;
    }

  return n_shards == 1 || write_index (self, error);
}

/**
 * tare_safetensors_writer_write:
 * @self: a writer
 * @index: of a tensor that was announced
 * @offset: where in the tensor the bytes begin
 * @bytes: (array length=n_bytes): some of it
 * @n_bytes: how many; the tensor is that long
 * @error: return location
 *
 * Returns: %FALSE with @error set where the system does not take them
 */
gboolean
tare_safetensors_writer_write (TareSafetensorsWriter  *self,
                               gsize                   index,
                               guint64                 offset,
                               const guint8           *bytes,
                               gsize                   n_bytes,
                               GError                **error)
{
  const Planned *planned;

  g_return_val_if_fail (index < self->planned->len, FALSE);

  if (self->shards->len == 0 && !begin (self, error))
    return FALSE;

  planned = g_ptr_array_index (self->planned, index);
  g_return_val_if_fail (offset <= planned->bytes && n_bytes <= planned->bytes - offset, FALSE);

  return write_at (self, g_array_index (self->shards, Shard, planned->shard).fd,
                   planned->offset + offset, bytes, n_bytes, error);
}

/**
 * tare_safetensors_writer_write_file:
 * @self: a writer
 * @name: of another file in the folder, "config.json"
 * @text: (array length=length): what is in it
 * @length: how long it is
 * @error: return location
 *
 * Returns: %FALSE with @error set where the system does not take it
 */
gboolean
tare_safetensors_writer_write_file (TareSafetensorsWriter  *self,
                                    const char             *name,
                                    const char             *text,
                                    gsize                   length,
                                    GError                **error)
{
  g_autofree char *path = g_build_filename (self->temporary, name, NULL);
  int fd = g_open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  gboolean written;

  if (fd < 0)
    return _tare_file_fail_errno (path, error, errno);

  written = write_at (self, fd, 0, (const guint8 *) text, length, error);
  if (written && fsync (fd) < 0)
    written = _tare_file_fail_errno (path, error, errno);
  close (fd);

  return written;
}

/**
 * tare_safetensors_writer_finish:
 * @self: a writer that has all its bytes
 * @error: return location
 *
 * Brings everything to the disk.
 *
 * Returns: (transfer none): the temporary folder, to be looked at before it takes its name; %NULL
 *   with @error set
 */
const char *
tare_safetensors_writer_finish (TareSafetensorsWriter  *self,
                                GError                **error)
{
  if (self->shards->len == 0 && !begin (self, error))
    return NULL;

  for (guint i = 0; i < self->shards->len; i++)
    if (fsync (g_array_index (self->shards, Shard, i).fd) < 0)
      {
        _tare_file_fail_errno (self->path, error, errno);
        return NULL;
      }

  return self->temporary;
}

/**
 * tare_safetensors_writer_commit:
 * @self: a writer that is finished
 * @error: return location
 *
 * Gives the folder its name.
 *
 * Returns: %FALSE with @error set where something else has taken the name
 */
gboolean
tare_safetensors_writer_commit (TareSafetensorsWriter  *self,
                                GError                **error)
{
  int fd = -1;

  if (self->fd >= 0)
    fsync (self->fd);
  if (g_rename (self->temporary, self->path) < 0)
    return _tare_file_fail_errno (self->path, error, errno);

  g_clear_pointer (&self->temporary, g_free);
  fd = g_open (self->parent, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0);
  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }

  return TRUE;
}
