#include "edge/upstream/choice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_NODES = 5, N_KEYS = 20000 };

static void nodes_init(struct edge_candidate *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char url[64];
        int len = snprintf(url, sizeof(url), "http://region-%zu.example:8080", i);
        nodes[i] = (struct edge_candidate){.id = edge_choice_id((struct fb_str){url, (size_t)len}),
                                           .weight = 1,
                                           .share = EDGE_SHARE_ALL,
                                           .is_regional = true};
    }
}

static uint64_t key(unsigned i)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "video.example/v/%u/seg-%u.m4s", i / 100, i);

    return edge_choice_hash((struct fb_str){text, (size_t)len});
}

static size_t first(const struct edge_candidate *nodes, size_t n, uint64_t hash)
{
    uint8_t order[UINT8_MAX];

    edge_choice_order(nodes, n, hash, order);
    return order[0];
}

static int choose(const struct edge_candidate *nodes, size_t n, uint64_t hash, unsigned tried,
                  bool takes_any)
{
    uint8_t order[UINT8_MAX];
    struct edge_choice choice = {.candidates = nodes,
                                 .order = order,
                                 .n = n,
                                 .hash = hash,
                                 .headroom_percent = 25,
                                 .tried = tried};

    edge_choice_order(nodes, n, hash, order);
    return edge_choice_next(&choice, takes_any);
}

static void keys_are_spread_evenly(void **state)
{
    struct edge_candidate nodes[N_NODES];
    unsigned n[N_NODES] = {0};

    (void)state;
    nodes_init(nodes, N_NODES);
    for (unsigned i = 0; i < N_KEYS; i++) {
        n[first(nodes, N_NODES, key(i))]++;
    }
    for (size_t i = 0; i < N_NODES; i++) {
        assert_in_range(n[i], N_KEYS / N_NODES * 93 / 100, N_KEYS / N_NODES * 107 / 100);
    }
}

static void a_weight_is_a_share(void **state)
{
    struct edge_candidate nodes[3];
    unsigned n[3] = {0};

    (void)state;
    nodes_init(nodes, 3);
    nodes[1].weight = 2;
    for (unsigned i = 0; i < N_KEYS; i++) {
        n[first(nodes, 3, key(i))]++;
    }
    assert_in_range(n[0], N_KEYS * 23 / 100, N_KEYS * 27 / 100);
    assert_in_range(n[1], N_KEYS * 48 / 100, N_KEYS * 52 / 100);
}

static void one_that_leaves_moves_its_share_alone_and_evenly(void **state)
{
    struct edge_candidate nodes[N_NODES];
    unsigned n_moved = 0;
    unsigned heirs[N_NODES] = {0};

    (void)state;
    nodes_init(nodes, N_NODES);
    for (unsigned i = 0; i < N_KEYS; i++) {
        size_t before = first(nodes, N_NODES, key(i));
        size_t after = first(nodes, N_NODES - 1, key(i)); /* the last one is gone */
        if (before == N_NODES - 1) {
            n_moved++;
            heirs[after]++;
        } else {
            assert_int_equal(before, after);
        }
    }
    assert_in_range(n_moved, N_KEYS * 18 / 100, N_KEYS * 22 / 100);
    for (size_t i = 0; i < N_NODES - 1; i++) {
        assert_in_range(heirs[i], n_moved * 20 / 100, n_moved * 30 / 100);
    }
}

static void the_order_of_the_list_does_not_count(void **state)
{
    struct edge_candidate nodes[N_NODES];
    struct edge_candidate turned[N_NODES];

    (void)state;
    nodes_init(nodes, N_NODES);
    for (size_t i = 0; i < N_NODES; i++) {
        turned[i] = nodes[N_NODES - 1 - i];
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(first(nodes, N_NODES, key(i)),
                         N_NODES - 1 - first(turned, N_NODES, key(i)));
    }
}

/* Edges of another version or machine must agree. */
static void the_choice_is_the_same_everywhere(void **state)
{
    static const uint8_t expected[8] = {2, 4, 0, 3, 2, 3, 2, 0};
    struct edge_candidate nodes[N_NODES];
    uint8_t chosen[8];

    (void)state;
    nodes_init(nodes, N_NODES);
    for (unsigned i = 0; i < 8; i++) {
        chosen[i] = (uint8_t)first(nodes, N_NODES, key(i));
    }
    assert_memory_equal(chosen, expected, sizeof(chosen));
}

static void origins_follow_in_their_order(void **state)
{
    struct edge_candidate nodes[4];
    uint8_t order[4];

    (void)state;
    nodes_init(nodes, 4);
    nodes[0].is_regional = nodes[2].is_regional = false;
    for (unsigned i = 0; i < 100; i++) {
        edge_choice_order(nodes, 4, key(i), order);
        assert_int_equal(order[2], 0);
        assert_int_equal(order[3], 2);
    }
}

