/*
 * The n-th read, write or sync fails, for every n that a workload has, once and for ever; and
 * bits are turned over in every kind of block. Nothing crashes or leaks, no wrong byte is
 * given out, what was purged stays so, and when the disk is well again so is the volume.
 */
#include "volume_fixture.h"

#include <errno.h>

enum { KEYS = 40, STEPS = 60, EVERY = 9 };

struct run {
    struct world world;
    unsigned last[KEYS];
    unsigned purged[KEYS];  /* versions up to this were, in memory */
    unsigned durably[KEYS]; /* ... and for good */
    bool heals;             /* a failed volume comes back on a disk that is well */
};

static struct edge_superblock run_superblock(void)
{
    return small_superblock(SMALL_ZONE, SMALL_ZONES);
}

/* What the set does: close it, and try again. */
static void come_back(struct run *run)
{
    struct world *w = &run->world;

    if (w->n_failed == 0) {
        return;
    }
    assert_int_equal(w->n_failed, 1);
    assert_false(edge_volume_is_online(w->volume));
    suspend(w);
    assert_int_equal(w->n_given, 0);
    w->n_failed = 0;
    if (resume(w) < 0) {
        if (run->heals) {
            test_disk_heal(w->disk);
        }
        FB_IGNORE(resume(w));
    }
}

static void check_key(struct run *run, unsigned key)
{
    unsigned version = version_read(&run->world, key);

    assert_true(version == 0 || version > run->purged[key]);
    assert_true(version <= run->last[key]);
}

static void run_step(struct run *run, unsigned step)
{
    struct world *w = &run->world;
    unsigned key = step * 7 % KEYS;

    run->last[key]++;
    if (give_small(w, key, run->last[key], 3000 + step * 1500) < 0) {
        run->last[key]--;
    }
    if (step % 9 == 8) {
        unsigned gone = (step - 4) * 7 % KEYS;
        int result = purge(w, gone);
        run->purged[gone] = run->last[gone];
        if (result == FB_OK) {
            run->durably[gone] = run->purged[gone];
        }
    } else {
        FB_IGNORE(flush(w));
    }
    check_key(run, step % KEYS);
    check_key(run, step * 7 % KEYS);
    check_key(run, 0);
    pass_ms(w, 100);
    come_back(run);
}

/* A new process on the same disk; whatever fails, it is tried again. */
static void start_anew(struct run *run, bool must_work)
{
    struct world *w = &run->world;

    if (w->volume != NULL) {
        FB_IGNORE(drain(w));
        edge_volume_free(w->volume);
        assert_int_equal(w->n_given, 0);
        w->n_failed = 0;
    }
    make_volume(w);
    if (recover(w) < 0 && !must_work) {
        if (run->heals) {
            test_disk_heal(w->disk);
        }
        FB_IGNORE(recover(w));
    }
    assert_true(!must_work || edge_volume_is_online(w->volume));
    memcpy(run->purged, run->durably, sizeof(run->purged));
}

/* Returns how often the disk failed. */
static uint64_t run_with(const struct test_disk_fault *fault, bool heals)
{
    struct edge_superblock superblock = run_superblock();
    struct run run = {.world = world_on(test_disk_new(superblock.size), &superblock),
                      .heals = heals};
    struct world *w = &run.world;
    uint64_t n_faults = 0;

    world_begin(w);
    test_disk_fail(w->disk, *fault);
    start_anew(&run, false);
    for (unsigned step = 0; step < STEPS; step++) {
        if (step == STEPS / 2) {
            start_anew(&run, false);
        }
        run_step(&run, step);
    }
    n_faults = test_disk_counts(w->disk).n_faults;
    test_disk_heal(w->disk);
    if (!edge_volume_is_online(w->volume)) {
        suspend(w);
        w->n_failed = 0;
        assert_int_equal(resume(w), FB_OK);
    }
    run.last[1] = 1000;
    assert_int_equal(give_small(w, 1, 1000, 5000), FB_OK);
    assert_int_equal(flush(w), FB_OK);
    assert_int_equal(version_read(w, 1), 1000);
    start_anew(&run, true);
    assert_int_equal(version_read(w, 1), 1000);
    for (unsigned key = 0; key < KEYS; key++) {
        check_key(&run, key);
    }
    world_end(w);
    test_disk_free(w->disk);
    return n_faults;
}

