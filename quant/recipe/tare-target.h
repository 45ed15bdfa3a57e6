/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/recipe/tare-engine.h"

G_BEGIN_DECLS

typedef struct _TareTarget TareTarget;

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
 * @suffix: of a file it writes, ".gguf"
 * @check: says, before a run, what keeps this recipe from being written
 * @write: writes it whole or not at all; verified by reading it back
 *
 * One row of the target table: what a model can be exported to.
 */
struct _TareTarget
{
  const char     *id;
  const char     *label;
  TareContainers  container;
  const char     *suffix;
  gboolean      (*check) (TareModel           *model,
                          TareRecipe          *recipe,
                          GError             **error);
  gboolean      (*write) (TareEngine          *engine,
                          TareRecipe          *recipe,
                          TareCalibration     *calibration,
                          const char          *path,
                          GArray              *exported,
                          const TareProgress  *progress,
                          GError             **error);
};

gsize             tare_target_get_n_targets (void);
const TareTarget *tare_target_get           (gsize       index);
const TareTarget *tare_target_lookup        (const char *id);

G_END_DECLS
