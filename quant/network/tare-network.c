/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-network-private.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"

/* Divisors of the rotary frequencies, from GGUF. */
#define ROPE_DIVISORS  "rope_freqs.weight"
#define SHORT_DIVISORS "rope_factors_short.weight"
#define LONG_DIVISORS  "rope_factors_long.weight"

/* What the experts of a block may take together, in fp32. */
#define EXPERT_BYTES (1024.0 * 1024.0 * 1024.0)

/* (nullable) (transfer full): the numbers of a tensor that has one for each pair of a head */
static float *
read_divisors (TareNetwork  *self,
               const char   *name,
               GError      **error)
{
  const TareTensor *tensor = tare_model_lookup (self->model, name);
  gsize n_pairs = self->config->rope_width / 2;
  g_autofree float *divisors = NULL;

  if (tensor == NULL || tare_tensor_get_n_weights (tensor) != n_pairs)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %s does not have %" G_GSIZE_FORMAT " numbers",
                   tare_model_get_path (self->model), name, n_pairs);
      return NULL;
    }

  divisors = g_new (float, MAX (n_pairs, 1));

  return tare_tensor_read (tensor, divisors, error) ? g_steal_pointer (&divisors) : NULL;
}

static double *
make_frequencies (TareNetwork *self,
                  const float *divisors)
{
  double *frequencies = g_new (double, MAX (self->config->rope_width / 2, 1));

  tare_rotary_frequencies (self->config, divisors, frequencies);

  return frequencies;
}

/* Those of blocks in a window are of a base of their own, and not scaled. */
static double *
make_local_frequencies (TareNetwork *self)
{
  double *frequencies = g_new (double, MAX (self->config->rope_width / 2, 1));
  TareConfig local = *self->config;

  local.rope_base = local.rope_local_base;
  local.rope_scaling = TARE_ROPE_SCALING_NONE;
  tare_rotary_frequencies (&local, NULL, frequencies);

  return frequencies;
}

