/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a post-processor of a tokenizer.json puts before and after a text. */
#include "quant/model/tare-tokenizer-source-private.h"

#include <string.h>

#include "quant/model/tare-json.h"

static void
append_token (TareTokenizer *self,
              GArray        *tokens,
              guint32        token)
{
  if (token < self->vocabulary.n_tokens)
    g_array_append_val (tokens, token);
}

/* BertProcessing and RobertaProcessing name both ends: a list of a name and its id. */
static void
append_end (TareTokenizer *self,
            JsonObject    *step,
            const char    *key,
            GArray        *tokens)
{
  JsonArray *pair = tare_json_get_array (step, key);
  JsonNode *name = pair != NULL && json_array_get_length (pair) > 0
                   ? json_array_get_element (pair, 0) : NULL;

  if (name != NULL && JSON_NODE_HOLDS_VALUE (name)
      && json_node_get_value_type (name) == G_TYPE_STRING)
    append_token (self, tokens, _tare_vocabulary_find_name (&self->vocabulary,
                                                            json_node_get_string (name)));
}

/* One special token of a template may stand for several ids. */
static void
append_special (TareTokenizer *self,
                JsonObject    *step,
                const char    *id,
                GArray        *tokens)
{
  JsonObject *specials = tare_json_get_object (step, "special_tokens");
  JsonObject *special = specials != NULL && id != NULL ? tare_json_get_object (specials, id) : NULL;
  JsonArray *ids = special != NULL ? tare_json_get_array (special, "ids") : NULL;

  if (ids == NULL)
    append_token (self, tokens, _tare_vocabulary_find_name (&self->vocabulary, id));
  for (guint i = 0; ids != NULL && i < json_array_get_length (ids); i++)
    {
      JsonNode *node = json_array_get_element (ids, i);

      if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64
          && json_node_get_int (node) >= 0
          && json_node_get_int (node) < self->vocabulary.n_tokens)
        append_token (self, tokens, (guint32) json_node_get_int (node));
    }
}

/* The parts of "single": special tokens, and a sequence, which is the text. */
static void
read_template (TareTokenizer *self,
               JsonObject    *step,
               JsonArray     *single)
{
  GArray *tokens = self->before;

  for (guint i = 0; i < json_array_get_length (single); i++)
    {
      JsonNode *node = json_array_get_element (single, i);
      JsonObject *part = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
      JsonObject *special = part != NULL ? tare_json_get_object (part, "SpecialToken") : NULL;

      if (special != NULL)
        append_special (self, step, tare_json_get_string (special, "id"), tokens);
      else if (part != NULL && json_object_has_member (part, "Sequence"))
        tokens = self->after;
    }
}

/**
 * _tare_source_read_template:
 * @source: a tokenizer.json
 * @self: its tokenizer, with an indexed vocabulary
 *
 * Fills what goes before and after a single text; the last post-processor that says it counts.
 */
void
_tare_source_read_template (const TareTokenizerSource *source,
                            TareTokenizer             *self)
{
  g_autoptr(GPtrArray) steps = _tare_source_get_steps (source, "post_processor");

  for (guint i = 0; i < steps->len; i++)
    {
      JsonObject *step = steps->pdata[i];
      const char *type = _tare_source_get_type (step);
      JsonArray *single = tare_json_get_array (step, "single");
      gboolean ends = strcmp (type, "RobertaProcessing") == 0
                      || strcmp (type, "BertProcessing") == 0;

      if (!ends && (single == NULL || strcmp (type, "TemplateProcessing") != 0))
        continue;
      g_array_set_size (self->before, 0);
      g_array_set_size (self->after, 0);
      if (ends)
        {
          append_end (self, step, "cls", self->before);
          append_end (self, step, "sep", self->after);
        }
      else
        {
          read_template (self, step, single);
        }
    }
}
