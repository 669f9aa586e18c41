#include "base/client/client.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/stream.h"
#include "base/net/tcp.h"
#include "tests/support/test_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a literal peer ------------------------------------------------------ */

enum { MAX_PEERS = 64 };

/* One connection as the upstream sees it. */
struct peer {
    struct fb_stream *stream; /* NULL once the upstream closed it */
    struct fb_op wait;
    struct fb_stream_write write;
    struct fb_str piece;
    struct fb_buf in; /* all that came */
    int end;          /* FB_OK until the client closed */
    struct fixture *f;
};

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct fb_client *client;
    struct fb_listener *listener;
    uint16_t port;
    struct peer *peers[MAX_PEERS];
    unsigned n_peers;
    unsigned n_ended; /* peers whose client went away */

    struct fb_str answer; /* sent for every request; ptr NULL: by hand */
    bool closes;          /* after the answer */
    unsigned n_requests;
};

#define UNTIL(f, condition)                  \
    do {                                     \
        while (!(condition)) {               \
            fb_loop_turn_waiting((f)->loop); \
        }                                    \
    } while (0)

static void quiet(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        fb_loop_turn(f->loop);
    }
}

static void peer_send(struct peer *peer, struct fb_str bytes)
{
    UNTIL(peer->f, fb_op_is_idle(&peer->write.op));
    peer->piece = bytes;
    peer->write.pieces = &peer->piece;
    peer->write.n_pieces = 1;
    fb_stream_write(peer->stream, &peer->write);
}

static void peer_close(struct peer *peer)
{
    fb_stream_close(peer->stream);
    peer->stream = NULL;
}

static void peer_answer(struct peer *peer)
{
    struct fixture *f = peer->f;

    f->n_requests++;
    if (f->answer.ptr == NULL) {
        return;
    }
    if (f->answer.len > 0) {
        peer->piece = f->answer;
        peer->write.pieces = &peer->piece;
        peer->write.n_pieces = 1;
        fb_stream_write(peer->stream, &peer->write);
    }
    if (f->closes) {
        fb_stream_shut(peer->stream);
    }
}

static void on_peer_readable(struct fb_op *op)
{
    struct peer *peer = FB_CONTAINER_OF(op, struct peer, wait);
    struct fb_slice slice;
    int err = FB_OK;

    while (peer->stream != NULL && (err = fb_reader_next(&peer->stream->reader, &slice)) == FB_OK) {
        fb_buf_append(&peer->in, slice.bytes);
        fb_slice_release(&slice);
        if (memcmp(peer->in.ptr + peer->in.len - 4, "\r\n\r\n", 4) == 0) {
            peer_answer(peer);
        }
    }
    if (peer->stream == NULL) {
        return;
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(&peer->stream->reader, &peer->wait);
    } else {
        peer->end = err;
        peer->f->n_ended++;
    }
}

static void on_peer_written(struct fb_op *op)
{
    (void)op;
}

static void on_accepted(void *ctx, struct fb_stream *stream)
{
    struct fixture *f = ctx;
    struct peer *peer = FB_NEW(struct peer);

    assert_true(f->n_peers < MAX_PEERS);
    f->peers[f->n_peers++] = peer;
    peer->f = f;
    peer->stream = stream;
    fb_op_init(&peer->wait, f->loop, on_peer_readable);
    fb_op_init(&peer->write.op, f->loop, on_peer_written);
    fb_reader_wait(&stream->reader, &peer->wait);
}

static void listen_at(struct fixture *f, uint16_t port)
{
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};

    assert_int_equal(fb_address_from_ip(FB_STR("127.0.0.1"), port, &options.address), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    struct fb_address bound = fb_listener_address(f->listener);
    f->port = fb_address_port(&bound);
}

static int set_up(void **state)
{
    static const struct fb_client_limits limits = {.max_connections = 3, .max_idle = 2};
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    f->metrics = fb_metrics_new();
    f->client = fb_client_new(f->loop, &limits, f->metrics);
    listen_at(f, 0);
    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    *state = f;
    return 0;
}

