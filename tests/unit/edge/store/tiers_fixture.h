/*
 * What the tests of both tiers share: a store over volumes that are in memory.
 */
#pragma once

#include "fake_volumes.h"
#include "store_fixture.h"

struct tiers {
    struct fixture f;
    struct edge_volumes *volumes;
    struct edge_source source;
    uint64_t wanted_at;
    uint64_t n_wanted;
    unsigned n_wants;
};

static inline void on_want(struct edge_source *source, struct edge_object *object, uint64_t offset,
                           uint64_t n)
{
    struct tiers *t = FB_CONTAINER_OF(source, struct tiers, source);

    (void)object;
    t->wanted_at = offset;
    t->n_wanted = n;
    t->n_wants++;
}

/* `huge_from`: see edge/store/store.h */
static inline int set_up_tiers_with(void **state, uint64_t memory_bytes, uint64_t huge_from)
{
    static struct tiers t;

    set_up_with(&t.f, EDGE_POLICY_S3FIFO);
    edge_store_free(t.f.store);
    t.volumes = fake_volumes_new();
    t.f.store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = memory_bytes,
        .huge_from = huge_from,
        .policy = EDGE_POLICY_S3FIFO,
        .seed = 42,
        .volumes = t.volumes,
        .clock = &t.f.clock.clock,
    });
    t.source.want = on_want;
    t.n_wants = 0;
    *state = &t;
    return 0;
}

static inline int set_up_tiers(void **state)
{
    return set_up_tiers_with(state, LIMIT, 0);
}

static inline int tear_down_tiers(void **state)
{
    struct tiers *t = *state;

    turn(&t->f);
    assert_int_equal(edge_store_stats(t->f.store).n_trailing, 0);
    edge_store_free(t->f.store);
    fake_volumes_free(t->volumes);
    fb_metrics_free(t->f.metrics);
    fb_loop_free(t->f.loop);
    fb_arena_done(&t->f.arena);
    return 0;
}

/* ---- making objects ---------------------------------------------------- */

static inline struct edge_object *make(struct tiers *t, const char *key, int64_t length,
                                       const char *etag, enum edge_class class)
{
    struct fb_headers headers = {0};
    struct edge_object *object = NULL;

    if (etag != NULL) {
        fb_headers_add(&headers, &t->f.arena, FB_STR("ETag"), fb_str_from(etag));
    }
    struct edge_object_spec spec = {
        .key = fb_str_from(key),
        .request = &t->f.none,
        .status = 200,
        .headers = &headers,
        .terms = {.class = class,
                  .received_ms = (int64_t)fb_clock_mono_ms(&t->f.clock.clock),
                  .lifetime_ms = 3600000},
        .length = length,
    };
    assert_int_equal(edge_store_create(t->f.store, &spec, &object), FB_OK);
    return object;
}

/* A whole object in the index, offered to the volumes. */
static inline void keep(struct tiers *t, const char *key, size_t n, const char *etag)
{
    struct edge_object *object = make(t, key, (int64_t)n, etag, EDGE_CLASS_SEGMENT);
    struct edge_writer *writer = write_from(&t->f, object, 0);

    edge_store_publish(t->f.store, t->f.loop, object);
    append(writer, n);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
}

/* Pushes everything out of memory that can go, and takes what did it away again. */
static inline void press(struct tiers *t)
{
    bool admits = t->volumes->admits;
    char key[32];

    t->volumes->admits = false;
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(key, sizeof(key), "press/%u", i);
        keep(t, key, 900 * KIB, NULL);
    }
    for (unsigned i = 0; i < 60; i++) {
        (void)snprintf(key, sizeof(key), "press/%u", i);
        (void)purge(&t->f, key);
    }
    t->volumes->n_purges = 0;
    t->volumes->admits = admits;
}

struct loading {
    struct edge_store_load load;
    unsigned n_done;
    int result;
};

static inline void on_loaded(struct fb_op *op)
{
    struct loading *loading = FB_CONTAINER_OF(op, struct loading, load.op);
    loading->n_done++;
    loading->result = op->result;
}

static inline void load_begin(struct tiers *t, struct loading *loading, const char *key,
                              uint64_t offset)
{
    *loading = (struct loading){
        .load = {.key = fb_str_from(key), .request = &t->f.none, .offset = offset}};
    fb_op_init(&loading->load.op, t->f.loop, on_loaded);
    edge_store_load(t->f.store, &loading->load);
}

/* NULL if no volume has it, or there is no room. */
static inline struct edge_object *load(struct tiers *t, const char *key, uint64_t offset)
{
    struct loading loading;

    load_begin(t, &loading, key, offset);
    turn(&t->f);
    assert_int_equal(loading.n_done, 1);
    if (loading.result < 0) {
        assert_true(loading.result == FB_E_NOT_FOUND || loading.result == FB_E_BUSY);
        return NULL;
    }
    assert_non_null(loading.load.object);
    return loading.load.object;
}

/* Reads to the end, turning the loop while it waits. */
static inline int read_all(struct tiers *t, struct fb_reader *reader, uint64_t *offset)
{
    int err = FB_OK;

    while ((err = read_on(reader, offset)) == FB_E_LATER) {
        unsigned n_done = t->f.n_done;
        start_wait(&t->f, reader);
        for (unsigned i = 0; i < 20 && t->f.n_done == n_done; i++) {
            fb_loop_turn(t->f.loop);
        }
        assert_int_equal(t->f.n_done, n_done + 1);
    }
    return err;
}

static inline void assert_loads(struct tiers *t, struct edge_object *object, uint64_t from,
                                int64_t length, uint64_t want_end, int want)
{
    struct fb_reader *reader = edge_object_reader(object, t->f.loop, from, length, NULL);
    uint64_t offset = from;

    assert_int_equal(read_all(t, reader, &offset), want);
    assert_int_equal(offset, want_end);
    fb_reader_close(reader);
}

#define TIERS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_tiers, tear_down_tiers)
