#include "base/http/head.h"

#include <string.h>

static const struct fb_str method_texts[] = {
    [FB_METHOD_GET] = FB_STR("GET"),       [FB_METHOD_HEAD] = FB_STR("HEAD"),
    [FB_METHOD_POST] = FB_STR("POST"),     [FB_METHOD_PUT] = FB_STR("PUT"),
    [FB_METHOD_DELETE] = FB_STR("DELETE"), [FB_METHOD_OPTIONS] = FB_STR("OPTIONS"),
    [FB_METHOD_PATCH] = FB_STR("PATCH"),   [FB_METHOD_OTHER] = FB_STR(""),
};

struct fb_str fb_method_text(enum fb_method method)
{
    return method_texts[method];
}

enum fb_method fb_method_from(struct fb_str text)
{
    for (unsigned i = FB_METHOD_GET; i < FB_METHOD_OTHER; i++) {
        if (fb_str_equal(text, method_texts[i])) {
            return (enum fb_method)i;
        }
    }
    return FB_METHOD_OTHER;
}

/* The registered statuses of RFC 9110 and its neighbours. */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *fb_status_reason(unsigned status)
{
    const char *reason = status < FB_ARRAY_LEN(reasons) ? reasons[status] : NULL;
    return reason != NULL ? reason : "";
}

bool fb_status_has_no_content(unsigned status, enum fb_method method)
{
    return method == FB_METHOD_HEAD || status < 200 || status == 204 || status == 304;
}

/* ---- field lines -------------------------------------------------------- */

void fb_headers_add(struct fb_headers *headers, struct fb_arena *arena, struct fb_str name,
                    struct fb_str value)
{
    if (headers->n == headers->cap) {
        size_t cap = headers->cap == 0 ? 16 : 2 * headers->cap;
        struct fb_header *items = fb_arena_alloc(arena, cap * sizeof(*items));
        if (headers->n > 0) {
            memcpy(items, headers->items, headers->n * sizeof(*items));
        }
        headers->items = items;
        headers->cap = cap;
    }
    headers->items[headers->n++] = (struct fb_header){name, value};
}

void fb_headers_remove(struct fb_headers *headers, struct fb_str name)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < headers->n; i++) {
        if (!fb_str_equal_nocase(headers->items[i].name, name)) {
            headers->items[n_kept++] = headers->items[i];
        }
    }
    headers->n = n_kept;
}

struct fb_str fb_headers_find(const struct fb_headers *headers, struct fb_str name)
{
    for (size_t i = 0; i < headers->n; i++) {
        if (fb_str_equal_nocase(headers->items[i].name, name)) {
            struct fb_str value = headers->items[i].value;
            return value.ptr != NULL ? value : FB_STR("");
        }
    }
    return FB_STR_NONE;
}

size_t fb_headers_count(const struct fb_headers *headers, struct fb_str name)
{
    size_t n = 0;

    for (size_t i = 0; i < headers->n; i++) {
        n += fb_str_equal_nocase(headers->items[i].name, name) ? 1 : 0;
    }
    return n;
}

struct fb_str fb_headers_join(const struct fb_headers *headers, struct fb_arena *arena,
                              struct fb_str name)
{
    size_t len = 0;
    size_t n = 0;

    for (size_t i = 0; i < headers->n; i++) {
        if (fb_str_equal_nocase(headers->items[i].name, name)) {
            len += headers->items[i].value.len + 2;
            n++;
        }
    }
    if (n < 2) {
        return fb_headers_find(headers, name);
    }

    char *joined = fb_arena_alloc(arena, len);
    size_t at = 0;
    for (size_t i = 0; i < headers->n; i++) {
        struct fb_str value = headers->items[i].value;
        if (!fb_str_equal_nocase(headers->items[i].name, name)) {
            continue;
        }
        if (at > 0) {
            memcpy(joined + at, ", ", 2);
            at += 2;
        }
        if (value.len > 0) {
            memcpy(joined + at, value.ptr, value.len);
            at += value.len;
        }
    }
    return (struct fb_str){joined, at};
}

/* ---- lists and tokens --------------------------------------------------- */

/* The first comma of `str` outside quoted strings, or its length. */
static size_t list_find_comma(struct fb_str str)
{
    bool is_quoted = false;

    for (size_t i = 0; i < str.len; i++) {
        if (is_quoted && str.ptr[i] == '\\') {
            i++;
        } else if (str.ptr[i] == '"') {
            is_quoted = !is_quoted;
        } else if (str.ptr[i] == ',' && !is_quoted) {
            return i;
        }
    }
    return str.len;
}

bool fb_list_member(struct fb_str *rest, struct fb_str *ret_member)
{
    while (rest->len > 0) {
        size_t comma = list_find_comma(*rest);
        struct fb_str member = fb_str_trim(fb_str_first(*rest, comma));
        *rest = fb_str_skip(*rest, comma + 1);
        if (member.len > 0) {
            *ret_member = member;
            return true;
        }
    }
    return false;
}

bool fb_list_has(struct fb_str value, struct fb_str token)
{
    struct fb_str member;

    while (fb_list_member(&value, &member)) {
        if (fb_str_equal_nocase(member, token)) {
            return true;
        }
    }
    return false;
}

/* tchar of RFC 9110 section 5.6.2, one bit for each byte. */
static const uint32_t token_bytes[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};

size_t fb_token_length(struct fb_str str)
{
    for (size_t i = 0; i < str.len; i++) {
        unsigned char c = (unsigned char)str.ptr[i];
        if ((token_bytes[c / 32] >> (c % 32) & 1U) == 0) {
            return i;
        }
    }
    return str.len;
}

bool fb_is_token(struct fb_str str)
{
    return str.len > 0 && fb_token_length(str) == str.len;
}

/* ---- what may be sent ---------------------------------------------------- */

/* Names that only those write who frame messages. */
static bool is_framing_name(struct fb_str name)
{
    static const struct fb_str names[] = {
        FB_STR("Connection"),
        FB_STR("Content-Length"),
        FB_STR("Keep-Alive"),
        FB_STR("Proxy-Connection"),
        FB_STR("TE"),
        FB_STR("Trailer"),
        FB_STR("Transfer-Encoding"),
        FB_STR("Upgrade"),
    };
    static const uint32_t lengths = 1U << 2 | 1U << 7 | 1U << 10 | 1U << 14 | 1U << 16 | 1U << 17;

    if (name.len > 17 || (lengths >> name.len & 1U) == 0) {
        return false;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        if (fb_str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

bool fb_header_may_be_sent(const struct fb_header *header)
{
    return !is_framing_name(header->name) && fb_is_token(header->name) &&
           fb_str_find_control(header->value) == header->value.len;
}
