#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/recipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct origin_recipe_chunk chunks[] = {
    {.first_place = 0,
     .n_places = 240,
     .first_segment = 1,
     .is_seekable = true,
     .entry = {.pts = INT64_MIN, .dts = -2, .at = -1, .bytes = 7}},
    {.first_place = 240,
     .n_places = 125,
     .first_segment = 3,
     .entry = {.packet = 230, .pts = 9000, .dts = INT64_MIN, .at = 5, .bytes = 8}},
};
static struct origin_recipe_jump jumps[] = {{.packet = 100, .shift_us = -5}};

static struct origin_recipe sample(void)
{
    return (struct origin_recipe){
        .request = origin_request_preset(),
        .toolchain = "libx 1",
        .n_threads = 2,
        .source_sha256 = {1, 2, 3},
        .source_bytes = 1000,
        .width = 640,
        .height = 360,
        .has_audio = true,
        .rate_num = 30,
        .rate_den = 1,
        .zero_us = -33,
        .n_places = 365,
        .duration_ms = 12167,
        .sheet_ms = 4000,
        .scan = "whole",
        .rungs = {{.rung = 360, .width = 640, .height = 360, .crf = 23, .max_rate = 8, .buffer = 9},
                  {.codec = ORIGIN_RECIPE_AV1,
                   .rung = 360,
                   .width = 640,
                   .height = 360,
                   .crf = 30,
                   .max_rate = 8,
                   .buffer = 9,
                   .pass = ORIGIN_PASS_LATE}},
        .n_rungs = 2,
        .chunks = chunks,
        .n_chunks = 2,
        .jumps = jumps,
        .n_jumps = 1,
    };
}

static int load(const struct origin_recipe *recipe, struct origin_recipe *ret)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    origin_recipe_dump(&text, recipe);
    return origin_recipe_parse(fb_buf_str(&text), ret, NULL);
}

static void a_recipe_travels_whole(void **state)
{
    (void)state;
    struct origin_recipe recipe = sample();
    FB_AUTO(origin_recipe_done) struct origin_recipe loaded = {.chunks = NULL};
    char version[ORIGIN_VERSION_LEN + 1];
    char again[ORIGIN_VERSION_LEN + 1];

    assert_int_equal(load(&recipe, &loaded), FB_OK);
    assert_int_equal(loaded.zero_us, -33);
    assert_true(loaded.chunks[0].entry.pts == INT64_MIN && loaded.chunks[0].is_seekable);
    assert_int_equal(loaded.chunks[1].entry.packet, 230);
    assert_int_equal(loaded.jumps[0].shift_us, -5);
    assert_int_equal(loaded.rungs[1].codec, ORIGIN_RECIPE_AV1);
    assert_int_equal(loaded.rungs[1].pass, ORIGIN_PASS_LATE);
    origin_recipe_version(&recipe, version);
    origin_recipe_version(&loaded, again);
    assert_string_equal(version, again);
}

static void whatever_decides_the_bytes_changes_the_version(void **state)
{
    (void)state;
    struct origin_recipe recipe = sample();
    char before[ORIGIN_VERSION_LEN + 1];
    char after[ORIGIN_VERSION_LEN + 1];

    origin_recipe_version(&recipe, before);
    recipe.n_threads++;
    origin_recipe_version(&recipe, after);
    assert_string_not_equal(before, after);
    recipe = sample();
    recipe.source_sha256[31] = 1;
    origin_recipe_version(&recipe, after);
    assert_string_not_equal(before, after);
}

static void chunks_lie_end_to_end(void **state)
{
    (void)state;
    struct origin_recipe recipe = sample();
    FB_AUTO(origin_recipe_done) struct origin_recipe loaded = {.chunks = NULL};

    recipe.n_places++;
    assert_int_equal(load(&recipe, &loaded), FB_E_MALFORMED);
    recipe = sample();
    recipe.n_chunks = 1;
    assert_int_equal(load(&recipe, &loaded), FB_E_MALFORMED);
}

static void two_rungs_of_one_name_are_refused(void **state)
{
    (void)state;
    struct origin_recipe recipe = sample();
    FB_AUTO(origin_recipe_done) struct origin_recipe loaded = {.chunks = NULL};

    recipe.rungs[1].codec = ORIGIN_RECIPE_H264;
    assert_int_equal(load(&recipe, &loaded), FB_E_MALFORMED);
}

static void sheets_begin_where_source_chunks_do(void **state)
{
    (void)state;
    struct origin_recipe recipe = sample();
    uint32_t first = 0;
    uint32_t n = 0;

    assert_int_equal(origin_recipe_place(&recipe, 8000), 240);
    assert_int_equal(origin_recipe_place(&recipe, 8001), 241);
    assert_int_equal(origin_recipe_n_sheets(&recipe), 4);
    origin_recipe_sheets(&recipe, 0, &first, &n);
    assert_int_equal(first, 0);
    assert_int_equal(n, 2);
    origin_recipe_sheets(&recipe, 1, &first, &n);
    assert_int_equal(first, 2);
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipe_travels_whole),
        cmocka_unit_test(whatever_decides_the_bytes_changes_the_version),
        cmocka_unit_test(chunks_lie_end_to_end),
        cmocka_unit_test(two_rungs_of_one_name_are_refused),
        cmocka_unit_test(sheets_begin_where_source_chunks_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
