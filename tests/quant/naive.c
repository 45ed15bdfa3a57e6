/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/quant/naive.h"

#include "quant/model/tare-safetensors.h"
#include "quant/network/tare-network.h"
#include "quant/recipe/tare-target.h"
#include "tests/tare-test.h"

static void
add_made (const Made *made,
          const char *name,
          guint32     seed,
          GString    *header,
          GByteArray *content)
{
  gsize n = MAX (made->experts, 1) * MAX (made->rows, 1) * made->columns;
  g_autofree float *x = g_new (float, n);
  g_autofree char *rows = made->rows > 0 ? g_strdup_printf ("%" G_GSIZE_FORMAT ",", made->rows)
                                         : g_strdup ("");
  g_autofree char *experts = made->experts > 0
                             ? g_strdup_printf ("%" G_GSIZE_FORMAT ",", made->experts)
                             : g_strdup ("");

  tare_test_fill_gaussian (x, n, seed);
  for (gsize i = 0; i < n; i++)
    x[i] = made->center + 0.2f * x[i];
  g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s%s%" G_GSIZE_FORMAT
                          "],\"data_offsets\":[%u,%u]}", header->len > 1 ? "," : "", name, experts,
                          rows, made->columns, content->len,
                          content->len + (guint) (n * sizeof *x));
  g_byte_array_append (content, (const guint8 *) x, (guint) (n * sizeof *x));
}

/* A folder of @n_blocks blocks, with the tokenizer of the sample. */
char *
naive_make_folder (const char *name,
                   const char *config,
                   const Made *made,
                   gsize       n_made,
                   gsize       n_blocks)
{
  char *folder = tare_test_temporary (name);
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *weights_path = g_build_filename (folder, "model.safetensors", NULL);
  g_autofree char *tokenizer_path = g_build_filename (folder, "tokenizer.json", NULL);
  g_autofree char *tokenizer = tare_test_source ("data/sample/tokenizer.json");
  g_autoptr(GString) header = g_string_new ("{");
  g_autoptr(GByteArray) content = g_byte_array_new ();
  g_autoptr(GByteArray) file = g_byte_array_new ();
  guint64 length;

  for (gsize i = 0; i < n_made; i++)
    for (gsize b = 0; b < (strstr (made[i].name, "%d") != NULL ? n_blocks : 1); b++)
      {
        g_autofree char *full = fill_hole (made[i].name, b);

        add_made (&made[i], full, (guint32) (i * 10 + b + 1), header, content);
      }
  g_string_append_c (header, '}');
  length = GUINT64_TO_LE ((guint64) header->len);
  g_byte_array_append (file, (const guint8 *) &length, sizeof length);
  g_byte_array_append (file, (const guint8 *) header->str, (guint) header->len);
  g_byte_array_append (file, content->data, content->len);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (config_path, config, -1, NULL));
  g_assert_true (g_file_set_contents (weights_path, (const char *) file->data, file->len, NULL));
  tare_test_copy_changed (tokenizer, tokenizer_path, "{", "{");

  return folder;
}

#define LAYER   "model.layers.%d."
#define MIXTURE LAYER "block_sparse_moe."

