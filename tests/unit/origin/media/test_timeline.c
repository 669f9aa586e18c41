#include "origin/media/language.h"
#include "origin/media/poster.h"
#include "origin/media/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

static void times_count_from_zero(void **state)
{
    (void)state;
    struct origin_timeline t = {.zero_us = 7 * SECOND, .may_jump = true};
    assert_int_equal(origin_timeline_shift(&t, 0, 7 * SECOND, SECOND), -7 * SECOND);
    assert_int_equal(origin_timeline_shift(&t, 0, 8 * SECOND, SECOND), -7 * SECOND);
}

static void a_restarted_clock_goes_on_where_it_was(void **state)
{
    (void)state;
    struct origin_timeline t = {.may_jump = true};
    assert_int_equal(origin_timeline_shift(&t, 0, 50LL * SECOND, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 0, 2 * SECOND, SECOND), 49LL * SECOND);
    assert_int_equal(origin_timeline_shift(&t, 1, 2 * SECOND, SECOND), 49LL * SECOND);
}

/* Streams of 2 s: the last picture comes out of the demuxer after the sound's clock was
 * set anew. */
static void a_packet_that_comes_late_is_still_of_the_old_clock(void **state)
{
    (void)state;
    struct origin_timeline t = {.may_jump = true};
    assert_int_equal(origin_timeline_shift(&t, 0, 0, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 1, 0, 2 * SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 1, 0, 2 * SECOND), 2 * SECOND);
    assert_int_equal(origin_timeline_shift(&t, 0, SECOND, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 0, 0, SECOND), 2 * SECOND);
    assert_int_equal(origin_timeline_shift(&t, 1, 2 * SECOND, SECOND), 2 * SECOND);
}

static void a_leap_ahead_is_closed(void **state)
{
    (void)state;
    struct origin_timeline t = {.may_jump = true};
    assert_int_equal(origin_timeline_shift(&t, 0, 0, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 0, 9000LL * SECOND, SECOND), -8999LL * SECOND);
}

static void a_gap_is_no_leap(void **state)
{
    (void)state;
    struct origin_timeline t = {.may_jump = true};
    assert_int_equal(origin_timeline_shift(&t, 0, 0, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 0, 8LL * SECOND, SECOND), 0);
}

static void a_clock_that_cannot_jump_is_believed(void **state)
{
    (void)state;
    struct origin_timeline t = {.may_jump = false};
    assert_int_equal(origin_timeline_shift(&t, 0, 0, SECOND), 0);
    assert_int_equal(origin_timeline_shift(&t, 0, 9000LL * SECOND, SECOND), 0);
}

static void languages_are_found_by_any_of_their_codes(void **state)
{
    (void)state;
    assert_string_equal(origin_language_find("ger")->tag, "de");
    assert_string_equal(origin_language_find("DEU")->tag, "de");
    assert_string_equal(origin_language_find("de")->name, "Deutsch");
    assert_null(origin_language_find("und"));
    assert_null(origin_language_find(""));
}

static void a_poster_prefers_contrast_to_black_and_white(void **state)
{
    (void)state;
    static uint8_t black[64 * 64];
    static uint8_t white[64 * 64];
    static uint8_t scene[64 * 64];
    memset(black, 16, sizeof(black));
    memset(white, 235, sizeof(white));
    for (size_t i = 0; i < sizeof(scene); i++) {
        scene[i] = (uint8_t)(60 + i % 64 * 2);
    }
    double best = origin_poster_score(scene, 64, 64, 64);
    assert_true(best > origin_poster_score(black, 64, 64, 64) + 10);
    assert_true(best > origin_poster_score(white, 64, 64, 64) + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_count_from_zero),
        cmocka_unit_test(a_restarted_clock_goes_on_where_it_was),
        cmocka_unit_test(a_packet_that_comes_late_is_still_of_the_old_clock),
        cmocka_unit_test(a_leap_ahead_is_closed),
        cmocka_unit_test(a_gap_is_no_leap),
        cmocka_unit_test(a_clock_that_cannot_jump_is_believed),
        cmocka_unit_test(languages_are_found_by_any_of_their_codes),
        cmocka_unit_test(a_poster_prefers_contrast_to_black_and_white),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
