/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/model/tare-file-private.h"
#include "quant/model/tare-model-private.h"

/* The sizes that the shapes of a network are made of. */
typedef struct
{
  gsize one;
  gsize vocabulary;
  gsize width;
  gsize queries;
  gsize keys;
  gsize inner;
  gsize up;
  gsize qkv;
  gsize context;
  gsize pairs;
  gsize experts;
  gsize expert_inner;
  gsize expert_down;
  gsize expert_width;
  gsize shared;
  gsize query_norms;
  gsize query_norm;
  gsize key_norms;
  gsize key_norm;
} Sizes;

typedef struct
{
  const char *role;
  gsize       rows;
  gsize       columns;
} Shape;

#define SIZE(name) G_STRUCT_OFFSET (Sizes, name)

static const Shape shapes[] = {
  { "token_embd", SIZE (vocabulary), SIZE (width) },
  { "attn_norm", SIZE (one), SIZE (width) },
  { "position_embd", SIZE (context), SIZE (width) },
  { "attn_qkv", SIZE (qkv), SIZE (width) },
  { "attn_q", SIZE (queries), SIZE (width) },
  { "attn_k", SIZE (keys), SIZE (width) },
  { "attn_v", SIZE (keys), SIZE (width) },
  { "attn_norm_2", SIZE (one), SIZE (width) },
  { "attn_q_norm", SIZE (query_norms), SIZE (query_norm) },
  { "attn_k_norm", SIZE (key_norms), SIZE (key_norm) },
  { "attn_output", SIZE (width), SIZE (queries) },
  { "post_attention_norm", SIZE (one), SIZE (width) },
  { "ffn_norm", SIZE (one), SIZE (width) },
  { "ffn_gate", SIZE (inner), SIZE (width) },
  { "ffn_up", SIZE (up), SIZE (width) },
  { "ffn_down", SIZE (width), SIZE (inner) },
  { "ffn_gate_inp", SIZE (experts), SIZE (width) },
  { "ffn_gate_exps", SIZE (expert_inner), SIZE (width) },
  { "ffn_up_exps", SIZE (expert_inner), SIZE (width) },
  { "ffn_down_exps", SIZE (expert_down), SIZE (expert_width) },
  { "ffn_gate_inp_shexp", SIZE (one), SIZE (width) },
  { "ffn_gate_shexp", SIZE (shared), SIZE (width) },
  { "ffn_up_shexp", SIZE (shared), SIZE (width) },
  { "ffn_down_shexp", SIZE (width), SIZE (shared) },
  { "post_ffw_norm", SIZE (one), SIZE (width) },
  { "output_norm", SIZE (one), SIZE (width) },
  { "output", SIZE (vocabulary), SIZE (width) },
  { "rope_factors_long", SIZE (one), SIZE (pairs) },
  { "rope_factors_short", SIZE (one), SIZE (pairs) },
  { "rope_freqs", SIZE (one), SIZE (pairs) },
};

static Sizes
get_sizes (const TareArchitecture *architecture,
           const TareConfig       *config)
{
  gsize queries = (gsize) config->n_heads * config->head_width;
  gsize keys = (gsize) config->n_key_value_heads * config->head_width;

  return (Sizes) {
    .one = 1,
    .vocabulary = config->vocabulary,
    .width = config->width,
    .queries = queries,
    .keys = keys,
    .query_norms = architecture->own_head_norm ? config->n_heads : 1,
    .key_norms = architecture->own_head_norm ? config->n_key_value_heads : 1,
    .query_norm = architecture->wide_head_norm ? queries : config->head_width,
    .key_norm = architecture->wide_head_norm ? keys : config->head_width,
    .inner = config->feed_forward_width,
    .up = config->feed_forward_width * (architecture->fused_gate ? (gsize) 2 : (gsize) 1),
    .qkv = queries + 2 * keys,
    .context = (gsize) config->context + architecture->position_offset,
    .pairs = config->rope_width / 2,
    .experts = config->n_experts,
    .expert_inner = (gsize) config->n_experts * config->expert_width,
    .expert_down = (gsize) config->n_experts * config->width,
    .expert_width = config->expert_width,
    .shared = config->shared_width,
  };
}

static gboolean
fail_tensor (const TareTensor  *tensor,
             TareError          code,
             const char        *what,
             GError           **error)
{
  g_autofree char *quoted = _tare_file_quote (tensor->name, strlen (tensor->name));

  return _tare_file_fail (tensor->file, error, code, "tensor %s %s", quoted, what);
}

static char *
describe_shape (const TareTensor *tensor)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < tensor->n_dimensions; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i > 0 ? "x" : "", tensor->shape[i]);

  return g_string_free (text, FALSE);
}

