/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The forward pass against llama.cpp's logits, and against the plain kernels put together. */
#include "tests/tare-test.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/network/tare-kernels-reference.h"
#include "quant/network/tare-network-private.h"
#include "quant/tare-error.h"

static TareNetwork *
open_network (const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  TareNetwork *network;

  g_assert_no_error (error);
  network = tare_network_new (model, &error);
  g_assert_no_error (error);
  g_assert_true (tare_network_get_model (network) == model);

  return network;
}

static TareNetwork *
open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");

  return open_network (path);
}

static guint32 *
load_tokens (const char *path,
             gsize      *n)
{
  g_autoptr(GBytes) bytes = tare_test_load_bytes (path);
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_auto(GStrv) words = g_strsplit_set (g_strstrip (text), " \n", -1);
  guint32 *tokens = g_new (guint32, g_strv_length (words));

  *n = g_strv_length (words);
  for (gsize i = 0; i < *n; i++)
    tokens[i] = (guint32) g_ascii_strtoull (words[i], NULL, 10);

  return tokens;
}

static void
check_logits (const char *folder,
              const char *file,
              double      limit)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *tokens_path = g_build_filename (folder, "tokens.txt", NULL);
  g_autofree char *truth_path = g_build_filename (folder, "logits.f32", NULL);
  g_autoptr(TareNetwork) network = open_network (path);
  g_autoptr(GError) error = NULL;
  gsize n_tokens = 0, n_truth = 0;
  g_autofree guint32 *tokens = load_tokens (tokens_path, &n_tokens);
  g_autofree float *truth = tare_test_load_floats (truth_path, &n_truth);
  g_autofree float *logits = g_new (float, n_truth);
  double difference;

  g_assert_cmpuint (n_truth, ==, n_tokens * tare_network_get_config (network)->vocabulary);
  tare_network_run (network, &tare_weights_of_file, tokens, n_tokens, logits, NULL, &error);
  g_assert_no_error (error);

  difference = tare_test_difference (logits, truth, n_truth);
  g_test_message ("%s: %.3g", path, difference);
  g_assert_cmpfloat (difference, <, limit);
}

#define LOGITS_TEST(name, folder, gguf, limit)    \
  static void                                     \
  test_logits_##name (void)                       \
  {                                               \
    TARE_TEST_NEED_SHARED (path, folder)          \
                                                  \
    check_logits (path, gguf, limit);             \
    check_logits (path, "", limit);               \
  }

LOGITS_TEST (stories, "models/stories260K", "stories260K-f32.gguf", 1e-4)
LOGITS_TEST (sample, "models/tare-sample", "tare-sample-bf16.gguf", 1e-4)
LOGITS_TEST (llama3, "models/llama3-random", "llama3-f32.gguf", 1e-4)
LOGITS_TEST (qwen2, "models/qwen2-random", "qwen2-f32.gguf", 1e-4)
LOGITS_TEST (qwen3, "models/qwen3-random", "qwen3-f32.gguf", 1e-4)

/* llama.cpp reads GELU from a table in binary16, which is 2e-4 to 4e-4 away. */
LOGITS_TEST (gemma2, "models/gemma2-random", "gemma2-f32.gguf", 1e-3)
LOGITS_TEST (gpt2, "models/gpt2-random", "gpt2-f32.gguf", 1e-3)

/* A file whose architecture is in no table. */
static void
test_unsupported (void)
{
  g_autofree char *path = tare_test_temporary ("unsupported.gguf");
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = NULL;

  tare_metadata_set_string (metadata, "general.architecture", "mamba");
  writer = tare_gguf_writer_new (path, metadata, &error);
  g_assert_nonnull (tare_gguf_writer_finish (writer, &error));
  g_assert_true (tare_gguf_writer_commit (writer, &error));
  g_assert_no_error (error);

  model = tare_model_open (path, &error);
  g_assert_no_error (error);
  g_assert_null (tare_network_new (model, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, path));
}

static float *
read_tensor (TareNetwork *network,
             const char  *role,
             int          block)
{
  const TareTensor *tensor = tare_model_lookup_role (tare_network_get_model (network), role, block,
                                                     FALSE);
  g_autoptr(GError) error = NULL;
  float *values;

  g_assert_nonnull (tensor);
  values = g_new (float, tare_tensor_get_n_weights (tensor));
  tare_tensor_read (tensor, values, &error);
  g_assert_no_error (error);

  return values;
}

