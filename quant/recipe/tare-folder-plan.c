/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "quant/network/tare-activation-site.h"
#include "quant/recipe/tare-target-folder-private.h"
#include "quant/tare-error.h"

#define N_(s) (s)

/* Tensors that an error names before it says how many more there are. */
#define MAX_NAMED 3

/* Layers that vLLM runs as one, by their roles; each row is a set. */
static const char *const fused[][3] = {
  { "attn_q", "attn_k", "attn_v" },
  { "ffn_gate", "ffn_up", NULL },
  { "ffn_gate_shexp", "ffn_up_shexp", NULL },
  { "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps" },
};

/* What becomes of one tensor. */
typedef struct
{
  const TareTensor *tensor;
  TareTensor       *file;
  const TareFormat *asked;
  const TareFormat *format;
  const char       *reason;
} Choice;

static void
choice_clear (gpointer data)
{
  g_clear_pointer (&((Choice *) data)->file, tare_tensor_free);
}

static void
change (Choice           *self,
        const TareFormat *format,
        const char       *reason)
{
  self->format = format;
  self->reason = reason;
}

static gboolean
is_float (const TareFormat *format)
{
  return format != NULL && format->family == TARE_FORMAT_FAMILY_FLOAT;
}

static gboolean
is_packed (const TareFormat *format)
{
  return format != NULL && !is_float (format);
}

/* What a tensor takes in a format, or as it is. */
static guint64
get_bytes (const TareTensor *tensor,
           const TareFormat *format)
{
  return format != NULL ? tare_format_get_bytes (format, tensor->rows, tensor->columns)
                        : tensor->bytes;
}

/* Without a format the source's own stays, if the container can hold that; what is in other codes
 * becomes half precision, which its values fit. */
static void
keep (Choice               *self,
      const TareFolderKind *kind,
      const char           *reason)
{
  const TareTensor *tensor = self->tensor;
  gboolean held = tensor->stored == NULL && tensor->parameters == NULL
                  && (!is_packed (tensor->format)
                      || (tensor->format->containers & kind->container) != 0);
  const TareFormat *format = held ? NULL : tare_format_lookup ("f16");

  if (held && reason == NULL)
    return;
  change (self, format, reason != NULL ? reason
          : N_("The container has no place for the codes that the source has"));
}

/* Whether ids are the same but for what they say of scales: "int4_g128" and "int4_channel". */
static gboolean
have_same_levels (const TareFormat *a,
                  const TareFormat *b)
{
  const char *end = strrchr (a->id, '_');
  gsize length = end != NULL ? (gsize) (end - a->id) : strlen (a->id);

  return strncmp (a->id, b->id, length) == 0 && strrchr (b->id, '_') == b->id + length;
}

/* Integers of as many bits and as large groups, without zero points. */
static const TareFormat *
find_symmetric (const TareFolderKind *kind,
                const TareFormat     *format)
{
  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *other = tare_format_get (i);

      if (other->family == TARE_FORMAT_FAMILY_INTEGER && !other->asymmetric
          && other->bits == format->bits && other->group == format->group
          && other->per_tensor == format->per_tensor && !other->along_outputs
          && (other->containers & kind->container) != 0)
        return other;
    }

  return NULL;
}

/* The same kind of format with smaller groups, as large as they may be, or with none. */
static const TareFormat *
find_grouping (const TareFolderKind *kind,
               const TareFormat     *format,
               gsize                 columns)
{
  const TareFormat *best = NULL;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *other = tare_format_get (i);

      if (!have_same_levels (format, other) || other->along_outputs || other->per_tensor
          || (other->containers & kind->container) == 0
          || (other->group != 0 && columns % other->group != 0)
          || !tare_format_accepts (other, columns) || other->group > format->group)
        continue;
      if (best == NULL || best->group == 0 || (other->group > best->group && other->group != 0))
        best = other;
    }

  return best;
}

/**
 * _tare_folder_is_linear:
 * @tensor: a tensor
 *
 * Returns: whether it is the matrix of a linear layer of a block, which runtimes quantize
 */
