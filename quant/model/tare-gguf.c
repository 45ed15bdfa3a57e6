/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-gguf.h"

#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-gguf-private.h"
#include "quant/model/tare-metadata-private.h"
#include "quant/model/tare-tensor-private.h"

/* The fewest bytes that a key or a tensor takes in the file, so that its counts can be checked. */
#define KEY_BYTES    (8 + 1 + 4 + 1)
#define TENSOR_BYTES (8 + 1 + 4 + 4 + 8)

#define MAX_METADATA (1u << 30)
#define MAX_TENSORS  1000000

/* The types of ggml by their numbers; those that were removed from it are not here. */
static const TareGgufType types[] = {
  { 0, "F32", 1, 4 },
  { 1, "F16", 1, 2 },
  { 2, "Q4_0", 32, 18 },
  { 3, "Q4_1", 32, 20 },
  { 6, "Q5_0", 32, 22 },
  { 7, "Q5_1", 32, 24 },
  { 8, "Q8_0", 32, 34 },
  { 9, "Q8_1", 32, 36 },
  { 10, "Q2_K", 256, 84 },
  { 11, "Q3_K", 256, 110 },
  { 12, "Q4_K", 256, 144 },
  { 13, "Q5_K", 256, 176 },
  { 14, "Q6_K", 256, 210 },
  { 15, "Q8_K", 256, 292 },
  { 16, "IQ2_XXS", 256, 66 },
  { 17, "IQ2_XS", 256, 74 },
  { 18, "IQ3_XXS", 256, 98 },
  { 19, "IQ1_S", 256, 50 },
  { 20, "IQ4_NL", 32, 18 },
  { 21, "IQ3_S", 256, 110 },
  { 22, "IQ2_S", 256, 82 },
  { 23, "IQ4_XS", 256, 136 },
  { 24, "I8", 1, 1 },
  { 25, "I16", 1, 2 },
  { 26, "I32", 1, 4 },
  { 27, "I64", 1, 8 },
  { 28, "F64", 1, 8 },
  { 29, "IQ1_M", 256, 56 },
  { 30, "BF16", 1, 2 },
  { 34, "TQ1_0", 256, 54 },
  { 35, "TQ2_0", 256, 66 },
  { 39, "MXFP4", 32, 17 },
  { 40, "NVFP4", 64, 36 },
  { 41, "Q1_0", 128, 18 },
  { 42, "Q2_0", 64, 18 },
};

typedef struct
{
  guint32 version;
  guint64 n_tensors;
  guint64 n_keys;
  guint64 alignment;
} Header;

/* What the file says of one tensor. */
typedef struct
{
  char               *name;
  guint               n_dimensions;
  guint64             shape[TARE_GGUF_MAX_DIMENSIONS];
  const TareGgufType *type;
  guint64             offset;
  guint64             bytes;
} Info;

/**
 * tare_gguf_type_lookup:
 * @type: a number in the file
 *
 * Returns: (nullable) (transfer none): what is known of it, or %NULL where there is no such type
 */
const TareGgufType *
tare_gguf_type_lookup (int type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      if (types[i].type == type)
        return &types[i];
    }

  return NULL;
}

/**
 * _tare_gguf_type_get_bytes:
 * @type: a type
 * @n_dimensions: at most %TARE_GGUF_MAX_DIMENSIONS
 * @shape: (array length=n_dimensions): outermost first
 * @bytes: (out): what such a tensor takes
 *
 * Returns: (nullable): what is wrong with the shape, or %NULL
 */
const char *
_tare_gguf_type_get_bytes (const TareGgufType *type,
                           guint               n_dimensions,
                           const guint64      *shape,
                           guint64            *bytes)
{
  guint64 columns = n_dimensions > 0 ? shape[n_dimensions - 1] : 1;
  guint64 elements = 1;

  for (guint i = 0; i < n_dimensions; i++)
    {
      if (shape[i] > G_MAXINT64)
        return "has a negative dimension";
      if (shape[i] == 0)
        return "has a dimension of 0";
      if (!g_uint64_checked_mul (&elements, elements, shape[i]) || elements > G_MAXINT64)
        return "has more than 2^63 elements";
    }

  if (columns % type->block != 0)
    return "has rows that the blocks of its type do not divide";

  if (!g_uint64_checked_mul (bytes, elements / type->block, type->block_bytes)
      || *bytes > G_MAXINT64)
    return "takes more than 2^63 bytes";

  return NULL;
}

/**
 * tare_gguf_probe:
 * @file: a file
 *
 * Returns: whether it begins as a GGUF file does
 */
gboolean
tare_gguf_probe (TareFile *file)
{
  g_return_val_if_fail (file != NULL, FALSE);

  return tare_file_get_size (file) >= 4 && memcmp (tare_file_get_data (file), "GGUF", 4) == 0;
}

