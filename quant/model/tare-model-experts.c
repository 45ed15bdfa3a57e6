/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Hugging Face files have every matrix of every expert in a tensor of its own, or, newer ones, the
 * gates and ups of all in one; GGUF has the gates of all experts in one tensor, and the ups, and
 * the downs, or, in some files, gates over ups too. Here all become what most GGUF files have,
 * without moving a byte.
 */
#include <string.h>

#include "quant/model/tare-layout.h"
#include "quant/model/tare-model-private.h"
#include "quant/model/tare-tensor-private.h"

/* The matrices of the experts that belong together. */
typedef struct
{
  char       *canonical;
  TareTensor *parts[];
} Family;

static void
family_free (gpointer data)
{
  Family *self = data;

  g_free (self->canonical);
  g_free (self);
}

/* How many belong together under GGUF's name: the experts, or the heads that have norms of their
 * own; 0 where there is no such thing. */
static gsize
count_family (const TareModel *self,
              const char      *canonical)
{
  if (g_str_has_suffix (canonical, ".attn_q_norm.weight"))
    return self->config.n_heads;
  if (g_str_has_suffix (canonical, ".attn_k_norm.weight"))
    return self->config.n_key_value_heads;

  return self->config.n_experts;
}

/* Experts x rows x columns, or heads x columns, of which the files have a slice each. */
static TareTensor *
new_joined (const TareTensor *like,
            const char       *name,
            const char       *canonical,
            gsize             n_experts,
            guint64           rows)
{
  guint64 shape[] = { n_experts, rows, like->columns };
  guint64 bytes = like->stored != NULL ? like->bytes * n_experts
                                       : like->bytes / MAX (like->rows, 1) * rows * n_experts;
  gboolean vectors = like->n_dimensions == 1;
  TareTensor *tensor;

  if (vectors)
    shape[1] = like->columns;
  tensor = _tare_tensor_new (like->file, name, like->type_name, like->format, vectors ? 2 : 3,
                             shape, like->offset, bytes);

  g_free (tensor->canonical);
  tensor->canonical = g_strdup (canonical);
  tensor->n_slices = n_experts;
  tensor->slices = g_new0 (TareSlice, n_experts);
  if (like->stored != NULL)
    tensor->stored = tare_stored_ref (like->stored);

  return tensor;
}

static void
set_slice (TareTensor       *self,
           gsize             expert,
           const TareTensor *from,
           guint64           offset)
{
  self->slices[expert].file = tare_file_ref (from->file);
  self->slices[expert].offset = from->offset + offset;
  if (from->stored != NULL)
    self->slices[expert].stored = tare_stored_ref (from->stored);
}

static gboolean
are_alike (const Family *family,
           gsize         n_experts)
{
  const TareTensor *first = family->parts[0];

  if (first == NULL)
    return FALSE;

  for (gsize i = 0; i < n_experts; i++)
    {
      const TareTensor *part = family->parts[i];

      if (part == NULL || part->n_dimensions != first->n_dimensions || part->n_dimensions > 2
          || part->rows != first->rows
          || part->columns != first->columns || part->bytes != first->bytes || part->rows == 0
          || (part->stored != NULL) != (first->stored != NULL)
          || strcmp (part->type_name, first->type_name) != 0)
        return FALSE;
    }

  return TRUE;
}

/* "a.experts.7.b" to "a.experts.*.b", of the first expert's name, whose number is 0. */
static char *
name_all (const char *name)
{
  const char *number = strstr (name, ".0.");
  const char *next = number;

  /* The block may be 0 as well, and is named before the expert. */
  while (next != NULL && (next = strstr (next + 1, ".0.")) != NULL)
    number = next;

  return g_strdup_printf ("%.*s.*%s", (int) (number - name), name, number + 2);
}

static TareTensor *
join_family (const Family *family,
             gsize         n_experts)
{
  const TareTensor *first = family->parts[0];
  g_autofree char *name = name_all (first->name);
  TareTensor *tensor = new_joined (first, name, family->canonical, n_experts, first->rows);

  for (gsize i = 0; i < n_experts; i++)
    set_slice (tensor, i, family->parts[i], 0);

  return tensor;
}

