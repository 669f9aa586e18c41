/*
 * One request to a target, with all of its answer.
 */
#include "base/core/err.h"
#include "edge/report/report_internal.h"

enum { CONNECT_MS = 5000, HEAD_MS = 60000, BODY_MS = 15000 };

static void ask_finish(struct report_ask *ask, int result)
{
    if (ask->io.body != NULL) {
        fb_reader_close(ask->io.body);
        ask->io.body = NULL;
    }
    fb_op_finish(&ask->op, result);
}

static void ask_on_more(struct fb_op *op);

static void ask_read(struct report_ask *ask)
{
    struct fb_slice slice = {0};
    int err = FB_OK;

    while ((err = fb_reader_next(ask->io.body, &slice)) == FB_OK) {
        bool fits = slice.bytes.len <= ASK_ANSWER_MAX - ask->answer.len;
        if (fits) {
            fb_buf_append(&ask->answer, slice.bytes);
        }
        fb_slice_release(&slice);
        if (!fits) {
            ask_finish(ask, FB_E_LIMIT);
            return;
        }
    }
    if (err != FB_E_LATER) {
        ask_finish(ask, err == FB_E_END ? FB_OK : err);
        return;
    }
    ask->is_reading = true;
    fb_op_init(&ask->wait, ask->op.loop, ask_on_more);
    fb_reader_wait(ask->io.body, &ask->wait);
}

static void ask_on_more(struct fb_op *op)
{
    struct report_ask *ask = FB_CONTAINER_OF(op, struct report_ask, wait);

    ask->is_reading = false;
    if (ask->is_canceled) {
        ask_finish(ask, FB_E_CANCELED);
    } else {
        ask_read(ask);
    }
}

static void ask_on_head(struct fb_op *op)
{
    struct report_ask *ask = FB_CONTAINER_OF(op, struct report_ask, io.op);

    if (op->result < 0) {
        ask->io.body = NULL;
        ask_finish(ask, op->result);
        return;
    }
    ask->status = ask->io.response.status;
    if (ask->is_canceled) {
        ask_finish(ask, FB_E_CANCELED);
    } else {
        ask_read(ask);
    }
}

static void ask_cancel(struct fb_op *op)
{
    struct report_ask *ask = FB_CONTAINER_OF(op, struct report_ask, op);

    ask->is_canceled = true;
    fb_op_cancel(ask->is_reading ? &ask->wait : &ask->io.op);
}

void edge_report_ask(struct fb_client *client, struct report_ask *ask)
{
    fb_op_begin(&ask->op, ask_cancel);
    ask->io = (struct fb_fetch){
        .tls = ask->target->tls,
        .tls_name = ask->target->tls_name,
        .method = ask->method,
        .headers = ask->headers,
        .n_headers = ask->n_headers,
        .connect_timeout_ms = CONNECT_MS,
        .head_timeout_ms = HEAD_MS,
        .body_timeout_ms = BODY_MS,
        .arena = &ask->arena,
    };
    int err = fb_url_parse(ask->target->url, &ask->io.url, NULL);
    if (err < 0) {
        fb_op_finish(&ask->op, err);
        return;
    }
    ask->io.url.target = fb_str_from(FB_VIEW_REPORTS_PATH);
    if (ask->content.len > 0) {
        ask->io.request_length = (int64_t)ask->content.len;
        ask->io.request_body = fb_reader_of_buf(&ask->content);
    }
    fb_op_init(&ask->io.op, ask->op.loop, ask_on_head);
    fb_client_fetch(client, &ask->io);
}

void edge_report_ask_done(struct report_ask *ask)
{
    fb_buf_done(&ask->content);
    fb_buf_done(&ask->answer);
    fb_arena_done(&ask->arena);
}
