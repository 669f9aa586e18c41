/* Field lines (RFC 9112 section 5). */
#include "base/core/err.h"
#include "base/http1/parse_internal.h"

int fb_http1_read_fields(struct fb_http1_parser *parser, struct fb_str head, struct fb_arena *arena,
                         struct fb_headers *headers)
{
    struct fb_str rest = fb_str_skip(head, fb_str_find(head, '\r') + 2);

    /* Each CR is one before LF, and what is left at last is the empty line. */
    while (rest.len > 2) {
        struct fb_str line = fb_str_first(rest, fb_str_find(rest, '\r'));
        size_t n_name = fb_token_length(line);
        if (n_name == 0 || n_name == line.len || line.ptr[n_name] != ':') {
            return fb_http1_fail(parser, 400, FB_E_MALFORMED);
        }
        if (headers->n == parser->limits.max_headers) {
            return fb_http1_fail(parser, 431, FB_E_LIMIT);
        }
        fb_headers_add(headers, arena, fb_str_first(line, n_name),
                       fb_str_trim(fb_str_skip(line, n_name + 1)));
        rest = fb_str_skip(rest, line.len + 2);
    }
    return FB_OK;
}
