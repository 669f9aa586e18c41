/*
 * A listener, a connection's two ends, a loop with a fake clock, and files to send. For the
 * tests in this folder; each includes it once, before cmocka's header.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/stream.h"
#include "base/net/tcp.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_listener *listener;
    struct fb_stream *accepted[64];
    unsigned n_accepted;
    struct fb_stream *client;
};

/* One side's operations, and what came in. */
struct side {
    struct fb_op wait;
    struct fb_stream_write write;
    unsigned n_waits;
    unsigned n_writes;
};

/* A file of memory with `n` bytes, mapped; NULL: holes, which are zeros. */
static inline struct fb_slice_file make_file(const char *bytes, size_t n)
{
    struct fb_slice_file file = {.fd = memfd_create("test", MFD_CLOEXEC)};

    assert_int_equal(ftruncate(file.fd, (off_t)n), 0);
    if (bytes != NULL) {
        assert_int_equal(write(file.fd, bytes, n), n);
    }
    file.begin = mmap(NULL, n, PROT_READ, MAP_SHARED, file.fd, 0);
    assert_ptr_not_equal(file.begin, MAP_FAILED);
    return file;
}

static inline void drop_file(const struct fb_slice_file *file, size_t n)
{
    union {
        const char *borrowed;
        void *mapped;
    } at = {.borrowed = file->begin};

    (void)munmap(at.mapped, n);
    (void)close(file->fd);
}

static inline void on_accepted(void *ctx, struct fb_stream *stream)
{
    struct fixture *f = ctx;
    f->accepted[f->n_accepted++] = stream;
}

static inline int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    struct fb_listener_options options = {.accepted = on_accepted, .ctx = f};
    assert_int_equal(fb_address_parse(FB_STR("127.0.0.1:0"), &options.address, NULL), FB_OK);
    assert_int_equal(fb_listener_open(f->loop, &options, &f->listener), FB_OK);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < f->n_accepted; i++) {
        fb_stream_close(f->accepted[i]);
    }
    fb_stream_close(f->client);
    fb_listener_close(f->listener);
    fb_loop_turn(f->loop);
    fb_loop_free(f->loop);
    fb_free(f);
    return 0;
}

static inline void turn_until(struct fixture *f, const unsigned *count, unsigned wanted)
{
    while (*count < wanted) {
        fb_loop_turn_waiting(f->loop);
    }
}

struct connecting {
    struct fb_connect connect;
    unsigned n_done;
};

static inline void on_connect(struct fb_op *op)
{
    struct connecting *connecting = FB_CONTAINER_OF(op, struct connecting, connect.op);
    connecting->n_done++;
}

static inline void start_connect(struct fixture *f, struct connecting *connecting, const char *host)
{
    struct fb_address bound = fb_listener_address(f->listener);

    *connecting = (struct connecting){0};
    fb_op_init(&connecting->connect.op, f->loop, on_connect);
    connecting->connect.host = fb_str_from(host);
    connecting->connect.port = fb_address_port(&bound);
    connecting->connect.timeout_ms = 1000;
    fb_tcp_connect(&connecting->connect);
}

/* A connection: f->client on one side, f->accepted[0] on the other. */
static inline struct fb_stream *connect_both(struct fixture *f)
{
    struct connecting connecting;

    start_connect(f, &connecting, "127.0.0.1");
    turn_until(f, &connecting.n_done, 1);
    assert_int_equal(connecting.connect.op.result, FB_OK);
    f->client = connecting.connect.stream;
    turn_until(f, &f->n_accepted, 1);
    return f->accepted[0];
}

static inline void on_wait(struct fb_op *op)
{
    struct side *side = FB_CONTAINER_OF(op, struct side, wait);
    side->n_waits++;
}

static inline void on_write(struct fb_op *op)
{
    struct side *side = FB_CONTAINER_OF(op, struct side, write.op);
    side->n_writes++;
}

static inline void side_init(struct side *side, struct fixture *f)
{
    *side = (struct side){0};
    fb_op_init(&side->wait, f->loop, on_wait);
    fb_op_init(&side->write.op, f->loop, on_write);
}

static inline void side_write(struct side *side, struct fb_stream *stream,
                              const struct fb_str *pieces, size_t n_pieces)
{
    side->write.pieces = pieces;
    side->write.n_pieces = n_pieces;
    fb_stream_write(stream, &side->write);
}

/* Reads to the end, turning the loop; appends to `buf`. Returns how it ended. */
static inline int read_all(struct fixture *f, struct fb_stream *stream, struct fb_buf *buf)
{
    struct side side;

    side_init(&side, f);
    for (;;) {
        struct fb_slice slice;
        int err = fb_reader_next(&stream->reader, &slice);
        if (err == FB_OK) {
            fb_buf_append(buf, slice.bytes);
            fb_slice_release(&slice);
        } else if (err == FB_E_LATER) {
            unsigned n_waits = side.n_waits;
            fb_reader_wait(&stream->reader, &side.wait);
            turn_until(f, &side.n_waits, n_waits + 1);
        } else {
            return err;
        }
    }
}
