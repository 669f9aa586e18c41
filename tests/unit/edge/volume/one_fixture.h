/*
 * What the tests of a single volume share: it is open, small, and on a test's disk.
 */
#pragma once

#include "volume_fixture.h"

struct fixture {
    struct world world;
};

static inline int set_up_sized(void **state, uint64_t zone_bytes, uint32_t n_zones)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct edge_superblock superblock = small_superblock(zone_bytes, n_zones);

    f->world = world_on(test_disk_new(superblock.size), &superblock);
    world_begin(&f->world);
    make_volume(&f->world);
    assert_int_equal(recover(&f->world), FB_OK);
    *state = f;
    return 0;
}

static inline int set_up(void **state)
{
    return set_up_sized(state, SMALL_ZONE, SMALL_ZONES);
}

static inline int set_up_large(void **state)
{
    return set_up_sized(state, EDGE_FORMAT_MIN_ZONE_BYTES, EDGE_FORMAT_MIN_ZONES);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    world_end(&f->world);
    test_disk_free(f->world.disk);
    fb_free(f);
    return 0;
}

static inline void reopen(struct world *w)
{
    assert_int_equal(drain(w), FB_OK);
    edge_volume_free(w->volume);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
}

static inline struct edge_volume_counts counts_of(struct world *w)
{
    struct edge_volume_counts counts;
    edge_volume_counts(w->volume, &counts);
    return counts;
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_LARGE(name) cmocka_unit_test_setup_teardown(name, set_up_large, tear_down)
