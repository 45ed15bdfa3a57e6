/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Networks with experts against formulas: every expert is computed for every token, in double, and
 * what a token is not routed to counts nothing.
 */
#include "tests/tare-test.h"

#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-engine.h"
#include "quant/recipe/tare-target.h"
#include "quant/tare-error.h"
#include "tests/quant/naive.h"

#define LAYER     "model.layers.%d."
#define N_EXPERTS 4
#define N_USED    2

/* What the experts are called, and what is particular about them and what is around them. */
typedef struct
{
  const char *router;
  const char *prefix;
  const char *gate;
  const char *up;
  const char *down;
  gboolean    stacked;
  gboolean    normalises;
  gboolean    shared;
  gboolean    biased;
  gboolean    head_norm;
} Kind;

static const Kind mixtral = {
  .router = LAYER "block_sparse_moe.gate.weight", .prefix = LAYER "block_sparse_moe.experts.",
  .gate = "w1", .up = "w3", .down = "w2", .normalises = TRUE,
};

static const Kind qwen2moe = {
  .router = LAYER "mlp.gate.weight", .prefix = LAYER "mlp.experts.", .gate = "gate_proj",
  .up = "up_proj", .down = "down_proj", .shared = TRUE, .biased = TRUE,
};

static const Kind qwen3moe = {
  .router = LAYER "mlp.gate.weight", .prefix = LAYER "mlp.experts.", .gate = "gate_proj",
  .up = "up_proj", .down = "down_proj", .normalises = TRUE, .head_norm = TRUE,
};

static const Kind stacked = {
  .router = LAYER "mlp.gate.weight", .prefix = LAYER "mlp.experts.", .stacked = TRUE,
  .head_norm = TRUE,
};

/* Of the test that runs. */
static const Kind *kind;

static double *
project (const Naive  *self,
         const double *x,
         gsize         b,
         const char   *which,
         gsize         outputs)
{
  g_autofree char *name = g_strconcat (LAYER "self_attn.", which, "_proj.weight", NULL);
  g_autofree char *bias = g_strconcat (LAYER "self_attn.", which, "_proj.bias", NULL);

  return linear (self, x, name, kind->biased ? bias : NULL, b, self->shape->width, outputs, FALSE);
}

static void
run_attention (const Naive *self,
               gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = rms_norm (self, self->x, LAYER "input_layernorm.weight", b, 0);
  g_autofree double *q = project (self, n, b, "q", s->n_heads * s->d);
  g_autofree double *k = project (self, n, b, "k", s->n_groups * s->d);
  g_autofree double *v = project (self, n, b, "v", s->n_groups * s->d);
  g_autofree double *mixed = NULL, *o = NULL;

  if (kind->head_norm)
    {
      head_rms_norm (self, q, s->n_heads, s->d, LAYER "self_attn.q_norm.weight", b, 0);
      head_rms_norm (self, k, s->n_groups, s->d, LAYER "self_attn.k_norm.weight", b, 0);
    }
  rotate (self, q, s->n_heads);
  rotate (self, k, s->n_groups);
  mixed = attend (self, q, k, v);
  o = linear (self, mixed, LAYER "self_attn.o_proj.weight", NULL, b, s->n_heads * s->d, s->width,
              FALSE);
  add (self, o);
}

/* x times rows @first to @first + @outputs of a matrix of the file, all of them experts x rows. */
static double *
multiply_part (const double *x,
               const double *weight,
               gsize         first,
               gsize         inputs,
               gsize         outputs)
{
  double *y = g_new0 (double, N_TOKENS * outputs);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize o = 0; o < outputs; o++)
      for (gsize i = 0; i < inputs; i++)
        y[t * outputs + o] += x[t * inputs + i] * weight[(first + o) * inputs + i];

  return y;
}

