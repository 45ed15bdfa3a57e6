/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-model-private.h"
#include "quant/model/tare-role-private.h"

/* Where a tensor stands in the flow: before the blocks, in one, after them. */
typedef enum
{
  PART_INPUT,
  PART_BLOCK,
  PART_OUTPUT,
} Part;

/* What an embedding is called where the role is not known, by parts of the name. */
static const char *const embeddings[] = { "embd", "embed", "wte", "wpe", "emb." };

/* The first part of a dotted name that is a number, as in "transformer.h.3.attn". */
static int
find_block (const char *name)
{
  const char *p = name;

  while (p != NULL)
    {
      const char *end = NULL;
      int block = _tare_role_parse_block (p, &end);

      if (block >= 0 && *end == '.')
        return block;
      p = strchr (p, '.');
      p = p != NULL ? p + 1 : NULL;
    }

  return -1;
}

static Part
get_part (const TareTensor *tensor)
{
  if (tensor->block >= 0)
    return PART_BLOCK;

  /* Rows of one table, in the order of the flow. */
  if (tensor->role != NULL)
    return tensor->role < tare_role_lookup ("attn_norm") ? PART_INPUT : PART_OUTPUT;

  for (gsize i = 0; i < G_N_ELEMENTS (embeddings); i++)
    {
      if (strstr (tensor->canonical, embeddings[i]) != NULL)
        return PART_INPUT;
    }

  return PART_OUTPUT;
}

static int
compare_tensors (gconstpointer a,
                 gconstpointer b)
{
  const TareTensor *x = *(TareTensor *const *) a;
  const TareTensor *y = *(TareTensor *const *) b;
  Part part_x = get_part (x);
  Part part_y = get_part (y);

  if (part_x != part_y)
    return part_x < part_y ? -1 : 1;
  if (x->block != y->block)
    return x->block < y->block ? -1 : 1;
  if (x->role != y->role)
    {
      /* Rows of one table; what has no role comes last. */
      if (x->role == NULL || y->role == NULL)
        return x->role != NULL ? -1 : 1;
      return x->role < y->role ? -1 : 1;
    }
  if (x->bias != y->bias)
    return x->bias ? 1 : -1;

  return strcmp (x->canonical, y->canonical);
}

/* A block beyond the number of tensors is a number of another kind. */
static void
take_block (TareModel  *self,
            TareTensor *tensor)
{
  int limit = (int) MIN (self->tensors->len, G_MAXINT);

  if (tensor->role == NULL)
    tensor->block = find_block (tensor->canonical);

  if (tensor->block >= limit)
    {
      tensor->role = NULL;
      tensor->block = -1;
    }

  self->n_blocks = MAX (self->n_blocks, (guint) (tensor->block + 1));
}

/* What the tensors tell where the configuration does not. Whether an output is meant to be missing
 * is said by the configuration alone. */
static void
complete_config (TareModel *self)
{
  const TareTensor *embedding = tare_model_lookup (self, "token_embd.weight");

  if (embedding != NULL && self->config.vocabulary == 0)
    self->config.vocabulary = (guint) MIN (embedding->rows, G_MAXUINT);
  if (tare_model_lookup (self, "output.weight") != NULL)
    self->config.tied = FALSE;
}

/**
 * _tare_model_arrange:
 * @self: a model whose tensors are read and named
 * @error: return location
 *
 * Puts the tensors in the order of data flow, and makes them findable.
 *
 * Returns: %FALSE with @error set where two have the same name
 */
gboolean
_tare_model_arrange (TareModel  *self,
                     GError    **error)
{
  for (guint i = 0; i < self->tensors->len; i++)
    take_block (self, g_ptr_array_index (self->tensors, i));

  g_ptr_array_sort (self->tensors, compare_tensors);
  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);

      if (!g_hash_table_insert (self->by_name, tensor->canonical, tensor))
        {
          g_autofree char *quoted = _tare_file_quote (tensor->name, strlen (tensor->name));

          return _tare_file_fail (tensor->file, error, TARE_ERROR_INVALID,
                                  "tensor %s occurs twice, as '%s'", quoted, tensor->canonical);
        }
    }

  complete_config (self);

  return TRUE;
}
