/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-activation-site.h"

/* Of a number that is not rounded, in a cache: runtimes keep binary16 or bfloat16. */
#define CACHE_BYTES 2

static void
site_free (gpointer data)
{
  TareActivationSite *self = data;

  g_free (self->name);
  g_free (self);
}

static void
add (GPtrArray      *list,
     char           *name,
     TareSiteKind    kind,
     int             block,
     const TareRole *role,
     gsize           rows,
     gsize           columns)
{
  TareActivationSite *site = g_new0 (TareActivationSite, 1);

  *site = (TareActivationSite) { name, kind, block, role, rows, columns };
  g_ptr_array_add (list, site);
}

static void
add_inputs (GPtrArray *list,
            TareModel *model,
            int        block)
{
  for (gsize i = 0; i < tare_role_get_n_roles (); i++)
    {
      const TareRole *role = tare_role_get (i);
      const TareTensor *tensor;

      if (!role->in_block)
        continue;
      tensor = tare_model_lookup_role (model, role->id, block, FALSE);
      if (tensor != NULL && tare_activation_site_find_leader (model, tensor) == tensor)
        add (list, tare_activation_site_dup_input_name (tensor),
             TARE_SITE_KIND_INPUT, block, role, 1, tensor->columns);
    }
}

static void
add_heads (GPtrArray        *list,
           const TareConfig *config,
           int               block)
{
  const struct { const char *name; TareSiteKind kind; guint heads; } parts[] = {
    { "query", TARE_SITE_KIND_QUERY, config->n_heads },
    { "key", TARE_SITE_KIND_KEY, config->n_key_value_heads },
    { "value", TARE_SITE_KIND_VALUE, config->n_key_value_heads },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    add (list, g_strdup_printf ("blk.%d.attn.%s", block, parts[i].name), parts[i].kind, block,
         NULL, parts[i].heads, config->head_width);
}

/**
 * tare_activation_site_list:
 * @model: a model
 *
 * Returns: (transfer full) (element-type TareActivationSite): what of its activations a recipe can
 *   speak of, block by block, the output's input last; empty where there is no forward pass for it
 */
GPtrArray *
tare_activation_site_list (TareModel *model)
{
  g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func (site_free);
  const TareConfig *config;

  g_return_val_if_fail (model != NULL, NULL);

  if (!tare_model_check_runnable (model, NULL))
    return g_steal_pointer (&list);

  config = tare_model_get_config (model);
  for (guint i = 0; i < config->n_blocks; i++)
    {
      add_inputs (list, model, (int) i);
      add_heads (list, config, (int) i);
    }
  add (list, g_strdup ("output.input"), TARE_SITE_KIND_INPUT, -1,
       tare_role_lookup ("output"), 1, config->width);

  return g_steal_pointer (&list);
}

/**
 * tare_activation_site_find_leader:
 * @model: a model
 * @tensor: one of its
 *
 * Layers that share an input have it rounded once, as rules say of the first of them.
 *
 * Returns: (transfer none) (nullable): the first layer that is there, of those of its block that
 *   share the input of @tensor; %NULL for what is no weight of a linear layer
 */
const TareTensor *
tare_activation_site_find_leader (TareModel        *model,
                                  const TareTensor *tensor)
{
  const TareRole *role = NULL;

  g_return_val_if_fail (model != NULL && tensor != NULL, NULL);

  role = tensor->role;
  if (role == NULL || !role->matrix || role->input == NULL || tensor->bias)
    return NULL;

  for (gsize i = 0; i < tare_role_get_n_roles () && tare_role_get (i) != role; i++)
    {
      const TareRole *other = tare_role_get (i);
      const TareTensor *first = NULL;

      if (g_strcmp0 (other->input, role->input) == 0)
        first = tare_model_lookup_role (model, other->id, tensor->block, FALSE);
      if (first != NULL)
        return first;
    }

  return tensor;
}

/**
 * tare_activation_site_dup_input_name:
 * @tensor: a layer that tare_activation_site_find_leader() finds
 *
 * Returns: (transfer full): what rules call its input, "blk.3.attn_q.input" or "output.input"
 */
char *
tare_activation_site_dup_input_name (const TareTensor *tensor)
{
  g_return_val_if_fail (tensor != NULL && tensor->role != NULL, NULL);

  if (tensor->block < 0)
    return g_strdup_printf ("%s.input", tensor->role->id);

  return g_strdup_printf ("blk.%d.%s.input", tensor->block, tensor->role->id);
}

/**
 * tare_activation_site_accepts:
 * @self: activations
 * @format: a format
 *
 * Returns: whether they can be rounded to @format itself: its scales are within a row, and its
 *   blocks divide it
 */
gboolean
tare_activation_site_accepts (const TareActivationSite *self,
                              const TareFormat         *format)
{
  g_return_val_if_fail (self != NULL && format != NULL, FALSE);

  return tare_format_is_row_local (format) && tare_format_accepts (format, self->columns);
}

/**
 * tare_activation_site_is_cached:
 * @self: activations
 *
 * Returns: whether they stay while a text is being continued: keys and values
 */
gboolean
tare_activation_site_is_cached (const TareActivationSite *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->kind == TARE_SITE_KIND_KEY || self->kind == TARE_SITE_KIND_VALUE;
}

/**
 * tare_activation_site_get_bytes:
 * @self: activations
 * @format: (nullable): what they are rounded to, %NULL for 16 bits, which runtimes keep
 *
 * Returns: bytes of one token, scales and all
 */
gsize
tare_activation_site_get_bytes (const TareActivationSite *self,
                                const TareFormat         *format)
{
  g_return_val_if_fail (self != NULL, 0);

  format = format != NULL ? tare_format_fit (format, self->columns) : NULL;
  if (format == NULL)
    return self->rows * self->columns * CACHE_BYTES;

  return tare_format_get_bytes (format, self->rows, self->columns);
}
