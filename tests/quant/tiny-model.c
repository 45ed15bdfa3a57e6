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

#define N_EXPERTS    4
#define N_USED       2
#define EXPERT_INNER 24
#define SHARED_INNER 20

/* What ggml calls plain binary32. */
#define GGML_F32 0

/* Beside each architecture as it usually is. */
static const TinyKind variants[] = {
  { .name = "mixtral", .architecture = "llama", .experts = TRUE },
  { .name = "qwen2moe-normalised", .architecture = "qwen2moe", .other_shares = TRUE },
  { .name = "qwen3moe-unnormalised", .architecture = "qwen3moe", .other_shares = TRUE },
  { .name = "falcon-multi-query", .architecture = "falcon", .n_keys = 1 },
  { .name = "falcon-two-norms", .architecture = "falcon", .with = "attn_norm_2" },
  { .name = "gptneox-sequential", .architecture = "gptneox", .other_parallel = TRUE },
  { .name = "stablelm-parallel", .architecture = "stablelm", .other_parallel = TRUE },
  { .name = "stablelm-one-norm", .architecture = "stablelm", .other_parallel = TRUE,
    .without = "ffn_norm" },
  { .name = "stablelm-own-norms", .architecture = "stablelm", .with = "attn_q_norm attn_k_norm" },
};

gsize
tiny_kind_get_n_kinds (void)
{
  return tare_architecture_get_n_architectures () + G_N_ELEMENTS (variants);
}

const TinyKind *
tiny_kind_get (gsize index)
{
  static TinyKind usual[64];
  gsize n = tare_architecture_get_n_architectures ();

  g_assert_cmpuint (n, <=, G_N_ELEMENTS (usual));
  g_assert_cmpuint (index, <, tiny_kind_get_n_kinds ());
  if (index >= n)
    return &variants[index - n];

  usual[index].name = usual[index].architecture = tare_architecture_get (index)->id;

  return &usual[index];
}

const TinyKind *
tiny_kind_lookup (const char *name)
{
  for (gsize i = 0; i < tiny_kind_get_n_kinds (); i++)
    if (strcmp (tiny_kind_get (i)->name, name) == 0)
      return tiny_kind_get (i);

  g_assert_not_reached ();
}

