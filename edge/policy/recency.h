/*
 * Eviction by recency: what was asked for longest ago goes first.
 *
 * Every use has a number. A hit gives its node the next one, and that is all; a heap keeps the
 * nodes by the number that they had when the heap last looked, which is the right one or too low.
 * So of the lowest one it is asked whether it was used since: then it goes down to where it
 * belongs, and the next one is looked at; else nothing was asked for longer ago, and it goes.
 *
 * Threads    One at a time, except edge_recency_hit(), which any thread may call at any time: two
 *            hits of a node at once count as one of the two.
 * Limits     32 bytes of table a node, at most.
 */
#pragma once

#include "edge/policy/policy.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct edge_recency {
    struct edge_policy_node **nodes; /* owned; a heap by `placed`, the lowest first */
    size_t n_nodes;
    size_t max_nodes;
    uint64_t n_bytes; /* of the nodes */

    _Alignas(64) _Atomic uint64_t n_uses; /* written by hits */
};

/* Requires that it is empty. Accepts one that is zero, as is a fresh one. */
void edge_recency_done(struct edge_recency *recency);

/* The insertion is a use. */
void edge_recency_insert(struct edge_recency *recency, struct edge_policy_node *node);
void edge_recency_hit(struct edge_recency *recency, struct edge_policy_node *node);
void edge_recency_remove(struct edge_recency *recency, struct edge_policy_node *node);

/* Takes out what was used longest ago; NULL if there is no node. */
struct edge_policy_node *edge_recency_evict(struct edge_recency *recency);
