/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-map-view.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-map-experts.h"
#include "app/tare-map-measure.h"
#include "app/tare-map-rows.h"
#include "app/tare-map-sites.h"
#include "app/tare-text.h"

/* How long news of single layers is gathered before the map is filled again, in milliseconds. */
#define REFRESH_DELAY 40

struct _TareMapView
{
  AdwBin         parent_instance;

  GtkDropDown   *measure_drop;
  GtkWidget     *sites_button;
  GtkWidget     *brush_button;
  TareFormatMap *map;

  TareSession   *session;
  const TareMapMeasure *measure;
  /* Of each layer its cell, and of each cell its first layer, or TARE_FORMAT_MAP_NO_CELL. */
  GArray        *cells;
  GArray        *layers;
  /* What stands below the weights, where it is wanted or the recipe speaks of it. */
  TareMapSites   sites;
  gboolean       sites_wanted;
  gboolean       sites_shown;
  guint          refresh;
  gboolean       syncing;
};

G_DEFINE_FINAL_TYPE (TareMapView, tare_map_view, ADW_TYPE_BIN)

/* To two digits, outwards, so that the legend has short numbers. */
static double
round_outwards (double value,
                double direction)
{
  double step = value != 0.0 ? pow (10.0, floor (log10 (fabs (value))) - 1.0) : 1.0;

  return direction * ceil (direction * value / step - 1e-9) * step;
}

static guint
get_index (GArray *array,
           guint   position)
{
  return g_array_index (array, guint, position);
}

static gboolean
is_shown (TareLayer *layer)
{
  return tare_layer_is_assignable (layer);
}

/* --- the shape --- */

static guint
find_column (GPtrArray      *roles,
             const TareRole *role)
{
  guint column = 0;

  g_ptr_array_find (roles, role, &column);

  return column;
}

/* The roles that some block has, in the order of the table. */
static GPtrArray *
list_columns (TareMapView *self)
{
  g_autoptr(GPtrArray) roles = g_ptr_array_new ();
  guint n = tare_session_get_n_layers (self->session);

  for (gsize r = 0; r < tare_role_get_n_roles (); r++)
    for (guint i = 0; i < n; i++)
      {
        TareLayer *layer = tare_session_get_layer (self->session, i);
        const TareTensor *tensor = tare_layer_get_tensor (layer);

        if (is_shown (layer) && tensor->block >= 0 && tensor->role == tare_role_get (r))
          {
            g_ptr_array_add (roles, (gpointer) tensor->role);
            break;
          }
      }

  return g_steal_pointer (&roles);
}

/* What is of no role in a block stands in no column. */
static void
widen_rows (TareMapView *self)
{
  g_autoptr(GArray) wide = g_array_new (FALSE, FALSE, sizeof (guint));
  guint n_columns = tare_format_map_get_columns (self->map);

  tare_map_sites_list_wide (&self->sites, wide);
  for (guint i = 0; i < self->cells->len; i++)
    {
      const TareTensor *tensor = tare_layer_get_tensor (tare_session_get_layer (self->session, i));
      guint row = get_index (self->cells, i) / n_columns;

      if (get_index (self->cells, i) != TARE_FORMAT_MAP_NO_CELL
          && !tare_map_rows_share (tensor, tensor))
        g_array_append_val (wide, row);
    }
  tare_format_map_set_wide_rows (self->map, (const guint *) (gpointer) wide->data, wide->len);
}

