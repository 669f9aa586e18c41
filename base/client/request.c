#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"

/* ---- ends ---------------------------------------------------------------- */

static enum client_metric failure_cause(int err)
{
    switch (err) {
    case FB_E_TIMEOUT:
        return CLIENT_FAILED_TIMEOUT;
    case FB_E_CLOSED:
        return CLIENT_FAILED_CLOSED;
    case FB_E_MALFORMED:
        return CLIENT_FAILED_MALFORMED;
    case FB_E_LIMIT:
        return CLIENT_FAILED_LIMIT;
    default:
        return CLIENT_FAILED_OTHER;
    }
}

static void request_count_failure(struct client_request *request, int err)
{
    bool was_connecting =
        request->carrier != NULL ? request->carrier->is_opening : request->shares_fate;

    if (err != FB_E_CANCELED) {
        fb_client_count(request->upstream->client, was_connecting && err != FB_E_TIMEOUT
                                                       ? CLIENT_FAILED_CONNECT
                                                       : failure_cause(err));
    }
}

static void request_free(struct client_request *request)
{
    FB_REQUIRE(request->waiter == NULL);
    request->upstream->client->n_requests--;
    fb_timer_clear(&request->timer);
    fb_free(request);
}

static void request_finish_wait(struct client_request *request, int result)
{
    struct fb_op *waiter = request->waiter;

    fb_timer_clear(&request->timer);
    if (waiter != NULL) {
        request->waiter = NULL;
        request->waited_ms +=
            fb_loop_now_ms(request->upstream->client->loop) - request->waits_since_ms;
        fb_op_finish(waiter, result);
    }
}

/* Gives the connection or stream back, to be kept or not. */
static void request_release(struct client_request *request, int err)
{
    struct client_carrier *carrier = request->carrier;

    if (carrier != NULL) {
        request->carrier = NULL;
        carrier->ops->release(carrier, err);
    }
}

static struct fb_fetch *request_take_fetch(struct client_request *request)
{
    struct fb_fetch *fetch = request->fetch;

    request->fetch = NULL;
    fetch->request = NULL;
    fb_reader_close(fetch->request_body); /* unless it was sent or begun */
    fetch->request_body = NULL;
    return fetch;
}

void fb_client_request_fail(struct client_request *request, int err)
{
    request_count_failure(request, err);
    fb_list_remove(&request->link);
    if (request->fetch == NULL) {
        request->end = err;
        request_release(request, err);
        request_finish_wait(request, FB_OK);
        return;
    }
    struct fb_fetch *fetch = request_take_fetch(request);
    request_release(request, err);
    request_free(request);
    fb_op_finish(&fetch->op, err);
}

bool fb_client_request_may_retry(const struct client_request *request, bool is_unseen)
{
    enum fb_method method = request->fetch->method;
    bool is_idempotent = method == FB_METHOD_GET || method == FB_METHOD_HEAD ||
                         method == FB_METHOD_PUT || method == FB_METHOD_DELETE ||
                         method == FB_METHOD_OPTIONS;

    return (is_idempotent || is_unseen) && !request->has_content && !request->needs_new;
}

void fb_client_request_retry(struct client_request *request, uint64_t newer_than)
{
    fb_client_count(request->upstream->client, CLIENT_RETRIED);
    request->needs_new = true;
    request->newer_than = newer_than;
    fb_list_prepend(&request->upstream->queue, &request->link);
    request_release(request, FB_E_CLOSED); /* which serves the queue */
}

/* ---- the head ------------------------------------------------------------ */

void fb_client_request_answer(struct client_request *request, const struct fb_response_head *head,
                              int64_t length)
{
    struct fb_fetch *fetch = request_take_fetch(request);

    fetch->response = *head;
    fetch->length = length;
    fetch->is_http2 = request->carrier->ops->is_http2;
    fetch->body = &request->reader;
    fb_timer_clear(&request->timer);
    if (request->carrier->ops->is_whole(request->carrier)) {
        request->end = FB_E_END;
        request_release(request, FB_OK);
    }
    fb_op_finish(&fetch->op, FB_OK);
}

void fb_client_request_set_timer(struct client_request *request)
{
    fb_timer_set(&request->timer, request->fetch->head_timeout_ms);
}

/* What waited for its turn in vain says nothing of the upstream. */
static void on_timer(struct fb_timer *timer)
{
    struct client_request *request = FB_CONTAINER_OF(timer, struct client_request, timer);
    bool is_queued = !fb_list_empty(&request->link);

    fb_client_request_fail(request, is_queued ? FB_E_BUSY : FB_E_TIMEOUT);
}

/* ---- the content --------------------------------------------------------- */

