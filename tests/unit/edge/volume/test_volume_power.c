/*
 * Power cuts: a scripted workload runs once; then, for the moments after its writes and
 * syncs, the power is cut as if it had ended there, by several seeds, and the volume is opened
 * again. What must hold then is in check_after_cut().
 *
 * By default every FB_POWER_STEP-th moment is cut with FB_POWER_SEEDS seeds; FB_POWER_STEP=1
 * FB_POWER_SEEDS=8 cuts at all of them, in a minute or two.
 */
#include "volume_fixture.h"

enum { KEYS = 24, MAX_MOMENTS = 400, MAX_VERSIONS = 600, STEP = 9, SEEDS = 2, DAY_MS = 86400000 };

/* The state at rest after a flush: what was there, and how many events it took. */
struct moment {
    size_t n_events;
    unsigned found[KEYS];  /* version; 0: none */
    unsigned purged[KEYS]; /* versions up to this are gone for good */
};

struct script {
    struct world world;
    struct moment moments[MAX_MOMENTS];
    size_t n_moments;
    unsigned last[KEYS]; /* version given */
    unsigned next_version;
    unsigned purged[KEYS];
    struct test_random random;
    uint64_t n_reclaimed; /* zones */
    uint64_t n_rewritten;
    uint64_t n_checkpoints;
};

static struct edge_superblock script_superblock(void)
{
    return small_superblock(SMALL_ZONE, SMALL_ZONES);
}

/* ---- the script --------------------------------------------------------------- */

/* What the index has of a key: the newest version. */
static unsigned indexed_version(struct world *w, unsigned key, unsigned last)
{
    struct edge_place place;

    for (unsigned version = last; version > 0; version--) {
        struct edge_extent_id id = id_of(key, version, 0);
        if (edge_volume_find(w->volume, &id, 0, 0, &place)) {
            return version;
        }
    }
    return 0;
}

static void note_moment(struct script *s)
{
    struct moment *moment = &s->moments[s->n_moments++];

    assert_true(s->n_moments < MAX_MOMENTS);
    turn_all(&s->world);
    moment->n_events = test_disk_n_events(s->world.disk);
    for (unsigned key = 0; key < KEYS; key++) {
        moment->found[key] = indexed_version(&s->world, key, s->last[key]);
        moment->purged[key] = s->purged[key];
    }
}

static void script_write(struct script *s, unsigned key, uint64_t length)
{
    s->last[key] = s->next_version++;
    assert_int_equal(give_small(&s->world, key, s->last[key], length), FB_OK);
}

static uint64_t script_length(struct script *s)
{
    uint64_t kind = test_random_below(&s->random, 10);

    return kind < 6   ? 100 + test_random_below(&s->random, 8000)
           : kind < 9 ? 8000 + test_random_below(&s->random, 60000)
                      : 60000 + test_random_below(&s->random, 200000);
}

static void add_counts(struct script *s)
{
    struct edge_volume_counts counts;

    edge_volume_counts(s->world.volume, &counts);
    s->n_reclaimed += counts.n_zones_reclaimed;
    s->n_rewritten += counts.n_rewritten;
    s->n_checkpoints += counts.n_checkpoints;
}

static void script_step(struct script *s)
{
    struct world *w = &s->world;
    uint64_t what = test_random_below(&s->random, 100);
    unsigned key = (unsigned)test_random_below(&s->random, KEYS);

    if (what < 70) {
        unsigned n = 1 + (unsigned)test_random_below(&s->random, 4);
        for (unsigned i = 0; i < n; i++) {
            unsigned written = (key + i) % KEYS;
            if (written >= 4 || test_random_below(&s->random, 8) == 0) { /* hot ones seldom */
                script_write(s, written, script_length(s));
            }
        }
    } else if (what < 80) {
        unsigned before = s->last[key];
        assert_int_equal(purge(w, key), FB_OK);
        s->purged[key] = before;
    } else if (what < 95) {
        for (unsigned i = 0; i < 4; i++) {
            FB_IGNORE(version_read(w, i)); /* hot ones */
        }
    } else {
        add_counts(s);
        assert_int_equal(drain(w), FB_OK);
        edge_volume_free(w->volume);
        make_volume(w);
        assert_int_equal(recover(w), FB_OK);
    }
    if (test_random_below(&s->random, 4) == 0) {
        pass_ms(w, 300); /* partial buffers, a tick */
    }
}

