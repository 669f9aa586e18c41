#include "tests/support/test_clock.h"

#include "base/core/attr.h"

static uint64_t test_mono_ns(const struct fb_clock *clock)
{
    return ((const struct test_clock *)(const void *)clock)->mono_now_ns;
}

static int64_t test_wall_ms(const struct fb_clock *clock)
{
    return ((const struct test_clock *)(const void *)clock)->wall_now_ms;
}

struct test_clock test_clock_at_start(void)
{
    return (struct test_clock){
        .clock = {test_mono_ns, test_wall_ms, test_mono_ns},
        .mono_now_ns = 1000000000U,
        .wall_now_ms = 1767225600000,
    };
}

void test_clock_advance_ms(struct test_clock *clock, uint64_t ms)
{
    clock->mono_now_ns += ms * FB_NS_PER_MS;
    clock->wall_now_ms += (int64_t)ms;
}
