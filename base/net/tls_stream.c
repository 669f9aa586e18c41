#include "base/net/tls_stream.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/net/tls_internal.h"
#include "base/tls/backend.h"

static size_t tls_unacked(const struct fb_stream *stream)
{
    const struct tls_stream *self = (const struct tls_stream *)(const void *)stream;
    return fb_stream_unacked(self->inner);
}

static struct fb_address tls_peer(const struct fb_stream *stream)
{
    const struct tls_stream *self = (const struct tls_stream *)(const void *)stream;
    return fb_stream_peer(self->inner);
}

static const struct fb_tls_facts *tls_facts(const struct fb_stream *stream)
{
    const struct tls_stream *self = (const struct tls_stream *)(const void *)stream;
    return self->facts;
}

static void tls_pace(struct fb_stream *stream, uint64_t rate)
{
    struct tls_stream *self = (struct tls_stream *)(void *)stream;
    fb_stream_pace(self->inner, rate);
}

static const struct fb_stream_ops tls_ops = {
    .write = fb_tls_send_write,
    .shut = fb_tls_send_shut,
    .close = fb_tls_send_close,
    .unsent = fb_tls_send_unsent,
    .unacked = tls_unacked,
    .retract = fb_tls_send_retract,
    .peer = tls_peer,
    .tls = tls_facts,
    .pace = tls_pace,
};

/* Bytes that came with the last of the handshake are the first to be opened. */
static struct fb_slice slice_of_rest(struct fb_str rest)
{
    if (rest.len == 0) {
        return (struct fb_slice){.owner = NULL};
    }
    char *copy = fb_memdup0(rest.ptr, rest.len);
    return (struct fb_slice){.bytes = {copy, rest.len}, .release = fb_free, .owner = copy};
}

struct fb_stream *fb_tls_stream_of_keys(struct fb_stream *inner, const struct fb_tls_keys *keys,
                                        struct fb_tls_facts *facts, bool is_client,
                                        struct fb_str rest)
{
    struct tls_stream *self = FB_NEW(struct tls_stream);

    self->stream =
        (struct fb_stream){.reader = {&fb_tls_reader_ops}, .ops = &tls_ops, .loop = inner->loop};
    self->inner = inner;
    self->is_client = is_client;
    self->state = fb_net_state(inner->loop);
    self->slice = slice_of_rest(rest);
    self->rest = self->slice.bytes;
    self->facts = facts;
    fb_tls_direction_init(&self->in, keys, &keys->in, NULL);
    self->is_kernels = fb_tls_kernel_take(inner, keys);
    if (!self->is_kernels) {
        fb_tls_direction_init(&self->out, keys, &keys->out, NULL);
    }
    self->facts->sealer = self->is_kernels ? "kernel" : self->out.backend->name;
    fb_tls_send_init(self);
    return &self->stream;
}

struct fb_stream *fb_tls_stream_new(struct fb_stream *inner, struct fb_tls_handshake *handshake)
{
    struct fb_tls_keys keys;

    fb_tls_handshake_take_keys(handshake, &keys);
    struct fb_stream *stream = fb_tls_stream_of_keys(
        inner, &keys, fb_tls_handshake_take_facts(handshake), fb_tls_handshake_is_client(handshake),
        fb_tls_handshake_rest(handshake));
    FB_CONTAINER_OF(stream, struct tls_stream, stream)->resumer =
        fb_tls_handshake_take_resumer(handshake);
    fb_tls_keys_wipe(&keys);
    fb_tls_handshake_free(handshake);
    return stream;
}
