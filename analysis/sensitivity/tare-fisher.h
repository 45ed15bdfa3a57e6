/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/network/tare-gradient.h"

G_BEGIN_DECLS

/**
 * TareFisherForm:
 * @TARE_FISHER_TOKENS: the mean over tokens of (ȳx')², which one product makes of squares; terms
 *   between the tokens of a sequence are left out
 * @TARE_FISHER_SEQUENCES: the mean over sequences of the squares of each one's own gradient; NaN
 *   where sequences come in pieces, as the tokens of an expert do
 */
typedef enum
{
  TARE_FISHER_TOKENS,
  TARE_FISHER_SEQUENCES,
} TareFisherForm;

/**
 * TareFisherLayer:
 * @tensor: whose it is
 * @outputs: outputs, those of one expert after the other where there are several matrices
 * @columns: inputs
 * @output_squares: outputs: E[ȳ²], ȳ a token's loss's gradient by the layer's output
 * @output_trace: Σ of them: the trace of the activations' Fisher matrix
 * @tokens_trace: Σ of the diagonal by tokens
 * @sequences_trace: Σ of that by sequences; NaN where sequences come in pieces
 *
 * The empirical Fisher information of one matrix, in nats².
 */
typedef struct
{
  const TareTensor *tensor;
  gsize             outputs;
  gsize             columns;
  double           *output_squares;
  double            output_trace;
  double            tokens_trace;
  double            sequences_trace;
} TareFisherLayer;

/**
 * TareFisher:
 *
 * What one way forth and back tells of all linear layers. Immutable; safe in any thread.
 */
typedef struct _TareFisher TareFisher;

/**
 * TareFisherDiagonal:
 * @tensor: of which matrix
 * @form: which of the two
 * @values: (out caller-allocates): outputs x columns
 *
 * A diagonal in full, which is as large as the matrix.
 */
typedef struct
{
  const TareTensor *tensor;
  TareFisherForm    form;
  float            *values;
} TareFisherDiagonal;

TareFisher            *tare_fisher_measure  (TareModel                 *model,
                                             const TareObjective       *objective,
                                             const TareFisherDiagonal  *diagonal,
                                             guint64                    memory,
                                             const TareProgress        *progress,
                                             GError                   **error);
void                   tare_fisher_free     (TareFisher                *self);
gsize                  tare_fisher_n_layers (const TareFisher          *self);
const TareFisherLayer *tare_fisher_get      (const TareFisher          *self,
                                             gsize                      index);
const TareFisherLayer *tare_fisher_lookup   (const TareFisher          *self,
                                             const TareTensor          *tensor);
double                 tare_fisher_get_loss (const TareFisher          *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareFisher, tare_fisher_free)

G_END_DECLS
