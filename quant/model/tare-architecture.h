/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-role.h"

G_BEGIN_DECLS

/**
 * TareRotary:
 * @TARE_ROTARY_INTERLEAVED: pairs are neighbours, (0, 1), (2, 3), ...
 * @TARE_ROTARY_HALVES: pairs are half a head apart, (0, r/2), (1, r/2 + 1), ...
 *
 * Which elements of a head rotate together, in GGUF's row order.
 */
typedef enum
{
  TARE_ROTARY_INTERLEAVED,
  TARE_ROTARY_HALVES,
} TareRotary;

/**
 * TareTensorName:
 * @role: id of the role
 * @hugging_face: the name in a Hugging Face file, %d for the block
 *
 * Without the ".weight" or ".bias" at its end.
 */
typedef struct
{
  const char *role;
  const char *hugging_face;
} TareTensorName;

/**
 * TareArchitecture:
 * @id: GGUF's general.architecture and the prefix of its keys
 * @label: what a person reads
 * @classes: the "architectures" of config.json that it stands for, %NULL-terminated
 * @names: the tensors, ended by a %NULL role
 * @rotary: which elements rotate together
 * @interleaves_heads: whether GGUF interleaves the rotary halves of query and key rows
 * @attention_bias: whether query, key and value must have a bias
 * @head_norm: whether query and key are normalised within each head
 *
 * One row of the architecture table: how a block is put together and what its parts are called.
 */
typedef struct
{
  const char           *id;
  const char           *label;
  const char *const    *classes;
  const TareTensorName *names;
  TareRotary            rotary;
  gboolean              interleaves_heads;
  gboolean              attention_bias;
  gboolean              head_norm;
} TareArchitecture;

gsize                   tare_architecture_get_n_architectures (void);
const TareArchitecture *tare_architecture_get                 (gsize                   index);
const TareArchitecture *tare_architecture_lookup              (const char             *id);
const TareArchitecture *tare_architecture_lookup_class        (const char             *class_name);
char                   *tare_architecture_to_canonical        (const TareArchitecture *self,
                                                               const char             *name);
char                   *tare_architecture_to_hugging_face     (const TareArchitecture *self,
                                                               const char             *canonical);

G_END_DECLS
