/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <locale.h>

#include "app/tare-application.h"
#include "quant/tare-threads.h"

int
main (int    argc,
      char **argv)
{
  g_autoptr(TareApplication) application = NULL;

  tare_threads_settle (argv);

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, TARE_LOCALE_DIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name ("Tare");

  application = tare_application_new ();

  return g_application_run (G_APPLICATION (application), argc, argv);
}
