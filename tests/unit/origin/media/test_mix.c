#include "origin/media/mix.h"

#include <libavutil/channel_layout.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct origin_loudness unknown = {.is_known = false};

static char chain[ORIGIN_MIX_MAX];

static const char *chain_of(const char *layout_name, unsigned n_channels, bool keeps_surround,
                            const struct origin_loudness *loudness)
{
    AVChannelLayout layout = {.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = (int)n_channels};
    if (layout_name != NULL) {
        assert_int_equal(av_channel_layout_from_string(&layout, layout_name), 0);
    }
    struct origin_mix mix = origin_mix_of((unsigned)layout.nb_channels, keeps_surround, loudness);
    origin_mix_chain(&mix, &layout, chain);
    av_channel_layout_uninit(&layout);
    return chain;
}

static void two_channels_are_left_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(chain_of("stereo", 0, false, &unknown),
                        "aformat=sample_fmts=fltp:channel_layouts=stereo");
}

static void one_channel_goes_to_both_sides_at_full_level(void **state)
{
    (void)state;
    assert_non_null(strstr(chain_of("mono", 0, false, &unknown), "pan=stereo|c0=c0|c1=c0"));
}

static void a_sum_of_many_channels_is_limited(void **state)
{
    (void)state;
    assert_non_null(strstr(chain_of("5.1", 0, false, &unknown), "alimiter"));
    assert_non_null(strstr(chain_of("7.1", 0, false, &unknown), "alimiter"));
    assert_null(strstr(chain_of("5.1", 0, true, &unknown), "alimiter"));
}

static void channels_without_names_give_the_first_two(void **state)
{
    (void)state;
    assert_non_null(strstr(chain_of(NULL, 10, false, &unknown), "pan=stereo|c0=c0|c1=c1"));
    assert_non_null(strstr(chain_of(NULL, 10, true, &unknown), "pan=5.1|"));
}

static void surround_is_kept_only_where_there_is_some(void **state)
{
    (void)state;
    assert_int_equal(origin_mix_of(6, true, &unknown).channels, 6);
    assert_int_equal(origin_mix_of(8, true, &unknown).channels, 6);
    assert_int_equal(origin_mix_of(2, true, &unknown).channels, 2);
    assert_int_equal(origin_mix_of(6, false, &unknown).channels, 2);
}

static void loud_sound_is_turned_down_and_needs_no_limiter(void **state)
{
    (void)state;
    const struct origin_loudness loud = {true, -8.0, 0.5};
    struct origin_mix mix = origin_mix_of(2, false, &loud);
    assert_float_equal(mix.gain_db, -8.0, 1e-9);
    assert_false(mix.is_limited);
    assert_non_null(strstr(chain_of("stereo", 0, false, &loud), "volume=-8.00dB"));
}

static void quiet_sound_is_turned_up_and_its_peaks_are_held(void **state)
{
    (void)state;
    const struct origin_loudness quiet = {true, -26.0, -6.0};
    struct origin_mix mix = origin_mix_of(2, false, &quiet);
    assert_float_equal(mix.gain_db, 10.0, 1e-9);
    assert_true(mix.is_limited);
    assert_non_null(strstr(chain_of("stereo", 0, false, &quiet), "alimiter"));
}

static void sums_that_were_measured_are_limited_only_where_they_rise_too_high(void **state)
{
    (void)state;
    const struct origin_loudness loud = {true, -4.0, 6.0};
    const struct origin_loudness calm = {true, -16.0, -3.0};
    assert_null(strstr(chain_of("5.1", 0, false, &loud), "alimiter"));
    assert_null(strstr(chain_of("5.1", 0, false, &calm), "alimiter"));
    assert_true(origin_mix_to_measure(6, false).is_measured);
}

static void what_is_all_but_silent_is_not_blown_up(void **state)
{
    (void)state;
    const struct origin_loudness faint = {true, -60.0, -50.0};
    assert_float_equal(origin_mix_of(2, false, &faint).gain_db, ORIGIN_MIX_MAX_GAIN, 1e-9);
    assert_float_equal(origin_mix_of(2, false, &unknown).gain_db, 0.0, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_channels_are_left_as_they_are),
        cmocka_unit_test(one_channel_goes_to_both_sides_at_full_level),
        cmocka_unit_test(a_sum_of_many_channels_is_limited),
        cmocka_unit_test(channels_without_names_give_the_first_two),
        cmocka_unit_test(surround_is_kept_only_where_there_is_some),
        cmocka_unit_test(loud_sound_is_turned_down_and_needs_no_limiter),
        cmocka_unit_test(quiet_sound_is_turned_up_and_its_peaks_are_held),
        cmocka_unit_test(sums_that_were_measured_are_limited_only_where_they_rise_too_high),
        cmocka_unit_test(what_is_all_but_silent_is_not_blown_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
