/*
 * One timer of a connection looks after all of its streams: often while there are any, else
 * when it will have been idle for too long. What a client does not take although it was
 * written is pace.c's business; here it is what its windows do not let go.
 */
#include "base/core/err.h"
#include "base/server/h2_internal.h"

enum { BITS_A_BYTE = 8, MS_A_SECOND = 1000 };

/* ---- streams ------------------------------------------------------------- */

static void watch_content(struct h2_stream *stream, uint64_t now_ms)
{
    struct h2_content *content = &stream->content;
    struct fb_server *server = stream->conn->base.server;

    if (content->waiter != NULL &&
        now_ms - content->since_ms >= server->options.limits.body_timeout_ms) {
        fb_server_count(server, METRIC_TIMEOUT_CONTENT);
        content->err = FB_E_TIMEOUT;
        fb_h2_content_wake(stream);
    }
}

/* True if too little was taken of it over a whole window. */
static bool is_too_slow(struct h2_stream *stream)
{
    const struct server_conn *conn = &stream->conn->base;

    if (stream->waited_ms < SEND_LEAST_WINDOW_MS) {
        return false;
    }
    uint64_t n_bytes = stream->part.n_gathered - stream->waited_bytes;
    uint64_t rate = n_bytes * BITS_A_BYTE * MS_A_SECOND / stream->waited_ms;
    stream->waited_ms = 0;
    stream->waited_bytes = stream->part.n_gathered;
    return rate < conn->server->options.limits.least_rate && !conn->is_trusted;
}

/* A response that waits for a window of its client. */
static void watch_window(struct h2_stream *stream, uint64_t now_ms)
{
    struct fb_server *server = stream->conn->base.server;
    struct fb_http2_session *session = stream->conn->session;

    if (!fb_http2_is_blocked(session, &stream->part)) {
        stream->blocked_ms = 0;
        return;
    }
    fb_http2_retract(session, &stream->part);
    if (stream->blocked_ms == 0 || stream->seen_gathered != stream->part.n_gathered) {
        stream->blocked_ms = now_ms;
        stream->seen_gathered = stream->part.n_gathered;
    }
    stream->waited_ms += SEND_TICK_MS;
    bool is_dead = now_ms - stream->blocked_ms >= server->options.limits.write_timeout_ms;
    if (is_dead || is_too_slow(stream)) {
        fb_server_count(server, is_dead ? METRIC_TIMEOUT_WRITE : METRIC_TIMEOUT_RATE);
        stream->part.body_err = FB_E_TIMEOUT;
        fb_http2_reset(session, &stream->part);
        fb_h2_flush_soon(stream->conn);
    }
}

/* False if the connection was closed. */
static bool watch_streams(struct h2_conn *conn, uint64_t now_ms)
{
    struct fb_server *server = conn->base.server;

    FB_LIST_EACH(node, &conn->streams) {
        struct h2_stream *stream = FB_CONTAINER_OF(node, struct h2_stream, link);
        if (!stream->is_handled &&
            now_ms - stream->opened_ms >= server->options.limits.head_timeout_ms) {
            fb_server_count(server, METRIC_TIMEOUT_HEAD);
            fb_h2_kill(conn, false);
            return false;
        }
        if (!stream->part.is_closed) {
            watch_content(stream, now_ms);
            watch_window(stream, now_ms);
        }
    }
    return true;
}

/* ---- the connection ------------------------------------------------------ */

static void watch_idle(struct h2_conn *conn, uint64_t now_ms)
{
    struct fb_server *server = conn->base.server;
    uint64_t until_ms = conn->idle_since_ms + server->options.limits.idle_timeout_ms;

    fb_http2_rest(conn->session);
    if (now_ms >= until_ms) {
        fb_server_count(server, METRIC_TIMEOUT_IDLE);
        fb_h2_shut_down(conn);
        fb_timer_set(&conn->watch, SERVER_LINGER_MS);
        return;
    }
    fb_timer_set(&conn->watch, until_ms - now_ms);
}

static void watch(struct h2_conn *conn)
{
    uint64_t now_ms = fb_loop_now_ms(conn->base.server->loop);

    if (conn->is_lingering || (conn->is_last && conn->n_streams == 0)) {
        fb_h2_kill(conn, false); /* the client was told, and does not hang up */
        return;
    }
    if (conn->is_warned) {
        fb_h2_shut_down(conn);
    }
    if (!watch_streams(conn, now_ms)) {
        return;
    }
    conn->is_watching = conn->n_streams > 0;
    if (conn->is_watching) {
        fb_timer_set(&conn->watch, SEND_TICK_MS);
    } else {
        watch_idle(conn, now_ms);
    }
}

static void on_watch(struct fb_timer *timer)
{
    struct h2_conn *conn = FB_CONTAINER_OF(timer, struct h2_conn, watch);

    fb_h2_enter(conn);
    watch(conn);
    fb_h2_leave(conn);
}

void fb_h2_watch_init(struct h2_conn *conn)
{
    struct fb_server *server = conn->base.server;

    fb_timer_init(&conn->watch, server->loop, on_watch);
    conn->idle_since_ms = fb_loop_now_ms(server->loop);
    fb_timer_set(&conn->watch, server->options.limits.idle_timeout_ms);
}

void fb_h2_watch_streams(struct h2_conn *conn)
{
    if (conn->n_streams == 0) {
        /* The timer comes once more, and then no sooner than it must. */
        conn->idle_since_ms = fb_loop_now_ms(conn->base.server->loop);
    } else if (!conn->is_watching && !conn->is_lingering) {
        conn->is_watching = true;
        fb_timer_set(&conn->watch, SEND_TICK_MS);
    }
}

void fb_h2_watch_warn(struct h2_conn *conn)
{
    conn->is_watching = true;
    fb_timer_set(&conn->watch, H2_WARNING_MS);
}

void fb_h2_watch_linger(struct h2_conn *conn)
{
    fb_timer_set(&conn->watch, SERVER_LINGER_MS);
}
