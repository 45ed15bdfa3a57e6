/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "widgets/tare-plot.h"

G_BEGIN_DECLS

/**
 * TareChannel:
 * @TARE_CHANNEL_OUTPUT: a row of a matrix
 * @TARE_CHANNEL_INPUT: a column of it
 * @TARE_CHANNEL_N: how many kinds there are
 */
typedef enum
{
  TARE_CHANNEL_OUTPUT,
  TARE_CHANNEL_INPUT,
  TARE_CHANNEL_N
} TareChannel;

/**
 * TareChannelSelection:
 *
 * Channels that a person has set apart in one chart and wants to see in all. They stay when another
 * layer is selected that has as many of them: most layers read and write the same stream.
 *
 * "changed": other channels are selected
 */
#define TARE_TYPE_CHANNEL_SELECTION (tare_channel_selection_get_type ())
G_DECLARE_FINAL_TYPE (TareChannelSelection, tare_channel_selection, TARE, CHANNEL_SELECTION,
                      GObject)

TareChannelSelection *tare_channel_selection_new       (void);
void                  tare_channel_selection_set_count (TareChannelSelection *self,
                                                        TareChannel           kind,
                                                        guint64               count);
const guint          *tare_channel_selection_get       (TareChannelSelection *self,
                                                        TareChannel           kind,
                                                        guint                *n);
void                  tare_channel_selection_pick      (TareChannelSelection *self,
                                                        TareChannel           kind,
                                                        guint                 channel,
                                                        GdkModifierType       state);
void                  tare_channel_selection_attach    (TareChannelSelection *self,
                                                        TareChannel           kind,
                                                        TarePlot             *plot);

G_END_DECLS
