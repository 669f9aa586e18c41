/*
 * An upstream that speaks HTTP/2, beside the literal one of upstream.h: each request is answered
 * with what its path says. For the tests in this folder; each includes it once.
 *
 *     /x          "hello"
 *     /size/N     N bytes of content
 *     /cut/N      N bytes of twice as many, then a reset
 *     /silent     nothing, ever
 *     /echo       the content of the request
 */
#pragma once

#include "base/http2/session.h"
#include "upstream.h"

#include <stdlib.h>

enum { MAX_SERVERS = 16, CONTENT_MAX = 8 * 1024 * 1024 };

struct h2_server;

/* One request as the upstream sees it. */
struct h2_seen {
    struct fb_http2_stream part;
    struct fb_arena arena;
    struct fb_list link;
    struct fb_reader *body;
    struct fb_buf content; /* of the request */
    bool is_ready;
    bool is_answered;
};

/* One connection. */
struct h2_server {
    struct h2_fixture *f;
    struct fb_stream *stream;
    struct fb_http2_session *session;
    struct fb_op wait;
    struct fb_stream_write write;
    struct fb_str pieces[FB_HTTP2_MAX_PIECES];
    struct fb_list seen;
    unsigned number;
    bool is_gone; /* the client closed it */
    bool is_deaf; /* does not read */
};

struct h2_fixture {
    struct fixture *base;
    struct fb_listener *listener;
    struct h2_server *servers[MAX_SERVERS];
    unsigned n_servers;
    unsigned n_requests;
    unsigned n_gone;
    uint32_t max_streams;
    bool starts_deaf;
    bool is_holding; /* answers nothing until it is false and h2_go() */
    uint16_t port;
    char *content;
};

static inline void h2_server_run(struct h2_server *server);

/* ---- requests ------------------------------------------------------------ */

static inline struct h2_seen *seen_of(struct fb_http2_stream *part)
{
    return FB_CONTAINER_OF(part, struct h2_seen, part);
}

static inline struct fb_http2_stream *on_h2_opened(void *ctx)
{
    struct h2_server *server = ctx;
    struct h2_seen *seen = FB_NEW(struct h2_seen);

    seen->part.arena = &seen->arena;
    fb_list_init(&seen->link);
    fb_list_append(&server->seen, &seen->link);
    return &seen->part;
}

static inline void on_h2_requested(void *ctx, struct fb_http2_stream *part)
{
    struct h2_server *server = ctx;

    server->f->n_requests++;
    seen_of(part)->is_ready = true;
}

static inline void on_h2_content(void *ctx, struct fb_http2_stream *part, struct fb_str bytes)
{
    struct h2_server *server = ctx;

    fb_buf_append(&seen_of(part)->content, bytes);
    fb_http2_use(server->session, part, bytes.len);
}

static inline void on_h2_nothing(void *ctx, struct fb_http2_stream *part)
{
    (void)ctx;
    (void)part;
}

static inline void on_h2_refused(void *ctx)
{
    (void)ctx;
}

static inline size_t path_number(struct fb_str path, struct fb_str prefix)
{
    uint64_t n = 0;

    assert_int_equal(fb_str_to_u64(fb_str_skip(path, prefix.len), &n), FB_OK);
    assert_true(n <= CONTENT_MAX);
    return (size_t)n;
}

static inline void seen_send(struct h2_server *server, struct h2_seen *seen, size_t n,
                             int64_t length)
{
    struct fb_http2_response response = {.status = 200, .says_length = true, .length = length};

    seen->is_answered = true;
    if (n > 0) {
        seen->body = fb_reader_of_slice((struct fb_slice){.bytes = {server->f->content, n}});
        response.body = seen->body;
    }
    fb_http2_respond(server->session, &seen->part, &response);
}

static inline void seen_answer(struct h2_server *server, struct h2_seen *seen)
{
    struct fb_str path = seen->part.request.path;

    if (fb_str_equal(path, FB_STR("/silent"))) {
        seen->is_answered = true;
    } else if (fb_str_equal(path, FB_STR("/echo"))) {
        if (seen->part.has_all_content) {
            memcpy(server->f->content, seen->content.ptr, seen->content.len);
            seen_send(server, seen, seen->content.len, (int64_t)seen->content.len);
        }
    } else if (fb_str_starts_with(path, FB_STR("/size/"))) {
        size_t n = path_number(path, FB_STR("/size/"));
        seen_send(server, seen, n, (int64_t)n);
    } else if (fb_str_starts_with(path, FB_STR("/cut/"))) {
        size_t n = path_number(path, FB_STR("/cut/"));
        seen_send(server, seen, n, (int64_t)n * 2); /* its body ends too early: reset */
    } else {
        seen_send(server, seen, 5, 5);
    }
}

static inline void seen_free(struct h2_server *server, struct h2_seen *seen)
{
    fb_http2_stream_done(server->session, &seen->part);
    fb_reader_close(seen->body);
    fb_buf_done(&seen->content);
    fb_list_remove(&seen->link);
    fb_arena_done(&seen->arena);
    fb_free(seen);
}

/* ---- connections --------------------------------------------------------- */

static inline void h2_server_settle(struct h2_server *server)
{
    FB_LIST_EACH(node, &server->seen) {
        struct h2_seen *seen = FB_CONTAINER_OF(node, struct h2_seen, link);
        if (seen->part.is_closed) {
            seen_free(server, seen);
        } else if (seen->is_ready && !seen->is_answered && !server->f->is_holding) {
            seen_answer(server, seen);
        }
    }
}

