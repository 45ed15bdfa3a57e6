/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/formats/tare-format.h"

#include <math.h>

#include "quant/formats/tare-format-private.h"
#include "quant/tare-error.h"

/**
 * tare_format_has_parts:
 * @self: a format
 *
 * Returns: whether an encoded matrix can be taken apart: integers, minifloats, microscaling and
 *   fixed codebooks whose scales are stored as they are
 */
gboolean
tare_format_has_parts (const TareFormat *self)
{
  return self->klass->take_apart != NULL && !self->along_outputs;
}

/**
 * tare_parts_new:
 * @self: a format
 * @rows: outputs
 * @columns: inputs
 *
 * Returns: (transfer full): room for the parts of a matrix, all zero, with a tensor scale of 1
 */
TareParts *
tare_parts_new (const TareFormat *self,
                gsize             rows,
                gsize             columns)
{
  TareParts *parts = g_new0 (TareParts, 1);
  gsize n_scales;

  parts->rows = rows;
  parts->columns = columns;
  parts->group = self->group != 0 && !self->per_tensor ? self->group : columns;
  parts->n_groups = columns == 0 ? 0 : (columns - 1) / parts->group + 1;
  parts->tensor_scale = 1.0f;

  n_scales = self->per_tensor ? 1 : rows * parts->n_groups;
  parts->codes = g_new0 (gint16, MAX (rows * columns, 1));
  parts->scales = g_new0 (float, MAX (n_scales, 1));
  if (self->asymmetric)
    parts->zeros = g_new0 (gint16, MAX (n_scales, 1));

  return parts;
}

/**
 * tare_parts_free:
 * @self: (transfer full) (nullable): parts from tare_parts_new()
 */
void
tare_parts_free (TareParts *self)
{
  if (self == NULL)
    return;

  g_free (self->codes);
  g_free (self->scales);
  g_free (self->zeros);
  g_free (self);
}

gboolean
_tare_parts_fail_code (const TareFormat  *self,
                       const TareParts   *parts,
                       gsize              index,
                       GError           **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "row %" G_GSIZE_FORMAT ", column %" G_GSIZE_FORMAT ": %s has no code %d",
               index / parts->columns, index % parts->columns, self->label, parts->codes[index]);

  return FALSE;
}

/* Also of a zero point, which has the scale's place. */
gboolean
_tare_parts_fail_scale (const TareFormat  *self,
                        const TareParts   *parts,
                        gsize              index,
                        GError           **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID,
               "row %" G_GSIZE_FORMAT ", group %" G_GSIZE_FORMAT ": %s cannot store the scale %g%s",
               index / parts->n_groups, index % parts->n_groups, self->label,
               (double) parts->scales[index], parts->zeros != NULL ? " and its zero point" : "");

  return FALSE;
}

static gboolean
check_parts (const TareFormat  *self,
             const TareParts   *parts,
             GError           **error)
{
  if (tare_format_has_parts (self) && (parts->zeros != NULL) == self->asymmetric)
    return TRUE;

  g_set_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED,
               "%s cannot be taken apart into codes%s", self->label,
               parts->zeros != NULL ? ", scales and zero points" : " and scales");

  return FALSE;
}

/**
 * tare_format_take_apart:
 * @self: a format with parts
 * @codes: an encoded matrix, tare_format_get_bytes()
 * @parts: room from tare_parts_new() for a matrix of that shape
 * @error: set to %TARE_ERROR_UNSUPPORTED where the format has no parts
 *
 * Takes an encoded matrix apart into numbers, see #TareParts.
 *
 * Returns: whether it was done
 */
gboolean
tare_format_take_apart (const TareFormat  *self,
                        const guint8      *codes,
                        TareParts         *parts,
                        GError           **error)
{
  if (!check_parts (self, parts, error))
    return FALSE;

  self->klass->take_apart (self, codes, parts);

  return TRUE;
}

/**
 * tare_format_put_together:
 * @self: a format with parts
 * @parts: of a matrix whose columns the format accepts
 * @codes: (out caller-allocates): tare_format_get_bytes()
 * @error: set to %TARE_ERROR_UNSUPPORTED where the format has no parts, or to %TARE_ERROR_INVALID
 *   with the place of a code or a scale that it cannot store exactly
 *
 * The opposite of tare_format_take_apart(), to the byte; nothing is rounded.
 *
 * Returns: whether it was done
 */
gboolean
tare_format_put_together (const TareFormat  *self,
                          const TareParts   *parts,
                          guint8            *codes,
                          GError           **error)
{
  g_return_val_if_fail (tare_format_accepts (self, parts->columns), FALSE);

  return check_parts (self, parts, error) && self->klass->put_together (self, parts, codes, error);
}
