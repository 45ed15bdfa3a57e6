/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/tare-progress.h"

static void
note_fraction (double      fraction,
               const char *stage,
               gpointer    data)
{
  *(double *) data = fraction;
}

static void
test_parts (void)
{
  double seen = -1.0;
  TareProgress whole = TARE_PROGRESS_INIT (NULL, note_fraction, &seen);
  TareProgress half = tare_progress_part (&whole, 0.5, 1.0);
  TareProgress quarter = tare_progress_part (&half, 0.0, 0.5);
  g_autoptr(GError) error = NULL;

  g_assert_true (tare_progress_step (&quarter, 0.5, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (seen, ==, 0.625);

  g_assert_true (tare_progress_step (&half, 7.0, NULL, &error));
  g_assert_cmpfloat (seen, ==, 1.0);
}

static void
test_cancelled (void)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress whole = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  TareProgress part = tare_progress_part (&whole, 0.0, 0.5);
  g_autoptr(GError) error = NULL;

  g_assert_false (tare_progress_cancelled (&part));
  g_cancellable_cancel (cancellable);
  g_assert_true (tare_progress_cancelled (&part));
  g_assert_false (tare_progress_step (&part, 0.1, "stage", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_nothing (void)
{
  TareProgress part = tare_progress_part (NULL, 0.0, 0.5);

  g_assert_true (tare_progress_step (NULL, 0.5, "stage", NULL));
  g_assert_true (tare_progress_step (&part, 0.5, "stage", NULL));
  g_assert_false (tare_progress_cancelled (NULL));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/progress/parts", test_parts);
  g_test_add_func ("/progress/cancelled", test_cancelled);
  g_test_add_func ("/progress/nothing", test_nothing);

  return g_test_run ();
}
