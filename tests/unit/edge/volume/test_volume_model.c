/*
 * A volume against a naive twin: writes of all shapes, reads, purges, flushes, restarts and
 * crashes in random order, on zones so small that they are reclaimed all the time. The twin
 * keeps what was written and what was purged; every byte that the volume gives out follows from
 * key, version and place in the object.
 *
 * FB_TEST_SEED repeats a run, FB_MODEL_STEPS makes it longer.
 */
#include "volume_fixture.h"

enum { KEYS = 12, NUMBERS = 2, MAX_WRITES = 60000, USUAL_STEPS = 800 };

struct written {
    unsigned key;
    unsigned version;
    uint32_t number;
    uint8_t mask;
    bool is_flushed;
    bool is_doubtful;     /* neither flushed nor surely gone when the volume was closed */
    uint64_t n_reclaimed; /* zones, before it was given */
};

struct model {
    struct world world;
    struct test_random random;
    struct written *written; /* the twin; oldest first */
    size_t n_written;
    unsigned next_version;
    unsigned purged[KEYS]; /* versions up to this are gone */
    uint64_t length[KEYS]; /* of the newest version */
    unsigned version[KEYS];
    uint64_t n_reclaimed; /* in earlier sessions */
    uint64_t max_length;
    size_t n_found;
};

static uint64_t zones_reclaimed(struct model *m)
{
    struct edge_volume_counts counts;

    edge_volume_counts(m->world.volume, &counts);
    return m->n_reclaimed + counts.n_zones_reclaimed;
}

static void model_write(struct model *m, unsigned key)
{
    bool is_new = m->version[key] == 0 || test_random_below(&m->random, 3) == 0;
    struct extent extent = {.key = key};

    if (is_new) {
        m->version[key] = m->next_version++;
        m->length[key] = 1 + test_random_below(&m->random, m->max_length);
    }
    extent.version = m->version[key];
    extent.length = m->length[key];
    extent.number =
        extent.length > EDGE_EXTENT_BYTES ? (uint32_t)test_random_below(&m->random, 2) : 0;
    if (extent.length > EDGE_CHUNK_BYTES) {
        unsigned n_chunks = (unsigned)FB_MIN(
            (extent.length - (uint64_t)extent.number * EDGE_EXTENT_BYTES + EDGE_CHUNK_BYTES - 1) /
                EDGE_CHUNK_BYTES,
            (uint64_t)EDGE_EXTENT_CHUNKS);
        extent.mask = (uint8_t)(1U << test_random_below(&m->random, n_chunks));
        extent.mask |= (uint8_t)(1U << test_random_below(&m->random, n_chunks));
    } else {
        extent.mask = 1;
    }
    assert_true(m->n_written < MAX_WRITES);
    assert_int_equal(give(&m->world, &extent), FB_OK);
    m->written[m->n_written++] = (struct written){.key = key,
                                                  .version = extent.version,
                                                  .number = extent.number,
                                                  .mask = extent.mask,
                                                  .n_reclaimed = zones_reclaimed(m)};
}

static bool model_has(const struct model *m, unsigned key, unsigned version, uint32_t number,
                      unsigned chunk)
{
    for (size_t i = m->n_written; i > 0; i--) {
        const struct written *each = &m->written[i - 1];
        if (each->key == key && each->version == version && each->number == number &&
            (each->mask >> chunk & 1) != 0) {
            return true;
        }
    }
    return false;
}

/* The newest flushed write of the chunk, or NULL. */
static const struct written *model_newest(const struct model *m, unsigned key, uint32_t number,
                                          unsigned chunk)
{
    for (size_t i = m->n_written; i > 0; i--) {
        const struct written *each = &m->written[i - 1];
        if (each->is_flushed && each->key == key && each->number == number &&
            each->version > m->purged[key] && (each->mask >> chunk & 1) != 0) {
            return each;
        }
    }
    return NULL;
}

