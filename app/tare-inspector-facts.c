/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-inspector-facts.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-text.h"

/* How long news of single layers is gathered, in milliseconds. */
#define REFRESH_DELAY 40

/**
 * FactKind:
 * @FACT_TEXT: a property of #TareLayer; several layers share it or are mixed
 * @FACT_SUM: bytes or weights, summed over the selection
 * @FACT_NUMBER: a number; several layers span a range
 */
typedef enum
{
  FACT_TEXT,
  FACT_SUM,
  FACT_NUMBER,
} FactKind;

typedef struct
{
  const char *id;
  const char *caption;
  const char *definition;
  FactKind    kind;
  double    (*number) (TareLayer *layer);
  char     *(*write)  (double     value);
  gboolean    at_reference;
} Fact;

static double get_size     (TareLayer *layer);
static double get_source   (TareLayer *layer);
static double get_weights  (TareLayer *layer);
static double get_minimum  (TareLayer *layer);
static double get_maximum  (TareLayer *layer);
static double get_mean     (TareLayer *layer);
static double get_sd       (TareLayer *layer);
static double get_skewness (TareLayer *layer);
static double get_kurtosis (TareLayer *layer);
static double get_lost     (TareLayer *layer);
static char  *write_bytes  (double     value);
static char  *write_count  (double     value);
static char  *write_number (double     value);

static const Fact facts[] = {
  { "shape", N_("Shape"), N_("Rows × columns: outputs × inputs of a linear layer"), FACT_TEXT },
  { "kind", N_("Stored as"), N_("The type that the source stores"), FACT_TEXT },
  { "weights", N_("Weights"), N_("How many numbers"), FACT_SUM, get_weights, write_count },
  { "source", N_("Source size"), N_("Bytes as the source has them"), FACT_SUM, get_source,
    write_bytes },
  { "size", N_("Size"), N_("Bytes under the recipe"), FACT_SUM, get_size, write_bytes },
  { "bits", N_("Bits per weight"), N_("8 × bytes / weights under the recipe, scales and all"),
    FACT_NUMBER, tare_layer_get_bits, tare_text_bits },
  { "minimum", N_("Minimum"), N_("The smallest weight"), FACT_NUMBER, get_minimum, write_number },
  { "maximum", N_("Maximum"), N_("The largest weight"), FACT_NUMBER, get_maximum, write_number },
  { "mean", N_("Mean"), N_("Mean of the weights"), FACT_NUMBER, get_mean, write_number },
  { "deviation", N_("Std. deviation"), N_("Root of the mean squared deviation from the mean"),
    FACT_NUMBER, get_sd, write_number },
  { "skewness", N_("Skewness"), N_("Third standardised moment, 0 for a Gaussian"), FACT_NUMBER,
    get_skewness, write_number },
  { "kurtosis", N_("Kurtosis"),
    N_("Fourth standardised moment, 3 for a Gaussian; heavy tails are hard to quantize"),
    FACT_NUMBER, get_kurtosis, write_number },
  { "outliers", N_("Outliers"),
    N_("Share of weights more than 6 standard deviations from the mean"), FACT_NUMBER,
    tare_layer_get_outliers, tare_text_percent },
  { "lost", N_("NaN, infinite"), N_("Weights that are not finite"), FACT_SUM, get_lost,
    write_count },
  { "error", N_("Error"), N_("Relative error of rounding: mean over rows of squared error / "
                             "squared norm"),
    FACT_NUMBER, tare_layer_get_error, tare_text_percent },
  { "loss", N_("Proxy loss"),
    N_("tr(ΔW H ΔWᵀ) in the format that the recipe gives; H is the input's second moment from "
       "calibration (GPTQ, 2210.17323)"),
    FACT_NUMBER, tare_layer_get_loss, write_number },
  { "sensitivity", N_("Proxy loss"),
    N_("tr(ΔW H ΔWᵀ) in the reference format, which is the same for all layers, so that they can "
       "be compared; the Sensitivity page changes it"),
    FACT_NUMBER, tare_layer_get_sensitivity, write_number, TRUE },
};

