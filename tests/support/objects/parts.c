/*
 * What is true of objects that come in parts.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_THREADS = 3, N_SMALL = 200 };

struct upload {
    struct fixture *f;
    char id[ORIGIN_MULTIPART_ID_MAX + 1];
    struct origin_part parts[8]; /* by number */
};

static void begin(struct fixture *f, struct upload *upload)
{
    upload->f = f;
    assert_int_equal(origin_multipart_begin(f->objects, FB_STR("t/up"), upload->id), FB_OK);
}

static int send_part(struct upload *upload, uint32_t number, uint64_t offset, size_t size,
                     unsigned seed)
{
    struct origin_objects *objects = upload->f->objects;
    FB_AUTO(fb_freep) char *bytes = fb_alloc(size);
    struct origin_put *object = NULL;
    struct fb_str piece = {bytes, size};
    char etag[ORIGIN_ETAG_MAX + 1];

    /* As a caller's MD5 would be: of one length, and other for other bytes. */
    (void)snprintf(etag, sizeof(etag), "%016x%08x%08zx", seed, number, size);
    suite_fill(bytes, size, offset, seed);
    int err = origin_multipart_part(objects, FB_STR("t/up"), fb_str_from(upload->id), number, size,
                                    &object);
    if (err < 0) {
        return err;
    }
    err = origin_put_write(object, &piece, 1);
    if (err < 0) {
        origin_put_abort(object);
        return err;
    }
    return origin_put_commit_part(object, fb_str_from(etag), &upload->parts[number]);
}

static int list_parts(struct fixture *f, struct fb_str key, struct fb_str id,
                      struct origin_part_page page, size_t *ret_n)
{
    int err = origin_multipart_parts(f->objects, key, id, &page);

    *ret_n = page.n;
    return err;
}

static int complete(struct upload *upload, uint32_t from, uint32_t to)
{
    struct origin_part_name names[8];
    size_t n = 0;

    for (uint32_t i = from; i <= to; i++) {
        names[n++] = (struct origin_part_name){i, fb_str_from(upload->parts[i].etag)};
    }
    return origin_multipart_complete(upload->f->objects, FB_STR("t/up"), fb_str_from(upload->id),
                                     names, n);
}

static void assert_uploaded(struct fixture *f, uint64_t size, unsigned seed)
{
    char path[PATH_LEN];

    suite_path("uploaded", path);
    assert_int_equal(origin_objects_fetch(f->objects, FB_STR("t/up"), path, NULL), FB_OK);
    suite_assert_file(path, size, seed);
    (void)unlink(path);
}

static void parts_come_in_any_order_and_are_replaced(void **state)
{
    struct fixture *f = *state;
    struct upload upload;
    struct origin_part parts[8];
    size_t n = 0;

    begin(f, &upload);
    assert_int_equal(send_part(&upload, 3, 2 * (uint64_t)PART, 1000, 5), FB_OK);
    assert_int_equal(send_part(&upload, 1, 0, PART, 4), FB_OK);
    assert_int_equal(send_part(&upload, 2, PART, PART, 5), FB_OK);
    assert_int_equal(send_part(&upload, 1, 0, PART, 5), FB_OK);
    assert_int_equal(suite_stat(f, "t/up"), FB_E_NOT_FOUND);

    assert_int_equal(list_parts(f, FB_STR("t/up"), fb_str_from(upload.id),
                                (struct origin_part_page){.after = 0, .max = 8, .parts = parts},
                                &n),
                     FB_OK);
    assert_int_equal(n, 3);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(parts[i].number, i + 1);
        assert_int_equal(parts[i].size, upload.parts[i + 1].size);
        assert_string_equal(parts[i].etag, upload.parts[i + 1].etag);
    }
    assert_int_equal(list_parts(f, FB_STR("t/up"), fb_str_from(upload.id),
                                (struct origin_part_page){.after = 1, .max = 1, .parts = parts},
                                &n),
                     FB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(parts[0].number, 2);
    assert_int_equal(complete(&upload, 1, 3), FB_OK);
    assert_uploaded(f, 2 * (uint64_t)PART + 1000, 5);
    assert_int_equal(complete(&upload, 1, 3), FB_E_NOT_FOUND);
}

static void only_the_parts_that_are_named_make_the_object(void **state)
{
    struct fixture *f = *state;
    struct upload upload;

    begin(f, &upload);
    assert_int_equal(send_part(&upload, 1, 0, PART, 1), FB_OK);
    assert_int_equal(send_part(&upload, 2, PART, 100, 1), FB_OK);
    assert_int_equal(send_part(&upload, 3, 0, PART, 2), FB_OK);
    int err = complete(&upload, 1, 2);
    if (err == FB_E_CONFLICT && !origin_objects_are_local(f->objects)) {
        /* Ceph's gateway wants all to be named. */
        assert_int_equal(origin_multipart_abort(f->objects, FB_STR("t/up"), fb_str_from(upload.id)),
                         FB_OK);
        return;
    }
    assert_int_equal(err, FB_OK);
    assert_uploaded(f, PART + 100, 1);
}

