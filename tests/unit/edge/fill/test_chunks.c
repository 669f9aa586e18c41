#include "parts_fixture.h"

/* ---- parts of what is kept ----------------------------------------------- */

static void what_readers_lack_is_fetched_once(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client clients[4];

    for (unsigned i = 0; i < FB_ARRAY_LEN(clients); i++) {
        client_open(f, &clients[i], object, 3 * MIB + 5 * i, 1000);
    }
    turn(f);
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_sent(f, 0, "Range", "bytes=3145728-4194303");
    give_part(f, 0, STRONG, 3 * MIB, 4 * MIB, LENGTH);
    for (unsigned i = 0; i < FB_ARRAY_LEN(clients); i++) {
        assert_int_equal(clients[i].end, FB_E_END);
        client_close(f, &clients[i]);
    }
    assert_int_equal(f->upstream.n_fetches, 1);
    edge_object_unref(object);
}

/* Fetches chunk `chunk` of `object` for a client of its own. */
static void bring(struct fixture *f, struct edge_object *object, uint64_t chunk)
{
    struct client client;

    client_open(f, &client, object, chunk * MIB, 1);
    turn(f);
    struct fake_body *body = answer_part(f, f->upstream.n_fetches - 1, STRONG, chunk * MIB,
                                         FB_MIN((chunk + 1) * MIB, LENGTH), LENGTH);
    turn(f);
    push_span(body, chunk * MIB, FB_MIN((chunk + 1) * MIB, LENGTH));
    fake_body_end(body, FB_E_END);
    turn(f);
    client_close_whole(f, &client);
}

static void only_the_gaps_are_fetched(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client client;

    bring(f, object, 2);
    bring(f, object, 10); /* the last, which is short */
    client_open(f, &client, object, 0, FB_LENGTH_UNKNOWN);
    turn(f);
    assert_sent(f, 2, "Range", "bytes=0-2097151");
    give_part(f, 2, STRONG, 0, 2 * MIB, LENGTH);
    assert_int_equal(client.at, 3 * MIB);
    assert_sent(f, 3, "Range", "bytes=3145728-10485759");
    give_part(f, 3, STRONG, 3 * MIB, 10 * MIB, LENGTH);
    assert_int_equal(client.end, FB_E_END);
    assert_int_equal(client.at, LENGTH);
    client_close(f, &client);
    edge_object_unref(object);
}

static void an_upstream_may_ignore_the_range_of_the_same_object(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client client;

    client_open(f, &client, object, 4 * MIB + 5, 10);
    turn(f);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    finish_body(f, body, 0, LENGTH);
    client_close_whole(f, &client);
    /* What came beyond it is not wasted. */
    assert_true(edge_object_holds(object, 4 * MIB, FB_LENGTH_UNKNOWN));
    assert_false(edge_object_holds(object, 3 * MIB, 1));
    edge_object_unref(object);
}

static void an_object_that_changed_cuts_its_readers_and_leaves_the_index(void **state)
{
    static const struct {
        unsigned status;
        const char *fields;
        int64_t length;
    } news[] = {{206, KEEP "ETag: \"new\"\nContent-Range: bytes 0-1048575/10485837\n", 1048576},
                {206, STRONG "Content-Range: bytes 0-1048575/10485836\n", 1048576},
                {200, KEEP "ETag: \"new\"\n", (int64_t)LENGTH},
                {200, STRONG, (int64_t)LENGTH - 1},
                {200, KEEP, (int64_t)LENGTH},
                {404, KEEP, 0},
                {410, KEEP, 0},
                {416, "Content-Range: bytes */0\n", 0}};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(news); i++) {
        struct edge_object *object = make_empty(f, STRONG);
        struct client client;
        client_open(f, &client, object, 0, 10);
        turn(f);
        (void)fake_answer(&f->upstream, i, news[i].status, news[i].fields, news[i].length);
        turn(f);
        assert_int_equal(client.end, FB_E_CONFLICT);
        client_close(f, &client);
        assert_false(is_stored(f, "a/k"));
        edge_object_unref(object);
        assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_changed_total"), i + 1);
    }
}

