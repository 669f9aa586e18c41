#include "fill_fixture.h"

/* ---- sharing ----------------------------------------------------------- */

static void readers_of_one_key_share_one_fetch(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);

    turn(f);
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_readers"), 2);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 6);
    fake_body_push(body, FB_STR("abc"));
    turn(f);

    /* Both have it while it is still coming, and so has the index. */
    struct edge_object *object = take_object(first);
    assert_ptr_equal(take_object(second), object);
    assert_false(first->join.is_collapsed);
    assert_true(second->join.is_collapsed);
    assert_int_equal(first->join.upstream_status, 200);
    assert_body(f, object, "abc", FB_E_LATER);
    assert_true(is_stored(f, "a/k"));

    fake_body_push(body, FB_STR("def"));
    fake_body_end(body, FB_E_END);
    turn(f);
    assert_body(f, object, "abcdef", FB_E_END);
    assert_int_equal(edge_object_state(object), EDGE_OBJECT_READY);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_started_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_bytes_filled_total"), 6);
    edge_object_unref(object);
    edge_object_unref(object);
}

static void who_looked_too_early_finds_what_came_since(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 0);

    fake_body_end(body, FB_E_END);
    turn(f);
    drop_object(first);
    struct joiner *late = join(f, 1, "a/k", NULL, NULL);
    turn(f);
    drop_object(late);
    assert_true(late->join.was_stored);
    assert_false(late->join.is_collapsed);
    assert_int_equal(f->upstream.n_fetches, 1);
}

static void what_is_fetched_is_what_the_key_says(void **state)
{
    struct fixture *f = *state;

    (void)join(f, 0, "a.example:8080/v/1?x=/2", "Range: bytes=0-1", NULL);
    const struct fb_request_head *request = f->upstream.fetches[0]->request;
    assert_true(fb_str_equal(request->host, FB_STR("a.example:8080")));
    assert_true(fb_str_equal(request->target, FB_STR("/v/1?x=/2")));
    assert_true(fb_str_equal(request->path, FB_STR("/v/1")));
    assert_true(fb_str_equal(request->query, FB_STR("x=/2")));
    assert_int_equal(request->method, FB_METHOD_GET);
    assert_int_equal(request->headers.n, 0);
    fake_fail(&f->upstream, 0, FB_E_TIMEOUT);
    turn(f);
    assert_failed(&f->joiners[0], FB_E_TIMEOUT);
}

static void stored_responses_have_a_date_and_no_age(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join(f, 0, "a/k", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP "Age: 7\nConnection: x\n", 0);

    fake_body_end(body, FB_E_END);
    turn(f);
    struct edge_object *object = take_object(joiner);
    const struct edge_object_head *head = edge_object_head(object);
    assert_true(fb_str_equal(fb_headers_find(&head->headers, FB_STR("date")),
                             FB_STR("Thu, 01 Jan 2026 00:00:00 GMT")));
    assert_null(fb_headers_find(&head->headers, FB_STR("age")).ptr);
    assert_null(fb_headers_find(&head->headers, FB_STR("connection")).ptr);
    assert_int_equal(head->terms.initial_age_ms, 7000);
    edge_object_unref(object);
}

/* ---- what cannot be shared --------------------------------------------- */

static void what_may_not_be_kept_streams_to_the_first_alone(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);
    struct fake_body *body =
        fake_answer(&f->upstream, 0, 200, "Cache-Control: no-store\nSet-Cookie: a=b\n", 3);
    char text[64];

    turn(f);
    assert_outcome(second, EDGE_FILL_ALONE);
    assert_outcome(first, EDGE_FILL_PASS);
    struct edge_pass *pass = first->join.pass;
    assert_string_equal(pass->refusal, "no-store");
    assert_int_equal(pass->length, 3);
    assert_int_equal(pass->response.status, 200);
    assert_true(fb_str_equal(fb_headers_find(&pass->response.headers, FB_STR("set-cookie")),
                             FB_STR("a=b")));
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(read_text(pass->body, text), FB_E_LATER);
    fake_body_push(body, FB_STR("abc"));
    assert_int_equal(read_text(pass->body, text), FB_E_LATER);
    assert_string_equal(text, "abc");
    assert_false(is_stored(f, "a/k"));
    drop_pass(first);
}

