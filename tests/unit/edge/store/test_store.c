#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/metrics/metrics.h"
#include "edge/store/store.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 4 * 1024 * 1024, KIB = 1024, CHUNK = 128 * KIB };

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_store *store;
    struct fb_arena arena;
    struct fb_headers none;
    struct fb_op op; /* a wait */
    unsigned n_done;
    int result;
};

static void set_up_with(struct fixture *f, enum edge_policy_kind policy)
{
    *f = (struct fixture){.clock = test_clock_at_start()};
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->metrics = fb_metrics_new();
    f->store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = LIMIT, .policy = policy, .seed = 42, .metrics = f->metrics});
}

static int set_up(void **state)
{
    static struct fixture f;

    set_up_with(&f, EDGE_POLICY_S3FIFO);
    *state = &f;
    return 0;
}

static int set_up_lru(void **state)
{
    static struct fixture f;

    set_up_with(&f, EDGE_POLICY_LRU);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_loop_turn(f->loop);
    assert_int_equal(edge_store_stats(f->store).n_trailing, 0);
    edge_store_free(f->store); /* requires that all memory came back */
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_bytes"), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_objects"), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 0);
    fb_metrics_free(f->metrics);
    fb_loop_free(f->loop);
    fb_arena_done(&f->arena);
    return 0;
}

/* ---- making objects ---------------------------------------------------- */

static char byte_at(uint64_t offset)
{
    return (char)((offset * 131 + (offset >> 8)) & 0x7f);
}

static struct edge_object *create_with(struct fixture *f, const char *key, int64_t length,
                                       const struct fb_headers *response,
                                       const struct fb_headers *request)
{
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {.key = fb_str_from(key),
                                    .request = request,
                                    .status = 200,
                                    .headers = response,
                                    .terms = {.lifetime_ms = 1000},
                                    .length = length};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    return object;
}

static struct edge_object *create(struct fixture *f, const char *key, int64_t length)
{
    return create_with(f, key, length, &f->none, &f->none);
}

static int try_append(struct edge_object *object, size_t n)
{
    uint64_t offset = edge_object_filled(object);
    char *bytes = fb_alloc(n);

    for (size_t i = 0; i < n; i++) {
        bytes[i] = byte_at(offset + i);
    }
    int err = edge_object_append(object, (struct fb_str){bytes, n});
    fb_free(bytes);
    return err;
}

static void append(struct edge_object *object, size_t n)
{
    assert_int_equal(try_append(object, n), FB_OK);
}

/* A whole object in the index, with no reference left to the caller. */
static void put(struct fixture *f, const char *key, size_t n)
{
    struct edge_object *object = create(f, key, (int64_t)n);

    edge_store_publish(f->store, object);
    append(object, n);
    edge_object_finish(object, FB_OK);
    edge_object_unref(object);
}

static bool is_there(struct fixture *f, const char *key)
{
    struct edge_object *object = edge_store_find(f->store, fb_str_from(key), &f->none);
    bool is_found = object != NULL;

    edge_object_unref(object);
    return is_found;
}

/* Reads what is there, checks it, and returns what came after it. */
static int read_on(struct fb_reader *reader, uint64_t *offset)
{
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(reader, &slice)) == FB_OK) {
        for (size_t i = 0; i < slice.bytes.len; i++) {
            if (slice.bytes.ptr[i] != byte_at(*offset + i)) {
                fail_msg("byte %llu is wrong", (unsigned long long)(*offset + i));
            }
        }
        *offset += slice.bytes.len;
        fb_slice_release(&slice);
    }
    return err;
}

static void assert_reads(struct fixture *f, struct edge_object *object, uint64_t from,
                         int64_t length, uint64_t want_end, int want)
{
    struct fb_reader *reader = edge_object_reader(object, f->loop, from, length);
    uint64_t offset = from;

    assert_int_equal(read_on(reader, &offset), want);
    assert_int_equal(offset, want_end);
    fb_reader_close(reader);
}

static void on_wait(struct fb_op *op)
{
    struct fixture *f = FB_CONTAINER_OF(op, struct fixture, op);
    f->n_done++;
    f->result = op->result;
}

