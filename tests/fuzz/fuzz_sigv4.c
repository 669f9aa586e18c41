/*
 * Hostile signatures, in the query and in the Authorization field (after a NUL). What passes the
 * reading must say why it does not pass the check; nothing but the signer's own does.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/upload/sigv4.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_str text = {(const char *)data, size};
    struct fb_str query = fb_str_first(text, fb_str_find(text, '\0'));
    struct fb_str field = fb_str_skip(text, query.len + 1);
    struct fb_request_head request = {
        .method = FB_METHOD_PUT,
        .method_text = FB_STR("PUT"),
        .path = FB_STR("/upload/a%2"),
        .query = query,
        .host = FB_STR("h"),
    };
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    struct origin_sigv4_chain chain;
    struct origin_params params;
    struct origin_sigv4 sigv4;

    fb_headers_add(&request.headers, &arena, FB_STR("Content-Length"), FB_STR("1"));
    if (field.len > 0) {
        fb_headers_add(&request.headers, &arena, FB_STR("Authorization"), field);
        fb_headers_add(&request.headers, &arena, FB_STR("x-amz-date"), FB_STR("20130524T000000Z"));
        fb_headers_add(&request.headers, &arena, FB_STR("x-amz-content-sha256"),
                       FB_STR("UNSIGNED-PAYLOAD"));
    }
    if (origin_params_read(query, &arena, &params) < 0) {
        return 0;
    }
    int err = origin_sigv4_read(&request, &params, &arena, &sigv4, &fault);
    if (err == FB_OK) {
        struct origin_sigv4_proof proof = {.secret = FB_STR("secret"),
                                           .request = &request,
                                           .params = &params,
                                           .now_ms = 1369353600000};
        err = origin_sigv4_check(&sigv4, &proof, &arena, &chain, &fault);
    }
    FB_REQUIRE(err == FB_OK || (fault.kind != ORIGIN_FAULT_NONE && fault.diag.text[0] != '\0'));
    return 0;
}