/* A row for each block, and one for each tensor that stands outside the blocks. */
static void
lay_out (TareMapView *self)
{
  guint n = tare_session_get_n_layers (self->session);
  g_autoptr(GPtrArray) roles = list_columns (self);
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GPtrArray) columns = g_ptr_array_new ();
  g_autoptr(GPtrArray) tooltips = g_ptr_array_new ();
  const TareTensor *last = NULL;
  guint n_columns = MAX (roles->len, 1);

  tare_map_sites_lay_out (&self->sites, self->sites_shown ? self->session : NULL, roles,
                          n_columns, rows);
  g_array_set_size (self->cells, 0);
  for (guint i = 0; i < n; i++)
    {
      TareLayer *layer = tare_session_get_layer (self->session, i);
      const TareTensor *tensor = tare_layer_get_tensor (layer);
      guint cell = TARE_FORMAT_MAP_NO_CELL;

      if (is_shown (layer))
        {
          if (last == NULL || !tare_map_rows_share (last, tensor))
            g_ptr_array_add (rows, tare_map_rows_label (tensor));
          last = tensor;
          cell = (rows->len - 1) * n_columns;
          if (tensor->block >= 0 && tensor->role != NULL)
            cell += find_column (roles, tensor->role);
        }
      g_array_append_val (self->cells, cell);
    }

  for (guint i = 0; i < roles->len; i++)
    {
      const TareRole *role = g_ptr_array_index (roles, i);

      g_ptr_array_add (columns, (gpointer) role->short_label);
      g_ptr_array_add (tooltips, (gpointer) role->description);
    }
  if (roles->len == 0)
    {
      g_ptr_array_add (columns, (gpointer) "");
      g_ptr_array_add (tooltips, (gpointer) "");
    }
  g_array_set_size (self->layers, rows->len * n_columns);
  for (guint i = 0; i < self->layers->len; i++)
    g_array_index (self->layers, guint, i) = TARE_FORMAT_MAP_NO_CELL;
  for (guint i = n; i-- > 0;)
    if (get_index (self->cells, i) != TARE_FORMAT_MAP_NO_CELL)
      g_array_index (self->layers, guint, get_index (self->cells, i)) = i;

  g_ptr_array_add (rows, NULL);
  g_ptr_array_add (columns, NULL);
  g_ptr_array_add (tooltips, NULL);
  tare_format_map_set_shape (self->map, (const char *const *) rows->pdata,
                             (const char *const *) columns->pdata,
                             (const char *const *) tooltips->pdata);
  tare_map_sites_name (&self->sites, self->map);
  widen_rows (self);
}

/* --- the cells --- */

static char *
describe_layer (TareLayer *layer)
{
  const TareTensor *tensor = tare_layer_get_tensor (layer);
  const TareFormat *format = tare_layer_get_format (layer);
  g_autofree char *bytes = tare_text_bytes (tare_layer_get_size (layer));
  g_autofree char *bits = tare_text_bits (tare_layer_get_bits (layer));
  g_autofree char *error = tare_text_percent (tare_layer_get_error (layer));
  g_autofree char *outliers = tare_text_percent (tare_layer_get_outliers (layer));
  g_autofree char *loss = tare_text_number (tare_layer_get_loss (layer), 4);
  g_autofree char *experts = NULL;
  guint n = tare_map_experts_count (layer);

  if (n > 1)
    /* translators: how many, and the key that shows them */
    experts = g_strdup_printf (_("\n%u experts (Return opens them)"), n);

  return g_strdup_printf (_("%s\n%s, %s bits per weight, %s\n"
                            "error %s, outliers %s, proxy loss %s%s"),
                          tensor->canonical, format != NULL ? format->label : tensor->type_name,
                          bits, bytes, error, outliers, loss, experts != NULL ? experts : "");
}

/* One for each family; the map has shapes to spare. */
TareFormatMark
tare_map_view_get_mark (const TareFormat *format)
{
  if (format == NULL || (guint) format->family + 1 >= TARE_FORMAT_MARK_N)
    return TARE_FORMAT_MARK_NONE;

  return (TareFormatMark) ((guint) format->family + 1);
}

static void
get_scale (TareMapView *self,
           double      *minimum,
           double      *maximum)
{
  double least = INFINITY;
  double most = -INFINITY;

  for (guint i = 0; i < self->cells->len; i++)
    {
      double value = self->measure->get (tare_session_get_layer (self->session, i));

      if (get_index (self->cells, i) == TARE_FORMAT_MAP_NO_CELL || !isfinite (value))
        continue;
      least = MIN (least, value);
      most = MAX (most, value);
    }
  if (least > most)
    least = most = 0.0;
  *minimum = isnan (self->measure->minimum) ? round_outwards (least, -1.0)
                                            : self->measure->minimum;
  *maximum = isnan (self->measure->maximum) ? round_outwards (most, 1.0)
                                            : self->measure->maximum;
  if (*maximum <= *minimum)
    *maximum = *minimum + 1.0;
}

