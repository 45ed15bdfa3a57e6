/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-recipe-private.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"
#include "quant/tare-names.h"

#define RECIPE_VERSION 1

/* The place of what is being read, for errors. */
typedef struct
{
  const char *path;
  guint       rule;
} Place;

static gboolean
fail (const Place  *place,
      GError      **error,
      const char   *key,
      const char   *message)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: rules[%u]: %s: %s",
               place->path, place->rule, key, message);

  return FALSE;
}

/* What a rule may say. */
static const char *const keys[] = {
  "match", "format", "method", "range", "locked", "scale", "clip", "window",
};

static const char *
key_at (gsize index)
{
  return index < G_N_ELEMENTS (keys) ? keys[index] : NULL;
}

/* A value that its table does not have. */
static gboolean
fail_unknown (const Place  *place,
              GError      **error,
              const char   *key,
              const char   *value,
              TareNameAt    at)
{
  g_autofree char *message = tare_names_explain (key, value, at);

  return fail (place, error, key, message);
}

/* A key that was mistyped would leave the rule without what it was to say. */
static gboolean
check_keys (JsonObject   *object,
            const Place  *place,
            GError      **error)
{
  JsonObjectIter iter;
  const char *name = NULL;

  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, NULL))
    {
      gsize i = 0;

      while (i < G_N_ELEMENTS (keys) && !g_str_equal (keys[i], name))
        i++;
      if (i == G_N_ELEMENTS (keys))
        {
          g_autofree char *message = tare_names_explain ("key", name, key_at);

          g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: rules[%u]: %s", place->path,
                       place->rule, message);
          return FALSE;
        }
    }

  return TRUE;
}

/* A string member; absent ones and nulls give NULL. */
static gboolean
read_string (JsonObject   *object,
             const char   *key,
             const Place  *place,
             const char  **value,
             GError      **error)
{
  JsonNode *node = json_object_get_member (object, key);

  *value = NULL;
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return fail (place, error, key, "must be a string");

  *value = json_node_get_string (node);

  return TRUE;
}

static gboolean
read_match (JsonObject   *object,
            const Place  *place,
            const char  **match,
            GError      **error)
{
  if (!read_string (object, "match", place, match, error))
    return FALSE;
  if (*match == NULL || **match == '\0')
    return fail (place, error, "match", "a glob over tensor names is missing");

  return TRUE;
}

/* null keeps the tensor as the source has it; a rule without the key is a slip. */
static gboolean
read_format (JsonObject      *object,
             const Place     *place,
             TareAssignment  *assignment,
             GError         **error)
{
  const char *id;

  if (!json_object_has_member (object, "format"))
    return fail (place, error, "format", "missing; null keeps the source's format");
  if (!read_string (object, "format", place, &id, error))
    return FALSE;
  if (id == NULL)
    return TRUE;

  assignment->format = tare_format_find (id);

  return assignment->format != NULL
         || fail_unknown (place, error, "format", id, tare_format_name_at);
}

static gboolean
read_method (JsonObject      *object,
             const Place     *place,
             TareAssignment  *assignment,
             GError         **error)
{
  const char *id;

  if (!read_string (object, "method", place, &id, error))
    return FALSE;

  assignment->method = id != NULL ? tare_method_lookup (id) : tare_method_get (0);

  return assignment->method != NULL
         || fail_unknown (place, error, "method", id, tare_method_name_at);
}

static gboolean
read_range (JsonObject      *object,
            const Place     *place,
            TareAssignment  *assignment,
            GError         **error)
{
  const TareRangeInfo *info;
  const char *id;

  if (!read_string (object, "range", place, &id, error))
    return FALSE;
  if (id == NULL)
    return TRUE;

  info = tare_range_lookup (id);
  if (info != NULL)
    {
      assignment->range = info->range;
      return TRUE;
    }

  return fail_unknown (place, error, "range", id, tare_range_name_at);
}

static gboolean
read_locked (JsonObject      *object,
             const Place     *place,
             TareAssignment  *assignment,
             GError         **error)
{
  JsonNode *node = json_object_get_member (object, "locked");

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return fail (place, error, "locked", "must be true or false");

  assignment->locked = json_node_get_boolean (node);

  return TRUE;
}

