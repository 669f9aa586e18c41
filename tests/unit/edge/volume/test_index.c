#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/volume/index.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ZONES = 8, MAX_TWIN = 4096, BLOCKS_A_RECORD = 3, MAX_BLOCK = 60000 };

static struct edge_extent_id id_of(uint64_t key, uint64_t version, uint32_t number)
{
    return (struct edge_extent_id){
        .fingerprint = key * UINT64_C(0x9e3779b97f4a7c15),
        .version = version << 32,
        .number = number,
    };
}

static struct edge_place place_at(uint32_t zone, uint32_t block, uint8_t mask)
{
    return (struct edge_place){
        .zone = zone,
        .block = block,
        .n_blocks = BLOCKS_A_RECORD,
        .title = block * 7,
        .hour = 490000,
        .n_head_blocks = (uint8_t)(1 + block % 4),
        .mask = mask,
        .heat = (uint8_t)(block % 16),
    };
}

static void add(struct edge_index *index, const struct edge_extent_id *id,
                const struct edge_place *place)
{
    assert_int_equal(edge_index_add(index, id, place), FB_OK);
}

static void assert_same_place(const struct edge_place *got, const struct edge_place *want)
{
    assert_int_equal(got->zone, want->zone);
    assert_int_equal(got->block, want->block);
    assert_int_equal(got->n_blocks, want->n_blocks);
    assert_int_equal(got->title, want->title);
    assert_int_equal(got->hour, want->hour);
    assert_int_equal(got->n_head_blocks, want->n_head_blocks);
    assert_int_equal(got->mask, want->mask);
    assert_int_equal(got->heat, want->heat);
}

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

/* ---- against a naive twin ------------------------------------------------------- */

struct twin_entry {
    struct edge_extent_id id;
    struct edge_place place;
};

/* Oldest first. */
struct twin {
    struct twin_entry entries[MAX_TWIN];
    size_t n;
};

struct model {
    struct edge_index *index;
    struct twin *twin;
    struct test_random random;
    uint32_t next_block[ZONES];
};

static struct edge_extent_id model_id(struct model *model)
{
    static const uint32_t numbers[] = {0, 1, 2, 16, 40, 70000};
    uint64_t key = 1 + test_random_below(&model->random, 60);
    uint64_t version = 1 + test_random_below(&model->random, 2);

    return id_of(key, version, numbers[test_random_below(&model->random, FB_ARRAY_LEN(numbers))]);
}

static void twin_remove(struct twin *twin, size_t i)
{
    memmove(&twin->entries[i], &twin->entries[i + 1], (twin->n - i - 1) * sizeof(twin->entries[0]));
    twin->n--;
}

static void model_add(struct model *model)
{
    struct edge_extent_id id = model_id(model);
    uint32_t zone = (uint32_t)test_random_below(&model->random, ZONES);
    struct edge_place place = place_at(zone, model->next_block[zone] + 1,
                                       (uint8_t)(1 + test_random_below(&model->random, 15)));

    if (place.block > MAX_BLOCK) {
        return;
    }
    model->next_block[zone] += BLOCKS_A_RECORD;
    if (model->twin->n == MAX_TWIN) {
        assert_int_equal(edge_index_add(model->index, &id, &place), FB_E_LIMIT);
        return;
    }
    add(model->index, &id, &place);
    model->twin->entries[model->twin->n++] = (struct twin_entry){id, place};
}

static void model_find(struct model *model)
{
    struct edge_extent_id id = model_id(model);
    int chunk = (int)test_random_below(&model->random, 5) - 1;
    unsigned nth = 0;
    struct edge_place found;

    if (test_random_below(&model->random, 2) == 0) {
        id.version = 0;
    }
    for (size_t i = model->twin->n; i-- > 0;) {
        const struct twin_entry *entry = &model->twin->entries[i];

        if (entry->id.fingerprint == id.fingerprint && entry->id.number == id.number &&
            (id.version == 0 || entry->id.version == id.version) &&
            (chunk < 0 || (entry->place.mask >> chunk & 1) != 0)) {
            assert_true(edge_index_find(model->index, &id, chunk, nth++, &found));
            assert_same_place(&found, &entry->place);
        }
    }
    assert_false(edge_index_find(model->index, &id, chunk, nth, &found));
}

