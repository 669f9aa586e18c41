/*
 * A client that takes slowly what waits for it must not hold memory that others need: what
 * is not taken within a moment is given back to the reader, and asked for again when the
 * client has room. From then on until it takes a batch at once, it holds what the kernel
 * has for it and one small copy.
 *
 * What a client takes is what its own kernel has acknowledged, so neither a large send
 * buffer here makes a dead client look alive, nor one that fills in large steps a slow one
 * look dead.
 *
 * How fast it is sent at most is another matter: the listener's bound, or a lower one that what is
 * sent now has of its own.
 */
#include "base/core/err.h"
#include "base/server/server_internal.h"

enum { BITS_A_BYTE = 8, MS_A_SECOND = 1000 };

static uint64_t pace_left(const struct server_conn *conn)
{
    return fb_stream_unsent(conn->stream) + fb_stream_unacked(conn->stream);
}

/* Counts what the client took since the last look. */
static uint64_t pace_look(struct server_conn *conn)
{
    struct conn_pace *pace = &conn->pace;
    uint64_t now_ms = fb_loop_now_ms(conn->server->loop);
    uint64_t left = pace_left(conn);
    uint64_t n_taken = pace->left > left ? pace->left - left : 0;

    if (n_taken > 0) {
        pace->taking_ms = now_ms;
    }
    pace->n_taken += n_taken;
    pace->n_waited_ms += now_ms - pace->seen_ms;
    pace->seen_ms = now_ms;
    pace->left = left;
    return now_ms;
}

/* True if a whole window has passed in which too little was taken. */
static bool pace_is_too_slow(struct server_conn *conn)
{
    struct conn_pace *pace = &conn->pace;
    uint64_t least_rate = conn->server->options.limits.least_rate;

    if (pace->n_waited_ms < SEND_LEAST_WINDOW_MS) {
        return false;
    }
    uint64_t rate = pace->n_taken * BITS_A_BYTE * MS_A_SECOND / pace->n_waited_ms;
    pace->n_waited_ms = 0;
    pace->n_taken = 0;
    return rate < least_rate && !conn->is_trusted;
}

static void pace_set_timer(struct server_conn *conn, uint64_t now_ms)
{
    uint64_t until_ms = conn->pace.taking_ms + conn->server->options.limits.write_timeout_ms;

    fb_timer_set(&conn->timer, FB_MIN((uint64_t)SEND_TICK_MS, until_ms - now_ms));
}

void fb_pace_begin(struct server_conn *conn)
{
    uint64_t now_ms = fb_loop_now_ms(conn->server->loop);

    if (conn->pace.is_slow) {
        conn->protocol->retract(conn);
    }
    conn->pace.seen_ms = now_ms; /* what went before was not waited for */
    conn->pace.taking_ms = now_ms;
    (void)pace_look(conn);
    pace_set_timer(conn, now_ms);
}

void fb_pace_end(struct server_conn *conn)
{
    if (!fb_conn_is_dead(conn)) {
        (void)pace_look(conn); /* nothing to decide: it took what there was */
    }
}

void fb_pace_on_timer(struct server_conn *conn)
{
    uint64_t now_ms = pace_look(conn);

    if (now_ms - conn->pace.taking_ms >= conn->server->options.limits.write_timeout_ms) {
        fb_server_count(conn->server, METRIC_TIMEOUT_WRITE);
        conn->protocol->cut(conn);
        return;
    }
    if (pace_is_too_slow(conn)) {
        fb_server_count(conn->server, METRIC_TIMEOUT_RATE);
        conn->protocol->cut(conn);
        return;
    }
    if (!conn->pace.is_slow) {
        conn->pace.is_slow = true;
        fb_server_count(conn->server, METRIC_SLOW);
        conn->protocol->retract(conn);
    }
    pace_set_timer(conn, now_ms);
}

void fb_pace_set(struct server_conn *conn, uint64_t rate)
{
    uint64_t most = 0;

    if (rate == 0 && !conn->is_paced) {
        return;
    }
    if (conn->listener > 0) {
        most = conn->server->listeners[conn->listener - 1].max_rate;
    }
    conn->is_paced = rate != 0;
    fb_stream_pace(conn->stream, rate == 0 || (most != 0 && most < rate) ? most : rate);
}
