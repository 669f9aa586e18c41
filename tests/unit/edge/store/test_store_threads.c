#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/loop/thread.h"
#include "edge/store/store.h"
#include "fake_volumes.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_LOOPS = 3,
    N_CLIENTS = 24,
    N_ROUNDS = 16,
    KIB = 1024,
    BODY = 1500 * KIB,
    LIMIT = 16 * 1024 * KIB
};

struct fixture {
    struct edge_volumes *volumes; /* NULL: memory alone */
    struct edge_store *store;
    struct fb_loop *home; /* runs only at the end: of what needs no news */
    struct fb_loop *loops[N_LOOPS];
    struct fb_thread *threads[N_LOOPS];
    struct fb_headers none;

    pthread_mutex_t lock;
    pthread_cond_t all_gone;
    unsigned n_alive; /* clients, under lock */
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

static char pattern[BODY]; /* what every body of these tests holds */

static void make_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (char)((i * 131 + (i >> 8)) & 0x7f);
    }
}

static int set_up_with(void **state, struct edge_volumes *volumes, uint64_t memory_bytes,
                       uint64_t huge_from)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.volumes = volumes;
    make_pattern();
    f.store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = memory_bytes,
        .huge_from = huge_from,
        .seed = 7,
        .volumes = volumes,
        .clock = fb_clock_system(),
    });
    (void)pthread_mutex_init(&f.lock, NULL);
    (void)pthread_cond_init(&f.all_gone, NULL);
    assert_int_equal(fb_loop_new(fb_clock_system(), &f.home), FB_OK);
    for (unsigned i = 0; i < N_LOOPS; i++) {
        assert_int_equal(fb_loop_new(fb_clock_system(), &f.loops[i]), FB_OK);
        assert_int_equal(fb_thread_start("reader", f.loops[i], &f.threads[i]), FB_OK);
    }
    *state = &f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, NULL, LIMIT, 0);
}

static int set_up_tiers(void **state)
{
    return set_up_with(state, fake_volumes_new(), LIMIT / 2, 0);
}

static int set_up_huge(void **state)
{
    return set_up_with(state, fake_volumes_new(), LIMIT / 4 * 3, 1);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < N_LOOPS; i++) {
        fb_loop_stop(f->loops[i]);
        fb_thread_join(f->threads[i]);
        fb_loop_turn(f->loops[i]);
        fb_loop_free(f->loops[i]);
    }
    fb_loop_turn(f->home);
    fb_loop_free(f->home);
    edge_store_free(f->store);
    if (f->volumes != NULL) {
        fake_volumes_free(f->volumes);
    }
    (void)pthread_cond_destroy(&f->all_gone);
    (void)pthread_mutex_destroy(&f->lock);
    return 0;
}

/* ---- clients, each on a loop of its own -------------------------------- */

struct client {
    struct fixture *fixture;
    struct fb_loop *loop;
    struct edge_object *object; /* counted, until the reader is open */
    struct fb_reader *reader;
    struct fb_op op;
    struct fb_post post; /* first to begin, then to give up */
    uint64_t seed;
    uint64_t offset;
    uint64_t give_up_at; /* closes there */
    bool is_giving_up;
    int want_end; /* what a client that stays to the end must see */
};

