/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-kernels-reference.h"

#include <math.h>

/**
 * tare_reference_rms_norm:
 * @x: rows x columns
 * @weight: columns
 * @epsilon: added to the mean square
 * @rows: tokens
 * @columns: width
 * @y: (out caller-allocates): rows x columns, x / sqrt (mean (x²) + epsilon) * weight
 */
void
tare_reference_rms_norm (const float *x,
                         const float *weight,
                         float        epsilon,
                         gsize        rows,
                         gsize        columns,
                         float       *y)
{
  for (gsize row = 0; row < rows; row++)
    {
      const float *from = x + row * columns;
      double sum = 0.0;

      for (gsize i = 0; i < columns; i++)
        sum += (double) from[i] * (double) from[i];
      for (gsize i = 0; i < columns; i++)
        y[row * columns + i] = (float) ((double) from[i] * (double) weight[i]
                                        / sqrt (sum / (double) columns + (double) epsilon));
    }
}

/**
 * tare_reference_layer_norm:
 * @x: rows x columns
 * @weight: columns
 * @bias: (nullable): columns
 * @epsilon: added to the variance
 * @rows: tokens
 * @columns: width
 * @y: (out caller-allocates): rows x columns
 */
void
tare_reference_layer_norm (const float *x,
                           const float *weight,
                           const float *bias,
                           float        epsilon,
                           gsize        rows,
                           gsize        columns,
                           float       *y)
{
  for (gsize row = 0; row < rows; row++)
    {
      const float *from = x + row * columns;
      double mean = 0.0, variance = 0.0;

      for (gsize i = 0; i < columns; i++)
        mean += (double) from[i] / (double) columns;
      for (gsize i = 0; i < columns; i++)
        variance += pow ((double) from[i] - mean, 2.0) / (double) columns;
      for (gsize i = 0; i < columns; i++)
        y[row * columns + i] = (float) (((double) from[i] - mean)
                                        / sqrt (variance + (double) epsilon) * (double) weight[i]
                                        + (bias != NULL ? (double) bias[i] : 0.0));
    }
}

/**
 * tare_reference_add_bias:
 * @bias: columns
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns, to each row of which @bias is added
 */
void
tare_reference_add_bias (const float *bias,
                         gsize        rows,
                         gsize        columns,
                         float       *y)
{
  for (gsize row = 0; row < rows; row++)
    for (gsize i = 0; i < columns; i++)
      y[row * columns + i] += bias[i];
}

/**
 * tare_reference_silu_gate:
 * @gate_up: rows x 2 width, a row's gates before its values
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, gate / (1 + exp (-gate)) * up
 */
void
tare_reference_silu_gate (const float *gate_up,
                          gsize        rows,
                          gsize        width,
                          float       *y)
{
  for (gsize row = 0; row < rows; row++)
    for (gsize i = 0; i < width; i++)
      {
        double gate = (double) gate_up[row * 2 * width + i];
        double up = (double) gate_up[row * 2 * width + width + i];

        y[row * width + i] = (float) (gate / (1.0 + exp (-gate)) * up);
      }
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
    return x < 0.0 ? 0.0 : x;

  return 0.5 * x * (1.0 + tanh (sqrt (2.0 / G_PI) * (x + 0.044715 * x * x * x)));
}

/**
 * tare_reference_gate:
 * @activation: of the gates
 * @gate_up: rows x 2 width, a row's gates before its values
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, activation (gate) up
 */
void
tare_reference_gate (TareActivation  activation,
                     const float    *gate_up,
                     gsize           rows,
                     gsize           width,
                     float          *y)
{
  for (gsize row = 0; row < rows; row++)
    for (gsize i = 0; i < width; i++)
      y[row * width + i] = (float) (activate (activation, (double) gate_up[row * 2 * width + i])
                                    * (double) gate_up[row * 2 * width + width + i]);
}

/**
 * tare_reference_activate:
 * @activation: which
 * @x: rows x width
 * @rows: tokens
 * @width: of the feed-forward part
 * @y: (out caller-allocates): rows x width, activation (x)
 */
void
tare_reference_activate (TareActivation  activation,
                         const float    *x,
                         gsize           rows,
                         gsize           width,
                         float          *y)
{
  for (gsize i = 0; i < rows * width; i++)
    y[i] = (float) activate (activation, (double) x[i]);
}

