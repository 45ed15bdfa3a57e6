/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every fast kernel against its plain twin, on sizes that no vector divides. */
#include "tests/tare-test.h"

#include <math.h>
#include <string.h>

#include "quant/network/tare-kernels-reference.h"
#include "quant/network/tare-kernels.h"

static float *
gaussian (gsize   n,
          guint32 seed)
{
  float *x = g_new (float, MAX (n, 1));

  tare_test_fill_gaussian (x, n, seed);

  return x;
}

static void
test_exp (void)
{
  const gsize n = 400001;
  g_autofree float *x = g_new (float, n);
  g_autofree float *y = g_new (float, n);
  double worst = 0.0;

  for (gsize i = 0; i < n; i++)
    x[i] = (float) (-87.33 + 176.05 * (double) i / (double) (n - 1));

  tare_kernel_exp (x, n, y);

  for (gsize i = 0; i < n; i++)
    {
      double truth = exp ((double) x[i]);
      int exponent;

      frexp (truth, &exponent);
      worst = MAX (worst, fabs ((double) y[i] - truth) / ldexp (1.0, exponent - 24));
    }

  g_test_message ("worst error %.3f ulp", worst);
  g_assert_cmpfloat (worst, <, 2.0);
}

static void
test_exp_edges (void)
{
  const float x[] = { 0.0f, -0.0f, -88.0f, -1e30f, -INFINITY, 89.0f, 1e30f, INFINITY, NAN,
                      88.7228f, -87.33f };
  float y[G_N_ELEMENTS (x)];

  tare_kernel_exp (x, G_N_ELEMENTS (x), y);

  g_assert_cmpfloat (y[0], ==, 1.0f);
  g_assert_cmpfloat (y[1], ==, 1.0f);
  g_assert_cmpfloat (y[2], ==, 0.0f);
  g_assert_cmpfloat (y[3], ==, 0.0f);
  g_assert_cmpfloat (y[4], ==, 0.0f);
  g_assert_true (isinf (y[5]));
  g_assert_true (isinf (y[6]));
  g_assert_true (isinf (y[7]));
  g_assert_true (isnan (y[8]));
  g_assert_true (isfinite (y[9]));
  g_assert_cmpfloat (y[10], >, 0.0f);
}

static void
test_rms_norm (void)
{
  const struct { gsize rows, columns; } sizes[] = { { 1, 1 }, { 3, 7 }, { 5, 64 }, { 129, 173 } };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gsize n = sizes[i].rows * sizes[i].columns;
      g_autofree float *x = gaussian (n, 1);
      g_autofree float *weight = gaussian (sizes[i].columns, 2);
      g_autofree float *fast = g_new (float, n);
      g_autofree float *truth = g_new (float, n);

      tare_kernel_rms_norm (x, weight, 1e-5f, sizes[i].rows, sizes[i].columns, fast);
      tare_reference_rms_norm (x, weight, 1e-5f, sizes[i].rows, sizes[i].columns, truth);
      g_assert_cmpfloat (tare_test_difference (fast, truth, n), <, 3e-7);

      tare_kernel_rms_norm (x, weight, 1e-5f, sizes[i].rows, sizes[i].columns, x);
      g_assert_cmpmem (x, n * sizeof *x, fast, n * sizeof *fast);
    }
}

static void
test_rms_norm_zero (void)
{
  const float x[3] = { 0.0f, 0.0f, 0.0f };
  const float weight[3] = { 1.0f, 2.0f, 3.0f };
  float y[3] = { 9.0f, 9.0f, 9.0f };

  tare_kernel_rms_norm (x, weight, 1e-6f, 1, 3, y);
  for (gsize i = 0; i < 3; i++)
    g_assert_cmpfloat (y[i], ==, 0.0f);
}

static void
test_add_bias (void)
{
  const gsize rows = 131, columns = 177;
  g_autofree float *fast = gaussian (rows * columns, 3);
  g_autofree float *truth = gaussian (rows * columns, 3);
  g_autofree float *bias = gaussian (columns, 4);

  tare_kernel_add_bias (bias, rows, columns, fast);
  tare_reference_add_bias (bias, rows, columns, truth);
  g_assert_cmpmem (fast, rows * columns * sizeof *fast, truth, rows * columns * sizeof *truth);
}

