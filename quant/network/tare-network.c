/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-network-private.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "quant/tare-error.h"

/* Tokens whose activations are held at a time, and rows of one product: sequences are taken in
 * groups of about so many tokens. See PRODUCT_ROWS in tare-block.c. */
#define GROUP_TOKENS 1024

/* Divisors of the rotary frequencies, from GGUF. */
#define ROPE_DIVISORS "rope_freqs.weight"

static gboolean
read_frequencies (TareNetwork  *self,
                  GError      **error)
{
  const TareTensor *tensor = tare_model_lookup (self->model, ROPE_DIVISORS);
  gsize n_pairs = self->config->rope_width / 2;
  g_autofree float *divisors = NULL;

  if (tensor != NULL)
    {
      if (tare_tensor_get_n_weights (tensor) != n_pairs)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: %s has %" G_GSIZE_FORMAT " numbers, not %" G_GSIZE_FORMAT,
                       tare_model_get_path (self->model), tensor->name,
                       tare_tensor_get_n_weights (tensor), n_pairs);
          return FALSE;
        }
      divisors = g_new (float, MAX (n_pairs, 1));
      if (!tare_tensor_read (tensor, divisors, error))
        return FALSE;
    }

  self->frequencies = g_new (double, MAX (n_pairs, 1));
  tare_rotary_frequencies (self->config, divisors, self->frequencies);
  self->magnitude = tare_rotary_magnitude (self->config);

  return TRUE;
}

/**
 * tare_network_new:
 * @model: a model
 * @error: %TARE_ERROR_UNSUPPORTED where Tare cannot run it, and what tensors say when read
 *
 * Returns: (transfer full): its forward pass
 */
