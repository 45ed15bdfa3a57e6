/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/quant/tiny-model.h"

#include <math.h>
#include <string.h>

#include "quant/model/tare-gguf.h"
#include "quant/network/tare-network.h"
#include "tests/tare-test.h"

#define WIDTH      32
#define INNER      48
#define VOCABULARY 64
#define CONTEXT    32

/* What ggml calls plain binary32. */
#define GGML_F32 0

static TareConfig
get_config (const TareArchitecture *architecture,
            guint                   n_key_value_heads)
{
  guint head = architecture->writes_head_width ? 16 : 8;

  return (TareConfig) {
    .width = WIDTH, .n_blocks = 3, .n_heads = 4, .n_key_value_heads = n_key_value_heads,
    .head_width = head, .feed_forward_width = INNER, .vocabulary = VOCABULARY,
    .context = CONTEXT, .norm_epsilon = 1e-3f, .tied = architecture->tied,
    .rope_base = 10000.0f, .rope_width = architecture->rotary_share > 0.0f ? head / 2 : head,
    .rope_factor = 1.0f, .activation = architecture->activation,
    .parallel = architecture->parallel, .attention_scale = 1.0f / sqrtf ((float) head),
    .attention_soft_cap = architecture->attention_soft_cap > 0.0f ? 2.0f : 0.0f,
    .final_soft_cap = architecture->final_soft_cap > 0.0f ? 3.0f : 0.0f,
    .window = architecture->windowed ? 5 : 0, .rope_local_base = architecture->local_rope_base,
  };
}

/* Rows of a matrix, 0 for a vector, and its columns. */
static void
get_shape (const TareArchitecture *architecture,
           const TareConfig       *config,
           const char             *role,
           guint64                *rows,
           guint64                *columns)
{
  guint64 queries = (guint64) config->n_heads * config->head_width;
  guint64 keys = (guint64) config->n_key_value_heads * config->head_width;
  gboolean wide = architecture->wide_head_norm;
  const struct { const char *role; guint64 rows, columns; } shapes[] = {
    { "token_embd", VOCABULARY, WIDTH }, { "output", VOCABULARY, WIDTH },
    { "position_embd", CONTEXT + architecture->position_offset, WIDTH },
    { "attn_qkv", queries + 2 * keys, WIDTH },
    { "attn_q", queries, WIDTH }, { "attn_k", keys, WIDTH }, { "attn_v", keys, WIDTH },
    { "attn_output", WIDTH, queries }, { "ffn_gate", INNER, WIDTH },
    { "ffn_up", architecture->fused_gate ? 2 * INNER : INNER, WIDTH },
    { "ffn_down", WIDTH, INNER }, { "attn_q_norm", 0, wide ? queries : config->head_width },
    { "attn_k_norm", 0, wide ? keys : config->head_width },
  };

  *rows = 0;
  *columns = WIDTH;
  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    if (strcmp (shapes[i].role, role) == 0)
      {
        *rows = shapes[i].rows;
        *columns = shapes[i].columns;
      }
}

typedef struct
{
  char    *name;
  guint64  rows;
  guint64  columns;
  float    center;
} Planned;

static void
plan (GArray     *planned,
      const char *role,
      int         block,
      const char *part,
      guint64     rows,
      guint64     columns,
      float       center)
{
  Planned one = { NULL, rows, columns, center };

  one.name = block < 0 ? g_strdup_printf ("%s.%s", role, part)
                       : g_strdup_printf ("blk.%d.%s.%s", block, role, part);
  g_array_append_val (planned, one);
}

static GArray *
plan_tensors (const TareArchitecture *architecture,
              const TareConfig       *config)
{
  GArray *planned = g_array_new (FALSE, FALSE, sizeof (Planned));

  for (const TareTensorName *name = architecture->names; name->role != NULL; name++)
    {
      const TareRole *role = tare_role_lookup (name->role);
      guint64 rows, columns;

      if (((name->flags & TARE_TENSOR_OPTIONAL) != 0 && strcmp (role->id, "ffn_norm") != 0)
          || (name->flags & TARE_TENSOR_ROUTED) != 0
          || tare_architecture_find (architecture, name->role) != name
          || (strcmp (role->id, "output") == 0 && architecture->tied
              && !architecture->copies_output))
        continue;

      get_shape (architecture, config, role->id, &rows, &columns);
      for (guint b = 0; b < (role->in_block ? config->n_blocks : 1); b++)
        {
          int block = role->in_block ? (int) b : -1;

          plan (planned, role->id, block, "weight", rows, columns, rows > 0 ? 0.0f : 1.0f);
          if ((name->flags & TARE_TENSOR_BIASED) != 0)
            plan (planned, role->id, block, "bias", 0, rows > 0 ? rows : columns, 0.0f);
        }
    }

  return planned;
}

