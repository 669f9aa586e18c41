/*
 * Hostile queries of presigned URLs. Nothing but the signer's own passes.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/upload/presign.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct origin_presigner signer = {
        .access_key = {"key", 3}, .secret = {"secret", 6}, .region = {"here", 4}};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_request_head request = {
        .method = FB_METHOD_PUT,
        .method_text = FB_STR("PUT"),
        .path = FB_STR("/upload/a"),
        .query = {(const char *)data, size},
        .host = FB_STR("h"),
    };
    struct fb_diag diag = {.err = FB_OK};

    fb_headers_add(&request.headers, &arena, FB_STR("Content-Length"), FB_STR("1"));
    int err = origin_presign_check(&signer, &request, 1369353600000, &arena, &diag);
    FB_REQUIRE(err == FB_OK || diag.text[0] != '\0');
    return 0;
}
