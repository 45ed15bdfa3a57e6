/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-architecture.h"

#include <string.h>

#include "quant/model/tare-role-private.h"

#define N_(text) (text)

/* What every decoder of Llama's kind calls its parts around the heads, the norms aside. */
#define STREAM_NAMES                                                  \
  { "token_embd", "model.embed_tokens" },                             \
  { "attn_norm", "model.layers.%d.input_layernorm" },                 \
  { "attn_output", "model.layers.%d.self_attn.o_proj" },              \
  { "ffn_gate", "model.layers.%d.mlp.gate_proj" },                    \
  { "ffn_up", "model.layers.%d.mlp.up_proj" },                        \
  { "ffn_down", "model.layers.%d.mlp.down_proj" },                    \
  { "output_norm", "model.norm" },                                    \
  { "output", "lm_head" }

#define HEAD_NAMES(flags)                                             \
  { "attn_q", "model.layers.%d.self_attn.q_proj", flags },            \
  { "attn_k", "model.layers.%d.self_attn.k_proj", flags },            \
  { "attn_v", "model.layers.%d.self_attn.v_proj", flags }

#define FEED_FORWARD_NORM_NAME { "ffn_norm", "model.layers.%d.post_attention_layernorm" }

/* The divisors of the rotary frequencies have no name in a Hugging Face file. */
static const TareTensorName llama_names[] = {
  STREAM_NAMES, HEAD_NAMES (0), FEED_FORWARD_NORM_NAME,
  { "rope_freqs", NULL, TARE_TENSOR_OPTIONAL },
  { NULL, NULL },
};

static const TareTensorName qwen2_names[] = {
  STREAM_NAMES, HEAD_NAMES (TARE_TENSOR_BIASED), FEED_FORWARD_NORM_NAME,
  { NULL, NULL },
};

static const TareTensorName qwen3_names[] = {
  STREAM_NAMES, HEAD_NAMES (0), FEED_FORWARD_NORM_NAME,
  { "attn_q_norm", "model.layers.%d.self_attn.q_norm" },
  { "attn_k_norm", "model.layers.%d.self_attn.k_norm" },
  { NULL, NULL },
};

static const TareTensorName gemma_names[] = {
  STREAM_NAMES, HEAD_NAMES (0), FEED_FORWARD_NORM_NAME,
  { NULL, NULL },
};

/* Here Hugging Face's post_attention_layernorm is what it says. */
static const TareTensorName gemma2_names[] = {
  STREAM_NAMES, HEAD_NAMES (0),
  { "post_attention_norm", "model.layers.%d.post_attention_layernorm" },
  { "ffn_norm", "model.layers.%d.pre_feedforward_layernorm" },
  { "post_ffw_norm", "model.layers.%d.post_feedforward_layernorm" },
  { NULL, NULL },
};

/* Their linear layers are convolutions of width 1, inputs x outputs. */
#define CONVOLUTION (TARE_TENSOR_BIASED | TARE_TENSOR_TRANSPOSED)

static const TareTensorName gpt2_names[] = {
  { "token_embd", "wte" },
  { "position_embd", "wpe" },
  { "attn_norm", "h.%d.ln_1", TARE_TENSOR_BIASED },
  { "attn_qkv", "h.%d.attn.c_attn", CONVOLUTION },
  { "attn_output", "h.%d.attn.c_proj", CONVOLUTION },
  { "ffn_norm", "h.%d.ln_2", TARE_TENSOR_BIASED },
  { "ffn_up", "h.%d.mlp.c_fc", CONVOLUTION },
  { "ffn_down", "h.%d.mlp.c_proj", CONVOLUTION },
  { "output_norm", "ln_f", TARE_TENSOR_BIASED },
  { "output", "lm_head" },
  { NULL, NULL },
};

static const TareTensorName phi3_names[] = {
  { "token_embd", "model.embed_tokens" },
  { "attn_norm", "model.layers.%d.input_layernorm" },
  { "attn_qkv", "model.layers.%d.self_attn.qkv_proj" },
  { "attn_output", "model.layers.%d.self_attn.o_proj" },
  FEED_FORWARD_NORM_NAME,
  { "ffn_up", "model.layers.%d.mlp.gate_up_proj" },
  { "ffn_down", "model.layers.%d.mlp.down_proj" },
  { "output_norm", "model.norm" },
  { "output", "lm_head" },
  { NULL, NULL },
};

