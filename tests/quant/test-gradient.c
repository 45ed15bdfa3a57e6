/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The reverse pass of every architecture of the table against central differences of a loss in
 * double that shares nothing with it but the configuration.
 */
#include "tests/quant/tiny-model.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "tests/tare-test.h"

#define N_SEQUENCES 2
#define LENGTH      12
#define VOCABULARY  64

/* Steps of central differences: Richardson's two are this and twice this. */
#define STEP 2.5e-4

static guint32 tokens[N_SEQUENCES * LENGTH];
static float base_logits[N_SEQUENCES * LENGTH * VOCABULARY];

static gboolean
get_base (gpointer   data,
          gsize      first,
          gsize      n,
          float     *logits,
          GError   **error)
{
  memcpy (logits, base_logits + first * VOCABULARY, n * VOCABULARY * sizeof *logits);

  return TRUE;
}

static TareObjective
get_objective (TareLoss loss)
{
  return (TareObjective) { .loss = loss, .tokens = tokens, .n_sequences = N_SEQUENCES,
                           .length = LENGTH,
                           .base = loss == TARE_LOSS_DIVERGENCE ? get_base : NULL };
}

static gboolean
cover_all (gpointer          data,
           const TareTensor *tensor)
{
  return TRUE;
}

static guint32
get_seed (const TareTensor *tensor)
{
  return g_str_hash (tensor->canonical) % 100000 + 1;
}

/* How a matrix moves: Gaussian numbers of the size of its own. */
static gboolean
move (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  gsize n = tare_tensor_get_n_weights (tensor);

  tare_test_fill_gaussian (out, n, get_seed (tensor));
  for (gsize i = 0; i < n; i++)
    out[i] *= 0.1f;

  return TRUE;
}

/* Gradients by name: what comes in two parts is added up. */
static void
keep (const TareTensor *tensor,
      const float      *gradient,
      gpointer          data)
{
  GHashTable *gradients = data;
  gsize n = tare_tensor_get_n_weights (tensor);
  float *sum = g_hash_table_lookup (gradients, tensor->canonical);

  if (sum == NULL)
    {
      sum = g_new0 (float, n);
      g_hash_table_insert (gradients, g_strdup (tensor->canonical), sum);
    }
  for (gsize i = 0; i < n; i++)
    sum[i] += gradient[i];
}

static void
keep_curvature (const TareTensor *tensor,
                double            curvature,
                gpointer          data)
{
  GHashTable *gradients = data;
  g_autofree char *name = g_strconcat (tensor->canonical, " curvature", NULL);
  double *sum = g_hash_table_lookup (gradients, name);

  if (sum == NULL)
    {
      sum = g_new0 (double, 1);
      g_hash_table_insert (gradients, g_steal_pointer (&name), sum);
    }
  *sum += curvature;
}

/* (L (w + h u) - L (w - h u)) / 2h of one tensor, extrapolated. */
static double
differ (TinyNetwork         *network,
        const TareTensor    *tensor,
        const float         *u,
        const TareObjective *objective)
{
  double *w = tiny_network_lookup (network, tensor->canonical);
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree double *kept = g_memdup2 (w, n * sizeof *w);
  double slopes[2];

  for (gsize i = 0; i < 2; i++)
    {
      double step = STEP * (double) (i + 1), losses[2];

      for (gsize j = 0; j < 2; j++)
        {
          for (gsize k = 0; k < n; k++)
            w[k] = kept[k] + (j == 0 ? step : -step) * (double) u[k];
          losses[j] = tiny_network_loss (network, objective);
        }
      slopes[i] = (losses[0] - losses[1]) / (2.0 * step);
    }
  memcpy (w, kept, n * sizeof *w);

  return (4.0 * slopes[0] - slopes[1]) / 3.0;
}

static double
inner (const float *a,
       const float *b,
       gsize        n)
{
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    sum += (double) a[i] * (double) b[i];

  return sum;
}

/* Along the gradient itself and along a random direction. */
static double
check_tensor (TinyNetwork         *network,
              const TareTensor    *tensor,
              const float         *gradient,
              const TareObjective *objective)
{
  gsize n = tare_tensor_get_n_weights (tensor);
  double norm = sqrt (inner (gradient, gradient, n)), worst = 0.0;
  g_autofree float *u = g_new (float, n);

  g_assert_cmpfloat (norm, >, 1e-6);
  for (gsize i = 0; i < 2; i++)
    {
      double expected, found, length;

      tare_test_fill_gaussian (u, n, get_seed (tensor) + 1);
      for (gsize j = 0; i == 0 && j < n; j++)
        u[j] = gradient[j];
      length = sqrt (inner (u, u, n));
      for (gsize j = 0; j < n; j++)
        u[j] = (float) ((double) u[j] / length);
      expected = differ (network, tensor, u, objective);
      found = inner (gradient, u, n);
      worst = MAX (worst, fabs (found - expected) / norm);
    }

  return worst;
}