static gboolean
check_version (TareFile  *file,
               guint32    version,
               GError   **error)
{
  if (version != 0 && (version & 0xffff) == 0)
    return _tare_file_fail (file, error, TARE_ERROR_UNSUPPORTED, "a big-endian GGUF file");

  if (version == 1)
    return _tare_file_fail (file, error, TARE_ERROR_UNSUPPORTED,
                            "GGUF version 1, which is no longer read");

  if (version < 2 || version > TARE_GGUF_VERSION)
    return _tare_file_fail (file, error, TARE_ERROR_UNSUPPORTED, "GGUF version %u; 2 and 3 are "
                            "known", version);

  return TRUE;
}

static gboolean
read_header (TareCursor  *cursor,
             Header      *header,
             GError     **error)
{
  guint64 left = 0;

  if (!tare_gguf_probe (cursor->file))
    return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID, "not a GGUF file");

  cursor->position = 4;
  if (!tare_cursor_read_u32 (cursor, &header->version, error)
      || !check_version (cursor->file, header->version, error)
      || !tare_cursor_read_u64 (cursor, &header->n_tensors, error)
      || !tare_cursor_read_u64 (cursor, &header->n_keys, error))
    return FALSE;

  left = cursor->end - cursor->position;
  if (header->n_keys > left / KEY_BYTES)
    return _tare_file_fail (cursor->file, error, TARE_ERROR_LIMIT,
                            "%" G_GUINT64_FORMAT " keys at offset 16, more than the file holds",
                            header->n_keys);
  if (header->n_tensors > MIN (left / TENSOR_BYTES, MAX_TENSORS))
    return _tare_file_fail (cursor->file, error, TARE_ERROR_LIMIT,
                            "%" G_GUINT64_FORMAT " tensors at offset 8, more than %s",
                            header->n_tensors,
                            header->n_tensors > MAX_TENSORS ? "1000000" : "the file holds");

  return TRUE;
}

static gboolean
read_alignment (TareCursor    *cursor,
                TareMetadata  *metadata,
                Header        *header,
                GError       **error)
{
  TareValueType type = TARE_VALUE_U32;
  gint64 alignment = 32;

  if (tare_metadata_get_type (metadata, "general.alignment", &type, NULL)
      && (type != TARE_VALUE_U32
          || !tare_metadata_get_integer (metadata, "general.alignment", &alignment)
          || alignment <= 0 || (alignment & (alignment - 1)) != 0))
    return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID,
                            "key 'general.alignment' is not a power of two of type u32");

  header->alignment = (guint64) alignment;

  return TRUE;
}

static gboolean
read_metadata (TareCursor    *cursor,
               Header        *header,
               TareMetadata  *metadata,
               GError       **error)
{
  for (guint64 i = 0; i < header->n_keys; i++)
    {
      if (!_tare_metadata_read (metadata, cursor, error))
        return FALSE;
      if (cursor->position > MAX_METADATA)
        return _tare_file_fail (cursor->file, error, TARE_ERROR_LIMIT,
                                "more than 1 GiB of metadata");
    }

  return read_alignment (cursor, metadata, header, error);
}

static gboolean
fail_info (TareCursor  *cursor,
           const char  *name,
           const char  *what,
           GError     **error)
{
  g_autofree char *quoted = _tare_file_quote (name, strlen (name));

  return _tare_file_fail (cursor->file, error, TARE_ERROR_INVALID, "tensor %s %s", quoted, what);
}

