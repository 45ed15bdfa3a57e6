/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/recipe/tare-packers-private.h"

/* What runtimes make one layer of, by the end of the names: vLLM's packed modules. */
static const struct
{
  const char *part;
  const char *pattern;
} fused[] = {
  { "q_proj", "(q|k|v|qkv)_proj" },
  { "k_proj", "(q|k|v|qkv)_proj" },
  { "v_proj", "(q|k|v|qkv)_proj" },
  { "gate_proj", "(gate|up|gate_up)_proj" },
  { "up_proj", "(gate|up|gate_up)_proj" },
  { "w1", "w(1|2|3)" },
  { "w2", "w(1|2|3)" },
  { "w3", "w(1|2|3)" },
};

/* Before the number of an expert, which the layer that a runtime makes of all of them lacks. */
#define EXPERTS ".experts."

/* Layers of one scheme whose names differ in the block alone. */
typedef struct
{
  char    *stem;
  GString *blocks;
  int      last;
  int      n;
} Series;

static void
group_free (gpointer data)
{
  TareSchemeGroup *self = data;

  g_ptr_array_unref (self->patterns);
  g_ptr_array_unref (self->names);
  g_free (self);
}

static void
series_clear (gpointer data)
{
  Series *self = data;

  g_free (self->stem);
  g_string_free (self->blocks, TRUE);
}

/* The name as an expression, its last part with its siblings and "%" in place of the block. Experts
 * are all alike, and may be meant by the name that they have together. */
static char *
make_stem (const char *name,
           int         block)
{
  g_autofree char *number = g_strdup_printf (".%d.", block);
  const char *hole = block >= 0 ? strstr (name, number) : NULL;
  GString *stem = g_string_new (NULL);
  gboolean experts = FALSE;

  for (const char *c = name; *c != '\0'; c++)
    {
      const char *pattern = NULL;

      if (c == hole)
        {
          g_string_append (stem, "\\.%\\.");
          c += strlen (number) - 1;
          continue;
        }
      if (g_str_has_prefix (c, EXPERTS))
        {
          experts = TRUE;
          g_string_append (stem, "\\.experts(\\.\\d+\\.");
          c += strlen (EXPERTS);
          c += strcspn (c, ".");
          continue;
        }
      for (gsize i = 0; i < G_N_ELEMENTS (fused) && c > name && c[-1] == '.'; i++)
        if (strcmp (c, fused[i].part) == 0)
          pattern = fused[i].pattern;
      if (pattern != NULL)
        {
          g_string_append (stem, pattern);
          break;
        }
      if (strchr (".^$*+?()[]{}|\\", *c) != NULL)
        g_string_append_c (stem, '\\');
      g_string_append_c (stem, *c);
    }

  return g_string_free (g_string_append (stem, experts ? ")?" : ""), FALSE);
}

static void
add_to_series (GArray     *series,
               const char *name,
               int         block)
{
  g_autofree char *stem = make_stem (name, block);
  Series fresh = { .stem = NULL, .last = -1 };
  Series *found = NULL;

  for (guint i = 0; i < series->len && found == NULL; i++)
    if (strcmp (g_array_index (series, Series, i).stem, stem) == 0)
      found = &g_array_index (series, Series, i);
  if (found == NULL)
    {
      fresh.stem = g_steal_pointer (&stem);
      fresh.blocks = g_string_new (NULL);
      g_array_append_val (series, fresh);
      found = &g_array_index (series, Series, series->len - 1);
    }

  /* Siblings of one block come after one another. */
  if (found->last == block && found->n > 0)
    return;
  g_string_append_printf (found->blocks, "%s%d", found->n > 0 ? "|" : "", block);
  found->last = block;
  found->n++;
}

