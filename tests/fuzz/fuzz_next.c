/*
 * What hostile players say comes next: the first line is the path that they ask for, the second
 * their CMCD. Whatever is made of it is a path in its normal form, of the same title.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "edge/serve/next.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void next_check(struct fb_arena *arena, struct fb_str path, const struct edge_next *next)
{
    struct fb_str normal;

    FB_REQUIRE(fb_path_normalise(arena, next->path, &normal) == FB_OK);
    FB_REQUIRE(fb_str_equal(normal, next->path));
    FB_REQUIRE(fb_str_equal(edge_next_title(next->path), edge_next_title(path)));
    FB_REQUIRE(!next->has_range || next->range.first <= next->range.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    struct fb_str line = FB_STR_NONE;
    struct fb_str path;
    struct fb_arena arena = {0};
    struct edge_cmcd cmcd = {0};
    struct fb_request_head request = {.method = FB_METHOD_GET};
    struct edge_next next;
    uint64_t number = 0;

    (void)fb_str_cut(&text, '\n', &line);
    if (fb_path_normalise(&arena, line, &path) == FB_OK) {
        fb_headers_add(&request.headers, &arena, FB_STR("cmcd-request"), text);
        edge_cmcd_read(&request, &cmcd);
        if (edge_next_told(&arena, &cmcd, path, &next)) {
            next_check(&arena, path, &next);
        }
        if (edge_next_guessed(&arena, path, &next, &number)) {
            next_check(&arena, path, &next);
        }
        edge_cmcd_done(&cmcd);
    }
    fb_arena_done(&arena);
    return 0;
}
