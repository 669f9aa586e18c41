/*
 * What the files of edge/fill share.
 *
 *     table.c   which fills run, what is not shareable, draining
 *     join.c    joining, answers, leaving
 *     fill.c    one fill, from looking on the volumes to the response's head
 *     keep.c    what the head says: an object, whole or in parts, or a renewed one
 *     body.c    its body, to the last byte
 *     prove.c   whether the body is what its digest says
 *     abandon.c fills whose clients left
 *     rest.c    bytes that are missing: of a body that broke, of what is kept
 *     part.c    ranges, as numbers
 *
 * A joiner belongs to its own loop, except while it is POSTED: then the fill
 * writes its outputs and sends it home.
 *
 *              join              the fill's answer           mail
 *     IDLE ──────────► WAITING ────────────────────► POSTED ───────► IDLE, done
 *       ▲                 │ cancel                      │ wrong variant
 *       └─────────────────┘                             └──► WAITING elsewhere
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/list.h"
#include "base/core/machine.h"
#include "base/loop/timer.h"
#include "edge/fill/digest.h"
#include "edge/fill/fill.h"

#include <pthread.h>
#include <stdatomic.h>

struct fb_map;
struct fb_metrics_table;

enum join_phase { JOIN_IDLE, JOIN_WAITING, JOIN_POSTED };

enum fill_metric {
    FILL_STARTED,
    FILL_FAILED,
    FILL_BUSY,
    FILL_BYTES,
    FILL_READERS,
    FILL_PARTS,
    FILL_RESUMED,
    FILL_CHANGED,
    FILL_PROVEN,
    FILL_CORRUPT,
    FILL_ABANDONED,
    FILL_N_METRICS
};

enum fill_state { FILL_LOAD, FILL_FETCH, FILL_PUMP, FILL_PAUSE, FILL_RESUME, FILL_DONE };

/* One key whose response cannot be shared, until then. */
struct fill_memory {
    uint64_t hash;
    int64_t until_ms;
};

struct edge_fill_table {
    struct edge_fill_options options;
    struct fb_metrics_table *metrics; /* borrowed, may be NULL */

    pthread_mutex_t lock;
    struct fb_map *by_key; /* owned; of struct edge_fill that may be joined */
    struct fb_list fills;  /* all that run */
    struct fb_list drains; /* of struct fill_drain, for the table's life */
    unsigned n_fills;      /* in `fills` */
    unsigned n_slots;      /* of them with a slot: at most max_fills */
    struct fill_memory memory[EDGE_FILL_MEMORY];
};

/* What a digest says of the bytes under way. The last of them are held back until it is known to
 * be right, so that no reader gets to the end of a body that is wrong. */
struct fill_proof {
    struct edge_digest digest;
    bool is_running;
    bool is_of_whole; /* and goes on if the body does from elsewhere */
    uint64_t at;      /* all bytes before it have been looked at */
    uint64_t end;     /* of the bytes that the digest is of; UINT64_MAX: not known yet */
    uint64_t hold;    /* those from here on are held back */
    struct fb_buf held;
};

struct edge_fill {
    struct edge_fill_table *table;
    struct fb_loop *loop; /* borrowed */
    struct fb_machine machine;
    struct fb_list link;    /* in table->fills, under its lock */
    struct fb_list joiners; /* under the table's lock */
    bool is_joinable;       /* in table->by_key, under its lock */
    bool has_slot;          /* of the fetches that are limited, under the table's lock */
    bool is_canceled;
    bool is_blocking;    /* the upstream holds the answer back on purpose */
    bool is_own;         /* of the store's own accord: there never were clients */
    bool is_posted;      /* `left` is under way, and frees; under the table's lock */
    struct fb_post left; /* to itself: the last joiner has left */
    int64_t lonely_ms;   /* since when nobody reads; INT64_MAX: somebody does */

    struct fb_arena arena;          /* the request */
    struct fb_str key;              /* in the table: the object's, perhaps with its variant */
    struct edge_fill_ask ask;       /* copies in the arena; `stale` and `partial` counted */
    struct fb_request_head client;  /* what ask.request points at */
    struct fb_request_head request; /* what is sent */
    struct edge_moment requested;
    _Atomic uint64_t epoch;  /* of purges, when it was first asked for; UINT64_MAX: not yet */
    enum edge_cause cause;   /* why it was */
    atomic_bool is_outdated; /* since, the resource was changed through this node */
    struct edge_treatment treatment; /* ask.treatment, refined by the response's head */

