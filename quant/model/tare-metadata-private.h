/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-file.h"
#include "quant/model/tare-metadata.h"

G_BEGIN_DECLS

gboolean _tare_metadata_read  (TareMetadata  *self,
                               TareCursor    *cursor,
                               GError       **error);
void     _tare_metadata_write (TareMetadata  *self,
                               GByteArray    *out);

G_END_DECLS
