/*
 * What the parts of edge/serve share: the request and how it is answered.
 *
 *     serve.c     the machine, from its beginning to its ends
 *     reign.c     which sites are in force, and which still are in use
 *     gate.c      what is settled before the store is asked: method, loops, target, key
 *     guard.c     tokens and CORS: who is let in, and which pages may read
 *     lookup.c    what the store has, and whether that will do
 *     answer.c    answers from an object
 *     shared.c    the fetch that others may share, and what comes of it
 *     alone.c     what is fetched for one client
 *     beacon.c    what players tell of themselves
 *     drop.c      what the success of an unsafe method makes invalid
 *     trail.c     the way a request went: Cache-Status, counters
 *     record.c    what is told of a request that has ended: access log, views
 *     respond.c   heads of responses, problem details
 *     condition.c what a request's conditions and range make of an object
 *     multi.c     several ranges as one body
 *     hold.c      ranges of what is still arriving
 *     next.c      what a player will ask for next; prefetch.c fetches it
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/machine.h"
#include "base/http/head.h"
#include "edge/access/access.h"
#include "edge/fill/fill.h"
#include "edge/fresh/demands.h"
#include "edge/serve/condition.h"
#include "edge/serve/serve.h"
#include "edge/site/site.h"
#include "edge/store/cause.h"
#include "edge/store/object.h"
#include "edge/upstream/fetch.h"

struct edge_access_cache;
struct edge_access_writer;
struct edge_views_writer;
struct fb_exchange_outcome;
struct edge_prefetch;
struct fb_metrics_table;

enum serve_state {
    SERVE_LOOKUP,
    SERVE_GUARD,
    SERVE_BEACON,
    SERVE_JOIN,
    SERVE_FETCH,
    SERVE_HOLD,
    SERVE_SENT
};

/* Sites that some request of this loop uses, or the next one will: the reference is one,
 * however many they are, so that a request costs no atomic operation. */
struct serve_reign {
    struct edge_sites *sites; /* a reference */
    unsigned n_holders;       /* requests that began under it, and the loop while in force */
    struct edge_access_cache *tokens; /* owned; NULL until there is one */
};

struct edge_serve {
    struct edge_serve_options options;
    struct serve_reign *reign; /* in force; owned until the last request has left it */
    struct fb_loop *loop;
    struct edge_uplink *uplink;
    struct fb_metrics_table *metrics;
    struct fb_metrics_table *guard_metrics;
    struct edge_access_writer *access_log; /* the log's; NULL: none */
    struct edge_views_writer *views;       /* the views' own; NULL: none */
    struct fb_buf via;                     /* "1.1 node" */
    struct fb_buf scratch;                 /* for writing one field */
    struct edge_prefetch *prefetch;        /* owned; NULL: none */
    unsigned n_requests;                   /* under way */
};

/* What the store has for a request. */
enum serve_had {
    SERVE_HAD_NONE,
    SERVE_HAD_ENOUGH, /* to begin with; the rest is fetched when the client gets there */
    SERVE_HAD_STALE,
    SERVE_HAD_UNWANTED, /* fresh, but not as fresh as the client demands */
    SERVE_HAD_PART,     /* fresh, but not the first byte that is wanted: better ask first */
    SERVE_HAD_WEAK      /* bytes are missing, which cannot be had but with all the others */
};

/* The way a request went, for Cache-Status. */
struct serve_trail {
    bool is_hit;
    const char *forward;      /* fwd=; NULL: not forwarded */
    unsigned upstream_status; /* fwd-status=; 0: none */
    const char *tier;         /* of who answered with it; NULL: nobody, or not known */
    bool is_stored;
    bool is_collapsed;
    const char *detail; /* NULL: none, or the cause, or where the hit was */
    bool has_cause;     /* what was wanted had to be asked for upstream */
    enum edge_cause cause;
};

/* What a request waits for. */
struct serve_join {
    struct edge_fill_join io;
    struct serve_request *request;
};

struct serve_fetch {
    struct edge_fetch io;
    struct serve_request *request;
    struct edge_moment requested;
    uint64_t epoch;      /* of purges, when it was sent */
    bool is_about_stale; /* a HEAD that may tell that request->object is still right */
};

