/*
 * What is true of every store of objects, shown on one.
 *
 *     objects-suite SCRATCH URL [ENDPOINT CREDENTIALS]
 *
 * SCRATCH is a folder for files; the store is empty to begin with, and is again afterwards.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct suite suite;

int suite_set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct fb_diag diag;

    int err = origin_objects_open(&suite.options, &f->objects, &diag);
    if (err < 0) {
        print_error("%s\n", diag.text);
    }
    assert_int_equal(err, FB_OK);
    *state = f;
    return 0;
}

static size_t count_all(struct fixture *f)
{
    struct origin_listed items[4];
    size_t n = 0;
    assert_int_equal(
        origin_objects_list(f->objects, FB_STR_NONE, FB_STR_NONE, items, FB_ARRAY_LEN(items), &n),
        FB_OK);
    return n;
}

int suite_tear_down(void **state)
{
    struct fixture *f = *state;
    struct origin_multipart items[4];
    size_t n = 0;

    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("t")), FB_OK);
    assert_int_equal(count_all(f), 0);
    assert_int_equal(origin_multipart_list(f->objects, INT64_MAX, items, 4, &n), FB_OK);
    assert_int_equal(n, 0);
    origin_objects_close(f->objects);
    fb_free(f);
    return 0;
}

/* Bytes that tell their place: those of another part or offset differ. */
void suite_fill(char *bytes, size_t n, uint64_t offset, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;
        bytes[i] = (char)((at * 31 + (at >> 8) * 7 + (at >> 16) + seed) & 0x7F);
    }
}

static void put(struct fixture *f, const char *key, const char *text)
{
    assert_int_equal(origin_objects_put_bytes(f->objects, fb_str_from(key), fb_str_from(text)),
                     FB_OK);
}

static void assert_content(struct fixture *f, const char *key, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    assert_int_equal(origin_objects_get_bytes(f->objects, fb_str_from(key), 1000, &bytes), FB_OK);
    assert_int_equal(bytes.len, strlen(text));
    assert_true(fb_str_equal(fb_buf_str(&bytes), fb_str_from(text)));
}

int suite_stat(struct fixture *f, const char *key)
{
    struct origin_object object;
    return origin_objects_stat(f->objects, fb_str_from(key), &object);
}

void suite_path(const char *name, char path[PATH_LEN])
{
    (void)snprintf(path, PATH_LEN, "%s/%s", suite.scratch, name);
}

/* ---- objects ----------------------------------------------------------------------- */

static void what_was_committed_is_there(void **state)
{
    struct fixture *f = *state;
    struct origin_object object;

    put(f, "t/media/a-b/v_1/720p/init.mp4", "bytes");
    assert_content(f, "t/media/a-b/v_1/720p/init.mp4", "bytes");
    put(f, "t/media/a-b/v_1/720p/init.mp4", "newer bytes");
    assert_content(f, "t/media/a-b/v_1/720p/init.mp4", "newer bytes");
    put(f, "t/empty", "");
    assert_content(f, "t/empty", "");
    assert_int_equal(origin_objects_stat(f->objects, FB_STR("t/empty"), &object), FB_OK);
    assert_int_equal(object.size, 0);
    assert_int_equal(object.fd, -1);
    /* Within a day of this machine's clock. */
    assert_true(llabs(object.modified_ms / 1000 - (int64_t)time(NULL)) < 86400);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct origin_object object;
    char path[PATH_LEN];

    suite_path("none", path);
    put(f, "t/a/b", "x");
    assert_int_equal(suite_stat(f, "t/none"), FB_E_NOT_FOUND);
    assert_int_equal(suite_stat(f, "t/a"), FB_E_NOT_FOUND);
    assert_int_equal(suite_stat(f, "t/a/b/c"), FB_E_NOT_FOUND);
    assert_int_equal(origin_objects_get(f->objects, FB_STR("t/none"), &object), FB_E_NOT_FOUND);
    assert_int_equal(origin_objects_get_bytes(f->objects, FB_STR("t/none"), 9, &bytes),
                     FB_E_NOT_FOUND);
    assert_int_equal(origin_objects_fetch(f->objects, FB_STR("t/none"), path, NULL),
                     FB_E_NOT_FOUND);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void an_unfinished_object_is_invisible(void **state)
{
    struct fixture *f = *state;
    struct fb_str piece = FB_STR("half");
    struct origin_put *object = NULL;

    assert_int_equal(origin_put_begin(f->objects, FB_STR("t/key"), 8, &object), FB_OK);
    assert_int_equal(origin_put_write(object, &piece, 1), FB_OK);
    assert_int_equal(suite_stat(f, "t/key"), FB_E_NOT_FOUND);
    assert_int_equal(origin_put_commit(object), FB_E_CLOSED);
    assert_int_equal(origin_put_begin(f->objects, FB_STR("t/key"), 8, &object), FB_OK);
    origin_put_abort(object);
    origin_put_abort(NULL);
    assert_int_equal(suite_stat(f, "t/key"), FB_E_NOT_FOUND);
}

static void more_than_was_declared_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_str pieces[] = {FB_STR("12345"), FB_STR("678")};
    struct origin_put *object = NULL;

    assert_int_equal(origin_put_begin(f->objects, FB_STR("t/key"), 7, &object), FB_OK);
    assert_int_equal(origin_put_write(object, pieces, 2), FB_E_LIMIT);
    origin_put_abort(object);
}

