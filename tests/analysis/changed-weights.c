/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/analysis/changed-weights.h"

#include "tests/tare-test.h"

static gboolean
is_changed (const ChangedWeights *self,
            const TareTensor     *tensor)
{
  for (gsize i = 0; i < G_N_ELEMENTS (self->canonical); i++)
    if (g_strcmp0 (tensor->canonical, self->canonical[i]) == 0)
      return TRUE;

  return FALSE;
}

static gboolean
load (gpointer             data,
      const TareTensor    *tensor,
      float               *out,
      const TareProgress  *progress,
      GError             **error)
{
  const ChangedWeights *self = data;
  gsize n = tare_tensor_get_n_weights (tensor);

  if (!tare_tensor_read (tensor, out, error))
    return FALSE;

  if (is_changed (self, tensor))
    {
      g_autofree float *noise = g_new (float, n);

      tare_test_fill_gaussian (noise, n, self->seed);
      for (gsize i = 0; i < n; i++)
        out[i] += self->noise * noise[i];
    }

  return TRUE;
}

static guint64
fingerprint (gpointer          data,
             const TareTensor *tensor)
{
  const ChangedWeights *self = data;

  return is_changed (self, tensor) ? self->seed : 0;
}

/* Weights that stay valid as long as @self. */
TareWeights
changed_weights (ChangedWeights *self)
{
  return (TareWeights) { load, fingerprint, self };
}

TareModel *
changed_open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

char *
changed_load_text (gsize *length)
{
  g_autofree char *path = tare_test_source ("data/sample/alice.txt");
  g_autoptr(GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, length, &error);
  g_assert_no_error (error);

  return text;
}
