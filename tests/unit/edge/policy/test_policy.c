#include "policy_fixture.h"

/* ---- single properties ------------------------------------------------- */

static struct edge_policy_node *evict_after_scan(struct edge_policy *policy,
                                                 struct edge_policy_node *scan, size_t n)
{
    struct edge_policy_node *hot_victim = NULL;

    for (size_t i = 0; i < n; i++) {
        scan[i] = (struct edge_policy_node){.id = 1000 + i, .size = 50};
        edge_policy_insert(policy, &scan[i]);
        while (edge_policy_bytes(policy) > CAPACITY) {
            struct edge_policy_node *victim = edge_policy_evict(policy);
            if (victim->id < 1000) {
                hot_victim = victim;
            }
        }
    }
    return hot_victim;
}

static void a_scan_does_not_push_out_what_is_asked_for_again(void **state)
{
    static struct edge_policy_node hot[8];
    static struct edge_policy_node scan[200];
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_S3FIFO, CAPACITY);

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(hot); i++) {
        hot[i] = (struct edge_policy_node){.id = 1 + i, .size = 50};
        edge_policy_insert(policy, &hot[i]);
        edge_policy_hit(policy, &hot[i]);
        edge_policy_hit(policy, &hot[i]);
    }
    assert_null(evict_after_scan(policy, scan, FB_ARRAY_LEN(scan)));
    while (edge_policy_evict(policy) != NULL) {
    }
    edge_policy_free(policy);
}

static void a_removal_and_a_new_size_are_counted(void **state)
{
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_LRU, CAPACITY);
    struct edge_policy_node nodes[3] = {
        {.id = 1, .size = 1}, {.id = 2, .size = 2}, {.id = 3, .size = 3}};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(nodes); i++) {
        edge_policy_insert(policy, &nodes[i]);
    }
    edge_policy_resize(policy, &nodes[0], 4);
    assert_int_equal(edge_policy_bytes(policy), 9);
    assert_int_equal(edge_policy_count(policy), 3);
    assert_ptr_equal(edge_policy_evict(policy), &nodes[0]);
    edge_policy_remove(policy, &nodes[0]); /* out already */
    assert_ptr_equal(edge_policy_evict(policy), &nodes[1]);
    edge_policy_remove(policy, &nodes[2]);
    assert_null(edge_policy_evict(policy));
    assert_int_equal(edge_policy_bytes(policy), 0);
    edge_policy_free(policy);
}

static void the_ghost_forgets_beyond_its_bound(void **state)
{
    static struct edge_policy_node nodes[3000];
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_S3FIFO, CAPACITY);

    (void)state;
    /* Each is evicted at once and remembered; 900 of them fit into the ghost. */
    for (size_t i = 0; i < FB_ARRAY_LEN(nodes); i++) {
        nodes[i] = (struct edge_policy_node){.id = 1 + i, .size = 1};
        edge_policy_insert(policy, &nodes[i]);
        assert_ptr_equal(edge_policy_evict(policy), &nodes[i]);
    }
    /* The young one goes to main, the old one to small; main is spared while the
     * small queue is over its share. */
    struct edge_policy_node young = {.id = 3000, .size = 150};
    struct edge_policy_node old = {.id = 100, .size = 150};
    edge_policy_insert(policy, &young);
    edge_policy_insert(policy, &old);
    assert_ptr_equal(edge_policy_evict(policy), &old);
    assert_ptr_equal(edge_policy_evict(policy), &young);
    edge_policy_free(policy);
}

/* ---- by rate ------------------------------------------------------------ */

enum { PIECE = 50 * 1024, ROOM = 20 * PIECE };

/* Inserts `n` nodes of a twentieth of the room that nobody asks for again. */
static void pass_by(struct edge_policy *policy, struct edge_policy_node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nodes[i] = (struct edge_policy_node){.id = 1000 + i, .size = PIECE};
        edge_policy_insert(policy, &nodes[i]);
        while (edge_policy_bytes(policy) > ROOM) {
            assert_non_null(edge_policy_evict(policy));
        }
    }
}

static void by_rate_what_is_asked_for_again_outlives_a_scan(void **state)
{
    static struct edge_policy_node scan[500];
    struct edge_policy_node hot = {.id = 1, .size = PIECE};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, ROOM);

    (void)state;
    edge_policy_insert(policy, &hot);
    for (unsigned i = 0; i < 4; i++) {
        pass_by(policy, scan, 2);
        for (size_t k = 0; k < 2; k++) {
            edge_policy_remove(policy, &scan[k]);
        }
        edge_policy_hit(policy, &hot);
    }
    pass_by(policy, scan, 30); /* a turn and a half: older than all, but asked for 5 times */
    assert_true(edge_policy_is_linked(&hot));
    pass_by(policy, &scan[100], 400); /* twenty turns without a request */
    assert_false(edge_policy_is_linked(&hot));
    empty_out(policy);
}

static void by_rate_what_comes_back_goes_on_where_it_stood(void **state)
{
    static struct edge_policy_node scan[200];
    struct edge_policy_node back = {.id = 1, .size = PIECE};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, ROOM);

    (void)state;
    for (unsigned visit = 0; visit < 5; visit++) {
        edge_policy_insert(policy, &back);
        while (edge_policy_is_linked(&back)) {
            assert_non_null(edge_policy_evict(policy));
        }
        pass_by(policy, scan, 20);
    }
    edge_policy_insert(policy, &back); /* the sixth request, though never a hit */
    pass_by(policy, scan, 40);
    assert_true(edge_policy_is_linked(&back));
    empty_out(policy);
}