static inline void h2_server_send(struct h2_server *server)
{
    if (!fb_op_is_idle(&server->write.op)) {
        return;
    }
    server->write.pieces = server->pieces;
    server->write.n_pieces = fb_http2_gather(server->session, 65536, server->pieces);
    if (server->write.n_pieces > 0) {
        fb_stream_write(server->stream, &server->write);
    }
}

static inline void h2_server_read(struct h2_server *server)
{
    struct fb_slice slice;
    int err = FB_OK;

    while (!server->is_gone && !server->is_deaf &&
           (err = fb_reader_next(&server->stream->reader, &slice)) != FB_E_LATER) {
        if (err == FB_OK) {
            err = fb_http2_receive(server->session, slice.bytes, 0);
            fb_slice_release(&slice);
        }
        if (err < 0) {
            server->is_gone = true;
            server->f->n_gone++;
        }
    }
    if (!server->is_gone && !server->is_deaf && fb_op_is_idle(&server->wait)) {
        fb_reader_wait(&server->stream->reader, &server->wait);
    }
}

static inline void h2_server_run(struct h2_server *server)
{
    if (server->stream == NULL) {
        return;
    }
    h2_server_read(server);
    h2_server_settle(server);
    if (!server->is_gone) {
        h2_server_send(server);
    }
    h2_server_settle(server);
}

static inline void on_h2_readable(struct fb_op *op)
{
    h2_server_run(FB_CONTAINER_OF(op, struct h2_server, wait));
}

static inline void on_h2_written(struct fb_op *op)
{
    struct h2_server *server = FB_CONTAINER_OF(op, struct h2_server, write.op);

    if (server->stream != NULL) {
        fb_http2_sent(server->session);
        if (op->result == FB_OK) {
            h2_server_run(server);
        }
    }
}

static inline void on_h2_accepted(void *ctx, struct fb_stream *stream)
{
    static const struct fb_http2_events events = {
        .opened = on_h2_opened,
        .requested = on_h2_requested,
        .content = on_h2_content,
        .waiting = on_h2_nothing,
        .ended = on_h2_nothing,
        .closed = on_h2_nothing,
        .refused = on_h2_refused,
    };
    struct h2_fixture *f = ctx;
    struct h2_server *server = FB_NEW(struct h2_server);
    const struct fb_http2_limits limits = {.max_streams = f->max_streams};

    assert_true(f->n_servers < MAX_SERVERS);
    server->number = f->n_servers;
    f->servers[f->n_servers++] = server;
    server->f = f;
    server->stream = stream;
    server->is_deaf = f->starts_deaf;
    fb_list_init(&server->seen);
    fb_op_init(&server->wait, f->base->loop, on_h2_readable);
    fb_op_init(&server->write.op, f->base->loop, on_h2_written);
    assert_int_equal(fb_http2_session_new(&limits, &events, server, &server->session), FB_OK);
    h2_server_run(server);
}

/* Answers what was held. */
static inline void h2_go(struct h2_fixture *f)
{
    f->is_holding = false;
    for (unsigned i = 0; i < f->n_servers; i++) {
        h2_server_run(f->servers[i]);
    }
}

static inline void h2_server_close(struct h2_server *server)
{
    if (server->stream != NULL) {
        FB_LIST_EACH(node, &server->seen) {
            seen_free(server, FB_CONTAINER_OF(node, struct h2_seen, link));
        }
        fb_stream_reset(server->stream);
        server->stream = NULL;
        fb_http2_session_free(server->session);
        server->session = NULL;
    }
}

/* ---- the fixture --------------------------------------------------------- */

static inline struct h2_fixture h2_new(struct fixture *base)
{
    struct h2_fixture f = {.base = base, .content = fb_alloc(CONTENT_MAX)};

    memset(f.content, 'h', CONTENT_MAX);
    memcpy(f.content, "hello", 5);
    return f;
}

static inline void h2_listen(struct h2_fixture *f)
{
    struct fb_listener_options options = {.accepted = on_h2_accepted, .ctx = f};

    assert_int_equal(fb_address_from_ip(FB_STR("127.0.0.1"), 0, &options.address), FB_OK);
    assert_int_equal(fb_listener_open(f->base->loop, &options, &f->listener), FB_OK);
    struct fb_address bound = fb_listener_address(f->listener);
    f->port = fb_address_port(&bound);
}

static inline void h2_done(struct h2_fixture *f)
{
    fb_listener_close(f->listener);
    for (unsigned i = 0; i < f->n_servers; i++) {
        h2_server_close(f->servers[i]);
    }
    fb_client_close(f->base->client);
    f->base->client = NULL;
    quiet(f->base);
    for (unsigned i = 0; i < f->n_servers; i++) {
        fb_free(f->servers[i]);
    }
    fb_free(f->content);
}

/* As get_init(), by HTTP/2 that is known to be spoken. */
static inline void get_h2_init(struct get *get, struct h2_fixture *f, const char *target)
{
    get_init(get, f->base);
    get->fetch.url.port = f->port;
    get->fetch.url.target = fb_str_from(target);
    get->fetch.protocol = FB_CLIENT_HTTP2;
}

static inline void get_h2(struct get *get, struct h2_fixture *f, const char *target)
{
    get_h2_init(get, f, target);
    fb_client_fetch(f->base->client, &get->fetch);
}