static void
test_silu_gate (void)
{
  const struct { gsize rows, width; } sizes[] = { { 1, 1 }, { 3, 5 }, { 7, 172 }, { 101, 333 } };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gsize n = sizes[i].rows * sizes[i].width;
      g_autofree float *x = gaussian (2 * n, 5);
      g_autofree float *fast = g_new (float, n);
      g_autofree float *truth = g_new (float, n);

      /* Far enough out that e^-gate overflows and vanishes. */
      x[0] = i % 2 == 0 ? -100.0f : 100.0f;
      tare_kernel_silu_gate (x, sizes[i].rows, sizes[i].width, fast);
      tare_reference_silu_gate (x, sizes[i].rows, sizes[i].width, truth);
      for (gsize j = 0; j < n; j++)
        g_assert_cmpfloat_with_epsilon (fast[j], truth[j], 5e-7f * (1.0f + fabsf (truth[j])));
    }
}

static void
test_layer_norm (void)
{
  const gsize rows = 53, columns = 331;
  g_autofree float *x = gaussian (rows * columns, 8);
  g_autofree float *weight = gaussian (columns, 9);
  g_autofree float *bias = gaussian (columns, 10);
  g_autofree float *fast = g_new (float, rows * columns);
  g_autofree float *truth = g_new (float, rows * columns);

  /* Far from 0, where a sum of squares alone would lose the variance. */
  for (gsize i = 0; i < columns; i++)
    x[i] += 1000.0f;
  for (int biased = 0; biased < 2; biased++)
    {
      tare_kernel_layer_norm (x, weight, biased ? bias : NULL, 1e-5f, rows, columns, fast);
      tare_reference_layer_norm (x, weight, biased ? bias : NULL, 1e-5f, rows, columns, truth);
      g_assert_cmpfloat (tare_test_difference (fast + columns, truth + columns,
                                               (rows - 1) * columns), <, 1e-6);
      g_assert_cmpfloat (tare_test_difference (fast, truth, columns), <, 1e-4);
    }
}

static void
test_activations (void)
{
  static const TareActivation activations[] = {
    TARE_ACTIVATION_SILU, TARE_ACTIVATION_GELU_TANH, TARE_ACTIVATION_GELU_ERF,
  };
  const gsize rows = 101, width = 333, n = rows * width;
  g_autofree float *x = gaussian (2 * n, 11);
  g_autofree float *fast = g_new (float, n);
  g_autofree float *truth = g_new (float, n);

  x[0] = -100.0f;
  x[1] = 100.0f;
  x[2] = -4.0f;
  for (gsize i = 0; i < G_N_ELEMENTS (activations); i++)
    {
      tare_kernel_gate (activations[i], x, rows, width, fast);
      tare_reference_gate (activations[i], x, rows, width, truth);
      for (gsize j = 0; j < n; j++)
        g_assert_cmpfloat_with_epsilon (fast[j], truth[j], 5e-7f * (1.0f + fabsf (truth[j])));

      tare_kernel_activate (activations[i], x, rows, width, fast);
      tare_reference_activate (activations[i], x, rows, width, truth);
      for (gsize j = 0; j < n; j++)
        g_assert_cmpfloat_with_epsilon (fast[j], truth[j], 5e-7f * (1.0f + fabsf (truth[j])));
    }
}

/* Small numbers stay what they are, to the last bits; large ones meet the bound. */
static void
test_soft_cap (void)
{
  const gsize n = 40000;
  g_autofree float *fast = gaussian (n, 12);
  g_autofree float *truth = g_new (float, n);

  for (gsize i = 0; i < n; i++)
    truth[i] = fast[i] *= powf (10.0f, (float) (i % 7) - 4.0f);
  tare_kernel_soft_cap (5.0f, 1, n, fast);
  tare_reference_soft_cap (5.0f, 1, n, truth);
  for (gsize i = 0; i < n; i++)
    {
      g_assert_cmpfloat_with_epsilon (fast[i], truth[i], 6e-7f * fabsf (truth[i]) + 1e-30f);
      g_assert_cmpfloat (fabsf (fast[i]), <=, 5.0f);
    }
}

static void
test_add (void)
{
  const gsize rows = 131, columns = 177;
  g_autofree float *x = gaussian (rows * columns, 13);
  g_autofree float *y = gaussian (rows * columns, 14);
  g_autofree float *before = gaussian (rows * columns, 14);

  tare_kernel_add (x, rows, columns, y);
  for (gsize i = 0; i < rows * columns; i++)
    g_assert_cmpfloat (y[i], ==, before[i] + x[i]);
  tare_kernel_scale (3.0f, rows, columns, y);
  for (gsize i = 0; i < rows * columns; i++)
    g_assert_cmpfloat (y[i], ==, 3.0f * (before[i] + x[i]));
}

