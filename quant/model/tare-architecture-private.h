/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-architecture.h"

G_BEGIN_DECLS

/* The rows of the table, and how many there are. */
extern const TareArchitecture _tare_architectures[];
extern const gsize            _tare_n_architectures;

char *_tare_architecture_to_other_name (const TareArchitecture *self,
                                        const char             *role,
                                        int                     block,
                                        gboolean                bias);

G_END_DECLS