/* The matrix of an expert times x: one of a tensor of its own, or from row @first of its part. */
static double *
run_matrix (const Naive  *self,
            const double *x,
            gsize         b,
            gsize         expert,
            const char   *which,
            gsize         first,
            gsize         inputs,
            gsize         outputs)
{
  g_autofree char *name = NULL, *whole = NULL;
  g_autofree double *weight = NULL;

  if (!kind->stacked)
    {
      name = g_strdup_printf ("%" G_GSIZE_FORMAT ".%s.weight", expert, which);
      whole = g_strconcat (kind->prefix, name, NULL);
      return linear (self, x, whole, NULL, b, inputs, outputs, FALSE);
    }

  weight = get (self, first == G_MAXSIZE ? LAYER "mlp.experts.down_proj"
                                         : LAYER "mlp.experts.gate_up_proj", b);
  if (first == G_MAXSIZE)
    return multiply_part (x, weight, expert * outputs, inputs, outputs);

  return multiply_part (x, weight, expert * 2 * outputs + first, inputs, outputs);
}

static double *
run_expert (const Naive  *self,
            const double *x,
            gsize         b,
            gsize         expert)
{
  const Shape *s = self->shape;
  g_autofree double *gate = run_matrix (self, x, b, expert, kind->gate, 0, s->width, s->inner);
  g_autofree double *up = run_matrix (self, x, b, expert, kind->up, s->inner, s->width, s->inner);

  for (gsize i = 0; i < N_TOKENS * s->inner; i++)
    gate[i] = silu (gate[i]) * up[i];

  return run_matrix (self, gate, b, expert, kind->down, G_MAXSIZE, s->inner, s->width);
}

/* Of one token: the softmax of all, but for the largest two nothing, and those to 1 or not. */
static void
share_out (const double *scores,
           double       *shares)
{
  double sum = 0.0, kept = 0.0;

  for (gsize e = 0; e < N_EXPERTS; e++)
    sum += exp (scores[e]);
  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      gsize better = 0;

      for (gsize i = 0; i < N_EXPERTS; i++)
        better += scores[i] > scores[e];
      shares[e] = better < N_USED ? exp (scores[e]) / sum : 0.0;
      kept += shares[e];
    }
  for (gsize e = 0; kind->normalises && e < N_EXPERTS; e++)
    shares[e] /= kept;
}

#define SHARED_INNER 40

static void
add_shared (const Naive  *self,
            const double *x,
            gsize         b)
{
  const Shape *s = self->shape;
  g_autofree double *open = linear (self, x, LAYER "mlp.shared_expert_gate.weight", NULL, b,
                                    s->width, 1, FALSE);
  g_autofree double *gate = linear (self, x, LAYER "mlp.shared_expert.gate_proj.weight", NULL, b,
                                    s->width, SHARED_INNER, FALSE);
  g_autofree double *up = linear (self, x, LAYER "mlp.shared_expert.up_proj.weight", NULL, b,
                                  s->width, SHARED_INNER, FALSE);
  g_autofree double *y = NULL;

  for (gsize i = 0; i < N_TOKENS * SHARED_INNER; i++)
    gate[i] = silu (gate[i]) * up[i];
  y = linear (self, gate, LAYER "mlp.shared_expert.down_proj.weight", NULL, b, SHARED_INNER,
              s->width, FALSE);
  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize i = 0; i < s->width; i++)
      self->x[t * s->width + i] += y[t * s->width + i] / (1.0 + exp (-open[t]));
}

static void
run_experts (const Naive *self,
             gsize        b)
{
  const Shape *s = self->shape;
  g_autofree double *n = rms_norm (self, self->x, LAYER "post_attention_layernorm.weight", b, 0);
  g_autofree double *scores = linear (self, n, kind->router, NULL, b, s->width, N_EXPERTS, FALSE);
  g_autofree double *shares = g_new (double, N_TOKENS * N_EXPERTS);

  for (gsize t = 0; t < N_TOKENS; t++)
    share_out (scores + t * N_EXPERTS, shares + t * N_EXPERTS);
  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      g_autofree double *y = run_expert (self, n, b, e);

      for (gsize t = 0; t < N_TOKENS; t++)
        for (gsize i = 0; i < s->width; i++)
          self->x[t * s->width + i] += shares[t * N_EXPERTS + e] * y[t * s->width + i];
    }
  if (kind->shared)
    add_shared (self, n, b);
}

