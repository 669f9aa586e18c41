/*
 * Eviction by rate: what was asked for least often, for its age, goes first.
 *
 *                     requests, halved every 4 beats      256 KiB
 *     worth of a node ────────────────────────────── × (1 + ───────)
 *                          age + 3/8 of a beat               size
 *
 * Age is the time since the last request. Time is told in bytes inserted: a turn is
 * as much as there is room. A beat is the mean age at which what is known is asked
 * for again, as it goes: 10 turns where there is little room, a tenth of one where there
 * is much. So nothing here depends on how large the room is beside the traffic.
 *
 * What is evicted is remembered with its count for 64 turns, so that what comes back
 * goes on where it stood: the count is of requests, not of hits. That keeps a scan out,
 * for it has one request each, and keeps what a crowd asks for through its pauses. The
 * last factor is of those hits that cost little room.
 *
 * By recency the age alone counts, and nothing is remembered: for a room above a larger and
 * slower one, which remembers better.
 *
 * The victim is the least worthy of 32 nodes drawn at random, so that worth need not
 * be kept in any order and a hit touches the node alone.
 *
 * Threads    One at a time, except edge_rate_hit(), which any thread may call at
 *            any time: two hits at once may count as one. Hits of one node within
 *            1/8192 of a turn are one, so a busy node is only read.
 * Limits     32 bytes of table a node, at most; what it remembers, edge_ghost_entries().
 */
#pragma once

#include "edge/policy/ghost.h"
#include "edge/policy/policy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_rate {
    struct edge_policy_node **nodes; /* owned; in no order */
    size_t n_nodes;
    size_t max_nodes;
    uint64_t n_bytes;        /* of the nodes */
    uint64_t tick_bytes;     /* inserted bytes that make a tick: 1/8192 of a turn */
    uint64_t n_inserted;     /* bytes, since the last tick */
    uint64_t random;         /* the state of the draw */
    struct edge_ghost ghost; /* what was evicted, with its count */

    /* What hits read, apart from what each change writes. */
    _Alignas(64) _Atomic uint32_t now; /* ticks; wraps */
    _Atomic uint32_t beat;             /* ticks × 256 */
    bool is_by_recency;
};

void edge_rate_init(struct edge_rate *rate, uint64_t capacity, bool is_by_recency);
void edge_rate_done(struct edge_rate *rate);

void edge_rate_insert(struct edge_rate *rate, struct edge_policy_node *node);
void edge_rate_hit(struct edge_rate *rate, struct edge_policy_node *node);
void edge_rate_remove(struct edge_rate *rate, struct edge_policy_node *node);

/* Takes out the least worthy of those drawn; NULL if there is no node. */
struct edge_policy_node *edge_rate_evict(struct edge_rate *rate);