static void bad_names_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",   "/etc/passwd", "../x", "a/../../x", ".tmp/x",
                                      "a/", "a b",         "a?b",  "a%2Fb",     "a//b"};
    struct origin_listed items[1];
    struct origin_put *object = NULL;
    char id[ORIGIN_MULTIPART_ID_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_str key = fb_str_from(bad[i]);
        assert_int_equal(suite_stat(f, bad[i]), FB_E_MALFORMED);
        assert_int_equal(origin_put_begin(f->objects, key, 1, &object), FB_E_MALFORMED);
        assert_int_equal(origin_objects_remove(f->objects, key), FB_E_MALFORMED);
        assert_int_equal(origin_objects_remove_prefix(f->objects, key), FB_E_MALFORMED);
        assert_int_equal(origin_multipart_begin(f->objects, key, id), FB_E_MALFORMED);
        if (i > 0) {
            assert_int_equal(origin_objects_list(f->objects, key, FB_STR_NONE, items, 1, &n),
                             FB_E_MALFORMED);
        }
    }
}

static void a_file_is_moved_in(void **state)
{
    struct fixture *f = *state;
    char path[PATH_LEN];

    suite_path("made", path);
    assert_int_equal(fb_file_write(AT_FDCWD, path, FB_STR("made"), 0600, NULL), FB_OK);
    assert_int_equal(origin_objects_put_file(f->objects, FB_STR("t/m/x"), path, NULL), FB_OK);
    assert_content(f, "t/m/x", "made");
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(origin_objects_put_file(f->objects, FB_STR("t/m/x"), path, NULL), -ENOENT);
}

/* ---- reading ------------------------------------------------------------------------- */

static void any_range_can_be_read(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "0123456789";
    struct origin_object object;
    char bytes[16];

    put(f, "t/ten", text);
    assert_int_equal(origin_objects_get(f->objects, FB_STR("t/ten"), &object), FB_OK);
    assert_int_equal(object.size, 10);
    assert_int_equal(object.fd >= 0, origin_objects_are_local(f->objects));
    for (uint64_t from = 0; from < 10; from += 3) {
        for (size_t n = 0; n <= 10 - from; n += 2) {
            assert_int_equal(origin_object_read(&object, from, bytes, n), FB_OK);
            assert_memory_equal(bytes, text + from, n);
        }
    }
    assert_int_equal(origin_object_read(&object, 9, bytes, 2), FB_E_CLOSED);
    assert_int_equal(origin_object_read(&object, 11, bytes, 0), FB_E_CLOSED);
    assert_int_equal(origin_object_read(&object, UINT64_MAX, bytes, 2), FB_E_CLOSED);
    origin_object_done(&object);
    origin_object_done(&object);
}

/* A store need not keep what was replaced, but what it gives is all of one object. */
static void an_object_replaced_while_it_is_read_is_not_mixed(void **state)
{
    struct fixture *f = *state;
    struct origin_object object;
    char bytes[3];

    put(f, "t/key", "oldold");
    assert_int_equal(origin_objects_get(f->objects, FB_STR("t/key"), &object), FB_OK);
    put(f, "t/key", "newnew");
    int err = origin_object_read(&object, 3, bytes, 3);
    if (err == FB_OK) {
        assert_memory_equal(bytes, "old", 3);
    } else {
        assert_int_equal(err, FB_E_CONFLICT);
    }
    origin_object_done(&object);
}

