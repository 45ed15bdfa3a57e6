/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-network-private.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "quant/tare-error.h"

/* Rows of one product: enough for OpenBLAS's full speed, which 512 reach at a width of 2048 and
 * 1024 at 256, and few enough to stay in the caches. */
#define PRODUCT_ROWS 1024

/* Multiplications and additions between two looks at the cancellable, per thread: 20 ms at the
 * 130 Gflop/s that an AVX-512 core was seen to reach. */
#define PRODUCT_FLOPS 2.5e9

/* Slabs of a product are a multiple of this, which OpenBLAS's own blocks are of. */
#define SLAB 64

/* Cache lines, and the widest vectors. */
#define ALIGNMENT 64

/* What one part of a fused matrix is: which tensor, and how many of the rows. */
typedef struct
{
  const char *role;
  gsize       outputs;
} Part;

float *
_tare_floats_new (gsize        n,
                  gsize        columns,
                  const char  *path,
                  GError     **error)
{
  gsize count = 0, bytes = 0;
  void *data = NULL;

  if (!g_size_checked_mul (&count, MAX (n, 1), MAX (columns, 1))
      || !g_size_checked_mul (&bytes, count, sizeof (float))
      || posix_memalign (&data, ALIGNMENT, bytes) != 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: not enough memory for %" G_GSIZE_FORMAT " x %" G_GSIZE_FORMAT " numbers",
                   path, n, columns);
      return NULL;
    }

  return data;
}

gboolean
_tare_buffer_reserve (TareBuffer  *self,
                      gsize        n,
                      gsize        columns,
                      const char  *path,
                      GError     **error)
{
  gsize size = 0;

  if (g_size_checked_mul (&size, n, columns) && size <= self->size)
    return TRUE;

  _tare_buffer_clear (self);
  self->data = _tare_floats_new (n, columns, path, error);
  self->size = self->data != NULL ? size : 0;

  return self->data != NULL;
}

void
_tare_buffer_clear (TareBuffer *self)
{
  free (self->data);
  self->data = NULL;
  self->size = 0;
}

static gsize
slab_of (gsize size,
         gsize n_slabs)
{
  gsize even = (size + n_slabs - 1) / n_slabs;

  return (even + SLAB - 1) / SLAB * SLAB;
}

/* y = keep y + x W' for @m rows. In slabs of the outputs or the inputs, whichever are more, so that
 * a large layer can be left in the middle and little is packed twice. */
static gboolean
multiply (const TareLinear   *self,
          const float        *x,
          gsize               m,
          float               keep,
          float              *y,
          const TareProgress *progress)
{
  double threads = omp_in_parallel () ? 1.0 : (double) omp_get_max_threads ();
  double flops = 2.0 * (double) m * (double) self->columns * (double) self->outputs;
  gsize n_slabs = (gsize) ceil (flops / (PRODUCT_FLOPS * threads));
  gboolean by_output = self->outputs >= self->columns;
  gsize output_step = by_output ? slab_of (self->outputs, MAX (n_slabs, 1)) : self->outputs;
  gsize column_step = by_output ? self->columns : slab_of (self->columns, MAX (n_slabs, 1));

  for (gsize output = 0; output < self->outputs; output += output_step)
    for (gsize column = 0; column < self->columns; column += column_step)
      {
        if (tare_progress_cancelled (progress))
          return FALSE;

        cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (blasint) m,
                     (blasint) MIN (output_step, self->outputs - output),
                     (blasint) MIN (column_step, self->columns - column),
                     1.0f, x + column, (blasint) self->columns,
                     self->weight + output * self->columns + column, (blasint) self->columns,
                     column == 0 ? keep : 1.0f, y + output, (blasint) self->outputs);
      }

  return TRUE;
}

/* y = keep y + x W' + bias for rows x columns; FALSE when it was cancelled, and @y unfinished. */
gboolean
_tare_linear_run (const TareLinear   *self,
                  const float        *x,
                  gsize               rows,
                  float               keep,
                  float              *y,
                  const TareProgress *progress)
{
  for (gsize row = 0; row < rows; row += PRODUCT_ROWS)
    if (!multiply (self, x + row * self->columns, MIN (PRODUCT_ROWS, rows - row), keep,
                   y + row * self->outputs, progress))
      return FALSE;
  if (self->bias != NULL)
    tare_kernel_add_bias (self->bias, rows, self->outputs, y);

  return !tare_progress_cancelled (progress);
}

