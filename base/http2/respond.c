/*
 * Heads of responses. The library sees to it that they go out in their turn and what they do to
 * their streams; all it is told of a head is a status of 200, which it writes as one byte. In the
 * place of that go the fields, which so are neither copied nor looked up until they are sent.
 */
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/http2/http2_internal.h"

enum {
    STATUS_OK = 0x88,
    LINE_MARKS = 4,         /* what a line of HTTP/1 has besides the name and the value */
    MAX_FRAME_BYTES = 16384 /* that every client takes */
};

/* ---- in the place of the library's --------------------------------------- */

static void put_fields(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    char *begin = fb_buf_reserve(&session->frames, FB_HPACK_STATUS_ROOM + stream->room_out);
    char *at = begin;

    if (stream->has_continue) {
        stream->has_continue = false;
        at = fb_hpack_put_status(at, 100);
    } else {
        at = fb_hpack_put_status(at, stream->status_out);
        at = fb_hpack_put_all(&session->hpack, at, stream->lined_out, stream->n_lined_out);
        for (size_t i = 0; i < stream->n_fields_out; i++) {
            at = fb_hpack_put(&session->hpack, at, &stream->fields_out[i]);
        }
        stream->status_out = 0;
    }
    fb_buf_add(&session->frames, (size_t)(at - begin));
}

static void write_frame_head(char *at, size_t length, uint8_t type, uint8_t flags)
{
    at[0] = (char)(length >> 16);
    at[1] = (char)(length >> 8);
    at[2] = (char)length;
    at[3] = (char)type;
    at[4] = (char)flags;
}

/* A block that began at `from` with room for the frame's head, and is too long for one frame. */
static void split(struct fb_http2_session *session, size_t from, uint8_t flags)
{
    FB_AUTO(fb_buf_done) struct fb_buf block = {0};
    char head[HTTP2_FRAME_HEAD_BYTES];
    uint8_t type = NGHTTP2_HEADERS;

    fb_buf_append(&block, fb_str_skip(fb_buf_str(&session->frames), from));
    fb_buf_truncate(&session->frames, from);
    memcpy(head, block.ptr, sizeof(head)); /* the stream's number */
    struct fb_str rest = fb_str_skip(fb_buf_str(&block), sizeof(head));
    flags &= (uint8_t)~NGHTTP2_FLAG_END_HEADERS;
    while (rest.len > 0) {
        struct fb_str part = fb_str_first(rest, MAX_FRAME_BYTES);
        rest = fb_str_skip(rest, part.len);
        flags |= rest.len == 0 ? NGHTTP2_FLAG_END_HEADERS : 0;
        write_frame_head(head, part.len, type, flags);
        fb_buf_append(&session->frames, (struct fb_str){head, sizeof(head)});
        fb_buf_append(&session->frames, part);
        type = NGHTTP2_CONTINUATION;
        flags = NGHTTP2_FLAG_NONE;
    }
}

/* The library is about to give a frame, after which the stream may be closed: the fields go to
 * `frames`, with room before them for what that frame has. */
static int on_before_send(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    static const struct fb_str room = {"\0\0\0\0\0\0\0\0", HTTP2_FRAME_HEAD_BYTES};
    struct fb_http2_session *session = ctx;

    (void)h2;
    session->has_head = false;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    struct fb_http2_stream *stream = http2_stream_of(session, frame->hd.stream_id);
    if (stream != NULL && (stream->status_out != 0 || stream->has_continue)) {
        session->has_head = true;
        session->n_before_head = session->frames.len;
        fb_buf_append(&session->frames, room);
        put_fields(session, stream);
    }
    return 0;
}

void fb_http2_set_head_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_before_send);
}

void fb_http2_resize(struct fb_http2_session *session, const nghttp2_settings *settings)
{
    for (size_t i = 0; i < settings->niv; i++) {
        if (settings->iv[i].settings_id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE) {
            fb_hpack_limit(&session->hpack, settings->iv[i].value);
        }
    }
}

/* What stands in the frame before the status: the client has changed its table's size (RFC 7541
 * section 6.3), which it is told to have been seen. */
static void insert(struct fb_http2_session *session, size_t at, struct fb_str bytes)
{
    char *to = fb_buf_reserve(&session->frames, bytes.len);
    char *from = session->frames.ptr + at;

    memmove(from + bytes.len, from, (size_t)(to - from));
    memcpy(from, bytes.ptr, bytes.len);
    fb_buf_add(&session->frames, bytes.len);
}