/* Freeing the loop asserts that no operation, timer or block is left. */
static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_client_close(f->client);
    fb_listener_close(f->listener);
    for (unsigned i = 0; i < f->n_peers; i++) {
        peer_close(f->peers[i]);
    }
    fb_loop_turn(f->loop);
    assert_int_equal(fb_metrics_sum(f->metrics, "fb_client_connections"), 0);
    for (unsigned i = 0; i < f->n_peers; i++) {
        fb_buf_done(&f->peers[i]->in);
        fb_free(f->peers[i]);
    }
    fb_loop_free(f->loop);
    fb_metrics_free(f->metrics);
    fb_free(f);
    return 0;
}

/* ---- a caller ------------------------------------------------------------ */

struct get {
    struct fb_fetch fetch;
    struct fb_arena arena;
    struct fb_op wait;
    struct fb_buf content;
    unsigned n_done;
    bool by_hand; /* the test reads the body */
    int end;      /* of the content; FB_OK until then */
};

static void get_read(struct get *get)
{
    struct fb_slice slice;
    int err;

    while ((err = fb_reader_next(get->fetch.body, &slice)) == FB_OK) {
        fb_buf_append(&get->content, slice.bytes);
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(get->fetch.body, &get->wait);
        return;
    }
    get->end = err;
    fb_reader_close(get->fetch.body);
}

static void on_get_readable(struct fb_op *op)
{
    get_read(FB_CONTAINER_OF(op, struct get, wait));
}

static void on_get_done(struct fb_op *op)
{
    struct get *get = FB_CONTAINER_OF(op, struct get, fetch.op);

    get->n_done++;
    if (op->result < 0) {
        get->end = op->result;
    } else if (!get->by_hand) {
        get_read(get);
    }
}

static void get_init(struct get *get, struct fixture *f)
{
    *get = (struct get){0};
    fb_op_init(&get->fetch.op, f->loop, on_get_done);
    fb_op_init(&get->wait, f->loop, on_get_readable);
    get->fetch.url = (struct fb_url){.scheme = FB_STR("http"),
                                     .host = FB_STR("127.0.0.1"),
                                     .port = f->port,
                                     .target = FB_STR("/x")};
    get->fetch.arena = &get->arena;
}

static void get_done(struct get *get)
{
    fb_buf_done(&get->content);
    fb_arena_done(&get->arena);
}

static void get_start(struct get *get, struct fixture *f)
{
    get_init(get, f);
    fb_client_fetch(f->client, &get->fetch);
}

/* A whole GET; returns how the content ended. */
static int get_all(struct fixture *f, struct fb_buf *ret_content)
{
    struct get get;

    get_start(&get, f);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.n_done, 1);
    *ret_content = fb_buf_take(&get.content);
    get_done(&get);
    return get.end;
}

static uint64_t metric(struct fixture *f, const char *name)
{
    return fb_metrics_sum(f->metrics, name);
}

/* ---- requests and responses ---------------------------------------------- */

static void a_get_brings_head_and_content(void **state)
{
    struct fixture *f = *state;
    const struct fb_header headers[] = {{FB_STR("Accept"), FB_STR("*/*")}};
    struct get get;

    f->answer = FB_STR("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
    get_init(&get, f);
    get.fetch.headers = headers;
    get.fetch.n_headers = 1;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.response.status, 404);
    assert_int_equal(get.fetch.length, 5);
    struct fb_str value = fb_headers_find(&get.fetch.response.headers, FB_STR("x-a"));
    assert_true(fb_str_equal(value, FB_STR("b")));
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);

    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "GET /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\n\r\n",
                   (unsigned)f->port);
    assert_string_equal(f->peers[0]->in.ptr, expected);
}

static void framing_is_read_every_way(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *answer;
        const char *content;
        bool keeps;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "abcde", true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "ok", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "ok", false},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        unsigned n_ended = f->n_ended;
        f->answer = fb_str_from(cases[i].answer);
        assert_int_equal(get_all(f, &got), FB_E_END);
        assert_string_equal(got.ptr != NULL ? got.ptr : "", cases[i].content);
        if (!cases[i].keeps) {
            UNTIL(f, f->n_ended == n_ended + 1);
        }
        quiet(f);
        assert_int_equal(f->n_ended, n_ended + !cases[i].keeps);
    }
}