struct trouble {
    struct test_disk_fault fault;
    bool heals;
};

/* A disk with some trouble, which comes one transfer later in each run. */
static void each_transfer_fails(void **state)
{
    const struct trouble *trouble = *state;
    struct test_disk_fault fault = trouble->fault;
    uint64_t step = test_option("FB_FAULT_STEP", EVERY);
    unsigned n_runs = 0;

    for (uint64_t n = 0;; n += step) {
        fault.n_good = n;
        n_runs++;
        if (run_with(&fault, trouble->heals) == 0) {
            break;
        }
    }
    print_message("%u runs\n", n_runs);
    assert_true(n_runs > 5);
}

static void the_drives_errors_are_counted(void **state)
{
    static const enum fb_disk_verb verbs[] = {FB_DISK_WRITE, FB_DISK_SYNC};
    struct edge_superblock superblock = run_superblock();

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(verbs); i++) {
        struct world w = world_on(test_disk_new(superblock.size), &superblock);
        struct edge_volume_status status;

        world_begin(&w);
        make_volume(&w);
        assert_int_equal(recover(&w), FB_OK);
        test_disk_fail(w.disk, (struct test_disk_fault){.verb = verbs[i], .err = -EIO});
        FB_IGNORE(give_small(&w, 1, 1, 5000));
        assert_true(flush(&w) < 0);
        edge_volume_describe(w.volume, &status);
        assert_int_equal(status.n_io_errors, 1);
        world_end(&w);
        test_disk_free(w.disk);
    }
}

/* ---- bits ---------------------------------------------------------------------- */

static struct test_disk *make_filled_disk(unsigned n, bool is_drained)
{
    struct edge_superblock superblock = run_superblock();
    struct world w = world_on(test_disk_new(superblock.size), &superblock);

    world_begin(&w);
    make_volume(&w);
    assert_int_equal(recover(&w), FB_OK);
    for (unsigned key = 0; key < n; key++) {
        assert_int_equal(give_small(&w, key, 1, 20000), FB_OK);
    }
    assert_int_equal(flush(&w), FB_OK);
    assert_int_equal(purge(&w, 3), FB_OK);
    for (unsigned key = n; key < 2 * n; key++) {
        assert_int_equal(give_small(&w, key, 1, 20000), FB_OK);
    }
    assert_int_equal(flush(&w), FB_OK);
    if (!is_drained) {
        crash(&w);
    }
    world_end(&w);
    return w.disk;
}

/* Opens a copy of `disk` with one bit turned over; returns how many of `n` keys are found, and what
 * was counted. What comes back is right in any case. */
static unsigned found_after_flip(struct test_disk *disk, unsigned n, uint64_t offset, unsigned bit,
                                 struct edge_volume_counts *ret_counts)
{
    struct edge_superblock superblock = run_superblock();
    struct test_disk *copy = test_disk_clone(disk);
    struct world w = world_on(copy, &superblock);
    unsigned n_found = 0;

    test_disk_flip(copy, offset, bit);
    world_begin(&w);
    make_volume(&w);
    assert_int_equal(recover(&w), FB_OK);
    for (unsigned key = 0; key < n; key++) {
        unsigned version = version_read(&w, key);
        assert_true(key != 3 || version == 0);
        n_found += version == 1;
    }
    edge_volume_counts(w.volume, ret_counts);
    assert_int_equal(give_small(&w, 500, 7, 5000), FB_OK);
    assert_int_equal(flush(&w), FB_OK);
    assert_int_equal(version_read(&w, 500), 7);
    world_end(&w);
    test_disk_free(copy);
    return n_found;
}

/* Turns over one bit of the first zone at a time, from `first` on so many bytes apart: each
 * costs one object, for the cause that is counted. */
static void rot(uint64_t first, uint64_t apart, unsigned n_rotten_chunks, unsigned n_rotten_heads)
{
    enum { N = 10 };
    struct test_disk *disk = make_filled_disk(N, true);
    struct edge_superblock superblock = run_superblock();
    struct edge_volume_counts counts;

    first += edge_superblock_zone_offset(&superblock, 0);
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(found_after_flip(disk, 2 * N, first + i * apart, i % 8, &counts),
                         2 * N - 2);
        assert_int_equal(counts.n_rotten_chunks, n_rotten_chunks);
        assert_int_equal(counts.n_rotten_heads, n_rotten_heads);
    }
    test_disk_free(disk);
}

