#include "base/http2/session.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http2/http2_internal.h"

#include <errno.h>

enum { MAX_QUEUED_FRAMES = 256 };

static struct fb_str str_of(const uint8_t *bytes, size_t len)
{
    return (struct fb_str){(const char *)bytes, len};
}

/* ---- frames in ----------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct fb_http2_session *session = ctx;
    int32_t id = frame->hd.stream_id;

    fb_http2_guard_head(session);
    session->newest = NULL;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    struct fb_http2_stream *stream = session->events.opened(session->ctx);
    if (stream == NULL) {
        return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    stream->id = id;
    stream->request.method = FB_METHOD_OTHER;
    session->newest = stream;
    return nghttp2_session_set_stream_user_data(h2, id, stream);
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2's type */
static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    struct fb_http2_session *session = ctx;

    (void)h2;
    (void)frame;
    (void)flags;
    if (!fb_http2_guard_field(session, name_len + value_len)) {
        return NGHTTP2_ERR_PAUSE;
    }
    if (session->newest != NULL) { /* else it is a trailer's, or of a stream that is refused */
        fb_http2_request_field(session, session->newest, str_of(name, name_len),
                               str_of(value, value_len));
    }
    return 0;
}

/* Without this nghttp2 would pass over what is no field, as if it were not there. */
/* NOLINTNEXTLINE(readability-function-size): nghttp2's type */
static int on_invalid_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *ctx)
{
    struct fb_http2_stream *stream = http2_stream_of(ctx, frame->hd.stream_id);

    (void)h2;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    if (stream == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->status = 400;
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = http2_stream_of(session, id);

    (void)flags;
    if (session->is_client) {
        /* A stream that nobody reads must not hold up the others: its own window bounds it. */
        int err = nghttp2_session_consume_connection(h2, len);
        if (err < 0 || stream == NULL) {
            return err;
        }
    }
    if (stream == NULL) {
        return nghttp2_session_consume(h2, id, len);
    }
    session->events.content(session->ctx, stream, str_of(data, len));
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = http2_stream_of(session, frame->hd.stream_id);
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    (void)h2;
    if (frame->hd.type == NGHTTP2_DATA && !is_last && frame->data.padlen > 0 &&
        frame->hd.length <= frame->data.padlen + 1) {
        fb_http2_guard_tiny(session);
    }
    if (frame->hd.type == NGHTTP2_SETTINGS) {
        fb_http2_resize(session, &frame->settings);
    }
    if (stream == NULL || stream->is_closed) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        fb_http2_request_finish(session, stream, !is_last);
        session->events.requested(session->ctx, stream);
    } else if (is_last && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        stream->has_all_content = true;
        session->events.content(session->ctx, stream, FB_STR_NONE);
    }
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = http2_stream_of(session, id);

    (void)h2;
    if (stream != NULL) {
        session->newest = session->newest == stream ? NULL : session->newest;
        fb_http2_drop_slices(session, stream);
        fb_buf_done(&stream->cookie);
        stream->body = NULL;
        stream->is_closed = true;
        if (session->is_client) {
            fb_http2_call_close(stream, code);
        }
        session->events.closed(session->ctx, stream);
    }
    return 0;
}

/* ---- frames out ---------------------------------------------------------- */

static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct fb_http2_session *session = ctx;

    (void)h2;
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        struct fb_http2_stream *stream = http2_stream_of(session, frame->hd.stream_id);
        if (stream != NULL) {
            stream->has_ended = true;
            session->events.ended(session->ctx, stream);
        }
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        uint32_t code = frame->rst_stream.error_code;
        if (code == NGHTTP2_REFUSED_STREAM && !session->is_client) {
            session->events.refused(session->ctx);
        }
        if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL) {
            fb_http2_guard_reset(session); /* a mistake of the peer's */
        }
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
               session->guard.fault == FB_HTTP2_FAULT_NONE) {
        session->guard.fault = FB_HTTP2_FAULT_PROTOCOL;
        session->is_told = true;
    }
    return 0;
}

/* A response whose head is not sent, though its stream lives, would never come nor end. */
static int on_not_sent(nghttp2_session *h2, const nghttp2_frame *frame, int code, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = http2_stream_of(session, frame->hd.stream_id);

    (void)h2;
    if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL && code != NGHTTP2_ERR_STREAM_CLOSING) {
        stream->body_err = FB_E_FOREIGN;
        fb_http2_reset(session, stream);
    }
    return 0;
}

/* ---- life ---------------------------------------------------------------- */

static int set_up_server(struct fb_http2_session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->limits.max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, FB_HTTP2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->limits.max_head_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    int err =
        nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, FB_ARRAY_LEN(settings));
    return err < 0 ? -ENOMEM : FB_OK;
}

static int set_up(struct fb_http2_session *session, nghttp2_session_callbacks *callbacks,
                  nghttp2_option *option)
{
    nghttp2_mem memory = fb_http2_memory_init(&session->memory);

    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    fb_http2_set_send_callbacks(callbacks);
    fb_http2_set_head_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    nghttp2_option_set_max_send_header_block_length(option, FB_HTTP2_MAX_RESPONSE_HEAD);
    nghttp2_option_set_max_outbound_ack(option, MAX_QUEUED_FRAMES);
    if (session->is_client) {
        fb_http2_set_client_callbacks(callbacks);
        int err = nghttp2_session_client_new3(&session->h2, callbacks, session, option, &memory);
        return err < 0 ? -ENOMEM : fb_http2_set_client_settings(session);
    }
    int err = nghttp2_session_server_new3(&session->h2, callbacks, session, option, &memory);
    return err < 0 ? -ENOMEM : set_up_server(session);
}

