/*
 * What the tests of the server share: a handler with a path for each way to answer, and a
 * body that tests turn by hand.
 *
 *     /        "hello"                     /later   when the test answers f->pending
 *     /empty   nothing                     /stream  f->body, of unknown length
 *     /echo    what the request brought    /ten     f->body, said to be of ten bytes
 *     /large   LARGE_BYTES of zeros
 *
 * A query `pace=N` bounds the response to N bytes a second.
 */
#pragma once

#include "base/metrics/metrics.h"
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- a reader that tests turn by hand ------------------------------------ */

struct fake_body {
    struct fb_reader reader;
    struct fb_op *waiter;
    struct fb_str pieces[8];
    size_t n_pieces;
    size_t n_given;
    int after; /* FB_E_LATER, FB_E_END or why it broke */
    bool is_closed;
};

static inline int fake_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    if (body->n_given == body->n_pieces) {
        return body->after;
    }
    *ret_slice = (struct fb_slice){.bytes = body->pieces[body->n_given++]};
    return FB_OK;
}

static inline void fake_cancel(struct fb_op *op)
{
    struct fake_body *body = op->provider;
    body->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static inline void fake_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    fb_op_begin(op, fake_cancel);
    op->provider = body;
    body->waiter = op;
}

static inline void fake_close(struct fb_reader *reader)
{
    struct fake_body *body = FB_CONTAINER_OF(reader, struct fake_body, reader);

    assert_null(body->waiter);
    assert_false(body->is_closed);
    body->is_closed = true;
}

static const struct fb_reader_ops fake_ops = {.next = fake_next,
                                              .wait = fake_wait,
                                              .close = fake_close};

