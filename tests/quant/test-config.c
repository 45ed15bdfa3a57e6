/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define HEAD "{\"hidden_size\":64,\"intermediate_size\":160,\"num_hidden_layers\":3,"          \
             "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":512,"        \
             "\"max_position_embeddings\":256,\"rms_norm_eps\":1e-6"

static gboolean
read_text (const char  *text,
           TareConfig  *config,
           GError     **error)
{
  g_autoptr(JsonNode) node = tare_json_parse (text, strlen (text), "config.json", NULL);

  g_assert_nonnull (node);

  return tare_config_read_json (config, tare_architecture_lookup ("llama"),
                                json_node_get_object (node), "config.json", error);
}

static void
read_good (const char *text,
           TareConfig *config)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (read_text (text, config, &error));
  g_assert_no_error (error);
}

static void
test_json (void)
{
  TareConfig config;

  read_good (HEAD ",\"rope_theta\":500000.0,\"tie_word_embeddings\":true}", &config);
  g_assert_cmpuint (config.width, ==, 64);
  g_assert_cmpuint (config.n_blocks, ==, 3);
  g_assert_cmpuint (config.n_heads, ==, 4);
  g_assert_cmpuint (config.n_key_value_heads, ==, 2);
  g_assert_cmpuint (config.head_width, ==, 16);
  g_assert_cmpuint (config.feed_forward_width, ==, 160);
  g_assert_cmpuint (config.vocabulary, ==, 512);
  g_assert_cmpuint (config.context, ==, 256);
  g_assert_cmpfloat (config.norm_epsilon, ==, 1e-6f);
  g_assert_true (config.tied);
  g_assert_cmpfloat (config.rope_base, ==, 500000.0f);
  g_assert_cmpuint (config.rope_width, ==, 16);
  g_assert_cmpint (config.rope_scaling, ==, TARE_ROPE_SCALING_NONE);
}

/* null stands for what is not there; so do transformers write their defaults. */
static void
test_json_defaults (void)
{
  TareConfig config;

  read_good ("{\"hidden_size\":64,\"intermediate_size\":160,\"num_hidden_layers\":3,"
             "\"num_attention_heads\":4,\"num_key_value_heads\":null,\"head_dim\":null,"
             "\"max_position_embeddings\":256,\"rms_norm_eps\":1e-6,\"rope_scaling\":null}",
             &config);
  g_assert_cmpuint (config.n_key_value_heads, ==, 4);
  g_assert_cmpuint (config.head_width, ==, 16);
  g_assert_cmpfloat (config.rope_base, ==, 10000.0f);
  g_assert_false (config.tied);

  read_good (HEAD ",\"head_dim\":32}", &config);
  g_assert_cmpuint (config.head_width, ==, 32);
  g_assert_cmpuint (config.rope_width, ==, 32);
}

/* The older spelling and that of transformers 5 say the same. */
static void
test_json_scaling (void)
{
  static const char *const llama3[] = {
    HEAD ",\"rope_theta\":5e5,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,"
    "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":32}}",
    HEAD ",\"rope_parameters\":{\"rope_theta\":5e5,\"rope_type\":\"llama3\",\"factor\":8.0,"
    "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":32}}",
    HEAD ",\"rope_parameters\":{\"full_attention\":{\"rope_theta\":5e5,\"rope_type\":\"llama3\","
    "\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
    "\"original_max_position_embeddings\":32}}}",
  };
  TareConfig config;

  for (gsize i = 0; i < G_N_ELEMENTS (llama3); i++)
    {
      read_good (llama3[i], &config);
      g_assert_cmpint (config.rope_scaling, ==, TARE_ROPE_SCALING_LLAMA3);
      g_assert_cmpfloat (config.rope_base, ==, 500000.0f);
      g_assert_cmpfloat (config.rope_factor, ==, 8.0f);
      g_assert_cmpfloat (config.rope_low_frequency, ==, 1.0f);
      g_assert_cmpfloat (config.rope_high_frequency, ==, 4.0f);
      g_assert_cmpuint (config.rope_original_context, ==, 32);
    }

  read_good (HEAD ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", &config);
  g_assert_cmpint (config.rope_scaling, ==, TARE_ROPE_SCALING_LINEAR);
  g_assert_cmpfloat (config.rope_factor, ==, 2.0f);

  read_good (HEAD ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0}}", &config);
  g_assert_cmpint (config.rope_scaling, ==, TARE_ROPE_SCALING_YARN);
  g_assert_cmpuint (config.rope_original_context, ==, 256);
  g_assert_cmpfloat (config.rope_attention_factor, ==, 0.0f);
}

