#include "store_fixture.h"

/* ---- bodies ------------------------------------------------------------ */

static void bodies_of_all_sizes_come_back_as_they_were(void **state)
{
    static const size_t sizes[] = {
        0,   1,       4095,        4096,        4097,          12 * KIB,  MIB - 1,
        MIB, MIB + 1, 3 * MIB / 2, 2 * MIB - 1, 800 * KIB + 7, 128 * KIB, 128 * KIB + 1};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2 * FB_ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i / 2];
        bool is_known = i % 2 == 0;
        if (!is_known && n > LIMIT / 4 - 128 * KIB) {
            continue;
        }
        struct edge_object *object = create(f, "k", is_known ? (int64_t)n : FB_LENGTH_UNKNOWN);
        struct edge_writer *writer = write_from(f, object, 0);
        for (size_t left = n; left > 0;) {
            size_t piece = FB_MIN(left, (size_t)50000);
            append(writer, piece);
            left -= piece;
        }
        edge_writer_finish(writer, FB_OK);
        assert_int_equal(edge_object_length(object), n);
        assert_int_equal(edge_object_state(object), EDGE_OBJECT_READY);
        assert_true(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
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
    struct edge_writer *writer = write_from(f, object, 0);

    append(writer, 2000);
    edge_writer_finish(writer, FB_OK);
    assert_true(used(f) - own(f) < 6 * KIB);
    edge_object_unref(object);
}

static void a_range_past_the_end_breaks_off_there(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, object, 0);

    append(writer, 100);
    edge_writer_finish(writer, FB_OK);
    assert_reads(f, object, 50, 100, 100, FB_E_CLOSED);
    assert_reads(f, object, 200, 1, 200, FB_E_CLOSED);
    assert_reads(f, object, 200, FB_LENGTH_UNKNOWN, 200, FB_E_END);
    edge_object_unref(object);
}

static void what_is_said_of_a_huge_body_costs_no_time(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "huge", (int64_t)EDGE_BODY_MAX_BYTES);
    uint64_t last = EDGE_BODY_MAX_BYTES - MIB;
    struct edge_writer *writer = write_from(f, object, 0);

    append(writer, 100);
    assert_true(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN)); /* on its way */
    assert_true(edge_object_holds(object, 8 * (uint64_t)MIB, 1));
    assert_false(edge_object_holds(object, last, 1)); /* no reader waits that long */
    edge_writer_finish(writer, FB_OK);
    assert_false(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    edge_object_unref(object);
}

static void a_body_with_more_extents_than_can_be_numbered_is_refused(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {.key = FB_STR("endless"),
                                    .request = &f->none,
                                    .status = 200,
                                    .headers = &f->none,
                                    .length = (int64_t)EDGE_BODY_MAX_BYTES + 1};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
    spec.length = INT64_MAX;
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
}

static void a_body_is_no_longer_than_announced(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "long", 100);
    struct edge_writer *writer = write_from(f, object, 0);

    append(writer, 99);
    assert_int_equal(try_append(writer, 2), FB_E_MALFORMED);
    append(writer, 1);
    assert_int_equal(try_append(writer, 1), FB_E_MALFORMED);
    edge_writer_finish(writer, FB_E_MALFORMED);
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 100, FB_E_END);
    edge_object_unref(object);
}

/* ---- trailing ---------------------------------------------------------- */

static void a_reader_trails_the_writer(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 3 * MIB);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    assert_int_equal(edge_store_stats(f->store).n_trailing, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 1);
    start_wait(f, reader);
    turn(f);
    assert_int_equal(f->n_done, 0);

    append(writer, 1);
    turn(f);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(f->result, FB_OK);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    assert_int_equal(offset, 1);

    append(writer, 2 * MIB);
    start_wait(f, reader); /* there is news already */
    turn(f);
    assert_int_equal(f->n_done, 2);
    append(writer, MIB - 1);
    edge_writer_finish(writer, FB_OK);
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    assert_int_equal(offset, 3 * MIB);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void a_fill_of_unknown_length_that_breaks_gives_its_error_after_the_bytes(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    edge_store_publish(f->store, f->loop, object);
    assert_true(is_there(f, "k"));
    append(writer, 10);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    start_wait(f, reader);
    append(writer, 10);
    edge_writer_finish(writer, FB_E_TIMEOUT);
    assert_int_equal(edge_object_state(object), EDGE_OBJECT_BROKEN);
    assert_null(find(f, "k"));
    turn(f);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(read_on(reader, &offset), FB_E_TIMEOUT);
    assert_int_equal(offset, 20);
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 20, FB_E_TIMEOUT);
    assert_reads(f, object, 5, 10, 15, FB_E_END);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void a_chunk_that_breaks_fails_who_waits_and_is_absent_to_the_rest(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 3 * MIB);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    append(writer, MIB + 10);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    start_wait(f, reader);
    edge_writer_finish(writer, FB_E_TIMEOUT);
    turn(f);
    assert_int_equal(f->n_done, 1);
    assert_int_equal(read_on(reader, &offset), FB_E_TIMEOUT);
    assert_int_equal(offset, MIB + 10);
    fb_reader_close(reader);

    assert_true(edge_object_holds(object, 0, MIB));
    assert_false(edge_object_holds(object, MIB, 1));
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, MIB, FB_E_CLOSED);
    writer = write_from(f, object, MIB);
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, MIB, FB_E_LATER);
    append(writer, 2 * MIB);
    edge_writer_finish(writer, FB_OK);
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 3 * MIB, FB_E_END);
    edge_object_unref(object);
}

