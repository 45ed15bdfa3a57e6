/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The two ends of a pass: the output, where the loss is and the way back begins, and the
 * embedding, where it stops. */
#include "quant/network/tare-gradient-private.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"

/* Below so many numbers the threads cost more than they save. */
#define PARALLEL_LEAST 16384

/* Logits that are held at a time, and the least tokens whose they are. */
#define OUTPUT_NUMBERS (16u * 1024u * 1024u)
#define OUTPUT_TOKENS  128u

/* The output's activations for a slice of tokens, and the loss's gradients by them. */
typedef struct
{
  TareDual input;
  TareDual logits;
  TareDual gradient;
  TareDual input_gradient;
  float   *base;
  float   *pushed;
} Output;

/* Whole sequences, unless one alone is too long. */
static gsize
get_slice (const TarePass *self)
{
  gsize length = self->objective->length;
  gsize n = MAX (OUTPUT_NUMBERS / self->network->config->vocabulary, OUTPUT_TOKENS);

  return MIN (n >= length ? n / length * length : n, self->n_tokens);
}

static Output
carve_output (const TarePass *self,
              TareRoom       *room)
{
  gboolean tangent = self->direction != NULL;
  gsize n = get_slice (self), width = self->network->config->width;
  gsize vocabulary = self->network->config->vocabulary;
  Output output;

  output.input = _tare_dual_carve (room, n * width, tangent);
  output.logits = _tare_dual_carve (room, n * vocabulary, tangent);
  output.gradient = _tare_dual_carve (room, n * vocabulary, tangent);
  output.input_gradient = _tare_dual_carve (room, n * width, tangent);
  output.base = _tare_dual_carve (room, self->objective->base != NULL ? n * vocabulary : 0,
                                  FALSE).value;
  output.pushed = _tare_dual_carve (room, tangent ? n * vocabulary : 0, FALSE).value;

  return output;
}

/* What the token at @index predicts, or that it does not. */
static guint32
get_target (const TareObjective *objective,
            gsize                index)
{
  if (objective->targets != NULL)
    return objective->targets[index];

  return index % objective->length + 1 < objective->length ? objective->tokens[index + 1]
                                                           : TARE_GRADIENT_UNSCORED;
}

static gboolean
count_targets (TarePass  *self,
               GError   **error)
{
  const char *path = tare_model_get_path (self->network->model);

  self->result->n_scored = 0;
  for (gsize i = 0; i < self->n_tokens; i++)
    {
      guint32 target = get_target (self->objective, i);

      if (target == TARE_GRADIENT_UNSCORED)
        continue;
      if (target >= self->network->config->vocabulary)
        {
          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                       "%s: token %u is beyond the vocabulary of %u", path, target,
                       self->network->config->vocabulary);
          return FALSE;
        }
      self->result->n_scored++;
    }

  if (self->result->n_scored == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: no token is to be predicted", path);
      return FALSE;
    }

  return TRUE;
}

/* The loss of one token; its gradient by the logits, 0 if nothing is predicted. */
static double
lose (const TarePass *self,
      const Output   *room,
      gsize           row,
      gsize           index)
{
  gsize n = self->network->config->vocabulary;
  guint32 target = get_target (self->objective, index);
  TareDual logits = tare_dual_at (room->logits, row * n);
  TareDual gradient = tare_dual_at (room->gradient, row * n);
  float factor = (float) (1.0 / (double) self->result->n_scored);

  if (target == TARE_GRADIENT_UNSCORED)
    {
      memset (gradient.value, 0, n * sizeof (float));
      if (gradient.tangent != NULL)
        memset (gradient.tangent, 0, n * sizeof (float));
      return 0.0;
    }

  if (self->objective->loss == TARE_LOSS_CROSS_ENTROPY)
    return tare_kernel_cross_entropy (logits, n, target, factor, gradient);

  return tare_kernel_divergence_back (logits, self->objective->base != NULL ? room->base + row * n
                                                                            : NULL,
                                      n, factor, gradient);
}

