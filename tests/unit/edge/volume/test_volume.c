#include "one_fixture.h"

/* ---- writing and reading ------------------------------------------------- */

static void an_extent_is_found_once_it_was_written(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    assert_int_equal(give_small(w, 1, 1, 10000), FB_OK);
    turn_all(w);
    assert_int_equal(version_read(w, 1), 0);

    pass_ms(w, EDGE_VOLUME_FLUSH_MS);
    assert_int_equal(version_read(w, 1), 1);
}

static void what_was_written_is_durable_within_a_second(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    uint64_t n_syncs = test_disk_counts(w->disk).n_syncs;

    assert_int_equal(give_small(w, 1, 1, 10000), FB_OK);
    turn_all(w);
    n_syncs = test_disk_counts(w->disk).n_syncs;
    pass_ms(w, EDGE_VOLUME_FLUSH_MS);
    assert_int_equal(test_disk_counts(w->disk).n_syncs, n_syncs);
    pass_ms(w, EDGE_VOLUME_SYNC_MS - EDGE_VOLUME_FLUSH_MS);
    assert_int_equal(test_disk_counts(w->disk).n_syncs, n_syncs + 1);

    pass_ms(w, 10 * EDGE_VOLUME_SYNC_MS);
    assert_int_equal(test_disk_counts(w->disk).n_syncs, n_syncs + 1);
}

