/*
 * What a client sends after its handshake, whole and in pieces: it never makes the socket give more
 * than a few answers for a message, and what is told is bounded.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/websocket/websocket.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 64 };

struct peer {
    struct fb_reader input;
    struct fb_str rest;
    size_t step;
    bool is_closed;
};

static int input_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct peer *peer = FB_CONTAINER_OF(reader, struct peer, input);

    if (peer->rest.len == 0) {
        return FB_E_END;
    }
    *ret_slice = (struct fb_slice){.bytes = fb_str_first(peer->rest, peer->step)};
    peer->rest = fb_str_skip(peer->rest, ret_slice->bytes.len);
    return FB_OK;
}

static const struct fb_reader_ops input_ops = {.next = input_next};

static bool on_next(void *ctx, struct fb_buf *text)
{
    (void)ctx;
    fb_buf_append(text, FB_STR("state"));
    return true;
}

static void on_message(void *ctx, struct fb_str bytes, bool is_text)
{
    (void)ctx;
    (void)is_text;
    FB_REQUIRE(bytes.len <= MAX_MESSAGE);
}

static void on_closed(void *ctx)
{
    ((struct peer *)ctx)->is_closed = true;
}

static void feed(struct fb_loop *loop, struct fb_str bytes, size_t step)
{
    struct peer peer = {.input = {&input_ops}, .rest = bytes, .step = step};
    struct fb_websocket *socket = fb_websocket_new(&(struct fb_websocket_options){
        .loop = loop,
        .input = &peer.input,
        .max_message = MAX_MESSAGE,
        .next = on_next,
        .message = on_message,
        .closed = on_closed,
        .ctx = &peer,
    });
    struct fb_reader *output = fb_websocket_output(socket);
    struct fb_slice slice;

    /* The state is always new, so that a socket which neither ends nor reads would go on. */
    for (size_t i = 0; i < 2 * bytes.len + 16; i++) {
        if (fb_reader_next(output, &slice) < 0) {
            break;
        }
        fb_slice_release(&slice);
    }
    fb_reader_close(output);
    FB_REQUIRE(peer.is_closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str bytes = {(const char *)data, size};
    struct fb_loop *loop = NULL;

    FB_REQUIRE(fb_loop_new(fb_clock_system(), &loop) == FB_OK);
    feed(loop, bytes, size + 1);
    feed(loop, bytes, 1);
    fb_loop_turn(loop);
    fb_loop_free(loop);
    return 0;
}
