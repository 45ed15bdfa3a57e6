/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareOutputFile:
 *
 * A file that is written from its begin to its end beside its name, which it takes when it is
 * complete. Not for two threads at once.
 */
typedef struct _TareOutputFile TareOutputFile;

TareOutputFile *tare_output_file_new       (const char       *path,
                                            GError          **error);
void            tare_output_file_free      (TareOutputFile   *self);
gboolean        tare_output_file_reserve   (TareOutputFile   *self,
                                            guint64           bytes,
                                            GError          **error);
gboolean        tare_output_file_write     (TareOutputFile   *self,
                                            const guint8     *bytes,
                                            gsize             n_bytes,
                                            GError          **error);
const char     *tare_output_file_finish    (TareOutputFile   *self,
                                            GError          **error);
gboolean        tare_output_file_commit    (TareOutputFile   *self,
                                            GError          **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareOutputFile, tare_output_file_free)

G_END_DECLS