static void too_much_for_a_buffer_is_told(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    put(f, "t/ten", "0123456789");
    assert_int_equal(origin_objects_get_bytes(f->objects, FB_STR("t/ten"), 9, &bytes), FB_E_LIMIT);
    assert_int_equal(origin_objects_get_bytes(f->objects, FB_STR("t/ten"), 10, &bytes), FB_OK);
}

struct watch {
    uint64_t done;
    uint64_t all;
    unsigned n_told;
    unsigned cancel_at;
    unsigned n_asked;
};

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct watch *watch = ctx;
    assert_true(done > watch->done);
    watch->done = done;
    watch->all = all;
    watch->n_told++;
}

static bool on_ask(void *ctx)
{
    struct watch *watch = ctx;
    return ++watch->n_asked == watch->cancel_at;
}

/* More than one part, whose last is short; written in pieces that fit nothing. */
static void put_large(struct fixture *f, const char *key, uint64_t size)
{
    FB_AUTO(fb_freep) char *bytes = fb_alloc(777777);
    struct origin_put *object = NULL;

    assert_int_equal(origin_put_begin(f->objects, fb_str_from(key), size, &object), FB_OK);
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)FB_MIN(size - at, (uint64_t)777777);
        suite_fill(bytes, n, at, 1);
        struct fb_str pieces[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
        assert_int_equal(origin_put_write(object, pieces, 2), FB_OK);
        at += n;
    }
    assert_int_equal(origin_put_commit(object), FB_OK);
}

void suite_assert_file(const char *path, uint64_t size, unsigned seed)
{
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC);
    FB_AUTO(fb_freep) char *want = fb_alloc(1 << 20);
    FB_AUTO(fb_freep) char *have = fb_alloc(1 << 20);
    uint64_t real = 0;

    assert_int_equal(fb_file_size(fd, &real), FB_OK);
    assert_int_equal(real, size);
    for (uint64_t at = 0; at < size; at += 1 << 20) {
        size_t n = (size_t)FB_MIN(size - at, (uint64_t)(1 << 20));
        assert_int_equal(read(fd, have, n), (ssize_t)n);
        suite_fill(want, n, at, seed);
        assert_memory_equal(have, want, n);
    }
}

static void a_large_object_goes_in_and_out_as_it_was(void **state)
{
    struct fixture *f = *state;
    uint64_t size = 2 * (uint64_t)PART + 123457;
    struct watch watch = {.n_told = 0};
    struct origin_transfer transfer = {.ctx = &watch, .progress = on_progress, on_ask};
    char path[PATH_LEN];

    suite_path("fetched", path);
    put_large(f, "t/large", size);
    assert_int_equal(origin_objects_fetch(f->objects, FB_STR("t/large"), path, &transfer), FB_OK);
    assert_true(watch.n_told > 1 && watch.done == size && watch.all == size);
    suite_assert_file(path, size, 1);
    /* And by way of a file, which is too large for one part as well. */
    assert_int_equal(origin_objects_put_file(f->objects, FB_STR("t/again"), path, NULL), FB_OK);
    assert_int_equal(origin_objects_fetch(f->objects, FB_STR("t/again"), path, NULL), FB_OK);
    suite_assert_file(path, size, 1);
    (void)unlink(path);
}

static void a_fetch_can_be_canceled(void **state)
{
    struct fixture *f = *state;
    struct watch watch = {.cancel_at = 2};
    struct origin_transfer transfer = {.ctx = &watch, .is_canceled = on_ask};
    char path[PATH_LEN];

    suite_path("canceled", path);
    put_large(f, "t/large", 2 * (uint64_t)PART);
    assert_int_equal(origin_objects_fetch(f->objects, FB_STR("t/large"), path, &transfer),
                     FB_E_CANCELED);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_large_put_given_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(PART + 1);
    struct fb_str piece = {bytes, PART + 1};
    struct origin_put *object = NULL;

    suite_fill(bytes, piece.len, 0, 1);
    assert_int_equal(origin_put_begin(f->objects, FB_STR("t/x"), 3 * (uint64_t)PART, &object),
                     FB_OK);
    assert_int_equal(origin_put_write(object, &piece, 1), FB_OK);
    origin_put_abort(object);
    assert_int_equal(suite_stat(f, "t/x"), FB_E_NOT_FOUND);
}

/* ---- lists and removal ------------------------------------------------------------------ */

