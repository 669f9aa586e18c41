/*
 * An upstream whose answers and bodies are given by hand, piece by piece.
 *
 * Threads    One loop's.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/upstream/fetch.h"

#include <string.h>

enum { FAKE_MAX_FETCHES = 64 };

struct fake_body {
    struct fb_reader reader;
    struct fb_buf bytes; /* pushed and not yet read */
    struct fb_op *waiter;
    int end; /* FB_E_LATER while more may come */
    bool is_closed;
    bool *closed_flag; /* set when the reader is closed; or NULL */
};

struct fake_upstream {
    struct edge_fetch *fetches[FAKE_MAX_FETCHES]; /* in order; NULL once answered */
    unsigned n_fetches;
    unsigned n_canceled;
    unsigned n_bodies_open;
    unsigned n_blamed;
};

/* ---- bodies ------------------------------------------------------------ */

struct fake_open_body {
    struct fake_body body;
    struct fake_upstream *upstream;
};

static inline int fake_body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    if (body->bytes.len == 0) {
        return body->end;
    }
    struct fb_buf *owned = FB_NEW(struct fb_buf);
    *owned = fb_buf_take(&body->bytes);
    struct fb_reader *memory = fb_reader_of_buf(owned);
    int err = fb_reader_next(memory, ret_slice);
    fb_reader_close(memory);
    fb_free(owned);
    return err;
}

static inline void fake_body_cancel(struct fb_op *op)
{
    struct fake_body *body = op->provider;
    body->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static inline void fake_body_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    fb_op_begin(op, fake_body_cancel);
    op->provider = body;
    if (body->bytes.len > 0 || body->end != FB_E_LATER) {
        fb_op_finish(op, FB_OK);
    } else {
        body->waiter = op;
    }
}

static inline void fake_body_close(struct fb_reader *reader)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);
    struct fake_open_body *open = FB_CONTAINER_OF(body, struct fake_open_body, body);

    FB_REQUIRE(body->waiter == NULL);
    open->upstream->n_bodies_open--;
    fb_buf_done(&body->bytes);
    body->is_closed = true;
    if (body->closed_flag != NULL) {
        *body->closed_flag = true;
    }
    fb_free(open);
}

static inline struct fake_body *fake_body_new(struct fake_upstream *upstream)
{
    static const struct fb_reader_ops ops = {
        .next = fake_body_next, .wait = fake_body_wait, .close = fake_body_close};
    struct fake_open_body *open = FB_NEW(struct fake_open_body);

    open->upstream = upstream;
    open->body.reader.ops = &ops;
    open->body.end = FB_E_LATER;
    upstream->n_bodies_open++;
    return &open->body;
}

static inline void fake_body_wake(struct fake_body *body)
{
    struct fb_op *waiter = body->waiter;

    body->waiter = NULL;
    if (waiter != NULL) {
        fb_op_finish(waiter, FB_OK);
    }
}

static inline void fake_body_push(struct fake_body *body, struct fb_str bytes)
{
    fb_buf_append(&body->bytes, bytes);
    fake_body_wake(body);
}

/* FB_E_END, or what breaks it. */
static inline void fake_body_end(struct fake_body *body, int result)
{
    body->end = result;
    fake_body_wake(body);
}

/* ---- fetches ----------------------------------------------------------- */

static inline void fake_fetch_cancel(struct fb_op *op)
{
    struct fake_upstream *upstream = op->provider;

    for (unsigned i = 0; i < upstream->n_fetches; i++) {
        if (upstream->fetches[i] != NULL && &upstream->fetches[i]->op == op) {
            upstream->fetches[i] = NULL;
        }
    }
    upstream->n_canceled++;
    fb_op_finish(op, FB_E_CANCELED);
}

static inline void fake_fetch(void *ctx, struct edge_fetch *fetch)
{
    struct fake_upstream *upstream = ctx;

    FB_REQUIRE(upstream->n_fetches < FAKE_MAX_FETCHES);
    fb_op_begin(&fetch->op, fake_fetch_cancel);
    fetch->op.provider = upstream;
    upstream->fetches[upstream->n_fetches++] = fetch;
}

static inline void fake_fail(struct fake_upstream *upstream, unsigned i, int err)
{
    struct edge_fetch *fetch = upstream->fetches[i];

    upstream->fetches[i] = NULL;
    fb_op_finish(&fetch->op, err);
}

static inline void fake_blame(struct fb_reader *reader)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    FB_REQUIRE(!body->is_closed);
    FB_CONTAINER_OF(body, struct fake_open_body, body)->upstream->n_blamed++;
}

/* Answers fetch `i`; `fields` are lines of "Name: value". */
static inline struct fake_body *fake_answer(struct fake_upstream *upstream, unsigned i,
                                            unsigned status, const char *fields, int64_t length)
{
    struct edge_fetch *fetch = upstream->fetches[i];
    struct fake_body *body = fake_body_new(upstream);
    struct fb_str rest = fb_arena_dup(fetch->arena, fb_str_from(fields));
    struct fb_str line;

    upstream->fetches[i] = NULL;
    fetch->response.status = status;
    while (rest.len > 0 && fb_str_cut(&rest, '\n', &line)) {
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    fetch->length = length;
    fetch->body = &body->reader;
    fetch->blame = fake_blame;
    fb_op_finish(&fetch->op, FB_OK);
    return body;
}