void fb_client_request_wake(struct client_request *request)
{
    request_finish_wait(request, FB_OK);
}

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct client_request *request = FB_CONTAINER_OF(reader, struct client_request, reader);

    if (request->end != FB_OK) {
        return request->end;
    }
    struct client_carrier *carrier = request->carrier;
    int err = carrier->ops->content(carrier, ret_slice);
    if (err == FB_E_LATER) {
        return err;
    }
    request->waited_ms = 0;
    if (err == FB_E_END || (err == FB_OK && carrier->ops->is_whole(carrier))) {
        request->end = FB_E_END;
        request_release(request, FB_OK);
    } else if (err < 0) {
        request_count_failure(request, err);
        request->end = err;
        request_release(request, err);
    }
    return err;
}

static void wait_cancel(struct fb_op *op)
{
    request_finish_wait(op->provider, FB_E_CANCELED);
}

static void body_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct client_request *request = FB_CONTAINER_OF(reader, struct client_request, reader);

    FB_REQUIRE(request->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    if (request->end != FB_OK || request->carrier->ops->is_ready(request->carrier)) {
        fb_op_finish(op, FB_OK);
        return;
    }
    op->provider = request;
    request->waiter = op;
    request->waits_since_ms = fb_loop_now_ms(request->upstream->client->loop);
    /* What came since the last wait was no content: it wins no time. */
    fb_timer_set(&request->timer,
                 request->body_timeout_ms - FB_MIN(request->waited_ms, request->body_timeout_ms));
}

static void body_close(struct fb_reader *reader)
{
    struct client_request *request = FB_CONTAINER_OF(reader, struct client_request, reader);

    request_release(request, FB_E_CANCELED);
    request_free(request);
}

static const struct fb_reader_ops body_ops = {.next = body_next,
                                              .wait = body_wait,
                                              .close = body_close};

/* ---- life ---------------------------------------------------------------- */

static void fetch_cancel(struct fb_op *op)
{
    struct fb_fetch *fetch = FB_CONTAINER_OF(op, struct fb_fetch, op);
    fb_client_request_fail(fetch->request, FB_E_CANCELED);
}

/* No space or control byte may reach the request line or Host. */
static bool is_plain(struct fb_str str)
{
    for (size_t i = 0; i < str.len; i++) {
        unsigned char byte = (unsigned char)str.ptr[i];
        if (byte <= 0x20 || byte == 0x7f) {
            return false;
        }
    }
    return str.len > 0;
}

static int fetch_check(const struct fb_fetch *fetch)
{
    const struct fb_str scheme = fetch->tls == NULL ? FB_STR("http") : FB_STR("https");

    if (!fb_str_equal_nocase(fetch->url.scheme, scheme)) {
        return FB_E_UNSUPPORTED;
    }
    bool has_host = fetch->host_header.ptr == NULL || is_plain(fetch->host_header);
    return has_host && is_plain(fetch->url.target) && is_plain(fetch->url.host) &&
                   fetch->method < FB_METHOD_OTHER
               ? FB_OK
               : FB_E_MALFORMED;
}

static uint32_t or_default(uint32_t value, uint32_t preset)
{
    return value == 0 ? preset : value;
}

void fb_client_fetch(struct fb_client *client, struct fb_fetch *fetch)
{
    FB_REQUIRE(fetch->arena != NULL && !client->is_closed);
    fb_op_begin(&fetch->op, fetch_cancel);
    int err = fetch_check(fetch);
    if (err < 0) {
        fb_reader_close(fetch->request_body);
        fetch->request_body = NULL;
        fb_op_finish(&fetch->op, err);
        return;
    }
    fetch->connect_timeout_ms = or_default(fetch->connect_timeout_ms, 5000);
    fetch->head_timeout_ms = or_default(fetch->head_timeout_ms, 30000);

    struct client_request *request = FB_NEW(struct client_request);
    request->reader.ops = &body_ops;
    request->upstream = fb_client_upstream_get(client, fetch);
    request->fetch = fetch;
    request->has_content = fetch->request_body != NULL;
    request->body_timeout_ms = or_default(fetch->body_timeout_ms, 30000);
    fb_list_init(&request->link);
    fb_timer_init(&request->timer, client->loop, on_timer);
    fetch->request = request;
    client->n_requests++;
    fb_client_count(client, CLIENT_REQUESTS);
    fb_client_request_set_timer(request);

    struct client_upstream *upstream = request->upstream;
    fb_list_append(&upstream->queue, &request->link);
    fb_client_upstream_serve(upstream);
    /* Sending has begun where there was a connection, and may have failed by the content: only
     * `fetch` is there for certain. */
    if (fetch->request != request || fb_list_empty(&request->link)) {
        return;
    }
    if (!fb_client_upstream_awaits(upstream)) {
        fb_client_count(client, CLIENT_WAITED);
    }
    if (fb_client_upstream_is_crowded(upstream)) {
        fb_client_request_fail(request, FB_E_BUSY);
    }
}
