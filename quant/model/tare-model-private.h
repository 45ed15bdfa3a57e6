/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"

G_BEGIN_DECLS

/**
 * TareModel:
 * @path: as it was opened
 * @folder: where its other files are
 * @container: "gguf" or "safetensors"
 * @architecture_name: never %NULL
 * @architecture: (nullable): its row of the table
 * @config: the numbers; only valid where @runnable_error is %NULL
 * @runnable_error: (nullable): why the numbers do not make a network that can be run
 * @metadata: (nullable): of a GGUF file
 * @quantization: (nullable): the quantization_config of a Hugging Face folder
 * @quantization_path: (nullable): the file that has it
 * @by_name: canonical name to tensor
 * @lock: of the tokenizer, which is made when it is first asked for
 */
struct _TareModel
{
  gint                    ref_count;
  char                   *path;
  char                   *folder;
  char                   *name;
  const char             *container;
  char                   *architecture_name;
  const TareArchitecture *architecture;
  TareConfig              config;
  GError                 *runnable_error;
  TareMetadata           *metadata;
  JsonObject             *quantization;
  char                   *quantization_path;
  GPtrArray              *tensors;
  GHashTable             *by_name;
  guint                   n_blocks;
  GMutex                  lock;
  TareTokenizer          *tokenizer;
  GError                 *tokenizer_error;
};

/**
 * TareOrder:
 * @head_rows: as of #TareTensor
 * @head_groups: likewise
 *
 * How a Hugging Face file has the rows of a tensor.
 */
typedef struct
{
  gsize head_rows;
  gsize head_groups;
} TareOrder;

gboolean _tare_model_load              (TareModel  *self,
                                        GError    **error);
gboolean _tare_model_load_gguf         (TareModel  *self,
                                        TareFile   *file,
                                        GError    **error);
gboolean _tare_model_load_safetensors  (TareModel  *self,
                                        TareFile   *file,
                                        GError    **error);
gboolean _tare_model_load_index        (TareModel  *self,
                                        const char *path,
                                        GError    **error);
gboolean _tare_model_take_config       (TareModel  *self,
                                        gboolean    read,
                                        GError     *fault,
                                        GError    **error);
void     _tare_model_take_quantization (TareModel  *self,
                                        JsonObject *config);
void     _tare_model_find_order        (TareModel        *self,
                                        const TareTensor *tensor,
                                        TareOrder        *order);
gboolean _tare_model_repeats_embedding (TareModel  *self);
GError  *_tare_model_gather            (TareModel  *self);
void     _tare_model_part_experts      (TareModel  *self);
void     _tare_model_join_experts      (TareModel  *self);
gboolean _tare_model_arrange           (TareModel  *self,
                                        GError    **error);

G_END_DECLS
