/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sequences that branch, against each way through them by itself. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-kernels-reference.h"
#include "quant/network/tare-network.h"

#define LENGTH        140
#define N_SEQUENCES   6
#define MOST_BRANCHES 5

/* How many tokens are shared, and how many each branch has; what is left is padding. */
static const struct
{
  gsize shared;
  gsize branches[MOST_BRANCHES];
} trees[N_SEQUENCES] = {
  { 37, { 5, 70, 1, 20, 7 } },
  { 0, { 33, 107 } },
  { 100, { 8, 32 } },
  { 140, { 0 } },
  { 30, { 20, 10 } },
  { 0, { 50, 3 } },
};

typedef struct
{
  TareBranches branches;
  gsize        shared[N_SEQUENCES];
  gsize        begin[N_SEQUENCES * LENGTH];
} Fixture;

static void
fixture_init (Fixture *self)
{
  memset (self, 0, sizeof *self);
  self->branches = (TareBranches) { N_SEQUENCES, LENGTH, LENGTH, self->shared, self->begin };
  for (gsize s = 0; s < N_SEQUENCES; s++)
    {
      gsize row = self->shared[s] = trees[s].shared;

      for (gsize b = 0; b < MOST_BRANCHES; b++)
        for (gsize i = 0, begin = row; i < trees[s].branches[b]; i++)
          self->begin[s * LENGTH + row++] = begin;
      for (; row < LENGTH; row++)
        self->begin[s * LENGTH + row] = row + (trees[s].shared > 0);
    }
}

/* The rows of one way, of all sequences one after the other; how many there are. */
static gsize
find_way (gsize  sequence,
          gsize  branch,
          gsize *rows)
{
  gsize begin = trees[sequence].shared;
  gsize n = 0;

  for (gsize i = 0; i < branch; i++)
    begin += trees[sequence].branches[i];
  for (gsize i = 0; i < trees[sequence].shared; i++)
    rows[n++] = sequence * LENGTH + i;
  for (gsize i = 0; i < trees[sequence].branches[branch]; i++)
    rows[n++] = sequence * LENGTH + begin + i;

  return n;
}

static void
test_positions (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 36), ==, 36);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 37), ==, 37);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 41), ==, 41);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 42), ==, 37);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 111), ==, 106);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 0, 112), ==, 37);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 1, 33), ==, 0);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 3, 139), ==, 139);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 4, 60), ==, 29);
  g_assert_cmpuint (tare_branches_get_position (&fixture.branches, 5, 53), ==, 0);
}

static void
check_attention (gsize n_heads,
                 gsize n_key_value_heads,
                 gsize head_width,
                 gsize window,
                 float soft_cap)
{
  Fixture fixture;
  TareAttentionShape shape = {
    N_SEQUENCES, LENGTH, n_heads, n_key_value_heads, head_width, window, soft_cap,
    &fixture.branches,
  };
  gsize inputs = (n_heads + 2 * n_key_value_heads) * head_width;
  gsize outputs = n_heads * head_width;
  float scale = 1.0f / sqrtf ((float) head_width);
  g_autofree float *qkv = g_new (float, N_SEQUENCES * LENGTH * inputs);
  g_autofree float *y = g_new (float, N_SEQUENCES * LENGTH * outputs);
  g_autofree float *scratch = g_new (float, tare_kernel_attention_scratch (&shape));
  g_autofree float *way = g_new (float, LENGTH * inputs);
  g_autofree float *truth = g_new (float, LENGTH * outputs);
  gsize rows[LENGTH];

  fixture_init (&fixture);
  tare_test_fill_gaussian (qkv, N_SEQUENCES * LENGTH * inputs, 3);
  tare_kernel_attention (&shape, qkv, scale, scratch, y, NULL);
  for (gsize i = 0; i < N_SEQUENCES * LENGTH * outputs; i++)
    g_assert_true (isfinite (y[i]));

  shape.n_sequences = 1;
  shape.branches = NULL;
  for (gsize s = 0; s < N_SEQUENCES; s++)
    for (gsize b = 0; b < MOST_BRANCHES; b++)
      {
        shape.length = find_way (s, b, rows);
        for (gsize i = 0; i < shape.length; i++)
          memcpy (way + i * inputs, qkv + rows[i] * inputs, inputs * sizeof *way);
        tare_reference_attention (&shape, way, scale, truth);
        for (gsize i = 0; i < shape.length; i++)
          g_assert_cmpfloat (tare_test_difference (y + rows[i] * outputs, truth + i * outputs,
                                                   outputs), <, 2e-6);
      }
}

