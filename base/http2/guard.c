#include "base/http2/http2_internal.h"

enum { A_TOKEN = 1000, LEAST_DATA_BYTES = 64, TOKENS_A_DATA_FRAME = 3, TOKENS_A_REQUEST = 32 };

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

void fb_http2_guard_frame(struct fb_http2_session *session, const nghttp2_frame_hd *head)
{
    switch (head->type) {
    case NGHTTP2_HEADERS:
        if (session->is_client) {
            guard_control(session); /* of streams that are no more, too */
        }
        break; /* else each is a request, or its end */
    case NGHTTP2_DATA:
        if (head->length < LEAST_DATA_BYTES && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0) {
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

void fb_http2_guard_tiny(struct fb_http2_session *session)
{
    guard_control(session);
}

void fb_http2_guard_head(struct fb_http2_session *session)
{
    session->guard.n_continuations = 0;
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
