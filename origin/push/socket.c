/* WebSockets: the same states as messages of text. What clients say is passed over. */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/server/exchange.h"
#include "base/websocket/websocket.h"
#include "origin/push/push_internal.h"
#include "origin/reply/reply.h"

struct socket {
    struct subscriber subscriber;
    struct fb_websocket *websocket; /* owns itself until on_closed() */
};

static bool on_next(void *ctx, struct fb_buf *text)
{
    struct socket *socket = ctx;

    /* Who has heard all is told nothing more, and leaves when he likes. */
    return origin_push_ask(&socket->subscriber, text) != ORIGIN_PUSH_NOTHING;
}

static void on_closed(void *ctx)
{
    struct socket *socket = ctx;

    origin_push_leave(&socket->subscriber);
    fb_free(socket);
}

static void on_wake(struct subscriber *subscriber)
{
    fb_websocket_notify(FB_CONTAINER_OF(subscriber, struct socket, subscriber)->websocket);
}

static void on_end(struct subscriber *subscriber)
{
    fb_websocket_close(FB_CONTAINER_OF(subscriber, struct socket, subscriber)->websocket,
                       FB_WEBSOCKET_GOING_AWAY);
}

static const struct subscriber_ways ways = {.gauge = METRIC_SOCKETS,
                                            .wake = on_wake,
                                            .end = on_end};

static void refuse(struct fb_exchange *exchange, unsigned status, const struct fb_headers *headers)
{
    origin_reply_problem(exchange,
                         &(struct origin_problem){
                             .status = status,
                             .slug = "no-websocket",
                             .detail = "This path speaks WebSocket, version 13, over HTTP/1.1.",
                             .headers = headers->items,
                             .n_headers = headers->n,
                             .max_age_s = -1,
                         });
}

void origin_push_socket(struct origin_push *push, struct fb_exchange *exchange,
                        struct origin_push_topic *topic)
{
    struct fb_headers headers = {0};

    if (!fb_exchange_can_upgrade(exchange, FB_STR("websocket"))) {
        fb_headers_add(&headers, fb_exchange_arena(exchange), FB_STR("Sec-WebSocket-Version"),
                       FB_STR("13"));
        topic->ops->free(topic);
        refuse(exchange, 426, &headers);
        return;
    }
    int err =
        fb_websocket_accept(fb_exchange_request(exchange), fb_exchange_arena(exchange), &headers);
    if (err < 0) {
        topic->ops->free(topic);
        refuse(exchange, err == FB_E_UNSUPPORTED ? 426 : 400, &headers);
        return;
    }
    if (!origin_push_may(push, exchange, topic)) {
        return;
    }
    struct socket *socket = FB_NEW(struct socket);
    origin_push_enter(push, &socket->subscriber, &ways, topic);
    socket->websocket = fb_websocket_new(&(struct fb_websocket_options){
        .loop = push->options.loop,
        .input = fb_exchange_body(exchange),
        .next = on_next,
        .closed = on_closed,
        .ctx = socket,
    });
    fb_exchange_upgrade(exchange, FB_STR("websocket"), &headers,
                        fb_websocket_output(socket->websocket));
}
