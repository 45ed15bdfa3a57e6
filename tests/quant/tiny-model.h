/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Small random models of every architecture of the table, and of the variants that it has rows
 * for, and what they compute in double. */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/network/tare-gradient.h"

G_BEGIN_DECLS

/* A variant: the id of its architecture, whether it has experts although the architecture need
 * not, whether their shares add up to 1 and both parts start from one stream where usually they do
 * not or the other way round, the optional parts that it has and one that it has not, and how many
 * keys there are, 0 for any. */
typedef struct
{
  const char *name;
  const char *architecture;
  gboolean    experts;
  gboolean    other_shares;
  gboolean    other_parallel;
  const char *with;
  const char *without;
  guint       n_keys;
} TinyKind;

/* The values of a model in double, by canonical name, free to be changed. Which experts tokens go
 * to and on which side of a kink they are is found by the first loss, and stays. */
typedef struct
{
  TareModel  *model;
  GHashTable *tensors;
  GByteArray *choices;
  gsize       n_chosen;
  gboolean    chosen;
} TinyNetwork;

gsize           tiny_kind_get_n_kinds (void);
const TinyKind *tiny_kind_get         (gsize       index);
const TinyKind *tiny_kind_lookup      (const char *name);

TareModel   *tiny_model_new       (const TinyKind         *kind);
TinyNetwork *tiny_network_new     (TareModel              *model);
void         tiny_network_free    (TinyNetwork            *self);
double      *tiny_network_lookup  (TinyNetwork            *self,
                                   const char             *canonical);
double       tiny_network_loss    (TinyNetwork            *self,
                                   const TareObjective    *objective);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TinyNetwork, tiny_network_free)

G_END_DECLS
