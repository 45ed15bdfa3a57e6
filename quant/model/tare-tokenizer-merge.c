/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-tokenizer-private.h"

#define NO_RANK G_MAXUINT32
#define NO_NODE G_MAXUINT32

/* Words of up to so many symbols are merged by looking at every pair each time. */
#define SCAN_LIMIT 32

/* 2^64 divided by the golden ratio: D. Knuth, The Art of Computer Programming 3, section 6.4. */
#define GOLDEN G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)

static guint64
make_key (guint32 left,
          guint32 right)
{
  return (guint64) left << 32 | right;
}

/**
 * _tare_pair_table_init:
 * @self: (out caller-allocates): an empty table
 * @n_pairs: how many it is to hold at most
 */
void
_tare_pair_table_init (TarePairTable *self,
                       gsize          n_pairs)
{
  self->bits = 4;
  while (((gsize) 1 << self->bits) < n_pairs + n_pairs / 2 + 1)
    self->bits++;
  self->n_pairs = 0;
  self->slots = g_new (TarePair, (gsize) 1 << self->bits);
  for (gsize i = 0; i < (gsize) 1 << self->bits; i++)
    self->slots[i].key = G_MAXUINT64;
}

void
_tare_pair_table_clear (TarePairTable *self)
{
  g_clear_pointer (&self->slots, g_free);
}

static TarePair *
find_slot (const TarePairTable *self,
           guint64              key)
{
  gsize mask = ((gsize) 1 << self->bits) - 1;
  gsize i = (gsize) (((key ^ key >> 32) * GOLDEN) >> (64 - self->bits));

  while (self->slots[i].key != key && self->slots[i].key != G_MAXUINT64)
    i = (i + 1) & mask;

  return &self->slots[i];
}

/**
 * _tare_pair_table_insert:
 * @self: a table
 * @left: a symbol
 * @right: a symbol
 * @rank: of the pair
 * @result: what it becomes
 *
 * Returns: whether the pair is new; the first of two stays
 */
gboolean
_tare_pair_table_insert (TarePairTable *self,
                         guint32        left,
                         guint32        right,
                         guint32        rank,
                         guint32        result)
{
  guint64 key = make_key (left, right);
  TarePair *slot = find_slot (self, key);

  if (slot->key == key)
    return FALSE;

  *slot = (TarePair) { key, rank, result };
  self->n_pairs++;

  return TRUE;
}

/**
 * _tare_pair_table_lookup:
 * @self: a table
 * @left: a symbol, or %TARE_TOKEN_NONE
 * @right: a symbol, or %TARE_TOKEN_NONE
 *
 * Returns: (nullable): the pair, if these merge
 */
const TarePair *
_tare_pair_table_lookup (const TarePairTable *self,
                         guint32              left,
                         guint32              right)
{
  const TarePair *slot;

  if (left == TARE_TOKEN_NONE || right == TARE_TOKEN_NONE)
    return NULL;
  slot = find_slot (self, make_key (left, right));

  return slot->key != G_MAXUINT64 ? slot : NULL;
}

void
_tare_merger_init (TareMerger *self)
{
  self->nodes = g_array_new (FALSE, FALSE, sizeof (TareNode));
  self->heap = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->lattice = g_array_new (FALSE, TRUE, sizeof (TareLattice));
}

void
_tare_merger_clear (TareMerger *self)
{
  g_clear_pointer (&self->nodes, g_array_unref);
  g_clear_pointer (&self->heap, g_array_unref);
  g_clear_pointer (&self->lattice, g_array_unref);
}

static void
rank_node (TareNode            *node,
           guint32              right,
           const TarePairTable *pairs)
{
  const TarePair *pair = _tare_pair_table_lookup (pairs, node->symbol, right);

  node->rank = pair != NULL ? pair->rank : NO_RANK;
  node->result = pair != NULL ? pair->result : TARE_TOKEN_NONE;
}

/**
 * _tare_merger_run_scan:
 * @self: holds a word
 * @pairs: what merges
 *
 * The plain form of _tare_merger_run(): looks at every pair for each merge.
 */
