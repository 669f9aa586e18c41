/*
 * A whole server on one end of a pair, and on the other a client that sends the preface and then
 * the input: of its bytes, the first chooses the steps in which it is cut, the second how much time
 * passes between two. Requests for / are answered at once, those for other paths when the next
 * comes or at the end, those with content when it has been read. In the end nothing is left.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/pair.h"
#include "base/net/stream.h"
#include "base/server/exchange.h"
#include "base/server/server.h"
#include "tests/support/test_clock.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAPACITY = 64 * 1024, TURNS = 6, CONTENT_BYTES = 30000 };

struct all {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_server *server;
    struct fb_stream *client;
    struct fb_stream_write write;
    struct fb_str piece;
    struct fb_exchange *later; /* to be answered */
    size_t n_handled;
    size_t n_finished;
};

struct reading {
    struct fb_exchange *exchange;
    struct fb_op wait;
};

static void on_finished(void *ctx, const struct fb_exchange_outcome *outcome)
{
    struct all *all = ctx;

    (void)outcome;
    all->n_finished++;
}

static void answer(struct fb_exchange *exchange)
{
    static const char zeros[CONTENT_BYTES];
    struct fb_slice slice = {.bytes = {zeros, sizeof(zeros)}};
    struct fb_response response = {.status = 200, .length = CONTENT_BYTES};

    response.body = fb_reader_of_slice(slice);
    fb_exchange_respond(exchange, &response);
}

static void read_on(struct reading *reading)
{
    struct fb_reader *body = fb_exchange_body(reading->exchange);
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(body, &slice)) == FB_OK) {
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(body, &reading->wait);
        return;
    }
    answer(reading->exchange);
    fb_free(reading);
}

static void on_content(struct fb_op *op)
{
    read_on(FB_CONTAINER_OF(op, struct reading, wait));
}

static void answer_later(struct all *all, struct fb_exchange *next)
{
    struct fb_exchange *exchange = all->later;

    all->later = next;
    if (exchange != NULL) {
        answer(exchange);
    }
}

static void handle(void *ctx, struct fb_exchange *exchange)
{
    struct all *all = ctx;
    struct fb_exchange_hooks hooks = {.ctx = all, .finished = on_finished};

    all->n_handled++;
    fb_exchange_set_hooks(exchange, &hooks);
    if (fb_exchange_body_length(exchange) != 0) {
        struct reading *reading = FB_NEW(struct reading);
        reading->exchange = exchange;
        fb_op_init(&reading->wait, all->loop, on_content);
        read_on(reading);
    } else if (fb_exchange_request(exchange)->path.len == 1) {
        answer(exchange);
    } else {
        answer_later(all, exchange);
    }
}

static void turn(struct all *all)
{
    struct fb_slice slice;

    for (int i = 0; i < TURNS; i++) {
        fb_loop_turn(all->loop);
        while (all->client != NULL && fb_reader_next(&all->client->reader, &slice) == FB_OK) {
            fb_slice_release(&slice);
        }
    }
}

static void on_written(struct fb_op *op)
{
    (void)op;
}

/* What the server has no room for is not sent. */
static void send_bytes(struct all *all, struct fb_str bytes)
{
    if (!fb_op_is_idle(&all->write.op)) {
        return;
    }
    all->piece = bytes;
    all->write.pieces = &all->piece;
    all->write.n_pieces = 1;
    fb_stream_write(all->client, &all->write);
    turn(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct all all = {.clock = test_clock_at_start()};
    struct fb_server_options options = {.name = "fuzz", .handle = handle, .ctx = &all};
    struct fb_stream *served = NULL;

    if (size < 2 || fb_loop_new(&all.clock.clock, &all.loop) < 0) {
        return 0;
    }
    all.server = fb_server_new(all.loop, &options);
    fb_op_init(&all.write.op, all.loop, on_written);
    fb_stream_pair(all.loop, CAPACITY, &all.client, &served);
    fb_server_serve(all.server, served);
    send_bytes(&all, FB_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    struct fb_str rest = {(const char *)data + 2, size - 2};
    while (rest.len > 0) {
        struct fb_str piece = fb_str_first(rest, (size_t)data[0] + 1);
        rest = fb_str_skip(rest, piece.len);
        send_bytes(&all, piece);
        test_clock_advance_ms(&all.clock, (uint64_t)data[1] * 16);
    }
    fb_stream_close(all.client);
    all.client = NULL;
    turn(&all);
    answer_later(&all, NULL);
    turn(&all);
    FB_REQUIRE(fb_server_connections(all.server) == 0);
    FB_REQUIRE(all.n_finished == all.n_handled);
    fb_server_free(all.server);
    turn(&all);
    fb_loop_free(all.loop);
    return 0;
}
