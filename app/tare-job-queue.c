/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/tare-job-queue.h"

#include "app/tare-job-private.h"

struct _TareJobQueue
{
  GObject      parent_instance;

  GThreadPool *lanes[TARE_JOB_N_LANES];
  GListStore  *active;
  guint64      n_pushed;
};

/* A job in its place in a lane. */
typedef struct
{
  TareJob         *job;
  TareJobPriority  priority;
  guint64          serial;
} Turn;

static void list_model_iface_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TareJobQueue, tare_job_queue, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

static void
tare_job_queue_dispose (GObject *object)
{
  TareJobQueue *self = (TareJobQueue *) object;

  tare_job_queue_cancel_all (self);
  /* Waits for the threads: cancelled work returns at once, and its closures must not outlive us. */
  for (int i = 0; i < TARE_JOB_N_LANES; i++)
    if (self->lanes[i] != NULL)
      g_thread_pool_free (g_steal_pointer (&self->lanes[i]), FALSE, TRUE);
  g_list_store_remove_all (self->active);

  G_OBJECT_CLASS (tare_job_queue_parent_class)->dispose (object);
}

static void
tare_job_queue_finalize (GObject *object)
{
  TareJobQueue *self = (TareJobQueue *) object;

  g_clear_object (&self->active);

  G_OBJECT_CLASS (tare_job_queue_parent_class)->finalize (object);
}

static void
tare_job_queue_class_init (TareJobQueueClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = tare_job_queue_dispose;
  object_class->finalize = tare_job_queue_finalize;
}

static void
run_cb (gpointer data,
        gpointer user_data)
{
  Turn *turn = data;

  _tare_job_run (turn->job);
  g_free (turn);
}

static int
compare_turns (gconstpointer a,
               gconstpointer b,
               gpointer      user_data)
{
  const Turn *first = a;
  const Turn *second = b;

  if (first->priority != second->priority)
    return first->priority < second->priority ? -1 : 1;

  return (first->serial > second->serial) - (first->serial < second->serial);
}

static void
items_changed_cb (TareJobQueue *self,
                  guint         position,
                  guint         removed,
                  guint         added)
{
  g_list_model_items_changed (G_LIST_MODEL (self), position, removed, added);
}

static void
tare_job_queue_init (TareJobQueue *self)
{
  self->active = g_list_store_new (TARE_TYPE_JOB);
  g_signal_connect_object (self->active, "items-changed", G_CALLBACK (items_changed_cb), self,
                           G_CONNECT_SWAPPED);
  for (int i = 0; i < TARE_JOB_N_LANES; i++)
    {
      self->lanes[i] = g_thread_pool_new (run_cb, NULL, 1, FALSE, NULL);
      g_thread_pool_set_sort_function (self->lanes[i], compare_turns, NULL);
    }
}

static GType
get_item_type (GListModel *model)
{
  return TARE_TYPE_JOB;
}

static guint
get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (((TareJobQueue *) model)->active));
}

static gpointer
get_item (GListModel *model,
          guint       position)
{
  return g_list_model_get_item (G_LIST_MODEL (((TareJobQueue *) model)->active), position);
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
state_cb (TareJobQueue *self,
          GParamSpec   *pspec,
          TareJob      *job)
{
  guint position;

  if (!tare_job_is_active (job) && g_list_store_find (self->active, job, &position))
    g_list_store_remove (self->active, position);
}

/**
 * tare_job_queue_new:
 *
 * Returns: (transfer full): a queue, which is a #GListModel of the jobs that wait or run
 */
TareJobQueue *
tare_job_queue_new (void)
{
  return g_object_new (TARE_TYPE_JOB_QUEUE, NULL);
}

/**
 * tare_job_queue_push:
 * @self: the queue
 * @lane: where it waits
 * @priority: before which of the others that wait there
 * @job: what to run
 *
 * Runs @job when the one that runs in its lane and those that go before it are over.
 */
void
tare_job_queue_push (TareJobQueue    *self,
                     TareJobLane      lane,
                     TareJobPriority  priority,
                     TareJob         *job)
{
  Turn *turn;

  g_return_if_fail (TARE_IS_JOB_QUEUE (self));
  g_return_if_fail (TARE_IS_JOB (job));
  g_return_if_fail (lane < TARE_JOB_N_LANES);

  g_list_store_append (self->active, job);
  g_signal_connect_object (job, "notify::state", G_CALLBACK (state_cb), self, G_CONNECT_SWAPPED);
  turn = g_new (Turn, 1);
  *turn = (Turn) { .job = g_object_ref (job), .priority = priority, .serial = self->n_pushed++ };
  g_thread_pool_push (self->lanes[lane], turn, NULL);
}

/**
 * tare_job_queue_cancel_all:
 * @self: the queue
 *
 * Cancels every job that waits or runs.
 */
void
tare_job_queue_cancel_all (TareJobQueue *self)
{
  g_return_if_fail (TARE_IS_JOB_QUEUE (self));

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->active)); i++)
    {
      g_autoptr(TareJob) job = g_list_model_get_item (G_LIST_MODEL (self->active), i);

      tare_job_cancel (job);
    }
}
