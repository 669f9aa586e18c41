#include "base/core/err.h"
#include "base/http/node_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void names_are_tokens_that_begin_with_a_letter(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "box-1", "ber.Edge_07"};
    static const char *const bad[] = {"",      "1box",       "-a",  "box 1",
                                      "box,1", "b\xc3\xb6x", "a;b", "a\"b"};

    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        assert_int_equal(fb_node_name_check(fb_str_from(good[i]), NULL), FB_OK);
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_diag diag = {0};
        assert_int_equal(fb_node_name_check(fb_str_from(bad[i]), &diag), FB_E_MALFORMED);
        assert_non_null(strstr(diag.text, "a letter, then"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens_that_begin_with_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
