#include "base/loop/work.h"
#include "base/server/router.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define REQUEST(method, path) method " " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct fixture {
    struct wire wire;
    struct fb_router *router;
    struct fb_pool *pool;
    const char *last; /* which route ran */
    struct fb_buf param;
};

static void respond_empty(struct fb_exchange *exchange)
{
    struct fb_response response = {.status = 204};
    fb_exchange_respond(exchange, &response);
}

static void note(struct fixture *f, struct fb_exchange *exchange, const char *route,
                 const char *param)
{
    struct fb_str value = fb_exchange_param(exchange, param);

    f->last = route;
    fb_buf_clear(&f->param);
    fb_buf_append(&f->param, value);
    respond_empty(exchange);
}

static void on_list(void *ctx, struct fb_exchange *exchange)
{
    note(ctx, exchange, "list", "id");
}

static void on_one(void *ctx, struct fb_exchange *exchange)
{
    note(ctx, exchange, "one", "id");
}

static void on_new(void *ctx, struct fb_exchange *exchange)
{
    note(ctx, exchange, "new", "id");
}

static void on_rest(void *ctx, struct fb_exchange *exchange)
{
    note(ctx, exchange, "rest", "file");
}

/* On the pool: echoes the parameter and the content. */
static void on_call(void *ctx, struct fb_call *call)
{
    (void)ctx;
    call->status = 201;
    fb_headers_add(&call->headers, call->arena, FB_STR("X-Id"), fb_call_param(call, "id"));
    fb_buf_append(&call->content, call->body);
}

static void on_problem(void *ctx, struct fb_call *call)
{
    (void)ctx;
    fb_buf_append(&call->content, FB_STR("half an answer"));
    fb_call_problem(call, 409, "taken", "the name '%s' is taken", "a\"b");
}

static const struct fb_route routes[] = {
    {.method = FB_METHOD_GET, .pattern = "/videos", .handle = on_list},
    {.method = FB_METHOD_GET, .pattern = "/videos/{id}", .handle = on_one},
    {.method = FB_METHOD_GET, .pattern = "/videos/new", .handle = on_new},
    {.method = FB_METHOD_POST, .pattern = "/videos/{id}", .call = on_call, .max_body_bytes = 10},
    {.method = FB_METHOD_GET, .pattern = "/assets/{file...}", .handle = on_rest},
    {.method = FB_METHOD_PUT, .pattern = "/problem", .call = on_problem},
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    assert_int_equal(fb_pool_new("test", 1, 4, &f->pool), FB_OK);
    f->router = fb_router_new(routes, FB_ARRAY_LEN(routes), f->pool, f);
    struct fb_server_options options = {
        .name = "test", .handle = fb_router_handle, .ctx = f->router};
    wire_init(&f->wire, &options);
    wire_connect(&f->wire);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wire_done(&f->wire), 0);
    fb_router_free(f->router);
    fb_pool_free(f->pool);
    fb_buf_done(&f->param);
    fb_free(f);
    return 0;
}

static void goes_to(struct fixture *f, const char *request, const char *route, const char *param)
{
    f->last = "none";
    fb_buf_clear(&f->wire.received);
    wire_send(&f->wire, request);
    assert_string_equal(f->last, route);
    assert_true(fb_str_equal(fb_buf_str(&f->param), fb_str_from(param)));
}

/* Turns until `text` has come; the pool decides when. */
static void await(struct fixture *f, const char *text)
{
    for (int i = 0; i < 1000 && !wire_has(&f->wire, text); i++) {
        fb_loop_turn_waiting(f->wire.loop);
        wire_receive(&f->wire);
    }
    if (!wire_has(&f->wire, text)) {
        fail_msg("'%s' is not in:\n%s", text, f->wire.received.len > 0 ? f->wire.received.ptr : "");
    }
}

static void paths_find_their_handlers(void **state)
{
    struct fixture *f = *state;

    goes_to(f, REQUEST("GET", "/videos"), "list", "");
    goes_to(f, REQUEST("GET", "/videos?x=/y"), "list", "");
    goes_to(f, REQUEST("GET", "/videos/7"), "one", "7");
    goes_to(f, REQUEST("GET", "/videos/a%20b%2fc"), "one", "a b/c");
    goes_to(f, REQUEST("GET", "/videos/new"), "new", "");
    goes_to(f, REQUEST("HEAD", "/videos/7"), "one", "7");
    goes_to(f, REQUEST("GET", "/assets/a/b%20c"), "rest", "a/b%20c");
}

static void other_paths_are_not_found(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        REQUEST("GET", "/"),          REQUEST("GET", "/videos/"), REQUEST("GET", "/videos/7/x"),
        REQUEST("GET", "/assets/"),   REQUEST("GET", "/assets"),  REQUEST("GET", "/Videos"),
        REQUEST("POST", "//videos/7")};

    for (size_t i = 0; i < FB_ARRAY_LEN(requests); i++) {
        fb_buf_clear(&f->wire.received);
        wire_send(&f->wire, requests[i]);
        assert_true(wire_has(&f->wire, "HTTP/1.1 404 "));
    }
}