static void
check_rotate (TareRotary rotary)
{
  const double frequencies[5] = { 1.0, 0.3, 0.1, 0.03, 0.01 };
  const gsize width = 13;
  g_autoptr(TareAngles) angles = tare_angles_new (rotary, frequencies, 1.0, 5, 40);
  g_autofree float *fast = gaussian (width, 6);
  g_autofree float *truth = gaussian (width, 6);
  g_autofree float *before = gaussian (width, 6);
  double norm = 0.0;

  for (gsize position = 0; position < 40; position++)
    {
      tare_kernel_rotate (angles, position, fast);
      tare_reference_rotate (angles, position, truth);
      g_assert_cmpfloat (tare_test_difference (fast, truth, width), <, 1e-5);
    }
  for (gsize i = 0; i < width; i++)
    norm += (double) fast[i] * (double) fast[i] - (double) before[i] * (double) before[i];

  /* Turning keeps the length, and what is beyond the pairs. */
  g_assert_cmpfloat_with_epsilon (norm, 0.0, 1e-4);
  for (gsize i = 10; i < width; i++)
    g_assert_cmpfloat (fast[i], ==, before[i]);
}

static void
test_rotate_interleaved (void)
{
  check_rotate (TARE_ROTARY_INTERLEAVED);
}

static void
test_rotate_halves (void)
{
  check_rotate (TARE_ROTARY_HALVES);
}

/* One pair at position 1 with frequency π/2: (1, 0) becomes (0, 1), and (0, 1) becomes (-1, 0). */
static void
test_rotate_quarter (void)
{
  const double frequency = G_PI / 2.0;
  const TareRotary kinds[] = { TARE_ROTARY_INTERLEAVED, TARE_ROTARY_HALVES };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr(TareAngles) angles = tare_angles_new (kinds[i], &frequency, 2.0, 1, 2);
      float head[2] = { 1.0f, 3.0f };

      tare_kernel_rotate (angles, 1, head);
      g_assert_cmpfloat_with_epsilon (head[0], -6.0f, 1e-6f);
      g_assert_cmpfloat_with_epsilon (head[1], 2.0f, 1e-6f);
    }
}

static void
test_frequencies (void)
{
  TareConfig config = { .rope_base = 10000.0f, .rope_width = 8, .rope_factor = 4.0f };
  const float divisors[4] = { 1.0f, 2.0f, 4.0f, 8.0f };
  double plain[4], scaled[4];

  tare_rotary_frequencies (&config, NULL, plain);
  for (gsize i = 0; i < 4; i++)
    g_assert_cmpfloat_with_epsilon (plain[i], pow (10.0, -(double) i), 1e-12);

  tare_rotary_frequencies (&config, divisors, scaled);
  for (gsize i = 0; i < 4; i++)
    g_assert_cmpfloat_with_epsilon (scaled[i] * (double) divisors[i], plain[i], 1e-12);

  config.rope_scaling = TARE_ROPE_SCALING_LINEAR;
  tare_rotary_frequencies (&config, NULL, scaled);
  for (gsize i = 0; i < 4; i++)
    g_assert_cmpfloat_with_epsilon (scaled[i], plain[i] / 4.0, 1e-12);
  g_assert_cmpfloat (tare_rotary_magnitude (&config), ==, 1.0);
}

/* Wavelengths 2π 10^i against a context of 100: those below 25 stay, those above 100 stretch by 8,
 * 62.8 lies between: s = (100 / 62.83 - 1) / 3. */
