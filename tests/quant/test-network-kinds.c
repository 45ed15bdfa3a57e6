/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * More architectures against formulas in double: norms in other places, norms over all heads,
 * positions of two kinds, heads that many share, blocks whose parts share a norm.
 */
#include "tests/tare-test.h"

#include <string.h>

#include "quant/network/tare-network.h"
#include "quant/recipe/tare-target.h"
#include "quant/tare-error.h"
#include "tests/quant/naive.h"

#define LAYER "model.layers.%d."

/* x W' of the layer's matrix @name, without a bias. */
static double *
matrix (const Naive  *self,
        const double *x,
        const char   *name,
        gsize         b,
        gsize         inputs,
        gsize         outputs)
{
  g_autofree char *full = g_strconcat (LAYER, name, ".weight", NULL);

  return linear (self, x, full, NULL, b, inputs, outputs, FALSE);
}

/* down (activation (gate x) up x) */
static double *
run_gated (const Naive  *self,
           const double *x,
           gsize         b)
{
  const Shape *s = self->shape;
  g_autofree double *gate = matrix (self, x, "mlp.gate_proj", b, s->width, s->inner);
  g_autofree double *up = matrix (self, x, "mlp.up_proj", b, s->width, s->inner);

  activate (self, gate);
  for (gsize i = 0; i < N_TOKENS * s->inner; i++)
    gate[i] *= up[i];

  return matrix (self, gate, "mlp.down_proj", b, s->inner, s->width);
}

/* Where the norms of queries and keys are: nowhere, in each head, over all heads, or in each head
 * one of its own, from which the mean is taken. */
typedef enum
{
  HEADS_PLAIN,
  HEADS_EACH,
  HEADS_ALL,
  HEADS_OWN,
} Heads;

static void
own_layer_norm (const Naive *self,
                double      *heads,
                gsize        n_heads,
                char         which,
                gsize        b)
{
  gsize d = self->shape->d;

  for (gsize h = 0; h < n_heads; h++)
    {
      g_autofree char *name = g_strdup_printf ("model.layers.%%d.self_attn.%c_layernorm.norms.%"
                                               G_GSIZE_FORMAT ".weight", which, h);
      g_autofree double *weight = get (self, name, b);

      for (gsize t = 0; t < N_TOKENS; t++)
        {
          double *head = heads + (t * n_heads + h) * d;
          double mean = 0.0, variance = 0.0;

          for (gsize i = 0; i < d; i++)
            mean += head[i] / (double) d;
          for (gsize i = 0; i < d; i++)
            variance += (head[i] - mean) * (head[i] - mean) / (double) d;
          for (gsize i = 0; i < d; i++)
            head[i] = (head[i] - mean) / sqrt (variance + self->shape->epsilon) * weight[i];
        }
    }
}

static double *
run_attention (const Naive  *self,
               const double *x,
               gsize         b,
               Heads         heads,
               double        offset)
{
  const Shape *s = self->shape;
  gsize queries = s->n_heads * s->d, keys = s->n_groups * s->d;
  g_autofree double *q = matrix (self, x, "self_attn.q_proj", b, s->width, queries);
  g_autofree double *k = matrix (self, x, "self_attn.k_proj", b, s->width, keys);
  g_autofree double *v = matrix (self, x, "self_attn.v_proj", b, s->width, keys);
  g_autofree double *mixed = NULL;
  gboolean all = heads == HEADS_ALL;

  if (heads == HEADS_OWN)
    {
      own_layer_norm (self, q, s->n_heads, 'q', b);
      own_layer_norm (self, k, s->n_groups, 'k', b);
    }
  else if (heads != HEADS_PLAIN)
    {
      head_rms_norm (self, q, all ? 1 : s->n_heads, all ? queries : s->d,
                     LAYER "self_attn.q_norm.weight", b, offset);
      head_rms_norm (self, k, all ? 1 : s->n_groups, all ? keys : s->d,
                     LAYER "self_attn.k_norm.weight", b, offset);
    }
  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_groups);
  mixed = attend (self, q, k, v);

  return matrix (self, mixed, "self_attn.o_proj", b, queries, s->width);
}

