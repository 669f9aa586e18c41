#include "serve_fixture.h"

/* ---- tests ------------------------------------------------------------- */

static void a_miss_is_kept_and_the_next_is_a_hit(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange first;
    struct fb_exchange second;

    ask(f, &first, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    answer(f, 200, "ETag", "\"a\"", "body");
    assert_field(&first, "Cache-Status",
                 "box-1; fwd=uri-miss; fwd-status=200; stored; detail=first-touch");
    assert_string_equal(finish(f, &first), "body");

    test_clock_advance_ms(&f->clock, 5000);
    turn(f);
    ask(f, &second, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    assert_field(&second, "Age", "5");
    assert_field(&second, "Cache-Status", "box-1; hit; ttl=31535995; detail=memory");
    assert_string_equal(finish(f, &second), "body");
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_requests_total"), 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_bytes_served_total"), 8);
}

static void each_failure_has_its_status(void **state)
{
    static const struct {
        int err;
        unsigned status;
        const char *cause;
    } cases[] = {{FB_E_TIMEOUT, 504, "detail=timeout"},
                 {FB_E_UNAVAILABLE, 502, "detail=unreachable"},
                 {FB_E_MALFORMED, 502, "detail=malformed"},
                 {FB_E_CLOSED, 502, "detail=unreachable"}};

    struct fixture *f = *state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        for (int is_shared = 0; is_shared < 2; is_shared++) {
            struct fb_exchange exchange;
            ask(f, &exchange, is_shared ? FB_METHOD_GET : FB_METHOD_OPTIONS, "/x", NULL, NULL);
            answer(f, cases[i].err, NULL, NULL, NULL);
            assert_int_equal(exchange.response.status, cases[i].status);
            assert_field(&exchange, "Content-Type", "application/problem+json");
            assert_field(&exchange, "Access-Control-Allow-Origin", "*");
            struct fb_str said = field(&exchange, "Cache-Status");
            assert_true(fb_str_ends_with(said, fb_str_from(cases[i].cause)));
            (void)finish(f, &exchange);
        }
    }
}

static void too_many_fills_are_503(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchanges[3];

    ask(f, &exchanges[0], FB_METHOD_GET, "/0.m4s", NULL, NULL);
    ask(f, &exchanges[1], FB_METHOD_GET, "/1.m4s", NULL, NULL);
    ask(f, &exchanges[2], FB_METHOD_GET, "/2.m4s", NULL, NULL);
    turn(f);
    assert_int_equal(exchanges[2].response.status, 503);
    assert_field(&exchanges[2], "Retry-After", "1");
    (void)finish(f, &exchanges[2]);
    answer(f, 200, NULL, NULL, "0");
    answer(f, 200, NULL, NULL, "1");
    assert_string_equal(finish(f, &exchanges[0]), "0");
    assert_string_equal(finish(f, &exchanges[1]), "1");
}

static void a_client_that_leaves_is_still_answered_once(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange shared;
    struct fb_exchange alone;

    ask(f, &shared, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    shared.hooks.aborted(shared.hooks.ctx);
    turn(f);
    (void)finish(f, &shared);

    ask(f, &alone, FB_METHOD_DELETE, "/1.m4s", NULL, NULL);
    unsigned before = n_canceled;
    alone.hooks.aborted(alone.hooks.ctx);
    turn(f);
    assert_int_equal(n_canceled, before + 1);
    (void)finish(f, &alone);
    while (n_fetches > 0) {
        answer(f, 200, NULL, NULL, "x"); /* a fill may go on without anybody */
    }
}

static void an_answer_that_was_on_its_way_outlives_the_client(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_OPTIONS, "/x", NULL, NULL);
    struct edge_fetch *fetch = fetches[0];
    n_fetches = 0;
    fetch->response = (struct fb_response_head){.status = 204};
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("never read")});
    fb_op_finish(&fetch->op, FB_OK);
    exchange.hooks.aborted(exchange.hooks.ctx); /* after the outcome, before its turn */
    turn(f);
    assert_int_equal(exchange.response.status, 204);
    (void)finish(f, &exchange);
}

