#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http2/http2_internal.h"

/* ---- slices -------------------------------------------------------------- */

/* Keeps a slice until what was gathered is sent. */
static void keep(struct fb_http2_session *session, struct fb_slice *slice)
{
    if (!session->is_gathered) {
        fb_slice_release(slice);
        return;
    }
    if (session->n_kept == session->max_kept) {
        session->max_kept = session->max_kept == 0 ? FB_HTTP2_MAX_PIECES : 2 * session->max_kept;
        session->kept = fb_realloc(session->kept, session->max_kept * sizeof(*session->kept));
    }
    session->kept[session->n_kept++] = *slice;
    *slice = (struct fb_slice){0};
}

void fb_http2_drop_slices(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    for (size_t i = 0; i < stream->n_slices; i++) {
        keep(session, &stream->slices[i]);
    }
    stream->n_slices = 0;
    stream->n_used = 0;
}

/* Bytes taken and not gathered. */
static size_t available(const struct fb_http2_stream *stream)
{
    size_t n = 0;

    for (size_t i = 0; i < stream->n_slices; i++) {
        n += stream->slices[i].bytes.len;
    }
    return n - stream->n_used;
}

static int take_slice(struct fb_http2_stream *stream)
{
    struct fb_slice *slice = &stream->slices[stream->n_slices];

    if (stream->length != FB_LENGTH_UNKNOWN && stream->n_taken == (uint64_t)stream->length) {
        stream->body_ended = true;
        return FB_E_END;
    }
    int err = stream->body != NULL ? fb_reader_next(stream->body, slice) : FB_E_CLOSED;
    if (err == FB_E_END) {
        stream->body_ended = true;
        return stream->length == FB_LENGTH_UNKNOWN ? FB_E_END : FB_E_CORRUPT;
    }
    if (err < 0) {
        return err;
    }
    stream->n_slices++;
    stream->n_taken += slice->bytes.len;
    bool is_over =
        stream->length != FB_LENGTH_UNKNOWN && stream->n_taken > (uint64_t)stream->length;
    return is_over ? FB_E_CORRUPT : FB_OK;
}

/* ---- content out --------------------------------------------------------- */

/* How much of the stream's content the next frame has. */
/* NOLINTNEXTLINE(readability-function-size, readability-non-const-parameter): nghttp2's type */
static ssize_t on_read(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t length,
                       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = source->ptr;
    size_t n_available = available(stream);
    int err = FB_OK;

    (void)h2;
    (void)id;
    (void)buf;
    while (err == FB_OK && n_available < length && stream->n_slices < FB_HTTP2_STREAM_SLICES) {
        err = take_slice(stream);
        n_available = available(stream);
    }
    if (err < 0 && err != FB_E_LATER && err != FB_E_END) {
        stream->body_err = err;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    size_t n = FB_MIN(n_available, length);
    bool is_given = stream->length == FB_LENGTH_UNKNOWN
                        ? stream->body_ended
                        : stream->n_taken == (uint64_t)stream->length;
    bool is_last = is_given && n == n_available;
    if (n == 0 && !is_last) {
        stream->waits_for_body = true;
        session->events.waiting(session->ctx, stream);
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |=
        (uint32_t)NGHTTP2_DATA_FLAG_NO_COPY | (is_last ? (uint32_t)NGHTTP2_DATA_FLAG_EOF : 0U);
    return (ssize_t)n;
}

static void add_piece(struct fb_http2_session *session, struct fb_str piece)
{
    FB_REQUIRE(session->pieces != NULL && session->n_pieces < FB_HTTP2_MAX_PIECES);
    session->pieces[session->n_pieces++] = piece;
}

/* The last `n` bytes of `frames` are new. */
static void add_frames(struct fb_http2_session *session, size_t n)
{
    struct fb_str *last = session->n_pieces > 0 ? &session->pieces[session->n_pieces - 1] : NULL;

    if (last != NULL && last->ptr == NULL) {
        last->len += n;
    } else {
        add_piece(session, (struct fb_str){NULL, n});
    }
}

/* Adds the next `n` bytes of the stream's slices. */
static void add_content(struct fb_http2_session *session, struct fb_http2_stream *stream, size_t n)
{
    while (n > 0) {
        struct fb_slice *slice = &stream->slices[0];
        struct fb_str piece = fb_str_first(fb_str_skip(slice->bytes, stream->n_used), n);
        add_piece(session, piece);
        session->n_bytes += piece.len;
        stream->n_used += piece.len;
        n -= piece.len;
        if (stream->n_used == slice->bytes.len) {
            keep(session, slice);
            stream->n_slices--;
            for (size_t i = 0; i < stream->n_slices; i++) {
                stream->slices[i] = stream->slices[i + 1];
            }
            stream->slices[stream->n_slices] = (struct fb_slice){0};
            stream->n_used = 0;
        }
    }
}

static bool is_full(const struct fb_http2_session *session)
{
    /* A frame is its head and as many pieces as a stream has slices. */
    return session->n_pieces + FB_HTTP2_STREAM_SLICES + 1 > FB_HTTP2_MAX_PIECES ||
           session->n_bytes >= session->max_bytes || session->frames.len >= HTTP2_MAX_FRAMES_BYTES;
}

static int on_send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *ctx)
{
    struct fb_http2_session *session = ctx;
    struct fb_http2_stream *stream = source->ptr;

    (void)h2;
    if (stream->gathering != session->gathering) {
        stream->gathering = session->gathering;
        stream->n_before = stream->n_gathered;
    }
    stream->n_gathered += length;
    fb_buf_append(&session->frames, (struct fb_str){(const char *)head, HTTP2_FRAME_HEAD_BYTES});
    add_frames(session, HTTP2_FRAME_HEAD_BYTES);
    add_content(session, stream, length);
    fb_http2_guard_sent(session);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream->has_ended = true;
        session->events.ended(session->ctx, stream);
    }
    /* No further frame is begun: next time there may be something more urgent. */
    return is_full(session) ? NGHTTP2_ERR_PAUSE : 0;
}