static char *
write_model (const TareArchitecture *architecture,
             const TareConfig       *config)
{
  g_autofree char *name = g_strdup_printf ("tiny-%s-%u.gguf", architecture->id,
                                           config->n_key_value_heads);
  char *path = tare_test_temporary (name);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GArray) planned = plan_tensors (architecture, config);

  tare_metadata_set_string (metadata, "general.architecture", architecture->id);
  tare_config_write_metadata (config, architecture, metadata);
  writer = tare_gguf_writer_new (path, metadata, NULL);
  for (guint i = 0; i < planned->len; i++)
    {
      const Planned *one = &g_array_index (planned, Planned, i);
      const guint64 shape[] = { one->rows > 0 ? one->rows : one->columns, one->columns };

      g_assert_true (tare_gguf_writer_add (writer, one->name, GGML_F32, one->rows > 0 ? 2 : 1,
                                           shape, NULL));
    }
  for (guint i = 0; i < planned->len; i++)
    {
      Planned *one = &g_array_index (planned, Planned, i);
      gsize n = MAX (one->rows, 1) * one->columns;
      g_autofree float *x = g_new (float, n);

      tare_test_fill_gaussian (x, n, i + 1);
      for (gsize j = 0; j < n; j++)
        x[j] = one->center + 0.3f * x[j];
      g_assert_true (tare_gguf_writer_write (writer, (const guint8 *) x, n * sizeof *x, NULL));
      g_free (one->name);
    }
  g_assert_nonnull (tare_gguf_writer_finish (writer, NULL));
  g_assert_true (tare_gguf_writer_commit (writer, NULL));

  return path;
}

/* Three blocks with grouped queries, or, where the architecture has none, with a key a query. */
TareModel *
tiny_model_new (const TareArchitecture *architecture)
{
  for (guint n_key_value_heads = 2; n_key_value_heads <= 4; n_key_value_heads += 2)
    {
      TareConfig config = get_config (architecture, n_key_value_heads);
      g_autofree char *path = write_model (architecture, &config);
      g_autoptr(GError) error = NULL;
      g_autoptr(TareModel) model = tare_model_open (path, &error);

      g_assert_no_error (error);
      if (tare_model_check_runnable (model, n_key_value_heads == 4 ? &error : NULL))
        return g_steal_pointer (&model);
      g_assert_no_error (error);
    }

  g_assert_not_reached ();
}

TinyNetwork *
tiny_network_new (TareModel *model)
{
  TinyNetwork *self = g_new0 (TinyNetwork, 1);

  self->model = tare_model_ref (model);
  self->tensors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      gsize n = tare_tensor_get_n_weights (tensor);
      g_autofree float *values = g_new (float, n);
      double *doubles = g_new (double, n);

      g_assert_true (tare_tensor_read (tensor, values, NULL));
      for (gsize j = 0; j < n; j++)
        doubles[j] = (double) values[j];
      g_hash_table_insert (self->tensors, tensor->canonical, doubles);
    }

  return self;
}

void
tiny_network_free (TinyNetwork *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->tensors);
  tare_model_unref (self->model);
  g_free (self);
}

double *
tiny_network_lookup (TinyNetwork *self,
                     const char  *canonical)
{
  return g_hash_table_lookup (self->tensors, canonical);
}

static double *
get (TinyNetwork *self,
     const char  *role,
     int          block,
     const char  *part)
{
  g_autofree char *name = block < 0 ? g_strdup_printf ("%s.%s", role, part)
                                    : g_strdup_printf ("blk.%d.%s.%s", block, role, part);

  return tiny_network_lookup (self, name);
}

