/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-task.h"
#include "tests/fuzz/fuzz.h"

/* A file of multiple-choice questions: it is refused, or every question can be asked. */
int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(TareTasks) tasks = tare_tasks_parse ((const char *) data, size, "fuzz", &error);

  if (tasks == NULL)
    {
      g_assert_nonnull (error);
      return 0;
    }
  g_assert_no_error (error);
  for (gsize i = 0; i < tare_tasks_get_n (tasks); i++)
    {
      const TareTask *task = tare_tasks_get (tasks, i);

      g_assert_nonnull (task->context);
      g_assert_cmpuint (task->n_choices, >=, 2);
      g_assert_cmpuint (g_strv_length (task->choices), ==, task->n_choices);
      g_assert_cmpuint (task->answer, <, task->n_choices);
    }

  return 0;
}
