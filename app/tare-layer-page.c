/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-layer-page.h"

#include <glib/gi18n.h>

typedef struct
{
  GtkStack         *stack;
  AdwStatusPage    *empty;
  GtkWidget        *empty_button;
  GtkLabel         *name;
  GtkSpinner       *spinner;
  GtkBox           *controls;
  GtkBox           *charts;
  GtkLabel         *caption;

  TareSession      *session;
  const TareTensor *shown;
  gboolean          outdated;
} TareLayerPagePrivate;

static void page_iface_init (TarePageInterface *iface);

G_DEFINE_ABSTRACT_TYPE_WITH_CODE (TareLayerPage, tare_layer_page, ADW_TYPE_BIN,
                                  G_ADD_PRIVATE (TareLayerPage)
                                  G_IMPLEMENT_INTERFACE (TARE_TYPE_PAGE, page_iface_init))

static TareLayerPagePrivate *
get_private (TareLayerPage *self)
{
  return tare_layer_page_get_instance_private (self);
}

static void
update_name (TareLayerPage *self,
             TareLayer     *layer)
{
  TareLayerPagePrivate *private = get_private (self);
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  g_autofree char *name = NULL;
  guint n;

  tare_session_get_selection (private->session, &n);
  if (n > 1)
    /* translators: the first of several selected layers, and how many more */
    name = g_strdup_printf (ngettext ("%s (and %u more)", "%s (and %u more)", n - 1),
                            tensor->canonical, n - 1);
  else
    name = g_strdup (tensor->canonical);
  gtk_label_set_label (private->name, name);
}

static void
update (TareLayerPage *self)
{
  TareLayerPagePrivate *private = get_private (self);
  TareLayer *layer = tare_layer_page_get_layer (self);
  const TareTensor *tensor = layer != NULL ? tare_layer_get_tensor (layer) : NULL;

  if (layer != NULL)
    update_name (self, layer);
  if ((tensor == private->shown && !private->outdated)
      || (tensor != NULL && !gtk_widget_get_mapped (GTK_WIDGET (self))))
    return;

  private->shown = tensor;
  private->outdated = FALSE;
  if (layer == NULL)
    tare_layer_page_show_empty (self);
  TARE_LAYER_PAGE_GET_CLASS (self)->show (self, layer);
}

static void
model_changed_cb (TareLayerPage *self)
{
  TareLayerPagePrivate *private = get_private (self);

  private->shown = NULL;
  tare_layer_page_show_empty (self);
  TARE_LAYER_PAGE_GET_CLASS (self)->show (self, NULL);
  update (self);
}

static void
tare_layer_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (tare_layer_page_parent_class)->map (widget);

  if (get_private (TARE_LAYER_PAGE (widget))->session != NULL)
    update (TARE_LAYER_PAGE (widget));
}

static void
tare_layer_page_dispose (GObject *object)
{
  TareLayerPagePrivate *private = get_private (TARE_LAYER_PAGE (object));

  adw_bin_set_child (ADW_BIN (object), NULL);
  g_clear_object (&private->session);

  G_OBJECT_CLASS (tare_layer_page_parent_class)->dispose (object);
}

static void
tare_layer_page_class_init (TareLayerPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_layer_page_dispose;
  widget_class->map = tare_layer_page_map;

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-layer-page.ui");
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, stack);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, empty);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, empty_button);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, name);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, spinner);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, controls);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, charts);
  gtk_widget_class_bind_template_child_private (widget_class, TareLayerPage, caption);
}

static void
tare_layer_page_init (TareLayerPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
set_session (TarePage    *page,
             TareSession *session)
{
  TareLayerPage *self = TARE_LAYER_PAGE (page);
  TareLayerPagePrivate *private = get_private (self);

  g_return_if_fail (private->session == NULL);

  private->session = g_object_ref (session);
  if (TARE_LAYER_PAGE_GET_CLASS (self)->session_set != NULL)
    TARE_LAYER_PAGE_GET_CLASS (self)->session_set (self, session);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (update), self,
                           G_CONNECT_SWAPPED);
  update (self);
}

static void
page_iface_init (TarePageInterface *iface)
{
  iface->set_session = set_session;
}

/**
 * tare_layer_page_get_session:
 * @self: the page
 *
 * Returns: (transfer none) (nullable): whose selection it shows
 */
TareSession *
tare_layer_page_get_session (TareLayerPage *self)
{
  g_return_val_if_fail (TARE_IS_LAYER_PAGE (self), NULL);

  return get_private (self)->session;
}

/**
 * tare_layer_page_get_layer:
 * @self: the page
 *
 * Returns: (transfer none) (nullable): the first selected layer, if it is a matrix
 */