static double *
run (Naive         *self,
     const guint32 *tokens)
{
  const Shape *s = self->shape;
  g_autofree double *n = NULL;

  embed (self, "model.embed_tokens.weight", tokens, 1.0);
  for (gsize b = 0; b < s->n_blocks; b++)
    {
      run_attention (self, b);
      run_experts (self, b);
    }
  n = rms_norm (self, self->x, "model.norm.weight", 0, 0);

  return linear (self, n, "lm_head.weight", NULL, 0, s->width, s->vocabulary, FALSE);
}

static const Shape shape = {
  .width = 32, .inner = 32, .n_blocks = 2, .n_heads = 2, .n_groups = 1, .d = 16, .rotary = 16,
  .vocabulary = 1024, .epsilon = 1e-5, .scale = 0.25, .activation = silu,
};

#define NAMES                                                     \
  { "model.embed_tokens.weight", 1024, 32, 0.0f },                \
  { LAYER "input_layernorm.weight", 0, 32, 1.0f },                \
  { LAYER "self_attn.q_proj.weight", 32, 32, 0.0f },              \
  { LAYER "self_attn.k_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.v_proj.weight", 16, 32, 0.0f },              \
  { LAYER "self_attn.o_proj.weight", 32, 32, 0.0f },              \
  { LAYER "post_attention_layernorm.weight", 0, 32, 1.0f },       \
  { "model.norm.weight", 0, 32, 1.0f },                           \
  { "lm_head.weight", 1024, 32, 0.0f }

#define BIASES                                                    \
  { LAYER "self_attn.q_proj.bias", 0, 32, 0.0f },                 \
  { LAYER "self_attn.k_proj.bias", 0, 16, 0.0f },                 \
  { LAYER "self_attn.v_proj.bias", 0, 16, 0.0f }

#define HEAD_NORMS                                                \
  { LAYER "self_attn.q_norm.weight", 0, 16, 1.0f },               \
  { LAYER "self_attn.k_norm.weight", 0, 16, 1.0f }

