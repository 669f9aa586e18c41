/*
 * What the files of base/net share: blocks to receive into, and TCP streams.
 */
#pragma once

#include "base/net/stream.h"

#include <uv.h>

#include <netinet/in.h>
#include <sys/uio.h>

struct fb_op;

/* ---- blocks ---------------------------------------------------------------
 *
 * A loop keeps a list of free blocks. A stream takes one when bytes come in and
 * hands it on with the slice that carries them, so only unread bytes and held
 * slices cost memory.
 */

enum { NET_BLOCK_HEAD = 64, NET_BLOCK_BYTES = 64 * 1024 - NET_BLOCK_HEAD };

struct net_block {
    struct net_state *home;
    struct net_block *next; /* in a stream's queue, or in the free list */
    size_t len;             /* bytes received */
    char bytes[NET_BLOCK_BYTES];
};

/* Sealed records on their way to the kernel. */
struct net_batch {
    size_t size; /* of the bytes */
    uint8_t bytes[];
};

/* What base/net keeps with each loop. */
struct net_state {
    struct net_block *free;  /* owned */
    struct net_batch *batch; /* owned; one of full size, or NULL while it is lent */
    unsigned n_free;
    unsigned n_lent;
    unsigned n_lookups; /* of names, with libuv */
    unsigned n_deep;    /* streams that may have much waiting in the kernel, or have yet */

    /* For one call: on the stack they would be made anew, with zeros, for each. */
    struct iovec vectors[FB_STREAM_MAX_PIECES];
};

/* The loop's state, made when first asked for. */
struct net_state *fb_net_state(struct fb_loop *loop);

/* An empty block, or NULL when memory is out. */
struct net_block *fb_net_block_new(struct net_state *state);

/* As fb_slice's release(). */
void fb_net_block_free(void *block);

/* Room for `size` sealed bytes, or NULL when memory is out. */
struct net_batch *fb_net_batch_new(struct net_state *state, size_t size);
void fb_net_batch_free(struct net_state *state, struct net_batch *batch); /* accepts NULL */

/* ---- TCP streams --------------------------------------------------------- */

struct tcp_stream {
    struct fb_stream stream;
    uv_tcp_t handle;
    struct net_state *state;
    struct sockaddr_in6 peer; /* of an accepted one, or a sockaddr_in */
    socklen_t n_peer;         /* bytes of it; 0: to be asked for */

    struct net_block *first; /* owned; unread, oldest first */
    struct net_block *last;
    struct net_block *spare; /* owned; lent to libuv for one receive */
    size_t n_unread;
    int read_err; /* what follows the unread bytes; FB_OK: more may come */
    bool is_reading;
    struct fb_op *waiter; /* borrowed until finished */

    struct fb_stream_write *write; /* borrowed until finished */
    size_t n_taken;                /* of its bytes: sent, or copied to `tail` */
    size_t n_write;                /* of its bytes that are to be sent */
    char *tail;                    /* owned; copied, and libuv's to send */
    uv_write_t tail_request;
    bool wants_shut;   /* after the write under way */
    bool denies_files; /* the kernel would not send one */
    bool is_deep;      /* fb_tcp_set_depth() was told so */
    bool was_deep;     /* and told otherwise, but what waits may be as much yet */
};

/* A stream without a connection yet. */
FB_MUST_CHECK int fb_tcp_stream_new(struct fb_loop *loop, struct tcp_stream **ret_stream);

/* ---- tcp_send.c ---------------------------------------------------------- */

/* As struct fb_stream_ops tells. */
void fb_tcp_write(struct fb_stream *stream, struct fb_stream_write *write);
void fb_tcp_shut(struct fb_stream *stream);
size_t fb_tcp_unsent(const struct fb_stream *stream);
size_t fb_tcp_retract(struct fb_stream *stream);

/* Of a stream that closes: others may have much waiting in its place. */
void fb_tcp_leave_depth(struct tcp_stream *self);

/* Finishes the write under way, if there is one. */
void fb_tcp_end_write(struct tcp_stream *self, int result);
