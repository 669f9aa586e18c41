#include "base/core/diag.h"
#include "base/core/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void sentence_and_code_are_kept(void **state)
{
    (void)state;
    struct fb_diag diag = {0};
    assert_int_equal(fb_diag_set(&diag, -ENOENT, "open '%s'", "x"), -ENOENT);
    assert_int_equal(diag.err, -ENOENT);
    assert_string_equal(diag.text, "open 'x'");
    assert_int_equal(fb_diag_prefix(&diag, FB_E_MALFORMED, "f:%d", 3), FB_E_MALFORMED);
    assert_string_equal(diag.text, "f:3: open 'x'");
}

static void nobody_may_be_listening(void **state)
{
    (void)state;
    assert_int_equal(fb_diag_set(NULL, -EIO, "%s", "x"), -EIO);
    assert_int_equal(fb_diag_prefix(NULL, -EIO, "%s", "x"), -EIO);
}

static void long_sentence_is_cut(void **state)
{
    (void)state;
    static char big[2 * FB_DIAG_MAX];
    struct fb_diag diag = {0};
    memset(big, 'x', sizeof(big) - 1);
    assert_int_equal(fb_diag_set(&diag, -EIO, "%s", big), -EIO);
    assert_int_equal(strlen(diag.text), FB_DIAG_MAX - 1);
    assert_int_equal(fb_diag_prefix(&diag, -EIO, "p"), -EIO);
    assert_memory_equal(diag.text, "p: xxx", 6);
    assert_int_equal(fb_diag_prefix(&diag, -EIO, "%s", big), -EIO);
    assert_int_equal(strlen(diag.text), FB_DIAG_MAX - 1);
}

static void every_code_has_a_name_and_a_phrase(void **state)
{
    (void)state;
    static const int codes[] = {
#define CODE(name, number, text) number,
        FB_ERR_LIST(CODE)
#undef CODE
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(codes); i++) {
        assert_true(codes[i] < -20000);
        assert_string_not_equal(fb_err_text(codes[i]), "unknown error");
        assert_string_not_equal(fb_err_name(codes[i]), "UNKNOWN");
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i], codes[k]);
        }
    }
    assert_string_equal(fb_err_name(FB_E_TIMEOUT), "TIMEOUT");
    assert_string_equal(fb_err_name(-ENOENT), "ENOENT");
    assert_string_equal(fb_err_text(-ENOENT), "No such file or directory");
    assert_string_equal(fb_err_text(FB_OK), "no error");
    assert_string_equal(fb_err_text(-4095), "end of stream");
    assert_string_equal(fb_err_name(-3008), "EAI");
    assert_string_equal(fb_err_text(-999999), "unknown error");
    assert_string_equal(fb_err_text(17), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentence_and_code_are_kept),
        cmocka_unit_test(nobody_may_be_listening),
        cmocka_unit_test(long_sentence_is_cut),
        cmocka_unit_test(every_code_has_a_name_and_a_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
