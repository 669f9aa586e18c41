#include "parts_fixture.h"

/* ---- parts of what nobody has yet ---------------------------------------- */

static void a_range_of_what_is_not_kept_brings_its_chunks_alone(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, "bytes=1500000-1600000");

    assert_sent(f, 0, "Range", "bytes=1048576-2097151");
    assert_sent(f, 0, "If-Range", NULL);
    struct fake_body *body =
        answer_part(f, 0, STRONG "Age: 3\nContent-Digest: x\n", MIB, 2 * MIB, LENGTH);
    turn(f);
    struct edge_object *object = take_object(joiner);
    const struct edge_object_head *head = edge_object_head(object);
    assert_int_equal(head->status, 200);
    assert_int_equal(head->terms.initial_age_ms, 3000);
    assert_null(fb_headers_find(&head->headers, FB_STR("content-range")).ptr);
    assert_null(fb_headers_find(&head->headers, FB_STR("content-digest")).ptr);
    assert_int_equal(edge_object_length(object), LENGTH);
    assert_int_equal(joiner->join.upstream_status, 206);

    struct client client;
    client_open(f, &client, object, 1500000, 100001);
    finish_body(f, body, MIB, 2 * MIB);
    assert_int_equal(client.end, FB_E_END);
    assert_int_equal(client.at, 1600001);
    client_close(f, &client);
    assert_true(edge_object_holds(object, MIB, (int64_t)MIB));
    assert_false(edge_object_holds(object, 0, 1));
    assert_false(edge_object_holds(object, 2 * MIB, 1));
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_bytes_filled_total"), MIB);
    edge_object_unref(object);
}

static void the_end_of_what_is_not_kept_is_found_by_the_upstream(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, "bytes=-100");

    assert_sent(f, 0, "Range", "bytes=-1048676");
    uint64_t first = LENGTH - 1048676;
    struct fake_body *body = answer_part(f, 0, STRONG, first, LENGTH, LENGTH);
    turn(f);
    struct edge_object *object = take_object(joiner);
    struct client client;
    client_open(f, &client, object, LENGTH - 100, 100);
    finish_body(f, body, first, LENGTH);
    client_close_whole(f, &client);
    /* What was in front of the first whole chunk is dropped. */
    assert_true(edge_object_holds(object, 9 * MIB, FB_LENGTH_UNKNOWN) ||
                edge_object_holds(object, 10 * MIB, FB_LENGTH_UNKNOWN));
    assert_false(edge_object_holds(object, 8 * MIB, 1));
    assert_int_equal(f->upstream.n_fetches, 1);
    edge_object_unref(object);
}

static void a_part_of_no_use_makes_the_whole_be_fetched(void **state)
{
    static const char *const bad[] = {
        "Content-Range: bytes 0-1048575/2000000\n",                /* no validator */
        "ETag: W/\"s\"\nContent-Range: bytes 0-1048575/2000000\n", /* a weak one */
        "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\n"
        "Content-Range: bytes 0-1048575/2000000\n",              /* too young a one */
        "ETag: \"s\"\nContent-Range: bytes 1-1048575/2000000\n", /* another range */
        "ETag: \"s\"\nContent-Range: bytes 0-1048576/2000000\n", /* a longer one */
        "ETag: \"s\"\nContent-Range: bytes 0-1048575/*\n",       /* of unknown length */
        "ETag: \"s\"\nContent-Range: bytes 0-1048575\n",         /* none */
        "ETag: \"s\"\nContent-Type: multipart/byteranges\n"};    /* several */
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct joiner *joiner = join_range(f, 0, "bytes=5-9");
        assert_sent(f, 2 * i, "Range", "bytes=0-1048575");
        (void)fake_answer(&f->upstream, 2 * i, 206, bad[i], 1048576);
        turn(f);
        assert_int_equal(joiner->n_done, 0);
        assert_sent(f, 2 * i + 1, "Range", NULL);
        struct fake_body *body = fake_answer(&f->upstream, 2 * i + 1, 200, KEEP, 10);
        finish_body(f, body, 0, 10);
        struct edge_object *object = take_object(joiner);
        assert_int_equal(edge_object_length(object), 10);
        edge_object_unref(object);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
}