static gboolean
read_frequencies (TareNetwork  *self,
                  GError      **error)
{
  gboolean two = self->config->rope_scaling == TARE_ROPE_SCALING_LONGROPE;
  const char *name = two ? SHORT_DIVISORS : ROPE_DIVISORS;
  gboolean divided = two || tare_model_lookup (self->model, ROPE_DIVISORS) != NULL;
  g_autofree float *divisors = divided ? read_divisors (self, name, error) : NULL;
  g_autofree float *others = two ? read_divisors (self, LONG_DIVISORS, error != NULL
                                                  && *error != NULL ? NULL : error) : NULL;

  if ((divided && divisors == NULL) || (two && others == NULL))
    return FALSE;

  self->frequencies = make_frequencies (self, divisors);
  if (two)
    self->long_frequencies = make_frequencies (self, others);
  if (self->config->rope_local_base > 0.0f)
    self->local_frequencies = make_local_frequencies (self);
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
  self->expert_bytes = EXPERT_BYTES;
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

  for (gsize i = 0; i < self->n_workspaces; i++)
    {
      _tare_buffer_clear (&self->workspaces[i].input);
      _tare_buffer_clear (&self->workspaces[i].wide);
      _tare_buffer_clear (&self->workspaces[i].mixed);
      _tare_buffer_clear (&self->workspaces[i].branch);
      _tare_buffer_clear (&self->workspaces[i].scratch);
      _tare_buffer_clear (&self->workspaces[i].past);
      _tare_buffer_clear (&self->workspaces[i].expert);
    }
  g_free (self->workspaces);
  g_clear_error (&self->failure);
  tare_angles_free (self->angles);
  tare_angles_free (self->local_angles);
  g_free (self->frequencies);
  g_free (self->long_frequencies);
  g_free (self->local_frequencies);
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

/**
 * tare_network_measure_memory:
 * @self: the network
 *
 * Returns: bytes of the largest part whose weights are in fp32 at a time, a block or the output; of
 *   experts, as many as are there at once
 */
guint64
tare_network_measure_memory (TareNetwork *self)
{
  g_autofree guint64 *parts = g_new0 (guint64, self->config->n_blocks + 1);
  double share = 1.0;
  gboolean tied = tare_model_lookup_role (self->model, "output", -1, FALSE) == NULL;
  guint64 most = 0;

  if (_tare_experts_measure (self->config) > self->expert_bytes)
    share = 1.0 / self->config->n_experts;

  for (gsize i = 0; i < tare_model_get_n_tensors (self->model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (self->model, i);
      double weights = (double) tare_tensor_get_n_weights (tensor)
                       * (tare_tensor_get_n_matrices (tensor) > 1 ? share : 1.0);
      guint64 bytes = (guint64) weights * sizeof (float);
      const char *role = tensor->role != NULL ? tensor->role->id : "";

      if (tensor->block >= 0 && (guint) tensor->block < self->config->n_blocks)
        parts[tensor->block] += bytes;
      else if (g_str_equal (role, tied ? "token_embd" : "output"))
        parts[self->config->n_blocks] += bytes;
    }
  for (guint i = 0; i <= self->config->n_blocks; i++)
    most = MAX (most, parts[i]);

  return most;
}

/* Whether so many blocks at a time, the weights and how they move, leave a quarter of @budget; 0
 * always does. */
gboolean
_tare_network_check_blocks (TareNetwork  *self,
                            guint64       budget,
                            guint         n_blocks,
                            GError      **error)
{
  g_autofree char *asked = NULL;
  g_autofree char *needed = NULL;
  guint64 least;

  if (budget > 0)
    self->expert_bytes = MIN (self->expert_bytes, (double) (budget / (4 * n_blocks)));
  least = n_blocks * tare_network_measure_memory (self) / 3 * 4;
  if (budget == 0 || budget >= least)
    return TRUE;

  asked = g_format_size (budget);
  needed = g_format_size (least);
  g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
               "%s: %s of memory do not hold one block at a time, %s are needed",
               tare_model_get_path (self->model), asked, needed);

  return FALSE;
}

/**
 * tare_network_check_memory:
 * @self: the network
 * @budget: bytes that somebody asked to get by with, or 0 if nobody did
 * @error: %TARE_ERROR_LIMIT, with what it takes at least
 *
 * Also keeps the experts of a block from taking more than a quarter of @budget together.
 *
 * Returns: whether the weights that are needed at a time leave a quarter of @budget for the rest
 */
gboolean
tare_network_check_memory (TareNetwork  *self,
                           guint64       budget,
                           GError      **error)
{
  return _tare_network_check_blocks (self, budget, 1, error);
}

/**
 * tare_network_set_expert_bytes:
 * @self: the network
 * @bytes: what the experts of a block may take together, in fp32
 *
 * Where they take more, they are loaded one at a time while a block runs. A gigabyte at first.
 */
void
tare_network_set_expert_bytes (TareNetwork *self,
                               guint64      bytes)
{
  g_return_if_fail (self != NULL);

  self->expert_bytes = (double) bytes;
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

/* The same number for the same rounding, 0 for none. */
static guint64
hash_rounding (const TareWeights *weights,
               const char        *name)
{
  TareActivationFormat rounding = weights->round (weights->data, name);

  if (rounding.format == NULL)
    return 0;

  return mix (tare_activation_format_hash (&rounding), g_str_hash (name));
}

/* What the activations of one part are rounded to; @hash where they are not. */
static guint64
mix_roundings (TareNetwork       *self,
               const TareWeights *weights,
               int                block,
               guint64            hash)
{
  static const char *const heads[] = { "query", "key", "value" };
  guint64 sum = 0;

  if (weights->round == NULL || block < 0)
    return hash;
  if (block == (int) self->config->n_blocks)
    sum = hash_rounding (weights, "output.input");

  for (gsize i = 0; i < G_N_ELEMENTS (heads) && block < (int) self->config->n_blocks; i++)
    {
      g_autofree char *name = g_strdup_printf ("blk.%d.attn.%s", block, heads[i]);

      sum += hash_rounding (weights, name);
    }
  for (gsize i = 0; i < tare_role_get_n_roles (); i++)
    {
      const TareRole *role = tare_role_get (i);
      g_autofree char *name = NULL;

      if (!role->matrix || !role->in_block || block >= (int) self->config->n_blocks
          || tare_model_lookup_role (self->model, role->id, block, FALSE) == NULL)
        continue;
      name = g_strdup_printf ("blk.%d.%s.input", block, role->id);
      sum += hash_rounding (weights, name);
    }

  return sum != 0 ? mix (hash, sum) : hash;
}

/**
 * tare_network_fingerprint:
 * @self: the network
 * @weights: where the values come from
 * @block: a block; -1 for the embedding, the number of blocks for the output
 *
 * Returns: the same number for the same values of all tensors of that part, and the same rounding
 *   of what goes through it
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
      gboolean positions = tensor->role != NULL && g_str_equal (tensor->role->id, "position_embd");
      gboolean output = FALSE;

      for (gsize j = 0; j < G_N_ELEMENTS (output_roles); j++)
        output |= tensor->role != NULL && g_str_equal (tensor->role->id, output_roles[j]);
      output |= embedding && tare_model_lookup_role (self->model, "output", -1, FALSE) == NULL;

      if (block == -1 ? embedding || positions
          : block == (int) self->config->n_blocks ? output : tensor->block == block)
        hash = mix (hash, weights->fingerprint (weights->data, tensor));
    }

  return mix_roundings (self, weights, block, hash);
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

/* Rows that are the file's are read alone; the table is made whole only where it was changed. */
static gboolean
look_up (TareNetwork        *self,
         const TareWeights  *weights,
         const TareTensor   *tensor,
         const guint32      *tokens,
         gsize               n_tokens,
         float              *x,
         GError            **error)
{
  gsize width = self->config->width;
  TareBuffer table = { NULL, 0 };
  gboolean ok = TRUE;

  if (weights->fingerprint (weights->data, tensor) != 0)
    {
      ok = _tare_buffer_reserve (&table, tensor->rows, width, tare_model_get_path (self->model),
                                 error)
           && weights->load (weights->data, tensor, table.data, weights->progress, error);
      for (gsize i = 0; ok && i < n_tokens; i++)
        memcpy (x + i * width, table.data + tokens[i] * width, width * sizeof *x);
      _tare_buffer_clear (&table);
      return ok;
    }

  for (gsize i = 0; ok && i < n_tokens; i++)
    ok = tare_tensor_read_rows (tensor, tokens[i], 1, x + i * width, error);

  return ok;
}

/* The learned row of every position, from 0 on in each sequence, or in each of its branches. */
static gboolean
add_positions (TareNetwork         *self,
               const TareWeights   *weights,
               gsize                n_tokens,
               gsize                length,
               const TareBranches  *branches,
               float               *x,
               GError             **error)
{
  const TareTensor *tensor = tare_model_lookup_role (self->model, "position_embd", -1, FALSE);
  gsize n_positions = branches != NULL ? branches->n_positions : MIN (length, n_tokens);
  gsize width = self->config->width;
  gsize offset = self->architecture->position_offset;
  TareBuffer table = { NULL, 0 };
  gboolean ok;

  if (tensor == NULL)
    return TRUE;
  if (n_positions + offset > tensor->rows)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: a sequence of %" G_GSIZE_FORMAT " tokens is longer than the %"
                   G_GSIZE_FORMAT " positions that the model knows",
                   tare_model_get_path (self->model), n_positions, tensor->rows - offset);
      return FALSE;
    }

  ok = _tare_buffer_reserve (&table, tensor->rows, width, tare_model_get_path (self->model), error)
       && weights->load (weights->data, tensor, table.data, weights->progress, error);
  if (ok)
#pragma omp parallel for schedule(static)
    for (gsize i = 0; i < n_tokens; i++)
      {
        gsize position = branches != NULL
                         ? tare_branches_get_position (branches, i / length, i % length)
                         : i % length;

        tare_kernel_add (table.data + (offset + position) * width, 1, width, x + i * width);
      }
  _tare_buffer_clear (&table);

  return ok;
}

