/*
 * What clients of HTTP/2 send. The first byte chooses how the input is cut, the second how large
 * the responses are; the rest follows the preface. Every request is answered, whatever happens to
 * its stream, and in the end nothing is left of any.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http2/session.h"
#include "http2_flush.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct one {
    struct fb_http2_stream part;
    struct fb_arena arena;
    struct fb_list link;
    struct fb_reader *body;
    bool is_ready;
};

struct all {
    struct fb_http2_session *session;
    struct fb_list streams;
    size_t n_content;
};

static struct one *one_of(struct fb_http2_stream *part)
{
    return FB_CONTAINER_OF(part, struct one, part);
}

static struct fb_http2_stream *on_opened(void *ctx)
{
    struct all *all = ctx;
    struct one *one = FB_NEW(struct one);

    one->part.arena = &one->arena;
    fb_list_init(&one->link);
    fb_list_append(&all->streams, &one->link);
    return &one->part;
}

static void on_requested(void *ctx, struct fb_http2_stream *part)
{
    (void)ctx;
    FB_REQUIRE(part->status != 0 || part->request.path.len > 0);
    FB_REQUIRE(part->status != 0 || part->request.host.len > 0);
    one_of(part)->is_ready = true;
}

static void on_content(void *ctx, struct fb_http2_stream *part, struct fb_str bytes)
{
    struct all *all = ctx;

    (void)part;
    all->n_content += bytes.len;
}

static void on_event(void *ctx, struct fb_http2_stream *part)
{
    (void)ctx;
    FB_REQUIRE(part->arena != NULL);
}

static void on_refused(void *ctx)
{
    (void)ctx;
}

static void one_free(struct all *all, struct one *one)
{
    fb_http2_stream_done(all->session, &one->part);
    fb_reader_close(one->body);
    fb_list_remove(&one->link);
    fb_arena_done(&one->arena);
    fb_free(one);
}

static void answer(struct all *all, struct one *one, size_t length)
{
    static const char zeros[64 * 1024];
    const struct fb_header header = {FB_STR("Content-Type"), FB_STR("video/mp4")};
    struct fb_http2_response response = {.status = one->part.status != 0 ? one->part.status : 200,
                                         .headers = &header,
                                         .n_headers = 1,
                                         .says_length = true,
                                         .length = (int64_t)length};

    one->is_ready = false;
    fb_http2_widen(all->session, &one->part);
    if (length > 0) {
        one->body = fb_reader_of_slice((struct fb_slice){.bytes = {zeros, length}});
        response.body = one->body;
    }
    fb_http2_respond(all->session, &one->part, &response);
}

/* Answers what is ready, and frees what is closed. */
static void settle(struct all *all, size_t length)
{
    FB_LIST_EACH(node, &all->streams) {
        struct one *one = FB_CONTAINER_OF(node, struct one, link);
        if (one->part.is_closed) {
            one_free(all, one);
        } else if (one->is_ready) {
            answer(all, one, length);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fb_http2_limits limits = {.max_head_bytes = 4096, .max_headers = 20};
    const struct fb_http2_events events = {.opened = on_opened,
                                           .requested = on_requested,
                                           .content = on_content,
                                           .waiting = on_event,
                                           .ended = on_event,
                                           .closed = on_event,
                                           .refused = on_refused};
    struct all all = {0};
    uint64_t now_ms = 0;

    if (size < 2 || fb_http2_session_new(&limits, &events, &all, &all.session) < 0) {
        return 0;
    }
    fb_list_init(&all.streams);
    size_t step = (size_t)data[0] + 1;
    size_t length = (size_t)data[1] * 256;
    struct fb_str rest = {(const char *)data + 2, size - 2};
    int err = fb_http2_receive(all.session, FB_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0);
    while (err == FB_OK && rest.len > 0) {
        struct fb_str piece = fb_str_first(rest, step);
        rest = fb_str_skip(rest, piece.len);
        err = fb_http2_receive(all.session, piece, now_ms++);
        settle(&all, length);
        flush(all.session);
        settle(&all, length);
    }
    FB_LIST_EACH(node, &all.streams) {
        one_free(&all, FB_CONTAINER_OF(node, struct one, link));
    }
    fb_http2_session_free(all.session);
    return 0;
}
