#include "base/net/stream.h"

#include "base/core/check.h"
#include "base/tls/handshake.h"

void fb_stream_write(struct fb_stream *stream, struct fb_stream_write *write)
{
    FB_REQUIRE(write->n_pieces <= FB_STREAM_MAX_PIECES);
    stream->ops->write(stream, write);
}

size_t fb_stream_unsent(const struct fb_stream *stream)
{
    return stream->ops->unsent(stream);
}

size_t fb_stream_unacked(const struct fb_stream *stream)
{
    return stream->ops->unacked(stream);
}

size_t fb_stream_retract(struct fb_stream *stream)
{
    return stream->ops->retract(stream);
}

void fb_stream_pace(struct fb_stream *stream, uint64_t rate)
{
    if (stream->ops->pace != NULL) {
        stream->ops->pace(stream, rate);
    }
}

void fb_stream_shut(struct fb_stream *stream)
{
    stream->ops->shut(stream);
}

void fb_stream_close(struct fb_stream *stream)
{
    if (stream != NULL) {
        stream->ops->close(stream, false);
    }
}

void fb_stream_reset(struct fb_stream *stream)
{
    if (stream != NULL) {
        stream->ops->close(stream, true);
    }
}

struct fb_address fb_stream_peer(const struct fb_stream *stream)
{
    return stream->ops->peer(stream);
}

const struct fb_tls_facts *fb_stream_tls(const struct fb_stream *stream)
{
    return stream->ops->tls == NULL ? NULL : stream->ops->tls(stream);
}

const char *fb_stream_protocol(const struct fb_stream *stream)
{
    const struct fb_tls_facts *facts = fb_stream_tls(stream);
    return facts == NULL ? NULL : facts->protocol;
}