    struct edge_store_load load;
    struct fb_range_spec part; /* what was asked for, if `is_part` */
    bool is_part;
    struct edge_fetch fetch;
    struct edge_digest_claim claim; /* of the content that `answer` brings */
    struct edge_pass *answer;       /* owned: the response, with the memory of its head */
    struct fb_op wait;              /* for more of its body, or for readers */
    struct fb_timer timer;          /* of PAUSE, and of readers that dawdle */

    struct edge_writer *writer; /* owned; NULL before and after the body */
    struct fb_str if_range;     /* in the arena; empty: no strong validator */
    uint64_t at;         /* where in the object the next byte of the body under way belongs */
    uint64_t end;        /* where that body ends; UINT64_MAX: nobody knows */
    uint64_t goal;       /* where the run of bytes ends that is fetched; as `end` */
    uint64_t resumed_at; /* the writer's place when it was last resumed */
    unsigned n_tries;    /* to go on, with little to show for it */
    bool is_conditional; /* it may be answered 304 */
    unsigned avoided;    /* bits of upstreams that broke it */
    bool saw_change;     /* one of them has another object */
    bool is_holding;     /* the readers dawdle: `wait` is for them */
    bool was_corrupt;    /* a body was not what its digest said, and another one is tried */
    struct fill_proof proof;
};

/* What a fill tells its joiners. */
struct fill_answer {
    int result;
    enum edge_fill_outcome outcome;
    struct edge_object *object; /* borrowed; each joiner gets a reference */
    struct edge_pass *pass;     /* for the joiner that began; taken over or freed */
    uint64_t length;            /* of PAST_END */
    int rest;                   /* result of the others, when it is for one */
    bool is_for_one;            /* an object that only the joiner that began may have */
    bool is_personal;           /* owed to who asked: the others join again */
    bool was_loaded;
    bool was_stale;
    bool was_validated;
    bool is_stand_in;
    unsigned status;
};

/* ---- fill.c -------------------------------------------------------------- */

/* A fill of `key`, running nothing yet. */
struct edge_fill *edge_fill_new(struct edge_fill_table *table, struct fb_loop *loop,
                                struct fb_str key, const struct edge_fill_ask *ask);

/* Looks on the volumes if `loads`, or sends the request; on the fill's loop. The fill
 * frees itself at its end. */
void edge_fill_begin(struct edge_fill *fill, bool loads);

/* Sends the request as it stands, and calls `done` with its answer in fill->answer. */
void edge_fill_send(struct edge_fill *fill, fb_op_done_fn *done);

/* What is fetched, as the key says: the request without a condition. */
void edge_fill_make_request(struct edge_fill *fill);

/* The answer to edge_fill_send() in fill->answer, if it came. */
void edge_fill_take_answer(struct edge_fill *fill);

/* The part, or the 304, was of no use: asks for the whole, without a condition. */
void edge_fill_whole_instead(struct edge_fill *fill);

/* Hands the response to one joiner. The others get `rest`, or fetch for
 * themselves if that is FB_OK. */
void edge_fill_pass(struct edge_fill *fill, const char *refusal, int rest);

/* True if an answer of `status` may be owed to who asked, not to what was asked for. */
bool edge_fill_is_personal(const struct edge_fill *fill, unsigned status);

/* No usable answer came from upstream, but perhaps a status. */
void edge_fill_fail(struct edge_fill *fill, int err, unsigned status);

/* Makes it end soon; on the fill's loop. */
void edge_fill_cancel(struct edge_fill *fill);

/* Frees a fill that has neither joiners nor a writer; at once, or when its mail has come. */
void edge_fill_end(struct edge_fill *fill);

/* What edge_fill_end() puts off. */
void edge_fill_free(struct edge_fill *fill);

int64_t edge_fill_now_ms(const struct edge_fill *fill);

/* ---- keep.c -------------------------------------------------------------- */

/* What becomes of the answer in fill->answer: the whole, a 206 to a part, a 416 to
 * one, a 304. */
void edge_fill_whole(struct edge_fill *fill);
void edge_fill_part(struct edge_fill *fill);
void edge_fill_past_end(struct edge_fill *fill);
void edge_fill_not_modified(struct edge_fill *fill);

/* A response that is kept needs a date (RFC 9110 section 6.6.1). */
void edge_fill_add_date(struct edge_fill *fill, struct fb_headers *headers);

/* ---- body.c -------------------------------------------------------------- */

/* Moves fill->answer's body, which begins at fill->at, through fill->writer. */
void edge_fill_pump(struct edge_fill *fill);

/* Ends a PUMP, PAUSE or RESUME soon. */
void edge_fill_cancel_body(struct edge_fill *fill);

