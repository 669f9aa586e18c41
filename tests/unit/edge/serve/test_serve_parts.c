#include "film_fixture.h"

/* Puts an object without a byte into the store. */
static void put_empty(struct fixture *f, const char *etag, int64_t received_ms)
{
    struct fb_header fields[] = {{FB_STR("ETag"), fb_str_from(etag)}};
    struct fb_headers headers = {.items = fields, .n = 1};
    struct fb_headers none = {0};
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {
        .key = FB_STR("h/1.m4s"),
        .request = &none,
        .status = 200,
        .headers = &headers,
        .terms = {.lifetime_ms = 60000, .received_ms = received_ms, .if_error_ms = 60000},
        .length = LENGTH};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    edge_store_publish(f->store, f->loop, object);
    edge_object_unref(object);
}

static int64_t now_ms(struct fixture *f)
{
    return (int64_t)fb_clock_mono_ms(&f->clock.clock);
}

/* ---- tests ------------------------------------------------------------- */

static void a_range_is_a_miss_a_hit_and_a_partial_hit(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=1100000-1100009");
    assert_asked("bytes=1048576-2097151", "");
    answer_film(f, MIB, 2 * MIB);
    assert_int_equal(exchange.response.status, 206);
    assert_field(&exchange, "Content-Range", "bytes 1100000-1100009/2621440");
    assert_field(&exchange, "Cache-Status",
                 "box-1; fwd=uri-miss; fwd-status=206; stored; detail=first-touch");
    finish_film(f, &exchange, 1100000, 1100010);

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=1048576-2097151");
    assert_field(&exchange, "Cache-Status", "box-1; hit; ttl=31536000; detail=memory");
    finish_film(f, &exchange, MIB, 2 * MIB);

    /* What is missing comes later: the answer need not wait. */
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=2000000-2200000");
    assert_field(&exchange, "Cache-Status", "box-1; fwd=partial; detail=first-touch");
    assert_int_equal(n_fetches, 0);
    struct fb_slice slice;
    assert_int_equal(fb_reader_next(exchange.response.body, &slice), FB_OK);
    assert_int_equal(slice.bytes.len, 2 * MIB - 2000000);
    fb_slice_release(&slice);
    assert_int_equal(fb_reader_next(exchange.response.body, &slice), FB_E_LATER);
    fb_reader_close(exchange.response.body);
    exchange.response.body = NULL;
    struct fb_exchange_outcome outcome = {.result = FB_E_CLOSED, .status = 206};
    exchange.hooks.finished(exchange.hooks.ctx, &outcome);
    fb_arena_done(&exchange.arena);

    /* What is missing comes first: it does. */
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=0-2000000");
    assert_int_equal(exchange.n_responses, 0);
    assert_asked("bytes=0-1048575", "\"a\"");
    answer_film(f, 0, MIB);
    assert_field(&exchange, "Cache-Status",
                 "box-1; fwd=partial; fwd-status=206; detail=first-touch");
    finish_film(f, &exchange, 0, 2000001);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_requests_total"), 4);
}

static void the_whole_of_what_is_there_in_part_is_completed(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=0-9");
    answer_film(f, 0, MIB);
    finish_film(f, &exchange, 0, 10);
    ask(f, &exchange, FB_METHOD_HEAD, "/1.m4s", NULL, NULL);
    assert_field(&exchange, "Cache-Status", "box-1; hit; ttl=31536000; detail=memory");
    assert_int_equal(exchange.response.length, LENGTH);
    assert_null(exchange.response.body);
    exchange.response.length = 0;
    struct fb_exchange_outcome outcome = {.status = 200};
    exchange.hooks.finished(exchange.hooks.ctx, &outcome);
    fb_arena_done(&exchange.arena);
    assert_int_equal(n_fetches, 0);
}

static void a_range_past_the_end_is_416_on_a_miss_too(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=9999999-");
    answer(f, 416, "Content-Range", "bytes */1000", "");
    assert_int_equal(exchange.response.status, 416);
    assert_field(&exchange, "Content-Range", "bytes */1000");
    assert_field(&exchange, "Cache-Status",
                 "box-1; fwd=uri-miss; fwd-status=416; detail=first-touch");
    (void)finish(f, &exchange);
}

