#include "index_fixture.h"

#include <stdio.h>

static void what_was_added_is_found_as_it_was(void **state)
{
    struct edge_index *index = edge_index_new(10, 1U << 21);
    struct edge_extent_id id = id_of(1, 2, UINT32_MAX);
    struct edge_place place = {
        .zone = (1U << 21) - 1,
        .block = 65535,
        .n_blocks = 2047,
        .title = UINT32_MAX,
        .hour = UINT32_MAX,
        .n_head_blocks = 4,
        .mask = 15,
        .heat = EDGE_HEAT_MAX,
    };
    struct edge_place found;

    (void)state;
    add(index, &id, &place);
    assert_true(edge_index_find(index, &id, 3, 0, &found));
    assert_same_place(&found, &place);
    assert_true(edge_index_has(index, &id, &place));
    assert_int_equal(edge_index_count(index), 1);
    edge_index_free(index);
}

static void the_newest_that_has_the_chunk_is_found_first(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);
    struct edge_extent_id id = id_of(1, 2, 0);
    struct edge_extent_id any = id_of(1, 0, 0);
    struct edge_extent_id other = id_of(1, 3, 0);
    struct edge_place found;

    (void)state;
    add(index, &id, &(struct edge_place){.zone = 0, .block = 1, .n_head_blocks = 1, .mask = 1});
    add(index, &id, &(struct edge_place){.zone = 1, .block = 2, .n_head_blocks = 1, .mask = 2});
    add(index, &other, &(struct edge_place){.zone = 2, .block = 3, .n_head_blocks = 1, .mask = 1});
    assert_true(edge_index_find(index, &id, 0, 0, &found));
    assert_int_equal(found.block, 1);
    assert_false(edge_index_find(index, &id, 0, 1, &found));
    assert_true(edge_index_find(index, &id, -1, 0, &found));
    assert_int_equal(found.block, 2);
    assert_true(edge_index_find(index, &any, 0, 0, &found));
    assert_int_equal(found.block, 3);
    assert_true(edge_index_find(index, &any, -1, 2, &found));
    assert_int_equal(found.block, 1);
    assert_false(edge_index_find(index, &any, 2, 0, &found));
    edge_index_free(index);
}

static void what_has_the_same_chunks_and_more_takes_the_place_of_others(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);
    struct edge_extent_id id = id_of(1, 2, 0);
    struct edge_extent_id other = id_of(1, 3, 0);
    struct edge_place first = {.zone = 0, .block = 1, .n_head_blocks = 1, .mask = 3};
    struct edge_place more = {.zone = 1, .block = 1, .n_head_blocks = 1, .mask = 7};
    struct edge_place apart = {.zone = 1, .block = 9, .n_head_blocks = 1, .mask = 8};
    struct edge_place another = {.zone = 2, .block = 1, .n_head_blocks = 1, .mask = 3};

    (void)state;
    add(index, &id, &first);
    add(index, &id, &apart);
    add(index, &other, &another);
    add(index, &id, &more);
    edge_index_supersede(index, &id, &more);
    assert_false(edge_index_has(index, &id, &first));
    assert_true(edge_index_has(index, &id, &more));
    assert_true(edge_index_has(index, &id, &apart));
    assert_true(edge_index_has(index, &other, &another));
    edge_index_supersede(index, &id, &first);
    assert_true(edge_index_has(index, &id, &more));
    edge_index_free(index);
}

static void heat_grows_by_hits_up_to_its_bound(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);
    struct edge_extent_id id = id_of(1, 2, 0);
    struct edge_place place = {.zone = 1, .block = 1, .n_head_blocks = 1, .mask = 1};
    struct edge_place found;

    (void)state;
    edge_index_touch(index, &id, &place, 1);
    add(index, &id, &place);
    edge_index_touch(index, &id, &place, 3);
    assert_true(edge_index_find(index, &id, -1, 0, &found));
    assert_int_equal(found.heat, 3);
    edge_index_touch(index, &id, &place, UINT32_MAX);
    assert_true(edge_index_find(index, &id, -1, 0, &found));
    assert_int_equal(found.heat, EDGE_HEAT_MAX);
    edge_index_free(index);
}