static const TareTensorName gptneox_names[] = {
  { "token_embd", "gpt_neox.embed_in" },
  { "attn_norm", "gpt_neox.layers.%d.input_layernorm", TARE_TENSOR_BIASED },
  { "attn_qkv", "gpt_neox.layers.%d.attention.query_key_value",
    TARE_TENSOR_BIASED | TARE_TENSOR_GROUPED },
  { "attn_output", "gpt_neox.layers.%d.attention.dense", TARE_TENSOR_BIASED },
  { "ffn_norm", "gpt_neox.layers.%d.post_attention_layernorm", TARE_TENSOR_BIASED },
  { "ffn_up", "gpt_neox.layers.%d.mlp.dense_h_to_4h", TARE_TENSOR_BIASED },
  { "ffn_down", "gpt_neox.layers.%d.mlp.dense_4h_to_h", TARE_TENSOR_BIASED },
  { "output_norm", "gpt_neox.final_layer_norm", TARE_TENSOR_BIASED },
  { "output", "embed_out" },
  { NULL, NULL },
};

static const TareTensorName stablelm_names[] = {
  { "token_embd", "model.embed_tokens" },
  { "attn_norm", "model.layers.%d.input_layernorm", TARE_TENSOR_BIASED },
  HEAD_NAMES (0),
  { "attn_output", "model.layers.%d.self_attn.o_proj" },
  { "ffn_norm", "model.layers.%d.post_attention_layernorm", TARE_TENSOR_BIASED },
  { "ffn_gate", "model.layers.%d.mlp.gate_proj" },
  { "ffn_up", "model.layers.%d.mlp.up_proj" },
  { "ffn_down", "model.layers.%d.mlp.down_proj" },
  { "output_norm", "model.norm", TARE_TENSOR_BIASED },
  { "output", "lm_head" },
  { NULL, NULL },
};

static const TareTensorName starcoder2_names[] = {
  { "token_embd", "model.embed_tokens" },
  { "attn_norm", "model.layers.%d.input_layernorm", TARE_TENSOR_BIASED },
  HEAD_NAMES (TARE_TENSOR_BIASED),
  { "attn_output", "model.layers.%d.self_attn.o_proj", TARE_TENSOR_BIASED },
  { "ffn_norm", "model.layers.%d.post_attention_layernorm", TARE_TENSOR_BIASED },
  { "ffn_up", "model.layers.%d.mlp.c_fc", TARE_TENSOR_BIASED },
  { "ffn_down", "model.layers.%d.mlp.c_proj", TARE_TENSOR_BIASED },
  { "output_norm", "model.norm", TARE_TENSOR_BIASED },
  { "output", "lm_head" },
  { NULL, NULL },
};

static const char *const llama_classes[] = { "LlamaForCausalLM", "MistralForCausalLM", NULL };
static const char *const qwen2_classes[] = { "Qwen2ForCausalLM", NULL };
static const char *const qwen3_classes[] = { "Qwen3ForCausalLM", NULL };
static const char *const gemma_classes[] = { "GemmaForCausalLM", NULL };
static const char *const gemma2_classes[] = { "Gemma2ForCausalLM", NULL };
static const char *const gpt2_classes[] = { "GPT2LMHeadModel", NULL };
static const char *const phi3_classes[] = { "Phi3ForCausalLM", NULL };
static const char *const gptneox_classes[] = { "GPTNeoXForCausalLM", NULL };
static const char *const stablelm_classes[] = { "StableLmForCausalLM", NULL };
static const char *const starcoder2_classes[] = { "Starcoder2ForCausalLM", NULL };