static void a_range_that_has_come_needs_no_end(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct edge_writer *writer = write_from(f, object, 0);

    append(writer, 500);
    assert_reads(f, object, 100, 400, 500, FB_E_END);
    assert_reads(f, object, 100, 401, 500, FB_E_LATER);
    edge_writer_finish(writer, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_wait_may_be_canceled_before_and_after_the_news(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);

    start_wait(f, reader);
    fb_op_cancel(&f->op);
    turn(f);
    assert_int_equal(f->result, FB_E_CANCELED);

    start_wait(f, reader);
    append(writer, 1); /* mail is under way */
    fb_op_cancel(&f->op);
    turn(f);
    assert_int_equal(f->n_done, 2);
    assert_int_equal(f->result, FB_E_CANCELED);
    fb_reader_close(reader);
    edge_writer_finish(writer, FB_E_CLOSED);
    edge_object_unref(object);
}

static void mail_for_an_earlier_wait_finishes_a_later_one(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    start_wait(f, reader);
    append(writer, 1);
    fb_op_cancel(&f->op);
    assert_int_equal(read_on(reader, &offset), FB_E_LATER);
    while (!fb_op_is_idle(&f->op)) {
        fb_loop_turn(f->loop);
    }
    /* The first mail may have come by now or not: either way a wait works. */
    start_wait(f, reader);
    append(writer, 1);
    turn(f);
    assert_int_equal(f->n_done, 2);
    assert_int_equal(f->result, FB_OK);
    fb_reader_close(reader);
    edge_writer_finish(writer, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_reader_may_be_closed_with_mail_under_way(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", 1000);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);

    start_wait(f, reader);
    append(writer, 1);
    fb_op_cancel(&f->op);
    fb_reader_close(reader);
    edge_writer_finish(writer, FB_E_CLOSED);
    edge_object_unref(object); /* the reader still has the object */
    turn(f);
    assert_int_equal(used(f), own(f));
}

static void a_slice_outlives_all_else(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;

    put(f, "k", 1000);
    struct edge_object *object = find(f, "k");
    struct fb_reader *reader = edge_object_reader(object, f->loop, 10, 5, NULL);
    edge_object_unref(object);
    assert_int_equal(purge(f, "k"), 1);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    fb_reader_close(reader);
    assert_int_equal(slice.bytes.len, 5);
    assert_int_equal(slice.bytes.ptr[0], byte_at(10));
    assert_true(used(f) - own(f) > 1000);
    fb_slice_release(&slice);
    assert_int_equal(used(f), own(f));
}

static void a_slice_stays_as_it_is_while_its_chunk_grows(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    struct fb_slice slice;

    append(writer, 3000);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    append(writer, MIB);
    assert_int_equal(slice.bytes.len, 3000);
    assert_memory_equal(slice.bytes.ptr, pattern, 3000);
    fb_slice_release(&slice);
    fb_reader_close(reader);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(bodies_of_all_sizes_come_back_as_they_were),
        STORE_TEST(small_bodies_of_unknown_length_waste_little),
        STORE_TEST(a_range_past_the_end_breaks_off_there),
        STORE_TEST(what_is_said_of_a_huge_body_costs_no_time),
        STORE_TEST(a_body_with_more_extents_than_can_be_numbered_is_refused),
        STORE_TEST(a_body_is_no_longer_than_announced),
        STORE_TEST(a_reader_trails_the_writer),
        STORE_TEST(a_fill_of_unknown_length_that_breaks_gives_its_error_after_the_bytes),
        STORE_TEST(a_chunk_that_breaks_fails_who_waits_and_is_absent_to_the_rest),
        STORE_TEST(a_range_that_has_come_needs_no_end),
        STORE_TEST(a_wait_may_be_canceled_before_and_after_the_news),
        STORE_TEST(mail_for_an_earlier_wait_finishes_a_later_one),
        STORE_TEST(a_reader_may_be_closed_with_mail_under_way),
        STORE_TEST(a_slice_outlives_all_else),
        STORE_TEST(a_slice_stays_as_it_is_while_its_chunk_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
