/*
 * What the files of origin/push share.
 *
 * push.c     who subscribes, and who is to be told
 * stream.c   server-sent events
 * socket.c   WebSockets
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "origin/push/push.h"

#include <stdatomic.h>
#include <stdbool.h>

struct fb_metrics_table;
struct subscriber;

enum push_metric { METRIC_STREAMS, METRIC_SOCKETS, METRIC_TOLD, METRIC_REFUSED };

/* How one is told. */
struct subscriber_ways {
    enum push_metric gauge;
    void (*wake)(struct subscriber *subscriber); /* there may be something new */
    void (*beat)(struct subscriber *subscriber); /* a sign of life is due; NULL: its own */
    void (*end)(struct subscriber *subscriber);
};

struct subscriber {
    const struct subscriber_ways *ways;
    struct origin_push *push;
    struct fb_list link;
    struct origin_push_topic *topic; /* owned */
};

struct origin_push {
    struct origin_push_options options;
    struct fb_metrics_table *metrics; /* borrowed, or NULL */
    struct fb_list subscribers;
    size_t n_subscribers;
    struct fb_timer beat;
    struct fb_post post;
    atomic_bool is_posted;
    bool is_closed;
};

/* False: there are too many, the exchange is answered, and the topic is gone. */
FB_MUST_CHECK bool origin_push_may(struct origin_push *push, struct fb_exchange *exchange,
                                   struct origin_push_topic *topic);

void origin_push_enter(struct origin_push *push, struct subscriber *subscriber,
                       const struct subscriber_ways *ways, struct origin_push_topic *topic);
void origin_push_leave(struct subscriber *subscriber);

/* Asks the topic. */
FB_MUST_CHECK enum origin_push_news origin_push_ask(struct subscriber *subscriber,
                                                    struct fb_buf *json);
