/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The forward pass against the same matrix products alone: one block of the shape of a model of a
 * billion weights with random ones, and one of a width of 4096, with 512 and with 2048 tokens; and
 * a whole evaluation of the sample.
 */
#include "tests/bench/bench.h"

#include <cblas.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/evaluation/tare-evaluator.h"
#include "config.h"

/* The shape of Llama 3.2 1B but for the vocabulary; @quick takes an eighth of everything. */
typedef struct
{
  guint width;
  guint n_heads;
  guint n_key_value_heads;
  guint head_width;
  guint feed_forward_width;
  guint vocabulary;
} Shape;

static const Shape full_shape = { 2048, 32, 8, 64, 8192, 4096 };

/* Of Llama 3 8B, likewise. */
static const Shape wide_shape = { 4096, 32, 8, 128, 14336, 4096 };

static const Shape quick_shape = { 256, 4, 1, 64, 1024, 512 };

typedef struct
{
  const char *name;
  guint       rows;
  guint       columns;
} Matrix;

static gboolean
write_matrices (const Matrix *matrices,
                gsize         n,
                const char   *path)
{
  g_autoptr(GString) header = g_string_new ("{");
  g_autoptr(GRand) random = g_rand_new_with_seed (1);
  FILE *file = g_fopen (path, "wb");
  guint64 offset = 0, length;
  gboolean ok;

  if (file == NULL)
    return FALSE;

  for (gsize i = 0; i < n; i++)
    {
      guint64 bytes = 2 * (guint64) matrices[i].rows * matrices[i].columns;
      g_autofree char *shape = matrices[i].rows == 1
        ? g_strdup_printf ("%u", matrices[i].columns)
        : g_strdup_printf ("%u,%u", matrices[i].rows, matrices[i].columns);

      g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],"
                              "\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}",
                              i > 0 ? "," : "", matrices[i].name, shape, offset, offset + bytes);
      offset += bytes;
    }
  g_string_append_c (header, '}');
  while (header->len % 8 != 0)
    g_string_append_c (header, ' ');

  length = GUINT64_TO_LE (header->len);
  ok = fwrite (&length, sizeof length, 1, file) == 1
       && fwrite (header->str, header->len, 1, file) == 1;
  for (gsize i = 0; ok && i < n; i++)
    for (guint row = 0; ok && row < matrices[i].rows; row++)
      {
        g_autofree guint16 *values = g_new (guint16, matrices[i].columns);

        /* Either sign, from 1/64 to 1/32: the sign, the exponent and seven bits at random. */
        for (guint j = 0; j < matrices[i].columns; j++)
          values[j] = GUINT16_TO_LE ((guint16) (0x3c80u | (g_rand_int (random) & 0x807fu)));
        ok = fwrite (values, sizeof *values, matrices[i].columns, file) == matrices[i].columns;
      }

  return fclose (file) == 0 && ok;
}

/* A folder with one block; the caller removes it. */
static char *
write_model (const Shape *shape)
{
  guint queries = shape->n_heads * shape->head_width;
  guint keys = shape->n_key_value_heads * shape->head_width;
  const Matrix matrices[] = {
    { "model.embed_tokens.weight", shape->vocabulary, shape->width },
    { "model.layers.0.input_layernorm.weight", 1, shape->width },
    { "model.layers.0.self_attn.q_proj.weight", queries, shape->width },
    { "model.layers.0.self_attn.k_proj.weight", keys, shape->width },
    { "model.layers.0.self_attn.v_proj.weight", keys, shape->width },
    { "model.layers.0.self_attn.o_proj.weight", shape->width, queries },
    { "model.layers.0.post_attention_layernorm.weight", 1, shape->width },
    { "model.layers.0.mlp.gate_proj.weight", shape->feed_forward_width, shape->width },
    { "model.layers.0.mlp.up_proj.weight", shape->feed_forward_width, shape->width },
    { "model.layers.0.mlp.down_proj.weight", shape->width, shape->feed_forward_width },
    { "model.norm.weight", 1, shape->width },
  };
  g_autofree char *config = g_strdup_printf (
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%u,"
    "\"intermediate_size\":%u,\"num_hidden_layers\":1,\"num_attention_heads\":%u,"
    "\"num_key_value_heads\":%u,\"head_dim\":%u,\"vocab_size\":%u,"
    "\"max_position_embeddings\":2048,\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,"
    "\"hidden_act\":\"silu\",\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\"}",
    shape->width, shape->feed_forward_width, shape->n_heads, shape->n_key_value_heads,
    shape->head_width, shape->vocabulary);
  g_autofree char *folder = g_dir_make_tmp ("tare-bench-XXXXXX", NULL);
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *weights_path = g_build_filename (folder, "model.safetensors", NULL);

  if (!g_file_set_contents (config_path, config, -1, NULL)
      || !write_matrices (matrices, G_N_ELEMENTS (matrices), weights_path))
    g_error ("%s: cannot write", folder);

  return g_steal_pointer (&folder);
}

