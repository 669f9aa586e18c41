#include "serve_fixture.h"

/* ---- helpers ----------------------------------------------------------- */

/* Ends an exchange whose response has no body. */
static void finish_bare(struct fb_exchange *exchange)
{
    struct fb_exchange_outcome outcome = {.status = exchange->response.status};

    fb_reader_close(exchange->response.body);
    exchange->hooks.finished(exchange->hooks.ctx, &outcome);
    fb_arena_done(&exchange->arena);
}

/* Puts "kept" at `path`, fresh for a minute, with the tag "a". */
static void put(struct fixture *f, const char *path)
{
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, path, NULL, NULL);
    struct edge_fetch *fetch = take_fetch();
    fetch->response = (struct fb_response_head){.status = 200};
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("ETag"), FB_STR("\"a\""));
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Cache-Control"),
                   FB_STR("max-age=60"));
    fetch->length = 4;
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("kept")});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
    assert_string_equal(finish(f, &exchange), "kept");
}

static void make_stale(struct fixture *f)
{
    test_clock_advance_ms(&f->clock, 61000);
    turn(f);
}

/* Answers the oldest fetch, a HEAD, with a 200 of this tag and length. */
static void answer_head(struct fixture *f, const char *etag, int64_t length)
{
    struct edge_fetch *fetch = take_fetch();

    assert_int_equal(fetch->request->method, FB_METHOD_HEAD);
    fetch->response = (struct fb_response_head){.status = 200};
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("ETag"), fb_str_from(etag));
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Cache-Control"),
                   FB_STR("max-age=90"));
    fetch->length = length;
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("")});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
}

static void head(struct fixture *f, struct fb_exchange *exchange, const char *path)
{
    ask(f, exchange, FB_METHOD_HEAD, path, NULL, NULL);
    turn(f);
}

/* ---- HEAD -------------------------------------------------------------- */

static void a_head_that_misses_goes_on_as_one_and_keeps_nothing(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    head(f, &exchange, "/x");
    answer_head(f, "\"a\"", 8 * 1024 * 1024);
    assert_int_equal(exchange.response.status, 200);
    assert_int_equal(exchange.response.length, 8 * 1024 * 1024);
    assert_field(&exchange, "Cache-Status",
                 "box-1; fwd=uri-miss; fwd-status=200; detail=first-touch");
    finish_bare(&exchange);
    assert_false(edge_store_has(f->store, FB_STR("h/x")));
}

static void a_head_is_answered_from_what_a_get_has_kept(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "/x");
    head(f, &exchange, "/x");
    assert_int_equal(n_fetches, 0);
    assert_int_equal(exchange.response.length, 4);
    assert_null(exchange.response.body);
    finish_bare(&exchange);
}

static void a_head_takes_part_in_a_fill_that_runs(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange get;
    struct fb_exchange exchange;

    ask(f, &get, FB_METHOD_GET, "/1.m4s", NULL, NULL);
    head(f, &exchange, "/1.m4s");
    assert_int_equal(n_fetches, 1);
    answer(f, 200, NULL, NULL, "body");
    assert_int_equal(exchange.response.length, 4);
    finish_bare(&exchange);
    assert_string_equal(finish(f, &get), "body");
}

static void a_head_makes_what_is_the_same_fresh_again(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "/x");
    make_stale(f);
    head(f, &exchange, "/x");
    answer_head(f, "\"a\"", 4);
    assert_field(&exchange, "Cache-Status", "box-1; fwd=stale; fwd-status=200; detail=expired");
    finish_bare(&exchange);

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    assert_int_equal(n_fetches, 0);
    assert_string_equal(finish(f, &exchange), "kept");
}

static void a_head_of_another_version_makes_nothing_fresh(void **state)
{
    static const struct {
        const char *etag;
        int64_t length;
    } cases[] = {{"\"b\"", 4}, {"\"a\"", 5}};

    struct fixture *f = *state;
    put(f, "/x");
    make_stale(f);
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        head(f, &exchange, "/x");
        answer_head(f, cases[i].etag, cases[i].length);
        assert_field(&exchange, "ETag", cases[i].etag);
        assert_int_equal(exchange.response.length, cases[i].length);
        finish_bare(&exchange);
    }
    struct fb_exchange exchange;
    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    assert_true(fb_str_equal(
        fb_headers_find(&fetches[0]->request->headers, FB_STR("if-none-match")), FB_STR("\"a\"")));
    answer(f, 304, NULL, NULL, "");
    assert_string_equal(finish(f, &exchange), "kept");
}

/* ---- OPTIONS, TRACE ---------------------------------------------------- */

static void options_of_nothing_is_answered_here(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_OPTIONS, "*", NULL, NULL);
    assert_int_equal(exchange.response.status, 204);
    assert_true(fb_list_has(field(&exchange, "Allow"), FB_STR("GET")));
    finish_bare(&exchange);
    assert_int_equal(n_fetches, 0);
}