static const TareArchitecture architectures[] = {
  {
    .id = "llama",
    .label = N_("Llama"),
    .classes = llama_classes,
    .names = llama_names,
    .rotary = TARE_ROTARY_INTERLEAVED,
    .interleaves_heads = TRUE,
  },
  {
    .id = "qwen2",
    .label = N_("Qwen 2"),
    .classes = qwen2_classes,
    .names = qwen2_names,
    .rotary = TARE_ROTARY_HALVES,
  },
  {
    .id = "qwen3",
    .label = N_("Qwen 3"),
    .classes = qwen3_classes,
    .names = qwen3_names,
    .rotary = TARE_ROTARY_HALVES,
    .head_norm = TRUE,
    .writes_head_width = TRUE,
  },
  {
    .id = "gemma",
    .label = N_("Gemma"),
    .classes = gemma_classes,
    .names = gemma_names,
    .activation = TARE_ACTIVATION_GELU_TANH,
    .activation_key = "hidden_activation",
    .rotary = TARE_ROTARY_HALVES,
    .norm_offset = 1.0f,
    .scales_embedding = TRUE,
    .writes_head_width = TRUE,
    .tied = TRUE,
  },
  {
    .id = "gemma2",
    .label = N_("Gemma 2"),
    .classes = gemma2_classes,
    .names = gemma2_names,
    .activation = TARE_ACTIVATION_GELU_TANH,
    .activation_key = "hidden_activation",
    .rotary = TARE_ROTARY_HALVES,
    .norm_offset = 1.0f,
    .scales_embedding = TRUE,
    .writes_head_width = TRUE,
    .tied = TRUE,
    .windowed = TRUE,
    .window = 4096,
    .window_period = 2,
    .attention_soft_cap = 50.0f,
    .final_soft_cap = 30.0f,
    .wide_query_blocks = 46,
  },
  {
    .id = "gpt2",
    .label = N_("GPT-2"),
    .classes = gpt2_classes,
    .names = gpt2_names,
    .prefix = "transformer.",
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_GELU_TANH,
    .activation_key = "activation_function",
    .tied = TRUE,
    .copies_output = TRUE,
    .inner_factor = 4,
  },
  {
    .id = "phi3",
    .label = N_("Phi-3"),
    .classes = phi3_classes,
    .names = phi3_names,
    .rotary = TARE_ROTARY_HALVES,
    .rotary_share = 1.0f,
    .fused_gate = TRUE,
    .copies_output = TRUE,
    .windowed = TRUE,
  },
  {
    .id = "gptneox",
    .label = N_("GPT-NeoX"),
    .classes = gptneox_classes,
    .names = gptneox_names,
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_GELU_ERF,
    .rotary = TARE_ROTARY_HALVES,
    .rotary_share = 0.25f,
    .parallel = TRUE,
    .copies_output = TRUE,
  },
  {
    .id = "stablelm",
    .label = N_("StableLM"),
    .classes = stablelm_classes,
    .names = stablelm_names,
    .norm = TARE_NORM_LAYER,
    .rotary = TARE_ROTARY_HALVES,
    .rotary_share = 0.25f,
    .copies_output = TRUE,
  },
  {
    .id = "starcoder2",
    .label = N_("StarCoder 2"),
    .classes = starcoder2_classes,
    .names = starcoder2_names,
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_GELU_TANH,
    .rotary = TARE_ROTARY_HALVES,
    .tied = TRUE,
    .windowed = TRUE,
  },
};

/**
 * tare_architecture_get_n_architectures:
 *
 * Returns: the number of rows of the architecture table
 */
gsize
tare_architecture_get_n_architectures (void)
{
  return G_N_ELEMENTS (architectures);
}

/**
 * tare_architecture_get:
 * @index: less than tare_architecture_get_n_architectures()
 *
 * Returns: (transfer none): a row of the architecture table
 */
const TareArchitecture *
tare_architecture_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (architectures), NULL);

  return &architectures[index];
}

/**
 * tare_architecture_lookup:
 * @id: GGUF's general.architecture
 *
 * Returns: (nullable) (transfer none): its row, or %NULL where there is none
 */
const TareArchitecture *
tare_architecture_lookup (const char *id)
{
  g_return_val_if_fail (id != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (architectures); i++)
    {
      if (strcmp (architectures[i].id, id) == 0)
        return &architectures[i];
    }

  return NULL;
}