struct fb_http2_limits fb_http2_preset(const struct fb_http2_limits *limits,
                                       const struct fb_http2_limits *presets)
{
    struct fb_http2_limits own = *limits;

    own.max_head_bytes = own.max_head_bytes != 0 ? own.max_head_bytes : presets->max_head_bytes;
    own.max_headers = own.max_headers != 0 ? own.max_headers : presets->max_headers;
    own.max_streams = own.max_streams != 0 ? own.max_streams : presets->max_streams;
    own.window = own.window != 0 ? own.window : presets->window;
    return own;
}

int fb_http2_session_make(const struct fb_http2_limits *limits,
                          const struct fb_http2_events *events, void *ctx, bool is_client,
                          struct fb_http2_session **ret_session)
{
    struct fb_http2_session *session = NULL;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int err = -ENOMEM;

    session = FB_NEW(struct fb_http2_session);
    session->limits = *limits;
    session->events = *events;
    session->ctx = ctx;
    session->is_client = is_client;
    fb_http2_guard_init(session);
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        err = set_up(session, callbacks, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (err < 0) {
        fb_http2_session_free(session);
        return err;
    }
    *ret_session = session;
    return FB_OK;
}

int fb_http2_session_new(const struct fb_http2_limits *limits, const struct fb_http2_events *events,
                         void *ctx, struct fb_http2_session **ret_session)
{
    static const struct fb_http2_limits presets = {
        .max_head_bytes = 32 * 1024, .max_headers = 100, .max_streams = 128, .window = 1024 * 1024};
    struct fb_http2_limits own = fb_http2_preset(limits, &presets);

    return fb_http2_session_make(&own, events, ctx, false, ret_session);
}

void fb_http2_session_free(struct fb_http2_session *session)
{
    if (session == NULL) {
        return;
    }
    fb_http2_sent(session);
    nghttp2_session_del(session->h2);
    fb_http2_memory_trim(&session->memory);
    fb_hpack_done(&session->hpack);
    fb_buf_done(&session->frames);
    fb_free(session->kept);
    fb_free(session);
}

void fb_http2_rest(struct fb_http2_session *session)
{
    fb_http2_memory_trim(&session->memory);
    fb_hpack_done(&session->hpack); /* the client may remember what it likes */
    if (!session->is_gathered) {
        fb_buf_done(&session->frames);
        fb_free(session->kept);
        session->kept = NULL;
        session->max_kept = 0;
    }
}

void fb_http2_stream_done(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    fb_http2_drop_slices(session, stream);
    fb_buf_done(&stream->cookie);
    stream->body = NULL;
}

/* ---- in ------------------------------------------------------------------ */

void fb_http2_tell_fault(struct fb_http2_session *session)
{
    if (session->guard.fault != FB_HTTP2_FAULT_NONE && !session->is_told) {
        session->is_told = true;
        /* Without memory it is cut without a word. */
        (void)nghttp2_session_terminate_session(session->h2, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

static int failure(struct fb_http2_session *session, ssize_t code)
{
    enum fb_http2_fault fault = FB_HTTP2_FAULT_PROTOCOL;

    if (code == NGHTTP2_ERR_NOMEM) {
        return -ENOMEM;
    }
    if (code == NGHTTP2_ERR_FLOODED) {
        fault = FB_HTTP2_FAULT_CONTROL;
    } else if (code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
        fault = FB_HTTP2_FAULT_FIELDS;
    }
    if (session->guard.fault == FB_HTTP2_FAULT_NONE) {
        session->guard.fault = fault;
    }
    return FB_E_MALFORMED;
}

int fb_http2_receive(struct fb_http2_session *session, struct fb_str bytes, uint64_t now_ms)
{
    session->now_ms = now_ms;
    if (session->guard.fault == FB_HTTP2_FAULT_NONE) {
        fb_http2_guard_bytes(session, bytes);
        ssize_t n = nghttp2_session_mem_recv(session->h2, (const uint8_t *)bytes.ptr, bytes.len);
        if (n < 0) {
            return failure(session, n);
        }
    }
    fb_http2_tell_fault(session);
    return FB_OK;
}

enum fb_http2_fault fb_http2_fault(const struct fb_http2_session *session)
{
    return session->guard.fault;
}

bool fb_http2_is_clogged(const struct fb_http2_session *session)
{
    return nghttp2_session_get_outbound_queue_size(session->h2) > MAX_QUEUED_FRAMES;
}

bool fb_http2_is_over(const struct fb_http2_session *session)
{
    return nghttp2_session_want_read(session->h2) == 0 &&
           nghttp2_session_want_write(session->h2) == 0;
}

void fb_http2_shut_down(struct fb_http2_session *session, bool is_final)
{
    /* Without memory the connection is cut later, without a word. */
    if (is_final) {
        (void)nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE,
                                    nghttp2_session_get_last_proc_stream_id(session->h2),
                                    NGHTTP2_NO_ERROR, NULL, 0);
    } else {
        (void)nghttp2_submit_shutdown_notice(session->h2);
    }
}

/* ---- a request's content ------------------------------------------------- */

void fb_http2_widen(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    if (stream->is_closed || stream->has_all_content) {
        return;
    }
    /* What cannot be announced stays as it was. */
    (void)nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, stream->id,
                                                (int32_t)session->limits.window);
    (void)nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)session->limits.window);
}

void fb_http2_use(struct fb_http2_session *session, struct fb_http2_stream *stream, size_t n)
{
    if (n == 0) {
        return;
    }
    if (session->is_client) {
        if (!stream->is_closed) {
            (void)nghttp2_session_consume_stream(session->h2, stream->id, n);
        }
    } else if (stream->is_closed) {
        (void)nghttp2_session_consume_connection(session->h2, n); /* or the window stays small */
    } else {
        (void)nghttp2_session_consume(session->h2, stream->id, n);
    }
}
