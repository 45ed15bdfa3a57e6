/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-page.h"

G_DEFINE_INTERFACE (TarePage, tare_page, G_TYPE_OBJECT)

static void
tare_page_default_init (TarePageInterface *iface)
{
}

/**
 * tare_page_set_session:
 * @self: a page
 * @session: what it is to show; to be set once
 */
void
tare_page_set_session (TarePage    *self,
                       TareSession *session)
{
  g_return_if_fail (TARE_IS_PAGE (self));
  g_return_if_fail (TARE_IS_SESSION (session));

  TARE_PAGE_GET_IFACE (self)->set_session (self, session);
}
