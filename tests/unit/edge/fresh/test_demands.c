#include "edge/fresh/demands.h"
#include "edge/fresh/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1000 };

static struct edge_demands demands_of(const char *value, unsigned obeyed)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers request = {0};

    if (value != NULL) {
        fb_headers_add(&request, &arena, FB_STR("cache-control"), fb_str_from(value));
    }
    return edge_demands_of(&arena, &request, obeyed);
}

static void assert_none(const struct edge_demands *demands)
{
    assert_false(demands->only_if_cached || demands->no_store || demands->no_cache);
    assert_int_equal(demands->max_age_ms, -1);
    assert_int_equal(demands->min_fresh_ms, 0);
    assert_int_equal(demands->max_stale_ms, 0);
    assert_int_equal(demands->if_error_ms, 0);
}

static const char all[] =
    "only-if-cached, no-store, no-cache, max-age=1, min-fresh=2, max-stale=3, stale-if-error=4";

static void all_demands_are_read(void **state)
{
    struct edge_demands demands = demands_of(all, EDGE_DEMANDS_ALL);

    (void)state;
    assert_true(demands.only_if_cached && demands.no_store && demands.no_cache);
    assert_int_equal(demands.max_age_ms, 1 * S);
    assert_int_equal(demands.min_fresh_ms, 2 * S);
    assert_int_equal(demands.max_stale_ms, 3 * S);
    assert_int_equal(demands.if_error_ms, 4 * S);
    demands = demands_of("max-stale", EDGE_DEMANDS_ALL);
    assert_true(demands.max_stale_ms > (int64_t)10 * 365 * 24 * 3600 * S);
}

static void a_site_obeys_only_if_cached_alone_by_preset(void **state)
{
    struct edge_demands demands = demands_of(all, EDGE_DEMANDS_PRESET);

    (void)state;
    assert_true(demands.only_if_cached);
    demands.only_if_cached = false;
    assert_none(&demands);
}

static void what_a_site_does_not_obey_is_not_read(void **state)
{
    struct edge_demands none = demands_of(all, 0);
    struct edge_demands silent = demands_of(NULL, EDGE_DEMANDS_ALL);

    (void)state;
    assert_none(&none);
    assert_none(&silent);
}

static void bad_numbers_demand_as_much_as_they_can(void **state)
{
    struct edge_demands demands = demands_of("max-age=x, max-stale=x", EDGE_DEMANDS_ALL);

    (void)state;
    assert_int_equal(demands.max_age_ms, 0);
    assert_int_equal(demands.max_stale_ms, 0);
}

/* ---- what they make of a stored response ------------------------------------- */

/* Fresh for a minute. */
static const struct edge_terms plain = {.lifetime_ms = 60 * S};
static const struct edge_terms strict = {.lifetime_ms = 60 * S, .must_revalidate = true};
static const struct edge_terms immutable = {.lifetime_ms = 60 * S, .is_immutable = true};
static const struct edge_terms lenient = {.lifetime_ms = 60 * S, .while_revalidate_ms = 30 * S};

static const struct {
    const char *demands;
    const struct edge_terms *terms;
    int64_t age_s;
    enum edge_verdict verdict;
} cases[] = {
    {"", &plain, 59, EDGE_USE},
    {"", &plain, 60, EDGE_VALIDATE},
    {"no-cache", &plain, 0, EDGE_VALIDATE},
    {"no-cache", &immutable, 0, EDGE_VALIDATE},
    {"no-cache", &lenient, 70, EDGE_VALIDATE},
    {"no-cache, max-stale", &plain, 61, EDGE_VALIDATE},
    {"max-age=10", &plain, 10, EDGE_USE},
    {"max-age=10", &plain, 11, EDGE_VALIDATE},
    {"max-age=0", &plain, 1, EDGE_VALIDATE},
    {"max-age=0", &immutable, 59, EDGE_USE},
    {"max-age=0", &immutable, 60, EDGE_VALIDATE},
    {"max-age=100", &lenient, 70, EDGE_VALIDATE},
    {"max-age=100, max-stale=20", &plain, 70, EDGE_USE},
    {"max-age=65, max-stale=20", &plain, 70, EDGE_VALIDATE},
    {"min-fresh=10", &plain, 50, EDGE_USE},
    {"min-fresh=10", &plain, 51, EDGE_VALIDATE},
    {"min-fresh=1", &lenient, 70, EDGE_VALIDATE},
    {"max-stale=10", &plain, 70, EDGE_USE},
    {"max-stale=10", &plain, 71, EDGE_VALIDATE},
    {"max-stale", &plain, 3600, EDGE_USE},
    {"max-stale", &strict, 61, EDGE_VALIDATE},
    {"max-stale=5", &lenient, 64, EDGE_USE_AND_REVALIDATE},
    {"only-if-cached", &plain, 1, EDGE_USE},
    {"only-if-cached", &plain, 61, EDGE_VALIDATE},
};

static void demands_narrow_and_widen_what_is_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct edge_demands demands = demands_of(cases[i].demands, EDGE_DEMANDS_ALL);
        enum edge_verdict verdict = edge_terms_judge(cases[i].terms, cases[i].age_s * S, &demands);
        if (verdict != cases[i].verdict) {
            fail_msg("%s at %lld s: %d", cases[i].demands, (long long)cases[i].age_s, (int)verdict);
        }
    }
}

static void a_client_may_take_the_stale_when_the_upstream_fails(void **state)
{
    struct edge_demands demands = demands_of("stale-if-error=10", EDGE_DEMANDS_ALL);
    struct edge_demands stale = demands_of("max-stale=10", EDGE_DEMANDS_ALL);

    (void)state;
    assert_true(edge_terms_stands_in(&plain, 69 * S, &demands));
    assert_true(edge_terms_stands_in(&plain, 69 * S, &stale));
    assert_false(edge_terms_stands_in(&plain, 70 * S, &demands));
    assert_false(edge_terms_stands_in(&strict, 61 * S, &demands));
    assert_false(edge_terms_stands_in(&plain, 61 * S, NULL));
    demands = demands_of("no-cache, stale-if-error=10", EDGE_DEMANDS_ALL);
    assert_false(edge_terms_stands_in(&lenient, 61 * S, &demands));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_demands_are_read),
        cmocka_unit_test(a_site_obeys_only_if_cached_alone_by_preset),
        cmocka_unit_test(what_a_site_does_not_obey_is_not_read),
        cmocka_unit_test(bad_numbers_demand_as_much_as_they_can),
        cmocka_unit_test(demands_narrow_and_widen_what_is_used),
        cmocka_unit_test(a_client_may_take_the_stale_when_the_upstream_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
