/*
 * Handshakes: in memory, a step at a time, no I/O.
 *
 *     new ──► feed ──► step ──┬─► NEEDS_BYTES: send the output, feed what comes
 *                 ▲           ├─► IS_COSTLY: send nothing yet, step again off the loop
 *                 └───────────┤
 *                             ├─► DONE: send the output; keys, facts and rest() are there
 *                             └─► an error: send the output (an alert), close
 *
 * A signature or a key agreement takes up to some milliseconds; a resumed handshake has neither.
 * step(…, false) stops before such a thing, step(…, true) does it, on any thread: nobody else
 * may touch the handshake meanwhile.
 *
 * Ownership  new → free. It holds a reference of its configuration.
 * Threads    One at a time.
 * Limits     FB_TLS_HANDSHAKE_MAX bytes from the peer; FB_E_LIMIT for more before it is done.
 * Failures   FB_E_MALFORMED (no TLS, or damaged), FB_E_UNSUPPORTED (no version, cipher or protocol
 *            in common), FB_E_DENIED (a certificate that is missing, not trusted, not for this
 *            name, expired), FB_E_CLOSED (the peer's alert), FB_E_FOREIGN.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/tls/keys.h"

#include <stdbool.h>

struct fb_tls_config;
struct fb_tls_handshake;

enum { FB_TLS_HANDSHAKE_MAX = 128 * 1024 };

enum fb_tls_step { FB_TLS_NEEDS_BYTES, FB_TLS_IS_COSTLY, FB_TLS_DONE };

/* What is known of a connection once its handshake is done: one block with its strings. */
struct fb_tls_facts {
    enum fb_tls_version version;
    const char *cipher;      /* such as "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256" */
    const char *protocol;    /* by ALPN: "h2", "http/1.1"; NULL: none */
    const char *server_name; /* that the client asked for, in lower case; NULL: none */
    const char *peer_name;   /* first DNS name, else common name, of the peer's certificate that was
                                verified; NULL: it showed none */
    const char *sealer;      /* of what is sent, as fb_tls_sealer_name() (base/net/tls_stream.h) has
                                it; NULL until there is a stream */
    bool is_resumed;
};

/* `server_name` is for clients: a DNS name or an address, that the certificate must be for. */
FB_MUST_CHECK int fb_tls_handshake_new(struct fb_tls_config *config, struct fb_str server_name,
                                       struct fb_tls_handshake **ret_handshake);
void fb_tls_handshake_free(struct fb_tls_handshake *handshake); /* accepts NULL */

bool fb_tls_handshake_is_client(const struct fb_tls_handshake *handshake);

/* Bytes of the peer's, copied. */
FB_MUST_CHECK int fb_tls_handshake_feed(struct fb_tls_handshake *handshake, struct fb_str bytes);

/* `diag` gets the sentence of a failure. */
FB_MUST_CHECK int fb_tls_handshake_step(struct fb_tls_handshake *handshake, bool may_cost,
                                        enum fb_tls_step *ret_step, struct fb_diag *diag);

/* What is to be sent; borrowed until the next step or sent(), which drops its first `n` bytes. */
struct fb_str fb_tls_handshake_output(const struct fb_tls_handshake *handshake);
void fb_tls_handshake_sent(struct fb_tls_handshake *handshake, size_t n);

/* Once done. What was fed beyond the handshake, that is records; borrowed. */
struct fb_str fb_tls_handshake_rest(const struct fb_tls_handshake *handshake);

/* Once done, and once only: the handshake forgets them. */
void fb_tls_handshake_take_keys(struct fb_tls_handshake *handshake, struct fb_tls_keys *ret_keys);

/* Once done, and once only; the caller frees them with fb_free(). */
struct fb_tls_facts *fb_tls_handshake_take_facts(struct fb_tls_handshake *handshake);
