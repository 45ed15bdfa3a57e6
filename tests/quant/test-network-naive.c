/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The forward pass of every architecture against formulas written down once more, in double, one
 * number after the other, from the tensors as the Hugging Face file has them: nothing of the
 * architecture table, the kernels or the order of rows is used.
 */
#include "tests/tare-test.h"

#include <string.h>

#include "tests/quant/naive.h"

static void
run_gemma2_attention (const Naive *self,
                      gsize        b)
{
  const Shape *s = self->shape;
  gsize queries = s->n_heads * s->d, keys = s->n_groups * s->d;
  g_autofree double *n = rms_norm (self, self->x, "model.layers.%d.input_layernorm.weight", b, 1);
  g_autofree double *q = linear (self, n, "model.layers.%d.self_attn.q_proj.weight", NULL, b,
                                 s->width, queries, FALSE);
  g_autofree double *k = linear (self, n, "model.layers.%d.self_attn.k_proj.weight", NULL, b,
                                 s->width, keys, FALSE);
  g_autofree double *v = linear (self, n, "model.layers.%d.self_attn.v_proj.weight", NULL, b,
                                 s->width, keys, FALSE);
  g_autofree double *mixed = NULL, *o = NULL, *post = NULL;

  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_groups);
  mixed = attend (self, q, k, v);
  o = linear (self, mixed, "model.layers.%d.self_attn.o_proj.weight", NULL, b, queries, s->width,
              FALSE);
  post = rms_norm (self, o, "model.layers.%d.post_attention_layernorm.weight", b, 1);
  add (self, post);
}

static void
run_gemma2_feed_forward (const Naive *self,
                         gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = rms_norm (self, self->x,
                                   "model.layers.%d.pre_feedforward_layernorm.weight", b, 1);
  g_autofree double *gate = linear (self, n, "model.layers.%d.mlp.gate_proj.weight", NULL, b,
                                    s->width, s->inner, FALSE);
  g_autofree double *up = linear (self, n, "model.layers.%d.mlp.up_proj.weight", NULL, b,
                                  s->width, s->inner, FALSE);
  g_autofree double *down = NULL, *post = NULL;

  activate (self, gate);
  for (gsize i = 0; i < N_TOKENS * s->inner; i++)
    gate[i] *= up[i];
  down = linear (self, gate, "model.layers.%d.mlp.down_proj.weight", NULL, b, s->inner, s->width,
                 FALSE);
  post = rms_norm (self, down, "model.layers.%d.post_feedforward_layernorm.weight", b, 1);
  add (self, post);
}

static double *
run_gemma2 (Naive         *self,
            const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;
  double *logits;

  embed (self, "model.embed_tokens.weight", tokens, sqrt ((double) s->width));
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      self->window = b % 2 == 0 ? s->window : 0;
      run_gemma2_attention (self, b);
      run_gemma2_feed_forward (self, b);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 1);
  logits = linear (self, n, "model.embed_tokens.weight", NULL, 0, s->width, s->vocabulary, FALSE);
  for (gsize i = 0; i < N_TOKENS * s->vocabulary; i++)
    logits[i] = 30.0 * tanh (logits[i] / 30.0);

  return logits;
}

static const Shape gemma2_shape = {
  .width = 64, .inner = 160, .n_blocks = 3, .n_heads = 4, .n_groups = 2, .d = 16, .rotary = 16,
  .vocabulary = 512, .window = 16, .epsilon = 1e-6, .scale = 0.25, .cap = 50.0,
  .activation = gelu_tanh,
};

static void
run_gpt2_block (const Naive *self,
                gsize        b)
{
  const Shape *s = self->shape;
  gsize width = s->width;
  g_autofree double *n1 = layer_norm (self, self->x, "h.%d.ln_1.weight", "h.%d.ln_1.bias", b);
  g_autofree double *qkv = linear (self, n1, "h.%d.attn.c_attn.weight", "h.%d.attn.c_attn.bias", b,
                                   width, 3 * width, TRUE);
  g_autofree double *q = slice (qkv, 3 * width, 0, width);
  g_autofree double *k = slice (qkv, 3 * width, width, width);
  g_autofree double *v = slice (qkv, 3 * width, 2 * width, width);
  g_autofree double *mixed = attend (self, q, k, v);
  g_autofree double *o = linear (self, mixed, "h.%d.attn.c_proj.weight", "h.%d.attn.c_proj.bias",
                                 b, width, width, TRUE);
  g_autofree double *n2 = NULL, *up = NULL, *down = NULL;

  add (self, o);
  n2 = layer_norm (self, self->x, "h.%d.ln_2.weight", "h.%d.ln_2.bias", b);
  up = linear (self, n2, "h.%d.mlp.c_fc.weight", "h.%d.mlp.c_fc.bias", b, width, s->inner, TRUE);
  activate (self, up);
  down = linear (self, up, "h.%d.mlp.c_proj.weight", "h.%d.mlp.c_proj.bias", b, s->inner, width,
                 TRUE);
  add (self, down);
}

