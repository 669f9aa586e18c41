#include "edge/views/pattern.h"

#include "base/core/err.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- checking ---------------------------------------------------------- */

/* Takes the name in braces off `*rest`, which begins with one; false if there is none. */
static bool pattern_take_name(struct fb_str *rest, struct fb_str *ret_name)
{
    size_t end = fb_str_find(*rest, '}');

    if (end == rest->len || end < 2) {
        return false;
    }
    *ret_name = fb_str_skip(fb_str_first(*rest, end), 1);
    *rest = fb_str_skip(*rest, end + 1);
    return fb_str_find(*ret_name, '{') == ret_name->len &&
           fb_str_find(*ret_name, '/') == ret_name->len;
}

int edge_pattern_check(struct fb_str pattern, struct fb_diag *diag)
{
    struct fb_str rest = pattern;
    unsigned n_names = 0;
    bool has_video = false;

    if (pattern.len > EDGE_PATTERN_MAX || !fb_str_starts_with(pattern, FB_STR("/"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' does not begin with '/' or is too long",
                           FB_STR_ARG(pattern));
    }
    while (rest.len > 0) {
        struct fb_str name = FB_STR_NONE;
        if (rest.ptr[0] == '}') {
            return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has a '}' without a '{'",
                               FB_STR_ARG(pattern));
        }
        if (rest.ptr[0] != '{') {
            rest = fb_str_skip(rest, 1);
            continue;
        }
        if (!pattern_take_name(&rest, &name) || ++n_names > EDGE_PATTERN_NAMES_MAX) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "'%.*s' has braces without a name in them, or too many",
                               FB_STR_ARG(pattern));
        }
        has_video = has_video || fb_str_equal(name, FB_STR("video"));
    }
    return has_video
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has no '{video}'", FB_STR_ARG(pattern));
}

/* ---- matching ---------------------------------------------------------- */

static struct fb_str *match_member(struct edge_pattern_match *match, struct fb_str name)
{
    if (fb_str_equal(name, FB_STR("video"))) {
        return &match->video;
    }
    if (fb_str_equal(name, FB_STR("rendition"))) {
        return &match->rendition;
    }
    if (fb_str_equal(name, FB_STR("segment"))) {
        return &match->segment;
    }
    return fb_str_equal(name, FB_STR("number")) ? &match->number : NULL;
}

/* How many bytes a name may stand for here. */
static size_t match_reach(struct fb_str path, bool is_number)
{
    size_t n = 0;

    while (n < path.len && (is_number ? is_digit(path.ptr[n]) : path.ptr[n] != '/')) {
        n++;
    }
    return n;
}

/* Recurses once for each name, of which there are EDGE_PATTERN_NAMES_MAX. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static bool match_rest(struct fb_str pattern, struct fb_str path, struct edge_pattern_match *match,
                       unsigned *steps)
{
    while (pattern.len > 0 && pattern.ptr[0] != '{') {
        if (path.len == 0 || path.ptr[0] != pattern.ptr[0] || *steps == 0) {
            return false;
        }
        --*steps;
        pattern = fb_str_skip(pattern, 1);
        path = fb_str_skip(path, 1);
    }
    struct fb_str name = FB_STR_NONE;
    if (pattern.len == 0 || !pattern_take_name(&pattern, &name)) {
        return pattern.len == 0 && path.len == 0;
    }
    struct fb_str *member = match_member(match, name);
    size_t reach = match_reach(path, member == &match->number);
    for (size_t n = 1; n <= reach && *steps > 0; n++) {
        --*steps;
        /* The common case by far: it ends where the literal behind it begins. */
        bool may_end = pattern.len == 0 ? n == path.len
                                        : pattern.ptr[0] == '{' ||
                                              (n < path.len && path.ptr[n] == pattern.ptr[0]);
        if (may_end && match_rest(pattern, fb_str_skip(path, n), match, steps)) {
            if (member != NULL) {
                *member = fb_str_first(path, n);
            }
            return true;
        }
    }
    return false;
}

bool edge_pattern_match(struct fb_str pattern, struct fb_str path,
                        struct edge_pattern_match *ret_match)
{
    struct edge_pattern_match match = {FB_STR_NONE, FB_STR_NONE, FB_STR_NONE, FB_STR_NONE};
    unsigned steps = EDGE_PATTERN_STEPS;

    if (!match_rest(pattern, path, &match, &steps)) {
        return false;
    }
    *ret_match = match;
    return true;
}

struct fb_str edge_pattern_prefix(struct fb_str pattern)
{
    return fb_str_first(pattern, fb_str_find(pattern, '{'));
}