static void who_brought_the_new_object_keeps_it(void **state)
{
    struct fixture *f = *state;
    struct edge_object *old = make_empty(f, STRONG);
    struct client client;

    client_open(f, &client, old, 0, 10);
    turn(f);
    struct edge_object *fresh = make_empty(f, KEEP "ETag: \"new\"\n");
    (void)answer_part(f, 0, KEEP "ETag: \"new\"\n", 0, MIB, LENGTH);
    turn(f);
    assert_int_equal(client.end, FB_E_CONFLICT);
    client_close(f, &client);
    struct edge_object *found = find(f, "a/k");
    assert_ptr_equal(found, fresh);
    edge_object_unref(found);
    edge_object_unref(fresh);
    edge_object_unref(old);
}

static void parts_are_asked_for_by_date_where_that_is_strong(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, KEEP "Last-Modified: Wed, 31 Dec 2025 00:00:00 GMT\n"
                                                    "Date: Thu, 01 Jan 2026 00:00:00 GMT\n");
    struct client client;

    client_open(f, &client, object, 0, 10);
    turn(f);
    assert_sent(f, 0, "If-Range", "Wed, 31 Dec 2025 00:00:00 GMT");
    give_part(f, 0, KEEP, 0, MIB, LENGTH);
    client_close_whole(f, &client);
    edge_object_unref(object);
}

static void nothing_is_added_to_what_has_no_strong_validator(void **state)
{
    static const char *const weak[] = {KEEP, KEEP "ETag: W/\"s\"\n"};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(weak); i++) {
        struct edge_object *object = make_empty(f, weak[i]);
        struct client client;
        client_open(f, &client, object, 0, 10);
        turn(f);
        assert_int_equal(client.end, FB_E_CLOSED);
        assert_int_equal(f->upstream.n_fetches, 0);
        client_close(f, &client);
        edge_object_unref(object);
    }
}

static void a_weak_object_that_lacks_bytes_is_fetched_anew(void **state)
{
    struct fixture *f = *state;
    struct edge_object *old = make_empty(f, KEEP);
    struct joiner *joiner = &f->joiners[0];

    joiner->request = (struct fb_request_head){.method = FB_METHOD_GET};
    fb_op_init(&joiner->join.op, f->loop, on_joined);
    joiner->join.ask = (struct edge_fill_ask){.key = FB_STR("a/k"),
                                              .request = &joiner->request,
                                              .lacking = old,
                                              .upstream = &f->upstream};
    edge_fill_join(f->table, &joiner->join);
    assert_sent(f, 0, "If-None-Match", NULL);
    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP, 0), FB_E_END);
    turn(f);
    struct edge_object *fresh = take_object(joiner);
    assert_ptr_not_equal(fresh, old);
    edge_object_unref(fresh);
    edge_object_unref(old);
}

static void more_than_the_part_is_refused(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client client;

    client_open(f, &client, object, 0, 10 * (int64_t)MIB);
    turn(f);
    struct fake_body *body = answer_part(f, 0, STRONG, 0, MIB, LENGTH);
    turn(f);
    push_span(body, 0, MIB + 1);
    turn(f);
    assert_int_equal(client.end, FB_E_MALFORMED);
    client_close(f, &client);
    edge_object_unref(object);
}

/* ---- what is missing from the first byte on ------------------------------- */

/* Joiner `i` wants `range` of `object`, which lacks it. */
static struct joiner *join_missing(struct fixture *f, unsigned i, struct edge_object *object,
                                   struct fb_range_spec *range)
{
    struct joiner *joiner = &f->joiners[i];

    joiner->request = (struct fb_request_head){.method = FB_METHOD_GET};
    joiner->n_done = 0;
    fb_op_init(&joiner->join.op, f->loop, on_joined);
    joiner->join.ask = (struct edge_fill_ask){.key = FB_STR("a/k"),
                                              .request = &joiner->request,
                                              .range = range,
                                              .partial = object,
                                              .upstream = &f->upstream};
    edge_fill_join(f->table, &joiner->join);
    return joiner;
}

