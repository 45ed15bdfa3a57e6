/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-input-reader.h"

#include <string.h>

#include "analysis/calibration/tare-sequences.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"

/* States that are kept between blocks: those of 256 tokens in front of every block of a model of
 * 70 billion weights take 640 MiB, so that of such a one every third is kept. */
#define MOST_BYTES ((gsize) 256 << 20)

/* Tokens that go through the output at a time: their logits are as wide as the vocabulary. */
#define TOKENS_PER_OUTPUT 128

struct _TareInputReader
{
  gint           ref_count;
  GMutex         mutex;      /* over all below */
  TareNetwork   *network;
  TareSequences  sequences;  /* one */
  float        **states;     /* (nullable) each: n_tokens x width before every block, and at last */
  guint          n_blocks;
  guint          stride;     /* of the blocks before which states are kept */
};

/* What enters one layer, while it is seen. */
typedef struct
{
  const TareTensor *tensor;
  GArray           *x;
  gsize             columns;
} Capture;

/**
 * tare_inputs_free:
 * @self: (transfer full): inputs
 */
void
tare_inputs_free (TareInputs *self)
{
  g_free (self->x);
  g_free (self);
}

static gsize
get_state_size (TareInputReader *self)
{
  return (gsize) self->sequences.context * tare_network_get_config (self->network)->width;
}

/**
 * tare_input_reader_new:
 * @model: a model that can be run
 * @text: what to send through it, UTF-8
 * @length: bytes of @text
 * @n_tokens: how many tokens of it
 * @name: (nullable): what errors call the text
 * @error: no forward pass or tokenizer, or too short a text
 *
 * The first token is replaced by the begin token where the vocabulary adds one, as in calibration.
 *
 * Returns: (transfer full): a reader that has read nothing yet
 */
TareInputReader *
tare_input_reader_new (TareModel   *model,
                       const char  *text,
                       gsize        length,
                       guint        n_tokens,
                       const char  *name,
                       GError     **error)
{
  g_autoptr(TareInputReader) self = g_new0 (TareInputReader, 1);
  gsize bytes;

  g_return_val_if_fail (model != NULL && text != NULL && n_tokens > 0, NULL);

  self->ref_count = 1;
  g_mutex_init (&self->mutex);
  self->network = tare_network_new (model, error);
  if (self->network == NULL
      || !tare_sequences_init (&self->sequences, model, text, length, n_tokens, n_tokens, name,
                               error))
    return NULL;

  self->n_blocks = tare_network_get_config (self->network)->n_blocks;
  self->states = g_new0 (float *, self->n_blocks + 1);
  bytes = get_state_size (self) * sizeof (float) * (self->n_blocks + 1);
  self->stride = (guint) (bytes / MOST_BYTES) + 1;

  return g_steal_pointer (&self);
}

/**
 * tare_input_reader_ref:
 * @self: the reader
 *
 * Returns: (transfer full): @self
 */
TareInputReader *
tare_input_reader_ref (TareInputReader *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);

  return self;
}

/**
 * tare_input_reader_unref:
 * @self: (transfer full): the reader
 */
void
tare_input_reader_unref (TareInputReader *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  for (guint i = 0; self->states != NULL && i <= self->n_blocks; i++)
    g_free (self->states[i]);
  g_free (self->states);
  tare_sequences_clear (&self->sequences);
  g_clear_pointer (&self->network, tare_network_free);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

/**
 * tare_input_reader_dup_texts:
 * @self: the reader
 *
 * Returns: (transfer full): the text of each token, and then %NULL
 */
char **
tare_input_reader_dup_texts (TareInputReader *self)
{
  TareTokenizer *tokenizer;
  char **texts;

  g_return_val_if_fail (self != NULL, NULL);

  tokenizer = tare_model_get_tokenizer (tare_network_get_model (self->network), NULL);
  texts = g_new0 (char *, self->sequences.context + 1);
  for (guint i = 0; i < self->sequences.context; i++)
    texts[i] = tare_tokenizer_dup_text (tokenizer,
                                        &g_array_index (self->sequences.tokens, guint32, i), 1);

  return texts;
}

/**
 * tare_input_reader_get_n_kept:
 * @self: the reader
 *
 * Returns: before how many blocks, or at the end, it can begin without the blocks before that
 */
guint
tare_input_reader_get_n_kept (TareInputReader *self)
{
  guint n = 0;

  g_return_val_if_fail (self != NULL, 0);

  g_mutex_lock (&self->mutex);
  for (guint i = 0; i <= self->n_blocks; i++)
    n += self->states[i] != NULL;
  g_mutex_unlock (&self->mutex);

  return n;
}

static void
capture (const TareTensor *tensor,
         gsize             expert,
         const float      *x,
         const guint32    *tokens,
         gsize             n_tokens,
         gsize             columns,
         gpointer          data)
{
  Capture *seen = data;

  if (tensor != seen->tensor)
    return;

  seen->columns = columns;
  g_array_append_vals (seen->x, x, (guint) (n_tokens * columns));
}

/* The states before @block, or before one that comes earlier: the last that are kept. */
static gboolean
begin (TareInputReader  *self,
       const TareWeights *weights,
       guint            *block,
       float            *x,
       GError          **error)
{
  gsize n = get_state_size (self);

  while (*block > 0 && self->states[*block] == NULL)
    (*block)--;
  if (self->states[*block] == NULL
      && !tare_network_embed (self->network, weights,
                              (const guint32 *) self->sequences.tokens->data,
                              self->sequences.context, self->sequences.context, x, error))
    return FALSE;

  if (self->states[*block] != NULL)
    memcpy (x, self->states[*block], n * sizeof *x);
  else
    self->states[*block] = g_memdup2 (x, n * sizeof *x);

  return TRUE;
}

static gboolean
run_block (TareInputReader     *self,
           guint                index,
           float               *x,
           const TareObserver  *observer,
           const TareProgress  *progress,
           GError             **error)
{
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, progress);
  guint context = self->sequences.context;
  g_autoptr(TareBlock) block = tare_network_load_block (self->network, &weights, index, error);

  if (block == NULL
      || !tare_network_run_block (self->network, block, x, 1, context, observer, progress, error))
    return FALSE;

  if ((index + 1) % self->stride == 0 && self->states[index + 1] == NULL)
    self->states[index + 1] = g_memdup2 (x, get_state_size (self) * sizeof *x);

  return TRUE;
}

