#include "base/core/err.h"
#include "base/http1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct fb_http1_parser parser;
    struct fb_arena arena;
    struct fb_http1_request request;
    struct fb_http1_response response;
    struct fb_str rest;
};

static struct fixture fixture;

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    fb_http1_parser_init(&fixture.parser, NULL);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fb_http1_parser_done(&f->parser);
    fb_arena_done(&f->arena);
    return 0;
}

static void restart(struct fixture *f, const struct fb_http1_limits *limits)
{
    fb_http1_parser_done(&f->parser);
    fb_arena_done(&f->arena);
    fb_http1_parser_init(&f->parser, limits);
}

static int request_bytes(struct fixture *f, struct fb_str bytes)
{
    restart(f, NULL);
    f->rest = bytes;
    return fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request);
}

static int request(struct fixture *f, const char *text)
{
    return request_bytes(f, fb_str_from(text));
}

static int response(struct fixture *f, enum fb_method method, const char *text)
{
    restart(f, NULL);
    f->rest = fb_str_from(text);
    return fb_http1_parse_response(&f->parser, &f->rest, method, &f->arena, &f->response);
}

static void equals(struct fb_str str, const char *text)
{
    if (!fb_str_equal(str, fb_str_from(text))) {
        fail_msg("'%.*s' is not '%s'", FB_STR_ARG(str), text);
    }
}

/* ---- requests ------------------------------------------------------------ */

static void a_request_is_read(void **state)
{
    struct fixture *f = *state;
    struct fb_request_head *head = &f->request.head;

    assert_int_equal(request(f, "GET /v/1.m4s?a=b HTTP/1.1\r\nHost: cdn.example:8080\r\n"
                                "Empty:\r\nX:  two words \t\r\n\r\nrest"),
                     FB_OK);
    assert_int_equal(head->method, FB_METHOD_GET);
    equals(head->target, "/v/1.m4s?a=b");
    equals(head->path, "/v/1.m4s");
    equals(head->query, "a=b");
    equals(head->host, "cdn.example:8080");
    assert_int_equal(head->version_minor, 1);
    assert_int_equal(head->headers.n, 3);
    equals(head->headers.items[1].name, "Empty");
    equals(head->headers.items[1].value, "");
    equals(head->headers.items[2].value, "two words");
    assert_int_equal(f->request.framing, FB_HTTP1_EMPTY);
    assert_true(f->request.keeps_alive);
    equals(f->rest, "rest");
}

static void a_request_in_pieces_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct fb_str text = FB_STR("\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");

    for (size_t n = 1; n < text.len - 3; n++) {
        restart(f, NULL);
        f->rest = fb_str_first(text, n);
        assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request),
                         FB_E_LATER);
        assert_int_equal(f->rest.len, 0);
        assert_true(fb_http1_parser_has_begun(&f->parser));
        f->rest = fb_str_skip(text, n);
        assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request),
                         FB_OK);
        equals(f->request.head.path, "/a");
        equals(f->rest, "abc");
        assert_int_equal(f->request.length, 3);
        assert_false(fb_http1_parser_has_begun(&f->parser));
    }
}

static void a_request_byte_by_byte_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct fb_str text = FB_STR("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");

    for (size_t i = 0; i < text.len; i++) {
        f->rest = fb_str_first(fb_str_skip(text, i), 1);
        assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request),
                         i + 1 == text.len ? FB_OK : FB_E_LATER);
    }
    equals(f->request.head.path, "/a");
}