/* One tensor to where it belongs; it must be there and be as large as the configuration says. */
static const TareTensor *
load_tensor (TareNetwork        *self,
             const TareWeights  *weights,
             const char         *role,
             int                 block,
             gboolean            bias,
             gsize               rows,
             gsize               columns,
             float              *out,
             GError            **error)
{
  const TareTensor *tensor = tare_model_lookup_role (self->model, role, block, bias);

  if (tensor == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: block %d has no %s.%s",
                   tare_model_get_path (self->model), block, role, bias ? "bias" : "weight");
      return NULL;
    }
  if (tensor->rows != rows || tensor->columns != columns)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %s is %" G_GSIZE_FORMAT " x %" G_GSIZE_FORMAT ", not %" G_GSIZE_FORMAT
                   " x %" G_GSIZE_FORMAT,
                   tare_model_get_path (self->model), tensor->name, tensor->rows, tensor->columns,
                   rows, columns);
      return NULL;
    }
  if (!weights->load (weights->data, tensor, out, weights->progress, error))
    return NULL;

  return tensor;
}

/* A norm, or nothing where the architecture has none of that role. */
static gboolean
load_norm (TareNetwork        *self,
           const TareWeights  *weights,
           const char         *role,
           int                 block,
           gsize               n,
           TareScaling        *norm,
           GError            **error)
{
  const char *path = tare_model_get_path (self->model);

  if (tare_architecture_find (self->architecture, role) == NULL)
    return TRUE;

  norm->role = role;
  norm->weight = _tare_floats_new (1, n, path, error);
  if (norm->weight == NULL
      || load_tensor (self, weights, role, block, FALSE, 1, n, norm->weight, error) == NULL)
    return FALSE;
  if (tare_model_lookup_role (self->model, role, block, TRUE) == NULL)
    return TRUE;

  norm->bias = _tare_floats_new (1, n, path, error);

  return norm->bias != NULL
         && load_tensor (self, weights, role, block, TRUE, 1, n, norm->bias, error) != NULL;
}

/* The norm of queries or keys: one for each head where they have norms of their own, or none. */
static gboolean
load_head_norm (TareNetwork        *self,
                const TareWeights  *weights,
                const char         *role,
                int                 block,
                gsize               n_heads,
                TareScaling        *norm,
                GError            **error)
{
  gsize d = self->config->head_width;

  if (!self->architecture->own_head_norm)
    return load_norm (self, weights, role, block,
                      self->architecture->wide_head_norm ? n_heads * d : d, norm, error);
  if (tare_model_lookup_role (self->model, role, block, FALSE) == NULL)
    return TRUE;

  norm->role = role;
  norm->weight = _tare_floats_new (n_heads, d, tare_model_get_path (self->model), error);

  return norm->weight != NULL
         && load_tensor (self, weights, role, block, FALSE, n_heads, d, norm->weight,
                         error) != NULL;
}

/* The biases of the parts, one after the other, if any has one; 0 for those that have none. Those
 * that must have one do, or the model would not run. */
static gboolean
load_bias (TareNetwork        *self,
           const TareWeights  *weights,
           const Part         *parts,
           gsize               n_parts,
           int                 block,
           TareLinear         *linear,
           GError            **error)
{
  gboolean any = FALSE;
  gsize output = 0;

  for (gsize i = 0; i < n_parts; i++)
    any |= tare_model_lookup_role (self->model, parts[i].role, block, TRUE) != NULL;
  if (!any)
    return TRUE;

  linear->bias = _tare_floats_new (1, linear->outputs, tare_model_get_path (self->model), error);
  if (linear->bias == NULL)
    return FALSE;

  for (gsize i = 0; i < n_parts; output += parts[i].outputs, i++)
    {
      float *to = linear->bias + output;

      if (tare_model_lookup_role (self->model, parts[i].role, block, TRUE) == NULL)
        memset (to, 0, parts[i].outputs * sizeof *to);
      else if (load_tensor (self, weights, parts[i].role, block, TRUE, 1, parts[i].outputs, to,
                            error) == NULL)
        return FALSE;
    }

  return TRUE;
}

