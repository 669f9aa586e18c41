#include "base/compress/compress.h"
#include "base/core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct fb_buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fb_buf_append_byte(buf, (char)(i / 7 % 50));
    }
}

static void what_is_compressed_comes_back(void **state)
{
    (void)state;
    for (size_t n = 0; n < 1000000; n = 3 * n + 1) {
        FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
        FB_AUTO(fb_buf_done) struct fb_buf frame = {0};
        FB_AUTO(fb_buf_done) struct fb_buf back = {0};

        fill(&plain, n);
        assert_int_equal(fb_compress(fb_buf_str(&plain), &frame), FB_OK);
        assert_true(n < 10000 || frame.len < n / 10);
        assert_int_equal(fb_decompress(fb_buf_str(&frame), n, &back), FB_OK);
        assert_true(fb_str_equal(fb_buf_str(&plain), fb_buf_str(&back)));
        if (n > 0) {
            assert_int_equal(fb_decompress(fb_buf_str(&frame), n - 1, &back), FB_E_LIMIT);
        }
    }
}

static void every_cut_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    FB_AUTO(fb_buf_done) struct fb_buf frame = {0};

    fill(&plain, 500);
    assert_int_equal(fb_compress(fb_buf_str(&plain), &frame), FB_OK);
    for (size_t len = 0; len < frame.len; len++) {
        FB_AUTO(fb_buf_done) struct fb_buf back = {0};
        assert_true(fb_decompress((struct fb_str){frame.ptr, len}, 1000, &back) < 0);
    }
    for (size_t bit = 0; bit < 8 * frame.len; bit++) {
        FB_AUTO(fb_buf_done) struct fb_buf back = {0};

        frame.ptr[bit / 8] = (char)(frame.ptr[bit / 8] ^ (1 << bit % 8));
        /* what a bit of the head changes may not change what comes out */
        if (fb_decompress(fb_buf_str(&frame), 1000, &back) == FB_OK) {
            assert_true(fb_str_equal(fb_buf_str(&plain), fb_buf_str(&back)));
        }
        frame.ptr[bit / 8] = (char)(frame.ptr[bit / 8] ^ (1 << bit % 8));
    }
}

static void nothing_may_stand_behind_the_frame(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf frames = {0};
    FB_AUTO(fb_buf_done) struct fb_buf back = {0};

    assert_int_equal(fb_compress(FB_STR("one"), &frames), FB_OK);
    assert_int_equal(fb_compress(FB_STR("two"), &frames), FB_OK);
    assert_int_equal(fb_decompress(fb_buf_str(&frames), 1000, &back), FB_E_MALFORMED);
    assert_int_equal(back.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compressed_comes_back),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_refused),
        cmocka_unit_test(nothing_may_stand_behind_the_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
