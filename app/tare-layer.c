/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-layer.h"

#include <math.h>

struct _TareLayer
{
  GObject           parent_instance;

  TareModel        *model;
  const TareTensor *tensor;
  guint             index;
  char             *shape;

  TareStatistics   *statistics;
  TareAssignment    assignment;
  const TareFormat *format;
  guint64           size;
  double            error;
  double            loss;
  double            sensitivity;
};

enum
{
  PROP_0,
  PROP_NAME,
  PROP_ROLE,
  PROP_BLOCK,
  PROP_SHAPE,
  PROP_KIND,
  PROP_SIZE,
  PROP_BITS,
  PROP_OUTLIERS,
  PROP_ERROR,
  PROP_LOSS,
  PROP_SENSITIVITY,
  PROP_FORMAT,
  N_PROPS,
};

G_DEFINE_FINAL_TYPE (TareLayer, tare_layer, G_TYPE_OBJECT)

static GParamSpec *properties[N_PROPS];

static void
tare_layer_finalize (GObject *object)
{
  TareLayer *self = (TareLayer *) object;

  g_clear_pointer (&self->statistics, tare_statistics_unref);
  g_clear_pointer (&self->shape, g_free);
  g_clear_pointer (&self->model, tare_model_unref);

  G_OBJECT_CLASS (tare_layer_parent_class)->finalize (object);
}

static const char *
get_format_label (TareLayer *self)
{
  return self->format != NULL ? self->format->label : self->tensor->type_name;
}

static void
tare_layer_get_property (GObject    *object,
                         guint       prop_id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  TareLayer *self = (TareLayer *) object;

  switch (prop_id)
    {
    case PROP_NAME:
      g_value_set_string (value, self->tensor->canonical);
      break;

    case PROP_ROLE:
      g_value_set_string (value, self->tensor->role != NULL ? self->tensor->role->label : "");
      break;

    case PROP_BLOCK:
      g_value_set_int (value, self->tensor->block);
      break;

    case PROP_SHAPE:
      g_value_set_string (value, self->shape);
      break;

    case PROP_KIND:
      g_value_set_string (value, self->tensor->type_name);
      break;

    case PROP_SIZE:
      g_value_set_uint64 (value, self->size);
      break;

    case PROP_BITS:
      g_value_set_double (value, tare_layer_get_bits (self));
      break;

    case PROP_OUTLIERS:
      g_value_set_double (value, tare_layer_get_outliers (self));
      break;

    case PROP_ERROR:
      g_value_set_double (value, self->error);
      break;

    case PROP_LOSS:
      g_value_set_double (value, self->loss);
      break;

    case PROP_SENSITIVITY:
      g_value_set_double (value, self->sensitivity);
      break;

    case PROP_FORMAT:
      g_value_set_string (value, get_format_label (self));
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static GParamSpec *
number_spec (const char *name)
{
  return g_param_spec_double (name, NULL, NULL, -G_MAXDOUBLE, G_MAXDOUBLE, 0.0,
                              G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY
                              | G_PARAM_STATIC_STRINGS);
}

static void
tare_layer_class_init (TareLayerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->finalize = tare_layer_finalize;
  object_class->get_property = tare_layer_get_property;

  properties[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  properties[PROP_ROLE] = g_param_spec_string ("role", NULL, NULL, NULL, flags);
  properties[PROP_BLOCK] = g_param_spec_int ("block", NULL, NULL, -1, G_MAXINT, -1, flags);
  properties[PROP_SHAPE] = g_param_spec_string ("shape", NULL, NULL, NULL, flags);
  properties[PROP_KIND] = g_param_spec_string ("kind", NULL, NULL, NULL, flags);
  properties[PROP_SIZE] = g_param_spec_uint64 ("size", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  properties[PROP_BITS] = number_spec ("bits");
  properties[PROP_OUTLIERS] = number_spec ("outliers");
  properties[PROP_ERROR] = number_spec ("error");
  properties[PROP_LOSS] = number_spec ("loss");
  properties[PROP_SENSITIVITY] = number_spec ("sensitivity");
  properties[PROP_FORMAT] = g_param_spec_string ("format", NULL, NULL, NULL, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
tare_layer_init (TareLayer *self)
{
  self->error = (double) NAN;
  self->loss = (double) NAN;
  self->sensitivity = (double) NAN;
}

static char *
describe_shape (const TareTensor *tensor)
{
  GString *shape = g_string_new (NULL);

  for (guint i = 0; i < tensor->n_dimensions; i++)
    g_string_append_printf (shape, "%s%" G_GUINT64_FORMAT, i > 0 ? " × " : "", tensor->shape[i]);
  if (tensor->n_dimensions == 0)
    g_string_append_c (shape, '1');

  return g_string_free (shape, FALSE);
}

static void
take_assignment (TareLayer  *self,
                 TareRecipe *recipe)
{
  self->assignment = tare_recipe_resolve (recipe, self->tensor);
  self->format = tare_recipe_effective_format (recipe, self->tensor);
  self->size = tare_recipe_get_tensor_bytes (recipe, self->tensor);
}

/**
 * tare_layer_new:
 * @model: the model
 * @index: which of its tensors
 * @recipe: what holds of it
 *
 * Returns: (transfer full): the layer
 */
TareLayer *
tare_layer_new (TareModel  *model,
                guint       index,
                TareRecipe *recipe)
{
  TareLayer *self = g_object_new (TARE_TYPE_LAYER, NULL);

  self->model = tare_model_ref (model);
  self->tensor = tare_model_get_tensor (model, index);
  self->index = index;
  self->shape = describe_shape (self->tensor);
  take_assignment (self, recipe);

  return self;
}

guint
tare_layer_get_index (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), 0);

  return self->index;
}

/**
 * tare_layer_get_tensor:
 * @self: the layer
 *
 * Returns: (transfer none): its tensor
 */
const TareTensor *
tare_layer_get_tensor (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), NULL);

  return self->tensor;
}

/**
 * tare_layer_is_assignable:
 * @self: the layer
 *
 * Returns: whether a recipe can give it a format
 */
gboolean
tare_layer_is_assignable (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), FALSE);

  return tare_tensor_is_weight (self->tensor);
}

