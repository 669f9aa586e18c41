#include "base/core/attr.h"
#include "origin/media/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ONE = 1 << 16 };

static struct origin_turn turn_of(int a, int b, int c, int d)
{
    const int32_t matrix[9] = {a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30};
    return origin_turn_of(matrix);
}

/* A source point (x, y) is shown at (a x + c y, b x + d y). */
static void all_quarter_turns_and_mirrors_are_known(void **state)
{
    (void)state;
    static const struct {
        int matrix[4];
        const char *filters;
        bool is_sideways;
    } turns[] = {
        {{1, 0, 0, 1}, "", false},
        {{-1, 0, 0, 1}, "hflip,", false},
        {{1, 0, 0, -1}, "vflip,", false},
        {{-1, 0, 0, -1}, "hflip,vflip,", false},
        {{0, 1, -1, 0}, "transpose=clock,", true},
        {{0, -1, 1, 0}, "transpose=cclock,", true},
        {{0, 1, 1, 0}, "transpose=cclock_flip,", true},
        {{0, -1, -1, 0}, "transpose=clock_flip,", true},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(turns); i++) {
        const int *m = turns[i].matrix;
        struct origin_turn turn = turn_of(m[0], m[1], m[2], m[3]);
        assert_string_equal(turn.filters, turns[i].filters);
        assert_int_equal(turn.is_sideways, turns[i].is_sideways);
    }
}

static void what_is_askew_or_nothing_is_left_as_it_is(void **state)
{
    (void)state;
    assert_string_equal(origin_turn_of(NULL).filters, "");
    assert_string_equal(turn_of(0, 0, 0, 0).filters, "");
    assert_string_equal(turn_of(1, 1, -1, 1).filters, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_quarter_turns_and_mirrors_are_known),
        cmocka_unit_test(what_is_askew_or_nothing_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
