/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-file.h"
#include "quant/model/tare-tensor.h"

G_BEGIN_DECLS

gboolean tare_safetensors_read     (TareFile    *file,
                                    GPtrArray   *tensors,
                                    GError     **error);
guint    tare_safetensors_get_bits (const char  *dtype);

/**
 * TareSafetensorsWriter:
 *
 * Writes a folder of safetensors files and what goes with them, whole or not at all: what is to
 * come is announced first, then written in any order.
 */
typedef struct _TareSafetensorsWriter TareSafetensorsWriter;

TareSafetensorsWriter *tare_safetensors_writer_new        (const char             *folder,
                                                           guint64                 shard_bytes,
                                                           GError                **error);
void                   tare_safetensors_writer_free       (TareSafetensorsWriter  *self);
gboolean               tare_safetensors_writer_add        (TareSafetensorsWriter  *self,
                                                           const char             *name,
                                                           const char             *dtype,
                                                           guint                   n_dimensions,
                                                           const guint64          *shape,
                                                           gsize                  *index,
                                                           GError                **error);
gboolean               tare_safetensors_writer_write      (TareSafetensorsWriter  *self,
                                                           gsize                   index,
                                                           guint64                 offset,
                                                           const guint8           *bytes,
                                                           gsize                   n_bytes,
                                                           GError                **error);
gboolean               tare_safetensors_writer_write_file (TareSafetensorsWriter  *self,
                                                           const char             *name,
                                                           const char             *text,
                                                           gsize                   length,
                                                           GError                **error);
const char            *tare_safetensors_writer_finish     (TareSafetensorsWriter  *self,
                                                           GError                **error);
gboolean               tare_safetensors_writer_commit     (TareSafetensorsWriter  *self,
                                                           GError                **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareSafetensorsWriter, tare_safetensors_writer_free)

G_END_DECLS
