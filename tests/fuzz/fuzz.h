/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* What libFuzzer calls too: a target built with -fsanitize=fuzzer needs nothing else of this. */
int LLVMFuzzerTestOneInput (const uint8_t *data,
                            size_t         size);

typedef struct
{
  const guint8 *bytes;
  gsize         length;
} FuzzInput;

/**
 * FuzzMutator:
 *
 * Makes inputs out of inputs, the same ones for the same seed.
 */
typedef struct _FuzzMutator FuzzMutator;

FuzzMutator *fuzz_mutator_new  (int           seed);
void         fuzz_mutator_free (FuzzMutator  *self);
GByteArray  *fuzz_mutator_make (FuzzMutator  *self,
                                GPtrArray    *corpus);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FuzzMutator, fuzz_mutator_free)

G_END_DECLS
