/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tokenizer.h"

G_BEGIN_DECLS

/**
 * TareTokenScore:
 * @token: the token that was to be predicted
 * @same_top: whether the likeliest token is the base's
 * @nll: negative log-likelihood of @token, in nats
 * @base_nll: of the base; @nll itself where there is no base to compare with
 * @divergence: KL (base || this) of the distributions, in nats
 *
 * One prediction.
 */
typedef struct
{
  guint32 token : 31;
  guint32 same_top : 1;
  float   nll;
  float   base_nll;
  float   divergence;
} TareTokenScore;

/**
 * TareTokenOrder:
 * @TARE_TOKEN_ORDER_DIVERGENCE: by KL divergence from the base
 * @TARE_TOKEN_ORDER_LOSS: by how much less likely the token became, nll - base_nll
 * @TARE_TOKEN_ORDER_GAIN: by how much likelier it became
 * @TARE_TOKEN_ORDER_NLL: by negative log-likelihood
 *
 * What comes first.
 */
typedef enum
{
  TARE_TOKEN_ORDER_DIVERGENCE,
  TARE_TOKEN_ORDER_LOSS,
  TARE_TOKEN_ORDER_GAIN,
  TARE_TOKEN_ORDER_NLL,
} TareTokenOrder;

/**
 * TareTokenScores:
 *
 * Every prediction of one measurement, in 16 bytes each, and the text about it. Immutable and safe
 * in any thread; reference counted.
 */
typedef struct _TareTokenScores TareTokenScores;

TareTokenScores      *tare_token_scores_new           (TareTokenizer         *tokenizer,
                                                       const guint32         *tokens,
                                                       const guint32         *inputs,
                                                       gsize                  n_chunks,
                                                       gsize                  context,
                                                       gsize                  first,
                                                       TareTokenScore        *scores);
TareTokenScores      *tare_token_scores_ref           (TareTokenScores       *self);
void                  tare_token_scores_unref         (TareTokenScores       *self);
gsize                 tare_token_scores_get_n         (const TareTokenScores *self);
const TareTokenScore *tare_token_scores_get           (const TareTokenScores *self,
                                                       gsize                  index);
gsize                 tare_token_scores_get_n_tokens  (const TareTokenScores *self);
const guint32        *tare_token_scores_get_prefix    (const TareTokenScores *self,
                                                       gsize                  index,
                                                       gsize                 *n_tokens);
gsize                 tare_token_scores_get_position  (const TareTokenScores *self,
                                                       gsize                  index);
gboolean              tare_token_scores_find          (const TareTokenScores *self,
                                                       gsize                  position,
                                                       gsize                 *index);
char                 *tare_token_scores_dup_text      (const TareTokenScores *self,
                                                       gsize                  position,
                                                       gsize                  n_tokens);
gsize                *tare_token_scores_sort          (const TareTokenScores *self,
                                                       TareTokenOrder         order,
                                                       gsize                  begin,
                                                       gsize                  end,
                                                       gsize                 *n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTokenScores, tare_token_scores_unref)

G_END_DECLS