static void what_is_missing_is_asked_for_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct fb_range_spec range = {.first = 4 * MIB + 9, .last = 9 * MIB};

    bring(f, object, 6);
    struct joiner *first = join_missing(f, 0, object, &range);
    struct joiner *second = join_missing(f, 1, object, &range);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_sent(f, 1, "Range", "bytes=4194304-6291455");
    assert_sent(f, 1, "If-Range", "\"s\"");
    struct fake_body *body = answer_part(f, 1, STRONG, 4 * MIB, 6 * MIB, LENGTH);
    turn(f);
    assert_ptr_equal(first->join.object, object);
    assert_int_equal(first->join.upstream_status, 206);
    drop_object(first);
    drop_object(second);
    assert_true(edge_object_holds(object, 4 * MIB, 2 * (int64_t)MIB)); /* on its way */
    assert_false(edge_object_holds(object, 7 * MIB, 1));
    break_body(f, body, 4 * MIB, 5 * MIB, FB_E_CLOSED);
    assert_sent(f, 2, "Range", "bytes=5242880-6291455"); /* and it goes on like any other */
    give_part(f, 2, STRONG, 5 * MIB, 6 * MIB, LENGTH);
    assert_true(edge_object_holds(object, 4 * MIB, 3 * (int64_t)MIB));
    edge_object_unref(object);
}

static void a_new_object_takes_the_place_of_one_that_lacks_bytes(void **state)
{
    static const struct {
        unsigned status;
        const char *fields;
        int64_t length;
    } news[] = {{200, KEEP "ETag: \"new\"\n", 10},
                {206, KEEP "ETag: \"new\"\nContent-Range: bytes 0-1048575/1048576\n", 1048576},
                {404, KEEP, 10}};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(news); i++) {
        struct edge_object *old = make_empty(f, STRONG);
        struct fb_range_spec range = {.first = 5, .last = 7};
        struct joiner *joiner = join_missing(f, 0, old, &range);
        struct fake_body *body =
            fake_answer(&f->upstream, i, news[i].status, news[i].fields, news[i].length);
        finish_body(f, body, 0, (uint64_t)news[i].length);
        struct edge_object *fresh = take_object(joiner);
        assert_ptr_not_equal(fresh, old);
        assert_int_equal(edge_object_length(fresh), news[i].length);
        assert_true(edge_object_holds(fresh, 0, FB_LENGTH_UNKNOWN));
        struct edge_object *found = find(f, "a/k");
        assert_ptr_equal(found, fresh);
        edge_object_unref(found);
        edge_object_unref(fresh);
        edge_object_unref(old);
        assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_changed_total"), i + 1);
    }
}

static void an_object_that_shrank_is_told_by_its_end(void **state)
{
    struct fixture *f = *state;
    struct edge_object *old = make_empty(f, STRONG);
    struct fb_range_spec range = {.first = 5 * MIB, .last = 5 * MIB + 7};
    struct joiner *joiner = join_missing(f, 0, old, &range);

    (void)fake_answer(&f->upstream, 0, 416, "Content-Range: bytes */100\n", 0);
    turn(f);
    assert_outcome(joiner, EDGE_FILL_PAST_END);
    assert_int_equal(joiner->join.length, 100);
    assert_false(is_stored(f, "a/k"));
    edge_object_unref(old);
}

static void an_upstream_that_fails_is_told_and_the_rest_is_kept(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct fb_range_spec range = {.last = 7};
    struct joiner *joiner = join_missing(f, 0, object, &range);

    fake_fail(&f->upstream, 0, FB_E_TIMEOUT);
    turn(f);
    assert_failed(joiner, FB_E_TIMEOUT);
    joiner = join_missing(f, 0, object, &range);
    (void)fake_answer(&f->upstream, 1, 503, "", 0);
    turn(f);
    assert_int_equal(joiner->join.pass->response.status, 503);
    drop_pass(joiner);
    assert_true(is_stored(f, "a/k"));
    edge_object_unref(object);
}

static void a_part_that_does_not_fit_makes_the_same_object_be_fetched_whole(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct fb_range_spec range = {.first = 2 * MIB, .last = 2 * MIB + 7};
    struct joiner *joiner = join_missing(f, 0, object, &range);

    (void)answer_part(f, 0, STRONG, 0, MIB, LENGTH);
    turn(f);
    assert_sent(f, 1, "Range", NULL);
    assert_sent(f, 1, "If-Range", NULL);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    assert_ptr_equal(joiner->join.object, object);
    drop_object(joiner);
    finish_body(f, body, 0, LENGTH);
    assert_true(edge_object_holds(object, 2 * MIB, FB_LENGTH_UNKNOWN));
    edge_object_unref(object);
}

