/* The small parts: segments, marks, pacers, salts. */
#include "base/net/address.h"
#include "edge/views/marks.h"
#include "edge/views/pacer.h"
#include "edge/views/segments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

static void a_number_is_new_once(void **state)
{
    struct edge_segments segments = {0};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t number = (i * 7919) % 1000;
        assert_true(edge_segments_add(&segments, number));
        assert_false(edge_segments_add(&segments, number));
    }
    assert_true(edge_segments_add(&segments, UINT64_MAX));
    edge_segments_done(&segments);
}

static void numbers_that_lie_far_apart_are_bounded(void **state)
{
    struct edge_segments segments = {0};
    unsigned n_new = 0;

    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        n_new += edge_segments_add(&segments, i * 1000003);
    }
    assert_int_equal(n_new, EDGE_SEGMENTS_RUNS);
    edge_segments_done(&segments);
}

static void the_mark_that_was_not_asked_for_the_longest_goes(void **state)
{
    struct edge_marks *marks = edge_marks_new(3, 1);
    struct edge_mark_key keys[4] = {{{1}}, {{2}}, {{3}}, {{4}}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        edge_marks_touch(marks, &keys[i])->n[0] = (uint32_t)i + 10;
    }
    assert_int_equal(edge_marks_touch(marks, &keys[0])->n[0], 10);
    assert_int_equal(edge_marks_touch(marks, &keys[3])->n[0], 0);
    assert_null(edge_marks_find(marks, &keys[1]));
    assert_int_equal(edge_marks_find(marks, &keys[2])->n[0], 12);
    assert_int_equal(edge_marks_count(marks), 3);
    edge_marks_free(marks);
}

static void a_client_has_its_tokens_and_gets_more_with_time(void **state)
{
    struct edge_pacer *pacer = edge_pacer_new(2, 1);
    struct fb_network client = {.bytes = {1}, .bits = 128};
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        n += edge_pacer_take(pacer, &client, 1000);
    }
    assert_int_equal(n, 10);
    assert_false(edge_pacer_take(pacer, &client, 1400));
    assert_true(edge_pacer_take(pacer, &client, 1500));
    assert_false(edge_pacer_take(pacer, &client, 1500));
    assert_true(edge_pacer_take(pacer, &client, UINT64_MAX));
    edge_pacer_free(pacer);
    pacer = edge_pacer_new(0, 1);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(edge_pacer_take(pacer, &client, 0));
    }
    edge_pacer_free(pacer);
}

static void a_salt_is_gone_some_time_after_its_day(void **state)
{
    struct edge_salts salts;
    uint8_t first[EDGE_SALT_SIZE];
    const uint8_t none[EDGE_SALT_SIZE] = {0};

    (void)state;
    edge_salts_init(&salts, FB_STR_NONE, 100 * DAY_MS);
    memcpy(first, salts.now, sizeof(first));
    edge_salts_turn(&salts, 101 * DAY_MS - 1, 60000);
    assert_memory_equal(salts.now, first, sizeof(first));
    edge_salts_turn(&salts, 101 * DAY_MS, 60000);
    assert_memory_not_equal(salts.now, first, sizeof(first));
    assert_true(salts.has_before);
    assert_memory_equal(salts.before, first, sizeof(first));
    edge_salts_turn(&salts, 101 * DAY_MS + 60000, 60000);
    assert_false(salts.has_before);
    assert_memory_equal(salts.before, none, sizeof(none));
    edge_salts_turn(&salts, 200 * DAY_MS, 60000);
    assert_false(salts.has_before);
    edge_salts_done(&salts);
}

static void nodes_that_share_a_key_share_hashes_for_a_day(void **state)
{
    struct edge_salts a;
    struct edge_salts b;
    struct edge_viewer viewer = {.agent = FB_STR("x"), .address = {.bytes = {9}, .bits = 128}};

    (void)state;
    edge_salts_init(&a, FB_STR("a key of the fleet"), 5 * DAY_MS + 1);
    edge_salts_init(&b, FB_STR("a key of the fleet"), 5 * DAY_MS + 9);
    struct edge_mark_key of_a = edge_salt_viewer(a.key_of_day, &viewer, FB_STR_NONE);
    struct edge_mark_key of_b = edge_salt_viewer(b.key_of_day, &viewer, FB_STR_NONE);
    assert_int_equal(edge_mark_number(&of_a), edge_mark_number(&of_b));
    assert_memory_not_equal(a.now, b.now, sizeof(a.now));
    edge_salts_turn(&b, 6 * DAY_MS, 60000);
    of_b = edge_salt_viewer(b.key_of_day, &viewer, FB_STR_NONE);
    assert_int_not_equal(edge_mark_number(&of_a), edge_mark_number(&of_b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_new_once),
        cmocka_unit_test(numbers_that_lie_far_apart_are_bounded),
        cmocka_unit_test(the_mark_that_was_not_asked_for_the_longest_goes),
        cmocka_unit_test(a_client_has_its_tokens_and_gets_more_with_time),
        cmocka_unit_test(a_salt_is_gone_some_time_after_its_day),
        cmocka_unit_test(nodes_that_share_a_key_share_hashes_for_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
