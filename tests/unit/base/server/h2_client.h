/*
 * An HTTP/2 client for the tests of the server: libnghttp2, which knows the server from the
 * wire alone, and frames by hand for what no client should send.
 */
#pragma once

#include "server_fixture.h"

#include <nghttp2/nghttp2.h>

enum { CLIENT_MAX_REPLIES = 64 };

struct reply {
    int32_t id;
    unsigned status;
    unsigned n_interim; /* heads with a status of 1xx */
    struct fb_buf fields;
    struct fb_buf body;
    bool has_ended;
    bool is_closed;
    uint32_t error; /* once closed */
};

struct client {
    struct wire *wire;
    nghttp2_session *session;
    struct reply replies[CLIENT_MAX_REPLIES];
    size_t n_replies;
    int32_t first_ended; /* the stream that was whole first */
    unsigned n_goaways;
    int32_t goaway_last;
    uint32_t goaway_error;
    struct fb_str content; /* of the request that is sent */
    size_t n_read;
};

/* ---- what comes ---------------------------------------------------------- */

static inline struct reply *reply_of(struct client *client, int32_t id)
{
    for (size_t i = 0; i < client->n_replies; i++) {
        if (client->replies[i].id == id) {
            return &client->replies[i];
        }
    }
    return NULL;
}

static inline int client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                   const uint8_t *name, size_t name_len, const uint8_t *value,
                                   size_t value_len, uint8_t flags, void *ctx)
{
    struct reply *reply = reply_of(ctx, frame->hd.stream_id);
    struct fb_str text = {(const char *)name, name_len};

    (void)session;
    (void)flags;
    if (reply == NULL) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (fb_str_equal(text, FB_STR(":status"))) {
        uint64_t status = 0;
        assert_int_equal(fb_str_to_u64((struct fb_str){(const char *)value, value_len}, &status),
                         FB_OK);
        reply->n_interim += status < 200 ? 1 : 0;
        reply->status = (unsigned)status;
    } else {
        fb_buf_printf(&reply->fields, "%.*s: %.*s\n", (int)name_len, (const char *)name,
                      (int)value_len, (const char *)value);
    }
    return 0;
}

static inline int client_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                                 const uint8_t *data, size_t len, void *ctx)
{
    struct reply *reply = reply_of(ctx, id);

    (void)session;
    (void)flags;
    if (reply == NULL) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    fb_buf_append(&reply->body, (struct fb_str){(const char *)data, len});
    return 0;
}

static inline int client_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct client *client = ctx;
    struct reply *reply = reply_of(client, frame->hd.stream_id);

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->n_goaways++;
        client->goaway_last = frame->goaway.last_stream_id;
        client->goaway_error = frame->goaway.error_code;
    } else if (reply != NULL &&
               (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        reply->has_ended |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (reply->has_ended && client->first_ended == 0) {
            client->first_ended = reply->id;
        }
    }
    return 0;
}

static inline int client_on_close(nghttp2_session *session, int32_t id, uint32_t error, void *ctx)
{
    struct reply *reply = reply_of(ctx, id);

    (void)session;
    if (reply != NULL) {
        reply->is_closed = true;
        reply->error = error;
    }
    return 0;
}

/* ---- to and fro ---------------------------------------------------------- */

static inline void client_take(struct client *client)
{
    struct fb_buf *received = &client->wire->received;

    if (received->len > 0) {
        ssize_t n = nghttp2_session_mem_recv(client->session, (const uint8_t *)received->ptr,
                                             received->len);
        assert_int_equal(n, received->len);
        fb_buf_clear(received);
    }
}

/* Sends all there is, and takes all that comes of it. */
static inline void client_turn(struct client *client)
{
    struct fb_buf out = {0};
    const uint8_t *bytes = NULL;
    ssize_t n = 0;

    do {
        fb_buf_clear(&out);
        while ((n = nghttp2_session_mem_send(client->session, &bytes)) > 0) {
            fb_buf_append(&out, (struct fb_str){(const char *)bytes, (size_t)n});
        }
        if (out.len > 0 && client->wire->end == FB_OK) {
            wire_send_bytes(client->wire, fb_buf_str(&out));
        } else {
            wire_turn(client->wire);
        }
        client_take(client);
    } while (out.len > 0);
    fb_buf_done(&out);
}

static inline void client_advance_ms(struct client *client, uint64_t ms)
{
    test_clock_advance_ms(&client->wire->clock, ms);
    client_turn(client);
}

/* With `window` the client gives no stream more than that, ever. */
static inline void client_init(struct client *client, struct wire *wire, uint32_t window)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};

    *client = (struct client){.wire = wire};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, window != 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_on_close);
    assert_int_equal(nghttp2_session_client_new2(&client->session, callbacks, client, option), 0);
    assert_int_equal(nghttp2_submit_settings(client->session, 0, &entry, window != 0 ? 1 : 0), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
}

