/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-session.h"
#include "widgets/tare-format-map.h"

G_BEGIN_DECLS

/**
 * TareMapSites:
 * @session: (nullable): whose activations these are; of the map view that has this
 * @n_columns: of the map
 * @n_inputs: rows with the inputs of layers
 * @n_heads: rows with queries, keys and values, below the others
 * @cells: of each of the session's sites its cell
 * @sites: of each cell of these rows its site, or %TARE_FORMAT_MAP_NO_CELL
 *
 * The rows of the format map below the weights: what activations and the KV cache are rounded to.
 */
typedef struct
{
  TareSession *session;
  guint        n_columns;
  guint        n_inputs;
  guint        n_heads;
  GArray      *cells;
  GArray      *sites;
} TareMapSites;

void            tare_map_sites_init      (TareMapSites   *self);
void            tare_map_sites_clear     (TareMapSites   *self);
void            tare_map_sites_lay_out   (TareMapSites   *self,
                                          TareSession    *session,
                                          GPtrArray      *roles,
                                          guint           n_columns,
                                          GPtrArray      *rows);
void            tare_map_sites_name      (TareMapSites   *self,
                                          TareFormatMap  *map);
void            tare_map_sites_fill      (TareMapSites   *self,
                                          gboolean        bits,
                                          TareFormatCell *cells,
                                          GPtrArray      *texts);
guint           tare_map_sites_get_site  (TareMapSites   *self,
                                          guint           cell);
GArray         *tare_map_sites_list      (TareMapSites   *self,
                                          const guint    *cells,
                                          guint           n);
void            tare_map_sites_list_wide (TareMapSites   *self,
                                          GArray         *rows);
void            tare_map_sites_select    (TareMapSites   *self,
                                          GArray         *cells);
void            tare_map_sites_paint     (TareMapSites   *self,
                                          TareFormatMap  *map,
                                          gboolean        bits,
                                          guint           cell);
gboolean        tare_map_sites_set_bits  (TareMapSites   *self,
                                          guint           bits);

TareFormatMark  tare_map_view_get_mark   (const TareFormat *format);

G_END_DECLS
