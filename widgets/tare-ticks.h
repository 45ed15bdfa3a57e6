/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Room for as many ticks as any axis asks for, minor ones included. */
#define TARE_TICKS_MAX 128

/* Bytes that the label of a tick or an exact number takes at most. */
#define TARE_TICK_LABEL_SIZE 64

/**
 * TareTick:
 * @value: where it stands, in the units of the data
 * @minor: %TRUE for a mark that bears no label
 * @label: its text, empty for a minor tick
 */
typedef struct
{
  double   value;
  gboolean minor;
  char     label[TARE_TICK_LABEL_SIZE];
} TareTick;

double tare_ticks_step         (double    span,
                                guint     most);
guint  tare_ticks_make_linear  (double    minimum,
                                double    maximum,
                                guint     most,
                                TareTick *ticks);
guint  tare_ticks_make_log     (double    minimum,
                                double    maximum,
                                guint     most,
                                TareTick *ticks);
guint  tare_ticks_make_symlog  (double    minimum,
                                double    maximum,
                                double    threshold,
                                guint     most,
                                TareTick *ticks);
void   tare_ticks_append_power (GString  *string,
                                int       exponent);
void   tare_ticks_format       (double    value,
                                double    step,
                                double    largest,
                                char     *label);
void   tare_ticks_format_exact (double    value,
                                char     *label);

G_END_DECLS
