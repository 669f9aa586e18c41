#include "base/http/cache_status.h"

#include "base/core/text.h"
#include "base/http/head.h"

#include <string.h>

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

/* ---- writing, where there is room ----------------------------------------- */

static char *put(char *at, struct fb_str str)
{
    if (str.len > 0) {
        memcpy(at, str.ptr, str.len);
    }
    return at + str.len;
}

static char *put_string(char *at, struct fb_str str)
{
    *at++ = '"';
    for (size_t i = 0; i < str.len; i++) {
        char c = str.ptr[i];
        if (c == '"' || c == '\\') {
            *at++ = '\\';
        }
        *at++ = (char)(c >= ' ' && c <= '~' ? c : '?');
    }
    *at++ = '"';
    return at;
}

/* A token as it is, anything else as an sf-string. */
static char *put_item(char *at, struct fb_str str)
{
    return is_sf_token(str) ? put(at, str) : put_string(at, str);
}

static char *put_number(char *at, int64_t number)
{
    char text[FB_TEXT_NUMBER_MAX];

    return put(at, fb_text_number_at(text, number));
}

/* ---- the member ------------------------------------------------------------ */

/* The most that it takes: each string with a backslash before each byte, and all else that there
 * may be. */
static size_t room_for(const struct fb_cache_status *status)
{
    enum { ALL_ELSE = 192 };

    return 2 * (status->cache.len + status->fwd.len + status->key.len + status->detail.len) +
           ALL_ELSE;
}

void fb_cache_status_append(struct fb_buf *buf, const struct fb_cache_status *status)
{
    char *start = fb_buf_reserve(buf, room_for(status));
    char *at = start;

    if (buf->len > 0) {
        at = put(at, FB_STR(", "));
    }
    at = put_item(at, status->cache);
    if (status->is_hit) {
        at = put(at, FB_STR("; hit"));
    } else if (status->fwd.len > 0) {
        at = put_item(put(at, FB_STR("; fwd=")), status->fwd);
    }
    if (status->fwd_status > 0) {
        at = put_number(put(at, FB_STR("; fwd-status=")), status->fwd_status);
    }
    if (status->has_ttl) {
        at = put_number(put(at, FB_STR("; ttl=")), status->ttl);
    }
    if (status->is_stored) {
        at = put(at, FB_STR("; stored"));
    }
    if (status->is_collapsed) {
        at = put(at, FB_STR("; collapsed"));
    }
    if (status->key.len > 0) {
        at = put_string(put(at, FB_STR("; key=")), status->key);
    }
    if (status->detail.len > 0) {
        at = put_item(put(at, FB_STR("; detail=")), status->detail);
    }
    fb_buf_add(buf, (size_t)(at - start));
}
