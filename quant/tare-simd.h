/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * TARE_CLONES:
 *
 * Put before a function whose loops the compiler vectorises: it is then compiled for several
 * generations of x86-64 and the right one is chosen when the program starts. It takes an ifunc,
 * hence glibc; sanitizers run before ifuncs can, and elsewhere the plain function serves.
 *
 * The clones compute the same, as nothing is contracted or reassociated; a sum that must be the
 * same on every machine is kept in lanes whose number does not depend on the machine.
 */
#if defined (__x86_64__) && defined (__GLIBC__) && defined (__GNUC__) && !defined (__clang__) \
    && __GNUC__ >= 12 && !defined (__SANITIZE_ADDRESS__) && !defined (__SANITIZE_THREAD__)
#define TARE_CLONES \
  __attribute__ ((target_clones ("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TARE_CLONES
#endif

/**
 * TARE_INLINE:
 *
 * For the body of a kernel that several functions share: it becomes part of every clone of each.
 */
#define TARE_INLINE static inline __attribute__ ((always_inline))

/**
 * TARE_VECTOR_LOOP:
 *
 * Put before a short loop over lanes inside another: iterations do not depend on each other, and
 * the compiler must not take the loop apart before it comes to look for vectors.
 */
#if defined (__GNUC__) && !defined (__clang__)
#define TARE_VECTOR_LOOP _Pragma ("GCC ivdep") _Pragma ("GCC unroll 1")
#else
#define TARE_VECTOR_LOOP
#endif