static void start_wait(struct fixture *f, struct fb_reader *reader)
{
    fb_op_init(&f->op, f->loop, on_wait);
    fb_reader_wait(reader, &f->op);
}

/* ---- bodies ------------------------------------------------------------ */

static void bodies_of_all_sizes_come_back_as_they_were(void **state)
{
    static const size_t sizes[] = {0,         1,         4095,          4096,         4097,
                                   12 * KIB,  124 * KIB, 124 * KIB + 1, CHUNK - 1,    CHUNK,
                                   CHUNK + 1, 252 * KIB, 3 * CHUNK,     800 * KIB + 7};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2 * FB_ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i / 2];
        struct edge_object *object = create(f, "k", i % 2 == 0 ? (int64_t)n : FB_LENGTH_UNKNOWN);
        for (size_t left = n; left > 0;) {
            size_t piece = FB_MIN(left, (size_t)5000);
            append(object, piece);
            left -= piece;
        }
        edge_object_finish(object, FB_OK);
        assert_int_equal(edge_object_length(object), n);
        assert_int_equal(edge_object_state(object), EDGE_OBJECT_WHOLE);
        assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, n, FB_E_END);
        assert_reads(f, object, n / 2, (int64_t)(n - n / 2), n, FB_E_END);
        assert_reads(f, object, n / 3, (int64_t)(n / 3), n / 3 + n / 3, FB_E_END);
        edge_object_unref(object);
    }
}

static void small_bodies_of_unknown_length_waste_little(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);

    append(object, 2000);
    edge_object_finish(object, FB_OK);
    assert_true(edge_store_stats(f->store).memory_bytes < 6 * KIB);
    edge_object_unref(object);
}

static void a_range_past_the_end_breaks_off_there(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);

    append(object, 100);
    edge_object_finish(object, FB_OK);
    assert_reads(f, object, 50, 100, 100, FB_E_CLOSED);
    assert_reads(f, object, 200, 1, 200, FB_E_CLOSED);
    assert_reads(f, object, 200, FB_LENGTH_UNKNOWN, 200, FB_E_END);
    edge_object_unref(object);
}

static void a_body_is_exactly_as_long_as_announced(void **state)
{
    struct fixture *f = *state;
    struct edge_object *longer = create(f, "long", 100);
    struct edge_object *shorter = create(f, "short", 100);

    append(longer, 99);
    assert_int_equal(try_append(longer, 2), FB_E_MALFORMED);
    edge_object_finish(longer, FB_E_MALFORMED);
    append(shorter, 99);
    edge_object_finish(shorter, FB_OK);
    assert_int_equal(edge_object_state(shorter), EDGE_OBJECT_BROKEN);
    assert_reads(f, shorter, 0, FB_LENGTH_UNKNOWN, 99, FB_E_CLOSED);
    edge_object_unref(longer);
    edge_object_unref(shorter);
}

/* ---- trailing ---------------------------------------------------------- */

