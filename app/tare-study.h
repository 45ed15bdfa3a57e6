/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-session.h"

G_BEGIN_DECLS

/**
 * TareStudyTask:
 * @model: the model
 * @engine: what quantizes
 * @recipe: the recipe when the study began
 * @calibration: (nullable): activations, if there are any
 * @tensor: (nullable): what is studied, of @model
 * @request: what was asked, the caller's own
 * @progress: to hand down to the engine
 *
 * What a study in a worker thread has at hand, all of it immutable or safe in any thread.
 */
typedef struct
{
  TareModel          *model;
  TareEngine         *engine;
  TareRecipe         *recipe;
  TareCalibration    *calibration;
  const TareTensor   *tensor;
  gpointer            request;
  const TareProgress *progress;
} TareStudyTask;

/**
 * TareStudyClass:
 * @title: what the list of jobs calls it, to be translated
 * @priority: before which others it goes; without one, as what a person asked for
 * @work: finds things out, in a thread, and hands them in with tare_study_post()
 * @news: takes one of them, in the main thread; it is freed afterwards
 * @free_news: frees it
 * @done: (nullable): the study ended, with @error if it failed; not told when it was superseded
 *
 * What one kind of study does. Pages have one each as a constant.
 */
typedef struct
{
  const char      *title;
  TareJobPriority  priority;
  gboolean       (*work) (TareStudyTask  *task,
                          GError        **error);
  void           (*news) (gpointer        owner,
                          gpointer        item);
  GDestroyNotify   free_news;
  void           (*done) (gpointer        owner,
                          const GError   *error);
} TareStudyClass;

/**
 * TareStudy:
 *
 * A question that a page asks in the background. Asking anew drops the last question: nothing of
 * it is heard any more. For the main thread.
 */
typedef struct _TareStudy TareStudy;

TareStudy *tare_study_new        (const TareStudyClass  *klass,
                                  TareSession           *session,
                                  gpointer               owner);
void       tare_study_free       (TareStudy             *self);
void       tare_study_start      (TareStudy             *self,
                                  const TareTensor      *tensor,
                                  gpointer               request,
                                  GDestroyNotify         free_request);
void       tare_study_stop       (TareStudy             *self);
gboolean   tare_study_is_running (TareStudy             *self);
void       tare_study_post       (TareStudyTask         *task,
                                  gpointer               item);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TareStudy, tare_study_free)

G_END_DECLS