/* What @role makes of n x inputs, or NULL where there is no such matrix. */
static double *
linear (TinyNetwork  *self,
        const double *x,
        gsize         n,
        const char   *role,
        int           block,
        gsize         inputs,
        gsize         outputs)
{
  const double *weight = get (self, role, block, "weight");
  const double *bias = get (self, role, block, "bias");
  double *y = NULL;

  if (weight == NULL)
    return NULL;

  y = g_new (double, n * outputs);
  for (gsize t = 0; t < n; t++)
    for (gsize o = 0; o < outputs; o++)
      {
        double sum = bias != NULL ? bias[o] : 0.0;

        for (gsize i = 0; i < inputs; i++)
          sum += x[t * inputs + i] * weight[o * inputs + i];
        y[t * outputs + o] = sum;
      }

  return y;
}

/* Of n rows of @columns, in place; nothing where there is no such norm. */
static void
norm (TinyNetwork *self,
      double      *x,
      gsize        n,
      gsize        columns,
      const char  *role,
      int          block)
{
  gboolean centered = tare_model_get_architecture (self->model)->norm == TARE_NORM_LAYER;
  double epsilon = (double) tare_model_get_config (self->model)->norm_epsilon;
  const double *weight = get (self, role, block, "weight");
  const double *bias = get (self, role, block, "bias");

  for (gsize t = 0; weight != NULL && t < n; t++)
    {
      double *row = x + t * columns, mean = 0.0, square = 0.0;

      for (gsize i = 0; centered && i < columns; i++)
        mean += row[i] / (double) columns;
      for (gsize i = 0; i < columns; i++)
        square += (row[i] - mean) * (row[i] - mean) / (double) columns;
      for (gsize i = 0; i < columns; i++)
        row[i] = (row[i] - mean) / sqrt (square + epsilon) * weight[i]
                 + (bias != NULL ? bias[i] : 0.0);
    }
}

static double *
normed (TinyNetwork  *self,
        const double *x,
        gsize         n,
        const char   *role,
        int           block)
{
  double *y = g_memdup2 (x, n * WIDTH * sizeof *x);

  norm (self, y, n, WIDTH, role, block);

  return y;
}

static double
cap (double x,
     double bound)
{
  return bound > 0.0 ? bound * tanh (x / bound) : x;
}

static double
activate (TareActivation activation,
          double         x)
{
  if (activation == TARE_ACTIVATION_SILU)
    return x / (1.0 + exp (-x));
  if (activation == TARE_ACTIVATION_GELU_ERF)
    return 0.5 * x * (1.0 + erf (x / sqrt (2.0)));
  if (activation == TARE_ACTIVATION_RELU)
    return MAX (x, 0.0);

  return 0.5 * x * (1.0 + tanh (sqrt (2.0 / G_PI) * (x + 0.044715 * x * x * x)));
}

static void
rotate (TinyNetwork *self,
        double      *heads,
        gsize        n,
        gsize        n_heads,
        gboolean     windowed)
{
  const TareConfig *config = tare_model_get_config (self->model);
  gboolean halves = tare_model_get_architecture (self->model)->rotary == TARE_ROTARY_HALVES;
  gsize pairs = config->rope_width / 2;
  double base = windowed && config->rope_local_base > 0.0f ? (double) config->rope_local_base
                                                           : (double) config->rope_base;

  for (gsize t = 0; t < n; t++)
    for (gsize h = 0; h < n_heads; h++)
      for (gsize i = 0; i < pairs; i++)
        {
          double angle = (double) t * pow (base, -(double) i / (double) pairs);
          double *head = heads + (t * n_heads + h) * config->head_width;
          double *a = halves ? head + i : head + 2 * i, *b = halves ? a + pairs : a + 1;
          double x = *a, y = *b;

          *a = x * cos (angle) - y * sin (angle);
          *b = x * sin (angle) + y * cos (angle);
        }
}

