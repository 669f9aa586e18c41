#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/access/countries.h"
#include "origin/access/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct origin_pass_key items[] = {
    {{"new", 3}, {"a secret of sixteen bytes", 25}},
    {{"old", 3}, {"another of sixteen bytes", 24}},
};
static const struct origin_pass_keys both = {items, 2};

static int verify(struct fb_str pass, const char *path, int64_t now_s)
{
    int64_t expires_s = 0;
    return origin_pass_verify(&both, pass, fb_str_from(path), now_s, &expires_s);
}

static void a_pass_opens_its_path_until_it_expires(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf pass = {0};

    origin_pass_sign(&both, FB_STR("/media/a/"), 1000, &pass);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/a/", 999), FB_OK);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/a/v/1", 0), FB_OK);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/a/", 1000), FB_E_DENIED);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/", 1), FB_E_DENIED);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/b/", 1), FB_E_DENIED);
}

static void the_older_key_still_verifies_and_others_do_not(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf pass = {0};
    FB_AUTO(fb_buf_done) struct fb_buf foreign = {0};
    struct origin_pass_keys old = {&items[1], 1};
    struct origin_pass_key stolen = {items[0].id, items[1].secret};

    origin_pass_sign(&old, FB_STR("/media/a/"), 1000, &pass);
    assert_int_equal(verify(fb_buf_str(&pass), "/media/a/", 1), FB_OK);
    origin_pass_sign(&(struct origin_pass_keys){&stolen, 1}, FB_STR("/media/a/"), 1000, &foreign);
    assert_int_equal(verify(fb_buf_str(&foreign), "/media/a/", 1), FB_E_DENIED);
}

static void no_byte_of_a_pass_can_be_changed_or_left_out(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf pass = {0};

    origin_pass_sign(&both, FB_STR("/media/a/"), 1000, &pass);
    for (size_t i = 0; i < pass.len; i++) {
        char was = pass.ptr[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            pass.ptr[i] = (char)(was ^ (char)(1U << bit));
            bool is_case = i > pass.len - 65 && (was ^ pass.ptr[i]) == 0x20 && was > '9';
            assert_int_equal(verify(fb_buf_str(&pass), "/media/a/", 1),
                             is_case ? FB_OK : FB_E_DENIED);
        }
        pass.ptr[i] = was;
        assert_int_equal(verify(fb_str_first(fb_buf_str(&pass), i), "/media/a/", 1), FB_E_DENIED);
    }
    fb_buf_append_byte(&pass, '~');
    assert_int_equal(verify(fb_buf_str(&pass), "/media/a/", 1), FB_E_DENIED);
}

static void lists_of_countries_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *country;
        enum origin_countries_verdict verdict;
    } cases[] = {
        {"", "DE", ORIGIN_COUNTRIES_YES},
        {"", "", ORIGIN_COUNTRIES_YES},
        {"allow:DE,FR", "FR", ORIGIN_COUNTRIES_YES},
        {"allow:DE,FR", "CH", ORIGIN_COUNTRIES_NO},
        {"deny:DE,FR", "FR", ORIGIN_COUNTRIES_NO},
        {"deny:DE,FR", "CH", ORIGIN_COUNTRIES_YES},
        {"allow:DE", "", ORIGIN_COUNTRIES_DEPENDS},
        {"deny:DE", "", ORIGIN_COUNTRIES_DEPENDS},
        {"rubbish", "DE", ORIGIN_COUNTRIES_NO},
        {"other:DE", "DE", ORIGIN_COUNTRIES_NO},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        assert_int_equal(
            origin_countries_judge(fb_str_from(cases[i].list), fb_str_from(cases[i].country)),
            cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_opens_its_path_until_it_expires),
        cmocka_unit_test(the_older_key_still_verifies_and_others_do_not),
        cmocka_unit_test(no_byte_of_a_pass_can_be_changed_or_left_out),
        cmocka_unit_test(lists_of_countries_are_judged),
    };
    return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
