/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-job-queue.h"

#include <string.h>

typedef struct
{
  guint     notified;
  guint     steps;
  guint     until;
  gboolean  fail;
  gboolean  freed;
  gboolean  done;
  GError   *error;
  gint64    ended;
} Work;

static gboolean
count_steps (const TareProgress  *progress,
             gpointer             data,
             GError             **error)
{
  Work *work = data;

  for (work->steps = 0; work->steps < work->until; work->steps++)
    {
      if (!tare_progress_step (progress, (double) work->steps / work->until, "Counting", error))
        return FALSE;
      g_usleep (200);
    }
  if (work->fail)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no space");
      return FALSE;
    }

  return TRUE;
}

static void
note_done (TareJob      *job,
           const GError *error,
           gpointer      data)
{
  Work *work = data;

  work->done = TRUE;
  work->error = error != NULL ? g_error_copy (error) : NULL;
  work->ended = g_get_monotonic_time ();
}

static void
note_freed (gpointer data)
{
  ((Work *) data)->freed = TRUE;
}

static void
note_progress (Work *work)
{
  work->notified++;
}

static TareJob *
push_as (TareJobQueue    *queue,
         TareJobLane      lane,
         TareJobPriority  priority,
         Work            *work)
{
  TareJob *job = tare_job_new ("Count", count_steps, note_done, work, note_freed);

  g_signal_connect_swapped (job, "notify::progress", G_CALLBACK (note_progress), work);
  tare_job_queue_push (queue, lane, priority, job);

  return job;
}

static TareJob *
push (TareJobQueue *queue,
      TareJobLane   lane,
      Work         *work)
{
  return push_as (queue, lane, TARE_JOB_PRIORITY_ASKED, work);
}

static void
wait_for (gboolean *flag)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  while (!*flag && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (*flag);
}

/* The last reports may still be on their way. */
static void
drain (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_outcome (gconstpointer data)
{
  gboolean fail = GPOINTER_TO_INT (data);
  TareJobQueue *queue = tare_job_queue_new ();
  Work work = { .until = 500, .fail = fail };
  TareJob *job = push (queue, TARE_JOB_LANE_ENGINE, &work);

  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (queue)), ==, 1);
  g_assert_true (tare_job_is_active (job));
  wait_for (&work.done);

  g_assert_cmpint (tare_job_get_state (job), ==,
                   fail ? TARE_JOB_STATE_FAILED : TARE_JOB_STATE_DONE);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (queue)), ==, 0);
  g_assert_true ((work.error != NULL) == fail);
  g_assert_cmpuint (work.notified, >, 0);
  g_assert_cmpuint (work.notified, <=, 501);
  g_assert_cmpstr (tare_job_get_stage (job), ==, "Counting");

  g_clear_error (&work.error);
  g_assert_finalize_object (queue);
  drain ();
  g_assert_finalize_object (job);
  g_assert_true (work.freed);
}

static void
test_cancel (void)
{
  TareJobQueue *queue = tare_job_queue_new ();
  Work running = { .until = G_MAXUINT };
  Work waiting = { .until = G_MAXUINT };
  TareJob *first = push (queue, TARE_JOB_LANE_ENGINE, &running);
  TareJob *second = push (queue, TARE_JOB_LANE_ENGINE, &waiting);
  gint64 asked;

  while (tare_job_get_state (first) != TARE_JOB_STATE_RUNNING)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (tare_job_get_state (second), ==, TARE_JOB_STATE_QUEUED);

  asked = g_get_monotonic_time ();
  tare_job_queue_cancel_all (queue);
  wait_for (&waiting.done);
  g_assert_true (running.done);
  g_test_message ("cancelled in %.1f ms", (double) (running.ended - asked) / 1e3);

  g_assert_error (running.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_error (waiting.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (waiting.steps, ==, 0);
  g_assert_cmpint (tare_job_get_state (second), ==, TARE_JOB_STATE_CANCELLED);

  g_clear_error (&running.error);
  g_clear_error (&waiting.error);
  g_object_unref (first);
  g_object_unref (second);
  g_assert_finalize_object (queue);
}

static void
test_lanes (void)
{
  TareJobQueue *queue = tare_job_queue_new ();
  Work slow = { .until = G_MAXUINT };
  Work quick = { .until = 5 };
  g_autoptr(TareJob) first = push (queue, TARE_JOB_LANE_ENGINE, &slow);
  g_autoptr(TareJob) second = push (queue, TARE_JOB_LANE_FILES, &quick);

  wait_for (&quick.done);
  g_assert_false (slow.done);
  tare_job_cancel (first);
  wait_for (&slow.done);
  g_clear_error (&slow.error);

  g_assert_finalize_object (queue);
}

/* What was asked for goes before figures, and those before what nobody waits for; of a kind, what
 * came first. */
static void
test_priorities (void)
{
  static const TareJobPriority priorities[] = {
    TARE_JOB_PRIORITY_BACKGROUND, TARE_JOB_PRIORITY_FIGURES, TARE_JOB_PRIORITY_BACKGROUND,
    TARE_JOB_PRIORITY_ASKED,      TARE_JOB_PRIORITY_FIGURES, TARE_JOB_PRIORITY_ASKED,
  };
  static const guint order[] = { 3, 5, 1, 4, 0, 2 };
  TareJobQueue *queue = tare_job_queue_new ();
  Work running = { .until = G_MAXUINT };
  Work waiting[G_N_ELEMENTS (priorities)] = { 0 };
  g_autoptr(TareJob) first = push (queue, TARE_JOB_LANE_ENGINE, &running);

  while (tare_job_get_state (first) != TARE_JOB_STATE_RUNNING)
    g_main_context_iteration (NULL, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      waiting[i].until = 5;
      g_object_unref (push_as (queue, TARE_JOB_LANE_ENGINE, priorities[i], &waiting[i]));
    }
  tare_job_cancel (first);
  wait_for (&running.done);
  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    wait_for (&waiting[i].done);
  for (gsize i = 1; i < G_N_ELEMENTS (order); i++)
    g_assert_cmpint (waiting[order[i - 1]].ended, <=, waiting[order[i]].ended);

  g_clear_error (&running.error);
  g_assert_finalize_object (queue);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/job/done", GINT_TO_POINTER (FALSE), test_outcome);
  g_test_add_data_func ("/job/failed", GINT_TO_POINTER (TRUE), test_outcome);
  g_test_add_func ("/job/cancel", test_cancel);
  g_test_add_func ("/job/lanes", test_lanes);
  g_test_add_func ("/job/priorities", test_priorities);

  return g_test_run ();
}
