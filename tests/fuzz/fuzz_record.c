/*
 * Heads of records: whole blocks, as they are and with a right sum.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <stdint.h>
#include <string.h>

enum { HEAD_MAX = EDGE_FORMAT_MAX_HEAD_BLOCKS * EDGE_FORMAT_BLOCK };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_within(struct fb_str part, const char *blocks, size_t n)
{
    return part.ptr >= blocks && part.len <= n && part.ptr <= blocks + (n - part.len);
}

static void try_record(const char *blocks, size_t n)
{
    struct edge_record record;
    struct edge_record again;
    FB_AUTO(fb_freep) char *encoded = fb_alloc(HEAD_MAX);

    if (edge_record_decode(blocks, n, &record) != FB_OK) {
        return;
    }
    size_t n_head = (size_t)record.n_head_blocks * EDGE_FORMAT_BLOCK;
    FB_REQUIRE(n_head <= n && edge_record_is_sound(&record) && record.sum != 0);
    if (record.kind == EDGE_RECORD_EXTENT) {
        FB_REQUIRE(lies_within(record.head.key, blocks, n_head));
        FB_REQUIRE(lies_within(record.head.meta, blocks, n_head));
    }
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (record.chunk_bytes[i] > 0) {
            FB_REQUIRE(edge_record_chunk_block(&record, i) +
                           edge_record_chunk_blocks(record.chunk_bytes[i]) <=
                       record.n_blocks);
        }
    }
    edge_record_encode(&record, encoded);
    FB_REQUIRE(edge_record_decode(encoded, HEAD_MAX, &again) == FB_OK);
    FB_REQUIRE(fb_str_equal(again.head.key, record.head.key));
    FB_REQUIRE(again.n_blocks == record.n_blocks && again.head.mask == record.head.mask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t used = FB_MIN(size, (size_t)HEAD_MAX);
    size_t n =
        FB_MAX((used + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK, (size_t)1) * EDGE_FORMAT_BLOCK;
    FB_AUTO(fb_freep) char *blocks = fb_alloc(n);

    if (used > 0) {
        memcpy(blocks, data, used);
    }
    try_record(blocks, n);
    size_t n_head = (size_t)(uint8_t)blocks[18] * EDGE_FORMAT_BLOCK;
    if (n_head > 0 && n_head <= n) {
        test_seal(blocks, n_head);
        try_record(blocks, n);
    }
    return 0;
}