static void a_rotten_chunk_is_one_miss(void **state)
{
    (void)state;
    rot(2 * BLOCK, 833, 1, 0);
}

static void a_rotten_head_is_one_miss(void **state)
{
    (void)state;
    rot(BLOCK, 170, 0, 1);
}

/* Without a checkpoint, what the newest zone has behind a rotten head is lost, and nothing else. */
static void a_rotten_head_ends_a_walk(void **state)
{
    enum { N = 5 };
    struct test_disk *disk = make_filled_disk(N, false);
    struct edge_superblock superblock = run_superblock();
    struct edge_volume_counts counts;
    uint64_t at = edge_superblock_zone_offset(&superblock, 0);

    (void)state;
    /* Records of 6 blocks from block 1 on, with the purge after the fifth. */
    assert_int_equal(
        found_after_flip(disk, 2 * N, at + (1 + 6 * N + 1 + 6 * 2) * BLOCK + 99, 1, &counts),
        N - 1 + 2);
    test_disk_free(disk);
}

static void no_block_of_metadata_is_needed(void **state)
{
    enum { N = 40 };
    struct edge_superblock superblock = run_superblock();
    uint64_t zone = superblock.zone_bytes;
    struct test_disk *disks[] = {make_filled_disk(N, true), make_filled_disk(N, false)};
    const uint64_t offsets[] = {
        superblock.checkpoint_offset + 100,
        superblock.checkpoint_offset + BLOCK + 100,
        superblock.checkpoint_offset + superblock.checkpoint_bytes + 100,
        superblock.checkpoint_offset + superblock.checkpoint_bytes + BLOCK + 100,
        superblock.zones_offset + 50,                /* a header */
        superblock.zones_offset + zone - BLOCK + 50, /* a footer */
        superblock.zones_offset + zone - 2 * BLOCK,  /* a summary's listing */
        superblock.zones_offset + zone + 50,
        superblock.zones_offset + 2 * zone - BLOCK + 50,
        superblock.zones_offset + 3 * zone + 50, /* the newest zone's header */
    };
    struct edge_volume_counts counts;

    (void)state;
    for (size_t i = 0; i < 2 * FB_ARRAY_LEN(offsets); i++) {
        bool is_drained = i % 2 == 0;
        unsigned n_found =
            found_after_flip(disks[i % 2], 2 * N, offsets[i / 2], (unsigned)i % 8, &counts);
        bool is_newest_header = i / 2 == FB_ARRAY_LEN(offsets) - 1;
        assert_true(n_found == 2 * N - 1 || (is_newest_header && !is_drained));
        assert_int_equal(counts.n_rotten_heads + counts.n_rotten_chunks, 0);
    }
    test_disk_free(disks[0]);
    test_disk_free(disks[1]);
}

#define TROUBLE(told, is_healed, ...)                                                        \
    {                                                                                        \
        .name = (told), .test_func = each_transfer_fails, .initial_state = &(struct trouble) \
        {                                                                                    \
            .fault = {__VA_ARGS__}, .heals = (is_healed)                                     \
        }                                                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_drives_errors_are_counted),
        TROUBLE("a read fails once", true, .verb = FB_DISK_READ, .err = -EIO),
        TROUBLE("reads fail from then on", true, .verb = FB_DISK_READ, .err = -EIO,
                .for_ever = true),
        TROUBLE("a write fails once", true, .verb = FB_DISK_WRITE, .err = -EIO),
        TROUBLE("a write fails half done", true, .verb = FB_DISK_WRITE, .err = -EIO,
                .is_torn = true),
        TROUBLE("writes fail from then on", false, .verb = FB_DISK_WRITE, .err = -ENOSPC,
                .for_ever = true),
        TROUBLE("a sync fails once", true, .verb = FB_DISK_SYNC, .err = -EIO),
        TROUBLE("syncs fail from then on", false, .verb = FB_DISK_SYNC, .err = -EIO,
                .for_ever = true),
        cmocka_unit_test(a_rotten_chunk_is_one_miss),
        cmocka_unit_test(a_rotten_head_is_one_miss),
        cmocka_unit_test(a_rotten_head_ends_a_walk),
        cmocka_unit_test(no_block_of_metadata_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
