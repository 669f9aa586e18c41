#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "edge/replay/replay.h"
#include "edge/replay/report.h"
#include "trace_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, ROOM_FOR_ALL = 64 * MIB };

/* ---- a tier that keeps what it is told to ------------------------------- */

struct fake_tier {
    struct edge_replay_tier tier;
    size_t kept_object; /* is here from the start */
    unsigned n_found;
    unsigned n_offered;
    unsigned n_fetched; /* of those offered */
    unsigned n_outcomes[3];
    uint64_t last_ms;
};

static bool fake_find(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                      uint64_t now_ms)
{
    struct fake_tier *fake = FB_CONTAINER_OF(tier, struct fake_tier, tier);
    bool is_here = extent->object_index == fake->kept_object;

    fake->last_ms = now_ms;
    fake->n_found += is_here ? 1 : 0;
    return is_here;
}

static void fake_offer(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                       bool was_fetched, uint64_t now_ms)
{
    struct fake_tier *fake = FB_CONTAINER_OF(tier, struct fake_tier, tier);

    fake->last_ms = now_ms;
    fake->n_offered++;
    fake->n_fetched += was_fetched ? 1 : 0;
    fake->tier.written.admission += extent->n_bytes;
}

static void fake_request(struct edge_replay_tier *tier, const struct edge_trace_object *object,
                         enum edge_replay_outcome outcome, uint64_t now_ms)
{
    struct fake_tier *fake = FB_CONTAINER_OF(tier, struct fake_tier, tier);

    (void)object;
    fake->last_ms = now_ms;
    fake->n_outcomes[outcome]++;
}

static const struct edge_replay_tier_ops fake_ops = {.find = fake_find,
                                                     .request = fake_request,
                                                     .offer = fake_offer};

/* ---- one trace ------------------------------------------------------------ */

static const struct sample_object objects[] = {{.size = 10 * MIB, .title = 1},
                                               {.size = 1 * MIB, .title = 2},
                                               {.size = 0, .title = 3}};

static void make_trace(const uint32_t *requests, size_t n, struct edge_trace **ret_trace)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    sample_encode(&(struct sample_trace){.unit_ms = 100,
                                         .requests = requests,
                                         .n_requests = n,
                                         .objects = objects,
                                         .n_objects = FB_ARRAY_LEN(objects)},
                  &buf);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "sample", ret_trace, NULL), FB_OK);
}

static void what_fits_is_fetched_once(void **state)
{
    static const uint32_t requests[] = {0, 1, 0, 2, 2, 1};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct edge_replay_result result;

    (void)state;
    make_trace(requests, FB_ARRAY_LEN(requests), &trace);
    edge_replay_run(trace, &(struct edge_replay_options){.memory_bytes = ROOM_FOR_ALL}, &result);
    assert_int_equal(result.n_requests, 6);
    assert_int_equal(result.n_misses, 3);
    assert_int_equal(result.memory.n_hits, 3);
    assert_int_equal(result.n_bytes, 22 * MIB);
    assert_int_equal(result.n_bytes_missed, 11 * MIB);
    assert_int_equal(result.memory.n_bytes_hit, 11 * MIB);
    assert_int_equal(result.memory.n_evictions, 0);
    assert_int_equal(result.duration_ms, 600);
}

static void objects_are_kept_in_extents(void **state)
{
    static const uint32_t requests[] = {0, 1};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct edge_replay_result result;

    (void)state;
    make_trace(requests, FB_ARRAY_LEN(requests), &trace);
    assert_int_equal(edge_replay_n_extents(&trace->objects[0]), 3);
    assert_int_equal(edge_replay_n_extents(&trace->objects[2]), 1);
    assert_int_equal(edge_replay_extent_at(trace, 0, 2).n_bytes, 2 * MIB);
    /* Half a MiB is lacking, and one extent of three makes room for it. */
    struct edge_replay_options options = {.eviction = EDGE_POLICY_LRU,
                                          .memory_bytes = 10 * MIB + MIB / 2};
    edge_replay_run(trace, &options, &result);
    assert_int_equal(result.memory.n_evictions, 1);
    assert_int_equal(result.n_bytes, 11 * MIB);
}