static gboolean
run_output (TareInputReader     *self,
            const float         *x,
            const TareObserver  *observer,
            const TareProgress  *progress,
            GError             **error)
{
  const TareConfig *config = tare_network_get_config (self->network);
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, progress);
  g_autofree float *logits = g_new (float, (gsize) TOKENS_PER_OUTPUT * config->vocabulary);
  g_autoptr(TareBlock) output = tare_network_load_output (self->network, &weights, error);

  if (output == NULL)
    return FALSE;

  for (guint i = 0; i < self->sequences.context; i += TOKENS_PER_OUTPUT)
    {
      guint n = MIN (TOKENS_PER_OUTPUT, self->sequences.context - i);

      if (!tare_progress_step (progress, (double) i / self->sequences.context, NULL, error)
          || !tare_network_run_output (self->network, output, x + (gsize) i * config->width, n,
                                       logits, observer, error))
        return FALSE;
    }

  return TRUE;
}

/* From the last states that are kept to the block at @last, or to the output behind all blocks. */
static gboolean
run_to (TareInputReader     *self,
        guint                last,
        const TareObserver  *observer,
        const TareProgress  *progress,
        GError             **error)
{
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, progress);
  g_autofree float *x = g_new (float, get_state_size (self));
  guint first = last;
  double parts;
  TareProgress part;

  if (!begin (self, &weights, &first, x, error))
    return FALSE;

  parts = last - first + 1.0;
  for (guint i = first; i < last; i++)
    {
      part = tare_progress_part (progress, (i - first) / parts, (i - first + 1) / parts);
      if (!run_block (self, i, x, NULL, &part, error))
        return FALSE;
    }

  part = tare_progress_part (progress, (last - first) / parts, 1.0);

  return last < self->n_blocks ? run_block (self, last, x, observer, &part, error)
                               : run_output (self, x, observer, &part, error);
}

/**
 * tare_input_reader_read:
 * @self: the reader
 * @tensor: a linear layer of its model
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: cancelled, or nothing enters the tensor
 *
 * Sends the text through the model in full precision, up to the layer. Layers that take one input,
 * as query, key and value do, have the same.
 *
 * Returns: (transfer full): what enters the layer
 */
TareInputs *
tare_input_reader_read (TareInputReader     *self,
                        const TareTensor    *tensor,
                        const TareProgress  *progress,
                        GError             **error)
{
  const TareTensor *owner;
  g_autoptr(GArray) x = g_array_new (FALSE, FALSE, sizeof (float));
  Capture seen = { .x = x };
  const TareObserver observer = { .observe = capture, .data = &seen };
  TareInputs *inputs;
  gboolean run;

  g_return_val_if_fail (self != NULL && tensor != NULL, NULL);

  owner = tare_model_lookup_input (tare_network_get_model (self->network), tensor);
  if (owner != NULL)
    {
      seen.tensor = owner;
      g_mutex_lock (&self->mutex);
      run = run_to (self, owner->block >= 0 ? (guint) owner->block : self->n_blocks, &observer,
                    progress, error);
      g_mutex_unlock (&self->mutex);
      if (!run)
        return NULL;
    }
  if (seen.columns == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED, "%s: not a linear layer, nothing "
                   "enters it", tensor->canonical);
      return NULL;
    }

  inputs = g_new0 (TareInputs, 1);
  inputs->columns = seen.columns;
  inputs->n_tokens = x->len / seen.columns;
  inputs->x = (float *) (gpointer) g_array_free (g_steal_pointer (&x), FALSE);

  return inputs;
}