/* The legend names the families that are there. */
static void
name_marks (TareMapView          *self,
            const TareFormatCell *cells,
            guint                 n)
{
  gboolean present[TARE_FORMAT_MARK_N] = { FALSE };

  for (guint i = 0; i < n; i++)
    present[cells[i].mark] = TRUE;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      TareFormatMark mark = tare_map_view_get_mark (format);

      if (mark != TARE_FORMAT_MARK_NONE)
        tare_format_map_set_mark_name (self->map, mark,
                                       present[mark]
                                         ? _(tare_format_family_get_label (format->family))
                                         : NULL);
    }
}

static gboolean
shows_bits (TareMapView *self)
{
  return self->measure == tare_map_measure_get (0);
}

static void
fill (TareMapView *self)
{
  guint n = self->layers->len;
  g_autofree TareFormatCell *cells = g_new0 (TareFormatCell, MAX (n, 1));
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  const TareFormat *reference = tare_session_get_reference (self->session);
  g_autofree char *unit = tare_map_measure_dup_unit (self->measure, reference->label);
  double minimum;
  double maximum;

  for (guint i = 0; i < n; i++)
    {
      guint index = get_index (self->layers, i);
      TareLayer *layer;

      cells[i].value = (double) NAN;
      if (index == TARE_FORMAT_MAP_NO_CELL)
        continue;

      layer = tare_session_get_layer (self->session, index);
      cells[i].present = TRUE;
      cells[i].value = self->measure->get (layer);
      cells[i].label = self->measure->write (cells[i].value);
      cells[i].tooltip = describe_layer (layer);
      cells[i].locked = tare_layer_get_assignment (layer).locked;
      cells[i].stale = !tare_layer_is_measured (layer);
      cells[i].mark = tare_map_view_get_mark (tare_layer_get_format (layer));
      cells[i].folded = tare_map_experts_count (layer);
      g_ptr_array_add (texts, (gpointer) cells[i].label);
      g_ptr_array_add (texts, (gpointer) cells[i].tooltip);
    }
  tare_map_sites_fill (&self->sites, shows_bits (self), cells, texts);
  tare_map_sites_name (&self->sites, self->map);

  get_scale (self, &minimum, &maximum);
  tare_format_map_set_scale (self->map, minimum, maximum, unit);
  tare_format_map_set_calm (self->map, shows_bits (self));
  self->syncing = TRUE;
  tare_format_map_set_cells (self->map, cells, n);
  self->syncing = FALSE;
  name_marks (self, cells, n);
}

static gboolean
refresh_cb (gpointer data)
{
  TareMapView *self = data;

  self->refresh = 0;
  fill (self);

  return G_SOURCE_REMOVE;
}

static void
queue_refresh (TareMapView *self)
{
  if (self->refresh == 0)
    self->refresh = g_timeout_add (REFRESH_DELAY, refresh_cb, self);
}

static void
update_brush (TareMapView *self)
{
  TareAssignment brush = tare_session_get_brush (self->session);
  const char *label = brush.format != NULL ? brush.format->label : _("the source's own format");
  /* translators: %s is a number format; B is a key */
  g_autofree char *tooltip = g_strdup_printf (_("Dragging Paints %s (B)"), label);

  gtk_widget_set_tooltip_text (self->brush_button, tooltip);
}

static void selection_changed_cb (TareMapView *self);

static void
lay_out_anew (TareMapView *self)
{
  g_clear_handle_id (&self->refresh, g_source_remove);
  self->syncing = TRUE;
  lay_out (self);
  self->syncing = FALSE;
  fill (self);
  selection_changed_cb (self);
}

/* Activations are shown where the recipe rounds them, and where somebody wants to; TRUE if that is
 * another answer than before. */
static gboolean
update_sites (TareMapView *self)
{
  gboolean rounds = tare_recipe_rounds_activations (tare_session_get_recipe (self->session));
  gboolean possible = tare_session_get_n_sites (self->session) > 0;
  gboolean shown = possible && (rounds || self->sites_wanted);
  gboolean changed = shown != self->sites_shown;

  self->sites_shown = shown;
  self->syncing = TRUE;
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (self->sites_button), shown);
  self->syncing = FALSE;
  gtk_widget_set_sensitive (self->sites_button, possible && !rounds);
  gtk_widget_set_tooltip_text (self->sites_button,
                               rounds ? _("The Recipe Rounds Activations")
                                      : _("Show Activations and the KV Cache"));

  return changed;
}