static void
check_gradients (const TinyKind *kind,
                 TareLoss        loss)
{
  g_autoptr(TareModel) model = tiny_model_new (kind);
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  g_autoptr(TinyNetwork) truth = tiny_network_new (model);
  g_autoptr(GHashTable) gradients = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                           g_free);
  g_autoptr(GError) error = NULL;
  const TareObjective objective = get_objective (loss);
  const TareGradientObserver observer = { .weight = keep, .data = gradients };
  TareGradientResult result, forward;
  double worst = 0.0;

  tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective, &observer, &result, NULL,
                     &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result.n_scored, ==, N_SEQUENCES * (LENGTH - 1));
  g_assert_cmpfloat_with_epsilon (result.loss, tiny_network_loss (truth, &objective), 1e-5);
  g_assert_true (tare_gradient_loss (gradient, &tare_weights_of_file, &objective, &forward, NULL,
                                     NULL));
  g_assert_cmpfloat_with_epsilon (result.loss, forward.loss, 1e-6);

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const float *one = g_hash_table_lookup (gradients, tensor->canonical);
      double difference;

      g_assert_nonnull (one);
      difference = check_tensor (truth, tensor, one, &objective);
      if (difference > 1e-4)
        g_test_message ("%s: %s: %.3g", kind->name, tensor->canonical, difference);
      worst = MAX (worst, difference);
    }
  g_test_message ("%s: %.3g of the gradient's norm", kind->name, worst);
  g_assert_cmpfloat (worst, <, 5e-6);
}

static void
test_gradients (gconstpointer data)
{
  check_gradients (data, TARE_LOSS_CROSS_ENTROPY);
}

static void
test_divergence (void)
{
  check_gradients (tiny_kind_lookup ("gemma2"), TARE_LOSS_DIVERGENCE);
}

/* The steps of mixed differences, two by two, and where all matrices are after each. */
typedef struct
{
  double       steps[4];
  TinyNetwork *networks[4];
} Moved;

static void
moved_init (Moved               *self,
            TareModel           *model,
            const TareObjective *objective)
{
  for (gsize i = 0; i < 4; i++)
    {
      self->steps[i] = STEP * (i < 2 ? 0.25 : 0.5) * (i % 2 == 0 ? 1.0 : -1.0);
      self->networks[i] = tiny_network_new (model);
      /* Before anything moves it finds out who goes where. */
      tiny_network_loss (self->networks[i], objective);
      for (gsize j = 0; j < tare_model_get_n_tensors (model); j++)
        {
          const TareTensor *tensor = tare_model_get_tensor (model, j);
          double *w = tiny_network_lookup (self->networks[i], tensor->canonical);
          gsize n = tare_tensor_get_n_weights (tensor);
          g_autofree float *v = g_new (float, n);

          if (!tensor->role->matrix || tensor->bias)
            continue;
          move (NULL, tensor, v, NULL, NULL);
          for (gsize k = 0; k < n; k++)
            w[k] += self->steps[i] * (double) v[k];
        }
    }
}

static void
moved_clear (Moved *self)
{
  for (gsize i = 0; i < 4; i++)
    tiny_network_free (self->networks[i]);
}

/* L (w + a u) - L (w - a u) of one tensor. */
static double
differ_once (TinyNetwork         *network,
             const TareTensor    *tensor,
             const float         *u,
             double               a,
             const TareObjective *objective)
{
  double *w = tiny_network_lookup (network, tensor->canonical), losses[2];
  gsize n = tare_tensor_get_n_weights (tensor);
  g_autofree double *kept = g_memdup2 (w, n * sizeof *w);

  for (gsize i = 0; i < 2; i++)
    {
      for (gsize j = 0; j < n; j++)
        w[j] = kept[j] + (i == 0 ? a : -a) * (double) u[j];
      losses[i] = tiny_network_loss (network, objective);
    }
  memcpy (w, kept, n * sizeof *w);

  return losses[0] - losses[1];
}