gboolean
_tare_folder_is_linear (const TareTensor *tensor)
{
  return tensor->role != NULL && tensor->role->in_block && tensor->role->matrix && !tensor->bias
         && (tensor->n_dimensions == 2 || tare_tensor_is_stacked (tensor));
}

/**
 * _tare_folder_is_router:
 * @tensor: a tensor
 *
 * Returns: whether it is a linear layer that says which experts a token goes to, or how much of
 *   one it takes, which no runtime quantizes
 */
gboolean
_tare_folder_is_router (const TareTensor *tensor)
{
  return tensor->role != NULL && !tensor->bias
         && g_str_has_prefix (tensor->role->id, "ffn_gate_inp");
}

/* The rules for one layer by itself. */
static void
settle (Choice               *self,
        const TareFolderKind *kind)
{
  const TareTensor *tensor = self->tensor;
  const char *reason;

  if (!is_packed (self->format))
    {
      if (self->format == NULL)
        keep (self, kind, NULL);
      return;
    }
  if (!kind->runtime)
    return;

  if (!_tare_folder_is_linear (tensor))
    {
      keep (self, kind, N_("Only the linear layers of blocks are quantized there"));
      return;
    }
  if (kind->symmetric && self->format->asymmetric)
    change (self, find_symmetric (kind, self->format),
            N_("The container has no place for a zero point of 0, and so no zero points"));
  if (self->format != NULL && self->format->group != 0
      && tensor->columns % self->format->group != 0)
    change (self, find_grouping (kind, self->format, tensor->columns),
            N_("The length of its rows is no multiple of the format's groups"));

  reason = self->format != NULL && kind->refuse != NULL ? kind->refuse (self->file, self->format)
                                                        : NULL;
  if (self->format == NULL || reason != NULL)
    keep (self, kind, reason != NULL ? reason
          : N_("The length of its rows is no multiple of the format's groups"));
}

static double
get_bits (const Choice *self)
{
  return 8.0 * (double) get_bytes (self->tensor, self->format)
         / (double) MAX (tare_tensor_get_n_weights (self->tensor), 1);
}

/* Formats of one fused layer are equal, or all of its parts are as the source has them. */
static gboolean
agree (const Choice *a,
       const Choice *b)
{
  return a->format == b->format || (!is_packed (a->format) && !is_packed (b->format));
}

static Choice *
find_choice (GArray     *choices,
             const char *role,
             int         block)
{
  for (guint i = 0; i < choices->len; i++)
    {
      Choice *choice = &g_array_index (choices, Choice, i);

      if (choice->tensor->block == block && choice->tensor->role != NULL
          && !choice->tensor->bias && strcmp (choice->tensor->role->id, role) == 0)
        return choice;
    }

  return NULL;
}

static gboolean
fits (const Choice     *self,
      const TareFormat *format)
{
  return !is_packed (format) || format->group == 0 || self->tensor->columns % format->group == 0;
}

/* The format of @most is that of all, if it fits them all. */
static void
share (Choice *const        *parts,
       gsize                 n,
       const Choice         *most,
       const TareFolderKind *kind)
{
  const TareFormat *format = most->format;
  gboolean fit = TRUE;

  for (gsize i = 0; i < n; i++)
    fit = fit && (parts[i] == NULL || fits (parts[i], format));
  for (gsize i = 0; i < n; i++)
    {
      if (parts[i] != NULL && !fit)
        keep (parts[i], kind, N_("It is run as one with its siblings, whose rows the format does "
                                 "not fit"));
      else if (parts[i] != NULL && !agree (parts[i], most))
        change (parts[i], format,
                N_("It is run as one with its siblings, and shares their format"));
    }
}

static TareAssignment
resolve_input (TareModel        *model,
               TareRecipe       *recipe,
               const TareTensor *tensor)
{
  const TareTensor *leader = tare_activation_site_find_leader (model, tensor);
  g_autofree char *name = tare_activation_site_dup_input_name (leader);

  return tare_recipe_resolve_activation (recipe, name);
}

/**
 * _tare_folder_find_input:
 * @model: what is written
 * @recipe: what is asked for
 * @tensor: a tensor
 *
 * Returns: what the recipe says of the inputs of a linear layer, which are those of the first that
 *   shares them; nothing where a layer that is run as one with it has them rounded in another way
 */
