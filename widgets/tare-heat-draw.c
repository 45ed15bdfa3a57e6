/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "widgets/tare-heat-private.h"

#include <math.h>
#include <string.h>

#include "widgets/tare-colormap.h"
#include "widgets/tare-digits-private.h"
#include "widgets/tare-ink-private.h"

/* Pixels around a value that is printed in its cell. */
#define CELL_PADDING 3.0

/* Half the width of the mark of a row or a column at the edge, in pixels. */
#define MARK 6

/* A picture is no larger than this along a side, whatever it is drawn on. */
#define MOST_PIXELS 4096

static Source *
source_ref (Source *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
_tare_heat_source_unref (Source *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  if (self->destroy != NULL)
    self->destroy (self->data);
  g_free (self);
}

static View *
view_new (const TareHeatArea *area)
{
  View *self = g_new0 (View, 1);

  self->area = *area;
  self->values = g_new (float, (gsize) area->width * area->height);

  return self;
}

void
_tare_heat_view_free (View *self)
{
  g_free (self->values);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (View, _tare_heat_view_free)

static gboolean
same_area (const TareHeatArea *a,
           const TareHeatArea *b)
{
  return a->row == b->row && a->n_rows == b->n_rows && a->column == b->column
         && a->n_columns == b->n_columns && a->width == b->width && a->height == b->height;
}

double
_tare_heat_get_shown (TareHeatPlot *self,
                      float         value)
{
  return self->is_signed ? (double) value : fabs ((double) value);
}

/* Fills a view, in any thread. */
static void
view_fill (View         *self,
           Source       *source,
           GCancellable *cancellable)
{
  gsize n = (gsize) self->area.width * self->area.height;
  guint32 greatest = 0;

  self->state = source->func (source->data, &self->area, cancellable, self->values);

  /* Without its sign a float compares as an integer. */
  for (gsize i = 0; i < n; i++)
    {
      guint32 bits;

      memcpy (&bits, self->values + i, sizeof bits);
      bits &= 0x7fffffff;
      greatest = bits > greatest ? bits : greatest;
    }
  for (self->greatest = 0; self->greatest + 1 < n; self->greatest++)
    {
      guint32 bits;

      memcpy (&bits, self->values + self->greatest, sizeof bits);
      if ((bits & 0x7fffffff) == greatest)
        break;
    }
}

/* The data of one thread that looks. */
typedef struct
{
  Source *source;
  View   *view;
} Look;

static void
look_free (Look *look)
{
  _tare_heat_source_unref (look->source);
  g_clear_pointer (&look->view, _tare_heat_view_free);
  g_free (look);
}

static void
look_thread (GTask        *task,
             gpointer      object,
             gpointer      data,
             GCancellable *cancellable)
{
  Look *look = data;

  view_fill (look->view, look->source, cancellable);
  g_task_return_boolean (task, TRUE);
}

static void
looked_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      data)
{
  TareHeatPlot *self = (TareHeatPlot *) object;
  GTask *task = G_TASK (result);
  Look *look = g_task_get_task_data (task);

  if (g_task_get_cancellable (task) != self->looking)
    return;

  g_clear_object (&self->looking);
  if (look->view->state == TARE_HEAT_STATE_NONE)
    return;

  g_clear_pointer (&self->view, _tare_heat_view_free);
  self->view = g_steal_pointer (&look->view);
  g_clear_object (&self->texture);
  tare_plot_changed (TARE_PLOT (self));
}

void
_tare_heat_stop (TareHeatPlot *self)
{
  if (self->looking != NULL)
    g_cancellable_cancel (self->looking);
  g_clear_object (&self->looking);
}

/* Fetches in a thread what is not at hand. */
static void
look_up (TareHeatPlot       *self,
         const TareHeatArea *area)
{
  g_autoptr(GTask) task = NULL;
  Look *look;

  _tare_heat_stop (self);
  self->looking = g_cancellable_new ();
  self->asked = *area;
  look = g_new0 (Look, 1);
  look->source = source_ref (self->source);
  look->view = view_new (area);

  task = g_task_new (self, self->looking, looked_cb, NULL);
  g_task_set_source_tag (task, look_up);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, look, (GDestroyNotify) look_free);
  g_task_run_in_thread (task, look_thread);
}