static void a_part_that_is_not_there_is_a_conflict_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct upload upload;

    begin(f, &upload);
    assert_int_equal(send_part(&upload, 1, 0, PART, 1), FB_OK);
    struct origin_part old = upload.parts[1];
    assert_int_equal(send_part(&upload, 1, 0, PART, 2), FB_OK);
    struct origin_part new = upload.parts[1];
    upload.parts[1] = old;
    assert_int_equal(complete(&upload, 1, 1), FB_E_CONFLICT);
    upload.parts[1] = new;
    upload.parts[2] = new;
    assert_int_equal(complete(&upload, 1, 2), FB_E_CONFLICT);
    assert_int_equal(suite_stat(f, "t/up"), FB_E_NOT_FOUND);
    assert_int_equal(complete(&upload, 1, 1), FB_OK);
    assert_uploaded(f, PART, 2);
}

static void an_aborted_multipart_takes_no_parts(void **state)
{
    struct fixture *f = *state;
    struct origin_part parts[2];
    struct upload upload;
    size_t n = 0;

    begin(f, &upload);
    assert_int_equal(send_part(&upload, 1, 0, 1000, 1), FB_OK);
    struct fb_str id = fb_str_from(upload.id);
    assert_int_equal(origin_multipart_abort(f->objects, FB_STR("t/up"), id), FB_OK);
    assert_int_equal(origin_multipart_abort(f->objects, FB_STR("t/up"), id), FB_OK);
    assert_int_equal(send_part(&upload, 2, 0, 1000, 1), FB_E_NOT_FOUND);
    assert_int_equal(complete(&upload, 1, 1), FB_E_NOT_FOUND);
    assert_int_equal(list_parts(f, FB_STR("t/up"), id,
                                (struct origin_part_page){.after = 0, .max = 2, .parts = parts},
                                &n),
                     FB_E_NOT_FOUND);
    assert_int_equal(suite_stat(f, "t/up"), FB_E_NOT_FOUND);
}

static void ids_and_keys_go_together(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"", "../x", "a/b", ".", "a\nb"};
    struct origin_part parts[1];
    struct upload upload;
    size_t n = 0;

    begin(f, &upload);
    struct fb_str id = fb_str_from(upload.id);
    assert_int_equal(list_parts(f, FB_STR("t/other"), id,
                                (struct origin_part_page){.after = 0, .max = 1, .parts = parts},
                                &n),
                     FB_E_NOT_FOUND);
    assert_int_equal(list_parts(f, FB_STR("t/up"), FB_STR("unknown"),
                                (struct origin_part_page){.after = 0, .max = 1, .parts = parts},
                                &n),
                     FB_E_NOT_FOUND);
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(list_parts(f, FB_STR("t/up"), fb_str_from(bad[i]),
                                    (struct origin_part_page){.after = 0, .max = 1, .parts = parts},
                                    &n),
                         FB_E_MALFORMED);
    }
    struct origin_put *object = NULL;
    assert_int_equal(origin_multipart_part(f->objects, FB_STR("t/up"), id, 0, 1, &object),
                     FB_E_MALFORMED);
    assert_int_equal(origin_multipart_part(f->objects, FB_STR("t/up"), id, 10001, 1, &object),
                     FB_E_MALFORMED);
    assert_int_equal(origin_multipart_complete(f->objects, FB_STR("t/up"), id, NULL, 0),
                     FB_E_MALFORMED);
    assert_int_equal(origin_multipart_abort(f->objects, FB_STR("t/up"), id), FB_OK);
}

static void old_multiparts_are_found(void **state)
{
    struct fixture *f = *state;
    struct origin_multipart items[4];
    struct upload uploads[2];
    size_t n = 0;

    begin(f, &uploads[0]);
    begin(f, &uploads[1]);
    assert_int_equal(origin_multipart_list(f->objects, 1000, items, 4, &n), FB_OK);
    assert_int_equal(n, 0);
    assert_int_equal(origin_multipart_list(f->objects, INT64_MAX, items, 1, &n), FB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(origin_multipart_list(f->objects, INT64_MAX, items, 4, &n), FB_OK);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(items[i].key, "t/up");
        assert_true(llabs(items[i].begun_ms / 1000 - (int64_t)time(NULL)) < 86400);
        assert_int_equal(
            origin_multipart_abort(f->objects, fb_str_from(items[i].key), fb_str_from(items[i].id)),
            FB_OK);
    }
    assert_int_equal(send_part(&uploads[0], 1, 0, 10, 1), FB_E_NOT_FOUND);
}

struct sender {
    struct upload *upload;
    pthread_t thread;
    uint32_t number;
    int err;
};

static void *run_sender(void *ctx)
{
    struct sender *sender = ctx;
    uint64_t offset = (sender->number - 1) * (uint64_t)PART;
    sender->err = send_part(sender->upload, sender->number, offset, PART, 9);
    return NULL;
}

