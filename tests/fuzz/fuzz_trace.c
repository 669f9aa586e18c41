/*
 * A trace of requests: whatever is accepted can be replayed, and its books balance.
 */
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/replay/replay.h"
#include "edge/replay/trace.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const struct edge_trace *trace, enum edge_policy_kind eviction)
{
    struct edge_replay_options options = {
        .eviction = eviction,
        .memory_bytes = trace->footprint / 3,
    };
    struct edge_replay_result result;

    edge_replay_run(trace, &options, &result);
    FB_REQUIRE(result.n_requests == trace->n_requests);
    FB_REQUIRE(result.n_misses + result.memory.n_hits == result.n_requests);
    FB_REQUIRE(result.n_bytes_missed + result.memory.n_bytes_hit == result.n_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t max_footprint = (uint64_t)16 << 30; /* to stay fast */
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fb_diag diag = {0};

    if (edge_trace_parse((struct fb_str){(const char *)data, size}, "input", &trace, &diag) < 0) {
        FB_REQUIRE(diag.text[0] != '\0' && trace == NULL);
        return 0;
    }
    if (trace->footprint < max_footprint) {
        replay(trace, EDGE_POLICY_RATE);
        replay(trace, EDGE_POLICY_S3FIFO);
        replay(trace, EDGE_POLICY_LRU);
    }
    return 0;
}
