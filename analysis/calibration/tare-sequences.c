/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/calibration/tare-sequences.h"

#include "quant/tare-error.h"

/* llama-imatrix's. */
#define DEFAULT_CONTEXT 512

/**
 * tare_sequences_init:
 * @self: (out caller-allocates): the sequences
 * @model: a model with a tokenizer
 * @text: UTF-8
 * @length: bytes of @text
 * @context: tokens of one sequence; 0 for the smaller of 512 and the model's own
 * @maximum_tokens: how much of the text to use at most; 0 for all of it
 * @name: (nullable): what errors call the text
 * @error: no tokenizer, or not one whole sequence
 *
 * Cuts a text into whole sequences, the first token of each replaced by the begin token where the
 * vocabulary adds one: what llama-imatrix does.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_sequences_init (TareSequences  *self,
                     TareModel      *model,
                     const char     *text,
                     gsize           length,
                     guint           context,
                     gsize           maximum_tokens,
                     const char     *name,
                     GError        **error)
{
  TareTokenizer *tokenizer = tare_model_get_tokenizer (model, error);
  guint32 begin;

  *self = (TareSequences) { NULL, 0, 0 };
  if (tokenizer == NULL)
    return FALSE;

  self->context = context > 0 ? context
                              : MIN (DEFAULT_CONTEXT,
                                     MAX (tare_model_get_config (model)->context, 1));
  self->tokens = tare_tokenizer_encode (tokenizer, text, length, TARE_TOKEN_FLAGS_ADD_SPECIAL);
  self->n_sequences = self->tokens->len / self->context;
  if (maximum_tokens > 0)
    self->n_sequences = MIN (self->n_sequences, MAX (maximum_tokens / self->context, 1));

  if (self->n_sequences == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: %u tokens are too few to calibrate with, one sequence has %u",
                   name != NULL ? name : "text", self->tokens->len, self->context);
      return FALSE;
    }

  if (tare_tokenizer_adds_begin (tokenizer) && tare_tokenizer_get_begin (tokenizer, &begin))
    {
      for (gsize i = 0; i < self->n_sequences; i++)
        g_array_index (self->tokens, guint32, i * self->context) = begin;
    }

  return TRUE;
}

/**
 * tare_sequences_clear:
 * @self: sequences
 */
void
tare_sequences_clear (TareSequences *self)
{
  g_clear_pointer (&self->tokens, g_array_unref);
}

/**
 * tare_sequences_get_n_tokens:
 * @self: sequences
 *
 * Returns: tokens of all of them
 */
gsize
tare_sequences_get_n_tokens (const TareSequences *self)
{
  return self->n_sequences * self->context;
}