/* Ends the fill and its writer, with what readers that wait will get. */
void edge_fill_end_body(struct edge_fill *fill, int result);

/* Writes what is new of `bytes`, which belong at `at`. */
FB_MUST_CHECK int edge_fill_write(struct edge_fill *fill, uint64_t at, struct fb_str bytes);

/* ---- prove.c ------------------------------------------------------------- */

/* The body of an answer begins that goes to fill->writer, from fill->at up to fill->end: begins
 * a proof if there is a claim, or goes on with the one that runs. */
void edge_fill_prove_body(struct edge_fill *fill);

/* edge_fill_write() of what is right so far. FB_E_CORRUPT: the bytes are not those of the
 * digest. Requires a proof that runs. */
FB_MUST_CHECK int edge_fill_prove(struct edge_fill *fill, uint64_t at, struct fb_str bytes);

/* A body whose length nobody knew is over: what edge_fill_prove() says at the end. */
FB_MUST_CHECK int edge_fill_prove_end(struct edge_fill *fill);

/* The body broke off: forgets a proof that cannot go on. */
void edge_fill_prove_broken(struct edge_fill *fill);

/* The bytes were wrong: another try if nobody saw one of them, or the end. */
void edge_fill_disproved(struct edge_fill *fill);

/* Where the next byte is wanted: all before it is written or held. */
uint64_t edge_fill_offset(const struct edge_fill *fill);

/* Safe when none runs. */
void edge_fill_prove_done(struct edge_fill *fill);

/* ---- abandon.c ----------------------------------------------------------- */

/* Under the lock, on any loop: a joiner of `fill` has left. */
void edge_fill_left(struct edge_fill *fill);

/* True if all clients of the body have left, and it is not worth going on. */
bool edge_fill_is_abandoned(struct edge_fill *fill);

/* ---- rest.c -------------------------------------------------------------- */

/* Makes of the request one for what ask.partial lacks. */
void edge_fill_ask_missing(struct edge_fill *fill);

/* The answer to that: true if it goes on with the object, and was seen to. Else it is to be
 * taken like that of any other request. */
bool edge_fill_go_on(struct edge_fill *fill);

/* What is there of `object` would only cut more readers: it goes from both tiers, unless
 * somebody has brought what is new already. */
void edge_fill_forget(struct edge_fill *fill, struct edge_object *object);

/* The body stops, because of `err`, before all that is wanted has come: another try to go
 * on, or the end. */
void edge_fill_retry(struct edge_fill *fill, int err);

/* The same, and the upstream that gave it is asked last. */
void edge_fill_retry_elsewhere(struct edge_fill *fill, int err);

/* ---- join.c -------------------------------------------------------------- */

/* Why what is asked for is not taken from the store. */
enum edge_cause edge_fill_cause(struct edge_fill_table *table, const struct edge_fill_ask *ask);

/* Takes `fill` off the keys and answers all joiners. */
void edge_fill_answer(struct edge_fill *fill, const struct fill_answer *answer);

/* ---- table.c ------------------------------------------------------------- */

void edge_fill_lock(struct edge_fill_table *table);
void edge_fill_unlock(struct edge_fill_table *table);

/* Under the lock: a new fill of `key`, not begun, or why there is none: FB_E_CANCELED,
 * FB_E_BUSY. It has a slot if it `is_limited`. */
FB_MUST_CHECK int edge_fill_add(struct edge_fill_table *table, struct fb_loop *loop,
                                struct fb_str key, const struct edge_fill_ask *ask, bool is_limited,
                                struct edge_fill **ret_fill);

/* As edge_fill_add(), without a key to be found by. Takes the lock. */
FB_MUST_CHECK int edge_fill_add_unkeyed(struct edge_fill_table *table, struct fb_loop *loop,
                                        const struct edge_fill_ask *ask,
                                        struct edge_fill **ret_fill);

/* Under the lock: nobody joins `fill` any more. Harmless if nobody could. */
void edge_fill_unlist(struct edge_fill *fill);

/* Gives a fill that has loaded in vain its slot. FB_E_BUSY. */
FB_MUST_CHECK int edge_fill_take_slot(struct edge_fill *fill);

/* The key gave what cannot be shared, which is believed for so long. */
void edge_fill_remember(struct edge_fill *fill, int64_t ms);

/* Under the lock. */
bool edge_fill_is_remembered(struct edge_fill_table *table, struct fb_str key, int64_t mono_ms);

/* Takes `fill` out of the table; the last on its loop finishes a drain. */
void edge_fill_leave(struct edge_fill *fill);

void edge_fill_metric(struct edge_fill_table *table, enum fill_metric metric, int64_t n);