/**
 * tare_architecture_lookup_class:
 * @class_name: one of the "architectures" of config.json
 *
 * Returns: (nullable) (transfer none): the row that stands for it, or %NULL where none does
 */
const TareArchitecture *
tare_architecture_lookup_class (const char *class_name)
{
  g_return_val_if_fail (class_name != NULL, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (architectures); i++)
    {
      if (g_strv_contains (architectures[i].classes, class_name))
        return &architectures[i];
    }

  return NULL;
}

/**
 * tare_architecture_find:
 * @self: an architecture
 * @role: id of a role
 *
 * Returns: (nullable) (transfer none): the row of its tensors, or %NULL where it has no such role
 */
const TareTensorName *
tare_architecture_find (const TareArchitecture *self,
                        const char             *role)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (role != NULL, NULL);

  for (const TareTensorName *row = self->names; row->role != NULL; row++)
    {
      if (strcmp (row->role, role) == 0)
        return row;
    }

  return NULL;
}

/* Whether the first @length bytes of @name are @pattern with a number for its %d. */
static gboolean
match (const char *pattern,
       const char *name,
       gsize       length,
       int        *block)
{
  const char *hole = strstr (pattern, "%d");
  const char *end = name + length;
  const char *rest = NULL;
  gsize before = 0;

  if (hole == NULL)
    {
      *block = -1;
      return strlen (pattern) == length && strncmp (pattern, name, length) == 0;
    }

  before = (gsize) (hole - pattern);
  if (length <= before || strncmp (pattern, name, before) != 0)
    return FALSE;

  *block = _tare_role_parse_block (name + before, &rest);
  if (*block < 0 || rest > end)
    return FALSE;

  return strlen (hole + 2) == (gsize) (end - rest)
         && strncmp (hole + 2, rest, (gsize) (end - rest)) == 0;
}

static const char *
suffix (gboolean bias)
{
  return bias ? ".bias" : ".weight";
}

/**
 * tare_architecture_to_canonical:
 * @self: an architecture
 * @name: a tensor's name in a Hugging Face file
 *
 * Returns: (nullable) (transfer full): GGUF's name for it, or %NULL where the architecture has no
 *   such tensor
 */
char *
tare_architecture_to_canonical (const TareArchitecture *self,
                                const char             *name)
{
  gboolean bias = FALSE;
  gsize length = 0;
  int block = -1;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (name != NULL, NULL);

  if (self->prefix != NULL && g_str_has_prefix (name, self->prefix))
    name += strlen (self->prefix);

  length = _tare_role_split_name (name, &bias);
  for (const TareTensorName *row = self->names; length > 0 && row->role != NULL; row++)
    {
      if (row->hugging_face == NULL || !match (row->hugging_face, name, length, &block))
        continue;

      if (block >= 0)
        return g_strdup_printf ("blk.%d.%s%s", block, row->role, suffix (bias));

      return g_strconcat (row->role, suffix (bias), NULL);
    }

  return NULL;
}

/**
 * tare_architecture_to_hugging_face:
 * @self: an architecture
 * @canonical: a tensor's GGUF name
 *
 * Returns: (nullable) (transfer full): its name in a Hugging Face file, or %NULL where there is
 *   none
 */
char *
tare_architecture_to_hugging_face (const TareArchitecture *self,
                                   const char             *canonical)
{
  const TareTensorName *row = NULL;
  const TareRole *role = NULL;
  const char *hole = NULL;
  gboolean bias = FALSE;
  int block = -1;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (canonical != NULL, NULL);

  role = tare_role_from_canonical (canonical, &block, &bias);
  row = role != NULL ? tare_architecture_find (self, role->id) : NULL;
  if (row == NULL || row->hugging_face == NULL)
    return NULL;

  hole = strstr (row->hugging_face, "%d");
  if (hole == NULL)
    return g_strconcat (row->hugging_face, suffix (bias), NULL);

  return g_strdup_printf ("%.*s%d%s%s", (int) (hole - row->hugging_face), row->hugging_face,
                          block, hole + 2, suffix (bias));
}