static void a_zone_has_gaps_from_what_was_taken_out_to_its_end(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);

    (void)state;
    for (uint32_t zone = 1; zone <= 3; zone++) {
        struct edge_extent_id id = id_of(zone, 2, 0);
        struct edge_place place = {.zone = zone, .block = 1, .n_head_blocks = 1, .mask = 1};
        add(index, &id, &place);
        assert_false(edge_index_has_gaps(index, zone));
        if (zone == 1) {
            assert_true(edge_index_remove(index, &id, &place));
        } else if (zone == 2) {
            assert_int_equal(edge_index_purge(index, id.fingerprint), 1);
        }
    }
    edge_index_note_gap(index, 4);
    for (uint32_t zone = 1; zone <= 4; zone++) {
        assert_int_equal(edge_index_has_gaps(index, zone), zone != 3);
        (void)edge_index_drop_zone(index, zone);
        assert_false(edge_index_has_gaps(index, zone));
    }
    edge_index_free(index);
}

static void a_zone_that_cools_has_no_heat_and_others_keep_theirs(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);
    struct edge_place found;

    (void)state;
    for (uint32_t zone = 1; zone <= 2; zone++) {
        struct edge_extent_id id = id_of(zone, 2, 0);
        struct edge_place place = {.zone = zone, .block = 1, .n_head_blocks = 1, .mask = 1};
        add(index, &id, &place);
        edge_index_touch(index, &id, &place, 3);
    }
    edge_index_cool_zone(index, 1);
    struct edge_extent_id cooled = id_of(1, 2, 0);
    assert_true(edge_index_find(index, &cooled, -1, 0, &found));
    assert_int_equal(found.heat, 0);
    struct edge_extent_id other = id_of(2, 2, 0);
    assert_true(edge_index_find(index, &other, -1, 0, &found));
    assert_int_equal(found.heat, 3);
    edge_index_free(index);
}

static void a_purge_takes_all_extents_of_a_key_and_no_other(void **state)
{
    static const uint32_t numbers[] = {0, 1, 15, 16, 17, 500, 65535, 65536, 1U << 30, UINT32_MAX};
    struct edge_index *index = edge_index_new(100, ZONES);
    struct edge_place found;
    uint32_t block = 0;

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        for (uint64_t key = 1; key <= 2; key++) {
            for (uint64_t version = 1; version <= 2; version++) {
                struct edge_extent_id id = id_of(key, version, numbers[i]);
                struct edge_place place = place_at(block % ZONES, block + 1, 1);

                add(index, &id, &place);
                block++;
            }
        }
    }
    assert_int_equal(edge_index_purge(index, id_of(1, 0, 0).fingerprint), 20);
    assert_int_equal(edge_index_purge(index, id_of(1, 0, 0).fingerprint), 0);
    assert_int_equal(edge_index_count(index), 20);
    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        struct edge_extent_id gone = id_of(1, 0, numbers[i]);
        struct edge_extent_id stays = id_of(2, 0, numbers[i]);

        assert_false(edge_index_find(index, &gone, -1, 0, &found));
        assert_true(edge_index_find(index, &stays, -1, 1, &found));
    }
    edge_index_free(index);
}

static void a_full_index_says_so_and_takes_more_after_a_removal(void **state)
{
    struct edge_index *index = edge_index_new(3, ZONES);
    struct edge_extent_id id = id_of(1, 2, 0);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct edge_place place = place_at(0, i + 1, 1);

        add(index, &id, &place);
    }
    for (uint32_t i = 3; i < 200; i++) {
        struct edge_place place = place_at(i % ZONES, i + 1, 1);
        struct edge_place oldest;

        assert_int_equal(edge_index_add(index, &id, &place), FB_E_LIMIT);
        assert_true(edge_index_find(index, &id, -1, 2, &oldest));
        assert_true(edge_index_remove(index, &id, &oldest));
        assert_false(edge_index_remove(index, &id, &oldest));
        add(index, &id, &place);
        assert_int_equal(edge_index_count(index), 3);
    }
    edge_index_free(index);
}

