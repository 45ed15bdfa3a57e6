/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Small random models of every architecture of the table, and what they compute in double. */
#pragma once

#include "quant/model/tare-model.h"
#include "quant/network/tare-gradient.h"

G_BEGIN_DECLS

/* The values of a model in double, by canonical name, free to be changed. */
typedef struct
{
  TareModel  *model;
  GHashTable *tensors;
} TinyNetwork;

TareModel   *tiny_model_new       (const TareArchitecture *architecture);
TinyNetwork *tiny_network_new     (TareModel              *model);
void         tiny_network_free    (TinyNetwork            *self);
double      *tiny_network_lookup  (TinyNetwork            *self,
                                   const char             *canonical);
double       tiny_network_loss    (TinyNetwork            *self,
                                   const TareObjective    *objective);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TinyNetwork, tiny_network_free)

G_END_DECLS
