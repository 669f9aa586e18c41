/* Which content types a class may have. */
#include "edge/fresh/fresh_internal.h"

static bool begins_with_nocase(struct fb_str text, struct fb_str prefix)
{
    return text.len >= prefix.len && fb_str_equal_nocase(fb_str_first(text, prefix.len), prefix);
}

bool edge_content_type_matches(struct fb_str essence, struct fb_str pattern)
{
    size_t slash = fb_str_find(pattern, '/');

    if (fb_str_equal(fb_str_skip(pattern, slash), FB_STR("/*"))) {
        return begins_with_nocase(essence, fb_str_first(pattern, slash + 1));
    }
    return fb_str_equal_nocase(essence, pattern);
}

static bool is_among(struct fb_str essence, const struct fb_str *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (edge_content_type_matches(essence, patterns[i])) {
            return true;
        }
    }
    return false;
}

/* Lists of what media is sent as: a type that nobody has thought of here follows plain
 * RFC 9111, which is never wrong. No list has a type that pages or answers about a person
 * come as. */
bool edge_class_agrees(enum edge_class class, struct fb_str essence)
{
    static const struct fb_str media[] = {
        FB_STR("video/*"),
        FB_STR("audio/*"),
        FB_STR("image/*"),
        FB_STR("font/*"),
        FB_STR("text/vtt"),
        FB_STR("application/mp4"),
        FB_STR("application/octet-stream"),
        FB_STR("binary/octet-stream"), /* how some object stores call it */
        FB_STR("application/ttml+xml"),
        FB_STR("application/x-subrip"),
        FB_STR("application/vnd.apple.mpegurl"),
        FB_STR("application/x-mpegurl"),
        FB_STR("application/dash+xml"),
        FB_STR("application/vnd.ms-sstr+xml"),
    };
    static const struct fb_str playlists[] = {
        FB_STR("text/plain"),
        FB_STR("text/xml"),
        FB_STR("application/xml"),
    };

    if (class == EDGE_CLASS_OTHER || essence.len == 0 ||
        is_among(essence, media, FB_ARRAY_LEN(media))) {
        return true;
    }
    return class == EDGE_CLASS_MANIFEST && is_among(essence, playlists, FB_ARRAY_LEN(playlists));
}
