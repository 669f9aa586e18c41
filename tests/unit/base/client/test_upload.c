#include "base/client/client.h"
#include "upstream.h"

#include <errno.h>

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

static const struct fb_reader_ops source_ops = {.next = source_next,
                                                .wait = source_wait,
                                                .close = source_close};

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

/* Where a connection is at hand, sending begins inside the call that asks for it. */
static void content_that_is_broken_from_the_start_breaks_the_request_alone(void **state)
{
    struct fixture *f = *state;
    struct source source = {.end = FB_E_MALFORMED};
    struct get get;

    get_start(&get, f);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_END);
    get_done(&get);
    quiet(f);
    put_start(&get, f, &source, -1);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_MALFORMED);
    assert_int_equal(f->n_peers, 1);
    assert_true(source.is_closed);
    get_done(&get);
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
        TEST(content_is_sent_with_its_length),
        TEST(content_without_length_is_sent_in_chunks),
        TEST(content_that_breaks_or_is_not_as_long_as_told_breaks_the_request),
        TEST(content_that_is_broken_from_the_start_breaks_the_request_alone),
        TEST(an_early_response_is_delivered_and_the_connection_not_kept),
        TEST(an_answer_before_the_connection_breaks_is_still_read),
        TEST(a_fetch_with_content_can_be_canceled_at_any_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
