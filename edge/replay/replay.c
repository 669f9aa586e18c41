#include "edge/replay/replay.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

/* The state of one run. The extents of object i stand at nodes[first[i]] on. */
struct replay {
    const struct edge_trace *trace;
    struct edge_policy *policy;     /* owned */
    struct edge_policy_node *nodes; /* owned; of all extents of all objects */
    size_t *first;                  /* owned; n_objects + 1 */
    struct edge_replay_tier *tier;  /* NULL: none */
    uint64_t memory_bytes;
    uint64_t now_ms;
    struct edge_replay_result result;
};

/* ---- extents ----------------------------------------------------------- */

uint32_t edge_replay_n_extents(const struct edge_trace_object *object)
{
    uint64_t n = (object->size + EDGE_REPLAY_EXTENT_BYTES - 1) / EDGE_REPLAY_EXTENT_BYTES;
    return (uint32_t)FB_MAX(n, 1U);
}

struct edge_replay_extent edge_replay_extent_at(const struct edge_trace *trace, size_t index,
                                                uint32_t number)
{
    const struct edge_trace_object *object = &trace->objects[index];
    uint64_t begin = number * EDGE_REPLAY_EXTENT_BYTES;

    return (struct edge_replay_extent){
        .object = object,
        .object_index = index,
        .id = object->id + number * 0x9E3779B97F4A7C15U,
        .number = number,
        .n_bytes = (uint32_t)FB_MIN(object->size - begin, EDGE_REPLAY_EXTENT_BYTES),
    };
}

static uint64_t extent_cost(const struct edge_replay_extent *extent)
{
    return extent->n_bytes + EDGE_REPLAY_OVERHEAD_BYTES +
           (extent->number == 0 ? EDGE_REPLAY_HEAD_BYTES : 0U);
}

/* ---- RAM --------------------------------------------------------------- */

/* As a fill does: room first, then the bytes. What is larger than all of RAM
 * passes by. */
static void memory_insert(struct replay *replay, struct edge_policy_node *node,
                          const struct edge_replay_extent *extent)
{
    uint64_t cost = extent_cost(extent);

    if (cost > replay->memory_bytes) {
        return;
    }
    while (edge_policy_bytes(replay->policy) + cost > replay->memory_bytes) {
        (void)edge_policy_evict(replay->policy); /* bytes are linked, so there is one */
        replay->result.memory.n_evictions++;
    }
    node->id = extent->id;
    node->size = cost;
    edge_policy_insert(replay->policy, node);
}

/* ---- one request ------------------------------------------------------- */

/* What became of the bytes of a request. */
struct request_bytes {
    uint64_t in_memory;
    uint64_t on_tier;
    uint64_t fetched;
    bool is_in_memory; /* every extent, empty ones too */
    bool is_here;      /* in RAM or on the tier */
};

static void request_extent(struct replay *replay, const struct edge_replay_extent *extent,
                           struct request_bytes *bytes)
{
    struct edge_policy_node *node =
        &replay->nodes[replay->first[extent->object_index] + extent->number];
    struct edge_replay_tier *tier = replay->tier;

    if (edge_policy_is_linked(node)) {
        edge_policy_hit(replay->policy, node);
        bytes->in_memory += extent->n_bytes;
        if (tier != NULL) {
            tier->ops->offer(tier, extent, false, replay->now_ms);
        }
        return;
    }
    bool is_on_tier = tier != NULL && tier->ops->find(tier, extent, replay->now_ms);
    memory_insert(replay, node, extent);
    bytes->is_in_memory = false;
    if (is_on_tier) {
        bytes->on_tier += extent->n_bytes;
        return;
    }
    bytes->is_here = false;
    bytes->fetched += extent->n_bytes;
    if (tier != NULL) {
        tier->ops->offer(tier, extent, true, replay->now_ms);
    }
}

static void request_count(struct replay *replay, const struct request_bytes *bytes)
{
    struct edge_replay_result *result = &replay->result;
    uint64_t n_bytes = bytes->in_memory + bytes->on_tier + bytes->fetched;

    result->n_requests++;
    result->n_bytes += n_bytes;
    result->n_misses += bytes->is_here ? 0 : 1;
    result->n_bytes_missed += bytes->fetched;
    result->memory.n_requests++;
    result->memory.n_hits += bytes->is_in_memory ? 1 : 0;
    result->memory.n_bytes_requested += n_bytes;
    result->memory.n_bytes_hit += bytes->in_memory;
    if (replay->tier != NULL && !bytes->is_in_memory) {
        result->tier.n_requests++;
        result->tier.n_hits += bytes->is_here ? 1 : 0;
        result->tier.n_bytes_requested += n_bytes - bytes->in_memory;
        result->tier.n_bytes_hit += bytes->on_tier;
    }
}

static void replay_request(struct replay *replay, size_t object)
{
    struct request_bytes bytes = {.is_in_memory = true, .is_here = true};
    size_t n_extents = replay->first[object + 1] - replay->first[object];

    for (uint32_t i = 0; i < n_extents; i++) {
        struct edge_replay_extent extent = edge_replay_extent_at(replay->trace, object, i);
        request_extent(replay, &extent, &bytes);
    }
    request_count(replay, &bytes);
    if (replay->tier != NULL) {
        enum edge_replay_outcome outcome = bytes.is_in_memory ? EDGE_REPLAY_MEMORY_HIT
                                           : bytes.is_here    ? EDGE_REPLAY_TIER_HIT
                                                              : EDGE_REPLAY_MISS;
        replay->tier->ops->request(replay->tier, &replay->trace->objects[object], outcome,
                                   replay->now_ms);
    }
}

/* ---- all of them ------------------------------------------------------- */

static void replay_set_up(struct replay *replay)
{
    const struct edge_trace *trace = replay->trace;

    replay->first = fb_alloc_array(trace->n_objects + 1, sizeof(*replay->first));
    for (size_t i = 0; i < trace->n_objects; i++) {
        replay->first[i + 1] = replay->first[i] + edge_replay_n_extents(&trace->objects[i]);
    }
    replay->nodes = fb_alloc_array(replay->first[trace->n_objects], sizeof(*replay->nodes));
}

static void replay_tear_down(struct replay *replay)
{
    while (edge_policy_evict(replay->policy) != NULL) {
    }
    edge_policy_free(replay->policy);
    fb_free(replay->nodes);
    fb_free(replay->first);
}

void edge_replay_run(const struct edge_trace *trace, const struct edge_replay_options *options,
                     struct edge_replay_result *ret_result)
{
    struct replay replay = {
        .trace = trace,
        .policy = edge_policy_new(options->eviction, options->memory_bytes),
        .tier = options->tier,
        .memory_bytes = options->memory_bytes,
        .result = {.memory_bytes = options->memory_bytes},
    };

    replay_set_up(&replay);
    for (size_t i = 0; i < trace->n_requests; i++) {
        replay.now_ms += (uint64_t)trace->steps[i] * trace->unit_ms;
        replay_request(&replay, trace->requests[i]);
    }
    replay.result.duration_ms = replay.now_ms;
    if (replay.tier != NULL) {
        replay.result.tier.n_evictions = replay.tier->n_evictions;
        replay.result.written = replay.tier->written;
        replay.result.tier_bytes = replay.tier->n_bytes;
    }
    *ret_result = replay.result;
    replay_tear_down(&replay);
}
