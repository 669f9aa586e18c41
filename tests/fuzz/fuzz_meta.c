/*
 * Hostile heads from a volume. What is taken for one is written again as it was, but for the
 * time, and a second reading finds the same.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/store/meta.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What version 1 did not have: birth and the length of the tags. */
enum { WRITTEN_MORE_OF_1 = 12 };

static void check_again(const struct edge_meta *meta, struct edge_moment now, size_t size)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_object_head head = {.status = meta->status,
                                    .vary = meta->vary,
                                    .variant = meta->variant,
                                    .tags = meta->tags,
                                    .headers = meta->headers,
                                    .terms = meta->terms};
    struct edge_meta again;

    edge_meta_encode(&head, meta->birth, now, &bytes);
    FB_REQUIRE(bytes.len == size);
    FB_REQUIRE(edge_meta_decode(fb_buf_str(&bytes), now, &arena, &again) == FB_OK);
    FB_REQUIRE(again.birth == meta->birth && fb_str_equal(again.tags, meta->tags));
    FB_REQUIRE(again.status == meta->status && again.headers.n == meta->headers.n);
    FB_REQUIRE(again.terms.received_ms == meta->terms.received_ms);
    FB_REQUIRE(again.terms.lifetime_ms == meta->terms.lifetime_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_moment now = {.mono_ms = 1000, .wall_ms = 1767225600000};
    struct edge_meta meta;

    int err = edge_meta_decode((struct fb_str){(const char *)data, size}, now, &arena, &meta);
    if (err < 0) {
        FB_REQUIRE(err == FB_E_MALFORMED);
        return 0;
    }
    FB_REQUIRE(meta.terms.received_ms <= now.mono_ms && meta.terms.refusal == NULL);
    FB_REQUIRE(meta.terms.lifetime_ms >= 0 && meta.terms.initial_age_ms >= 0);
    uint64_t birth = 0;
    struct fb_str tags = FB_STR_NONE;
    FB_REQUIRE(edge_meta_decode_birth((struct fb_str){(const char *)data, size}, &birth, &tags) ==
               FB_OK);
    FB_REQUIRE(birth == meta.birth && fb_str_equal(tags, meta.tags));
    check_again(&meta, now, size + (data[0] == 1 ? WRITTEN_MORE_OF_1 : 0));
    return 0;
}
