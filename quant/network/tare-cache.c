/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-cache.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-network-private.h"
#include "quant/tare-error.h"

/* Keys and values of one block: capacity x n_key_value_heads x head_width each. Where the last of
 * them are seen as they are and older ones rounded, both are there. */
typedef struct
{
  float *keys;
  float *values;
  float *old_keys;
  float *old_values;
} Store;

struct _TareCache
{
  TareNetwork       *network;
  const TareWeights *weights;
  gsize              capacity;
  gsize              length;
  guint32           *tokens;
  Store             *stores;
  TareBlock        **blocks;
  TareBlock         *output;
  gboolean           keeps;
  gboolean           learns;
  float             *scores;
};

static gsize
store_width (const TareCache *self)
{
  const TareConfig *config = self->network->config;

  return (gsize) config->n_key_value_heads * config->head_width;
}

/* Whether all weights in fp32 fit into the budget, so that each is loaded once. */
static gboolean
fits (TareNetwork *network,
      guint64      budget)
{
  guint64 n = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (network->model); i++)
    n += tare_tensor_get_n_weights (tare_model_get_tensor (network->model, i));

  return n < budget / sizeof (float);
}

/**
 * tare_cache_new:
 * @network: of a model; it must outlive the cache
 * @weights: where the values come from; they must outlive it too
 * @capacity: tokens that the sequence may have
 * @budget: bytes that weights may take; where that is too little for all of them they are loaded
 *   anew for every tare_cache_append()
 * @error: memory
 *
 * Returns: (transfer full): an empty sequence, or %NULL on error
 */
TareCache *
tare_cache_new (TareNetwork        *network,
                const TareWeights  *weights,
                gsize               capacity,
                guint64             budget,
                GError            **error)
{
  g_autoptr(TareCache) self = g_new0 (TareCache, 1);
  const char *path = tare_model_get_path (network->model);
  guint n_blocks = network->config->n_blocks;

  self->network = network;
  self->weights = weights;
  self->capacity = MAX (capacity, 1);
  self->keeps = fits (network, budget);
  self->learns = tare_model_lookup_role (network->model, "position_embd", -1, FALSE) != NULL;
  self->tokens = g_new (guint32, self->capacity);
  self->stores = g_new0 (Store, n_blocks);
  self->blocks = g_new0 (TareBlock *, n_blocks);

  for (guint i = 0; i < n_blocks; i++)
    {
      self->stores[i].keys = _tare_floats_new (self->capacity, store_width (self), path, error);
      if (self->stores[i].keys == NULL)
        return NULL;
      self->stores[i].values = _tare_floats_new (self->capacity, store_width (self), path, error);
      if (self->stores[i].values == NULL)
        return NULL;
    }
  self->scores = _tare_floats_new (self->capacity, network->config->n_heads, path, error);
  if (self->scores == NULL)
    return NULL;

  return g_steal_pointer (&self);
}

/**
 * tare_cache_free:
 * @self: (nullable): the cache
 */
void
tare_cache_free (TareCache *self)
{
  if (self == NULL)
    return;

  for (guint i = 0; i < self->network->config->n_blocks; i++)
    {
      free (self->stores[i].keys);
      free (self->stores[i].values);
      free (self->stores[i].old_keys);
      free (self->stores[i].old_values);
      tare_block_free (self->blocks[i]);
    }
  tare_block_free (self->output);
  g_free (self->stores);
  g_free (self->blocks);
  g_free (self->tokens);
  free (self->scores);
  g_free (self);
}

/**
 * tare_cache_get_length:
 * @self: the cache
 *
 * Returns: tokens of the sequence so far
 */
gsize
tare_cache_get_length (const TareCache *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->length;
}

/**
 * tare_cache_truncate:
 * @self: the cache
 * @length: how many of its first tokens stay, all of them where that is more
 */
void
tare_cache_truncate (TareCache *self,
                     gsize      length)
{
  g_return_if_fail (self != NULL);

  self->length = MIN (self->length, length);
}