static void options_goes_as_far_as_it_may(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_OPTIONS, "/x", "Max-Forwards", "0");
    assert_int_equal(exchange.response.status, 204);
    finish_bare(&exchange);

    ask(f, &exchange, FB_METHOD_OPTIONS, "/x", "Max-Forwards", "10");
    assert_true(fb_str_equal(fb_headers_find(&fetches[0]->request->headers, FB_STR("max-forwards")),
                             FB_STR("9")));
    answer(f, 200, "Allow", "GET", "");
    assert_field(&exchange, "Allow", "GET");
    assert_field(&exchange, "Cache-Status", "box-1; fwd=method; fwd-status=200");
    finish_bare(&exchange);
}

static void trace_is_refused_however_far_it_may_go(void **state)
{
    static const char *const counts[] = {"0", "1", "x"};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(counts); i++) {
        struct fb_exchange exchange = {.loop = f->loop,
                                       .request = {.method = FB_METHOD_OTHER,
                                                   .method_text = FB_STR("TRACE"),
                                                   .target = FB_STR("/x"),
                                                   .path = FB_STR("/x"),
                                                   .host = FB_STR("h")}};
        fb_headers_add(&exchange.request.headers, &exchange.arena, FB_STR("Max-Forwards"),
                       fb_str_from(counts[i]));
        edge_serve_handle(f->serve, &exchange);
        assert_int_equal(exchange.response.status, 405);
        assert_false(fb_list_has(field(&exchange, "Allow"), FB_STR("TRACE")));
        finish_bare(&exchange);
        assert_int_equal(n_fetches, 0);
    }
}

/* ---- invalidation ------------------------------------------------------ */

static void success_makes_invalid_what_it_names_on_the_same_host(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        bool drops; /* h/dir/b */
    } cases[] = {{"Location", "/dir/b", true},
                 {"Location", "b", true},
                 {"Location", "../dir/b#part", true},
                 {"Location", "http://h/dir/b", true},
                 {"Location", "https://H:443/dir/b", true},
                 {"Location", "http://h:8080/dir/b", false},
                 {"Location", "//h/dir/b", true},
                 {"Content-Location", "/dir/%62", true},
                 {"Location", "http://other/dir/b", false},
                 {"Location", "//other/dir/b", false},
                 {"Location", "ftp://h/dir/b", false},
                 {"Location", "", false}};

    struct fixture *f = *state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_exchange exchange;
        if (!edge_store_has(f->store, FB_STR("h/dir/b"))) {
            put(f, "/dir/b");
        }
        ask(f, &exchange, FB_METHOD_POST, "/dir/a", NULL, NULL);
        answer(f, 201, cases[i].name, cases[i].value, "");
        finish_bare(&exchange);
        if (edge_store_has(f->store, FB_STR("h/dir/b")) == cases[i].drops) {
            fail_msg("%s: %s", cases[i].name, cases[i].value);
        }
    }
}

static void failure_makes_nothing_invalid(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "/b");
    ask(f, &exchange, FB_METHOD_PUT, "/b", NULL, NULL);
    answer(f, 409, "Location", "/b", "");
    finish_bare(&exchange);
    assert_true(edge_store_has(f->store, FB_STR("h/b")));
}

/* ---- conditions for the origin ------------------------------------------- */

static void what_holds_of_a_fresh_response_is_answered_with_it(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "/x");
    ask(f, &exchange, FB_METHOD_GET, "/x", "If-Match", "\"b\", \"a\"");
    assert_int_equal(n_fetches, 0);
    assert_string_equal(finish(f, &exchange), "kept");
}

static void what_does_not_hold_is_for_the_origin_to_tell(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "/x");
    for (int is_stale = 0; is_stale < 2; is_stale++) {
        ask(f, &exchange, FB_METHOD_GET, "/x", "If-Match", is_stale ? "\"a\"" : "\"b\"");
        assert_int_equal(fb_headers_count(&fetches[0]->request->headers, FB_STR("if-match")), 1);
        answer(f, 412, NULL, NULL, "");
        assert_int_equal(exchange.response.status, 412);
        assert_field(&exchange, "Cache-Status",
                     "box-1; fwd=bypass; fwd-status=412; detail=precondition");
        finish_bare(&exchange);
        make_stale(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_head_that_misses_goes_on_as_one_and_keeps_nothing),
        TEST(a_head_is_answered_from_what_a_get_has_kept),
        TEST(a_head_takes_part_in_a_fill_that_runs),
        TEST(a_head_makes_what_is_the_same_fresh_again),
        TEST(a_head_of_another_version_makes_nothing_fresh),
        TEST(options_of_nothing_is_answered_here),
        TEST(options_goes_as_far_as_it_may),
        TEST(trace_is_refused_however_far_it_may_go),
        TEST(success_makes_invalid_what_it_names_on_the_same_host),
        TEST(failure_makes_nothing_invalid),
        TEST(what_holds_of_a_fresh_response_is_answered_with_it),
        TEST(what_does_not_hold_is_for_the_origin_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