static gboolean
read_scale (JsonObject      *object,
            const Place     *place,
            TareAssignment  *assignment,
            GError         **error)
{
  const TareActivationScaleInfo *info;
  const char *id;

  if (!read_string (object, "scale", place, &id, error))
    return FALSE;
  if (id == NULL)
    return TRUE;

  info = tare_activation_scale_lookup (id);
  if (info != NULL)
    {
      assignment->scale = info->scale;
      return TRUE;
    }

  return fail_unknown (place, error, "scale", id, tare_activation_scale_name_at);
}

static gboolean
read_clip (JsonObject      *object,
           const Place     *place,
           TareAssignment  *assignment,
           GError         **error)
{
  double clip;

  if (!json_object_has_member (object, "clip"))
    return TRUE;
  if (!tare_json_get_number (object, "clip", &clip) || !(clip > 0.0 && clip <= 1.0))
    return fail (place, error, "clip", "must be above 0 and at most 1");

  assignment->clip = clip < 1.0 ? clip : 0.0;

  return TRUE;
}

/* Tokens, of which no cache has as many as a number could say. */
static gboolean
read_window (JsonObject      *object,
             const char      *match,
             const Place     *place,
             TareAssignment  *assignment,
             GError         **error)
{
  double window;

  if (!json_object_has_member (object, "window"))
    return TRUE;
  if (!tare_recipe_is_of_cache (match))
    return fail (place, error, "window", "only rules of keys and values have it");
  if (!tare_json_get_number (object, "window", &window)
      || !(window >= 0.0 && window <= G_MAXINT && window == (guint) window))
    return fail (place, error, "window", "must be a number of tokens");

  assignment->window = (guint) window;

  return TRUE;
}

/* What only activations have. */
static gboolean
read_activation (JsonObject      *object,
                 const char      *match,
                 const Place     *place,
                 TareAssignment  *assignment,
                 GError         **error)
{
  const char *own[] = { "scale", "clip" };

  for (gsize i = 0; i < G_N_ELEMENTS (own); i++)
    if (json_object_has_member (object, own[i]) && !tare_recipe_is_of_activations (match))
      return fail (place, error, own[i], "only rules of activations have it");

  return read_scale (object, place, assignment, error)
         && read_clip (object, place, assignment, error)
         && read_window (object, match, place, assignment, error);
}

static gboolean
read_rule (TareRecipe   *recipe,
           JsonNode     *node,
           const Place  *place,
           GError      **error)
{
  TareAssignment assignment = { .range = TARE_RANGE_SEARCH };
  JsonObject *object;
  const char *match;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return fail (place, error, "rule", "must be an object");

  object = json_node_get_object (node);
  if (!check_keys (object, place, error) || !read_match (object, place, &match, error))
    return FALSE;

  assignment.range = _tare_recipe_usual_range (match);
  if (!read_format (object, place, &assignment, error) ||
      !read_method (object, place, &assignment, error) ||
      !read_range (object, place, &assignment, error) ||
      !read_locked (object, place, &assignment, error) ||
      !read_activation (object, match, place, &assignment, error))
    return FALSE;

  _tare_recipe_append (recipe, match, &assignment);

  return TRUE;
}

/* The version says whether the rest can be understood; what a later one adds beside the rules
 * cannot change what they say, so other keys are passed over here. */
static JsonArray *
read_head (JsonNode    *root,
           const char  *path,
           GError     **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  double version = 0.0;

  if (object == NULL || !tare_json_get_number (object, "tare", &version))
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                   "%s: tare: not a recipe, its version is missing", path);
      return NULL;
    }
  if (version != RECIPE_VERSION)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: tare: recipe of version %g, only version %d is understood",
                   path, version, RECIPE_VERSION);
      return NULL;
    }
  if (tare_json_get_array (object, "rules") == NULL)
    g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
                 "%s: rules: an array of rules is missing", path);

  return tare_json_get_array (object, "rules");
}

/**
 * tare_recipe_parse:
 * @text: JSON
 * @length: bytes of @text
 * @path: what to call it in errors
 * @error: names the rule, counted from 0, and the key
 *
 * Returns: (transfer full) (nullable): the recipe
 */