static inline void client_done(struct client *client)
{
    for (size_t i = 0; i < client->n_replies; i++) {
        fb_buf_done(&client->replies[i].fields);
        fb_buf_done(&client->replies[i].body);
    }
    nghttp2_session_del(client->session);
}

/* ---- requests ------------------------------------------------------------ */

static inline nghttp2_nv client_field(const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes;
    } name_ptr = {.text = name}, value_ptr = {.text = value};

    return (nghttp2_nv){.name = name_ptr.bytes,
                        .namelen = strlen(name),
                        .value = value_ptr.bytes,
                        .valuelen = strlen(value)};
}

static inline ssize_t client_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                                  uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct client *client = ctx;
    size_t n = FB_MIN(length, client->content.len - client->n_read);

    (void)session;
    (void)id;
    (void)source;
    memcpy(buf, client->content.ptr + client->n_read, n);
    client->n_read += n;
    *flags |= client->n_read == client->content.len ? NGHTTP2_DATA_FLAG_EOF : 0;
    return (ssize_t)n;
}

/* Queues a request; `name` with `value` is one more field, or NULL; `content` may be NULL. */
static inline struct reply *client_ask(struct client *client, const char *method, const char *path,
                                       const char *name, const char *value,
                                       const struct fb_str *content)
{
    nghttp2_nv fields[5] = {client_field(":method", method), client_field(":scheme", "http"),
                            client_field(":authority", "a"), client_field(":path", path)};
    nghttp2_data_provider provider = {.read_callback = client_read};
    struct reply *reply = &client->replies[client->n_replies++];

    assert_true(client->n_replies <= CLIENT_MAX_REPLIES);
    if (name != NULL) {
        fields[4] = client_field(name, value);
    }
    if (content != NULL) {
        client->content = *content;
        client->n_read = 0;
    }
    reply->id = nghttp2_submit_request(client->session, NULL, fields, name != NULL ? 5 : 4,
                                       content != NULL ? &provider : NULL, NULL);
    assert_true(reply->id > 0);
    return reply;
}

static inline struct reply *client_get(struct client *client, const char *path)
{
    struct reply *reply = client_ask(client, "GET", path, NULL, NULL, NULL);

    client_turn(client);
    return reply;
}

/* ---- frames by hand ------------------------------------------------------ */

static inline void frame_add(struct fb_buf *buf, unsigned type, unsigned flags, uint32_t id,
                             struct fb_str payload)
{
    const unsigned char head[9] = {
        (unsigned char)(payload.len >> 16),
        (unsigned char)(payload.len >> 8),
        (unsigned char)payload.len,
        (unsigned char)type,
        (unsigned char)flags,
        (unsigned char)(id >> 24),
        (unsigned char)(id >> 16),
        (unsigned char)(id >> 8),
        (unsigned char)id,
    };

    fb_buf_append(buf, (struct fb_str){(const char *)head, sizeof(head)});
    fb_buf_append(buf, payload);
}

/* The preface with empty settings, and the fields of a GET for / of the host "a". */
#define PREFACE FB_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
#define GET_BLOCK                 \
    FB_STR("\x82\x86\x84\x41\x01" \
           "a")

/* The error code of the last frame of `type` that came, RST_STREAM or GOAWAY; -1: none. */
static inline int64_t frame_error(const struct wire *wire, unsigned type)
{
    struct fb_str rest = fb_buf_str(&wire->received);
    int64_t error = -1;

    while (rest.len >= 9) {
        const unsigned char *head = (const unsigned char *)rest.ptr;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        const unsigned char *code = head + 9 + (type == NGHTTP2_GOAWAY ? 4 : 0);
        if (head[3] == type && rest.len >= 9 + len) {
            error = (int64_t)code[0] << 24 | code[1] << 16 | code[2] << 8 | code[3];
        }
        rest = fb_str_skip(rest, 9 + len);
    }
    return error;
}

/* ---- frames as literal bytes --------------------------------------------- */

static inline struct fb_buf begun(void)
{
    struct fb_buf bytes = {0};

    fb_buf_append(&bytes, PREFACE);
    return bytes;
}

/* Sends all in pieces, as they would come from the network. */
static inline void send_frames(struct fixture *f, struct fb_buf *bytes)
{
    struct fb_str rest = fb_buf_str(bytes);

    while (rest.len > 0 && f->wire.end == FB_OK) {
        struct fb_str piece = fb_str_first(rest, 1000);
        wire_send_bytes(&f->wire, piece);
        rest = fb_str_skip(rest, piece.len);
    }
    fb_buf_done(bytes);
}

static inline void add_post(struct fb_buf *bytes)
{
    frame_add(bytes, NGHTTP2_HEADERS, 4, 1,
              FB_STR("\x83\x86\x44\x05/echo\x41\x01"
                     "a"));
}