static void
sites_toggled_cb (TareMapView *self)
{
  guint n;

  if (self->syncing || self->session == NULL)
    return;

  self->sites_wanted = gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (self->sites_button));
  tare_session_get_site_selection (self->session, &n);
  /* What is selected goes only where it is out of sight from now on. */
  if (!self->sites_wanted && n > 0)
    tare_session_set_site_selection (self->session, NULL, 0);
  if (update_sites (self))
    lay_out_anew (self);
}

static void
recipe_changed_cb (TareMapView *self)
{
  g_clear_handle_id (&self->refresh, g_source_remove);
  update_brush (self);
  if (update_sites (self))
    lay_out_anew (self);
  else
    fill (self);
}

static void
selection_changed_cb (TareMapView *self)
{
  guint n;
  const guint *selection = tare_session_get_selection (self->session, &n);
  g_autoptr(GArray) cells = g_array_new (FALSE, FALSE, sizeof (guint));

  if (self->syncing)
    return;

  for (guint i = 0; i < n; i++)
    if (selection[i] < self->cells->len
        && get_index (self->cells, selection[i]) != TARE_FORMAT_MAP_NO_CELL)
      g_array_append_val (cells, g_array_index (self->cells, guint, selection[i]));
  tare_map_sites_select (&self->sites, cells);

  self->syncing = TRUE;
  tare_format_map_set_selection (self->map, (const guint *) cells->data, cells->len);
  self->syncing = FALSE;
}

static void
model_changed_cb (TareMapView *self)
{
  update_sites (self);
  lay_out_anew (self);
}

/* --- what the user does to the map --- */

/* The layers of some cells, those that share a cell included. */
static GArray *
list_layers (TareMapView *self,
             const guint *cells,
             guint        n)
{
  g_autoptr(GArray) layers = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autofree gboolean *wanted = g_new0 (gboolean, MAX (self->layers->len, 1));

  for (guint i = 0; i < n; i++)
    if (cells[i] < self->layers->len)
      wanted[cells[i]] = TRUE;
  for (guint i = 0; i < self->cells->len; i++)
    if (get_index (self->cells, i) != TARE_FORMAT_MAP_NO_CELL
        && wanted[get_index (self->cells, i)])
      g_array_append_val (layers, i);

  return g_steal_pointer (&layers);
}

static void
map_selection_changed_cb (TareMapView *self)
{
  g_autofree guint *cells = NULL;
  g_autoptr(GArray) layers = NULL;
  g_autoptr(GArray) sites = NULL;
  guint n;

  if (self->syncing || self->session == NULL)
    return;

  cells = tare_format_map_dup_selection (self->map, &n);
  layers = list_layers (self, cells, n);
  sites = tare_map_sites_list (&self->sites, cells, n);
  self->syncing = TRUE;
  if (sites->len > 0)
    tare_session_set_site_selection (self->session, (const guint *) sites->data, sites->len);
  else
    tare_session_set_selection (self->session, (const guint *) layers->data, layers->len);
  self->syncing = FALSE;
}

/* Shows at once what the recipe will say when the stroke is over. */
static void
painting_cb (TareMapView *self,
             guint        position)
{
  TareAssignment brush = tare_session_get_brush (self->session);
  TareFormatCell cell = { .present = TRUE, .stale = TRUE };
  TareLayer *layer;
  const TareTensor *tensor;
  const TareFormat *format;
  g_autofree char *label = NULL;

  tare_map_sites_paint (&self->sites, self->map, shows_bits (self), position);
  if (position >= self->layers->len
      || get_index (self->layers, position) == TARE_FORMAT_MAP_NO_CELL)
    return;

  layer = tare_session_get_layer (self->session, get_index (self->layers, position));
  if (tare_layer_get_assignment (layer).locked)
    return;

  tensor = tare_layer_get_tensor (layer);
  format = brush.format != NULL ? tare_format_fit (brush.format, tensor->columns)
                                : tensor->format;
  cell.value = format != NULL && shows_bits (self)
                 ? tare_format_get_bits_per_weight (format, tensor->rows, tensor->columns)
                 : (double) NAN;
  label = self->measure->write (cell.value);
  cell.label = label;
  cell.mark = tare_map_view_get_mark (format);
  tare_format_map_set_cell (self->map, position, &cell);
}

