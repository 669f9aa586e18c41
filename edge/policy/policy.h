/*
 * Eviction policies: which object goes when room is needed.
 *
 * A policy knows identities and sizes and does no I/O, so a trace can drive the
 * same code as the server. Nodes are embedded in what is kept: neither a
 * hit nor an eviction allocates, and an insertion only to double a table.
 *
 *   RATE      what was asked for least often for its age goes: see rate.h. A hit
 *             raises a count in the node.
 *   RECENT    what was asked for longest ago goes, or nearly: of some drawn at random,
 *             so that a hit touches the node alone.
 *   S3-FIFO   new objects enter a small queue (10 %); those asked for again
 *             move to the main queue when their turn comes; the others leave and
 *             are remembered for a while (the ghost), and enter main if they
 *             come back. A hit only raises a counter of the node.
 *   LRU       what was asked for longest ago goes: see recency.h. A hit writes a number
 *             into the node.
 *
 * AUTO stands for RECENT above volumes and for RATE without them. Volumes keep what is asked
 * for often, so memory above them serves best what is asked for again at once; and
 * admission, which counts what memory does not serve, sees the rest undistorted.
 *
 * Ownership  Nodes are the caller's; a node is linked from insert to remove or
 *            evict.
 * Threads    One at a time, except edge_policy_hit(), which any thread may call at any time on a
 *            node that stays alive.
 * Limits     The ghost remembers one identity for each 16 KiB of capacity, 4096 at least and
 *            EDGE_POLICY_GHOST_MAX at most. See edge_policy_most_bytes().
 */
#pragma once

#include "base/core/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edge_policy_kind {
    EDGE_POLICY_RATE,
    EDGE_POLICY_RECENT,
    EDGE_POLICY_S3FIFO,
    EDGE_POLICY_LRU,
    EDGE_POLICY_AUTO /* see edge_policy_resolve() */
};

enum { EDGE_POLICY_GHOST_MAX = 1 << 20 };

/* Memory of the policy itself for each node that is linked, at most; and for the first ones. */
enum { EDGE_POLICY_NODE_BYTES = 32, EDGE_POLICY_FIRST_BYTES = 512 };

/* Zero but for its inputs before it is first inserted. */
struct edge_policy_node {
    uint64_t id;   /* in: the same for the same key, ever; such as its hash */
    uint64_t size; /* in: bytes; while linked see edge_policy_resize() */

    /* Private to edge/policy. */
    union {
        struct fb_list link; /* S3-FIFO */
        struct {             /* LRU: the number of its last use, and the one that its place tells */
            _Atomic uint64_t used;
            uint64_t placed;
        };
    };
    uint32_t place;        /* RATE, LRU: in its table */
    _Atomic uint32_t seen; /* RATE: when it was last asked for */
    _Atomic uint16_t heat; /* RATE: how often; 0: not known */
    _Atomic uint8_t hits;  /* S3-FIFO: saturates at 3 */
    uint8_t queue;         /* 0: not linked */
};

struct edge_policy;

/* What AUTO stands for; any other kind stands for itself. */
enum edge_policy_kind edge_policy_resolve(enum edge_policy_kind kind, bool is_above_volumes);

/* `capacity` in bytes sizes the queues; when to evict is the caller's affair. */
struct edge_policy *edge_policy_new(enum edge_policy_kind kind, uint64_t capacity);

/* Memory that such a policy takes beside that for its nodes, at most. */
uint64_t edge_policy_most_bytes(enum edge_policy_kind kind, uint64_t capacity);

/* Requires that no node is linked. Accepts NULL. */
void edge_policy_free(struct edge_policy *policy);

/* `node` was asked for and is kept from now on. One that was removed goes on as it
 * stood; this is no further request for it. */
void edge_policy_insert(struct edge_policy *policy, struct edge_policy_node *node);

/* `node` was asked for. Harmless if it is not linked. */
void edge_policy_hit(struct edge_policy *policy, struct edge_policy_node *node);

/* True from insert to remove or evict. As safe as the caller keeps those apart. */
bool edge_policy_is_linked(const struct edge_policy_node *node);

/* Takes `node` out; not remembered. Harmless if it is not linked. */
void edge_policy_remove(struct edge_policy *policy, struct edge_policy_node *node);

/* `node` is `size` bytes now, linked or not. */
void edge_policy_resize(struct edge_policy *policy, struct edge_policy_node *node, uint64_t size);

/* Takes out and returns the node to go first; NULL if there is none. */
struct edge_policy_node *edge_policy_evict(struct edge_policy *policy);

/* Bytes and nodes linked. */
uint64_t edge_policy_bytes(const struct edge_policy *policy);
size_t edge_policy_count(const struct edge_policy *policy);
