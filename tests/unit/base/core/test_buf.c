#include "base/core/buf.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_buf(const struct fb_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_string_equal(buf->ptr, text); /* so a NUL stands behind it */
}

static void zero_buffer_is_empty_and_usable(void **state)
{
    (void)state;
    struct fb_buf buf = {0};
    fb_buf_clear(&buf);
    fb_buf_consume(&buf, 0);
    fb_buf_truncate(&buf, 0);
    fb_buf_append(&buf, FB_STR_NONE);
    assert_null(buf.ptr);
    assert_int_equal(fb_buf_str(&buf).len, 0);
    fb_buf_add(&buf, 0);
    fb_buf_done(&buf);
    fb_buf_done(&buf);
}

static void what_is_appended_stands_in_order(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    fb_buf_append(&buf, FB_STR("ab"));
    fb_buf_append_byte(&buf, 'c');
    fb_buf_printf(&buf, "%d-%s", 42, "x");
    memcpy(fb_buf_reserve(&buf, 3), "yz!", 3);
    fb_buf_add(&buf, 2);
    assert_buf(&buf, "abc42-xyz");
    fb_buf_truncate(&buf, 3);
    assert_buf(&buf, "abc");
    fb_buf_clear(&buf);
    assert_buf(&buf, "");
}

static void long_print_is_whole(void **state)
{
    (void)state;
    static char text[5000];
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    memset(text, 'x', sizeof(text) - 1);
    for (size_t len = 60; len < 70; len++) {
        fb_buf_clear(&buf);
        fb_buf_printf(&buf, "%.*s", (int)len, text);
        assert_int_equal(buf.len, len);
    }
    fb_buf_printf(&buf, "%s|", text);
    assert_int_equal(buf.len, 69 + sizeof(text));
    assert_int_equal(buf.ptr[buf.len - 1], '|');
}

static void taking_moves_the_contents_out(void **state)
{
    (void)state;
    struct fb_buf buf = {0};
    fb_buf_append(&buf, FB_STR("abc"));
    fb_buf_consume(&buf, 1);
    FB_AUTO(fb_buf_done) struct fb_buf taken = fb_buf_take(&buf);
    assert_null(buf.ptr);
    assert_buf(&taken, "bc");
}

static void any_order_of_calls_keeps_the_bytes(void **state)
{
    (void)state;
    enum { TWIN_MAX = 4096, STEPS = 20000 };
    static char twin[TWIN_MAX + 64];
    size_t twin_len = 0;
    struct test_random random = test_random_new();
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    for (int step = 0; step < STEPS; step++) {
        size_t n = test_random_below(&random, 64);
        if (test_random_below(&random, 2) == 0 && twin_len + n < TWIN_MAX) {
            memset(twin + twin_len, 'a' + step % 26, n);
            fb_buf_append(&buf, (struct fb_str){twin + twin_len, n});
            twin_len += n;
        } else if (test_random_below(&random, 8) == 0) {
            twin_len -= twin_len / 4;
            fb_buf_truncate(&buf, twin_len);
        } else {
            n = FB_MIN(n, twin_len);
            memmove(twin, twin + n, twin_len - n);
            twin_len -= n;
            fb_buf_consume(&buf, n);
        }
        assert_int_equal(buf.len, twin_len);
        if (buf.ptr != NULL) {
            assert_memory_equal(buf.ptr, twin, twin_len);
            assert_int_equal(buf.ptr[buf.len], '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_buffer_is_empty_and_usable),
        cmocka_unit_test(what_is_appended_stands_in_order),
        cmocka_unit_test(long_print_is_whole),
        cmocka_unit_test(taking_moves_the_contents_out),
        cmocka_unit_test(any_order_of_calls_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