static gboolean
read_shape (TareCursor  *cursor,
            Info        *info,
            GError     **error)
{
  guint32 n = 0;

  if (!tare_cursor_read_u32 (cursor, &n, error))
    return FALSE;
  if (n > TARE_GGUF_MAX_DIMENSIONS)
    return fail_info (cursor, info->name, "has more than 4 dimensions", error);

  /* The file has the contiguous dimension first. */
  info->n_dimensions = n;
  for (guint i = n; i-- > 0;)
    {
      if (!tare_cursor_read_u64 (cursor, &info->shape[i], error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
read_info (TareCursor  *cursor,
           GHashTable  *names,
           Info        *info,
           GError     **error)
{
  const char *fault = NULL;
  guint32 type = 0;

  if (!tare_cursor_read_string (cursor, &info->name, error))
    return FALSE;
  if (*info->name == '\0')
    return fail_info (cursor, info->name, "has no name", error);
  if (strlen (info->name) > TARE_GGUF_MAX_NAME)
    return fail_info (cursor, info->name, "has a name of more than 63 bytes", error);
  if (!g_hash_table_add (names, info->name))
    return fail_info (cursor, info->name, "occurs twice", error);

  if (!read_shape (cursor, info, error)
      || !tare_cursor_read_u32 (cursor, &type, error)
      || !tare_cursor_read_u64 (cursor, &info->offset, error))
    return FALSE;

  info->type = type <= G_MAXINT ? tare_gguf_type_lookup ((int) type) : NULL;
  if (info->type == NULL)
    {
      g_autofree char *what = g_strdup_printf ("has the unknown type %u", type);

      return fail_info (cursor, info->name, what, error);
    }

  fault = _tare_gguf_type_get_bytes (info->type, info->n_dimensions, info->shape, &info->bytes);

  return fault == NULL || fail_info (cursor, info->name, fault, error);
}

static gboolean
check_place (TareCursor  *cursor,
             const Info  *info,
             guint64      expected,
             guint64      room,
             GError     **error)
{
  g_autofree char *what = NULL;

  if (info->offset != expected)
    what = g_strdup_printf ("is at data offset %" G_GUINT64_FORMAT ", not at %" G_GUINT64_FORMAT
                            " where the one before it ends", info->offset, expected);
  else if (info->offset > room || info->bytes > room - info->offset)
    what = g_strdup_printf ("is truncated: it takes %" G_GUINT64_FORMAT " bytes at data offset %"
                            G_GUINT64_FORMAT ", of which the file has %" G_GUINT64_FORMAT,
                            info->bytes, info->offset, room);

  return what == NULL || fail_info (cursor, info->name, what, error);
}

static guint64
align (guint64 position,
       guint64 alignment)
{
  return (position + alignment - 1) & ~(alignment - 1);
}

/* Sizes are below 2^63 and alignments below 2^32, so that nothing here overflows. */
static gboolean
place_tensors (TareCursor    *cursor,
               const Header  *header,
               const Info    *infos,
               GPtrArray     *tensors,
               GError       **error)
{
  guint64 start = align (cursor->position, header->alignment);
  guint64 room = cursor->end - MIN (start, cursor->end);
  guint64 expected = 0;

  for (guint64 i = 0; i < header->n_tensors; i++)
    {
      if (!check_place (cursor, &infos[i], expected, room, error))
        return FALSE;
      expected = align (infos[i].offset + infos[i].bytes, header->alignment);
    }

  for (guint64 i = 0; i < header->n_tensors; i++)
    {
      TareTensor *tensor = _tare_tensor_new (cursor->file, infos[i].name, infos[i].type->name,
                                             tare_format_lookup_ggml (infos[i].type->type),
                                             infos[i].n_dimensions, infos[i].shape,
                                             start + infos[i].offset, infos[i].bytes);

      tensor->role = tare_role_from_canonical (tensor->canonical, &tensor->block, &tensor->bias);
      _tare_tensor_set_unit (tensor);
      g_ptr_array_add (tensors, tensor);
    }

  return TRUE;
}

static gboolean
read_tensors (TareCursor    *cursor,
              const Header  *header,
              GPtrArray     *tensors,
              GError       **error)
{
  g_autoptr(GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree Info *infos = g_new0 (Info, MAX (header->n_tensors, 1));
  gboolean done = TRUE;

  for (guint64 i = 0; done && i < header->n_tensors; i++)
    done = read_info (cursor, names, &infos[i], error);

  done = done && place_tensors (cursor, header, infos, tensors, error);

  for (guint64 i = 0; i < header->n_tensors; i++)
    g_free (infos[i].name);

  return done;
}

/**
 * tare_gguf_read:
 * @file: a GGUF file of version 2 or 3
 * @tensors: (element-type TareTensor): where they are appended, in the order of the file
 * @metadata: (out) (transfer full): its keys
 * @error: return location
 *
 * Reads the header of a GGUF file and checks all of it; the data is not touched.
 *
 * Returns: %FALSE with @error set where the header breaks the format; @tensors is then unchanged
 */
gboolean
tare_gguf_read (TareFile      *file,
                GPtrArray     *tensors,
                TareMetadata **metadata,
                GError       **error)
{
  g_autoptr(TareMetadata) keys = NULL;
  TareCursor cursor = { 0 };
  Header header = { 0 };

  g_return_val_if_fail (file != NULL, FALSE);
  g_return_val_if_fail (tensors != NULL, FALSE);
  g_return_val_if_fail (metadata != NULL, FALSE);

  cursor.file = file;
  cursor.end = tare_file_get_size (file);
  keys = tare_metadata_new ();
  if (!read_header (&cursor, &header, error)
      || !read_metadata (&cursor, &header, keys, error)
      || !read_tensors (&cursor, &header, tensors, error))
    return FALSE;

  *metadata = g_steal_pointer (&keys);

  return TRUE;
}