TareLayer *
tare_layer_page_get_layer (TareLayerPage *self)
{
  TareLayerPagePrivate *private = get_private (self);
  const guint *selection;
  TareLayer *layer;
  guint n;

  g_return_val_if_fail (TARE_IS_LAYER_PAGE (self), NULL);

  if (private->session == NULL)
    return NULL;
  selection = tare_session_get_selection (private->session, &n);
  layer = n > 0 ? tare_session_get_layer (private->session, selection[0]) : NULL;

  return layer != NULL && tare_layer_is_assignable (layer) ? layer : NULL;
}

/**
 * tare_layer_page_add_chart:
 * @self: the page
 * @name: what it shows, for those who do not see it
 *
 * Returns: (transfer none): a chart below those that are there
 */
TareChart *
tare_layer_page_add_chart (TareLayerPage *self,
                           const char    *name)
{
  GtkWidget *chart = tare_chart_new ();

  gtk_widget_set_hexpand (chart, TRUE);
  gtk_widget_set_vexpand (chart, TRUE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (chart), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_box_append (get_private (self)->charts, chart);

  return TARE_CHART (chart);
}

/**
 * tare_layer_page_add_control:
 * @self: the page
 * @control: what to put at the end of the head
 */
void
tare_layer_page_add_control (TareLayerPage *self,
                             GtkWidget     *control)
{
  gtk_box_append (get_private (self)->controls, control);
}

/**
 * tare_layer_page_add_choice:
 * @self: the page
 * @name: what is chosen
 * @choices: (array zero-terminated=1): from what
 * @changed: called with @self as its first argument when another is chosen
 *
 * Returns: (transfer none): a list to choose from, at the end of the head
 */
GtkDropDown *
tare_layer_page_add_choice (TareLayerPage      *self,
                            const char         *name,
                            const char *const  *choices,
                            GCallback           changed)
{
  GtkWidget *drop = gtk_drop_down_new_from_strings (choices);

  gtk_widget_set_tooltip_text (drop, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (drop), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  g_signal_connect_swapped (drop, "notify::selected", changed, self);
  tare_layer_page_add_control (self, drop);

  return GTK_DROP_DOWN (drop);
}

/**
 * tare_layer_page_set_empty:
 * @self: the page
 * @icon: (nullable): an icon; %NULL leaves it as it is
 * @title: what is missing
 * @description: what would fill the page
 * @label: (nullable): of a button that does it
 * @action: (nullable): and its action
 */
void
tare_layer_page_set_empty (TareLayerPage *self,
                           const char    *icon,
                           const char    *title,
                           const char    *description,
                           const char    *label,
                           const char    *action)
{
  TareLayerPagePrivate *private = get_private (self);

  if (icon != NULL)
    adw_status_page_set_icon_name (private->empty, icon);
  adw_status_page_set_title (private->empty, title);
  adw_status_page_set_description (private->empty, description);
  gtk_widget_set_visible (private->empty_button, label != NULL);
  if (label != NULL)
    {
      gtk_button_set_label (GTK_BUTTON (private->empty_button), label);
      gtk_actionable_set_action_name (GTK_ACTIONABLE (private->empty_button), action);
    }
}

/**
 * tare_layer_page_set_caption:
 * @self: the page
 * @caption: what the charts show, in a sentence or two
 */
void
tare_layer_page_set_caption (TareLayerPage *self,
                             const char    *caption)
{
  gtk_label_set_label (get_private (self)->caption, caption);
}

/**
 * tare_layer_page_set_busy:
 * @self: the page
 * @busy: whether more is being found out
 */
void
tare_layer_page_set_busy (TareLayerPage *self,
                          gboolean       busy)
{
  gtk_spinner_set_spinning (get_private (self)->spinner, busy);
}

/**
 * tare_layer_page_show_charts:
 * @self: the page
 */
void
tare_layer_page_show_charts (TareLayerPage *self)
{
  gtk_stack_set_visible_child_name (get_private (self)->stack, "charts");
}

/**
 * tare_layer_page_show_empty:
 * @self: the page
 */
void
tare_layer_page_show_empty (TareLayerPage *self)
{
  tare_layer_page_set_busy (self, FALSE);
  gtk_stack_set_visible_child_name (get_private (self)->stack, "empty");
}

/**
 * tare_layer_page_get_state:
 * @self: the page
 *
 * Returns: "empty" or "charts"
 */
const char *
tare_layer_page_get_state (TareLayerPage *self)
{
  g_return_val_if_fail (TARE_IS_LAYER_PAGE (self), NULL);

  return gtk_stack_get_visible_child_name (get_private (self)->stack);
}

/**
 * tare_layer_page_refresh:
 * @self: the page
 *
 * Shows the layer anew, now or when the page is looked at next.
 */
void
tare_layer_page_refresh (TareLayerPage *self)
{
  g_return_if_fail (TARE_IS_LAYER_PAGE (self));

  get_private (self)->outdated = TRUE;
  if (get_private (self)->session != NULL)
    update (self);
}
