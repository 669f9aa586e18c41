#include "base/http1/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void a_response_has_one_framing_whatever_it_is_given(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    static const struct fb_header headers[] = {
        {FB_STR("ETag"), FB_STR("\"a\"")},
        {FB_STR("content-length"), FB_STR("99")},
        {FB_STR("Transfer-Encoding"), FB_STR("chunked")},
        {FB_STR("Connection"), FB_STR("upgrade")},
        {FB_STR("Keep-Alive"), FB_STR("timeout=5")},
        {FB_STR("TE"), FB_STR("trailers")},
    };
    struct fb_http1_response_out response = {
        .status = 200,
        .headers = headers,
        .n_headers = FB_ARRAY_LEN(headers),
        .extra = FB_STR("Date: x\r\n"),
        .framing = FB_HTTP1_LENGTH,
        .length = 18446744073709551615U,
        .closes = true,
    };
    (void)state;

    fb_http1_write_response(&buf, &response);
    assert_string_equal(buf.ptr, "HTTP/1.1 200 OK\r\nDate: x\r\nETag: \"a\"\r\n"
                                 "Content-Length: 18446744073709551615\r\n"
                                 "Connection: close\r\n\r\n");
}

static void no_value_can_forge_a_line(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    static const struct fb_header headers[] = {
        {FB_STR("A"), FB_STR("b\r\nEvil: c")},
        {FB_STR("A"), FB_STR("b\nc")},
        {FB_STR("A"), FB_STR("b\0c")},
        {FB_STR("A: x\r\nEvil"), FB_STR("c")},
        {FB_STR(""), FB_STR("c")},
        {FB_STR("Good"), FB_STR("caf\xc3\xa9\t!")},
    };
    struct fb_http1_response_out response = {
        .status = 599, .headers = headers, .n_headers = FB_ARRAY_LEN(headers)};
    (void)state;

    fb_http1_write_response(&buf, &response);
    assert_string_equal(buf.ptr, "HTTP/1.1 599 \r\nGood: caf\xc3\xa9\t!\r\n\r\n");
}

static void lines_stand_for_the_first_fields(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    static const struct fb_header headers[] = {{FB_STR("A"), FB_STR("never looked at")},
                                               {FB_STR("B"), FB_STR("likewise")},
                                               {FB_STR("Age"), FB_STR("1")},
                                               {FB_STR("Connection"), FB_STR("close")}};
    struct fb_http1_response_out response = {
        .status = 204,
        .headers = headers,
        .n_headers = FB_ARRAY_LEN(headers),
        .n_checked = 3,
        .lines = FB_STR("A: b\r\nB: c\r\n"),
        .n_lines = 2,
        .extra = FB_STR("Date: now\r\n"),
    };
    (void)state;

    fb_http1_write_response(&buf, &response);
    assert_string_equal(buf.ptr, "HTTP/1.1 204 No Content\r\nDate: now\r\n"
                                 "A: b\r\nB: c\r\nAge: 1\r\n\r\n");
}

static void a_request_is_written(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    static const struct fb_header headers[] = {{FB_STR("Range"), FB_STR("bytes=0-1")},
                                               {FB_STR("host"), FB_STR("evil")}};
    struct fb_http1_request_out request = {
        .method = FB_STR("PUT"),
        .target = FB_STR("/a?b"),
        .host = FB_STR("up.example:81"),
        .headers = headers,
        .n_headers = FB_ARRAY_LEN(headers),
        .framing = FB_HTTP1_CHUNKED,
    };
    (void)state;

    fb_http1_write_request(&buf, &request);
    assert_string_equal(buf.ptr, "PUT /a?b HTTP/1.1\r\nHost: up.example:81\r\n"
                                 "Range: bytes=0-1\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void chunks_are_framed(void **state)
{
    char text[FB_HTTP1_CHUNK_HEAD_MAX];
    (void)state;

    assert_true(fb_str_equal(fb_http1_chunk_head(text, 1), FB_STR("1\r\n")));
    assert_true(fb_str_equal(fb_http1_chunk_head(text, 255), FB_STR("ff\r\n")));
    assert_true(
        fb_str_equal(fb_http1_chunk_head(text, UINT64_MAX), FB_STR("ffffffffffffffff\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_has_one_framing_whatever_it_is_given),
        cmocka_unit_test(no_value_can_forge_a_line),
        cmocka_unit_test(lines_stand_for_the_first_fields),
        cmocka_unit_test(a_request_is_written),
        cmocka_unit_test(chunks_are_framed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