static void what_is_small_or_odd_is_fetched_whole(void **state)
{
    static const char *const cases[][3] = {{"/1.m3u8", "Range", "bytes=0-9"},
                                           {"/1.m4s", "Range", "bytes=0-9,x"},
                                           {"/1.m4s", "Range", "bytes=0-"},
                                           {"/1.m4s", "Range", "lines=0-9"},
                                           {"/1.m4s", "If-Range", "\"a\""}};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        ask(f, &exchange, FB_METHOD_GET, cases[i][0], cases[i][1], cases[i][2]);
        assert_asked("", "");
        answer(f, FB_E_UNAVAILABLE, NULL, NULL, NULL);
        (void)finish(f, &exchange);
    }
}

static void what_is_weak_and_lacks_bytes_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put_empty(f, "W/\"a\"", now_ms(f));
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    assert_asked("", "");
    assert_null(fb_headers_find(&fetches[0]->request->headers, FB_STR("if-none-match")).ptr);
    answer(f, 200, NULL, NULL, "new");
    assert_field(&exchange, "Cache-Status",
                 "box-1; fwd=partial; fwd-status=200; stored; detail=first-touch");
    assert_string_equal(finish(f, &exchange), "new");
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_requests_total"), 1);
}

static void what_lacks_bytes_does_not_stand_in(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put_empty(f, "\"a\"", now_ms(f) - 60001);
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    answer(f, FB_E_UNAVAILABLE, NULL, NULL, NULL);
    assert_int_equal(exchange.response.status, 502);
    (void)finish(f, &exchange);

    ask(f, &exchange, FB_METHOD_HEAD, "/1.m4s", NULL, NULL); /* which needs none */
    turn(f);
    answer(f, FB_E_UNAVAILABLE, NULL, NULL, NULL);
    assert_int_equal(exchange.response.status, 200);
    exchange.response.length = 0;
    struct fb_exchange_outcome outcome = {.status = 200};
    exchange.hooks.finished(exchange.hooks.ctx, &outcome);
    fb_arena_done(&exchange.arena);
}

static void an_upstream_that_fails_is_told_where_bytes_are_missing(void **state)
{
    static const struct {
        int answer;
        unsigned status;
    } cases[] = {{FB_E_TIMEOUT, 504}, {FB_E_UNAVAILABLE, 502}, {503, 503}};
    struct fixture *f = *state;

    put_empty(f, "\"a\"", now_ms(f));
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
        assert_asked("bytes=0-2621439", "\"a\"");
        answer(f, cases[i].answer, NULL, NULL, "no");
        assert_int_equal(exchange.response.status, cases[i].status);
        (void)finish(f, &exchange);
    }
}

static void a_new_object_in_place_of_what_lacked_bytes_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put_empty(f, "\"a\"", now_ms(f));
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=1-2");
    answer(f, 200, "ETag", "\"b\"", "0123");
    assert_int_equal(exchange.response.status, 206);
    assert_field(&exchange, "Content-Range", "bytes 1-2/4");
    assert_field(&exchange, "ETag", "\"b\"");
    assert_string_equal(finish(f, &exchange), "12");
}

static void a_client_that_leaves_takes_its_source_along(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put_empty(f, "\"a\"", now_ms(f));
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    answer_film(f, 0, MIB); /* less than was asked for: the rest is fetched right away */
    assert_int_equal(n_fetches, 1);
    assert_asked("bytes=1048576-2621439", "\"a\"");
    fb_reader_close(exchange.response.body);
    struct fb_exchange_outcome outcome = {.result = FB_E_CLOSED, .status = 200};
    exchange.hooks.finished(exchange.hooks.ctx, &outcome);
    fb_arena_done(&exchange.arena);
    answer_film(f, MIB, LENGTH);

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    assert_field(&exchange, "Cache-Status", "box-1; hit; ttl=60; detail=memory");
    finish_film(f, &exchange, 0, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILM_TEST(a_range_is_a_miss_a_hit_and_a_partial_hit),
        FILM_TEST(the_whole_of_what_is_there_in_part_is_completed),
        FILM_TEST(a_range_past_the_end_is_416_on_a_miss_too),
        FILM_TEST(what_is_small_or_odd_is_fetched_whole),
        FILM_TEST(what_is_weak_and_lacks_bytes_is_a_miss),
        FILM_TEST(what_lacks_bytes_does_not_stand_in),
        FILM_TEST(an_upstream_that_fails_is_told_where_bytes_are_missing),
        FILM_TEST(a_new_object_in_place_of_what_lacked_bytes_is_a_miss),
        FILM_TEST(a_client_that_leaves_takes_its_source_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
