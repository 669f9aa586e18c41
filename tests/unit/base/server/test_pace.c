#include "base/metrics/metrics.h"
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum { SLICE = 64 * 1024, LENGTH = 1024 * 1024, TICK_MS = 2000 };

/* ---- a body that counts who holds how much of it -------------------------- */

struct counted_body {
    struct fb_reader reader;
    char *bytes;
    uint64_t at;
    uint64_t n_held;
    uint64_t n_given;
    bool is_closed;
};

static struct counted_body *counted; /* of the test that runs */

static void counted_release(void *owner)
{
    counted->n_held -= (uint64_t)(uintptr_t)owner;
}

static int counted_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct counted_body *body = FB_CONTAINER_OF(reader, struct counted_body, reader);
    uint64_t n = FB_MIN((uint64_t)SLICE, LENGTH - body->at);

    if (n == 0) {
        return FB_E_END;
    }
    *ret_slice = (struct fb_slice){.bytes = {body->bytes + body->at, (size_t)n},
                                   .release = counted_release,
                                   .owner = (void *)(uintptr_t)n};
    body->at += n;
    body->n_held += n;
    body->n_given += n;
    return FB_OK;
}

static void counted_unread(struct fb_reader *reader, uint64_t n)
{
    struct counted_body *body = FB_CONTAINER_OF(reader, struct counted_body, reader);

    assert_true(n > 0 && n <= body->at);
    body->at -= n;
}

static void counted_close(struct fb_reader *reader)
{
    FB_CONTAINER_OF(reader, struct counted_body, reader)->is_closed = true;
}

static const struct fb_reader_ops patient_ops = {.next = counted_next,
                                                 .close = counted_close,
                                                 .unread = counted_unread};
static const struct fb_reader_ops hasty_ops = {.next = counted_next, .close = counted_close};

/* ---- fixture ------------------------------------------------------------------ */

struct fixture {
    struct wire wire;
    struct fb_metrics *metrics;
    struct counted_body body;
    bool is_chunked;
    struct fb_exchange_outcome outcome;
    unsigned n_finished;
};

static void on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct fixture *f = ctx;

    f->n_finished++;
    f->outcome = *outcome;
}

static void handle(void *ctx, struct fb_exchange *exchange)
{
    struct fixture *f = ctx;
    struct fb_response response = {.status = 200,
                                   .length = f->is_chunked ? FB_LENGTH_UNKNOWN : LENGTH,
                                   .body = &f->body.reader};

    fb_exchange_set_hooks(exchange, &(struct fb_exchange_hooks){f, NULL, on_finished});
    fb_exchange_respond(exchange, &response);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    struct fb_server_options options = {
        .name = "test",
        .limits = {.least_rate = 16000},
        .handle = handle,
        .ctx = f,
    };

    f->metrics = fb_metrics_new();
    options.metrics = f->metrics;
    f->body.reader.ops = &patient_ops;
    f->body.bytes = fb_alloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++) {
        f->body.bytes[i] = (char)('a' + i * 7 / 1000 % 26);
    }
    counted = &f->body;
    wire_init(&f->wire, &options);
    wire_connect(&f->wire);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wire_done(&f->wire), 0);
    assert_int_equal(f->n_finished, 1);
    assert_int_equal(f->body.n_held, 0);
    assert_true(f->body.is_closed);
    fb_metrics_free(f->metrics);
    fb_free(f->body.bytes);
    fb_free(f);
    return 0;
}

/* The server works, and the client reads nothing. */
static void turn_alone(struct fixture *f)
{
    for (int i = 0; i < WIRE_TURNS; i++) {
        fb_loop_turn(f->wire.loop);
    }
}

static void ask(struct fixture *f)
{
    fb_buf_append(&f->wire.sent, FB_STR(GET));
    f->wire.piece = fb_buf_str(&f->wire.sent);
    f->wire.write.pieces = &f->wire.piece;
    f->wire.write.n_pieces = 1;
    fb_op_init(&f->wire.write.op, f->wire.loop, wire_on_written);
    fb_stream_write(f->wire.client, &f->wire.write);
    turn_alone(f);
}

static void wait_alone(struct fixture *f, uint64_t ms)
{
    test_clock_advance_ms(&f->wire.clock, ms);
    turn_alone(f);
}

/* One read of what there is, at most the pair's capacity. */
static size_t read_once(struct fixture *f)
{
    struct fb_slice slice;

    if (fb_reader_next(&f->wire.client->reader, &slice) < 0) {
        return 0;
    }
    size_t n = slice.bytes.len;
    fb_buf_append(&f->wire.received, slice.bytes);
    fb_slice_release(&slice);
    turn_alone(f);
    return n;
}

static void is_whole(struct fixture *f)
{
    const char *body = strstr(f->wire.received.ptr, "\r\n\r\n") + 4;
    size_t n = f->wire.received.len - (size_t)(body - f->wire.received.ptr);

    assert_int_equal(n, LENGTH);
    assert_memory_equal(body, f->body.bytes, LENGTH);
    assert_int_equal(f->outcome.result, FB_OK);
    assert_int_equal(f->outcome.body_bytes, LENGTH);
}

