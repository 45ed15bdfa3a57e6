/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-activation-format.h"

#include <math.h>
#include <string.h>

#include "quant/tare-error.h"
#include "quant/tare-hash.h"

#define N_(text) (text)

/* Rows that one thread rounds at a time. */
#define ROWS 32

static const TareActivationScaleInfo scales[] = {
  { TARE_ACTIVATION_SCALE_TOKEN, "token", N_("Each token's own") },
  { TARE_ACTIVATION_SCALE_TENSOR, "tensor", N_("One, as calibrated") },
  { TARE_ACTIVATION_SCALE_CHANNEL, "channel", N_("Each column's, as calibrated") },
};

/**
 * tare_activation_scale_get_n_scales:
 *
 * Returns: rows of the table of scales
 */
gsize
tare_activation_scale_get_n_scales (void)
{
  return G_N_ELEMENTS (scales);
}

/**
 * tare_activation_scale_get:
 * @index: below the number of scales
 *
 * Returns: (transfer none): one of them
 */
const TareActivationScaleInfo *
tare_activation_scale_get (gsize index)
{
  g_return_val_if_fail (index < G_N_ELEMENTS (scales), NULL);

  return &scales[index];
}

/**
 * tare_activation_scale_name_at:
 * @index: from 0
 *
 * Returns: (transfer none) (nullable): the id of a row, %NULL behind the last; a #TareNameAt
 */
const char *
tare_activation_scale_name_at (gsize index)
{
  return index < G_N_ELEMENTS (scales) ? scales[index].id : NULL;
}

/**
 * tare_activation_scale_lookup:
 * @id: what recipes call it
 *
 * Returns: (transfer none) (nullable): the scale of that name
 */
const TareActivationScaleInfo *
tare_activation_scale_lookup (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (scales); i++)
    if (strcmp (scales[i].id, id) == 0)
      return &scales[i];

  return NULL;
}

static double
get_clip (const TareActivationFormat *self)
{
  return self->clip > 0.0 ? self->clip : 1.0;
}

static float
find_largest (const float *x,
              gsize        n)
{
  float largest = 0.0f;

  for (gsize i = 0; i < n; i++)
    largest = fmaxf (largest, fabsf (x[i]));

  return largest;
}

