#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/tls_internal.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

static struct tls_stream *tls_of(struct fb_stream *stream)
{
    return FB_CONTAINER_OF(stream, struct tls_stream, stream);
}

static void tls_free(struct tls_stream *self)
{
    fb_timer_clear(&self->retry);
    fb_net_batch_free(self->state, self->batch);
    fb_tls_receive_done(self);
    fb_tls_direction_done(&self->in);
    fb_tls_direction_done(&self->out);
    fb_free(self->facts);
    fb_free(self);
}

static void end_write(struct tls_stream *self, int result)
{
    struct fb_stream_write *write = self->write;

    self->write = NULL;
    if (write != NULL) {
        fb_op_finish(&write->op, result);
    }
}

/* ---- one thing after another --------------------------------------------- */

static void send_piece(struct tls_stream *self, const void *bytes, size_t len)
{
    self->piece = (struct fb_str){bytes, len};
    self->send.pieces = &self->piece;
    self->send.n_pieces = 1;
    fb_stream_write(self->inner, &self->send);
}

/* What a socket that was full has room for now. Its own accounting counts what packets cost
 * besides their bytes, which an eighth allows for. */
static size_t room_in(const struct fb_stream *inner)
{
    uint32_t used[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(used);
    int fd = fb_tls_socket_of(inner);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_MEMINFO, used, &size) < 0 ||
        used[SK_MEMINFO_SNDBUF] <= used[SK_MEMINFO_WMEM_QUEUED]) {
        return FB_TLS_RECORD_MAX;
    }
    size_t n_free = used[SK_MEMINFO_SNDBUF] - used[SK_MEMINFO_WMEM_QUEUED];
    size_t n_records = (n_free - n_free / 8) / FB_TLS_RECORD_MAX;
    return FB_MAX(FB_MIN(n_records * FB_TLS_RECORD_MAX, (size_t)FB_TLS_BATCH_BYTES),
                  (size_t)FB_TLS_RECORD_MAX);
}

/* A peer that does not take what it is given has little sealed for it: what is sealed cannot be
 * given back, and is held. */
static void seal_batch(struct tls_stream *self)
{
    if (self->batch_bytes == 0) {
        self->batch_bytes = room_in(self->inner);
    }
    size_t end = FB_MIN(self->n_write, self->n_sealed + self->batch_bytes);
    size_t size = fb_tls_sealed_size(&self->out, end - self->n_sealed);

    self->batch = fb_net_batch_new(self->state, size);
    int err = self->batch == NULL
                  ? -ENOMEM
                  : fb_tls_seal(&self->out, self->write->pieces, self->write->n_pieces,
                                self->n_sealed, end, self->batch->bytes);
    if (err < 0) {
        end_write(self, err);
        return;
    }
    self->n_sealed = end;
    send_piece(self, self->batch->bytes, size);
    if (fb_stream_unsent(self->inner) > 0) {
        self->batch_bytes = 0;
        return;
    }
    self->batch_bytes = FB_MIN(self->batch_bytes * 2, FB_TLS_BATCH_BYTES);
    fb_net_batch_free(self->state, self->batch); /* the kernel has it all */
    self->batch = NULL;
}

/* The kernel seals them where they stand. */
static void pass_on(struct tls_stream *self)
{
    self->n_sealed = self->n_write;
    self->send.pieces = self->write->pieces;
    self->send.n_pieces = self->write->n_pieces;
    fb_stream_write(self->inner, &self->send);
}

/* Returns true if there is no more to do about it. */
static bool notify_by_kernel(struct tls_stream *self, enum fb_tls_alert alert)
{
    if (fb_tls_kernel_alert(self->inner, alert) == FB_E_LATER) {
        fb_timer_set(&self->retry, TLS_RETRY_MS);
        return false;
    }
    self->has_notified = true;
    return true;
}

static void notify(struct tls_stream *self, enum fb_tls_alert alert)
{
    size_t size = fb_tls_seal_alert(&self->out, alert, self->note);

    self->has_notified = true;
    send_piece(self, self->note, size);
}

/* RFC 8446 section 4.6.3: the message itself has the old keys. */
static void update(struct tls_stream *self)
{
    size_t size = fb_tls_seal_note(&self->out, FB_TLS_HANDSHAKE, fb_tls_key_update, self->note);

    self->due_update = false;
    fb_tls_direction_update(&self->out);
    send_piece(self, self->note, size);
}

static bool wants_update(const struct tls_stream *self)
{
    return self->due_update || (self->write != NULL && fb_tls_direction_is_worn(&self->out));
}

static void end_sending(struct tls_stream *self)
{
    end_write(self, -EPIPE);
    if (self->wants_shut) {
        fb_stream_shut(self->inner);
    }
}