static void a_reader_trails_the_writer(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 300 * KIB);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);
    uint64_t offset = 0;

    assert_int_equal(edge_store_stats(f->store).n_trailing, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 1);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    start_wait(f, reader);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 0);

    append(object, 1);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(f->result, FB_OK);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    assert_int_equal(offset, 1);

    append(object, 200 * KIB);
    start_wait(f, reader); /* there is news already */
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 2);
    append(object, 100 * KIB - 1);
    edge_object_finish(object, FB_OK);
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    assert_int_equal(offset, 300 * KIB);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void a_fill_that_breaks_gives_its_error_after_the_bytes(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);
    uint64_t offset = 0;

    edge_store_publish(f->store, object);
    assert_true(is_there(f, "k"));
    append(object, 10);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    start_wait(f, reader);
    append(object, 10);
    edge_object_finish(object, FB_E_TIMEOUT);
    assert_false(is_there(f, "k"));
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(read_on(reader, &offset), FB_E_TIMEOUT);
    assert_int_equal(offset, 20);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void a_range_that_has_come_needs_no_end(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);

    append(object, 500);
    assert_reads(f, object, 100, 400, 500, FB_E_END);
    assert_reads(f, object, 100, 401, 500, FB_E_LATER);
    edge_object_finish(object, FB_E_CLOSED);
    assert_reads(f, object, 100, 400, 500, FB_E_END);
    assert_reads(f, object, 100, 401, 500, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_wait_may_be_canceled_before_and_after_the_news(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);

    start_wait(f, reader);
    fb_op_cancel(&f->op);
    fb_loop_turn(f->loop);
    assert_int_equal(f->result, FB_E_CANCELED);

    start_wait(f, reader);
    append(object, 1); /* mail is under way */
    fb_op_cancel(&f->op);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 2);
    assert_int_equal(f->result, FB_E_CANCELED);
    fb_reader_close(reader);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void mail_for_an_earlier_wait_finishes_a_later_one(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);
    uint64_t offset = 0;

    start_wait(f, reader);
    append(object, 1);
    fb_op_cancel(&f->op);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    while (!fb_op_is_idle(&f->op)) {
        fb_loop_turn(f->loop);
    }
    /* The first mail may have come by now or not: either way a wait works. */
    start_wait(f, reader);
    append(object, 1);
    fb_loop_turn(f->loop);
    assert_int_equal(f->n_done, 2);
    assert_int_equal(f->result, FB_OK);
    fb_reader_close(reader);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_reader_may_be_closed_with_mail_under_way(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);

    start_wait(f, reader);
    append(object, 1);
    fb_op_cancel(&f->op);
    fb_reader_close(reader);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object); /* the reader still has the body */
    fb_loop_turn(f->loop);
    assert_int_equal(edge_store_stats(f->store).memory_bytes, 0);
}

static void a_slice_outlives_all_else(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;

    put(f, "k", 1000);
    struct edge_object *object = edge_store_find(f->store, FB_STR("k"), &f->none);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 10, 5);
    edge_object_unref(object);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 1);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    fb_reader_close(reader);
    assert_int_equal(slice.bytes.len, 5);
    assert_int_equal(slice.bytes.ptr[0], byte_at(10));
    assert_true(edge_store_stats(f->store).memory_bytes > 1000);
    fb_slice_release(&slice);
    assert_int_equal(edge_store_stats(f->store).memory_bytes, 0);
}

/* ---- the index --------------------------------------------------------- */

static struct fb_headers one_header(struct fixture *f, const char *name, const char *value)
{
    struct fb_headers headers = {0};

    fb_headers_add(&headers, &f->arena, fb_str_from(name), fb_str_from(value));
    return headers;
}

static void heads_are_kept_in_the_objects_own_memory(void **state)
{
    struct fixture *f = *state;
    char value[] = "\"v1\"";
    struct fb_headers response = one_header(f, "ETag", value);
    struct edge_object *object = create_with(f, "a.example/x", 3, &response, &f->none);

    value[1] = 'X';
    const struct edge_object_head *head = edge_object_head(object);
    assert_true(fb_str_equal(head->etag, FB_STR("\"v1\"")));
    assert_null(head->last_modified.ptr);
    assert_true(fb_str_equal(head->key, FB_STR("a.example/x")));
    assert_int_equal(head->status, 200);
    assert_int_equal(head->terms.lifetime_ms, 1000);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void variants_are_told_apart_by_vary(void **state)
{
    struct fixture *f = *state;
    struct fb_headers vary = one_header(f, "Vary", "Accept");
    struct fb_headers wants_a = one_header(f, "Accept", "a");
    struct fb_headers wants_b = one_header(f, "Accept", "b");
    struct edge_object *a = create_with(f, "k", 0, &vary, &wants_a);
    struct edge_object *b = create_with(f, "k", 0, &vary, &wants_b);

    edge_store_publish(f->store, a);
    assert_null(edge_store_find(f->store, FB_STR("k"), &wants_b));
    assert_null(edge_store_find(f->store, FB_STR("k"), &f->none));
    edge_store_publish(f->store, b);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &wants_a);
    assert_ptr_equal(found, a);
    edge_object_unref(found);
    found = edge_store_find(f->store, FB_STR("k"), &wants_b);
    assert_ptr_equal(found, b);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, 2);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 2);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 0);
    edge_object_unref(a);
    edge_object_unref(b);
}

