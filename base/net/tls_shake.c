#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"
#include "base/net/tls_internal.h"
#include "base/net/tls_stream.h"
#include "base/tls/config.h"

/*
 *              ┌──────────────── READ ◄──────────────┐
 *              ▼                                     │ needs bytes
 *   start ──► STEP ──┬── costly ──► WORK ──┐         │
 *              ▲     └─────────────────────┴──► WRITE ──► done, or failed
 *              └─ (one that is not costly)
 *
 * Whatever ends it early is kept in `err`, and the wait under way is canceled: its callback then
 * finishes the operation.
 */
enum { SHAKE_STEP, SHAKE_READ, SHAKE_WORK, SHAKE_WRITE, SHAKE_OVER };

static const struct fb_state shake_states[] = {
    [SHAKE_STEP] = {"step",
                    FB_TO(SHAKE_READ) | FB_TO(SHAKE_WORK) | FB_TO(SHAKE_WRITE) | FB_TO(SHAKE_OVER)},
    [SHAKE_READ] = {"read", FB_TO(SHAKE_STEP) | FB_TO(SHAKE_WRITE) | FB_TO(SHAKE_OVER)},
    [SHAKE_WORK] = {"work", FB_TO(SHAKE_READ) | FB_TO(SHAKE_WRITE) | FB_TO(SHAKE_OVER)},
    [SHAKE_WRITE] = {"write", FB_TO(SHAKE_READ) | FB_TO(SHAKE_OVER)},
    [SHAKE_OVER] = {"over", 0},
};

struct tls_shaking {
    struct fb_tls_shake *shake; /* borrowed */
    struct fb_machine machine;
    struct fb_stream *inner;            /* owned; NULL once closed */
    struct fb_tls_config *config;       /* counted */
    struct fb_tls_handshake *handshake; /* owned */
    struct fb_timer timer;
    struct fb_op wait;
    struct fb_work work;
    struct fb_stream_write write;
    struct fb_str piece;   /* of `write` */
    enum fb_tls_step step; /* what the last step said */
    int err;               /* why it failed; FB_OK so far */
    bool has_begun;        /* bytes came */
};

static void shake_run(struct tls_shaking *self);

static void shake_finish(struct tls_shaking *self)
{
    struct fb_tls_shake *shake = self->shake;
    int err = self->err;

    fb_machine_move(&self->machine, SHAKE_OVER);
    fb_timer_clear(&self->timer);
    shake->shaking = NULL;
    if (err == FB_OK) {
        shake->stream = fb_tls_stream_new(self->inner, self->handshake);
    } else {
        fb_tls_handshake_free(self->handshake);
        fb_stream_close(self->inner);
        if (shake->diag.err == FB_OK) {
            (void)fb_diag_set(&shake->diag, err, "%s", fb_err_text(err));
        }
    }
    fb_tls_config_unref(self->config);
    fb_free(self);
    fb_op_finish(&shake->op, err);
}

/* ---- from outside -------------------------------------------------------- */

static void shake_stop(struct tls_shaking *self, int err)
{
    if (self->err == FB_OK) {
        self->err = err;
    }
    switch (self->machine.state) {
    case SHAKE_READ:
        fb_op_cancel(&self->wait);
        break;
    case SHAKE_WORK:
        fb_op_cancel(&self->work.op);
        break;
    case SHAKE_WRITE:
        fb_stream_close(self->inner);
        self->inner = NULL;
        break;
    default:
        break; /* it ends in this turn */
    }
}

static void on_cancel(struct fb_op *op)
{
    shake_stop(op->provider, FB_E_CANCELED);
}

static void on_timeout(struct fb_timer *timer)
{
    shake_stop(FB_CONTAINER_OF(timer, struct tls_shaking, timer), FB_E_TIMEOUT);
}

/* ---- steps --------------------------------------------------------------- */

static void shake_write(struct tls_shaking *self, struct fb_str bytes)
{
    fb_machine_move(&self->machine, SHAKE_WRITE);
    self->piece = bytes;
    self->write.pieces = &self->piece;
    self->write.n_pieces = 1;
    fb_stream_write(self->inner, &self->write);
}

/* Sends what the last step left to be sent: what the peer waits for, or an alert. */
static void shake_answer(struct tls_shaking *self)
{
    struct fb_str output = fb_tls_handshake_output(self->handshake);

    if (output.len > 0) {
        shake_write(self, output);
    } else if (self->err < 0 || self->step == FB_TLS_DONE) {
        shake_finish(self);
    } else {
        fb_machine_move(&self->machine, SHAKE_READ);
        shake_run(self);
    }
}

static void on_written(struct fb_op *op)
{
    struct tls_shaking *self = FB_CONTAINER_OF(op, struct tls_shaking, write.op);

    if (self->err == FB_OK) {
        self->err = op->result;
    }
    if (self->err < 0 || self->step == FB_TLS_DONE) {
        shake_finish(self);
        return;
    }
    fb_tls_handshake_sent(self->handshake, self->piece.len);
    fb_machine_move(&self->machine, SHAKE_READ);
    shake_run(self);
}