typedef struct
{
  const char *text;
  TareError   code;
  const char *part;
} Case;

static const Case refused[] = {
  { "{}", TARE_ERROR_INVALID, "key 'hidden_size' is missing" },
  { HEAD ",\"hidden_size\":0}", TARE_ERROR_INVALID, "key 'hidden_size' is 0" },
  { HEAD ",\"hidden_size\":-64}", TARE_ERROR_INVALID, "key 'hidden_size' is -64" },
  { HEAD ",\"hidden_size\":64.5}", TARE_ERROR_INVALID, "key 'hidden_size' is 64.5" },
  { HEAD ",\"hidden_size\":1e300}", TARE_ERROR_INVALID, "key 'hidden_size' is 1e+300" },
  { HEAD ",\"hidden_size\":\"64\"}", TARE_ERROR_INVALID, "key 'hidden_size' is missing" },
  { HEAD ",\"hidden_size\":66}", TARE_ERROR_INVALID, "key 'num_attention_heads' does not divide" },
  { HEAD ",\"num_hidden_layers\":4294967297}", TARE_ERROR_INVALID, "'num_hidden_layers' is" },
  { HEAD ",\"num_key_value_heads\":3}", TARE_ERROR_INVALID, "key 'num_key_value_heads' does not" },
  { HEAD ",\"num_key_value_heads\":0}", TARE_ERROR_INVALID, "key 'num_key_value_heads' is 0" },
  { HEAD ",\"head_dim\":15}", TARE_ERROR_INVALID, "key 'head_dim' is odd" },
  { HEAD ",\"head_dim\":1048576}", TARE_ERROR_INVALID, "key 'head_dim' makes the heads" },
  { HEAD ",\"rms_norm_eps\":0}", TARE_ERROR_INVALID, "key 'rms_norm_eps'" },
  { HEAD ",\"rms_norm_eps\":1e-320}", TARE_ERROR_INVALID, "key 'rms_norm_eps'" },
  { HEAD ",\"rms_norm_eps\":null}", TARE_ERROR_INVALID, "key 'rms_norm_eps' is missing" },
  { HEAD ",\"rope_theta\":-1}", TARE_ERROR_INVALID, "key 'rope_theta'" },
  { HEAD ",\"rope_theta\":1e39}", TARE_ERROR_INVALID, "key 'rope_theta'" },
  { HEAD ",\"rope_scaling\":{\"type\":\"linear\"}}", TARE_ERROR_INVALID,
    "key 'factor' is missing" },
  { HEAD ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", TARE_ERROR_INVALID,
    "key 'factor'" },
  { HEAD ",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
    "\"high_freq_factor\":4}}", TARE_ERROR_INVALID, "key 'high_freq_factor' is not above" },
  { HEAD ",\"rope_scaling\":{\"type\":\"wild\",\"factor\":8}}", TARE_ERROR_UNSUPPORTED,
    "key 'rope_type'" },
  { HEAD ",\"hidden_act\":\"gelu\"}", TARE_ERROR_UNSUPPORTED, "key 'hidden_act'" },
  { HEAD ",\"partial_rotary_factor\":0.5}", TARE_ERROR_UNSUPPORTED, "partial_rotary_factor" },
};