void
_tare_merger_run_scan (TareMerger          *self,
                       const TarePairTable *pairs)
{
  TareNode *nodes = (TareNode *) (gpointer) self->nodes->data;
  guint n = self->nodes->len;

  for (guint i = 0; i + 1 < n; i++)
    rank_node (&nodes[i], nodes[i + 1].symbol, pairs);

  while (n > 1)
    {
      guint best = 0;

      for (guint i = 1; i + 1 < n; i++)
        if (nodes[i].rank < nodes[best].rank)
          best = i;
      if (nodes[best].rank == NO_RANK)
        break;

      nodes[best].symbol = nodes[best].result;
      nodes[best].length += nodes[best + 1].length;
      n--;
      for (guint i = best + 1; i < n; i++)
        nodes[i] = nodes[i + 1];
      if (best + 1 < n)
        rank_node (&nodes[best], nodes[best + 1].symbol, pairs);
      if (best > 0)
        rank_node (&nodes[best - 1], nodes[best].symbol, pairs);
    }

  g_array_set_size (self->nodes, n);
}

static void
push (GArray  *heap,
      guint64  value)
{
  guint64 *values;
  guint i = heap->len;

  g_array_append_val (heap, value);
  values = (guint64 *) (gpointer) heap->data;
  while (i > 0 && values[(i - 1) / 2] > value)
    {
      values[i] = values[(i - 1) / 2];
      i = (i - 1) / 2;
    }
  values[i] = value;
}

static guint64
pop (GArray *heap)
{
  guint64 *values = (guint64 *) (gpointer) heap->data;
  guint64 first = values[0];
  guint64 last = values[heap->len - 1];
  guint n = heap->len - 1;
  guint i = 0;

  while (2 * (gsize) i + 1 < n)
    {
      guint child = 2 * i + 1;

      if (child + 1 < n && values[child + 1] < values[child])
        child++;
      if (values[child] >= last)
        break;
      values[i] = values[child];
      i = child;
    }
  values[i] = last;
  g_array_set_size (heap, n);

  return first;
}

static void
rank_and_push (TareMerger          *self,
               guint32              i,
               const TarePairTable *pairs)
{
  TareNode *nodes = (TareNode *) (gpointer) self->nodes->data;

  nodes[i].rank = NO_RANK;
  if (nodes[i].next == NO_NODE)
    return;
  rank_node (&nodes[i], nodes[nodes[i].next].symbol, pairs);
  if (nodes[i].rank != NO_RANK)
    push (self->heap, make_key (nodes[i].rank, i));
}

/**
 * _tare_merger_run_queue:
 * @self: holds a word
 * @pairs: what merges
 *
 * _tare_merger_run() for long words: a priority queue over a linked list, so n symbols take
 * O(n log n). An entry is stale when its node is gone or makes another pair by now.
 */
void
_tare_merger_run_queue (TareMerger          *self,
                        const TarePairTable *pairs)
{
  TareNode *nodes = (TareNode *) (gpointer) self->nodes->data;
  guint n = self->nodes->len;
  guint kept = 0;

  g_array_set_size (self->heap, 0);
  for (guint i = 0; i < n; i++)
    {
      nodes[i].previous = i > 0 ? i - 1 : NO_NODE;
      nodes[i].next = i + 1 < n ? i + 1 : NO_NODE;
    }
  for (guint i = 0; i < n; i++)
    rank_and_push (self, i, pairs);

  while (self->heap->len > 0)
    {
      guint64 entry = pop (self->heap);
      guint32 i = (guint32) entry;
      guint32 gone = nodes[i].next;

      if (nodes[i].length == 0 || nodes[i].rank != (guint32) (entry >> 32))
        continue;

      nodes[i].symbol = nodes[i].result;
      nodes[i].length += nodes[gone].length;
      nodes[i].next = nodes[gone].next;
      nodes[gone].length = 0;
      if (nodes[i].next != NO_NODE)
        nodes[nodes[i].next].previous = i;
      rank_and_push (self, i, pairs);
      if (nodes[i].previous != NO_NODE)
        rank_and_push (self, nodes[i].previous, pairs);
    }

  for (guint i = 0; i < n; i++)
    if (nodes[i].length > 0)
      nodes[kept++] = nodes[i];
  g_array_set_size (self->nodes, kept);
}

/**
 * _tare_merger_run:
 * @self: holds a word in its nodes: symbols and their lengths, none of them 0
 * @pairs: what merges
 *
 * Merges the adjacent pair of the lowest rank, the leftmost of several, until none is left.
 */
void
_tare_merger_run (TareMerger          *self,
                  const TarePairTable *pairs)
{
  if (self->nodes->len <= SCAN_LIMIT)
    _tare_merger_run_scan (self, pairs);
  else
    _tare_merger_run_queue (self, pairs);
}
