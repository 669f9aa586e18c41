#include "base/core/alloc.h"
#include "origin/trending/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_EVENTS = 4096 };

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define TODAY   (INT64_C(20000) * DAY_MS)

struct fixture {
    struct origin_caps_event events[MAX_EVENTS];
    size_t n;
    double likes;
    double shares;
    size_t n_hours;
    int32_t last_hour;
};

static int set_up(void **state)
{
    *state = FB_NEW(struct fixture);
    return 0;
}

static int tear_down(void **state)
{
    fb_free(*state);
    return 0;
}

static void on_hour(void *ctx, const struct origin_caps_hour *hour)
{
    struct fixture *f = ctx;

    f->likes += hour->likes;
    f->shares += hour->shares;
    f->n_hours++;
    f->last_hour = hour->hour;
}

static void fold(struct fixture *f)
{
    f->likes = 0;
    f->shares = 0;
    f->n_hours = 0;
    origin_caps_fold(f->events, f->n, on_hour, f);
}

/* A like of an account of so many hours. */
static struct origin_caps_event *like(struct fixture *f, uint64_t user, uint64_t network,
                                      int64_t age_hours)
{
    struct origin_caps_event *event = &f->events[f->n++];

    *event = (struct origin_caps_event){
        .kind = ORIGIN_CAPS_LIKE,
        .at_ms = TODAY + 5 * HOUR_MS,
        .account_ms = TODAY + 5 * HOUR_MS - age_hours * HOUR_MS,
        .user = user,
        .network = network,
    };
    return event;
}

static void accounts_of_different_networks_count_one_each(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 100; i++) {
        (void)like(f, i, i, 100);
    }
    fold(f);
    assert_float_equal(f->likes, 100, 1e-3);
    assert_float_equal(f->shares, 0, 0);
    assert_int_equal(f->n_hours, 1);
    assert_int_equal(f->last_hour, TODAY / HOUR_MS + 5);
}

static void an_account_counts_once_a_day_however_often_it_shares(void **state)
{
    struct fixture *f = *state;

    for (int64_t i = 0; i < 48; i++) {
        struct origin_caps_event *share = like(f, 7, (uint64_t)i, 100);
        share->kind = ORIGIN_CAPS_SHARE;
        share->at_ms = TODAY + i * HOUR_MS;
    }
    fold(f);
    assert_float_equal(f->shares, 2, 1e-6); /* on two days */
}

static void accounts_of_one_network_are_bounded_together(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 1000; i++) {
        (void)like(f, i, 1, 1000);
    }
    fold(f);
    assert_float_equal(f->likes, ORIGIN_CAPS_NETWORK, 1e-3);
}

static void a_thousand_fresh_accounts_alone_weigh_as_one(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 1000; i++) {
        (void)like(f, i, i, 1);
    }
    fold(f);
    assert_float_equal(f->likes, ORIGIN_CAPS_YOUNG_FREE, 1e-3);
}

static void young_accounts_weigh_at_most_a_quarter_of_the_others(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 40; i++) {
        (void)like(f, i, i, 100);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        (void)like(f, 1000 + i, 1000 + i, 1);
    }
    fold(f);
    assert_float_equal(f->likes, (40 + 10 + ORIGIN_CAPS_YOUNG_FREE), 1e-2);
}

static void the_order_of_events_changes_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 20;

    for (uint64_t i = 0; i < 500; i++) {
        struct origin_caps_event *event = like(f, (uint64_t)rand_r(&seed) % 100,
                                               (uint64_t)rand_r(&seed) % 20, rand_r(&seed) % 48);
        event->video = (uint32_t)rand_r(&seed) % 3;
        event->kind = rand_r(&seed) % 2 == 0 ? ORIGIN_CAPS_LIKE : ORIGIN_CAPS_SHARE;
        event->at_ms += rand_r(&seed) % (3 * DAY_MS);
    }
    fold(f);
    double likes = f->likes;
    double shares = f->shares;
    for (size_t i = f->n; i > 1; i--) {
        size_t j = (size_t)rand_r(&seed) % i;
        struct origin_caps_event swapped = f->events[i - 1];
        f->events[i - 1] = f->events[j];
        f->events[j] = swapped;
    }
    fold(f);
    assert_float_equal(f->likes, likes, 1e-9);
    assert_float_equal(f->shares, shares, 1e-9);
}

static void nothing_weighs_nothing(void **state)
{
    struct fixture *f = *state;

    fold(f);
    assert_int_equal(f->n_hours, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accounts_of_different_networks_count_one_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_account_counts_once_a_day_however_often_it_shares,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts_of_one_network_are_bounded_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_fresh_accounts_alone_weigh_as_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(young_accounts_weigh_at_most_a_quarter_of_the_others,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_order_of_events_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_weighs_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