static inline void fake_give(struct fake_body *body, const char *piece, int after)
{
    struct fb_op *waiter = body->waiter;

    if (piece != NULL) {
        body->pieces[body->n_pieces++] = fb_str_from(piece);
    }
    body->after = after;
    if (waiter != NULL) {
        body->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

enum { LARGE_BYTES = 300000 };

/* ---- fixture ------------------------------------------------------------- */

struct fixture {
    struct wire wire;
    struct fb_metrics *metrics;
    struct fake_body body;
    struct fb_exchange *pending; /* of /later */
    unsigned n_requests;
    unsigned n_finished;
    unsigned n_aborted;
    struct fb_exchange_outcome outcome;
    unsigned n_refused;        /* by the server itself */
    unsigned n_refusals_ended; /* of these */
    unsigned refused_status;   /* of the last that ended */

    /* of /echo */
    struct fb_exchange *echoing;
    struct fb_buf echo;
    struct fb_op echo_wait;
    int echo_err;
};

static inline void on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct fixture *f = ctx;
    f->n_finished++;
    f->outcome = *outcome;
}

static inline void on_aborted(void *ctx)
{
    struct fixture *f = ctx;
    f->n_aborted++;
}

static inline void respond_text(struct fb_exchange *exchange, const char *text)
{
    struct fb_slice slice = {.bytes = fb_str_from(text)};
    struct fb_response response = {.status = 200, .length = (int64_t)slice.bytes.len};

    response.body = slice.bytes.len > 0 ? fb_reader_of_slice(slice) : NULL;
    fb_exchange_respond(exchange, &response);
}

static inline void respond_large(struct fb_exchange *exchange)
{
    static const char zeros[LARGE_BYTES];
    struct fb_slice slice = {.bytes = {zeros, sizeof(zeros)}};
    struct fb_response response = {.status = 200, .length = LARGE_BYTES};

    response.body = fb_reader_of_slice(slice);
    fb_exchange_respond(exchange, &response);
}

static inline void respond_fake(struct fixture *f, struct fb_exchange *exchange, int64_t length)
{
    struct fb_response response = {.status = 200, .length = length, .body = &f->body.reader};

    f->body.reader.ops = &fake_ops;
    fb_exchange_respond(exchange, &response);
}

static inline void echo_read(struct fixture *f)
{
    struct fb_reader *body = fb_exchange_body(f->echoing);

    for (;;) {
        struct fb_slice slice;
        int err = fb_reader_next(body, &slice);
        if (err == FB_E_LATER) {
            fb_reader_wait(body, &f->echo_wait);
            return;
        }
        if (err < 0) {
            f->echo_err = err;
            break;
        }
        fb_buf_append(&f->echo, slice.bytes);
        fb_slice_release(&slice);
    }
    if (f->echo_err != FB_E_END) {
        fb_exchange_problem(f->echoing, 400, NULL, "broken");
        return;
    }
    respond_text(f->echoing, f->echo.ptr);
}

static inline void echo_on_content(struct fb_op *op)
{
    echo_read(FB_CONTAINER_OF(op, struct fixture, echo_wait));
}

static inline void set_pace(struct fb_exchange *exchange)
{
    struct fb_str query = fb_exchange_request(exchange)->query;
    uint64_t rate = 0;

    if (fb_str_starts_with(query, FB_STR("pace="))) {
        assert_int_equal(fb_str_to_u64(fb_str_skip(query, 5), &rate), FB_OK);
    }
    fb_exchange_pace(exchange, rate);
}

static inline void handle(void *ctx, struct fb_exchange *exchange)
{
    struct fixture *f = ctx;
    struct fb_str path = fb_exchange_request(exchange)->path;
    struct fb_exchange_hooks hooks = {f, on_aborted, on_finished};

    f->n_requests++;
    fb_exchange_set_hooks(exchange, &hooks);
    set_pace(exchange);
    if (fb_str_equal(path, FB_STR("/later"))) {
        f->pending = exchange;
    } else if (fb_str_equal(path, FB_STR("/stream"))) {
        respond_fake(f, exchange, FB_LENGTH_UNKNOWN);
    } else if (fb_str_equal(path, FB_STR("/ten"))) {
        respond_fake(f, exchange, 10);
    } else if (fb_str_equal(path, FB_STR("/echo"))) {
        f->echoing = exchange;
        f->echo_err = FB_OK;
        fb_buf_clear(&f->echo);
        fb_op_init(&f->echo_wait, f->wire.loop, echo_on_content);
        echo_read(f);
    } else if (fb_str_equal(path, FB_STR("/large"))) {
        respond_large(exchange);
    } else if (fb_str_equal(path, FB_STR("/empty"))) {
        respond_text(exchange, "");
    } else {
        respond_text(exchange, "hello");
    }
}

static inline void on_refusal_ended(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct fixture *f = ctx;
    f->n_refusals_ended++;
    f->refused_status = outcome->status;
}

static inline void refusing(void *ctx, struct fb_exchange *exchange, struct fb_headers *headers)
{
    struct fixture *f = ctx;

    f->n_refused++;
    fb_exchange_set_hooks(exchange,
                          &(struct fb_exchange_hooks){.ctx = f, .finished = on_refusal_ended});
    fb_headers_add(headers, fb_exchange_arena(exchange), FB_STR("X-Asked"),
                   fb_exchange_request(exchange)->path);
}

static inline int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->metrics = fb_metrics_new();
    struct fb_server_options options = {
        .name = "test",
        .limits = {.max_connections = 2, .max_body_bytes = 200000, .max_requests = 50},
        .metrics = f->metrics,
        .handle = handle,
        .refusing = refusing,
        .ctx = f,
    };

    f->body.after = FB_E_LATER;
    wire_init(&f->wire, &options);
    wire_connect(&f->wire);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wire_done(&f->wire), 0);
    assert_int_equal(f->n_finished, f->n_requests);
    assert_int_equal(f->n_refusals_ended, f->n_refused);
    fb_metrics_free(f->metrics);
    fb_buf_done(&f->echo);
    fb_free(f);
    return 0;
}

static inline void has(struct fixture *f, const char *text)
{
    if (!wire_has(&f->wire, text)) {
        fail_msg("'%s' is not in:\n%s", text, f->wire.received.len > 0 ? f->wire.received.ptr : "");
    }
}

#define SERVER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
