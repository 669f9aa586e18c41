#include "base/core/err.h"
#include "edge/fresh/fresh_internal.h"

/* In order (RFC 9213 section 2.2). */
static const struct fb_str targeted_fields[] = {
    FB_STR("forebay-cache-control"),
    FB_STR("cdn-cache-control"),
};

struct edge_directives edge_directives_of(struct fb_arena *arena, const struct fb_headers *response)
{
    struct edge_directives directives = {.is_targeted = true};

    for (size_t i = 0; i < FB_ARRAY_LEN(targeted_fields); i++) {
        struct fb_str value = fb_headers_join(response, arena, targeted_fields[i]);
        if (value.len > 0 && fb_cache_control_parse_targeted(value, &directives.cc) == FB_OK) {
            return directives;
        }
    }
    directives.is_targeted = false;
    directives.cc =
        fb_cache_control_parse(fb_headers_join(response, arena, FB_STR("cache-control")));
    return directives;
}

enum edge_cookies edge_cookies_of(const struct edge_treatment *treatment)
{
    if (treatment->caching.cookies != EDGE_COOKIES_BY_CLASS) {
        return treatment->caching.cookies;
    }
    return treatment->class == EDGE_CLASS_SEGMENT ? EDGE_COOKIES_DROP : EDGE_COOKIES_PASS;
}