static void absolute_targets_bring_their_host(void **state)
{
    struct fixture *f = *state;
    struct fb_request_head *head = &f->request.head;

    assert_int_equal(request(f, "GET http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    equals(head->host, "b.example");
    equals(head->target, "/x?y");
    equals(head->path, "/x");
    equals(fb_headers_find(&head->headers, FB_STR("host")), "b.example");
    assert_int_equal(request(f, "GET HTTP://b.example HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    equals(head->target, "/");
    assert_int_equal(request(f, "GET ftp://b.example/ HTTP/1.1\r\nHost: a\r\n\r\n"),
                     FB_E_MALFORMED);
    assert_int_equal(request(f, "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"), FB_E_MALFORMED);
    assert_int_equal(request(f, "GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n"), FB_E_MALFORMED);
    assert_int_equal(request(f, "GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n"), FB_E_MALFORMED);
}

static void keep_alive_follows_the_version(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, "GET / HTTP/1.0\r\n\r\n"), FB_OK);
    assert_false(f->request.keeps_alive);
    assert_int_equal(request(f, "GET / HTTP/1.0\r\nConnection: x, keep-alive\r\n\r\n"), FB_OK);
    assert_true(f->request.keeps_alive);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"), FB_OK);
    assert_false(f->request.keeps_alive);
}

/* Each is one that some reader somewhere takes otherwise. */
static void ambiguous_requests_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct fb_str bad[] = {
        FB_STR("GET / HTTP/1.1\nHost: a\n\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\n:\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX\t: z\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: z\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n"),
        FB_STR("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
               "Transfer-Encoding: chunked\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
               "Content-Length: 1\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
               "Transfer-Encoding: chunked\r\n\r\n"),
        FB_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"),
        FB_STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        FB_STR("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET / a HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        FB_STR("GET / http/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET /\r\n\r\n"),
        FB_STR("GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n"),
        FB_STR("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        FB_STR("\n"),
        FB_STR("\x16\x03\x01"),
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        int err = request_bytes(f, bad[i]);
        if (err != FB_E_MALFORMED || f->parser.status != 400) {
            fail_msg("result %d, status %u for:\n%.*s", err, f->parser.status, FB_STR_ARG(bad[i]));
        }
    }
}

static void other_versions_and_tunnels_are_unsupported(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FB_E_UNSUPPORTED);
    assert_int_equal(f->parser.status, 505);
    assert_int_equal(request(f, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"), FB_E_UNSUPPORTED);
    assert_int_equal(f->parser.status, 505);
    assert_int_equal(request(f, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"), FB_E_UNSUPPORTED);
    assert_int_equal(request(f, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), FB_E_UNSUPPORTED);
    assert_int_equal(f->parser.status, 501);
}

static void any_token_is_a_method(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    assert_int_equal(f->request.head.method, FB_METHOD_OTHER);
    assert_true(fb_str_equal(f->request.head.method_text, FB_STR("BREW")));
    assert_int_equal(request(f, "get / HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    assert_int_equal(f->request.head.method, FB_METHOD_OTHER);
}

static void what_is_unusual_and_clear_is_taken(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nhOsT:a\r\n\r\n"), FB_OK);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), FB_OK);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), FB_OK);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n"), FB_OK);
    assert_int_equal(request(f, "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    assert_int_equal(f->request.head.method, FB_METHOD_OTHER);
    equals(f->request.head.method_text, "PURGE");
    assert_int_equal(request(f, "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"), FB_OK);
    assert_int_equal(f->request.head.method, FB_METHOD_OTHER);
    assert_int_equal(request(f, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
                     FB_OK);
    assert_int_equal(f->request.framing, FB_HTTP1_CHUNKED);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
                                "Connection: Upgrade, HTTP2-Settings\r\n\r\n"),
                     FB_OK);
    assert_int_equal(request(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n"),
                     FB_OK);
    assert_int_equal(f->request.length, 7);
    assert_int_equal(request(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t7 \t\r\n\r\n"),
                     FB_OK);
    assert_int_equal(f->request.length, 7);
    assert_int_equal(request(f, "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~9: :\tb: \r\n\r\n"),
                     FB_OK);
    equals(f->request.head.headers.items[1].name, "!#$%&'*+-.^_`|~9");
    equals(f->request.head.headers.items[1].value, ":\tb:");
}

static void expectations_are_told_apart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n"),
                     FB_OK);
    assert_true(f->request.expects_continue && !f->request.expects_otherwise);
    assert_int_equal(request(f, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n"), FB_OK);
    assert_true(f->request.expects_otherwise);
    assert_int_equal(request(f, "PUT / HTTP/1.0\r\nExpect: x\r\n\r\n"), FB_OK);
    assert_false(f->request.expects_otherwise);
}

static void limits_hold_to_the_byte(void **state)
{
    struct fixture *f = *state;
    struct fb_str text = FB_STR("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
    struct fb_http1_limits limits = {.max_head_bytes = (uint32_t)text.len, .max_headers = 2};

    restart(f, &limits);
    f->rest = text;
    assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request), FB_OK);

    limits.max_head_bytes--;
    for (size_t cut = 0; cut < text.len; cut++) {
        restart(f, &limits);
        f->rest = fb_str_first(text, cut);
        int err = fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request);
        assert_int_equal(err, FB_E_LATER);
        f->rest = fb_str_skip(text, cut);
        err = fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request);
        assert_int_equal(err, FB_E_LIMIT);
        assert_int_equal(f->parser.status, 431);
    }

    limits = (struct fb_http1_limits){.max_head_bytes = 10, .max_headers = 2};
    restart(f, &limits);
    f->rest = text;
    assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request),
                     FB_E_LIMIT);
    assert_int_equal(f->parser.status, 414);

    limits = (struct fb_http1_limits){.max_headers = 1};
    restart(f, &limits);
    f->rest = text;
    assert_int_equal(fb_http1_parse_request(&f->parser, &f->rest, &f->arena, &f->request),
                     FB_E_LIMIT);
    assert_int_equal(f->parser.status, 431);
}

/* ---- responses ----------------------------------------------------------- */

static void a_response_is_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(response(f, FB_METHOD_GET,
                              "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n"
                              "ETag: \"a\"\r\n\r\nabcde"),
                     FB_OK);
    assert_int_equal(f->response.head.status, 206);
    assert_int_equal(f->response.framing, FB_HTTP1_LENGTH);
    assert_int_equal(f->response.length, 5);
    assert_true(f->response.keeps_alive);
    equals(f->rest, "abcde");
}

static void framing_of_responses_follows_the_rules(void **state)
{
    struct fixture *f = *state;
    static const char with_length[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    assert_int_equal(response(f, FB_METHOD_HEAD, with_length), FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_EMPTY);
    assert_true(f->response.has_length);
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"),
                     FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_EMPTY);
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/1.1 204\r\n\r\n"), FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_EMPTY);
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/1.1 100 Continue\r\n\r\n"), FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_EMPTY);
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/1.1 200 OK\r\n\r\n"), FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_UNTIL_CLOSE);
    assert_false(f->response.keeps_alive);
    assert_int_equal(
        response(f, FB_METHOD_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_CHUNKED);
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                     FB_OK);
    assert_int_equal(f->response.framing, FB_HTTP1_EMPTY);
}

static void ambiguous_responses_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        int err = response(f, FB_METHOD_GET, bad[i]);
        if (err != FB_E_MALFORMED) {
            fail_msg("result %d for:\n%s", err, bad[i]);
        }
    }
    assert_int_equal(response(f, FB_METHOD_GET, "HTTP/2.0 200 OK\r\n\r\n"), FB_E_UNSUPPORTED);
    assert_int_equal(response(f, FB_METHOD_GET, "\r\n"), FB_E_LATER);
    f->rest = FB_STR("HTTP/1.1 200 OK\r\n\r\n");
    int err = fb_http1_parse_response(&f->parser, &f->rest, FB_METHOD_GET, &f->arena, &f->response);
    assert_int_equal(err, FB_E_MALFORMED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_read),
        TEST(a_request_in_pieces_is_the_same),
        TEST(a_request_byte_by_byte_is_the_same),
        TEST(absolute_targets_bring_their_host),
        TEST(keep_alive_follows_the_version),
        TEST(ambiguous_requests_are_refused),
        TEST(other_versions_and_tunnels_are_unsupported),
        TEST(any_token_is_a_method),
        TEST(what_is_unusual_and_clear_is_taken),
        TEST(expectations_are_told_apart),
        TEST(limits_hold_to_the_byte),
        TEST(a_response_is_read),
        TEST(framing_of_responses_follows_the_rules),
        TEST(ambiguous_responses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