#define EXPERT(prefix, e, gate, up, down)                         \
  { prefix #e "." gate ".weight", 32, 32, 0.0f },                 \
  { prefix #e "." up ".weight", 32, 32, 0.0f },                   \
  { prefix #e "." down ".weight", 32, 32, 0.0f }

#define ALL_EXPERTS(prefix, gate, up, down)                                                  \
  EXPERT (prefix, 0, gate, up, down), EXPERT (prefix, 1, gate, up, down),                    \
  EXPERT (prefix, 2, gate, up, down), EXPERT (prefix, 3, gate, up, down)

#define QWEN_EXPERTS                                              \
  { LAYER "mlp.gate.weight", 4, 32, 0.0f },                       \
  ALL_EXPERTS (LAYER "mlp.experts.", "gate_proj", "up_proj", "down_proj")

#define CONFIG                                                                               \
  "\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,"                      \
  "\"num_key_value_heads\":1,\"vocab_size\":1024,\"max_position_embeddings\":64,"              \
  "\"rms_norm_eps\":1e-5,\"rope_theta\":10000,\"num_experts_per_tok\":2,"                      \
  "\"tie_word_embeddings\":false,"

static const Made mixtral_made[] = {
  NAMES,
  { LAYER "block_sparse_moe.gate.weight", 4, 32, 0.0f },
  ALL_EXPERTS (LAYER "block_sparse_moe.experts.", "w1", "w3", "w2"),
};

static char *
make_mixtral (void)
{
  return naive_make_folder ("mixtral", "{\"architectures\":[\"MixtralForCausalLM\"]," CONFIG
                            "\"intermediate_size\":32,\"num_local_experts\":4}", mixtral_made,
                            G_N_ELEMENTS (mixtral_made), 2);
}

static void
test_mixtral (void)
{
  g_autofree char *folder = make_mixtral ();

  kind = &mixtral;
  naive_check (folder, "mixtral.gguf", &shape, run);
}

static void
test_qwen2moe (void)
{
  static const Made made[] = {
    NAMES, BIASES, QWEN_EXPERTS,
    { LAYER "mlp.shared_expert_gate.weight", 1, 32, 0.0f },
    { LAYER "mlp.shared_expert.gate_proj.weight", 40, 32, 0.0f },
    { LAYER "mlp.shared_expert.up_proj.weight", 40, 32, 0.0f },
    { LAYER "mlp.shared_expert.down_proj.weight", 32, 40, 0.0f },
  };
  Kind normalised = qwen2moe;
  g_autofree char *folder
    = naive_make_folder ("qwen2moe", "{\"architectures\":[\"Qwen2MoeForCausalLM\"]," CONFIG
                         "\"num_experts\":4,\"intermediate_size\":48,\"moe_intermediate_size\":32,"
                         "\"shared_expert_intermediate_size\":40,\"mlp_only_layers\":[]}", made,
                         G_N_ELEMENTS (made), 2);
  g_autofree char *other
    = naive_make_folder ("qwen2moe-norm", "{\"architectures\":[\"Qwen2MoeForCausalLM\"]," CONFIG
                         "\"num_experts\":4,\"intermediate_size\":48,\"moe_intermediate_size\":32,"
                         "\"shared_expert_intermediate_size\":40,\"norm_topk_prob\":true}", made,
                         G_N_ELEMENTS (made), 2);

  kind = &qwen2moe;
  naive_check (folder, "qwen2moe.gguf", &shape, run);
  normalised.normalises = TRUE;
  kind = &normalised;
  naive_check (other, "qwen2moe-norm.gguf", &shape, run);
}

#define QWEN3_CONFIG                                                                         \
  "{\"architectures\":[\"Qwen3MoeForCausalLM\"]," CONFIG "\"num_experts\":4,"                  \
  "\"intermediate_size\":48,\"moe_intermediate_size\":32,\"head_dim\":16"

static void
test_qwen3moe (void)
{
  static const Made made[] = { NAMES, HEAD_NORMS, QWEN_EXPERTS };
  g_autofree char *folder = naive_make_folder ("qwen3moe",
                                               QWEN3_CONFIG ",\"norm_topk_prob\":true}", made,
                                               G_N_ELEMENTS (made), 2);

  kind = &qwen3moe;
  naive_check (folder, "qwen3moe.gguf", &shape, run);
}

/* Gates over ups of one expert after the other in one tensor, without ".weight". */
static void
test_stacked (void)
{
  static const Made made[] = {
    NAMES, HEAD_NORMS,
    { LAYER "mlp.gate.weight", 4, 32, 0.0f },
    { LAYER "mlp.experts.gate_up_proj", 64, 32, 0.0f, 4 },
    { LAYER "mlp.experts.down_proj", 32, 32, 0.0f, 4 },
  };
  g_autofree char *folder = naive_make_folder ("stacked", QWEN3_CONFIG "}", made,
                                               G_N_ELEMENTS (made), 2);

  kind = &stacked;
  naive_check (folder, "stacked.gguf", &shape, run);
}

static float *
run_weights (TareModel         *model,
             const TareWeights *weights,
             guint64            expert_bytes)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  float *logits = g_new (float, N_TOKENS * shape.vocabulary);
  guint32 tokens[N_TOKENS];

  g_assert_no_error (error);
  tare_network_set_expert_bytes (network, expert_bytes);
  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = (i * 37 + 11) % (guint32) shape.vocabulary;
  tare_network_run (network, weights, tokens, N_TOKENS, logits, NULL, &error);
  g_assert_no_error (error);

  return logits;
}

/* A recipe that names GGUF's tensors fits, and what is weighed is what is written; whether experts
 * are all there at once makes no difference. */
static void
test_recipe (void)
{
  const TareAssignment eight = { .format = tare_format_lookup ("q8_0") };
  g_autofree char *folder = make_mixtral ();
  g_autofree char *path = tare_test_temporary ("mixtral-q8_0.gguf");
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) recipe = tare_recipe_with_rule (none, "blk.*_exps.weight", &eight);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareModel) written = NULL;
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  TareRecipeWeights *weights = tare_recipe_weights_new (engine, recipe, NULL);
  gsize n = N_TOKENS * shape.vocabulary;
  g_autofree float *kept = NULL, *weighed = NULL, *streamed = NULL, *read = NULL;

  g_assert_no_error (error);
  kept = run_weights (model, &tare_weights_of_file, 0);
  weighed = run_weights (model, &weights->weights, 1 << 30);
  streamed = run_weights (model, &weights->weights, 0);
  tare_target_write (tare_target_lookup ("gguf"), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);
  written = tare_model_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (tare_model_lookup (written, "blk.1.ffn_down_exps.weight")->type_name, ==,
                   "Q8_0");
  read = run_weights (written, &tare_weights_of_file, 0);

  g_assert_cmpmem (weighed, n * sizeof *weighed, streamed, n * sizeof *streamed);
  g_assert_cmpmem (weighed, n * sizeof *weighed, read, n * sizeof *read);
  g_assert_cmpfloat (tare_test_difference (weighed, kept, n), >, 1e-5);
  g_assert_cmpfloat (tare_test_difference (weighed, kept, n), <, 0.05);
  tare_recipe_weights_free (weights);
}

