#include "base/http2/client.h"

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http2/http2_internal.h"

#include <errno.h>

enum { MAX_INTERIM = 16, N_PSEUDO = 4 };

static struct fb_http2_call *call_at(struct fb_http2_session *session, int32_t id)
{
    struct fb_http2_stream *stream = http2_stream_of(session, id);

    return stream == NULL || stream->is_closed ? NULL : fb_http2_call_of(stream);
}

/* ---- heads in ------------------------------------------------------------ */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct fb_http2_call *call = call_at(ctx, frame->hd.stream_id);

    (void)h2;
    fb_http2_guard_head(ctx);
    if (call != NULL) {
        call->has_begun = true;
        call->stream.n_head_bytes = 0;
        call->stream.n_fields = 0;
    }
    return 0;
}

/* More than is taken is only counted: fields without end are the guard's. */
static void take_field(const struct fb_http2_session *session, struct fb_http2_call *call,
                       struct fb_str name, struct fb_str value)
{
    const struct fb_http2_limits *limits = &session->limits;
    struct fb_http2_stream *stream = &call->stream;
    bool is_pseudo = name.len > 0 && name.ptr[0] == ':';
    uint64_t status = 0;

    stream->n_head_bytes += name.len + value.len;
    stream->n_fields += is_pseudo ? 0 : 1;
    if (stream->n_head_bytes > limits->max_head_bytes || stream->n_fields > limits->max_headers) {
        call->err = FB_E_LIMIT;
    }
    if (call->err < 0 || call->is_answered || stream->arena == NULL) {
        return;
    }
    if (is_pseudo) {
        /* nghttp2 sees to it that it is three digits, and comes first. */
        bool is_known = fb_str_to_u64(value, &status) == FB_OK && status < 600;
        call->response.status = is_known ? (unsigned)status : 0;
    } else if (call->response.status >= 200) {
        fb_headers_add(&call->response.headers, stream->arena, fb_arena_dup(stream->arena, name),
                       fb_arena_dup(stream->arena, value));
    }
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2's type */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct fb_http2_call *call = call_at(ctx, frame->hd.stream_id);

    (void)h2;
    (void)flags;
    if (!fb_http2_guard_field(ctx, name_len + value_len)) {
        return NGHTTP2_ERR_PAUSE;
    }
    if (call != NULL) {
        take_field(ctx, call, (struct fb_str){(const char *)name, name_len},
                   (struct fb_str){(const char *)value, value_len});
    }
    return 0;
}

/* Without this nghttp2 would pass over what is no field, as if it were not there. */
/* NOLINTNEXTLINE(readability-function-size): nghttp2's type */
static int on_invalid_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *ctx)
{
    (void)h2;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)ctx;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int64_t length_of(const struct fb_http2_call *call)
{
    struct fb_str text = fb_headers_find(&call->response.headers, FB_STR("content-length"));
    uint64_t length = 0;
    bool is_known = text.len > 0 && fb_str_to_u64(text, &length) == FB_OK && length <= INT64_MAX;

    return is_known ? (int64_t)length : FB_LENGTH_UNKNOWN;
}

/* A head is whole. FB_OK, or why the response is none. */
static int finish_head(struct fb_http2_session *session, struct fb_http2_call *call, bool is_last)
{
    unsigned status = call->response.status;

    if (call->err < 0) {
        return call->err;
    }
    if (status < 200) {
        bool is_good = status != 101 && status >= 100 && ++call->n_interim <= MAX_INTERIM;
        return is_good ? FB_OK : FB_E_MALFORMED;
    }
    call->is_answered = true;
    call->stream.has_all_content = is_last;
    call->stream.content_length = is_last ? 0 : length_of(call);
    session->events.answered(session->ctx, &call->stream);
    return FB_OK;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_call *call = call_at(session, frame->hd.stream_id);
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (frame->hd.type == NGHTTP2_DATA && !is_last && frame->data.padlen > 0 &&
        frame->hd.length <= frame->data.padlen + 1) {
        fb_http2_guard_tiny(session);
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        session->has_settings = true;
    }
    if (call == NULL) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        call->was_reset = true;
    } else if (frame->hd.type == NGHTTP2_HEADERS && !call->is_answered) {
        call->err = finish_head(session, call, is_last);
        if (call->err < 0) {
            return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, call->stream.id,
                                             NGHTTP2_PROTOCOL_ERROR);
        }
    } else if (is_last && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        call->stream.has_all_content = true;
        session->events.content(session->ctx, &call->stream, FB_STR_NONE);
    }
    return 0;
}