static void go_on_by_kernel(struct tls_stream *self)
{
    bool is_due = self->due_alert >= 0 || (self->write == NULL && self->wants_shut);

    if (!is_due) {
        if (self->write != NULL) {
            pass_on(self);
        }
    } else if (notify_by_kernel(self, self->due_alert >= 0 ? (enum fb_tls_alert)self->due_alert
                                                           : FB_TLS_CLOSE_NOTIFY)) {
        end_sending(self);
    }
}

/* What comes next, when nothing is being sent. */
static void go_on(struct tls_stream *self)
{
    if (self->write != NULL && self->n_sealed == self->n_write) {
        end_write(self, FB_OK);
    }
    if (self->has_notified) {
        end_sending(self);
    } else if (self->is_kernels) {
        go_on_by_kernel(self);
    } else if (self->due_alert >= 0) {
        notify(self, (enum fb_tls_alert)self->due_alert);
    } else if (wants_update(self)) {
        update(self);
    } else if (self->write != NULL) {
        seal_batch(self);
    } else if (self->wants_shut) {
        notify(self, FB_TLS_CLOSE_NOTIFY);
    }
}

static void on_retry(struct fb_timer *timer)
{
    struct tls_stream *self = FB_CONTAINER_OF(timer, struct tls_stream, retry);

    if (fb_op_is_idle(&self->send.op)) {
        go_on(self);
    }
}

static void on_sent(struct fb_op *op)
{
    struct tls_stream *self = FB_CONTAINER_OF(op, struct tls_stream, send.op);

    if (self->batch != NULL) {
        fb_net_batch_free(self->state, self->batch);
        self->batch = NULL;
    }
    if (self->is_closed) {
        tls_free(self);
    } else if (op->result < 0) {
        self->has_notified = true; /* nothing can be */
        end_write(self, op->result);
    } else {
        go_on(self);
    }
}

/* ---- what is asked of it ------------------------------------------------- */

void fb_tls_send_init(struct tls_stream *self)
{
    fb_op_init(&self->send.op, self->stream.loop, on_sent);
    fb_timer_init(&self->retry, self->stream.loop, on_retry);
    self->due_alert = -1;
    self->batch_bytes = FB_TLS_BATCH_BYTES / 2;
}

void fb_tls_send_write(struct fb_stream *stream, struct fb_stream_write *write)
{
    struct tls_stream *self = tls_of(stream);

    FB_REQUIRE(self->write == NULL && !self->wants_shut);
    fb_op_begin(&write->op, NULL);
    self->write = write;
    self->n_sealed = 0;
    self->n_write = 0;
    for (size_t i = 0; i < write->n_pieces; i++) {
        self->n_write += write->pieces[i].len;
    }
    if (fb_op_is_idle(&self->send.op)) {
        go_on(self);
    }
}

void fb_tls_send_alert(struct tls_stream *self, enum fb_tls_alert alert)
{
    if (self->due_alert >= 0 || self->has_notified) {
        return;
    }
    self->due_alert = (int)alert;
    if (fb_op_is_idle(&self->send.op)) {
        go_on(self);
    }
}

void fb_tls_send_update(struct tls_stream *self)
{
    self->due_update = true;
    if (!self->has_notified && fb_op_is_idle(&self->send.op)) {
        go_on(self);
    }
}

void fb_tls_send_shut(struct fb_stream *stream)
{
    struct tls_stream *self = tls_of(stream);

    if (self->wants_shut) {
        return;
    }
    self->wants_shut = true;
    if (fb_op_is_idle(&self->send.op)) {
        go_on(self);
    }
}

void fb_tls_send_close(struct fb_stream *stream, bool is_reset)
{
    struct tls_stream *self = tls_of(stream);
    struct fb_stream *inner = self->inner;

    end_write(self, FB_E_CANCELED);
    if (!is_reset && !self->has_notified && fb_op_is_idle(&self->send.op)) {
        /* What the kernel takes of it at once. */
        if (self->is_kernels) {
            (void)notify_by_kernel(self, FB_TLS_CLOSE_NOTIFY);
        } else {
            notify(self, FB_TLS_CLOSE_NOTIFY);
        }
    }
    fb_timer_clear(&self->retry);
    self->is_closed = true;
    self->inner = NULL;
    if (is_reset) {
        fb_stream_reset(inner);
    } else {
        fb_stream_close(inner);
    }
    if (fb_op_is_idle(&self->send.op)) {
        tls_free(self);
    }
}

size_t fb_tls_send_unsent(const struct fb_stream *stream)
{
    const struct tls_stream *self = (const struct tls_stream *)(const void *)stream;

    return self->write == NULL ? 0 : self->n_write - self->n_sealed + fb_stream_unsent(self->inner);
}

size_t fb_tls_send_retract(struct fb_stream *stream)
{
    struct tls_stream *self = tls_of(stream);

    if (self->write == NULL) {
        return 0;
    }
    if (self->is_kernels && !fb_op_is_idle(&self->send.op)) {
        return fb_stream_retract(self->inner);
    }
    size_t n_cut = self->n_write - self->n_sealed;
    self->n_write = self->n_sealed;
    return n_cut;
}