#define EXPERT(e)                                                                            \
  { MIXTURE "experts." #e ".w1.weight", NAIVE_MIXTRAL_INNER, NAIVE_MIXTRAL_WIDTH, 0.0f },      \
  { MIXTURE "experts." #e ".w3.weight", NAIVE_MIXTRAL_INNER, NAIVE_MIXTRAL_WIDTH, 0.0f },      \
  { MIXTURE "experts." #e ".w2.weight", NAIVE_MIXTRAL_WIDTH, NAIVE_MIXTRAL_INNER, 0.0f }

TareModel *
naive_open_mixtral (void)
{
  static const Made made[] = {
    { "model.embed_tokens.weight", 1024, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { LAYER "input_layernorm.weight", 0, NAIVE_MIXTRAL_WIDTH, 1.0f },
    { LAYER "self_attn.q_proj.weight", NAIVE_MIXTRAL_WIDTH, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { LAYER "self_attn.k_proj.weight", NAIVE_MIXTRAL_WIDTH / 2, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { LAYER "self_attn.v_proj.weight", NAIVE_MIXTRAL_WIDTH / 2, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { LAYER "self_attn.o_proj.weight", NAIVE_MIXTRAL_WIDTH, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { LAYER "post_attention_layernorm.weight", 0, NAIVE_MIXTRAL_WIDTH, 1.0f },
    { "model.norm.weight", 0, NAIVE_MIXTRAL_WIDTH, 1.0f },
    { "lm_head.weight", 1024, NAIVE_MIXTRAL_WIDTH, 0.0f },
    { MIXTURE "gate.weight", NAIVE_MIXTRAL_EXPERTS, NAIVE_MIXTRAL_WIDTH, 0.0f },
    EXPERT (0), EXPERT (1), EXPERT (2), EXPERT (3),
  };
  g_autofree char *folder
    = naive_make_folder ("mixtral", "{\"architectures\":[\"MixtralForCausalLM\"],"
                         "\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":2,"
                         "\"num_key_value_heads\":1,\"vocab_size\":1024,"
                         "\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"
                         "\"rope_theta\":10000,\"num_experts_per_tok\":2,"
                         "\"tie_word_embeddings\":false,\"intermediate_size\":64,"
                         "\"num_local_experts\":4}", made, G_N_ELEMENTS (made), 2);
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (folder, &error);

  g_assert_no_error (error);

  return model;
}

float *
naive_run_model (const char    *path,
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

static void
export_to (const char *target,
           const char *from,
           const char *to)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (from, &error);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();

  tare_target_write (tare_target_lookup (target), engine, recipe, NULL, to, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
check_same_bytes (const char *path,
                  const char *other_path)
{
  g_autoptr(TareModel) model = tare_model_open (path, NULL);
  g_autoptr(TareModel) other = tare_model_open (other_path, NULL);

  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, tare_model_get_n_tensors (other));
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *a = tare_model_get_tensor (model, i);
      const TareTensor *b = tare_model_get_tensor (other, i);

      g_assert_cmpstr (a->name, ==, b->name);
      g_assert_cmpmem (tare_file_get_data (a->file) + a->offset, a->bytes,
                       tare_file_get_data (b->file) + b->offset, b->bytes);
    }
}

/* Through the exporter, and back from its file; then from that to a folder again, which says the
 * same, and makes the same file. */
static void
check_exported (const char    *folder,
                const char    *name,
                const guint32 *tokens,
                const float   *logits,
                gsize          n)
{
  g_autofree char *path = tare_test_temporary (name);
  g_autofree char *back = g_strconcat (path, "-folder", NULL);
  g_autofree char *again = g_strconcat (path, "-again.gguf", NULL);
  g_autofree float *of_file = NULL, *of_folder = NULL;

  export_to ("gguf", folder, path);
  of_file = naive_run_model (path, tokens);
  g_assert_cmpmem (logits, n * sizeof *logits, of_file, n * sizeof *of_file);

  export_to ("safetensors", path, back);
  of_folder = naive_run_model (back, tokens);
  g_assert_cmpmem (logits, n * sizeof *logits, of_folder, n * sizeof *of_folder);
  export_to ("gguf", back, again);
  check_same_bytes (path, again);
}

/* Folder and formulas agree, and what is exported to @exported with the folder. */
void
naive_check_folder (const char  *folder,
                    const char  *name,
                    const Shape *shape,
                    double    *(*run) (Naive         *self,
                                       const guint32 *tokens),
                    const char  *exported)
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  g_autoptr(TareFile) file = tare_file_open (path, NULL);
  g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  Naive naive = { .shape = shape, .tensors = tensors };
  gsize n = N_TOKENS * shape->vocabulary;
  g_autofree float *rounded = g_new (float, n);
  g_autofree double *truth = NULL;
  g_autofree float *logits = NULL;
  guint32 tokens[N_TOKENS];

  g_assert_true (tare_safetensors_read (file, tensors, NULL));
  for (guint32 i = 0; i < N_TOKENS; i++)
    tokens[i] = (i * 37 + 11) % (guint32) shape->vocabulary;

  truth = run (&naive, tokens);
  for (gsize i = 0; i < n; i++)
    rounded[i] = (float) truth[i];
  logits = naive_run_model (folder, tokens);
  g_test_message ("%s: %.3g", name, tare_test_difference (logits, rounded, n));
  g_assert_cmpfloat (tare_test_difference (logits, rounded, n), <, 1e-5);
  g_free (naive.x);
  if (exported != NULL)
    check_exported (folder, exported, tokens, logits, n);
}

/* Folder, export and formulas agree. */
void
naive_check (const char  *folder,
             const char  *name,
             const Shape *shape,
             double    *(*run) (Naive         *self,
                                const guint32 *tokens))
{
  naive_check_folder (folder, name, shape, run, name);
}
