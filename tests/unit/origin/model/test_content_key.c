#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/content_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_key_comes_back_from_json_as_it_was(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *object = fb_json_new_object();
    struct origin_content_key key;
    struct origin_content_key back;

    origin_content_key_draw(ORIGIN_SCHEME_CBCS, &key);
    origin_content_key_store(object, &key);

    assert_int_equal(origin_content_key_load(object, &back, NULL), FB_OK);
    assert_int_equal(back.scheme, ORIGIN_SCHEME_CBCS);
    assert_memory_equal(back.id, key.id, sizeof(key.id));
    assert_memory_equal(back.key, key.key, sizeof(key.key));
}

static void keys_are_drawn_anew(void **state)
{
    (void)state;
    struct origin_content_key a;
    struct origin_content_key b;

    origin_content_key_draw(ORIGIN_SCHEME_CENC, &a);
    origin_content_key_draw(ORIGIN_SCHEME_CENC, &b);

    assert_memory_not_equal(a.id, b.id, sizeof(a.id));
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    assert_memory_not_equal(a.id, a.key, sizeof(a.id));
}

static void what_is_clear_has_no_key(void **state)
{
    (void)state;
    FB_AUTO(fb_json_freep) struct fb_json *object = fb_json_new_object();
    struct origin_content_key key;

    origin_content_key_draw(ORIGIN_SCHEME_CLEAR, &key);
    origin_content_key_store(object, &key);

    assert_int_equal(fb_json_count(object), 1);
    assert_int_equal(origin_content_key_load(object, &key, NULL), FB_OK);
    assert_int_equal(key.scheme, ORIGIN_SCHEME_CLEAR);
}

static void a_key_that_is_cut_or_odd_is_refused_without_being_quoted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"scheme\":\"aes\"}",
        "{\"scheme\":\"cenc\"}",
        "{\"scheme\":\"cenc\",\"kid\":\"00112233445566778899aabbccddeeff\"}",
        "{\"scheme\":\"cenc\",\"kid\":\"00112233445566778899aabbccddeeff\",\"key\":\"cafe\"}",
        "{\"scheme\":\"cenc\",\"kid\":7,\"key\":\"00112233445566778899aabbccddeeff\"}",
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(texts); i++) {
        FB_AUTO(fb_json_freep) struct fb_json *object = NULL;
        struct origin_content_key key;
        struct fb_diag diag = {0};

        assert_int_equal(fb_json_parse(fb_str_from(texts[i]), 4096, &object, NULL), FB_OK);
        assert_int_equal(origin_content_key_load(object, &key, &diag), FB_E_MALFORMED);
        assert_null(strstr(diag.text, "cafe"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_back_from_json_as_it_was),
        cmocka_unit_test(keys_are_drawn_anew),
        cmocka_unit_test(what_is_clear_has_no_key),
        cmocka_unit_test(a_key_that_is_cut_or_odd_is_refused_without_being_quoted),
    };
    return cmocka_run_group_tests_name("content_key", tests, NULL, NULL);
}
