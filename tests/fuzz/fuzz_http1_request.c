/*
 * Requests and their content, fed whole and in pieces: both must end alike.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http1/body.h"
#include "base/http1/parse.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds all in steps of `step` bytes; a sum of all that came out. */
static uint64_t digest(struct fb_str all, size_t step)
{
    struct fb_http1_limits limits = {.max_head_bytes = 2048, .max_headers = 20};
    struct fb_http1_parser parser;
    struct fb_http1_body body;
    struct fb_arena arena = {0};
    uint64_t sum = 1;
    bool is_in_body = false;
    int err = FB_OK;

    fb_http1_parser_init(&parser, &limits);
    while (all.len > 0 && (err == FB_OK || err == FB_E_LATER)) {
        struct fb_str input = fb_str_first(all, step);
        all = fb_str_skip(all, input.len);
        do {
            if (is_in_body) {
                struct fb_str piece;
                err = fb_http1_body_next(&body, &input, &piece);
                for (size_t i = 0; err == FB_OK && i < piece.len; i++) {
                    sum = sum * 31 + (unsigned char)piece.ptr[i];
                }
                if (err == FB_E_END) {
                    is_in_body = false;
                    err = FB_OK;
                }
            } else if (input.len > 0) {
                struct fb_http1_request request;
                err = fb_http1_parse_request(&parser, &input, &arena, &request);
                if (err == FB_OK) {
                    sum = sum * 31 + request.head.headers.n + request.length;
                    sum = fb_str_hash(request.head.path, sum) + fb_str_hash(request.head.host, sum);
                    FB_REQUIRE(request.framing != FB_HTTP1_UNTIL_CLOSE);
                    fb_http1_body_init(&body, request.framing, request.length);
                    is_in_body = true;
                }
            }
        } while (err == FB_OK && (input.len > 0 || is_in_body));
    }
    fb_http1_parser_done(&parser);
    fb_arena_done(&arena);
    return err == FB_OK || err == FB_E_LATER ? sum : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str all = {(const char *)data, size};
    uint64_t whole = digest(all, size);

    FB_REQUIRE(digest(all, 1) == whole);
    FB_REQUIRE(digest(all, 7) == whole);
    return 0;
}