static double *
run_gpt2 (Naive         *self,
          const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *positions = get (self, "wpe.weight", 0);
  g_autofree double *n = NULL;

  embed (self, "wte.weight", tokens, 1.0);
  add (self, positions);
  for (gsize b = 0; b < s->n_blocks; b++)
    run_gpt2_block (self, b);
  n = layer_norm (self, self->x, "ln_f.weight", "ln_f.bias", 0);

  return linear (self, n, "wte.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static const Shape gpt2_shape = {
  .width = 64, .inner = 160, .n_blocks = 3, .n_heads = 4, .n_groups = 4, .d = 16,
  .vocabulary = 1024, .epsilon = 1e-5, .scale = 0.25, .activation = gelu_tanh,
};

static void
test_gemma2 (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/gemma2-random")

  naive_check (folder, "gemma2.gguf", &gemma2_shape, run_gemma2);
}

static void
test_gpt2 (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/gpt2-random")

  naive_check (folder, "gpt2.gguf", &gpt2_shape, run_gpt2);
}

/* Queries over keys over values in one matrix; gates over values in another. */
static void
run_phi3_block (const Naive *self,
                gsize        b)
{
  const Shape *s = self->shape;
  gsize queries = s->n_heads * s->d, keys = s->n_groups * s->d, all = queries + 2 * keys;
  g_autofree double *n1 = rms_norm (self, self->x, "model.layers.%d.input_layernorm.weight", b, 0);
  g_autofree double *qkv = linear (self, n1, "model.layers.%d.self_attn.qkv_proj.weight", NULL, b,
                                   s->width, all, FALSE);
  g_autofree double *q = slice (qkv, all, 0, queries);
  g_autofree double *k = slice (qkv, all, queries, keys);
  g_autofree double *v = slice (qkv, all, queries + keys, keys);
  g_autofree double *mixed = NULL, *o = NULL, *n2 = NULL, *both = NULL, *gate = NULL, *up = NULL;
  g_autofree double *down = NULL;

  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_groups);
  mixed = attend (self, q, k, v);
  o = linear (self, mixed, "model.layers.%d.self_attn.o_proj.weight", NULL, b, queries, s->width,
              FALSE);
  add (self, o);
  n2 = rms_norm (self, self->x, "model.layers.%d.post_attention_layernorm.weight", b, 0);
  both = linear (self, n2, "model.layers.%d.mlp.gate_up_proj.weight", NULL, b, s->width,
                 2 * s->inner, FALSE);
  gate = slice (both, 2 * s->inner, 0, s->inner);
  up = slice (both, 2 * s->inner, s->inner, s->inner);
  activate (self, gate);
  for (gsize i = 0; i < N_TOKENS * s->inner; i++)
    gate[i] *= up[i];
  down = linear (self, gate, "model.layers.%d.mlp.down_proj.weight", NULL, b, s->inner, s->width,
                 FALSE);
  add (self, down);
}