/* Rows of one expert of @tensor, as they are stored. */
static void
append_expert (GByteArray       *bytes,
               const TareTensor *tensor,
               gsize             expert)
{
  gsize rows = tensor->rows / N_EXPERTS;
  gsize n = (gsize) tensor->bytes / N_EXPERTS;
  gsize length = bytes->len;

  g_byte_array_set_size (bytes, (guint) (length + n));
  tare_tensor_copy_rows (tensor, expert * rows, rows, bytes->data + length);
}

static const TareTensor *
find_tensor (GPtrArray  *tensors,
             const char *role,
             int         block)
{
  g_autofree char *name = g_strdup_printf ("blk.%d.%s.weight", block, role);

  for (guint i = 0; i < tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);

      if (strcmp (tensor->name, name) == 0)
        return tensor;
    }

  return NULL;
}

static void
plan_joined (TareGgufWriter   *writer,
             const TareTensor *tensor,
             gboolean          gates)
{
  g_autofree char *name = gates ? g_strdup_printf ("blk.%d.ffn_gate_up_exps.weight", tensor->block)
                                : g_strdup (tensor->name);
  guint64 sizes[TARE_TENSOR_MAX_DIMENSIONS];

  memcpy (sizes, tensor->shape, sizeof sizes);
  sizes[1] *= gates ? 2 : 1;
  g_assert_true (tare_gguf_writer_add (writer, name, tensor->format->ggml_type,
                                       tensor->n_dimensions, sizes, NULL));
}

/* Writes a model again with the gates of all experts over their ups in one tensor of each block. */
static void
join_gates (TareFile   *file,
            const char *path)
{
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(TareGgufWriter) writer = NULL;

  g_assert_true (tare_gguf_read (file, tensors, &metadata, NULL));
  writer = tare_gguf_writer_new (path, metadata, NULL);
  for (guint i = tensors->len; i-- > 0;)
    if (strstr (((TareTensor *) g_ptr_array_index (tensors, i))->name, "ffn_up_exps") == NULL)
      plan_joined (writer, g_ptr_array_index (tensors, i),
                   strstr (((TareTensor *) g_ptr_array_index (tensors, i))->name,
                           "ffn_gate_exps") != NULL);

  for (guint i = tensors->len; i-- > 0;)
    {
      const TareTensor *tensor = g_ptr_array_index (tensors, i);
      gboolean gates = strstr (tensor->name, "ffn_gate_exps") != NULL;
      g_autoptr(GByteArray) bytes = g_byte_array_new ();

      for (gsize e = 0; gates && e < N_EXPERTS; e++)
        {
          append_expert (bytes, tensor, e);
          append_expert (bytes, find_tensor (tensors, "ffn_up_exps", tensor->block), e);
        }
      if (!gates)
        {
          g_byte_array_set_size (bytes, (guint) tensor->bytes);
          tare_tensor_copy_rows (tensor, 0, tensor->rows, bytes->data);
        }
      if (strstr (tensor->name, "ffn_up_exps") == NULL)
        g_assert_true (tare_gguf_writer_write (writer, bytes->data, bytes->len, NULL));
    }
  g_assert_nonnull (tare_gguf_writer_finish (writer, NULL));
  g_assert_true (tare_gguf_writer_commit (writer, NULL));
}

