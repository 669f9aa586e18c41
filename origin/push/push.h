/*
 * Push: whoever wants to hear of changes is told what trends, as soon as something stands
 * elsewhere.
 *
 *     a round ends ──► posted to the loop ──► each subscriber whose list has another order
 *                                               ├─ server-sent events (WHATWG HTML section 9.2)
 *                                               └─ WebSocket (RFC 6455)
 *
 * Subscribers are asked for nothing and owed nothing: when one can take bytes it gets the newest
 * state, and those that it was too slow for are not kept.
 *
 * Ownership  new → close → free, when no exchange is left.
 * Threads    The loop's own; origin_push_changed() any.
 * Limits     ORIGIN_PUSH_MAX subscribers: 503. ORIGIN_PUSH_VIDEOS of a list.
 */
#pragma once

#include "origin/trending/snapshot.h"

struct fb_exchange;
struct fb_loop;
struct fb_metrics;
struct origin_push;
struct origin_trending;

enum { ORIGIN_PUSH_MAX = 4096, ORIGIN_PUSH_VIDEOS = 20, ORIGIN_PUSH_BEAT_MS = 15000 };

struct origin_push_options {
    struct fb_loop *loop;             /* borrowed, as the others */
    struct origin_trending *trending; /* whose changes origin_push_changed() tells */
    struct fb_metrics *metrics;       /* may be NULL */
};

struct origin_push *origin_push_new(const struct origin_push_options *options);

/* For origin_trending_on_changed(). */
void origin_push_changed(void *push);

/* Answers the exchange with the list of `query` now and whenever it changes. The other way answers
 * 426 or 400 to what is no handshake. */
void origin_push_stream(struct origin_push *push, struct fb_exchange *exchange,
                        const struct origin_snapshot_query *query);
void origin_push_socket(struct origin_push *push, struct fb_exchange *exchange,
                        const struct origin_snapshot_query *query);

/* Ends what stands; further ones are answered with 503. */
void origin_push_close(struct origin_push *push);

/* Requires that no subscriber is left. Accepts NULL. */
void origin_push_free(struct origin_push *push);