static void the_oldest_of_too_many_variants_gives_way(void **state)
{
    struct fixture *f = *state;
    struct fb_headers vary = one_header(f, "Vary", "Accept");

    for (unsigned i = 0; i <= EDGE_STORE_MAX_VARIANTS; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%u", i);
        struct fb_headers wants = one_header(f, "Accept", text);
        struct edge_object *object = create_with(f, "k", 0, &vary, &wants);
        edge_store_publish(f->store, object);
        edge_object_unref(object);
    }
    struct fb_headers first = one_header(f, "Accept", "0");
    struct fb_headers second = one_header(f, "Accept", "1");
    assert_null(edge_store_find(f->store, FB_STR("k"), &first));
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &second);
    assert_non_null(found);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, EDGE_STORE_MAX_VARIANTS);
}

static void a_newer_object_takes_the_place_of_the_same_variant(void **state)
{
    struct fixture *f = *state;

    put(f, "k", 100);
    put(f, "k", 200);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &f->none);
    assert_int_equal(edge_object_length(found), 200);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, 1);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 1);
}

static struct edge_object *renew(struct fixture *f, struct edge_object *old)
{
    struct edge_object *fresh = NULL;
    struct edge_object_spec spec = {.key = edge_object_head(old)->key,
                                    .request = &f->none,
                                    .status = 200,
                                    .headers = &f->none,
                                    .terms = {.lifetime_ms = 9000}};

    assert_int_equal(edge_store_renew(f->store, &spec, old, &fresh), FB_OK);
    edge_store_publish(f->store, fresh);
    return fresh;
}

static void a_validated_object_shares_its_body(void **state)
{
    struct fixture *f = *state;

    put(f, "k", 100 * KIB);
    struct edge_object *old = edge_store_find(f->store, FB_STR("k"), &f->none);
    struct edge_object *fresh = renew(f, old);
    assert_true(edge_store_stats(f->store).memory_bytes < 110 * KIB);
    edge_object_unref(old);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &f->none);
    assert_ptr_equal(found, fresh);
    assert_int_equal(edge_object_head(found)->terms.lifetime_ms, 9000);
    assert_reads(f, found, 0, FB_LENGTH_UNKNOWN, 100 * KIB, FB_E_END);
    edge_object_unref(found);
    edge_object_unref(fresh);
}

static void a_body_that_breaks_takes_validated_heads_along(void **state)
{
    struct fixture *f = *state;
    struct edge_object *old = create(f, "k", 1000);

    edge_store_publish(f->store, old);
    struct edge_object *fresh = renew(f, old);
    edge_object_finish(old, FB_E_CLOSED);
    assert_false(is_there(f, "k"));
    assert_int_equal(edge_store_stats(f->store).n_objects, 0);
    edge_store_publish(f->store, fresh); /* too late */
    assert_false(is_there(f, "k"));
    edge_object_unref(fresh);
    edge_object_unref(old);
}

static void many_keys_are_all_found(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 6000; i++) {
        (void)snprintf(key, sizeof(key), "host/%u", i);
        put(f, key, 1);
    }
    for (unsigned i = 0; i < 6000; i++) {
        (void)snprintf(key, sizeof(key), "host/%u", i);
        assert_true(is_there(f, key));
    }
    assert_false(is_there(f, "host/6000"));
}

/* ---- the bound --------------------------------------------------------- */

static void memory_never_exceeds_its_limit(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, (i * 7919) % (900 * KIB));
        assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
    }
    assert_true(fb_metrics_sum(f->metrics, "edge_store_evictions_total") > 100);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_bytes"),
                     edge_store_stats(f->store).memory_bytes);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_objects"),
                     edge_store_stats(f->store).n_objects);
}

static void what_is_asked_for_stays_longer(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "hot", 100 * KIB);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(is_there(f, "hot"));
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 100 * KIB);
    }
    assert_false(is_there(f, "0"));
    assert_true(is_there(f, "hot"));
}

