/*
 * TLS streams: a stream made of a stream.
 *
 *     TCP stream ── fb_tls_accept / fb_tls_connect ──► TLS stream, the same interface
 *
 * The handshake's costly steps run on a pool, so that they hold no loop; the pool's queue is
 * bounded, also for each client, and a connection that finds it full fails with FB_E_BUSY at once.
 * What comes after is sealed and opened where the stream's owner writes and reads; or sealed by the
 * kernel, which is then given the pieces as they are, and no copy of them is made or held here.
 * fb_stream_tls() and fb_stream_protocol() (stream.h) tell what was agreed on.
 *
 *     close   sends close_notify if the kernel has room for it
 *     shut    sends close_notify, then FIN
 *     read    FB_E_END after the peer's close_notify; FB_E_CLOSED after a FIN without one, since
 *             anybody on the way can cut a connection
 *
 * Renegotiation is refused (RFC 5246 section 7.2.2) and ends the connection. A KeyUpdate of TLS 1.3
 * is obeyed and, if the peer wants that, answered; after 2^24 records this side makes one itself.
 *
 * Ownership  The operation takes `inner` over, whatever comes of it; a stream that comes out is the
 *            caller's to close.
 * Threads    One loop's.
 * Limits     The handshake's, and `timeout_ms` for all of it. A stream with nothing unread and
 *            nothing to send holds its keys and a few hundred bytes.
 * Failures   The handshake's (base/tls/handshake.h); FB_E_TIMEOUT; FB_E_BUSY; FB_E_CLOSED for a
 *            peer that left; FB_E_CANCELED.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/loop/op.h"
#include "base/tls/keys.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_address;
struct fb_pool;
struct fb_stream;
struct fb_tls_config;
struct tls_shaking;

/* What seals the records of a TCP connection with this cipher: "kernel", of TLS 1.2, where Linux'
 * module `tls` is loaded, which then needs no copy of what is sent; else a backend (backend.h). */
const char *fb_tls_sealer_name(enum fb_tls_aead aead);

/* Both sides' operation: a config for servers accepts, one for clients connects. Cancelable. */
struct fb_tls_shake {
    struct fb_op op;
    struct fb_stream *inner;      /* in: taken over */
    struct fb_tls_config *config; /* in: counted by the operation itself */
    struct fb_pool *pool;         /* in: borrowed; NULL: costly steps hold the loop, for tests */
    struct fb_str server_name;    /* in: of a client; borrowed until done */
    uint32_t timeout_ms;          /* in: 0: none */
    uint64_t client;              /* in: whose share of the pool's queue it takes; 0: nobody's */
    /* in: what a server sends, before it closes, to a peer that speaks HTTP without TLS; such as a
     * response that says so. Borrowed until done. */
    struct fb_str plain_answer;

    struct fb_stream *stream; /* out */
    struct fb_diag diag;      /* out, of a failure */
    bool was_plain;           /* out, of a failure: the peer spoke HTTP */

    /* Private to base/net. */
    struct tls_shaking *shaking;
};

void fb_tls_accept(struct fb_tls_shake *shake);
void fb_tls_connect(struct fb_tls_shake *shake);

/* ---- parties ------------------------------------------------------------- */

/*
 * What the handshakes of a listener, or those with some upstreams, are made with; a reload replaces
 * the configuration at any time.
 *
 * Ownership  The owner frees it after all that uses it.
 * Threads    Any.
 */
struct fb_tls_party;

/* `config` is counted, `pool` borrowed. */
struct fb_tls_party *fb_tls_party_new(struct fb_tls_config *config, struct fb_pool *pool,
                                      uint32_t timeout_ms);
void fb_tls_party_free(struct fb_tls_party *party); /* accepts NULL */

/* Handshakes that begin from now on use `config`. */
void fb_tls_party_use(struct fb_tls_party *party, struct fb_tls_config *config);

/* The one in use; the reference is the caller's. */
struct fb_tls_config *fb_tls_party_config(struct fb_tls_party *party);

struct fb_pool *fb_tls_party_pool(const struct fb_tls_party *party);
uint32_t fb_tls_party_timeout_ms(const struct fb_tls_party *party);

/* The client that `address` is, for fb_tls_shake: an IPv4 address, or the /64 of an IPv6 one. */
uint64_t fb_tls_party_client(const struct fb_tls_party *party, const struct fb_address *address);