/* Keys and values of the new tokens, from what they were made as. */
static void
keep_tokens (TareCache                *self,
             const TareAttentionShape *shape,
             const float              *qkv,
             float                    *keys,
             float                    *values)
{
  gsize width = store_width (self);
  gsize queries = shape->n_heads * shape->head_width;

  for (gsize i = 0; i < shape->length; i++)
    {
      const float *row = qkv + i * (queries + 2 * width) + queries;

      memcpy (keys + (self->length + i) * width, row, width * sizeof *row);
      memcpy (values + (self->length + i) * width, row + width, width * sizeof *row);
    }
}

/* Room for older tokens, once it is known that they differ. */
static gboolean
reserve_old (TareCache  *self,
             Store      *store,
             GError    **error)
{
  const char *path = tare_model_get_path (self->network->model);

  if (store->old_keys == NULL)
    store->old_keys = _tare_floats_new (self->capacity, store_width (self), path, error);
  if (store->old_keys != NULL && store->old_values == NULL)
    store->old_values = _tare_floats_new (self->capacity, store_width (self), path, error);

  return store->old_values != NULL;
}

/* What a query at @position sees of a token, of which there is one for the last of them and one
 * for the others. */
static const float *
choose (const float *recent,
        const float *old,
        gsize        window,
        gsize        position,
        gsize        token)
{
  return window > 0 && position - token >= window ? old : recent;
}

/* One head of the query at @position over all that it sees. */
static void
attend_head (TareCache                *self,
             const Store              *store,
             const TareAttentionShape *shape,
             const TareAttentionPast  *past,
             const float              *query,
             gsize                     head,
             gsize                     position,
             float                     scale,
             float                    *y)
{
  gsize width = store_width (self);
  gsize n = shape->head_width;
  gsize offset = head / (shape->n_heads / shape->n_key_value_heads) * n;
  gsize first = shape->window > 0 && position + 1 > shape->window ? position + 1 - shape->window
                                                                  : 0;
  gsize key_window = past != NULL ? past->key_window : 0;
  gsize value_window = past != NULL ? past->value_window : 0;
  float *scores = self->scores + head * self->capacity;
  float highest = -INFINITY;
  double sum = 0.0;

  for (gsize j = first; j <= position; j++)
    {
      const float *key = choose (store->keys, store->old_keys, key_window, position, j)
                         + j * width + offset;
      float score = 0.0f;

#pragma omp simd reduction(+ : score)
      for (gsize k = 0; k < n; k++)
        score += query[k] * key[k];
      score *= scale;
      if (shape->soft_cap > 0.0f)
        score = shape->soft_cap * tanhf (score / shape->soft_cap);
      scores[j] = score;
      highest = MAX (highest, score);
    }

  memset (y, 0, n * sizeof *y);
  for (gsize j = first; j <= position; j++)
    {
      const float *value = choose (store->values, store->old_values, value_window, position, j)
                           + j * width + offset;
      float weight = expf (scores[j] - highest);

      sum += (double) weight;
#pragma omp simd
      for (gsize k = 0; k < n; k++)
        y[k] += weight * value[k];
    }
  for (gsize k = 0; k < n; k++)
    y[k] = (float) ((double) y[k] / sum);
}

/**
 * _tare_cache_attend:
 * @self: the cache
 * @block: which block
 * @shape: one sequence of the new tokens
 * @qkv: their queries, keys and values
 * @past: (nullable): their keys and values as they are seen once they are older
 * @scale: of the scores
 * @y: (out caller-allocates): length x n_heads x head_width
 * @error: memory
 *
 * Attention of the new tokens to those before and to themselves. The keys and values stay.
 *
 * Returns: %FALSE on error
 */
gboolean
_tare_cache_attend (TareCache                *self,
                    guint                     block,
                    const TareAttentionShape *shape,
                    const float              *qkv,
                    const TareAttentionPast  *past,
                    float                     scale,
                    float                    *y,
                    GError                  **error)
{
  gsize queries = shape->n_heads * shape->head_width;
  gsize stride = queries + 2 * store_width (self);
  Store *store = &self->stores[block];

  if (past != NULL && !reserve_old (self, store, error))
    return FALSE;
  keep_tokens (self, shape, qkv, store->keys, store->values);
  if (past != NULL)
    keep_tokens (self, shape, past->qkv, store->old_keys, store->old_values);

#pragma omp parallel for schedule(static)
  for (gsize head = 0; head < shape->n_heads; head++)
    for (gsize i = 0; i < shape->length; i++)
      attend_head (self, store, shape, past, qkv + i * stride + head * shape->head_width, head,
                   self->length + i, scale, y + i * queries + head * shape->head_width);

  return TRUE;
}

