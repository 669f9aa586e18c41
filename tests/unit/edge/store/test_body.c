#include "store_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
