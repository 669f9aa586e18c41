/*
 * Choice: which server of a pool is asked for a key.
 *
 * Regional servers stand in the order of weighted rendezvous hashing: each has a
 * score from its name and the key, and the highest comes first. The hash is the
 * same on every node and machine, so all edges of a pool agree. One that joins or
 * leaves moves only the keys that it wins or had. The others follow in the
 * order of the pool.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a server may be used just now. */
enum edge_fitness {
    EDGE_FIT,
    EDGE_FIT_TO_PROBE, /* out of service, but due to be tried once */
    EDGE_FIT_IN_NEED,  /* out of service: only if nobody else is left */
    EDGE_FIT_NEVER     /* full */
};

/* A server, as the choice sees it. */
struct edge_candidate {
    uint64_t id;     /* edge_choice_id() of its URL */
    uint32_t weight; /* at least 1 */
    uint32_t load;   /* requests under way */
    uint32_t share;  /* of its keys that it takes, in thousandths; 1000 but in slow start */
    bool is_regional;
    enum edge_fitness fitness;
};

enum { EDGE_SHARE_ALL = 1000 };

/* Requests under way that are nobody's overload: below it a regional server keeps
 * all its keys, however the load is spread. */
enum { EDGE_CHOICE_LEAST_LOAD = 8 };

/* Of a URL, and of a key. */
uint64_t edge_choice_id(struct fb_str url);
uint64_t edge_choice_hash(struct fb_str key);

/* Places of the `n` candidates in `ret_order`, first choice first. */
void edge_choice_order(const struct edge_candidate *candidates, size_t n, uint64_t hash,
                       uint8_t *ret_order);

/* True if `hash` is among the keys that a server with `share` takes; a share that grows
 * only adds keys. */
bool edge_choice_has_share(uint64_t id, uint64_t hash, uint32_t share);

/* The most requests that a regional server may have under way, this one included, with
 * `n_load` under way at all of them without it, whose weights add up to `n_weight`. */
uint32_t edge_choice_bound(uint32_t weight, uint64_t n_load, uint64_t n_weight,
                           unsigned headroom_percent);

struct edge_choice {
    const struct edge_candidate *candidates;
    const uint8_t *order;
    size_t n;
    uint64_t hash;
    unsigned headroom_percent;
    unsigned tried;   /* bits of candidates that had their chance */
    unsigned avoided; /* bits of those to ask in need only */
};

/* The candidate to ask next: the first in the order that is fit, a regional one only if it
 * is below its bound and takes the key; then a regional one above its bound, then
 * an origin, then one that starts slowly, and with `takes_any` whoever is left but
 * those that are full. -1: nobody. */
int edge_choice_next(const struct edge_choice *choice, bool takes_any);
