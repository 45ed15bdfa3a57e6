/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-architecture.h"
#include "quant/model/tare-config.h"
#include "quant/model/tare-metadata.h"
#include "quant/model/tare-tensor.h"
#include "quant/model/tare-tokenizer.h"

G_BEGIN_DECLS

/**
 * TareModel:
 *
 * A model as its files hold it: headers read, weights mapped and untouched. Immutable, reference
 * counted, safe in any thread. Tensors are in the order in which data flows: embedding, blocks,
 * output.
 */
typedef struct _TareModel TareModel;

TareModel              *tare_model_open                  (const char  *path,
                                                          GError     **error);
TareModel              *tare_model_ref                   (TareModel   *self);
void                    tare_model_unref                 (TareModel   *self);

const char             *tare_model_get_path              (TareModel   *self);
const char             *tare_model_get_folder            (TareModel   *self);
const char             *tare_model_get_name              (TareModel   *self);
const char             *tare_model_get_container         (TareModel   *self);
const char             *tare_model_get_architecture_name (TareModel   *self);
const TareArchitecture *tare_model_get_architecture      (TareModel   *self);
const TareConfig       *tare_model_get_config            (TareModel   *self);
gboolean                tare_model_check_runnable        (TareModel   *self,
                                                          GError     **error);

gsize                   tare_model_get_n_tensors         (TareModel   *self);
const TareTensor       *tare_model_get_tensor            (TareModel   *self,
                                                          gsize        index);
const TareTensor       *tare_model_lookup                (TareModel   *self,
                                                          const char  *canonical);
const TareTensor       *tare_model_lookup_role           (TareModel   *self,
                                                          const char  *role,
                                                          int          block,
                                                          gboolean     bias);
const TareTensor       *tare_model_lookup_input          (TareModel        *self,
                                                          const TareTensor *tensor);
TareTensor             *tare_model_dup_folder_tensor     (TareModel        *self,
                                                          const TareTensor *tensor);
TareTensor             *tare_model_dup_folder_expert     (TareModel        *self,
                                                          const TareTensor *tensor,
                                                          gsize             expert);
guint64                 tare_model_get_n_weights         (TareModel   *self);
guint64                 tare_model_get_bytes             (TareModel   *self);
guint                   tare_model_get_n_blocks          (TareModel   *self);
char                   *tare_model_dup_hash              (TareModel   *self);

JsonObject             *tare_model_dup_config            (TareModel   *self,
                                                          GError     **error);
JsonObject             *tare_model_dup_generation_config (TareModel   *self);
TareTokenizer          *tare_model_get_tokenizer         (TareModel   *self,
                                                          GError     **error);
TareMetadata           *tare_model_dup_metadata          (TareModel   *self,
                                                          GError     **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareModel, tare_model_unref)

G_END_DECLS