static void by_rate_the_small_stay_longer_than_the_large(void **state)
{
    enum { LARGE = 4 << 20, SMALL = 64 << 10 };
    struct edge_policy_node large = {.id = 1, .size = LARGE};
    struct edge_policy_node small = {.id = 2, .size = SMALL};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, LARGE);

    (void)state;
    edge_policy_insert(policy, &small);
    edge_policy_insert(policy, &large);
    assert_ptr_equal(edge_policy_evict(policy), &large); /* though asked for later */
    assert_ptr_equal(edge_policy_evict(policy), &small);
    empty_out(policy);
}

static void by_rate_hits_at_one_moment_are_one(void **state)
{
    struct edge_policy_node once = {.id = 1, .size = 50};
    struct edge_policy_node crowd = {.id = 2, .size = 50};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, 1 << 20);

    (void)state;
    edge_policy_insert(policy, &once);
    edge_policy_insert(policy, &crowd);
    for (unsigned i = 0; i < 100; i++) {
        edge_policy_hit(policy, &crowd);
    }
    assert_ptr_equal(edge_policy_evict(policy), &once); /* equal: the first drawn goes */
    edge_policy_hit(policy, &once);                     /* out: harmless */
    assert_int_equal(edge_policy_count(policy), 1);
    empty_out(policy);
}

static void by_rate_a_node_put_back_keeps_its_standing(void **state)
{
    struct edge_policy_node nodes[3] = {
        {.id = 1, .size = 400}, {.id = 2, .size = 300}, {.id = 3, .size = 300}};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RATE, 16 * 1000);

    (void)state;
    edge_policy_insert(policy, &nodes[0]);
    edge_policy_insert(policy, &nodes[1]);
    edge_policy_hit(policy, &nodes[0]);
    edge_policy_insert(policy, &nodes[2]);
    edge_policy_hit(policy, &nodes[0]);
    edge_policy_remove(policy, &nodes[0]);
    edge_policy_remove(policy, &nodes[0]); /* out already */
    assert_int_equal(edge_policy_bytes(policy), 600);
    edge_policy_resize(policy, &nodes[0], 450);
    edge_policy_insert(policy, &nodes[0]);
    assert_int_equal(edge_policy_bytes(policy), 1050);
    edge_policy_resize(policy, &nodes[0], 100);
    assert_int_equal(edge_policy_bytes(policy), 700);
    assert_int_equal(edge_policy_count(policy), 3);
    assert_ptr_equal(edge_policy_evict(policy), &nodes[1]); /* the oldest of one request */
    assert_ptr_equal(edge_policy_evict(policy), &nodes[2]);
    assert_ptr_equal(edge_policy_evict(policy), &nodes[0]); /* three requests */
    empty_out(policy);
}

static void by_recency_what_was_asked_for_longest_ago_goes(void **state)
{
    struct edge_policy_node nodes[4] = {{.id = 1, .size = PIECE},
                                        {.id = 2, .size = PIECE},
                                        {.id = 3, .size = PIECE / 64},
                                        {.id = 4, .size = PIECE}};
    struct edge_policy *policy = edge_policy_new(EDGE_POLICY_RECENT, ROOM);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        edge_policy_insert(policy, &nodes[i]);
        edge_policy_hit(policy, &nodes[0]);
    }
    edge_policy_insert(policy, &nodes[3]);
    assert_ptr_equal(edge_policy_evict(policy), &nodes[1]);
    edge_policy_hit(policy, &nodes[3]);
    assert_ptr_not_equal(edge_policy_evict(policy), &nodes[3]); /* the first and the third are */
    assert_ptr_not_equal(edge_policy_evict(policy), &nodes[3]); /* of one age: either goes */
    assert_ptr_equal(edge_policy_evict(policy), &nodes[3]);
    empty_out(policy);
}

static void above_volumes_recency_is_preset(void **state)
{
    (void)state;
    assert_int_equal(edge_policy_resolve(EDGE_POLICY_AUTO, true), EDGE_POLICY_RECENT);
    assert_int_equal(edge_policy_resolve(EDGE_POLICY_AUTO, false), EDGE_POLICY_RATE);
    assert_int_equal(edge_policy_resolve(EDGE_POLICY_LRU, true), EDGE_POLICY_LRU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_does_not_push_out_what_is_asked_for_again),
        cmocka_unit_test(a_removal_and_a_new_size_are_counted),
        cmocka_unit_test(the_ghost_forgets_beyond_its_bound),
        cmocka_unit_test(by_rate_what_is_asked_for_again_outlives_a_scan),
        cmocka_unit_test(by_rate_what_comes_back_goes_on_where_it_stood),
        cmocka_unit_test(by_rate_the_small_stay_longer_than_the_large),
        cmocka_unit_test(by_rate_hits_at_one_moment_are_one),
        cmocka_unit_test(by_rate_a_node_put_back_keeps_its_standing),
        cmocka_unit_test(by_recency_what_was_asked_for_longest_ago_goes),
        cmocka_unit_test(above_volumes_recency_is_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