size_t fb_http2_put_frame(struct fb_http2_session *session, struct fb_str frame)
{
    size_t from = session->n_before_head;

    if (!session->has_head) {
        fb_buf_append(&session->frames, frame);
        return frame.len;
    }
    session->has_head = false;
    FB_REQUIRE((unsigned char)frame.ptr[frame.len - 1] == STATUS_OK);
    memcpy(session->frames.ptr + from, frame.ptr, HTTP2_FRAME_HEAD_BYTES);
    if (frame.len > HTTP2_FRAME_HEAD_BYTES + 1) {
        insert(session, from + HTTP2_FRAME_HEAD_BYTES,
               fb_str_skip(fb_str_first(frame, frame.len - 1), HTTP2_FRAME_HEAD_BYTES));
    }
    size_t length = session->frames.len - from - HTTP2_FRAME_HEAD_BYTES;
    if (length > MAX_FRAME_BYTES) {
        split(session, from, (uint8_t)frame.ptr[4]);
    } else {
        write_frame_head(session->frames.ptr + from, length, NGHTTP2_HEADERS,
                         (uint8_t)frame.ptr[4]);
    }
    return session->frames.len - from;
}

/* ---- responding ---------------------------------------------------------- */

static void note_field(struct fb_http2_stream *stream, struct fb_header *fields,
                       const struct fb_header *field)
{
    fields[stream->n_fields_out++] = *field;
    stream->room_out += field->name.len + field->value.len + FB_HPACK_FIELD_ROOM;
}

/* Notes the fields that may be sent. */
static void note_fields(struct fb_http2_stream *stream, const struct fb_http2_response *response)
{
    size_t max_fields = response->n_headers - response->n_lines + response->n_extra + 1;
    struct fb_header *fields = fb_arena_alloc(stream->arena, max_fields * sizeof(*fields));

    stream->lined_out = response->headers;
    stream->n_lined_out = response->n_lines;
    stream->n_fields_out = 0;
    stream->room_out = response->lines.len + response->n_lines * (FB_HPACK_FIELD_ROOM - LINE_MARKS);
    for (size_t i = response->n_lines; i < response->n_headers; i++) {
        const struct fb_header *header = &response->headers[i];
        if (i < response->n_checked || fb_header_may_be_sent(header)) {
            struct fb_header trimmed = {header->name, fb_str_trim(header->value)};
            note_field(stream, fields, &trimmed);
        }
    }
    for (size_t i = 0; i < response->n_extra; i++) {
        note_field(stream, fields, &response->extra[i]);
    }
    if (response->says_length) {
        char *digits = fb_arena_alloc(stream->arena, FB_TEXT_NUMBER_MAX);
        struct fb_header length = {FB_STR("content-length"),
                                   fb_text_number_at(digits, response->length)};
        note_field(stream, fields, &length);
    }
    stream->fields_out = fields;
    stream->status_out = response->status;
}

void fb_http2_respond(struct fb_http2_session *session, struct fb_http2_stream *stream,
                      const struct fb_http2_response *response)
{
    nghttp2_data_provider provider = fb_http2_provider(stream);
    nghttp2_nv field = fb_http2_field(FB_STR(":status"), FB_STR("200")); /* whatever it is */
    int err = NGHTTP2_ERR_FRAME_SIZE_ERROR;

    FB_REQUIRE(!stream->is_closed);
    FB_REQUIRE(response->n_lines <= response->n_checked);
    stream->body = response->body;
    stream->length = response->length;
    note_fields(stream, response);
    if (stream->room_out <= FB_HTTP2_MAX_RESPONSE_HEAD) {
        err = nghttp2_submit_response(session->h2, stream->id, &field, 1,
                                      response->body != NULL ? &provider : NULL);
    }
    if (err < 0) {
        stream->body_err = FB_E_FOREIGN;
        fb_http2_reset(session, stream);
    }
}

void fb_http2_continue(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    nghttp2_nv field = fb_http2_field(FB_STR(":status"), FB_STR("200")); /* whatever it is */

    /* Without it the client sends its content after a while. */
    stream->has_continue = nghttp2_submit_headers(session->h2, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                                  &field, 1, NULL) == 0;
}