/* y += x times the transpose of a tensor, by the plain kernel. */
static void
add_linear (TareNetwork *network,
            const char  *role,
            int          block,
            const float *x,
            gsize        rows,
            gsize        columns,
            gsize        outputs,
            gsize        stride,
            float       *y)
{
  g_autofree float *weight = read_tensor (network, role, block);
  g_autofree float *product = g_new (float, rows * outputs);

  tare_reference_linear (x, weight, rows, columns, outputs, product);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < outputs; j++)
      y[i * stride + j] += product[i * outputs + j];
}

static void
run_reference_attention (TareNetwork *network,
                         int          block,
                         float       *x,
                         gsize        n)
{
  const TareConfig *config = tare_network_get_config (network);
  gsize d = config->head_width, width = config->width;
  gsize queries = config->n_heads * d, keys = config->n_key_value_heads * d;
  gsize stride = queries + 2 * keys;
  const TareAttentionShape shape = { 1, n, config->n_heads, config->n_key_value_heads, d };
  g_autofree double *frequencies = g_new (double, config->rope_width / 2);
  g_autofree float *norm = read_tensor (network, "attn_norm", block);
  g_autofree float *input = g_new (float, n * width);
  g_autofree float *qkv = g_new0 (float, n * stride);
  g_autofree float *mixed = g_new (float, n * queries);
  g_autoptr(TareAngles) angles = NULL;

  tare_rotary_frequencies (config, NULL, frequencies);
  angles = tare_angles_new (tare_model_get_architecture (tare_network_get_model (network))->rotary,
                            frequencies, 1.0, config->rope_width / 2, n);
  tare_reference_rms_norm (x, norm, config->norm_epsilon, n, width, input);
  add_linear (network, "attn_q", block, input, n, width, queries, stride, qkv);
  add_linear (network, "attn_k", block, input, n, width, keys, stride, qkv + queries);
  add_linear (network, "attn_v", block, input, n, width, keys, stride, qkv + queries + keys);
  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < queries + keys; j += d)
      tare_reference_rotate (angles, i, qkv + i * stride + j);
  tare_reference_attention (&shape, qkv, 1.0f / sqrtf ((float) d), mixed);
  add_linear (network, "attn_output", block, mixed, n, queries, width, width, x);
}

static void
run_reference_feed_forward (TareNetwork *network,
                            int          block,
                            float       *x,
                            gsize        n)
{
  const TareConfig *config = tare_network_get_config (network);
  gsize width = config->width, inner = config->feed_forward_width;
  g_autofree float *norm = read_tensor (network, "ffn_norm", block);
  g_autofree float *input = g_new (float, n * width);
  g_autofree float *gate_up = g_new0 (float, n * 2 * inner);
  g_autofree float *gated = g_new (float, n * inner);

  tare_reference_rms_norm (x, norm, config->norm_epsilon, n, width, input);
  add_linear (network, "ffn_gate", block, input, n, width, inner, 2 * inner, gate_up);
  add_linear (network, "ffn_up", block, input, n, width, inner, 2 * inner, gate_up + inner);
  tare_reference_silu_gate (gate_up, n, inner, gated);
  add_linear (network, "ffn_down", block, gated, n, inner, width, width, x);
}

static const guint32 some_tokens[] = { 0, 5, 700, 33, 1000, 2, 411, 64, 64, 64, 9, 301, 77 };

