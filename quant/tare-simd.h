/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * TARE_CLONES:
 *
 * Put before a function whose loops the compiler vectorises: it is then compiled for several
 * generations of x86-64 and the right one is chosen when the program starts. It takes an ifunc,
 * hence glibc; sanitizers run before ifuncs can, and elsewhere the plain function serves.
 */
#if defined (__x86_64__) && defined (__GLIBC__) && defined (__GNUC__) && !defined (__clang__) \
    && __GNUC__ >= 12 && !defined (__SANITIZE_ADDRESS__) && !defined (__SANITIZE_THREAD__)
#define TARE_CLONES __attribute__ ((target_clones ("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TARE_CLONES
#endif
