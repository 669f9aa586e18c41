/*
 * What uplink.c and leg.c share: one fetch, and the requests made for it.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/buf.h"
#include "base/core/machine.h"
#include "base/loop/timer.h"
#include "edge/upstream/allowance.h"
#include "edge/upstream/upstream_internal.h"

struct uplink_try;

struct edge_uplink {
    struct edge_upstreams *upstreams; /* borrowed */
    struct fb_client *for_all;        /* owned; its connections go at our pace */
    struct fb_client *for_one;        /* owned; at a client's, who must not hold up fills */
    struct fb_loop *loop;
    struct edge_allowance retries;
    struct edge_allowance hedges;
    size_t n_fetches;
};

/* One request to one server. */
struct uplink_leg {
    struct uplink_try *try;
    struct fb_fetch io;
    size_t place; /* of the server in the pool */
    uint64_t begun_ns;
    bool is_live;
    bool is_probe;
    bool is_hedge;
    bool is_lost;        /* the other one was faster */
    struct fb_diag diag; /* of a handshake that failed */
};

enum { UPLINK_MAX_LEGS = 2 };

struct uplink_try {
    struct edge_uplink *uplink;
    struct edge_fetch *fetch; /* the caller's */
    const struct edge_pool *pool;
    const struct edge_upstreams_options *options;
    struct fb_machine machine;
    struct fb_headers sent; /* in the fetch's arena */
    uint64_t hash;
    uint8_t order[EDGE_UPSTREAMS_MAX];
    unsigned tried; /* bits of servers that had their chance */
    struct uplink_leg legs[UPLINK_MAX_LEGS];
    unsigned n_live;
    struct fb_timer hedge; /* until the next server is asked too */
    bool is_canceled;
    int result;
    struct fb_buf story; /* what each server did, for the log */
};

struct edge_server *edge_leg_server(const struct uplink_leg *leg);

/* Sends the request of `try` to the server at `place`; `done` is called with the
 * operation of the leg's `io`. */
struct uplink_leg *edge_leg_start(struct uplink_try *try, size_t place, bool is_probe,
                                  fb_op_done_fn *done);

/* The request gave a head or failed: notes what that says of its server. True if
 * there is a head. */
bool edge_leg_end(struct uplink_leg *leg);

/* Drops the head that it gave. */
void edge_leg_drop(struct uplink_leg *leg);

/* Hands the head that it gave, and the body, to whoever fetches. */
void edge_leg_give(struct uplink_leg *leg);