static void content_may_end_with_the_connection(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    f->answer = FB_STR("HTTP/1.1 200 OK\r\n\r\nall of it");
    f->closes = true;
    assert_int_equal(get_all(f, &got), FB_E_END);
    assert_string_equal(got.ptr, "all of it");
}

static void a_head_request_has_no_content(void **state)
{
    struct fixture *f = *state;
    struct get get;

    get_init(&get, f);
    get.fetch.method = FB_METHOD_HEAD;
    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.length, 0);
    get_done(&get);
    assert_memory_equal(f->peers[0]->in.ptr, "HEAD /x", 7);
    quiet(f);
    assert_int_equal(f->n_ended, 0);
}

static void what_would_be_no_request_is_refused(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        struct get get;
        get_init(&get, f);
        switch (i) {
        case 0:
            get.fetch.url.scheme = FB_STR("https");
            break;
        case 1:
            get.fetch.url.target = FB_STR("/a b");
            break;
        case 2:
            get.fetch.url.target = FB_STR("/a\r\nX: y");
            break;
        case 3:
            get.fetch.host_header = FB_STR("a\nb");
            break;
        default:
            get.fetch.method = FB_METHOD_OTHER;
            break;
        }
        get.fetch.request_body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("x")});
        fb_client_fetch(f->client, &get.fetch);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, i == 0 ? FB_E_UNSUPPORTED : FB_E_MALFORMED);
        get_done(&get);
    }
    assert_int_equal(f->n_peers, 0);
}

/* ---- kept connections ---------------------------------------------------- */

static void a_connection_is_used_again(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        assert_int_equal(get_all(f, &got), FB_E_END);
    }
    assert_int_equal(f->n_peers, 1);
    assert_int_equal(metric(f, "fb_client_connections_opened_total"), 1);
    assert_int_equal(metric(f, "fb_client_connections_reused_total"), 4);
}

static void an_idle_connection_that_its_peer_closes_is_forgotten(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};

    assert_int_equal(get_all(f, &first), FB_E_END);
    peer_close(f->peers[0]);
    UNTIL(f, metric(f, "fb_client_connections") == 0);
    assert_int_equal(get_all(f, &second), FB_E_END);
    assert_int_equal(metric(f, "fb_client_retries_total"), 0);
}

static void an_idle_connection_goes_after_its_time(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    assert_int_equal(get_all(f, &got), FB_E_END);
    test_clock_advance_ms(&f->clock, 19999);
    quiet(f);
    assert_int_equal(f->n_ended, 0);
    test_clock_advance_ms(&f->clock, 1);
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->peers[0]->end, FB_E_END);
}

static void a_request_that_meets_a_closed_kept_connection_is_sent_again(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    struct get get;

    assert_int_equal(get_all(f, &first), FB_E_END);
    f->answer = FB_STR_NONE; /* by hand */
    get_start(&get, f);
    UNTIL(f, f->n_requests == 2);
    peer_close(f->peers[0]);
    UNTIL(f, f->n_peers == 2 && f->n_requests == 3);
    peer_send(f->peers[1], FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(metric(f, "fb_client_retries_total"), 1);
    get_done(&get);
}

static void it_is_sent_again_once_and_never_if_it_is_no_repeatable_one(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};
    struct get get;

    assert_int_equal(get_all(f, &first), FB_E_END);
    f->answer = FB_STR("");
    f->closes = true;
    assert_int_equal(get_all(f, &second), FB_E_CLOSED);
    assert_int_equal(f->n_requests, 3);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    f->closes = false;
    assert_int_equal(get_all(f, &second), FB_E_END);
    f->answer = FB_STR("");
    f->closes = true;
    get_init(&get, f);
    get.fetch.method = FB_METHOD_POST;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_CLOSED);
    assert_int_equal(f->n_requests, 5);
    get_done(&get);
}

static void no_more_than_the_limit_stay_idle(void **state)
{
    struct fixture *f = *state;
    struct get gets[3];

    for (int i = 0; i < 3; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 3; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        get_done(&gets[i]);
    }
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->n_peers, 3);
    assert_int_equal(metric(f, "fb_client_connections"), 2);
}