TareAssignment
_tare_folder_find_input (TareModel        *model,
                         TareRecipe       *recipe,
                         const TareTensor *tensor)
{
  TareAssignment none = { .range = TARE_RANGE_MINIMUM_MAXIMUM };
  TareAssignment own;

  if (!_tare_folder_is_linear (tensor))
    return none;

  own = resolve_input (model, recipe, tensor);
  for (gsize set = 0; set < G_N_ELEMENTS (fused); set++)
    {
      gboolean within = FALSE, same = TRUE;

      for (gsize i = 0; i < G_N_ELEMENTS (fused[0]) && fused[set][i] != NULL; i++)
        {
          const TareTensor *part = tare_model_lookup_role (model, fused[set][i], tensor->block,
                                                           FALSE);
          TareAssignment other = part != NULL ? resolve_input (model, recipe, part) : own;

          within = within || part == tensor;
          same = same && other.format == own.format && other.scale == own.scale
                 && other.clip == own.clip && other.range == own.range;
        }
      if (within && !same)
        return none;
    }

  return own;
}

/* The one with the most bits is that of all. */
static void
fuse (GArray               *choices,
      guint                 n_blocks,
      const TareFolderKind *kind)
{
  for (guint block = 0; block < n_blocks; block++)
    for (gsize set = 0; set < G_N_ELEMENTS (fused); set++)
      {
        Choice *parts[G_N_ELEMENTS (fused[0])] = { NULL };
        const Choice *most = NULL;

        for (gsize i = 0; i < G_N_ELEMENTS (parts) && fused[set][i] != NULL; i++)
          {
            parts[i] = find_choice (choices, fused[set][i], (int) block);
            if (parts[i] != NULL && (most == NULL || get_bits (parts[i]) > get_bits (most)))
              most = parts[i];
          }
        if (most != NULL)
          share (parts, G_N_ELEMENTS (parts), most, kind);
      }
}

/* The format that most weights are in is that of all that are quantized. */
static void
unify (GArray               *choices,
       const TareFolderKind *kind)
{
  const TareFormat *best = NULL;
  guint64 most = 0;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      guint64 n = 0;

      for (guint j = 0; j < choices->len; j++)
        {
          const Choice *choice = &g_array_index (choices, Choice, j);

          if (choice->format == tare_format_get (i) && is_packed (choice->format))
            n += tare_tensor_get_n_weights (choice->tensor);
        }
      if (n > most)
        {
          most = n;
          best = tare_format_get (i);
        }
    }

  for (guint i = 0; i < choices->len; i++)
    {
      Choice *choice = &g_array_index (choices, Choice, i);

      if (!is_packed (choice->format) || choice->format == best)
        continue;
      if (best->group == 0 || choice->tensor->columns % best->group == 0)
        change (choice, best, N_("The container has one format for all layers"));
      else
        keep (choice, kind, N_("The container has one format for all layers, which this one's rows "
                               "do not fit"));
    }
}

static GArray *
list_choices (TareModel  *model,
              TareRecipe *recipe)
{
  GArray *choices = g_array_new (FALSE, TRUE, sizeof (Choice));

  g_array_set_clear_func (choices, choice_clear);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
      Choice choice = { .tensor = tensor };

      choice.file = tare_tensor_is_stacked (tensor)
                    ? tare_model_dup_folder_expert (model, tensor, 0)
                    : tare_model_dup_folder_tensor (model, tensor);
      if (choice.file == NULL)
        continue;
      if (assignment.format != NULL)
        choice.asked = tare_format_fit (assignment.format, tensor->columns);
      if (choice.asked == tensor->format)
        choice.asked = NULL;
      choice.format = choice.asked;
      g_array_append_val (choices, choice);
    }

  return choices;
}