/* Some GGUF files have gates over ups, in blocks of numbers as well: it is the same model. */
static void
test_joined (void)
{
  const TareAssignment eight = { .format = tare_format_lookup ("q8_0") };
  g_autofree char *folder = make_mixtral ();
  g_autofree char *path = tare_test_temporary ("apart.gguf");
  g_autofree char *other = tare_test_temporary ("joined.gguf");
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(TareRecipe) recipe = tare_recipe_with_rule (none, "blk.*_exps.weight", &eight);
  g_autoptr(TareModel) model = tare_model_open (folder, NULL);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareModel) apart = NULL, joined = NULL;
  g_autoptr(TareFile) file = NULL;
  g_autoptr(GError) error = NULL;
  gsize n = N_TOKENS * shape.vocabulary;
  g_autofree float *truth = NULL, *found = NULL;

  tare_target_write (tare_target_lookup ("gguf"), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);
  file = tare_file_open (path, NULL);
  join_gates (file, other);
  apart = tare_model_open (path, NULL);
  joined = tare_model_open (other, &error);
  g_assert_no_error (error);
  tare_model_check_runnable (joined, &error);
  g_assert_no_error (error);

  g_assert_cmpuint (tare_model_get_n_tensors (joined), ==, tare_model_get_n_tensors (apart));
  g_assert_cmpstr (tare_model_lookup (joined, "blk.1.ffn_up_exps.weight")->name, ==,
                   "blk.1.ffn_gate_up_exps.weight");
  truth = run_weights (apart, &tare_weights_of_file, 0);
  found = run_weights (joined, &tare_weights_of_file, 0);
  g_assert_cmpmem (truth, n * sizeof *truth, found, n * sizeof *found);
}

/* How many tokens went to each expert. */
#define LENGTH 2000

typedef struct
{
  gsize gate[N_EXPERTS];
  gsize down[N_EXPERTS];
  guint positions[LENGTH];
} Counted;

static void
count (const TareTensor *tensor,
       gsize             expert,
       const float      *x,
       const guint32    *tokens,
       gsize             n_tokens,
       gsize             columns,
       gpointer          data)
{
  Counted *counted = data;

  g_assert_cmpuint (columns, ==, tensor->columns);
  if (g_str_equal (tensor->role->id, "ffn_gate_exps"))
    {
      counted->gate[expert] += n_tokens;
      for (gsize i = 0; i < n_tokens; i++)
        {
          g_assert_true (i == 0 || tokens[i] > tokens[i - 1]);
          counted->positions[tokens[i] % LENGTH]++;
        }
    }
  else if (g_str_equal (tensor->role->id, "ffn_down_exps"))
    counted->down[expert] += n_tokens;
  else
    g_assert_cmpuint (expert, ==, 0);
}