static void
lose_rows (const TarePass *self,
           const Output   *room,
           gsize           first,
           gsize           rows)
{
  g_autofree double *losses = g_new (double, rows);
  double sum = 0.0;

#pragma omp parallel for schedule(static) \
  if (rows * self->network->config->vocabulary >= PARALLEL_LEAST)
  for (gsize i = 0; i < rows; i++)
    losses[i] = lose (self, room, i, first + i);

  for (gsize i = 0; i < rows; i++)
    sum += losses[i];
  self->result->loss += sum / (double) self->result->n_scored;
}

/* Logits and loss of some tokens, and what the loss's gradient is by them. */
static gboolean
run_slice (TarePass     *self,
           TareReverse  *reverse,
           Output       *room,
           gsize         first,
           gsize         rows,
           GError      **error)
{
  const TareConfig *config = self->network->config;
  gsize n = rows * config->vocabulary;
  TareDual x = tare_dual_at (_tare_pass_get_state (self, config->n_blocks),
                             first * config->width);

  _tare_reverse_norm (reverse, &reverse->attention_norm, x, rows, room->input);
  if (!_tare_reverse_linear (reverse, &reverse->qkv, room->input, rows, room->logits,
                             room->pushed))
    return tare_progress_step (reverse->progress, 0.0, NULL, error);

  if (config->final_soft_cap > 0.0f)
    {
      tare_kernel_soft_cap (config->final_soft_cap, rows, config->vocabulary,
                            room->logits.value);
      if (reverse->tangent)
        tare_kernel_soft_cap_tangent (config->final_soft_cap, n, room->logits);
    }
  if (self->objective->base != NULL
      && !self->objective->base (self->objective->data, first, rows, room->base, error))
    return FALSE;

  lose_rows (self, room, first, rows);
  if (reverse->tangent)
    self->result->slope += tare_kernel_inner (room->gradient.value, config->vocabulary,
                                              room->logits.tangent, config->vocabulary, rows,
                                              config->vocabulary);

  return TRUE;
}

static gboolean
back_slice (TarePass     *self,
            TareReverse  *reverse,
            Output       *room,
            gsize         first,
            gsize         rows,
            GError      **error)
{
  const TareConfig *config = self->network->config;
  TareDual x = tare_dual_at (_tare_pass_get_state (self, config->n_blocks),
                             first * config->width);
  TareDual to = tare_dual_at (_tare_pass_get_gradient (self), first * config->width);

  if (config->final_soft_cap > 0.0f)
    tare_kernel_soft_cap_backward (config->final_soft_cap, rows * config->vocabulary,
                                   room->logits, room->gradient);
  if (!_tare_reverse_linear_back (reverse, &reverse->qkv, room->input, room->gradient, rows,
                                  room->pushed, room->input_gradient))
    return tare_progress_step (reverse->progress, 0.0, NULL, error);

  _tare_reverse_norm_back (reverse, &reverse->attention_norm, x, room->input_gradient, rows, to);

  return TRUE;
}

/* From the last state to the loss and, if @back, to the gradient by that state. */
gboolean
_tare_pass_run_output (TarePass            *self,
                       gboolean             back,
                       const TareProgress  *progress,
                       GError             **error)
{
  const TareWeights moves = _tare_pass_get_moves (self);
  g_autoptr(TareBlock) output = tare_network_load_output (self->network, self->weights, error);
  g_autoptr(TareBlock) direction = NULL;
  TareReverse reverse = { .network = self->network, .block = output, .moves = self->direction,
                          .tangent = self->direction != NULL, .output = TRUE,
                          .observer = self->observer, .progress = progress };
  TareRoom need = { NULL, 0 }, room = { NULL, 0 };
  gsize slice = get_slice (self);
  gboolean ok;
  Output state;

  if (output == NULL || !count_targets (self, error))
    return FALSE;
  if (self->direction != NULL
      && (direction = tare_network_load_output (self->network, &moves, error)) == NULL)
    return FALSE;

  reverse.direction = direction;
  reverse.length = slice % self->objective->length == 0 ? self->objective->length : 0;
  carve_output (self, &need);
  ok = _tare_buffer_reserve (&self->self->output, 1, need.used,
                             tare_model_get_path (self->network->model), error)
       && _tare_reverse_init (&reverse, error);
  room.data = self->self->output.data;
  if (ok)
    state = carve_output (self, &room);
  for (gsize i = 0; ok && i < self->n_tokens; i += slice)
    {
      gsize rows = MIN (slice, self->n_tokens - i);

      ok = tare_progress_step (progress, (double) i / (double) self->n_tokens, NULL, error)
           && run_slice (self, &reverse, &state, i, rows, error)
           && (!back || back_slice (self, &reverse, &state, i, rows, error));
    }
  if (ok && back)
    _tare_reverse_report (&reverse, &self->result->curvature);
  _tare_reverse_clear (&reverse);

  return ok;
}

