/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-engine.h"

G_BEGIN_DECLS

typedef struct _TareTarget TareTarget;

/**
 * TareChange:
 * @tensor: (unowned) (nullable): of the model; %NULL where it is activations that are not rounded
 * @name: the canonical name of @tensor; of activations theirs, "blk.3.ffn_down.input", or what a
 *   rule matches of which nothing is written, "*.key"
 * @from: (nullable): what the recipe asks for; %NULL for what the source has
 * @to: (nullable): what is written instead; %NULL for what the source has, and for activations
 * @bytes: how many more that takes, or fewer
 * @reason: translatable
 *
 * What a target's rules make of one tensor of a recipe, or of one of its rules of activations.
 */
typedef struct
{
  const TareTensor *tensor;
  char             *name;
  const TareFormat *from;
  const TareFormat *to;
  gint64            bytes;
  const char       *reason;
} TareChange;

/**
 * TarePlan:
 * @recipe: what is written
 * @changes: (element-type TareChange): how that differs from what was asked for
 * @inputs: (element-type utf8): activations that the files say are rounded as the recipe asks
 * @bytes: what the tensors take in the files, without headers
 *
 * What an export would come to, known before anything is rounded.
 */
typedef struct
{
  TareRecipe *recipe;
  GArray     *changes;
  GHashTable *inputs;
  guint64     bytes;
} TarePlan;

/**
 * TareExported:
 * @canonical: the tensor
 * @format: what it was written as
 * @bytes: how long it is
 * @distortion: what rounding did to it
 */
typedef struct
{
  const char       *canonical;
  const TareFormat *format;
  const TareMethod *method;
  guint64           bytes;
  TareDistortion    distortion;
} TareExported;

/**
 * TareTarget:
 * @id: what the command line calls it, "gguf"
 * @label: what a person reads, "GGUF for llama.cpp"
 * @container: what its files hold
 * @suffix: of a file it writes, ".gguf", or of the folder's name
 * @folder: whether it writes a folder
 * @vectors: (nullable): the format of vectors, norms and biases in its files; %NULL for as the
 *   source has them
 * @inputs: whether its files can say that the inputs of layers are rounded
 * @variant: which of several with the same functions it is, private to its file
 * @plan: applies the target's rules to a recipe; see tare_target_plan()
 * @write: writes it; see tare_target_write()
 *
 * One row of the target table: what a model can be exported to.
 */
struct _TareTarget
{
  const char     *id;
  const char     *label;
  TareContainers  container;
  const char     *suffix;
  gboolean        folder;
  const char     *vectors;
  gboolean        inputs;
  gconstpointer   variant;
  TarePlan *    (*plan)  (const TareTarget    *self,
                          TareModel           *model,
                          TareRecipe          *recipe,
                          GError             **error);
  gboolean      (*write) (const TareTarget    *self,
                          TareEngine          *engine,
                          TareRecipe          *recipe,
                          TareCalibration     *calibration,
                          const char          *path,
                          GArray              *exported,
                          const TareProgress  *progress,
                          GError             **error);
};

gsize             tare_target_get_n_targets (void);
const TareTarget *tare_target_get           (gsize       index);
const char       *tare_target_name_at       (gsize       index);
const TareTarget *tare_target_lookup        (const char *id);
const TareFormat *tare_target_get_format    (const TareTarget    *self,
                                             TareRecipe          *recipe,
                                             const TareTensor    *tensor);
guint64           tare_target_get_bytes     (const TareTarget    *self,
                                             TareRecipe          *recipe,
                                             const TareTensor    *tensor);
guint64           tare_target_measure_bytes (const TareTarget    *self,
                                             TareRecipe          *recipe,
                                             TareModel           *model);
TarePlan         *tare_target_plan          (const TareTarget    *self,
                                             TareModel           *model,
                                             TareRecipe          *recipe,
                                             TareCalibration     *calibration,
                                             GError             **error);
gboolean          tare_target_check         (const TareTarget    *self,
                                             TareModel           *model,
                                             TareRecipe          *recipe,
                                             TareCalibration     *calibration,
                                             GError             **error);
gboolean          tare_target_write         (const TareTarget    *self,
                                             TareEngine          *engine,
                                             TareRecipe          *recipe,
                                             TareCalibration     *calibration,
                                             const char          *path,
                                             GArray              *exported,
                                             const TareProgress  *progress,
                                             GError             **error);

TarePlan         *tare_plan_new             (TareRecipe          *recipe);
void              tare_plan_free            (TarePlan            *self);
void              tare_plan_add             (TarePlan            *self,
                                             const TareTensor    *tensor,
                                             const TareFormat    *from,
                                             const TareFormat    *to,
                                             gint64               bytes,
                                             const char          *reason);
void              tare_plan_drop            (TarePlan            *self,
                                             const char          *name,
                                             const TareFormat    *from,
                                             const char          *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TarePlan, tare_plan_free)

G_END_DECLS
