/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-role.h"

G_BEGIN_DECLS

gsize _tare_role_split_name  (const char  *name,
                              gboolean    *bias);
int   _tare_role_parse_block (const char  *text,
                              const char **end);

G_END_DECLS