static void
test_frequencies_llama3 (void)
{
  TareConfig config = {
    .rope_base = 10000.0f, .rope_width = 8, .rope_factor = 8.0f,
    .rope_scaling = TARE_ROPE_SCALING_LLAMA3, .rope_original_context = 100,
    .rope_low_frequency = 1.0f, .rope_high_frequency = 4.0f,
  };
  double s = (100.0 / (20.0 * G_PI) - 1.0) / 3.0;
  double frequencies[4];

  tare_rotary_frequencies (&config, NULL, frequencies);

  g_assert_cmpfloat_with_epsilon (frequencies[0], 1.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (frequencies[1], 0.1 * ((1.0 - s) / 8.0 + s), 1e-12);
  g_assert_cmpfloat_with_epsilon (frequencies[2], 0.01 / 8.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (frequencies[3], 0.001 / 8.0, 1e-12);
}

/* The fastest pair turns more than 32 times over the context and stays, the slowest less than once
 * and stretches fully. */
static void
test_frequencies_yarn (void)
{
  TareConfig config = {
    .rope_base = 10000.0f, .rope_width = 64, .rope_factor = 4.0f,
    .rope_scaling = TARE_ROPE_SCALING_YARN, .rope_original_context = 2048,
  };
  double frequencies[32];

  tare_rotary_frequencies (&config, NULL, frequencies);

  g_assert_cmpfloat_with_epsilon (frequencies[0], 1.0, 1e-12);
  g_assert_cmpfloat_with_epsilon (frequencies[31], pow (10000.0, -62.0 / 64.0) / 4.0, 1e-15);
  for (gsize i = 0; i < 32; i++)
    {
      double plain = pow (10000.0, -2.0 * (double) i / 64.0);

      g_assert_cmpfloat (frequencies[i], <=, plain * 1.0000001);
      g_assert_cmpfloat (frequencies[i], >=, plain / 4.0000001);
    }
  g_assert_cmpfloat_with_epsilon (tare_rotary_magnitude (&config), 0.1 * log (4.0) + 1.0, 1e-12);
  config.rope_attention_factor = 1.25f;
  g_assert_cmpfloat (tare_rotary_magnitude (&config), ==, 1.25);
}

static void
check_bounded_attention (gsize n_sequences,
                         gsize length,
                         gsize n_heads,
                         gsize n_key_value_heads,
                         gsize head_width,
                         gsize window,
                         float soft_cap)
{
  const TareAttentionShape shape = { n_sequences, length, n_heads, n_key_value_heads, head_width,
                                     window, soft_cap };
  gsize tokens = n_sequences * length;
  gsize n = tokens * n_heads * head_width;
  float scale = 1.0f / sqrtf ((float) head_width);
  g_autofree float *qkv = gaussian (tokens * (n_heads + 2 * n_key_value_heads) * head_width, 7);
  g_autofree float *scratch = g_new (float, tare_kernel_attention_scratch (&shape));
  g_autofree float *fast = g_new (float, n);
  g_autofree float *truth = g_new (float, n);
  g_autofree float *same = g_new (float, n);
  g_autofree double *received = g_new0 (double, tokens * n_heads);
  g_autofree double *received_truth = g_new0 (double, tokens * n_heads);
  double all = 0.0;

  tare_kernel_attention (&shape, qkv, scale, scratch, fast, NULL);
  tare_reference_attention_tapped (&shape, qkv, scale, truth, received_truth);
  g_assert_cmpfloat (tare_test_difference (fast, truth, n), <, 1e-6);

  tare_kernel_attention_tapped (&shape, qkv, scale, scratch, same, received, NULL);
  g_assert_cmpmem (same, n * sizeof *same, fast, n * sizeof *fast);
  for (gsize i = 0; i < tokens * n_heads; i++)
    {
      g_assert_cmpfloat_with_epsilon (received[i], received_truth[i],
                                      1e-6 * (1.0 + received_truth[i]));
      all += received[i];
    }
  /* Every query gives away 1. */
  g_assert_cmpfloat_with_epsilon (all, (double) (tokens * n_heads), 1e-5 * (double) all);
}

static void
check_attention (gsize n_sequences,
                 gsize length,
                 gsize n_heads,
                 gsize n_key_value_heads,
                 gsize head_width)
{
  check_bounded_attention (n_sequences, length, n_heads, n_key_value_heads, head_width, 0, 0.0f);
}

/* Windows that begin within a panel of keys, at its edge and beyond the sequence. */
static void
test_attention_bounds (void)
{
  static const gsize windows[] = { 1, 7, 31, 32, 33, 64, 100, 129, 200 };

  for (gsize i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      check_bounded_attention (2, 129, 4, 2, 16, windows[i], 0.0f);
      check_bounded_attention (1, 67, 2, 1, 40, windows[i], 0.5f);
    }
  check_bounded_attention (3, 40, 4, 1, 8, 0, 1.0f);
}

static void
check_past (const TareAttentionShape *shape,
            gsize                     key_window,
            gsize                     value_window)
{
  gsize tokens = shape->n_sequences * shape->length;
  gsize n = tokens * shape->n_heads * shape->head_width;
  gsize width = (shape->n_heads + 2 * shape->n_key_value_heads) * shape->head_width;
  float scale = 1.0f / sqrtf ((float) shape->head_width);
  g_autofree float *qkv = gaussian (tokens * width, 7);
  g_autofree float *old = gaussian (tokens * width, 8);
  g_autofree float *scratch = g_new (float, tare_kernel_attention_past_scratch (shape));
  g_autofree float *fast = g_new (float, n);
  g_autofree float *truth = g_new (float, n);
  g_autofree double *received = g_new0 (double, tokens * shape->n_heads);
  g_autofree double *received_truth = g_new0 (double, tokens * shape->n_heads);
  const TareAttentionPast past = { old, key_window, value_window };

  tare_kernel_attention_past (shape, qkv, &past, scale, scratch, fast, received, NULL);
  tare_reference_attention_past (shape, qkv, &past, scale, truth, received_truth);
  g_assert_cmpfloat (tare_test_difference (fast, truth, n), <, 1e-6);
  for (gsize i = 0; i < tokens * shape->n_heads; i++)
    g_assert_cmpfloat_with_epsilon (received[i], received_truth[i],
                                    1e-6 * (1.0 + received_truth[i]));

  /* A window over all of it, or none, is attention without a past. */
  if (key_window > 0 && key_window < shape->length)
    return;
  if (value_window > 0 && value_window < shape->length)
    return;
  tare_reference_attention (shape, qkv, scale, truth);
  g_assert_cmpfloat (tare_test_difference (fast, truth, n), <, 1e-6);
}

/* Older tokens with other keys and values, from within a block of queries to beyond the sequence;
 * with a sliding window on top. */
static void
test_attention_past (void)
{
  static const gsize windows[] = { 0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 128, 129, 500 };
  const TareAttentionShape shapes[] = {
    { 2, 129, 4, 2, 16, 0, 0.0f }, { 1, 67, 2, 1, 40, 0, 0.5f }, { 1, 129, 2, 2, 8, 50, 0.0f },
    { 3, 5, 2, 1, 33, 0, 0.0f }, { 1, 1, 1, 1, 4, 0, 0.0f },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (windows); j++)
      {
        check_past (&shapes[i], windows[j], windows[j]);
        check_past (&shapes[i], windows[j], windows[(5 * j + 3) % G_N_ELEMENTS (windows)]);
      }
}

static void
test_attention (void)
{
  check_attention (1, 1, 1, 1, 1);
  check_attention (1, 8, 1, 1, 32);
  check_attention (2, 9, 2, 1, 8);
  check_attention (3, 31, 4, 2, 16);
  check_attention (1, 33, 6, 3, 33);
  check_attention (2, 65, 8, 4, 64);
  check_attention (1, 257, 3, 1, 80);
  check_attention (5, 64, 2, 2, 5);
}

/* Scores of hundreds must not overflow, and a value no later token may see stays unseen. */
static void
test_attention_edges (void)
{
  const TareAttentionShape shape = { 1, 40, 1, 1, 4 };
  g_autofree float *qkv = gaussian (40 * 12, 8);
  g_autofree float *scratch = g_new (float, tare_kernel_attention_scratch (&shape));
  g_autofree float *first = g_new (float, 40 * 4);
  g_autofree float *second = g_new (float, 40 * 4);

  for (gsize i = 0; i < 40 * 12; i++)
    if (i % 12 < 8)
      qkv[i] *= 30.0f;
  tare_kernel_attention (&shape, qkv, 1.0f, scratch, first, NULL);
  tare_reference_attention (&shape, qkv, 1.0f, second);
  g_assert_cmpfloat (tare_test_difference (first, second, 40 * 4), <, 1e-4);

  for (gsize i = 21 * 12; i < 40 * 12; i++)
    qkv[i] = 1e10f;
  tare_kernel_attention (&shape, qkv, 1.0f, scratch, second, NULL);
  g_assert_cmpmem (second, 21 * 4 * sizeof (float), first, 21 * 4 * sizeof (float));
}

static void
test_attention_cancelled (void)
{
  const TareAttentionShape shape = { 1, 16, 1, 1, 4 };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autofree float *qkv = gaussian (16 * 12, 9);
  g_autofree float *scratch = g_new (float, tare_kernel_attention_scratch (&shape));
  g_autofree float *y = g_new (float, 16 * 4);

  for (gsize i = 0; i < 16 * 4; i++)
    y[i] = 5.0f;
  g_cancellable_cancel (cancellable);
  tare_kernel_attention (&shape, qkv, 1.0f, scratch, y, &progress);
  for (gsize i = 0; i < 16 * 4; i++)
    g_assert_cmpfloat (y[i], ==, 5.0f);
}

static void
test_log_softmax (void)
{
  const gsize sizes[] = { 1, 2, 17, 512, 1025 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gsize n = sizes[i];
      g_autofree float *a = gaussian (n, 10);
      g_autofree float *b = gaussian (n, 11);
      TareLogSoftmax fast, truth, other;

      for (gsize j = 0; j < n; j++)
        {
          a[j] = a[j] * 5.0f + 300.0f;
          b[j] = a[j] + 0.5f * b[j];
        }
      fast = tare_kernel_log_softmax (a, n);
      truth = tare_reference_log_softmax (a, n);
      other = tare_kernel_log_softmax (b, n);
      g_assert_cmpuint (fast.top, ==, truth.top);
      g_assert_cmpfloat_with_epsilon (fast.log_sum, truth.log_sum, 1e-6);
      g_assert_cmpfloat_with_epsilon (tare_kernel_divergence (a, &fast, b, &other, n),
                                      tare_reference_divergence (a, b, n), 2e-6);
      g_assert_cmpfloat (tare_kernel_divergence (a, &fast, a, &fast, n), ==, 0.0);
    }
}

/* Two outcomes with odds 3 to 1 against even odds: KL = 3/4 ln (3/2) + 1/4 ln (1/2). */
static void
test_divergence_closed (void)
{
  const float base[2] = { 1.0986123f, 0.0f };
  const float other[2] = { 7.0f, 7.0f };
  TareLogSoftmax p = tare_kernel_log_softmax (base, 2);
  TareLogSoftmax q = tare_kernel_log_softmax (other, 2);

  g_assert_cmpuint (p.top, ==, 0);
  g_assert_cmpuint (q.top, ==, 0);
  g_assert_cmpfloat_with_epsilon (tare_kernel_divergence (base, &p, other, &q, 2),
                                  0.75 * log (1.5) + 0.25 * log (0.5), 1e-7);
}

static void
test_log_softmax_not_finite (void)
{
  const float logits[4] = { 1.0f, NAN, 3.0f, 2.0f };

  g_assert_true (isnan (tare_kernel_log_softmax (logits, 4).log_sum));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/kernels/exp", test_exp);
  g_test_add_func ("/kernels/exp-edges", test_exp_edges);
  g_test_add_func ("/kernels/rms-norm", test_rms_norm);
  g_test_add_func ("/kernels/rms-norm-zero", test_rms_norm_zero);
  g_test_add_func ("/kernels/add-bias", test_add_bias);
  g_test_add_func ("/kernels/silu-gate", test_silu_gate);
  g_test_add_func ("/kernels/rotate-interleaved", test_rotate_interleaved);
  g_test_add_func ("/kernels/rotate-halves", test_rotate_halves);
  g_test_add_func ("/kernels/rotate-quarter", test_rotate_quarter);
  g_test_add_func ("/kernels/frequencies", test_frequencies);
  g_test_add_func ("/kernels/frequencies-llama3", test_frequencies_llama3);
  g_test_add_func ("/kernels/frequencies-yarn", test_frequencies_yarn);
  g_test_add_func ("/kernels/layer-norm", test_layer_norm);
  g_test_add_func ("/kernels/activations", test_activations);
  g_test_add_func ("/kernels/soft-cap", test_soft_cap);
  g_test_add_func ("/kernels/add", test_add);
  g_test_add_func ("/kernels/attention", test_attention);
  g_test_add_func ("/kernels/attention-bounds", test_attention_bounds);
  g_test_add_func ("/kernels/attention-past", test_attention_past);
  g_test_add_func ("/kernels/attention-edges", test_attention_edges);
  g_test_add_func ("/kernels/attention-cancelled", test_attention_cancelled);
  g_test_add_func ("/kernels/log-softmax", test_log_softmax);
  g_test_add_func ("/kernels/divergence-closed", test_divergence_closed);
  g_test_add_func ("/kernels/log-softmax-not-finite", test_log_softmax_not_finite);

  return g_test_run ();
}