TareRecipe *
tare_recipe_parse (const char  *text,
                   gsize        length,
                   const char  *path,
                   GError     **error)
{
  g_autoptr(JsonNode) root = tare_json_parse (text, length, path, error);
  g_autoptr(TareRecipe) recipe = tare_recipe_new ();
  JsonArray *rules;

  if (root == NULL)
    return NULL;

  rules = read_head (root, path, error);
  if (rules == NULL)
    return NULL;

  for (guint i = 0; i < json_array_get_length (rules); i++)
    {
      Place place = { .path = path, .rule = i };

      if (!read_rule (recipe, json_array_get_element (rules, i), &place, error))
        return NULL;
    }

  return g_steal_pointer (&recipe);
}

/**
 * tare_recipe_load:
 * @path: a file, or the id of a preset where there is no file of that name
 * @error: names the file, the rule and the key
 *
 * Returns: (transfer full) (nullable): the recipe in it
 */
TareRecipe *
tare_recipe_load (const char  *path,
                  GError     **error)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      TareRecipe *preset = tare_recipe_new_preset (path);

      if (preset != NULL)
        return preset;
    }
  if (!g_file_get_contents (path, &text, &length, error))
    return NULL;

  return tare_recipe_parse (text, length, path, error);
}

static void
add_model (JsonObject *root,
           TareModel  *model)
{
  g_autofree char *hash = tare_model_dup_hash (model);
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", tare_model_get_name (model));
  json_object_set_int_member (object, "parameters", (gint64) tare_model_get_n_weights (model));
  if (hash != NULL)
    json_object_set_string_member (object, "hash", hash);
  json_object_set_object_member (root, "model", object);
}

/* What is as usual is not written. */
static JsonObject *
rule_to_json (const TareRule *rule)
{
  const TareAssignment *assignment = &rule->assignment;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "match", rule->match);
  if (assignment->format != NULL)
    json_object_set_string_member (object, "format", assignment->format->id);
  else
    json_object_set_null_member (object, "format");
  json_object_set_string_member (object, "method", assignment->method->id);
  if (assignment->range != _tare_recipe_usual_range (rule->match))
    for (gsize i = 0; i < tare_range_get_n_ranges (); i++)
      if (tare_range_get (i)->range == assignment->range)
        json_object_set_string_member (object, "range", tare_range_get (i)->id);
  if (assignment->locked)
    json_object_set_boolean_member (object, "locked", TRUE);
  for (gsize i = 0; i < tare_activation_scale_get_n_scales (); i++)
    if (assignment->scale != TARE_ACTIVATION_SCALE_TOKEN
        && tare_activation_scale_get (i)->scale == assignment->scale)
      json_object_set_string_member (object, "scale", tare_activation_scale_get (i)->id);
  if (assignment->clip > 0.0)
    json_object_set_double_member (object, "clip", assignment->clip);
  if (assignment->window > 0)
    json_object_set_int_member (object, "window", assignment->window);

  return object;
}

/**
 * tare_recipe_to_json:
 * @self: a recipe
 * @model: (nullable): the model that it was made for
 *
 * Returns: (transfer full): the recipe as JSON, ended by a line feed
 */
char *
tare_recipe_to_json (TareRecipe *self,
                     TareModel  *model)
{
  g_autoptr(JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *root = json_object_new ();
  JsonArray *rules = json_array_new ();
  g_autofree char *text = NULL;

  json_object_set_int_member (root, "tare", RECIPE_VERSION);
  if (model != NULL)
    add_model (root, model);
  for (gsize i = 0; i < tare_recipe_get_n_rules (self); i++)
    json_array_add_object_element (rules, rule_to_json (tare_recipe_get_rule (self, i)));
  json_object_set_array_member (root, "rules", rules);
  json_node_take_object (node, root);
  text = json_to_string (node, TRUE);

  return g_strconcat (text, "\n", NULL);
}

/**
 * tare_recipe_save:
 * @self: a recipe
 * @model: (nullable): the model that it was made for
 * @path: where to; an existing file is replaced whole or not at all
 * @error: names the file
 */
gboolean
tare_recipe_save (TareRecipe  *self,
                  TareModel   *model,
                  const char  *path,
                  GError     **error)
{
  g_autofree char *text = tare_recipe_to_json (self, model);

  return g_file_set_contents_full (path, text, (gssize) strlen (text),
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0666, error);
}
