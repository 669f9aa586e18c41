#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/conditional.h"
#include "base/log/log.h"
#include "base/loop/reader.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fill/part.h"

/* Before each try to go on with a body. Together less than players wait for bytes. */
static const uint32_t body_pauses_ms[EDGE_FILL_MAX_TRIES] = {0, 250, 1000, 2000};

static int64_t body_now_s(const struct edge_fill *fill)
{
    return fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000;
}

/* ---- the end ----------------------------------------------------------- */

static void body_end(struct edge_fill *fill, int result)
{
    struct edge_writer *writer = fill->writer;
    uint64_t offset = edge_writer_offset(writer);

    fill->writer = NULL;
    if (result < 0 && fill->if_range.len == 0) {
        /* More of it could only be had with all the rest: whoever comes next shall. */
        edge_store_remove(fill->table->options.store, edge_writer_object(writer));
    }
    edge_writer_finish(writer, result);
    if (result < 0 && result != FB_E_CANCELED) {
        edge_fill_metric(fill->table, FILL_FAILED, 1);
        FB_LOG(WARN, "fill", "the body broke off, its readers are cut",
               FB_LOG_STR("key", fill->ask.key), FB_LOG_TEXT("cause", fb_err_name(result)),
               FB_LOG_INT("offset", offset), FB_LOG_INT("tries", fill->n_tries));
    }
    if (result == FB_E_LIMIT || result == FB_E_BUSY) {
        /* The next client gets it past the store. */
        edge_fill_remember(fill->table, fill->ask.key, edge_fill_now_ms(fill));
    }
    edge_fill_end(fill);
}

/* True if what the index has now is, byte for byte, what this fill is about. */
static bool body_is_of(const struct edge_object *object, const struct edge_object *found)
{
    const struct edge_object_head *a = edge_object_head(object);
    const struct edge_object_head *b = edge_object_head(found);

    return found == object ||
           (edge_object_length(found) == edge_object_length(object) &&
            fb_str_equal(a->etag, b->etag) && fb_str_equal(a->last_modified, b->last_modified));
}

/* The rest cannot be had any more. What is there would only cut more readers, so it
 * goes from both tiers, unless somebody has brought what is new already. */
static void body_changed(struct edge_fill *fill)
{
    struct edge_store *store = fill->table->options.store;
    struct edge_object *object = edge_writer_object(fill->writer);
    struct edge_object *found = edge_store_find(store, fill->ask.key, &fill->client.headers);

    edge_fill_metric(fill->table, FILL_CHANGED, 1);
    edge_store_remove(store, object);
    if (found == NULL || body_is_of(object, found)) {
        edge_store_invalidate(store, fill->loop, fill->ask.key);
    }
    edge_object_unref(found);
    body_end(fill, FB_E_CONFLICT);
}

/* ---- going on ---------------------------------------------------------- */

static void body_on_resumed(struct fb_op *op);

/* Asks for what is missing. Of a body of unknown length one byte that is here comes
 * along, or there might be nothing to ask for. */
static void body_resume(struct edge_fill *fill)
{
    int64_t length = edge_object_length(edge_writer_object(fill->writer));
    uint64_t from = edge_writer_offset(fill->writer);
    struct fb_headers *headers = &fill->request.headers;

    if (length == FB_LENGTH_UNKNOWN && from > 0) {
        from--;
    }
    fill->part = (struct fb_range_spec){
        .first = from, .last = fill->goal == UINT64_MAX ? UINT64_MAX : fill->goal - 1};
    fill->is_part = from > 0 || (fill->goal != UINT64_MAX && (int64_t)fill->goal != length);
    edge_fill_make_request(fill);
    if (fill->is_part) {
        fb_headers_add(headers, &fill->arena, FB_STR("Range"),
                       edge_part_text(fill->part, &fill->arena));
        fb_headers_add(headers, &fill->arena, FB_STR("If-Range"), fill->if_range);
    }
    edge_fill_send(fill, body_on_resumed);
}

