/*
 * CDN-Loop from hostile bytes. Whatever others wrote before it, a node that adds its name
 * finds it again: nothing in the field can hide a circle.
 */
#include "base/core/check.h"
#include "edge/upstream/cdn_loop.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_arena arena = {0};
    struct fb_headers headers = {0};
    struct fb_headers sent = {0};
    struct fb_str rest = {(const char *)data, size};
    struct fb_str line;

    while (fb_str_cut(&rest, '\n', &line)) {
        fb_headers_add(&headers, &arena, FB_STR("CDN-Loop"), line);
    }
    (void)edge_loop_of(&headers, FB_STR("box-1"));
    fb_headers_add(&sent, &arena, FB_STR("CDN-Loop"),
                   edge_cdn_loop_append(&arena, &headers, FB_STR("box-1")));
    FB_REQUIRE(edge_loop_of(&sent, FB_STR("box-1")) == EDGE_LOOP_CLOSED);
    fb_arena_done(&arena);
    return 0;
}
