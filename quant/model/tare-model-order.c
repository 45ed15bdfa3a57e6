/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-architecture-private.h"
#include "quant/model/tare-layout.h"
#include "quant/model/tare-model-private.h"
#include "quant/model/tare-tensor-private.h"

/**
 * _tare_model_find_order:
 * @self: a model of a known architecture
 * @tensor: one of it, with a role, its shape in GGUF's order
 * @order: (out): how a Hugging Face file has its rows
 */
void
_tare_model_find_order (TareModel        *self,
                        const TareTensor *tensor,
                        TareOrder        *order)
{
  const TareConfig *config = &self->config;
  const TareTensorName *row = tare_architecture_find (self->architecture, tensor->role->id);
  gsize rows = tensor->n_dimensions > 1 ? tensor->rows : tensor->columns;
  guint head = config->head_width;

  *order = (TareOrder) { 0 };
  if (row == NULL || head == 0)
    return;

  if ((row->flags & TARE_TENSOR_GROUPED) != 0
      && rows == (config->n_heads + 2 * (gsize) config->n_key_value_heads) * head)
    {
      order->head_rows = head;
      order->head_groups = config->n_key_value_heads;
    }
  if (!self->architecture->interleaves_heads)
    return;

  /* Only of query and key do the rows rotate; a vector's elements stand for rows. */
  if ((strcmp (tensor->role->id, "attn_q") == 0 || strcmp (tensor->role->id, "attn_k") == 0)
      && rows % head == 0)
    order->head_rows = head;
}

/**
 * _tare_model_repeats_embedding:
 * @self: a model
 *
 * Returns: whether its output is the embedding over again, as llama.cpp wants it of architectures
 *   that Hugging Face has without
 */
gboolean
_tare_model_repeats_embedding (TareModel *self)
{
  const TareTensor *embedding = tare_model_lookup (self, "token_embd.weight");
  const TareTensor *output = tare_model_lookup (self, "output.weight");

  if (self->architecture == NULL || !self->architecture->copies_output || embedding == NULL
      || output == NULL)
    return FALSE;
  if (output->file == embedding->file && output->offset == embedding->offset)
    return TRUE;

  return self->metadata != NULL && self->architecture->tied
         && output->format == embedding->format && output->bytes == embedding->bytes
         && output->rows == embedding->rows
         && memcmp (tare_file_get_data (output->file) + output->offset,
                    tare_file_get_data (embedding->file) + embedding->offset,
                    output->bytes) == 0;
}

/* Whether a tensor was made when the folder was opened, and is in none of its files. */
static gboolean
is_derived (TareModel        *self,
            const TareTensor *tensor)
{
  if (strcmp (tensor->canonical, "rope_freqs.weight") == 0)
    return TRUE;

  return strcmp (tensor->canonical, "output.weight") == 0 && _tare_model_repeats_embedding (self);
}

/* The name that a folder has for a tensor of a GGUF file; the first norm of two side by side may
 * have another than it has alone. */
static char *
make_name (TareModel        *self,
           const TareTensor *tensor)
{
  const TareArchitecture *architecture = self->architecture;
  g_autofree char *name = NULL;

  if (architecture != NULL && tensor->role != NULL
      && tare_model_lookup_role (self, "attn_norm_2", tensor->block, FALSE) != NULL)
    name = _tare_architecture_to_other_name (architecture, tensor->role->id, tensor->block,
                                             tensor->bias);
  if (architecture != NULL && name == NULL)
    name = tare_architecture_to_hugging_face (architecture, tensor->canonical);

  if (name == NULL || !architecture->writes_prefix || strcmp (tensor->role->id, "output") == 0)
    return g_steal_pointer (&name);

  return g_strconcat (architecture->prefix, name, NULL);
}

/**
 * tare_model_dup_folder_tensor:
 * @self: a model
 * @tensor: one of it
 *
 * Of a model from a Hugging Face folder this is the tensor under the name that it has there; of a
 * GGUF file, what such a folder would call it, with the order that the rows of a folder have.
 *
 * Returns: (transfer full) (nullable): how a Hugging Face folder has @tensor, of which only the
 *   name, the role, @shape, @rows, @columns, @head_rows, @head_groups and @transposed count; %NULL
 *   where it has no such tensor, because what it says follows from the rest
 */
TareTensor *
tare_model_dup_folder_tensor (TareModel        *self,
                              const TareTensor *tensor)
{
  g_autoptr(TareTensor) copy = NULL;
  const TareTensorName *row = NULL;
  TareOrder order;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (tensor != NULL, NULL);

  if (self->architecture != NULL && is_derived (self, tensor))
    return NULL;

  copy = _tare_tensor_copy (tensor);
  copy->role = tensor->role;
  copy->block = tensor->block;
  copy->bias = tensor->bias;
  copy->head_rows = tensor->head_rows;
  copy->head_groups = tensor->head_groups;
  copy->transposed = tensor->transposed;
  copy->rows = tensor->rows;
  copy->columns = tensor->columns;
  if (self->architecture != NULL && tensor->role != NULL)
    row = tare_architecture_find (self->architecture, tensor->role->id);

  /* What Tare's own layout has encoded lies in GGUF's order also in a folder. */
  if (self->metadata == NULL && (row == NULL || !_tare_tensor_is_raw (tensor)))
    return g_steal_pointer (&copy);

  if (self->metadata != NULL)
    {
      g_free (copy->name);
      copy->name = make_name (self, tensor);
    }
  if (copy->name == NULL)
    return NULL;

  _tare_model_find_order (self, tensor, &order);
  copy->head_rows = order.head_rows;
  copy->head_groups = order.head_groups;
  copy->transposed = (row->flags & TARE_TENSOR_TRANSPOSED) != 0 && tensor->n_dimensions == 2;
  /* A linear layer of one output is a vector in GGUF. */
  if (strcmp (tensor->role->id, "ffn_gate_inp_shexp") == 0 && tensor->n_dimensions == 1)
    {
      copy->n_dimensions = 2;
      copy->shape[1] = copy->shape[0];
      copy->shape[0] = 1;
    }

  return g_steal_pointer (&copy);
}

/**
 * tare_model_dup_folder_expert:
 * @self: a model
 * @tensor: one of it, which has the matrices of all experts one over the other, or the norms of all
 *   heads
 * @expert: which, from 0 on
 *
 * Returns: (transfer full) (nullable): how a Hugging Face folder has the matrix of one expert, of
 *   which the same counts as of tare_model_dup_folder_tensor(); %NULL where it has none by itself
 */
TareTensor *
tare_model_dup_folder_expert (TareModel        *self,
                              const TareTensor *tensor,
                              gsize             expert)
{
  g_autofree char *name = NULL;
  TareTensor *copy = NULL;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (tensor != NULL && tare_tensor_is_stacked (tensor), NULL);

  if (self->architecture != NULL)
    name = tare_architecture_expert_to_hugging_face (self->architecture, tensor->canonical,
                                                     (guint) expert);
  if (name == NULL)
    return NULL;

  copy = _tare_tensor_new (tensor->file, name, tensor->type_name, tensor->format,
                           tensor->n_dimensions - 1, tensor->shape + 1, tensor->offset,
                           tensor->bytes / tensor->shape[0]);
  copy->role = tensor->role;
  copy->block = tensor->block;

  return copy;
}
