/*
 * Hits beside whoever holds the locks of the store, and beside whoever moves and frees what they
 * come by.
 */
#include "base/core/clock.h"
#include "base/loop/thread.h"
#include "edge/store/store_internal.h"
#include "store_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

/* ---- with all locks held by somebody else --------------------------------- */

enum { PATIENCE_S = 60 }; /* of a test that fails */

struct hit {
    struct fixture *f;
    struct fb_str key;
    int64_t length;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    bool is_right;
};

static bool hit_reads(struct fixture *f, struct edge_object *object, int64_t length)
{
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    struct fb_slice slice;
    uint64_t offset = 0;
    int err = FB_OK;

    fb_reader_prefer_files(reader);
    while ((err = fb_reader_next(reader, &slice)) == FB_OK) {
        if (memcmp(slice.bytes.ptr, pattern + offset, slice.bytes.len) != 0) {
            err = FB_E_CORRUPT;
            fb_slice_release(&slice);
            break;
        }
        offset += slice.bytes.len;
        fb_slice_release(&slice);
    }
    fb_reader_close(reader);
    return err == FB_E_END && offset == (uint64_t)length;
}

/* All that a request does to the store if it is there. */
static bool hit_is_right(struct fixture *f, struct fb_str key, int64_t length)
{
    struct edge_object *object = edge_store_find(f->store, key, &f->none);

    if (object == NULL) {
        return false;
    }
    bool is_right = edge_object_is_current(object, edge_store_epoch(f->store), false) &&
                    edge_object_where(object, 0, FB_LENGTH_UNKNOWN) == EDGE_IN_MEMORY &&
                    edge_object_holds(object, 0, 1) && hit_reads(f, object, length);
    edge_object_touch(object);
    edge_object_unref(object);
    return is_right;
}

static void hit_run(void *ctx)
{
    struct hit *hit = ctx;
    bool is_right = hit_is_right(hit->f, hit->key, hit->length);

    (void)pthread_mutex_lock(&hit->lock);
    hit->is_done = true;
    hit->is_right = is_right;
    (void)pthread_cond_signal(&hit->done);
    (void)pthread_mutex_unlock(&hit->lock);
}

static bool hit_await(struct hit *hit)
{
    struct timespec until;
    int err = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&hit->lock);
    while (!hit->is_done && err == 0) {
        err = pthread_cond_timedwait(&hit->done, &hit->lock, &until);
    }
    bool is_done = hit->is_done;
    (void)pthread_mutex_unlock(&hit->lock);
    return is_done;
}

/* Takes, or gives back, every lock that whoever changes `object` or makes room takes. */
static void each_lock(struct edge_store *store, struct edge_object *object,
                      int (*change)(pthread_mutex_t *lock))
{
    (void)change(&store->room_lock);
    (void)change(&edge_store_shard(store, object->hash)->lock);
    (void)change(&object->body->lock);
    (void)change(&store->purge_lock);
    (void)change(&store->admission_lock);
}

static void assert_hit_takes_no_lock(struct fixture *f, const char *key, int64_t length)
{
    struct hit hit = {.f = f, .key = fb_str_from(key), .length = length};
    struct edge_object *object = find(f, key);
    struct fb_thread *thread = NULL;

    assert_non_null(object);
    (void)pthread_mutex_init(&hit.lock, NULL);
    (void)pthread_cond_init(&hit.done, NULL);
    each_lock(f->store, object, pthread_mutex_lock);
    assert_int_equal(fb_thread_start_body("hit", hit_run, &hit, &thread), FB_OK);
    bool was_done = hit_await(&hit);
    each_lock(f->store, object, pthread_mutex_unlock);
    fb_thread_join(thread);
    edge_object_unref(object);
    (void)pthread_cond_destroy(&hit.done);
    (void)pthread_mutex_destroy(&hit.lock);
    assert_true(was_done);
    assert_true(hit.is_right);
}

static int set_up_kind(void **state, enum edge_policy_kind kind)
{
    static struct fixture f;

    set_up_with(&f, kind);
    *state = &f;
    return 0;
}

static int set_up_rate(void **state)
{
    return set_up_kind(state, EDGE_POLICY_RATE);
}

static int set_up_recent(void **state)
{
    return set_up_kind(state, EDGE_POLICY_RECENT);
}