static double *
attend (TinyNetwork  *self,
        const double *q,
        const double *k,
        const double *v,
        gsize         n,
        gsize         window)
{
  const TareConfig *config = tare_model_get_config (self->model);
  gsize n_heads = config->n_heads, groups = config->n_key_value_heads, d = config->head_width;
  double *y = g_new0 (double, n * n_heads * d);
  g_autofree double *weights = g_new (double, n);

  for (gsize t = 0; t < n; t++)
    for (gsize h = 0; h < n_heads; h++)
      {
        gsize g = h * groups / n_heads, first = window > 0 && t >= window ? t + 1 - window : 0;
        double sum = 0.0;

        for (gsize j = first; j <= t; j++)
          {
            double score = 0.0;

            for (gsize i = 0; i < d; i++)
              score += q[(t * n_heads + h) * d + i] * k[(j * groups + g) * d + i];
            weights[j] = exp (cap (score * (double) config->attention_scale,
                                   (double) config->attention_soft_cap));
            sum += weights[j];
          }
        for (gsize j = first; j <= t; j++)
          for (gsize i = 0; i < d; i++)
            y[(t * n_heads + h) * d + i] += weights[j] / sum * v[(j * groups + g) * d + i];
      }

  return y;
}

/* Some columns of rows. */
static double *
slice (const double *x,
       gsize         n,
       gsize         stride,
       gsize         first,
       gsize         columns)
{
  double *y = g_new (double, n * columns);

  for (gsize t = 0; t < n; t++)
    memcpy (y + t * columns, x + t * stride + first, columns * sizeof *y);

  return y;
}

static double *
run_attention (TinyNetwork  *self,
               const double *x,
               gsize         n,
               int           block)
{
  const TareArchitecture *architecture = tare_model_get_architecture (self->model);
  const TareConfig *config = tare_model_get_config (self->model);
  gsize d = config->head_width, queries = config->n_heads * d, period, window;
  gsize keys = config->n_key_value_heads * d, all = queries + 2 * keys;
  gboolean wide = architecture->wide_head_norm;
  g_autofree double *input = normed (self, x, n, "attn_norm", block);
  g_autofree double *qkv = linear (self, input, n, "attn_qkv", block, WIDTH, all);
  g_autofree double *q = qkv != NULL ? slice (qkv, n, all, 0, queries)
                                     : linear (self, input, n, "attn_q", block, WIDTH, queries);
  g_autofree double *k = qkv != NULL ? slice (qkv, n, all, queries, keys)
                                     : linear (self, input, n, "attn_k", block, WIDTH, keys);
  g_autofree double *v = qkv != NULL ? slice (qkv, n, all, queries + keys, keys)
                                     : linear (self, input, n, "attn_v", block, WIDTH, keys);
  g_autofree double *mixed = NULL;
  double *output = NULL;

  norm (self, q, wide ? n : n * config->n_heads, wide ? queries : d, "attn_q_norm", block);
  norm (self, k, wide ? n : n * config->n_key_value_heads, wide ? keys : d, "attn_k_norm", block);
  period = architecture->window_period;
  rotate (self, q, n, config->n_heads, period == 0 || (gsize) block % period != period - 1);
  rotate (self, k, n, config->n_key_value_heads,
          period == 0 || (gsize) block % period != period - 1);
  window = period == 0 || (gsize) block % period != period - 1 ? config->window : 0;
  mixed = attend (self, q, k, v, n, window);
  output = linear (self, mixed, n, "attn_output", block, queries, WIDTH);
  norm (self, output, n, WIDTH, "post_attention_norm", block);

  return output;
}

static double *
run_feed_forward (TinyNetwork  *self,
                  const double *x,
                  gsize         n,
                  int           block)
{
  const TareConfig *config = tare_model_get_config (self->model);
  gboolean fused = tare_model_get_architecture (self->model)->fused_gate;
  gboolean own = !config->parallel || get (self, "ffn_norm", block, "weight") != NULL;
  g_autofree double *input = normed (self, x, n, own ? "ffn_norm" : "attn_norm", block);
  g_autofree double *wide = linear (self, input, n, "ffn_up", block, WIDTH,
                                    fused ? 2 * INNER : INNER);
  g_autofree double *gate = fused ? slice (wide, n, 2 * INNER, 0, INNER)
                                  : linear (self, input, n, "ffn_gate", block, WIDTH, INNER);
  g_autofree double *up = fused ? slice (wide, n, 2 * INNER, INNER, INNER)
                                : slice (wide, n, INNER, 0, INNER);
  double *output = NULL;

  for (gsize i = 0; i < n * INNER; i++)
    up[i] = gate != NULL ? activate (config->activation, gate[i]) * up[i]
                         : activate (config->activation, up[i]);
  output = linear (self, up, n, "ffn_down", block, INNER, WIDTH);
  norm (self, output, n, WIDTH, "post_ffw_norm", block);

  return output;
}

