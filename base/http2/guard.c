#include "base/http2/http2_internal.h"

#include <string.h>

enum {
    A_TOKEN = 1000,
    LEAST_DATA_BYTES = 64,
    TOKENS_A_DATA_FRAME = 3,
    TOKENS_A_REQUEST = 32,
    PREFACE_BYTES = 24
};

/* A browser that closes a page with a hundred requests open, and a player that seeks, stay
 * far below these; so does who answers each frame of content with an update of two windows. */
enum {
    RESETS_BURST = 300,
    RESETS_PER_S = 30,
    CONTROL_BURST = 2000,
    CONTROL_PER_S = 200,
};

void fb_http2_guard_init(struct fb_http2_session *session)
{
    session->guard.resets.millis = (uint64_t)RESETS_BURST * A_TOKEN;
    session->guard.control.millis = (uint64_t)CONTROL_BURST * A_TOKEN;
    session->guard.n_payload = session->is_client ? 0 : PREFACE_BYTES;
}

static void bucket_add(struct http2_bucket *bucket, uint64_t millis, uint64_t burst)
{
    bucket->millis = FB_MIN(bucket->millis + millis, burst * A_TOKEN);
}

/* True if there was a token. */
static bool bucket_take(struct http2_bucket *bucket, uint64_t now_ms, uint64_t rate, uint64_t burst)
{
    bucket_add(bucket, (now_ms - bucket->since_ms) * rate, burst); /* a second is as many ms */
    bucket->since_ms = now_ms;
    if (bucket->millis < A_TOKEN) {
        return false;
    }
    bucket->millis -= A_TOKEN;
    return true;
}

static void guard_fault(struct fb_http2_session *session, enum fb_http2_fault fault)
{
    if (session->guard.fault == FB_HTTP2_FAULT_NONE) {
        session->guard.fault = fault;
    }
}

static void guard_control(struct fb_http2_session *session)
{
    if (!bucket_take(&session->guard.control, session->now_ms, CONTROL_PER_S, CONTROL_BURST)) {
        guard_fault(session, FB_HTTP2_FAULT_CONTROL);
    }
}

void fb_http2_guard_reset(struct fb_http2_session *session)
{
    if (!bucket_take(&session->guard.resets, session->now_ms, RESETS_PER_S, RESETS_BURST)) {
        guard_fault(session, FB_HTTP2_FAULT_RESETS);
    }
}

static void guard_frame(struct fb_http2_session *session, unsigned type, unsigned flags)
{
    switch (type) {
    case NGHTTP2_HEADERS:
        session->guard.n_continuations = 0;
        if (session->is_client) {
            guard_control(session); /* of streams that are no more, too */
        }
        break; /* else each is a request, or its end */
    case NGHTTP2_DATA:
        if (session->guard.n_payload < LEAST_DATA_BYTES && (flags & NGHTTP2_FLAG_END_STREAM) == 0) {
            guard_control(session);
        }
        break;
    case NGHTTP2_CONTINUATION:
        if (++session->guard.n_continuations > HTTP2_MAX_CONTINUATIONS) {
            guard_fault(session, FB_HTTP2_FAULT_FIELDS);
        }
        break;
    case NGHTTP2_RST_STREAM:
        if (session->is_client) {
            guard_control(session); /* it is its own work that it spoils */
        } else {
            fb_http2_guard_reset(session);
        }
        break;
    default:
        guard_control(session);
        break;
    }
}

void fb_http2_guard_bytes(struct fb_http2_session *session, struct fb_str bytes)
{
    struct http2_guard *guard = &session->guard;

    while (bytes.len > 0) {
        bool is_payload = guard->n_payload > 0;
        size_t n = is_payload ? guard->n_payload : sizeof(guard->head) - guard->n_head;
        struct fb_str piece = fb_str_first(bytes, n);
        bytes = fb_str_skip(bytes, piece.len);
        if (is_payload) {
            guard->n_payload -= piece.len;
            continue;
        }
        memcpy(guard->head + guard->n_head, piece.ptr, piece.len);
        guard->n_head += piece.len;
        if (guard->n_head == sizeof(guard->head)) {
            guard->n_head = 0;
            guard->n_payload =
                (size_t)guard->head[0] << 16 | (size_t)guard->head[1] << 8 | guard->head[2];
            guard_frame(session, guard->head[3], guard->head[4]);
        }
    }
}

void fb_http2_guard_tiny(struct fb_http2_session *session)
{
    guard_control(session);
}

void fb_http2_guard_head(struct fb_http2_session *session)
{
    session->guard.n_field_bytes = 0;
}

bool fb_http2_guard_field(struct fb_http2_session *session, size_t n)
{
    session->guard.n_field_bytes += n;
    if (session->guard.n_field_bytes / HTTP2_BOMB_FACTOR > session->limits.max_head_bytes) {
        guard_fault(session, FB_HTTP2_FAULT_FIELDS);
        return false;
    }
    return true;
}

void fb_http2_guard_sent(struct fb_http2_session *session)
{
    bucket_add(&session->guard.control, (uint64_t)TOKENS_A_DATA_FRAME * A_TOKEN, CONTROL_BURST);
}

void fb_http2_guard_asked(struct fb_http2_session *session)
{
    bucket_add(&session->guard.control, (uint64_t)TOKENS_A_REQUEST * A_TOKEN, CONTROL_BURST);
}