static void who_finds_it_brought_meanwhile_asks_nobody(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct fb_range_spec range = {.first = 3 * MIB, .last = 3 * MIB + 7};

    bring(f, object, 3);
    struct joiner *joiner = join_missing(f, 0, object, &range);
    turn(f);
    assert_ptr_equal(joiner->join.object, object);
    drop_object(joiner);
    assert_int_equal(f->upstream.n_fetches, 1);

    range = (struct fb_range_spec){.first = 5 * MIB, .last = 5 * MIB + 7};
    joiner = join_missing(f, 0, object, &range);
    struct client client;
    client_open(f, &client, object, 5 * MIB, 1); /* nobody knows of the other yet */
    turn(f);
    (void)answer_part(f, 2, STRONG, 5 * MIB, 6 * MIB, LENGTH);
    turn(f);
    (void)answer_part(f, 1, STRONG, 5 * MIB, 6 * MIB, LENGTH);
    turn(f);
    drop_object(joiner);
    assert_int_equal(edge_fill_count(f->table), 1);
    client_close(f, &client);
    edge_object_unref(object);
    drain(f);
}

/* ---- leaving ----------------------------------------------------------- */

static void no_part_is_fetched_on_a_loop_that_drains(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client early;
    struct client late;

    client_open(f, &early, object, 0, 10);
    turn(f);
    assert_int_equal(edge_fill_count(f->table), 1);
    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
    assert_int_equal(f->upstream.n_canceled, 1);
    assert_int_equal(early.end, FB_E_CANCELED);
    client_open(f, &late, object, 0, 10);
    turn(f);
    assert_int_equal(late.end, FB_E_CANCELED);
    client_close(f, &early);
    client_close(f, &late);
    edge_object_unref(object);
}

static void the_limit_of_fills_does_not_cut_readers(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client client;

    for (unsigned i = 0; i < MAX_FILLS; i++) {
        char key[] = {'b', '/', (char)('0' + i), '\0'};
        (void)join(f, i, key, NULL, NULL);
    }
    client_open(f, &client, object, 0, 10);
    turn(f);
    assert_int_equal(f->upstream.n_fetches, MAX_FILLS + 1);
    give_part(f, MAX_FILLS, STRONG, 0, MIB, LENGTH);
    client_close_whole(f, &client);
    for (unsigned i = 0; i < MAX_FILLS; i++) {
        fake_fail(&f->upstream, i, FB_E_UNAVAILABLE);
    }
    turn(f);
    edge_object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(what_readers_lack_is_fetched_once),
        FILL_TEST(only_the_gaps_are_fetched),
        FILL_TEST(an_upstream_may_ignore_the_range_of_the_same_object),
        FILL_TEST(an_object_that_changed_cuts_its_readers_and_leaves_the_index),
        FILL_TEST(who_brought_the_new_object_keeps_it),
        FILL_TEST(parts_are_asked_for_by_date_where_that_is_strong),
        FILL_TEST(nothing_is_added_to_what_has_no_strong_validator),
        FILL_TEST(a_weak_object_that_lacks_bytes_is_fetched_anew),
        FILL_TEST(more_than_the_part_is_refused),
        FILL_TEST(what_is_missing_is_asked_for_before_the_answer),
        FILL_TEST(a_new_object_takes_the_place_of_one_that_lacks_bytes),
        FILL_TEST(an_object_that_shrank_is_told_by_its_end),
        FILL_TEST(an_upstream_that_fails_is_told_and_the_rest_is_kept),
        FILL_TEST(a_part_that_does_not_fit_makes_the_same_object_be_fetched_whole),
        FILL_TEST(who_finds_it_brought_meanwhile_asks_nobody),
        FILL_TEST(no_part_is_fetched_on_a_loop_that_drains),
        FILL_TEST(the_limit_of_fills_does_not_cut_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