static void lists_stand_in_the_order_of_their_bytes(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {"t/a-b", "t/a.b", "t/a/0",  "t/a/b/c", "t/a/b0",
                                       "t/a0",  "t/b",   "t/b_/x", "t/b_a"};
    struct origin_listed items[16];
    size_t n = 0;

    for (size_t i = FB_ARRAY_LEN(keys); i-- > 0;) {
        put(f, keys[i], keys[i]);
    }
    assert_int_equal(origin_objects_list(f->objects, FB_STR("t"), FB_STR_NONE, items, 16, &n),
                     FB_OK);
    assert_int_equal(n, FB_ARRAY_LEN(keys));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(items[i].key, keys[i]);
        assert_int_equal(items[i].size, strlen(keys[i]));
        assert_true(llabs(items[i].modified_ms / 1000 - (int64_t)time(NULL)) < 86400);
    }
    for (size_t page = 1; page <= 4; page++) {
        char after[ORIGIN_OBJECTS_KEY_MAX + 1] = "";
        size_t at = 0;
        do {
            assert_int_equal(
                origin_objects_list(f->objects, FB_STR("t"), fb_str_from(after), items, page, &n),
                FB_OK);
            for (size_t i = 0; i < n; i++) {
                assert_string_equal(items[i].key, keys[at++]);
                (void)snprintf(after, sizeof(after), "%s", items[i].key);
            }
        } while (n == page);
        assert_int_equal(at, FB_ARRAY_LEN(keys));
    }
    assert_int_equal(origin_objects_list(f->objects, FB_STR("t/a"), FB_STR_NONE, items, 16, &n),
                     FB_OK);
    assert_int_equal(n, 3);
    assert_int_equal(origin_objects_list(f->objects, FB_STR("t/none"), FB_STR_NONE, items, 16, &n),
                     FB_OK);
    assert_int_equal(n, 0);
    /* After a key that is not there, in a folder that is not there. */
    assert_int_equal(origin_objects_list(f->objects, FB_STR("t"), FB_STR("t/a/c/d"), items, 16, &n),
                     FB_OK);
    assert_int_equal(n, 4);
    assert_string_equal(items[0].key, "t/a0");
}

static void removal_takes_what_is_under_a_prefix(void **state)
{
    struct fixture *f = *state;

    put(f, "t/media/v1/a", "1");
    put(f, "t/media/v1/deep/b", "2");
    put(f, "t/media/v10/a", "3");
    put(f, "t/media/v1-a", "4");
    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("t/media/v1")), FB_OK);
    assert_int_equal(suite_stat(f, "t/media/v1/a"), FB_E_NOT_FOUND);
    assert_int_equal(suite_stat(f, "t/media/v1/deep/b"), FB_E_NOT_FOUND);
    assert_content(f, "t/media/v10/a", "3");
    assert_content(f, "t/media/v1-a", "4");
    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("t/media/v1")), FB_OK);
    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("t/media/v1-a")), FB_OK);
    assert_content(f, "t/media/v1-a", "4");
    assert_int_equal(origin_objects_remove(f->objects, FB_STR("t/media/v10/a")), FB_OK);
    assert_int_equal(origin_objects_remove(f->objects, FB_STR("t/media/v10/a")), FB_OK);
    assert_int_equal(suite_stat(f, "t/media/v10/a"), FB_E_NOT_FOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, suite_set_up, suite_tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_committed_is_there),
        CASE(what_is_not_there_is_not_found),
        CASE(an_unfinished_object_is_invisible),
        CASE(more_than_was_declared_is_refused),
        CASE(bad_names_are_refused),
        CASE(a_file_is_moved_in),
        CASE(any_range_can_be_read),
        CASE(an_object_replaced_while_it_is_read_is_not_mixed),
        CASE(too_much_for_a_buffer_is_told),
        CASE(a_large_object_goes_in_and_out_as_it_was),
        CASE(a_fetch_can_be_canceled),
        CASE(a_large_put_given_up_leaves_nothing),
        CASE(lists_stand_in_the_order_of_their_bytes),
        CASE(removal_takes_what_is_under_a_prefix),
    };

    if (argc != 3 && argc != 5) {
        (void)fprintf(stderr, "usage: objects-suite SCRATCH URL [ENDPOINT CREDENTIALS]\n");
        return 2;
    }
    suite.scratch = argv[1];
    suite.options.url = fb_str_from(argv[2]);
    if (argc == 5) {
        suite.options.s3.endpoint = fb_str_from(argv[3]);
        suite.options.s3.credentials = fb_str_from(argv[4]);
        suite.options.s3.spool = fb_str_from(argv[1]);
        suite.options.s3.part_bytes = PART;
    }
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    return n_failed != 0 ? n_failed : suite_run_parts();
}