/* u'Hv by mixed differences, extrapolated. */
static double
differ_twice (const Moved         *moved,
              const TareTensor    *tensor,
              const float         *u,
              const TareObjective *objective)
{
  double found[2];

  for (gsize i = 0; i < 2; i++)
    {
      double h = moved->steps[2 * i];

      found[i] = (differ_once (moved->networks[2 * i], tensor, u, h, objective)
                  - differ_once (moved->networks[2 * i + 1], tensor, u, h, objective))
                 / (4.0 * h * h);
    }

  return (4.0 * found[0] - found[1]) / 3.0;
}

/* v_l'(Hv)_l of every matrix, and u'(Hv)_l for a u of its own. */
static void
test_product (gconstpointer data)
{
  const TinyKind *kind = data;
  g_autoptr(TareModel) model = tiny_model_new (kind);
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  g_autoptr(TinyNetwork) truth = tiny_network_new (model);
  g_autoptr(GHashTable) products = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                           g_free);
  g_autoptr(GError) error = NULL;
  const TareDirection direction = { cover_all, move, NULL };
  const TareObjective objective = get_objective (TARE_LOSS_CROSS_ENTROPY);
  const TareGradientObserver observer = { .weight = keep, .curvature = keep_curvature,
                                          .data = products };
  double worst = 0.0, sum = 0.0, slope = 0.0;
  TareGradientResult result;
  Moved moved;

  tare_gradient_run (gradient, &tare_weights_of_file, &direction, &objective, &observer, &result,
                     NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (result.loss, tiny_network_loss (truth, &objective), 1e-5);

  moved_init (&moved, model, &objective);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      g_autofree char *name = g_strconcat (tensor->canonical, " curvature", NULL);
      const double *curvature = g_hash_table_lookup (products, name);
      const float *product = g_hash_table_lookup (products, tensor->canonical);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *u = g_new (float, n);
      double norm;

      if (!tensor->role->matrix || tensor->bias)
        {
          g_assert_true (curvature == NULL && product == NULL);
          continue;
        }

      move (NULL, tensor, u, NULL, NULL);
      norm = sqrt (inner (product, product, n) * inner (u, u, n));
      slope += differ (truth, tensor, u, &objective);
      worst = MAX (worst, fabs (differ_twice (&moved, tensor, u, &objective) - *curvature) / norm);
      g_assert_cmpfloat_with_epsilon (inner (product, u, n), *curvature, 1e-5 * norm);
      sum += *curvature;

      tare_test_fill_gaussian (u, n, get_seed (tensor) + 7);
      norm = sqrt (inner (product, product, n) * inner (u, u, n));
      worst = MAX (worst, fabs (differ_twice (&moved, tensor, u, &objective)
                                - inner (product, u, n)) / norm);
    }
  moved_clear (&moved);
  g_test_message ("%s: %.3g of the product's norm", kind->name, worst);
  g_assert_cmpfloat (worst, <, 5e-6);
  g_assert_cmpfloat_with_epsilon (result.curvature, sum, 1e-9 + 1e-9 * fabs (sum));
  g_assert_cmpfloat_with_epsilon (result.slope, slope, 1e-5 + 1e-5 * fabs (slope));
}

/* L (w + h u) - 2 L (w) + L (w - h u) of all matrices or of one, by h², extrapolated. */
static double
bend (TareModel           *model,
      const TareTensor    *only,
      const TareObjective *objective)
{
  double found[2], losses[3];

  for (gsize i = 0; i < 2; i++)
    {
      double h = STEP * (double) (i + 1);

      for (gsize j = 0; j < 3; j++)
        {
          g_autoptr(TinyNetwork) network = tiny_network_new (model);

          tiny_network_loss (network, objective);
          for (gsize k = 0; k < tare_model_get_n_tensors (model); k++)
            {
              const TareTensor *tensor = tare_model_get_tensor (model, k);
              double *w = tiny_network_lookup (network, tensor->canonical);
              gsize n = tare_tensor_get_n_weights (tensor);
              g_autofree float *v = g_new (float, n);

              if (!tensor->role->matrix || tensor->bias || (only != NULL && tensor != only))
                continue;
              move (NULL, tensor, v, NULL, NULL);
              for (gsize l = 0; l < n; l++)
                w[l] += h * ((double) j - 1.0) * (double) v[l];
            }
          losses[j] = tiny_network_loss (network, objective);
        }
      found[i] = (losses[0] - 2.0 * losses[1] + losses[2]) / (h * h);
    }

  return (4.0 * found[0] - found[1]) / 3.0;
}

static gboolean
cover_one (gpointer          data,
           const TareTensor *tensor)
{
  return tensor == data;
}

