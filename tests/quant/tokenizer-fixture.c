/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/quant/tokenizer-fixture.h"

#include <string.h>

/* A vocabulary of bytes: id i is byte i, then what is given. */
char *
tokenizer_bytes_json (const char *vocab,
                      const char *merges,
                      const char *rest)
{
  GString *json = g_string_new ("{\"model\":{\"type\":\"BPE\",\"vocab\":{");
  gunichar other = 0x100;

  for (guint byte = 0; byte < 256; byte++)
    {
      gboolean printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
      gunichar c = printable ? byte : other++;

      g_string_append (json, byte > 0 ? ",\"" : "\"");
      if (c == '"' || c == '\\')
        g_string_append_c (json, '\\');
      g_string_append_unichar (json, c);
      g_string_append_printf (json, "\":%u", byte);
    }
  g_string_append_printf (json, "%s},\"merges\":[%s]},\"decoder\":{\"type\":\"ByteLevel\"}%s}",
                          vocab, merges, rest);

  return g_string_free (json, FALSE);
}

TareTokenizer *
tokenizer_parse (const char *json,
                 const char *config)
{
  g_autoptr(GError) error = NULL;
  TareTokenizer *tokenizer;

  tokenizer = tare_tokenizer_new_from_json (json, strlen (json), config,
                                            config != NULL ? strlen (config) : 0, "test", &error);
  g_assert_no_error (error);

  return tokenizer;
}

/* Through the tokenizer.json that is made of it. */
TareTokenizer *
tokenizer_rewrite (TareTokenizer *tokenizer)
{
  g_autoptr(JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autoptr(JsonNode) settings = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *json = NULL, *config = NULL;

  json_node_take_object (root, tare_tokenizer_dup_json (tokenizer));
  json_node_take_object (settings, tare_tokenizer_dup_config (tokenizer));
  json = json_to_string (root, FALSE);
  config = json_to_string (settings, FALSE);

  return tokenizer_parse (json, config);
}

/* Encodes and holds the tokens against "1 2 3". */
void
tokenizer_check (TareTokenizer  *tokenizer,
                 const char     *text,
                 TareTokenFlags  flags,
                 const char     *expected)
{
  g_autoptr(GArray) tokens = tare_tokenizer_encode (tokenizer, text, strlen (text), flags);
  g_autoptr(GString) line = g_string_new (NULL);

  for (guint i = 0; i < tokens->len; i++)
    g_string_append_printf (line, "%s%u", i > 0 ? " " : "",
                            g_array_index (tokens, guint32, i));
  g_assert_cmpstr (line->str, ==, expected);
}
