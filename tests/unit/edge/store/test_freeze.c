#include "base/disk/frozen.h"
#include "store_fixture.h"

#include <unistd.h>

enum { MANY = 12 };

static int set_up_freezing(void **state)
{
    static struct fixture f;

    f = (struct fixture){.clock = test_clock_at_start()};
    make_pattern();
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    f.metrics = fb_metrics_new();
    f.store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = LIMIT,
        .freeze_from = 1,
        .seed = 42,
        .clock = &f.clock.clock,
        .metrics = f.metrics,
    });
    *state = &f;
    return 0;
}

/* Reads all as whoever can send files does. Returns how many bytes lay in files. */
static uint64_t read_for_sending(struct fixture *f, const char *key)
{
    struct edge_object *object = find(f, key);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    struct fb_slice slice;
    uint64_t n_filed = 0;
    uint64_t offset = 0;

    fb_reader_prefer_files(reader);
    while (fb_reader_next(reader, &slice) == FB_OK) {
        assert_memory_equal(slice.bytes.ptr, pattern + offset, slice.bytes.len);
        if (slice.file != NULL) {
            char byte = 0;
            uint64_t at = slice.file->offset + (uint64_t)(slice.bytes.ptr - slice.file->begin);
            assert_int_equal(pread(slice.file->fd, &byte, 1, (off_t)at), 1);
            assert_int_equal(byte, pattern[offset]);
            n_filed += slice.bytes.len;
        }
        offset += slice.bytes.len;
        fb_slice_release(&slice);
    }
    assert_int_equal(offset, edge_object_length(object));
    fb_reader_close(reader);
    edge_object_unref(object);
    return n_filed;
}

static void what_is_sent_often_is_frozen(void **state)
{
    struct fixture *f = *state;
    uint64_t n = 2 * MIB + 100 * KIB + 7;

    put(f, "k", n);
    assert_int_equal(read_for_sending(f, "k"), 0);
    for (unsigned i = 0; i < MANY; i++) {
        (void)read_for_sending(f, "k");
    }
    assert_int_equal(read_for_sending(f, "k"), n);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_frozen_total"), 3);
}

static void who_cannot_send_files_freezes_nothing(void **state)
{
    struct fixture *f = *state;

    put(f, "k", MIB);
    for (unsigned i = 0; i < MANY; i++) {
        struct edge_object *object = find(f, "k");
        assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, MIB, FB_E_END);
        edge_object_unref(object);
    }
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_frozen_total"), 0);
}

static void what_is_small_stays_where_it_is(void **state)
{
    struct fixture *f = *state;

    put(f, "k", FB_FROZEN_MIN - 1);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(read_for_sending(f, "k"), 0);
    }
}

static void frozen_chunks_are_counted_and_evicted(void **state)
{
    struct fixture *f = *state;
    char key[] = "a";

    for (; key[0] < 'z'; key[0]++) {
        put(f, key, MIB);
        for (unsigned i = 0; i < MANY; i++) {
            (void)read_for_sending(f, key);
            assert_true(used(f) <= LIMIT);
        }
    }
    assert_true(fb_metrics_sum(f->metrics, "edge_store_evictions_total") > 0);
    for (key[0] = 'a'; key[0] < 'z'; key[0]++) {
        (void)purge(f, key);
    }
    turn(f);
    assert_int_equal(used(f), own(f));
}

static void a_slice_outlives_the_chunk_that_was_frozen(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;

    put(f, "k", MIB);
    for (unsigned i = 0; i < MANY; i++) {
        (void)read_for_sending(f, "k");
    }
    struct edge_object *object = find(f, "k");
    struct fb_reader *reader = edge_object_reader(object, f->loop, 1000, FB_LENGTH_UNKNOWN, NULL);
    fb_reader_prefer_files(reader);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    assert_non_null(slice.file);
    fb_reader_close(reader);
    edge_object_unref(object);
    assert_int_equal(purge(f, "k"), 1);
    put(f, "l", 4 * MIB);
    for (unsigned i = 0; i < MANY; i++) {
        (void)read_for_sending(f, "l");
    }
    assert_int_equal(slice.bytes.len, MIB - 1000);
    assert_memory_equal(slice.bytes.ptr, pattern + 1000, slice.bytes.len);
    fb_slice_release(&slice);
}

/* All memory but that of "k" is in use. */
static void what_is_read_does_not_go_to_freeze_it(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slices[32] = {0};
    unsigned n = 0;

    put(f, "h", 6 * MIB);
    struct edge_object *holder = find(f, "h");
    struct fb_reader *reader = edge_object_reader(holder, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    while (fb_reader_next(reader, &slices[n]) == FB_OK) {
        n++;
        assert_true(n < FB_ARRAY_LEN(slices));
    }
    put(f, "k", MIB - 100);
    assert_true(used(f) + MIB > LIMIT);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(read_for_sending(f, "k"), 0);
    }
    while (n > 0) {
        fb_slice_release(&slices[--n]);
    }
    fb_reader_close(reader);
    edge_object_unref(holder);
}

int main(void)
{
#define FREEZE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_freezing, tear_down)
    const struct CMUnitTest tests[] = {
        FREEZE_TEST(what_is_sent_often_is_frozen),
        FREEZE_TEST(who_cannot_send_files_freezes_nothing),
        FREEZE_TEST(what_is_small_stays_where_it_is),
        FREEZE_TEST(frozen_chunks_are_counted_and_evicted),
        FREEZE_TEST(a_slice_outlives_the_chunk_that_was_frozen),
        FREEZE_TEST(what_is_read_does_not_go_to_freeze_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
