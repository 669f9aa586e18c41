/*
 * Objects: one stored response, wherever its bytes are.
 *
 * The head never changes once made. The body is a run of chunks (edge/volume/
 * extent.h), each of which is in memory, on a volume, on its way from either
 * side, or absent: only those that someone asked for need ever be fetched.
 *
 *                  a reader finds it on a volume      read, verified
 *     ABSENT ───────────────────────────► LOADING ───────────────► PRESENT
 *        │  ▲                                 │ gone, rotten          │ evicted
 *        │  └─────────────────────────────────┴───────────────────────┤
 *        │        a writer comes to it              last byte         │
 *        └───────────────────────────► FILLING ───────────────────────┘
 *
 * Any number of readers on any loop pull from a body. A reader that comes to an
 * absent chunk waits for a writer that is about to get there, or loads it from a
 * volume, or asks its source: the floor above, which fetches and writes. A
 * validated object is a new head on the same body.
 *
 * A body of unknown length has one writer, from the first byte to the last; if that
 * fails, the body is BROKEN for good. One of known length is
 * BROKEN only once its bytes prove to be wrong: a chunk that could not be fetched is an error to
 * those who wait for it, and absent to those who come later. An object that is not strong, though,
 * cannot be fetched in parts: one that does not hold what is wanted has to be fetched anew.
 *
 * Ownership  Counted. A reader, a writer and a slice keep what they need alive by
 *            themselves.
 * Threads    Everything here may be called on any thread; a reader or a writer
 *            belongs to the loop that it was opened for. Asking for what is PRESENT, and reading
 *            it, takes no lock, except by a reader that ever had to wait, or of a long body while
 *            it is written.
 * Limits     A body of unknown length takes at most a quarter of the store's
 *            memory: it cannot leave that before its end.
 * Failures   append: FB_E_BUSY when nothing can be evicted to make room,
 *            FB_E_LIMIT for too much of unknown length, FB_E_MALFORMED for more
 *            bytes than announced. Readers: FB_E_END, FB_E_LATER, or why a chunk
 *            could not be had.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "edge/format/extent.h"
#include "edge/fresh/terms.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_object;
struct fb_loop;
struct fb_op;
struct fb_reader;

/* FILLING: of unknown length, until its writer is done. */
enum edge_object_state { EDGE_OBJECT_FILLING, EDGE_OBJECT_READY, EDGE_OBJECT_BROKEN };

/* Lives as long as the object, in its own memory. */
struct edge_object_head {
    struct fb_str key;
    struct fb_str vary;    /* field names; empty: one response for all */
    struct fb_str variant; /* edge_variant_of() the request that brought it */
    unsigned status;
    struct fb_headers headers; /* what clients get, but Age, Via and framing */
    struct fb_str lines;       /* the same as they are written in HTTP/1 */
    bool may_be_sent;          /* all of them, as fb_header_may_be_sent() says */
    bool has_for_tiers;        /* one of them at least, as edge_field_is_for_tiers() says */
    struct fb_str etag;        /* value of the field, or ptr NULL */
    struct fb_str last_modified;
    struct fb_str tags; /* Cache-Tag, which is not among the headers; or empty */
    struct edge_terms terms;
    bool is_planned;    /* a plan had it filled, ahead of any client */
    bool is_prefetched; /* it was fetched as what a player would ask for next */
};

const struct edge_object_head *edge_object_head(const struct edge_object *object);

/* Bytes of the whole body; FB_LENGTH_UNKNOWN while FILLING, and of one that broke then. */
int64_t edge_object_length(const struct edge_object *object);

/* Bytes from the front that are there, of a body that is FILLING; else 0. */
uint64_t edge_object_arrived(struct edge_object *object);

/* Where bytes are: all of them in memory or on their way there, or some on a volume alone,
 * or some nowhere. */
enum edge_where { EDGE_NOWHERE, EDGE_ON_VOLUME, EDGE_IN_MEMORY };

/* Where the bytes of the range are; to the end with FB_LENGTH_UNKNOWN. Of a range of more than
 * 4 GiB only those are looked at. */
enum edge_where edge_object_where(struct edge_object *object, uint64_t offset, int64_t length);

/* True if they are anywhere. */
static inline bool edge_object_holds(struct edge_object *object, uint64_t offset, int64_t length)
{
    return edge_object_where(object, offset, length) != EDGE_NOWHERE;
}

enum edge_object_state edge_object_state(const struct edge_object *object);

/* True if a strong validator proves of other responses that they are parts of the
 * same bytes (RFC 9110 section 8.8.1). */
bool edge_object_is_strong(const struct edge_object *object);

/* True if a request with these fields may be answered with this variant. */
bool edge_object_suits(const struct edge_object *object, const struct fb_headers *request);

/* True if a soft purge made it stale. */
bool edge_object_is_soft(const struct edge_object *object);

/* True if its key was purged or made invalid since: whoever holds it may go on with it, but not
 * fall back on it. */
bool edge_object_is_dropped(const struct edge_object *object);

