#include "one_fixture.h"

/* ---- reclaim ------------------------------------------------------------- */

static void old_zones_are_reclaimed_and_the_newest_stays(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_volume_status status = {0};

    for (unsigned version = 1; version <= 200; version++) {
        assert_int_equal(give_small(w, version % 50, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_true(counts_of(w).n_zones_reclaimed > 10);
    assert_int_equal(version_read(w, 0), 200);
    assert_int_equal(version_read(w, 49), 199);
    edge_volume_describe(w->volume, &status);
    assert_true(status.n_zones_free >= 2);
    assert_true(edge_volume_room(w->volume).was_full);
}

static void what_is_hot_is_written_again(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    assert_int_equal(give_small(w, 1000, 1000, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    for (unsigned version = 1; version <= 200; version++) {
        for (int i = 0; i < 4; i++) {
            assert_int_equal(version_read(w, 1000), 1000);
        }
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_true(counts_of(w).n_rewritten > 2);
    reopen(w);
    assert_int_equal(version_read(w, 1000), 1000);
}

static void a_zone_that_is_wanted_stays_without_a_write(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    for (unsigned key = 1000; key < 1006; key++) {
        assert_int_equal(give_small(w, key, key, 60000), FB_OK);
    }
    assert_int_equal(flush(w), FB_OK);
    for (unsigned version = 1; version <= 200; version++) {
        for (unsigned key = 1000; key < 1006; key++) {
            assert_int_equal(version_read(w, key), key);
        }
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_true(counts_of(w).n_zones_reclaimed > 10);
    assert_int_equal(counts_of(w).n_rewritten, 0);
    reopen(w);
    assert_int_equal(version_read(w, 1005), 1005);
}

static void a_read_that_a_reclaim_overtakes_is_a_miss(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_extent_id id = id_of(1, 1, 0);
    struct edge_place place;
    struct reading reading;

    assert_int_equal(give_small(w, 1, 1, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_true(edge_volume_find(w->volume, &id, 0, 0, &place));
    test_disk_hold(w->disk, FB_DISK_READ);
    start_read(w, &reading, 1, &id, 0, &place);
    for (unsigned version = 1; version <= 100; version++) {
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    test_disk_release(w->disk);
    await_flag(w, &reading.is_done);
    assert_int_equal(reading.read.op.result, FB_E_NOT_FOUND);
    assert_int_equal(counts_of(w).n_reclaimed, 1);
    assert_int_equal(counts_of(w).n_rotten_heads, 0);
    fb_free(reading.memory);
}

/* ---- budget -------------------------------------------------------------- */

static void a_spent_budget_refuses_content(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_volume_status status = {0};
    int err = FB_OK;

    assert_int_equal(drain(w), FB_OK);
    edge_volume_free(w->volume);
    w->daily_bytes = 8 * 1024 * KIB;
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    for (unsigned version = 1; version <= 200 && err == FB_OK; version++) {
        err = give_small(w, version, version, 60000);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(edge_volume_room(w->volume).pressure > 900);
    edge_volume_describe(w->volume, &status);
    assert_true(status.written_today <= w->daily_bytes);
    assert_true(test_disk_counts(w->disk).written_bytes <= status.written_today);

    w->clock.wall_now_ms += 24 * 60 * 60 * 1000;
    pass_ms(w, 1000);
    assert_int_equal(give_small(w, 1, 1000, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(version_read(w, 1), 1000);
}

/* ---- scrub --------------------------------------------------------------- */

static void the_scrub_finds_what_is_rotten(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_extent_id id = id_of(5, 0, 0);
    struct edge_place place;

    assert_int_equal(drain(w), FB_OK);
    edge_volume_free(w->volume);
    w->scrub_rate = 1024 * KIB;
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    for (unsigned version = 1; version <= 10; version++) {
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
    }
    assert_int_equal(flush(w), FB_OK);
    assert_true(edge_volume_find(w->volume, &id, 0, 0, &place));
    test_disk_flip(w->disk,
                   edge_superblock_zone_offset(&w->superblock, place.zone) +
                       (place.block + 3U) * BLOCK + 17,
                   3);
    for (int i = 0; i < 20; i++) {
        pass_ms(w, 500);
    }
    assert_int_equal(counts_of(w).n_rotten_chunks, 1);
    assert_false(edge_volume_find(w->volume, &id, 0, 0, &place));
    assert_true(counts_of(w).scrubbed_bytes >= 10 * 60000);
}

static void the_scrub_of_a_nearly_empty_volume_rests(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    uint64_t round_s = w->superblock.size / (1024 * KIB);

    assert_int_equal(drain(w), FB_OK);
    edge_volume_free(w->volume);
    w->scrub_rate = 1024 * KIB;
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    assert_int_equal(give_small(w, 1, 1, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    for (uint64_t s = 0; s < round_s / 2; s++) {
        pass_ms(w, 1000);
    }
    uint64_t n_bytes = counts_of(w).scrubbed_bytes;
    assert_in_range(n_bytes, 60000, 2 * 60000 - 1);
    for (uint64_t s = 0; s < round_s; s++) {
        pass_ms(w, 1000);
    }
    assert_int_equal(counts_of(w).scrubbed_bytes, 2 * n_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(old_zones_are_reclaimed_and_the_newest_stays),
        TEST(what_is_hot_is_written_again),
        TEST(a_zone_that_is_wanted_stays_without_a_write),
        TEST(a_read_that_a_reclaim_overtakes_is_a_miss),
        TEST(a_spent_budget_refuses_content),
        TEST(the_scrub_finds_what_is_rotten),
        TEST(the_scrub_of_a_nearly_empty_volume_rests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