static void client_gone(struct client *client)
{
    struct fixture *f = client->fixture;

    fb_free(client);
    (void)pthread_mutex_lock(&f->lock);
    if (--f->n_alive == 0) {
        (void)pthread_cond_signal(&f->all_gone);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void client_run(struct client *client);

static void client_on_news(struct fb_op *op)
{
    struct client *client = FB_CONTAINER_OF(op, struct client, op);

    if (client->reader == NULL) { /* closed while it waited */
        client_gone(client);
        return;
    }
    client_run(client);
}

/* In the next turn, whatever has happened until then. */
static void client_give_up(struct fb_post *post)
{
    struct client *client = FB_CONTAINER_OF(post, struct client, post);

    client->is_giving_up = false;
    if (client->reader == NULL) {
        client_gone(client);
        return;
    }
    fb_op_cancel(&client->op);
    fb_reader_close(client->reader); /* its `done` is still to come */
    client->reader = NULL;
}

static void check_slice(struct client *client, struct fb_slice *slice)
{
    if (client->offset + slice->bytes.len > BODY ||
        memcmp(slice->bytes.ptr, pattern + client->offset, slice->bytes.len) != 0) {
        fail_msg("bytes after %llu are wrong", (unsigned long long)client->offset);
    }
    client->offset += slice->bytes.len;
    fb_slice_release(slice);
}

static void client_run(struct client *client)
{
    struct fb_slice slice;
    int err = FB_OK;

    while (err == FB_OK && client->offset < client->give_up_at) {
        err = fb_reader_next(client->reader, &slice);
        if (err == FB_OK) {
            check_slice(client, &slice);
        }
    }
    if (err == FB_E_LATER) {
        fb_op_init(&client->op, client->loop, client_on_news);
        fb_reader_wait(client->reader, &client->op);
        if (next_random(&client->seed) % 8 == 0 && !client->is_giving_up) {
            client->is_giving_up = true;
            client->post.run = client_give_up;
            fb_loop_post(client->loop, &client->post);
        }
        return;
    }
    if (err != FB_OK && (err != client->want_end || (err == FB_E_END && client->offset != BODY))) {
        fail_msg("ended at %llu with %d", (unsigned long long)client->offset, err);
    }
    fb_reader_close(client->reader);
    client->reader = NULL;
    if (!client->is_giving_up) {
        client_gone(client);
    }
}

static void client_begin(struct fb_post *post)
{
    struct client *client = FB_CONTAINER_OF(post, struct client, post);

    client->reader = edge_object_reader(client->object, client->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    edge_object_unref(client->object);
    client_run(client);
}

static void start_clients(struct fixture *f, struct edge_object *object, uint64_t *seed,
                          int want_end)
{
    (void)pthread_mutex_lock(&f->lock);
    f->n_alive += N_CLIENTS;
    (void)pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        struct client *client = FB_NEW(struct client);
        client->fixture = f;
        client->loop = f->loops[i % N_LOOPS];
        client->object = edge_object_ref(object);
        client->seed = next_random(seed);
        client->give_up_at = i % 3 == 0 ? next_random(seed) % BODY : UINT64_MAX;
        client->want_end = want_end;
        client->post.run = client_begin;
        fb_loop_post(client->loop, &client->post);
    }
}

static void await_clients(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->n_alive > 0) {
        (void)pthread_cond_wait(&f->all_gone, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

/* ---- the writer, on the test's own thread ------------------------------ */

static struct edge_object *create(struct fixture *f, const char *key, int64_t length)
{
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {.key = fb_str_from(key),
                                    .request = &f->none,
                                    .status = 200,
                                    .headers = &f->none,
                                    .terms = {.lifetime_ms = 3600000},
                                    .length = length};

    return edge_store_create(f->store, &spec, &object) == FB_OK ? object : NULL;
}

static void write_some(struct edge_writer *writer, size_t until, uint64_t *seed)
{
    while (edge_writer_offset(writer) < until) {
        uint64_t offset = edge_writer_offset(writer);
        size_t wanted = (size_t)(1 + next_random(seed) % 100000);
        size_t n = FB_MIN(wanted, until - (size_t)offset);
        assert_int_equal(edge_writer_append(writer, (struct fb_str){pattern + offset, n}), FB_OK);
        if (next_random(seed) % 4 == 0) {
            (void)sched_yield();
        }
    }
}

static void readers_on_all_loops_trail_one_writer(void **state)
{
    struct fixture *f = *state;
    struct edge_writer *writer = NULL;

    for (uint64_t round = 0; round < N_ROUNDS; round++) {
        uint64_t seed = round;
        bool breaks = round % 4 == 3;
        struct edge_object *object =
            create(f, "k", round % 2 == 0 ? (int64_t)BODY : FB_LENGTH_UNKNOWN);
        assert_int_equal(edge_object_write(object, f->home, 0, &writer), FB_OK);
        edge_store_publish(f->store, f->home, object);
        start_clients(f, object, &seed, breaks ? FB_E_TIMEOUT : FB_E_END);
        write_some(writer, breaks ? BODY / 2 : BODY, &seed);
        edge_writer_finish(writer, breaks ? FB_E_TIMEOUT : FB_OK);
        edge_object_unref(object);
        await_clients(f);
    }
    assert_int_equal(edge_store_stats(f->store).n_trailing, 0);
}

/* ---- from volumes -------------------------------------------------------- */

enum { N_OBJECTS = 10 };

static void readers_on_all_loops_load_what_was_evicted(void **state)
{
    struct fixture *f = *state;
    struct edge_object *objects[N_OBJECTS];
    struct edge_writer *writer = NULL;
    uint64_t seed = 1;
    char key[16];

    for (unsigned i = 0; i < 2 * N_OBJECTS; i++) {
        struct edge_object **object = &objects[i % N_OBJECTS];
        if (i < N_OBJECTS) {
            (void)snprintf(key, sizeof(key), "k/%u", i);
            *object = create(f, key, BODY);
            assert_int_equal(edge_object_write(*object, f->home, 0, &writer), FB_OK);
            edge_store_publish(f->store, f->home, *object);
            write_some(writer, BODY, &seed);
            edge_writer_finish(writer, FB_OK);
        }
        start_clients(f, objects[i / 2], &seed, FB_E_END);
        start_clients(f, objects[i * 7 % (i / 2 + 1)], &seed, FB_E_END);
        await_clients(f);
        assert_true(edge_store_stats(f->store).memory_bytes <=
                    edge_store_stats(f->store).memory_limit);
    }
    for (unsigned i = 0; i < N_OBJECTS; i++) {
        edge_object_unref(objects[i]);
    }
    assert_true(edge_store_stats(f->store).n_loaded > N_OBJECTS);
}

/* ---- everything at once ------------------------------------------------ */

enum { N_KEYS = 40, N_STEPS = 250 };

struct churner {
    struct fixture *fixture;
    uint64_t seed;
    unsigned n_busy;
};

static void churn_put(struct churner *self, const char *key)
{
    struct fixture *f = self->fixture;
    size_t n = next_random(&self->seed) % (3000 * KIB);
    bool breaks = next_random(&self->seed) % 8 == 0;
    struct edge_object *object =
        create(f, key, next_random(&self->seed) % 2 == 0 ? (int64_t)n : FB_LENGTH_UNKNOWN);
    static const char zeros[64 * KIB];
    struct edge_writer *writer = NULL;
    int err = FB_OK;

    if (object == NULL) {
        self->n_busy++;
        return;
    }
    assert_int_equal(edge_object_write(object, f->home, 0, &writer), FB_OK);
    edge_store_publish(f->store, f->home, object);
    for (size_t left = n; left > 0 && err == FB_OK;) {
        size_t piece = FB_MIN(left, sizeof(zeros));
        err = edge_writer_append(writer, (struct fb_str){zeros, piece});
        left -= piece;
    }
    edge_writer_finish(writer, err < 0 ? err : breaks ? FB_E_CLOSED : FB_OK);
    edge_object_unref(object);
}

static void churn_read(struct churner *self, struct edge_object *object)
{
    struct fb_reader *reader =
        edge_object_reader(object, self->fixture->home, next_random(&self->seed) % (2000 * KIB),
                           FB_LENGTH_UNKNOWN, NULL);
    struct fb_slice slice;

    while (fb_reader_next(reader, &slice) == FB_OK) {
        assert_int_equal(slice.bytes.ptr[slice.bytes.len - 1], 0);
        fb_slice_release(&slice);
    }
    fb_reader_close(reader);
}

static void churn_renew(struct churner *self, struct edge_object *old)
{
    struct fixture *f = self->fixture;
    struct edge_object *fresh = NULL;
    struct edge_object_spec spec = {
        .key = edge_object_head(old)->key, .request = &f->none, .status = 200, .headers = &f->none};

    if (edge_store_renew(f->store, &spec, old, &fresh) == FB_OK) {
        edge_store_publish(f->store, f->home, fresh);
        edge_object_unref(fresh);
    }
}

static void churn(void *ctx)
{
    struct churner *self = ctx;
    struct fixture *f = self->fixture;
    char key[16];

    for (unsigned step = 0; step < N_STEPS; step++) {
        (void)snprintf(key, sizeof(key), "%u", (unsigned)(next_random(&self->seed) % N_KEYS));
        struct edge_object *object = edge_store_find(f->store, fb_str_from(key), &f->none);
        if (object != NULL && !edge_object_holds(object, 0, FB_LENGTH_UNKNOWN)) {
            edge_object_unref(object);
            object = NULL;
        }
        uint64_t choice = next_random(&self->seed) % 10;
        if (object == NULL) {
            churn_put(self, key);
        } else if (choice == 0) {
            edge_store_invalidate(f->store, f->home, fb_str_from(key));
        } else if (choice == 1) {
            churn_renew(self, object);
        } else if (choice == 2) {
            edge_store_remove(f->store, object);
        } else {
            churn_read(self, object);
        }
        edge_object_unref(object);
        if (edge_store_stats(f->store).memory_bytes > LIMIT) {
            fail_msg("the limit was exceeded");
        }
    }
}

static void threads_share_one_store(void **state)
{
    struct fixture *f = *state;
    struct churner churners[4];
    struct fb_thread *threads[FB_ARRAY_LEN(churners)];

    for (unsigned i = 0; i < FB_ARRAY_LEN(churners); i++) {
        churners[i] = (struct churner){.fixture = f, .seed = i + 1};
        assert_int_equal(fb_thread_start_body("churn", churn, &churners[i], &threads[i]), FB_OK);
    }
    for (unsigned i = 0; i < FB_ARRAY_LEN(churners); i++) {
        fb_thread_join(threads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_on_all_loops_trail_one_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_on_all_loops_load_what_was_evicted, set_up_tiers,
                                        tear_down),
        cmocka_unit_test_setup_teardown(readers_on_all_loops_load_what_was_evicted, set_up_huge,
                                        tear_down),
        cmocka_unit_test_setup_teardown(threads_share_one_store, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