/* ---- the queue ----------------------------------------------------------- */

static void more_than_the_limit_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    struct get gets[20];

    for (int i = 0; i < 20; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 20; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_END);
        assert_int_equal(gets[i].n_done, 1);
        get_done(&gets[i]);
    }
    assert_int_equal(f->n_peers, 3);
    assert_int_equal(metric(f, "fb_client_queue_waits_total"), 17);
}

static void the_queue_is_served_when_connections_fail(void **state)
{
    struct fixture *f = *state;
    struct get gets[9];

    f->answer = FB_STR("nonsense\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        get_start(&gets[i], f);
    }
    for (int i = 0; i < 9; i++) {
        UNTIL(f, gets[i].end != FB_OK);
        assert_int_equal(gets[i].end, FB_E_MALFORMED);
        get_done(&gets[i]);
    }
    assert_int_equal(metric(f, "fb_client_failures_total"), 9);
}

static void waiting_in_the_queue_times_out(void **state)
{
    struct fixture *f = *state;
    struct get gets[4];

    f->answer = FB_STR_NONE;
    for (int i = 0; i < 4; i++) {
        get_start(&gets[i], f);
    }
    UNTIL(f, f->n_requests == 3);
    test_clock_advance_ms(&f->clock, 30000);
    quiet(f);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gets[i].end, FB_E_TIMEOUT);
        get_done(&gets[i]);
    }
}

/* ---- failures ------------------------------------------------------------ */

static void nobody_listening_is_a_failure_to_connect(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_listener_close(f->listener);
    f->listener = NULL;
    quiet(f);
    assert_int_equal(get_all(f, &got), -ECONNREFUSED);
    assert_int_equal(metric(f, "fb_client_failures_total"), 1);
}

static void a_response_cut_anywhere_never_passes_for_whole(void **state)
{
    struct fixture *f = *state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: v\r\n\r\n",
    };

    f->closes = true;
    for (size_t i = 0; i < FB_ARRAY_LEN(answers); i++) {
        struct fb_str whole = fb_str_from(answers[i]);
        size_t n_head = (size_t)(strstr(answers[i], "\r\n\r\n") - answers[i]) + 4;
        for (size_t n = 0; n <= whole.len; n++) {
            FB_AUTO(fb_buf_done) struct fb_buf got = {0};
            f->answer = fb_str_first(whole, n);
            int end = get_all(f, &got);
            assert_int_equal(end, n == whole.len ? FB_E_END : FB_E_CLOSED);
            assert_true(got.len <= 5 &&
                        memcmp(got.ptr != NULL ? got.ptr : "", "hello", got.len) == 0);
            assert_true(n >= n_head || got.len == 0);
            /* The fixture's table of peers is small. */
            UNTIL(f, f->n_ended == f->n_peers);
            for (unsigned p = 0; p < f->n_peers; p++) {
                peer_close(f->peers[p]);
                fb_buf_done(&f->peers[p]->in);
                fb_loop_turn(f->loop);
                fb_free(f->peers[p]);
            }
            f->n_peers = 0;
            f->n_ended = 0;
        }
    }
}

static void a_response_in_single_bytes_is_read(void **state)
{
    struct fixture *f = *state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    struct get get;

    f->answer = FB_STR_NONE;
    get_start(&get, f);
    UNTIL(f, f->n_requests == 1);
    for (size_t i = 0; i < sizeof(answer) - 1; i++) {
        peer_send(f->peers[0], (struct fb_str){answer + i, 1});
        quiet(f);
    }
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);
}

static void a_stalled_head_and_stalled_content_time_out(void **state)
{
    struct fixture *f = *state;
    static const char *const parts[] = {"", "HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"};

    for (size_t i = 0; i < FB_ARRAY_LEN(parts); i++) {
        struct get get;
        unsigned n_requests = f->n_requests;
        f->answer = fb_str_from(parts[i]);
        get_start(&get, f);
        UNTIL(f, f->n_requests == n_requests + 1);
        UNTIL(f, i < 2 || get.n_done == 1);
        quiet(f);
        assert_int_equal(get.end, FB_OK);
        test_clock_advance_ms(&f->clock, 30000);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, FB_E_TIMEOUT);
        get_done(&get);
    }
    assert_int_equal(metric(f, "fb_client_failures_total"), 4);
}