/* Where but one matrix moves, nothing before it is looked at. */
static void
test_one (void)
{
  static const struct { const char *kind, *name; } cases[] = {
    { "llama", "blk.2.ffn_down.weight" }, { "llama", "blk.1.attn_k.weight" },
    { "llama", "output.weight" }, { "llama", "token_embd.weight" },
    { "mixtral", "blk.2.ffn_gate_exps.weight" }, { "mixtral", "blk.1.ffn_up_exps.weight" },
    { "mixtral", "blk.0.ffn_down_exps.weight" }, { "qwen2moe", "blk.1.ffn_up_shexp.weight" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup (cases[i].kind));
      g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
      g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
      const TareObjective objective = get_objective (TARE_LOSS_CROSS_ENTROPY);
      const TareTensor *tensor = tare_model_lookup (model, cases[i].name);
      const TareDirection direction = { cover_one, move, (gpointer) tensor };
      TareGradientResult result;
      double expected = bend (model, tensor, &objective);

      g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, &direction, &objective,
                                        NULL, &result, NULL, NULL));
      g_test_message ("%s: %.6g, %.6g", cases[i].name, result.curvature, expected);
      g_assert_cmpfloat_with_epsilon (result.curvature, expected, 1e-4 * fabs (expected) + 1e-6);
    }
}

/* Against itself a network's divergence bends as the matrix of Gauss and Newton says. */
static void
test_gauss_newton (void)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup ("qwen2"));
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  const TareDirection direction = { cover_all, move, NULL };
  TareObjective objective = get_objective (TARE_LOSS_DIVERGENCE);
  TareGradientResult result;
  double expected;

  objective.base = NULL;
  g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, &direction, &objective,
                                    NULL, &result, NULL, NULL));
  g_assert_cmpfloat (result.loss, ==, 0.0);
  g_assert_cmpfloat (result.slope, ==, 0.0);

  for (gsize i = 0; i < N_SEQUENCES; i++)
    g_assert_true (tare_network_run (network, &tare_weights_of_file, tokens + i * LENGTH, LENGTH,
                                     base_logits + i * LENGTH * VOCABULARY, NULL, NULL));
  objective.base = get_base;
  expected = bend (model, NULL, &objective);
  g_test_message ("%.6g, %.6g", result.curvature, expected);
  g_assert_cmpfloat (expected, >, 0.0);
  g_assert_cmpfloat_with_epsilon (result.curvature, expected, 1e-3 * expected);
}

#define LONG 600

/* Sequences in groups of their own, with states in a file, give the mean of what each gives. */
static void
test_groups (gconstpointer data)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup (data));
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) narrow
    = tare_gradient_new (network, tare_network_measure_memory (network) / 2 * 3);
  g_autoptr(TareGradient) wide = tare_gradient_new (network, 0);
  g_autoptr(GHashTable) together = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) apart = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  TareGradientObserver observer = { .weight = keep, .data = together };
  g_autofree guint32 *text = g_new (guint32, 3 * LONG);
  TareObjective objective = { .tokens = text, .n_sequences = 3, .length = LONG };
  TareGradientResult result, one;
  double loss = 0.0;

  for (guint32 i = 0; i < 3 * LONG; i++)
    text[i] = (i * i + i / 7) % VOCABULARY;

  g_assert_true (tare_gradient_run (narrow, &tare_weights_of_file, NULL, &objective, &observer,
                                    &result, NULL, NULL));
  objective.n_sequences = 1;
  observer.data = apart;
  for (gsize i = 0; i < 3; i++)
    {
      objective.tokens = text + i * LONG;
      g_assert_true (tare_gradient_run (wide, &tare_weights_of_file, NULL, &objective, &observer,
                                        &one, NULL, NULL));
      loss += one.loss / 3.0;
    }

  g_assert_cmpfloat_with_epsilon (result.loss, loss, 1e-6);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      gsize n = tare_tensor_get_n_weights (tensor);
      float *a = g_hash_table_lookup (together, tensor->canonical);
      float *b = g_hash_table_lookup (apart, tensor->canonical);

      for (gsize j = 0; j < n; j++)
        b[j] /= 3.0f;
      g_assert_cmpfloat (tare_test_difference (a, b, n), <, 1e-5);
    }
}

static gboolean
move_rows (gpointer             data,
           const TareTensor    *tensor,
           gsize                first,
           gsize                n,
           float               *out,
           const TareProgress  *progress,
           GError             **error)
{
  g_autofree float *all = g_new (float, tare_tensor_get_n_weights (tensor));

  move (data, tensor, all, progress, error);
  memcpy (out, all + first * tensor->columns, n * tensor->columns * sizeof *out);

  return TRUE;
}

