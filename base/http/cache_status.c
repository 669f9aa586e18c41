#include "base/http/cache_status.h"

#include "base/core/text.h"
#include "base/http/head.h"

/* sf-token of RFC 8941 section 3.3.4: a token with ':' and '/' besides, that begins with a
 * letter or '*'. */
static bool is_sf_token(struct fb_str str)
{
    struct fb_str rest = str;
    char first = (char)(str.len > 0 ? str.ptr[0] | 0x20 : '\0');
    bool begins = str.len > 0 && ((first >= 'a' && first <= 'z') || str.ptr[0] == '*');

    while (rest.len > 0) {
        size_t n = fb_token_length(rest);
        if (n < rest.len && rest.ptr[n] != ':' && rest.ptr[n] != '/') {
            return false;
        }
        rest = fb_str_skip(rest, n + 1);
    }
    return begins;
}

static void append_string(struct fb_buf *buf, struct fb_str str)
{
    fb_buf_append_byte(buf, '"');
    for (size_t i = 0; i < str.len; i++) {
        char c = str.ptr[i];
        if (c == '"' || c == '\\') {
            fb_buf_append_byte(buf, '\\');
        }
        fb_buf_append_byte(buf, c >= ' ' && c <= '~' ? c : '?');
    }
    fb_buf_append_byte(buf, '"');
}

/* A token as it is, anything else as an sf-string. */
static void append_item(struct fb_buf *buf, struct fb_str str)
{
    if (is_sf_token(str)) {
        fb_buf_append(buf, str);
    } else {
        append_string(buf, str);
    }
}

void fb_cache_status_append(struct fb_buf *buf, const struct fb_cache_status *status)
{
    if (buf->len > 0) {
        fb_buf_append(buf, FB_STR(", "));
    }
    append_item(buf, status->cache);
    if (status->is_hit) {
        fb_buf_append(buf, FB_STR("; hit"));
    } else if (status->fwd.len > 0) {
        fb_buf_append(buf, FB_STR("; fwd="));
        append_item(buf, status->fwd);
    }
    if (status->fwd_status > 0) {
        fb_buf_append(buf, FB_STR("; fwd-status="));
        fb_text_number(buf, status->fwd_status);
    }
    if (status->has_ttl) {
        fb_buf_append(buf, FB_STR("; ttl="));
        fb_text_number(buf, status->ttl);
    }
    if (status->is_stored) {
        fb_buf_append(buf, FB_STR("; stored"));
    }
    if (status->is_collapsed) {
        fb_buf_append(buf, FB_STR("; collapsed"));
    }
    if (status->key.len > 0) {
        fb_buf_append(buf, FB_STR("; key="));
        append_string(buf, status->key);
    }
    if (status->detail.len > 0) {
        fb_buf_append(buf, FB_STR("; detail="));
        append_item(buf, status->detail);
    }
}
