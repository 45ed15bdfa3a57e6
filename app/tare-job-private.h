/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "app/tare-job.h"

G_BEGIN_DECLS

void _tare_job_run (TareJob *self);

G_END_DECLS
