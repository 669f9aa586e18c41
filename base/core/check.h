/*
 * Contracts: what a caller must guarantee.
 *
 * A broken contract is a bug in the program, never the fault of bytes from a
 * disk, a network, a configuration or a clock; it prints where and what, and
 * aborts. Contracts stay on in release builds.
 */
#pragma once

#include "base/core/attr.h"

#define FB_REQUIRE(condition) \
    ((condition) ? (void)0 : fb_check_fail(__FILE__, __LINE__, __func__, #condition))

/* Prints the broken contract to standard error and aborts. */
FB_NORETURN FB_COLD void fb_check_fail(const char *file, int line, const char *function,
                                       const char *condition);
