/*
 * Chance that can be repeated: a seed from FB_TEST_SEED or from the kernel,
 * printed when the generator is made.
 */
#pragma once

#include <stdint.h>

struct test_random {
    uint64_t state;
};

struct test_random test_random_new(void);

/* The next number. */
uint64_t test_random_next(struct test_random *random);

/* From 0 to n - 1. */
uint64_t test_random_below(struct test_random *random, uint64_t n);