static gboolean
check_held (const TareFolderKind  *kind,
            TareModel             *model,
            GArray                *choices,
            GError               **error)
{
  g_autoptr(GString) names = g_string_new (NULL);
  guint n_bad = 0;

  for (guint i = 0; i < choices->len; i++)
    {
      const Choice *choice = &g_array_index (choices, Choice, i);

      if (!is_packed (choice->format) || (kind->runtime && !_tare_folder_is_linear (choice->tensor))
          || kind->container == TARE_CONTAINER_SAFETENSORS
          || (choice->format->containers & kind->container) != 0)
        continue;
      if (n_bad++ < MAX_NAMED)
        g_string_append_printf (names, "%s%s (%s)", names->len > 0 ? ", " : "",
                                choice->tensor->canonical, choice->format->label);
    }
  if (n_bad == 0)
    return TRUE;

  if (n_bad > MAX_NAMED)
    g_string_append_printf (names, " and %u more", n_bad - MAX_NAMED);
  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: %s cannot hold the format of %s; choose another for them, such as %s",
               tare_model_get_path (model), kind->what, names->str, kind->instead);

  return FALSE;
}

/* Of a GGUF file all that a folder has beside the weights is made: it must be known how. */
static gboolean
check_gguf (TareModel  *model,
            GError    **error)
{
  g_autoptr(JsonObject) config = NULL;

  if (tare_model_get_architecture (model) == NULL)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
                   "%s: Hugging Face's names for the tensors of architecture '%s' are not known, "
                   "so no folder can be written", tare_model_get_path (model),
                   tare_model_get_architecture_name (model));
      return FALSE;
    }
  config = tare_model_dup_config (model, error);

  return config != NULL && tare_model_get_tokenizer (model, error) != NULL;
}

static gboolean
check_source (const TareFolderKind  *kind,
              TareModel             *model,
              GError               **error)
{
  if (strcmp (tare_model_get_container (model), "gguf") == 0)
    return check_gguf (model, error);
  if (!kind->runtime || tare_model_get_architecture (model) != NULL)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s: which layers of architecture '%s' are linear is not known, so %s cannot be "
               "written", tare_model_get_path (model), tare_model_get_architecture_name (model),
               kind->what);

  return FALSE;
}

static void
add_rule (TarePlan         *plan,
          const TareTensor *tensor,
          TareAssignment    assignment,
          const TareFormat *format)
{
  const char *names[] = { tensor->canonical, NULL };
  TareRecipe *next;

  assignment.format = format;
  next = tare_recipe_with_tensors (plan->recipe, names, &assignment);
  tare_recipe_unref (plan->recipe);
  plan->recipe = next;
}

/* An output that is the embedding is in no folder a second time, and so becomes what that does. */
static void
follow_embedding (TarePlan  *plan,
                  TareModel *model)
{
  const TareTensor *output = tare_model_lookup (model, "output.weight");
  const TareTensor *embedding = tare_model_lookup (model, "token_embd.weight");
  g_autoptr(TareTensor) file = output != NULL ? tare_model_dup_folder_tensor (model, output) : NULL;
  TareAssignment assignment, asked;

  if (output == NULL || embedding == NULL || file != NULL)
    return;

  asked = tare_recipe_resolve (plan->recipe, output);
  assignment = tare_recipe_resolve (plan->recipe, embedding);
  if (asked.format == assignment.format && asked.method == assignment.method
      && asked.range == assignment.range)
    return;

  add_rule (plan, output, assignment, assignment.format);
  tare_plan_add (plan, output, asked.format, assignment.format,
                 -(gint64) get_bytes (output, asked.format),
                 N_("It is the embedding, which is written once"));
}

/* The last rule that speaks of a tensor. */
static const TareAssignment *
find_wanted (TareRecipe       *recipe,
             const TareTensor *tensor)
{
  for (gsize i = tare_recipe_get_n_rules (recipe); i > 0; i--)
    {
      const TareRule *rule = tare_recipe_get_rule (recipe, i - 1);

      if (!tare_recipe_is_of_activations (rule->match)
          && g_pattern_match_simple (rule->match, tensor->canonical))
        return &rule->assignment;
    }

  return NULL;
}

