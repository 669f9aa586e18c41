/*
 * What the files of base/http2 share.
 *
 * session.c   life, frames in, the end of streams
 * request.c   heads of requests
 * response.c  content out, gathering
 * respond.c   heads of responses out
 * hpack.c     their encoding
 * client.c    the other side: requests out, heads of responses in
 * guard.c     what a peer may do that only makes work
 * memory.c    what the library allocates
 */
#pragma once

#include "base/core/buf.h"
#include "base/http2/client.h"
#include "base/http2/hpack.h"
#include "base/http2/session.h"

#include <nghttp2/nghttp2.h>

enum {
    HTTP2_FRAME_HEAD_BYTES = 9,
    HTTP2_MAX_FRAMES_BYTES = 32 * 1024, /* of frames without content in one gathering */
    HTTP2_MAX_CONTINUATIONS = 8,
    HTTP2_FIELD_MAX_NUMBER = 24,
    HTTP2_MAX_KNOWN_HOST = 64,
    HTTP2_BOMB_FACTOR = 8, /* this many times the limit of a head ends the connection */
    HTTP2_N_STEPS = 16     /* of sizes of small blocks */
};

/* Small blocks that the library gave back. */
struct http2_memory {
    struct http2_block *kept[HTTP2_N_STEPS]; /* owned */
    size_t n_bytes;
};

/* Tokens that come back with time. */
struct http2_bucket {
    uint64_t millis; /* thousandths of a token */
    uint64_t since_ms;
};

struct http2_guard {
    uint8_t head[HTTP2_FRAME_HEAD_BYTES]; /* of the frame that comes next, so far as it is here */
    size_t n_head;
    size_t n_payload; /* of the frame that came last, still to come */
    struct http2_bucket resets;
    struct http2_bucket control;
    unsigned n_continuations; /* of this head */
    size_t n_field_bytes;     /* of this head, kept or not */
    enum fb_http2_fault fault;
};

struct fb_http2_session {
    struct http2_memory memory;
    nghttp2_session *h2; /* owned */
    struct fb_http2_limits limits;
    struct fb_http2_events events;
    void *ctx;
    uint64_t now_ms;
    struct http2_guard guard;
    bool is_told; /* the peer, of the fault */
    bool is_client;
    bool has_settings;              /* of the server's, of a client */
    struct fb_http2_stream *newest; /* whose head comes, or came last; NULL: none that lives */

    char host[HTTP2_MAX_KNOWN_HOST]; /* the last that was found valid, or empty */
    size_t n_host;

    /* Heads of responses. */
    struct fb_hpack hpack;
    bool has_head;        /* one is in `frames` whose frame the library gives next */
    size_t n_before_head; /* of `frames` */

    /* The gathering. */
    uint64_t gathering; /* how many there were */
    bool is_gathered;   /* one is under way */
    struct fb_str *pieces;
    size_t n_pieces; /* those with ptr NULL are parts of `frames`, in order */
    size_t n_bytes;
    size_t max_bytes;
    struct fb_buf frames;
    struct fb_slice *kept; /* owned; released when all is sent */
    size_t n_kept;
    size_t max_kept;
};

static inline struct fb_http2_stream *http2_stream_of(struct fb_http2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session->h2, id);
}

/* ---- guard.c ------------------------------------------------------------- */

void fb_http2_guard_init(struct fb_http2_session *session);

/* These bytes came, which are looked at before the library sees them: what it passes over without
 * a word (frames of unknown types, and of streams that are no more) is work all the same. */
void fb_http2_guard_bytes(struct fb_http2_session *session, struct fb_str bytes);

/* A DATA frame was all padding, or nearly. */
void fb_http2_guard_tiny(struct fb_http2_session *session);

/* A reset that the client asked for, by a frame or a mistake. */
void fb_http2_guard_reset(struct fb_http2_session *session);

/* A head begins; `n` bytes of a field came. False when there is no end to them. */
void fb_http2_guard_head(struct fb_http2_session *session);
FB_MUST_CHECK bool fb_http2_guard_field(struct fb_http2_session *session, size_t n);

/* Content was sent, which frames of the peer answer; or a request. */
void fb_http2_guard_sent(struct fb_http2_session *session);
void fb_http2_guard_asked(struct fb_http2_session *session);

/* ---- memory.c ------------------------------------------------------------ */

/* For the library; borrows `memory`, which is zero. */
nghttp2_mem fb_http2_memory_init(struct http2_memory *memory);

/* Frees what is kept. */
void fb_http2_memory_trim(struct http2_memory *memory);

/* ---- session.c ----------------------------------------------------------- */

/* `limits`, with the preset in place of each zero. */
struct fb_http2_limits fb_http2_preset(const struct fb_http2_limits *limits,
                                       const struct fb_http2_limits *presets);

/* Either side's; as fb_http2_session_new(), with limits that have no zeros. */
FB_MUST_CHECK int fb_http2_session_make(const struct fb_http2_limits *limits,
                                        const struct fb_http2_events *events, void *ctx,
                                        bool is_client, struct fb_http2_session **ret_session);

/* Tells the peer, once, why nothing more is read. */
void fb_http2_tell_fault(struct fb_http2_session *session);

/* ---- request.c ----------------------------------------------------------- */

/* A field came. */
void fb_http2_request_field(struct fb_http2_session *session, struct fb_http2_stream *stream,
                            struct fb_str name, struct fb_str value);

/* The head is complete. */
void fb_http2_request_finish(struct fb_http2_session *session, struct fb_http2_stream *stream,
                             bool has_content);

/* ---- response.c ---------------------------------------------------------- */

void fb_http2_set_send_callbacks(nghttp2_session_callbacks *callbacks);

/* The stream will send no more: lets go of what it took. */
void fb_http2_drop_slices(struct fb_http2_session *session, struct fb_http2_stream *stream);

/* What `headers` may be sent, after the `n_fields` that `fields` has; the first `n_checked` are
 * known to be fit. Returns how many there are then. */
struct http2_field_list {
    const struct fb_header *headers;
    size_t n;
    size_t n_checked;
};
nghttp2_nv fb_http2_field(struct fb_str name, struct fb_str value);
size_t fb_http2_add_fields(nghttp2_nv *fields, size_t n_fields,
                           const struct http2_field_list *list);

/* Decimal digits at the end of `text`. */
struct fb_str fb_http2_digits(uint64_t number, char text[HTTP2_FIELD_MAX_NUMBER]);

/* What nghttp2 asks for the content of what is sent; its source is a struct fb_http2_stream. */
nghttp2_data_provider fb_http2_provider(struct fb_http2_stream *stream);

/* ---- client.c ------------------------------------------------------------ */

void fb_http2_set_client_callbacks(nghttp2_session_callbacks *callbacks);
FB_MUST_CHECK int fb_http2_set_client_settings(struct fb_http2_session *session);

/* The stream is closed with `code`: what that says of the response. */
void fb_http2_call_close(struct fb_http2_stream *stream, uint32_t code);

/* ---- respond.c ----------------------------------------------------------- */

void fb_http2_set_head_callbacks(nghttp2_session_callbacks *callbacks);

/* The client's settings, which have come, are in force. */
void fb_http2_resize(struct fb_http2_session *session, const nghttp2_settings *settings);

/* Adds what the library wants to send, which is not content, to `frames`; returns how many bytes
 * of them are new. */
size_t fb_http2_put_frame(struct fb_http2_session *session, struct fb_str frame);
