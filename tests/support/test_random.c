#include "tests/support/test_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct test_random test_random_new(void)
{
    struct test_random random = {0};
    const char *given = getenv("FB_TEST_SEED");

    if (given != NULL) {
        random.state = strtoull(given, NULL, 0);
    } else if (getrandom(&random.state, sizeof(random.state), 0) < 0) {
        random.state = 1;
    }
    printf("FB_TEST_SEED=%#llx\n", (unsigned long long)random.state);
    return random;
}

/* The arithmetic wraps on purpose. */
uint64_t test_random_next(struct test_random *random)
{
    random->state += 0x9e3779b97f4a7c15U;
    uint64_t x = random->state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

uint64_t test_random_below(struct test_random *random, uint64_t n)
{
    return test_random_next(random) % n;
}
