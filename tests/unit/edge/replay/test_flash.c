#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/replay/flash.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIB = 1 << 20, N_OBJECTS = 4000, N_REQUESTS = 40000, VOLUME = 256 * MIB };

/* Requests one second apart, of objects of a MiB and a bit in titles of a hundred. */
struct fixture {
    struct edge_trace *trace;
    struct edge_replay_flash *flash;
    struct edge_replay_result result;
};

static struct edge_trace *trace_new(void)
{
    struct edge_trace *trace = FB_NEW(struct edge_trace);

    trace->n_requests = N_REQUESTS;
    trace->n_objects = N_OBJECTS;
    trace->unit_ms = 1000;
    trace->steps = fb_alloc_array(N_REQUESTS, sizeof(*trace->steps));
    trace->requests = fb_alloc_array(N_REQUESTS, sizeof(*trace->requests));
    trace->objects = fb_alloc_array(N_OBJECTS, sizeof(*trace->objects));
    for (uint32_t i = 0; i < N_OBJECTS; i++) {
        trace->objects[i] = (struct edge_trace_object){
            .id = (i + 1) * UINT64_C(0x9E3779B97F4A7C15), .title = i / 100 + 1, .size = MIB + i};
        trace->footprint += MIB + i;
    }
    return trace;
}

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.trace = trace_new()};
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        fixture.trace->steps[i] = 1;
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    edge_replay_flash_free(fixture->flash);
    edge_trace_free(fixture->trace);
    return 0;
}

static void run(struct fixture *fixture, uint64_t volume_bytes, uint64_t daily_bytes)
{
    assert_int_equal(edge_replay_flash_new(volume_bytes, daily_bytes, &fixture->flash), FB_OK);
    const struct edge_replay_options options = {
        .memory_bytes = (uint64_t)8 * MIB,
        .tier = edge_replay_flash_tier(fixture->flash),
    };
    edge_replay_run(fixture->trace, &options, &fixture->result);
}

static void what_goes_round_in_less_than_the_volume_is_written_once(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        f->trace->requests[i] = i % 100;
    }
    run(f, VOLUME, 0);
    assert_int_equal(f->result.tier_bytes, VOLUME);
    assert_true(f->result.n_bytes_missed < (uint64_t)300 * MIB);
    assert_in_range(f->result.written.admission, (uint64_t)95 * MIB, (uint64_t)102 * MIB);
    assert_int_equal(f->result.written.rewriting, 0);
    assert_true(f->result.written.metadata > 0);
    assert_true(f->result.written.metadata < f->result.written.admission / 50);
}

static void a_crawler_is_not_written_for_long(void **state)
{
    struct fixture *f = *state;

    f->trace->n_requests = N_OBJECTS;
    for (uint32_t i = 0; i < N_OBJECTS; i++) {
        f->trace->requests[i] = i;
    }
    run(f, VOLUME, 0);
    assert_int_equal(f->result.n_misses, N_OBJECTS);
    assert_true(f->result.written.admission < f->result.n_bytes / 4);
}

static void every_byte_stays_within_the_daily_budget(void **state)
{
    struct fixture *f = *state;
    struct test_random random = test_random_new();
    const uint64_t daily_bytes = (uint64_t)64 * MIB;

    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        f->trace->requests[i] = (uint32_t)test_random_below(&random, 1000);
        f->trace->steps[i] = 5;
    }
    run(f, VOLUME, daily_bytes);
    uint64_t n_days = f->result.duration_ms / (24 * 60 * 60 * 1000) + 1;
    uint64_t total =
        f->result.written.admission + f->result.written.rewriting + f->result.written.metadata;
    assert_true(total <= n_days * daily_bytes);
    assert_true(total > (n_days - 1) * daily_bytes / 2);
}

static void a_volume_that_is_reclaimed_goes_on_serving(void **state)
{
    struct fixture *f = *state;
    struct test_random random = test_random_new();

    for (uint32_t i = 0; i < N_REQUESTS; i++) { /* half of the requests for a tenth of it */
        uint32_t n = test_random_below(&random, 2) == 0 ? N_OBJECTS / 10 : N_OBJECTS;
        f->trace->requests[i] = (uint32_t)test_random_below(&random, n);
    }
    run(f, (uint64_t)2 * VOLUME, 0);
    assert_true(f->result.tier.n_evictions > 100);
    assert_true(f->result.tier.n_hits > N_REQUESTS / 10);
    assert_int_equal(f->result.memory.n_hits + f->result.tier.n_hits + f->result.n_misses,
                     N_REQUESTS);
}

static void too_few_bytes_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(edge_replay_flash_new(MIB, 0, &f->flash), FB_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        TEST(what_goes_round_in_less_than_the_volume_is_written_once),
        TEST(a_crawler_is_not_written_for_long),
        TEST(every_byte_stays_within_the_daily_budget),
        TEST(a_volume_that_is_reclaimed_goes_on_serving),
        TEST(too_few_bytes_are_refused),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