static void run_script(struct script *s, uint64_t seed, unsigned n_steps)
{
    struct edge_superblock superblock = script_superblock();

    *s = (struct script){.next_version = 1, .random = {seed}};
    s->world = world_on(test_disk_new(superblock.size), &superblock);
    test_disk_keep_history(s->world.disk);
    world_begin(&s->world);
    make_volume(&s->world);
    assert_int_equal(recover(&s->world), FB_OK);
    note_moment(s);
    for (unsigned i = 0; i < n_steps; i++) {
        script_step(s);
        assert_int_equal(flush(&s->world), FB_OK);
        note_moment(s);
    }
    add_counts(s);
    world_end(&s->world);
    s->world.volume = NULL;
}

/* ---- after the cut --------------------------------------------------------------- */

/* What must be there, and what must not, at the least. */
struct expected {
    unsigned found[KEYS];  /* this version or a later one, unless 0 */
    unsigned purged[KEYS]; /* none of these */
};

/* Between two moments something was going on: what both have was there all the time. */
static struct expected expect_between(const struct moment *before, const struct moment *after)
{
    struct expected expected = {0};

    for (unsigned key = 0; key < KEYS; key++) {
        bool stayed = before->found[key] != 0 && after->found[key] >= before->found[key] &&
                      after->purged[key] == before->purged[key];
        expected.found[key] = stayed ? before->found[key] : 0;
        expected.purged[key] = before->purged[key];
    }
    return expected;
}

static void check_content(struct world *w, const struct expected *expected)
{
    for (unsigned key = 0; key < KEYS; key++) {
        int result = FB_OK;
        unsigned version = 0;
        /* What was torn without having been acknowledged is found out, and forgotten. */
        do {
            version = look(w, key, 0, 0, &result);
        } while (result == FB_E_CORRUPT);
        if (version < expected->found[key]) {
            print_error("key %u: version %u, not %u: %s\n", key, version, expected->found[key],
                        fb_err_name(result));
        }
        assert_true(version >= expected->found[key]);
        assert_true(version == 0 || version > expected->purged[key]);
    }
}

static uint64_t bytes_written(struct test_disk *disk, size_t n_events)
{
    uint64_t n_bytes = 0;

    for (size_t i = 0; i < n_events; i++) {
        struct test_disk_event event = test_disk_event(disk, i);
        n_bytes += event.verb == FB_DISK_WRITE ? event.n : 0;
    }
    return n_bytes;
}

static void open_world(struct world *w, struct test_disk *disk)
{
    struct edge_superblock superblock = script_superblock();

    *w = world_on(disk, &superblock);
    world_begin(w);
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
}

/* Versions before `oldest` may have made way for what was written since. */
static void forgive_reclaim(struct world *w, struct expected *expected, unsigned oldest)
{
    struct edge_volume_counts counts;

    edge_volume_counts(w->volume, &counts);
    for (unsigned key = 0; key < KEYS; key++) {
        if (counts.n_zones_reclaimed > 0 && expected->found[key] < oldest) {
            expected->found[key] = 0;
        }
    }
}

/* The volume can be written again, and another cut does not bring back what the first one
 * left behind. */
static void check_life_after(struct world *w, struct expected *expected, unsigned next_version,
                             uint64_t seed)
{
    struct world second;
    struct test_disk *cut = NULL;
    unsigned oldest = next_version;

    for (unsigned i = 0; i < 3; i++) {
        unsigned key = (unsigned)(seed + i) % KEYS;
        assert_int_equal(give_small(w, key, next_version, 100 + (seed % 3) * 7000), FB_OK);
        expected->found[key] = next_version++;
    }
    assert_int_equal(flush(w), FB_OK);
    unsigned purged = (unsigned)(seed + 2) % KEYS;
    assert_int_equal(purge(w, purged), FB_OK);
    expected->found[purged] = 0;
    expected->purged[purged] = next_version - 1;
    unsigned key = (unsigned)(seed + 5) % KEYS; /* never acknowledged */
    assert_int_equal(give_small(w, key, next_version, 30000), FB_OK);
    pass_ms(w, EDGE_VOLUME_FLUSH_MS);

    cut = test_disk_cut(w->disk, seed + 1);
    forgive_reclaim(w, expected, oldest);
    crash(w);
    open_world(&second, cut);
    forgive_reclaim(&second, expected, oldest);
    check_content(&second, expected);
    world_end(&second);
    test_disk_free(cut);
}

