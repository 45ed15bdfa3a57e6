/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-role.h"

#include <string.h>

#include "quant/model/tare-role-private.h"

#define N_(text) (text)

/* The longest block number that is read, well below what overflows. */
#define MAX_BLOCK_DIGITS 6

static const TareRole roles[] = {
  { "token_embd", "token_embd", N_("Embedding: one row for every token of the vocabulary"),
    FALSE, TRUE, "Em", NULL },
  { "position_embd", "position_embd", N_("Positions: one row for every place in the context"),
    FALSE, FALSE, "Po", NULL },
  { "attn_norm", "attn_norm", N_("Norm before attention"), TRUE, FALSE, "AN", NULL },
  { "attn_norm_2", "attn_norm_2", N_("Norm before attention, where the other has another"),
    TRUE, FALSE, "AN2", NULL },
  { "attn_qkv", "attn_qkv", N_("Query, key and value in one matrix"),
    TRUE, TRUE, "QKV", "attn_qkv" },
  { "attn_q", "attn_q", N_("Query: what a position looks for"), TRUE, TRUE, "Q", "attn_q" },
  { "attn_k", "attn_k", N_("Key: what a position can be found by"), TRUE, TRUE, "K", "attn_q" },
  { "attn_v", "attn_v", N_("Value: what a position hands on when it is found"),
    TRUE, TRUE, "V", "attn_q" },
  { "attn_q_norm", "attn_q_norm", N_("Norm of the query within each head"),
    TRUE, FALSE, "QN", NULL },
  { "attn_k_norm", "attn_k_norm", N_("Norm of the key within each head"),
    TRUE, FALSE, "KN", NULL },
  { "attn_output", "attn_output", N_("Attention output: the heads back into the stream"),
    TRUE, TRUE, "O", "attn_output" },
  { "post_attention_norm", "post_attention_norm", N_("Norm of what attention hands back"),
    TRUE, FALSE, "PAN", NULL },
  { "ffn_norm", "ffn_norm", N_("Norm before the feed-forward part"), TRUE, FALSE, "FN", NULL },
  { "ffn_gate", "ffn_gate", N_("Gate: what the feed-forward part lets through"),
    TRUE, TRUE, "G", "ffn_gate" },
  { "ffn_up", "ffn_up", N_("Up: into the inner width of the feed-forward part"),
    TRUE, TRUE, "U", "ffn_gate" },
  { "ffn_down", "ffn_down", N_("Down: from the inner width back into the stream"),
    TRUE, TRUE, "D", "ffn_down" },
  { "ffn_gate_inp", "ffn_gate_inp", N_("Router: which experts a token goes to"),
    TRUE, FALSE, "R", NULL },
  { "ffn_gate_exps", "ffn_gate_exps", N_("Gates of the experts, one over the other"),
    TRUE, TRUE, "GX", "ffn_gate_exps" },
  { "ffn_up_exps", "ffn_up_exps", N_("Ups of the experts, one over the other"),
    TRUE, TRUE, "UX", "ffn_gate_exps" },
  { "ffn_down_exps", "ffn_down_exps", N_("Downs of the experts, one over the other"),
    TRUE, TRUE, "DX", "ffn_down_exps" },
  { "ffn_gate_inp_shexp", "ffn_gate_inp_shexp", N_("How much of the shared expert a token takes"),
    TRUE, FALSE, "RS", NULL },
  { "ffn_gate_shexp", "ffn_gate_shexp", N_("Gate of the expert that all tokens share"),
    TRUE, TRUE, "GS", "ffn_gate_shexp" },
  { "ffn_up_shexp", "ffn_up_shexp", N_("Up of the expert that all tokens share"),
    TRUE, TRUE, "US", "ffn_gate_shexp" },
  { "ffn_down_shexp", "ffn_down_shexp", N_("Down of the expert that all tokens share"),
    TRUE, TRUE, "DS", "ffn_down_shexp" },
  { "post_ffw_norm", "post_ffw_norm", N_("Norm of what the feed-forward part hands back"),
    TRUE, FALSE, "PFN", NULL },
  { "output_norm", "output_norm", N_("Norm before the output"), FALSE, FALSE, "ON", NULL },
  { "output", "output", N_("Output: one row of scores for every token of the vocabulary"),
    FALSE, TRUE, "Out", "output" },
  { "rope_factors_long", "rope_factors_long",
    N_("Divisors of the rotary frequencies in long contexts"), FALSE, FALSE, "RFL", NULL },
  { "rope_factors_short", "rope_factors_short",
    N_("Divisors of the rotary frequencies in short contexts"), FALSE, FALSE, "RFS", NULL },
  { "rope_freqs", "rope_freqs", N_("Divisors of the rotary frequencies"),
    FALSE, FALSE, "RF", NULL },
};