static void an_upstream_that_knows_no_ranges_gives_the_whole(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, "bytes=2097152-2097160");
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, (int64_t)(3 * MIB));

    turn(f);
    struct edge_object *object = take_object(joiner);
    struct client client;
    client_open(f, &client, object, 2 * MIB, 9);
    finish_body(f, body, 0, 3 * MIB);
    client_close_whole(f, &client);
    assert_true(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    edge_object_unref(object);
}

static void a_part_that_may_not_be_kept_goes_to_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join_range(f, 0, "bytes=0-9");
    struct joiner *second = join_range(f, 1, "bytes=0-9");

    (void)answer_part(f, 0, "Cache-Control: private\nETag: \"s\"\n", 0, MIB, LENGTH);
    turn(f);
    assert_true(first->join.pass->is_part);
    assert_int_equal(first->join.pass->response.status, 206);
    drop_pass(first);
    assert_outcome(second, EDGE_FILL_ALONE);
}

static void a_range_past_the_end_is_told_to_who_asked_for_it(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join_range(f, 0, "bytes=99999999-");
    struct joiner *second = join_range(f, 1, "bytes=0-9");

    assert_sent(f, 0, "Range", "bytes=99614720-");
    (void)fake_answer(&f->upstream, 0, 416, "Content-Range: bytes */1000\n", 0);
    turn(f);
    assert_outcome(first, EDGE_FILL_PAST_END);
    assert_int_equal(first->join.length, 1000);
    assert_int_equal(first->join.upstream_status, 416);
    assert_sent(f, 1, "Range", "bytes=0-1048575");
    struct fake_body *body = answer_part(f, 1, STRONG, 0, 1000, 1000);
    finish_body(f, body, 0, 1000);
    drop_object(second);
}

static void a_refusal_that_cannot_be_true_makes_the_whole_be_fetched(void **state)
{
    static const char *const bad[] = {"", "Content-Range: bytes */1048577\n",
                                      "Content-Range: bytes 0-1/2\n", "Content-Range: bytes */*\n"};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct joiner *joiner = join_range(f, 0, "bytes=1048580-1048590");
        (void)fake_answer(&f->upstream, 2 * i, 416, bad[i], 0);
        turn(f);
        assert_sent(f, 2 * i + 1, "Range", NULL);
        fake_fail(&f->upstream, 2 * i + 1, FB_E_UNAVAILABLE);
        turn(f);
        assert_failed(joiner, FB_E_UNAVAILABLE);
    }
}

static void other_parts_join_the_object_that_one_part_made(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join_range(f, 0, "bytes=0-9");
    struct joiner *second = join_range(f, 1, "bytes=5242880-5242889");

    assert_int_equal(f->upstream.n_fetches, 1);
    struct fake_body *body = answer_part(f, 0, STRONG, 0, MIB, LENGTH);
    turn(f);
    struct edge_object *object = take_object(first);
    assert_ptr_equal(take_object(second), object);
    struct client one;
    struct client two;
    client_open(f, &one, object, 0, 10);
    client_open(f, &two, object, 5 * MIB, 10);
    turn(f);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_sent(f, 1, "Range", "bytes=5242880-6291455");
    assert_sent(f, 1, "If-Range", "\"s\"");
    struct fake_body *part = answer_part(f, 1, STRONG, 5 * MIB, 6 * MIB, LENGTH);
    turn(f);
    finish_body(f, part, 5 * MIB, 6 * MIB);
    assert_int_equal(two.end, FB_E_END);
    assert_int_equal(one.end, FB_E_LATER);
    finish_body(f, body, 0, MIB);
    client_close_whole(f, &one);
    client_close(f, &two);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_parts_total"), 1);
    edge_object_unref(object);
    edge_object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_range_of_what_is_not_kept_brings_its_chunks_alone),
        FILL_TEST(the_end_of_what_is_not_kept_is_found_by_the_upstream),
        FILL_TEST(a_part_of_no_use_makes_the_whole_be_fetched),
        FILL_TEST(an_upstream_that_knows_no_ranges_gives_the_whole),
        FILL_TEST(a_part_that_may_not_be_kept_goes_to_nobody_else),
        FILL_TEST(a_range_past_the_end_is_told_to_who_asked_for_it),
        FILL_TEST(a_refusal_that_cannot_be_true_makes_the_whole_be_fetched),
        FILL_TEST(other_parts_join_the_object_that_one_part_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
