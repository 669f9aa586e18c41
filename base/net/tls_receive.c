#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/tls_internal.h"

#include <errno.h>

enum { ALERT_WARNING = 1, ALERT_SIZE = 2 };

static struct tls_stream *tls_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct tls_stream, stream.reader);
}

static void drop_slice(struct tls_stream *self)
{
    fb_slice_release(&self->slice);
    self->rest = FB_STR_NONE;
}

/* The connection is over, and the peer is told why. */
static int refuse(struct tls_stream *self, enum fb_tls_alert alert, int err)
{
    fb_tls_send_alert(self, alert);
    return err;
}

/* ---- records ------------------------------------------------------------- */

/* RFC 5246 section 7.2: a warning other than close_notify changes nothing. RFC 8446 section 6: what
 * the level says counts no more, and of what is not fatal two are left. */
static int take_alert(struct tls_stream *self, const uint8_t *message, size_t len)
{
    if (len != ALERT_SIZE) {
        return refuse(self, FB_TLS_DECODE_ERROR, FB_E_MALFORMED);
    }
    if (message[1] == FB_TLS_CLOSE_NOTIFY) {
        return FB_E_END;
    }
    bool is_warning = self->in.version == FB_TLS_1_3 ? message[1] == FB_TLS_USER_CANCELED
                                                     : message[0] == ALERT_WARNING;
    return is_warning ? FB_OK : FB_E_CLOSED;
}

/* What is no data: renegotiation, or of TLS 1.3 what may follow a handshake. */
static int take_messages(struct tls_stream *self, struct fb_str bytes)
{
    struct fb_tls_post_message message;

    if (self->in.version != FB_TLS_1_3) {
        return refuse(self, FB_TLS_NO_RENEGOTIATION, FB_E_UNSUPPORTED);
    }
    for (;;) {
        int err = fb_tls_post_take(&self->post, &bytes, self->is_client, &message);
        if (err < 0) {
            return err == FB_E_LATER ? FB_OK : refuse(self, fb_tls_failure_alert(err), err);
        }
        if (message.kind == FB_TLS_POST_KEY_UPDATE) {
            fb_tls_direction_update(&self->in);
            if (message.wants_answer) {
                fb_tls_send_update(self);
            }
        } else if (self->resumer != NULL) {
            err = fb_tls_resumer_take(self->resumer, message.body);
            if (err < 0) {
                return refuse(self, fb_tls_failure_alert(err), err);
            }
            fb_tls_resumer_free(self->resumer); /* one is enough */
            self->resumer = NULL;
        }
    }
}

/* Opens one record to the end of `block`. */
static int take_record(struct tls_stream *self, struct fb_str record, struct net_block *block)
{
    uint8_t *out = (uint8_t *)block->bytes + block->len;
    enum fb_tls_content type = FB_TLS_DATA;
    size_t len = 0;

    int err = fb_tls_open(&self->in, record, out, &len, &type);
    if (err < 0) {
        return refuse(self, fb_tls_failure_alert(err), err);
    }
    if (fb_tls_post_has_begun(&self->post) && type != FB_TLS_HANDSHAKE) {
        return refuse(self, FB_TLS_UNEXPECTED_MESSAGE, FB_E_MALFORMED);
    }
    if (type == FB_TLS_DATA && len > 0) {
        block->len += len;
        self->n_idle = 0;
        return FB_OK;
    }
    if (++self->n_idle > TLS_MAX_IDLE_RECORDS) {
        return refuse(self, FB_TLS_UNEXPECTED_MESSAGE, FB_E_LIMIT);
    }
    switch (type) {
    case FB_TLS_DATA:
        return FB_OK;
    case FB_TLS_ALERT:
        return take_alert(self, out, len);
    case FB_TLS_HANDSHAKE:
        return take_messages(self, (struct fb_str){(const char *)out, len});
    case FB_TLS_CHANGE_CIPHER_SPEC:
        break;
    }
    return refuse(self, FB_TLS_UNEXPECTED_MESSAGE, FB_E_MALFORMED);
}

/* Moves `n` bytes, or what there is, from what was received to the record that was begun. */
static void begin_more(struct tls_stream *self, size_t n)
{
    struct fb_str part = fb_str_first(self->rest, n);

    fb_buf_append(&self->begun, part);
    self->rest = fb_str_skip(self->rest, part.len);
}