/**
 * tare_reference_soft_cap:
 * @cap: the bound
 * @rows: tokens
 * @columns: width
 * @y: (inout): rows x columns, y to cap tanh (y / cap)
 */
void
tare_reference_soft_cap (float  cap,
                         gsize  rows,
                         gsize  columns,
                         float *y)
{
  for (gsize i = 0; i < rows * columns; i++)
    y[i] = (float) ((double) cap * tanh ((double) y[i] / (double) cap));
}

/**
 * tare_reference_rotate:
 * @angles: by how much to turn
 * @position: of the token
 * @head: (inout): one head of a query or key
 */
void
tare_reference_rotate (const TareAngles *angles,
                       gsize             position,
                       float            *head)
{
  for (gsize i = 0; i < angles->n_pairs; i++)
    {
      gsize a = angles->rotary == TARE_ROTARY_INTERLEAVED ? 2 * i : i;
      gsize b = angles->rotary == TARE_ROTARY_INTERLEAVED ? 2 * i + 1 : i + angles->n_pairs;
      double cosine = (double) angles->cosine[position * angles->n_pairs + i];
      double sine = (double) angles->sine[position * angles->n_pairs + i];
      double x = (double) head[a];
      double y = (double) head[b];

      head[a] = (float) (x * cosine - y * sine);
      head[b] = (float) (x * sine + y * cosine);
    }
}

/* What a query sees of the token so far behind it. */
static const float *
choose (const float *recent,
        const float *older,
        gsize        window,
        gsize        distance)
{
  return window > 0 && distance >= window ? older : recent;
}

/* One query of one head over the keys up to its own position that its window holds. */
static void
attend (const TareAttentionShape *shape,
        const float              *sequence,
        const float              *older,
        const TareAttentionPast  *past,
        gsize                     position,
        gsize                     head,
        float                     scale,
        double                   *scores,
        float                    *y)
{
  gsize d = shape->head_width;
  gsize stride = (shape->n_heads + 2 * shape->n_key_value_heads) * d;
  gsize group = head / (shape->n_heads / shape->n_key_value_heads);
  const float *query = sequence + position * stride + head * d;
  gsize key = (shape->n_heads + group) * d;
  gsize value = key + shape->n_key_value_heads * d;
  gsize first = shape->window > 0 && position >= shape->window ? position + 1 - shape->window : 0;
  double cap = (double) shape->soft_cap;
  double maximum = -INFINITY;
  double sum = 0.0;

  for (gsize j = first; j <= position; j++)
    {
      const float *row = choose (sequence, older, past != NULL ? past->key_window : 0,
                                 position - j) + j * stride + key;

      scores[j] = 0.0;
      for (gsize i = 0; i < d; i++)
        scores[j] += (double) query[i] * (double) row[i] * (double) scale;
      if (cap > 0.0)
        scores[j] = cap * tanh (scores[j] / cap);
      maximum = MAX (maximum, scores[j]);
    }
  for (gsize j = first; j <= position; j++)
    {
      scores[j] = exp (scores[j] - maximum);
      sum += scores[j];
    }
  for (gsize j = 0; j <= position; j++)
    scores[j] = j < first ? 0.0 : scores[j] / sum;
  for (gsize i = 0; i < d; i++)
    {
      double mixed = 0.0;

      for (gsize j = first; j <= position; j++)
        mixed += scores[j]
                 * (double) choose (sequence, older, past != NULL ? past->value_window : 0,
                                    position - j)[j * stride + value + i];
      y[i] = (float) mixed;
    }
}

/**
 * tare_reference_attention:
 * @shape: the sizes
 * @qkv: n_sequences x length x (n_heads + 2 n_key_value_heads) head_width, rotated
 * @scale: what multiplies a score, usually 1 / sqrt (head_width)
 * @y: (out caller-allocates): n_sequences x length x n_heads head_width
 *
 * Causal attention with grouped queries: Vaswani et al. (2017), 3.2; Ainslie et al. (2023).
 */
