/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-map-sites.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/tare-text.h"

/* Whose columns queries, keys and values stand in, in the order of their kinds. */
static const char *const heads[] = { "attn_q", "attn_k", "attn_v" };

static const struct { TareSiteKind kind; const char *description; } kinds[] = {
  { TARE_SITE_KIND_QUERY, N_("Queries, as attention sees them") },
  { TARE_SITE_KIND_KEY, N_("Keys, as attention sees them and the KV cache keeps them") },
  { TARE_SITE_KIND_VALUE, N_("Values, as attention sees them and the KV cache keeps them") },
};

void
tare_map_sites_init (TareMapSites *self)
{
  *self = (TareMapSites) {
    .cells = g_array_new (FALSE, FALSE, sizeof (guint)),
    .sites = g_array_new (FALSE, FALSE, sizeof (guint)),
  };
}

void
tare_map_sites_clear (TareMapSites *self)
{
  g_clear_pointer (&self->cells, g_array_unref);
  g_clear_pointer (&self->sites, g_array_unref);
}

/* The column of a role, or @otherwise where the map has none. */
static guint
find_column (GPtrArray      *roles,
             const TareRole *role,
             guint           otherwise)
{
  guint column = otherwise;

  return g_ptr_array_find (roles, role, &column) ? column : otherwise;
}

static guint
choose_column (GPtrArray                *roles,
               const TareActivationSite *site)
{
  guint place = (guint) site->kind - TARE_SITE_KIND_QUERY;

  if (site->kind == TARE_SITE_KIND_INPUT)
    return find_column (roles, site->role, 0);
  /* With one matrix for the three they take the first columns, which the tooltip explains. */
  if (find_column (roles, tare_role_lookup (heads[place]), G_MAXUINT) == G_MAXUINT)
    return place;

  return find_column (roles, tare_role_lookup (heads[place]), 0);
}

/* One section: a row for each block, and one for what is of none. Returns how many rows. */
static guint
add_section (TareMapSites *self,
             GPtrArray    *roles,
             GPtrArray    *rows,
             gboolean      inputs)
{
  guint first = rows->len;
  const TareActivationSite *last = NULL;

  for (guint i = 0; i < self->cells->len; i++)
    {
      const TareActivationSite *site = tare_session_get_site (self->session, i);

      if ((site->kind == TARE_SITE_KIND_INPUT) != inputs
          || choose_column (roles, site) >= self->n_columns)
        continue;
      if (last == NULL || last->block != site->block)
        g_ptr_array_add (rows, site->block >= 0 ? g_strdup_printf ("%d", site->block)
                                                : g_strdup (site->role->short_label));
      last = site;
      g_array_index (self->cells, guint, i) = (rows->len - 1) * self->n_columns
                                              + choose_column (roles, site);
    }

  return rows->len - first;
}

/**
 * tare_map_sites_lay_out:
 * @self: the rows
 * @session: (nullable): whose activations to show; %NULL shows none
 * @roles: (element-type TareRole): the columns
 * @n_columns: how many the map has
 * @rows: (element-type utf8): to which the rows' names are added; these rows are the first
 */
void
tare_map_sites_lay_out (TareMapSites *self,
                        TareSession  *session,
                        GPtrArray    *roles,
                        guint         n_columns,
                        GPtrArray    *rows)
{
  guint n = session != NULL ? tare_session_get_n_sites (session) : 0;

  self->session = session;
  self->n_columns = n_columns;
  g_array_set_size (self->cells, n);
  for (guint i = 0; i < n; i++)
    g_array_index (self->cells, guint, i) = TARE_FORMAT_MAP_NO_CELL;
  self->n_heads = add_section (self, roles, rows, FALSE);
  self->n_inputs = add_section (self, roles, rows, TRUE);

  g_array_set_size (self->sites, (self->n_heads + self->n_inputs) * n_columns);
  for (guint i = 0; i < self->sites->len; i++)
    g_array_index (self->sites, guint, i) = TARE_FORMAT_MAP_NO_CELL;
  for (guint i = 0; i < n; i++)
    if (g_array_index (self->cells, guint, i) != TARE_FORMAT_MAP_NO_CELL)
      g_array_index (self->sites, guint, g_array_index (self->cells, guint, i)) = i;
}

