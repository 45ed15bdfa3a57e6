/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-calibrator.h"

#include <string.h>
#include <unistd.h>

#include "analysis/calibration/tare-collector.h"
#include "quant/network/tare-network.h"
#include "quant/tare-error.h"

/* llama-imatrix's. */
#define DEFAULT_CONTEXT 512

/* 256 MB of floats for one gram; wider inputs are those of ffn_down in models above 3 billion. */
#define DEFAULT_GRAM_COLUMNS 8192

/* Tokens that go through a block at a time. */
#define TOKENS_PER_RUN 2048

/* Tokens that go through the output at a time: their logits are as wide as the vocabulary. */
#define TOKENS_PER_OUTPUT 128

/* The text as the network sees it. */
typedef struct
{
  GArray *tokens;
  guint   context;
  gsize   n_sequences;
} Text;

static void
text_clear (Text *text)
{
  g_clear_pointer (&text->tokens, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Text, text_clear)

/* Whole sequences, the first token of each replaced by the begin token where the vocabulary adds
 * one: what llama-imatrix does. */
static gboolean
text_init (Text                         *self,
           TareModel                    *model,
           const TareConfig             *config,
           const char                   *text,
           gsize                         length,
           const TareCalibratorOptions  *options,
           GError                      **error)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, error);
  guint32 begin;

  if (tokenizer == NULL)
    return FALSE;

  self->context = options->context > 0 ? options->context
                                       : MIN (DEFAULT_CONTEXT, MAX (config->context, 1));
  self->tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  self->n_sequences = self->tokens->len / self->context;
  if (options->maximum_tokens > 0)
    self->n_sequences = MIN (self->n_sequences,
                             MAX (options->maximum_tokens / self->context, 1));

  if (self->n_sequences == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %u tokens are too few to calibrate with, one sequence has %u",
                   options->dataset != NULL ? options->dataset : "text", self->tokens->len,
                   self->context);
      return FALSE;
    }

  if (tare_tokenizer_adds_begin (tokenizer) && tare_tokenizer_get_begin (tokenizer, &begin))
    {
      for (gsize i = 0; i < self->n_sequences; i++)
        g_array_index (self->tokens, guint32, i * self->context) = begin;
    }

  return TRUE;
}

static gsize
text_get_n_tokens (const Text *self)
{
  return self->n_sequences * self->context;
}

/* Whether the observer is told of this tensor, not of another that takes the same input. */
static gboolean
owns_input (TareModel        *model,
            const TareTensor *tensor)
{
  const TareRole *role = tensor->role;

  return role != NULL && role->matrix && !tensor->bias && role->input != NULL
         && (strcmp (role->input, role->id) == 0
             || tare_model_lookup_role (model, role->input, tensor->block, FALSE) == NULL);
}

/* The widest input, up to @limit, at which all grams take no more than half of the memory. */
static gsize
choose_gram_columns (TareModel *model,
                     gsize      limit)
{
  long pages = sysconf (_SC_PHYS_PAGES);
  long page_size = sysconf (_SC_PAGESIZE);
  double budget = pages > 0 && page_size > 0 ? 0.5 * (double) pages * (double) page_size : 1e9;

  for (;;)
    {
      double total = 0.0;
      gsize widest = 0;

      for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
        {
          const TareTensor *tensor = tare_model_get_tensor (model, i);

          if (!owns_input (model, tensor) || tensor->columns > limit)
            continue;
          total += (double) tensor->columns * (double) tensor->columns * sizeof (float);
          widest = MAX (widest, tensor->columns);
        }

      if (total <= budget)
        return limit;
      limit = widest - 1;
    }
}

/* Names the layers that take the input of another. */
static void
share_inputs (TareModel       *model,
              TareCalibration *calibration)
{
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *owner;
      const TareLayerActivations *activations;

      if (tensor->role == NULL || tensor->role->input == NULL || tensor->bias
          || tare_calibration_lookup (calibration, tensor->canonical) != NULL)
        continue;

      owner = tare_model_lookup_role (model, tensor->role->input, tensor->block, FALSE);
      if (owner == NULL || owner == tensor)
        continue;

      activations = tare_calibration_lookup (calibration, owner->canonical);
      if (activations != NULL && activations->columns == tensor->columns)
        tare_calibration_share (calibration, tensor->canonical, owner->canonical);
    }
}

static gboolean
run_block (TareNetwork         *network,
           guint                index,
           const Text          *text,
           float               *x,
           TareCollector       *collector,
           const TareProgress  *progress,
           GError             **error)
{
  const TareObserver observer = { tare_collector_observe, collector };
  gsize width = tare_network_get_config (network)->width;
  gsize group = MAX (TOKENS_PER_RUN / text->context, 1);
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, index,
                                                        error);

  if (block == NULL)
    return FALSE;

  for (gsize i = 0; i < text->n_sequences; i += group)
    {
      gsize n = MIN (group, text->n_sequences - i);
      TareProgress part = tare_progress_part (progress,
                                              (double) i / (double) text->n_sequences,
                                              (double) (i + n) / (double) text->n_sequences);

      if (!tare_network_run_block (network, block, x + i * text->context * width, n,
                                   text->context, &observer, &part, error))
        return FALSE;
    }

  return tare_collector_finish (collector, error);
}

