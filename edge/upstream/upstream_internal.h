/*
 * What the files of edge/upstream share.
 *
 *     choice.c     which server a key goes to; pure
 *     delays.c     how long heads took lately
 *     allowance.c  how many extra requests may be made: the budgets of retries and of hedges
 *     server.c     one server: its health, its numbers
 *     upstream.c   all servers, the pools, what was configured
 *     checks.c     active checks of their health
 *     uplink.c     one fetch, from the choice to the head: tries again, hedges
 *     leg.c        one request of it, and the body that comes of it
 *     via.c, cdn_loop.c    the way that a request has gone; pure
 *     forwarded.c  who the client was; pure
 */
#pragma once

#include "base/http/url.h"
#include "edge/upstream/choice.h"
#include "edge/upstream/delays.h"
#include "edge/upstream/upstream.h"

#include <pthread.h>
#include <stdatomic.h>

struct fb_metrics_table;

enum upstream_metric {
    UPSTREAM_REQUESTS,
    UPSTREAM_FAILURES,
    UPSTREAM_EJECTIONS,
    UPSTREAM_RETRIES,
    UPSTREAM_HEDGES,
    UPSTREAM_HEDGES_WON,
    UPSTREAM_CHECKS_FAILED,
    UPSTREAM_BYTES,
    UPSTREAM_HEAD_TIME,
    UPSTREAM_UNDER_WAY,
    UPSTREAM_UP,
    UPSTREAM_OUT_EJECTED,
    UPSTREAM_OUT_OPEN,
    UPSTREAM_OUT_CHECKS,
    UPSTREAM_N_METRICS
};

enum upstreams_metric {
    UPSTREAMS_RETRIES_REFUSED,
    UPSTREAMS_HEDGES_REFUSED,
    UPSTREAMS_UNANSWERED,
    UPSTREAMS_N_METRICS
};

/* One server, whatever pools it stands in. Its atomics are touched by loops that
 * fetch; a hit in the store reads none of them. */
struct edge_server {
    struct edge_server *next; /* of all, under the upstreams' lock */
    char *text;               /* owned: as configured */
    struct fb_url url;        /* views into text */
    uint64_t id;
    struct fb_metrics_table *metrics; /* the registry's; may be NULL */

    /* As the pools in use have it; under the upstreams' lock. */
    enum edge_tier tier;
    uint32_t weight;
    struct fb_str check;
    enum fb_client_protocol protocol;
    struct fb_tls_party *tls; /* borrowed; NULL: without TLS */
    struct fb_str tls_name;
    struct fb_str host;

    /* The last thing that went wrong; under the upstreams' lock. */
    char error[EDGE_UPSTREAM_ERROR_MAX];
    int64_t error_ms; /* wall clock */

    atomic_uint failures;          /* in a row */
    atomic_uint answers;           /* see server.c: of late, and how many of them failed */
    atomic_uint period_ms;         /* of the last ejection */
    atomic_uint_least64_t due_ms;  /* 0: in service; else when it may be probed */
    atomic_uint_least64_t slow_ms; /* when it came back; 0: never away */
    atomic_uint_least64_t rest_ms; /* until then it asked to be left alone; 0: never did */
    atomic_uint n_unanswered;      /* requests since the last answer of the pools it leads */
    atomic_uint n_errors;          /* answers in a row that were errors of a server */
    _Atomic(const char *) spoken;  /* see struct edge_upstream_status */
    atomic_bool is_open;           /* it is out for the share of its failures */
    atomic_bool is_probing;
    atomic_bool is_unwell; /* so say the checks */
    atomic_uint n_under_way;
    struct edge_delays delays; /* from requests to heads, in µs */

    unsigned n_passed; /* checks in a row; the checks' own */
    unsigned n_failed;
};

struct pool_member {
    struct edge_server *server;
    enum edge_tier tier;
    uint32_t weight;
    char *check; /* owned; NULL: none */
    enum fb_client_protocol protocol;
    struct fb_tls_party *tls; /* borrowed; NULL: without TLS */
    char *tls_name;           /* owned; NULL: the host */
    char *host;               /* owned; NULL: the client's */
    enum edge_forwarding forwarding;
};

struct edge_pool {
    struct edge_pool *next; /* of all, under the upstreams' lock */
    size_t n;
    struct pool_member members[EDGE_UPSTREAMS_MAX];
};