/**
 * tare_map_sites_name:
 * @self: the rows
 * @map: the map that has them
 *
 * Parts them from the weights and tells what they are, and what a token of the cache takes.
 */
void
tare_map_sites_name (TareMapSites  *self,
                     TareFormatMap *map)
{
  guint breaks[2] = { self->n_heads - 1, self->n_heads + self->n_inputs - 1 };
  g_autofree char *bytes = NULL;
  g_autofree char *cache = NULL;
  const char *names[2];

  if (self->n_heads == 0 || self->n_inputs == 0)
    {
      tare_format_map_set_row_breaks (map, NULL, NULL, 0);
      return;
    }

  bytes = tare_text_bytes (tare_session_get_cache_bytes (self->session));
  /* translators: %s is a size such as 3.07 kB; queries, keys, values */
  cache = g_strdup_printf (_("Q, K and V; cache: %s a token"), bytes);
  names[0] = cache;
  names[1] = _("Inputs of the layers");
  tare_format_map_set_row_breaks (map, breaks, names, G_N_ELEMENTS (breaks));
}

static double
get_bits (const TareActivationSite *site,
          const TareFormat         *format)
{
  if (format == NULL)
    return (double) NAN;

  return 8.0 * (double) tare_activation_site_get_bytes (site, format)
         / (double) (site->rows * site->columns);
}

static const char *
describe_kind (const TareActivationSite *site)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].kind == site->kind)
      return _(kinds[i].description);

  return _("What enters this layer, and those that share its input");
}

static char *
describe_site (TareMapSites *self,
               guint         index)
{
  const TareActivationSite *site = tare_session_get_site (self->session, index);
  TareAssignment assignment = tare_session_get_site_assignment (self->session, index);
  const TareFormat *format = assignment.format;
  g_autofree char *bytes = tare_text_bytes (tare_activation_site_get_bytes (site, format));
  g_autofree char *bits = tare_text_bits (get_bits (site, format));

  if (format != NULL)
    format = tare_format_fit (format, site->columns);
  if (format == NULL)
    return g_strdup_printf (_("%s\n%s\nNot rounded; %s a token with 16 bits a number"), site->name,
                            describe_kind (site), bytes);

  if (assignment.window > 0)
    return g_strdup_printf (ngettext ("%s\n%s\n%s, %s bits a number, %s a token; the last %u token "
                                      "as computed",
                                      "%s\n%s\n%s, %s bits a number, %s a token; the last %u "
                                      "tokens as computed", assignment.window),
                            site->name, describe_kind (site), format->label, bits, bytes,
                            assignment.window);

  return g_strdup_printf (_("%s\n%s\n%s, %s bits a number, %s a token"), site->name,
                          describe_kind (site), format->label, bits, bytes);
}

/* What a cell shows of a site of that format. */
static void
show (const TareActivationSite *site,
      const TareFormat         *format,
      gboolean                  bits,
      TareFormatCell           *cell)
{
  if (format != NULL)
    format = tare_format_fit (format, site->columns);
  cell->present = TRUE;
  cell->value = bits ? get_bits (site, format) : (double) NAN;
  cell->mark = tare_map_view_get_mark (format);
  cell->label = isfinite (cell->value) ? tare_text_number (cell->value, 3) : g_strdup ("");
}

/**
 * tare_map_sites_fill:
 * @self: the rows
 * @bits: whether the colours of the map show bits; they show nothing of activations otherwise
 * @cells: (inout): the first cells of the map
 * @texts: (element-type utf8): takes over what the cells point to
 */
void
tare_map_sites_fill (TareMapSites   *self,
                     gboolean        bits,
                     TareFormatCell *cells,
                     GPtrArray      *texts)
{
  for (guint i = 0; i < self->cells->len; i++)
    {
      guint index = g_array_index (self->cells, guint, i);
      TareFormatCell *cell = index != TARE_FORMAT_MAP_NO_CELL ? &cells[index] : NULL;

      if (cell == NULL)
        continue;
      show (tare_session_get_site (self->session, i),
            tare_session_get_site_assignment (self->session, i).format, bits, cell);
      cell->tooltip = describe_site (self, i);
      g_ptr_array_add (texts, (gpointer) cell->label);
      g_ptr_array_add (texts, (gpointer) cell->tooltip);
    }
}

