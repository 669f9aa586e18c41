/*
 * Heads: the method, target, status and fields of HTTP messages, whatever the
 * version that carried them (RFC 9110).
 *
 * A head is plain data. Its strings are views into memory that stands at least
 * as long as the head: an exchange's arena, a stored object, a literal.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A content length that only the end of the content will tell. */
#define FB_LENGTH_UNKNOWN ((int64_t)-1)

enum fb_method {
    FB_METHOD_GET,
    FB_METHOD_HEAD,
    FB_METHOD_POST,
    FB_METHOD_PUT,
    FB_METHOD_DELETE,
    FB_METHOD_OPTIONS,
    FB_METHOD_PATCH,
    FB_METHOD_OTHER /* see method_text */
};

struct fb_header {
    struct fb_str name;  /* as received; compare ignoring case */
    struct fb_str value; /* without leading and trailing white space */
};

/* Field lines in the order of arrival. */
struct fb_headers {
    struct fb_header *items; /* owned by the arena given to fb_headers_add() */
    size_t n;
    size_t cap; /* private */
};

struct fb_request_head {
    enum fb_method method;
    struct fb_str method_text;
    struct fb_str target;   /* as received, origin-form: begins with '/', or "*" */
    struct fb_str path;     /* of target, still percent-encoded */
    struct fb_str query;    /* after '?', without it; ptr NULL if there is none */
    struct fb_str host;     /* of Host or the authority, with port if given */
    unsigned version_minor; /* of HTTP/1.x; 1 for later ones */
    bool is_http2;          /* it came by HTTP/2 */
    struct fb_headers headers;
};

struct fb_response_head {
    unsigned status; /* 100..599 */
    struct fb_headers headers;
};

/* "GET", for a known method. */
struct fb_str fb_method_text(enum fb_method method);
enum fb_method fb_method_from(struct fb_str text);

/* "Not Found", or "" for an unregistered status. */
const char *fb_status_reason(unsigned status);

/* True if a response with `status` to `method` has no content (RFC 9110 6.4.1). */
bool fb_status_has_no_content(unsigned status, enum fb_method method);

/* Adds a line; the strings are kept as they are, not copied. */
void fb_headers_add(struct fb_headers *headers, struct fb_arena *arena, struct fb_str name,
                    struct fb_str value);

/* Takes out every line named `name`. */
void fb_headers_remove(struct fb_headers *headers, struct fb_str name);

/* The value of the first line named `name`, or an empty string with ptr NULL. */
struct fb_str fb_headers_find(const struct fb_headers *headers, struct fb_str name);

size_t fb_headers_count(const struct fb_headers *headers, struct fb_str name);

/* All values of `name` joined with ", " (RFC 9110 section 5.2); ptr NULL if
 * there are none. Uses `arena` only if there are several. */
struct fb_str fb_headers_join(const struct fb_headers *headers, struct fb_arena *arena,
                              struct fb_str name);

/* Visits the members of a comma-separated list, outside quoted strings, empty
 * ones left out, trimmed (RFC 9110 section 5.6.1). False at the end. */
bool fb_list_member(struct fb_str *rest, struct fb_str *ret_member);

/* True if the list `value` has `token`, ignoring case. */
bool fb_list_has(struct fb_str value, struct fb_str token);

/* How many bytes `str` begins with that may stand in a token. */
size_t fb_token_length(struct fb_str str);

/* A token of RFC 9110 section 5.6.2. */
bool fb_is_token(struct fb_str str);

/* False for names that belong to a message's framing (Connection, Content-Length, Keep-Alive,
 * Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade), names that are no tokens, and
 * values with a control byte, which could forge a line. */
bool fb_header_may_be_sent(const struct fb_header *header);