static void
painted_cb (TareMapView *self,
            const guint *cells,
            guint        n)
{
  TareAssignment brush = tare_session_get_brush (self->session);
  TareAssignment site_brush = tare_session_get_site_brush (self->session);
  g_autoptr(GArray) layers = list_layers (self, cells, n);
  g_autoptr(GArray) sites = tare_map_sites_list (&self->sites, cells, n);

  tare_session_assign (self->session, (const guint *) layers->data, layers->len, &brush);
  tare_session_assign_sites (self->session, (const guint *) sites->data, sites->len, &site_brush,
                             NULL);
  /* Where nothing changed, what was painted over comes back. */
  queue_refresh (self);
}

static void
bits_requested_cb (TareMapView *self,
                   guint        bits)
{
  TareAssignment brush = tare_session_get_brush (self->session);
  const TareFormat *format = tare_map_view_format_for_bits (bits);
  guint n, n_sites;
  const guint *selection = tare_session_get_selection (self->session, &n);

  tare_session_get_site_selection (self->session, &n_sites);
  if (n_sites > 0 && tare_map_sites_set_bits (&self->sites, bits))
    return;
  if (format == NULL || n_sites > 0)
    {
      gtk_widget_error_bell (GTK_WIDGET (self));
      return;
    }
  brush.format = format;
  tare_session_set_brush (self->session, &brush);
  update_brush (self);
  if (n > 0)
    {
      g_autofree guint *indices = g_memdup2 (selection, n * sizeof (guint));

      tare_session_assign (self->session, indices, n, &brush);
    }
}

/* Only what is folded opens. */
static void
cell_activated_cb (TareMapView *self,
                   guint        cell)
{
  guint index = cell < self->layers->len ? get_index (self->layers, cell)
                                         : TARE_FORMAT_MAP_NO_CELL;

  if (index != TARE_FORMAT_MAP_NO_CELL)
    tare_map_experts_open (self->map, cell, self->session,
                           tare_session_get_layer (self->session, index));
}

static void
measure_changed_cb (TareMapView *self)
{
  guint selected = gtk_drop_down_get_selected (self->measure_drop);

  if (selected >= tare_map_measure_get_n_measures () || self->session == NULL)
    return;

  self->measure = tare_map_measure_get (selected);
  fill (self);
}

static void
tare_map_view_dispose (GObject *object)
{
  TareMapView *self = (TareMapView *) object;
  g_autoptr(TareSession) session = g_steal_pointer (&self->session);

  g_clear_handle_id (&self->refresh, g_source_remove);
  self->syncing = TRUE;
  gtk_widget_dispose_template (GTK_WIDGET (self), TARE_TYPE_MAP_VIEW);

  G_OBJECT_CLASS (tare_map_view_parent_class)->dispose (object);
}

static void
tare_map_view_finalize (GObject *object)
{
  TareMapView *self = (TareMapView *) object;

  g_clear_pointer (&self->cells, g_array_unref);
  g_clear_pointer (&self->layers, g_array_unref);
  tare_map_sites_clear (&self->sites);

  G_OBJECT_CLASS (tare_map_view_parent_class)->finalize (object);
}

static void
tare_map_view_class_init (TareMapViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = tare_map_view_dispose;
  object_class->finalize = tare_map_view_finalize;

  g_type_ensure (TARE_TYPE_FORMAT_MAP);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/tare/Tare/tare-map-view.ui");
  gtk_widget_class_bind_template_child (widget_class, TareMapView, measure_drop);
  gtk_widget_class_bind_template_child (widget_class, TareMapView, sites_button);
  gtk_widget_class_bind_template_child (widget_class, TareMapView, brush_button);
  gtk_widget_class_bind_template_child (widget_class, TareMapView, map);
  gtk_widget_class_bind_template_callback (widget_class, measure_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, sites_toggled_cb);
}

