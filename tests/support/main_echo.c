/*
 * echo-server: base/server with the smallest handler, for tests of the server
 * from outside.
 *
 *     echo-server
 *
 * Listens on a loopback port of the kernel's choice, prints "port N", answers
 * every request with one line "METHOD PATH LENGTH\n", where LENGTH is what it
 * read of the content, or 400 when that broke. SIGTERM drains.
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/address.h"
#include "base/server/exchange.h"
#include "base/server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct echo {
    struct fb_exchange *exchange;
    struct fb_op wait;
    size_t n_bytes;
};

struct program {
    struct fb_loop *loop;
    struct fb_server *server;
    struct fb_op drain;
};

static void echo_answer(struct echo *echo, int err)
{
    const struct fb_request_head *request = fb_exchange_request(echo->exchange);
    struct fb_buf line = {0};

    if (err != FB_E_END) {
        fb_exchange_problem(echo->exchange, 400, NULL, "The content broke.");
        fb_free(echo);
        return;
    }
    fb_buf_printf(&line, "%.*s %.*s %zu\n", FB_STR_ARG(request->method_text),
                  FB_STR_ARG(request->path), echo->n_bytes);
    struct fb_response response = {.status = 200, .length = (int64_t)line.len};
    response.body = fb_reader_of_buf(&line);
    fb_exchange_respond(echo->exchange, &response);
    fb_free(echo);
}

static void echo_read(struct echo *echo)
{
    struct fb_reader *body = fb_exchange_body(echo->exchange);
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(body, &slice)) == FB_OK) {
        echo->n_bytes += slice.bytes.len;
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_reader_wait(body, &echo->wait);
    } else {
        echo_answer(echo, err);
    }
}

static void echo_on_content(struct fb_op *op)
{
    echo_read(FB_CONTAINER_OF(op, struct echo, wait));
}

static void handle(void *ctx, struct fb_exchange *exchange)
{
    struct echo *echo = FB_NEW(struct echo);
    (void)ctx;

    echo->exchange = exchange;
    fb_op_init(&echo->wait, fb_exchange_loop(exchange), echo_on_content);
    echo_read(echo);
}

static void on_drained(struct fb_op *op)
{
    fb_loop_stop(op->loop);
}

static void on_signal(void *ctx, int signum)
{
    struct program *program = ctx;
    (void)signum;

    if (fb_op_is_idle(&program->drain)) {
        fb_server_drain(program->server, 1000, &program->drain);
    }
}

int main(void)
{
    struct program program = {0};
    struct fb_server_options options = {.name = "echo", .handle = handle};
    struct fb_address address;

    if (fb_address_parse(FB_STR("127.0.0.1:0"), &address, NULL) < 0 ||
        fb_loop_new(fb_clock_system(), &program.loop) < 0) {
        return EXIT_FAILURE;
    }
    program.server = fb_server_new(program.loop, &options);
    fb_op_init(&program.drain, program.loop, on_drained);
    if (fb_loop_on_signal(program.loop, SIGTERM, on_signal, &program) < 0 ||
        fb_server_listen(program.server, &address, &address) < 0) {
        return EXIT_FAILURE;
    }
    (void)printf("port %u\n", fb_address_port(&address));
    (void)fflush(stdout);
    fb_loop_run(program.loop);
    fb_server_free(program.server);
    fb_loop_free(program.loop);
    return EXIT_SUCCESS;
}
