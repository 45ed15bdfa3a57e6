/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tokenizer.h"

G_BEGIN_DECLS

char          *tokenizer_bytes_json (const char     *vocab,
                                     const char     *merges,
                                     const char     *rest);
TareTokenizer *tokenizer_parse      (const char     *json,
                                     const char     *config);
TareTokenizer *tokenizer_rewrite    (TareTokenizer  *tokenizer);
void           tokenizer_check      (TareTokenizer  *tokenizer,
                                     const char     *text,
                                     TareTokenFlags  flags,
                                     const char     *expected);

G_END_DECLS
