/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-file.h"
#include "quant/tare-error.h"

G_BEGIN_DECLS

char     *_tare_file_quote      (const char  *text,
                                 gsize        length);
gboolean  _tare_file_fail       (TareFile    *self,
                                 GError     **error,
                                 TareError    code,
                                 const char  *format,
                                 ...) G_GNUC_PRINTF (4, 5);
gboolean  _tare_file_fail_path  (const char  *path,
                                 GError     **error,
                                 TareError    code,
                                 const char  *format,
                                 ...) G_GNUC_PRINTF (4, 5);
gboolean  _tare_file_fail_errno (const char  *path,
                                 GError     **error,
                                 int          errsv);
void      _tare_file_peek       (TareFile    *self,
                                 guint64      offset,
                                 gsize        bytes,
                                 guint8      *out);

G_END_DECLS
