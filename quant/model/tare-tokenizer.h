/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "quant/model/tare-metadata.h"

G_BEGIN_DECLS

/**
 * TareTokenFlags:
 * @TARE_TOKEN_FLAGS_ADD_SPECIAL: put the begin (and end) tokens that the vocabulary asks for
 * @TARE_TOKEN_FLAGS_ADD_BEGIN: put the begin tokens only, before a text that goes on
 * @TARE_TOKEN_FLAGS_PARSE_SPECIAL: recognise the names of control tokens within the text
 */
typedef enum
{
  TARE_TOKEN_FLAGS_NONE          = 0,
  TARE_TOKEN_FLAGS_ADD_SPECIAL   = 1 << 0,
  TARE_TOKEN_FLAGS_PARSE_SPECIAL = 1 << 1,
  TARE_TOKEN_FLAGS_ADD_BEGIN     = 1 << 2,
} TareTokenFlags;

/**
 * TareTokenizer:
 *
 * Text to tokens and back, immutable and safe in any thread once made. Reference counted.
 */
typedef struct _TareTokenizer TareTokenizer;

TareTokenizer *tare_tokenizer_new_from_metadata (TareMetadata    *metadata,
                                                 const char      *path,
                                                 GError         **error);
TareTokenizer *tare_tokenizer_new_from_folder   (const char      *folder,
                                                 GError         **error);
TareTokenizer *tare_tokenizer_new_from_json     (const char      *json,
                                                 gsize            length,
                                                 const char      *config_json,
                                                 gsize            config_length,
                                                 const char      *path,
                                                 GError         **error);
TareTokenizer *tare_tokenizer_ref               (TareTokenizer   *self);
void           tare_tokenizer_unref             (TareTokenizer   *self);

gsize          tare_tokenizer_get_n_tokens      (TareTokenizer   *self);
const char    *tare_tokenizer_get_token         (TareTokenizer   *self,
                                                 guint32          token);
gboolean       tare_tokenizer_get_begin         (TareTokenizer   *self,
                                                 guint32         *token);
gboolean       tare_tokenizer_get_end           (TareTokenizer   *self,
                                                 guint32         *token);
gboolean       tare_tokenizer_adds_begin        (TareTokenizer   *self);
GArray        *tare_tokenizer_encode            (TareTokenizer   *self,
                                                 const char      *text,
                                                 gsize            length,
                                                 TareTokenFlags   flags);
GString       *tare_tokenizer_decode            (TareTokenizer   *self,
                                                 const guint32   *tokens,
                                                 gsize            n_tokens);
void           tare_tokenizer_append_text       (TareTokenizer   *self,
                                                 guint32          token,
                                                 GString         *text);
char          *tare_tokenizer_dup_text          (TareTokenizer   *self,
                                                 const guint32   *tokens,
                                                 gsize            n_tokens);
void           tare_tokenizer_write_metadata    (TareTokenizer   *self,
                                                 guint            vocabulary,
                                                 TareMetadata    *metadata);
JsonObject    *tare_tokenizer_dup_json          (TareTokenizer   *self);
JsonObject    *tare_tokenizer_dup_config        (TareTokenizer   *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareTokenizer, tare_tokenizer_unref)

G_END_DECLS
