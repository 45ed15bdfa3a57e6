/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-tokenizer-private.h"

G_BEGIN_DECLS

/**
 * TareTokenizerSource:
 * @root: tokenizer.json
 * @model: its "model"
 * @tokenizer: (nullable): tokenizer_config.json
 * @config: (nullable): config.json
 * @path: the file, for messages
 */
typedef struct
{
  JsonObject *root;
  JsonObject *model;
  JsonObject *tokenizer;
  JsonObject *config;
  const char *path;
} TareTokenizerSource;

const char *_tare_source_get_type        (JsonObject                 *object);
gboolean    _tare_source_prepends        (JsonObject                 *step);
gboolean    _tare_is_byte_name           (const char                 *name);
gboolean    _tare_source_read_decoder    (const TareTokenizerSource  *self,
                                          TareTokenizer              *tokenizer,
                                          GError                    **error);
GPtrArray  *_tare_source_get_steps       (const TareTokenizerSource  *self,
                                          const char                 *key);
gboolean    _tare_source_refuse          (const TareTokenizerSource  *self,
                                          const char                 *key,
                                          const char                 *what,
                                          GError                    **error);
gboolean    _tare_source_read_normalizer (const TareTokenizerSource  *self,
                                          TareTokenizer              *tokenizer,
                                          gboolean                   *escapes,
                                          GError                    **error);
gboolean    _tare_source_read_pre        (const TareTokenizerSource  *self,
                                          TareTokenizer              *tokenizer,
                                          gboolean                   *escapes,
                                          GError                    **error);
void        _tare_source_read_template   (const TareTokenizerSource  *self,
                                          TareTokenizer              *tokenizer);

G_END_DECLS
