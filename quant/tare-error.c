/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-error.h"

G_DEFINE_QUARK (tare-error-quark, tare_error)
