/*
 * Push: whoever wants to hear of changes is told the newest state of something, as soon as there
 * is another one.
 *
 *     origin_push_changed() ──► posted to the loop ──► each subscriber whose topic has news
 *                                                        ├─ server-sent events (WHATWG HTML 9.2)
 *                                                        └─ WebSocket (RFC 6455)
 *
 * Subscribers are asked for nothing and owed nothing: when one can take bytes it gets the newest
 * state, and those that it was too slow for are not kept.
 *
 * Ownership  new → close → free, when no exchange is left. A topic is its subscriber's, from the
 *            call that it is given to.
 * Threads    The loop's own; origin_push_changed() any.
 * Limits     ORIGIN_PUSH_MAX subscribers: 503.
 */
#pragma once

#include "base/core/buf.h"

#include <stdbool.h>

struct fb_exchange;
struct fb_loop;
struct fb_metrics;
struct origin_push;

/* An edge before it waits 15 s for a byte, unless told otherwise (timeouts.upstream_body). */
enum { ORIGIN_PUSH_MAX = 4096, ORIGIN_PUSH_BEAT_MS = 10000 };

struct origin_push_options {
    struct fb_loop *loop;       /* borrowed, as the other */
    struct fb_metrics *metrics; /* may be NULL */
};

struct origin_push *origin_push_new(const struct origin_push_options *options);

/* What one subscriber is told of; the first member of a struct of its maker's. */
struct origin_push_topic {
    const struct origin_push_topic_ops *ops;
};

enum origin_push_news { ORIGIN_PUSH_NOTHING, ORIGIN_PUSH_NEWS, ORIGIN_PUSH_LAST };

struct origin_push_topic_ops {
    const char *event; /* of server-sent events */

    /* Appends the newest state as JSON, if it is another than the one told last; LAST: none will
     * ever follow it. Never waits. */
    enum origin_push_news (*news)(struct origin_push_topic *topic, struct fb_buf *json);
    void (*free)(struct origin_push_topic *topic);
};

/* Some topic may have news. */
void origin_push_changed(void *push);

/* Answers the exchange with the state of `topic` now and whenever it changes. The other way answers
 * 426 or 400 to what is no handshake. */
void origin_push_stream(struct origin_push *push, struct fb_exchange *exchange,
                        struct origin_push_topic *topic);
void origin_push_socket(struct origin_push *push, struct fb_exchange *exchange,
                        struct origin_push_topic *topic);

/* Ends what stands; further ones are answered with 503. */
void origin_push_close(struct origin_push *push);

/* Requires that no subscriber is left. Accepts NULL. */
void origin_push_free(struct origin_push *push);
