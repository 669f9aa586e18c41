/*
 * A node while it lives: what forebay-origin does for its daemon once origin/main.c has made it.
 *
 * Ownership  The struct and all in it are origin/main.c's.
 * Threads    The main loop's.
 */
#pragma once

#include "base/daemon/daemon.h"
#include "base/loop/work.h"
#include "origin/node/gates.h"
#include "origin/node/signals.h"
#include "origin/node/stores.h"
#include "origin/upload/upload.h"

#include <stdatomic.h>

struct fb_json;
struct fb_loop;
struct fb_metrics;
struct fb_network;
struct fb_router;
struct fb_server;
struct origin_api;
struct origin_auth;
struct origin_catalog;
struct origin_conf;
struct origin_delivery;
struct origin_engagement;
struct origin_jobs;
struct origin_objects;
struct origin_rounds;
struct origin_search;
struct origin_upload;
struct origin_workers;

enum { ORIGIN_NODE_PATH = 512 };

/* Everything of one origin; made in the order of its members. */
struct origin_node {
    struct fb_daemon *daemon;       /* borrowed */
    const struct origin_conf *conf; /* borrowed from the daemon */
    struct fb_loop *loop;           /* borrowed from the daemon */
    struct fb_metrics *metrics;     /* borrowed from the daemon */
    char data[ORIGIN_NODE_PATH];    /* the folder of keys and scratch */
    char *upload_secret;            /* owned, as all that follows */
    struct origin_presigner signer;
    struct origin_catalog *catalog;
    struct origin_objects *objects;
    struct origin_auth *auth;
    struct origin_engagement *engagement;
    struct origin_search *search;
    struct origin_gates gates;
    struct fb_network *trusted;
    struct origin_jobs *jobs;
    struct fb_pool *pool;
    struct origin_stores stores;
    struct origin_signals signals;
    struct origin_upload *upload;
    struct origin_api *api;
    struct origin_delivery *delivery;
    struct fb_router *api_router;
    struct fb_router *jobs_router;
    struct fb_router *upload_router;
    struct fb_router *delivery_router;
    struct fb_server *server;
    struct origin_rounds *rounds;             /* run while it owns the data (rounds.h) */
    _Atomic(struct origin_workers *) workers; /* NULL before and after they run; read by the pool */
    struct fb_op *drained;                    /* the daemon's, until it is done */
    struct fb_op phase;                       /* of the server, then of the rounds */
    struct fb_work join;                      /* of the workers */
    struct origin_workers *leaving;           /* of it; NULL once they have ended */
};

/* Members of struct fb_daemon_program, which tells what they are to do; `ctx` is a node. */
extern const struct fb_daemon_succession origin_node_succession;

void origin_node_drain(void *ctx, struct fb_op *op);
void origin_node_status(void *ctx, struct fb_json *status);
