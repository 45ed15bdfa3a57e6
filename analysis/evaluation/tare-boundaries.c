/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-boundaries-private.h"

#include <string.h>

typedef struct
{
  guint64  hash;
  float   *x;
} State;

struct _TareBoundaries
{
  guint  n_blocks;
  gsize  size;
  guint  step;
  State *states;
};

/*
 * _tare_boundaries_new:
 * @n_blocks: blocks of the network
 * @size: numbers of one state
 * @budget: bytes of all states together
 *
 * Where the budget does not hold the state before every block and the one after the last, every
 * k-th is kept, counted from the end: a run then starts at most k - 1 blocks too early.
 */
TareBoundaries *
_tare_boundaries_new (guint   n_blocks,
                      gsize   size,
                      guint64 budget)
{
  TareBoundaries *self = g_new0 (TareBoundaries, 1);
  guint64 affordable = budget / MAX ((guint64) size * sizeof (float), 1);

  self->n_blocks = n_blocks;
  self->size = size;
  self->states = g_new0 (State, n_blocks + 1);
  if (affordable > 0)
    self->step = (guint) MAX ((n_blocks + affordable - 1) / affordable, 1);

  return self;
}

void
_tare_boundaries_free (TareBoundaries *self)
{
  if (self == NULL)
    return;

  for (guint i = 0; i <= self->n_blocks; i++)
    g_free (self->states[i].x);
  g_free (self->states);
  g_free (self);
}

/*
 * _tare_boundaries_find:
 * @hashes: n_blocks + 1 of them, of what makes the state before each block and after the last
 * @x: (out) (nullable): the state before the block that is returned
 *
 * Returns: the last block before which a state with its hash is kept, or 0
 */
guint
_tare_boundaries_find (TareBoundaries  *self,
                       const guint64   *hashes,
                       const float    **x)
{
  for (guint i = self->n_blocks; i > 0; i--)
    if (self->states[i].x != NULL && self->states[i].hash == hashes[i])
      {
        *x = self->states[i].x;
        return i;
      }
  *x = NULL;

  return 0;
}

/*
 * _tare_boundaries_store:
 * @block: the block that @x comes before
 * @hash: of what made @x
 * @x: the state
 *
 * Keeps a copy if @block is among those kept and there is memory for it.
 */
void
_tare_boundaries_store (TareBoundaries *self,
                        guint           block,
                        guint64         hash,
                        const float    *x)
{
  State *state = &self->states[block];

  if (self->step == 0 || block == 0 || (self->n_blocks - block) % self->step != 0)
    return;

  if (state->x == NULL)
    state->x = g_try_malloc_n (self->size, sizeof *x);
  if (state->x == NULL)
    return;

  memcpy (state->x, x, self->size * sizeof *x);
  state->hash = hash;
}