static void another_method_gets_405_with_allow(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, REQUEST("DELETE", "/videos/7"));
    assert_true(wire_has(&f->wire, "HTTP/1.1 405 "));
    assert_true(wire_has(&f->wire, "Allow: GET, HEAD, POST, OPTIONS\r\n"));
    assert_true(wire_has(&f->wire, "application/problem+json"));
}

static void a_method_that_nobody_knows_gets_501(void **state)
{
    static const char *const requests[] = {REQUEST("BREW", "/videos/7"), REQUEST("get", "/none"),
                                           REQUEST("PROPFIND", "/videos/7")};
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(requests); i++) {
        fb_buf_clear(&f->wire.received);
        wire_send(&f->wire, requests[i]);
        assert_true(wire_has(&f->wire, "HTTP/1.1 501 "));
    }
}

static void options_are_answered(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, REQUEST("OPTIONS", "/problem"));
    assert_true(wire_has(&f->wire, "HTTP/1.1 204 "));
    assert_true(wire_has(&f->wire, "Allow: PUT, OPTIONS\r\n"));
    wire_send(&f->wire, REQUEST("OPTIONS", "*"));
    assert_int_equal(wire_count(&f->wire, "HTTP/1.1 204 "), 2);
}

static void a_bad_escape_gets_400(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, REQUEST("GET", "/videos/%zz"));
    assert_true(wire_has(&f->wire, "HTTP/1.1 400 "));
}

static void a_blocking_handler_gets_the_content(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /videos/9 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    wire_send(&f->wire, "cde");
    await(f, "\r\n\r\nabcde");
    assert_true(wire_has(&f->wire, "HTTP/1.1 201 Created\r\n"));
    assert_true(wire_has(&f->wire, "X-Id: 9\r\n"));
}

static void content_over_the_routes_limit_gets_413(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "POST /videos/9 HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    assert_true(wire_has(&f->wire, "HTTP/1.1 413 "));
    wire_hang_up(&f->wire);
    wire_connect(&f->wire);
    wire_send(&f->wire, "POST /videos/9 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n");
    assert_true(wire_has(&f->wire, "HTTP/1.1 413 "));
    assert_int_equal(f->wire.end, FB_E_END);
}

static void a_problem_replaces_the_answer(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, REQUEST("PUT", "/problem"));
    await(f, "HTTP/1.1 409 Conflict\r\n");
    await(f, "{\"type\":\"/problems/taken\",\"title\":\"Conflict\",\"status\":409,"
             "\"detail\":\"The name 'a\\\"b' is taken.\"}");
    assert_false(wire_has(&f->wire, "half"));
}

static void a_client_that_leaves_during_a_call_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, REQUEST("PUT", "/problem"));
    fb_stream_reset(f->wire.client);
    f->wire.client = NULL;
    for (int i = 0; i < 1000 && fb_server_connections(f->wire.server) > 0; i++) {
        fb_loop_turn_waiting(f->wire.loop);
    }
    assert_int_equal(fb_server_connections(f->wire.server), 0);
}

static void query_parameters_are_decoded(void **state)
{
    struct fb_arena arena = {0};
    struct fb_str query = FB_STR("a=1&b=x+y%26z&&c&%64=4&a=2&e=%zz");
    (void)state;

    assert_true(fb_str_equal(fb_query_param(query, &arena, FB_STR("a")), FB_STR("1")));
    assert_true(fb_str_equal(fb_query_param(query, &arena, FB_STR("b")), FB_STR("x y&z")));
    assert_true(fb_query_param(query, &arena, FB_STR("c")).ptr != NULL);
    assert_int_equal(fb_query_param(query, &arena, FB_STR("c")).len, 0);
    assert_true(fb_str_equal(fb_query_param(query, &arena, FB_STR("d")), FB_STR("4")));
    assert_true(fb_str_equal(fb_query_param(query, &arena, FB_STR("e")), FB_STR("%zz")));
    assert_null(fb_query_param(query, &arena, FB_STR("f")).ptr);
    assert_null(fb_query_param(FB_STR_NONE, &arena, FB_STR("a")).ptr);
    fb_arena_done(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(paths_find_their_handlers),
        TEST(other_paths_are_not_found),
        TEST(another_method_gets_405_with_allow),
        TEST(a_method_that_nobody_knows_gets_501),
        TEST(options_are_answered),
        TEST(a_bad_escape_gets_400),
        TEST(a_blocking_handler_gets_the_content),
        TEST(content_over_the_routes_limit_gets_413),
        TEST(a_problem_replaces_the_answer),
        TEST(a_client_that_leaves_during_a_call_leaves_nothing),
        cmocka_unit_test(query_parameters_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
