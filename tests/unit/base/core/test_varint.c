#include "base/core/err.h"
#include "base/core/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void numbers_come_back_in_their_shortest_form(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t number = bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
        FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
        uint64_t back = 1;

        fb_varint_append(&buf, number);
        assert_int_equal(buf.len, bits == 0 ? 1 : (bits + 6) / 7);
        struct fb_str rest = fb_buf_str(&buf);
        assert_int_equal(fb_varint_take(&rest, &back), FB_OK);
        assert_true(back == number);
        assert_int_equal(rest.len, 0);
        for (size_t len = 0; len < buf.len; len++) {
            rest = (struct fb_str){buf.ptr, len};
            assert_int_equal(fb_varint_take(&rest, &back), FB_E_MALFORMED);
            assert_int_equal(rest.len, len);
        }
    }
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const struct fb_str bad[] = {
        {"\x80\x00", 2},                                  /* 0 in two bytes */
        {"\xff\x00", 2},                                  /* 127 in two bytes */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* beyond 64 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_str rest = bad[i];
        uint64_t number = 0;
        assert_int_equal(fb_varint_take(&rest, &number), FB_E_MALFORMED);
    }
}

static void small_numbers_of_either_sign_are_small(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, -1, 1, -2, 2, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        assert_true(fb_varint_unfold(fb_varint_fold(numbers[i])) == numbers[i]);
        assert_true(i >= 5 || fb_varint_fold(numbers[i]) == i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_in_their_shortest_form),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(small_numbers_of_either_sign_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