void fb_http2_call_close(struct fb_http2_stream *stream, uint32_t code)
{
    struct fb_http2_call *call = fb_http2_call_of(stream);

    if (call->is_answered && stream->has_all_content) {
        call->err = FB_OK;
    } else if (call->err == FB_OK && code == NGHTTP2_REFUSED_STREAM && !call->has_begun) {
        call->is_refused = true;
        call->err = FB_E_CLOSED;
    } else if (call->err == FB_OK) {
        /* What the server did not end, nghttp2 found a mistake in; or the owner gave it up. */
        call->err = call->was_reset || code == NGHTTP2_NO_ERROR ? FB_E_CLOSED : FB_E_MALFORMED;
    }
}

/* ---- requests out -------------------------------------------------------- */

/* Nothing to do: nghttp2 closes the stream of a request that cannot be sent. */
static int on_not_sent(nghttp2_session *h2, const nghttp2_frame *frame, int code, void *ctx)
{
    (void)h2;
    (void)frame;
    (void)code;
    (void)ctx;
    return 0;
}

uint32_t fb_http2_max_calls(const struct fb_http2_session *session)
{
    if (nghttp2_session_check_request_allowed(session->h2) == 0) {
        return 0;
    }
    uint32_t theirs =
        nghttp2_session_get_remote_settings(session->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return FB_MIN(theirs, session->limits.max_streams);
}

bool fb_http2_has_said(const struct fb_http2_session *session)
{
    return session->has_settings;
}

int fb_http2_ask(struct fb_http2_session *session, struct fb_http2_call *call,
                 const struct fb_http2_ask *ask)
{
    FB_AUTO(fb_freep)
    nghttp2_nv *fields = fb_alloc_array(ask->n_headers + N_PSEUDO + 1, sizeof(*fields));
    const struct http2_field_list list = {ask->headers, ask->n_headers, 0};
    nghttp2_data_provider provider = fb_http2_provider(&call->stream);
    char length[HTTP2_FIELD_MAX_NUMBER];
    size_t n = 0;

    fields[n++] = fb_http2_field(FB_STR(":method"), ask->method);
    fields[n++] = fb_http2_field(FB_STR(":scheme"), ask->scheme);
    fields[n++] = fb_http2_field(FB_STR(":authority"), ask->authority);
    fields[n++] = fb_http2_field(FB_STR(":path"), ask->target);
    n = fb_http2_add_fields(fields, n, &list);
    if (ask->says_length) {
        fields[n++] = fb_http2_field(FB_STR("content-length"),
                                     fb_http2_digits((uint64_t)ask->length, length));
    }
    call->stream.body = ask->body;
    call->stream.length = ask->length;
    int32_t id = nghttp2_submit_request(session->h2, NULL, fields, n,
                                        ask->body != NULL ? &provider : NULL, &call->stream);
    if (id < 0) {
        call->stream.body = NULL;
        return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : FB_E_CLOSED;
    }
    call->stream.id = id;
    fb_http2_guard_asked(session);
    return FB_OK;
}

/* ---- windows ------------------------------------------------------------- */

void fb_http2_call_widen(struct fb_http2_session *session, struct fb_http2_call *call,
                         uint32_t window)
{
    if (!call->stream.is_closed && !call->stream.has_all_content) {
        /* What cannot be announced stays as it was. */
        (void)nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, call->stream.id,
                                                    (int32_t)window);
    }
}

/* ---- life ---------------------------------------------------------------- */

void fb_http2_set_client_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
}

int fb_http2_set_client_settings(struct fb_http2_session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, session->limits.window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->limits.max_head_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, FB_ARRAY_LEN(settings)) <
            0 ||
        nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0,
                                              FB_HTTP2_CALLS_WINDOW) < 0) {
        return -ENOMEM;
    }
    return FB_OK;
}

int fb_http2_client_new(const struct fb_http2_limits *limits, const struct fb_http2_events *events,
                        void *ctx, struct fb_http2_session **ret_session)
{
    static const struct fb_http2_limits presets = {
        .max_head_bytes = 64 * 1024, .max_headers = 100, .max_streams = 100, .window = 1024 * 1024};
    struct fb_http2_limits own = fb_http2_preset(limits, &presets);

    return fb_http2_session_make(&own, events, ctx, true, ret_session);
}