static double *
run_phi3 (Naive         *self,
          const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  self->window = s->window;
  for (gsize b = 0; b < s->n_blocks; b++)
    run_phi3_block (self, b);
  n = rms_norm (self, self->x, "model.norm.weight", 0, 0);

  return linear (self, n, "lm_head.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static void
test_phi3 (void)
{
  static const Made made[] = {
    { "model.embed_tokens.weight", 1024, 32, 0.0f },
    { "model.layers.%d.input_layernorm.weight", 0, 32, 1.0f },
    { "model.layers.%d.self_attn.qkv_proj.weight", 64, 32, 0.0f },
    { "model.layers.%d.self_attn.o_proj.weight", 32, 32, 0.0f },
    { "model.layers.%d.post_attention_layernorm.weight", 0, 32, 1.0f },
    { "model.layers.%d.mlp.gate_up_proj.weight", 96, 32, 0.0f },
    { "model.layers.%d.mlp.down_proj.weight", 32, 48, 0.0f },
    { "model.norm.weight", 0, 32, 1.0f },
    { "lm_head.weight", 1024, 32, 0.0f },
  };
  static const Shape shape = {
    .width = 32, .inner = 48, .n_blocks = 2, .n_heads = 4, .n_groups = 2, .d = 8, .rotary = 6,
    .vocabulary = 1024, .window = 9, .epsilon = 1e-5, .scale = 0.35355339059327376,
    .activation = silu,
  };
  g_autofree char *folder
    = naive_make_folder ("phi3", "{\"architectures\":[\"Phi3ForCausalLM\"],\"hidden_size\":32,"
                         "\"intermediate_size\":48,\"num_hidden_layers\":2,"
                         "\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                         "\"partial_rotary_factor\":0.75,\"vocab_size\":1024,"
                         "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"
                         "\"sliding_window\":9,\"hidden_act\":\"silu\"}",
                         made, G_N_ELEMENTS (made), 2);

  naive_check (folder, "phi3.gguf", &shape, run_phi3);
}

/* Query, key and value of one head after the other. */
static double *
pick_heads (const Naive  *self,
            const double *qkv,
            gsize         part)
{
  const Shape *s = self->shape;
  double *y = g_new (double, N_TOKENS * s->width);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize h = 0; h < s->n_heads; h++)
      memcpy (y + t * s->width + h * s->d, qkv + t * 3 * s->width + (3 * h + part) * s->d,
              s->d * sizeof *y);

  return y;
}

#define NEOX "gpt_neox.layers.%d."

static double *
run_gptneox_attention (const Naive *self,
                       gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = layer_norm (self, self->x, NEOX "input_layernorm.weight",
                                     NEOX "input_layernorm.bias", b);
  g_autofree double *qkv = linear (self, n, NEOX "attention.query_key_value.weight",
                                   NEOX "attention.query_key_value.bias", b, s->width,
                                   3 * s->width, FALSE);
  g_autofree double *q = pick_heads (self, qkv, 0);
  g_autofree double *k = pick_heads (self, qkv, 1);
  g_autofree double *v = pick_heads (self, qkv, 2);
  g_autofree double *mixed = NULL;

  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_heads);
  mixed = attend (self, q, k, v);

  return linear (self, mixed, NEOX "attention.dense.weight", NEOX "attention.dense.bias", b,
                 s->width, s->width, FALSE);
}

static double *
run_gptneox_feed_forward (const Naive *self,
                          gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = layer_norm (self, self->x, NEOX "post_attention_layernorm.weight",
                                     NEOX "post_attention_layernorm.bias", b);
  g_autofree double *up = linear (self, n, NEOX "mlp.dense_h_to_4h.weight",
                                  NEOX "mlp.dense_h_to_4h.bias", b, s->width, s->inner, FALSE);

  activate (self, up);

  return linear (self, up, NEOX "mlp.dense_4h_to_h.weight", NEOX "mlp.dense_4h_to_h.bias", b,
                 s->inner, s->width, FALSE);
}

