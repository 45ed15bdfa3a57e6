/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MAXIMUM_LENGTH 16384

struct _FuzzMutator
{
  guint64    state;
  GPtrArray *corpus;
};

typedef void (*MutateFunc) (FuzzMutator *self,
                            GByteArray  *input);

/* SplitMix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014. */
static guint64
next (FuzzMutator *self)
{
  guint64 z = self->state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ z >> 30) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * G_GUINT64_CONSTANT (0x94d049bb133111eb);

  return z ^ z >> 31;
}

static guint
below (FuzzMutator *self,
       guint        n)
{
  return n > 0 ? (guint) (next (self) % n) : 0;
}

static void
insert (GByteArray   *input,
        guint         position,
        const guint8 *bytes,
        guint         n)
{
  g_autofree guint8 *copy = g_memdup2 (bytes, MAX (n, 1));
  guint length = input->len;

  if (length + n > MAXIMUM_LENGTH)
    return;
  g_byte_array_set_size (input, length + n);
  memmove (input->data + position + n, input->data + position, length - position);
  memcpy (input->data + position, copy, n);
}

static void
flip_bit (FuzzMutator *self,
          GByteArray  *input)
{
  input->data[below (self, input->len)] ^= (guint8) (1u << below (self, 8));
}

static void
set_byte (FuzzMutator *self,
          GByteArray  *input)
{
  static const guint8 bytes[] = { 0, 1, 0x7f, 0x80, 0xff, ' ', '0', '"', '{', '[' };
  guint which = below (self, 2 * G_N_ELEMENTS (bytes));

  input->data[below (self, input->len)] = which < G_N_ELEMENTS (bytes) ? bytes[which]
                                                                        : (guint8) next (self);
}

/* Little-endian integers of 1 to 8 bytes, as lengths and counts are. */
static void
set_integer (FuzzMutator *self,
             GByteArray  *input)
{
  static const guint64 integers[] = {
    0, 1, 2, 4, 8, 31, 32, 33, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
    0xfffffffe, 0xffffffff, G_GUINT64_CONSTANT (0x100000000), G_MAXINT64, G_MAXUINT64,
    G_GUINT64_CONSTANT (0x8000000000000000), G_GUINT64_CONSTANT (0x2000000000000001),
    G_GUINT64_CONSTANT (0x4000000000000000),
  };
  guint which = below (self, G_N_ELEMENTS (integers) + 3);
  guint64 value = which < G_N_ELEMENTS (integers) ? integers[which]
                  : which == G_N_ELEMENTS (integers) ? input->len
                  : which == G_N_ELEMENTS (integers) + 1 ? input->len - below (self, 64)
                  : below (self, 64);
  guint n = 1u << below (self, 4);
  guint position;

  if (input->len < n)
    return;
  position = below (self, input->len - n + 1);
  for (guint i = 0; i < n; i++)
    input->data[position + i] = (guint8) (value >> (8 * i));
}

static void
add_small (FuzzMutator *self,
           GByteArray  *input)
{
  input->data[below (self, input->len)] += (guint8) (below (self, 33) - 16);
}

static void
truncate_end (FuzzMutator *self,
              GByteArray  *input)
{
  g_byte_array_set_size (input, 1 + below (self, input->len));
}

static void
remove_part (FuzzMutator *self,
             GByteArray  *input)
{
  guint start = below (self, input->len);
  guint n = 1 + below (self, MIN (input->len - start, 1u + below (self, 64)));

  if (n < input->len)
    g_byte_array_remove_range (input, start, MIN (n, input->len - start));
}

static void
repeat_part (FuzzMutator *self,
             GByteArray  *input)
{
  guint start = below (self, input->len);
  guint n = 1 + below (self, MIN (input->len - start, 64));
  guint position = below (self, input->len + 1);

  for (guint times = 1 + below (self, 4); times > 0; times--)
    insert (input, position, input->data + start, MIN (n, input->len - start));
}

static void
move_part (FuzzMutator *self,
           GByteArray  *input)
{
  guint from = below (self, input->len);
  guint to = below (self, input->len);
  guint n = 1 + below (self, MIN (input->len - MAX (from, to), 64));

  memmove (input->data + to, input->data + from, MIN (n, input->len - MAX (from, to)));
}

