/*
 * Fills: one upstream fetch per object, however many clients ask for it.
 *
 * The first request that misses on a key starts a fill, on its own loop;
 * requests of the same key on any loop join it. What a volume has is loaded
 * first. Else, when the response's head is there, all joiners are answered, and a
 * body that may be kept runs into the store while they already read it:
 *
 *     LOAD ──► on a volume and fresh: OBJECT to all
 *       │ not there, or stale
 *       ▼
 *     FETCH ──► head ──┬─ may be kept ──► OBJECT to all ──► the body, see below
 *       │              ├─ 304 ──► the stale object renewed: OBJECT to all; if it may not be
 *       │              │          kept any more, to the first, ALONE to the rest
 *       │              ├─ not to be kept ──► PASS to the first, ALONE to the rest
 *       │              ├─ 416 ──► PAST_END to the first, the rest join again
 *       │              └─ 5xx ──► stale OBJECT, or kept by rule, or PASS to the first, error
 *       │                         to the rest
 *       └─ fails ──► stale OBJECT to all that may have it, or the error
 *
 * PASS answers the very request that was sent: if that joiner left, nobody gets it. So does
 * what a 304 made of a stale object that may not be kept any more.
 * An answer that may be owed to that request alone (it had an Authorization, or a
 * Via in which an upstream found itself) says nothing of the key: the rest join
 * again. So does who came after a purge, if what a fill brings was asked for before it.
 * Any other key that gave PASS is remembered for a few seconds: joiners are told ALONE
 * at once, so that what cannot be shared does not queue; for half a second only if it was an
 * error, or there is a stale object that was shared: what comes next may be again. A fill whose
 * joiners all left goes on if the response may be kept, and is worth it: see `complete_percent`. A
 * joiner that finds itself given another variant than it may have joins again, by variant.
 *
 *            A fill for a plan (edge/warm) knows the digest beforehand, and asks whom the plan may
 *            be had from: a client that joins it and gets nothing joins again, to ask its own.
 *
 * Parts      A single range of what no tier has is asked for as a Range, rounded
 *            outward to chunks, and makes an object that lacks the rest. Such an
 *            answer counts only with a strong validator and the range that was
 *            asked for; else the whole is fetched. What an object lacks is fetched with
 *            If-Range: before a client is answered if it is the first it wants (then
 *            an upstream that fails is told, and one that has a new object gives
 *            that), else when its reader gets there, by struct edge_fill_chunks.
 * Bodies     One that breaks off goes on from its next byte, with Range and If-Range,
 *            first of all from another upstream; readers do not notice. Without a
 *            strong validator they are cut, since nothing tells that the next bytes
 *            belong to the last ones. A long body comes no faster than it is read; if
 *            its readers dawdle the connection is given up, and opened again
 *            when they get there.
 *
 *            PUMP ──► all there, or nobody reads on ──► DONE
 *              │ ▲
 *              ▼ └──────────────────────────┐
 *            PAUSE ──► RESUME ──► the same bytes go on
 *                         └─ they changed: readers are cut, the key is invalid
 *
 * Digests    A body that comes with Repr-Digest or Content-Digest (RFC 9530) is hashed on its
 *            way, and its last EDGE_FILL_HELD_BYTES are held back until that is right. If it is
 *            not, and nothing of it was shown, another upstream is asked once. Else the object is
 *            broken: every reader is cut, and nothing of it was given to a volume. The
 *            digest of the whole is followed over a body that breaks and goes on, not
 *            over one that is fetched in parts, whose Content-Digest counts. A range
 *            that ends before the digest is known is out by then.
 *
 * Blocking   A playlist reload with _HLS_msn is held by the upstream until the playlist has
 *            grown: it is waited for as long as `blocking_ms`, by all who ask for the same at once,
 *            and canceled when all of them have left. Its errors are kept a second at most.
 *
 * Ownership  One table per process, freed after all loops stopped filling. A
 *            joiner owns its struct edge_fill_join until done, and then what it
 *            was given.
 * Threads    Joining on any loop. A fill runs on the loop that began it.
 * Limits     `max_fills` fetches at once (FB_E_BUSY), loads not counted, nor what
 *            readers lack, which is bounded by the readers; EDGE_FILL_MEMORY keys
 *            remembered. A body without a strong validator of more than a quarter of
 *            the memory passes by the store: it could not be had again in parts.
 * Failures   FB_E_BUSY, FB_E_CANCELED, FB_E_UNAVAILABLE after a 5xx that went to
 *            another joiner, FB_E_MALFORMED for a 304 or a 206 nobody asked for, or
 *            what the fetch gave. Readers: FB_E_CONFLICT if the object changed.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/core/str.h"
#include "base/http/range.h"
#include "base/loop/loop.h"
#include "edge/fresh/rule.h"
#include "edge/store/cause.h"
#include "edge/store/store.h"
#include "edge/upstream/fetch.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_fill;
struct edge_fill_table;
struct edge_pool;
struct fb_metrics;
struct fb_reader;

enum { EDGE_FILL_MEMORY = 4096, EDGE_FILL_MEMORY_MS = 5000, EDGE_FILL_DOUBT_MS = 500 };

/* Tries to go on with a body that bring less than EDGE_FILL_PROGRESS_BYTES, before
 * it is given up. */
