#include "edge/access_log/text.h"

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "edge/cmcd/cmcd.h"

enum { TEXT_DEL = 0x7f, TEXT_C1_LEAD = 0xc2, TEXT_C1_END = 0xa0 };

/* ---- paths ----------------------------------------------------------------- */

/* A site with `access` takes out its own tokens; those of others come by here. */
static bool text_is_token(struct fb_str segment)
{
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};
    struct fb_str part = FB_STR_NONE;
    bool has_signature = false;

    if (segment.len == 0 || fb_text_percent_decode(&decoded, segment) < 0) {
        return false;
    }
    struct fb_str rest = fb_buf_str(&decoded);
    if (!fb_str_starts_with(rest, FB_STR("kid="))) {
        return false;
    }
    while (!has_signature && fb_str_cut(&rest, '~', &part)) {
        has_signature = fb_str_starts_with(part, FB_STR("hmac="));
    }
    return has_signature;
}

void edge_access_path(struct fb_buf *buf, struct fb_str path)
{
    struct fb_str segment = fb_str_skip(path, 1);

    segment = fb_str_first(segment, fb_str_find(segment, '/'));
    if (text_is_token(segment)) {
        fb_buf_append(buf, FB_STR("/-"));
        path = fb_str_skip(path, 1 + segment.len);
    }
    fb_buf_append(buf, path);
}

/* ---- queries --------------------------------------------------------------- */

static bool text_is_hidden(struct fb_str name, const struct edge_access_hiding *hiding)
{
    for (size_t list = 0; list < FB_ARRAY_LEN(hiding->names); list++) {
        for (size_t i = 0; i < hiding->n[list]; i++) {
            if (fb_str_equal_nocase(name, hiding->names[list][i])) {
                return true;
            }
        }
    }
    return false;
}

void edge_access_query(struct fb_buf *buf, struct fb_str query,
                       const struct edge_access_hiding *hiding)
{
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};
    struct fb_str part = FB_STR_NONE;
    bool is_first = true;

    while (query.ptr != NULL && fb_str_cut(&query, '&', &part)) {
        struct fb_str value = part;
        struct fb_str name = FB_STR_NONE;
        if (!fb_str_cut(&value, '=', &name)) {
            name = FB_STR_NONE; /* nothing between two '&' */
        }
        struct fb_str read = name;
        fb_buf_clear(&decoded);
        if (fb_text_percent_decode(&decoded, name) == FB_OK) {
            read = fb_buf_str(&decoded);
        }
        if (edge_cmcd_is_param(read)) {
            continue;
        }
        if (!is_first) {
            fb_buf_append_byte(buf, '&');
        }
        is_first = false;
        if (text_is_hidden(read, hiding) && value.len > 0) {
            fb_buf_append(buf, name);
            fb_buf_append(buf, FB_STR("=-"));
        } else {
            fb_buf_append(buf, part);
        }
    }
}

/* ---- JSON -------------------------------------------------------------------- */

/* The control character that begins here, which JSON would let pass; its bytes. */
static size_t text_control(struct fb_str text, unsigned *ret_code)
{
    unsigned char c = (unsigned char)text.ptr[0];
    unsigned char next = text.len > 1 ? (unsigned char)text.ptr[1] : 0;

    if (c == TEXT_DEL) {
        *ret_code = c;
        return 1;
    }
    if (c == TEXT_C1_LEAD && next >= 0x80 && next < TEXT_C1_END) {
        *ret_code = next;
        return 2;
    }
    return 0;
}

static bool text_has_control(struct fb_str text)
{
    unsigned code = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text_control(fb_str_skip(text, i), &code) > 0) {
            return true;
        }
    }
    return false;
}

static void text_escape_controls(struct fb_buf *buf, size_t from)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    unsigned code = 0;

    fb_buf_append(&plain, fb_str_skip(fb_buf_str(buf), from));
    fb_buf_truncate(buf, from);
    for (struct fb_str rest = fb_buf_str(&plain); rest.len > 0;) {
        size_t n = text_control(rest, &code);
        if (n > 0) {
            fb_buf_printf(buf, "\\u%04x", code);
        } else {
            n = 1;
            fb_buf_append_byte(buf, rest.ptr[0]);
        }
        rest = fb_str_skip(rest, n);
    }
}

bool edge_access_json_text(struct fb_buf *buf, struct fb_str str, size_t max)
{
    size_t from = buf->len;

    fb_text_json_string(buf, fb_str_first(str, max));
    if (text_has_control(fb_str_skip(fb_buf_str(buf), from))) {
        text_escape_controls(buf, from);
    }
    return str.len <= max;
}

/* ---- columns ------------------------------------------------------------------- */

void edge_access_column(struct fb_buf *buf, struct fb_str str, size_t max)
{
    struct fb_str shown = fb_str_first(str, max);

    if (str.len == 0) {
        fb_buf_append_byte(buf, '-');
    }
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.ptr[i];
        if (c <= ' ' || c >= TEXT_DEL || c == '"') {
            fb_buf_printf(buf, "%%%02X", c);
        } else {
            fb_buf_append_byte(buf, (char)c);
        }
    }
    if (shown.len < str.len) {
        fb_buf_append_byte(buf, '~');
    }
}

void edge_access_quoted(struct fb_buf *buf, struct fb_str str)
{
    if (str.len == 0) {
        fb_buf_append_byte(buf, '-');
        return;
    }
    fb_buf_append_byte(buf, '"');
    for (size_t i = 0; i < str.len; i++) {
        unsigned char c = (unsigned char)str.ptr[i];
        if (c < ' ' || c >= TEXT_DEL) {
            fb_buf_printf(buf, "%%%02X", c);
            continue;
        }
        if (c == '"') {
            fb_buf_append_byte(buf, '"');
        }
        fb_buf_append_byte(buf, (char)c);
    }
    fb_buf_append_byte(buf, '"');
}
