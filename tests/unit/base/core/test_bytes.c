#include "base/core/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void numbers_lie_with_their_lowest_byte_first(void **state)
{
    (void)state;
    char bytes[15] = {0};
    fb_put_u16(bytes + 1, 0x0201);
    fb_put_u32(bytes + 3, 0x06050403);
    fb_put_u64(bytes + 7, 0x0e0d0c0b0a090807);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(bytes[i], i);
    }
    assert_int_equal(fb_get_u16(bytes + 1), 0x0201);
    assert_int_equal(fb_get_u32(bytes + 3), 0x06050403);
    assert_int_equal(fb_get_u64(bytes + 7), 0x0e0d0c0b0a090807);
}

static void the_greatest_numbers_come_back(void **state)
{
    (void)state;
    char bytes[8];
    fb_put_u16(bytes, UINT16_MAX);
    assert_int_equal(fb_get_u16(bytes), UINT16_MAX);
    fb_put_u32(bytes, UINT32_MAX);
    assert_int_equal(fb_get_u32(bytes), UINT32_MAX);
    fb_put_u64(bytes, UINT64_MAX);
    assert_true(fb_get_u64(bytes) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_lie_with_their_lowest_byte_first),
        cmocka_unit_test(the_greatest_numbers_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
