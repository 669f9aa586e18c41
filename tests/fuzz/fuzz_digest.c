/*
 * Digest fields from hostile bytes: a claim that is taken has a length of its kind, and can be
 * held against bytes.
 */
#include "base/core/check.h"
#include "edge/fill/digest.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_arena arena = {0};
    struct fb_response_head response = {.status = 200};
    struct fb_str rest = {(const char *)data, size};
    struct fb_str line;

    for (unsigned i = 0; fb_str_cut(&rest, '\n', &line); i++) {
        fb_headers_add(&response.headers, &arena,
                       i % 2 == 0 ? FB_STR("Repr-Digest") : FB_STR("Content-Digest"), line);
    }
    struct edge_digest_claim of_all = edge_digest_claim_of(&response, &arena);
    response.status = 206;
    struct edge_digest_claim of_part = edge_digest_claim_of(&response, &arena);
    FB_REQUIRE(of_part.kind <= of_all.kind);
    if (of_all.kind != EDGE_DIGEST_NONE) {
        struct edge_digest digest = {0};
        edge_digest_begin(&digest, &of_all);
        edge_digest_update(&digest, (struct fb_str){(const char *)data, size});
        (void)edge_digest_holds(&digest); /* by chance, hardly ever */
    }
    fb_arena_done(&arena);
    return 0;
}
