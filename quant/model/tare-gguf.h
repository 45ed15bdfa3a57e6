/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "quant/model/tare-file.h"
#include "quant/model/tare-metadata.h"
#include "quant/model/tare-tensor.h"
#include "quant/tare-progress.h"

G_BEGIN_DECLS

/**
 * TareGgufType:
 *
 * What the reader knows of every type in the file format, also of those without a codec here, so
 * that a file with them still opens and its sizes are right.
 */
typedef struct
{
  int         type;
  const char *name;
  guint       block;
  guint       block_bytes;
} TareGgufType;

const TareGgufType *tare_gguf_type_lookup (int type);

gboolean tare_gguf_probe (TareFile      *file);
gboolean tare_gguf_read  (TareFile      *file,
                          GPtrArray     *tensors,
                          TareMetadata **metadata,
                          GError       **error);

/**
 * TareGgufWriter:
 *
 * Writes a GGUF v3 file: first every tensor is announced, then their bytes follow in that order.
 * It writes to a temporary file beside @path, which takes the place of @path only at the end.
 */
typedef struct _TareGgufWriter TareGgufWriter;

TareGgufWriter *tare_gguf_writer_new    (const char       *path,
                                         TareMetadata     *metadata,
                                         GError          **error);
void            tare_gguf_writer_free   (TareGgufWriter   *self);
gboolean        tare_gguf_writer_add    (TareGgufWriter   *self,
                                         const char       *name,
                                         int               ggml_type,
                                         guint             n_dimensions,
                                         const guint64    *shape,
                                         GError          **error);
gboolean        tare_gguf_writer_write  (TareGgufWriter   *self,
                                         const guint8     *bytes,
                                         gsize             n_bytes,
                                         GError          **error);
const char     *tare_gguf_writer_finish (TareGgufWriter   *self,
                                         GError          **error);
gboolean        tare_gguf_writer_commit (TareGgufWriter   *self,
                                         GError          **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareGgufWriter, tare_gguf_writer_free)

G_END_DECLS