static TareConfig
get_config (const TareArchitecture *architecture,
            const TinyKind         *kind,
            guint                   n_key_value_heads)
{
  guint head = architecture->writes_head_width ? 16 : 8;
  gboolean experts = kind->experts || tare_architecture_find (architecture, "ffn_up") == NULL;
  gboolean shared = tare_architecture_find (architecture, "ffn_gate_shexp") != NULL;

  return (TareConfig) {
    .width = WIDTH, .n_blocks = 3, .n_heads = 4, .n_key_value_heads = n_key_value_heads,
    .head_width = head, .feed_forward_width = INNER, .vocabulary = VOCABULARY,
    .context = CONTEXT, .norm_epsilon = 1e-3f, .tied = architecture->tied,
    .rope_base = 10000.0f, .rope_width = architecture->rotary_share > 0.0f ? head / 2 : head,
    .rope_factor = 1.0f, .activation = architecture->activation,
    .parallel = kind->other_parallel ? !architecture->parallel : architecture->parallel,
    .n_experts = experts ? N_EXPERTS : 0, .n_experts_used = experts ? N_USED : 0,
    .expert_width = experts ? EXPERT_INNER : 0, .shared_width = shared ? SHARED_INNER : 0,
    .normalises_experts = kind->other_shares ? !architecture->normalises_experts
                                             : architecture->normalises_experts,
    .attention_scale = 1.0f / sqrtf ((float) head),
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
  gboolean wide = architecture->wide_head_norm, own = architecture->own_head_norm;
  const struct { const char *role; guint64 rows, columns; } shapes[] = {
    { "token_embd", VOCABULARY, WIDTH }, { "output", VOCABULARY, WIDTH },
    { "position_embd", CONTEXT + architecture->position_offset, WIDTH },
    { "attn_qkv", queries + 2 * keys, WIDTH },
    { "attn_q", queries, WIDTH }, { "attn_k", keys, WIDTH }, { "attn_v", keys, WIDTH },
    { "attn_output", WIDTH, queries }, { "ffn_gate", INNER, WIDTH },
    { "ffn_up", architecture->fused_gate ? 2 * INNER : INNER, WIDTH },
    { "ffn_down", WIDTH, INNER },
    { "attn_q_norm", own ? config->n_heads : 0, wide ? queries : config->head_width },
    { "attn_k_norm", own ? config->n_key_value_heads : 0, wide ? keys : config->head_width },
    { "ffn_gate_inp", N_EXPERTS, WIDTH },
    { "ffn_gate_exps", N_EXPERTS * EXPERT_INNER, WIDTH },
    { "ffn_up_exps", N_EXPERTS * EXPERT_INNER, WIDTH },
    { "ffn_down_exps", N_EXPERTS * WIDTH, EXPERT_INNER }, { "ffn_gate_inp_shexp", 1, WIDTH },
    { "ffn_gate_shexp", SHARED_INNER, WIDTH }, { "ffn_up_shexp", SHARED_INNER, WIDTH },
    { "ffn_down_shexp", WIDTH, SHARED_INNER },
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
  guint64  n_matrices;
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
  Planned one = { NULL, g_str_has_suffix (role, "_exps") ? N_EXPERTS : 1, rows, columns, center };

  one.name = block < 0 ? g_strdup_printf ("%s.%s", role, part)
                       : g_strdup_printf ("blk.%d.%s.%s", block, role, part);
  g_array_append_val (planned, one);
}

static gboolean
is_there (const TinyKind       *kind,
          const TareConfig     *config,
          const TareTensorName *name)
{
  const char *role = name->role;

  if ((name->flags & (config->n_experts > 0 ? TARE_TENSOR_DENSE : TARE_TENSOR_ROUTED)) != 0
      || g_strcmp0 (role, kind->without) == 0)
    return FALSE;

  return (name->flags & TARE_TENSOR_OPTIONAL) == 0 || strcmp (role, "ffn_norm") == 0
         || (kind->with != NULL && strstr (kind->with, role) != NULL);
}

static GArray *
plan_tensors (const TareArchitecture *architecture,
              const TinyKind         *kind,
              const TareConfig       *config)
{
  GArray *planned = g_array_new (FALSE, FALSE, sizeof (Planned));

  for (const TareTensorName *name = architecture->names; name->role != NULL; name++)
    {
      const TareRole *role = tare_role_lookup (name->role);
      guint64 rows, columns;

      if (!is_there (kind, config, name)
          || tare_architecture_find (architecture, name->role) != name
          || (strcmp (role->id, "output") == 0 && architecture->tied
              && !architecture->copies_output))
        continue;

      get_shape (architecture, config, role->id, &rows, &columns);
      for (guint b = 0; b < (role->in_block ? config->n_blocks : 1); b++)
        {
          int block = role->in_block ? (int) b : -1;

          plan (planned, role->id, block, "weight", rows, columns,
                rows > 0 && !g_str_has_suffix (role->id, "_norm") ? 0.0f : 1.0f);
          if ((name->flags & TARE_TENSOR_BIASED) != 0)
            plan (planned, role->id, block, "bias", 0, rows > 0 ? rows : columns, 0.0f);
        }
    }

  return planned;
}

static char *
write_model (const TareArchitecture *architecture,
             const TinyKind         *kind,
             const TareConfig       *config)
{
  g_autofree char *name = g_strdup_printf ("tiny-%s-%u.gguf", kind->name,
                                           config->n_key_value_heads);
  char *path = tare_test_temporary (name);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GArray) planned = plan_tensors (architecture, kind, config);

  tare_metadata_set_string (metadata, "general.architecture", architecture->id);
  tare_config_write_metadata (config, architecture, metadata);
  writer = tare_gguf_writer_new (path, metadata, NULL);
  for (guint i = 0; i < planned->len; i++)
    {
      const Planned *one = &g_array_index (planned, Planned, i);
      const guint64 shape[] = { one->n_matrices, one->rows / one->n_matrices, one->columns };
      gsize n = one->n_matrices > 1 ? 3 : one->rows > 0 ? 2 : 1;

      g_assert_true (tare_gguf_writer_add (writer, one->name, GGML_F32, n, shape + 3 - n, NULL));
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
tiny_model_new (const TinyKind *kind)
{
  const TareArchitecture *architecture = tare_architecture_lookup (kind->architecture);

  for (guint n_key_value_heads = 2; n_key_value_heads <= 4; n_key_value_heads += 2)
    {
      TareConfig config = get_config (architecture, kind,
                                      kind->n_keys > 0 ? kind->n_keys : n_key_value_heads);
      g_autofree char *path = write_model (architecture, kind, &config);
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
  self->choices = g_byte_array_new ();
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
  g_byte_array_unref (self->choices);
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

/* What was found at this place the first time. */
static guint8
choose (TinyNetwork *self,
        guint8       found)
{
  if (!self->chosen)
    g_byte_array_append (self->choices, &found, 1);

  return self->choices->data[self->n_chosen++];
}

static double *
multiply (const double *x,
          gsize         n,
          const double *weight,
          const double *bias,
          gsize         inputs,
          gsize         outputs)
{
  double *y = g_new (double, n * outputs);

  for (gsize t = 0; t < n; t++)
    for (gsize o = 0; o < outputs; o++)
      {
        double sum = bias != NULL ? bias[o] : 0.0;

#pragma omp simd reduction(+:sum)
        for (gsize i = 0; i < inputs; i++)
          sum += x[t * inputs + i] * weight[o * inputs + i];
        y[t * outputs + o] = sum;
      }

  return y;
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

  return weight != NULL ? multiply (x, n, weight, bias, inputs, outputs) : NULL;
}

/* 1, or heads that have norms of their own. */
static gsize
count_norms (TinyNetwork *self,
             const char  *role,
             int          block)
{
  return tare_model_lookup_role (self->model, role, block, FALSE)->rows;
}

/* Of n rows of @columns, in place, by one norm after the other where there are several; nothing
 * where there is no such norm. */
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
      const double *w = weight + t % count_norms (self, role, block) * columns;

      for (gsize i = 0; centered && i < columns; i++)
        mean += row[i] / (double) columns;
      for (gsize i = 0; i < columns; i++)
        square += (row[i] - mean) * (row[i] - mean) / (double) columns;
      for (gsize i = 0; i < columns; i++)
        row[i] = (row[i] - mean) / sqrt (square + epsilon) * w[i]
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
activate (TinyNetwork *self,
          double       x)
{
  TareActivation activation = tare_model_get_config (self->model)->activation;

  if (activation == TARE_ACTIVATION_SILU)
    return x / (1.0 + exp (-x));
  if (activation == TARE_ACTIVATION_GELU_ERF)
    return 0.5 * x * (1.0 + erf (x / sqrt (2.0)));
  if (activation == TARE_ACTIVATION_RELU)
    return choose (self, x > 0.0) ? x : 0.0;

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
  gboolean two = get (self, "attn_norm_2", block, "weight") != NULL;
  g_autofree double *input = normed (self, x, n, two ? "attn_norm_2" : "attn_norm", block);
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
    up[i] = gate != NULL ? activate (self, gate[i]) * up[i] : activate (self, up[i]);
  output = linear (self, up, n, "ffn_down", block, INNER, WIDTH);
  norm (self, output, n, WIDTH, "post_ffw_norm", block);

  return output;
}

/* y += share times what a gated part makes of one token. */
static void
add_gated (TinyNetwork  *self,
           const double *x,
           const double *gate,
           const double *up,
           const double *down,
           gsize         inner,
           double        share,
           double       *y)
{
  g_autofree double *gates = multiply (x, 1, gate, NULL, WIDTH, inner);
  g_autofree double *ups = multiply (x, 1, up, NULL, WIDTH, inner);
  g_autofree double *output = NULL;

  for (gsize i = 0; i < inner; i++)
    ups[i] *= activate (self, gates[i]);
  output = multiply (ups, 1, down, NULL, inner, WIDTH);
  for (gsize i = 0; i < WIDTH; i++)
    y[i] += share * output[i];
}

/* Every expert's share of one token, 0 for all but the best. */
static void
share_out (TinyNetwork  *self,
           const double *scores,
           double       *shares)
{
  double sum = 0.0, kept = 0.0;

  for (gsize e = 0; e < N_EXPERTS; e++)
    sum += exp (scores[e]);
  for (gsize e = 0; e < N_EXPERTS; e++)
    {
      guint8 better = 0;

      for (gsize i = 0; i < N_EXPERTS; i++)
        better += scores[i] > scores[e];
      shares[e] = choose (self, better < N_USED) ? exp (scores[e]) / sum : 0.0;
      kept += shares[e];
    }
  for (gsize e = 0; tare_model_get_config (self->model)->normalises_experts && e < N_EXPERTS; e++)
    shares[e] /= kept;
}

static double *
run_experts (TinyNetwork  *self,
             const double *x,
             gsize         n,
             int           block)
{
  const double *gate = get (self, "ffn_gate_exps", block, "weight");
  const double *up = get (self, "ffn_up_exps", block, "weight");
  const double *down = get (self, "ffn_down_exps", block, "weight");
  const double *shared = get (self, "ffn_gate_inp_shexp", block, "weight");
  g_autofree double *input = normed (self, x, n, "ffn_norm", block);
  g_autofree double *scores = linear (self, input, n, "ffn_gate_inp", block, WIDTH, N_EXPERTS);
  double *y = g_new0 (double, n * WIDTH);

  for (gsize t = 0; t < n; t++)
    {
      const double *row = input + t * WIDTH;
      double shares[N_EXPERTS], open = 0.0;

      share_out (self, scores + t * N_EXPERTS, shares);
      for (gsize e = 0; e < N_EXPERTS; e++)
        if (shares[e] > 0.0)
          add_gated (self, row, gate + e * EXPERT_INNER * WIDTH, up + e * EXPERT_INNER * WIDTH,
                     down + e * WIDTH * EXPERT_INNER, EXPERT_INNER, shares[e], y + t * WIDTH);
      if (shared == NULL)
        continue;
      for (gsize i = 0; i < WIDTH; i++)
        open += row[i] * shared[i];
      add_gated (self, row, get (self, "ffn_gate_shexp", block, "weight"),
                 get (self, "ffn_up_shexp", block, "weight"),
                 get (self, "ffn_down_shexp", block, "weight"), SHARED_INNER,
                 1.0 / (1.0 + exp (-open)), y + t * WIDTH);
    }

  return y;
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
      feed_forward = config->n_experts > 0 ? run_experts (self, x, n, (int) b)
                                           : run_feed_forward (self, x, n, (int) b);
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

  self->n_chosen = 0;
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

  self->chosen = TRUE;

  return sum / (double) n_scored;
}