/**
 * tare_map_sites_get_site:
 * @self: the rows
 * @cell: a cell of the map
 *
 * Returns: the site it stands for, or %TARE_FORMAT_MAP_NO_CELL
 */
guint
tare_map_sites_get_site (TareMapSites *self,
                         guint         cell)
{
  return cell < self->sites->len ? g_array_index (self->sites, guint, cell)
                                 : TARE_FORMAT_MAP_NO_CELL;
}

/**
 * tare_map_sites_list:
 * @self: the rows
 * @cells: (array length=n): cells of the map
 * @n: how many
 *
 * Returns: (transfer full) (element-type guint): the sites among them
 */
GArray *
tare_map_sites_list (TareMapSites *self,
                     const guint  *cells,
                     guint         n)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < n; i++)
    {
      guint site = tare_map_sites_get_site (self, cells[i]);

      if (site != TARE_FORMAT_MAP_NO_CELL)
        g_array_append_val (list, site);
    }

  return list;
}

/**
 * tare_map_sites_list_wide:
 * @self: the rows
 * @rows: (element-type guint): to which those are added that are of no block
 */
void
tare_map_sites_list_wide (TareMapSites *self,
                          GArray       *rows)
{
  for (guint i = 0; i < self->cells->len; i++)
    {
      guint cell = g_array_index (self->cells, guint, i);
      guint row = cell / self->n_columns;

      if (cell != TARE_FORMAT_MAP_NO_CELL && tare_session_get_site (self->session, i)->block < 0)
        g_array_append_val (rows, row);
    }
}

/**
 * tare_map_sites_select:
 * @self: the rows
 * @cells: (element-type guint): to which the cells of the selected sites are added
 */
void
tare_map_sites_select (TareMapSites *self,
                       GArray       *cells)
{
  guint n = 0;
  const guint *selection = self->session != NULL
                             ? tare_session_get_site_selection (self->session, &n)
                             : NULL;

  for (guint i = 0; i < n; i++)
    if (selection[i] < self->cells->len
        && g_array_index (self->cells, guint, selection[i]) != TARE_FORMAT_MAP_NO_CELL)
      g_array_append_val (cells, g_array_index (self->cells, guint, selection[i]));
}

/**
 * tare_map_sites_paint:
 * @self: the rows
 * @map: the map
 * @bits: as for tare_map_sites_fill()
 * @cell: the cell of a site
 *
 * Shows at once what the recipe will say when the stroke is over.
 */
void
tare_map_sites_paint (TareMapSites  *self,
                      TareFormatMap *map,
                      gboolean       bits,
                      guint          cell)
{
  guint site = tare_map_sites_get_site (self, cell);
  TareFormatCell value = { .present = TRUE };

  if (site == TARE_FORMAT_MAP_NO_CELL)
    return;

  show (tare_session_get_site (self->session, site),
        tare_session_get_site_brush (self->session).format, bits, &value);
  tare_format_map_set_cell (map, cell, &value);
  g_free ((char *) value.label);
}

/* The first format with codes of so many bits and a scale for each row, or else any that can be
 * used; activations have no time for a search. */
static const TareFormat *
find_format (guint bits)
{
  const TareFormat *best = NULL;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      gboolean plain = format->family == TARE_FORMAT_FAMILY_INTEGER && format->group == 0;

      if (format->bits != bits || !tare_format_is_row_local (format))
        continue;
      if (plain)
        return format;
      if (best == NULL)
        best = format;
    }

  return best;
}

/**
 * tare_map_sites_set_bits:
 * @self: the rows
 * @bits: of one number
 *
 * Gives the selected activations a format of so many bits, and makes it what the brush paints.
 *
 * Returns: %FALSE where there is no such format
 */
gboolean
tare_map_sites_set_bits (TareMapSites *self,
                         guint         bits)
{
  TareAssignment brush = tare_session_get_site_brush (self->session);
  const TareFormat *format = find_format (bits);
  guint n;
  const guint *selection = tare_session_get_site_selection (self->session, &n);
  g_autofree guint *indices = g_memdup2 (selection, n * sizeof (guint));

  if (format == NULL)
    return FALSE;

  brush.format = format;
  tare_session_set_site_brush (self->session, &brush);
  tare_session_assign_sites (self->session, indices, n, &brush, NULL);

  return TRUE;
}