static void
add (double       *x,
     const double *y,
     gsize         n)
{
  for (gsize i = 0; i < n * WIDTH; i++)
    x[i] += y[i];
}

/* The logits of one sequence. */
static double *
run (TinyNetwork   *self,
     const guint32 *tokens,
     gsize          n)
{
  const TareArchitecture *architecture = tare_model_get_architecture (self->model);
  const TareConfig *config = tare_model_get_config (self->model);
  const double *table = get (self, "token_embd", -1, "weight");
  const double *positions = get (self, "position_embd", -1, "weight");
  double scale = architecture->scales_embedding ? sqrt ((double) WIDTH) : 1.0;
  g_autofree double *x = g_new (double, n * WIDTH);
  double *logits = NULL;

  for (gsize t = 0; t < n; t++)
    for (gsize i = 0; i < WIDTH; i++)
      x[t * WIDTH + i] = scale * table[tokens[t] * WIDTH + i]
                         + (positions != NULL
                            ? positions[(t + architecture->position_offset) * WIDTH + i] : 0.0);

  for (guint b = 0; b < config->n_blocks; b++)
    {
      g_autofree double *attention = run_attention (self, x, n, (int) b);
      g_autofree double *feed_forward = NULL;

      if (!config->parallel)
        add (x, attention, n);
      feed_forward = run_feed_forward (self, x, n, (int) b);
      if (config->parallel)
        add (x, attention, n);
      add (x, feed_forward, n);
    }

  norm (self, x, n, WIDTH, "output_norm", -1);
  logits = linear (self, x, n, get (self, "output", -1, "weight") != NULL ? "output"
                                                                          : "token_embd",
                   -1, WIDTH, VOCABULARY);
  for (gsize i = 0; i < n * VOCABULARY; i++)
    logits[i] = cap (logits[i], (double) config->final_soft_cap);

  return logits;
}

static double
log_sum (const double *logits)
{
  double sum = 0.0;

  for (gsize i = 0; i < VOCABULARY; i++)
    sum += exp (logits[i]);

  return log (sum);
}

static double
diverge (const float  *base,
         const double *logits)
{
  double p[VOCABULARY], sum, other = log_sum (logits), divergence = 0.0;

  for (gsize i = 0; i < VOCABULARY; i++)
    p[i] = (double) base[i];
  sum = log_sum (p);
  for (gsize i = 0; i < VOCABULARY; i++)
    divergence += exp (p[i] - sum) * (p[i] - sum - logits[i] + other);

  return divergence;
}

/* The mean over what is scored, number by number. */
double
tiny_network_loss (TinyNetwork         *self,
                   const TareObjective *objective)
{
  gsize length = objective->length, n_scored = 0;
  double sum = 0.0;

  for (gsize s = 0; s < objective->n_sequences; s++)
    {
      g_autofree double *logits = run (self, objective->tokens + s * length, length);
      g_autofree float *base = g_new (float, length * VOCABULARY);

      if (objective->base != NULL)
        g_assert_true (objective->base (objective->data, s * length, length, base, NULL));
      for (gsize t = 0; t < length; t++)
        {
          guint32 target = objective->targets != NULL ? objective->targets[s * length + t]
                           : t + 1 < length ? objective->tokens[s * length + t + 1]
                                            : TARE_GRADIENT_UNSCORED;

          if (target == TARE_GRADIENT_UNSCORED)
            continue;
          sum += objective->base != NULL
                 ? diverge (base + t * VOCABULARY, logits + t * VOCABULARY)
                 : log_sum (logits + t * VOCABULARY) - logits[t * VOCABULARY + target];
          n_scored++;
        }
    }

  return sum / (double) n_scored;
}
