/*
 * A node while it lives: what forebay-edge does for its daemon once edge/main.c has made it.
 *
 * Ownership  The struct and all in it are edge/main.c's.
 * Threads    The main loop's.
 */
#pragma once

#include "base/daemon/daemon.h"
#include "edge/admin/admin.h"
#include "edge/purge/purge.h"

#include <stdbool.h>

struct edge_access_log;
struct edge_checks;
struct edge_conf;
struct edge_crew;
struct edge_fill_table;
struct edge_signals;
struct edge_store;
struct edge_sweeper;
struct edge_tls;
struct edge_upstreams;
struct edge_volumes;
struct fb_clients;
struct fb_exchange;
struct fb_json;
struct fb_metrics;
struct fb_pool;

/* Everything of one node; made in the order of its members. */
struct edge_node {
    struct fb_daemon *daemon;         /* borrowed */
    const struct edge_conf *conf;     /* borrowed from the daemon */
    struct fb_metrics *metrics;       /* borrowed from the daemon */
    struct edge_upstreams *upstreams; /* owned, as all that follows */
    struct edge_checks *checks;       /* while it serves */
    struct edge_purges *purges;
    struct edge_volumes *volumes; /* NULL: memory alone */
    struct edge_store *store;
    struct edge_sweeper *sweeper;
    struct edge_fill_table *fills;
    struct fb_clients *clients;         /* NULL: no client has bounds of its own */
    struct edge_access_log *access_log; /* NULL: none */
    struct fb_pool *pool;               /* verifies tokens */
    struct fb_pool *tls_pool;           /* makes handshakes */
    struct edge_tls *tls;
    struct edge_signals *signals;
    struct edge_crew *crew;
    struct edge_admin admin;
    bool was_ready; /* a drive that comes back later takes nobody out of service */
    struct edge_purges_hold hold;
    struct fb_op *held; /* the daemon's, until it is done */
    struct fb_op halt;
    struct fb_op *drained; /* the daemon's, until it is done */
};

/* Members of struct fb_daemon_program, which tells what they are to do; `ctx` is a node. */
extern const struct fb_daemon_succession edge_node_succession;

void edge_node_drain(void *ctx, struct fb_op *op);
bool edge_node_is_ready(void *ctx);
void edge_node_status(void *ctx, struct fb_json *status);
void edge_node_reload(void *ctx, struct fb_daemon_reload *reload);
void edge_node_reopen_logs(void *ctx);

/* Handlers of POST /purge and GET /purges. */
void edge_node_purge(void *ctx, struct fb_exchange *exchange);
void edge_node_list_purges(void *ctx, struct fb_exchange *exchange);

/* Of a struct edge_conf: what its tables cannot tell, such as whether the files of keys hold any.
 * What is probably not meant is logged. */
int edge_node_check(const void *conf, struct fb_diag *diag);