static void body_on_pause_over(struct fb_timer *timer)
{
    struct edge_fill *fill = FB_CONTAINER_OF(timer, struct edge_fill, timer);

    fb_machine_move(&fill->machine, FILL_RESUME);
    body_resume(fill);
}

/* Nothing more comes just now, because of `err`: another try, or the end. */
static void body_retry(struct edge_fill *fill, int err)
{
    uint64_t offset = edge_writer_offset(fill->writer);

    edge_pass_free(fill->answer);
    fill->answer = NULL;
    if (offset - fill->resumed_at >= EDGE_FILL_PROGRESS_BYTES) {
        fill->n_tries = 0;
    }
    fill->resumed_at = offset;
    if (fill->if_range.len == 0) {
        body_end(fill, err);
    } else if (fill->n_tries == EDGE_FILL_MAX_TRIES && fill->saw_change) {
        body_changed(fill);
    } else if (fill->n_tries == EDGE_FILL_MAX_TRIES) {
        body_end(fill, err);
    } else if (body_pauses_ms[fill->n_tries] == 0) {
        fill->n_tries++;
        fb_machine_move(&fill->machine, FILL_RESUME);
        body_resume(fill);
    } else {
        fb_machine_move(&fill->machine, FILL_PAUSE);
        fb_timer_init(&fill->timer, fill->loop, body_on_pause_over);
        fb_timer_set(&fill->timer, body_pauses_ms[fill->n_tries++]);
    }
}

/* The upstream that gave this body, or another answer of no use, is asked last. */
static void body_failed(struct edge_fill *fill, int err)
{
    fill->avoided |= 1U << fill->fetch.upstream;
    body_retry(fill, err);
}

enum body_verdict { BODY_GOES_ON, BODY_FAILED, BODY_CHANGED };

/* True if the answer is of the same bytes as the object. A part that was asked for with a
 * date need not repeat it (RFC 9110 section 15.3.7). */
static bool body_is_same(const struct edge_fill *fill)
{
    const struct fb_headers *headers = &fill->answer->response.headers;
    struct fb_validators validators = fb_validators_of(headers, body_now_s(fill));
    bool is_by_date = fill->if_range.ptr[0] != '"';

    if (fill->answer->response.status == 206 && is_by_date &&
        validators.last_modified == FB_DATE_NONE) {
        return true;
    }
    return fb_if_range_holds(fill->if_range, &validators, body_now_s(fill));
}

static enum body_verdict body_judge_part(struct edge_fill *fill, int64_t length)
{
    const struct fb_response_head *response = &fill->answer->response;
    struct edge_part_answer part;

    if (!fill->is_part || edge_part_read(fill->part, response, fill->answer->length, &part) < 0) {
        return BODY_FAILED;
    }
    if (!body_is_same(fill) || (length != FB_LENGTH_UNKNOWN && part.length != (uint64_t)length)) {
        return BODY_CHANGED;
    }
    fill->at = part.first;
    fill->end = part.end;
    fill->goal = FB_MIN(fill->goal, part.length);
    return BODY_GOES_ON;
}

/* An upstream that knows no ranges: what is here already is passed over, and what
 * comes after the part is taken too, for the next reader would pay the same price. */
static enum body_verdict body_judge_whole(struct edge_fill *fill, int64_t length)
{
    int64_t now = fill->answer->length;
    bool is_as_long = now == length || now == FB_LENGTH_UNKNOWN || length == FB_LENGTH_UNKNOWN;

    if (!body_is_same(fill) || !is_as_long) {
        return BODY_CHANGED;
    }
    fill->at = 0;
    fill->end = now == FB_LENGTH_UNKNOWN ? UINT64_MAX : (uint64_t)now;
    fill->goal = length == FB_LENGTH_UNKNOWN ? fill->end : (uint64_t)length;
    edge_writer_set_end(fill->writer, fill->goal);
    return BODY_GOES_ON;
}

static enum body_verdict body_judge(struct edge_fill *fill)
{
    struct fb_headers *headers = &fill->answer->response.headers;
    int64_t length = edge_object_length(edge_writer_object(fill->writer));
    uint64_t now = 0;

