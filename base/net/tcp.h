/*
 * TCP: listeners, connections and name look-up.
 *
 * Ownership  A listener is opened and closed by its owner. Streams that it
 *            accepts belong to whoever `accepted` hands them to.
 * Threads    One loop's. Several loops may listen on one address
 *            (SO_REUSEPORT); the kernel spreads connections over them.
 * Limits     When descriptors run out, new connections are closed at once,
 *            rather than left to ring for ever.
 * Failures   -EADDRINUSE, -EACCES at listen; -ECONNREFUSED, FB_E_TIMEOUT and
 *            libuv's resolver codes at connect.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/loop/op.h"
#include "base/net/address.h"

#include <stdint.h>

struct fb_listener;
struct fb_loop;
struct fb_sockets;
struct fb_stream;

struct fb_listener_options {
    struct fb_address address;
    int backlog; /* 0: 1024 */
    int fd;      /* if > 0: a socket that listens already, and what stands above is not looked at;
                  * taken over, also on failure */
    /* Runs for each connection; takes the stream over. May close the listener. */
    void (*accepted)(void *ctx, struct fb_stream *stream);
    void *ctx;
};

/* -EADDRINUSE if anybody listens on `address`, another process of ours included,
 * which the listeners themselves do not notice. */
FB_MUST_CHECK int fb_listener_probe(const struct fb_address *address);

FB_MUST_CHECK int fb_listener_open(struct fb_loop *loop, const struct fb_listener_options *options,
                                   struct fb_listener **ret_listener);

/* Adds another descriptor of its socket to `sockets`, which then outlives the listener. */
FB_MUST_CHECK int fb_listener_share(const struct fb_listener *listener, struct fb_sockets *sockets);

/* How connections send. */
struct fb_tcp_tuning {
    struct fb_str congestion; /* the kernel's name for the control, such as "bbr"; empty: its own */
    uint64_t max_rate;        /* bytes a second of each connection; 0: no bound */
};

/* Holds for what is accepted from now on. -ENOENT: the kernel has no such congestion control;
 * -EPERM: it is not for everybody. */
FB_MUST_CHECK int fb_listener_tune(struct fb_listener *listener,
                                   const struct fb_tcp_tuning *tuning);

/* Says what keeps this process from the congestion control, if anything does: -ENOENT and -EPERM as
 * above. Blocks for a moment; who may administer the network has its module loaded by that. */
FB_MUST_CHECK int fb_tcp_try_congestion(struct fb_str name, struct fb_diag *diag);

/* The bound address, with the port that the kernel picked. */
struct fb_address fb_listener_address(const struct fb_listener *listener);

/* Stops accepting at once; frees itself. Accepts NULL. */
void fb_listener_close(struct fb_listener *listener);

/* Connects to the first address of a name that answers. The addresses are
 * tried in turn, families alternating, the next one when an attempt failed or
 * took a quarter of a second (RFC 8305). Cancelable. */
struct fb_connect {
    struct fb_op op;
    struct fb_str host;       /* in: name or numeric; borrowed until done */
    uint16_t port;            /* in */
    uint32_t timeout_ms;      /* in: for look-up and all attempts together; 0: none */
    struct fb_stream *stream; /* out: the caller's to close */

    /* Private to base/net. */
    struct tcp_connecting *connecting;
};

void fb_tcp_connect(struct fb_connect *connect);
