/*
 * Exchanges: one request and its response, as a handler sees them.
 *
 * A handler is called on the loop when the request's head is complete. It owes
 * exactly one fb_exchange_respond(), at once or later, and may read the body
 * first. HTTP's version, framing, keep-alive, pipelining, timeouts and limits
 * are the server's business.
 *
 * If the connection is lost before the response, or the client cancels it (HTTP/2), `aborted` runs
 * (if set): the handler cancels what it waits for and still responds, into the void. A client that
 * stops sending (FIN) with its request is not lost: it gets its response. One whose FIN comes a
 * second later or more, while it waits, is taken to have left.
 *
 *   handle() ──► [read body] ──► fb_exchange_respond() ──► … sent … ──► finished()
 *                     └── aborted() ──┘
 *
 * Ownership  The server owns the exchange; a handler may use it until it has
 *            responded, and its arena until `finished` has run.
 * Threads    One loop's.
 */
#pragma once

#include "base/core/arena.h"
#include "base/http/head.h"
#include "base/loop/reader.h"
#include "base/net/address.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_exchange;
struct fb_loop;
struct fb_tls_facts;

struct fb_response {
    unsigned status;                 /* 200..599; 101 is fb_exchange_upgrade()'s alone */
    const struct fb_header *headers; /* borrowed until `finished`; without framing fields */
    size_t n_headers;
    size_t n_checked; /* so many, from the first, have passed fb_header_may_be_sent() before */
    /* So many of these, from the first, as HTTP/1 writes them: lines with CRLF; or empty. */
    struct fb_str lines;
    size_t n_lines;
    /* Taken over; NULL for none. For HEAD, 204 and 304 it is closed unread. */
    struct fb_reader *body;
    /* Bytes that `body` gives, or FB_LENGTH_UNKNOWN. For HEAD and 304 what a
     * GET would have given, or FB_LENGTH_UNKNOWN to leave Content-Length out. */
    int64_t length;
    bool closes; /* close the connection after this response; in HTTP/2 its stream ends anyway */
};

/* How an exchange ended, for the access log and metrics. */
struct fb_exchange_outcome {
    int result; /* FB_OK: the last byte went to the kernel */
    unsigned status;
    uint64_t body_bytes; /* of the body, sent */
    uint64_t duration_ns;
};

/* The request's head; lives as long as the arena. */
const struct fb_request_head *fb_exchange_request(const struct fb_exchange *exchange);

/* Memory for this exchange, gone after `finished`. */
struct fb_arena *fb_exchange_arena(struct fb_exchange *exchange);

struct fb_loop *fb_exchange_loop(const struct fb_exchange *exchange);

/* The client's address, also after its connection was lost. */
struct fb_address fb_exchange_peer(const struct fb_exchange *exchange);

/* "HTTP/1.0", "HTTP/1.1" or "HTTP/2"; static. */
struct fb_str fb_exchange_protocol(const struct fb_exchange *exchange);

/* What its TLS handshake agreed on (base/tls/handshake.h); NULL for plain HTTP, and once the
 * connection was lost. */
const struct fb_tls_facts *fb_exchange_tls(const struct fb_exchange *exchange);

/* Content-Length of the request, 0 without content, FB_LENGTH_UNKNOWN if chunked. */
int64_t fb_exchange_body_length(const struct fb_exchange *exchange);

/* The request's content; borrowed, the exchange closes it. What the handler
 * leaves unread is drained up to a bound, else the connection is closed. The
 * first next() answers `Expect: 100-continue`. Broken: FB_E_CLOSED,
 * FB_E_TIMEOUT, FB_E_MALFORMED. */
struct fb_reader *fb_exchange_body(struct fb_exchange *exchange);

/* What to call if the client goes away before the response, and at the very
 * end. Either may be NULL; both run at most once, on the loop. */
struct fb_exchange_hooks {
    void *ctx;
    void (*aborted)(void *ctx);
    void (*finished)(void *ctx, const struct fb_exchange_outcome *outcome);
};
void fb_exchange_set_hooks(struct fb_exchange *exchange, const struct fb_exchange_hooks *hooks);

/* Before the response: it is sent with at most `rate` bytes a second, evenly, or fewer if its
 * listener says so; 0: with no bound of its own. In HTTP/2 a connection sends what those of its
 * responses may that are under way, all together, and has no bound while one of them has none. */
void fb_exchange_pace(struct fb_exchange *exchange, uint64_t rate);

/* Sends the response. Date is added unless given; Connection and framing
 * fields are the server's. A body that breaks closes the connection with a
 * reset, so that it never passes for whole. */
void fb_exchange_respond(struct fb_exchange *exchange, const struct fb_response *response);

/* ---- other protocols on the same connection (RFC 9110 section 7.8) ----------------------------
 */

/* True if the client asks for `protocol` with a GET without content, and the connection can leave
 * HTTP: that of HTTP/1.1 can, with TLS or without, that of HTTP/2 cannot. */
bool fb_exchange_can_upgrade(const struct fb_exchange *exchange, struct fb_str protocol);

/* The one answer then: 101, after which the connection is bytes both ways. What the client sends is
 * what fb_exchange_body() gives, which ends (FB_E_END) with its FIN; it may be read until
 * `body` is closed. What the client gets is what `body` gives, pulled as it takes it; when `body`
 * ends, or breaks, so does the connection. Silence has no timeout of the server's, only a client
 * that does not take what is sent; a drain waits, at most for its grace: who upgrades ends `body`
 * for either. `headers` are borrowed until `finished`, as `protocol` is. */
void fb_exchange_upgrade(struct fb_exchange *exchange, struct fb_str protocol,
                         const struct fb_headers *headers, struct fb_reader *body);

/* Responds with problem details (problem.h), not to be stored. `slug` and
 * `detail` may be NULL. */
void fb_exchange_problem(struct fb_exchange *exchange, unsigned status, const char *slug,
                         const char *detail);
