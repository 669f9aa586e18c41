/*
 * One thread owns the volume and writes; another gives it extents, reads and purges, on a loop of
 * its own, while zones are reclaimed under its reads. No byte is wrong.
 */
#include "base/loop/thread.h"
#include "volume_fixture.h"

enum { KEYS = 32, ROUNDS = 600, READS = 4, PURGE_EVERY = 37 };

/* A call on the owner's loop, and an op of it. */
struct errand {
    struct fb_post post;
    struct fb_op op;
    struct edge_volume *volume;
    void (*start)(struct edge_volume *volume, struct fb_op *op);
    bool is_done; /* atomic */
};

static void on_errand_done(struct fb_op *op)
{
    struct errand *errand = FB_CONTAINER_OF(op, struct errand, op);
    __atomic_store_n(&errand->is_done, true, __ATOMIC_RELEASE);
}

static void on_errand(struct fb_post *post)
{
    struct errand *errand = FB_CONTAINER_OF(post, struct errand, post);
    errand->start(errand->volume, &errand->op);
}

static void run_on(struct fb_loop *owner, struct world *w,
                   void (*start)(struct edge_volume *volume, struct fb_op *op))
{
    struct errand errand = {.post.run = on_errand, .volume = w->volume, .start = start};

    fb_op_init(&errand.op, owner, on_errand_done);
    fb_loop_post(owner, &errand.post);
    while (!__atomic_load_n(&errand.is_done, __ATOMIC_ACQUIRE)) {
        fb_loop_turn(w->loop);
    }
    assert_int_equal(errand.op.result, FB_OK);
}

static void on_freed(void *owner)
{
    fb_free(owner);
}

static int give_owned(struct world *w, unsigned key, unsigned version, size_t n)
{
    char text[KEY_MAX];
    char *bytes = fb_alloc(n);
    struct edge_volume_write write = {
        .head = {.id = id_of(key, version, 0),
                 .key = key_of(key, text),
                 .meta = FB_STR("meta"),
                 .length = n,
                 .mask = 1},
        .release = on_freed,
        .owner = bytes,
    };

    fill_bytes(bytes, n, key, version, 0);
    write.chunks[0] = (struct fb_str){bytes, n};
    int err = edge_volume_write(w->volume, &write);
    if (err < 0) {
        fb_free(bytes);
    }
    return err;
}

static void wait_turning(struct world *w, const bool *is_done)
{
    while (!*is_done) {
        fb_loop_turn_waiting(w->loop);
    }
}

/* Returns how many reads found something. */
static unsigned read_some(struct world *w, const unsigned *purged, unsigned round)
{
    struct reading readings[READS];
    unsigned keys[READS];
    unsigned n = 0;
    unsigned n_found = 0;

    for (unsigned i = 0; i < READS; i++) {
        unsigned key = (round * 7 + i * 5) % KEYS;
        struct edge_extent_id id = id_of(key, 0, 0);
        struct edge_place place;
        if (edge_volume_find(w->volume, &id, 0, 0, &place)) {
            keys[n] = key;
            start_read(w, &readings[n++], key, &id, 0, &place);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        const struct edge_volume_read *read = &readings[i].read;
        wait_turning(w, &readings[i].is_done);
        assert_true(read->op.result == FB_OK || read->op.result == FB_E_NOT_FOUND);
        if (read->op.result == FB_OK) {
            unsigned version = version_of(read->head.id.version);
            assert_true(version > purged[keys[i]]);
            assert_true(bytes_are(read->bytes, keys[i], version, 0));
            n_found++;
        }
        fb_free(readings[i].memory);
    }
    return n_found;
}

static void reads_go_on_while_another_thread_writes_and_reclaims(void **state)
{
    struct edge_superblock superblock = small_superblock(SMALL_ZONE, SMALL_ZONES);
    struct world w = world_on(test_disk_new(superblock.size), &superblock);
    struct fb_loop *owner = NULL;
    struct fb_disk_queue *queue = NULL;
    struct fb_thread *thread = NULL;
    unsigned purged[KEYS] = {0};
    unsigned n_found = 0;
    struct edge_volume_counts counts;

    (void)state;
    assert_int_equal(fb_loop_new(fb_clock_system(), &w.loop), FB_OK);
    assert_int_equal(fb_disk_queue_new(w.loop, NULL, &w.queue), FB_OK);
    assert_int_equal(fb_loop_new(fb_clock_system(), &owner), FB_OK);
    assert_int_equal(fb_disk_queue_new(owner, NULL, &queue), FB_OK);
    w.opened = test_disk_open(w.disk);
    w.volume = edge_volume_new(&(struct edge_volume_options){
        .loop = owner, .queue = queue, .disk = w.opened, .superblock = &superblock});
    assert_int_equal(fb_thread_start("owner", owner, &thread), FB_OK);
    run_on(owner, &w, edge_volume_recover);

    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned key = round * 11 % KEYS;
        int err = give_owned(&w, key, round, 1000 + round % 50 * 1000);
        assert_true(err == FB_OK || err == FB_E_BUSY);
        n_found += read_some(&w, purged, round);
        if (round % PURGE_EVERY == 0) {
            struct asking asking = {.request.fingerprint = id_of(key, 0, 0).fingerprint};
            fb_op_init(&asking.request.op, w.loop, on_asked);
            edge_volume_purge(w.volume, &asking.request);
            wait_turning(&w, &asking.is_done);
            assert_int_equal(asking.request.op.result, FB_OK);
            purged[key] = round;
        } else if (round % 3 == 0) {
            struct asking asking = {0};
            fb_op_init(&asking.request.op, w.loop, on_asked);
            edge_volume_flush(w.volume, &asking.request);
            wait_turning(&w, &asking.is_done);
        }
    }
    edge_volume_counts(w.volume, &counts);
    run_on(owner, &w, edge_volume_drain);
    fb_loop_stop(owner);
    fb_thread_join(thread);
    edge_volume_free(w.volume);
    assert_true(n_found > ROUNDS / 2);
    assert_true(counts.n_zones_reclaimed > 3);
    assert_int_equal(counts.n_torn + counts.n_rotten_heads + counts.n_rotten_chunks, 0);

    fb_disk_close(w.opened);
    fb_disk_queue_free(queue);
    fb_disk_queue_free(w.queue);
    fb_loop_free(owner);
    fb_loop_free(w.loop);
    test_disk_free(w.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_go_on_while_another_thread_writes_and_reclaims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