static void
test_attention (void)
{
  static const gsize windows[] = { 0, 1, 7, 31, 32, 33, 64, 100, 139, 200 };

  for (gsize i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      check_attention (4, 2, 16, windows[i], 0.0f);
      check_attention (2, 2, 40, windows[i], 0.5f);
    }
}

/* The states after the last block. */
static void
run_blocks (TareNetwork        *network,
            const TareBranches *branches,
            gsize               length,
            float              *x)
{
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < tare_network_get_config (network)->n_blocks; i++)
    {
      g_autoptr(TareBlock) block = tare_network_load_block (network, &tare_weights_of_file, i,
                                                            &error);

      g_assert_no_error (error);
      if (branches != NULL)
        tare_network_run_branches (network, block, x, branches, NULL, &error);
      else
        tare_network_run_block (network, block, x, 1, length, NULL, NULL, &error);
      g_assert_no_error (error);
    }
}

/* States of a whole model; those of each way are of the size of its largest. */
static void
check_model (const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareModel) model = tare_model_open (path, &error);
  g_autoptr(TareNetwork) network = model != NULL ? tare_network_new (model, &error) : NULL;
  gsize width, n = N_SEQUENCES * LENGTH, rows[LENGTH];
  g_autofree guint32 *tokens = g_new (guint32, n);
  g_autofree float *x = NULL, *y = NULL;
  double worst = 0.0;
  Fixture fixture;

  g_assert_no_error (error);
  fixture_init (&fixture);
  width = tare_model_get_config (model)->width;
  for (gsize i = 0; i < n; i++)
    tokens[i] = (guint32) (i * i * 7 + i) % tare_model_get_config (model)->vocabulary;
  x = g_new (float, n * width);
  y = g_new (float, LENGTH * width);

  tare_network_embed_branches (network, &tare_weights_of_file, tokens, &fixture.branches, x,
                               &error);
  g_assert_no_error (error);
  run_blocks (network, &fixture.branches, 0, x);

  for (gsize s = 0; s < N_SEQUENCES; s++)
    for (gsize b = 0; b < MOST_BRANCHES; b++)
      {
        gsize length = find_way (s, b, rows);
        guint32 way[LENGTH];

        if (trees[s].branches[b] == 0 && (b > 0 || trees[s].shared == 0))
          continue;
        for (gsize i = 0; i < length; i++)
          way[i] = tokens[rows[i]];
        tare_network_embed (network, &tare_weights_of_file, way, length, length, y, &error);
        g_assert_no_error (error);
        run_blocks (network, NULL, length, y);
        for (gsize i = 0; i < length; i++)
          worst = fmax (worst, tare_test_difference (x + rows[i] * width, y + i * width, width));
      }
  g_test_message ("%s: %.3g", path, worst);
  g_assert_cmpfloat (worst, <, 1e-5);
}

static void
test_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");

  check_model (path);
}

/* Learned positions. */
static void
test_gpt2 (void)
{
  TARE_TEST_NEED_SHARED (path, "models/gpt2-random")

  check_model (path);
}

/* Windows, soft caps. */
static void
test_gemma2 (void)
{
  TARE_TEST_NEED_SHARED (path, "models/gemma2-random")

  check_model (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/branches/positions", test_positions);
  g_test_add_func ("/branches/attention", test_attention);
  g_test_add_func ("/branches/sample", test_sample);
  g_test_add_func ("/branches/gpt2", test_gpt2);
  g_test_add_func ("/branches/gemma2", test_gemma2);

  return g_test_run ();
}