/* In the arena of its exchange. */
struct serve_request {
    struct edge_serve *serve;
    struct fb_exchange *exchange;
    struct fb_arena *arena; /* the exchange's */
    struct fb_machine machine;
    struct serve_reign *reign;            /* held until `finished` */
    const struct edge_site *site;         /* that its Host names */
    const struct fb_request_head *client; /* as received, without what the guard took */
    struct fb_request_head wanted;        /* the same as a GET of the normal target */
    struct edge_access_ticket ticket;     /* of a site with access control */
    struct fb_str origin;                 /* of a site with CORS; ptr NULL: none */
    struct serve_guard *guard;            /* in the arena, while in SERVE_GUARD */
    struct serve_beacon *beacon;          /* in the arena, while in SERVE_BEACON */
    struct fb_str subject;                /* of its token; in the arena; empty: none */
    struct edge_conditions conditions;
    struct edge_demands demands;  /* of its Cache-Control, what the site obeys */
    struct fb_range_specs ranges; /* if `has_range`; a fill is asked for the first */
    bool has_range;
    struct fb_str key;
    struct edge_treatment treatment;
    struct serve_trail trail;
    enum serve_had had; /* when it joined */
    enum edge_serve_result result;
    bool is_aborted; /* the client went away */

    struct edge_object *object; /* a reference, or NULL; until `finished` */
    struct serve_join *join;    /* in the arena, once needed */
    struct edge_pass *pass;     /* owned, or NULL; until `finished` */
    struct serve_fetch *fetch;  /* in the arena, once needed */
    struct serve_hold *hold;    /* in the arena, once needed */

    struct edge_selection selection; /* of `object`, once there is one to answer from */
    enum edge_where where;           /* what is selected is */
    struct edge_fill_chunks chunks;  /* for its reader */
};

/* ---- serve.c ------------------------------------------------------------- */

/* No answer came from upstream, or none that may be shown. */
void edge_serve_fail_upstream(struct serve_request *request, int err);

/* Answers with problem details, whose `detail` is a sentence for a person. */
void edge_serve_fail(struct serve_request *request, unsigned status, const char *detail);

/* ---- reign.c ------------------------------------------------------------- */

/* The reign in force, held for one request; and the end of that. */
struct serve_reign *edge_reign_enter(struct edge_serve *serve);
void edge_reign_leave(struct serve_reign *reign);

/* ---- gate.c -------------------------------------------------------------- */

/* Reads what is asked for, refuses what cannot be served, and sends the rest on its way. */
void edge_serve_start(struct serve_request *request);

/* Goes on with a request whose target is read and that is let in. */
void edge_serve_admit(struct serve_request *request);

/* ---- lookup.c ------------------------------------------------------------ */

/* Answers from the store, or from a fetch. */
void edge_serve_lookup(struct serve_request *request);

/* What the store has is not enough, or not wanted. */
void edge_serve_go_upstream(struct serve_request *request, enum serve_had had);

/* Why an upstream is asked, as `fwd` of Cache-Status. */
const char *edge_serve_cause(const struct serve_request *request, enum serve_had had);

/* Answers 504 to a client that wants nothing but what is stored. */
void edge_serve_refuse_uncached(struct serve_request *request);

/* ---- answer.c ------------------------------------------------------------ */

/* What may be done with request->object for this client. */
enum edge_verdict edge_serve_judge(const struct serve_request *request);

/* True if it is only the client who will not have what is stored. */
bool edge_serve_is_unwanted(const struct serve_request *request);

/* Settles what to send of request->object, and where that is. */
void edge_serve_select(struct serve_request *request);

/* True if all bytes that are selected are in the store or on their way. */
static inline bool edge_serve_has_all(const struct serve_request *request)
{
    return request->where != EDGE_NOWHERE;
}

/* Answers from request->object what was selected. */
void edge_serve_send_object(struct serve_request *request, enum edge_serve_result result);

