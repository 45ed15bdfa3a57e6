/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareInputs:
 * @x: n_tokens x columns
 * @n_tokens: how many tokens there were; for experts, those that are routed to the first, to the
 *   second and so on
 * @columns: inputs of the layer
 *
 * What enters a linear layer, token by token.
 */
typedef struct
{
  float *x;
  gsize  n_tokens;
  gsize  columns;
} TareInputs;

/**
 * TareInputReader:
 *
 * The beginning of a text on its way through a model, which can be looked at before any layer. It
 * keeps states between blocks, so that another layer takes less than the whole way. For any thread;
 * one waits for the other.
 */
typedef struct _TareInputReader TareInputReader;

TareInputReader *tare_input_reader_new       (TareModel           *model,
                                              const char          *text,
                                              gsize                length,
                                              guint                n_tokens,
                                              const char          *name,
                                              GError             **error);
TareInputReader *tare_input_reader_ref       (TareInputReader     *self);
void             tare_input_reader_unref     (TareInputReader     *self);
char           **tare_input_reader_dup_texts (TareInputReader     *self);
guint            tare_input_reader_get_n_kept (TareInputReader    *self);
TareInputs      *tare_input_reader_read      (TareInputReader     *self,
                                              const TareTensor    *tensor,
                                              const TareProgress  *progress,
                                              GError             **error);
void             tare_inputs_free            (TareInputs          *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareInputReader, tare_input_reader_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareInputs, tare_inputs_free)

G_END_DECLS