static void
remove_model (const char *folder)
{
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *weights_path = g_build_filename (folder, "model.safetensors", NULL);

  g_unlink (config_path);
  g_unlink (weights_path);
  g_rmdir (folder);
}

typedef struct
{
  gsize  rows;
  gsize  outputs;
  gsize  columns;
  float *x;
  float *weight;
  float *y;
} Product;

static void
multiply (gpointer data)
{
  Product *p = data;

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (blasint) p->rows, (blasint) p->outputs,
               (blasint) p->columns, 1.0f, p->x, (blasint) p->columns, p->weight,
               (blasint) p->columns, 0.0f, p->y, (blasint) p->outputs);
}

/* Seconds of one bare product of rows x columns with columns x outputs. */
static double
time_product (gsize    rows,
              gsize    outputs,
              gsize    columns,
              gboolean quick)
{
  Product product = { rows, outputs, columns, g_new (float, rows * columns),
                      g_new (float, outputs * columns), g_new (float, rows * outputs) };
  double seconds;

  for (gsize i = 0; i < rows * columns; i++)
    product.x[i] = (float) (i % 17) - 8.0f;
  for (gsize i = 0; i < outputs * columns; i++)
    product.weight[i] = (float) (i % 13) - 6.0f;
  seconds = bench_time (multiply, &product, quick);
  g_free (product.x);
  g_free (product.weight);
  g_free (product.y);

  return seconds;
}

typedef struct
{
  double attention;
  double feed_forward;
  double head;
} Products;

static Products
time_products (const TareConfig *config,
               gsize             rows,
               gboolean          quick)
{
  gsize queries = (gsize) config->n_heads * config->head_width;
  gsize keys = (gsize) config->n_key_value_heads * config->head_width;
  Products products;

  products.attention = time_product (rows, queries + 2 * keys, config->width, quick)
                       + time_product (rows, config->width, queries, quick);
  products.feed_forward = time_product (rows, 2 * (gsize) config->feed_forward_width,
                                        config->width, quick)
                          + time_product (rows, config->width, config->feed_forward_width, quick);
  products.head = time_product (rows, config->vocabulary, config->width, quick);

  return products;
}

/* The moments at which each linear layer was about to start, after the one of the beginning. */
typedef struct
{
  gint64 times[8];
  gsize  n;
} Moments;

static void
note (const TareTensor *tensor,
      gsize             expert,
      const float      *x,
      const guint32    *tokens,
      gsize             n_tokens,
      gsize             columns,
      gpointer          data)
{
  Moments *moments = data;

  if (moments->n < G_N_ELEMENTS (moments->times))
    moments->times[moments->n++] = g_get_monotonic_time ();
}

typedef struct
{
  TareNetwork *network;
  TareBlock   *block;
  TareBlock   *output;
  guint32     *tokens;
  gsize        n_tokens;
  float       *x;
  float       *logits;
  double       embed;
  double       norm;
  double       attention;
  double       feed_forward;
  double       head;
} Forward;

static void
keep_least (double *least,
            gint64  begin,
            gint64  end)
{
  *least = MIN (*least, (double) (end - begin) / 1e6);
}

/* One pass, noting the least time of each stage. */
static void
forward (gpointer data)
{
  Forward *self = data;
  Moments moments = { { g_get_monotonic_time () }, 1 };
  const TareObserver observer = { note, &moments };
  gint64 begin = moments.times[0];

  tare_network_embed (self->network, &tare_weights_of_file, self->tokens, self->n_tokens,
                      self->n_tokens, self->x, NULL);
  moments.times[0] = g_get_monotonic_time ();
  keep_least (&self->embed, begin, moments.times[0]);
  tare_network_run_block (self->network, self->block, self->x, 1, self->n_tokens, &observer,
                          NULL, NULL);
  note (NULL, 0, NULL, NULL, 0, 0, &moments);
  tare_network_run_output (self->network, self->output, self->x, self->n_tokens, self->logits,
                           NULL, NULL);
  note (NULL, 0, NULL, NULL, 0, 0, &moments);

  /* Start, qkv, output, gate and up, down, end of the block, end: the second norm is counted with
   * attention, since nobody tells where it starts. */
  keep_least (&self->norm, moments.times[0], moments.times[1]);
  keep_least (&self->attention, moments.times[1], moments.times[3]);
  keep_least (&self->feed_forward, moments.times[3], moments.times[5]);
  keep_least (&self->head, moments.times[5], moments.times[6]);
}

static void
load_block (gpointer data)
{
  Forward *self = data;

  g_clear_pointer (&self->block, tare_block_free);
  self->block = tare_network_load_block (self->network, &tare_weights_of_file, 0, NULL);
}