void fb_http2_set_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
}

/* ---- gathering ----------------------------------------------------------- */

size_t fb_http2_gather(struct fb_http2_session *session, size_t max_bytes, struct fb_str *pieces)
{
    const uint8_t *bytes = NULL;
    const char *at = NULL;
    ssize_t n = 1;

    FB_REQUIRE(!session->is_gathered);
    session->is_gathered = true;
    session->gathering++;
    session->pieces = pieces;
    session->n_pieces = 0;
    session->n_bytes = 0;
    session->max_bytes = max_bytes;
    fb_buf_clear(&session->frames);
    fb_http2_tell_fault(session);
    while (n > 0 && !is_full(session)) {
        n = nghttp2_session_mem_send(session->h2, &bytes);
        if (n > 0) {
            struct fb_str frame = {(const char *)bytes, (size_t)n};
            add_frames(session, fb_http2_put_frame(session, frame));
        }
    }
    at = session->frames.ptr;
    for (size_t i = 0; i < session->n_pieces; i++) {
        if (pieces[i].ptr == NULL) {
            pieces[i].ptr = at;
            at += pieces[i].len;
        }
    }
    session->pieces = NULL;
    if (session->n_pieces == 0) {
        fb_http2_sent(session);
    }
    return session->n_pieces;
}

void fb_http2_sent(struct fb_http2_session *session)
{
    session->is_gathered = false;
    for (size_t i = 0; i < session->n_kept; i++) {
        fb_slice_release(&session->kept[i]);
    }
    session->n_kept = 0;
}

uint64_t fb_http2_n_sent(const struct fb_http2_session *session,
                         const struct fb_http2_stream *stream)
{
    bool is_under_way = session->is_gathered && stream->gathering == session->gathering;

    return is_under_way ? stream->n_before : stream->n_gathered;
}

/* ---- slow clients -------------------------------------------------------- */

bool fb_http2_is_blocked(const struct fb_http2_session *session,
                         const struct fb_http2_stream *stream)
{
    if (stream->is_closed || stream->body == NULL || stream->has_ended || stream->waits_for_body) {
        return false;
    }
    return nghttp2_session_get_remote_window_size(session->h2) <= 0 ||
           nghttp2_session_get_stream_remote_window_size(session->h2, stream->id) <= 0;
}

void fb_http2_retract(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    size_t n = available(stream);

    if (n == 0 || stream->body == NULL || !fb_reader_can_unread(stream->body)) {
        return;
    }
    fb_http2_drop_slices(session, stream);
    fb_reader_unread(stream->body, n);
    stream->n_taken -= n;
    stream->body_ended = false;
}

/* ---- for heads ----------------------------------------------------------- */

nghttp2_nv fb_http2_field(struct fb_str name, struct fb_str value)
{
    /* nghttp2 copies what its type says it might write. */
    union {
        const char *borrowed;
        uint8_t *bytes;
    } name_ptr = {.borrowed = name.ptr}, value_ptr = {.borrowed = value.ptr};

    return (nghttp2_nv){.name = name_ptr.bytes,
                        .namelen = name.len,
                        .value = value_ptr.bytes,
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

size_t fb_http2_add_fields(nghttp2_nv *fields, size_t n_fields, const struct http2_field_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct fb_header *header = &list->headers[i];
        if (i < list->n_checked || fb_header_may_be_sent(header)) {
            fields[n_fields++] = fb_http2_field(header->name, fb_str_trim(header->value));
        }
    }
    return n_fields;
}

struct fb_str fb_http2_digits(uint64_t number, char text[HTTP2_FIELD_MAX_NUMBER])
{
    size_t at = HTTP2_FIELD_MAX_NUMBER;

    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct fb_str){text + at, HTTP2_FIELD_MAX_NUMBER - at};
}

nghttp2_data_provider fb_http2_provider(struct fb_http2_stream *stream)
{
    return (nghttp2_data_provider){.source = {.ptr = stream}, .read_callback = on_read};
}

/* ---- the end ------------------------------------------------------------- */

void fb_http2_reset(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    uint32_t code = session->is_client  ? NGHTTP2_CANCEL
                    : stream->has_ended ? NGHTTP2_NO_ERROR
                                        : NGHTTP2_INTERNAL_ERROR;

    if (!stream->is_closed) {
        /* Without memory it ends with its connection. */
        (void)nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, stream->id, code);
    }
}

void fb_http2_resume(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    stream->waits_for_body = false;
    if (!stream->is_closed) {
        (void)nghttp2_session_resume_data(session->h2, stream->id); /* or it is not deferred */
    }
}
