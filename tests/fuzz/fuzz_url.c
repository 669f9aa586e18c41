/*
 * URLs and paths; a normal path is its own normal form and never climbs.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    struct fb_arena arena = {0};
    struct fb_diag diag;
    struct fb_url url;
    struct fb_str path;

    if (fb_url_parse(text, &url, &diag) == FB_OK) {
        FB_REQUIRE(url.host.len > 0 && url.port > 0 && url.target.ptr[0] == '/');
    }
    if (fb_path_normalise(&arena, text, &path) == FB_OK) {
        struct fb_str again = FB_STR_NONE;
        struct fb_str rest = path;
        struct fb_str segment;
        FB_REQUIRE(path.len > 0 && path.ptr[0] == '/' && path.len <= size);
        FB_REQUIRE(fb_path_normalise(&arena, path, &again) == FB_OK && fb_str_equal(path, again));
        while (fb_str_cut(&rest, '/', &segment)) {
            FB_REQUIRE(!fb_str_equal(segment, FB_STR("..")) && !fb_str_equal(segment, FB_STR(".")));
        }
    }
    fb_arena_done(&arena);
    return 0;
}
