/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "quant/model/tare-model.h"
#include "tests/tare-test.h"

G_BEGIN_DECLS

/**
 * tare_test_open_model:
 * @path: a model that can be read
 *
 * Returns: (transfer full): the model
 */
static inline TareModel *
tare_test_open_model (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

/**
 * tare_test_open_sample:
 *
 * Returns: (transfer full): the sample that comes with the source
 */
static inline TareModel *
tare_test_open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");

  return tare_test_open_model (path);
}

G_END_DECLS