/* Both ways to embed. */
static gboolean
embed (TareNetwork         *self,
       const TareWeights   *weights,
       const guint32       *tokens,
       gsize                n_tokens,
       gsize                length,
       const TareBranches  *branches,
       float               *x,
       GError             **error)
{
  const TareTensor *tensor = tare_model_lookup_role (self->model, "token_embd", -1, FALSE);
  gsize width = self->config->width;

  if (tensor == NULL || tensor->rows != self->config->vocabulary || tensor->columns != width)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: token_embd.weight is not %u x %" G_GSIZE_FORMAT,
                   tare_model_get_path (self->model), self->config->vocabulary, width);
      return FALSE;
    }
  if (!check_tokens (self, tokens, n_tokens, error)
      || !look_up (self, weights, tensor, tokens, n_tokens, x, error))
    return FALSE;

  if (self->architecture->scales_embedding)
    tare_kernel_scale (sqrtf ((float) width), n_tokens, width, x);

  return add_positions (self, weights, n_tokens, length, branches, x, error);
}

/**
 * tare_network_embed:
 * @self: the network
 * @weights: where the values come from
 * @tokens: what to look up, one sequence after the other
 * @n_tokens: how many in all
 * @length: tokens of a sequence, which are at positions from 0 on
 * @x: (out caller-allocates): n_tokens x width, the residual stream before the first block
 * @error: a token beyond the vocabulary, a sequence beyond the positions, memory, what @weights
 *   reports
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_embed (TareNetwork        *self,
                    const TareWeights  *weights,
                    const guint32      *tokens,
                    gsize               n_tokens,
                    gsize               length,
                    float              *x,
                    GError            **error)
{
  g_return_val_if_fail (length > 0 || n_tokens == 0, FALSE);

  return embed (self, weights, tokens, n_tokens, length, NULL, x, error);
}

/**
 * tare_network_embed_branches:
 * @self: the network
 * @weights: where the values come from
 * @tokens: n_sequences x length
 * @branches: which sequences, and where they part
 * @x: (out caller-allocates): n_sequences x length x width, the residual stream before the first
 *   block
 * @error: as tare_network_embed()
 *
 * Returns: %FALSE on error
 */
gboolean
tare_network_embed_branches (TareNetwork         *self,
                             const TareWeights   *weights,
                             const guint32       *tokens,
                             const TareBranches  *branches,
                             float               *x,
                             GError             **error)
{
  g_return_val_if_fail (self != NULL && branches != NULL && branches->length > 0, FALSE);

  return embed (self, weights, tokens, branches->n_sequences * branches->length, branches->length,
                branches, x, error);
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
       && tare_network_embed (self, weights, tokens, n_tokens, n_tokens, x.data, error);

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
