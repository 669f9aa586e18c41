#include "tests/support/test_random.h"

#include "base/core/mix.h"

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

uint64_t test_random_next(struct test_random *random)
{
    return fb_draw(&random->state);
}

uint64_t test_random_below(struct test_random *random, uint64_t n)
{
    return test_random_next(random) % n;
}
