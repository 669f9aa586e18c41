/*
 * What operators, or somebody else who got to the admin address, want purged. What is
 * taken for a purge has one text of one kind within the limits.
 */
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/admin/ask.h"
#include "edge/purge/tags.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int err, const struct edge_ask *ask)
{
    if (err < 0) {
        return;
    }
    FB_REQUIRE(ask->n > 0 && ask->n <= EDGE_PURGES_MAX_CALL);
    for (size_t i = 0; i < ask->n; i++) {
        const struct edge_purge *purge = &ask->purges[i];
        FB_REQUIRE(purge->text.ptr != NULL && purge->text.len <= EDGE_PURGE_TEXT_MAX);
        FB_REQUIRE(purge->kind != EDGE_PURGE_TAG || edge_tag_is_valid(purge->text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_str text = {(const char *)data, size};
    struct fb_str tag = FB_STR_NONE;
    struct edge_ask ask = {0};
    struct fb_diag diag = {0};
    size_t n = 0;

    check(edge_ask_read_json(&arena, text, &ask, &diag), &ask);
    check(edge_ask_read_query(&arena, text, &ask, &diag), &ask);
    while (edge_tags_next(&text, &tag)) {
        FB_REQUIRE(tag.len > 0);
        n += tag.len;
    }
    FB_REQUIRE(n <= size);
    return 0;
}
