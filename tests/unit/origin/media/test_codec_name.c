#include "base/core/err.h"
#include "origin/media/codec_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char name[ORIGIN_TRANSCODE_CODECS_MAX];

static void profile_and_level_come_from_the_parameter_set(void **state)
{
    (void)state;
    assert_int_equal(
        origin_codec_name_avc(FB_STR("\0\0\0\1\x09\xf0\0\0\0\1\x67\x64\0\x28\xac\xd9"), name),
        FB_OK);
    assert_string_equal(name, "avc1.640028");
}

static void the_packaged_record_says_the_same(void **state)
{
    (void)state;
    assert_int_equal(origin_codec_name_avc(FB_STR("\1\x4d\x40\x1f\xff\xe1"), name), FB_OK);
    assert_string_equal(name, "avc1.4d401f");
}

static void headers_without_a_parameter_set_are_refused(void **state)
{
    (void)state;
    assert_int_equal(origin_codec_name_avc(FB_STR("\0\0\0\1\x68\xee\x3c\x80"), name),
                     FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_avc(FB_STR("\0\0\1\x67\x64"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_avc(FB_STR_NONE, name), FB_E_MALFORMED);
}

static void aac_says_its_object_type(void **state)
{
    (void)state;
    assert_int_equal(origin_codec_name_aac(FB_STR("\x11\x90"), name), FB_OK);
    assert_string_equal(name, "mp4a.40.2");
    assert_int_equal(origin_codec_name_aac(FB_STR("\x11"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_aac(FB_STR("\x00\x90"), name), FB_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profile_and_level_come_from_the_parameter_set),
        cmocka_unit_test(the_packaged_record_says_the_same),
        cmocka_unit_test(headers_without_a_parameter_set_are_refused),
        cmocka_unit_test(aac_says_its_object_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