static void the_newest_version_is_found_first(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    assert_int_equal(give_small(w, 1, 1, 10000), FB_OK);
    assert_int_equal(give_small(w, 1, 2, 20000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(version_read(w, 1), 2);
    reopen(w);
    assert_int_equal(version_read(w, 1), 2);
}

static void every_chunk_of_an_extent_comes_back(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct extent extent = {
        .key = 1,
        .version = 1,
        .number = 1,
        .length = (uint64_t)EDGE_EXTENT_BYTES + 3 * EDGE_CHUNK_BYTES + 12345,
    };
    int result = FB_OK;

    assert_int_equal(give(w, &extent), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    for (int chunk = -1; chunk < EDGE_EXTENT_CHUNKS; chunk++) {
        assert_int_equal(look(w, 1, 1, chunk, &result), 1);
    }
    assert_int_equal(look(w, 1, 0, 0, &result), 0);
}

static void chunks_that_are_absent_are_not_found(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct extent extent = {
        .key = 1, .version = 1, .length = 3 * EDGE_CHUNK_BYTES + 12345, .mask = 0xa};
    int result = FB_OK;

    assert_int_equal(give(w, &extent), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(look(w, 1, 0, 0, &result), 0);
    assert_int_equal(look(w, 1, 0, 1, &result), 1);
    assert_int_equal(look(w, 1, 0, 2, &result), 0);
    assert_int_equal(look(w, 1, 0, 3, &result), 1);
    extent.mask = 0x5;
    assert_int_equal(give(w, &extent), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    for (int chunk = 0; chunk < EDGE_EXTENT_CHUNKS; chunk++) {
        assert_int_equal(look(w, 1, 0, chunk, &result), 1);
    }
}

static void a_read_of_a_first_chunk_is_one_transfer(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct extent extent = {.key = 1, .version = 1, .length = 2 * EDGE_CHUNK_BYTES};
    uint64_t n_reads = 0;
    int result = FB_OK;

    assert_int_equal(give(w, &extent), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    n_reads = test_disk_counts(w->disk).n_reads;
    assert_int_equal(look(w, 1, 0, 0, &result), 1);
    assert_int_equal(test_disk_counts(w->disk).n_reads, n_reads + 1);
    assert_int_equal(look(w, 1, 0, 1, &result), 1);
    assert_int_equal(test_disk_counts(w->disk).n_reads, n_reads + 3);
}

static void another_key_of_the_same_fingerprint_is_not_found(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_extent_id id = id_of(1, 1, 0);
    struct edge_place place;
    struct reading reading;

    assert_int_equal(give_small(w, 1, 1, 10000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_true(edge_volume_find(w->volume, &id, 0, 0, &place));
    start_read(w, &reading, 2, &id, 0, &place);
    await_flag(w, &reading.is_done);
    assert_int_equal(reading.read.op.result, FB_E_NOT_FOUND);
    fb_free(reading.memory);
    assert_int_equal(counts_of(w).n_rotten_heads, 0);
}

static void too_much_that_waits_is_refused(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct extent extent = {.key = 1, .version = 1, .length = EDGE_EXTENT_BYTES};
    int err = FB_OK;

    for (unsigned i = 0; i < 16 && err == FB_OK; i++) {
        extent.version++;
        err = give(w, &extent);
    }
    assert_int_equal(err, FB_E_BUSY);
    assert_true(counts_of(w).queued_bytes <= EDGE_VOLUME_QUEUE_BYTES);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(counts_of(w).queued_bytes, 0);
    assert_int_equal(w->n_given, 0);
}

static void a_head_that_is_too_long_is_refused(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    static char meta[5 * BLOCK];
    struct edge_volume_write write = {
        .head = {.id = id_of(1, 1, 0), .key = FB_STR("k"), .length = 4, .mask = 1},
        .chunks = {FB_STR("abcd")},
    };

    write.head.meta = (struct fb_str){meta, sizeof(meta)};
    assert_int_equal(edge_volume_write(w->volume, &write), FB_E_LIMIT);
}

/* ---- purge --------------------------------------------------------------- */

static void a_purge_takes_all_of_a_key_also_what_waits(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct asking asking = {.request.fingerprint = id_of(1, 0, 0).fingerprint};

    assert_int_equal(give_small(w, 1, 1, 10000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(give_small(w, 1, 2, 10000), FB_OK);
    turn_all(w); /* placed, not written */
    assert_int_equal(give_small(w, 1, 3, 10000), FB_OK);
    fb_op_init(&asking.request.op, w->loop, on_asked);
    edge_volume_purge(w->volume, &asking.request);
    assert_int_equal(give_small(w, 1, 4, 10000), FB_OK);
    await_flag(w, &asking.is_done);
    assert_int_equal(asking.request.op.result, FB_OK);
    assert_int_equal(asking.request.n_extents, 1);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(version_read(w, 1), 4);
    crash(w);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    assert_int_equal(version_read(w, 1), 4);
    assert_int_equal(purge(w, 1), FB_OK);
    assert_int_equal(version_read(w, 1), 0);
    reopen(w);
    assert_int_equal(version_read(w, 1), 0);
}

/* ---- life ---------------------------------------------------------------- */

static void a_volume_comes_back_as_it_was_drained(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct edge_volume_status before = {0};
    struct edge_volume_status after = {0};

    for (unsigned version = 1; version <= 100; version++) {
        assert_int_equal(give_small(w, version, version, 30000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_int_equal(drain(w), FB_OK);
    edge_volume_describe(w->volume, &before);
    edge_volume_free(w->volume);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    edge_volume_describe(w->volume, &after);
    assert_int_equal(before.n_extents, after.n_extents);
    assert_int_equal(before.n_zones_free, after.n_zones_free);
    assert_int_equal(before.written_admission, after.written_admission);
    assert_int_equal(before.written_rewriting, after.written_rewriting);
    assert_int_equal(before.written_metadata, after.written_metadata);
    assert_int_equal(after.written_today, before.written_today + BLOCK);
    assert_int_equal(version_read(w, 100), 100);
}

static void restarts_do_not_use_zones_up(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    for (unsigned version = 1; version <= 40; version++) {
        assert_int_equal(give_small(w, version, version, 5000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
        if (version % 2 == 0) {
            crash(w);
            make_volume(w);
            assert_int_equal(recover(w), FB_OK);
        } else {
            reopen(w);
        }
    }
    for (unsigned version = 1; version <= 40; version++) {
        assert_int_equal(version_read(w, version), version);
    }
    struct edge_volume_status status = {0};
    edge_volume_describe(w->volume, &status);
    assert_true(status.n_zones_free >= SMALL_ZONES - 3);
}

static void a_checkpoint_is_made_after_a_while(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;

    for (unsigned version = 1; version <= 100; version++) {
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    pass_ms(w, 2000);
    assert_true(counts_of(w).n_checkpoints > 0);
    crash(w);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    assert_int_equal(version_read(w, 100), 100);
}

static void a_suspended_volume_resumes_with_its_index(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    uint64_t n_reads = 0;

    for (unsigned version = 1; version <= 30; version++) {
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    assert_int_equal(give_small(w, 31, 31, 60000), FB_OK);
    turn_all(w);
    suspend(w);
    assert_int_equal(w->n_given, 0);
    assert_false(edge_volume_is_online(w->volume));
    assert_int_equal(give_small(w, 32, 32, 60000), FB_E_UNAVAILABLE);
    assert_int_equal(purge(w, 30), FB_E_UNAVAILABLE);
    n_reads = test_disk_counts(w->disk).n_reads;
    assert_int_equal(resume(w), FB_OK);
    assert_int_equal(test_disk_counts(w->disk).n_reads, n_reads + 1);
    assert_int_equal(version_read(w, 29), 29);
    assert_int_equal(version_read(w, 30), 0);
    assert_int_equal(give_small(w, 33, 33, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    crash(w);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    assert_int_equal(version_read(w, 29), 29);
    assert_int_equal(version_read(w, 30), 0);
    assert_int_equal(version_read(w, 33), 33);
}

static void a_volume_that_changed_meanwhile_is_recovered_anew(void **state)
{
    struct world *w = &((struct fixture *)*state)->world;
    struct test_disk *older = NULL;
    struct test_disk *newer = w->disk;

    assert_int_equal(give_small(w, 1, 1, 60000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    older = test_disk_clone(w->disk);
    for (unsigned version = 2; version <= 30; version++) {
        assert_int_equal(give_small(w, version, version, 60000), FB_OK);
        assert_int_equal(flush(w), FB_OK);
    }
    suspend(w);
    fb_disk_close(w->opened);
    w->disk = older;
    w->opened = test_disk_open(older);
    assert_int_equal(resume(w), FB_OK);
    assert_int_equal(version_read(w, 1), 1);
    assert_int_equal(version_read(w, 30), 0);
    test_disk_free(newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_extent_is_found_once_it_was_written),
        TEST(what_was_written_is_durable_within_a_second),
        TEST(the_newest_version_is_found_first),
        TEST_LARGE(every_chunk_of_an_extent_comes_back),
        TEST_LARGE(chunks_that_are_absent_are_not_found),
        TEST_LARGE(a_read_of_a_first_chunk_is_one_transfer),
        TEST(another_key_of_the_same_fingerprint_is_not_found),
        TEST_LARGE(too_much_that_waits_is_refused),
        TEST(a_head_that_is_too_long_is_refused),
        TEST(a_purge_takes_all_of_a_key_also_what_waits),
        TEST(a_volume_comes_back_as_it_was_drained),
        TEST(restarts_do_not_use_zones_up),
        TEST(a_checkpoint_is_made_after_a_while),
        TEST(a_suspended_volume_resumes_with_its_index),
        TEST(a_volume_that_changed_meanwhile_is_recovered_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