static void
test_reference (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  const TareConfig *config = tare_network_get_config (network);
  gsize n = G_N_ELEMENTS (some_tokens);
  g_autofree float *x = g_new (float, n * config->width);
  g_autofree float *input = g_new (float, n * config->width);
  g_autofree float *truth = g_new0 (float, n * config->vocabulary);
  g_autofree float *logits = g_new (float, n * config->vocabulary);
  g_autofree float *norm = read_tensor (network, "output_norm", -1);
  g_autofree float *table = read_tensor (network, "token_embd", -1);

  for (gsize i = 0; i < n; i++)
    memcpy (x + i * config->width, table + some_tokens[i] * config->width,
            config->width * sizeof *x);
  for (guint i = 0; i < config->n_blocks; i++)
    {
      run_reference_attention (network, (int) i, x, n);
      run_reference_feed_forward (network, (int) i, x, n);
    }
  tare_reference_rms_norm (x, norm, config->norm_epsilon, n, config->width, input);
  add_linear (network, "output", -1, input, n, config->width, config->vocabulary,
              config->vocabulary, truth);

  tare_network_run (network, &tare_weights_of_file, some_tokens, n, logits, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (tare_test_difference (logits, truth, n * config->vocabulary), <, 1e-5);
}

/* Sequences run together, in groups of a size that does not divide their number, are the sequences
 * run alone. */
static void
test_sequences (void)
{
  const gsize n = 131, length = 13;
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 3, &error);
  gsize size = length * tare_network_get_config (network)->width;
  g_autofree float *together = g_new (float, n * size);
  g_autofree float *alone = g_new (float, n * size);

  g_assert_no_error (error);
  tare_test_fill_gaussian (together, n * size, 3);
  memcpy (alone, together, n * size * sizeof *alone);

  tare_network_run_block (network, block, together, n, length, NULL, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    {
      tare_network_run_block (network, block, alone + i * size, 1, length, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  g_assert_cmpfloat (tare_test_difference (together, alone, n * size), <, 1e-6);
}

/* A sequence longer than a group: its feed-forward part goes in slices. */
static void
test_long_sequence (void)
{
  const gsize length = 1301;
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 0, &error);
  gsize width = tare_network_get_config (network)->width;
  g_autofree float *x = g_new (float, length * width);
  g_autofree float *head = g_new (float, 40 * width);

  g_assert_no_error (error);
  tare_test_fill_gaussian (x, length * width, 4);
  memcpy (head, x, 40 * width * sizeof *x);

  tare_network_run_block (network, block, x, 1, length, NULL, NULL, &error);
  g_assert_no_error (error);
  tare_network_run_block (network, block, head, 1, 40, NULL, NULL, &error);
  g_assert_no_error (error);
  /* Causal: what comes first does not depend on what follows. */
  g_assert_cmpfloat (tare_test_difference (x, head, 40 * width), <, 1e-6);
}

typedef struct
{
  GString *roles;
  gsize    tokens[4];
  double   squares;
} Seen;

static void
observe (const TareTensor *tensor,
         gsize             expert,
         const float      *x,
         const guint32    *tokens,
         gsize             n_tokens,
         gsize             columns,
         gpointer          data)
{
  Seen *seen = data;
  const char *const roles[] = { "attn_q", "attn_output", "ffn_gate", "ffn_down" };

  g_assert_cmpuint (columns, ==, tensor->columns);
  g_string_append_printf (seen->roles, "%s ", tensor->role->id);
  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++)
    if (g_str_equal (roles[i], tensor->role->id))
      seen->tokens[i] += n_tokens;
  for (gsize i = 0; i < n_tokens * columns; i++)
    seen->squares += (double) x[i] * (double) x[i];
}

static void
test_observer (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 1, &error);
  g_autoptr(TareBlock) output = tare_network_load_output (network, &tare_weights_of_file, &error);
  const TareConfig *config = tare_network_get_config (network);
  g_autofree float *x = g_new (float, 3 * 600 * config->width);
  g_autofree float *logits = g_new (float, 2 * config->vocabulary);
  g_autoptr(GString) roles = g_string_new (NULL);
  Seen seen = { .roles = roles };
  const TareObserver observer = { observe, &seen };

  g_assert_no_error (error);
  tare_test_fill_gaussian (x, 3 * 600 * config->width, 5);
  tare_network_run_block (network, block, x, 3, 600, &observer, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (roles->str, "attn_q attn_output ffn_gate ffn_down "));
  for (gsize i = 0; i < G_N_ELEMENTS (seen.tokens); i++)
    g_assert_cmpuint (seen.tokens[i], ==, 3 * 600);

  g_string_truncate (roles, 0);
  seen.squares = 0.0;
  tare_network_run_output (network, output, x, 2, logits, &observer, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (roles->str, ==, "output ");
  g_assert_cmpfloat (seen.squares, >, 0.0);
}

/* What a block did to the stream, and who was attended to. */
typedef struct
{
  GByteArray *before;
  GByteArray *after;
  gsize       n_sequences;
  double      received;
  double      first;
} Tapped;

static void
tap_stream (guint        block,
            const float *before,
            const float *after,
            gsize        n_tokens,
            gsize        width,
            gpointer     data)
{
  Tapped *tapped = data;
  guint bytes = (guint) (n_tokens * width * sizeof *before);

  g_assert_cmpuint (block, ==, 1);
  g_byte_array_append (tapped->before, (const guint8 *) before, bytes);
  g_byte_array_append (tapped->after, (const guint8 *) after, bytes);
}

static void
tap_attention (guint         block,
               const double *received,
               gsize         n_sequences,
               gsize         length,
               gpointer      data)
{
  Tapped *tapped = data;

  g_assert_cmpuint (length, ==, 600);
  tapped->n_sequences += n_sequences;
  for (gsize i = 0; i < n_sequences * length; i++)
    tapped->received += received[i];
  for (gsize i = 0; i < n_sequences; i++)
    tapped->first += received[i * length];
}

static void
test_taps (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, 1, &error);
  const TareConfig *config = tare_network_get_config (network);
  gsize n = 3 * 600 * (gsize) config->width;
  g_autofree float *x = g_new (float, n), *y = g_new (float, n);
  g_autoptr(GByteArray) before = g_byte_array_new (), after = g_byte_array_new ();
  Tapped tapped = { .before = before, .after = after };
  const TareObserver observer = { .stream = tap_stream, .attend = tap_attention, .data = &tapped };

  g_assert_no_error (error);
  tare_test_fill_gaussian (x, n, 5);
  memcpy (y, x, n * sizeof *x);
  tare_network_run_block (network, block, y, 3, 600, &observer, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (before->data, before->len, x, n * sizeof *x);
  g_assert_cmpmem (after->data, after->len, y, n * sizeof *y);

  /* Every query of every head gives away 1, and the first position is seen by all. */
  g_assert_cmpuint (tapped.n_sequences, ==, 3);
  g_assert_cmpfloat_with_epsilon (tapped.received, 3.0 * 600.0 * config->n_heads, 1e-3);
  g_assert_cmpfloat (tapped.first, >=, 3.0 * config->n_heads);

  tare_network_run_block (network, block, x, 3, 600, NULL, NULL, &error);
  g_assert_cmpfloat (tare_test_difference (x, y, n), <, 1e-5);
}

/* The file's weights, one tensor of them multiplied. */
typedef struct
{
  const char *canonical;
  float       factor;
} Change;

static gboolean
load_changed (gpointer             data,
              const TareTensor    *tensor,
              float               *out,
              const TareProgress  *progress,
              GError             **error)
{
  const Change *change = data;

  if (!tare_tensor_read (tensor, out, error))
    return FALSE;
  if (g_str_equal (tensor->canonical, change->canonical))
    for (gsize i = 0; i < tare_tensor_get_n_weights (tensor); i++)
      out[i] *= change->factor;

  return TRUE;
}

static guint64
fingerprint_changed (gpointer          data,
                     const TareTensor *tensor)
{
  const Change *change = data;

  return g_str_equal (tensor->canonical, change->canonical) ? 77 : 0;
}

static void
test_fingerprint (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  Change change = { "blk.2.ffn_up.weight", 2.0f };
  const TareWeights weights = { load_changed, fingerprint_changed, &change };
  int n_blocks = (int) tare_network_get_config (network)->n_blocks;

  for (int i = -1; i <= n_blocks; i++)
    g_assert_true ((tare_network_fingerprint (network, &weights, i)
                    != tare_network_fingerprint (network, &tare_weights_of_file, i)) == (i == 2));

  change.canonical = "output.weight";
  for (int i = -1; i <= n_blocks; i++)
    g_assert_true ((tare_network_fingerprint (network, &weights, i)
                    != tare_network_fingerprint (network, &tare_weights_of_file, i))
                   == (i == n_blocks));
}

/* Where the two are tied a change of the embedding is one of the output. */
static void
test_fingerprint_tied (void)
{
  TARE_TEST_NEED_SHARED (path, "models/stories260K/stories260K-f32.gguf")
  g_autoptr(TareNetwork) network = open_network (path);
  Change change = { "token_embd.weight", 2.0f };
  const TareWeights weights = { load_changed, fingerprint_changed, &change };
  int n_blocks = (int) tare_network_get_config (network)->n_blocks;

  for (int i = -1; i <= n_blocks; i++)
    g_assert_true ((tare_network_fingerprint (network, &weights, i)
                    != tare_network_fingerprint (network, &tare_weights_of_file, i))
                   == (i == -1 || i == n_blocks));
}

/* What is not the file's comes through the weights: the embedding, and a norm of zeros. */
static void
test_weights (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  gsize width = tare_network_get_config (network)->width;
  gsize vocabulary = tare_network_get_config (network)->vocabulary;
  gsize n = G_N_ELEMENTS (some_tokens);
  g_autofree float *plain = g_new (float, n * width);
  g_autofree float *changed = g_new (float, n * width);
  g_autofree float *logits = g_new (float, n * vocabulary);
  Change change = { "token_embd.weight", 3.0f };
  const TareWeights weights = { load_changed, fingerprint_changed, &change };

  tare_network_embed (network, &tare_weights_of_file, some_tokens, n, n, plain, &error);
  g_assert_no_error (error);
  tare_network_embed (network, &weights, some_tokens, n, n, changed, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n * width; i++)
    g_assert_cmpfloat (changed[i], ==, 3.0f * plain[i]);

  change = (Change) { "output_norm.weight", 0.0f };
  tare_network_run (network, &weights, some_tokens, n, logits, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n * vocabulary; i++)
    g_assert_cmpfloat (logits[i], ==, 0.0f);
}

/* Layers large enough to go in slabs, of outputs and of inputs, are one product all the same. */
static void
check_slabs (gsize rows,
             gsize columns,
             gsize outputs)
{
  g_autofree float *x = g_new (float, rows * columns);
  g_autofree float *weight = g_new (float, outputs * columns);
  g_autofree float *bias = g_new0 (float, outputs);
  g_autofree float *slabs = g_new (float, rows * outputs);
  g_autofree float *whole = g_new (float, rows * outputs);
  const TareLinear linear = { NULL, weight, bias, columns, outputs };

  tare_test_fill_gaussian (x, rows * columns, 6);
  tare_test_fill_gaussian (weight, outputs * columns, 7);
  for (gsize i = 0; i < rows * outputs; i++)
    slabs[i] = whole[i] = (float) (i % 5);

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (blasint) rows, (blasint) outputs,
               (blasint) columns, 1.0f, x, (blasint) columns, weight, (blasint) columns, 1.0f,
               whole, (blasint) outputs);
  g_assert_true (_tare_linear_run (&linear, x, rows, 1.0f, slabs, NULL));
  g_assert_cmpfloat (tare_test_difference (slabs, whole, rows * outputs), <, 1e-6);

  /* And without what was there before. */
  g_assert_true (_tare_linear_run (&linear, x, rows, 0.0f, slabs, NULL));
  for (gsize i = 0; i < rows * outputs; i++)
    whole[i] -= (float) (i % 5);
  g_assert_cmpfloat (tare_test_difference (slabs, whole, rows * outputs), <, 1e-5);
}