static void model_read(struct model *m, unsigned key)
{
    uint32_t number =
        m->length[key] > EDGE_EXTENT_BYTES ? (uint32_t)test_random_below(&m->random, NUMBERS) : 0;
    unsigned chunk = m->length[key] > EDGE_CHUNK_BYTES
                         ? (unsigned)test_random_below(&m->random, EDGE_EXTENT_CHUNKS)
                         : 0;
    const struct written *newest = model_newest(m, key, number, chunk);
    int result = FB_OK;
    unsigned version = 0;

    do { /* what a crash tore is found out, and forgotten */
        version = look(&m->world, key, number, (int)chunk, &result);
    } while (result == FB_E_CORRUPT);
    assert_true(result == FB_OK || result == FB_E_NOT_FOUND);
    if (version != 0) {
        m->n_found++;
        assert_true(version > m->purged[key]);
        assert_true(model_has(m, key, version, number, chunk));
    }
    if (newest != NULL && newest->n_reclaimed == zones_reclaimed(m)) {
        assert_true(version >= newest->version);
    }
}

/* The writes since the last flush. */
static void model_mark(struct model *m, bool is_flushed)
{
    for (size_t i = m->n_written; i > 0; i--) {
        struct written *each = &m->written[i - 1];
        if (each->is_flushed || each->is_doubtful) {
            break;
        }
        each->is_flushed = is_flushed;
        each->is_doubtful = !is_flushed;
    }
}

static void model_flush(struct model *m)
{
    assert_int_equal(flush(&m->world), FB_OK);
    model_mark(m, true);
}

static void model_restart(struct model *m, bool is_crash)
{
    struct world *w = &m->world;
    uint64_t n_reclaimed = zones_reclaimed(m);

    model_mark(m, !is_crash);
    if (is_crash) {
        crash(w);
    } else {
        assert_int_equal(drain(w), FB_OK);
        n_reclaimed = zones_reclaimed(m); /* a drain ends the one that is under way */
        edge_volume_free(w->volume);
    }
    make_volume(w);
    assert_int_equal(recover(w), FB_OK);
    m->n_reclaimed = n_reclaimed;
}

static void model_step(struct model *m)
{
    uint64_t what = test_random_below(&m->random, 1000);
    unsigned key = (unsigned)test_random_below(&m->random, KEYS);

    if (what < 350) {
        model_write(m, key);
    } else if (what < 850) {
        model_read(m, key);
    } else if (what < 900) {
        unsigned newest = m->version[key];
        assert_int_equal(purge(&m->world, key), FB_OK);
        m->purged[key] = FB_MAX(newest, m->purged[key]);
        m->version[key] = 0;
    } else if (what < 960) {
        model_flush(m);
    } else if (what < 985) {
        pass_ms(&m->world, test_random_below(&m->random, 1500));
    } else if (what < 992) {
        model_mark(m, false);
        suspend(&m->world);
        assert_int_equal(resume(&m->world), FB_OK);
    } else {
        model_restart(m, what < 996);
    }
}

static void run_model(uint64_t zone_bytes, uint64_t max_length)
{
    struct edge_superblock superblock = small_superblock(zone_bytes, 10);
    uint64_t n_steps = test_option("FB_MODEL_STEPS", USUAL_STEPS);
    struct model m = {
        .world = world_on(test_disk_new(superblock.size), &superblock),
        .random = test_random_new(),
        .written = fb_alloc_array(MAX_WRITES, sizeof(struct written)),
        .next_version = 1,
        .max_length = max_length,
    };

    world_begin(&m.world);
    make_volume(&m.world);
    assert_int_equal(recover(&m.world), FB_OK);
    for (uint64_t i = 0; i < n_steps && m.n_written < MAX_WRITES; i++) {
        model_step(&m);
    }
    print_message("%zu writes, %zu found, %llu zones reclaimed\n", m.n_written, m.n_found,
                  (unsigned long long)zones_reclaimed(&m));
    struct edge_volume_counts counts;
    edge_volume_counts(m.world.volume, &counts);
    assert_int_equal(counts.n_rotten_heads + counts.n_rotten_chunks, 0);
    assert_true(m.n_found > n_steps / 20);
    assert_true(zones_reclaimed(&m) > 3);
    world_end(&m.world);
    test_disk_free(m.world.disk);
    fb_free(m.written);
}

static void small_extents_are_as_the_twin_has_them(void **state)
{
    (void)state;
    run_model(256 * KIB, 60000);
}

static void extents_of_several_chunks_are_as_the_twin_has_them(void **state)
{
    (void)state;
    run_model(3 * 1024 * KIB, EDGE_EXTENT_BYTES + 2 * EDGE_CHUNK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_extents_are_as_the_twin_has_them),
        cmocka_unit_test(extents_of_several_chunks_are_as_the_twin_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