static void only_success_of_an_unsafe_method_drops_what_is_kept(void **state)
{
    static const struct {
        enum fb_method method;
        int status;
        bool drops;
    } cases[] = {{FB_METHOD_POST, 500, false},    {FB_METHOD_POST, 404, false},
                 {FB_METHOD_OPTIONS, 200, false}, {FB_METHOD_POST, 303, true},
                 {FB_METHOD_DELETE, 204, true},   {FB_METHOD_PUT, 200, true}};

    struct fixture *f = *state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
        if (n_fetches > 0) {
            answer(f, 200, NULL, NULL, "kept");
        }
        (void)finish(f, &exchange);
        ask(f, &exchange, cases[i].method, "/1.m4s", NULL, NULL);
        answer(f, cases[i].status, NULL, NULL, "");
        (void)finish(f, &exchange);
        assert_int_equal(edge_store_has(f->store, FB_STR("h/1.m4s")), !cases[i].drops);
    }
}

static void content_is_lent_not_given(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange = {.loop = f->loop,
                                   .request = {.method = FB_METHOD_POST,
                                               .method_text = FB_STR("POST"),
                                               .target = FB_STR("/x"),
                                               .path = FB_STR("/x"),
                                               .host = FB_STR("h")},
                                   .content = FB_STR("content")};
    struct fb_slice slice;

    edge_serve_handle(f->serve, &exchange);
    assert_int_equal(fetches[0]->request_length, 7);
    assert_int_equal(fb_reader_next(fetches[0]->request_body, &slice), FB_OK);
    assert_memory_equal(slice.bytes.ptr, "content", 7);
    fb_slice_release(&slice);
    answer(f, 201, NULL, NULL, "made"); /* closes what it was lent */
    assert_int_equal(fb_reader_next(exchange.content_reader, &slice), FB_E_END);
    assert_string_equal(finish(f, &exchange), "made");
}

static void a_range_of_what_is_not_kept_is_fetched_alone(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/x", "Range", "bytes=1-2");
    assert_true(fb_str_equal(fb_headers_find(&fetches[0]->request->headers, FB_STR("range")),
                             FB_STR("bytes=0-1048575")));
    answer(f, 200, "Cache-Control", "private", "0123");
    assert_int_equal(n_fetches, 1);
    assert_int_equal(fb_headers_find(&fetches[0]->request->headers, FB_STR("range")).len, 9);
    answer(f, 206, "Content-Range", "bytes 1-2/4", "12");
    assert_int_equal(exchange.response.status, 206);
    assert_field(&exchange, "Cache-Status", "box-1; fwd=bypass; fwd-status=206; detail=private");
    assert_string_equal(finish(f, &exchange), "12");
}

static void what_has_no_key_is_refused(void **state)
{
    static const struct {
        enum fb_method method;
        const char *path;
        const char *via;
        unsigned status;
    } cases[] = {{FB_METHOD_GET, "/%zz", "1.1 other", 400},
                 {FB_METHOD_GET, "/../x", "1.1 other", 400},
                 {FB_METHOD_POST, "/a%00", "1.1 other", 400},
                 {FB_METHOD_OTHER, "/x", "1.1 other", 501},
                 {FB_METHOD_GET, "/x", "1.1 other, 1.1 box-1", 508}};

    struct fixture *f = *state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange = {.loop = f->loop};
        exchange.request = (struct fb_request_head){.method = cases[i].method,
                                                    .method_text = FB_STR("X"),
                                                    .target = fb_str_from(cases[i].path),
                                                    .path = fb_str_from(cases[i].path),
                                                    .host = FB_STR("h")};
        fb_headers_add(&exchange.request.headers, &exchange.arena, FB_STR("via"),
                       fb_str_from(cases[i].via));
        edge_serve_handle(f->serve, &exchange);
        assert_int_equal(exchange.response.status, cases[i].status);
        assert_int_equal(n_fetches, 0);
        (void)finish(f, &exchange);
    }
}

static void upstream_is_asked_for_the_spelling_that_is_kept(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/a/%7e/../%62.m4s", NULL, NULL);
    struct fb_str target = fetches[0]->request->target;
    assert_int_equal(target.len, 8);
    assert_memory_equal(target.ptr, "/a/b.m4s", 8);
    answer(f, 200, NULL, NULL, "x");
    (void)finish(f, &exchange);
    assert_true(edge_store_has(f->store, FB_STR("h/a/b.m4s")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_miss_is_kept_and_the_next_is_a_hit),
        TEST(each_failure_has_its_status),
        TEST(too_many_fills_are_503),
        TEST(a_client_that_leaves_is_still_answered_once),
        TEST(an_answer_that_was_on_its_way_outlives_the_client),
        TEST(only_success_of_an_unsafe_method_drops_what_is_kept),
        TEST(content_is_lent_not_given),
        TEST(a_range_of_what_is_not_kept_is_fetched_alone),
        TEST(what_has_no_key_is_refused),
        TEST(upstream_is_asked_for_the_spelling_that_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
