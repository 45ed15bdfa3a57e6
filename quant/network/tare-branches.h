/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * TareBranches:
 * @n_sequences: sequences, which do not see each other
 * @length: rows of each, one a token
 * @n_positions: positions that the longest way through one of them has
 * @shared: (array length=n_sequences): how many of its first tokens come before all its branches
 * @begin: (array): n_sequences x length, of each token the row at which its branch begins, @shared
 *   or more; of no meaning for those that are shared. Of padding, the row after it: it is where the
 *   last shared token is, and sees what that one sees, if there is any.
 *
 * Sequences that go on in several ways: the tokens of a branch see the shared ones and those of
 * their own branch before them. The positions of each branch go on where the shared ones end.
 */
typedef struct
{
  gsize        n_sequences;
  gsize        length;
  gsize        n_positions;
  const gsize *shared;
  const gsize *begin;
} TareBranches;

/* How many rows of other branches lie between the shared tokens and those that a token sees. */
static inline gsize
tare_branches_get_gap (const TareBranches *self,
                       gsize               sequence,
                       gsize               row)
{
  gsize shared = self->shared[sequence];

  return row >= shared ? self->begin[sequence * self->length + row] - shared : 0;
}

/* At which position a token is. */
static inline gsize
tare_branches_get_position (const TareBranches *self,
                            gsize               sequence,
                            gsize               row)
{
  return row - tare_branches_get_gap (self, sequence, row);
}

G_END_DECLS
