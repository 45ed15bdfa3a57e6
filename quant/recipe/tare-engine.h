/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/formats/tare-metric.h"
#include "quant/network/tare-weights.h"
#include "quant/recipe/tare-recipe.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareQuantized:
 * @format: what it is stored as, after any fallback
 * @bytes: (nullable): the codes; %NULL when the tensor is kept as the source has it
 * @distortion: what rounding did to it; all 0 when it is kept
 *
 * One quantized tensor, immutable, owned by the engine.
 */
typedef struct
{
  const TareFormat *format;
  GBytes           *bytes;
  TareDistortion    distortion;
} TareQuantized;

/**
 * TareEngine:
 *
 * Quantizes the tensors of one model as recipes ask, and keeps what it made, up to a budget, so
 * that a change of one layer costs one layer. Reference counted, safe in any thread.
 */
typedef struct _TareEngine TareEngine;

TareEngine          *tare_engine_new         (TareModel           *model);
TareEngine          *tare_engine_ref         (TareEngine          *self);
void                 tare_engine_unref       (TareEngine          *self);
TareModel           *tare_engine_get_model   (TareEngine          *self);
void                 tare_engine_set_budget  (TareEngine          *self,
                                              guint64              bytes);
TareQuantized       *tare_engine_quantize    (TareEngine            *self,
                                              const TareTensor      *tensor,
                                              const TareAssignment  *assignment,
                                              TareCalibration       *calibration,
                                              const TareProgress    *progress,
                                              GError               **error);
TareQuantized       *tare_quantized_ref      (TareQuantized       *quantized);
void                 tare_quantized_unref    (TareQuantized       *quantized);
gboolean             tare_quantized_decode   (TareQuantized       *quantized,
                                              const TareTensor    *tensor,
                                              float               *out,
                                              GError             **error);

/**
 * TareRecipeWeights:
 *
 * What a network sees under a recipe: a TareWeights over an engine. @weights is what to hand to
 * the network; the rest is private.
 */
typedef struct
{
  TareWeights      weights;
  TareEngine      *engine;
  TareRecipe      *recipe;
  TareCalibration *calibration;
} TareRecipeWeights;

TareRecipeWeights   *tare_recipe_weights_new  (TareEngine          *engine,
                                               TareRecipe          *recipe,
                                               TareCalibration     *calibration);
void                 tare_recipe_weights_free (TareRecipeWeights   *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareEngine, tare_engine_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareQuantized, tare_quantized_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareRecipeWeights, tare_recipe_weights_free)

G_END_DECLS
