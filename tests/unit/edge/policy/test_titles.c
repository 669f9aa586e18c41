#include "edge/policy/titles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HOUR_MS = 60 * 60 * 1000 };

static void a_new_title_is_unknown(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 100);
    for (uint32_t title = 0; title < 20; title++) {
        assert_false(edge_titles_ask(&titles, title, false, 0).is_known);
        assert_true(edge_titles_ask(&titles, title, false, 0).is_known);
    }
    edge_titles_done(&titles);
}

static void the_share_follows_what_was_found(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 100);
    for (unsigned i = 0; i < 100; i++) {
        (void)edge_titles_ask(&titles, 1, true, 0);
        (void)edge_titles_ask(&titles, 2, false, 0);
    }
    assert_true(edge_titles_ask(&titles, 1, true, 0).share > 0.95);
    assert_true(edge_titles_ask(&titles, 2, true, 0).share < 0.05);
    edge_titles_done(&titles);
}

static void the_rate_is_of_requests_per_extent(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 100);
    for (unsigned i = 0; i < 100; i++) {
        (void)edge_titles_ask(&titles, 1, i >= 10, 0); /* ten extents, ten requests each */
        (void)edge_titles_ask(&titles, 2, false, 0);   /* a hundred, one each */
    }
    double many = edge_titles_ask(&titles, 1, true, 0).per_hour;
    double one = edge_titles_ask(&titles, 2, true, 0).per_hour;
    assert_true(many > 8 && many < 11);
    assert_true(one > 0.9 && one < 1.1);
    edge_titles_done(&titles);
}

static void rates_fade_each_in_its_time(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 100);
    for (unsigned i = 0; i < 100; i++) {
        (void)edge_titles_ask(&titles, 1, i > 0, 0);
    }
    struct edge_titles_view later = edge_titles_ask(&titles, 1, true, 8 * (int64_t)HOUR_MS);
    assert_true(later.per_hour < 0.1);
    assert_true(later.per_shift > 10);
    edge_titles_done(&titles);
}

static void a_clock_that_goes_back_fades_nothing(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 100);
    (void)edge_titles_ask(&titles, 1, false, 100 * (int64_t)HOUR_MS);
    assert_true(edge_titles_ask(&titles, 1, true, 0).per_hour > 0.4);
    edge_titles_done(&titles);
}

static void the_title_that_was_asked_for_longest_ago_makes_way(void **state)
{
    struct edge_titles titles;

    (void)state;
    edge_titles_init(&titles, 1); /* one set of places */
    for (uint32_t title = 1; title <= 5; title++) {
        (void)edge_titles_ask(&titles, title, false, title);
    }
    assert_true(edge_titles_ask(&titles, 2, true, 6).is_known);
    assert_true(edge_titles_ask(&titles, 5, true, 6).is_known);
    assert_false(edge_titles_ask(&titles, 1, true, 7).is_known);
    edge_titles_done(&titles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_title_is_unknown),
        cmocka_unit_test(the_share_follows_what_was_found),
        cmocka_unit_test(the_rate_is_of_requests_per_extent),
        cmocka_unit_test(rates_fade_each_in_its_time),
        cmocka_unit_test(a_clock_that_goes_back_fades_nothing),
        cmocka_unit_test(the_title_that_was_asked_for_longest_ago_makes_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
