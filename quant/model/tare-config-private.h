/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-config.h"
#include "quant/tare-error.h"

G_BEGIN_DECLS

/* Bounds far above every model that exists, and low enough for their products to fit. */
#define TARE_CONFIG_MAX_WIDTH      (1u << 20)
#define TARE_CONFIG_MAX_BLOCKS     (1u << 14)
#define TARE_CONFIG_MAX_VOCABULARY (1u << 24)
#define TARE_CONFIG_MAX_CONTEXT    (1u << 28)
#define TARE_CONFIG_MAX_EXPERTS    (1u << 12)

/**
 * TareConfigSource:
 * @path: for messages
 * @object: (nullable): what config.json holds
 * @metadata: (nullable): otherwise, the keys of a GGUF file
 * @prefix: what is before their names
 * @error: where faults go
 *
 * Where the numbers come from: config.json or GGUF keys, read the same way.
 */
typedef struct
{
  const char    *path;
  JsonObject    *object;
  TareMetadata  *metadata;
  const char    *prefix;
  GError       **error;
} TareConfigSource;

/**
 * TareConfigCount:
 * @json: its key in config.json
 * @alias: (nullable): another that some models have for it
 * @key: in GGUF
 * @offset: where it goes in a TareConfig
 * @maximum: what it is bounded by
 * @optional: whether it may be missing
 */
typedef struct
{
  const char *json;
  const char *alias;
  const char *key;
  gsize       offset;
  guint       maximum;
  gboolean    optional;
} TareConfigCount;

gboolean  _tare_config_fail               (const TareConfigSource *source,
                                           TareError               code,
                                           const char             *key,
                                           const char             *what);
char     *_tare_config_full_key           (const TareConfigSource *source,
                                           const char             *key);
gboolean  _tare_config_find_number        (const TareConfigSource *source,
                                           const char             *json,
                                           const char             *key,
                                           gboolean               *found,
                                           double                 *value);
gboolean  _tare_config_read_count         (const TareConfigSource *source,
                                           const TareConfigCount  *row,
                                           TareConfig             *self);
gboolean  _tare_config_read_positive      (const TareConfigSource *source,
                                           const char             *json,
                                           const char             *key,
                                           float                  *number);
gboolean  _tare_config_read_or_none       (const TareConfigSource *source,
                                           const char             *json,
                                           const char             *key,
                                           double                  fallback,
                                           double                  maximum,
                                           double                 *value);
gboolean  _tare_config_read_experts       (const TareConfigSource *source,
                                           const TareArchitecture *architecture,
                                           TareConfig             *self);
gboolean  _tare_config_read_json_rope     (const TareConfigSource *source,
                                           const TareArchitecture *architecture,
                                           TareConfig             *self);
gboolean  _tare_config_read_metadata_rope (const TareConfigSource *source,
                                           const TareArchitecture *architecture,
                                           TareConfig             *self);
gboolean  _tare_config_rotates            (const TareArchitecture *architecture);
double    _tare_config_longrope_attention (guint                   context,
                                           guint                   original);
void      _tare_config_make_divisors      (const TareConfig       *self,
                                           float                  *divisors);
gboolean  _tare_config_take_divisors      (TareConfig             *self,
                                           const float            *divisors);
float     _tare_config_usual_scale        (const TareConfig       *self,
                                           const TareArchitecture *architecture);

G_END_DECLS