static void
test_json_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr(GError) error = NULL;
      TareConfig config;

      g_assert_false (read_text (refused[i].text, &config, &error));
      g_assert_error (error, TARE_ERROR, (int) refused[i].code);
      g_assert_true (g_str_has_prefix (error->message, "config.json: "));
      if (strstr (error->message, refused[i].part) == NULL)
        g_error ("'%s' was expected in '%s'", refused[i].part, error->message);
    }
}

static TareMetadata *
make_metadata (const char *architecture)
{
  TareMetadata *metadata = tare_metadata_new ();
  const TareConfig config = {
    .width = 64, .n_blocks = 3, .n_heads = 4, .n_key_value_heads = 2, .head_width = 16,
    .feed_forward_width = 160, .vocabulary = 512, .context = 256, .norm_epsilon = 1e-5f,
    .rope_base = 1e6f, .rope_width = 16, .rope_factor = 1.0f,
  };

  tare_config_write_metadata (&config, tare_architecture_lookup (architecture), metadata);

  return metadata;
}

/* What is written for any configuration is read back the same. */
static void
check_round_trip (const char *architecture_id,
                  const char *text)
{
  const TareArchitecture *architecture = tare_architecture_lookup (architecture_id);
  g_autoptr(JsonNode) node = tare_json_parse (text, strlen (text), "config.json", NULL);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(GError) error = NULL;
  TareConfig a;
  TareConfig b;

  g_assert_true (tare_config_read_json (&a, architecture, json_node_get_object (node),
                                        "config.json", &error));
  tare_config_write_metadata (&a, architecture, metadata);
  g_assert_true (tare_config_read_metadata (&b, architecture, metadata, "w.gguf", &error));
  g_assert_no_error (error);

  /* Kept as a tensor, and by the tensors. */
  if (a.rope_scaling != TARE_ROPE_SCALING_LLAMA3)
    {
      g_assert_cmpint (b.rope_scaling, ==, a.rope_scaling);
      g_assert_cmpfloat (b.rope_factor, ==, a.rope_factor);
    }
  g_assert_cmpuint (b.width, ==, a.width);
  g_assert_cmpuint (b.n_blocks, ==, a.n_blocks);
  g_assert_cmpuint (b.n_heads, ==, a.n_heads);
  g_assert_cmpuint (b.n_key_value_heads, ==, a.n_key_value_heads);
  g_assert_cmpuint (b.head_width, ==, a.head_width);
  g_assert_cmpuint (b.feed_forward_width, ==, a.feed_forward_width);
  g_assert_cmpuint (b.vocabulary, ==, a.vocabulary);
  g_assert_cmpuint (b.context, ==, a.context);
  g_assert_cmpuint (b.rope_width, ==, a.rope_width);
  g_assert_cmpfloat (b.norm_epsilon, ==, a.norm_epsilon);
  g_assert_cmpfloat (b.rope_base, ==, a.rope_base);
  if (a.rope_scaling == TARE_ROPE_SCALING_YARN)
    g_assert_cmpuint (b.rope_original_context, ==, a.rope_original_context);
  g_assert_cmpfloat_with_epsilon (b.rope_attention_factor, a.rope_attention_factor, 1e-6);
  g_assert_cmpint (b.activation, ==, a.activation);
  g_assert_cmpint (b.parallel, ==, a.parallel);
  g_assert_cmpuint (b.window, ==, a.window);
  g_assert_cmpfloat (b.attention_scale, ==, a.attention_scale);
  g_assert_cmpfloat (b.attention_soft_cap, ==, a.attention_soft_cap);
  g_assert_cmpfloat (b.final_soft_cap, ==, a.final_soft_cap);
}