static void a_hit_in_memory_takes_no_lock(void **state)
{
    struct fixture *f = *state;

    put(f, "small", 4 * KIB);
    put(f, "empty", 0);
    put(f, "large", 3 * MIB + 5);
    for (unsigned i = 0; i < 3; i++) { /* the first reader of a chunk is not a hit */
        assert_hit_takes_no_lock(f, "small", 4 * KIB);
        assert_hit_takes_no_lock(f, "empty", 0);
        assert_hit_takes_no_lock(f, "large", 3 * MIB + 5);
    }
}

static void a_hit_of_what_came_without_length_takes_no_lock(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, object, 0);

    edge_store_publish(f->store, f->loop, object);
    append(writer, MIB + 100 * KIB);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
    assert_hit_takes_no_lock(f, "k", MIB + 100 * KIB);
}

static void a_hit_of_a_variant_takes_no_lock(void **state)
{
    struct fixture *f = *state;
    struct fb_header vary = {FB_STR("Vary"), FB_STR("Accept-Language")};
    struct fb_headers response = {.items = &vary, .n = 1};
    struct edge_object *object = create_with(f, "k", 100, &response, &f->none);
    struct edge_writer *writer = write_from(f, object, 0);

    edge_store_publish(f->store, f->loop, object);
    append(writer, 100);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
    assert_hit_takes_no_lock(f, "k", 100);
}

/* ---- while all around it moves --------------------------------------------- */

enum { N_READERS = 3, N_KEYS = 300, N_CHANGES = 3000, N_LONG = 24 * MIB };

struct mover {
    struct fixture *f;
    atomic_bool is_over;
    atomic_uint n_hits;
    atomic_uint n_wrong;
};

/* No two bodies share where their pattern begins: bytes of another one would be seen. */
static struct fb_str key_of(char text[32], unsigned n)
{
    int len = snprintf(text, 32, "key/%u", n);
    return (struct fb_str){text, (size_t)len};
}

static size_t length_of(unsigned n)
{
    return 1 + n * 97U % (40 * KIB);
}

static const char *bytes_of(unsigned n)
{
    return pattern + n * 1009U;
}

static struct edge_object *make(struct fixture *f, unsigned n)
{
    char text[32];
    struct edge_object *object = NULL;
    struct edge_writer *writer = NULL;
    struct edge_object_spec spec = {.key = key_of(text, n),
                                    .request = &f->none,
                                    .status = 200,
                                    .headers = &f->none,
                                    .length =
                                        n % 3 == 0 ? FB_LENGTH_UNKNOWN : (int64_t)length_of(n)};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    assert_int_equal(edge_object_write(object, f->loop, 0, &writer), FB_OK);
    edge_store_publish(f->store, f->loop, object);
    assert_int_equal(edge_writer_append(writer, (struct fb_str){bytes_of(n), length_of(n)}), FB_OK);
    edge_writer_finish(writer, FB_OK);
    return object;
}