static void a_caller_that_does_not_ask_is_not_timed_out(void **state)
{
    struct fixture *f = *state;
    struct get get;

    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    test_clock_advance_ms(&f->clock, 100000);
    quiet(f);
    get_read(&get);
    assert_int_equal(get.end, FB_E_END);
    assert_string_equal(get.content.ptr, "hello");
    get_done(&get);
}

static void an_oversized_head_is_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf head = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    fb_buf_append(&head, FB_STR("HTTP/1.1 200 OK\r\nX: "));
    memset(fb_buf_reserve(&head, 70000), 'x', 70000);
    fb_buf_add(&head, 70000);
    f->answer = fb_buf_str(&head);
    assert_int_equal(get_all(f, &got), FB_E_LIMIT);
}

static void endless_interim_responses_are_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf answer = {0};
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};

    for (int i = 0; i < 50; i++) {
        fb_buf_append(&answer, FB_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    f->answer = fb_buf_str(&answer);
    assert_int_equal(get_all(f, &got), FB_E_MALFORMED);
}

/* ---- leaving early ------------------------------------------------------- */

static void a_fetch_can_be_canceled_at_any_turn(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; n < 12; n++) {
        struct get get;
        get_start(&get, f);
        for (int i = 0; i < n; i++) {
            fb_loop_turn(f->loop);
        }
        bool was_done = get.n_done == 1;
        fb_op_cancel(&get.fetch.op);
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.n_done, 1);
        assert_true(was_done || get.end == FB_E_CANCELED || get.end == FB_E_END);
        get_done(&get);
        quiet(f);
    }
}

static void a_fetch_can_be_canceled_in_the_queue(void **state)
{
    struct fixture *f = *state;
    struct get gets[5];

    f->answer = FB_STR_NONE;
    for (int i = 0; i < 5; i++) {
        get_start(&gets[i], f);
    }
    UNTIL(f, f->n_requests == 3);
    for (int i = 4; i >= 0; i--) {
        fb_op_cancel(&gets[i].fetch.op);
    }
    quiet(f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gets[i].end, FB_E_CANCELED);
        get_done(&gets[i]);
    }
    UNTIL(f, f->n_ended == 3);
    assert_int_equal(f->peers[0]->end, -ECONNRESET);
    assert_int_equal(metric(f, "fb_client_failures_total"), 0);
}

static void content_closed_early_costs_the_connection_unless_little_is_left(void **state)
{
    struct fixture *f = *state;
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    fb_reader_close(get.fetch.body);
    get_done(&get);
    UNTIL(f, f->n_ended == 1);
    assert_int_equal(f->peers[0]->end, -ECONNRESET);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    fb_reader_close(get.fetch.body);
    get_done(&get);
    peer_send(f->peers[1], FB_STR("world"));
    quiet(f);

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    FB_AUTO(fb_buf_done) struct fb_buf got = {0};
    assert_int_equal(get_all(f, &got), FB_E_END);
    assert_string_equal(got.ptr, "ok");
    assert_int_equal(f->n_peers, 2);
}

static void slices_outlive_the_content_and_the_connection(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slices[2];
    struct get get;

    f->answer = FB_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    get_init(&get, f);
    get.by_hand = true;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, get.n_done == 1);
    assert_int_equal(fb_reader_next(get.fetch.body, &slices[0]), FB_OK);
    assert_int_equal(fb_reader_next(get.fetch.body, &slices[1]), FB_OK);
    fb_reader_close(get.fetch.body);
    quiet(f);
    assert_true(fb_str_equal(slices[0].bytes, FB_STR("abc")));
    fb_slice_release(&slices[0]);
    assert_true(fb_str_equal(slices[1].bytes, FB_STR("de")));
    fb_slice_release(&slices[1]);
    get_done(&get);
}

/* ---- requests with content ----------------------------------------------- */

/* A reader that gives `n_left` pieces, when the test says so. */
struct source {
    struct fb_reader reader;
    struct fb_op *waiter;
    unsigned n_ready; /* pieces that may be taken */
    unsigned n_left;
    int end;
    bool is_closed;
};

