/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareRole:
 * @id: the stem of the GGUF name, "attn_q"
 * @label: what a person reads, "attn_q" with its meaning in @description
 * @description: one translatable sentence
 * @in_block: whether every block has one, as blk.N.ID.weight
 * @matrix: whether it may be quantized
 * @short_label: two or three letters for the head of the format map's column, "Q"
 * @input: id of the role whose input it shares ("attn_q" for attn_k), itself otherwise, or %NULL
 *
 * One row of the role table: what a tensor does in a network. The order of the table is the order
 * in which data flows, and the order of the format map's columns.
 */
typedef struct
{
  const char *id;
  const char *label;
  const char *description;
  gboolean    in_block;
  gboolean    matrix;
  const char *short_label;
  const char *input;
} TareRole;

gsize           tare_role_get_n_roles    (void);
const TareRole *tare_role_get            (gsize        index);
const TareRole *tare_role_lookup         (const char  *id);
const TareRole *tare_role_from_canonical (const char  *canonical,
                                          int         *block,
                                          gboolean    *bias);

G_END_DECLS