/* Sees to it that the view is of @area, as good as it can be had at once. */
static void
update_view (TareHeatPlot       *self,
             const TareHeatArea *area,
             gboolean            wait)
{
  g_autoptr(GCancellable) patience = wait ? g_cancellable_new () : NULL;
  g_autoptr(View) view = NULL;

  if (self->view != NULL && same_area (&self->view->area, area)
      && (self->view->state == TARE_HEAT_STATE_EXACT || (self->looking != NULL && !wait)))
    return;

  view = view_new (area);
  view_fill (view, self->source, patience);
  if (view->state != TARE_HEAT_STATE_EXACT
      && (self->looking == NULL || !same_area (&self->asked, area)))
    look_up (self, area);
  else if (view->state == TARE_HEAT_STATE_EXACT)
    _tare_heat_stop (self);

  /* An old picture in the right place is better than none. */
  if (view->state == TARE_HEAT_STATE_NONE)
    return;

  g_clear_pointer (&self->view, _tare_heat_view_free);
  self->view = g_steal_pointer (&view);
  g_clear_object (&self->texture);
}

/* The elements that a range of an axis shows, of @n: they lie about whole numbers. */
static void
get_part (TareAxis *axis,
          guint64   n,
          guint64  *first,
          guint64  *count)
{
  double lower, upper;

  tare_axis_get_range (axis, &lower, &upper);
  *first = (guint64) CLAMP (floor (lower + 0.5), 0.0, (double) n - 1.0);
  *count = (guint64) CLAMP (ceil (upper + 0.5), (double) *first + 1.0, (double) n) - *first;
}

static void
make_area (TareHeatPlot        *self,
           const TarePlotFrame *frame,
           TareHeatArea        *area)
{
  double width = MIN (ceil (frame->width * frame->scale), MOST_PIXELS);
  double height = MIN (ceil (frame->height * frame->scale), MOST_PIXELS);

  get_part (frame->y, self->source->rows, &area->row, &area->n_rows);
  get_part (frame->x, self->source->columns, &area->column, &area->n_columns);
  area->width = (guint) MIN (MAX (width, 1.0), (double) area->n_columns);
  area->height = (guint) MIN (MAX (height, 1.0), (double) area->n_rows);
}

/* Which value of a view's line each of @n pixels shows, or -1. */
static void
place_pixels (TareAxis *axis,
              guint64   first,
              guint64   count,
              guint     values,
              gboolean  downwards,
              int       n,
              int      *places)
{
  for (int i = 0; i < n; i++)
    {
      double part = (i + 0.5) / n;
      double element = floor (tare_axis_denormalize (axis, downwards ? 1.0 - part : part) + 0.5)
                       - (double) first;

      places[i] = element < 0.0 || element >= (double) count
                    ? -1 : (int) _tare_heat_find ((guint64) element, count, values);
    }
}

/* @magnitudes: (out): room for @n values */
static void
color_line (TareHeatPlot *self,
            const float  *values,
            gsize         n,
            gboolean      dark,
            float        *magnitudes,
            guint32      *colors)
{
  for (gsize i = 0; i < n && !self->is_signed; i++)
    magnitudes[i] = fabsf (values[i]);
  tare_color_scale_map (self->scale, self->is_signed ? values : magnitudes, n, dark, colors);

  /* Where every element has a name, one without a value is left out. */
  for (gsize i = 0; i < n && self->labels[0] != NULL; i++)
    if (isnan (values[i]))
      colors[i] = 0;
}