/* Both parts from the same stream, or one after the other. */
static double *
run_gptneox (Naive         *self,
             const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "gpt_neox.embed_in.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *attention = run_gptneox_attention (self, b);
      g_autofree double *feed_forward = NULL;

      if (!s->parallel)
        add (self, attention);
      feed_forward = run_gptneox_feed_forward (self, b);
      if (s->parallel)
        add (self, attention);
      add (self, feed_forward);
    }
  n = layer_norm (self, self->x, "gpt_neox.final_layer_norm.weight",
                  "gpt_neox.final_layer_norm.bias", 0);

  return linear (self, n, "embed_out.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

#define NEOX_CONFIG "{\"architectures\":[\"GPTNeoXForCausalLM\"],\"hidden_size\":32,"       \
                    "\"intermediate_size\":48,\"num_hidden_layers\":2,"                       \
                    "\"num_attention_heads\":2,\"rotary_pct\":0.25,\"vocab_size\":1024,"     \
                    "\"max_position_embeddings\":64,\"layer_norm_eps\":1e-5,"                 \
                    "\"rotary_emb_base\":10000,\"hidden_act\":\"gelu\","                     \
                    "\"tie_word_embeddings\":false"

static void
test_gptneox (void)
{
  static const Made made[] = {
    { "gpt_neox.embed_in.weight", 1024, 32, 0.0f },
    { NEOX "input_layernorm.weight", 0, 32, 1.0f },
    { NEOX "input_layernorm.bias", 0, 32, 0.0f },
    { NEOX "attention.query_key_value.weight", 96, 32, 0.0f },
    { NEOX "attention.query_key_value.bias", 0, 96, 0.0f },
    { NEOX "attention.dense.weight", 32, 32, 0.0f },
    { NEOX "attention.dense.bias", 0, 32, 0.0f },
    { NEOX "attention.rotary_emb.inv_freq", 0, 2, 0.0f },
    { NEOX "post_attention_layernorm.weight", 0, 32, 1.0f },
    { NEOX "post_attention_layernorm.bias", 0, 32, 0.0f },
    { NEOX "mlp.dense_h_to_4h.weight", 48, 32, 0.0f },
    { NEOX "mlp.dense_h_to_4h.bias", 0, 48, 0.0f },
    { NEOX "mlp.dense_4h_to_h.weight", 32, 48, 0.0f },
    { NEOX "mlp.dense_4h_to_h.bias", 0, 32, 0.0f },
    { "gpt_neox.final_layer_norm.weight", 0, 32, 1.0f },
    { "gpt_neox.final_layer_norm.bias", 0, 32, 0.0f },
    { "embed_out.weight", 1024, 32, 0.0f },
  };
  Shape shape = {
    .width = 32, .inner = 48, .n_blocks = 2, .n_heads = 2, .n_groups = 2, .d = 16, .rotary = 4,
    .vocabulary = 1024, .epsilon = 1e-5, .scale = 0.25, .activation = gelu_erf, .parallel = TRUE,
  };
  g_autofree char *parallel = naive_make_folder ("neox-parallel", NEOX_CONFIG "}", made,
                                                 G_N_ELEMENTS (made), 2);
  g_autofree char *sequential = naive_make_folder ("neox-sequential",
                                                   NEOX_CONFIG ",\"use_parallel_residual\":false}",
                                                   made, G_N_ELEMENTS (made), 2);

  naive_check (parallel, "neox-parallel.gguf", &shape, run_gptneox);
  shape.parallel = FALSE;
  naive_check (sequential, "neox-sequential.gguf", &shape, run_gptneox);
}

#define LAYER "model.layers.%d."

/* Layer norms, query, key and value apart with a bias. */
static void
run_separate_attention (const Naive *self,
                        gsize        b)
{
  const Shape *s = self->shape;
  gsize queries = s->n_heads * s->d, keys = s->n_groups * s->d;
  g_autofree double *n = layer_norm (self, self->x, LAYER "input_layernorm.weight",
                                     LAYER "input_layernorm.bias", b);
  g_autofree double *q = linear (self, n, LAYER "self_attn.q_proj.weight",
                                 LAYER "self_attn.q_proj.bias", b, s->width, queries, FALSE);
  g_autofree double *k = linear (self, n, LAYER "self_attn.k_proj.weight",
                                 LAYER "self_attn.k_proj.bias", b, s->width, keys, FALSE);
  g_autofree double *v = linear (self, n, LAYER "self_attn.v_proj.weight",
                                 LAYER "self_attn.v_proj.bias", b, s->width, keys, FALSE);
  g_autofree double *mixed = NULL, *o = NULL;

  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_groups);
  mixed = attend (self, q, k, v);
  o = linear (self, mixed, LAYER "self_attn.o_proj.weight",
              s->gated ? NULL : LAYER "self_attn.o_proj.bias", b, queries, s->width, FALSE);
  add (self, o);
}

static void
run_stablelm_feed_forward (const Naive *self,
                           gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = layer_norm (self, self->x, LAYER "post_attention_layernorm.weight",
                                     LAYER "post_attention_layernorm.bias", b);
  g_autofree double *gate = linear (self, n, LAYER "mlp.gate_proj.weight", NULL, b, s->width,
                                    s->inner, FALSE);
  g_autofree double *up = linear (self, n, LAYER "mlp.up_proj.weight", NULL, b, s->width,
                                  s->inner, FALSE);
  g_autofree double *down = NULL;

  activate (self, gate);
  for (gsize i = 0; i < N_TOKENS * s->inner; i++)
    gate[i] *= up[i];
  down = linear (self, gate, LAYER "mlp.down_proj.weight", NULL, b, s->inner, s->width, FALSE);
  add (self, down);
}

static void
run_starcoder2_feed_forward (const Naive *self,
                             gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = layer_norm (self, self->x, LAYER "post_attention_layernorm.weight",
                                     LAYER "post_attention_layernorm.bias", b);
  g_autofree double *up = linear (self, n, LAYER "mlp.c_fc.weight", LAYER "mlp.c_fc.bias", b,
                                  s->width, s->inner, FALSE);
  g_autofree double *down = NULL;

  activate (self, up);
  down = linear (self, up, LAYER "mlp.c_proj.weight", LAYER "mlp.c_proj.bias", b, s->inner,
                 s->width, FALSE);
  add (self, down);
}

