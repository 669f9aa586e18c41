/*
 * Replay: one trace through the policies, in virtual time.
 *
 * The tier in RAM is edge/policy over extents, as in the server's store. What
 * lies below it is a struct edge_replay_tier, or nothing. For each request, in
 * order:
 *
 *     each extent of the object:
 *         in RAM?  ── yes ──► edge_policy_hit(); tier: offer()
 *            │ no
 *            └─► tier: find() ── yes ──► into RAM, evicting
 *                                │ no
 *                                └─► into RAM, evicting; tier: offer()
 *     tier: request(), with what came of it
 *
 * A request is a hit of a tier if every extent it asked for was there; bytes
 * count by extent. A fetch takes no time.
 *
 * Ownership  Traces, tiers and results are the caller's.
 * Threads    One at a time.
 */
#pragma once

#include "edge/policy/policy.h"
#include "edge/replay/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the store cuts its objects. */
#define EDGE_REPLAY_EXTENT_BYTES ((uint64_t)4 << 20)

/* What the store keeps in memory beside the bytes: the first extent stands for
 * the object's head and index entry too. */
enum { EDGE_REPLAY_HEAD_BYTES = 1024, EDGE_REPLAY_OVERHEAD_BYTES = 256 };

/* A piece of an object, as policies know it. */
struct edge_replay_extent {
    const struct edge_trace_object *object;
    size_t object_index; /* in the trace */
    uint64_t id;         /* of this extent; the first one's is the object's */
    uint32_t number;     /* in the object, from 0 */
    uint32_t n_bytes;
};

enum edge_replay_outcome {
    EDGE_REPLAY_MEMORY_HIT, /* all in RAM */
    EDGE_REPLAY_TIER_HIT,   /* all there, some of it on the tier only */
    EDGE_REPLAY_MISS        /* some of it was fetched */
};

/* What was written, by reason. */
struct edge_replay_written {
    uint64_t admission;
    uint64_t rewriting;
    uint64_t metadata;
};

/* A tier below RAM. All calls come in the order of the trace. */
struct edge_replay_tier;

struct edge_replay_tier_ops {
    /* Is the extent here? A true answer counts as a read of it. */
    bool (*find)(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                 uint64_t now_ms);

    /* One whole request was served. */
    void (*request)(struct edge_replay_tier *tier, const struct edge_trace_object *object,
                    enum edge_replay_outcome outcome, uint64_t now_ms);

    /* The extent is in RAM, or too large for it, and was asked for; `was_fetched`
     * if it came from upstream for this request. It may be here already if it was
     * in RAM before. */
    void (*offer)(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                  bool was_fetched, uint64_t now_ms);
};

struct edge_replay_tier {
    const struct edge_replay_tier_ops *ops;
    uint64_t n_bytes;                   /* its size */
    uint64_t n_evictions;               /* out: extents that left */
    struct edge_replay_written written; /* out */
};

/* What a tier was asked and gave. */
struct edge_replay_count {
    uint64_t n_requests;
    uint64_t n_hits;
    uint64_t n_bytes_requested;
    uint64_t n_bytes_hit;
    uint64_t n_evictions;
};

struct edge_replay_options {
    enum edge_policy_kind eviction;
    uint64_t memory_bytes;
    struct edge_replay_tier *tier; /* borrowed; NULL: RAM alone */
};

struct edge_replay_result {
    uint64_t memory_bytes;
    uint64_t tier_bytes; /* 0 without one */
    uint64_t duration_ms;
    uint64_t n_requests;
    uint64_t n_bytes;
    uint64_t n_misses; /* requests of which some was fetched */
    uint64_t n_bytes_missed;
    struct edge_replay_count memory;
    struct edge_replay_count tier;      /* zero without one */
    struct edge_replay_written written; /* zero without one */
};

void edge_replay_run(const struct edge_trace *trace, const struct edge_replay_options *options,
                     struct edge_replay_result *ret_result);

/* The extent `number` of object `index`. */
struct edge_replay_extent edge_replay_extent_at(const struct edge_trace *trace, size_t index,
                                                uint32_t number);
uint32_t edge_replay_n_extents(const struct edge_trace_object *object);