/* What was configured; stands still once published. */
struct upstream_settings {
    struct upstream_settings *next;        /* the one before */
    struct edge_upstreams_options options; /* with defaults; without `node` */
    char *check_path;                      /* owned; NULL: none */
};

struct edge_upstreams {
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    struct fb_metrics_table *table;               /* the registry's; may be NULL */
    char *node;                                   /* owned */
    _Atomic(struct upstream_settings *) settings; /* owned, and all before it */
    _Atomic(const struct edge_pool *) own_pool;   /* the node's; NULL: none yet */

    pthread_mutex_t lock;
    struct edge_server *servers; /* owned, for ever */
    struct edge_pool *pools;     /* owned, for ever */
    struct edge_server **used;   /* owned: those in the pools in use */
    size_t n_used;
};

const struct edge_upstreams_options *edge_upstreams_options(struct edge_upstreams *upstreams);

/* How a server is checked; strings live as long as the upstreams. */
struct upstream_check {
    struct fb_str url; /* of length 0: none of its own */
    enum fb_client_protocol protocol;
    struct fb_tls_party *tls;
    struct fb_str tls_name;
    struct fb_str host; /* to name if it has no URL; of length 0: the server's */
};

/* The server in use at `index`, or NULL. */
struct edge_server *edge_upstreams_used(struct edge_upstreams *upstreams, size_t index,
                                        struct upstream_check *ret_check);

void edge_upstreams_note(struct edge_upstreams *upstreams, enum upstreams_metric row);

/* ---- server.c ------------------------------------------------------------ */

/* `text` is a URL that was checked. */
struct edge_server *edge_server_new(struct fb_str text, struct fb_metrics *metrics);
void edge_server_free(struct edge_server *server);

/* What the choice has to know of it. */
struct edge_candidate edge_server_candidate(struct edge_upstreams *upstreams,
                                            const struct pool_member *member);

/* True if this caller is the one to probe a server that is due to be. */
bool edge_server_claim(struct edge_upstreams *upstreams, struct edge_server *server);

/* A request is sent to it, and is over: its body too, if there was one. */
void edge_server_enter(struct edge_server *server);
void edge_server_leave(struct edge_server *server);

/* How a try went. An answer brings a server back into service; only a body that
 * comes whole ends the count of failures in a row. `is_useless`: what it answered was an
 * error of whatever is behind it. */
void edge_server_answered(struct edge_upstreams *upstreams, struct edge_server *server,
                          bool is_useless, bool is_probe);
void edge_server_failed(struct edge_upstreams *upstreams, struct edge_server *server,
                        bool is_probe);

/* It asked to be left alone for so long. */
void edge_server_rest(struct edge_upstreams *upstreams, struct edge_server *server,
                      uint64_t rest_ms);

/* Another server was asked later and answered first. Once is nothing, but who is mostly
 * overtaken is out like who mostly fails. */
void edge_server_overtaken(struct edge_upstreams *upstreams, struct edge_server *server);

/* A probe ended without telling how the server is. */
void edge_server_unprobed(struct edge_server *server);

/* The head came after `us`, or had not come by then. */
void edge_server_took(struct edge_server *server, uint64_t us);

/* `n` bytes of content came; a body came whole; one broke. */
void edge_server_received(struct edge_server *server, size_t n);
void edge_server_ended(struct edge_server *server);
void edge_server_broke(struct edge_upstreams *upstreams, struct edge_server *server);

/* An active check has passed or failed. */
void edge_server_checked(struct edge_upstreams *upstreams, struct edge_server *server,
                         bool has_passed);

/* Keeps for status pages what went wrong. */
void edge_server_tell(struct edge_upstreams *upstreams, struct edge_server *server,
                      const char *what);

/* It answered `target` with `status`. Errors are logged when they begin and when they are over:
 * while it has nothing else to say, every miss comes to this. */
void edge_server_said(struct edge_upstreams *upstreams, struct edge_server *server, unsigned status,
                      struct fb_str target);

/* It answered, in this protocol. */
void edge_server_spoke(struct edge_server *server, bool is_http2);

/* When it is in use again, or probed, by the wall clock; 0: it is, or nobody knows. */
int64_t edge_server_until_ms(struct edge_upstreams *upstreams, struct edge_server *server);

/* Nobody checks it any more. */
void edge_server_unchecked(struct edge_server *server);

enum edge_upstream_state edge_server_state(struct edge_upstreams *upstreams,
                                           struct edge_server *server);

void edge_server_count(struct edge_server *server, enum upstream_metric row);
