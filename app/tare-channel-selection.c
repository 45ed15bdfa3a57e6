/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-channel-selection.h"

struct _TareChannelSelection
{
  GObject  parent_instance;

  guint64  counts[TARE_CHANNEL_N];
  GArray  *selected[TARE_CHANNEL_N];  /* of guint, in the order in which they were picked */
};

enum
{
  CHANGED,
  N_SIGNALS
};

G_DEFINE_FINAL_TYPE (TareChannelSelection, tare_channel_selection, G_TYPE_OBJECT)

static guint signals[N_SIGNALS];

static void
tare_channel_selection_finalize (GObject *object)
{
  TareChannelSelection *self = (TareChannelSelection *) object;

  for (guint kind = 0; kind < TARE_CHANNEL_N; kind++)
    g_array_unref (self->selected[kind]);

  G_OBJECT_CLASS (tare_channel_selection_parent_class)->finalize (object);
}

static void
tare_channel_selection_class_init (TareChannelSelectionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tare_channel_selection_finalize;

  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                   NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
tare_channel_selection_init (TareChannelSelection *self)
{
  for (guint kind = 0; kind < TARE_CHANNEL_N; kind++)
    self->selected[kind] = g_array_new (FALSE, FALSE, sizeof (guint));
}

/**
 * tare_channel_selection_new:
 *
 * Returns: (transfer full): a selection of none
 */
TareChannelSelection *
tare_channel_selection_new (void)
{
  return g_object_new (TARE_TYPE_CHANNEL_SELECTION, NULL);
}

/**
 * tare_channel_selection_set_count:
 * @self: the selection
 * @kind: of channels
 * @count: how many the layer has that is looked at
 *
 * The selected ones stay only if the layer before had as many.
 */
void
tare_channel_selection_set_count (TareChannelSelection *self,
                                  TareChannel           kind,
                                  guint64               count)
{
  g_return_if_fail (TARE_IS_CHANNEL_SELECTION (self) && kind < TARE_CHANNEL_N);

  if (self->counts[kind] == count)
    return;

  self->counts[kind] = count;
  if (self->selected[kind]->len == 0)
    return;

  g_array_set_size (self->selected[kind], 0);
  g_signal_emit (self, signals[CHANGED], 0);
}

/**
 * tare_channel_selection_get:
 * @self: the selection
 * @kind: of channels
 * @n: (out): how many are selected
 *
 * Returns: (transfer none) (array length=n): their indices
 */
const guint *
tare_channel_selection_get (TareChannelSelection *self,
                            TareChannel           kind,
                            guint                *n)
{
  g_return_val_if_fail (TARE_IS_CHANNEL_SELECTION (self) && kind < TARE_CHANNEL_N, NULL);

  *n = self->selected[kind]->len;

  return (const guint *) (gpointer) self->selected[kind]->data;
}

static guint
find (const GArray *selected,
      guint         channel)
{
  guint i = 0;

  while (i < selected->len && g_array_index (selected, guint, i) != channel)
    i++;

  return i;
}

/**
 * tare_channel_selection_pick:
 * @self: the selection
 * @kind: of channels
 * @channel: one of them
 * @state: what keys are held
 *
 * A channel was clicked: it alone is selected, or none where it was so already. With Control or
 * Shift it joins the others, or leaves them.
 */
void
tare_channel_selection_pick (TareChannelSelection *self,
                             TareChannel           kind,
                             guint                 channel,
                             GdkModifierType       state)
{
  GArray *selected;
  guint at;
  gboolean alone;

  g_return_if_fail (TARE_IS_CHANNEL_SELECTION (self) && kind < TARE_CHANNEL_N);

  selected = self->selected[kind];
  at = find (selected, channel);
  alone = selected->len == 1 && at == 0;
  if ((state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK)) == 0)
    {
      g_array_set_size (selected, 0);
      if (!alone)
        g_array_append_val (selected, channel);
    }
  else if (at < selected->len)
    g_array_remove_index (selected, at);
  else
    g_array_append_val (selected, channel);
  g_signal_emit (self, signals[CHANGED], 0);
}

/* What a plot is asked and told. */
typedef struct
{
  TareChannelSelection *selection;
  TareChannel           kind;
  TarePlot             *plot;
} Attachment;

static void
show (Attachment *self)
{
  GArray *selected = self->selection->selected[self->kind];

  tare_plot_set_selected (self->plot, (const guint *) (gpointer) selected->data, selected->len);
}

static void
activated_cb (TarePlot        *plot,
              guint            id,
              GdkModifierType  state,
              Attachment      *self)
{
  tare_channel_selection_pick (self->selection, self->kind, id, state);
}

static void
plot_gone_cb (gpointer  data,
              GObject  *plot)
{
  Attachment *self = data;

  g_signal_handlers_disconnect_by_data (self->selection, self);
  g_object_unref (self->selection);
  g_free (self);
}

/**
 * tare_channel_selection_attach:
 * @self: the selection
 * @kind: of channels
 * @plot: a plot whose points are channels, by their ids
 *
 * The plot shows what is selected, and selects what is clicked, as long as it lives.
 */
void
tare_channel_selection_attach (TareChannelSelection *self,
                               TareChannel           kind,
                               TarePlot             *plot)
{
  Attachment *attachment;

  g_return_if_fail (TARE_IS_CHANNEL_SELECTION (self) && kind < TARE_CHANNEL_N);
  g_return_if_fail (TARE_IS_PLOT (plot));

  attachment = g_new0 (Attachment, 1);
  attachment->selection = g_object_ref (self);
  attachment->kind = kind;
  attachment->plot = plot;
  g_object_weak_ref (G_OBJECT (plot), plot_gone_cb, attachment);
  g_signal_connect (plot, "point-activated", G_CALLBACK (activated_cb), attachment);
  g_signal_connect_swapped (self, "changed", G_CALLBACK (show), attachment);
  show (attachment);
}
