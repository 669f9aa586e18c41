/* Vectors: RFC 4648 section 10. */
#include "base/core/err.h"
#include "base/crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct vector {
    struct fb_str bytes;
    const char *std;
    const char *url;
};

static const struct vector vectors[] = {
    {{"", 0}, "", ""},
    {{"f", 1}, "Zg==", "Zg"},
    {{"fo", 2}, "Zm8=", "Zm8"},
    {{"foo", 3}, "Zm9v", "Zm9v"},
    {{"foob", 4}, "Zm9vYg==", "Zm9vYg"},
    {{"fooba", 5}, "Zm9vYmE=", "Zm9vYmE"},
    {{"foobar", 6}, "Zm9vYmFy", "Zm9vYmFy"},
    {{"\xfb\xff\xbe", 3}, "+/++", "-_--"},
    {{"\0\0", 2}, "AAA=", "AAA"},
};

static void check(enum fb_base64 form, struct fb_str bytes, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf encoded = {0};
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};
    fb_base64_encode(&encoded, form, bytes);
    assert_true(fb_str_equal(fb_buf_str(&encoded), fb_str_from(text)));
    assert_int_equal(fb_base64_decode(&decoded, form, fb_str_from(text)), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&decoded), bytes));
}

static void known_texts_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(vectors); i++) {
        check(FB_BASE64_STD, vectors[i].bytes, vectors[i].std);
        check(FB_BASE64_URL, vectors[i].bytes, vectors[i].url);
    }
    check(FB_BASE64_URL_PADDED, FB_STR("\xfb\xff"), "-_8=");
}

static void refused(enum fb_base64 form, struct fb_str text)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    fb_buf_append(&buf, FB_STR("before"));
    assert_int_equal(fb_base64_decode(&buf, form, text), FB_E_MALFORMED);
    assert_string_equal(buf.ptr, "before");
}

static void one_value_has_one_spelling(void **state)
{
    (void)state;
    refused(FB_BASE64_STD, FB_STR("Zg"));
    refused(FB_BASE64_STD, FB_STR("Zg="));
    refused(FB_BASE64_STD, FB_STR("Zg==="));
    refused(FB_BASE64_STD, FB_STR("===="));
    refused(FB_BASE64_STD, FB_STR("Z==="));
    refused(FB_BASE64_STD, FB_STR("Zh=="));
    refused(FB_BASE64_STD, FB_STR("Zm9="));
    refused(FB_BASE64_STD, FB_STR("Zg==Zg=="));
    refused(FB_BASE64_STD, FB_STR("Zm 9v"));
    refused(FB_BASE64_STD, FB_STR("Zm9v\n"));
    refused(FB_BASE64_STD, FB_STR("-_--"));
    refused(FB_BASE64_URL, FB_STR("+/++"));
    refused(FB_BASE64_URL, FB_STR("Zg=="));
    refused(FB_BASE64_URL, FB_STR("Z"));
    refused(FB_BASE64_URL, FB_STR("Zm9\xff"));
    refused(FB_BASE64_URL, FB_STR("Zm9\0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_go_both_ways),
        cmocka_unit_test(one_value_has_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
