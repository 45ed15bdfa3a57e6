/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "analysis/evaluation/tare-task.h"

G_BEGIN_DECLS

gboolean _tare_task_run (TareTasks           *tasks,
                         gsize                n,
                         TareModel           *model,
                         const TareWeights   *weights,
                         guint64              memory,
                         TareTaskScore       *scores,
                         gsize               *n_tokens,
                         const TareProgress  *progress,
                         GError             **error);

G_END_DECLS