TareNetwork *
tare_network_new (TareModel  *model,
                  GError    **error)
{
  g_autoptr(TareNetwork) self = NULL;

  g_return_val_if_fail (model != NULL, NULL);

  if (!tare_model_check_runnable (model, error))
    return NULL;

  self = g_new0 (TareNetwork, 1);
  self->model = tare_model_ref (model);
  self->config = tare_model_get_config (model);
  self->architecture = tare_model_get_architecture (model);
  if (!read_frequencies (self, error))
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_network_free:
 * @self: (nullable): the network
 */
void
tare_network_free (TareNetwork *self)
{
  if (self == NULL)
    return;

  _tare_buffer_clear (&self->input);
  _tare_buffer_clear (&self->wide);
  _tare_buffer_clear (&self->mixed);
  _tare_buffer_clear (&self->scratch);
  tare_angles_free (self->angles);
  g_free (self->frequencies);
  tare_model_unref (self->model);
  g_free (self);
}

/**
 * tare_network_get_model:
 * @self: the network
 *
 * Returns: (transfer none): the model it runs
 */
TareModel *
tare_network_get_model (TareNetwork *self)
{
  return self->model;
}

/**
 * tare_network_get_config:
 * @self: the network
 *
 * Returns: (transfer none): the numbers of the model
 */
const TareConfig *
tare_network_get_config (TareNetwork *self)
{
  return self->config;
}

/* The finalizer of splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
 * Generators" (2014). */
static guint64
mix (guint64 hash,
     guint64 value)
{
  hash += 0x9e3779b97f4a7c15u + value;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;

  return hash ^ (hash >> 31);
}

/**
 * tare_network_fingerprint:
 * @self: the network
 * @weights: where the values come from
 * @block: a block; -1 for the embedding, the number of blocks for the output
 *
 * Returns: the same number for the same values of all tensors of that part
 */
guint64
tare_network_fingerprint (TareNetwork       *self,
                          const TareWeights *weights,
                          int                block)
{
  static const char *const output_roles[] = { "output_norm", "output" };
  guint64 hash = mix (0, (guint64) (block + 1));

  g_return_val_if_fail (block >= -1 && block <= (int) self->config->n_blocks, 0);

  for (gsize i = 0; i < tare_model_get_n_tensors (self->model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (self->model, i);
      gboolean embedding = tensor->role != NULL && g_str_equal (tensor->role->id, "token_embd");
      gboolean output = FALSE;

      for (gsize j = 0; j < G_N_ELEMENTS (output_roles); j++)
        output |= tensor->role != NULL && g_str_equal (tensor->role->id, output_roles[j]);
      output |= embedding && tare_model_lookup_role (self->model, "output", -1, FALSE) == NULL;

      if (block == -1 ? embedding
          : block == (int) self->config->n_blocks ? output : tensor->block == block)
        hash = mix (hash, weights->fingerprint (weights->data, tensor));
    }

  return hash;
}

static gboolean
check_tokens (TareNetwork    *self,
              const guint32  *tokens,
              gsize           n_tokens,
              GError        **error)
{
  for (gsize i = 0; i < n_tokens; i++)
    if (tokens[i] >= self->config->vocabulary)
      {
        g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                     "%s: token %u is beyond the vocabulary of %u",
                     tare_model_get_path (self->model), tokens[i], self->config->vocabulary);
        return FALSE;
      }

  return TRUE;
}

/**
 * tare_network_embed:
 * @self: the network
 * @weights: where the values come from
 * @tokens: what to look up
 * @n_tokens: how many
 * @x: (out caller-allocates): n_tokens x width, the residual stream before the first block
 * @error: a token beyond the vocabulary, memory, what @weights reports
 *
 * Rows that are the file's are read alone; the table is made whole only where it was changed.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_embed (TareNetwork        *self,
                    const TareWeights  *weights,
                    const guint32      *tokens,
                    gsize               n_tokens,
                    float              *x,
                    GError            **error)
{
  const TareTensor *tensor = tare_model_lookup_role (self->model, "token_embd", -1, FALSE);
  gsize width = self->config->width;
  TareBuffer table = { NULL, 0 };
  gboolean ok = TRUE;

  if (tensor == NULL || tensor->rows != self->config->vocabulary || tensor->columns != width)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: token_embd.weight is not %u x %" G_GSIZE_FORMAT,
                   tare_model_get_path (self->model), self->config->vocabulary, width);
      return FALSE;
    }
  if (!check_tokens (self, tokens, n_tokens, error))
    return FALSE;

  if (weights->fingerprint (weights->data, tensor) != 0)
    {
      ok = _tare_buffer_reserve (&table, tensor->rows, width, tare_model_get_path (self->model),
                                 error)
           && weights->load (weights->data, tensor, table.data, error);
      for (gsize i = 0; ok && i < n_tokens; i++)
        memcpy (x + i * width, table.data + tokens[i] * width, width * sizeof *x);
      _tare_buffer_clear (&table);
      return ok;
    }

  for (gsize i = 0; ok && i < n_tokens; i++)
    ok = tare_tensor_read_rows (tensor, tokens[i], 1, x + i * width, error);

  return ok;
}

/* Norm (where the architecture has one) and rotation of the queries and keys of one token. */
static void
prepare_heads (TareNetwork     *self,
               const TareBlock *block,
               gsize            position,
               float           *row)
{
  const TareConfig *config = self->config;
  gsize n = config->n_heads + config->n_key_value_heads;

  for (gsize i = 0; i < n; i++)
    {
      const float *norm = i < config->n_heads ? block->query_norm : block->key_norm;
      float *head = row + i * config->head_width;

      if (norm != NULL)
        tare_kernel_rms_norm (head, norm, config->norm_epsilon, 1, config->head_width, head);
      tare_kernel_rotate (self->angles, position, head);
    }
}

static void
observe (const TareObserver *observer,
         const TareLinear   *linear,
         const float        *x,
         gsize               n_tokens)
{
  if (observer != NULL)
    observer->observe (linear->tensor, x, n_tokens, linear->columns, observer->data);
}

/* x += attention (norm (x)) for some sequences; FALSE when it was cancelled. */
static gboolean
run_attention (TareNetwork        *self,
               const TareBlock    *block,
               float              *x,
               gsize               n_sequences,
               gsize               length,
               const TareObserver *observer,
               const TareProgress *progress)
{
  const TareConfig *config = self->config;
  const TareAttentionShape shape = { n_sequences, length, config->n_heads,
                                     config->n_key_value_heads, config->head_width };
  gsize n_tokens = n_sequences * length;
  float *qkv = self->wide.data;

  tare_kernel_rms_norm (x, block->attention_norm, config->norm_epsilon, n_tokens, config->width,
                        self->input.data);
  observe (observer, &block->qkv, self->input.data, n_tokens);
  if (!_tare_linear_run (&block->qkv, self->input.data, n_tokens, 0.0f, qkv, progress))
    return FALSE;

#pragma omp parallel for schedule(static)
  for (gsize i = 0; i < n_tokens; i++)
    prepare_heads (self, block, i % length, qkv + i * block->qkv.outputs);

  tare_kernel_attention (&shape, qkv, 1.0f / sqrtf ((float) config->head_width),
                         self->scratch.data, self->mixed.data, progress);
  if (tare_progress_cancelled (progress))
    return FALSE;

  observe (observer, &block->attention_output, self->mixed.data, n_tokens);

  return _tare_linear_run (&block->attention_output, self->mixed.data, n_tokens, 1.0f, x,
                           progress);
}

/* x += down (silu (gate (norm (x))) up (norm (x))) for some tokens; FALSE when cancelled. */
static gboolean
run_feed_forward (TareNetwork        *self,
                  const TareBlock    *block,
                  float              *x,
                  gsize               n_tokens,
                  const TareObserver *observer,
                  const TareProgress *progress)
{
  const TareConfig *config = self->config;

  tare_kernel_rms_norm (x, block->feed_forward_norm, config->norm_epsilon, n_tokens,
                        config->width, self->input.data);
  observe (observer, &block->gate_up, self->input.data, n_tokens);
  if (!_tare_linear_run (&block->gate_up, self->input.data, n_tokens, 0.0f, self->wide.data,
                         progress))
    return FALSE;

  tare_kernel_silu_gate (self->wide.data, n_tokens, config->feed_forward_width, self->mixed.data);
  observe (observer, &block->down, self->mixed.data, n_tokens);

  return _tare_linear_run (&block->down, self->mixed.data, n_tokens, 1.0f, x, progress);
}

/* Room for one group of sequences and angles for their positions. */
static gboolean
reserve (TareNetwork  *self,
         gsize         n_sequences,
         gsize         length,
         GError      **error)
{
  const TareConfig *config = self->config;
  const TareAttentionShape shape = { n_sequences, length, config->n_heads,
                                     config->n_key_value_heads, config->head_width };
  const char *path = tare_model_get_path (self->model);
  gsize n_tokens = n_sequences * length;
  gsize slice = MIN (n_tokens, GROUP_TOKENS);
  gsize queries = (gsize) config->n_heads * config->head_width;
  gsize qkv = queries + 2 * (gsize) config->n_key_value_heads * config->head_width;
  gsize wide = MAX (n_tokens * qkv, slice * 2 * config->feed_forward_width);
  gsize mixed = MAX (n_tokens * queries, slice * config->feed_forward_width);

  if (self->angles == NULL || self->angles->length < length)
    {
      tare_angles_free (self->angles);
      self->angles = tare_angles_new (self->architecture->rotary, self->frequencies,
                                      self->magnitude, config->rope_width / 2, length);
    }

  return _tare_buffer_reserve (&self->input, n_tokens, config->width, path, error)
         && _tare_buffer_reserve (&self->wide, 1, wide, path, error)
         && _tare_buffer_reserve (&self->mixed, 1, mixed, path, error)
         && _tare_buffer_reserve (&self->scratch, 1, tare_kernel_attention_scratch (&shape), path,
                                  error);
}

/**
 * tare_network_run_block:
 * @self: the network
 * @block: from tare_network_load_block()
 * @x: (inout): n_sequences x length x width, the residual stream
 * @n_sequences: sequences, which do not see each other
 * @length: tokens of each, at positions from 0 on
 * @observer: (nullable): told of the inputs of the linear layers, a group of tokens at a time
 * @progress: (nullable): the progress; looked at every few hundredths of a second
 * @error: cancelled, or memory
 *
 * x += attention (norm (x)), x += feed_forward (norm (x)), in place. Activations are held for a
 * thousand tokens, or one sequence if that is longer. Deterministic for a number of threads.
 *
 * Returns: %FALSE on error; @x is then neither what it was nor what it would be
 */
gboolean
tare_network_run_block (TareNetwork         *self,
                        const TareBlock     *block,
                        float               *x,
                        gsize                n_sequences,
                        gsize                length,
                        const TareObserver  *observer,
                        const TareProgress  *progress,
                        GError             **error)
{
  gsize width = self->config->width;
  gsize group = MIN (MAX (GROUP_TOKENS / MAX (length, 1), 1), n_sequences);

  g_return_val_if_fail (self != NULL && block != NULL && block->down.weight != NULL, FALSE);

  if (length == 0 || n_sequences == 0)
    return TRUE;
  if (!reserve (self, group, length, error))
    return FALSE;

  for (gsize first = 0; first < n_sequences; first += group)
    {
      gsize n = MIN (group, n_sequences - first);
      float *begin = x + first * length * width;
      gboolean done;

      if (!tare_progress_step (progress, (double) first / (double) n_sequences, NULL, error))
        return FALSE;

      done = run_attention (self, block, begin, n, length, observer, progress);
      for (gsize i = 0; done && i < n * length; i += GROUP_TOKENS)
        done = run_feed_forward (self, block, begin + i * width,
                                 MIN (GROUP_TOKENS, n * length - i), observer, progress);
      if (!done)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                               "The forward pass was cancelled");
          return FALSE;
        }
    }

  return tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_network_run_output:
 * @self: the network
 * @output: from tare_network_load_output()
 * @x: n_tokens x width, the residual stream after the last block
 * @n_tokens: how many
 * @logits: (out caller-allocates): n_tokens x vocabulary
 * @observer: (nullable): told of the input of the output matrix
 * @error: memory
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_run_output (TareNetwork         *self,
                         const TareBlock     *output,
                         const float         *x,
                         gsize                n_tokens,
                         float               *logits,
                         const TareObserver  *observer,
                         GError             **error)
{
  gsize width = self->config->width;
  gsize vocabulary = self->config->vocabulary;

  g_return_val_if_fail (self != NULL && output != NULL && output->qkv.weight != NULL, FALSE);

  if (!_tare_buffer_reserve (&self->input, MIN (n_tokens, GROUP_TOKENS), width,
                             tare_model_get_path (self->model), error))
    return FALSE;

  for (gsize i = 0; i < n_tokens; i += GROUP_TOKENS)
    {
      gsize n = MIN (GROUP_TOKENS, n_tokens - i);

      tare_kernel_rms_norm (x + i * width, output->attention_norm, self->config->norm_epsilon, n,
                            width, self->input.data);
      observe (observer, &output->qkv, self->input.data, n);
      _tare_linear_run (&output->qkv, self->input.data, n, 0.0f, logits + i * vocabulary, NULL);
    }

  return TRUE;
}

