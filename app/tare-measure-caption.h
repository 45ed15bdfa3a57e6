/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-measurements.h"

G_BEGIN_DECLS

char *tare_measure_caption_of_default (TareMeasurements  *measurements,
                                       const char        *text,
                                       guint              known);
char *tare_measure_caption_of         (TareMeasurements  *measurements,
                                       const TareMeasure *measure,
                                       const char        *text,
                                       guint              known);

G_END_DECLS
