/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The forward pass of every architecture against formulas written down once more, in double, one
 * number after the other, from the tensors as the Hugging Face file has them: nothing of the
 * architecture table, the kernels or the order of rows is used.
 */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-safetensors.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-target.h"

#define N_TOKENS 48

typedef double (*Activation) (double x);

/* The numbers of a network, by hand. */
typedef struct
{
  gsize      width;
  gsize      inner;
  gsize      n_blocks;
  gsize      n_heads;
  gsize      n_groups;
  gsize      d;
  gsize      rotary;
  gsize      vocabulary;
  gsize      window;
  double     epsilon;
  double     scale;
  double     cap;
  Activation activation;
} Shape;

typedef struct
{
  const Shape *shape;
  GPtrArray   *tensors;
  double      *x;
  gsize        window;
} Naive;

static double
gelu_tanh (double x)
{
  return 0.5 * x * (1.0 + tanh (sqrt (2.0 / G_PI) * (x + 0.044715 * x * x * x)));
}

/* A tensor of the file, block @block's where the name has a hole. */
static double *
get (const Naive *self,
     const char  *pattern,
     gsize        block)
{
  const char *hole = strstr (pattern, "%d");
  g_autofree char *name = hole == NULL
                          ? g_strdup (pattern)
                          : g_strdup_printf ("%.*s%" G_GSIZE_FORMAT "%s", (int) (hole - pattern),
                                             pattern, block, hole + 2);

  for (guint i = 0; i < self->tensors->len; i++)
    {
      const TareTensor *tensor = g_ptr_array_index (self->tensors, i);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *values = NULL;
      double *result;

      if (strcmp (tensor->name, name) != 0)
        continue;
      values = g_new (float, n);
      result = g_new (double, n);
      g_assert_true (tare_tensor_read (tensor, values, NULL));
      for (gsize j = 0; j < n; j++)
        result[j] = (double) values[j];
      return result;
    }

  g_error ("no tensor %s", name);
}

/* x W' of the file's outputs x inputs, or x W of its inputs x outputs. */
static double *
linear (const Naive  *self,
        const double *x,
        const char   *name,
        const char   *bias_name,
        gsize         block,
        gsize         inputs,
        gsize         outputs,
        gboolean      transposed)
{
  g_autofree double *weight = get (self, name, block);
  g_autofree double *bias = bias_name != NULL ? get (self, bias_name, block) : NULL;
  double *y = g_new (double, N_TOKENS * outputs);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize o = 0; o < outputs; o++)
      {
        double sum = bias != NULL ? bias[o] : 0.0;

        for (gsize i = 0; i < inputs; i++)
          sum += x[t * inputs + i] * weight[transposed ? i * outputs + o : o * inputs + i];
        y[t * outputs + o] = sum;
      }

  return y;
}

/* x / rms (x) (offset + w) */
static double *
rms_norm (const Naive  *self,
          const double *x,
          const char   *name,
          gsize         block,
          double        offset)
{
  g_autofree double *weight = get (self, name, block);
  gsize n = self->shape->width;
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    {
      double mean = 0.0;

      for (gsize i = 0; i < n; i++)
        mean += x[t * n + i] * x[t * n + i] / (double) n;
      for (gsize i = 0; i < n; i++)
        y[t * n + i] = x[t * n + i] / sqrt (mean + self->shape->epsilon) * (offset + weight[i]);
    }

  return y;
}

/* (x - mean) / deviation w + b */
static double *
layer_norm (const Naive  *self,
            const double *x,
            const char   *weight_name,
            const char   *bias_name,
            gsize         block)
{
  g_autofree double *weight = get (self, weight_name, block);
  g_autofree double *bias = get (self, bias_name, block);
  gsize n = self->shape->width;
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    {
      double mean = 0.0, variance = 0.0;

      for (gsize i = 0; i < n; i++)
        mean += x[t * n + i] / (double) n;
      for (gsize i = 0; i < n; i++)
        variance += (x[t * n + i] - mean) * (x[t * n + i] - mean) / (double) n;
      for (gsize i = 0; i < n; i++)
        y[t * n + i] = (x[t * n + i] - mean) / sqrt (variance + self->shape->epsilon) * weight[i]
                       + bias[i];
    }

  return y;
}

/* Some columns of rows. */
static double *
slice (const double *x,
       gsize         columns,
       gsize         first,
       gsize         n)
{
  double *y = g_new (double, N_TOKENS * n);

  for (gsize t = 0; t < N_TOKENS; t++)
    memcpy (y + t * n, x + t * columns + first, n * sizeof *y);

  return y;
}

/* Pairs half of the rotating part apart, base 10000. */
static void
rotate (const Naive *self,
        double      *heads,
        gsize        n_heads)
{
  gsize d = self->shape->d, r = self->shape->rotary;

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize h = 0; h < n_heads; h++)
      for (gsize i = 0; i < r / 2; i++)
        {
          double angle = (double) t * pow (10000.0, -2.0 * (double) i / (double) r);
          double *a = heads + (t * n_heads + h) * d + i;
          double *b = a + r / 2;
          double x = *a, y = *b;

          *a = x * cos (angle) - y * sin (angle);
          *b = x * sin (angle) + y * cos (angle);
        }
}