/* Routers are kept whatever the rules say, and one that speaks of them is told so. */
static void
note_routers (TarePlan   *plan,
              TareModel  *model,
              TareRecipe *recipe)
{
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareAssignment *wanted = _tare_folder_is_router (tensor)
                                     ? find_wanted (recipe, tensor) : NULL;

      if (wanted == NULL || !is_packed (wanted->format) || wanted->format == tensor->format)
        continue;
      tare_plan_add (plan, tensor, wanted->format, NULL,
                     (gint64) tensor->bytes - (gint64) get_bytes (tensor, wanted->format),
                     N_("What tells tokens their experts stays unquantized"));
    }
}

/* Inputs that the folder says are rounded, of all the layers that share them. */
static void
note_inputs (TarePlan  *plan,
             TareModel *model,
             GArray    *items)
{
  for (gsize pass = 0; pass < 2; pass++)
    for (guint i = 0; i < items->len; i++)
      {
        const TareItem *item = &g_array_index (items, TareItem, i);
        const TareTensor *leader = tare_activation_site_find_leader (model, item->tensor);
        g_autofree char *name = leader != NULL ? tare_activation_site_dup_input_name (leader)
                                               : NULL;

        if (name != NULL && pass == 0 && item->input.format != NULL)
          g_hash_table_add (plan->inputs, g_steal_pointer (&name));
        else if (name != NULL && pass == 1 && item->input.format == NULL)
          g_hash_table_remove (plan->inputs, name);
      }
}

/* Every rule that was changed, and every format of which only the values are written. */
static TarePlan *
make_plan (const TareFolderKind *kind,
           TareModel            *model,
           TareRecipe           *recipe,
           GArray               *choices)
{
  TarePlan *plan = tare_plan_new (recipe);
  g_autoptr(GArray) items = NULL;

  for (guint i = 0; i < choices->len; i++)
    {
      const Choice *choice = &g_array_index (choices, Choice, i);

      if (choice->format == choice->asked)
        continue;
      add_rule (plan, choice->tensor, tare_recipe_resolve (recipe, choice->tensor),
                choice->format);
      tare_plan_add (plan, choice->tensor, choice->asked, choice->format,
                     (gint64) get_bytes (choice->tensor, choice->format)
                     - (gint64) get_bytes (choice->tensor, choice->asked), choice->reason);
    }

  follow_embedding (plan, model);
  if (kind->runtime)
    note_routers (plan, model, recipe);
  items = _tare_folder_list_items (kind, model, plan->recipe);
  if (kind->runtime)
    note_inputs (plan, model, items);
  for (guint i = 0; i < items->len; i++)
    {
      const TareItem *item = &g_array_index (items, TareItem, i);
      const TareFormat *format = item->format != NULL ? item->format : item->tensor->format;
      guint64 bytes = _tare_item_get_bytes (item);

      plan->bytes += bytes;
      bytes *= tare_tensor_get_n_matrices (item->tensor);
      if (item->expert == 0 && item->packer == NULL && !item->raw
          && (is_packed (format) || format == NULL))
        tare_plan_add (plan, item->tensor, item->format,
                       tare_format_lookup (kind->value_type == NULL ? "f32"
                                           : strcmp (kind->value_type, "F16") == 0 ? "f16"
                                                                                   : "bf16"),
                       (gint64) bytes - (gint64) get_bytes (item->tensor, item->format),
                       N_("Its values are written, not its codes"));
    }

  return plan;
}

/* See tare_target_plan(). */
TarePlan *
_tare_folder_plan (const TareTarget  *self,
                   TareModel         *model,
                   TareRecipe        *recipe,
                   GError           **error)
{
  const TareFolderKind *kind = self->variant;
  g_autoptr(GArray) choices = NULL;

  if (!check_source (kind, model, error))
    return NULL;

  choices = list_choices (model, recipe);
  if (!check_held (kind, model, choices, error))
    return NULL;

  for (guint i = 0; i < choices->len && kind->container != TARE_CONTAINER_SAFETENSORS; i++)
    settle (&g_array_index (choices, Choice, i), kind);
  if (kind->uniform)
    unify (choices, kind);
  if (kind->runtime)
    fuse (choices, tare_model_get_n_blocks (model), kind);

  return make_plan (kind, model, recipe, choices);
}
