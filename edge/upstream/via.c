#include "edge/upstream/via.h"

#include <string.h>

static size_t via_put(char *text, size_t at, struct fb_str part)
{
    if (part.len > 0) {
        memcpy(text + at, part.ptr, part.len);
    }
    return at + part.len;
}

struct fb_str edge_via_append(struct fb_arena *arena, const struct fb_headers *headers,
                              struct fb_str version, struct fb_str node)
{
    struct fb_str before =
        headers != NULL ? fb_headers_join(headers, arena, FB_STR("via")) : FB_STR_NONE;
    struct fb_str link = before.len > 0 ? FB_STR(", ") : FB_STR_NONE;
    char *text = fb_arena_alloc(arena, before.len + link.len + version.len + node.len + 2);

    size_t len = via_put(text, 0, before);
    len = via_put(text, len, link);
    len = via_put(text, len, version);
    len = via_put(text, len, FB_STR(" "));
    len = via_put(text, len, node);
    return (struct fb_str){text, len};
}

struct fb_str edge_via_version(const struct fb_request_head *request)
{
    if (request->is_http2) {
        return FB_STR("2");
    }
    return request->version_minor == 0 ? FB_STR("1.0") : FB_STR("1.1");
}

bool edge_via_has(const struct fb_headers *headers, struct fb_str node)
{
    for (size_t i = 0; i < headers->n; i++) {
        if (!fb_str_equal_nocase(headers->items[i].name, FB_STR("via"))) {
            continue;
        }
        struct fb_str rest = headers->items[i].value;
        struct fb_str member;
        while (fb_list_member(&rest, &member)) {
            struct fb_str by = fb_str_trim(fb_str_skip(member, fb_str_find(member, ' ')));
            by = fb_str_first(by, fb_str_find(by, ' ')); /* a comment may follow */
            if (fb_str_equal(by, node)) {
                return true;
            }
        }
    }
    return false;
}
