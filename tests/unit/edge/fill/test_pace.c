#include "parts_fixture.h"

enum { LONG_MIB = 40 };

/* Pushes all there is, and returns how much of it was taken. */
static uint64_t n_taken(struct fixture *f)
{
    turn(f);
    return fb_metrics_sum(f->metrics, "edge_bytes_filled_total");
}

/* Pushes MiB by MiB while they are taken, up to `end`. */
static uint64_t push_while_taken(struct fixture *f, struct fake_body *body, uint64_t at,
                                 uint64_t end)
{
    while (at < end && body->bytes.len == 0) {
        push_span(body, at, at + MIB);
        at += MIB;
        turn(f);
    }
    return at;
}

static void a_long_body_comes_no_faster_than_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, LONG_MIB * (int64_t)MIB);
    struct client client;

    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, &client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    client.stop = 1; /* waits for its first byte, and then reads no further */
    uint64_t at = push_while_taken(f, body, 0, LONG_MIB * MIB);
    assert_true(n_taken(f) <= EDGE_WRITER_AHEAD + 2 * MIB);
    while (at < LONG_MIB * MIB) {
        client_go_on(&client, client.at + MIB);
        turn(f);
        at = push_while_taken(f, body, at, LONG_MIB * MIB);
        assert_true(n_taken(f) <= client.at + EDGE_WRITER_AHEAD + 2 * MIB);
    }
    fake_body_end(body, FB_E_END);
    client_go_on(&client, UINT64_MAX);
    turn(f);
    assert_int_equal(client.end, FB_E_END);
    assert_int_equal(f->upstream.n_fetches, 1);
    client_close(f, &client);
}

static void a_long_body_that_nobody_reads_is_not_fetched_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, LONG_MIB * (int64_t)MIB);

    turn(f);
    drop_object(joiner);
    (void)push_while_taken(f, body, 0, LONG_MIB * MIB);
    assert_true(n_taken(f) <= EDGE_WRITER_AHEAD + 2 * MIB);
    expire(f, EDGE_WRITER_PATIENCE_MS);
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(f->upstream.n_bodies_open, 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), 0);
    struct edge_object *object = find(f, "a/k");
    assert_non_null(object);
    assert_true(edge_object_holds(object, 0, EDGE_WRITER_AHEAD));
    assert_false(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    edge_object_unref(object);
}

static void a_connection_is_not_kept_for_a_reader_that_dawdles(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, LONG_MIB * (int64_t)MIB);
    struct client client;
    char want[64];

    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, &client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    client.stop = 1;
    (void)push_while_taken(f, body, 0, LONG_MIB * MIB);
    for (unsigned i = 0; i < EDGE_FILL_HOLD_MS / EDGE_WRITER_PATIENCE_MS + 1; i++) {
        expire(f, EDGE_WRITER_PATIENCE_MS);
    }
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(f->upstream.n_bodies_open, 0);

    client_go_on(&client, UINT64_MAX); /* and now it reads on */
    turn(f);
    uint64_t at = client.at;
    assert_int_equal(at % MIB, 0);
    (void)snprintf(want, sizeof(want), "bytes=%llu-%llu", (unsigned long long)at,
                   (unsigned long long)LONG_MIB * MIB - 1);
    assert_sent(f, 1, "Range", want);
    body = answer_part(f, 1, STRONG, at, LONG_MIB * MIB, LONG_MIB * MIB);
    turn(f);
    (void)push_while_taken(f, body, at, LONG_MIB * MIB);
    fake_body_end(body, FB_E_END);
    turn(f);
    client_close_whole(f, &client);
}

static void a_drain_ends_a_body_that_waits_for_readers(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, LONG_MIB * (int64_t)MIB);

    turn(f);
    drop_object(joiner);
    (void)push_while_taken(f, body, 0, LONG_MIB * MIB);
    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
    assert_int_equal(edge_fill_count(f->table), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_long_body_comes_no_faster_than_it_is_read),
        FILL_TEST(a_long_body_that_nobody_reads_is_not_fetched_to_the_end),
        FILL_TEST(a_connection_is_not_kept_for_a_reader_that_dawdles),
        FILL_TEST(a_drain_ends_a_body_that_waits_for_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