static void
splice (FuzzMutator *self,
        GByteArray  *input)
{
  gsize length = 0;
  const guint8 *other = g_bytes_get_data (self->corpus->pdata[below (self, self->corpus->len)],
                                          &length);
  guint start = below (self, (guint) length);
  guint n = 1 + below (self, MIN ((guint) length - start, 256));

  if (length > 0)
    insert (input, below (self, input->len + 1), other + start, MIN (n, (guint) length - start));
}

/* The end of one after the beginning of another. */
static void
cross (FuzzMutator *self,
       GByteArray  *input)
{
  gsize length = 0;
  const guint8 *other = g_bytes_get_data (self->corpus->pdata[below (self, self->corpus->len)],
                                          &length);
  guint cut = below (self, (guint) MIN (input->len, length));

  g_byte_array_set_size (input, MAX (cut, 1));
  if (length > cut && length <= MAXIMUM_LENGTH)
    g_byte_array_append (input, other + cut, (guint) length - cut);
}

static void
insert_word (FuzzMutator *self,
             GByteArray  *input)
{
  static const char *const words[] = {
    "null", "true", "{}", "[]", "\"\"", "-1", "0", "1e999", "1e308", "0.5", "4294967296",
    "9223372036854775807", "-9223372036854775808", "18446744073709551616", ",", ":", "{", "}",
    "[", "]", "\"", "\\u0000", "\\ud800", "\xef\xbb\xbf", "\xc3\xa9", "\xff", "*", "?", "<s>",
    " ", "\n", "\r\n", "'s", "123", "\xe2\x96\x81",
  };
  const char *word = words[below (self, G_N_ELEMENTS (words))];
  guint n = (guint) strlen (word);
  guint position = below (self, input->len + 1);

  if (below (self, 2) == 0 && position + n <= input->len)
    memcpy (input->data + position, word, n);
  else
    insert (input, position, (const guint8 *) word, n);
}

/* A number in a text becomes another. */
static void
set_number (FuzzMutator *self,
            GByteArray  *input)
{
  static const char *const numbers[] = {
    "0", "1", "-1", "2", "3", "7", "64", "255", "65536", "2147483648", "4294967295",
    "4611686018427387904", "9223372036854775807", "99999999999999999999", "1e400", "1.5", "-0",
  };
  const char *number = numbers[below (self, G_N_ELEMENTS (numbers))];
  guint start = below (self, input->len);
  guint end;

  while (start < input->len && !g_ascii_isdigit (input->data[start]))
    start++;
  for (end = start; end < input->len && g_ascii_isdigit (input->data[end]);)
    end++;
  if (end == start)
    return;
  g_byte_array_remove_range (input, start, end - start);
  insert (input, start, (const guint8 *) number, (guint) strlen (number));
}

static const MutateFunc mutations[] = {
  flip_bit, set_byte, set_integer, set_integer, add_small, truncate_end, remove_part, repeat_part,
  move_part, splice, cross, insert_word, set_number,
};

FuzzMutator *
fuzz_mutator_new (int seed)
{
  FuzzMutator *self = g_new0 (FuzzMutator, 1);

  self->state = (guint64) seed;

  return self;
}

void
fuzz_mutator_free (FuzzMutator *self)
{
  g_free (self);
}

/**
 * fuzz_mutator_make:
 * @self: a mutator
 * @corpus: (element-type GBytes): inputs, at least one
 *
 * Returns: (transfer full): one of them after one to eight changes, the late ones more often
 */
GByteArray *
fuzz_mutator_make (FuzzMutator *self,
                   GPtrArray   *corpus)
{
  guint newest = below (self, 4) == 0 ? MIN (corpus->len, 16) : corpus->len;
  GBytes *seed = corpus->pdata[corpus->len - 1 - below (self, newest)];
  GByteArray *input = g_byte_array_new ();
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data (seed, &length);

  self->corpus = corpus;
  g_byte_array_append (input, bytes, (guint) MIN (length, MAXIMUM_LENGTH));
  for (guint n = 1u << below (self, 4); n > 0; n--)
    {
      if (input->len == 0)
        g_byte_array_append (input, (const guint8 *) "", 1);
      mutations[below (self, G_N_ELEMENTS (mutations))] (self, input);
    }

  return input;
}