#define PLAIN_NAMES(center)                                       \
  { "model.embed_tokens.weight", 1024, 32, 0.0f },                \
  { LAYER "self_attn.q_proj.weight", 32, 32, 0.0f },              \
  { LAYER "self_attn.k_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.v_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.o_proj.weight", 32, 32, 0.0f },              \
  { LAYER "post_attention_layernorm.weight", 0, 32, center },     \
  { LAYER "mlp.gate_proj.weight", 48, 32, 0.0f },                 \
  { LAYER "mlp.up_proj.weight", 48, 32, 0.0f },                   \
  { LAYER "mlp.down_proj.weight", 32, 48, 0.0f },                 \
  { "model.norm.weight", 0, 32, center }

#define PLAIN_CONFIG                                                                         \
  "\"hidden_size\":32,\"intermediate_size\":48,\"num_attention_heads\":4,"                     \
  "\"num_key_value_heads\":2,\"vocab_size\":1024,\"max_position_embeddings\":64,"

static const Shape plain_shape = {
  .width = 32, .inner = 48, .n_blocks = 2, .n_heads = 4, .n_groups = 2, .d = 8, .rotary = 8,
  .vocabulary = 1024, .epsilon = 1e-5, .scale = 0.35355339059327376, .activation = silu,
};

static double *
run_gemma (Naive         *self,
           const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, sqrt ((double) s->width));
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *n1 = rms_norm (self, self->x, LAYER "input_layernorm.weight", b, 1);
      g_autofree double *o = run_attention (self, n1, b, HEADS_PLAIN, 0);
      g_autofree double *n2 = NULL, *y = NULL;

      add (self, o);
      n2 = rms_norm (self, self->x, LAYER "post_attention_layernorm.weight", b, 1);
      y = run_gated (self, n2, b);
      add (self, y);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 1);

  return linear (self, n, "model.embed_tokens.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static void
test_gemma (void)
{
  static const Made made[] = {
    PLAIN_NAMES (0.0f),
    { LAYER "input_layernorm.weight", 0, 32, 0.0f },
  };
  Shape shape = plain_shape;
  g_autofree char *folder
    = naive_make_folder ("gemma", "{\"architectures\":[\"GemmaForCausalLM\"]," PLAIN_CONFIG
                         "\"num_hidden_layers\":2,\"head_dim\":8,\"rms_norm_eps\":1e-5,"
                         "\"rope_theta\":10000,\"hidden_activation\":\"gelu_pytorch_tanh\"}",
                         made, G_N_ELEMENTS (made), 2);

  shape.activation = gelu_tanh;
  naive_check (folder, "gemma.gguf", &shape, run_gemma);
}

/* Every sixth block sees everything and turns slower, by a factor of 8. */
static double *
run_gemma3 (Naive         *self,
            const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, sqrt ((double) s->width));
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *n1 = rms_norm (self, self->x, LAYER "input_layernorm.weight", b, 1);
      g_autofree double *o = NULL, *p1 = NULL, *n2 = NULL, *y = NULL, *p2 = NULL;
      gboolean global = b == 5;

      self->window = global ? 0 : s->window;
      self->base = global ? 1e6 : 10000.0;
      self->stretch = global ? 8.0 : 1.0;
      o = run_attention (self, n1, b, HEADS_EACH, 1);
      p1 = rms_norm (self, o, LAYER "post_attention_layernorm.weight", b, 1);
      add (self, p1);
      n2 = rms_norm (self, self->x, LAYER "pre_feedforward_layernorm.weight", b, 1);
      y = run_gated (self, n2, b);
      p2 = rms_norm (self, y, LAYER "post_feedforward_layernorm.weight", b, 1);
      add (self, p2);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 1);

  return linear (self, n, "model.embed_tokens.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

#define GEMMA3_NAMES                                              \
  PLAIN_NAMES (0.0f),                                             \
  { LAYER "input_layernorm.weight", 0, 32, 0.0f },                \
  { LAYER "self_attn.q_norm.weight", 0, 8, 0.0f },                \
  { LAYER "self_attn.k_norm.weight", 0, 8, 0.0f },                \
  { LAYER "pre_feedforward_layernorm.weight", 0, 32, 0.0f },      \
  { LAYER "post_feedforward_layernorm.weight", 0, 32, 0.0f }

#define GEMMA3_TEXT                                                                          \
  PLAIN_CONFIG "\"num_hidden_layers\":7,\"head_dim\":8,\"rms_norm_eps\":1e-5,"                 \
  "\"sliding_window\":9,\"query_pre_attn_scalar\":8,"                                          \
  "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8.0}"

static void
test_gemma3 (void)
{
  static const Made made[] = { GEMMA3_NAMES };
  Shape shape = plain_shape;
  g_autofree char *folder
    = naive_make_folder ("gemma3", "{\"architectures\":[\"Gemma3ForCausalLM\"]," GEMMA3_TEXT "}",
                         made, G_N_ELEMENTS (made), 7);

  shape.activation = gelu_tanh;
  shape.n_blocks = 7;
  shape.window = 9;
  naive_check (folder, "gemma3.gguf", &shape, run_gemma3);
}

/* One that sees as well: its numbers are a level down, and what it sees with is left out. Older
 * files put a word before every name, newer ones after the first. */
static void
check_multimodal (const char *before,
                  const char *seen)
{
  static const Made made[] = {
    GEMMA3_NAMES,
    { "vision_tower.vision_model.embeddings.patch_embedding.weight", 3, 4, 0.0f },
    { "multi_modal_projector.mm_soft_emb_norm.weight", 0, 4, 0.0f },
  };
  Made prefixed[G_N_ELEMENTS (made)];
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = NULL, *plain = NULL;
  g_autofree float *logits = NULL, *truth = NULL;
  guint32 tokens[N_TOKENS];

  memcpy (prefixed, made, sizeof made);
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    {
      gboolean text = g_str_has_prefix (made[i].name, "model.");

      prefixed[i].name = text ? g_strconcat (before, made[i].name + strlen ("model."), NULL)
                              : g_strconcat (seen, made[i].name, NULL);
      g_ptr_array_add (names, (gpointer) prefixed[i].name);
    }
  folder = naive_make_folder ("gemma3-sees",
                              "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],"
                              "\"text_config\":{" GEMMA3_TEXT "},\"vision_config\":{}}",
                              prefixed, G_N_ELEMENTS (made), 7);
  plain = naive_make_folder ("gemma3-text", "{\"architectures\":[\"Gemma3ForCausalLM\"],"
                             GEMMA3_TEXT "}", made, G_N_ELEMENTS (made) - 2, 7);
  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = i * 13 % 1024;
  logits = naive_run_model (folder, tokens);
  truth = naive_run_model (plain, tokens);
  g_assert_cmpmem (logits, N_TOKENS * 1024 * sizeof *logits, truth,
                   N_TOKENS * 1024 * sizeof *truth);
}

static void
test_gemma3_multimodal (void)
{
  check_multimodal ("language_model.model.", "");
  check_multimodal ("model.language_model.", "model.");
}

static double *
run_olmo2 (Naive         *self,
           const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *o = run_attention (self, self->x, b, HEADS_ALL, 0);
      g_autofree double *p1 = rms_norm (self, o, LAYER "post_attention_layernorm.weight", b, 0);
      g_autofree double *y = NULL, *p2 = NULL;

      add (self, p1);
      y = run_gated (self, self->x, b);
      p2 = rms_norm (self, y, LAYER "post_feedforward_layernorm.weight", b, 0);
      add (self, p2);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 0);

  return linear (self, n, "lm_head.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static void
test_olmo2 (void)
{
  static const Made made[] = {
    PLAIN_NAMES (1.0f),
    { LAYER "self_attn.q_norm.weight", 0, 32, 1.0f },
    { LAYER "self_attn.k_norm.weight", 0, 16, 1.0f },
    { LAYER "post_feedforward_layernorm.weight", 0, 32, 1.0f },
    { "lm_head.weight", 1024, 32, 0.0f },
  };
  g_autofree char *folder
    = naive_make_folder ("olmo2", "{\"architectures\":[\"Olmo2ForCausalLM\"]," PLAIN_CONFIG
                         "\"num_hidden_layers\":2,\"rms_norm_eps\":1e-5,\"rope_theta\":10000,"
                         "\"hidden_act\":\"silu\"}", made, G_N_ELEMENTS (made), 2);

  naive_check (folder, "olmo2.gguf", &plain_shape, run_olmo2);
}

#define FALCON "transformer.h.%d."

/* The queries, the key or the value of groups of heads that lie together. */
static double *
pick (const Naive  *self,
      const double *qkv,
      char          part)
{
  const Shape *s = self->shape;
  gsize per_group = s->n_heads / s->n_groups, all = (s->n_heads + 2 * s->n_groups) * s->d;
  gsize n = part == 'q' ? per_group : 1, first = part == 'q' ? 0 : per_group + (part == 'v');
  double *y = g_new (double, N_TOKENS * s->n_groups * n * s->d);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize g = 0; g < s->n_groups; g++)
      memcpy (y + (t * s->n_groups + g) * n * s->d,
              qkv + t * all + (g * (per_group + 2) + first) * s->d, n * s->d * sizeof *y);

  return y;
}

/* Attention and feed-forward part from one stream, with one norm or each its own. */
static double *
run_falcon (Naive         *self,
            const guint32 *tokens)
{
  const Shape *s = self->shape;
  gsize all = (s->n_heads + 2 * s->n_groups) * s->d;
  g_autofree double *n = NULL;

  embed (self, "transformer.word_embeddings.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      gboolean two = s->gated;
      g_autofree double *n1 = layer_norm (self, self->x,
                                          two ? FALCON "ln_attn.weight"
                                              : FALCON "input_layernorm.weight",
                                          two ? FALCON "ln_attn.bias"
                                              : FALCON "input_layernorm.bias", b);
      g_autofree double *n2 = two ? layer_norm (self, self->x, FALCON "ln_mlp.weight",
                                                FALCON "ln_mlp.bias", b)
                                  : g_memdup2 (n1, N_TOKENS * s->width * sizeof *n1);
      g_autofree double *qkv = linear (self, n1, FALCON "self_attention.query_key_value.weight",
                                       NULL, b, s->width, all, FALSE);
      g_autofree double *q = pick (self, qkv, 'q');
      g_autofree double *k = pick (self, qkv, 'k');
      g_autofree double *v = pick (self, qkv, 'v');
      g_autofree double *mixed = NULL, *o = NULL, *up = NULL, *down = NULL;

      rotate (self, q, s->n_heads);
      rotate (self, k, s->n_groups);
      mixed = attend (self, q, k, v);
      o = linear (self, mixed, FALCON "self_attention.dense.weight", NULL, b, s->n_heads * s->d,
                  s->width, FALSE);
      up = linear (self, n2, FALCON "mlp.dense_h_to_4h.weight", NULL, b, s->width, s->inner,
                   FALSE);
      activate (self, up);
      down = linear (self, up, FALCON "mlp.dense_4h_to_h.weight", NULL, b, s->inner, s->width,
                     FALSE);
      add (self, o);
      add (self, down);
    }
  n = layer_norm (self, self->x, "transformer.ln_f.weight", "transformer.ln_f.bias", 0);

  return linear (self, n, "transformer.word_embeddings.weight", NULL, 0, s->width, s->vocabulary,
                 FALSE);
}

#define FALCON_NAMES(rows)                                                    \
  { "transformer.word_embeddings.weight", 1024, 32, 0.0f },                   \
  { FALCON "self_attention.query_key_value.weight", rows, 32, 0.0f },         \
  { FALCON "self_attention.dense.weight", 32, 32, 0.0f },                     \
  { FALCON "mlp.dense_h_to_4h.weight", 128, 32, 0.0f },                       \
  { FALCON "mlp.dense_4h_to_h.weight", 32, 128, 0.0f },                       \
  { "transformer.ln_f.weight", 0, 32, 1.0f },                                 \
  { "transformer.ln_f.bias", 0, 32, 0.0f }

#define FALCON_CONFIG                                                                        \
  "{\"architectures\":[\"FalconForCausalLM\"],\"hidden_size\":32,\"vocab_size\":1024,"         \
  "\"num_attention_heads\":4,\"num_hidden_layers\":2,\"layer_norm_epsilon\":1e-5,"             \
  "\"alibi\":false,\"parallel_attn\":true,\"bias\":false,"

static void
test_falcon (void)
{
  static const Made one[] = {
    FALCON_NAMES (48),
    { FALCON "input_layernorm.weight", 0, 32, 1.0f },
    { FALCON "input_layernorm.bias", 0, 32, 0.0f },
  };
  static const Made two[] = {
    FALCON_NAMES (64),
    { FALCON "ln_attn.weight", 0, 32, 1.0f }, { FALCON "ln_attn.bias", 0, 32, 0.0f },
    { FALCON "ln_mlp.weight", 0, 32, 1.0f }, { FALCON "ln_mlp.bias", 0, 32, 0.0f },
  };
  Shape shape = plain_shape;
  g_autofree char *old = naive_make_folder ("falcon", FALCON_CONFIG "\"multi_query\":true}", one,
                                            G_N_ELEMENTS (one), 2);
  g_autofree char *new = naive_make_folder ("falcon-new", FALCON_CONFIG
                                            "\"new_decoder_architecture\":true,"
                                            "\"num_kv_heads\":2}", two, G_N_ELEMENTS (two), 2);

  shape.inner = 128;
  shape.activation = gelu_erf;
  shape.n_groups = 1;
  naive_check (old, "falcon.gguf", &shape, run_falcon);
  shape.n_groups = 2;
  shape.gated = TRUE;
  naive_check (new, "falcon-new.gguf", &shape, run_falcon);
}

#define OPT "model.decoder.layers.%d."

static double
relu (double x)
{
  return MAX (x, 0.0);
}

static double *
biased (const Naive  *self,
        const double *x,
        const char   *name,
        gsize         b,
        gsize         inputs,
        gsize         outputs)
{
  g_autofree char *weight = g_strconcat (OPT, name, ".weight", NULL);
  g_autofree char *bias = g_strconcat (OPT, name, ".bias", NULL);

  return linear (self, x, weight, bias, b, inputs, outputs, FALSE);
}

/* The first two rows of the positions are nobody's. */
static double *
run_opt (Naive         *self,
         const guint32 *tokens)
{
  const Shape *s = self->shape;
  gsize w = s->width;
  g_autofree double *positions = get (self, "model.decoder.embed_positions.weight", 0);
  g_autofree double *n = NULL;

  embed (self, "model.decoder.embed_tokens.weight", tokens, 1.0);
  add (self, positions + 2 * w);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *n1 = layer_norm (self, self->x, OPT "self_attn_layer_norm.weight",
                                          OPT "self_attn_layer_norm.bias", b);
      g_autofree double *q = biased (self, n1, "self_attn.q_proj", b, w, w);
      g_autofree double *k = biased (self, n1, "self_attn.k_proj", b, w, w);
      g_autofree double *v = biased (self, n1, "self_attn.v_proj", b, w, w);
      g_autofree double *mixed = attend (self, q, k, v);
      g_autofree double *o = biased (self, mixed, "self_attn.out_proj", b, w, w);
      g_autofree double *n2 = NULL, *up = NULL, *down = NULL;

      add (self, o);
      n2 = layer_norm (self, self->x, OPT "final_layer_norm.weight", OPT "final_layer_norm.bias",
                       b);
      up = biased (self, n2, "fc1", b, w, s->inner);
      activate (self, up);
      down = biased (self, up, "fc2", b, s->inner, w);
      add (self, down);
    }
  n = layer_norm (self, self->x, "model.decoder.final_layer_norm.weight",
                  "model.decoder.final_layer_norm.bias", 0);

  return linear (self, n, "model.decoder.embed_tokens.weight", NULL, 0, w, s->vocabulary, FALSE);
}