void
tare_reference_attention (const TareAttentionShape *shape,
                          const float              *qkv,
                          float                     scale,
                          float                    *y)
{
  tare_reference_attention_tapped (shape, qkv, scale, y, NULL);
}

/**
 * tare_reference_attention_tapped:
 * @shape: the sizes
 * @qkv: as for tare_reference_attention()
 * @scale: likewise
 * @y: (out caller-allocates): likewise
 * @received: (nullable) (inout): n_sequences x n_heads x length, to which the probabilities that
 *   all queries of a head give to each position are added
 */
void
tare_reference_attention_tapped (const TareAttentionShape *shape,
                                 const float              *qkv,
                                 float                     scale,
                                 float                    *y,
                                 double                   *received)
{
  tare_reference_attention_past (shape, qkv, NULL, scale, y, received);
}

/**
 * tare_reference_attention_past:
 * @shape: the sizes
 * @qkv: as for tare_reference_attention()
 * @past: (nullable): what is seen of older tokens
 * @scale: likewise
 * @y: (out caller-allocates): likewise
 * @received: (nullable) (inout): as for tare_reference_attention_tapped()
 */
void
tare_reference_attention_past (const TareAttentionShape *shape,
                               const float              *qkv,
                               const TareAttentionPast  *past,
                               float                     scale,
                               float                    *y,
                               double                   *received)
{
  gsize d = shape->head_width;
  gsize stride = (shape->n_heads + 2 * shape->n_key_value_heads) * d;
  g_autofree double *scores = g_new (double, MAX (shape->length, 1));

  for (gsize s = 0; s < shape->n_sequences; s++)
    for (gsize i = 0; i < shape->length; i++)
      for (gsize head = 0; head < shape->n_heads; head++)
        {
          attend (shape, qkv + s * shape->length * stride,
                  past != NULL ? past->qkv + s * shape->length * stride : NULL, past, i, head,
                  scale, scores,
                  y + ((s * shape->length + i) * shape->n_heads + head) * d);
          for (gsize j = 0; received != NULL && j <= i; j++)
            received[(s * shape->n_heads + head) * shape->length + j] += scores[j];
        }
}

/**
 * tare_reference_log_softmax:
 * @logits: one row
 * @n: vocabulary
 *
 * Returns: what turns them into log-probabilities
 */
TareLogSoftmax
tare_reference_log_softmax (const float *logits,
                            gsize        n)
{
  TareLogSoftmax result = { 0.0, 0 };
  double sum = 0.0;

  for (gsize i = 1; i < n; i++)
    if (logits[i] > logits[result.top])
      result.top = i;
  for (gsize i = 0; i < n; i++)
    sum += exp ((double) logits[i] - (double) logits[result.top]);
  result.log_sum = (double) logits[result.top] + log (sum);

  return result;
}

/**
 * tare_reference_divergence:
 * @base: one row of logits
 * @other: another
 * @n: vocabulary
 *
 * Returns: KL (base || other) = Σ p (ln p - ln q), in nats
 */
double
tare_reference_divergence (const float *base,
                           const float *other,
                           gsize        n)
{
  TareLogSoftmax p = tare_reference_log_softmax (base, n);
  TareLogSoftmax q = tare_reference_log_softmax (other, n);
  double sum = 0.0;

  for (gsize i = 0; i < n; i++)
    {
      double log_p = (double) base[i] - p.log_sum;
      double log_q = (double) other[i] - q.log_sum;

      sum += exp (log_p) * (log_p - log_q);
    }

  return sum;
}

/**
 * tare_reference_linear:
 * @x: rows x columns
 * @weight: outputs x columns
 * @rows: tokens
 * @columns: inputs of the layer
 * @outputs: outputs of the layer
 * @y: (out caller-allocates): rows x outputs, x times the transpose of @weight
 */
void
tare_reference_linear (const float *x,
                       const float *weight,
                       gsize        rows,
                       gsize        columns,
                       gsize        outputs,
                       float       *y)
{
  for (gsize row = 0; row < rows; row++)
    for (gsize output = 0; output < outputs; output++)
      {
        double sum = 0.0;

        for (gsize i = 0; i < columns; i++)
          sum += (double) x[row * columns + i] * (double) weight[output * columns + i];
        y[row * outputs + output] = (float) sum;
      }
}