/* The block to run: the one that is kept, or one that is let go after. */
static TareBlock *
get_block (TareCache           *self,
           guint                index,
           const TareProgress  *progress,
           GError             **error)
{
  const TareWeights weights = tare_weights_with_progress (self->weights, progress);
  gboolean output = index == self->network->config->n_blocks;
  TareBlock **kept = output ? &self->output : &self->blocks[index];

  if (*kept == NULL)
    *kept = output ? tare_network_load_output (self->network, &weights, error)
                   : tare_network_load_block (self->network, &weights, index, error);

  return *kept;
}

static void
let_go (TareCache *self,
        guint      index)
{
  gboolean output = index == self->network->config->n_blocks;

  if (!self->keeps)
    g_clear_pointer (output ? &self->output : &self->blocks[index], tare_block_free);
}

/* The residual stream of the new tokens; learned positions want those before too. */
static gboolean
embed (TareCache  *self,
       gsize       n_tokens,
       TareBuffer *x,
       GError    **error)
{
  gsize width = self->network->config->width;
  gsize before = self->learns ? self->length : 0;
  gsize n = before + n_tokens;

  if (!_tare_buffer_reserve (x, n, width, tare_model_get_path (self->network->model), error)
      || !tare_network_embed (self->network, self->weights, self->tokens + self->length - before,
                              n, n, x->data, error))
    return FALSE;
  memmove (x->data, x->data + before * width, n_tokens * width * sizeof *x->data);

  return TRUE;
}

static gboolean
run_blocks (TareCache           *self,
            gsize                n_tokens,
            float               *x,
            float               *logits,
            const TareProgress  *progress,
            GError             **error)
{
  TareNetwork *network = self->network;
  guint n_blocks = network->config->n_blocks;
  gboolean ok = TRUE;

  for (guint i = 0; ok && i <= n_blocks; i++)
    {
      TareProgress part = tare_progress_part (progress, i / (n_blocks + 1.0),
                                              (i + 1) / (n_blocks + 1.0));
      const TareBlock *block = get_block (self, i, &part, error);

      ok = block != NULL && tare_progress_step (&part, 0.0, NULL, error);
      if (ok && i < n_blocks)
        ok = tare_network_run_block (network, block, x, 1, n_tokens, NULL, &part, error);
      else if (ok)
        ok = tare_network_run_output (network, block, x + (n_tokens - 1) * network->config->width,
                                      1, logits, NULL, error);
      let_go (self, i);
    }

  return ok;
}

/**
 * tare_cache_append:
 * @self: the cache
 * @tokens: what follows
 * @n_tokens: how many, at least 1
 * @logits: (out caller-allocates): vocabulary, of what comes after the last of them
 * @progress: (nullable): the progress
 * @error: cancelled, more tokens than there is room for, what embedding, loading and running
 *   report; the sequence is then what it was
 *
 * Returns: %FALSE on error
 */
gboolean
tare_cache_append (TareCache           *self,
                   const guint32       *tokens,
                   gsize                n_tokens,
                   float               *logits,
                   const TareProgress  *progress,
                   GError             **error)
{
  TareBuffer x = { NULL, 0 };
  gboolean ok;

  g_return_val_if_fail (self != NULL && n_tokens > 0, FALSE);

  if (n_tokens > self->capacity - self->length)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: %" G_GSIZE_FORMAT " tokens do not fit behind %" G_GSIZE_FORMAT " of %"
                   G_GSIZE_FORMAT, tare_model_get_path (self->network->model), n_tokens,
                   self->length, self->capacity);
      return FALSE;
    }

  memcpy (self->tokens + self->length, tokens, n_tokens * sizeof *tokens);
  self->network->cache = self;
  ok = embed (self, n_tokens, &x, error)
       && run_blocks (self, n_tokens, x.data, logits, progress, error);
  self->network->cache = NULL;
  _tare_buffer_clear (&x);
  if (ok)
    self->length += n_tokens;

  return ok;
}
