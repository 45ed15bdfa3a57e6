/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/evaluation/tare-boundaries-private.h"

typedef struct
{
  guint64     hash;
  TareStates *states;
} Boundary;

struct _TareBoundaries
{
  guint       n_blocks;
  gsize       rows;
  gsize       width;
  guint       step;
  TareBudget  budget;
  Boundary   *boundaries;
};

/*
 * _tare_boundaries_new:
 * @n_blocks: blocks of the network
 * @rows: tokens
 * @width: numbers of each
 * @budget: of all states together; memory is taken first
 *
 * Where the budget does not hold the state before every block and the one after the last, every
 * k-th is kept, counted from the end: a run then starts at most k - 1 blocks too early.
 */
TareBoundaries *
_tare_boundaries_new (guint             n_blocks,
                      gsize             rows,
                      gsize             width,
                      const TareBudget *budget)
{
  TareBoundaries *self = g_new0 (TareBoundaries, 1);
  guint64 bytes = MAX ((guint64) rows * width * sizeof (float), 1);
  guint64 affordable = budget->memory / bytes + budget->disk / bytes;

  self->n_blocks = n_blocks;
  self->rows = rows;
  self->width = width;
  self->budget = *budget;
  self->boundaries = g_new0 (Boundary, n_blocks + 1);
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
    tare_states_free (self->boundaries[i].states);
  g_free (self->boundaries);
  g_free (self);
}

/*
 * _tare_boundaries_find:
 * @hashes: n_blocks + 1 of them, of what makes the state before each block and after the last
 * @states: (out) (nullable) (transfer none): those before the block that is returned
 *
 * Returns: the last block before which a state with its hash is kept, or 0
 */
guint
_tare_boundaries_find (TareBoundaries  *self,
                       const guint64   *hashes,
                       TareStates     **states)
{
  for (guint i = self->n_blocks; i > 0; i--)
    if (self->boundaries[i].states != NULL && self->boundaries[i].hash == hashes[i])
      {
        *states = self->boundaries[i].states;
        return i;
      }
  *states = NULL;

  return 0;
}

/*
 * _tare_boundaries_store:
 * @block: the block that @states come before
 * @hash: of what made them
 * @states: the states
 *
 * Keeps a copy if @block is among those kept and there is room for it.
 */
void
_tare_boundaries_store (TareBoundaries *self,
                        guint           block,
                        guint64         hash,
                        TareStates     *states)
{
  Boundary *boundary = &self->boundaries[block];

  if (self->step == 0 || block == 0 || (self->n_blocks - block) % self->step != 0)
    return;

  if (boundary->states == NULL)
    boundary->states = tare_states_new (self->rows, self->width, &self->budget, NULL);
  if (boundary->states == NULL)
    return;

  tare_states_copy (boundary->states, states);
  boundary->hash = hash;
}

/* How many boundaries are kept, and how many of them in temporary files. */
guint
_tare_boundaries_get_n_kept (TareBoundaries *self,
                             guint          *n_on_disk)
{
  guint n = 0;

  *n_on_disk = 0;
  for (guint i = 0; i <= self->n_blocks; i++)
    {
      const TareStates *states = self->boundaries[i].states;

      n += states != NULL;
      *n_on_disk += states != NULL && !tare_states_are_in_memory (states);
    }

  return n;
}
