#include "base/http/url.h"

#include "base/core/err.h"
#include "base/core/text.h"
#include "base/http/scan.h"
#include "base/http/target.h"

#include <stdbool.h>
#include <string.h>

/* ---- absolute URLs ------------------------------------------------------ */

static bool is_alnum(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A name or IPv4 address, or with `is_literal` what stands in brackets. */
static bool is_host_name(struct fb_str host, bool is_literal)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        const char *others = is_literal ? ":." : "-._";
        if (!is_alnum(c) && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return host.len > 0 && host.len <= 255;
}

/* host[:port] or [IPv6][:port]. */
static bool read_authority(struct fb_str authority, struct fb_url *url)
{
    bool is_literal = authority.len > 0 && authority.ptr[0] == '[';
    struct fb_str rest = is_literal ? fb_str_skip(authority, 1) : authority;
    size_t len = fb_str_find(rest, is_literal ? ']' : ':');
    uint64_t port = url->port;

    if (is_literal && len == rest.len) {
        return false;
    }
    url->host = fb_str_first(rest, len);
    rest = fb_str_skip(rest, is_literal ? len + 1 : len);
    if (rest.len > 0 && (rest.ptr[0] != ':' || fb_str_to_u64(fb_str_skip(rest, 1), &port) < 0)) {
        return false;
    }
    if (port == 0 || port > UINT16_MAX) {
        return false;
    }
    url->port = (uint16_t)port;
    return is_host_name(url->host, is_literal);
}

int fb_url_parse(struct fb_str text, struct fb_url *ret_url, struct fb_diag *diag)
{
    struct fb_url url = {.target = FB_STR("/")};
    size_t colon = fb_str_find(text, ':');
    struct fb_str rest = fb_str_skip(text, colon);

    if (fb_str_equal_nocase(fb_str_first(text, colon), FB_STR("http"))) {
        url.scheme = FB_STR("http");
        url.port = 80;
    } else if (fb_str_equal_nocase(fb_str_first(text, colon), FB_STR("https"))) {
        url.scheme = FB_STR("https");
        url.port = 443;
    }
    if (url.port == 0 || !fb_str_starts_with(rest, FB_STR("://"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' does not begin with http:// or https://",
                           FB_STR_ARG(text));
    }
    rest = fb_str_skip(rest, 3);
    size_t len = FB_MIN(fb_str_find(rest, '/'), fb_str_find(rest, '?'));
    if (!read_authority(fb_str_first(rest, len), &url)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has no host, or no valid port",
                           FB_STR_ARG(text));
    }
    if (len < rest.len) {
        url.target = fb_str_skip(rest, len);
    }
    if (url.target.ptr[0] != '/' || !fb_target_is_clean(url.target)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has a path that is not allowed",
                           FB_STR_ARG(text));
    }
    *ret_url = url;
    return FB_OK;
}

/* ---- paths -------------------------------------------------------------- */

static bool is_unreserved(unsigned char c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Decodes what need not be escaped; returns the length written or 0. */
static size_t normalise_escapes(struct fb_str path, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = fb_scan_plain(path, '\\', '%'); /* these stand for themselves */

    memcpy(out, path.ptr, n);
    for (size_t i = n; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '\\') {
            return 0;
        }
        if (c != '%') {
            out[n++] = (char)c;
            continue;
        }
        int high = i + 2 < path.len ? fb_text_hex_digit(path.ptr[i + 1]) : -1;
        int low = i + 2 < path.len ? fb_text_hex_digit(path.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return 0;
        }
        unsigned char byte = (unsigned char)(high << 4 | low);
        if (byte < ' ' || byte == 0x7f || byte == '\\') {
            return 0;
        }
        if (is_unreserved(byte)) {
            out[n++] = (char)byte;
        } else {
            out[n++] = '%';
            out[n++] = digits[high];
            out[n++] = digits[low];
        }
        i += 2;
    }
    return n;
}

/* True if a segment begins with a dot. */
static bool may_have_dots(struct fb_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        i += fb_str_find(fb_str_skip(path, i), '.');
        if (i > 0 && i < path.len && path.ptr[i - 1] == '/') {
            return true;
        }
    }
    return false;
}

/* Removes "." and ".." segments in place; returns the new length, or 0 for a
 * path that climbs above the root. */
static size_t remove_dots(char *path, size_t len)
{
    size_t out = 0;
    size_t in = 0;

    while (in < len) {
        /* One segment with the slash before it. */
        const char *slash = memchr(path + in + 1, '/', len - in - 1);
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        struct fb_str segment = {path + in + 1, end - in - 1};
        bool is_last = end == len;

        if (fb_str_equal(segment, FB_STR(".."))) {
            if (out == 0) {
                return 0;
            }
            do {
                out--;
            } while (path[out] != '/');
        } else if (!fb_str_equal(segment, FB_STR("."))) {
            memmove(path + out, path + in, end - in);
            out += end - in;
            is_last = false;
        }
        if (is_last) {
            path[out++] = '/'; /* "/a/." and "/a/b/.." name the folder */
        }
        in = end;
    }
    return out;
}

int fb_path_normalise(struct fb_arena *arena, struct fb_str path, struct fb_str *ret_path)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        return FB_E_MALFORMED;
    }
    char *out = fb_arena_alloc(arena, path.len + 1);
    size_t len = normalise_escapes(path, out);
    if (len > 0 && may_have_dots((struct fb_str){out, len})) {
        len = remove_dots(out, len);
    }
    if (len == 0) {
        return FB_E_MALFORMED;
    }
    *ret_path = (struct fb_str){out, len};
    return FB_OK;
}
