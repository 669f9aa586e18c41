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

static void hevc_is_told_by_profile_tier_and_level(void **state)
{
    (void)state;
    /* Main, level 3.1; behind start codes bytes are put in so that none appears inside. */
    assert_int_equal(
        origin_codec_name_hevc(FB_STR("\0\0\0\1\x40\1\x0c\0\0\1\x42\1\1\1\x60\0\0\3\0\x90\0\0\3\0\0"
                                      "\3\0\x5d\xa0"),
                               name),
        FB_OK);
    assert_string_equal(name, "hvc1.1.6.L93.90");
    assert_int_equal(origin_codec_name_hevc(FB_STR("\1\x22\x20\0\0\0\xb0\0\0\0\0\0\x99"), name),
                     FB_OK);
    assert_string_equal(name, "hvc1.2.4.H153.B0");
}

static void hevc_without_a_parameter_set_is_refused(void **state)
{
    (void)state;
    assert_int_equal(origin_codec_name_hevc(FB_STR("\0\0\1\x42\1\1\1\x60"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_hevc(FB_STR("\0\0\1\x40\1\x0c"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_hevc(FB_STR_NONE, name), FB_E_MALFORMED);
    /* Constraints that fill the name. */
    assert_int_equal(
        origin_codec_name_hevc(FB_STR("\1\x21\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x99"), name),
        FB_E_MALFORMED);
}

static void av1_is_told_by_its_sequence_or_its_record(void **state)
{
    (void)state;
    assert_int_equal(origin_codec_name_av1(FB_STR("\x81\x08\x0c\0"), name), FB_OK);
    assert_string_equal(name, "av01.0.08M.08");
    assert_int_equal(origin_codec_name_av1(FB_STR("\x0a\x0b\0\0\0\x24\xcf\x7f"), name), FB_OK);
    assert_string_equal(name, "av01.0.04M.08");
    assert_int_equal(origin_codec_name_av1(FB_STR("\x0a\x0b\0\0"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_av1(FB_STR("\x12\0\0\0\0\0"), name), FB_E_MALFORMED);
    assert_int_equal(origin_codec_name_av1(FB_STR_NONE, name), FB_E_MALFORMED);
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
        cmocka_unit_test(hevc_is_told_by_profile_tier_and_level),
        cmocka_unit_test(hevc_without_a_parameter_set_is_refused),
        cmocka_unit_test(av1_is_told_by_its_sequence_or_its_record),
        cmocka_unit_test(aac_says_its_object_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