/* A bias has as many elements as its matrix has rows, or its norm elements. */
static gboolean
check_shape (const TareTensor  *tensor,
             const Sizes       *sizes,
             GError           **error)
{
  g_autofree char *found = describe_shape (tensor);
  g_autofree char *what = NULL;
  gsize rows = 0;
  gsize columns = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      gboolean matrix_bias = tensor->bias && tensor->role->matrix;

      if (strcmp (shapes[i].role, tensor->role->id) != 0)
        continue;
      rows = G_STRUCT_MEMBER (gsize, sizes, matrix_bias ? SIZE (one) : shapes[i].rows);
      columns = G_STRUCT_MEMBER (gsize, sizes,
                                 matrix_bias ? shapes[i].rows : shapes[i].columns);
    }

  if (tensor->rows == rows && tensor->columns == columns
      && (tensor->n_dimensions < 3 || tensor->shape[0] == sizes->experts))
    return TRUE;

  if (rows > 1)
    what = g_strdup_printf ("is %s; the configuration asks for %" G_GSIZE_FORMAT "x%"
                            G_GSIZE_FORMAT, found, rows, columns);
  else
    what = g_strdup_printf ("is %s; the configuration asks for %" G_GSIZE_FORMAT, found, columns);

  return fail_tensor (tensor, TARE_ERROR_INVALID, what, error);
}

/* Whether a model with these numbers has what @row names: some only with experts, some without. */
static gboolean
is_meant (const TareConfig     *config,
          const TareTensorName *row)
{
  return (row->flags & (config->n_experts > 0 ? TARE_TENSOR_DENSE : TARE_TENSOR_ROUTED)) == 0;
}

/* Any matrix of a block may have a bias; what else has one must have it. */
static gboolean
may_have (const TareArchitecture *architecture,
          const TareConfig       *config,
          const TareTensor       *tensor)
{
  const TareTensorName *row = tensor->role != NULL
                              ? tare_architecture_find (architecture, tensor->role->id) : NULL;

  return row != NULL && is_meant (config, row)
         && (!tensor->bias || (row->flags & TARE_TENSOR_BIASED) != 0
             || (tensor->role->matrix && tensor->role->in_block));
}

/* A tensor that the network would leave out makes every figure wrong, so there may be none. */
static gboolean
check_tensor (TareModel         *self,
              const TareTensor  *tensor,
              const Sizes       *sizes,
              GError           **error)
{
  g_autofree char *what = NULL;

  if (!may_have (self->architecture, &self->config, tensor))
    what = g_strdup_printf ("is no part of the architecture %s that is known",
                            self->architecture->id);
  else if (tensor->block >= (int) self->config.n_blocks)
    what = g_strdup_printf ("is beyond the %u blocks of the configuration",
                            self->config.n_blocks);
  else if (!tare_tensor_can_read (tensor))
    what = g_strdup_printf ("is stored as %s, which cannot be decoded", tensor->type_name);

  if (what != NULL)
    return fail_tensor (tensor, TARE_ERROR_UNSUPPORTED, what, error);

  return check_shape (tensor, sizes, error);
}

static gboolean
check_present (TareModel       *self,
               const TareRole  *role,
               gboolean         biased,
               int              block,
               GError         **error)
{
  const char *missing = NULL;

  if (tare_model_lookup_role (self, role->id, block, FALSE) == NULL)
    missing = "weight";
  else if (biased && tare_model_lookup_role (self, role->id, block, TRUE) == NULL)
    missing = "bias";

  if (missing == NULL)
    return TRUE;

  if (block >= 0)
    return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                                 "tensor 'blk.%d.%s.%s' is missing", block, role->id, missing);

  return _tare_file_fail_path (self->path, error, TARE_ERROR_INVALID,
                               "tensor '%s.%s' is missing", role->id, missing);
}

static gboolean
check_complete (TareModel  *self,
                GError    **error)
{
  for (const TareTensorName *row = self->architecture->names; row->role != NULL; row++)
    {
      const TareRole *role = tare_role_lookup (row->role);
      int n = role->in_block ? (int) self->config.n_blocks : 1;

      if ((self->config.tied && strcmp (role->id, "output") == 0)
          || (row->flags & TARE_TENSOR_OPTIONAL) != 0 || !is_meant (&self->config, row))
        continue;

      for (int i = 0; i < n; i++)
        {
          if (!check_present (self, role, (row->flags & TARE_TENSOR_BIASED) != 0,
                              role->in_block ? i : -1, error))
            return FALSE;
        }
    }

  return TRUE;
}

/**
 * tare_model_check_runnable:
 * @self: a model
 * @error: return location
 *
 * Whether there is a network to run: a known architecture, every tensor of it and no other, all
 * of the shapes that the configuration asks for, in types that can be decoded.
 *
 * Returns: %FALSE with %TARE_ERROR_UNSUPPORTED where nothing here can run the model, or with
 *   %TARE_ERROR_INVALID where it is at odds with itself
 */
gboolean
tare_model_check_runnable (TareModel  *self,
                           GError    **error)
{
  Sizes sizes;

  g_return_val_if_fail (self != NULL, FALSE);

  if (self->architecture == NULL)
    {
      g_autofree char *quoted = _tare_file_quote (self->architecture_name,
                                                  strlen (self->architecture_name));

      return _tare_file_fail_path (self->path, error, TARE_ERROR_UNSUPPORTED,
                                   "architecture %s cannot be run; its weights can be looked at "
                                   "and quantized", quoted);
    }

  if (self->runnable_error != NULL)
    {
      g_propagate_error (error, g_error_copy (self->runnable_error));
      return FALSE;
    }

  sizes = get_sizes (self->architecture, &self->config);
  if (!check_complete (self, error))
    return FALSE;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      if (!check_tensor (self, g_ptr_array_index (self->tensors, i), &sizes, error))
        return FALSE;
    }

  return TRUE;
}
