#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/http1/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Decodes `text` in steps of `step` bytes; FB_E_END with what was decoded and
 * what was left, or the failure. */
static int decode(struct fb_http1_body *body, const char *text, size_t step, char *out,
                  size_t *ret_left)
{
    struct fb_str all = fb_str_from(text);
    struct fb_str piece;
    int err = FB_E_LATER;

    out[0] = '\0';
    while (err == FB_E_LATER && all.len > 0) {
        struct fb_str input = fb_str_first(all, step);
        size_t n_given = input.len;
        while ((err = fb_http1_body_next(body, &input, &piece)) == FB_OK) {
            assert_true(piece.len > 0);
            (void)strncat(out, piece.ptr, piece.len);
        }
        all = fb_str_skip(all, n_given - input.len);
        assert_true(err != FB_E_LATER || input.len == 0);
    }
    *ret_left = all.len;
    return err;
}

static void chunks_are_decoded_however_they_arrive(void **state)
{
    static const char text[] = "3\r\nabc\r\nA;name=\"v\"\r\n0123456789\r\n1 ;x\r\n!\r\n"
                               "00\r\nTrailer: t\r\nOther:\r\n\r\nnext";
    char out[100];
    size_t left = 0;
    (void)state;

    for (size_t step = 1; step <= sizeof(text); step++) {
        struct fb_http1_body body;
        fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
        assert_int_equal(decode(&body, text, step, out, &left), FB_E_END);
        assert_string_equal(out, "abc0123456789!");
        assert_int_equal(left, 4);
        assert_true(fb_http1_body_is_whole(&body));
    }
}

static void bad_chunks_are_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n",
        ";x\r\n",
        "x\r\n",
        "0x3\r\nabc\r\n",
        "-1\r\n",
        "+3\r\nabc\r\n",
        " 3\r\nabc\r\n",
        "3\nabc\r\n",
        "3\r\nabcd",
        "3\r\nabc\n",
        "3\r\nabc\r\r",
        "3\rabc",
        "3 3\r\nabc\r\n",
        "3;a\nb\r\nabc\r\n",
        "3;a\x01\r\nabc\r\n",
        "8000000000000000\r\n",
        "10000000000000003\r\nabc\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\r\n\rx",
        "0\r\n\n",
    };
    char out[100];
    size_t left = 0;
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_http1_body body;
        fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
        int err = decode(&body, bad[i], 1, out, &left);
        if (err != FB_E_MALFORMED) {
            fail_msg("result %d for:\n%s", err, bad[i]);
        }
    }
}

static void framing_bytes_have_a_limit(void **state)
{
    struct fb_http1_body body;
    static char text[FB_HTTP1_MAX_TRAILERS + 64];
    char out[100];
    size_t left = 0;
    (void)state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "1;", 2);
    text[sizeof(text) - 1] = '\0';
    fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
    assert_int_equal(decode(&body, text, 100, out, &left), FB_E_MALFORMED);
    assert_true(sizeof(text) - left < 2 * FB_HTTP1_MAX_CHUNK_LINE);

    memcpy(text, "0\r\nX:", 5);
    fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
    assert_int_equal(decode(&body, text, 100, out, &left), FB_E_MALFORMED);

    memset(text, '0', sizeof(text) - 1);
    fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
    assert_int_equal(decode(&body, text, 100, out, &left), FB_E_MALFORMED);
}

static void a_length_ends_the_content(void **state)
{
    struct fb_http1_body body;
    char out[100];
    size_t left = 0;
    (void)state;

    fb_http1_body_init(&body, FB_HTTP1_LENGTH, 5);
    assert_int_equal(decode(&body, "abcdefg", 3, out, &left), FB_E_END);
    assert_string_equal(out, "abcde");
    assert_int_equal(left, 2);
}

static void a_cut_is_told_from_an_end(void **state)
{
    struct fb_http1_body body;
    char out[100];
    size_t left = 0;
    (void)state;

    fb_http1_body_init(&body, FB_HTTP1_LENGTH, 5);
    assert_int_equal(decode(&body, "abc", 3, out, &left), FB_E_LATER);
    assert_int_equal(fb_http1_body_close(&body), FB_E_CLOSED);

    fb_http1_body_init(&body, FB_HTTP1_CHUNKED, 0);
    assert_int_equal(decode(&body, "3\r\nabc\r\n0\r\n", 3, out, &left), FB_E_LATER);
    assert_int_equal(fb_http1_body_close(&body), FB_E_CLOSED);

    fb_http1_body_init(&body, FB_HTTP1_UNTIL_CLOSE, 0);
    assert_int_equal(decode(&body, "abc", 2, out, &left), FB_E_LATER);
    assert_string_equal(out, "abc");
    assert_int_equal(fb_http1_body_close(&body), FB_E_END);

    fb_http1_body_init(&body, FB_HTTP1_EMPTY, 0);
    assert_int_equal(fb_http1_body_close(&body), FB_E_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_decoded_however_they_arrive),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(framing_bytes_have_a_limit),
        cmocka_unit_test(a_length_ends_the_content),
        cmocka_unit_test(a_cut_is_told_from_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