static void overhead_counts_against_memory(void **state)
{
    static const uint32_t requests[] = {1, 1, 2, 2};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct edge_replay_result result;

    (void)state;
    make_trace(requests, FB_ARRAY_LEN(requests), &trace);
    edge_replay_run(trace, &(struct edge_replay_options){.memory_bytes = MIB}, &result);
    assert_int_equal(result.n_misses, 3); /* the object of just that size never fits */
    assert_int_equal(result.memory.n_evictions, 0);
}

static void a_tier_is_asked_for_what_is_not_in_memory(void **state)
{
    static const uint32_t requests[] = {0, 1, 0, 1};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fake_tier fake = {.tier = {.ops = &fake_ops, .n_evictions = 9}, .kept_object = 0};
    struct edge_replay_options options = {.memory_bytes = ROOM_FOR_ALL, .tier = &fake.tier};
    struct edge_replay_result result;

    (void)state;
    make_trace(requests, FB_ARRAY_LEN(requests), &trace);
    edge_replay_run(trace, &options, &result);
    assert_int_equal(fake.n_found, 3);
    assert_int_equal(fake.n_fetched, 1);
    assert_int_equal(fake.n_offered, 5); /* the fetched one, and four hits in memory */
    assert_int_equal(fake.n_outcomes[EDGE_REPLAY_TIER_HIT], 1);
    assert_int_equal(fake.n_outcomes[EDGE_REPLAY_MISS], 1);
    assert_int_equal(fake.n_outcomes[EDGE_REPLAY_MEMORY_HIT], 2);
    assert_int_equal(fake.last_ms, 400);
    assert_int_equal(result.n_misses, 1);
    assert_int_equal(result.n_bytes_missed, 1 * MIB);
    assert_int_equal(result.tier.n_requests, 2);
    assert_int_equal(result.tier.n_hits, 1);
    assert_int_equal(result.tier.n_bytes_requested, 11 * MIB);
    assert_int_equal(result.tier.n_bytes_hit, 10 * MIB);
    assert_int_equal(result.tier.n_evictions, 9);
    assert_int_equal(result.written.admission, 12 * MIB);
}

static void the_report_has_the_ratios(void **state)
{
    static const uint32_t requests[] = {0, 1, 0, 1};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    struct edge_replay_result result;

    (void)state;
    make_trace(requests, FB_ARRAY_LEN(requests), &trace);
    edge_replay_run(trace, &(struct edge_replay_options){.memory_bytes = ROOM_FOR_ALL}, &result);
    edge_replay_report(json, "some/where/vod.fbt", trace, &result, false);
    assert_true(fb_str_equal(fb_json_str(fb_json_find(json, "trace")), FB_STR("vod.fbt")));
    assert_float_equal(fb_json_real(fb_json_find(json, "object_miss_ratio"), 2), 0.5, 1e-9);
    assert_float_equal(fb_json_real(fb_json_find(json, "byte_miss_ratio"), 2), 0.5, 1e-9);
    assert_int_equal(fb_json_int(fb_json_find(json, "footprint_bytes"), 0), 11 * MIB);
    assert_int_equal(fb_json_int(fb_json_find(fb_json_find(json, "memory"), "hits"), 0), 2);
    assert_null(fb_json_find(json, "volumes"));

    struct fb_json *mean = fb_json_set_object(json, "mean");
    edge_replay_report_mean(mean, (struct edge_replay_result[]){result, result}, 2, false);
    assert_float_equal(fb_json_real(fb_json_find(mean, "byte_miss_ratio"), 2), 0.5, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_fetched_once),
        cmocka_unit_test(objects_are_kept_in_extents),
        cmocka_unit_test(overhead_counts_against_memory),
        cmocka_unit_test(a_tier_is_asked_for_what_is_not_in_memory),
        cmocka_unit_test(the_report_has_the_ratios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