/* NaN stays what it is, for the encoder to refuse. */
static void
clamp (float *x,
       gsize  n,
       float  limit)
{
  for (gsize i = 0; i < n; i++)
    x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

/* Cuts off what is beyond a share of the largest of its group. x: [columns] */
static void
clip_token (const TareActivationFormat *self,
            float                      *x,
            gsize                       columns)
{
  gsize group = self->format->group > 0 ? self->format->group : columns;

  for (gsize i = 0; i < columns; i += group)
    {
      gsize n = MIN (group, columns - i);

      clamp (x + i, n, (float) (get_clip (self) * (double) find_largest (x + i, n)));
    }
}

/* Columns that hold the limits of a static range, both signs of it, beside those of a token: the
 * range of a row is then the static one, whatever the format. */
static gsize
count_guards (const TareActivationFormat *self,
              gsize                       columns)
{
  gsize block = MAX (self->format->block, 1);

  if (self->scale == TARE_ACTIVATION_SCALE_TOKEN)
    return 0;

  return 2 + (block - (columns + 2) % block) % block;
}

/* A token by its static limits, divided by those of its columns where each has its own. */
static void
pack_static (const TareActivationFormat *self,
             const float                *x,
             gsize                       columns,
             gsize                       n_guards,
             float                      *packed)
{
  gboolean by_column = self->scale == TARE_ACTIVATION_SCALE_CHANNEL;
  float limit = (float) get_clip (self);

  if (!by_column)
    limit = (float) (get_clip (self) * (double) find_largest (self->limits, columns));
  for (gsize j = 0; j < columns; j++)
    packed[j] = !by_column ? x[j] : self->limits[j] > 0.0f ? x[j] / self->limits[j] : 0.0f;
  clamp (packed, columns, limit);
  for (gsize j = 0; j < n_guards; j++)
    packed[columns + j] = j % 2 == 0 ? limit : -limit;
}

static void
pack (const TareActivationFormat *self,
      const float                *x,
      gsize                       columns,
      gsize                       n_guards,
      float                      *packed)
{
  if (self->scale != TARE_ACTIVATION_SCALE_TOKEN)
    {
      pack_static (self, x, columns, n_guards, packed);
      return;
    }

  memcpy (packed, x, columns * sizeof *x);
  if (get_clip (self) < 1.0)
    clip_token (self, packed, columns);
}

static void
unpack (const TareActivationFormat *self,
        const float                *packed,
        gsize                       columns,
        float                      *x)
{
  memcpy (x, packed, columns * sizeof *x);
  if (self->scale != TARE_ACTIVATION_SCALE_CHANNEL)
    return;

  for (gsize j = 0; j < columns; j++)
    x[j] *= self->limits[j];
}

/* Rounds rows that lie @stride apart, all by one encoding. */
static gboolean
round_together (const TareActivationFormat *self,
                float                      *x,
                gsize                       rows,
                gsize                       columns,
                gsize                       stride,
                GError                    **error)
{
  const TareEncoding encoding = { .range = self->range,
                                  .percentile = TARE_RANGE_DEFAULT_PERCENTILE };
  gsize n_guards = count_guards (self, columns), width = columns + n_guards;
  g_autofree float *packed = g_new (float, rows * width);
  g_autofree guint8 *codes = g_malloc (tare_format_get_bytes (self->format, rows, width));

  for (gsize i = 0; i < rows; i++)
    pack (self, x + i * stride, columns, n_guards, packed + i * width);
  if (!tare_format_encode (self->format, &encoding, packed, rows, width, codes, NULL, error))
    return FALSE;

  tare_format_decode (self->format, codes, rows, width, packed);
  for (gsize i = 0; i < rows; i++)
    unpack (self, packed + i * width, columns, x + i * stride);

  return TRUE;
}

/**
 * tare_activation_format_apply:
 * @self: how to round, to a format whose rows know nothing of each other
 * @x: (inout): rows x columns, each @stride after the one before
 * @rows: tokens
 * @columns: of a token, which the blocks of the format divide
 * @stride: at least @columns
 * @error: what the encoder reports
 *
 * Rounds activations to what the format can hold, and back, each row by itself.
 *
 * Returns: %FALSE on error
 */
gboolean
tare_activation_format_apply (const TareActivationFormat *self,
                              float                      *x,
                              gsize                       rows,
                              gsize                       columns,
                              gsize                       stride,
                              GError                    **error)
{
  GError *failure = NULL;

  g_return_val_if_fail (self != NULL && x != NULL && stride >= columns, FALSE);

  if (self->format == NULL || rows == 0)
    return TRUE;
#pragma omp parallel for schedule(static) if (rows > ROWS)
  for (gsize i = 0; i < rows; i += ROWS)
    {
      GError *own = NULL;

      if (round_together (self, x + i * stride, MIN (ROWS, rows - i), columns, stride, &own))
        continue;

#pragma omp critical (tare_activation_format_apply)
      if (failure == NULL)
        failure = g_steal_pointer (&own);
      g_clear_error (&own);
    }

  if (failure != NULL)
    g_propagate_error (error, failure);

  return failure == NULL;
}

/**
 * tare_activation_format_check:
 * @self: how to round
 * @name: what activations are called, for errors
 * @columns: of a token
 * @error: static scales without a calibration, of other columns, or of a format with groups;
 *   scales of more than a token
 *
 * Returns: whether activations of so many columns can be rounded so
 */
gboolean
tare_activation_format_check (const TareActivationFormat  *self,
                              const char                  *name,
                              gsize                        columns,
                              GError                     **error)
{
  const char *wrong = NULL;

  g_return_val_if_fail (self != NULL && name != NULL, FALSE);

  if (self->format == NULL)
    return TRUE;

  if (!tare_format_is_row_local (self->format))
    wrong = "has scales for more than a token, which come and go one by one";
  else if (self->scale != TARE_ACTIVATION_SCALE_TOKEN && self->format->group > 0)
    wrong = "has scales for groups, which no static range can stand for";
  else if (self->scale != TARE_ACTIVATION_SCALE_TOKEN && self->limits == NULL)
    wrong = "with a static range needs a calibration that tells the largest activations";
  else if (self->scale != TARE_ACTIVATION_SCALE_TOKEN && self->n_limits != columns)
    wrong = "with a static range needs a calibration of as many columns";
  if (wrong == NULL)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED, "%s: %s %s", name, self->format->label,
               wrong);

  return FALSE;
}

/**
 * tare_activation_format_hash:
 * @self: how to round
 *
 * Returns: the same number for the same rounding, in any process; 0 for none
 */
guint64
tare_activation_format_hash (const TareActivationFormat *self)
{
  guint64 hash = TARE_HASH_START;
  guint64 kinds[2] = { (guint64) self->range, (guint64) self->scale };
  double clip = get_clip (self);

  if (self->format == NULL)
    return 0;

  hash = tare_hash_bytes (hash, self->format->id, strlen (self->format->id));
  hash = tare_hash_bytes (hash, kinds, sizeof kinds);
  hash = tare_hash_bytes (hash, &clip, sizeof clip);
  if (self->window > 0)
    hash = tare_hash_bytes (hash, &self->window, sizeof self->window);
  if (self->scale != TARE_ACTIVATION_SCALE_TOKEN && self->limits != NULL)
    hash = tare_hash_bytes (hash, self->limits, self->n_limits * sizeof *self->limits);

  return MAX (hash, 1);
}
