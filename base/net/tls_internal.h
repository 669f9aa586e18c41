/*
 * What the files of TLS streams share.
 */
#pragma once

#include "base/core/buf.h"
#include "base/loop/timer.h"
#include "base/net/net_internal.h"
#include "base/net/stream.h"
#include "base/tls/handshake.h"
#include "base/tls/post.h"
#include "base/tls/record.h"
#include "base/tls/resume.h"

enum {
    TLS_MAX_IDLE_RECORDS = 32, /* records without data, one after another */
    TLS_RETRY_MS = 20          /* an alert that the kernel had no room for */
};

struct tls_stream {
    struct fb_stream stream;
    struct fb_stream *inner; /* owned; NULL once closed */
    struct net_state *state;
    struct fb_tls_facts *facts; /* owned */

    bool is_client;
    struct fb_tls_direction in;
    struct fb_slice slice;          /* owned, or zero; as received */
    struct fb_str rest;             /* of it, not yet opened */
    struct fb_buf begun;            /* a record of which not all has come */
    struct fb_tls_post post;        /* of TLS 1.3: what is no data */
    struct fb_tls_resumer *resumer; /* owned; NULL: tickets are of no use */
    unsigned n_idle;                /* records without data that came one after another */
    int read_err;                   /* what follows the data; FB_OK: more may come */

    bool is_kernels; /* the kernel seals what is sent; `out` is not there */
    struct fb_tls_direction out;
    struct fb_timer retry;         /* of an alert, which the kernel has to have room for at once */
    struct fb_stream_write *write; /* borrowed until finished */
    size_t n_write;                /* of its bytes that are to be sent */
    size_t n_sealed;               /* of these */
    size_t batch_bytes;            /* to be sealed at once; 0: as much as there is room for */
    struct fb_stream_write send;   /* of what is sealed */
    struct fb_str piece;           /* of `send`: in the batch, or in `note` */
    struct net_batch *batch;       /* owned; NULL when nothing sealed waits */
    uint8_t note[FB_TLS_SEALED_NOTE_MAX];
    int due_alert;     /* to be sent next; -1: none */
    bool due_update;   /* of TLS 1.3: then, and before more data, a KeyUpdate */
    bool wants_shut;   /* close_notify, then FIN, after the write under way */
    bool has_notified; /* close_notify or a fatal alert was sent: nothing may follow */
    bool is_closed;    /* goes when `send` is idle */
};

/* The one under it, or -1. */
static inline int fb_tls_socket_of(const struct fb_stream *inner)
{
    return inner->ops->socket == NULL ? -1 : inner->ops->socket(inner);
}

/* Takes both over; the handshake is done. */
struct fb_stream *fb_tls_stream_new(struct fb_stream *inner, struct fb_tls_handshake *handshake);

/* The same of keys alone: takes `inner` and `facts` over, and copies `rest`, which was received. */
struct fb_stream *fb_tls_stream_of_keys(struct fb_stream *inner, const struct fb_tls_keys *keys,
                                        struct fb_tls_facts *facts, bool is_client,
                                        struct fb_str rest);

/* ---- tls_receive.c ------------------------------------------------------- */

extern const struct fb_reader_ops fb_tls_reader_ops;

void fb_tls_receive_done(struct tls_stream *self);

/* ---- tls_send.c ---------------------------------------------------------- */

void fb_tls_send_init(struct tls_stream *self);
void fb_tls_send_write(struct fb_stream *stream, struct fb_stream_write *write);
void fb_tls_send_shut(struct fb_stream *stream);
void fb_tls_send_close(struct fb_stream *stream, bool is_reset);
size_t fb_tls_send_unsent(const struct fb_stream *stream);
size_t fb_tls_send_retract(struct fb_stream *stream);

/* ---- tls_kernel.c -------------------------------------------------------- */

/* Has the kernel seal what is sent from here on; false if it does not. */
bool fb_tls_kernel_take(const struct fb_stream *inner, const struct fb_tls_keys *keys);

/* FB_E_LATER if it has no room. */
FB_MUST_CHECK int fb_tls_kernel_alert(const struct fb_stream *inner, enum fb_tls_alert alert);

/* ---- tls_send.c, for tls_receive.c ---------------------------------------- */

/* Sends an alert as soon as nothing else is being sent; the first one counts. */
void fb_tls_send_alert(struct tls_stream *self, enum fb_tls_alert alert);

/* Sends a KeyUpdate and goes on with new keys, as soon as nothing else is being sent. */
void fb_tls_send_update(struct tls_stream *self);
