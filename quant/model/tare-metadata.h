/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareValueType:
 *
 * The types of GGUF's key-value pairs, by their numbers in the file (GGUF specification, v3).
 */
typedef enum
{
  TARE_VALUE_U8     = 0,
  TARE_VALUE_I8     = 1,
  TARE_VALUE_U16    = 2,
  TARE_VALUE_I16    = 3,
  TARE_VALUE_U32    = 4,
  TARE_VALUE_I32    = 5,
  TARE_VALUE_F32    = 6,
  TARE_VALUE_BOOL   = 7,
  TARE_VALUE_STRING = 8,
  TARE_VALUE_ARRAY  = 9,
  TARE_VALUE_U64    = 10,
  TARE_VALUE_I64    = 11,
  TARE_VALUE_F64    = 12,
} TareValueType;

/**
 * TareMetadata:
 *
 * What a model says of itself, as GGUF's typed keys in their order, whichever file it came from.
 * Reference counted; built once by a reader or an exporter and not changed after it is shared.
 */
typedef struct _TareMetadata TareMetadata;

TareMetadata *tare_metadata_new           (void);
TareMetadata *tare_metadata_copy          (TareMetadata  *self);
TareMetadata *tare_metadata_ref           (TareMetadata  *self);
void          tare_metadata_unref         (TareMetadata  *self);

gsize         tare_metadata_get_n_keys    (TareMetadata  *self);
const char   *tare_metadata_get_key       (TareMetadata  *self,
                                           gsize          index);
gboolean      tare_metadata_has           (TareMetadata  *self,
                                           const char    *key);
gboolean      tare_metadata_get_type      (TareMetadata  *self,
                                           const char    *key,
                                           TareValueType *type,
                                           TareValueType *element_type);
gboolean      tare_metadata_get_integer   (TareMetadata  *self,
                                           const char    *key,
                                           gint64        *value);
gboolean      tare_metadata_get_number    (TareMetadata  *self,
                                           const char    *key,
                                           double        *value);
gboolean      tare_metadata_get_boolean   (TareMetadata  *self,
                                           const char    *key,
                                           gboolean      *value);
const char   *tare_metadata_get_string    (TareMetadata  *self,
                                           const char    *key);
gsize         tare_metadata_get_length    (TareMetadata  *self,
                                           const char    *key);
const char   *tare_metadata_get_string_at (TareMetadata  *self,
                                           const char    *key,
                                           gsize          index);
gboolean      tare_metadata_get_number_at (TareMetadata  *self,
                                           const char    *key,
                                           gsize          index,
                                           double        *value);

void          tare_metadata_remove        (TareMetadata  *self,
                                           const char    *key);
void          tare_metadata_set_u32       (TareMetadata  *self,
                                           const char    *key,
                                           guint32        value);
void          tare_metadata_set_f32       (TareMetadata  *self,
                                           const char    *key,
                                           float          value);
void          tare_metadata_set_boolean   (TareMetadata  *self,
                                           const char    *key,
                                           gboolean       value);
void          tare_metadata_set_string    (TareMetadata  *self,
                                           const char    *key,
                                           const char    *value);
void          tare_metadata_set_strings   (TareMetadata  *self,
                                           const char    *key,
                                           const char   **values,
                                           gsize          n_values);
void          tare_metadata_set_i32s      (TareMetadata  *self,
                                           const char    *key,
                                           const gint32  *values,
                                           gsize          n_values);
void          tare_metadata_set_f32s      (TareMetadata  *self,
                                           const char    *key,
                                           const float   *values,
                                           gsize          n_values);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareMetadata, tare_metadata_unref)

G_END_DECLS
