/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-weights.h"
#include "quant/model/tare-model.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareCandidate:
 * @token: what may come next
 * @probability: how likely, of all tokens and at temperature 1
 */
typedef struct
{
  guint32 token;
  float   probability;
} TareCandidate;

/**
 * TareContinuationOptions:
 * @n_tokens: how many to add at most; the end token ends a text before
 * @n_candidates: how many of the likeliest to keep of every step
 * @temperature: 0: always the likeliest; else what the logits are divided by
 * @top_p: of the likeliest as many as have that much probability together are drawn from; 1 for
 *   all (A. Holtzman et al. 2020, nucleus sampling)
 * @seed: of the drawing
 * @budget: bytes that weights may take in memory; 0 for the default
 */
typedef struct
{
  guint   n_tokens;
  guint   n_candidates;
  double  temperature;
  double  top_p;
  guint32 seed;
  guint64 budget;
} TareContinuationOptions;

#define TARE_CONTINUATION_OPTIONS_DEFAULT \
  { .n_tokens = 64, .n_candidates = 10, .temperature = 0.0, .top_p = 1.0, .seed = 1 }

/**
 * TareContinuation:
 *
 * A text and what a model made of it. Immutable and safe in any thread; reference counted.
 */
typedef struct _TareContinuation TareContinuation;

TareContinuation    *tare_continuation_new             (TareModel                      *model,
                                                        const TareWeights              *weights,
                                                        const char                     *prompt,
                                                        gsize                           length,
                                                        const TareContinuationOptions  *options,
                                                        const TareProgress             *progress,
                                                        GError                        **error);
TareContinuation    *tare_continuation_ref             (TareContinuation               *self);
void                 tare_continuation_unref           (TareContinuation               *self);
gsize                tare_continuation_get_n_prompt    (const TareContinuation         *self);
gsize                tare_continuation_get_n_tokens    (const TareContinuation         *self);
const guint32       *tare_continuation_get_tokens      (const TareContinuation         *self);
double               tare_continuation_get_probability (const TareContinuation         *self,
                                                        gsize                           position);
const TareCandidate *tare_continuation_get_candidates  (const TareContinuation         *self,
                                                        gsize                           position,
                                                        gsize                          *n);
char                *tare_continuation_dup_text        (const TareContinuation         *self,
                                                        gsize                           position,
                                                        gsize                           n_tokens);
char                *tare_continuation_dup_written     (const TareContinuation         *self);
double               tare_continuation_get_seconds     (const TareContinuation         *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareContinuation, tare_continuation_unref)

/**
 * TareNextToken:
 * @token: what may come next
 * @text: its text, valid UTF-8
 * @base: its probability by the base
 * @other: its probability by the other
 */
typedef struct
{
  guint32  token;
  char    *text;
  float    base;
  float    other;
} TareNextToken;

/**
 * TareNextTokens:
 * @n: rows
 * @rows: the likeliest of each of the two and the one that was asked for, by the base's
 *   probability
 * @divergence: KL (base || other) of the whole distributions, in nats
 *
 * What may come next, by two sets of weights.
 */
typedef struct
{
  gsize          n;
  TareNextToken *rows;
  double         divergence;
} TareNextTokens;

TareNextTokens      *tare_next_tokens_new             (TareModel                      *model,
                                                       const TareWeights              *base,
                                                       const TareWeights              *other,
                                                       const guint32                  *tokens,
                                                       gsize                           n_tokens,
                                                       guint                           n_candidates,
                                                       guint32                         actual,
                                                       const TareProgress             *progress,
                                                       GError                        **error);
void                 tare_next_tokens_free            (TareNextTokens                 *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareNextTokens, tare_next_tokens_free)

G_END_DECLS
