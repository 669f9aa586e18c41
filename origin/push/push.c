#include "origin/push/push.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "origin/push/push_internal.h"

static const struct fb_metric rows[] = {
    [METRIC_STREAMS] = {"origin_push_subscribers", FB_METRIC_GAUGE, "by=\"events\"",
                        "Clients that are told of changes."},
    [METRIC_SOCKETS] = {"origin_push_subscribers", FB_METRIC_GAUGE, "by=\"websocket\"",
                        "Clients that are told of changes."},
    [METRIC_TOLD] = {"origin_push_told_total", FB_METRIC_COUNTER, NULL, "States that were sent."},
    [METRIC_REFUSED] = {"origin_push_refused_total", FB_METRIC_COUNTER, NULL,
                        "Clients that were refused, for there were too many."},
};

/* ---- subscribers ------------------------------------------------------------------- */

bool origin_push_may(struct origin_push *push, struct fb_exchange *exchange,
                     struct origin_push_topic *topic)
{
    if (!push->is_closed && push->n_subscribers < ORIGIN_PUSH_MAX) {
        return true;
    }
    if (push->metrics != NULL) {
        fb_metrics_add(push->metrics, METRIC_REFUSED, 1);
    }
    topic->ops->free(topic);
    fb_exchange_problem(exchange, 503, "busy", "Nobody more can be told of changes right now.");
    return false;
}

void origin_push_enter(struct origin_push *push, struct subscriber *subscriber,
                       const struct subscriber_ways *ways, struct origin_push_topic *topic)
{
    subscriber->push = push;
    subscriber->ways = ways;
    subscriber->topic = topic;
    fb_list_init(&subscriber->link);
    fb_list_append(&push->subscribers, &subscriber->link);
    if (push->n_subscribers++ == 0) {
        fb_timer_set(&push->beat, ORIGIN_PUSH_BEAT_MS);
    }
    if (push->metrics != NULL) {
        fb_metrics_add(push->metrics, ways->gauge, 1);
    }
}

void origin_push_leave(struct subscriber *subscriber)
{
    struct origin_push *push = subscriber->push;

    fb_list_remove(&subscriber->link);
    subscriber->topic->ops->free(subscriber->topic);
    if (--push->n_subscribers == 0) {
        fb_timer_clear(&push->beat);
    }
    if (push->metrics != NULL) {
        fb_metrics_sub(push->metrics, subscriber->ways->gauge, 1);
    }
}

enum origin_push_news origin_push_ask(struct subscriber *subscriber, struct fb_buf *json)
{
    struct origin_push *push = subscriber->push;
    enum origin_push_news news = subscriber->topic->ops->news(subscriber->topic, json);

    if (news != ORIGIN_PUSH_NOTHING && push->metrics != NULL) {
        fb_metrics_add(push->metrics, METRIC_TOLD, 1);
    }
    return news;
}

/* ---- what happens ------------------------------------------------------------------ */

static struct subscriber *subscriber_at(struct fb_list *node)
{
    return FB_CONTAINER_OF(node, struct subscriber, link);
}

static void on_post(struct fb_post *post)
{
    struct origin_push *push = FB_CONTAINER_OF(post, struct origin_push, post);

    atomic_store(&push->is_posted, false);
    FB_LIST_EACH(node, &push->subscribers) {
        subscriber_at(node)->ways->wake(subscriber_at(node));
    }
}

void origin_push_changed(void *ctx)
{
    struct origin_push *push = ctx;

    if (!atomic_exchange(&push->is_posted, true)) {
        fb_loop_post(push->options.loop, &push->post);
    }
}

static void on_beat(struct fb_timer *timer)
{
    struct origin_push *push = FB_CONTAINER_OF(timer, struct origin_push, beat);

    fb_timer_set(timer, ORIGIN_PUSH_BEAT_MS);
    FB_LIST_EACH(node, &push->subscribers) {
        if (subscriber_at(node)->ways->beat != NULL) {
            subscriber_at(node)->ways->beat(subscriber_at(node));
        }
    }
}

/* ---- life -------------------------------------------------------------------------- */

struct origin_push *origin_push_new(const struct origin_push_options *options)
{
    struct origin_push *push = FB_NEW(struct origin_push);

    push->options = *options;
    push->post.run = on_post;
    fb_list_init(&push->subscribers);
    fb_timer_init(&push->beat, options->loop, on_beat);
    if (options->metrics != NULL) {
        push->metrics = fb_metrics_table_new(options->metrics, rows, FB_ARRAY_LEN(rows), NULL);
    }
    return push;
}

void origin_push_close(struct origin_push *push)
{
    push->is_closed = true;
    FB_LIST_EACH(node, &push->subscribers) {
        subscriber_at(node)->ways->end(subscriber_at(node));
    }
}

void origin_push_free(struct origin_push *push)
{
    if (push == NULL) {
        return;
    }
    FB_REQUIRE(push->n_subscribers == 0);
    fb_free(push);
}
