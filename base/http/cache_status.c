#include "base/http/cache_status.h"

#include <inttypes.h>

/* sf-token of RFC 8941 section 3.3.4. */
static bool is_sf_token(struct fb_str str)
{
    for (size_t i = 0; i < str.len; i++) {
        char c = str.ptr[i];
        bool is_alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit = c >= '0' && c <= '9';
        bool is_other = c != '\0' && fb_str_find(FB_STR("!#$%&'*+-.^_`|~:/"), c) < 17;
        if (!is_alpha && c != '*' && (i == 0 || !(is_digit || is_other))) {
            return false;
        }
    }
    return str.len > 0;
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
        fb_buf_printf(buf, "; fwd-status=%u", status->fwd_status);
    }
    if (status->has_ttl) {
        fb_buf_printf(buf, "; ttl=%" PRId64, status->ttl);
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
