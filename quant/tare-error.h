/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define TARE_ERROR (tare_error_quark ())

/**
 * TareError:
 * @TARE_ERROR_INVALID: a file, a text or an argument breaks its specification
 * @TARE_ERROR_UNSUPPORTED: well formed, but nothing here can do it
 * @TARE_ERROR_NOT_FINITE: a weight or an activation is NaN or infinite
 * @TARE_ERROR_LIMIT: a size that neither the file nor the machine warrants
 *
 * Every message is one line that names the place: the file, then the tensor, offset or key.
 */
typedef enum
{
  TARE_ERROR_INVALID,
  TARE_ERROR_UNSUPPORTED,
  TARE_ERROR_NOT_FINITE,
  TARE_ERROR_LIMIT,
} TareError;

GQuark tare_error_quark (void);

G_END_DECLS