/* The terms to judge it by: the head's, or if a soft purge made it stale, those with a lifetime
 * that ended then, in `space`. For what a client is told (Age) the head's are right. */
const struct edge_terms *edge_object_terms(const struct edge_object *object,
                                           struct edge_terms *space);

/* Counts a use for the policy that opens no reader, such as a 304. */
void edge_object_touch(struct edge_object *object);

/* One reference more; returns `object`. */
struct edge_object *edge_object_ref(struct edge_object *object);

/* One less; the last frees. Accepts NULL. */
void edge_object_unref(struct edge_object *object);

/* ---- for readers --------------------------------------------------------- */

/* Who fetches what neither tier has; given to a reader, which keeps it until closed. */
struct edge_source {
    /* Bytes from `offset`, `n` of them that are absent, are wanted and nobody is
     * about to bring them. On the reader's loop, inside fb_reader_wait(), with no
     * lock held. Nobody else is asked for that chunk until a writer begins in it,
     * edge_object_fail() is called for it, or the reader is closed: so one of the
     * first two must come. `object` is borrowed for the call. */
    void (*want)(struct edge_source *source, struct edge_object *object, uint64_t offset,
                 uint64_t n);
};

/* A reader on `loop` of `length` bytes from `offset`, or to the end with
 * FB_LENGTH_UNKNOWN. `source` may be NULL: then a chunk that neither tier has and nobody
 * brings is FB_E_CLOSED. A range past the end of the whole body gives FB_E_CLOSED
 * where the bytes run out. The caller may drop its reference while the reader
 * lives. */
struct fb_reader *edge_object_reader(struct edge_object *object, struct fb_loop *loop,
                                     uint64_t offset, int64_t length, struct edge_source *source);

/* The chunk at `offset` cannot be had: readers that wait for it get `err`. */
void edge_object_fail(struct edge_object *object, uint64_t offset, int err);

/* The bytes are not those that they should be: the object is BROKEN, leaves the index
 * with all heads of its body, and every reader gets FB_E_CORRUPT, wherever it is. */
void edge_object_break(struct edge_object *object);

/* ---- for writers --------------------------------------------------------- */

/* How far a writer of a long body may be ahead of whoever reads, bytes. Bodies no
 * longer than twice that, and those of unknown length, are fetched at once. */
enum { EDGE_WRITER_AHEAD = 8 * EDGE_CHUNK_BYTES };

/* How long a writer that is ahead waits for somebody to read on. */
enum { EDGE_WRITER_PATIENCE_MS = 1000 };

/* One run of bytes on its way into a body. */
struct edge_writer;

/* A writer from `offset`, which is the beginning of a chunk (0 for a body of unknown
 * length), to the end or to the first chunk that is not absent. It holds a reference
 * to `object`. FB_E_EXISTS if the chunk at `offset` is there or on its way. */
FB_MUST_CHECK int edge_object_write(struct edge_object *object, struct fb_loop *loop,
                                    uint64_t offset, struct edge_writer **ret_writer);

/* Says that it will come no further than `end`: readers of what lies behind do not wait
 * for it. */
void edge_writer_set_end(struct edge_writer *writer, uint64_t end);

/* Says that nobody knows yet whether the bytes are right: until it finishes, none of the body
 * goes to a volume. */
void edge_writer_set_unproven(struct edge_writer *writer);

/* True if it has not brought a byte. */
bool edge_writer_is_fresh(const struct edge_writer *writer);

/* True if anybody but the index and writers holds the object: clients who read it or will. */
bool edge_writer_has_clients(const struct edge_writer *writer);

/* What it writes into, borrowed. Whoever keeps a reference beside the writer's
 * counts as a user of the object: see append. */
struct edge_object *edge_writer_object(const struct edge_writer *writer);

/* Where the next byte goes. A fetch that broke can go on from here. */
uint64_t edge_writer_offset(const struct edge_writer *writer);

/* Copies `bytes` and wakes the readers. FB_E_EXISTS: the writer has come to a chunk that is
 * there or on its way (the rest of `bytes` was dropped): finish with FB_OK.
 * FB_E_CANCELED: the object is neither in the index nor used by anybody. */
FB_MUST_CHECK int edge_writer_append(struct edge_writer *writer, struct fb_str bytes);

/* True if the writer is far enough ahead of the readers: wait before more. */
bool edge_writer_is_ahead(const struct edge_writer *writer);

/* Begins `op`, which finishes when the writer is no longer ahead, or with FB_E_CLOSED when
 * nobody came near for EDGE_WRITER_PATIENCE_MS. Cancelable. */
void edge_writer_wait(struct edge_writer *writer, struct fb_op *op);

/* The end, and frees the writer. FB_OK: as far as it came, all is right; of a body of unknown
 * length that is its end. Else a chunk that is not complete is absent again, and whoever
 * waits for it gets `result`. With FB_OK too it is absent, but its readers ask for
 * it again. */
void edge_writer_finish(struct edge_writer *writer, int result);
