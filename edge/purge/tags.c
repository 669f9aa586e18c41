#include "edge/purge/tags.h"

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

bool edge_tags_next(struct fb_str *rest, struct fb_str *ret_tag)
{
    size_t at = 0;

    while (at < rest->len && is_separator(rest->ptr[at])) {
        at++;
    }
    size_t end = at;
    while (end < rest->len && !is_separator(rest->ptr[end])) {
        end++;
    }
    struct fb_str tag = fb_str_first(fb_str_skip(*rest, at), end - at);
    *rest = fb_str_skip(*rest, end);
    if (tag.len == 0) {
        return false;
    }
    *ret_tag = tag;
    return true;
}

bool edge_tag_is_valid(struct fb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || is_separator(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0 && text.len <= EDGE_TAG_MAX;
}
