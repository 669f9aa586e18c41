#include "base/core/err.h"
#include "origin/model/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void bytes_become_lower_case_base32(void **state)
{
    (void)state;
    uint8_t zeros[ORIGIN_ID_BYTES] = {0};
    uint8_t ones[ORIGIN_ID_BYTES];
    memset(ones, 0xff, sizeof(ones));
    uint8_t text[] = "forebay-origin-!";

    assert_string_equal(origin_id_of(zeros).text, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(origin_id_of(ones).text, "77777777777777777777777774");
    assert_string_equal(origin_id_of(text).text, "mzxxezlcmf4s233snftws3rnee");
}

static void a_new_id_is_no_other(void **state)
{
    (void)state;
    struct origin_id a = origin_id_new();
    struct origin_id b = origin_id_new();
    struct origin_id again;

    assert_false(origin_id_equal(&a, &b));
    assert_int_equal(origin_id_parse(origin_id_str(&a), &again), FB_OK);
    assert_true(origin_id_equal(&a, &again));
}

static void what_has_not_the_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "aaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "Aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaa1",
        "../aaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct origin_id id;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(origin_id_parse(fb_str_from(bad[i]), &id), FB_E_MALFORMED);
    }
    struct fb_str nul = {"aaaaaaaaaaaaaaaaaaaaaaaaa\0", 26};
    assert_int_equal(origin_id_parse(nul, &id), FB_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_lower_case_base32),
        cmocka_unit_test(a_new_id_is_no_other),
        cmocka_unit_test(what_has_not_the_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