/* The same from an object that the store had, and that is fit for use now. */
void edge_serve_use_stored(struct serve_request *request, enum edge_verdict verdict);

/* Answers from what is stale, if it may stand in for an upstream that failed. */
bool edge_serve_stand_in(struct serve_request *request);

/* ---- shared.c ------------------------------------------------------------ */

/* What is wanted, as fills are told. */
struct edge_fill_ask edge_serve_ask(struct serve_request *request);

/* Waits for a fetch that others may share, or for what a volume has. */
void edge_serve_join(struct serve_request *request, enum serve_had had);

/* ---- hold.c -------------------------------------------------------------- */

/* Answers from request->object when what was selected says that it is time. */
void edge_serve_hold(struct serve_request *request, enum edge_serve_result result);
void edge_serve_hold_cancel(struct serve_request *request);

/* ---- alone.c ------------------------------------------------------------- */

/* Sends the request on for this client alone; `why` and `detail` are for Cache-Status. */
void edge_serve_fetch(struct serve_request *request, const char *why, const char *detail);

/* ---- beacon.c ------------------------------------------------------------ */

/* Takes a beacon of a player, and answers it. */
void edge_serve_beacon(struct serve_request *request);
void edge_serve_beacon_cancel(struct serve_request *request);

/* ---- drop.c -------------------------------------------------------------- */

bool edge_serve_is_unsafe(enum fb_method method);

/* An unsafe method has succeeded, with these fields. */
void edge_serve_drop(struct serve_request *request, const struct fb_headers *response);

/* ---- trail.c ------------------------------------------------------------- */

/* Rows of the metrics table: one for each result, and these. */
enum {
    SERVE_ROW_HITS_MEMORY = EDGE_SERVE_N_RESULTS,
    SERVE_ROW_HITS_VOLUME,
    SERVE_ROW_MISSES, /* as many as there are causes */
    SERVE_ROW_BYTES = SERVE_ROW_MISSES + EDGE_N_CAUSES,
    SERVE_ROW_PLANNED,
    SERVE_ROW_PREFETCHED,
    SERVE_ROW_CUT,
    SERVE_N_ROWS
};

struct fb_metrics_table *edge_trail_table(struct fb_metrics *metrics);

/* Counts how the request is answered; next it is. */
void edge_serve_settle(struct serve_request *request, enum edge_serve_result result);

const char *edge_trail_result_name(enum edge_serve_result result);

/* One word of it: of a hit where it was, of a miss its cause, unless more is to be told; or
 * NULL. */
const char *edge_trail_detail(const struct serve_request *request);

/* The member of Cache-Status, in the request's arena. */
struct fb_str edge_trail_text(struct serve_request *request, bool has_ttl, int64_t ttl_s);

/* ---- record.c ------------------------------------------------------------ */

/* Tells the access log and the views of the request, where there are any. */
void edge_serve_record(struct serve_request *request, const struct fb_exchange_outcome *outcome);

/* ---- respond.c ----------------------------------------------------------- */

/* Answers from request->object what was selected. */
void edge_serve_respond_object(struct serve_request *request);

/* Answers 416 for a body of `length` bytes. */
void edge_serve_respond_past_end(struct serve_request *request, uint64_t length);

/* Answers with an upstream's response, passing `body` (taken over) through. */
void edge_serve_respond_through(struct serve_request *request,
                                const struct fb_response_head *response, int64_t length,
                                struct fb_reader *body);

/* Answers OPTIONS with what this node lets through, or refuses a method that it does not. */
void edge_serve_respond_methods(struct serve_request *request, bool is_refused);
/* Answers a preflight whose origin the site allows. */
void edge_serve_respond_preflight(struct serve_request *request);

/* Answers a request that is not let in. */
void edge_serve_respond_refusal(struct serve_request *request,
                                const struct edge_access_refusal *refusal);

/* Adds what an answer of this node's own has, whoever composed it. */
void edge_serve_respond_fields(struct serve_request *request, struct fb_headers *headers);

/* Answers with problem details; `detail` is a sentence for a person. */
void edge_serve_respond_problem(struct serve_request *request, unsigned status, const char *detail);
