#include "edge/serve/next.h"

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/http/url.h"

enum { NEXT_DIGITS_MAX = 15, NEXT_PATH_MAX = 2048 };

/* Where the last component begins, behind its slash. */
static size_t next_name_at(struct fb_str path)
{
    size_t at = path.len;

    while (at > 0 && path.ptr[at - 1] != '/') {
        at--;
    }
    return at;
}

struct fb_str edge_next_title(struct fb_str path)
{
    for (unsigned n = 0; n < 2 && path.len > 0; n++) {
        path = fb_str_first(path, next_name_at(path));
        path = path.len > 0 ? fb_str_first(path, path.len - 1) : path;
    }
    return path;
}

/* ---- told ------------------------------------------------------------------- */

static struct fb_str cmcd_text(const struct edge_cmcd *cmcd, struct fb_str name)
{
    for (size_t i = 0; i < cmcd->n; i++) {
        if (cmcd->keys[i].kind == EDGE_CMCD_STRING && fb_str_equal(cmcd->keys[i].name, name)) {
            return cmcd->keys[i].value;
        }
    }
    return FB_STR_NONE;
}

/* "12323-48763" or "12323-". */
static bool next_read_range(struct fb_str text, struct fb_range_spec *ret_range)
{
    FB_AUTO(fb_buf_done) struct fb_buf value = {0};
    struct fb_range_specs specs;

    fb_buf_append(&value, FB_STR("bytes="));
    fb_buf_append(&value, text);
    if (text.len == 0 || text.len > 64 || fb_range_parse(fb_buf_str(&value), &specs) < 0 ||
        specs.n != 1 || specs.items[0].is_suffix) {
        return false;
    }
    *ret_range = specs.items[0];
    return true;
}

/* A reference without scheme and host, on the base of `path`. */
static bool next_resolve(struct fb_arena *arena, struct fb_str path, struct fb_str reference,
                         struct fb_str *ret_path)
{
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};

    if (reference.len > NEXT_PATH_MAX || fb_text_percent_decode(&decoded, reference) < 0) {
        return false;
    }
    struct fb_str text = fb_buf_str(&decoded);
    if (text.len == 0 || fb_str_find(text, ':') < text.len || fb_str_find(text, '?') < text.len ||
        fb_str_find(text, '#') < text.len || fb_str_starts_with(text, FB_STR("//"))) {
        return false;
    }
    if (text.ptr[0] != '/') {
        fb_buf_append(&whole, fb_str_first(path, next_name_at(path)));
    }
    fb_buf_append(&whole, text);
    return fb_path_normalise(arena, fb_buf_str(&whole), ret_path) == FB_OK;
}

bool edge_next_told(struct fb_arena *arena, const struct edge_cmcd *cmcd, struct fb_str path,
                    struct edge_next *ret_next)
{
    struct fb_str object = cmcd_text(cmcd, FB_STR("nor"));
    struct edge_next next = {.path = path};

    next.has_range = next_read_range(cmcd_text(cmcd, FB_STR("nrr")), &next.range);
    if (object.len == 0 && !next.has_range) {
        return false;
    }
    if (object.len > 0 && (!next_resolve(arena, path, object, &next.path) ||
                           !fb_str_equal(edge_next_title(next.path), edge_next_title(path)))) {
        return false;
    }
    if (!next.has_range && fb_str_equal(next.path, path)) {
        return false;
    }
    *ret_next = next;
    return true;
}

/* ---- guessed ---------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool edge_next_guessed(struct fb_arena *arena, struct fb_str path, struct edge_next *ret_next,
                       uint64_t *ret_number)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    size_t name = next_name_at(path);
    size_t dot = path.len;
    uint64_t number = 0;

    while (dot > name && path.ptr[dot - 1] != '.') { /* "m4s" has a digit too */
        dot--;
    }
    size_t end = dot > name ? dot : path.len;
    while (end > name && !is_digit(path.ptr[end - 1])) {
        end--;
    }
    size_t begin = end;
    while (begin > name && is_digit(path.ptr[begin - 1])) {
        begin--;
    }
    struct fb_str digits = {path.ptr + begin, end - begin};
    if (fb_str_find(fb_str_skip(path, name), '%') < path.len - name) {
        return false; /* a digit may be one of an escape */
    }
    if (digits.len == 0 || digits.len > NEXT_DIGITS_MAX || fb_str_to_u64(digits, &number) < 0) {
        return false;
    }
    fb_buf_append(&text, fb_str_first(path, begin));
    fb_buf_printf(&text, "%0*llu", (int)(digits.ptr[0] == '0' ? digits.len : 1),
                  (unsigned long long)number + 1);
    fb_buf_append(&text, fb_str_skip(path, end));
    *ret_next = (struct edge_next){.path = fb_arena_dup(arena, fb_buf_str(&text))};
    *ret_number = number;
    return true;
}
