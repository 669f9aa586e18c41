#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/loop/thread.h"
#include "edge/volume/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ZONES = 4, KEYS = 200, ROUNDS = 12, A_ROUND = 3000, READERS = 2 };

struct shared {
    struct edge_index *index;
    bool is_over; /* atomic */
    uint64_t n_wrong;
};

static struct edge_extent_id id_of(uint64_t key)
{
    return (struct edge_extent_id){.fingerprint = key * UINT64_C(0x9e3779b97f4a7c15),
                                   .version = key << 32,
                                   .number = (uint32_t)(key % 40)};
}

static void read_on(void *ctx)
{
    struct shared *shared = ctx;
    uint64_t key = 0;

    while (!__atomic_load_n(&shared->is_over, __ATOMIC_RELAXED)) {
        struct edge_extent_id id = id_of(1 + key++ % KEYS);
        struct edge_place place;

        if (!edge_index_find(shared->index, &id, -1, (unsigned)(key % 3), &place)) {
            continue;
        }
        /* The writer gives each entry its key as its title. */
        if (id_of(place.title).fingerprint != id.fingerprint) {
            __atomic_add_fetch(&shared->n_wrong, 1, __ATOMIC_RELAXED);
        }
        edge_index_touch(shared->index, &id, &place, 1);
        (void)edge_index_has(shared->index, &id, &place);
        (void)edge_index_count(shared->index);
        (void)edge_index_bytes(shared->index);
    }
}

static void write_round(struct edge_index *index, uint32_t zone)
{
    struct edge_extent_id id;
    struct edge_place place;
    uint32_t cursor = 0;

    edge_index_drop_zone(index, zone);
    for (uint32_t i = 0; i < A_ROUND; i++) {
        uint32_t key = 1 + (i * 7 + zone) % KEYS;

        id = id_of(key);
        place = (struct edge_place){
            .zone = zone, .block = i + 1, .title = key, .n_head_blocks = 1, .mask = 1};
        assert_int_equal(edge_index_add(index, &id, &place), FB_OK);
        if (i % 3 == 0) {
            assert_true(edge_index_remove(index, &id, &place));
        }
        if (i % 500 == 0) {
            edge_index_purge(index, id.fingerprint);
        }
    }
    while (edge_index_next_of_zone(index, zone, &cursor, &id, &place)) {
        assert_in_range(place.heat, 0, EDGE_HEAT_MAX);
    }
}

static void readers_find_only_what_was_added_while_one_writes(void **state)
{
    struct shared shared = {.index = edge_index_new((size_t)ZONES * A_ROUND, ZONES)};
    struct fb_thread *threads[READERS];

    (void)state;
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(fb_thread_start_body("reader", read_on, &shared, &threads[i]), FB_OK);
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        write_round(shared.index, i % ZONES);
    }
    __atomic_store_n(&shared.is_over, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READERS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(shared.n_wrong, 0);
    edge_index_free(shared.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_find_only_what_was_added_while_one_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