static void
add_forward (JsonBuilder *json,
             Forward     *self,
             gboolean     quick)
{
  const TareConfig *config = tare_network_get_config (self->network);
  double load = bench_time (load_block, self, quick);
  double seconds = bench_time (forward, self, quick);
  Products products = time_products (config, self->n_tokens, quick);

  bench_add_number (json, "width", config->width);
  bench_add_number (json, "tokens", (double) self->n_tokens);
  bench_add_number (json, "tokens_per_second", (double) self->n_tokens / seconds);
  bench_add_number (json, "share_of_products",
                    (products.attention + products.feed_forward + products.head) / seconds);
  bench_add_number (json, "products_gflops",
                    2e-9 * (double) self->n_tokens * config->feed_forward_width * 3.0
                    * config->width / products.feed_forward);
  bench_add_number (json, "load_seconds", load);
  bench_add_number (json, "embed_seconds", self->embed);
  bench_add_number (json, "norm_seconds", self->norm);
  bench_add_number (json, "attention_seconds", self->attention);
  bench_add_number (json, "attention_products_seconds", products.attention);
  bench_add_number (json, "feed_forward_seconds", self->feed_forward);
  bench_add_number (json, "feed_forward_products_seconds", products.feed_forward);
  bench_add_number (json, "head_seconds", self->head);
  bench_add_number (json, "head_products_seconds", products.head);
}

static void
bench_block (JsonBuilder *json,
             const Shape *shape,
             gsize        n_tokens,
             gboolean     quick)
{
  g_autofree char *folder = write_model (shape);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareNetwork) network = model != NULL ? tare_network_new (model, &error) : NULL;
  g_autoptr(TareBlock) output = NULL;
  Forward self = { .network = network, .n_tokens = n_tokens, .embed = INFINITY, .norm = INFINITY,
                   .attention = INFINITY, .feed_forward = INFINITY, .head = INFINITY };

  if (network == NULL)
    g_error ("%s", error->message);

  output = tare_network_load_output (network, &tare_weights_of_file, &error);
  self.output = output;
  self.tokens = g_new (guint32, n_tokens);
  self.x = g_new (float, n_tokens * shape->width);
  self.logits = g_new (float, n_tokens * shape->vocabulary);
  for (guint i = 0; i < n_tokens; i++)
    self.tokens[i] = i * 7 % shape->vocabulary;
  add_forward (json, &self, quick);

  tare_block_free (self.block);
  g_free (self.tokens);
  g_free (self.x);
  g_free (self.logits);
  remove_model (folder);
}

typedef struct
{
  TareModel             *model;
  char                  *text;
  gsize                  length;
  TareEvaluationOptions  options;
  TareAccuracy           accuracy;
} Evaluation;

static void
evaluate (gpointer data)
{
  Evaluation *self = data;
  g_autoptr(TareEvaluator) evaluator = tare_evaluator_new (self->model, self->text, self->length,
                                                           &self->options, NULL);

  if (!tare_evaluator_run_base (evaluator, &self->accuracy, NULL, NULL))
    g_error ("the sample cannot be evaluated");
}

static void
bench_evaluation (JsonBuilder *json,
                  gboolean     quick)
{
  g_autofree char *folder = g_build_filename (TARE_SOURCE_DATA_DIR, "sample", NULL);
  g_autofree char *path = g_build_filename (folder, "alice.txt", NULL);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  Evaluation self = { .model = model,
                      .options = { TARE_EVALUATION_MODE_LLAMA_CPP, 256, quick ? 4 : 0, 0 } };
  const TareConfig *config;
  Products products;
  double seconds, n_tokens, bare;

  if (model == NULL || !g_file_get_contents (path, &text, &self.length, &error))
    g_error ("%s", error->message);

  self.text = text;
  config = tare_model_get_config (model);
  seconds = bench_time (evaluate, &self, quick);
  n_tokens = (double) self.accuracy.n_chunks * self.accuracy.context;
  products = time_products (config, 1024, quick);
  bare = n_tokens / 1024.0 * config->n_blocks * (products.attention + products.feed_forward)
         + (double) self.accuracy.n_tokens / 1024.0 * products.head;

  bench_add_number (json, "evaluate_tokens", n_tokens);
  bench_add_number (json, "evaluate_seconds", seconds);
  bench_add_number (json, "evaluate_tokens_per_second", n_tokens / seconds);
  bench_add_number (json, "evaluate_share_of_products", bare / seconds);
}

/**
 * bench_forward:
 * @json: an object that is open
 * @quick: every path once
 *
 * share_of_products: seconds of the matrix products alone over seconds of the whole. The stages'
 * seconds contain their products'; loading, which a run of many tokens does once, is apart.
 */
void
bench_forward (JsonBuilder *json,
               gboolean     quick)
{
  const struct { const char *name; const Shape *shape; gsize n_tokens; } large[] = {
    { "long", &full_shape, 2048 },
    { "wide", &wide_shape, 512 },
    { "wide_long", &wide_shape, 2048 },
  };

  bench_block (json, quick ? &quick_shape : &full_shape, quick ? 64 : 512, quick);
  for (gsize i = 0; i < G_N_ELEMENTS (large); i++)
    {
      json_builder_set_member_name (json, large[i].name);
      json_builder_begin_object (json);
      bench_block (json, quick ? &quick_shape : large[i].shape, quick ? 64 : large[i].n_tokens,
                   quick);
      json_builder_end_object (json);
    }
  bench_evaluation (json, quick);
}