static void
test_observer (void)
{
  g_autofree char *folder = make_mixtral ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareNetwork) network = tare_network_new (model, &error);
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 1, &error);
  Counted counted = { { 0 } };
  const TareObserver observer = { .observe = count, .data = &counted };
  gsize n_tokens = 3 * LENGTH, routed = 0;
  g_autofree float *x = g_new (float, n_tokens * shape.width);

  g_assert_no_error (error);
  tare_test_fill_gaussian (x, n_tokens * shape.width, 7);
  tare_network_run_block (network, block, x, 3, LENGTH, &observer, NULL, &error);
  g_assert_no_error (error);
  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      g_assert_cmpuint (counted.gate[e], ==, counted.down[e]);
      g_assert_cmpuint (counted.gate[e], >, 0);
      routed += counted.gate[e];
    }
  g_assert_cmpuint (routed, ==, n_tokens * N_USED);
  for (gsize p = 0; p < LENGTH; p++)
    g_assert_cmpuint (counted.positions[p], ==, 3 * N_USED);
}

/* The tensors that a person sees: GGUF's, whatever the file's. */
static void
test_tensors (void)
{
  g_autofree char *folder = make_mixtral ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  const TareTensor *tensor;
  g_autofree float *all = g_new (float, 4 * 32 * 32), *some = g_new (float, 40 * 32);

  g_assert_no_error (error);
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 3 + 2 * 10);
  tensor = tare_model_lookup (model, "blk.1.ffn_up_exps.weight");
  g_assert_cmpstr (tensor->name, ==, "model.layers.1.block_sparse_moe.experts.*.w3.weight");
  g_assert_cmpuint (tensor->n_dimensions, ==, 3);
  g_assert_cmpuint (tare_tensor_get_n_matrices (tensor), ==, 4);
  g_assert_cmpuint (tensor->rows, ==, 4 * 32);
  g_assert_cmpuint (tensor->columns, ==, 32);
  g_assert_cmpuint (tensor->bytes, ==, 4 * 32 * 32 * sizeof (float));

  /* Across slices as within. */
  g_assert_true (tare_tensor_read (tensor, all, NULL));
  g_assert_true (tare_tensor_read_rows (tensor, 30, 40, some, NULL));
  g_assert_cmpmem (some, 40 * 32 * sizeof *some, all + 30 * 32, 40 * 32 * sizeof *all);
  tare_tensor_copy_rows (tensor, 30, 40, (guint8 *) some);
  g_assert_cmpmem (some, 40 * 32 * sizeof *some, all + 30 * 32, 40 * 32 * sizeof *all);
  tare_tensor_release_rows (tensor, 30, 40);
  g_assert_true (tare_tensor_read_rows (tensor, 96, 32, some, NULL));
  g_assert_cmpmem (some, 32 * 32 * sizeof *some, all + 96 * 32, 32 * 32 * sizeof *all);
}

/* A matrix that is missing, or unlike the others, leaves the model open to be looked at. */
static void
test_incomplete (void)
{
  Made made[G_N_ELEMENTS (mixtral_made)];
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = NULL;
  g_autofree char *folder = NULL;

  memcpy (made, mixtral_made, sizeof made);
  made[G_N_ELEMENTS (made) - 1].columns = 31;
  folder = naive_make_folder ("incomplete", "{\"architectures\":[\"MixtralForCausalLM\"]," CONFIG
                              "\"intermediate_size\":32,\"num_local_experts\":4}", made,
                              G_N_ELEMENTS (made), 2);
  model = tare_model_open (folder, &error);
  g_assert_no_error (error);
  g_assert_nonnull (tare_model_lookup (model,
                                       "model.layers.0.block_sparse_moe.experts.3.w2.weight"));
  g_assert_false (tare_model_check_runnable (model, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "blk.0.ffn_down_exps.weight"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/network-experts/mixtral", test_mixtral);
  g_test_add_func ("/network-experts/qwen2moe", test_qwen2moe);
  g_test_add_func ("/network-experts/qwen3moe", test_qwen3moe);
  g_test_add_func ("/network-experts/stacked", test_stacked);
  g_test_add_func ("/network-experts/recipe", test_recipe);
  g_test_add_func ("/network-experts/joined", test_joined);
  g_test_add_func ("/network-experts/observer", test_observer);
  g_test_add_func ("/network-experts/tensors", test_tensors);
  g_test_add_func ("/network-experts/incomplete", test_incomplete);

  return g_test_run ();
}