static int source_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct source *source = FB_CONTAINER_OF(reader, struct source, reader);

    if (source->n_left == 0) {
        return source->end;
    }
    if (source->n_ready == 0) {
        return FB_E_LATER;
    }
    source->n_ready--;
    source->n_left--;
    *ret_slice = (struct fb_slice){.bytes = FB_STR("piece")};
    return FB_OK;
}

static void source_cancel(struct fb_op *op)
{
    struct source *source = op->provider;
    source->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

static void source_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct source *source = FB_CONTAINER_OF(reader, struct source, reader);

    fb_op_begin(op, source_cancel);
    op->provider = source;
    source->waiter = op;
}

static void source_close(struct fb_reader *reader)
{
    struct source *source = FB_CONTAINER_OF(reader, struct source, reader);

    assert_null(source->waiter);
    assert_false(source->is_closed);
    source->is_closed = true;
}

static const struct fb_reader_ops source_ops = {source_next, source_wait, source_close};

static void source_feed(struct source *source)
{
    source->n_ready++;
    if (source->waiter != NULL) {
        struct fb_op *waiter = source->waiter;
        source->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

static void put_start(struct get *get, struct fixture *f, struct source *source, int64_t length)
{
    source->reader.ops = &source_ops;
    source->end = source->end == FB_OK ? FB_E_END : source->end;
    get_init(get, f);
    get->fetch.method = FB_METHOD_PUT;
    get->fetch.request_body = &source->reader;
    get->fetch.request_length = length;
    fb_client_fetch(f->client, &get->fetch);
}

static const char *after_head(const struct peer *peer)
{
    return strstr(peer->in.ptr, "\r\n\r\n") + 4;
}

static void content_is_sent_with_its_length(void **state)
{
    struct fixture *f = *state;
    struct source source = {.n_left = 2};
    struct get get;

    f->answer = FB_STR_NONE;
    put_start(&get, f, &source, 10);
    UNTIL(f, f->n_requests == 1);
    test_clock_advance_ms(&f->clock, 100000); /* a slow maker is no timeout */
    quiet(f);
    source_feed(&source);
    quiet(f);
    source_feed(&source);
    UNTIL(f, strcmp(after_head(f->peers[0]), "piecepiece") == 0);
    assert_non_null(strstr(f->peers[0]->in.ptr, "Content-Length: 10\r\n"));
    peer_send(f->peers[0], FB_STR("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_true(source.is_closed);
    get_done(&get);
    quiet(f);
    assert_int_equal(f->n_ended, 0);
}

static void content_without_length_is_sent_in_chunks(void **state)
{
    struct fixture *f = *state;
    struct source source = {.n_left = 2, .n_ready = 2};
    struct get get;

    f->answer = FB_STR_NONE;
    put_start(&get, f, &source, -1);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 0 &&
                 fb_str_ends_with(fb_buf_str(&f->peers[0]->in), FB_STR("0\r\n\r\n")));
    assert_string_equal(after_head(f->peers[0]), "5\r\npiece\r\n5\r\npiece\r\n0\r\n\r\n");
    peer_send(f->peers[0], FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    get_done(&get);
}

static void content_that_breaks_or_is_not_as_long_as_told_breaks_the_request(void **state)
{
    struct fixture *f = *state;
    static const struct {
        unsigned n_pieces;
        int end;
        int64_t length;
        int result;
    } cases[] = {
        {1, -EIO, -1, -EIO},
        {1, -EIO, 100, -EIO},
        {1, FB_E_END, 100, FB_E_CLOSED},
        {3, FB_E_END, 10, FB_E_LIMIT},
    };

    f->answer = FB_STR_NONE;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct source source = {
            .n_left = cases[i].n_pieces, .n_ready = cases[i].n_pieces, .end = cases[i].end};
        struct get get;
        put_start(&get, f, &source, cases[i].length);
        if (cases[i].result == FB_E_LIMIT) {
            /* What was announced is sent; more is never asked for. */
            UNTIL(f, source.is_closed);
            fb_op_cancel(&get.fetch.op);
            UNTIL(f, get.end != FB_OK);
            get_done(&get);
            continue;
        }
        UNTIL(f, get.end != FB_OK);
        assert_int_equal(get.end, cases[i].result);
        assert_true(source.is_closed);
        UNTIL(f, f->n_ended == i + 1);
        assert_int_equal(f->peers[i]->end, -ECONNRESET);
        get_done(&get);
    }
}

static void an_early_response_is_delivered_and_the_connection_not_kept(void **state)
{
    struct fixture *f = *state;
    struct source source = {.n_left = 100, .n_ready = 1};
    struct get get;

    f->answer = FB_STR_NONE;
    put_start(&get, f, &source, 500);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 0);
    peer_send(f->peers[0], FB_STR("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"));
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.response.status, 413);
    assert_true(source.is_closed);
    get_done(&get);
    UNTIL(f, f->n_ended == 1);
}

static void an_answer_before_the_connection_breaks_is_still_read(void **state)
{
    struct fixture *f = *state;
    struct source source = {.n_left = 100, .n_ready = 1};
    struct get get;

    f->answer = FB_STR_NONE;
    put_start(&get, f, &source, 500);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 0);
    peer_send(f->peers[0], FB_STR("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
                                  "Content-Length: 2\r\n\r\nno"));
    peer_close(f->peers[0]);
    while (get.end == FB_OK) {
        source_feed(&source);
        fb_loop_turn(f->loop);
    }
    assert_int_equal(get.end, FB_E_END);
    assert_int_equal(get.fetch.response.status, 413);
    get_done(&get);
}