static gboolean
run_output (TareNetwork         *network,
            const Text          *text,
            const float         *x,
            TareCollector       *collector,
            const TareProgress  *progress,
            GError             **error)
{
  const TareObserver observer = { tare_collector_observe, collector };
  const TareConfig *config = tare_network_get_config (network);
  gsize n_tokens = text_get_n_tokens (text);
  g_autofree float *logits = g_new (float, (gsize) TOKENS_PER_OUTPUT * config->vocabulary);
  g_autoptr(TareBlock) output = tare_network_load_output (network, &tare_weights_of_file, error);

  if (output == NULL)
    return FALSE;

  for (gsize i = 0; i < n_tokens; i += TOKENS_PER_OUTPUT)
    {
      if (!tare_progress_step (progress, (double) i / (double) n_tokens, NULL, error)
          || !tare_network_run_output (network, output, x + i * config->width,
                                       MIN ((gsize) TOKENS_PER_OUTPUT, n_tokens - i), logits,
                                       &observer, error))
        return FALSE;
    }

  return tare_collector_finish (collector, error);
}

static gboolean
run_network (TareNetwork         *network,
             const Text          *text,
             TareCollector       *collector,
             const TareProgress  *progress,
             GError             **error)
{
  const TareConfig *config = tare_network_get_config (network);
  gsize n_tokens = text_get_n_tokens (text);
  g_autofree float *x = g_try_new (float, n_tokens * config->width);
  double parts = config->n_blocks + 1.0;
  TareProgress part;

  if (x == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_LIMIT,
                   "%s: no memory for the states of %" G_GSIZE_FORMAT " tokens",
                   tare_model_get_path (tare_network_get_model (network)), n_tokens);
      return FALSE;
    }

  if (!tare_network_embed (network, &tare_weights_of_file, (const guint32 *) text->tokens->data,
                           n_tokens, text->context, x, error))
    return FALSE;

  for (guint i = 0; i < config->n_blocks; i++)
    {
      part = tare_progress_part (progress, i / parts, (i + 1) / parts);
      if (!run_block (network, i, text, x, collector, &part, error))
        return FALSE;
    }

  part = tare_progress_part (progress, config->n_blocks / parts, 1.0);

  return run_output (network, text, x, collector, &part, error)
         && tare_progress_step (progress, 1.0, NULL, error);
}

/**
 * tare_calibrator_run:
 * @model: a model that can be run
 * @text: what to send through it, UTF-8
 * @length: bytes of @text
 * @options: (nullable): how, %NULL for the defaults
 * @progress: (nullable): told of every block and asked whether to go on
 * @error: return location for an error
 *
 * Sends a text through a model in full precision and adds up what enters every linear layer: Σx²
 * and the largest |x| of each column and, where the input is no wider than
 * @maximum_gram_columns, Σxx'. The text is cut into sequences of @context tokens, whose tail is
 * dropped; the first token of each is replaced by the begin token where the vocabulary adds one;
 * every position counts. These are llama-imatrix's conventions, so the importances are its own,
 * except that the output layer has one too.
 *
 * One block is held at a time, beside the states of all tokens between two blocks. Sums are in
 * binary64; Σxx' is multiplied in binary32 over at most 512 tokens and added up in binary64. Where
 * all Σxx' would take more than half of the machine's memory, the widest are left out.
 *
 * Returns: (transfer full): the calibration, or %NULL with @error set
 */
TareCalibration *
tare_calibrator_run (TareModel                    *model,
                     const char                   *text,
                     gsize                         length,
                     const TareCalibratorOptions  *options,
                     const TareProgress           *progress,
                     GError                      **error)
{
  const TareCalibratorOptions defaults = { 0 };
  g_autoptr(TareNetwork) network = NULL;
  g_autoptr(TareCalibration) calibration = NULL;
  g_autoptr(TareCollector) collector = NULL;
  g_auto(Text) input = { 0 };
  gsize gram_columns;

  g_return_val_if_fail (model != NULL && text != NULL, NULL);

  if (options == NULL)
    options = &defaults;

  network = tare_network_new (model, error);
  if (network == NULL
      || !text_init (&input, model, tare_network_get_config (network), text, length, options,
                     error))
    return NULL;

  gram_columns = options->maximum_gram_columns > 0 ? options->maximum_gram_columns
                                                   : DEFAULT_GRAM_COLUMNS;
  calibration = tare_calibration_new (options->dataset, input.context);
  collector = tare_collector_new (calibration, choose_gram_columns (model, gram_columns),
                                  progress);
  if (!run_network (network, &input, collector, progress, error))
    return NULL;

  share_inputs (model, calibration);

  return g_steal_pointer (&calibration);
}
