/*
 * Recipes and parts as a worker, or who pretends to be one, may send them. What is
 * taken is stored as it came and keeps its bounds.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/media/part.h"
#include "origin/model/recipe.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_recipe(struct fb_str text)
{
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.chunks = NULL};
    FB_AUTO(origin_recipe_done) struct origin_recipe second = {.chunks = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf dump = {0};
    uint32_t first = 0;
    uint32_t n = 0;
    uint64_t sheets = 0;

    if (origin_recipe_parse(text, &recipe, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < recipe.n_chunks; i++) {
        origin_recipe_sheets(&recipe, i, &first, &n);
        sheets += n;
    }
    FB_REQUIRE(recipe.n_chunks > 0 && sheets >= origin_recipe_n_sheets(&recipe));
    origin_recipe_dump(&dump, &recipe);
    int err = origin_recipe_parse(fb_buf_str(&dump), &second, NULL);
    FB_REQUIRE(err == FB_OK && second.n_chunks == recipe.n_chunks);
}

static void check_part(struct fb_str text)
{
    FB_AUTO(origin_part_done) struct origin_part part = {.tracks = NULL};
    FB_AUTO(origin_part_done) struct origin_part second = {.tracks = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf dump = {0};

    if (origin_part_parse(text, &part, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < part.n_tracks; i++) {
        FB_REQUIRE(origin_path_is_plain(fb_str_from(part.tracks[i].track.path), ORIGIN_PATH_MAX));
        (void)origin_track_duration(&part.tracks[i].track);
    }
    origin_part_dump(&dump, &part);
    int err = origin_part_parse(fb_buf_str(&dump), &second, NULL);
    FB_REQUIRE(err == FB_OK && second.n_tracks == part.n_tracks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    check_recipe(text);
    check_part(text);
    return 0;
}
