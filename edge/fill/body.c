#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/reader.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"

/* ---- the end ----------------------------------------------------------- */

void edge_fill_end_body(struct edge_fill *fill, int result)
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
        edge_fill_remember(fill, EDGE_FILL_MEMORY_MS);
    }
    edge_fill_end(fill);
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
        edge_fill_end_body(fill, FB_OK); /* who comes later asks for more */
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

int edge_fill_write(struct edge_fill *fill, uint64_t at, struct fb_str bytes)
{
    uint64_t n_here = edge_writer_offset(fill->writer) - at;

    bytes = fb_str_skip(bytes, (size_t)FB_MIN(n_here, (uint64_t)bytes.len));
    return bytes.len > 0 ? edge_writer_append(fill->writer, bytes) : FB_OK;
}

static int body_append(struct edge_fill *fill, struct fb_str bytes)
{
    uint64_t at = fill->at;

    if (bytes.len > fill->end - at) {
        return FB_E_MALFORMED; /* more than the head said */
    }
    fill->at += bytes.len;
    return fill->proof.is_running ? edge_fill_prove(fill, at, bytes)
                                  : edge_fill_write(fill, at, bytes);
}

/* All that was wanted has come. */
static void body_complete(struct edge_fill *fill)
{
    if (fill->proof.is_running && fill->proof.end == UINT64_MAX && edge_fill_prove_end(fill) < 0) {
        edge_fill_disproved(fill);
    } else {
        edge_fill_end_body(fill, FB_OK);
    }
}

static void body_broke(struct edge_fill *fill, int err)
{
    if (edge_writer_offset(fill->writer) == fill->goal) {
        body_complete(fill); /* after the last byte that was wanted */
    } else {
        edge_fill_retry_elsewhere(fill, err);
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
        edge_fill_retry_elsewhere(fill, FB_E_CLOSED); /* in good order, but short */
    } else if (fill->goal != UINT64_MAX && offset < fill->goal) {
        edge_fill_retry(fill, FB_E_CLOSED); /* it was less than was asked for */
    } else {
        body_complete(fill);
    }
}

/* The store takes no more. */
static void body_stop(struct edge_fill *fill, int err)
{
    if (err == FB_E_BUSY) {
        edge_fill_retry(fill, err); /* there may be room in a moment */
    } else if (err == FB_E_CORRUPT) {
        edge_fill_disproved(fill);
    } else {
        edge_fill_end_body(fill, err == FB_E_EXISTS ? FB_OK : err);
    }
}

void edge_fill_pump(struct edge_fill *fill)
{
    struct fb_reader *body = fill->answer->body;
    struct fb_slice slice;
    int err = FB_OK;

    while (!fill->is_canceled) {
        if (edge_fill_is_abandoned(fill)) {
            edge_fill_metric(fill->table, FILL_ABANDONED, 1);
            break;
        }
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
        size_t n = slice.bytes.len;
        err = body_append(fill, slice.bytes);
        fb_slice_release(&slice);
        if (err < 0) {
            body_stop(fill, err);
            return;
        }
        edge_fill_metric(fill->table, FILL_BYTES, (int64_t)n); /* what is counted is there */
    }
    edge_fill_end_body(fill, FB_E_CANCELED);
}

void edge_fill_cancel_body(struct edge_fill *fill)
{
    if (fill->machine.state == FILL_PUMP) {
        fb_op_cancel(&fill->wait);
    } else if (fill->machine.state == FILL_RESUME) {
        fb_op_cancel(&fill->fetch.op);
    } else {
        edge_fill_end_body(fill, FB_E_CANCELED);
    }
}
