/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/cli/cli.h"

#include <glib-unix.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* A line is not drawn again sooner than this, in microseconds. */
#define REDRAW_INTERVAL 100000

/* The one job of the process; signals have nowhere else to go. */
static struct
{
  TareProgress  progress;
  int           pipe[2];
  gboolean      drawn;
  gint64        last;
  char         *stage;
  GMutex        mutex;
} job;

static void
draw (double      fraction,
      const char *stage,
      gpointer    data)
{
  gint64 now = g_get_monotonic_time ();

  g_mutex_lock (&job.mutex);
  if (stage != NULL && g_strcmp0 (stage, job.stage) != 0)
    {
      g_free (job.stage);
      job.stage = g_strdup (stage);
    }
  if (now - job.last >= REDRAW_INTERVAL)
    {
      fprintf (stderr, "\r%3.0f %%  %s\033[K", floor (100.0 * fraction),
               job.stage != NULL ? job.stage : "");
      fflush (stderr);
      job.last = now;
      job.drawn = TRUE;
    }
  g_mutex_unlock (&job.mutex);
}

/* A handler may do next to nothing, so it wakes a thread that may. A second signal ends it all. */
static void
on_signal (int number)
{
  static volatile sig_atomic_t again;
  char byte = 0;

  if (again || write (job.pipe[1], &byte, 1) < 0)
    _exit (128 + number);
  again = 1;
}

static gpointer
watch (gpointer data)
{
  char byte;

  while (read (job.pipe[0], &byte, 1) < 0)
    continue;
  g_cancellable_cancel (job.progress.cancellable);

  return NULL;
}

/**
 * cli_progress_start:
 *
 * Begins the job: a signal to stop cancels it, so that it can clean up behind itself, and where
 * standard error is a terminal it shows how far the job is.
 *
 * Returns: (transfer none): what to hand to the engine
 */
const TareProgress *
cli_progress_start (void)
{
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

  job.progress = (TareProgress) TARE_PROGRESS_INIT (g_cancellable_new (), NULL, NULL);
  if (isatty (STDERR_FILENO))
    job.progress.func = draw;

  if (g_unix_open_pipe (job.pipe, FD_CLOEXEC, NULL))
    {
      g_thread_unref (g_thread_new ("signals", watch, NULL));
      sigaction (SIGINT, &action, NULL);
      sigaction (SIGTERM, &action, NULL);
      sigaction (SIGHUP, &action, NULL);
    }

  return &job.progress;
}

/**
 * cli_progress_finish:
 *
 * Wipes the line of progress, before anything else is printed. Without a job it does nothing.
 */
void
cli_progress_finish (void)
{
  g_mutex_lock (&job.mutex);
  if (job.drawn)
    fputs ("\r\033[K", stderr);
  job.drawn = FALSE;
  g_clear_pointer (&job.stage, g_free);
  g_mutex_unlock (&job.mutex);
}
