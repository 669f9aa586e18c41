/*
 * The origin's part of the loop of signals: what becomes of what people watch.
 *
 * Ownership  open → close, before what the node opened first.
 * Threads    The main loop's.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

#include <stdbool.h>

struct fb_exchange;
struct fb_router;
struct origin_calls;
struct origin_feed;
struct origin_hooks;
struct origin_node;
struct origin_plan;
struct origin_push;
struct origin_status;
struct origin_trending;
struct origin_views;

/* In the order in which each stands on those before. */
struct origin_signals {
    struct origin_views *views; /* owned, as all that follows */
    struct origin_trending *trending;
    struct origin_feed *feed;
    struct origin_plan *plan;
    struct origin_push *push; /* told of changes of trending, and of videos' status */
    struct origin_status *status;
    struct origin_calls *calls;
    struct origin_hooks *hooks;
    struct fb_router *views_router;
    struct fb_router *plan_router;
};

/* After the catalog, the pool and the rounds; before the handlers. */
FB_MUST_CHECK int origin_signals_open(struct origin_node *node, struct fb_diag *diag);

/* Reads what trends, so that whoever asks first gets an answer; after the API is made. */
void origin_signals_begin(struct origin_node *node);

/* Makes the routers of what nodes ask; after the open. */
void origin_signals_route(struct origin_node *node);

/* True if the request is one of theirs, and under way. */
bool origin_signals_handle(const struct origin_signals *signals, struct fb_exchange *exchange);

/* After the rounds have stopped and the handlers are gone. Safe on zero. */
void origin_signals_close(struct origin_signals *signals);