enum { EDGE_FILL_MAX_TRIES = 4, EDGE_FILL_PROGRESS_BYTES = 64 * 1024 };

/* So much of a body waits for its digest. */
enum { EDGE_FILL_HELD_BYTES = 64 * 1024 };

/* How long a body goes on that nobody reads, whatever is here of it: a player may be back. */
enum { EDGE_FILL_GRACE_MS = 1000 };

/* How long a blocking playlist reload is held upstream, and how long its error is kept at most. */
enum { EDGE_FILL_BLOCKING_MS = 20000, EDGE_FILL_BLOCKING_ERROR_MS = 1000 };

/* How long a connection is kept open for readers who are slow to read on. */
enum { EDGE_FILL_HOLD_MS = 5000 };

struct edge_fill_options {
    struct edge_store *store;  /* borrowed */
    unsigned max_fills;        /* 0: 1024 */
    uint64_t seed;             /* of the table's hash; drawn by the program */
    bool verifies_digests;     /* of RFC 9530, where an upstream sends them */
    unsigned complete_percent; /* a fetch whose clients left goes on if so much of it is here */
    uint64_t complete_missing; /* or no more than that is missing, bytes */
    uint32_t blocking_ms;      /* how long a blocking playlist reload is held upstream; 0: [20 s] */
    edge_fetch_fn *fetch;      /* called with edge_fill_ask.upstream as ctx */
    struct fb_metrics *metrics; /* borrowed, may be NULL */
};

struct edge_fill_table *edge_fill_table_new(const struct edge_fill_options *options);

/* Requires that no fill is left. Accepts NULL. */
void edge_fill_table_free(struct edge_fill_table *table);

/* What is wanted. */
struct edge_fill_ask {
    struct fb_str key;                     /* of edge_key_of() */
    const struct fb_request_head *request; /* the client's own */
    struct edge_treatment treatment;
    const struct fb_range_spec *range; /* all that is wanted of it; NULL: the whole */
    struct edge_object *stale;         /* what the store had, to be validated; or NULL */
    struct edge_object *partial; /* what it had, without the first bytes that are wanted: `range`
                                  * is what is missing then; or NULL */
    struct edge_object *lacking; /* what it had, but without the bytes wanted, and they
                                  * cannot be fetched alone: to be passed over; or NULL */
    bool loads_only;             /* what no tier has fresh is not fetched: ALONE, unless a fill
                                  * runs that brings it */
    bool is_planned;             /* no client wants it yet, but a plan */
    bool is_prefetch;            /* nor yet, but will next, as it seems */
    const uint8_t *sha256; /* what a whole body of 200 has to be, FB_SHA256_SIZE bytes, whatever
                            * the upstream says; NULL: not known */
    const struct edge_pool *pool; /* whom to ask; NULL: the node's own */
    struct fb_arena *arena;       /* of the request, for `own` of its join; NULL: not wanted */
    void *upstream;               /* ctx for `fetch`, if this loop has to run it */
};

/* A response that is not kept: streamed from upstream to one client. */
struct edge_pass {
    struct fb_response_head response; /* fields of edge_fields_to_keep(), Set-Cookie included */
    int64_t length;                   /* or FB_LENGTH_UNKNOWN */
    struct fb_reader *body;           /* take it (and set NULL), or it is closed with the rest */
    const char *refusal;              /* why it is not kept; static */
    bool is_part;                     /* of a range that we chose, not the client */
    struct fb_arena arena;            /* the response's strings */
};

/* Accepts NULL. */
void edge_pass_free(struct edge_pass *pass);

enum edge_fill_outcome {
    EDGE_FILL_OBJECT,  /* see `object` */
    EDGE_FILL_PASS,    /* see `pass`; only the joiner that began the fill */
    EDGE_FILL_ALONE,   /* it cannot be shared: fetch for yourself */
    EDGE_FILL_PAST_END /* all of the range lies past the end, see `length` */
};

