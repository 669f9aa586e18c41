#include "base/core/check.h"
#include "base/core/err.h"
#include "base/server/h1_internal.h"

/* ---- the end ------------------------------------------------------------- */

void fb_h1_send_release(struct h1_exchange *exchange)
{
    for (size_t i = 0; i < exchange->n_slices; i++) {
        fb_slice_release(&exchange->slices[i]);
    }
    exchange->n_slices = 0;
}

/* The response is over, sent or not. */
static void send_end(struct h1_exchange *exchange, int result)
{
    struct h1_conn *conn = exchange->conn;

    if (result < 0) {
        fb_h1_kill(conn, true); /* has the exchange, so it stays */
    }
    fb_reader_close(exchange->body);
    exchange->body = NULL;
    fb_exchange_finish(&exchange->base, result, exchange->n_sent);
    if (fb_h1_is_dead(conn)) {
        fb_h1_bury(conn);
    } else {
        fb_h1_finished(conn);
    }
}

/* As send_end(), but never inside the handler's call. */
static void send_end_later(struct h1_exchange *exchange, int result)
{
    fb_op_begin(&exchange->write.op, NULL);
    fb_op_finish(&exchange->write.op, result);
}

/* ---- gathering ----------------------------------------------------------- */

/* What one write is made of. */
struct batch {
    size_t n_pieces;
    uint64_t n_bytes; /* of content */
    int err;          /* why gathering stopped: FB_OK (full), LATER, END, or broken */
};

static void batch_add(struct h1_exchange *exchange, struct batch *batch, struct fb_str piece,
                      const struct fb_slice_file *file)
{
    exchange->files[batch->n_pieces] = file;
    exchange->pieces[batch->n_pieces++] = piece;
}

/* True when the body has given all that was promised. */
static bool is_given(const struct h1_exchange *exchange)
{
    return exchange->framing == FB_HTTP1_LENGTH && exchange->n_taken == exchange->length;
}

static int take_slice(struct h1_exchange *exchange, struct batch *batch)
{
    struct fb_slice *slice = &exchange->slices[exchange->n_slices];

    if (is_given(exchange)) {
        return FB_E_END;
    }
    int err = fb_reader_next(exchange->body, slice);
    if (err == FB_E_END && exchange->framing == FB_HTTP1_LENGTH) {
        return FB_E_CORRUPT; /* less than was promised */
    }
    if (err < 0) {
        return err;
    }
    exchange->n_slices++;
    exchange->n_taken += slice->bytes.len;
    if (exchange->framing == FB_HTTP1_LENGTH && exchange->n_taken > exchange->length) {
        return FB_E_CORRUPT;
    }
    batch->n_bytes += slice->bytes.len;
    batch_add(exchange, batch, slice->bytes, slice->file);
    return FB_OK;
}

static void gather_content(struct h1_exchange *exchange, struct batch *batch)
{
    size_t chunk_place = batch->n_pieces;
    uint64_t max_bytes = exchange->conn->base.pace.is_slow ? SEND_SLOW_BYTES : SEND_MAX_BYTES;
    bool is_chunked = exchange->framing == FB_HTTP1_CHUNKED;

    if (is_chunked) {
        batch->n_pieces++;
    }
    while (batch->err == FB_OK && exchange->n_slices < SEND_MAX_SLICES &&
           batch->n_bytes < max_bytes) {
        batch->err = take_slice(exchange, batch);
    }
    if (batch->err == FB_OK && is_given(exchange)) {
        batch->err = FB_E_END;
    }
    exchange->has_ended = batch->err == FB_E_END;
    if (!is_chunked) {
        return;
    }
    if (batch->n_bytes > 0) {
        exchange->pieces[chunk_place] = fb_http1_chunk_head(exchange->chunk_head, batch->n_bytes);
        exchange->files[chunk_place] = NULL;
        batch_add(exchange, batch, FB_STR("\r\n"), NULL);
    } else {
        batch->n_pieces--;
    }
    if (exchange->has_ended) {
        batch_add(exchange, batch, fb_http1_chunk_last(), NULL);
    }
}

/* ---- sending ------------------------------------------------------------- */

static void start_write(struct h1_exchange *exchange, size_t n_pieces)
{
    struct h1_conn *conn = exchange->conn;

    exchange->write.pieces = exchange->pieces;
    exchange->write.n_pieces = n_pieces;
    exchange->write.files = exchange->files;
    for (size_t i = 0; i < n_pieces; i++) {
        fb_pace_add(&conn->base, exchange->pieces[i].len);
    }
    exchange->head_left = 0;
    exchange->waits = false;
    fb_stream_write(conn->base.stream, &exchange->write);
    if (fb_stream_unsent(conn->base.stream) == 0) {
        conn->base.pace.is_slow = false;
    } else {
        exchange->waits = true;
        fb_pace_begin(&conn->base);
    }
}

