/* Finding the end of a head, in whatever pieces it comes. */
#include "base/core/err.h"
#include "base/http1/parse_internal.h"

#include <string.h>

enum { DEFAULT_HEAD_BYTES = 32 * 1024, DEFAULT_HEADERS = 100, MAX_BLANK_LINES = 4 };

static const struct fb_str head_end = FB_STR("\r\n\r\n");

void fb_http1_parser_init(struct fb_http1_parser *parser, const struct fb_http1_limits *limits)
{
    *parser = (struct fb_http1_parser){0};
    if (limits != NULL) {
        parser->limits = *limits;
    }
    if (parser->limits.max_head_bytes == 0) {
        parser->limits.max_head_bytes = DEFAULT_HEAD_BYTES;
    }
    if (parser->limits.max_headers == 0) {
        parser->limits.max_headers = DEFAULT_HEADERS;
    }
}

void fb_http1_parser_done(struct fb_http1_parser *parser)
{
    fb_buf_done(&parser->partial);
    *parser = (struct fb_http1_parser){0};
}

bool fb_http1_parser_has_begun(const struct fb_http1_parser *parser)
{
    return parser->partial.len > 0 || parser->n_blank > 0;
}

int fb_http1_fail(struct fb_http1_parser *parser, unsigned status, int err)
{
    parser->status = status;
    fb_buf_done(&parser->partial);
    return err;
}

/* Bytes up to and with the first empty line at or after `from`, 0 if none. */
static size_t find_end(struct fb_str bytes, size_t from)
{
    struct fb_str rest = fb_str_skip(bytes, from);

    for (size_t at = 3; at < rest.len; at++) {
        at += fb_str_find(fb_str_skip(rest, at), '\n');
        if (at < rest.len && memcmp(rest.ptr + at - 3, head_end.ptr, head_end.len) == 0) {
            return from + at + 1;
        }
    }
    return 0;
}

/* False for control bytes, a CR or LF on its own, and a line that begins with
 * white space, which some would fold. A part of a head is checked too, so
 * that a peer that sends line feeds alone, or another protocol, is answered
 * without waiting for an empty line. */
static bool is_clean(struct fb_str bytes)
{
    size_t at = fb_str_find_control(bytes);

    while (at < bytes.len) {
        struct fb_str end = fb_str_first(fb_str_skip(bytes, at), 3);
        bool is_line_end = end.ptr[0] == '\r' && (end.len == 1 || end.ptr[1] == '\n');
        bool is_folded = end.len == 3 && (end.ptr[2] == ' ' || end.ptr[2] == '\t');
        if (!is_line_end || is_folded) {
            return false;
        }
        at += FB_MIN(end.len, 2U);
        at += fb_str_find_control(fb_str_skip(bytes, at));
    }
    return true;
}

/* Drops empty lines before the first line (RFC 9112 section 2.2). */
static int skip_blank(struct fb_http1_parser *parser, struct fb_str *input)
{
    while (parser->partial.len == 0 && fb_str_starts_with(*input, FB_STR("\r\n"))) {
        if (++parser->n_blank > MAX_BLANK_LINES) {
            return fb_http1_fail(parser, 400, FB_E_MALFORMED);
        }
        *input = fb_str_skip(*input, 2);
    }
    return FB_OK;
}

static int too_long(struct fb_http1_parser *parser, struct fb_str bytes)
{
    struct fb_str first = fb_str_first(bytes, parser->limits.max_head_bytes);
    bool is_in_first_line = fb_str_find(first, '\n') == first.len;
    return fb_http1_fail(parser, is_in_first_line ? 414 : 431, FB_E_LIMIT);
}

/* Adds the input to the partial head. */
static int gather(struct fb_http1_parser *parser, struct fb_str *input, bool may_be_blank,
                  size_t *ret_end)
{
    struct fb_buf *partial = &parser->partial;
    size_t old_len = partial->len;
    size_t room = parser->limits.max_head_bytes - FB_MIN(old_len, parser->limits.max_head_bytes);
    struct fb_str taken = fb_str_first(*input, room + 1);

    fb_buf_append(partial, taken);
    while (may_be_blank && fb_str_starts_with(fb_buf_str(partial), FB_STR("\r\n"))) {
        if (++parser->n_blank > MAX_BLANK_LINES) {
            return fb_http1_fail(parser, 400, FB_E_MALFORMED);
        }
        fb_buf_consume(partial, 2);
        old_len -= FB_MIN(old_len, 2U);
    }

    size_t end = find_end(fb_buf_str(partial), old_len > 3 ? old_len - 3 : 0);
    if (end == 0) {
        size_t checked = old_len > 2 ? old_len - 2 : 0;
        /* With two bytes before the new ones, which may end in CR LF. */
        if (checked > 0 && partial->ptr[checked] == '\n') {
            checked++;
        }
        if (!is_clean(fb_str_skip(fb_buf_str(partial), checked))) {
            return fb_http1_fail(parser, 400, FB_E_MALFORMED);
        }
    }
    if (end > parser->limits.max_head_bytes ||
        (end == 0 && partial->len > parser->limits.max_head_bytes)) {
        return too_long(parser, fb_buf_str(partial));
    }
    if (end == 0) {
        *input = fb_str_skip(*input, taken.len);
        return FB_E_LATER;
    }
    *input = fb_str_skip(*input, taken.len - (partial->len - end));
    *ret_end = end;
    return FB_OK;
}

int fb_http1_take_head(struct fb_http1_parser *parser, struct fb_str *input, bool may_be_blank,
                       struct fb_arena *arena, struct fb_str *ret_head)
{
    if (may_be_blank) {
        int err = skip_blank(parser, input);
        if (err < 0) {
            return err;
        }
    }
    size_t end = parser->partial.len == 0 ? find_end(*input, 0) : 0;
    if (end > parser->limits.max_head_bytes) {
        return too_long(parser, *input);
    }
    if (end > 0) {
        *ret_head = fb_arena_dup(arena, fb_str_first(*input, end));
        *input = fb_str_skip(*input, end);
    } else {
        int err = gather(parser, input, may_be_blank, &end);
        if (err < 0) {
            return err;
        }
        *ret_head = fb_arena_dup(arena, fb_str_first(fb_buf_str(&parser->partial), end));
        fb_buf_done(&parser->partial);
    }
    parser->n_blank = 0;
    return is_clean(*ret_head) ? FB_OK : fb_http1_fail(parser, 400, FB_E_MALFORMED);
}