/* What are no matrices of experts stay in @rest. */
static GHashTable *
collect_families (TareModel *self,
                  GPtrArray *rest)
{
  GHashTable *families = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, family_free);

  for (guint i = 0; i < self->tensors->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      guint expert = 0;
      g_autofree char *canonical = tare_architecture_expert_to_canonical (self->architecture,
                                                                          tensor->name, &expert);
      Family *family = canonical != NULL ? g_hash_table_lookup (families, canonical) : NULL;
      gsize n = canonical != NULL ? count_family (self, canonical) : 0;

      if (canonical == NULL || expert >= n
          || (family != NULL && family->parts[expert] != NULL))
        {
          g_ptr_array_add (rest, tensor);
          continue;
        }
      if (family == NULL)
        {
          family = g_malloc0 (sizeof *family + n * sizeof *family->parts);
          family->canonical = g_steal_pointer (&canonical);
          g_hash_table_insert (families, family->canonical, family);
        }
      family->parts[expert] = tensor;
    }

  return families;
}

/* The experts' matrices of one tensor that newer files have, as those that GGUF has; FALSE where it
 * is none of those. */
static gboolean
part_stacked (TareModel  *self,
              TareTensor *tensor,
              GPtrArray  *parted)
{
  int block = -1;
  const TareTensorName *row = tare_architecture_find_stacked (self->architecture, tensor->name,
                                                              &block);
  gsize n_experts = self->config.n_experts;
  guint n_parts = 0, part = 0;

  if (row == NULL || tensor->stored != NULL || tensor->n_dimensions != 3
      || tensor->shape[0] != n_experts)
    return FALSE;

  for (const TareTensorName *other = row; other->role != NULL; other++)
    n_parts += g_strcmp0 (other->stacked, row->stacked) == 0;
  if (tensor->shape[1] == 0 || tensor->shape[1] % n_parts != 0
      || tensor->bytes % tensor->rows != 0)
    return FALSE;

  for (const TareTensorName *other = row; other->role != NULL; other++)
    {
      guint64 rows = tensor->shape[1] / n_parts;
      guint64 row_bytes = tensor->bytes / tensor->rows;
      g_autofree char *canonical = g_strdup_printf ("blk.%d.%s.weight", block, other->role);
      TareTensor *made = NULL;

      if (g_strcmp0 (other->stacked, row->stacked) != 0)
        continue;
      made = new_joined (tensor, tensor->name, canonical, n_experts, rows);
      for (gsize i = 0; i < n_experts; i++)
        set_slice (made, i, tensor, (i * tensor->shape[1] + part * rows) * row_bytes);
      made->offset = made->slices[0].offset;
      made->parameters = g_memdup2 (tensor->parameters, tare_tensor_get_parameter_bytes (tensor));
      made->role = tare_role_from_canonical (canonical, &made->block, &made->bias);
      g_ptr_array_add (parted, made);
      part++;
    }

  return TRUE;
}

/**
 * _tare_model_part_experts:
 * @self: a model that is being opened, whose tensors are read
 *
 * Makes two tensors of one that has the gates and the ups of all experts.
 */
void
_tare_model_part_experts (TareModel *self)
{
  g_autoptr(GPtrArray) all = NULL;

  if (self->architecture == NULL || self->config.n_experts == 0)
    return;

  all = g_steal_pointer (&self->tensors);
  self->tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_ptr_array_set_free_func (all, NULL);
  for (guint i = 0; i < all->len; i++)
    {
      TareTensor *tensor = g_ptr_array_index (all, i);

      if (part_stacked (self, tensor, self->tensors))
        tare_tensor_free (tensor);
      else
        g_ptr_array_add (self->tensors, tensor);
    }
}

/**
 * _tare_model_join_experts:
 * @self: a model that is being opened, whose tensors are read and not named
 *
 * Makes one tensor, experts x rows x columns, of the matrices of all experts that have the same
 * shape and type, and heads x columns of the norms that heads have of their own. Those of which
 * one is missing, or is another, stay as they are.
 */
void
_tare_model_join_experts (TareModel *self)
{
  g_autoptr(GPtrArray) rest = NULL;
  g_autoptr(GHashTable) families = NULL;
  GHashTableIter iter;
  gpointer value = NULL;

  if (self->architecture == NULL
      || (self->config.n_experts == 0 && !self->architecture->own_head_norm))
    return;

  _tare_model_part_experts (self);
  rest = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  families = collect_families (self, rest);
  g_ptr_array_set_free_func (self->tensors, NULL);
  g_hash_table_iter_init (&iter, families);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Family *family = value;
      gsize n = count_family (self, family->canonical);
      gboolean joined = are_alike (family, n);

      if (joined)
        g_ptr_array_add (rest, join_family (family, n));
      for (gsize i = 0; i < n; i++)
        {
          if (joined)
            tare_tensor_free (family->parts[i]);
          else if (family->parts[i] != NULL)
            g_ptr_array_add (rest, family->parts[i]);
        }
    }

  g_ptr_array_unref (self->tensors);
  self->tensors = g_steal_pointer (&rest);
}
