#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_str(struct fb_str str, const char *text)
{
    assert_true(fb_str_equal(str, fb_str_from(text)));
}

static void empty_strings_are_equal_wherever_they_point(void **state)
{
    (void)state;
    assert_true(fb_str_equal(FB_STR_NONE, FB_STR("")));
    assert_true(fb_str_equal_nocase(FB_STR_NONE, FB_STR("")));
    assert_int_equal(fb_str_compare(FB_STR_NONE, FB_STR("")), 0);
    assert_int_equal(fb_str_from(NULL).len, 0);
    assert_int_equal(fb_str_hash(FB_STR_NONE, 1), fb_str_hash(FB_STR(""), 1));
    assert_int_equal(fb_str_find(FB_STR_NONE, 'x'), 0);
    assert_int_equal(fb_str_trim(FB_STR_NONE).len, 0);
}

static void order_is_by_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    assert_true(fb_str_compare(FB_STR("a"), FB_STR("b")) < 0);
    assert_true(fb_str_compare(FB_STR("b"), FB_STR("a")) > 0);
    assert_true(fb_str_compare(FB_STR("a"), FB_STR("aa")) < 0);
    assert_true(fb_str_compare(FB_STR("aa"), FB_STR("a")) > 0);
    assert_true(fb_str_compare(FB_STR("\x7f"), FB_STR("\x80")) < 0);
    assert_int_equal(fb_str_compare(FB_STR("ab"), FB_STR("ab")), 0);
}

static void case_is_ignored_in_ascii_alone(void **state)
{
    (void)state;
    assert_true(fb_str_equal_nocase(FB_STR("Cache-Control"), FB_STR("cACHE-cONTROL")));
    assert_false(fb_str_equal_nocase(FB_STR("["), FB_STR("{")));
    assert_false(fb_str_equal_nocase(FB_STR("\xc4"), FB_STR("\xe4")));
    assert_false(fb_str_equal_nocase(FB_STR("a"), FB_STR("ab")));
}

/* At every place of strings of every length up to some words of the machine. */
static void any_byte_at_any_place_is_told_from_its_like(void **state)
{
    char plain[20];
    char other[20];
    char low[20];

    (void)state;
    memset(plain, '-', sizeof(plain));
    for (size_t len = 1; len <= sizeof(plain); len++) {
        for (unsigned i = 0; i < 256 * len; i++) {
            unsigned byte = i / (unsigned)len;
            unsigned small = byte >= 'A' && byte <= 'Z' ? byte + 32U : byte;
            struct fb_str str = {plain, len};
            memset(other, '-', sizeof(other));
            other[i % len] = (char)byte;
            fb_str_put_lower(low, (struct fb_str){other, len});
            assert_int_equal((unsigned char)low[i % len], small);
            assert_true(
                fb_str_equal_nocase((struct fb_str){other, len}, (struct fb_str){low, len}));
            assert_int_equal(fb_str_equal_nocase(str, (struct fb_str){other, len}), byte == '-');
        }
    }
}

static void parts_are_found(void **state)
{
    (void)state;
    struct fb_str str = FB_STR("seg-1.m4s");
    assert_true(fb_str_starts_with(str, FB_STR("seg")));
    assert_true(fb_str_starts_with(str, FB_STR("")));
    assert_false(fb_str_starts_with(FB_STR("se"), FB_STR("seg")));
    assert_true(fb_str_ends_with(str, FB_STR(".m4s")));
    assert_false(fb_str_ends_with(FB_STR("m4s"), FB_STR(".m4s")));
    assert_int_equal(fb_str_find(str, '-'), 3);
    assert_int_equal(fb_str_find(str, 'x'), str.len);
    assert_str(fb_str_skip(str, 4), "1.m4s");
    assert_str(fb_str_skip(str, 99), "");
    assert_str(fb_str_first(str, 3), "seg");
    assert_str(fb_str_first(str, 99), "seg-1.m4s");
    assert_str(fb_str_trim(FB_STR(" \t a b\t ")), "a b");
    assert_str(fb_str_trim(FB_STR(" \t ")), "");
}