static void
tare_map_view_init (TareMapView *self)
{
  g_autoptr(GtkStringList) labels = gtk_string_list_new (NULL);

  self->measure = tare_map_measure_get (0);
  self->cells = g_array_new (FALSE, FALSE, sizeof (guint));
  self->layers = g_array_new (FALSE, FALSE, sizeof (guint));
  tare_map_sites_init (&self->sites);
  gtk_widget_init_template (GTK_WIDGET (self));

  for (gsize i = 0; i < tare_map_measure_get_n_measures (); i++)
    gtk_string_list_append (labels, _(tare_map_measure_get (i)->label));
  gtk_drop_down_set_model (self->measure_drop, G_LIST_MODEL (labels));
  tare_format_map_set_stale_name (self->map, _("not yet measured"));

  g_signal_connect_object (self->map, "selection-changed", G_CALLBACK (map_selection_changed_cb),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->map, "painting", G_CALLBACK (painting_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->map, "painted", G_CALLBACK (painted_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->map, "cell-activated", G_CALLBACK (cell_activated_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->map, "bits-requested", G_CALLBACK (bits_requested_cb), self,
                           G_CONNECT_SWAPPED);
}

/**
 * tare_map_view_set_session:
 * @self: the view
 * @session: what to show; to be set once
 */
void
tare_map_view_set_session (TareMapView *self,
                           TareSession *session)
{
  g_return_if_fail (TARE_IS_MAP_VIEW (self));
  g_return_if_fail (self->session == NULL);

  self->session = g_object_ref (session);
  g_signal_connect_object (session, "model-changed", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "recipe-changed", G_CALLBACK (recipe_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "selection-changed", G_CALLBACK (selection_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "layer-changed", G_CALLBACK (queue_refresh), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "calibration-changed", G_CALLBACK (queue_refresh), self,
                           G_CONNECT_SWAPPED);
  model_changed_cb (self);
  update_brush (self);
}

/**
 * tare_map_view_get_map:
 * @self: the view
 *
 * Returns: (transfer none): the widget that draws
 */
TareFormatMap *
tare_map_view_get_map (TareMapView *self)
{
  g_return_val_if_fail (TARE_IS_MAP_VIEW (self), NULL);

  return self->map;
}

/**
 * tare_map_view_get_cell:
 * @self: the view
 * @layer: index of a layer
 *
 * Returns: its cell, or %TARE_FORMAT_MAP_NO_CELL where the map does not show it
 */
guint
tare_map_view_get_cell (TareMapView *self,
                        guint        layer)
{
  g_return_val_if_fail (TARE_IS_MAP_VIEW (self), TARE_FORMAT_MAP_NO_CELL);

  return layer < self->cells->len ? get_index (self->cells, layer) : TARE_FORMAT_MAP_NO_CELL;
}

/**
 * tare_map_view_get_site_cell:
 * @self: the view
 * @site: index of activations
 *
 * Returns: their cell, or %TARE_FORMAT_MAP_NO_CELL while the map does not show them
 */
guint
tare_map_view_get_site_cell (TareMapView *self,
                             guint        site)
{
  g_return_val_if_fail (TARE_IS_MAP_VIEW (self), TARE_FORMAT_MAP_NO_CELL);

  return site < self->sites.cells->len ? get_index (self->sites.cells, site)
                                       : TARE_FORMAT_MAP_NO_CELL;
}

/**
 * tare_map_view_get_sites_button:
 * @self: the view
 *
 * Returns: (transfer none): the button that shows activations below the weights
 */
GtkWidget *
tare_map_view_get_sites_button (TareMapView *self)
{
  g_return_val_if_fail (TARE_IS_MAP_VIEW (self), NULL);

  return self->sites_button;
}

/**
 * tare_map_view_set_measure:
 * @self: the view
 * @id: "bits", "error", "outliers" or "sensitivity"
 *
 * Shows this by colour.
 */
void
tare_map_view_set_measure (TareMapView *self,
                           const char  *id)
{
  g_return_if_fail (TARE_IS_MAP_VIEW (self));

  for (guint i = 0; i < tare_map_measure_get_n_measures (); i++)
    if (g_str_equal (tare_map_measure_get (i)->id, id))
      gtk_drop_down_set_selected (self->measure_drop, i);
}

/* The better of two formats with as many bits: what llama.cpp reads, of that the K-quants. */
static int
rank (const TareFormat *format)
{
  return (format->containers & TARE_CONTAINER_GGUF ? 2 : 0)
         + (format->family == TARE_FORMAT_FAMILY_K_QUANT ? 1 : 0);
}

/**
 * tare_map_view_format_for_bits:
 * @bits: of one code
 *
 * Returns: (nullable): what a number key stands for: the first format with that many bits, those
 *   that GGUF holds before others, of these the K-quants; %NULL where there is none
 */
const TareFormat *
tare_map_view_format_for_bits (guint bits)
{
  const TareFormat *best = NULL;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);

      if (format->bits == bits && (best == NULL || rank (format) > rank (best)))
        best = format;
    }

  return best;
}