#define OPT_LINEAR(name, rows, columns)                           \
  { OPT name ".weight", rows, columns, 0.0f },                    \
  { OPT name ".bias", 0, rows, 0.0f }

#define OPT_NORM(name)                                            \
  { name ".weight", 0, 32, 1.0f },                                \
  { name ".bias", 0, 32, 0.0f }

static void
test_opt (void)
{
  static const Made made[] = {
    { "model.decoder.embed_tokens.weight", 1024, 32, 0.0f },
    { "model.decoder.embed_positions.weight", 66, 32, 0.0f },
    OPT_NORM (OPT "self_attn_layer_norm"), OPT_NORM (OPT "final_layer_norm"),
    OPT_NORM ("model.decoder.final_layer_norm"),
    OPT_LINEAR ("self_attn.q_proj", 32, 32), OPT_LINEAR ("self_attn.k_proj", 32, 32),
    OPT_LINEAR ("self_attn.v_proj", 32, 32), OPT_LINEAR ("self_attn.out_proj", 32, 32),
    OPT_LINEAR ("fc1", 48, 32), OPT_LINEAR ("fc2", 32, 48),
  };
  Shape shape = plain_shape;
  g_autofree char *folder
    = naive_make_folder ("opt", "{\"architectures\":[\"OPTForCausalLM\"],\"hidden_size\":32,"
                         "\"ffn_dim\":48,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
                         "\"vocab_size\":1024,\"max_position_embeddings\":64,"
                         "\"word_embed_proj_dim\":32,\"do_layer_norm_before\":true,"
                         "\"activation_function\":\"relu\"}", made, G_N_ELEMENTS (made), 2);
  g_autofree char *path = tare_test_temporary ("opt.gguf");
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  g_autoptr(TareEngine) engine = NULL;
  g_autoptr(TareModel) model = NULL;
  g_autoptr(GError) error = NULL;

  shape.n_groups = 4;
  shape.activation = relu;
  naive_check_folder (folder, "opt", &shape, run_opt, NULL);
  model = tare_model_open (folder, &error);
  g_assert_no_error (error);
  engine = tare_engine_new (model);
  g_assert_false (tare_target_write (tare_target_lookup ("gguf"), engine, recipe, NULL, path, NULL,
                                     NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
}

/* Divisors that grow with the pair, by half or by one, and cosines and sines that are longer. */
static double *
run_longrope (Naive         *self,
              const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  self->divisor = s->parallel ? 1.0 : 0.5;
  self->magnitude = s->parallel ? sqrt (1.0 + log (4.0) / log (32.0)) : sqrt (1.0 + 1.0 / 6.0);
  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      gsize w = s->width, keys = s->n_groups * s->d, all = w + 2 * keys;
      g_autofree double *n1 = rms_norm (self, self->x, LAYER "input_layernorm.weight", b, 0);
      g_autofree double *qkv = matrix (self, n1, "self_attn.qkv_proj", b, w, all);
      g_autofree double *q = slice (qkv, all, 0, w);
      g_autofree double *k = slice (qkv, all, w, keys);
      g_autofree double *v = slice (qkv, all, w + keys, keys);
      g_autofree double *mixed = NULL, *o = NULL, *n2 = NULL, *both = NULL, *gate = NULL;
      g_autofree double *down = NULL;

      rotate (self, q, s->n_heads);
      rotate (self, k, s->n_groups);
      mixed = attend (self, q, k, v);
      o = matrix (self, mixed, "self_attn.o_proj", b, w, w);
      add (self, o);
      n2 = rms_norm (self, self->x, LAYER "post_attention_layernorm.weight", b, 0);
      both = matrix (self, n2, "mlp.gate_up_proj", b, w, 2 * s->inner);
      gate = slice (both, 2 * s->inner, 0, s->inner);
      activate (self, gate);
      for (gsize t = 0; t < N_TOKENS; t++)
        for (gsize i = 0; i < s->inner; i++)
          gate[t * s->inner + i] *= both[(2 * t + 1) * s->inner + i];
      down = matrix (self, gate, "mlp.down_proj", b, s->inner, w);
      add (self, down);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 0);

  return linear (self, n, "lm_head.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

#define LONGROPE_CONFIG                                                                      \
  "{\"architectures\":[\"Phi3ForCausalLM\"],\"hidden_size\":32,\"intermediate_size\":48,"      \
  "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"               \
  "\"vocab_size\":1024,\"max_position_embeddings\":128,\"rms_norm_eps\":1e-5,"                 \
  "\"rope_theta\":10000,\"rope_scaling\":{\"type\":\"longrope\","                               \
  "\"short_factor\":[1,1.5,2,2.5],\"long_factor\":[1,2,3,4]},"                                 \
  "\"original_max_position_embeddings\":"

/* 48 tokens are within a context of 64, and beyond one of 32. */
static void
test_longrope (void)
{
  static const Made made[] = {
    { "model.embed_tokens.weight", 1024, 32, 0.0f },
    { LAYER "input_layernorm.weight", 0, 32, 1.0f },
    { LAYER "self_attn.qkv_proj.weight", 64, 32, 0.0f },
    { LAYER "self_attn.o_proj.weight", 32, 32, 0.0f },
    { LAYER "post_attention_layernorm.weight", 0, 32, 1.0f },
    { LAYER "mlp.gate_up_proj.weight", 96, 32, 0.0f },
    { LAYER "mlp.down_proj.weight", 32, 48, 0.0f },
    { "model.norm.weight", 0, 32, 1.0f },
    { "lm_head.weight", 1024, 32, 0.0f },
  };
  Shape shape = plain_shape;
  g_autofree char *within = naive_make_folder ("longrope-short", LONGROPE_CONFIG "64}", made,
                                               G_N_ELEMENTS (made), 2);
  g_autofree char *beyond = naive_make_folder ("longrope-long", LONGROPE_CONFIG "32}", made,
                                               G_N_ELEMENTS (made), 2);

  naive_check (within, "longrope-short.gguf", &shape, run_longrope);
  shape.parallel = TRUE;
  naive_check (beyond, "longrope-long.gguf", &shape, run_longrope);
}

/* Both parts from the same stream through the same norm, queries and keys through one of each
 * head's, or none. */
static Heads stablelm_heads;

static double *
run_stablelm (Naive         *self,
              const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      g_autofree double *n1 = layer_norm (self, self->x, LAYER "input_layernorm.weight",
                                          LAYER "input_layernorm.bias", b);
      g_autofree double *o = run_attention (self, n1, b, stablelm_heads, 0);
      g_autofree double *y = run_gated (self, n1, b);

      add (self, o);
      add (self, y);
    }
  n = layer_norm (self, self->x, "model.norm.weight", "model.norm.bias", 0);

  return linear (self, n, "lm_head.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static void
test_stablelm_parallel (void)
{
  static const Made made[] = {
    { "model.embed_tokens.weight", 1024, 32, 0.0f },
    { LAYER "input_layernorm.weight", 0, 32, 1.0f },
    { LAYER "input_layernorm.bias", 0, 32, 0.0f },
    { LAYER "self_attn.q_proj.weight", 32, 32, 0.0f },
    { LAYER "self_attn.k_proj.weight", 16, 32, 0.0f },
    { LAYER "self_attn.v_proj.weight", 16, 32, 0.0f },
    { LAYER "self_attn.o_proj.weight", 32, 32, 0.0f },
    { LAYER "mlp.gate_proj.weight", 48, 32, 0.0f },
    { LAYER "mlp.up_proj.weight", 48, 32, 0.0f },
    { LAYER "mlp.down_proj.weight", 32, 48, 0.0f },
    { "model.norm.weight", 0, 32, 1.0f },
    { "model.norm.bias", 0, 32, 0.0f },
    { "lm_head.weight", 1024, 32, 0.0f },
    { LAYER "self_attn.q_layernorm.norms.0.weight", 0, 8, 1.0f },
    { LAYER "self_attn.q_layernorm.norms.1.weight", 0, 8, 1.0f },
    { LAYER "self_attn.q_layernorm.norms.2.weight", 0, 8, 1.0f },
    { LAYER "self_attn.q_layernorm.norms.3.weight", 0, 8, 1.0f },
    { LAYER "self_attn.k_layernorm.norms.0.weight", 0, 8, 1.0f },
    { LAYER "self_attn.k_layernorm.norms.1.weight", 0, 8, 1.0f },
  };
  Shape shape = plain_shape;

  shape.rotary = 4;
  for (gsize own = 0; own < 2; own++)
    {
      g_autofree char *name = g_strdup (own == 1 ? "stablelm-own" : "stablelm-parallel");
      g_autofree char *exported = g_strconcat (name, ".gguf", NULL);
      g_autofree char *folder
        = naive_make_folder (name, "{\"architectures\":[\"StableLmForCausalLM\"],"
                             PLAIN_CONFIG "\"num_hidden_layers\":2,\"partial_rotary_factor\":0.5,"
                             "\"layer_norm_eps\":1e-5,\"use_parallel_residual\":true,"
                             "\"rope_theta\":10000,\"hidden_act\":\"silu\"}",
                             made, G_N_ELEMENTS (made) - (own == 1 ? 0 : 6), 2);

      stablelm_heads = own == 1 ? HEADS_OWN : HEADS_PLAIN;
      naive_check (folder, exported, &shape, run_stablelm);
    }
}

/* What is not run says so, and opens. */
static void
test_refused (void)
{
  static const struct
  {
    const char *config;
    const char *key;
  } refused[] = {
    { FALCON_CONFIG "\"alibi\":true}", "alibi" },
    { FALCON_CONFIG "\"parallel_attn\":false}", "parallel_attn" },
    { "{\"architectures\":[\"Gemma3ForCausalLM\"]," GEMMA3_TEXT ",\"sliding_window_pattern\":4}",
      "sliding_window_pattern" },
    { "{\"architectures\":[\"Gemma3ForCausalLM\"]," GEMMA3_TEXT
      ",\"layer_types\":[\"full_attention\"]}", "layer_types" },
  };
  static const Made made[] = { { "model.norm.weight", 0, 32, 1.0f } };

  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autofree char *name = g_strdup_printf ("refused-%" G_GSIZE_FORMAT, i);
      g_autofree char *folder = naive_make_folder (name, refused[i].config, made, 1, 1);
      g_autoptr(GError) error = NULL;
      g_autoptr(TareModel) model = tare_model_open (folder, &error);

      g_assert_no_error (error);
      g_assert_false (tare_model_check_runnable (model, &error));
      g_assert_nonnull (strstr (error->message, refused[i].key));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/network-kinds/gemma", test_gemma);
  g_test_add_func ("/network-kinds/gemma3", test_gemma3);
  g_test_add_func ("/network-kinds/gemma3-multimodal", test_gemma3_multimodal);
  g_test_add_func ("/network-kinds/olmo2", test_olmo2);
  g_test_add_func ("/network-kinds/falcon", test_falcon);
  g_test_add_func ("/network-kinds/opt", test_opt);
  g_test_add_func ("/network-kinds/longrope", test_longrope);
  g_test_add_func ("/network-kinds/stablelm-parallel", test_stablelm_parallel);
  g_test_add_func ("/network-kinds/refused", test_refused);

  return g_test_run ();
}
