/*
 * Right sums on bytes that were changed on purpose (docs/store-format.md), so that
 * what stands behind the checksum is tried too.
 */
#pragma once

#include "base/core/bytes.h"
#include "base/core/str.h"

#include <stddef.h>

/* The sum of a head of `n` bytes, whole blocks. */
static inline void test_seal(char *head, size_t n)
{
    fb_put_u64(head + 8, fb_str_hash((struct fb_str){head + 16, n - 16}, 0));
}

/* The sum that the head at `head` bears, at `offset`, of `n` bytes elsewhere; then its own. */
static inline void test_seal_both(char *head, size_t offset, const char *bytes, size_t n)
{
    fb_put_u64(head + offset, fb_str_hash((struct fb_str){bytes, n}, 0));
    test_seal(head, 4096);
}
