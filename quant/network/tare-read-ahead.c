/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/network/tare-network-private.h"

/* Blocks that are smaller are read faster than a thread is started. */
#define LEAST_BYTES (16u * 1024u * 1024u)

typedef struct
{
  TareModel *model;
  int        block;
} Request;

static gpointer
read_ahead (gpointer data)
{
  Request *request = data;

  for (gsize i = 0; i < tare_model_get_n_tensors (request->model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (request->model, i);

      if (tensor->block == request->block)
        tare_file_read_ahead (tensor->file, tensor->offset, tensor->bytes);
    }
  tare_model_unref (request->model);
  g_free (request);

  return NULL;
}

/* Has the system read the weights of a block from the disk while another is computed. Nobody waits
 * for it, and that it fails is no matter: they are then read when they are needed. */
void
_tare_network_read_ahead (TareNetwork *self,
                          guint        block)
{
  g_autoptr(GThread) thread = NULL;
  guint64 bytes = 0;
  Request *request;

  if (block >= self->config->n_blocks)
    return;
  for (gsize i = 0; i < tare_model_get_n_tensors (self->model); i++)
    if (tare_model_get_tensor (self->model, i)->block == (int) block)
      bytes += tare_model_get_tensor (self->model, i)->bytes;
  if (bytes < LEAST_BYTES)
    return;

  request = g_new (Request, 1);
  request->model = tare_model_ref (self->model);
  request->block = (int) block;
  thread = g_thread_try_new ("tare-read-ahead", read_ahead, request, NULL);
  if (thread == NULL)
    {
      tare_model_unref (request->model);
      g_free (request);
    }
}