static double *
run_separate (Naive         *self,
              const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  self->window = s->window;
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      run_separate_attention (self, b);
      if (s->gated)
        run_stablelm_feed_forward (self, b);
      else
        run_starcoder2_feed_forward (self, b);
    }
  n = layer_norm (self, self->x, "model.norm.weight", "model.norm.bias", 0);

  return linear (self, n, s->gated ? "lm_head.weight" : "model.embed_tokens.weight", NULL, 0,
                 s->width, s->vocabulary, FALSE);
}

#define SEPARATE_NAMES                                            \
  { "model.embed_tokens.weight", 1024, 32, 0.0f },                \
  { LAYER "input_layernorm.weight", 0, 32, 1.0f },                \
  { LAYER "input_layernorm.bias", 0, 32, 0.0f },                  \
  { LAYER "self_attn.q_proj.weight", 32, 32, 0.0f },              \
  { LAYER "self_attn.q_proj.bias", 0, 32, 0.0f },                 \
  { LAYER "self_attn.k_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.k_proj.bias", 0, 16, 0.0f },                 \
  { LAYER "self_attn.v_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.v_proj.bias", 0, 16, 0.0f },                 \
  { LAYER "self_attn.o_proj.weight", 32, 32, 0.0f },              \
  { LAYER "post_attention_layernorm.weight", 0, 32, 1.0f },       \
  { LAYER "post_attention_layernorm.bias", 0, 32, 0.0f },         \
  { "model.norm.weight", 0, 32, 1.0f },                           \
  { "model.norm.bias", 0, 32, 0.0f }

#define SEPARATE_CONFIG                                                                      \
  "\"hidden_size\":32,\"intermediate_size\":48,\"num_hidden_layers\":2,"                       \
  "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"vocab_size\":1024,"                   \
  "\"max_position_embeddings\":64,"

static void
test_stablelm (void)
{
  static const Made made[] = {
    SEPARATE_NAMES,
    { LAYER "mlp.gate_proj.weight", 48, 32, 0.0f },
    { LAYER "mlp.up_proj.weight", 48, 32, 0.0f },
    { LAYER "mlp.down_proj.weight", 32, 48, 0.0f },
    { "lm_head.weight", 1024, 32, 0.0f },
  };
  static const Shape shape = {
    .width = 32, .inner = 48, .n_blocks = 2, .n_heads = 2, .n_groups = 1, .d = 16, .rotary = 4,
    .vocabulary = 1024, .epsilon = 1e-5, .scale = 0.25, .activation = silu, .gated = TRUE,
  };
  g_autofree char *folder
    = naive_make_folder ("stablelm", "{\"architectures\":[\"StableLmForCausalLM\"]," SEPARATE_CONFIG
                         "\"partial_rotary_factor\":0.25,\"layer_norm_eps\":1e-5,"
                         "\"use_qkv_bias\":true,"
                         "\"use_parallel_residual\":false,\"hidden_act\":\"silu\"}",
                         made, G_N_ELEMENTS (made), 2);

  naive_check (folder, "stablelm.gguf", &shape, run_separate);
}

static void
test_starcoder2 (void)
{
  static const Made made[] = {
    SEPARATE_NAMES,
    { LAYER "self_attn.o_proj.bias", 0, 32, 0.0f },
    { LAYER "mlp.c_fc.weight", 48, 32, 0.0f },
    { LAYER "mlp.c_fc.bias", 0, 48, 0.0f },
    { LAYER "mlp.c_proj.weight", 32, 48, 0.0f },
    { LAYER "mlp.c_proj.bias", 0, 32, 0.0f },
  };
  static const Shape shape = {
    .width = 32, .inner = 48, .n_blocks = 2, .n_heads = 2, .n_groups = 1, .d = 16, .rotary = 16,
    .vocabulary = 1024, .window = 20, .epsilon = 1e-5, .scale = 0.25, .activation = gelu_tanh,
  };
  g_autofree char *folder
    = naive_make_folder ("starcoder2", "{\"architectures\":[\"Starcoder2ForCausalLM\"],"
                         SEPARATE_CONFIG "\"norm_epsilon\":1e-5,\"sliding_window\":20,"
                         "\"hidden_act\":\"gelu_pytorch_tanh\"}",
                         made, G_N_ELEMENTS (made), 2);

  naive_check (folder, "starcoder2.gguf", &shape, run_separate);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/network-naive/gemma2", test_gemma2);
  g_test_add_func ("/network-naive/gpt2", test_gpt2);
  g_test_add_func ("/network-naive/phi3", test_phi3);
  g_test_add_func ("/network-naive/gptneox", test_gptneox);
  g_test_add_func ("/network-naive/stablelm", test_stablelm);
  g_test_add_func ("/network-naive/starcoder2", test_starcoder2);

  return g_test_run ();
}