static void one_over_its_bound_is_passed_over(void **state)
{
    struct edge_candidate nodes[3];

    (void)state;
    nodes_init(nodes, 3);
    size_t own = first(nodes, 3, key(1));
    nodes[own].load = 100;
    int other = choose(nodes, 3, key(1), 0, true);
    assert_int_not_equal(other, own);

    nodes[(size_t)other].load = 100;
    int third = choose(nodes, 3, key(1), 0, true);
    assert_int_equal((int)own + other + third, 3);

    nodes[(size_t)third].load = 100; /* all alike: nobody is over */
    assert_int_equal(choose(nodes, 3, key(1), 0, true), own);
}

static void a_little_load_moves_no_key(void **state)
{
    struct edge_candidate nodes[3];

    (void)state;
    nodes_init(nodes, 3);
    size_t own = first(nodes, 3, key(1));
    nodes[own].load = EDGE_CHOICE_LEAST_LOAD - 1;
    assert_int_equal(choose(nodes, 3, key(1), 0, true), own);
    nodes[own].load = EDGE_CHOICE_LEAST_LOAD;
    assert_int_not_equal(choose(nodes, 3, key(1), 0, true), own);
}

/* However the keys are asked for: all that is under way fits below the bounds. */
static void the_most_loaded_has_no_more_than_its_bound(void **state)
{
    struct edge_candidate nodes[N_NODES];

    (void)state;
    nodes_init(nodes, N_NODES);
    for (unsigned i = 0; i < 5000; i++) {
        unsigned hot = i % 3; /* three keys are all that is asked for */
        int place = choose(nodes, N_NODES, key(hot), 0, true);
        assert_true(place >= 0);
        nodes[(size_t)place].load++;
    }
    for (size_t i = 0; i < N_NODES; i++) {
        assert_in_range(nodes[i].load, 0, 5000 / N_NODES * 125 / 100 + 1);
    }
}

static void a_regional_node_over_its_bound_comes_before_an_origin(void **state)
{
    struct edge_candidate nodes[3];

    (void)state;
    nodes_init(nodes, 3);
    nodes[2].is_regional = false;
    nodes[0].load = 50;
    assert_int_equal(choose(nodes, 3, key(1), 1U << 1, true), 0);
    assert_int_equal(choose(nodes, 3, key(1), 3, true), 2);
    assert_int_equal(choose(nodes, 3, key(1), 7, true), -1);
}

static void a_slow_start_only_adds_keys(void **state)
{
    struct edge_candidate nodes[2];
    unsigned n_own = 0;
    unsigned n_half = 0;

    (void)state;
    nodes_init(nodes, 2);
    for (unsigned i = 0; i < N_KEYS; i++) {
        bool was_taken = false;
        for (uint32_t share = 0; share <= EDGE_SHARE_ALL; share += 100) {
            nodes[0].share = share;
            bool is_taken = choose(nodes, 2, key(i), 0, true) == 0;
            assert_true(is_taken || !was_taken);
            was_taken = is_taken;
            n_half += is_taken && share == 500 ? 1 : 0;
        }
        n_own += was_taken ? 1 : 0;
    }
    assert_in_range(n_half, n_own * 46 / 100, n_own * 54 / 100);
}

static void one_that_starts_slowly_is_better_than_none(void **state)
{
    struct edge_candidate nodes[2];

    (void)state;
    nodes_init(nodes, 2);
    nodes[0].share = 0;
    nodes[1].is_regional = false;
    assert_int_equal(choose(nodes, 2, key(1), 0, false), 1); /* the origin goes on meanwhile */
    nodes[1].fitness = EDGE_FIT_IN_NEED;
    assert_int_equal(choose(nodes, 2, key(1), 0, false), 0);
}

static void one_out_of_service_is_asked_in_need_and_a_full_one_never(void **state)
{
    struct edge_candidate nodes[2];

    (void)state;
    nodes_init(nodes, 2);
    nodes[0].fitness = EDGE_FIT_IN_NEED;
    nodes[1].fitness = EDGE_FIT_NEVER;
    assert_int_equal(choose(nodes, 2, key(1), 0, false), -1);
    assert_int_equal(choose(nodes, 2, key(1), 0, true), 0);
    assert_int_equal(choose(nodes, 2, key(1), 1, true), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_spread_evenly),
        cmocka_unit_test(a_weight_is_a_share),
        cmocka_unit_test(one_that_leaves_moves_its_share_alone_and_evenly),
        cmocka_unit_test(the_order_of_the_list_does_not_count),
        cmocka_unit_test(the_choice_is_the_same_everywhere),
        cmocka_unit_test(origins_follow_in_their_order),
        cmocka_unit_test(one_over_its_bound_is_passed_over),
        cmocka_unit_test(a_little_load_moves_no_key),
        cmocka_unit_test(the_most_loaded_has_no_more_than_its_bound),
        cmocka_unit_test(a_regional_node_over_its_bound_comes_before_an_origin),
        cmocka_unit_test(a_slow_start_only_adds_keys),
        cmocka_unit_test(one_that_starts_slowly_is_better_than_none),
        cmocka_unit_test(one_out_of_service_is_asked_in_need_and_a_full_one_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