static void
test_round_trip (void)
{
  check_round_trip ("llama", HEAD "}");
  check_round_trip ("llama", HEAD ",\"head_dim\":32,\"rope_theta\":123456}");
  check_round_trip ("llama", HEAD ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}");
  check_round_trip ("qwen2", HEAD ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,"
                    "\"original_max_position_embeddings\":64}}");
  check_round_trip ("qwen3", HEAD ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,"
                    "\"attention_factor\":1.25}}");
  check_round_trip ("llama", HEAD ",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8.0,"
                    "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0}}");
  check_round_trip ("gemma", HEAD ",\"head_dim\":32,\"hidden_act\":\"gelu\"}");
  check_round_trip ("gpt2", "{\"n_embd\":64,\"n_layer\":3,\"n_head\":4,\"n_positions\":128,"
                    "\"vocab_size\":512,\"n_inner\":null,\"layer_norm_epsilon\":1e-5}");
  check_round_trip ("phi3", HEAD ",\"partial_rotary_factor\":0.5,\"sliding_window\":2047}");
  check_round_trip ("gptneox", HEAD ",\"layer_norm_eps\":1e-5,\"rotary_emb_base\":5000,"
                    "\"hidden_act\":\"gelu\"}");
  check_round_trip ("gptneox", HEAD ",\"layer_norm_eps\":1e-5,\"rotary_pct\":1,"
                    "\"use_parallel_residual\":false}");
  check_round_trip ("gemma2", HEAD "}");
  check_round_trip ("gemma2", HEAD ",\"query_pre_attn_scalar\":48,\"sliding_window\":null,"
                    "\"attn_logit_softcapping\":null,\"final_logit_softcapping\":12.5}");
}

/* Gemma's defaults, what takes their place, and what is none at all. */
static void
test_bounds (void)
{
  static const char *const texts[] = {
    HEAD "}",
    HEAD ",\"query_pre_attn_scalar\":64,\"sliding_window\":16,\"attn_logit_softcapping\":20,"
    "\"final_logit_softcapping\":10}",
    HEAD ",\"sliding_window\":null,\"attn_logit_softcapping\":null,"
    "\"final_logit_softcapping\":null}",
  };
  static const float expected[][4] = {
    { 0.25f, 4096.0f, 50.0f, 30.0f }, { 0.125f, 16.0f, 20.0f, 10.0f }, { 0.25f, 0.0f, 0.0f, 0.0f },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(JsonNode) node = tare_json_parse (texts[i], strlen (texts[i]), "config.json", NULL);
      TareConfig config;

      g_assert_true (tare_config_read_json (&config, tare_architecture_lookup ("gemma2"),
                                            json_node_get_object (node), "config.json", NULL));
      g_assert_true (config.tied);
      g_assert_cmpint (config.activation, ==, TARE_ACTIVATION_GELU_TANH);
      g_assert_cmpfloat (config.attention_scale, ==, expected[i][0]);
      g_assert_cmpfloat ((float) config.window, ==, expected[i][1]);
      g_assert_cmpfloat (config.attention_soft_cap, ==, expected[i][2]);
      g_assert_cmpfloat (config.final_soft_cap, ==, expected[i][3]);
    }
}

/* llama.cpp refuses a key of any other type. */
static void
test_types (void)
{
  const struct { const char *key; TareValueType type; } keys[] = {
    { "qwen3.context_length", TARE_VALUE_U32 },
    { "qwen3.embedding_length", TARE_VALUE_U32 },
    { "qwen3.block_count", TARE_VALUE_U32 },
    { "qwen3.feed_forward_length", TARE_VALUE_U32 },
    { "qwen3.attention.head_count", TARE_VALUE_U32 },
    { "qwen3.attention.head_count_kv", TARE_VALUE_U32 },
    { "qwen3.attention.key_length", TARE_VALUE_U32 },
    { "qwen3.attention.value_length", TARE_VALUE_U32 },
    { "qwen3.attention.layer_norm_rms_epsilon", TARE_VALUE_F32 },
    { "qwen3.rope.dimension_count", TARE_VALUE_U32 },
    { "qwen3.rope.freq_base", TARE_VALUE_F32 },
    { "qwen3.vocab_size", TARE_VALUE_U32 },
  };
  g_autoptr(TareMetadata) metadata = make_metadata ("qwen3");

  g_assert_cmpuint (tare_metadata_get_n_keys (metadata), ==, G_N_ELEMENTS (keys));
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      TareValueType type = TARE_VALUE_ARRAY;

      g_assert_true (tare_metadata_get_type (metadata, keys[i].key, &type, NULL));
      g_assert_cmpint (type, ==, keys[i].type);
    }
}

