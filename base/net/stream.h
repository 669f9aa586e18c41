/*
 * Streams: bytes both ways between two ends, with backpressure.
 *
 * One interface for TCP, for TLS (tls_stream.h) and for a pair in memory (tests).
 * Incoming bytes are pulled: a stream *is* an fb_reader. It receives ahead of
 * its consumer up to a bound and then lets the kernel push back; what was not
 * taken stays readable after the peer has closed. Outgoing bytes are an
 * operation that finishes when the kernel has taken them all. A stream with
 * nothing unread holds no buffer.
 *
 * Ownership  open (accept, connect, pair) → fb_stream_close(). Close first
 *            cancels the stream's own operations; their `done` still runs.
 * Threads    One loop's.
 * Limits     FB_STREAM_MAX_UNREAD bytes received ahead (one block over, at
 *            most).
 * Failures   -ECONNRESET and the like; reading after the peer's FIN gives
 *            FB_E_END; FB_E_CANCELED for a write or wait that close ended.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/loop/op.h"
#include "base/loop/reader.h"
#include "base/net/address.h"

#include <stdbool.h>

struct fb_loop;
struct fb_slice_file;
struct fb_tls_facts;

struct fb_stream {
    struct fb_reader reader; /* incoming bytes; do not fb_reader_close() it */
    const struct fb_stream_ops *ops;
    struct fb_loop *loop;
};

enum { FB_STREAM_MAX_PIECES = 64, FB_STREAM_MAX_UNREAD = 128 * 1024, FB_STREAM_MAX_KEPT = 4096 };

/* Outgoing bytes. */
struct fb_stream_write {
    struct fb_op op;
    const struct fb_str *pieces; /* in: borrowed, with their bytes, until done */
    size_t n_pieces;             /* in: at most FB_STREAM_MAX_PIECES */

    /* In: NULL, or for each piece the file that it is a part of, or NULL: as struct fb_slice says,
     * borrowed likewise. Of use where fb_stream_takes_files(). */
    const struct fb_slice_file *const *files;
};

struct fb_stream_ops {
    bool takes_files;
    void (*write)(struct fb_stream *stream, struct fb_stream_write *write);
    void (*shut)(struct fb_stream *stream);
    void (*close)(struct fb_stream *stream, bool is_reset);
    size_t (*unsent)(const struct fb_stream *stream);
    size_t (*unacked)(const struct fb_stream *stream);
    size_t (*retract)(struct fb_stream *stream);
    struct fb_address (*peer)(const struct fb_stream *stream);
    const struct fb_tls_facts *(*tls)(const struct fb_stream *stream); /* NULL: it has none */
    int (*socket)(const struct fb_stream *stream);         /* NULL: it is none of its own */
    void (*pace)(struct fb_stream *stream, uint64_t rate); /* NULL: it cannot */
};

/* Sends; one write at a time. Cancel only by closing, after which nothing more
 * is read from the pieces. */
void fb_stream_write(struct fb_stream *stream, struct fb_stream_write *write);

/* True if large pieces that lie in files are sent without a copy. The kernel then refers to the
 * files' pages until the peer has said that it has their bytes. */
static inline bool fb_stream_takes_files(const struct fb_stream *stream)
{
    return stream->ops->takes_files;
}

/* How much of the write under way the kernel has not taken yet. */
size_t fb_stream_unsent(const struct fb_stream *stream);

/* How much the kernel has taken, of this write and those before, that the peer has not said it
 * has: a timeout that finds this and the unsent unchanged knows that the peer takes nothing. A
 * system call. 0 where nobody can tell. */
size_t fb_stream_unacked(const struct fb_stream *stream);

/* Cuts the write under way down to what was sent of it and at most FB_STREAM_MAX_KEPT bytes more,
 * which are copied: from here on its pieces are not read any more. It finishes when those are
 * sent. Returns how many bytes at its end were cut off. Nothing happens without a write. */
size_t fb_stream_retract(struct fb_stream *stream);

/* From now on sends at most `rate` bytes a second, evenly; 0: as fast as it goes. Where the kernel
 * does not let it, nothing changes. */
void fb_stream_pace(struct fb_stream *stream, uint64_t rate);

/* Sends FIN after what was written; reading goes on. */
void fb_stream_shut(struct fb_stream *stream);

/* Ends both ways and frees the stream once libuv lets go of it. A close over
 * unread bytes makes the kernel send RST: who wants the peer to get all of the
 * last answer shuts, and reads to the end before closing. Accepts NULL. */
void fb_stream_close(struct fb_stream *stream);

/* As close, but with RST, so that the peer cannot take what it has for whole. Accepts NULL. */
void fb_stream_reset(struct fb_stream *stream);

/* The other end's address; len 0 if it is not known, as in memory. */
struct fb_address fb_stream_peer(const struct fb_stream *stream);

/* What its TLS handshake agreed on (base/tls/handshake.h), alive as long as the stream; NULL if
 * it has no TLS. */
const struct fb_tls_facts *fb_stream_tls(const struct fb_stream *stream);

/* The protocol that both ends agreed on by ALPN: "h2", "http/1.1"; NULL if they did not. */
const char *fb_stream_protocol(const struct fb_stream *stream);