static void
paint (TareHeatPlot        *self,
       const TarePlotFrame *frame,
       int                  width,
       int                  height)
{
  const TareHeatArea *area = &self->view->area;
  g_autofree float *magnitudes = g_new (float, area->width);
  g_autofree guint32 *colors = g_new (guint32, area->width);
  g_autofree int *across = g_new (int, width);
  g_autofree int *down = g_new (int, height);
  gsize line_size = (gsize) width * sizeof (guint32);
  guint32 *pixels = g_malloc (line_size * (gsize) height);

  place_pixels (frame->x, area->column, area->n_columns, area->width, FALSE, width, across);
  place_pixels (frame->y, area->row, area->n_rows, area->height, TRUE, height, down);
  for (int y = 0; y < height; y++)
    {
      guint32 *line = pixels + (gsize) y * (gsize) width;

      if (y > 0 && down[y] == down[y - 1])
        {
          memcpy (line, line - width, line_size);
          continue;
        }
      if (down[y] < 0)
        {
          memset (line, 0, line_size);
          continue;
        }
      color_line (self, self->view->values + (gsize) down[y] * area->width, area->width,
                  frame->dark, magnitudes, colors);
      for (int x = 0; x < width; x++)
        line[x] = across[x] >= 0 ? colors[across[x]] : 0;
    }

  self->texture = _tare_ink_picture (pixels, width, height);
}

/* Whether the picture that was last drawn serves. */
static gboolean
is_drawn (TareHeatPlot        *self,
          const TarePlotFrame *frame,
          int                  width,
          int                  height)
{
  double ranges[4];

  tare_axis_get_range (frame->x, &ranges[0], &ranges[1]);
  tare_axis_get_range (frame->y, &ranges[2], &ranges[3]);
  if (self->texture != NULL && self->size[0] == width && self->size[1] == height
      && self->dark == frame->dark && memcmp (ranges, self->drawn, sizeof ranges) == 0)
    return TRUE;

  g_clear_object (&self->texture);
  memcpy (self->drawn, ranges, sizeof ranges);
  self->size[0] = width;
  self->size[1] = height;
  self->dark = frame->dark;

  return FALSE;
}

/* How many digits of a value a cell has room for; 0 for none. */
static int
count_digits (const TareDigits *digits,
              double            width,
              double            height)
{
  static const struct
  {
    int         digits;
    const char *widest;
  } forms[] = { { 4, "−0.00000000" }, { 3, "−0.00000" }, { 2, "−0.000" } };

  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    if (_tare_digits_measure (digits, forms[i].widest) + 2.0 * CELL_PADDING <= width
        && _tare_digits_get_height (digits) + 2.0 * CELL_PADDING <= height)
      return forms[i].digits;

  return 0;
}

/* @precision: significant digits, fewer of which are shown where the number is too long */
static void
draw_value (TareHeatPlot        *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame,
            const TareDigits    *digits,
            float                value,
            int                  precision,
            double               room,
            double               x,
            double               y)
{
  double shown = _tare_heat_get_shown (self, value), width;
  char text[TARE_TICK_LABEL_SIZE];
  GdkRGBA fill, ink;

  if (isnan (value) && self->labels[0] != NULL)
    return;

  tare_color_scale_get_color (self->scale, shown, frame->dark, &fill);
  tare_colormap_get_text (&fill, &ink);
  do
    {
      g_snprintf (text, sizeof text, "%s%.*g", shown < 0.0 ? "−" : "", precision, fabs (shown));
      width = _tare_digits_measure (digits, text);
    }
  while (width > room && --precision > 0);
  _tare_digits_append (digits, snapshot, text, &ink, floor (x - width / 2.0),
                       floor (y - _tare_digits_get_height (digits) / 2.0));
}