static void
test_slabs (void)
{
  /* 12 Gflop each, twice to four times what goes at once; the last has a second round of rows. */
  check_slabs (1000, 1100, 5433);
  check_slabs (1000, 5433, 1100);
  check_slabs (1033, 37, 51);
}

static void
test_token_beyond (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  const guint32 tokens[2] = { 0, 1024 };
  g_autofree float *logits = g_new (float, 2 * 1024);

  g_assert_false (tare_network_run (network, &tare_weights_of_file, tokens, 2, logits, NULL,
                                    &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "1024"));
}

static void
test_cancelled (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autofree float *logits = g_new (float, G_N_ELEMENTS (some_tokens) * 1024);

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_network_run (network, &tare_weights_of_file, some_tokens,
                                    G_N_ELEMENTS (some_tokens), logits, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_cancelled_load (void)
{
  g_autoptr(TareNetwork) network = open_sample ();
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  const TareWeights weights = tare_weights_with_progress (&tare_weights_of_file, &progress);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareBlock) block = tare_network_load_block (network, &weights, 0, &error);

  g_assert_no_error (error);
  g_assert_nonnull (block);
  g_clear_pointer (&block, tare_block_free);

  g_cancellable_cancel (cancellable);
  block = tare_network_load_block (network, &weights, 0, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (block);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/network/logits/stories260K", test_logits_stories);
  g_test_add_func ("/network/logits/tare-sample", test_logits_sample);
  g_test_add_func ("/network/logits/llama3", test_logits_llama3);
  g_test_add_func ("/network/logits/qwen2", test_logits_qwen2);
  g_test_add_func ("/network/logits/qwen3", test_logits_qwen3);
  g_test_add_func ("/network/logits/gemma2", test_logits_gemma2);
  g_test_add_func ("/network/logits/gpt2", test_logits_gpt2);
  g_test_add_func ("/network/unsupported", test_unsupported);
  g_test_add_func ("/network/reference", test_reference);
  g_test_add_func ("/network/sequences", test_sequences);
  g_test_add_func ("/network/long-sequence", test_long_sequence);
  g_test_add_func ("/network/observer", test_observer);
  g_test_add_func ("/network/taps", test_taps);
  g_test_add_func ("/network/fingerprint", test_fingerprint);
  g_test_add_func ("/network/fingerprint-tied", test_fingerprint_tied);
  g_test_add_func ("/network/weights", test_weights);
  g_test_add_func ("/network/slabs", test_slabs);
  g_test_add_func ("/network/token-beyond", test_token_beyond);
  g_test_add_func ("/network/cancelled", test_cancelled);
  g_test_add_func ("/network/cancelled-load", test_cancelled_load);

  return g_test_run ();
}