static gboolean
load_linear (TareNetwork        *self,
             const TareWeights  *weights,
             const Part         *parts,
             gsize               n_parts,
             int                 block,
             gsize               columns,
             TareLinear         *linear,
             GError            **error)
{
  gsize output = 0;

  linear->columns = columns;
  for (gsize i = 0; i < n_parts; i++)
    linear->outputs += parts[i].outputs;

  linear->weight = _tare_floats_new (linear->outputs, columns, tare_model_get_path (self->model),
                                     error);
  if (linear->weight == NULL)
    return FALSE;

  for (gsize i = 0; i < n_parts; output += parts[i].outputs, i++)
    {
      const TareTensor *tensor = load_tensor (self, weights, parts[i].role, block, FALSE,
                                              parts[i].outputs, columns,
                                              linear->weight + output * columns, error);

      if (tensor == NULL)
        return FALSE;
      if (i == 0)
        linear->tensor = tensor;
    }
  if (!_tare_weights_get_rounding (weights, linear->tensor, columns, &linear->input, error))
    return FALSE;

  return load_bias (self, weights, parts, n_parts, block, linear, error);
}

/* What queries, keys and values are rounded to, head by head. */
static gboolean
load_head_roundings (TareNetwork       *self,
                     const TareWeights *weights,
                     int                index,
                     TareBlock         *block,
                     GError           **error)
{
  const struct { const char *name; TareActivationFormat *rounding; } parts[] = {
    { "query", &block->queries }, { "key", &block->keys }, { "value", &block->values },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *name = g_strdup_printf ("blk.%d.attn.%s", index, parts[i].name);

      if (!_tare_weights_get_rounding_of (weights, name, self->config->head_width,
                                          parts[i].rounding, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
load_attention (TareNetwork        *self,
                const TareWeights  *weights,
                int                 index,
                TareBlock          *block,
                GError            **error)
{
  const TareConfig *config = self->config;
  gsize d = config->head_width;
  gsize queries = config->n_heads * d;
  gsize keys = config->n_key_value_heads * d;
  gboolean two = tare_model_lookup_role (self->model, "attn_norm_2", index, FALSE) != NULL;
  gboolean fused = tare_architecture_find (self->architecture, "attn_qkv") != NULL;
  const Part parts[] = { { "attn_q", queries }, { "attn_k", keys }, { "attn_v", keys } };
  const Part whole[] = { { "attn_qkv", queries + 2 * keys } };
  const Part output[] = { { "attn_output", config->width } };

  return load_norm (self, weights, two ? "attn_norm_2" : "attn_norm", index, config->width,
                    &block->attention_norm, error)
         && load_head_norm (self, weights, "attn_q_norm", index, config->n_heads,
                            &block->query_norm, error)
         && load_head_norm (self, weights, "attn_k_norm", index, config->n_key_value_heads,
                            &block->key_norm, error)
         && load_linear (self, weights, fused ? whole : parts,
                         fused ? G_N_ELEMENTS (whole) : G_N_ELEMENTS (parts), index,
                         config->width, &block->qkv, error)
         && load_linear (self, weights, output, G_N_ELEMENTS (output), index, queries,
                         &block->attention_output, error)
         && load_head_roundings (self, weights, index, block, error)
         && load_norm (self, weights, "post_attention_norm", index, config->width,
                       &block->attention_post_norm, error);
}

/* The norm before the feed-forward part, which is attention's where both start from one. */
static const char *
find_feed_forward_norm (TareNetwork *self,
                        int          index)
{
  gboolean own = tare_architecture_find (self->architecture, "ffn_norm") != NULL
                 && (!self->config->parallel
                     || tare_model_lookup_role (self->model, "ffn_norm", index, FALSE) != NULL);

  return own || !self->config->parallel ? "ffn_norm" : "attn_norm";
}

static gboolean
load_feed_forward (TareNetwork        *self,
                   const TareWeights  *weights,
                   int                 index,
                   TareBlock          *block,
                   GError            **error)
{
  const TareConfig *config = self->config;
  gsize width = config->feed_forward_width;
  gboolean gate = tare_architecture_find (self->architecture, "ffn_gate") != NULL;
  const Part gate_up[] = { { "ffn_gate", width }, { "ffn_up", width } };
  const Part up[] = { { "ffn_up", self->architecture->fused_gate ? 2 * width : width } };
  const Part down[] = { { "ffn_down", config->width } };

  return load_norm (self, weights, find_feed_forward_norm (self, index), index, config->width,
                    &block->feed_forward_norm, error)
         && load_linear (self, weights, gate ? gate_up : up,
                         gate ? G_N_ELEMENTS (gate_up) : G_N_ELEMENTS (up), index,
                         config->width, &block->gate_up, error)
         && load_linear (self, weights, down, G_N_ELEMENTS (down), index, width, &block->down,
                         error)
         && load_norm (self, weights, "post_ffw_norm", index, config->width,
                       &block->feed_forward_post_norm, error);
}

/* The router, the expert that all tokens share, where there is one, and the experts. */
static gboolean
load_routed (TareNetwork        *self,
             const TareWeights  *weights,
             int                 index,
             TareBlock          *block,
             GError            **error)
{
  const TareConfig *config = self->config;
  gsize width = config->shared_width;
  const Part router[] = { { "ffn_gate_inp", config->n_experts } };
  const Part shared_router[] = { { "ffn_gate_inp_shexp", 1 } };
  const Part gate_up[] = { { "ffn_gate_shexp", width }, { "ffn_up_shexp", width } };
  const Part down[] = { { "ffn_down_shexp", config->width } };

  if (!load_norm (self, weights, "ffn_norm", index, config->width, &block->feed_forward_norm,
                  error)
      || !load_linear (self, weights, router, 1, index, config->width, &block->router, error)
      || !_tare_experts_load (self, weights, index, &block->experts, error))
    return FALSE;

  return width == 0
         || (load_linear (self, weights, shared_router, 1, index, config->width,
                          &block->shared_router, error)
             && load_linear (self, weights, gate_up, 2, index, config->width, &block->gate_up,
                             error)
             && load_linear (self, weights, down, 1, index, width, &block->down, error));
}

/**
 * tare_network_load_block:
 * @self: the network
 * @weights: where the values come from
 * @block: which block
 * @error: missing or misshapen tensors, memory, what @weights reports
 *
 * The system is asked to read the weights of the next block meanwhile.
 * Where the experts together take too much, they are loaded one at a time while the block runs;
 * what @weights points to must then outlive the block.
 *
 * Returns: (transfer full): the block in fp32, 4 bytes a weight
 */
TareBlock *
tare_network_load_block (TareNetwork        *self,
                         const TareWeights  *weights,
                         guint               block,
                         GError            **error)
{
  g_autoptr(TareBlock) loaded = g_new0 (TareBlock, 1);

  g_return_val_if_fail (self != NULL && weights != NULL, NULL);
  g_return_val_if_fail (block < self->config->n_blocks, NULL);

  loaded->index = block;
  if (!load_attention (self, weights, (int) block, loaded, error)
      || !(self->config->n_experts > 0
           ? load_routed (self, weights, (int) block, loaded, error)
           : load_feed_forward (self, weights, (int) block, loaded, error)))
    return NULL;
  _tare_network_read_ahead (self, block + 1);

  return g_steal_pointer (&loaded);
}

/**
 * tare_network_load_output:
 * @self: the network
 * @weights: where the values come from
 * @error: missing or misshapen tensors, memory, what @weights reports
 *
 * Returns: (transfer full): the last norm and the output matrix, which is the embedding's where
 *   the two are tied, in fp32
 */
TareBlock *
tare_network_load_output (TareNetwork        *self,
                          const TareWeights  *weights,
                          GError            **error)
{
  g_autoptr(TareBlock) loaded = g_new0 (TareBlock, 1);
  const TareConfig *config = self->config;
  Part part = { "output", config->vocabulary };

  g_return_val_if_fail (self != NULL && weights != NULL, NULL);

  if (tare_model_lookup_role (self->model, "output", -1, FALSE) == NULL)
    part.role = "token_embd";

  if (!load_norm (self, weights, "output_norm", -1, config->width, &loaded->attention_norm, error)
      || !load_linear (self, weights, &part, 1, -1, config->width, &loaded->qkv, error))
    return NULL;

  return g_steal_pointer (&loaded);
}

/**
 * tare_block_free:
 * @block: (nullable): a block
 */
void
tare_block_free (TareBlock *block)
{
  if (block == NULL)
    return;

  for (gsize i = 0; i < 6; i++)
    {
      TareScaling *norm = ((TareScaling *[]) {
        &block->attention_norm, &block->attention_post_norm, &block->feed_forward_norm,
        &block->feed_forward_post_norm, &block->query_norm, &block->key_norm })[i];

      free (norm->weight);
      free (norm->bias);
    }
  for (gsize i = 0; i < 6; i++)
    {
      TareLinear *linear = ((TareLinear *[]) {
        &block->qkv, &block->attention_output, &block->gate_up, &block->down, &block->router,
        &block->shared_router })[i];

      free (linear->weight);
      free (linear->bias);
    }
  free (block->experts.resident);
  g_free (block);
}