static int on_work(struct fb_work *work)
{
    struct tls_shaking *self = FB_CONTAINER_OF(work, struct tls_shaking, work);

    return fb_tls_handshake_step(self->handshake, true, &self->step, &self->shake->diag);
}

static void on_worked(struct fb_op *op)
{
    struct tls_shaking *self = FB_CONTAINER_OF(op, struct tls_shaking, work.op);

    if (self->err < 0) {
        shake_finish(self); /* it was stopped meanwhile */
        return;
    }
    self->err = op->result;
    if (self->err == FB_E_BUSY) {
        shake_finish(self);
    } else {
        shake_answer(self);
    }
}

static void shake_step(struct tls_shaking *self)
{
    struct fb_pool *pool = self->shake->pool;

    self->err =
        fb_tls_handshake_step(self->handshake, pool == NULL, &self->step, &self->shake->diag);
    if (self->err == FB_OK && self->step == FB_TLS_IS_COSTLY) {
        fb_machine_move(&self->machine, SHAKE_WORK);
        fb_work_start(pool, &self->work);
    } else {
        shake_answer(self);
    }
}

/* A record of TLS begins with 22; a request of HTTP with a method. */
static bool is_plain_http(const struct tls_shaking *self, struct fb_str bytes)
{
    return !self->has_begun && self->shake->server_name.len == 0 && bytes.ptr[0] >= 'A' &&
           bytes.ptr[0] <= 'Z';
}

static void shake_refuse_plain(struct tls_shaking *self)
{
    self->shake->was_plain = true;
    self->err = fb_diag_set(&self->shake->diag, FB_E_MALFORMED, "the peer speaks HTTP without TLS");
    if (self->shake->plain_answer.len > 0) {
        shake_write(self, self->shake->plain_answer);
    } else {
        shake_finish(self);
    }
}

static void shake_read(struct tls_shaking *self)
{
    struct fb_slice slice;

    int err = fb_reader_next(&self->inner->reader, &slice);
    if (err == FB_E_LATER) {
        fb_reader_wait(&self->inner->reader, &self->wait);
        return;
    }
    if (err < 0) {
        self->err = err == FB_E_END ? FB_E_CLOSED : err;
        shake_finish(self);
        return;
    }
    bool is_plain = is_plain_http(self, slice.bytes);
    self->has_begun = true;
    self->err = is_plain ? FB_OK : fb_tls_handshake_feed(self->handshake, slice.bytes);
    fb_slice_release(&slice);
    if (is_plain) {
        shake_refuse_plain(self);
    } else if (self->err < 0) {
        shake_finish(self);
    } else {
        fb_machine_move(&self->machine, SHAKE_STEP);
        shake_run(self);
    }
}

static void shake_run(struct tls_shaking *self)
{
    if (self->machine.state == SHAKE_STEP) {
        shake_step(self);
    } else {
        shake_read(self);
    }
}

static void on_readable(struct fb_op *op)
{
    struct tls_shaking *self = FB_CONTAINER_OF(op, struct tls_shaking, wait);

    if (self->err < 0) {
        shake_finish(self);
    } else {
        shake_run(self);
    }
}

/* ---- starting ------------------------------------------------------------ */

static void shake_start(struct fb_tls_shake *shake)
{
    struct fb_loop *loop = shake->op.loop;
    struct fb_tls_handshake *handshake = NULL;

    fb_op_begin(&shake->op, on_cancel);
    shake->stream = NULL;
    shake->was_plain = false;
    shake->diag.err = FB_OK;
    int err = fb_tls_handshake_new(shake->config, shake->server_name, &handshake);
    if (err < 0) {
        fb_stream_close(shake->inner);
        fb_op_finish(&shake->op, fb_diag_set(&shake->diag, err, "%s", fb_err_text(err)));
        return;
    }
    struct tls_shaking *self = FB_NEW(struct tls_shaking);
    self->shake = shake;
    self->inner = shake->inner;
    self->config = fb_tls_config_ref(shake->config);
    self->handshake = handshake;
    shake->op.provider = self;
    shake->shaking = self;
    fb_op_init(&self->wait, loop, on_readable);
    fb_op_init(&self->write.op, loop, on_written);
    fb_op_init(&self->work.op, loop, on_worked);
    self->work.run = on_work;
    self->work.client = shake->client;
    fb_timer_init(&self->timer, loop, on_timeout);
    if (shake->timeout_ms > 0) {
        fb_timer_set(&self->timer, shake->timeout_ms);
    }
    fb_machine_init(&self->machine, shake_states, SHAKE_STEP);
    shake_run(self);
}

void fb_tls_accept(struct fb_tls_shake *shake)
{
    shake->server_name = FB_STR_NONE;
    shake_start(shake);
}

void fb_tls_connect(struct fb_tls_shake *shake)
{
    FB_REQUIRE(shake->server_name.len > 0);
    shake_start(shake);
}
