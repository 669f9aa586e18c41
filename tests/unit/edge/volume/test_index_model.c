/* The index beside a naive twin, under random operations. */
#include "base/core/alloc.h"
#include "index_fixture.h"
#include "tests/support/test_random.h"

#include <string.h>

enum { MAX_TWIN = 4096, MAX_BLOCK = 60000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_as_a_naive_twin_under_random_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