/**
 * tare_network_run:
 * @self: the network
 * @weights: where the values come from
 * @tokens: one sequence
 * @n_tokens: how many
 * @logits: (out caller-allocates): n_tokens x vocabulary
 * @progress: (nullable): the progress
 * @error: cancelled, or what embedding, loading and running report
 *
 * The whole forward pass of one sequence.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_run (TareNetwork         *self,
                  const TareWeights   *weights,
                  const guint32       *tokens,
                  gsize                n_tokens,
                  float               *logits,
                  const TareProgress  *progress,
                  GError             **error)
{
  guint n_blocks = self->config->n_blocks;
  TareBuffer x = { NULL, 0 };
  TareBlock *output = NULL;
  gboolean ok;

  ok = _tare_buffer_reserve (&x, n_tokens, self->config->width, tare_model_get_path (self->model),
                             error)
       && tare_network_embed (self, weights, tokens, n_tokens, x.data, error);

  for (guint i = 0; ok && i < n_blocks; i++)
    {
      g_autoptr(TareBlock) block = tare_network_load_block (self, weights, i, error);
      TareProgress part = tare_progress_part (progress, (double) i / (n_blocks + 1.0),
                                              (i + 1.0) / (n_blocks + 1.0));

      ok = block != NULL
           && tare_network_run_block (self, block, x.data, 1, n_tokens, NULL, &part, error);
    }

  ok = ok && (output = tare_network_load_output (self, weights, error)) != NULL
       && tare_network_run_output (self, output, x.data, n_tokens, logits, NULL, error)
       && tare_progress_step (progress, 1.0, NULL, error);

  tare_block_free (output);
  _tare_buffer_clear (&x);

  return ok;
}
