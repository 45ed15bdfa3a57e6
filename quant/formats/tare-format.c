/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include "quant/formats/tare-format-private.h"

#define N_(text) (text)

static const struct
{
  const char *id;
  const char *label;
} families[] = {
  [TARE_FORMAT_FAMILY_FLOAT]        = { "float", N_("Floating point") },
  [TARE_FORMAT_FAMILY_BLOCK]        = { "block", N_("Blocks") },
  [TARE_FORMAT_FAMILY_K_QUANT]      = { "k-quant", N_("K-quants") },
  [TARE_FORMAT_FAMILY_LATTICE]      = { "i-quant", N_("I-quants") },
  [TARE_FORMAT_FAMILY_TERNARY]      = { "ternary", N_("Ternary and binary") },
  [TARE_FORMAT_FAMILY_INTEGER]      = { "integer", N_("Integers") },
  [TARE_FORMAT_FAMILY_ASYMMETRIC]   = { "asymmetric", N_("Integers with a zero point") },
  [TARE_FORMAT_FAMILY_MINIFLOAT]    = { "minifloat", N_("Minifloats") },
  [TARE_FORMAT_FAMILY_MICROSCALING] = { "microscaling", N_("Microscaling") },
  [TARE_FORMAT_FAMILY_CODEBOOK]     = { "codebook", N_("Codebooks") },
  [TARE_FORMAT_FAMILY_POWER]        = { "power", N_("Powers and roots") },
};

typedef struct
{
  GPtrArray  *formats;
  GHashTable *by_id;
} Table;

/* Made once, and then the same for good. */
static const Table *
get_table (void)
{
  static Table *table = NULL;

  if (g_once_init_enter (&table))
    {
      Table *made = g_new0 (Table, 1);

      made->formats = g_ptr_array_new ();
      made->by_id = g_hash_table_new (g_str_hash, g_str_equal);
      _tare_format_list (made->formats);
      for (guint i = 0; i < made->formats->len; i++)
        {
          const TareFormat *format = g_ptr_array_index (made->formats, i);

          g_hash_table_insert (made->by_id, (gpointer) format->id, (gpointer) format);
        }
      g_once_init_leave (&table, made);
    }

  return table;
}

gsize
tare_format_get_n_formats (void)
{
  return get_table ()->formats->len;
}

/**
 * tare_format_get:
 * @index: less than tare_format_get_n_formats()
 *
 * Returns: (transfer none): one row of the table
 */
const TareFormat *
tare_format_get (gsize index)
{
  g_return_val_if_fail (index < get_table ()->formats->len, NULL);

  return g_ptr_array_index (get_table ()->formats, index);
}

/**
 * tare_format_lookup:
 * @id: (nullable): what the command line and recipes call it
 *
 * Returns: (transfer none) (nullable): the row of that id
 */
const TareFormat *
tare_format_lookup (const char *id)
{
  return id != NULL ? g_hash_table_lookup (get_table ()->by_id, id) : NULL;
}

/**
 * tare_format_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_format_name_at (gsize index)
{
  return index < tare_format_get_n_formats () ? tare_format_get (index)->id : NULL;
}

/**
 * tare_format_find:
 * @name: what a person calls it
 *
 * Finds a format by its id or its label, "q4_k" or "INT4 g128", without regard to the case of
 * ASCII. What is written has ids, which tare_format_lookup() finds faster.
 *
 * Returns: (transfer none) (nullable): the row of that name
 */
const TareFormat *
tare_format_find (const char *name)
{
  const TareFormat *format = tare_format_lookup (name);

  for (gsize i = 0; format == NULL && i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *row = tare_format_get (i);

      if (g_ascii_strcasecmp (row->id, name) == 0 || g_ascii_strcasecmp (row->label, name) == 0)
        format = row;
    }

  return format;
}

/**
 * tare_format_lookup_ggml:
 * @ggml_type: the number of a type in GGUF
 *
 * Returns: (transfer none) (nullable): the row of that type
 */
const TareFormat *
tare_format_lookup_ggml (int ggml_type)
{
  for (gsize i = 0; ggml_type >= 0 && i < tare_format_get_n_formats (); i++)
    if (tare_format_get (i)->ggml_type == ggml_type)
      return tare_format_get (i);

  return NULL;
}

const char *
tare_format_family_get_id (TareFormatFamily family)
{
  g_return_val_if_fail ((gsize) family < G_N_ELEMENTS (families), NULL);

  return families[family].id;
}

const char *
tare_format_family_get_label (TareFormatFamily family)
{
  g_return_val_if_fail ((gsize) family < G_N_ELEMENTS (families), NULL);

  return families[family].label;
}

/**
 * tare_format_accepts:
 * @self: a format
 * @columns: length of a row
 *
 * Returns: whether the format can hold rows of that length
 */
gboolean
tare_format_accepts (const TareFormat *self,
                     gsize             columns)
{
  return columns % self->block == 0;
}

/**
 * tare_format_fit:
 * @self: a format
 * @columns: length of a row
 *
 * Returns: (transfer none): the format itself, or the first of its fallbacks that can hold the row
 */
const TareFormat *
tare_format_fit (const TareFormat *self,
                 gsize             columns)
{
  while (self != NULL && !tare_format_accepts (self, columns))
    self = tare_format_lookup (self->fallback);

  return self;
}