/* Prints the values into their cells, if these are large enough for it. */
static void
draw_values (TareHeatPlot        *self,
             GtkSnapshot         *snapshot,
             const TarePlotFrame *frame)
{
  const TareHeatArea *area = &self->view->area;
  g_autoptr(TareDigits) digits = NULL;
  double x_range[2], y_range[2], width;
  int precision;

  if (frame->layout == NULL || self->view->state != TARE_HEAT_STATE_EXACT
      || area->width != area->n_columns || area->height != area->n_rows)
    return;

  tare_axis_get_range (frame->x, &x_range[0], &x_range[1]);
  tare_axis_get_range (frame->y, &y_range[0], &y_range[1]);
  width = frame->width / (x_range[1] - x_range[0]);
  digits = _tare_digits_new (frame->layout);
  precision = count_digits (digits, width, frame->height / (y_range[1] - y_range[0]));
  if (precision == 0)
    return;

  for (guint row = 0; row < area->height; row++)
    for (guint column = 0; column < area->width; column++)
      draw_value (self, snapshot, frame, digits,
                  self->view->values[(gsize) row * area->width + column], precision,
                  width - CELL_PADDING,
                  tare_plot_frame_get_x (frame, (double) (area->column + column)),
                  tare_plot_frame_get_y (frame, (double) (area->row + row)));
}

/* Rings the greatest value in sight, which from afar is one pixel among a million. */
static void
draw_extreme (TareHeatPlot        *self,
              GtkSnapshot         *snapshot,
              const TarePlotFrame *frame)
{
  const TareHeatArea *area = &self->view->area;
  gsize greatest = self->view->greatest;
  double x, y;

  if (area->width == area->n_columns && area->height == area->n_rows)
    return;

  x = (double) area->column
      + ((double) (greatest % area->width) + 0.5) * (double) area->n_columns / area->width - 0.5;
  y = (double) area->row
      + ((double) (greatest / area->width) + 0.5) * (double) area->n_rows / area->height - 0.5;
  x = floor (tare_plot_frame_get_x (frame, x));
  y = floor (tare_plot_frame_get_y (frame, y));
  _tare_ink_ring (snapshot, &frame->background, x - 6.0, y - 6.0, 13.0, 13.0, 1.0);
  _tare_ink_ring (snapshot, &frame->accent, x - 5.0, y - 5.0, 11.0, 11.0, 1.0);
}

/* A triangle at the edge for every row and column that is set apart. */
static void
draw_marks (TareHeatPlot        *self,
            GtkSnapshot         *snapshot,
            const TarePlotFrame *frame)
{
  for (guint k = 0; k < 2; k++)
    for (guint i = 0; i < self->n_marked[k]; i++)
      {
        double at = (double) self->marked[k][i];
        double place = floor (k == 0 ? tare_plot_frame_get_y (frame, at)
                                     : tare_plot_frame_get_x (frame, at));

        if (place < 0.0 || place >= (k == 0 ? frame->height : frame->width))
          continue;
        for (guint line = 0; line < MARK; line++)
          {
            double length = 2.0 * (MARK - line) - 1.0, begin = place - (MARK - line) + 1.0;

            if (k == 0)
              _tare_ink_box (snapshot, &frame->accent, line, begin, 1.0, length);
            else
              _tare_ink_box (snapshot, &frame->accent, begin, line, length, 1.0);
          }
      }
}

void
_tare_heat_snapshot (TarePlot            *plot,
                     GtkSnapshot         *target,
                     const TarePlotFrame *frame)
{
  TareHeatPlot *self = (TareHeatPlot *) plot;
  int width = (int) CLAMP (ceil (frame->width * frame->scale), 1.0, MOST_PIXELS);
  int height = (int) CLAMP (ceil (frame->height * frame->scale), 1.0, MOST_PIXELS);
  TareHeatArea area;

  if (self->source == NULL)
    return;

  make_area (self, frame, &area);

  /* What goes into a file is as exact as can be. */
  update_view (self, &area, frame->exporting);
  if (self->view == NULL)
    return;

  if (!is_drawn (self, frame, width, height))
    paint (self, frame, width, height);
  gtk_snapshot_append_texture (target, self->texture,
                               &GRAPHENE_RECT_INIT (0.0f, 0.0f, (float) frame->width,
                                                    (float) frame->height));
  draw_extreme (self, target, frame);
  draw_values (self, target, frame);
  draw_marks (self, target, frame);
}
