/* Server-sent events: a response without an end. */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/server/exchange.h"
#include "origin/push/push_internal.h"

#define RETRY "retry: 3000\n\n"
#define BEAT  ": \n\n"

struct stream {
    struct fb_reader reader;
    struct subscriber subscriber;
    struct fb_op *waiter; /* or NULL */
    bool has_begun;
    bool has_news; /* perhaps */
    bool has_beat;
    bool is_over;
};

static struct stream *stream_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct stream, reader);
}

static void stream_wake(struct stream *stream)
{
    struct fb_op *waiter = stream->waiter;

    if (waiter != NULL) {
        stream->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

/* ---- the response's body ----------------------------------------------------------- */

static void taken_release(void *owner)
{
    fb_buf_done(owner);
    fb_free(owner);
}

static void give(struct fb_buf *text, struct fb_slice *ret_slice)
{
    struct fb_buf *taken = FB_NEW(struct fb_buf);

    *taken = fb_buf_take(text);
    *ret_slice =
        (struct fb_slice){.bytes = fb_buf_str(taken), .release = taken_release, .owner = taken};
}

static int stream_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct stream *stream = stream_of(reader);
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf json = {0};
    enum origin_push_news news = ORIGIN_PUSH_NOTHING;

    if (stream->is_over) {
        return FB_E_END;
    }
    if (!stream->has_begun) {
        fb_buf_append(&text, FB_STR(RETRY));
    }
    if (stream->has_news) {
        news = origin_push_ask(&stream->subscriber, &json);
    }
    if (news != ORIGIN_PUSH_NOTHING) {
        fb_buf_printf(&text, "event: %s\ndata: %.*s\n\n", stream->subscriber.topic->ops->event,
                      FB_STR_ARG(fb_buf_str(&json)));
    } else if (stream->has_beat) {
        fb_buf_append(&text, FB_STR(BEAT));
    }
    stream->is_over = news == ORIGIN_PUSH_LAST;
    stream->has_begun = true;
    stream->has_news = false;
    stream->has_beat = false;
    if (text.len == 0) {
        return FB_E_LATER;
    }
    give(&text, ret_slice);
    return FB_OK;
}

static void wait_cancel(struct fb_op *op)
{
    ((struct stream *)op->provider)->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void stream_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct stream *stream = stream_of(reader);

    FB_REQUIRE(stream->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (stream->is_over || stream->has_news || stream->has_beat) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = stream;
    stream->waiter = op;
}

static void stream_close(struct fb_reader *reader)
{
    struct stream *stream = stream_of(reader);

    FB_REQUIRE(stream->waiter == NULL);
    origin_push_leave(&stream->subscriber);
    fb_free(stream);
}

static const struct fb_reader_ops reader_ops = {.next = stream_next,
                                                .wait = stream_wait,
                                                .close = stream_close};

/* ---- the subscriber ---------------------------------------------------------------- */

static struct stream *stream_at(struct subscriber *subscriber)
{
    return FB_CONTAINER_OF(subscriber, struct stream, subscriber);
}

static void on_wake(struct subscriber *subscriber)
{
    stream_at(subscriber)->has_news = true;
    stream_wake(stream_at(subscriber));
}

static void on_beat(struct subscriber *subscriber)
{
    stream_at(subscriber)->has_beat = true;
    stream_wake(stream_at(subscriber));
}

static void on_end(struct subscriber *subscriber)
{
    stream_at(subscriber)->is_over = true;
    stream_wake(stream_at(subscriber));
}

static const struct subscriber_ways ways = {.gauge = METRIC_STREAMS,
                                            .wake = on_wake,
                                            .beat = on_beat,
                                            .end = on_end};

void origin_push_stream(struct origin_push *push, struct fb_exchange *exchange,
                        struct origin_push_topic *topic)
{
    static const struct fb_header headers[] = {
        {FB_STR("Content-Type"), FB_STR("text/event-stream")},
        {FB_STR("Cache-Control"), FB_STR("no-store")},
        {FB_STR("X-Accel-Buffering"), FB_STR("no")},
    };

    if (!origin_push_may(push, exchange, topic)) {
        return;
    }
    struct stream *stream = FB_NEW(struct stream);
    stream->reader.ops = &reader_ops;
    stream->has_news = true;
    origin_push_enter(push, &stream->subscriber, &ways, topic);
    fb_exchange_respond(exchange, &(struct fb_response){.status = 200,
                                                        .headers = headers,
                                                        .n_headers = FB_ARRAY_LEN(headers),
                                                        .body = &stream->reader,
                                                        .length = FB_LENGTH_UNKNOWN});
}