static void such_a_key_is_remembered_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);

    (void)fake_answer(&f->upstream, 0, 200, "Cache-Control: private\n", 0);
    turn(f);
    drop_pass(first);
    struct joiner *soon = join(f, 1, "a/k", NULL, NULL);
    turn(f);
    assert_outcome(soon, EDGE_FILL_ALONE);
    assert_int_equal(f->upstream.n_fetches, 1);

    test_clock_advance_ms(&f->clock, EDGE_FILL_MEMORY_MS);
    struct joiner *later = join(f, 2, "a/k", NULL, NULL);
    assert_int_equal(f->upstream.n_fetches, 2);
    fake_fail(&f->upstream, 1, FB_E_CLOSED);
    turn(f);
    assert_failed(later, FB_E_CLOSED);
}

static void nobody_gets_what_was_meant_for_one_who_left(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);

    fb_op_cancel(&first->join.op);
    turn(f);
    assert_failed(first, FB_E_CANCELED);
    (void)fake_answer(&f->upstream, 0, 200, "Cache-Control: private\n", 0);
    turn(f);
    assert_outcome(second, EDGE_FILL_ALONE);
    assert_null(second->join.pass);
    assert_int_equal(f->upstream.n_bodies_open, 0);
}

/* Or whoever sends an Authorization, or a Via with an upstream's name in it, could
 * keep a key out of the store, or deny it to all. */
static void an_answer_to_one_request_alone_sends_the_rest_to_ask_again(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } cases[] = {{"Authorization: Bearer x", 200},
                 {"Authorization: Bearer x", 401},
                 {"Authorization: Bearer x", 500},
                 {"Via: 1.1 tier-2", 508}};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(cases); i++) {
        char key[] = {'a', '/', (char)('0' + i), '\0'};
        struct joiner *first = join(f, 0, key, cases[i].fields, NULL);
        struct joiner *second = join(f, 1, key, NULL, NULL);
        struct joiner *third = join(f, 2, key, NULL, NULL);

        (void)fake_answer(&f->upstream, 2 * i, cases[i].status, KEEP, 0);
        turn(f);
        assert_outcome(first, EDGE_FILL_PASS);
        drop_pass(first);
        assert_int_equal(f->upstream.n_fetches, 2 * i + 2);
        fake_body_end(fake_answer(&f->upstream, 2 * i + 1, 200, KEEP, 0), FB_E_END);
        turn(f);
        drop_object(second);
        drop_object(third);
        assert_true(is_stored(f, key));
    }
}

static void a_part_that_nobody_asked_for_is_no_answer(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);

    (void)fake_answer(&f->upstream, 0, 206, KEEP "Content-Range: bytes 0-4/100\n", 5);
    turn(f);
    assert_failed(first, FB_E_MALFORMED);
    assert_int_equal(first->join.upstream_status, 206);
    assert_int_equal(f->upstream.n_bodies_open, 0);
}

static void what_is_too_large_passes_by_the_store(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);

    (void)fake_answer(&f->upstream, 0, 200, KEEP "ETag: W/\"weak\"\n", LIMIT);
    turn(f);
    assert_string_equal(first->join.pass->refusal, "too large");
    drop_pass(first);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);
    turn(f);
    assert_outcome(second, EDGE_FILL_ALONE);
}

static void an_error_that_is_not_kept_does_not_hide_for_long_what_follows(void **state)
{
    struct fixture *f = *state;
    struct joiner *early = join(f, 0, "a/9.m4s", NULL, NULL);

    (void)fake_answer(&f->upstream, 0, 404, "Cache-Control: no-store\n", 0);
    turn(f);
    drop_pass(early);
    struct joiner *soon = join(f, 0, "a/9.m4s", NULL, NULL);
    turn(f);
    assert_outcome(soon, EDGE_FILL_ALONE);
    test_clock_advance_ms(&f->clock, EDGE_FILL_DOUBT_MS);
    struct joiner *first = join(f, 0, "a/9.m4s", NULL, NULL);
    struct joiner *second = join(f, 1, "a/9.m4s", NULL, NULL);
    fake_body_end(fake_answer(&f->upstream, 1, 200, KEEP, 0), FB_E_END);
    turn(f);
    drop_object(first);
    drop_object(second);
    assert_int_equal(f->upstream.n_fetches, 2);
}