static void
finish_group (TareSchemeGroup *group,
              GArray          *series)
{
  for (guint i = 0; i < series->len; i++)
    {
      const Series *one = &g_array_index (series, Series, i);
      const char *hole = strchr (one->stem, '%');

      if (hole == NULL)
        g_ptr_array_add (group->patterns, g_strdup_printf (".*%s$", one->stem));
      else
        g_ptr_array_add (group->patterns,
                         g_strdup_printf (".*%.*s(%s)%s$", (int) (hole - one->stem), one->stem,
                                          one->blocks->str, hole + 1));
    }
}

static const TareFormat *
get_format (const TareItem *item)
{
  if (item->packer == NULL)
    return NULL;

  return item->format != NULL ? item->format : item->tensor->format;
}

static gboolean
is_of_group (const TareSchemeGroup *group,
             const TareItem        *item)
{
  return get_format (item) == group->format && item->packer == group->packer
         && item->input.format == group->input.format && item->input.scale == group->input.scale;
}

static TareSchemeGroup *
find_group (GPtrArray      *groups,
            const TareItem *item)
{
  for (guint i = 0; i < groups->len; i++)
    if (is_of_group (g_ptr_array_index (groups, i), item))
      return g_ptr_array_index (groups, i);

  return NULL;
}

static TareSchemeGroup *
add_group (GPtrArray      *groups,
           const TareItem *item)
{
  TareSchemeGroup *group = g_new0 (TareSchemeGroup, 1);

  group->format = get_format (item);
  group->packer = item->packer;
  group->input = item->input;
  group->patterns = g_ptr_array_new_with_free_func (g_free);
  group->names = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (groups, group);

  return group;
}

static gboolean
is_grouped (const TareItem *item)
{
  return _tare_folder_is_linear (item->tensor) || _tare_folder_is_router (item->tensor);
}

static void
fill_group (TareSchemeGroup *group,
            GArray          *items)
{
  g_autoptr(GArray) series = g_array_new (FALSE, FALSE, sizeof (Series));

  g_array_set_clear_func (series, series_clear);
  for (guint i = 0; i < items->len; i++)
    {
      const TareItem *item = &g_array_index (items, TareItem, i);

      if (!is_grouped (item) || !is_of_group (group, item))
        continue;
      add_to_series (series, item->layer, item->tensor->block);
      g_ptr_array_add (group->names, g_strdup (item->layer));
    }
  finish_group (group, series);
}

/**
 * _tare_folder_group_layers:
 * @items: (element-type TareItem): what goes into a folder
 *
 * Returns: (transfer full) (element-type TareSchemeGroup): the linear layers of the blocks by how
 *   they are stored, those that are not quantized last if there are any
 */
GPtrArray *
_tare_folder_group_layers (GArray *items)
{
  GPtrArray *groups = g_ptr_array_new_with_free_func (group_free);

  for (gsize k = 0; k <= tare_format_get_n_formats (); k++)
    {
      const TareFormat *format = k < tare_format_get_n_formats () ? tare_format_get (k) : NULL;

      for (guint i = 0; i < items->len; i++)
        {
          const TareItem *item = &g_array_index (items, TareItem, i);

          if (is_grouped (item) && get_format (item) == format && find_group (groups, item) == NULL)
            fill_group (add_group (groups, item), items);
        }
    }

  return groups;
}

/**
 * _tare_folder_list_strings:
 * @strings: (element-type utf8): some
 * @prefix: what is put before each
 *
 * Returns: (transfer full): the same as JSON
 */
JsonArray *
_tare_folder_list_strings (GPtrArray  *strings,
                           const char *prefix)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < strings->len; i++)
    {
      g_autofree char *text = g_strconcat (prefix, g_ptr_array_index (strings, i), NULL);

      json_array_add_string_element (array, text);
    }

  return array;
}

/**
 * _tare_folder_set_half:
 * @config: a config.json
 *
 * Makes half precision the type that the model is run in, as containers want it whose scales are.
 */
void
_tare_folder_set_half (JsonObject *config)
{
  if (json_object_has_member (config, "dtype"))
    json_object_set_string_member (config, "dtype", "float16");
  json_object_set_string_member (config, "torch_dtype", "float16");
}