/**
 * tare_role_get_n_roles:
 *
 * Returns: the number of rows of the role table
 */
gsize
tare_role_get_n_roles (void)
{
  return G_N_ELEMENTS (roles);
}

/**
 * tare_role_get:
 * @index: less than tare_role_get_n_roles()
 *
 * Returns: (transfer none): a row of the role table, which is in the order of data flow
 */
const TareRole *
tare_role_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (roles), NULL);

  return &roles[index];
}

/**
 * tare_role_lookup:
 * @id: the stem of a GGUF name, "attn_q"
 *
 * Returns: (nullable) (transfer none): its row, or %NULL where there is none
 */
const TareRole *
tare_role_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++)
    {
      if (strcmp (roles[i].id, id) == 0)
        return &roles[i];
    }

  return NULL;
}

/**
 * _tare_role_split_name:
 * @name: the name of a tensor
 * @bias: (out): whether it ends in ".bias"
 *
 * Returns: the length of @name without ".weight" or ".bias" at its end, or 0 where neither is
 */
gsize
_tare_role_split_name (const char *name,
                       gboolean   *bias)
{
  gsize length = strlen (name);

  *bias = g_str_has_suffix (name, ".bias");
  if (*bias)
    return length - strlen (".bias");

  return g_str_has_suffix (name, ".weight") ? length - strlen (".weight") : 0;
}

/**
 * _tare_role_parse_block:
 * @text: digits, and more
 * @end: (out): what follows them
 *
 * Returns: the number, or -1 where there is none, it begins with an idle 0 or is out of bounds
 */
int
_tare_role_parse_block (const char  *text,
                        const char **end)
{
  const char *p = text;
  int block = 0;

  while (g_ascii_isdigit (*p) && p - text < MAX_BLOCK_DIGITS)
    block = block * 10 + (*p++ - '0');

  if (p == text || g_ascii_isdigit (*p) || (*text == '0' && p - text > 1))
    return -1;

  *end = p;

  return block;
}

/**
 * tare_role_from_canonical:
 * @canonical: a GGUF name, "blk.7.attn_q.weight"
 * @block: (out) (optional): its block, or -1
 * @bias: (out) (optional): whether it is the bias of its role
 *
 * Returns: (nullable) (transfer none): what it does, or %NULL where the table does not say
 */
const TareRole *
tare_role_from_canonical (const char *canonical,
                          int        *block,
                          gboolean   *bias)
{
  g_autofree char *stem = NULL;
  const char *rest = canonical;
  const TareRole *role = NULL;
  gboolean is_bias = FALSE;
  gsize length = 0;
  int number = -1;

  g_return_val_if_fail (canonical != NULL, NULL);

  length = _tare_role_split_name (canonical, &is_bias);
  if (g_str_has_prefix (canonical, "blk."))
    {
      number = _tare_role_parse_block (canonical + strlen ("blk."), &rest);
      if (number < 0 || *rest++ != '.')
        return NULL;
    }

  if (length <= (gsize) (rest - canonical))
    return NULL;

  stem = g_strndup (rest, length - (gsize) (rest - canonical));
  role = tare_role_lookup (stem);
  if (role == NULL || role->in_block != (number >= 0))
    return NULL;

  if (block != NULL)
    *block = number;
  if (bias != NULL)
    *bias = is_bias;

  return role;
}
