#include "base/core/attr.h"
#include "edge/policy/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIB = 1 << 20, N_REQUESTS = 20000 };

static const uint64_t volume_bytes = UINT64_C(1000) * MIB;

/* Traffic: requests one second apart, each a miss. */
struct traffic {
    struct edge_admission *admission;
    int64_t now_ms;
    uint64_t next_new;
};

static int set_up(void **state)
{
    static struct traffic traffic;

    traffic = (struct traffic){.admission = edge_admission_new(volume_bytes),
                               .next_new = UINT64_C(1) << 40};
    *state = &traffic;
    return 0;
}

static int tear_down(void **state)
{
    struct traffic *traffic = *state;
    edge_admission_free(traffic->admission);
    return 0;
}

static bool ask(struct traffic *traffic, uint32_t title, uint64_t id)
{
    traffic->now_ms += 1000;
    return edge_admission_ask(traffic->admission, &(struct edge_admission_ask){
                                                      .id = id,
                                                      .size = MIB,
                                                      .title = title,
                                                      .now_ms = traffic->now_ms,
                                                  });
}

/* Something that nobody asks for a second time. */
static bool ask_new(struct traffic *traffic, uint32_t title)
{
    return ask(traffic, title, traffic->next_new++);
}

/* A title of ever new extents, of which each is asked for again a little later. */
static bool ask_popular(struct traffic *traffic, uint32_t title, uint64_t turn)
{
    bool is_admitted = ask(traffic, title, (uint64_t)title << 32 | turn);

    if (turn >= 20) {
        (void)ask(traffic, title, (uint64_t)title << 32 | (turn - 20));
    }
    return is_admitted;
}

static void what_nobody_asks_for_again_is_soon_refused(void **state)
{
    unsigned n_admitted = 0;

    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        n_admitted += ask_new(*state, i) ? 1 : 0;
    }
    assert_true(n_admitted < N_REQUESTS / 4);
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(ask_new(*state, N_REQUESTS + i));
    }
}

static void a_title_whose_extents_come_back_is_admitted_at_first_sight(void **state)
{
    unsigned n_popular = 0;
    unsigned n_crawled = 0;

    for (uint64_t turn = 0; turn < N_REQUESTS; turn++) {
        bool is_popular = ask_popular(*state, 1, turn);
        bool is_crawled = ask_new(*state, 2);
        n_popular += turn >= N_REQUESTS / 2 && is_popular ? 1 : 0;
        n_crawled += turn >= N_REQUESTS / 2 && is_crawled ? 1 : 0;
    }
    assert_true(n_popular > N_REQUESTS / 2 / 10 * 9);
    assert_true(n_crawled < N_REQUESTS / 2 / 10);
}

static void what_was_asked_for_before_is_admitted_where_such_things_come_back(void **state)
{
    struct traffic *traffic = *state;
    unsigned n_again = 0;

    for (uint32_t i = 0; i < N_REQUESTS; i++) { /* titles tell nothing: each has one extent */
        (void)ask_new(traffic, 1000 + i);
        (void)ask_new(traffic, 1000000 + i);
        bool is_admitted = ask(traffic, i % 300, i % 300);
        n_again += i >= N_REQUESTS / 2 && is_admitted ? 1 : 0;
    }
    assert_true(n_again > N_REQUESTS / 2 / 10 * 9);
    assert_false(ask_new(traffic, 5000000));
}

static void a_hit_on_a_volume_counts_like_a_miss(void **state)
{
    struct traffic *traffic = *state;
    unsigned n_admitted = 0;

    for (uint64_t turn = 0; turn < N_REQUESTS; turn++) {
        struct edge_admission_ask hit = {.title = 1, .size = MIB};
        bool is_admitted = ask(traffic, 1, UINT64_C(1) << 32 | turn);
        n_admitted += turn >= N_REQUESTS / 2 && is_admitted ? 1 : 0;
        if (turn >= 20) {
            hit.id = UINT64_C(1) << 32 | (turn - 20);
            hit.now_ms = traffic->now_ms;
            edge_admission_seen(traffic->admission, &hit);
        }
        (void)ask_new(traffic, 2);
    }
    assert_true(n_admitted > N_REQUESTS / 2 / 10 * 9);
}

/* Half of the titles' extents come back: a coin. */
static void learn_coin(struct traffic *traffic)
{
    for (uint64_t turn = 0; turn < N_REQUESTS; turn++) {
        (void)ask(traffic, (uint32_t)turn + 1, turn);
        if (turn >= 100 && turn % 2 == 0) {
            (void)ask(traffic, (uint32_t)turn - 99, turn - 100);
        }
    }
}

static void a_volume_with_room_takes_what_a_full_one_refuses(void **state)
{
    struct traffic *traffic = *state;
    struct edge_admission_ask coin = {.id = 1U << 30, .title = 1U << 30, .size = MIB};

    learn_coin(traffic);
    coin.now_ms = traffic->now_ms;
    assert_false(edge_admission_ask(traffic->admission, &coin));
    coin.id++;
    coin.title++;
    coin.has_room = true;
    assert_true(edge_admission_ask(traffic->admission, &coin));
}

static void near_the_end_of_the_budget_only_the_surest_is_admitted(void **state)
{
    struct traffic *traffic = *state;
    struct edge_admission_ask coin = {
        .id = 1U << 30, .title = 1U << 30, .size = MIB, .has_room = true, .pressure = 0.95};

    learn_coin(traffic);
    coin.now_ms = traffic->now_ms;
    assert_false(edge_admission_ask(traffic->admission, &coin));
}

static void nothing_is_admitted_without_budget_but_a_plan_is_followed(void **state)
{
    struct traffic *traffic = *state;

    for (uint64_t turn = 0; turn < 1000; turn++) {
        (void)ask_popular(traffic, 1, turn);
    }
    struct edge_admission_ask last = {.id = UINT64_C(1) << 32 | 980,
                                      .title = 1,
                                      .size = MIB,
                                      .has_room = true,
                                      .pressure = 1,
                                      .now_ms = traffic->now_ms};
    assert_false(edge_admission_ask(traffic->admission, &last));
    last.is_planned = true;
    assert_true(edge_admission_ask(traffic->admission, &last));
}

static void its_memory_does_not_grow(void **state)
{
    struct traffic *traffic = *state;
    size_t n_bytes = edge_admission_bytes(traffic->admission);

    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        (void)ask_new(traffic, i);
    }
    assert_int_equal(edge_admission_bytes(traffic->admission), n_bytes);
    assert_true(n_bytes < 8 * (size_t)MIB);
}

static void memory_is_bounded_for_the_largest_volumes(void **state)
{
    struct edge_admission *admission = edge_admission_new(UINT64_MAX);

    (void)state;
    assert_true(edge_admission_bytes(admission) < 160 * (size_t)MIB);
    edge_admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        TEST(what_nobody_asks_for_again_is_soon_refused),
        TEST(a_title_whose_extents_come_back_is_admitted_at_first_sight),
        TEST(what_was_asked_for_before_is_admitted_where_such_things_come_back),
        TEST(a_hit_on_a_volume_counts_like_a_miss),
        TEST(a_volume_with_room_takes_what_a_full_one_refuses),
        TEST(near_the_end_of_the_budget_only_the_surest_is_admitted),
        TEST(nothing_is_admitted_without_budget_but_a_plan_is_followed),
        TEST(its_memory_does_not_grow),
        TEST(memory_is_bounded_for_the_largest_volumes),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
