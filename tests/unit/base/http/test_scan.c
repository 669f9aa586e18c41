#include "base/http/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_byte_is_judged_wherever_it_stands(void **state)
{
    char text[20];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t len = 1; len <= sizeof(text); len++) {
        for (size_t i = 0; i < len; i++) {
            for (int byte = 0; byte < 256; byte++) {
                text[i] = (char)byte;
                bool is_plain = byte > ' ' && byte < 0x7f && byte != '%' && byte != '\\';
                struct fb_str str = {text, len};
                assert_int_equal(fb_scan_plain(str, '%', '\\'), is_plain ? len : i);
            }
            text[i] = 'a';
        }
    }
    assert_int_equal(fb_scan_plain(FB_STR_NONE, '%', '\\'), 0);
}

static void the_first_of_several_is_found(void **state)
{
    (void)state;
    assert_int_equal(fb_scan_plain(FB_STR("/a%20b/c d\xff\x80#01234567"), '#', '#'), 8);
    assert_int_equal(fb_scan_plain(FB_STR("/a%20b/c d\xff\x80#01234567"), '%', '#'), 2);
    assert_int_equal(fb_scan_plain(FB_STR("01234567\xff#abcdefgh"), '#', '#'), 8);
    assert_int_equal(fb_scan_plain(FB_STR("\x7f\x20#"), '#', '#'), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_judged_wherever_it_stands),
        cmocka_unit_test(the_first_of_several_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
