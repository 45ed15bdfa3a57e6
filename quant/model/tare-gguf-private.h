/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-gguf.h"

G_BEGIN_DECLS

#define TARE_GGUF_VERSION        3
#define TARE_GGUF_MAX_DIMENSIONS 4
#define TARE_GGUF_MAX_NAME       63

const char *_tare_gguf_type_get_bytes (const TareGgufType *type,
                                       guint               n_dimensions,
                                       const guint64      *shape,
                                       guint64            *bytes);

G_END_DECLS