static void parts_are_sent_in_parallel(void **state)
{
    struct fixture *f = *state;
    struct sender senders[N_THREADS];
    struct upload upload;

    begin(f, &upload);
    for (uint32_t i = 0; i < N_THREADS; i++) {
        senders[i] = (struct sender){.upload = &upload, .number = i + 1};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, run_sender, &senders[i]), 0);
    }
    for (uint32_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(senders[i].err, FB_OK);
    }
    assert_int_equal(complete(&upload, 1, N_THREADS), FB_OK);
    assert_uploaded(f, N_THREADS * (uint64_t)PART, 9);
}

static void a_part_cut_short_is_none(void **state)
{
    struct fixture *f = *state;
    struct origin_put *object = NULL;
    struct origin_part parts[1];
    struct upload upload;
    size_t n = 0;

    begin(f, &upload);
    struct fb_str id = fb_str_from(upload.id);
    assert_int_equal(origin_multipart_part(f->objects, FB_STR("t/up"), id, 1, 10, &object), FB_OK);
    assert_int_equal(origin_put_commit_part(object, FB_STR("x"), NULL), FB_E_CLOSED);
    assert_int_equal(origin_multipart_part(f->objects, FB_STR("t/up"), id, 1, 0, &object), FB_OK);
    assert_int_equal(origin_put_commit(object), FB_E_MALFORMED);
    assert_int_equal(list_parts(f, FB_STR("t/up"), id,
                                (struct origin_part_page){.after = 0, .max = 1, .parts = parts},
                                &n),
                     FB_OK);
    assert_int_equal(n, 0);
    assert_int_equal(origin_multipart_abort(f->objects, FB_STR("t/up"), id), FB_OK);
}

/* How many parts: FB_PARTS, such as 10000. */
static uint32_t n_small(void)
{
    const char *text = getenv("FB_PARTS"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    unsigned long n = text != NULL ? strtoul(text, NULL, 10) : N_SMALL;

    return n >= 1 && n <= ORIGIN_PART_MAX ? (uint32_t)n : N_SMALL;
}

static void send_small(struct upload *upload, uint32_t number)
{
    struct origin_put *put = NULL;
    char etag[ORIGIN_ETAG_MAX + 1];

    (void)snprintf(etag, sizeof(etag), "%032u", number);
    struct fb_str tail = {etag + 27, 5};
    assert_int_equal(origin_multipart_part(upload->f->objects, FB_STR("t/up"),
                                           fb_str_from(upload->id), number, tail.len, &put),
                     FB_OK);
    assert_int_equal(origin_put_write(put, &tail, 1), FB_OK);
    assert_int_equal(origin_put_commit_part(put, fb_str_from(etag), NULL), FB_OK);
}

/* Folders take small parts; of S3's, which have to be large, as many would be too much. */
static void many_parts_are_listed_by_the_page_and_joined(void **state)
{
    struct fixture *f = *state;
    uint32_t n = n_small();
    FB_AUTO(fb_freep) struct origin_part *parts = fb_alloc_array(n, sizeof(*parts));
    FB_AUTO(fb_freep) struct origin_part_name *names = fb_alloc_array(n, sizeof(*names));
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct upload upload;
    size_t n_listed = 0;

    if (!origin_objects_are_local(f->objects)) {
        return;
    }
    begin(f, &upload);
    struct fb_str id = fb_str_from(upload.id);
    for (uint32_t i = n; i >= 1; i--) {
        send_small(&upload, i);
    }
    for (size_t more = 1; more > 0; n_listed += more) {
        struct origin_part_page page = {.after = n_listed > 0 ? parts[n_listed - 1].number : 0,
                                        .max = FB_MIN((size_t)70, n - n_listed),
                                        .parts = parts + n_listed};
        assert_int_equal(list_parts(f, FB_STR("t/up"), id, page, &more), FB_OK);
    }
    assert_int_equal(n_listed, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(parts[i].number, i + 1);
        names[i] = (struct origin_part_name){parts[i].number, fb_str_from(parts[i].etag)};
    }
    assert_int_equal(origin_multipart_complete(f->objects, FB_STR("t/up"), id, names, n), FB_OK);
    assert_int_equal(origin_objects_get_bytes(f->objects, FB_STR("t/up"), (size_t)5 * n, &bytes),
                     FB_OK);
    assert_int_equal(bytes.len, (size_t)5 * n);
    for (size_t i = 0; i < n; i++) {
        char want[8];
        (void)snprintf(want, sizeof(want), "%05zu", i + 1);
        assert_memory_equal(bytes.ptr + 5 * i, want, 5);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, suite_set_up, suite_tear_down)

int suite_run_parts(void)
{
    const struct CMUnitTest tests[] = {
        CASE(parts_come_in_any_order_and_are_replaced),
        CASE(only_the_parts_that_are_named_make_the_object),
        CASE(a_part_that_is_not_there_is_a_conflict_and_changes_nothing),
        CASE(an_aborted_multipart_takes_no_parts),
        CASE(ids_and_keys_go_together),
        CASE(old_multiparts_are_found),
        CASE(parts_are_sent_in_parallel),
        CASE(a_part_cut_short_is_none),
        CASE(many_parts_are_listed_by_the_page_and_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