/* A table whose rows were looked up, and which one every token took: its own, or from @first on
 * that of its position. */
typedef struct
{
  const TareTensor *tensor;
  const guint32    *tokens;
  gsize             first;
  float             factor;
} Table;

static gsize
get_row (const TarePass *self,
         const Table    *table,
         gsize           token)
{
  return table->tokens != NULL ? table->tokens[token]
                               : table->first + token % self->objective->length;
}

/* The gradient by the table, or the Hessian's product. */
static gboolean
report_table (TarePass     *self,
              const Table  *table,
              const float  *g,
              GError      **error)
{
  gsize width = self->network->config->width;
  TareBuffer sum = { NULL, 0 };

  if (!_tare_buffer_reserve (&sum, table->tensor->rows, width,
                             tare_model_get_path (self->network->model), error))
    return FALSE;

  memset (sum.data, 0, table->tensor->rows * width * sizeof (float));
  for (gsize i = 0; i < self->n_tokens; i++)
    for (gsize j = 0; j < width; j++)
      sum.data[get_row (self, table, i) * width + j] += table->factor * g[i * width + j];
  self->observer->weight (table->tensor, sum.data, self->observer->data);
  _tare_buffer_clear (&sum);

  return TRUE;
}

/* v'(Hv) of the table: rows are looked up, which is linear. */
static gboolean
report_curvature (TarePass            *self,
                  const Table         *table,
                  const float         *g,
                  const TareProgress  *progress,
                  GError             **error)
{
  gsize width = self->network->config->width;
  TareBuffer moves = { NULL, 0 };
  double sum = 0.0;
  gboolean ok;

  ok = _tare_buffer_reserve (&moves, table->tensor->rows, width,
                             tare_model_get_path (self->network->model), error)
       && self->direction->load (self->direction->data, table->tensor, moves.data, progress,
                                 error);
  for (gsize i = 0; ok && i < self->n_tokens; i++)
    sum += tare_kernel_inner (g + i * width, width,
                              moves.data + get_row (self, table, i) * width, width, 1, width);
  _tare_buffer_clear (&moves);
  if (!ok)
    return FALSE;

  sum *= (double) table->factor;
  self->result->curvature += sum;
  if (self->observer != NULL && self->observer->curvature != NULL)
    self->observer->curvature (table->tensor, sum, self->observer->data);

  return TRUE;
}

/* What the embedding and the learned positions get. */
gboolean
_tare_pass_end (TarePass            *self,
                const TareProgress  *progress,
                GError             **error)
{
  TareModel *model = self->network->model;
  float factor = self->network->architecture->scales_embedding
                 ? sqrtf ((float) self->network->config->width) : 1.0f;
  const Table tables[] = {
    { tare_model_lookup_role (model, "token_embd", -1, FALSE), self->objective->tokens, 0,
      factor },
    { tare_model_lookup_role (model, "position_embd", -1, FALSE), NULL,
      self->network->architecture->position_offset, 1.0f },
  };
  TareDual g = _tare_pass_get_gradient (self);
  gboolean told = self->observer != NULL && self->observer->weight != NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    {
      gboolean moves;

      if (tables[i].tensor == NULL)
        continue;
      moves = self->direction != NULL && _tare_pass_covers (self, tables[i].tensor);
      if (self->direction != NULL && !moves)
        continue;
      if (told && !report_table (self, &tables[i], moves ? g.tangent : g.value, error))
        return FALSE;
      if (moves && !report_curvature (self, &tables[i], g.tangent, progress, error))
        return FALSE;
    }

  return TRUE;
}
