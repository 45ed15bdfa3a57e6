/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TarePageInterface:
 * @set_session: called once, with what the page is to show
 *
 * One page of the window's middle. The window knows no more of its pages than this: a new one is
 * an entry in its template.
 */
#define TARE_TYPE_PAGE (tare_page_get_type ())
G_DECLARE_INTERFACE (TarePage, tare_page, TARE, PAGE, GObject)

struct _TarePageInterface
{
  GTypeInterface parent_interface;

  void (*set_session) (TarePage    *self,
                       TareSession *session);
};

void tare_page_set_session (TarePage    *self,
                            TareSession *session);

G_END_DECLS
