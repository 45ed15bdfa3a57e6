/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-config.h"
#include "quant/model/tare-json.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) root = tare_json_parse ((const char *) data, size, "fuzz", &error);

  if (root == NULL)
    {
      g_assert_nonnull (error);
      return 0;
    }
  if (!JSON_NODE_HOLDS_OBJECT (root))
    return 0;

  for (gsize i = 0; i < tare_architecture_get_n_architectures (); i++)
    {
      const TareArchitecture *architecture = tare_architecture_get (i);
      g_autoptr(TareMetadata) metadata = tare_metadata_new ();
      g_autoptr(JsonObject) object = json_object_new ();
      TareConfig config;
      TareConfig again;
      TareConfig said;

      if (!tare_config_read_json (&config, architecture, json_node_get_object (root), "fuzz", NULL))
        continue;
      /* What was accepted can be written, and is accepted again. */
      tare_config_write_metadata (&config, architecture, metadata);
      g_assert_true (tare_config_read_metadata (&again, architecture, metadata, "fuzz", NULL));
      g_assert_cmpuint (again.width, ==, config.width);
      /* Also as a config.json, where that can say it, which then says the same. */
      if (!tare_config_write_json (&config, architecture, object, "fuzz", NULL))
        continue;
      g_assert_true (tare_config_read_json (&said, architecture, object, "fuzz", NULL));
      g_assert_cmpuint (said.rope_width, ==, config.rope_width);
      g_assert_cmpuint (said.n_key_value_heads, ==, config.n_key_value_heads);
      g_assert_true (said.rope_scaling == config.rope_scaling);
      g_assert_true (said.rope_base == config.rope_base);
      g_assert_true (said.norm_epsilon == config.norm_epsilon);
    }

  return 0;
}
