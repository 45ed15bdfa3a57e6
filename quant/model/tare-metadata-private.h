/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-file.h"
#include "quant/model/tare-metadata.h"

G_BEGIN_DECLS

#define TARE_VALUE_N_TYPES 13

/* A value keeps its elements as the file has them: numbers little-endian and packed in @data;
 * strings one after the other in @data, each with a NUL behind it, and @starts has where each
 * begins and, last, the end. So it takes no more memory than a small multiple of its file. */
typedef struct
{
  char          *key;
  TareValueType  type;
  TareValueType  element_type;
  gsize          n;
  guint8        *data;
  gsize         *starts;
} TareValue;

struct _TareMetadata
{
  gint        ref_count;
  GPtrArray  *values;
  GHashTable *by_key;
};

extern const guint8 _tare_value_bytes[TARE_VALUE_N_TYPES];

TareValue *_tare_value_new      (const char    *key,
                                 TareValueType  type,
                                 TareValueType  element_type,
                                 gsize          n);
void       _tare_value_free     (gpointer       data);
void       _tare_metadata_put   (TareMetadata  *self,
                                 TareValue     *value);
gboolean   _tare_metadata_read  (TareMetadata  *self,
                                 TareCursor    *cursor,
                                 GError       **error);
void       _tare_metadata_write (TareMetadata  *self,
                                 GByteArray    *out);

G_END_DECLS
