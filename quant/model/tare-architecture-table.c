/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How every architecture is put together, and what its parts are called. */
#include "quant/model/tare-architecture-private.h"

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

/* What every decoder of Llama's kind calls its parts around the heads, with experts. */
#define ROUTED_STREAM_NAMES                                           \
  { "token_embd", "model.embed_tokens" },                             \
  { "attn_norm", "model.layers.%d.input_layernorm" },                 \
  { "attn_output", "model.layers.%d.self_attn.o_proj" },              \
  { "output_norm", "model.norm" },                                    \
  { "output", "lm_head" }

#define EXPERTS "model.layers.%d.mlp.experts."

#define GATE_UP EXPERTS "gate_up_proj", "ffn_gate_up_exps"

/* The three matrices of every expert, by the names of its own. */
#define EXPERT_NAMES(prefix, gate, up, down, flags)                                         \
  { "ffn_gate_exps", prefix "experts.%d." gate, flags, GATE_UP },                           \
  { "ffn_up_exps", prefix "experts.%d." up, flags, GATE_UP },                               \
  { "ffn_down_exps", prefix "experts.%d." down, flags, EXPERTS "down_proj" }

#define QWEN_EXPERT_NAMES                                                                   \
  { "ffn_gate_inp", "model.layers.%d.mlp.gate", TARE_TENSOR_ROUTED },                       \
  EXPERT_NAMES ("model.layers.%d.mlp.", "gate_proj", "up_proj", "down_proj",                \
                TARE_TENSOR_ROUTED)

#define FEED_FORWARD_NORM_NAME { "ffn_norm", "model.layers.%d.post_attention_layernorm" }

