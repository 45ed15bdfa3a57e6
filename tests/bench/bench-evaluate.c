/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Tokens a second of an evaluation, stage by stage, on the sample and on a Llama of a billion
 * weights. Its weights are 0, which products do not know, and its file has holes for them, so that
 * reading it costs what reading from the page cache costs.
 */
#include "tests/bench/bench.h"

#include <glib/gstdio.h>

#include "config.h"
#include "quant/network/tare-states.h"
#include "tests/tare-test-model.h"

/* The shape of Llama 3.2 1B but for the vocabulary, which is that of the sample's tokenizer. */
static const TareTestShape billion = { 16, 2048, 32, 8, 8192, 1024 };
static const TareTestShape little = { 2, 256, 4, 2, 512, 1024 };

#define SEQUENCES 2
#define LENGTH    512

/* Seconds of every stage of one evaluation. */
typedef struct
{
  double embedding;
  double loading;
  double blocks;
  double output;
} Stages;

static double
lap (gint64 *since)
{
  gint64 now = g_get_monotonic_time ();
  double seconds = (double) (now - *since) / 1e6;

  *since = now;

  return seconds;
}

static void
run_blocks (TareNetwork *network,
            TareStates  *states,
            Stages      *stages,
            GError     **error)
{
  guint n_blocks = tare_network_get_config (network)->n_blocks;
  gint64 since = g_get_monotonic_time ();

  for (guint i = 0; i < n_blocks && *error == NULL; i++)
    {
      g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, i,
                                                            error);

      stages->loading += lap (&since);
      if (block != NULL)
        tare_states_run_block (states, network, block, SEQUENCES, LENGTH, NULL, NULL, error);
      stages->blocks += lap (&since);
    }
}

static void
run_output (TareNetwork *network,
            TareStates  *states,
            Stages      *stages,
            GError     **error)
{
  gsize n = SEQUENCES * LENGTH;
  g_autofree float *logits = g_new (float, n * tare_network_get_config (network)->vocabulary);
  gint64 since = g_get_monotonic_time ();
  g_autoptr(TareBlock) output = tare_network_load_output (network, &tare_weights_of_file, error);

  stages->loading += lap (&since);
  if (output != NULL)
    tare_network_run_output (network, output, tare_states_get_rows (states, 0), n, logits, NULL,
                             error);
  stages->output += lap (&since);
}

static void
add_stages (JsonBuilder  *json,
            const char   *name,
            const Stages *stages)
{
  double total = stages->embedding + stages->loading + stages->blocks + stages->output;

  json_builder_set_member_name (json, name);
  json_builder_begin_object (json);
  bench_add_number (json, "tokens", SEQUENCES * LENGTH);
  bench_add_number (json, "tokens_per_second", SEQUENCES * LENGTH / total);
  bench_add_number (json, "embedding_share", stages->embedding / total);
  bench_add_number (json, "loading_share", stages->loading / total);
  bench_add_number (json, "blocks_share", stages->blocks / total);
  bench_add_number (json, "output_share", stages->output / total);
  json_builder_end_object (json);
}

/* The second of two runs, of which the first has mapped the files and the buffers. */
static void
bench_model (JsonBuilder *json,
             const char  *name,
             const char  *folder,
             gboolean     quick)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (folder, &error);
  g_autoptr(TareNetwork) network = model != NULL ? tare_network_new (model, &error) : NULL;
  g_autoptr(TareStates) states = NULL;
  g_autofree guint32 *tokens = g_new0 (guint32, SEQUENCES * LENGTH);
  TareBudget budget = tare_budget_new (0, 0);
  Stages stages;

  for (gsize i = 0; i < SEQUENCES * LENGTH; i++)
    tokens[i] = (guint32) (i * 31 % 1000);
  if (network != NULL)
    states = tare_states_new (SEQUENCES * LENGTH, tare_network_get_config (network)->width,
                              &budget, &error);
  for (int run = 0; run < (quick ? 1 : 2) && error == NULL; run++)
    {
      gint64 since = g_get_monotonic_time ();

      stages = (Stages) { 0 };
      tare_states_embed (states, network, &tare_weights_of_file, tokens, SEQUENCES, LENGTH,
                         &error);
      stages.embedding = lap (&since);
      if (error == NULL)
        run_blocks (network, states, &stages, &error);
      if (error == NULL)
        run_output (network, states, &stages, &error);
    }
  if (error != NULL)
    g_error ("%s", error->message);

  add_stages (json, name, &stages);
}

/**
 * bench_evaluate:
 * @json: an object that is open
 * @quick: every path once, on a small model
 *
 * For each model its tokens a second and the shares of the time: looking tokens up, decoding
 * weights, blocks, and the output layer.
 */
void
bench_evaluate (JsonBuilder *json,
                gboolean     quick)
{
  g_autofree char *sample = g_build_filename (TARE_SOURCE_DATA_DIR, "sample", NULL);
  g_autofree char *folder = g_dir_make_tmp ("tare-bench-XXXXXX", NULL);

  tare_test_write_llama (quick ? &little : &billion, NULL, folder);
  bench_model (json, "sample", sample, quick);
  bench_model (json, "billion", folder, quick);
  tare_test_remove_llama (folder);
}