static void model_remove_or_touch(struct model *model)
{
    size_t i = 0;
    struct twin_entry *entry = NULL;

    if (model->twin->n == 0) {
        return;
    }
    i = test_random_below(&model->random, model->twin->n);
    entry = &model->twin->entries[i];
    assert_true(edge_index_has(model->index, &entry->id, &entry->place));
    if (test_random_below(&model->random, 2) == 0) {
        edge_index_touch(model->index, &entry->id, &entry->place, 2);
        entry->place.heat = (uint8_t)FB_MIN(entry->place.heat + 2, EDGE_HEAT_MAX);
        return;
    }
    assert_true(edge_index_remove(model->index, &entry->id, &entry->place));
    assert_false(edge_index_has(model->index, &entry->id, &entry->place));
    twin_remove(model->twin, i);
}

static void model_purge(struct model *model)
{
    struct edge_extent_id id = model_id(model);
    size_t n = 0;

    for (size_t i = model->twin->n; i-- > 0;) {
        if (model->twin->entries[i].id.fingerprint == id.fingerprint) {
            twin_remove(model->twin, i);
            n++;
        }
    }
    assert_int_equal(edge_index_purge(model->index, id.fingerprint), n);
}

static void model_drop(struct model *model)
{
    uint32_t zone = (uint32_t)test_random_below(&model->random, ZONES);
    size_t n = 0;

    for (size_t i = model->twin->n; i-- > 0;) {
        if (model->twin->entries[i].place.zone == zone) {
            twin_remove(model->twin, i);
            n++;
        }
    }
    assert_int_equal(edge_index_drop_zone(model->index, zone), n);
    model->next_block[zone] = 0;
}

static void model_visit(struct model *model)
{
    uint32_t zone = (uint32_t)test_random_below(&model->random, ZONES);
    uint32_t cursor = 0;
    struct edge_extent_id id;
    struct edge_place place;

    for (size_t i = 0; i < model->twin->n; i++) {
        const struct twin_entry *entry = &model->twin->entries[i];

        if (entry->place.zone == zone) {
            assert_true(edge_index_next_of_zone(model->index, zone, &cursor, &id, &place));
            assert_int_equal(id.fingerprint, entry->id.fingerprint);
            assert_int_equal(id.version, entry->id.version);
            assert_int_equal(id.number, entry->id.number);
            assert_same_place(&place, &entry->place);
        }
    }
    assert_false(edge_index_next_of_zone(model->index, zone, &cursor, &id, &place));
}

static void it_does_as_a_naive_twin_under_random_operations(void **state)
{
    struct model model = {.random = test_random_new()};

    (void)state;
    model.index = edge_index_new(MAX_TWIN, ZONES);
    model.twin = FB_NEW(struct twin);
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t dice = test_random_below(&model.random, 1000);

        if (dice < 600) {
            model_add(&model);
        } else if (dice < 700) {
            model_find(&model);
        } else if (dice < 980) {
            model_remove_or_touch(&model);
        } else if (dice < 990) {
            model_visit(&model);
        } else if (dice < 995) {
            model_purge(&model);
        } else if (dice < 996) {
            model_drop(&model);
        }
        assert_int_equal(edge_index_count(model.index), model.twin->n);
    }
    fb_free(model.twin);
    edge_index_free(model.index);
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
        cmocka_unit_test(it_does_as_a_naive_twin_under_random_operations),
        cmocka_unit_test(an_extent_of_a_million_costs_less_than_64_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