    edge_fill_add_date(fill, headers);
    switch (fill->answer->response.status) {
    case 200:
        return body_judge_whole(fill, length);
    case 206:
        return body_judge_part(fill, length);
    case 404:
    case 410:
        return BODY_CHANGED;
    case 416: {
        int err = fb_content_range_parse_unsatisfied(
            fb_headers_find(headers, FB_STR("content-range")), &now);
        return err == FB_OK && now != (uint64_t)length ? BODY_CHANGED : BODY_FAILED;
    }
    default:
        return BODY_FAILED;
    }
}

static void body_on_resumed(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, fetch.op);
    unsigned upstream = 1U << fill->fetch.upstream;

    if (op->result == FB_OK) {
        edge_fill_take_answer(fill);
    }
    if (fill->is_canceled || op->result == FB_E_CANCELED) {
        body_end(fill, FB_E_CANCELED);
        return;
    }
    if (op->result < 0) {
        body_retry(fill, op->result);
        return;
    }
    enum body_verdict verdict = body_judge(fill);
    if (verdict == BODY_GOES_ON) {
        edge_fill_metric(fill->table, FILL_RESUMED, fill->n_tries > 0 ? 1 : 0);
        fb_machine_move(&fill->machine, FILL_PUMP);
        edge_fill_pump(fill);
    } else if (verdict == BODY_FAILED) {
        body_failed(fill, FB_E_UNAVAILABLE);
    } else if (fill->avoided == 0 || (fill->avoided & upstream) != 0) {
        body_changed(fill); /* nobody is left who could know better */
    } else {
        fill->saw_change = true;
        body_failed(fill, FB_E_CONFLICT);
    }
}

/* ---- moving ------------------------------------------------------------ */

static void body_on_more(struct fb_op *op)
{
    edge_fill_pump(FB_CONTAINER_OF(op, struct edge_fill, wait));
}

static void body_on_read(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, wait);

    fb_timer_clear(&fill->timer);
    if (op->result == FB_OK || fill->is_canceled) {
        edge_fill_pump(fill);
    } else {
        body_end(fill, FB_OK); /* who comes later asks for more */
    }
}

static void body_on_dawdled(struct fb_timer *timer)
{
    fb_op_cancel(&FB_CONTAINER_OF(timer, struct edge_fill, timer)->wait);
}

/* Waits until readers have come closer. A connection is not kept for those who take
 * long, if there can be another one later. */
static void body_hold(struct edge_fill *fill)
{
    if (fill->if_range.len > 0) {
        fb_timer_init(&fill->timer, fill->loop, body_on_dawdled);
        fb_timer_set(&fill->timer, EDGE_FILL_HOLD_MS);
    }
    fb_op_init(&fill->wait, fill->loop, body_on_read);
    edge_writer_wait(fill->writer, &fill->wait);
}

static int body_append(struct edge_fill *fill, struct fb_str bytes)
{
    uint64_t n_here = edge_writer_offset(fill->writer) - fill->at;

    if (bytes.len > fill->end - fill->at) {
        return FB_E_MALFORMED; /* more than the head said */
    }
    fill->at += bytes.len;
    bytes = fb_str_skip(bytes, (size_t)FB_MIN(n_here, (uint64_t)bytes.len));
    return bytes.len > 0 ? edge_writer_append(fill->writer, bytes) : FB_OK;
}

static void body_broke(struct edge_fill *fill, int err)
{
    if (edge_writer_offset(fill->writer) == fill->goal) {
        body_end(fill, FB_OK); /* after the last byte that was wanted */
    } else {
        body_failed(fill, err);
    }
}

static void body_over(struct edge_fill *fill)
{
    int64_t length = edge_object_length(edge_writer_object(fill->writer));
    uint64_t offset = edge_writer_offset(fill->writer);
    uint64_t end = fill->end;

    if (end == UINT64_MAX && length != FB_LENGTH_UNKNOWN) {
        end = (uint64_t)length;
    }
    if (end != UINT64_MAX && fill->at < end) {
        body_failed(fill, FB_E_CLOSED); /* in good order, but short */
    } else if (fill->goal != UINT64_MAX && offset < fill->goal) {
        body_retry(fill, FB_E_CLOSED); /* it was less than was asked for */
    } else {
        body_end(fill, FB_OK);
    }
}