/* Of what is there, whatever that is, all bytes are right. */
static void read_what_is_there(struct mover *mover, unsigned n)
{
    char text[32];
    struct edge_object *object = edge_store_find(mover->f->store, key_of(text, n), &mover->f->none);
    struct fb_slice slice;
    size_t offset = 0;

    if (object == NULL) {
        return;
    }
    struct fb_reader *reader =
        edge_object_reader(object, mover->f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    edge_object_unref(object);
    while (fb_reader_next(reader, &slice) == FB_OK) {
        bool is_right = offset + slice.bytes.len <= length_of(n) &&
                        memcmp(slice.bytes.ptr, bytes_of(n) + offset, slice.bytes.len) == 0;
        atomic_fetch_add(is_right ? &mover->n_hits : &mover->n_wrong, 1);
        offset += slice.bytes.len;
        fb_slice_release(&slice);
    }
    fb_reader_close(reader);
}

static void read_all_the_time(void *ctx)
{
    struct mover *mover = ctx;

    for (unsigned i = 0; !atomic_load(&mover->is_over); i++) {
        read_what_is_there(mover, i * 7919U % N_KEYS);
    }
}

static void change(struct fixture *f, unsigned i)
{
    unsigned n = i * 31U % N_KEYS;
    char text[32];
    struct edge_object *object = make(f, n);

    if (i % 5 == 0) {
        edge_store_invalidate(f->store, f->loop, key_of(text, n));
        assert_null(edge_store_find(f->store, key_of(text, n), &f->none));
    } else if (i % 5 == 1) {
        edge_store_remove(f->store, object);
    } else if (i % 5 == 2) {
        edge_object_unref(make(f, n)); /* in its place */
    }
    edge_object_unref(object);
    /* The index grows and shrinks; what is not removed here is evicted now and then. */
    for (unsigned k = 0; i % 1000 == 999 && k < N_KEYS; k++) {
        edge_store_invalidate(f->store, f->loop, key_of(text, k));
    }
}

static void hits_are_right_while_objects_come_and_go(void **state)
{
    struct mover mover = {.f = *state};
    struct fb_thread *threads[N_READERS];

    for (unsigned i = 0; i < N_READERS; i++) {
        assert_int_equal(fb_thread_start_body("reader", read_all_the_time, &mover, &threads[i]),
                         FB_OK);
    }
    for (unsigned i = 0; i < N_CHANGES || atomic_load(&mover.n_hits) == 0; i++) {
        change(mover.f, i);
        assert_true(used(mover.f) <= LIMIT);
    }
    atomic_store(&mover.is_over, true);
    for (unsigned i = 0; i < N_READERS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(atomic_load(&mover.n_wrong), 0);
}

/* Reads one byte of the long body, at places all over it. */
static void read_here_and_there(void *ctx)
{
    struct mover *mover = ctx;
    struct fb_slice slice;

    for (uint64_t i = 0; !atomic_load(&mover->is_over); i++) {
        uint64_t offset = i * 7919U * 127U % N_LONG;
        struct edge_object *object = find(mover->f, "long");
        if (object == NULL) {
            continue;
        }
        struct fb_reader *reader = edge_object_reader(object, mover->f->loop, offset, 1, NULL);
        (void)edge_object_where(object, offset / 2, 5 * MIB);
        if (fb_reader_next(reader, &slice) == FB_OK) {
            atomic_fetch_add(
                slice.bytes.ptr[0] == byte_at(offset) ? &mover->n_hits : &mover->n_wrong, 1);
            fb_slice_release(&slice);
        }
        fb_reader_close(reader);
        edge_object_unref(object);
    }
}

/* All of it passes through a memory that is a third as large. What readers hold of other chunks
 * just then may be all that could make room: then they are waited for. */
static void put_long(struct fixture *f)
{
    struct edge_object *object = create(f, "long", N_LONG);
    struct edge_writer *writer = write_from(f, object, 0);
    int err = FB_OK;

    edge_store_publish(f->store, f->loop, object);
    do {
        err = try_append(writer, N_LONG - (size_t)edge_writer_offset(writer));
        (void)sched_yield();
    } while (err == FB_E_BUSY);
    edge_writer_finish(writer, err);
    edge_object_unref(object);
    assert_int_equal(err, FB_OK);
}

static void hits_are_right_while_a_body_moves_through_memory(void **state)
{
    struct mover mover = {.f = *state};
    struct fixture *f = mover.f;
    struct fb_thread *threads[N_READERS];

    for (unsigned i = 0; i < N_READERS; i++) {
        assert_int_equal(fb_thread_start_body("reader", read_here_and_there, &mover, &threads[i]),
                         FB_OK);
    }
    for (unsigned round = 0; round < 4; round++) { /* its table of extents grows each time */
        put_long(f);
    }
    atomic_store(&mover.is_over, true);
    for (unsigned i = 0; i < N_READERS; i++) {
        fb_thread_join(threads[i]);
    }
    turn(f);
    assert_int_equal(atomic_load(&mover.n_wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_hit_in_memory_takes_no_lock),
        cmocka_unit_test_setup_teardown(a_hit_in_memory_takes_no_lock, set_up_rate, tear_down),
        cmocka_unit_test_setup_teardown(a_hit_in_memory_takes_no_lock, set_up_recent, tear_down),
        cmocka_unit_test_setup_teardown(a_hit_in_memory_takes_no_lock, set_up_lru, tear_down),
        STORE_TEST(a_hit_of_what_came_without_length_takes_no_lock),
        STORE_TEST(a_hit_of_a_variant_takes_no_lock),
        STORE_TEST(hits_are_right_while_objects_come_and_go),
        cmocka_unit_test_setup_teardown(hits_are_right_while_objects_come_and_go, set_up_lru,
                                        tear_down),
        STORE_TEST(hits_are_right_while_a_body_moves_through_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