struct edge_fill_join {
    struct fb_op op;
    struct edge_fill_ask ask; /* in: borrowed until done */

    /* Out. */
    enum edge_fill_outcome outcome;
    struct edge_object *object; /* OBJECT: a reference, the caller's to drop */
    struct fb_headers own;      /* OBJECT: fields for this request alone, beside the object's */
    struct edge_pass *pass;     /* PASS: the caller's to free */
    uint64_t length;            /* PAST_END: of the whole body */
    bool is_collapsed;          /* another request's fetch served this one */
    bool was_stored;            /* in either tier, with no fetch: fresh enough to use */
    bool was_stale;             /* a stale object was there, in either tier */
    bool was_validated;         /* the upstream said 304 */
    bool is_stand_in;           /* stale, in place of an error */
    enum edge_cause cause;      /* why something was asked of an upstream; of the same fetch,
                                 * one for all. Nothing was if `was_stored`. Set on error too */
    unsigned upstream_status;   /* of the answer; 0 if none came. Set on error too */
    const char *tier;           /* of who gave it, as that of a fetch; NULL if none came */

    /* Private to edge/fill. */
    struct edge_fill_table *table;
    struct edge_fill *fill; /* while it waits, under the table's lock */
    struct fb_list link;    /* in the fill's joiners, under the table's lock */
    unsigned phase;         /* under the table's lock */
    struct fb_post post;
    int answer;            /* what the fill decided */
    struct fb_buf own_key; /* of a second try, for another variant */
    uint64_t epoch;        /* of purges, when it came: what they took is not for it */
    unsigned n_tries;
    bool joins_again; /* what came was for another */
    bool is_canceled;
};

/* Begins `join`, whose op was set up with fb_op_init(). Cancelable. */
void edge_fill_join(struct edge_fill_table *table, struct edge_fill_join *join);

/* Refreshes `ask.stale` on `loop` with nobody waiting (stale-while-revalidate),
 * unless a fill of the key runs already or the limit is reached. All of `ask`
 * is copied, and `stale` referenced. */
void edge_fill_refresh(struct edge_fill_table *table, struct fb_loop *loop,
                       const struct edge_fill_ask *ask);

/* What an upstream said of a stale object in answer to another request than a fill's. */
struct edge_fill_news {
    const struct fb_headers *headers; /* of a 200 to HEAD */
    int64_t length;                   /* of the whole, or FB_LENGTH_UNKNOWN */
    struct edge_moment requested;
    uint64_t epoch;         /* of purges, when it was asked */
    struct fb_arena *arena; /* for what is made of them */
};

/* Renews `ask.stale` by news that are of the same version (RFC 9111 section 4.3.5), and gives a
 * reference to what is fresh now. NULL: it stays as it was, if that was stale; what was fresh
 * (but not enough for whoever asked) and is of another version is invalid now, with all that the
 * key names. */
struct edge_object *edge_fill_freshen(struct edge_fill_table *table, struct fb_loop *loop,
                                      const struct edge_fill_ask *ask,
                                      const struct edge_fill_news *news);

/* A request has changed what `key` means (RFC 9111 section 4.4): what is under way of it goes to
 * those who wait for it, and is not kept. On any thread; edge_store_invalidate() after it sees to
 * what is kept already. */
void edge_fill_outdate(struct edge_fill_table *table, struct fb_str key);

/* The source of one reader: fetches the chunks that it lacks, on its loop. Any
 * number of readers collapse on the chunk that is being fetched. */
struct edge_fill_chunks {
    struct edge_source source; /* for edge_object_reader() */

    /* Private to edge/fill. */
    struct edge_fill_table *table;
    struct fb_loop *loop;
    struct edge_fill_ask ask;
};

/* `ask` is that of the request that the reader answers; its range and objects
 * are not read. What it names, and `chunks`, stand until the reader is closed. */
void edge_fill_chunks_init(struct edge_fill_chunks *chunks, struct edge_fill_table *table,
                           struct fb_loop *loop, const struct edge_fill_ask *ask);

/* Cancels the fills that run on `loop`, and begins `op`, which finishes when
 * none is left there. No fill may be begun on that loop afterwards. */
void edge_fill_drain(struct edge_fill_table *table, struct fb_loop *loop, struct fb_op *op);

/* How long an upstream may hold back the answer to `key`, for edge_fetch.patience_ms. */
uint32_t edge_fill_patience_ms(const struct edge_fill_table *table, struct fb_str key);

/* Fills that run now, on all loops. */
unsigned edge_fill_count(struct edge_fill_table *table);
