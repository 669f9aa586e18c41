/* How fast, at what price, to what end: bucket, guard and yield. */
#include "base/core/attr.h"
#include "edge/warm/bucket.h"
#include "edge/warm/guard.h"
#include "edge/warm/yield.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SPAN_MS = EDGE_GUARD_SPAN_MS, SPAN_S = SPAN_MS / 1000, HOUR_MS = 3600000 };

static const int64_t june = INT64_C(1780272000000); /* 2026-06-01 00:00 UTC */
static const int64_t july = INT64_C(1782864000000);

/* ---- the rate --------------------------------------------------------------- */

/* Bytes that begin in `span_ms` if pieces of `size` wait no longer than they have to. */
static uint64_t begun(struct edge_bucket *bucket, uint64_t size, int64_t span_ms)
{
    uint64_t n = 0;
    int64_t now_ms = 1000;

    while (now_ms < 1000 + span_ms) {
        uint64_t wait_ms = edge_bucket_wait_ms(bucket, now_ms);
        if (wait_ms == 0) {
            edge_bucket_take(bucket, size);
            n += size;
        } else {
            now_ms += (int64_t)wait_ms;
        }
    }
    return n;
}

static void the_mean_is_the_rate_whatever_the_size_of_the_pieces(void **state)
{
    static const uint64_t sizes[] = {1, 1000, 65536, 3000000, 100000000};
    static const uint64_t rates[] = {1000, 125000, 62500000};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(sizes) * FB_ARRAY_LEN(rates); i++) {
        uint64_t size = sizes[i / FB_ARRAY_LEN(rates)];
        uint64_t rate = rates[i % FB_ARRAY_LEN(rates)];
        struct edge_bucket bucket = {.rate = rate};
        if (rate / size > 100000) {
            continue; /* the loop above would count in millions */
        }
        uint64_t n = begun(&bucket, size, 100000);
        assert_true(n <= 101 * rate + size);
        assert_true(n + size + rate >= 100 * rate);
    }
}

static void no_rate_is_no_bound(void **state)
{
    struct edge_bucket bucket = {.rate = 0};

    (void)state;
    edge_bucket_take(&bucket, UINT64_MAX);
    assert_int_equal(edge_bucket_wait_ms(&bucket, 1), 0);
}

static void what_did_not_come_is_given_back(void **state)
{
    struct edge_bucket bucket = {.rate = 1000};

    (void)state;
    assert_int_equal(edge_bucket_wait_ms(&bucket, 1000), 0);
    edge_bucket_take(&bucket, 10000);
    assert_int_equal(edge_bucket_wait_ms(&bucket, 1000), 9001);
    edge_bucket_give(&bucket, 9500);
    assert_int_equal(edge_bucket_wait_ms(&bucket, 1000), 0);
}

static void a_long_sleep_earns_a_second_and_no_more(void **state)
{
    struct edge_bucket bucket = {.rate = 1000};

    (void)state;
    assert_int_equal(edge_bucket_wait_ms(&bucket, INT64_MAX / 2), 0);
    edge_bucket_take(&bucket, 1000);
    assert_true(edge_bucket_wait_ms(&bucket, INT64_MAX / 2) > 0);
}

/* ---- the guard -------------------------------------------------------------- */

struct month {
    struct edge_guard guard;
    int64_t now_ms;
    uint64_t total;
};

/* A span in which `bytes` came. */
static void pass_span(struct month *m, uint64_t bytes)
{
    int64_t begin_ms = 0;
    uint64_t sample = 0;

    m->now_ms += SPAN_MS;
    m->total += bytes;
    assert_true(edge_guard_tell(&m->guard, m->now_ms, m->total, &begin_ms, &sample));
    assert_int_equal(begin_ms, m->now_ms - SPAN_MS);
    assert_int_equal(sample, bytes);
}

static struct month *month_with(unsigned percentile, uint64_t commit)
{
    static struct month m;
    int64_t begin_ms = 0;
    uint64_t sample = 0;

    memset(&m, 0, sizeof(m));
    m.guard.percentile = percentile;
    m.guard.commit = commit;
    m.now_ms = june;
    assert_false(edge_guard_tell(&m.guard, m.now_ms, 0, &begin_ms, &sample));
    return &m;
}

static void the_level_is_the_highest_sample_but_for_the_twentieth_part(void **state)
{
    struct month *m = month_with(95, 0);

    (void)state;
    for (uint64_t i = 1; i <= 100; i++) { /* 37 and 100 have no common factor: any order */
        pass_span(m, (i * 37 % 100 + 1) * 1000 * SPAN_S);
    }
    assert_int_equal(edge_guard_level(&m->guard), 95000);
    for (unsigned i = 0; i < 100; i++) { /* twice as many, half of them of nothing */
        pass_span(m, 0);
    }
    assert_int_equal(edge_guard_level(&m->guard), 90000);
}

static void what_is_paid_for_anyway_may_be_used_from_the_first_day(void **state)
{
    struct month *m = month_with(95, 5000);

    (void)state;
    assert_int_equal(edge_guard_level(&m->guard), 5000);
    pass_span(m, 9000 * SPAN_S);
    assert_int_equal(edge_guard_level(&m->guard), 9000);
}