struct _TareInspectorFacts
{
  AdwBin       parent_instance;

  GtkGrid     *grid;
  GtkLabel    *captions[G_N_ELEMENTS (facts)];
  GtkLabel    *values[G_N_ELEMENTS (facts)];

  TareSession *session;
  guint        refresh;
};

G_DEFINE_FINAL_TYPE (TareInspectorFacts, tare_inspector_facts, ADW_TYPE_BIN)

/* What is known of the weights, field by field; NaN until it is. */
#define STATISTIC(function, field)                                                     \
  static double                                                                        \
  function (TareLayer *layer)                                                          \
  {                                                                                    \
    TareStatistics *statistics = tare_layer_get_statistics (layer);                    \
                                                                                       \
    return statistics != NULL ? (double) statistics->field : (double) NAN;             \
  }

STATISTIC (get_minimum, minimum)
STATISTIC (get_maximum, maximum)
STATISTIC (get_mean, mean)
STATISTIC (get_sd, standard_deviation)
STATISTIC (get_skewness, skewness)
STATISTIC (get_kurtosis, kurtosis)
STATISTIC (get_lost, n_not_finite)

static double
get_size (TareLayer *layer)
{
  return (double) tare_layer_get_size (layer);
}

static double
get_source (TareLayer *layer)
{
  return (double) tare_layer_get_tensor (layer)->bytes;
}

static double
get_weights (TareLayer *layer)
{
  return (double) tare_tensor_get_n_weights (tare_layer_get_tensor (layer));
}

static char *
write_bytes (double value)
{
  return tare_text_bytes ((guint64) value);
}

static char *
write_count (double value)
{
  return isnan (value) ? g_strdup (TARE_TEXT_UNKNOWN) : tare_text_whole ((guint64) value);
}

static char *
write_number (double value)
{
  return tare_text_number (value, 4);
}

static guint
get_n_selected (TareInspectorFacts *self)
{
  guint n;

  tare_session_get_selection (self->session, &n);

  return n;
}

static TareLayer *
get_selected (TareInspectorFacts *self,
              guint               position)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);

  return tare_session_get_layer (self->session, selection[position]);
}

static char *
write_shared_text (TareInspectorFacts *self,
                   const char         *property)
{
  guint n = get_n_selected (self);
  g_autofree char *shared = NULL;

  g_object_get (get_selected (self, 0), property, &shared, NULL);
  for (guint i = 1; i < n; i++)
    {
      g_autofree char *text = NULL;

      g_object_get (get_selected (self, i), property, &text, NULL);
      if (g_strcmp0 (text, shared) != 0)
        return g_strdup (_("mixed"));
    }

  return g_steal_pointer (&shared);
}

static char *
write_sum (TareInspectorFacts *self,
           const Fact         *fact)
{
  guint n = get_n_selected (self);
  double sum = 0.0;

  for (guint i = 0; i < n; i++)
    sum += fact->number (get_selected (self, i));

  return fact->write (sum);
}

static char *
write_span (TareInspectorFacts *self,
            const Fact         *fact)
{
  guint n = get_n_selected (self);
  double least = INFINITY;
  double most = -INFINITY;
  g_autofree char *from = NULL;
  g_autofree char *to = NULL;

  for (guint i = 0; i < n; i++)
    {
      double value = fact->number (get_selected (self, i));

      if (isnan (value))
        return fact->write (value);
      least = MIN (least, value);
      most = MAX (most, value);
    }
  from = fact->write (least);
  to = fact->write (most);
  if (g_str_equal (from, to))
    return g_steal_pointer (&from);

  /* translators: the least and the greatest of several values */
  return g_strdup_printf (_("%s to %s"), from, to);
}

/* A figure that is of another format than the assigned one says so. */
static void
name_reference (TareInspectorFacts *self)
{
  const TareFormat *reference = tare_session_get_reference (self->session);

  for (gsize i = 0; i < G_N_ELEMENTS (facts); i++)
    if (facts[i].at_reference)
      {
        g_autofree char *caption = tare_text_at (_(facts[i].caption), reference->label);

        gtk_label_set_label (self->captions[i], caption);
      }
}