static void places_that_cannot_be_are_refused(void **state)
{
    struct edge_index *index = edge_index_new(10, ZONES);
    struct edge_extent_id id = id_of(1, 2, 0);
    const struct edge_place good = place_at(1, 1, 1);
    struct edge_place bad[7];

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        bad[i] = good;
    }
    bad[0].zone = ZONES;
    bad[1].block = 65536;
    bad[2].n_blocks = 2048;
    bad[3].n_head_blocks = 0;
    bad[4].n_head_blocks = 5;
    bad[5].mask = 0;
    bad[6].mask = 16;
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(edge_index_add(index, &id, &bad[i]), FB_E_CORRUPT);
    }
    add(index, &id, &good);
    assert_int_equal(edge_index_add(index, &id, &good), FB_E_EXISTS);
    assert_int_equal(edge_index_count(index), 1);
    edge_index_free(index);
}

static void a_zone_is_visited_front_to_back_whatever_happens_meanwhile(void **state)
{
    struct edge_index *index = edge_index_new(1000, ZONES);
    struct edge_extent_id id;
    struct edge_place place;
    uint32_t cursor = 0;
    uint32_t other = 0;
    uint32_t last = 0;
    unsigned n = 0;

    (void)state;
    for (uint32_t i = 0; i < 500; i++) {
        /* Out of order as well. */
        struct edge_place at = place_at(2, (i ^ 1) + 1, 1);

        id = id_of(i ^ 1, 2, 0);
        add(index, &id, &at);
    }
    while (edge_index_next_of_zone(index, 2, &cursor, &id, &place)) {
        struct edge_extent_id next = id_of(place.block, 2, 0);
        struct edge_place at = place_at(2, place.block + 1, 1);

        assert_int_equal(id.fingerprint, id_of(place.block - 1, 2, 0).fingerprint);
        assert_true(place.block > last);
        last = place.block;
        n++;
        assert_true(edge_index_remove(index, &id, &place));
        if (n % 2 == 0 && edge_index_remove(index, &next, &at)) {
            n++; /* the one that would have come */
        }
        if (n == 101) {
            at = place_at(2, 700, 1);
            id = id_of(699, 2, 0);
            add(index, &id, &at);
        }
        (void)edge_index_next_of_zone(index, 2, &other, &id, &place);
    }
    assert_int_equal(n, 501);
    assert_int_equal(edge_index_count(index), 0);
    edge_index_free(index);
}

/* ---- memory ------------------------------------------------------------------------ */

static void an_extent_of_a_million_costs_less_than_64_bytes(void **state)
{
    enum { N = 1000000, A_ZONE = 16384 };
    struct edge_index *index = edge_index_new((size_t)2 * N, 1000);
    struct edge_place found;

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct edge_extent_id id = id_of(i + 1, 1, 0);
        struct edge_place place = place_at(i / A_ZONE, i % A_ZONE * BLOCKS_A_RECORD + 1, 1);

        add(index, &id, &place);
    }
    for (uint32_t i = 0; i < N; i += 997) {
        struct edge_extent_id id = id_of(i + 1, 1, 0);

        assert_true(edge_index_find(index, &id, 0, 0, &found));
        assert_int_equal(found.block, i % A_ZONE * BLOCKS_A_RECORD + 1);
    }
    printf("%zu bytes for %d extents\n", edge_index_bytes(index), (int)N);
    assert_true(edge_index_bytes(index) <= (size_t)64 * N);
    edge_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_as_it_was),
        cmocka_unit_test(the_newest_that_has_the_chunk_is_found_first),
        cmocka_unit_test(what_has_the_same_chunks_and_more_takes_the_place_of_others),
        cmocka_unit_test(heat_grows_by_hits_up_to_its_bound),
        cmocka_unit_test(a_zone_has_gaps_from_what_was_taken_out_to_its_end),
        cmocka_unit_test(a_zone_that_cools_has_no_heat_and_others_keep_theirs),
        cmocka_unit_test(a_purge_takes_all_extents_of_a_key_and_no_other),
        cmocka_unit_test(a_full_index_says_so_and_takes_more_after_a_removal),
        cmocka_unit_test(places_that_cannot_be_are_refused),
        cmocka_unit_test(a_zone_is_visited_front_to_back_whatever_happens_meanwhile),
        cmocka_unit_test(an_extent_of_a_million_costs_less_than_64_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
