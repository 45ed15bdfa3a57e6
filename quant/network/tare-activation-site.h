/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-format.h"
#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareSiteKind:
 * @TARE_SITE_KIND_INPUT: what enters a linear layer, and those that share its input
 * @TARE_SITE_KIND_QUERY: the queries that attention sees
 * @TARE_SITE_KIND_KEY: the keys that attention sees, which a cache keeps
 * @TARE_SITE_KIND_VALUE: the values that attention sees, which a cache keeps
 */
typedef enum
{
  TARE_SITE_KIND_INPUT,
  TARE_SITE_KIND_QUERY,
  TARE_SITE_KIND_KEY,
  TARE_SITE_KIND_VALUE,
} TareSiteKind;

/**
 * TareActivationSite:
 * @name: what rules of a recipe match, "blk.3.attn_q.input", "blk.3.attn.key", "output.input"
 * @kind: what it is
 * @block: which block, -1 for none
 * @role: (nullable): of inputs, the layer that it is named after
 * @rows: rows of one token, 1 for inputs, heads for the others
 * @columns: numbers of a row; a scale reaches no further
 *
 * Numbers that a forward pass can round before they are used.
 */
typedef struct
{
  char           *name;
  TareSiteKind    kind;
  int             block;
  const TareRole *role;
  gsize           rows;
  gsize           columns;
} TareActivationSite;

GPtrArray *tare_activation_site_list      (TareModel                 *model);
const TareTensor *
           tare_activation_site_find_leader (TareModel               *model,
                                           const TareTensor          *tensor);
char      *tare_activation_site_dup_input_name (const TareTensor     *tensor);
gboolean   tare_activation_site_accepts   (const TareActivationSite  *self,
                                           const TareFormat          *format);
gboolean   tare_activation_site_is_cached (const TareActivationSite  *self);
gsize      tare_activation_site_get_bytes (const TareActivationSite  *self,
                                           const TareFormat          *format);

G_END_DECLS
