/*
 * Responses; the first byte chooses the request's method and the step.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http1/body.h"
#include "base/http1/parse.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t digest(struct fb_str all, enum fb_method method, size_t step)
{
    struct fb_http1_parser parser;
    struct fb_http1_body body;
    struct fb_http1_response response = {0};
    struct fb_arena arena = {0};
    struct fb_str piece;
    bool has_head = false;
    uint64_t sum = 1;
    int err = FB_E_LATER;

    fb_http1_parser_init(&parser, NULL);
    while (all.len > 0 && err == FB_E_LATER) {
        struct fb_str input = fb_str_first(all, step);
        all = fb_str_skip(all, input.len);
        if (!has_head) {
            err = fb_http1_parse_response(&parser, &input, method, &arena, &response);
            if (err < 0) {
                continue;
            }
            has_head = true;
            sum = sum * 31 + response.head.status + response.head.headers.n + response.length;
            fb_http1_body_init(&body, response.framing, response.length);
        }
        while ((err = fb_http1_body_next(&body, &input, &piece)) == FB_OK) {
            FB_REQUIRE(piece.len > 0);
            for (size_t i = 0; i < piece.len; i++) {
                sum = sum * 31 + (unsigned char)piece.ptr[i];
            }
        }
    }
    if (has_head && err == FB_E_LATER) {
        err = fb_http1_body_close(&body);
    }
    fb_http1_parser_done(&parser);
    fb_arena_done(&arena);
    return sum ^ (uint64_t)(int64_t)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct fb_str all = {(const char *)data + 1, size - 1};
    enum fb_method method = (data[0] & 1U) != 0 ? FB_METHOD_HEAD : FB_METHOD_GET;
    uint64_t whole = digest(all, method, all.len);

    FB_REQUIRE(digest(all, method, 1) == whole);
    FB_REQUIRE(digest(all, method, 1 + data[0] / 2) == whole);
    return 0;
}
