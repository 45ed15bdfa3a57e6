/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareFile:
 *
 * A file mapped read-only into memory, or bytes that stand for one. Reference counted; the bytes
 * never move. Safe in any thread.
 */
typedef struct _TareFile TareFile;

TareFile     *tare_file_open      (const char  *path,
                                   GError     **error);
TareFile     *tare_file_new_bytes (const char  *name,
                                   GBytes      *bytes);
TareFile     *tare_file_ref       (TareFile    *self);
void          tare_file_unref     (TareFile    *self);
const char   *tare_file_get_path  (TareFile    *self);
const guint8 *tare_file_get_data  (TareFile    *self);
guint64       tare_file_get_size  (TareFile    *self);
void          tare_file_release   (TareFile    *self,
                                   guint64      offset,
                                   guint64      bytes);
void          tare_file_read_ahead (TareFile   *self,
                                   guint64      offset,
                                   guint64      bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareFile, tare_file_unref)

/**
 * TareCursor:
 * @file: (unowned): what is read
 * @position: offset of the next byte
 * @end: offset after the last byte that may be read
 *
 * Reads little-endian values with every bound checked; an error names the file and the offset.
 */
typedef struct
{
  TareFile *file;
  guint64   position;
  guint64   end;
} TareCursor;

gboolean      tare_cursor_read_u8     (TareCursor    *self,
                                       guint8        *value,
                                       GError       **error);
gboolean      tare_cursor_read_u16    (TareCursor    *self,
                                       guint16       *value,
                                       GError       **error);
gboolean      tare_cursor_read_u32    (TareCursor    *self,
                                       guint32       *value,
                                       GError       **error);
gboolean      tare_cursor_read_u64    (TareCursor    *self,
                                       guint64       *value,
                                       GError       **error);
gboolean      tare_cursor_read_bytes  (TareCursor    *self,
                                       guint64        n,
                                       const guint8 **bytes,
                                       GError       **error);
gboolean      tare_cursor_read_string (TareCursor    *self,
                                       char         **string,
                                       GError       **error);

G_END_DECLS
