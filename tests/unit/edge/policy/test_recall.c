#include "edge/policy/recall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 1 << 30 };

static void what_was_never_asked_for_is_unknown(void **state)
{
    struct edge_recall recall;
    double age = 0;

    (void)state;
    edge_recall_init(&recall, WINDOW, 1000);
    for (uint64_t id = 0; id < 100; id++) {
        assert_int_equal(edge_recall_ask(&recall, id, 0, &age), 0);
    }
    edge_recall_done(&recall);
}

static void requests_are_counted_up_to_a_bound(void **state)
{
    struct edge_recall recall;
    double age = 0;

    (void)state;
    edge_recall_init(&recall, WINDOW, 1000);
    for (unsigned i = 0; i < 40; i++) {
        unsigned want = i < EDGE_RECALL_MAX ? i : EDGE_RECALL_MAX;
        assert_int_equal(edge_recall_ask(&recall, 7, 0, &age), want);
    }
    edge_recall_done(&recall);
}

static void age_is_a_share_of_the_window(void **state)
{
    struct edge_recall recall;
    double age = 0;

    (void)state;
    edge_recall_init(&recall, WINDOW, 1000);
    (void)edge_recall_ask(&recall, 7, 5 * (uint64_t)WINDOW, &age);
    assert_int_equal(edge_recall_ask(&recall, 7, 5 * (uint64_t)WINDOW + WINDOW / 4, &age), 1);
    assert_true(age > 0.24 && age < 0.26);
    edge_recall_done(&recall);
}

static void what_is_as_old_as_the_window_is_forgotten(void **state)
{
    struct edge_recall recall;
    double age = 0;

    (void)state;
    edge_recall_init(&recall, WINDOW, 1000);
    (void)edge_recall_ask(&recall, 7, 0, &age);
    assert_int_equal(edge_recall_ask(&recall, 7, WINDOW, &age), 0);
    assert_int_equal(edge_recall_ask(&recall, 7, WINDOW, &age), 1);
    edge_recall_done(&recall);
}

static void a_full_table_forgets_the_oldest_first(void **state)
{
    struct edge_recall recall;
    double age = 0;
    unsigned n_old = 0;
    unsigned n_young = 0;

    (void)state;
    edge_recall_init(&recall, WINDOW, 1000);
    for (uint64_t id = 1; id <= 4000; id++) {
        (void)edge_recall_ask(&recall, id, id * 1024, &age);
    }
    for (uint64_t id = 3601; id <= 4000; id++) {
        n_young += edge_recall_ask(&recall, id, 4001 * 1024, &age) > 0 ? 1 : 0;
    }
    for (uint64_t id = 1; id <= 400; id++) {
        n_old += edge_recall_ask(&recall, id, 4001 * 1024, &age) > 0 ? 1 : 0;
    }
    assert_true(n_young > 380);
    assert_true(n_old < 20);
    edge_recall_done(&recall);
}

static void a_window_smaller_than_a_tick_works(void **state)
{
    struct edge_recall recall;
    double age = 0;

    (void)state;
    edge_recall_init(&recall, 1, 0);
    assert_int_equal(edge_recall_ask(&recall, 7, 0, &age), 0);
    assert_int_equal(edge_recall_ask(&recall, 7, 0, &age), 1);
    assert_true(edge_recall_bytes(&recall) > 0);
    edge_recall_done(&recall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_asked_for_is_unknown),
        cmocka_unit_test(requests_are_counted_up_to_a_bound),
        cmocka_unit_test(age_is_a_share_of_the_window),
        cmocka_unit_test(what_is_as_old_as_the_window_is_forgotten),
        cmocka_unit_test(a_full_table_forgets_the_oldest_first),
        cmocka_unit_test(a_window_smaller_than_a_tick_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