static void cut_visits_every_part_and_then_none(void **state)
{
    (void)state;
    struct fb_str rest = FB_STR("a,,b,");
    struct fb_str part;
    assert_true(fb_str_cut(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(fb_str_cut(&rest, ',', &part));
    assert_str(part, "");
    assert_true(fb_str_cut(&rest, ',', &part));
    assert_str(part, "b");
    assert_true(fb_str_cut(&rest, ',', &part));
    assert_str(part, "");
    assert_false(fb_str_cut(&rest, ',', &part));

    rest = FB_STR("");
    assert_true(fb_str_cut(&rest, ',', &part));
    assert_false(fb_str_cut(&rest, ',', &part));
}

static void numbers_are_digits_alone_and_bounded(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_int_equal(fb_str_to_u64(FB_STR(""), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR("+1"), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR("-1"), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR(" 1"), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR("1 "), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR("0x1"), &value), FB_E_MALFORMED);
    assert_int_equal(fb_str_to_u64(FB_STR("18446744073709551616"), &value), -ERANGE);
    assert_int_equal(fb_str_to_u64(FB_STR("99999999999999999999"), &value), -ERANGE);
    assert_int_equal(value, 77);
    assert_int_equal(fb_str_to_u64(FB_STR("18446744073709551615"), &value), FB_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(fb_str_to_u64(FB_STR("007"), &value), FB_OK);
    assert_int_equal(value, 7);
}

static void copy_has_a_nul_behind_it(void **state)
{
    (void)state;
    FB_AUTO(fb_freep) char *copy = fb_str_dup(fb_str_first(FB_STR("abc"), 2));
    assert_string_equal(copy, "ab");
    FB_AUTO(fb_freep) char *empty = fb_str_dup(FB_STR_NONE);
    assert_string_equal(empty, "");
}

static void hash_depends_on_bytes_and_seed(void **state)
{
    (void)state;
    assert_true(fb_str_hash(FB_STR("a"), 1) != fb_str_hash(FB_STR("a"), 2));
    assert_true(fb_str_hash(FB_STR("a"), 1) != fb_str_hash(FB_STR("b"), 1));
}

static void hash_is_xxh3_as_published(void **state)
{
    (void)state;
    assert_int_equal(fb_str_hash(FB_STR_NONE, 0), 0x2d06800538d394c2);
    assert_int_equal(fb_str_hash(FB_STR("a"), 0), 0xe6c632b61e964e1f);
    assert_int_equal(fb_str_hash(FB_STR("abc"), 0), 0x78af5f94892f3950);
}

static void control_bytes_are_found_wherever_they_stand(void **state)
{
    static const char others[] = {'\0', '\x1f', '\x7f', '\r', '\n'};
    char text[24];

    (void)state;
    for (size_t len = 0; len <= sizeof(text); len++) {
        memset(text, 'a', sizeof(text));
        text[len / 2] = '\t';
        text[len / 3] = '\xff';
        struct fb_str str = {text, len};
        assert_int_equal(fb_str_find_control(str), len);
        for (size_t i = 0; i < len; i++) {
            char kept = text[i];
            text[i] = others[i % sizeof(others)];
            assert_int_equal(fb_str_find_control(str), i);
            text[i] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_strings_are_equal_wherever_they_point),
        cmocka_unit_test(order_is_by_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(case_is_ignored_in_ascii_alone),
        cmocka_unit_test(any_byte_at_any_place_is_told_from_its_like),
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(cut_visits_every_part_and_then_none),
        cmocka_unit_test(numbers_are_digits_alone_and_bounded),
        cmocka_unit_test(copy_has_a_nul_behind_it),
        cmocka_unit_test(hash_depends_on_bytes_and_seed),
        cmocka_unit_test(hash_is_xxh3_as_published),
        cmocka_unit_test(control_bytes_are_found_wherever_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