/* The divisors of the rotary frequencies have no name in a Hugging Face file. */
static const TareTensorName llama_names[] = {
  ROUTED_STREAM_NAMES, HEAD_NAMES (0), FEED_FORWARD_NORM_NAME,
  { "ffn_gate", "model.layers.%d.mlp.gate_proj", TARE_TENSOR_DENSE },
  { "ffn_up", "model.layers.%d.mlp.up_proj", TARE_TENSOR_DENSE },
  { "ffn_down", "model.layers.%d.mlp.down_proj", TARE_TENSOR_DENSE },
  { "ffn_gate_inp", "model.layers.%d.block_sparse_moe.gate", TARE_TENSOR_ROUTED },
  EXPERT_NAMES ("model.layers.%d.block_sparse_moe.", "w1", "w3", "w2", TARE_TENSOR_ROUTED),
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

static const TareTensorName qwen2moe_names[] = {
  ROUTED_STREAM_NAMES, HEAD_NAMES (TARE_TENSOR_BIASED), FEED_FORWARD_NORM_NAME,
  QWEN_EXPERT_NAMES,
  { "ffn_gate_inp_shexp", "model.layers.%d.mlp.shared_expert_gate" },
  { "ffn_gate_shexp", "model.layers.%d.mlp.shared_expert.gate_proj" },
  { "ffn_up_shexp", "model.layers.%d.mlp.shared_expert.up_proj" },
  { "ffn_down_shexp", "model.layers.%d.mlp.shared_expert.down_proj" },
  { NULL, NULL },
};

static const TareTensorName qwen3moe_names[] = {
  ROUTED_STREAM_NAMES, HEAD_NAMES (0), FEED_FORWARD_NORM_NAME,
  QWEN_EXPERT_NAMES,
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

static const TareTensorName gemma3_names[] = {
  STREAM_NAMES, HEAD_NAMES (0),
  { "attn_q_norm", "model.layers.%d.self_attn.q_norm" },
  { "attn_k_norm", "model.layers.%d.self_attn.k_norm" },
  { "post_attention_norm", "model.layers.%d.post_attention_layernorm" },
  { "ffn_norm", "model.layers.%d.pre_feedforward_layernorm" },
  { "post_ffw_norm", "model.layers.%d.post_feedforward_layernorm" },
  { NULL, NULL },
};

/* Norms of what is handed back, and none of what is taken. */
static const TareTensorName olmo2_names[] = {
  { "token_embd", "model.embed_tokens" },
  HEAD_NAMES (0),
  { "attn_q_norm", "model.layers.%d.self_attn.q_norm" },
  { "attn_k_norm", "model.layers.%d.self_attn.k_norm" },
  { "attn_output", "model.layers.%d.self_attn.o_proj" },
  { "post_attention_norm", "model.layers.%d.post_attention_layernorm" },
  { "ffn_gate", "model.layers.%d.mlp.gate_proj" },
  { "ffn_up", "model.layers.%d.mlp.up_proj" },
  { "ffn_down", "model.layers.%d.mlp.down_proj" },
  { "post_ffw_norm", "model.layers.%d.post_feedforward_layernorm" },
  { "output_norm", "model.norm" },
  { "output", "lm_head" },
  { NULL, NULL },
};

/* One norm for both parts, or one for each. */
static const TareTensorName falcon_names[] = {
  { "token_embd", "word_embeddings" },
  { "attn_norm", "h.%d.input_layernorm", TARE_TENSOR_BIASED },
  { "attn_norm", "h.%d.ln_mlp", TARE_TENSOR_BIASED },
  { "attn_norm_2", "h.%d.ln_attn", TARE_TENSOR_BIASED | TARE_TENSOR_OPTIONAL },
  { "attn_qkv", "h.%d.self_attention.query_key_value", TARE_TENSOR_GROUPED },
  { "attn_output", "h.%d.self_attention.dense" },
  { "ffn_up", "h.%d.mlp.dense_h_to_4h" },
  { "ffn_down", "h.%d.mlp.dense_4h_to_h" },
  { "output_norm", "ln_f", TARE_TENSOR_BIASED },
  { "output", "lm_head" },
  { NULL, NULL },
};

static const TareTensorName opt_names[] = {
  { "token_embd", "model.decoder.embed_tokens" },
  { "position_embd", "model.decoder.embed_positions" },
  { "attn_norm", "model.decoder.layers.%d.self_attn_layer_norm", TARE_TENSOR_BIASED },
  { "attn_q", "model.decoder.layers.%d.self_attn.q_proj" },
  { "attn_k", "model.decoder.layers.%d.self_attn.k_proj" },
  { "attn_v", "model.decoder.layers.%d.self_attn.v_proj" },
  { "attn_output", "model.decoder.layers.%d.self_attn.out_proj" },
  { "ffn_norm", "model.decoder.layers.%d.final_layer_norm", TARE_TENSOR_BIASED },
  { "ffn_up", "model.decoder.layers.%d.fc1" },
  { "ffn_down", "model.decoder.layers.%d.fc2" },
  { "output_norm", "model.decoder.final_layer_norm", TARE_TENSOR_BIASED },
  { "output", "lm_head" },
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
  { "rope_factors_long", NULL, TARE_TENSOR_OPTIONAL },
  { "rope_factors_short", NULL, TARE_TENSOR_OPTIONAL },
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
  { "ffn_norm", "model.layers.%d.post_attention_layernorm",
    TARE_TENSOR_BIASED | TARE_TENSOR_OPTIONAL },
  { "attn_q_norm", "model.layers.%d.self_attn.q_layernorm.norms.%d", TARE_TENSOR_OPTIONAL },
  { "attn_k_norm", "model.layers.%d.self_attn.k_layernorm.norms.%d", TARE_TENSOR_OPTIONAL },
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

static const char *const llama_classes[] = {
  "LlamaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM", NULL
};
static const char *const qwen2_classes[] = { "Qwen2ForCausalLM", NULL };
static const char *const qwen2moe_classes[] = { "Qwen2MoeForCausalLM", NULL };
static const char *const qwen3_classes[] = { "Qwen3ForCausalLM", NULL };
static const char *const qwen3moe_classes[] = { "Qwen3MoeForCausalLM", NULL };
static const char *const gemma_classes[] = { "GemmaForCausalLM", NULL };
static const char *const gemma2_classes[] = { "Gemma2ForCausalLM", NULL };
static const char *const gemma3_classes[] = {
  "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", NULL
};
static const char *const olmo2_classes[] = { "Olmo2ForCausalLM", NULL };
static const char *const falcon_classes[] = { "FalconForCausalLM", "RWForCausalLM", NULL };
static const char *const opt_classes[] = { "OPTForCausalLM", NULL };
static const char *const gpt2_classes[] = { "GPT2LMHeadModel", NULL };
static const char *const phi3_classes[] = { "Phi3ForCausalLM", NULL };
static const char *const gptneox_classes[] = { "GPTNeoXForCausalLM", NULL };
static const char *const stablelm_classes[] = { "StableLmForCausalLM", NULL };
static const char *const starcoder2_classes[] = { "Starcoder2ForCausalLM", NULL };

static const char *const falcon_renames[] = {
  "num_kv_heads", "num_key_value_heads", "n_head_kv", "num_key_value_heads",
  "ffn_hidden_size", "intermediate_size", NULL,
};

/* Its own names, which transformers also takes by the others. */
static const char *const gpt2_renames[] = {
  "n_embd", "hidden_size", "n_layer", "num_hidden_layers", "n_head", "num_attention_heads",
  "n_inner", "intermediate_size", "n_positions", "max_position_embeddings", NULL,
};

static const char *const opt_renames[] = { "ffn_dim", "intermediate_size", NULL };

const TareArchitecture _tare_architectures[] = {
  {
    .id = "llama",
    .label = N_("Llama"),
    .classes = llama_classes,
    .expert_class = "MixtralForCausalLM",
    .expert_type = "mixtral",
    .names = llama_names,
    .bias_key = "attention_bias",
    .rotary = TARE_ROTARY_INTERLEAVED,
    .interleaves_heads = TRUE,
    .normalises_experts = TRUE,
  },
  {
    .id = "qwen2",
    .label = N_("Qwen 2"),
    .classes = qwen2_classes,
    .names = qwen2_names,
    .rotary = TARE_ROTARY_HALVES,
  },
  {
    .id = "qwen2moe",
    .label = N_("Qwen 2 MoE"),
    .classes = qwen2moe_classes,
    .model_type = "qwen2_moe",
    .names = qwen2moe_names,
    .constants = "{\"decoder_sparse_step\":1,\"mlp_only_layers\":[],\"use_sliding_window\":false}",
    .rotary = TARE_ROTARY_HALVES,
    .expert_norm_key = "norm_topk_prob",
  },
  {
    .id = "qwen3moe",
    .label = N_("Qwen 3 MoE"),
    .classes = qwen3moe_classes,
    .model_type = "qwen3_moe",
    .names = qwen3moe_names,
    .constants = "{\"decoder_sparse_step\":1,\"mlp_only_layers\":[],\"use_sliding_window\":false}",
    .bias_key = "attention_bias",
    .rotary = TARE_ROTARY_HALVES,
    .head_norm = TRUE,
    .writes_head_width = TRUE,
    .expert_norm_key = "norm_topk_prob",
    .normalises_experts = TRUE,
  },
  {
    .id = "qwen3",
    .label = N_("Qwen 3"),
    .classes = qwen3_classes,
    .names = qwen3_names,
    .bias_key = "attention_bias",
    .rotary = TARE_ROTARY_HALVES,
    .head_norm = TRUE,
    .writes_head_width = TRUE,
  },
  {
    .id = "gemma",
    .label = N_("Gemma"),
    .classes = gemma_classes,
    .names = gemma_names,
    .bias_key = "attention_bias",
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
    .bias_key = "attention_bias",
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
    .id = "gemma3",
    .label = N_("Gemma 3"),
    .classes = gemma3_classes,
    .model_type = "gemma3_text",
    .names = gemma3_names,
    .constants = "{\"sliding_window_pattern\":6}",
    .bias_key = "attention_bias",
    .prefix = "language_model.",
    .activation = TARE_ACTIVATION_GELU_TANH,
    .activation_key = "hidden_activation",
    .rotary = TARE_ROTARY_HALVES,
    .head_norm = TRUE,
    .norm_offset = 1.0f,
    .scales_embedding = TRUE,
    .writes_head_width = TRUE,
    .tied = TRUE,
    .windowed = TRUE,
    .window = 4096,
    .window_period = 6,
    .local_rope_base = 10000.0f,
    /* transformers leaves out what is as in its Gemma3TextConfig. */
    .defaults = "{\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":256,"
                "\"max_position_embeddings\":131072,\"rms_norm_eps\":1e-6,"
                "\"rope_theta\":1000000,\"query_pre_attn_scalar\":256}",
    .wide_query_blocks = 62,
  },
  {
    .id = "olmo2",
    .label = N_("OLMo 2"),
    .classes = olmo2_classes,
    .names = olmo2_names,
    .bias_key = "attention_bias",
    .rotary = TARE_ROTARY_HALVES,
    .wide_head_norm = TRUE,
  },
  {
    .id = "falcon",
    .label = N_("Falcon"),
    .classes = falcon_classes,
    .names = falcon_names,
    .epsilon_key = "layer_norm_epsilon",
    .bias_key = "bias",
    .constants = "{\"alibi\":false,\"parallel_attn\":true,\"multi_query\":true,"
                 "\"new_decoder_architecture\":true}",
    .prefix = "transformer.",
    .writes_prefix = TRUE,
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_GELU_ERF,
    .activation_key = "activation",
    .rotary = TARE_ROTARY_HALVES,
    .parallel = TRUE,
    .tied = TRUE,
    .inner_factor = 4,
    .multi_query = TRUE,
    .renames = falcon_renames,
    .defaults = "{\"max_position_embeddings\":2048,\"layer_norm_epsilon\":1e-5,"
                "\"rope_theta\":10000}",
  },
  {
    .id = "opt",
    .label = N_("OPT"),
    .classes = opt_classes,
    .names = opt_names,
    .epsilon_key = "layer_norm_eps",
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_RELU,
    .activation_key = "activation_function",
    .tied = TRUE,
    .position_offset = 2,
    .renames = opt_renames,
    .defaults = "{\"layer_norm_eps\":1e-5}",
    .hugging_face_only = TRUE,
  },
  {
    .id = "gpt2",
    .label = N_("GPT-2"),
    .classes = gpt2_classes,
    .names = gpt2_names,
    .epsilon_key = "layer_norm_epsilon",
    .renames = gpt2_renames,
    .prefix = "transformer.",
    .writes_prefix = TRUE,
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
    .model_type = "gpt_neox",
    .names = gptneox_names,
    .epsilon_key = "layer_norm_eps",
    .older_rope_keys = TRUE,
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
    .own_head_norm = TRUE,
    .epsilon_key = "layer_norm_eps",
    .bias_key = "use_qkv_bias",
    .constants = "{\"qk_layernorm\":false}",
    .norm = TARE_NORM_LAYER,
    .rotary = TARE_ROTARY_HALVES,
    .rotary_share = 0.25f,
    .may_be_parallel = TRUE,
    .copies_output = TRUE,
  },
  {
    .id = "starcoder2",
    .label = N_("StarCoder 2"),
    .classes = starcoder2_classes,
    .names = starcoder2_names,
    .epsilon_key = "norm_epsilon",
    .constants = "{\"use_bias\":true}",
    .norm = TARE_NORM_LAYER,
    .activation = TARE_ACTIVATION_GELU_TANH,
    .rotary = TARE_ROTARY_HALVES,
    .tied = TRUE,
    .windowed = TRUE,
  },
};

const gsize _tare_n_architectures = G_N_ELEMENTS (_tare_architectures);
