#include "origin/media/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(unsigned width, unsigned height, const unsigned (*want)[3], unsigned n_want)
{
    struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    unsigned n = origin_ladder(width, height, 30.0, rungs);

    assert_int_equal(n, n_want);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(rungs[i].rung, want[i][0]);
        assert_int_equal(rungs[i].width, want[i][1]);
        assert_int_equal(rungs[i].height, want[i][2]);
    }
}

#define CHECK(width, height, ...)                                   \
    do {                                                            \
        static const unsigned want[][3] = {__VA_ARGS__};            \
        check((width), (height), want, sizeof want / sizeof *want); \
    } while (0)

static void full_hd_gets_every_rung(void **state)
{
    (void)state;
    CHECK(1920, 1080, {1080, 1920, 1080}, {720, 1280, 720}, {480, 854, 480}, {360, 640, 360},
          {240, 426, 240}, {144, 256, 144});
}

static void an_upright_picture_is_measured_by_its_width(void **state)
{
    (void)state;
    CHECK(720, 1280, {720, 720, 1280}, {480, 480, 854}, {360, 360, 640}, {240, 240, 426},
          {144, 144, 256});
}

static void nothing_is_scaled_up(void **state)
{
    (void)state;
    CHECK(640, 400, {360, 576, 360}, {240, 384, 240}, {144, 230, 144});
    for (unsigned side = 16; side < 1200; side += 7) {
        struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
        unsigned n = origin_ladder(side * 16 / 9, side, 30.0, rungs);
        for (unsigned i = 0; i < n; i++) {
            assert_true(rungs[i].width <= side * 16 / 9 && rungs[i].height <= side);
            assert_true(rungs[i].width % 2 == 0 && rungs[i].height % 2 == 0);
            assert_true(i == 0 || rungs[i].height < rungs[i - 1].height);
        }
    }
}

static void a_source_just_below_a_rung_keeps_its_own_size(void **state)
{
    (void)state;
    CHECK(641, 359, {360, 640, 358}, {240, 428, 240}, {144, 258, 144});
    CHECK(480, 352, {360, 480, 352}, {240, 328, 240}, {144, 196, 144});
}

static void a_tiny_source_gets_one_rendition_of_its_own(void **state)
{
    (void)state;
    CHECK(64, 48, {48, 64, 48});
    CHECK(51, 33, {32, 50, 32});
}

static void a_larger_source_is_brought_down_to_the_top_rung(void **state)
{
    (void)state;
    struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    assert_int_equal(origin_ladder(3840, 2160, 30.0, rungs), 6);
    assert_int_equal(rungs[0].width, 1920);
}

static void a_ribbon_stays_within_what_decoders_take(void **state)
{
    (void)state;
    struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    assert_int_equal(origin_ladder(12000, 1080, 30.0, rungs), 3);
    assert_int_equal(rungs[0].width, 3834);
    assert_int_equal(rungs[0].height, 346);
    assert_int_equal(rungs[1].height, 240); /* and nothing twice */
}

static void fast_pictures_get_more_bits(void **state)
{
    (void)state;
    struct origin_rung slow[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    struct origin_rung fast[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    assert_int_equal(origin_ladder(1280, 720, 30.0, slow), 5);
    assert_int_equal(origin_ladder(1280, 720, 60.0, fast), 5);
    assert_true(fast[0].max_rate > slow[0].max_rate);
    assert_true(slow[0].max_rate > slow[1].max_rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_hd_gets_every_rung),
        cmocka_unit_test(an_upright_picture_is_measured_by_its_width),
        cmocka_unit_test(nothing_is_scaled_up),
        cmocka_unit_test(a_source_just_below_a_rung_keeps_its_own_size),
        cmocka_unit_test(a_tiny_source_gets_one_rendition_of_its_own),
        cmocka_unit_test(a_larger_source_is_brought_down_to_the_top_rung),
        cmocka_unit_test(a_ribbon_stays_within_what_decoders_take),
        cmocka_unit_test(fast_pictures_get_more_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