/* Experts that are loaded when they are wanted, and so is how they move, as a whole or by rows,
 * give what those give that are all there. */
static void
test_streamed (gconstpointer data)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup ("qwen2moe"));
  const TareObjective objective = get_objective (TARE_LOSS_CROSS_ENTROPY);
  GHashTable *products[2];

  for (gsize i = 0; i < 2; i++)
    {
      const TareDirection direction = { cover_all, move, NULL,
                                        i == 1 && data != NULL ? move_rows : NULL };
      g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
      g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
      TareGradientObserver observer = { .weight = keep, .curvature = keep_curvature };
      TareGradientResult result;

      products[i] = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      observer.data = products[i];
      if (i == 1)
        tare_network_set_expert_bytes (network, 0);
      g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, &direction, &objective,
                                        &observer, &result, NULL, NULL));
    }

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      g_autofree char *name = g_strconcat (tensor->canonical, " curvature", NULL);
      gsize n = tare_tensor_get_n_weights (tensor);

      if (!tensor->role->matrix || tensor->bias)
        continue;
      g_assert_cmpmem (g_hash_table_lookup (products[0], tensor->canonical), n * sizeof (float),
                       g_hash_table_lookup (products[1], tensor->canonical), n * sizeof (float));
      g_assert_cmpmem (g_hash_table_lookup (products[0], name), sizeof (double),
                       g_hash_table_lookup (products[1], name), sizeof (double));
    }
  g_hash_table_unref (products[0]);
  g_hash_table_unref (products[1]);
}

static void
test_refused (void)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup ("llama"));
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient = tare_gradient_new (network, 0);
  guint32 targets[N_SEQUENCES * LENGTH];
  TareObjective objective = get_objective (TARE_LOSS_CROSS_ENTROPY);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  g_autoptr(GError) error = NULL;
  TareGradientResult result;

  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    targets[i] = TARE_GRADIENT_UNSCORED;
  objective.targets = targets;
  g_assert_false (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective, NULL,
                                     &result, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);

  targets[3] = VOCABULARY;
  g_assert_false (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective, NULL,
                                     &result, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);

  targets[3] = 0;
  g_cancellable_cancel (cancellable);
  g_assert_false (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective, NULL,
                                     &result, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* How weights move takes as much memory as they do. */
static void
test_too_little (void)
{
  g_autoptr(TareModel) model = tiny_model_new (tiny_kind_lookup ("llama"));
  g_autoptr(TareNetwork) network = tare_network_new (model, NULL);
  g_autoptr(TareGradient) gradient
    = tare_gradient_new (network, tare_network_measure_memory (network) * 2);
  const TareDirection direction = { cover_all, move, NULL };
  const TareObjective objective = get_objective (TARE_LOSS_CROSS_ENTROPY);
  g_autoptr(GError) error = NULL;
  TareGradientResult result;

  g_assert_true (tare_gradient_run (gradient, &tare_weights_of_file, NULL, &objective, NULL,
                                    &result, NULL, NULL));
  g_assert_false (tare_gradient_run (gradient, &tare_weights_of_file, &direction, &objective,
                                     NULL, &result, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_LIMIT);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint32 i = 0; i < G_N_ELEMENTS (tokens); i++)
    tokens[i] = (i * 37 + i / 5 * 11 + 3) % VOCABULARY;
  tare_test_fill_gaussian (base_logits, G_N_ELEMENTS (base_logits), 99);

  for (gsize i = 0; i < tiny_kind_get_n_kinds (); i++)
    {
      const TinyKind *kind = tiny_kind_get (i);
      g_autofree char *gradients = g_strdup_printf ("/gradient/%s", kind->name);
      g_autofree char *product = g_strdup_printf ("/gradient/product/%s", kind->name);

      g_test_add_data_func (gradients, kind, test_gradients);
      g_test_add_data_func (product, kind, test_product);
    }
  g_test_add_func ("/gradient/divergence", test_divergence);
  g_test_add_func ("/gradient/one", test_one);
  g_test_add_func ("/gradient/gauss-newton", test_gauss_newton);
  g_test_add_data_func ("/gradient/groups", "gemma2", test_groups);
  g_test_add_data_func ("/gradient/groups/experts", "qwen2moe", test_groups);
  g_test_add_data_func ("/gradient/streamed", NULL, test_streamed);
  g_test_add_data_func ("/gradient/streamed/rows", "rows", test_streamed);
  g_test_add_func ("/gradient/refused", test_refused);
  g_test_add_func ("/gradient/too-little", test_too_little);

  return g_test_run ();
}