/**
 * tare_layer_get_statistics:
 * @self: the layer
 *
 * Returns: (transfer none) (nullable): what its weights look like, once that is known
 */
TareStatistics *
tare_layer_get_statistics (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), NULL);

  return self->statistics;
}

void
tare_layer_set_statistics (TareLayer      *self,
                           TareStatistics *statistics)
{
  g_return_if_fail (TARE_IS_LAYER (self));
  g_return_if_fail (statistics != NULL);

  if (self->statistics == statistics)
    return;

  g_clear_pointer (&self->statistics, tare_statistics_unref);
  self->statistics = tare_statistics_ref (statistics);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_OUTLIERS]);
}

static void
set_number (TareLayer *self,
            double    *number,
            double     value,
            guint      property)
{
  if (*number == value || (isnan (*number) && isnan (value)))
    return;

  *number = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static gboolean
same_assignment (const TareAssignment *a,
                 const TareAssignment *b)
{
  return a->format == b->format && a->method == b->method && a->range == b->range;
}

/**
 * tare_layer_set_recipe:
 * @self: the layer
 * @recipe: what holds from now on
 *
 * Takes over what @recipe says of this layer. Its error and its loss are unknown again where that
 * changes them.
 */
void
tare_layer_set_recipe (TareLayer  *self,
                       TareRecipe *recipe)
{
  TareAssignment before;

  g_return_if_fail (TARE_IS_LAYER (self));
  g_return_if_fail (recipe != NULL);

  before = self->assignment;
  take_assignment (self, recipe);
  if (same_assignment (&before, &self->assignment))
    return;

  self->error = (double) NAN;
  self->loss = (double) NAN;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_FORMAT]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SIZE]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BITS]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ERROR]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LOSS]);
}

TareAssignment
tare_layer_get_assignment (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), (TareAssignment) { 0 });

  return self->assignment;
}

/**
 * tare_layer_get_format:
 * @self: the layer
 *
 * Returns: (nullable): what it is stored as under the recipe, after any fallback; the source's own
 *   format where it is kept, %NULL where Tare does not know that
 */
const TareFormat *
tare_layer_get_format (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), NULL);

  return self->format;
}

/**
 * tare_layer_get_bits:
 * @self: the layer
 *
 * Returns: bits per weight under the recipe, scales and all
 */
double
tare_layer_get_bits (TareLayer *self)
{
  gsize n;

  g_return_val_if_fail (TARE_IS_LAYER (self), (double) NAN);

  n = tare_tensor_get_n_weights (self->tensor);

  return n > 0 ? 8.0 * (double) self->size / (double) n : (double) NAN;
}

guint64
tare_layer_get_size (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), 0);

  return self->size;
}

double
tare_layer_get_outliers (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), (double) NAN);

  return self->statistics != NULL ? self->statistics->outlier_ratio : (double) NAN;
}

double
tare_layer_get_error (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), (double) NAN);

  return self->error;
}

void
tare_layer_set_error (TareLayer *self,
                      double     error)
{
  g_return_if_fail (TARE_IS_LAYER (self));

  set_number (self, &self->error, error, PROP_ERROR);
}

/**
 * tare_layer_get_loss:
 * @self: the layer
 *
 * Returns: the proxy loss tr(ΔW H ΔWᵀ) under the recipe; NaN until it is known, and for a layer
 *   that is kept
 */
double
tare_layer_get_loss (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), (double) NAN);

  return self->loss;
}

void
tare_layer_set_loss (TareLayer *self,
                     double     loss)
{
  g_return_if_fail (TARE_IS_LAYER (self));

  set_number (self, &self->loss, loss, PROP_LOSS);
}

double
tare_layer_get_sensitivity (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), (double) NAN);

  return self->sensitivity;
}

void
tare_layer_set_sensitivity (TareLayer *self,
                            double     sensitivity)
{
  g_return_if_fail (TARE_IS_LAYER (self));

  set_number (self, &self->sensitivity, sensitivity, PROP_SENSITIVITY);
}

/**
 * tare_layer_is_measured:
 * @self: the layer
 *
 * Returns: whether its error under the recipe is known; a layer that is kept has none to measure
 */
gboolean
tare_layer_is_measured (TareLayer *self)
{
  g_return_val_if_fail (TARE_IS_LAYER (self), FALSE);

  return self->assignment.format == NULL || !isnan (self->error);
}