static void a_fetch_with_content_can_be_canceled_at_any_turn(void **state)
{
    struct fixture *f = *state;

    f->answer = FB_STR_NONE;
    for (int n = 0; n < 12; n++) {
        struct source source = {.n_left = 100};
        struct get get;
        put_start(&get, f, &source, -1);
        for (int i = 0; i < n; i++) {
            if (i % 3 == 2) {
                source_feed(&source);
            }
            fb_loop_turn(f->loop);
        }
        fb_op_cancel(&get.fetch.op);
        quiet(f);
        assert_int_equal(get.n_done, 1);
        assert_int_equal(get.end, FB_E_CANCELED);
        assert_true(source.is_closed);
        get_done(&get);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_get_brings_head_and_content),
        TEST(framing_is_read_every_way),
        TEST(content_may_end_with_the_connection),
        TEST(a_head_request_has_no_content),
        TEST(what_would_be_no_request_is_refused),
        TEST(a_connection_is_used_again),
        TEST(an_idle_connection_that_its_peer_closes_is_forgotten),
        TEST(an_idle_connection_goes_after_its_time),
        TEST(a_request_that_meets_a_closed_kept_connection_is_sent_again),
        TEST(it_is_sent_again_once_and_never_if_it_is_no_repeatable_one),
        TEST(no_more_than_the_limit_stay_idle),
        TEST(more_than_the_limit_wait_their_turn),
        TEST(the_queue_is_served_when_connections_fail),
        TEST(waiting_in_the_queue_times_out),
        TEST(nobody_listening_is_a_failure_to_connect),
        TEST(a_response_cut_anywhere_never_passes_for_whole),
        TEST(a_response_in_single_bytes_is_read),
        TEST(a_stalled_head_and_stalled_content_time_out),
        TEST(a_caller_that_does_not_ask_is_not_timed_out),
        TEST(an_oversized_head_is_refused),
        TEST(endless_interim_responses_are_refused),
        TEST(a_fetch_can_be_canceled_at_any_turn),
        TEST(a_fetch_can_be_canceled_in_the_queue),
        TEST(content_closed_early_costs_the_connection_unless_little_is_left),
        TEST(slices_outlive_the_content_and_the_connection),
        TEST(content_is_sent_with_its_length),
        TEST(content_without_length_is_sent_in_chunks),
        TEST(content_that_breaks_or_is_not_as_long_as_told_breaks_the_request),
        TEST(an_early_response_is_delivered_and_the_connection_not_kept),
        TEST(an_answer_before_the_connection_breaks_is_still_read),
        TEST(a_fetch_with_content_can_be_canceled_at_any_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