static void what_turns_out_too_large_breaks_and_is_remembered(void **state)
{
    static char bytes[LIMIT / 2];
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, FB_LENGTH_UNKNOWN);

    fake_body_push(body, (struct fb_str){bytes, sizeof(bytes)});
    turn(f);
    struct edge_object *object = take_object(first);
    assert_int_equal(edge_object_state(object), EDGE_OBJECT_BROKEN);
    edge_object_unref(object);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);
    turn(f);
    assert_outcome(second, EDGE_FILL_ALONE);
}

/* ---- variants ---------------------------------------------------------- */

static void a_joiner_that_needs_another_variant_fetches_it(void **state)
{
    struct fixture *f = *state;
    struct joiner *a = join(f, 0, "a/k", "Accept: a", NULL);
    struct joiner *b = join(f, 1, "a/k", "Accept: b", NULL);
    struct joiner *b2 = join(f, 2, "a/k", "Accept: b", NULL);
    struct joiner *a2 = join(f, 3, "a/k", "Accept: a", NULL);

    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP "Vary: Accept\n", 0), FB_E_END);
    turn(f);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_true(fb_str_equal(sent(f, 1, "Accept"), FB_STR("b")));
    assert_int_equal(b->n_done, 0);
    fake_body_end(fake_answer(&f->upstream, 1, 200, KEEP "Vary: Accept\n", 0), FB_E_END);
    turn(f);
    struct edge_object *for_a = take_object(a);
    struct edge_object *for_b = take_object(b);
    assert_ptr_not_equal(for_a, for_b);
    assert_false(b->join.is_collapsed);
    assert_true(b2->join.is_collapsed);
    assert_ptr_equal(take_object(b2), for_b);
    assert_ptr_equal(take_object(a2), for_a);
    for (unsigned i = 0; i < 2; i++) {
        edge_object_unref(for_a);
        edge_object_unref(for_b);
    }
}

static void an_upstream_that_varies_by_the_wind_is_not_shared(void **state)
{
    struct fixture *f = *state;
    struct joiner *a = join(f, 0, "a/k", "Accept: a", NULL);
    struct joiner *b = join(f, 1, "a/k", "X: b", NULL);

    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP "Vary: Accept\n", 0), FB_E_END);
    turn(f);
    struct joiner *c = join(f, 2, "a/k", "X: c", NULL); /* joins b by variant */
    turn(f);
    fake_body_end(fake_answer(&f->upstream, 1, 200, KEEP "Vary: X\n", 0), FB_E_END);
    turn(f);
    unsigned n = f->upstream.n_fetches;
    for (unsigned i = 2; i < n; i++) {
        fake_body_end(fake_answer(&f->upstream, i, 200, KEEP "Vary: X\n", 0), FB_E_END);
    }
    turn(f);
    drop_object(a);
    drop_object(b);
    drop_object(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(readers_of_one_key_share_one_fetch),
        FILL_TEST(who_looked_too_early_finds_what_came_since),
        FILL_TEST(what_is_fetched_is_what_the_key_says),
        FILL_TEST(stored_responses_have_a_date_and_no_age),
        FILL_TEST(what_may_not_be_kept_streams_to_the_first_alone),
        FILL_TEST(such_a_key_is_remembered_for_a_while),
        FILL_TEST(nobody_gets_what_was_meant_for_one_who_left),
        FILL_TEST(an_answer_to_one_request_alone_sends_the_rest_to_ask_again),
        FILL_TEST(a_part_that_nobody_asked_for_is_no_answer),
        FILL_TEST(what_is_too_large_passes_by_the_store),
        FILL_TEST(an_error_that_is_not_kept_does_not_hide_for_long_what_follows),
        FILL_TEST(what_turns_out_too_large_breaks_and_is_remembered),
        FILL_TEST(a_joiner_that_needs_another_variant_fetches_it),
        FILL_TEST(an_upstream_that_varies_by_the_wind_is_not_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
