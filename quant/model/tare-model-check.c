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
  gsize head;
  gsize inner;
  gsize pairs;
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
  { "attn_q", SIZE (queries), SIZE (width) },
  { "attn_k", SIZE (keys), SIZE (width) },
  { "attn_v", SIZE (keys), SIZE (width) },
  { "attn_q_norm", SIZE (one), SIZE (head) },
  { "attn_k_norm", SIZE (one), SIZE (head) },
  { "attn_output", SIZE (width), SIZE (queries) },
  { "ffn_norm", SIZE (one), SIZE (width) },
  { "ffn_gate", SIZE (inner), SIZE (width) },
  { "ffn_up", SIZE (inner), SIZE (width) },
  { "ffn_down", SIZE (width), SIZE (inner) },
  { "output_norm", SIZE (one), SIZE (width) },
  { "output", SIZE (vocabulary), SIZE (width) },
  { "rope_freqs", SIZE (one), SIZE (pairs) },
};

static Sizes
get_sizes (const TareConfig *config)
{
  return (Sizes) {
    .one = 1,
    .vocabulary = config->vocabulary,
    .width = config->width,
    .queries = (gsize) config->n_heads * config->head_width,
    .keys = (gsize) config->n_key_value_heads * config->head_width,
    .head = config->head_width,
    .inner = config->feed_forward_width,
    .pairs = config->rope_width / 2,
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

/* A bias has as many elements as its matrix has rows. */
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
      if (strcmp (shapes[i].role, tensor->role->id) != 0)
        continue;
      rows = G_STRUCT_MEMBER (gsize, sizes, tensor->bias ? SIZE (one) : shapes[i].rows);
      columns = G_STRUCT_MEMBER (gsize, sizes,
                                 tensor->bias ? shapes[i].rows : shapes[i].columns);
    }

  if (tensor->rows == rows && tensor->columns == columns)
    return TRUE;

  if (rows > 1)
    what = g_strdup_printf ("is %s; the configuration asks for %" G_GSIZE_FORMAT "x%"
                            G_GSIZE_FORMAT, found, rows, columns);
  else
    what = g_strdup_printf ("is %s; the configuration asks for %" G_GSIZE_FORMAT, found, columns);

  return fail_tensor (tensor, TARE_ERROR_INVALID, what, error);
}

static gboolean
has_role (const TareArchitecture *architecture,
          const TareRole         *role)
{
  for (const TareTensorName *row = architecture->names; row->role != NULL; row++)
    {
      if (strcmp (row->role, role->id) == 0)
        return TRUE;
    }

  return FALSE;
}

/* A tensor that the network would leave out makes every figure wrong, so there may be none. */
static gboolean
check_tensor (TareModel         *self,
              const TareTensor  *tensor,
              const Sizes       *sizes,
              GError           **error)
{
  g_autofree char *what = NULL;

  if (tensor->role == NULL || !has_role (self->architecture, tensor->role)
      || (tensor->bias && !(tensor->role->matrix && tensor->role->in_block)))
    what = g_strdup_printf ("is no part of the architecture %s that is known",
                            self->architecture->id);
  else if (tensor->block >= (int) self->config.n_blocks)
    what = g_strdup_printf ("is beyond the %u blocks of the configuration",
                            self->config.n_blocks);
  else if (tensor->format == NULL)
    what = g_strdup_printf ("is stored as %s, which cannot be decoded", tensor->type_name);

  if (what != NULL)
    return fail_tensor (tensor, TARE_ERROR_UNSUPPORTED, what, error);

  return check_shape (tensor, sizes, error);
}

static gboolean
check_present (TareModel       *self,
               const TareRole  *role,
               int              block,
               GError         **error)
{
  gboolean biased = self->architecture->attention_bias && role->input != NULL
                    && strcmp (role->input, "attn_q") == 0;
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
          || strcmp (role->id, "rope_freqs") == 0)
        continue;

      for (int i = 0; i < n; i++)
        {
          if (!check_present (self, role, role->in_block ? i : -1, error))
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

  sizes = get_sizes (&self->config);
  if (!check_complete (self, error))
    return FALSE;

  for (guint i = 0; i < self->tensors->len; i++)
    {
      if (!check_tensor (self, g_ptr_array_index (self->tensors, i), &sizes, error))
        return FALSE;
    }

  return TRUE;
}