static void a_span_is_not_spent_at_its_beginning(void **state)
{
    struct month *m = month_with(95, 1000);
    int64_t begin_ms = 0;
    uint64_t sample = 0;

    (void)state;
    assert_true(edge_guard_allows(&m->guard, m->now_ms, 9999)); /* ten seconds ahead */
    assert_false(edge_guard_allows(&m->guard, m->now_ms, 10000));
    assert_false(edge_guard_tell(&m->guard, m->now_ms + 1000, 100000, &begin_ms, &sample));
    assert_false(edge_guard_allows(&m->guard, m->now_ms + 90000, 0));
    assert_true(edge_guard_allows(&m->guard, m->now_ms + 90001, 0));
    assert_false(edge_guard_tell(&m->guard, m->now_ms + 1000, 1000 * SPAN_S, &begin_ms, &sample));
    assert_false(edge_guard_allows(&m->guard, m->now_ms + SPAN_MS - 1, 0));
    m->total = 1000 * SPAN_S;
    m->now_ms += SPAN_MS;
    assert_true(edge_guard_tell(&m->guard, m->now_ms, m->total, &begin_ms, &sample));
    assert_true(edge_guard_allows(&m->guard, m->now_ms, 0));
}

static void each_month_begins_anew(void **state)
{
    struct month *m = month_with(95, 1000);

    (void)state;
    m->now_ms = july - SPAN_MS;
    m->guard.span_begin_ms = m->now_ms - SPAN_MS;
    m->now_ms -= SPAN_MS;
    pass_span(m, 7000 * SPAN_S);
    assert_int_equal(edge_guard_level(&m->guard), 7000);
    pass_span(m, 7000 * SPAN_S); /* the last of June */
    assert_int_equal(edge_guard_level(&m->guard), 1000);
    assert_true(edge_guard_is_same_month(june, july - 1));
    assert_false(edge_guard_is_same_month(june, july));
}

static void samples_of_an_earlier_run_count_if_they_are_of_this_month(void **state)
{
    struct month *m = month_with(95, 1);

    (void)state;
    edge_guard_restore(&m->guard, june - SPAN_MS, 9000 * SPAN_S, june + HOUR_MS);
    edge_guard_restore(&m->guard, june + HOUR_MS + SPAN_MS, 9000 * SPAN_S, june + HOUR_MS);
    assert_int_equal(edge_guard_level(&m->guard), 1);
    edge_guard_restore(&m->guard, june, 9000 * SPAN_S, june + HOUR_MS);
    assert_int_equal(edge_guard_level(&m->guard), 9000);
}

static void without_a_percentile_there_is_no_guard(void **state)
{
    struct month *m = month_with(0, 0);

    (void)state;
    assert_true(edge_guard_allows(&m->guard, m->now_ms, UINT64_MAX / 2));
}

/* ---- the yield --------------------------------------------------------------- */

static struct edge_yield yield_of(unsigned least)
{
    return (struct edge_yield){.span_ms = (int64_t)EDGE_YIELD_PARTS * HOUR_MS, .least = least};
}

static void the_yield_is_of_the_last_span(void **state)
{
    struct edge_yield yield = yield_of(30);
    int64_t now_ms = june;

    (void)state;
    assert_int_equal(edge_yield_percent(&yield, now_ms), -1);
    (void)edge_yield_add(&yield, now_ms, 1000, 0);
    (void)edge_yield_add(&yield, now_ms + HOUR_MS, 1000, 500);
    assert_int_equal(edge_yield_percent(&yield, now_ms + HOUR_MS), 25);
    assert_int_equal(edge_yield_percent(&yield, now_ms + yield.span_ms), 50);
    assert_int_equal(edge_yield_percent(&yield, now_ms + yield.span_ms + HOUR_MS), -1);
}

static void
filling_that_does_not_pay_stops_after_a_span_and_is_tried_again_after_another(void **state)
{
    struct edge_yield yield = yield_of(30);
    int64_t now_ms = june;
    int64_t stopped_ms = 0;

    (void)state;
    while (now_ms < june + 4 * yield.span_ms) { /* some is filled each hour while it may be */
        bool is_stopped = edge_yield_is_stopped(&yield);
        (void)edge_yield_add(&yield, now_ms, is_stopped ? 0 : 100, 29);
        if (edge_yield_judge(&yield, now_ms) && edge_yield_is_stopped(&yield)) {
            stopped_ms = stopped_ms == 0 ? now_ms : stopped_ms;
        }
        now_ms += HOUR_MS;
    }
    assert_int_equal(stopped_ms, june + yield.span_ms);
    assert_false(edge_yield_judge(&yield, stopped_ms)); /* stopped, tried, and stopped by then */
    assert_true(edge_yield_is_stopped(&yield));
}

static void filling_that_pays_goes_on(void **state)
{
    struct edge_yield yields[] = {yield_of(30), yield_of(0)};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(yields); i++) {
        for (int64_t now_ms = june; now_ms < june + 3 * yields[i].span_ms; now_ms += HOUR_MS) {
            (void)edge_yield_add(&yields[i], now_ms, 100, i == 0 ? 30 : 0);
            assert_false(edge_yield_judge(&yields[i], now_ms));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_is_the_rate_whatever_the_size_of_the_pieces),
        cmocka_unit_test(no_rate_is_no_bound),
        cmocka_unit_test(what_did_not_come_is_given_back),
        cmocka_unit_test(a_long_sleep_earns_a_second_and_no_more),
        cmocka_unit_test(the_level_is_the_highest_sample_but_for_the_twentieth_part),
        cmocka_unit_test(what_is_paid_for_anyway_may_be_used_from_the_first_day),
        cmocka_unit_test(a_span_is_not_spent_at_its_beginning),
        cmocka_unit_test(each_month_begins_anew),
        cmocka_unit_test(samples_of_an_earlier_run_count_if_they_are_of_this_month),
        cmocka_unit_test(without_a_percentile_there_is_no_guard),
        cmocka_unit_test(the_yield_is_of_the_last_span),
        cmocka_unit_test(
            filling_that_does_not_pay_stops_after_a_span_and_is_tried_again_after_another),
        cmocka_unit_test(filling_that_pays_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