void edge_fill_pump(struct edge_fill *fill)
{
    struct fb_reader *body = fill->answer->body;
    struct fb_slice slice;
    int err = FB_OK;

    while (!fill->is_canceled) {
        if (edge_writer_offset(fill->writer) != fill->goal && edge_writer_is_ahead(fill->writer)) {
            body_hold(fill);
            return;
        }
        err = fb_reader_next(body, &slice);
        if (err == FB_E_LATER) {
            fb_op_init(&fill->wait, fill->loop, body_on_more);
            fb_reader_wait(body, &fill->wait);
            return;
        }
        if (err == FB_E_END) {
            body_over(fill);
            return;
        }
        if (err < 0) {
            body_broke(fill, err);
            return;
        }
        edge_fill_metric(fill->table, FILL_BYTES, (int64_t)slice.bytes.len);
        err = body_append(fill, slice.bytes);
        fb_slice_release(&slice);
        if (err < 0) {
            body_end(fill, err == FB_E_EXISTS ? FB_OK : err);
            return;
        }
    }
    body_end(fill, FB_E_CANCELED);
}

void edge_fill_cancel_body(struct edge_fill *fill)
{
    if (fill->machine.state == FILL_PUMP) {
        fb_op_cancel(&fill->wait);
    } else if (fill->machine.state == FILL_RESUME) {
        fb_op_cancel(&fill->fetch.op);
    } else {
        body_end(fill, FB_E_CANCELED);
    }
}

/* ---- what readers lack ------------------------------------------------- */

/* A fill of `n` bytes from `offset`, on the loop of whoever wants them. */
static int chunks_fetch(struct edge_fill_chunks *chunks, struct edge_object *object,
                        uint64_t offset, uint64_t n)
{
    const struct edge_object_head *head = edge_object_head(object);
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(chunks->loop)) / 1000;
    struct fb_str if_range = fb_if_range_of(&head->headers, now_s);
    struct edge_writer *writer = NULL;
    struct edge_fill *fill = NULL;

    if (head->status != 200 || if_range.len == 0) {
        return FB_E_CLOSED; /* nothing tells that more bytes would be of the same body */
    }
    int err = edge_object_write(object, chunks->loop, edge_chunk_floor(offset), &writer);
    if (err < 0) {
        return err;
    }
    err = edge_fill_add_unkeyed(chunks->table, chunks->loop, &chunks->ask, &fill);
    if (err < 0) {
        edge_writer_finish(writer, err);
        return FB_OK; /* that has told the readers */
    }
    uint64_t length = (uint64_t)edge_object_length(object);
    uint64_t wanted = n < length - offset ? offset + n : length;
    edge_fill_metric(chunks->table, FILL_PARTS, 1);
    fill->writer = writer;
    fill->if_range = fb_arena_dup(&fill->arena, if_range);
    fill->goal = FB_MIN(edge_chunk_ceil(wanted), length);
    edge_writer_set_end(writer, fill->goal);
    fill->resumed_at = edge_writer_offset(writer);
    fb_machine_move(&fill->machine, FILL_RESUME);
    body_resume(fill);
    return FB_OK;
}

static void chunks_want(struct edge_source *source, struct edge_object *object, uint64_t offset,
                        uint64_t n)
{
    struct edge_fill_chunks *chunks = FB_CONTAINER_OF(source, struct edge_fill_chunks, source);

    int err = chunks_fetch(chunks, object, offset, n);
    if (err < 0 && err != FB_E_EXISTS) {
        edge_object_fail(object, offset, err);
    }
}

void edge_fill_chunks_init(struct edge_fill_chunks *chunks, struct edge_fill_table *table,
                           struct fb_loop *loop, const struct edge_fill_ask *ask)
{
    *chunks = (struct edge_fill_chunks){
        .source = {chunks_want}, .table = table, .loop = loop, .ask = *ask};
    chunks->ask.range = NULL;
    chunks->ask.stale = NULL;
    chunks->ask.lacking = NULL;
}