static void objects_larger_than_a_quarter_are_refused(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {
        .key = FB_STR("k"), .request = &f->none, .headers = &f->none, .length = LIMIT / 4};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
    spec.length = INT64_MAX;
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
    assert_int_equal(edge_store_stats(f->store).memory_bytes, 0);

    object = create(f, "k", FB_LENGTH_UNKNOWN);
    int err = FB_OK;
    while (err == FB_OK) {
        err = try_append(object, 100 * KIB);
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT / 4);
    edge_object_finish(object, err);
    edge_object_unref(object);
}

static void an_object_in_use_is_evicted_but_not_freed(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "used", 500 * KIB);
    struct edge_object *object = edge_store_find(f->store, FB_STR("used"), &f->none);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 500 * KIB);
        assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
    }
    assert_false(is_there(f, "used"));
    uint64_t offset = 0;
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    assert_int_equal(offset, 500 * KIB);
    uint64_t before = edge_store_stats(f->store).memory_bytes;
    fb_reader_close(reader);
    assert_true(before - edge_store_stats(f->store).memory_bytes > 500 * KIB);
}

static void with_all_in_use_nothing_is_evicted_in_vain(void **state)
{
    struct fixture *f = *state;
    struct edge_object *held[8];
    struct edge_object *object = NULL;
    char key[32];

    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        (void)snprintf(key, sizeof(key), "held/%u", i);
        held[i] = create(f, key, 500 * KIB);
    }
    put(f, "small", 1 * KIB);
    struct edge_object_spec spec = {
        .key = FB_STR("k"), .request = &f->none, .headers = &f->none, .length = 500 * KIB};
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_BUSY);
    assert_true(is_there(f, "small"));
    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        edge_object_finish(held[i], FB_E_CLOSED);
        edge_object_unref(held[i]);
    }
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_body_that_grows_evicts_others_and_perhaps_itself(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        struct edge_object *object = create(f, key, FB_LENGTH_UNKNOWN);
        edge_store_publish(f->store, object);
        for (unsigned n = 0; n < 9; n++) {
            append(object, 90 * KIB);
            assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
        }
        edge_object_finish(object, FB_OK);
        assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 9 * 90 * KIB, FB_E_END);
        edge_object_unref(object);
    }
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(bodies_of_all_sizes_come_back_as_they_were),
        STORE_TEST(small_bodies_of_unknown_length_waste_little),
        STORE_TEST(a_range_past_the_end_breaks_off_there),
        STORE_TEST(a_body_is_exactly_as_long_as_announced),
        STORE_TEST(a_reader_trails_the_writer),
        STORE_TEST(a_fill_that_breaks_gives_its_error_after_the_bytes),
        STORE_TEST(a_range_that_has_come_needs_no_end),
        STORE_TEST(a_wait_may_be_canceled_before_and_after_the_news),
        STORE_TEST(mail_for_an_earlier_wait_finishes_a_later_one),
        STORE_TEST(a_reader_may_be_closed_with_mail_under_way),
        STORE_TEST(a_slice_outlives_all_else),
        STORE_TEST(heads_are_kept_in_the_objects_own_memory),
        STORE_TEST(variants_are_told_apart_by_vary),
        STORE_TEST(the_oldest_of_too_many_variants_gives_way),
        STORE_TEST(a_newer_object_takes_the_place_of_the_same_variant),
        STORE_TEST(a_validated_object_shares_its_body),
        STORE_TEST(a_body_that_breaks_takes_validated_heads_along),
        STORE_TEST(many_keys_are_all_found),
        STORE_TEST(memory_never_exceeds_its_limit),
        STORE_TEST(what_is_asked_for_stays_longer),
        cmocka_unit_test_setup_teardown(what_is_asked_for_stays_longer, set_up_lru, tear_down),
        STORE_TEST(objects_larger_than_a_quarter_are_refused),
        STORE_TEST(an_object_in_use_is_evicted_but_not_freed),
        STORE_TEST(with_all_in_use_nothing_is_evicted_in_vain),
        STORE_TEST(a_body_that_grows_evicts_others_and_perhaps_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