static void
check_metadata_refused (TareMetadata *metadata,
                        TareError     code,
                        const char   *part)
{
  g_autoptr(GError) error = NULL;
  TareConfig config;

  g_assert_false (tare_config_read_metadata (&config, tare_architecture_lookup ("llama"), metadata,
                                             "w.gguf", &error));
  g_assert_error (error, TARE_ERROR, (int) code);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' was expected in '%s'", part, error->message);
}

static void
test_metadata_refused (void)
{
  static const gint32 equal[] = { 4, 4, 4 };
  static const gint32 different[] = { 4, 2, 4 };
  g_autoptr(TareMetadata) metadata = make_metadata ("llama");
  TareConfig config;

  tare_metadata_set_i32s (metadata, "llama.attention.head_count", equal, 3);
  g_assert_true (tare_config_read_metadata (&config, tare_architecture_lookup ("llama"), metadata,
                                            "w.gguf", NULL));
  g_assert_cmpuint (config.n_heads, ==, 4);
  tare_metadata_set_i32s (metadata, "llama.attention.head_count", different, 3);
  check_metadata_refused (metadata, TARE_ERROR_UNSUPPORTED, "differs from block to block");
  tare_metadata_set_u32 (metadata, "llama.attention.head_count", 0);
  check_metadata_refused (metadata, TARE_ERROR_INVALID, "'llama.attention.head_count' is 0");
  tare_metadata_set_u32 (metadata, "llama.attention.head_count", 4);

  tare_metadata_set_u32 (metadata, "llama.rope.dimension_count", 18);
  check_metadata_refused (metadata, TARE_ERROR_INVALID, "'llama.rope.dimension_count'");
  tare_metadata_set_u32 (metadata, "llama.rope.dimension_count", 16);

  tare_metadata_set_u32 (metadata, "llama.expert_count", 8);
  check_metadata_refused (metadata, TARE_ERROR_INVALID, "expert_used_count");
  tare_metadata_remove (metadata, "llama.expert_count");

  tare_metadata_set_u32 (metadata, "llama.attention.value_length", 8);
  check_metadata_refused (metadata, TARE_ERROR_UNSUPPORTED, "value_length");
  tare_metadata_remove (metadata, "llama.attention.value_length");

  tare_metadata_set_string (metadata, "llama.rope.scaling.type", "longrope");
  check_metadata_refused (metadata, TARE_ERROR_UNSUPPORTED, "rope.scaling.type");
  tare_metadata_remove (metadata, "llama.rope.scaling.type");

  tare_metadata_remove (metadata, "llama.block_count");
  check_metadata_refused (metadata, TARE_ERROR_INVALID, "key 'llama.block_count' is missing");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/json", test_json);
  g_test_add_func ("/config/json-defaults", test_json_defaults);
  g_test_add_func ("/config/json-scaling", test_json_scaling);
  g_test_add_func ("/config/json-refused", test_json_refused);
  g_test_add_func ("/config/round-trip", test_round_trip);
  g_test_add_func ("/config/bounds", test_bounds);
  g_test_add_func ("/config/types", test_types);
  g_test_add_func ("/config/metadata-refused", test_metadata_refused);

  return g_test_run ();
}