/* Completes the record that was begun as far as the bytes go, and opens it. */
static int take_begun(struct tls_stream *self, struct net_block *block)
{
    size_t size = 0;

    if (self->begun.len < FB_TLS_HEADER_SIZE) {
        begin_more(self, FB_TLS_HEADER_SIZE - self->begun.len);
    }
    int err = fb_tls_measure(&self->in, fb_buf_str(&self->begun), &size);
    if (err == FB_E_LATER) {
        return FB_OK; /* all that came is in it */
    }
    if (err < 0) {
        return refuse(self, fb_tls_failure_alert(err), err);
    }
    begin_more(self, size - self->begun.len);
    if (self->begun.len < size) {
        return FB_OK;
    }
    err = take_record(self, fb_buf_str(&self->begun), block);
    fb_buf_done(&self->begun);
    return err;
}

/* Opens the next record of what was received, or keeps the part of it that came. */
static int take_next(struct tls_stream *self, struct net_block *block)
{
    size_t size = 0;

    if (self->begun.len > 0) {
        return take_begun(self, block);
    }
    int err = fb_tls_measure(&self->in, self->rest, &size);
    if (err == FB_E_LATER || (err == FB_OK && size > self->rest.len)) {
        begin_more(self, self->rest.len);
        return FB_OK;
    }
    if (err < 0) {
        return refuse(self, fb_tls_failure_alert(err), err);
    }
    struct fb_str record = fb_str_first(self->rest, size);
    self->rest = fb_str_skip(self->rest, size);
    return take_record(self, record, block);
}

/* ---- the reader ---------------------------------------------------------- */

static int receive(struct tls_stream *self)
{
    drop_slice(self);
    int err = fb_reader_next(&self->inner->reader, &self->slice);
    if (err == FB_OK) {
        self->rest = self->slice.bytes;
        return FB_OK;
    }
    /* Without close_notify nobody knows who cut the connection. */
    return err == FB_E_END ? FB_E_CLOSED : err;
}

/* Opens records until nothing is left or the block is full. */
static int fill_block(struct tls_stream *self, struct net_block *block)
{
    int err = FB_OK;

    while (err == FB_OK && NET_BLOCK_BYTES - block->len >= FB_TLS_OPENED_MAX) {
        err = self->rest.len > 0 ? take_next(self, block) : receive(self);
    }
    if (err < 0 && err != FB_E_LATER) {
        self->read_err = err;
        drop_slice(self);
    }
    return err;
}

static int tls_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct tls_stream *self = tls_of(reader);

    if (self->read_err < 0) {
        return self->read_err;
    }
    if (self->rest.len == 0) {
        int err = receive(self); /* without a block, as long as nothing comes */
        if (err < 0) {
            self->read_err = err == FB_E_LATER ? FB_OK : err;
            return err;
        }
    }
    struct net_block *block = fb_net_block_new(self->state);
    if (block == NULL) {
        return -ENOMEM;
    }
    int err = fill_block(self, block);
    if (block->len == 0) {
        fb_net_block_free(block);
        return err;
    }
    *ret_slice = (struct fb_slice){
        .bytes = {block->bytes, block->len}, .release = fb_net_block_free, .owner = block};
    return FB_OK;
}

static void tls_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct tls_stream *self = tls_of(reader);

    if (self->read_err == FB_OK && self->rest.len == 0) {
        fb_reader_wait(&self->inner->reader, op); /* what comes may yet be no whole record */
        return;
    }
    fb_op_begin(op, NULL);
    fb_op_finish(op, FB_OK);
}

static void tls_close_reader(struct fb_reader *reader)
{
    FB_REQUIRE(reader == NULL); /* never: it is closed with the stream */
}

const struct fb_reader_ops fb_tls_reader_ops = {.next = tls_next,
                                                .wait = tls_wait,
                                                .close = tls_close_reader};

void fb_tls_receive_done(struct tls_stream *self)
{
    drop_slice(self);
    fb_buf_done(&self->begun);
    fb_tls_post_done(&self->post);
    fb_tls_resumer_free(self->resumer);
}