static void check_after_cut(struct script *s, size_t n_events, struct expected *expected,
                            uint64_t seed)
{
    struct test_disk *cut = test_disk_cut_after(s->world.disk, n_events, seed);
    struct world w;
    struct edge_volume_status status = {0};
    struct edge_volume_counts counts;

    open_world(&w, cut);
    edge_volume_describe(w.volume, &status);
    uint64_t n_bytes = bytes_written(s->world.disk, n_events);
    if (status.written_today < n_bytes && n_bytes > BLOCK) {
        print_error("event %zu: counted %llu of %llu bytes\n", n_events,
                    (unsigned long long)status.written_today, (unsigned long long)n_bytes);
    }
    /* A blank volume's first header has nothing durable before it. */
    assert_true(status.written_today >= n_bytes || n_bytes == BLOCK);
    check_content(&w, expected);
    edge_volume_counts(w.volume, &counts);
    assert_int_equal(counts.n_rotten_heads, 0);
    assert_int_equal(counts.n_rotten_chunks, 0);
    check_life_after(&w, expected, s->next_version, seed);
    world_end(&w);
    test_disk_free(cut);
}

static void sweep(uint64_t script_seed, unsigned n_steps)
{
    static struct script script;
    uint64_t step = test_option("FB_POWER_STEP", STEP);
    uint64_t n_seeds = test_option("FB_POWER_SEEDS", SEEDS);
    size_t at = 0;

    run_script(&script, script_seed, n_steps);
    print_message("%zu events, %llu zones reclaimed, %llu extents rewritten, %llu checkpoints\n",
                  script.moments[script.n_moments - 1].n_events,
                  (unsigned long long)script.n_reclaimed, (unsigned long long)script.n_rewritten,
                  (unsigned long long)script.n_checkpoints);
    for (size_t n = 0; n < script.moments[script.n_moments - 1].n_events; n += step) {
        while (script.moments[at + 1].n_events <= n) {
            at++;
        }
        for (uint64_t seed = 0; seed < n_seeds; seed++) {
            struct expected expected = expect_between(&script.moments[at], &script.moments[at + 1]);
            check_after_cut(&script, n, &expected, mix(n) + seed);
        }
    }
    test_disk_free(script.world.disk);
}

static void a_young_volume_survives_cuts(void **state)
{
    (void)state;
    sweep(1, 20);
}

static void a_volume_that_reclaims_survives_cuts(void **state)
{
    (void)state;
    sweep(2, 300);
}

/* The cut loses the first of three records and keeps the last, which then stands exactly
 * behind what is written there instead. */
static void what_a_cut_left_behind_is_never_continued(void **state)
{
    struct edge_superblock superblock = script_superblock();
    struct test_disk *disk = test_disk_new(superblock.size);
    struct world w;
    bool was_kept = false;

    (void)state;
    open_world(&w, disk);
    assert_int_equal(give_small(&w, 9, 1, 100), FB_OK);
    assert_int_equal(flush(&w), FB_OK);
    for (unsigned key = 0; key < 3; key++) {
        assert_int_equal(give_small(&w, key, 2, 100), FB_OK);
    }
    pass_ms(&w, EDGE_VOLUME_FLUSH_MS);
    for (uint64_t seed = 0; seed < 200 && !was_kept; seed++) {
        struct test_disk *cut = test_disk_cut(disk, seed);
        struct world second;
        struct edge_record record;
        char *blocks = fb_disk_buffer(7 * BLOCK);
        struct fb_disk *opened = test_disk_open(cut);
        uint64_t at = edge_superblock_zone_offset(&superblock, 0) + 3 * BLOCK;
        assert_int_equal(fb_disk_read_now(opened, at, blocks, 7 * BLOCK), FB_OK);
        fb_disk_close(opened);
        /* A ledger and three purges will take the place of the first two. */
        was_kept = edge_record_decode(blocks, BLOCK, &record) < 0 &&
                   edge_record_decode(blocks + 4 * BLOCK, BLOCK, &record) == FB_OK;
        fb_free(blocks);
        if (was_kept) {
            open_world(&second, cut);
            assert_int_equal(version_read(&second, 2), 0);
            for (unsigned key = 2; key < 5; key++) { /* after the ledger's block */
                assert_int_equal(purge(&second, key), FB_OK);
            }
            crash(&second);
            make_volume(&second);
            assert_int_equal(recover(&second), FB_OK);
            assert_int_equal(version_read(&second, 9), 1);
            assert_int_equal(version_read(&second, 2), 0);
            world_end(&second);
        }
        test_disk_free(cut);
    }
    assert_true(was_kept);
    world_end(&w);
    test_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_cut_left_behind_is_never_continued),
        cmocka_unit_test(a_young_volume_survives_cuts),
        cmocka_unit_test(a_volume_that_reclaims_survives_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