static void
update (TareInspectorFacts *self)
{
  name_reference (self);
  if (get_n_selected (self) == 0)
    return;

  for (gsize i = 0; i < G_N_ELEMENTS (facts); i++)
    {
      g_autofree char *text = facts[i].kind == FACT_TEXT  ? write_shared_text (self, facts[i].id)
                              : facts[i].kind == FACT_SUM ? write_sum (self, &facts[i])
                                                          : write_span (self, &facts[i]);

      gtk_label_set_label (self->values[i], text);
    }
}

static gboolean
refresh_cb (gpointer data)
{
  TareInspectorFacts *self = data;

  self->refresh = 0;
  update (self);

  return G_SOURCE_REMOVE;
}

static void
layer_changed_cb (TareInspectorFacts *self)
{
  if (self->refresh == 0)
    self->refresh = g_timeout_add (REFRESH_DELAY, refresh_cb, self);
}

static void
tare_inspector_facts_dispose (GObject *object)
{
  TareInspectorFacts *self = (TareInspectorFacts *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->refresh, g_source_remove);

  G_OBJECT_CLASS (tare_inspector_facts_parent_class)->dispose (object);
}

static void
tare_inspector_facts_class_init (TareInspectorFactsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = tare_inspector_facts_dispose;
}

static void
add_fact (TareInspectorFacts *self,
          int                 index)
{
  GtkWidget *caption = gtk_label_new (_(facts[index].caption));
  GtkWidget *value = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (caption), 0.0f);
  gtk_widget_add_css_class (caption, "dim-label");
  gtk_widget_set_tooltip_text (caption, _(facts[index].definition));
  gtk_label_set_xalign (GTK_LABEL (value), 1.0f);
  gtk_label_set_wrap (GTK_LABEL (value), TRUE);
  gtk_label_set_selectable (GTK_LABEL (value), TRUE);
  gtk_label_set_justify (GTK_LABEL (value), GTK_JUSTIFY_RIGHT);
  gtk_widget_set_hexpand (value, TRUE);
  gtk_widget_set_focusable (value, FALSE);
  gtk_widget_add_css_class (value, "numeric");
  gtk_accessible_update_relation (GTK_ACCESSIBLE (value), GTK_ACCESSIBLE_RELATION_LABELLED_BY,
                                  caption, NULL, -1);
  gtk_grid_attach (self->grid, caption, 0, index, 1, 1);
  gtk_grid_attach (self->grid, value, 1, index, 1, 1);
  self->captions[index] = GTK_LABEL (caption);
  self->values[index] = GTK_LABEL (value);
}

static void
tare_inspector_facts_init (TareInspectorFacts *self)
{
  GtkWidget *grid = gtk_grid_new ();

  self->grid = GTK_GRID (grid);
  gtk_grid_set_row_spacing (self->grid, 4);
  gtk_grid_set_column_spacing (self->grid, 12);
  gtk_widget_add_css_class (grid, "facts");
  adw_bin_set_child (ADW_BIN (self), grid);
  for (int i = 0; i < (int) G_N_ELEMENTS (facts); i++)
    add_fact (self, i);
}

/**
 * tare_inspector_facts_set_session:
 * @self: the facts
 * @session: whose selection they are of; to be set once
 */
void
tare_inspector_facts_set_session (TareInspectorFacts *self,
                                  TareSession        *session)
{
  g_return_if_fail (TARE_IS_INSPECTOR_FACTS (self));
  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (layer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (layer_changed_cb), self,
                           G_CONNECT_SWAPPED);
  update (self);
}

/**
 * tare_inspector_facts_get_text:
 * @self: the facts
 * @fact: such as "shape", "kind", "size", "minimum", "kurtosis"
 *
 * Returns: (nullable): what is shown
 */
const char *
tare_inspector_facts_get_text (TareInspectorFacts *self,
                               const char         *fact)
{
  g_return_val_if_fail (TARE_IS_INSPECTOR_FACTS (self), NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (facts); i++)
    if (g_str_equal (facts[i].id, fact))
      return gtk_label_get_label (self->values[i]);

  return NULL;
}