/* Sends what is there: the head, if it has not gone yet, and content. */
static void send_more(struct h1_exchange *exchange)
{
    struct batch batch = {0};

    if (exchange->base.head.len > 0) {
        batch_add(exchange, &batch, fb_buf_str(&exchange->base.head), NULL);
    }
    if (exchange->body != NULL) {
        gather_content(exchange, &batch);
    } else {
        exchange->has_ended = true;
    }
    if (batch.err < 0 && batch.err != FB_E_LATER && batch.err != FB_E_END) {
        send_end_later(exchange, batch.err);
    } else if (batch.n_pieces > 0) {
        exchange->n_batch = batch.n_bytes;
        start_write(exchange, batch.n_pieces);
    } else if (exchange->has_ended) {
        send_end_later(exchange, FB_OK);
    } else {
        fb_h1_watch(exchange->conn);
        fb_reader_wait(exchange->body, &exchange->body_wait);
    }
}

static void on_continued(struct h1_exchange *exchange)
{
    exchange->is_continuing = false;
    if (exchange->base.has_responded && !fb_h1_is_dead(exchange->conn)) {
        send_more(exchange);
    } else if (exchange->base.has_responded) {
        send_end_later(exchange, FB_E_CLOSED);
    }
}

/* After a write: the timer is for whoever waits for content. */
static void settle_timer(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;

    if (exchange->content.waiter != NULL && !fb_h1_is_dead(conn) &&
        exchange->base.upgrade.len == 0) {
        fb_timer_set(&conn->base.timer, conn->base.server->options.limits.body_timeout_ms);
    } else {
        fb_timer_clear(&conn->base.timer);
    }
}

static void on_written(struct fb_op *op)
{
    struct h1_exchange *exchange = FB_CONTAINER_OF(op, struct h1_exchange, write.op);

    if (exchange->waits) {
        fb_pace_end(&exchange->conn->base);
    }
    settle_timer(exchange);
    if (exchange->is_continuing) {
        on_continued(exchange);
        return;
    }
    fb_h1_send_release(exchange);
    if (op->result < 0) {
        send_end(exchange, op->result);
        return;
    }
    fb_buf_consume(&exchange->base.head, exchange->base.head.len - exchange->head_left);
    exchange->n_sent = exchange->n_taken;
    if (exchange->has_ended) {
        send_end(exchange, FB_OK);
    } else {
        send_more(exchange);
    }
}

static void on_body_ready(struct fb_op *op)
{
    struct h1_exchange *exchange = FB_CONTAINER_OF(op, struct h1_exchange, body_wait);

    if (fb_h1_is_dead(exchange->conn)) {
        send_end(exchange, FB_E_CLOSED);
    } else if (op->result < 0) {
        send_end(exchange, op->result);
    } else {
        send_more(exchange);
    }
}

void fb_h1_send_init(struct h1_exchange *exchange)
{
    struct fb_loop *loop = exchange->conn->base.server->loop;

    fb_op_init(&exchange->write.op, loop, on_written);
    fb_op_init(&exchange->body_wait, loop, on_body_ready);
    exchange->n_slices = 0;
}

void fb_h1_send_continue(struct h1_exchange *exchange)
{
    if (exchange->base.has_responded || !fb_op_is_idle(&exchange->write.op)) {
        return;
    }
    exchange->is_continuing = true;
    exchange->n_batch = 0;
    exchange->pieces[0] = fb_http1_continue();
    exchange->files[0] = NULL;
    start_write(exchange, 1);
}

void fb_h1_send_abandon(struct h1_exchange *exchange)
{
    /* A write ends by itself when its stream is closed. */
    fb_op_cancel(&exchange->body_wait);
}

/* ---- taking back --------------------------------------------------------- */

/* Gives back what of the batch is not sent yet. Content in chunks stays: its length was
 * announced already. So does what a reader gives only once. */