static uint64_t slow_clients(struct fixture *f)
{
    return fb_metrics_sum(f->metrics, "http_slow_clients_total");
}

/* ---- what is held ------------------------------------------------------------- */

static void nothing_is_held_for_a_client_that_does_not_read(void **state)
{
    struct fixture *f = *state;

    ask(f);
    assert_true(f->body.n_held > LENGTH / 2);
    wait_alone(f, TICK_MS);
    assert_int_equal(f->body.n_held, 0);
    assert_true(slow_clients(f) > 0);
    while (read_once(f) > 0) {
    }
    is_whole(f);
}

static void a_slow_client_gets_every_byte_once(void **state)
{
    struct fixture *f = *state;

    ask(f);
    for (int i = 0; i < 100 && f->n_finished == 0; i++) {
        wait_alone(f, TICK_MS);
        assert_int_equal(f->body.n_held, 0);
        (void)read_once(f);
    }
    while (read_once(f) > 0) {
    }
    is_whole(f);
}

static void a_client_that_catches_up_is_served_in_large_pieces_again(void **state)
{
    struct fixture *f = *state;

    ask(f);
    wait_alone(f, TICK_MS);
    assert_int_equal(f->body.n_held, 0);
    uint64_t before = f->body.n_given;
    while (read_once(f) > 0) {
    }
    is_whole(f);
    assert_true(f->body.n_given - before < 2 * LENGTH);
}

static void what_cannot_be_given_back_is_held(void **state)
{
    struct fixture *f = *state;

    f->body.reader.ops = &hasty_ops;
    ask(f);
    wait_alone(f, TICK_MS);
    assert_true(f->body.n_held > 0);
    while (read_once(f) > 0) {
    }
    is_whole(f);
}

static void chunks_that_were_announced_are_kept(void **state)
{
    struct fixture *f = *state;

    f->is_chunked = true;
    ask(f);
    wait_alone(f, TICK_MS);
    while (read_once(f) > 0) {
    }
    assert_int_equal(f->outcome.result, FB_OK);
    assert_int_equal(f->outcome.body_bytes, LENGTH);
}

static void a_connection_lost_meanwhile_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    ask(f);
    wait_alone(f, TICK_MS);
    fb_stream_reset(f->wire.client);
    f->wire.client = NULL;
    turn_alone(f);
    assert_true(f->outcome.result < 0);
}

/* ---- who is cut --------------------------------------------------------------- */

static void a_client_that_takes_nothing_is_cut(void **state)
{
    struct fixture *f = *state;

    ask(f);
    for (int i = 0; i < 14; i++) {
        wait_alone(f, TICK_MS);
    }
    assert_int_equal(f->n_finished, 0);
    wait_alone(f, TICK_MS);
    assert_int_equal(f->n_finished, 1);
    assert_true(f->outcome.result < 0);
}

/* The client reads all that there is, which is the pair's capacity, once in so many seconds. */
static void read_every(struct fixture *f, uint64_t seconds)
{
    for (int i = 0; i < 100 && f->n_finished == 0; i++) {
        wait_alone(f, seconds * 1000);
        (void)read_once(f);
    }
}

static void a_client_slower_than_the_least_rate_is_cut(void **state)
{
    struct fixture *f = *state;

    wire_hang_up(&f->wire);
    f->wire.capacity = 16 * 1024; /* each 20 s: 6.5 kbit/s */
    wire_connect(&f->wire);
    ask(f);
    read_every(f, 20);
    assert_true(f->outcome.result < 0);
    assert_in_range(f->outcome.body_bytes, 2 * 16 * 1024, 6 * 16 * 1024);
}

static void a_client_as_fast_as_the_least_rate_is_not_cut(void **state)
{
    struct fixture *f = *state;

    wire_hang_up(&f->wire);
    f->wire.capacity = 64 * 1024; /* each 20 s: 26 kbit/s */
    wire_connect(&f->wire);
    ask(f);
    read_every(f, 20);
    while (read_once(f) > 0) {
    }
    is_whole(f);
}

int main(void)
{
#define PACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PACE_TEST(nothing_is_held_for_a_client_that_does_not_read),
        PACE_TEST(a_slow_client_gets_every_byte_once),
        PACE_TEST(a_client_that_catches_up_is_served_in_large_pieces_again),
        PACE_TEST(what_cannot_be_given_back_is_held),
        PACE_TEST(chunks_that_were_announced_are_kept),
        PACE_TEST(a_connection_lost_meanwhile_leaves_nothing),
        PACE_TEST(a_client_that_takes_nothing_is_cut),
        PACE_TEST(a_client_slower_than_the_least_rate_is_cut),
        PACE_TEST(a_client_as_fast_as_the_least_rate_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
