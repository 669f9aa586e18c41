/*
 * Random bytes from the kernel, good for keys.
 *
 * Threads    Any.
 * Failures   None that can be handled: a kernel without randomness ends the
 *            process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void fb_random_bytes(void *bytes, size_t size);
uint64_t fb_random_u64(void);
