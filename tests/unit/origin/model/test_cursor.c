#include "base/core/err.h"
#include "origin/model/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_was_written_is_read(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf place = {0};

    origin_cursor_write(&text, FB_STR("feed:1234:20"));
    assert_true(fb_str_equal(fb_buf_str(&text), FB_STR("ZmVlZDoxMjM0OjIw")));
    assert_int_equal(origin_cursor_read(fb_buf_str(&text), FB_STR("feed:"), &place), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&place), FB_STR("1234:20")));
}

static void what_is_no_cursor_of_the_list_is_refused(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf place = {0};
    char longest[ORIGIN_CURSOR_MAX + 4];

    origin_cursor_write(&text, FB_STR("feed:1"));
    assert_int_equal(origin_cursor_read(fb_buf_str(&text), FB_STR("seq:"), &place), FB_E_MALFORMED);
    assert_int_equal(origin_cursor_read(FB_STR(""), FB_STR("seq:"), &place), FB_E_MALFORMED);
    assert_int_equal(origin_cursor_read(FB_STR("no base64!"), FB_STR("seq:"), &place),
                     FB_E_MALFORMED);
    memset(longest, 'A', sizeof(longest));
    assert_int_equal(
        origin_cursor_read((struct fb_str){longest, sizeof(longest)}, FB_STR_NONE, &place),
        FB_E_MALFORMED);
    assert_int_equal(fb_buf_str(&place).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_no_cursor_of_the_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