/* N_TOKENS x n_heads d of queries, as many of the groups' keys and values. */
static double *
attend (const Naive  *self,
        const double *q,
        const double *k,
        const double *v)
{
  const Shape *s = self->shape;
  double *y = g_new0 (double, N_TOKENS * s->n_heads * s->d);

  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize h = 0; h < s->n_heads; h++)
      {
        gsize g = h * s->n_groups / s->n_heads;
        double weights[N_TOKENS] = { 0.0 }, sum = 0.0;

        for (gsize j = 0; j <= t; j++)
          {
            double score = 0.0;

            if (self->window > 0 && t - j >= self->window)
              continue;
            for (gsize i = 0; i < s->d; i++)
              score += q[(t * s->n_heads + h) * s->d + i] * k[(j * s->n_groups + g) * s->d + i];
            score *= s->scale;
            weights[j] = exp (s->cap > 0.0 ? s->cap * tanh (score / s->cap) : score);
            sum += weights[j];
          }
        for (gsize j = 0; j <= t; j++)
          for (gsize i = 0; i < s->d; i++)
            y[(t * s->n_heads + h) * s->d + i] += weights[j] / sum
                                                  * v[(j * s->n_groups + g) * s->d + i];
      }

  return y;
}

static void
add (const Naive  *self,
     const double *y)
{
  for (gsize i = 0; i < N_TOKENS * self->shape->width; i++)
    self->x[i] += y[i];
}

static void
activate (const Naive *self,
          double      *x)
{
  for (gsize i = 0; i < N_TOKENS * self->shape->inner; i++)
    x[i] = self->shape->activation (x[i]);
}

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

/* The rows of the tokens, times @factor. */
static void
embed (Naive         *self,
       const char    *name,
       const guint32 *tokens,
       double         factor)
{
  g_autofree double *table = get (self, name, 0);
  gsize width = self->shape->width;

  self->x = g_new (double, N_TOKENS * width);
  for (gsize t = 0; t < N_TOKENS; t++)
    for (gsize i = 0; i < width; i++)
      self->x[t * width + i] = table[tokens[t] * width + i] * factor;
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

static float *
run_model (const char    *path,
           const guint32 *tokens)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareNetwork) network = NULL;
  float *logits;

  g_assert_no_error (error);
  network = tare_network_new (model, &error);
  g_assert_no_error (error);
  logits = g_new (float, N_TOKENS * tare_network_get_config (network)->vocabulary);
  tare_network_run (network, &tare_weights_of_file, tokens, N_TOKENS, logits, NULL, &error);
  g_assert_no_error (error);

  return logits;
}

/* Through the exporter, and back from its file. */
static float *
run_exported (const char    *folder,
              const char    *name,
              const guint32 *tokens)
{
  g_autofree char *path = tare_test_temporary (name);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  tare_target_lookup ("gguf")->write (engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);

  return run_model (path, tokens);
}

/* Folder, export and formulas agree. */
static void
check (const char  *folder,
       const char  *name,
       const Shape *shape,
       double    *(*run) (Naive         *self,
                          const guint32 *tokens))
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  g_autoptr(TareFile) file = tare_file_open (path, NULL);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  Naive naive = { .shape = shape, .tensors = tensors };
  gsize n = N_TOKENS * shape->vocabulary;
  g_autofree float *rounded = g_new (float, n);
  g_autofree double *truth = NULL;
  g_autofree float *logits = NULL, *exported = NULL;
  guint32 tokens[N_TOKENS];

  g_assert_true (tare_safetensors_read (file, tensors, NULL));
  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = (i * 37 + 11) % (guint32) shape->vocabulary;

  truth = run (&naive, tokens);
  for (gsize i = 0; i < n; i++)
    rounded[i] = (float) truth[i];
  logits = run_model (folder, tokens);
  exported = run_exported (folder, name, tokens);
  g_test_message ("%s: %.3g", name, tare_test_difference (logits, rounded, n));
  g_assert_cmpfloat (tare_test_difference (logits, rounded, n), <, 1e-5);
  g_assert_cmpmem (logits, n * sizeof *logits, exported, n * sizeof *exported);
  g_free (naive.x);
}

static void
test_gemma2 (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/gemma2-random")

  check (folder, "gemma2.gguf", &gemma2_shape, run_gemma2);
}

static void
test_gpt2 (void)
{
  TARE_TEST_NEED_SHARED (folder, "models/gpt2-random")

  check (folder, "gpt2.gguf", &gpt2_shape, run_gpt2);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/network-naive/gemma2", test_gemma2);
  g_test_add_func ("/network-naive/gpt2", test_gpt2);

  return g_test_run ();
}