void fb_h1_retract(struct server_conn *conn)
{
    struct h1_exchange *exchange = fb_h1_conn_of(conn)->exchange;

    if (exchange->body == NULL || exchange->framing == FB_HTTP1_CHUNKED ||
        !fb_reader_can_unread(exchange->body)) {
        return;
    }
    size_t n_cut = fb_stream_retract(conn->stream);
    uint64_t n_unread = FB_MIN((uint64_t)n_cut, exchange->n_batch);
    if (n_unread > 0) {
        fb_reader_unread(exchange->body, n_unread);
        exchange->n_taken -= n_unread;
        exchange->has_ended = false;
    }
    exchange->head_left = n_cut - (size_t)n_unread;
    conn->pace.left -= n_cut;
    exchange->n_batch = 0; /* done once is done for good */
    fb_h1_send_release(exchange);
}

/* ---- the head ------------------------------------------------------------ */

/* True if the connection cannot be used after this response. */
static bool must_close(const struct h1_exchange *exchange, const struct fb_response *response)
{
    const struct h1_conn *conn = exchange->conn;
    const struct exchange_content *content = &exchange->content;
    bool is_whole = fb_http1_body_is_whole(&content->decoder);
    bool is_long =
        content->decoder.framing == FB_HTTP1_LENGTH && content->decoder.left > SERVER_DRAINED_BYTES;
    bool is_broken = content->err < 0 && content->err != FB_E_END;

    return response->closes || !exchange->keeps_alive || conn->base.server->is_retreating ||
           conn->base.n_requests >= conn->base.server->options.limits.max_requests || is_broken ||
           (!is_whole && (content->is_expected || is_long));
}

/* Settles framing, and drops a body that may not be sent. */
static void choose_framing(struct h1_exchange *exchange, const struct fb_response *response,
                           struct fb_http1_response_out *out)
{
    enum fb_method method = exchange->base.request.method;

    exchange->body = response->body;
    out->length = response->length > 0 ? (uint64_t)response->length : 0;
    if (exchange->base.upgrade.len > 0) {
        out->upgrade = exchange->base.upgrade;
        out->framing = FB_HTTP1_UNTIL_CLOSE;
        exchange->closes = true;
    } else if (fb_status_has_no_content(response->status, method)) {
        out->says_length = response->length != FB_LENGTH_UNKNOWN && response->status != 204 &&
                           (method == FB_METHOD_HEAD || response->length > 0);
        fb_reader_close(exchange->body);
        exchange->body = NULL;
    } else if (exchange->body == NULL || response->length == 0) {
        out->says_length = true;
        out->length = 0;
        fb_reader_close(exchange->body);
        exchange->body = NULL;
    } else if (response->length > 0) {
        out->framing = FB_HTTP1_LENGTH;
    } else if (exchange->base.request.version_minor >= 1) {
        out->framing = FB_HTTP1_CHUNKED;
    } else {
        out->framing = FB_HTTP1_UNTIL_CLOSE;
        exchange->closes = true;
    }
    exchange->framing = out->framing;
    exchange->length = out->length;
}

void fb_h1_respond(struct fb_exchange *base, const struct fb_response *response)
{
    struct h1_exchange *exchange = FB_CONTAINER_OF(base, struct h1_exchange, base);
    struct h1_conn *conn = exchange->conn;
    struct fb_http1_response_out out = {
        .status = response->status,
        .headers = response->headers,
        .n_headers = response->n_headers,
        .n_checked = response->n_checked,
        .lines = response->lines,
        .n_lines = response->n_lines,
    };

    FB_REQUIRE(!exchange->base.has_responded);
    FB_REQUIRE((response->status >= 200 && response->status <= 599) ||
               (response->status == 101 && exchange->base.upgrade.len > 0));
    exchange->base.has_responded = true;
    exchange->base.status = response->status;
    exchange->closes = must_close(exchange, response);
    choose_framing(exchange, response, &out);
    if (exchange->base.upgrade.len > 0) {
        fb_h1_content_upgrade(exchange);
    }
    if (fb_h1_is_dead(conn)) {
        if (!exchange->is_continuing) {
            send_end_later(exchange, FB_E_CLOSED);
        }
        return;
    }
    fb_pace_set(&conn->base, exchange->base.pace);
    out.closes = exchange->closes;
    out.says_keep_alive = !exchange->closes && exchange->base.request.version_minor == 0;
    out.extra = fb_server_lines(conn->base.server, response);
    fb_buf_clear(&exchange->base.head);
    fb_http1_write_response(&exchange->base.head, &out);
    if (exchange->body != NULL && fb_stream_takes_files(conn->base.stream)) {
        fb_reader_prefer_files(exchange->body);
    }
    if (!exchange->is_continuing) {
        send_more(exchange);
    }
}
