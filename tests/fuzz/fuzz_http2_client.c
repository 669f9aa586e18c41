/*
 * What servers of HTTP/2 answer. The first byte chooses how the input is cut, the second how many
 * requests are asked and whether content goes with them; the rest is the server's. Every request
 * ends in a response that makes sense or in an error, and in the end nothing is left of any.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http2/client.h"
#include "http2_flush.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_CALLS = 8 };

struct one {
    struct fb_http2_call call;
    struct fb_arena arena;
    struct fb_reader *body;
    uint64_t n_content;
    unsigned n_answers;
};

struct all {
    struct fb_http2_session *session;
    struct one ones[MAX_CALLS];
    size_t n;
};

static struct one *one_of(struct fb_http2_stream *stream)
{
    return FB_CONTAINER_OF(fb_http2_call_of(stream), struct one, call);
}

static void on_answered(void *ctx, struct fb_http2_stream *stream)
{
    struct one *one = one_of(stream);

    (void)ctx;
    FB_REQUIRE(++one->n_answers == 1 && one->call.is_answered);
    FB_REQUIRE(one->call.response.status >= 200 && one->call.response.status <= 999);
    FB_REQUIRE(stream->content_length >= FB_LENGTH_UNKNOWN);
}

static void on_content(void *ctx, struct fb_http2_stream *stream, struct fb_str bytes)
{
    struct one *one = one_of(stream);

    (void)ctx;
    FB_REQUIRE(one->n_answers == 1 && !stream->is_closed);
    one->n_content += bytes.len;
    FB_REQUIRE(stream->content_length < 0 || one->n_content <= (uint64_t)stream->content_length);
}

static void on_closed(void *ctx, struct fb_http2_stream *stream)
{
    struct one *one = one_of(stream);

    (void)ctx;
    FB_REQUIRE((one->call.err == FB_OK) == (one->n_answers == 1 && stream->has_all_content));
    if (one->call.err == FB_OK && stream->content_length > 0 && one->n_content > 0) {
        FB_REQUIRE(one->n_content == (uint64_t)stream->content_length);
    }
}

static void on_event(void *ctx, struct fb_http2_stream *stream)
{
    (void)ctx;
    FB_REQUIRE(stream->arena != NULL);
}

static void ask(struct all *all, bool has_content)
{
    struct one *one = &all->ones[all->n++];
    struct fb_http2_ask ask = {.method = has_content ? FB_STR("POST") : FB_STR("GET"),
                               .scheme = FB_STR("http"),
                               .authority = FB_STR("a.example"),
                               .target = FB_STR("/seg.m4s")};

    one->call.stream.arena = &one->arena;
    if (has_content) {
        one->body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("content")});
        ask.body = one->body;
        ask.length = FB_LENGTH_UNKNOWN;
    }
    if (fb_http2_ask(all->session, &one->call, &ask) < 0) {
        one->call.stream.is_closed = true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fb_http2_limits limits = {.max_head_bytes = 4096, .max_headers = 20};
    const struct fb_http2_events events = {.answered = on_answered,
                                           .content = on_content,
                                           .waiting = on_event,
                                           .ended = on_event,
                                           .closed = on_closed};
    struct all all = {.n = 0};
    uint64_t now_ms = 0;
    int err = FB_OK;

    if (size < 2 || fb_http2_client_new(&limits, &events, &all, &all.session) < 0) {
        return 0;
    }
    for (unsigned i = 0; i <= data[1] % MAX_CALLS; i++) {
        ask(&all, (data[1] & 0x80) != 0);
    }
    flush(all.session);
    size_t step = (size_t)data[0] + 1;
    struct fb_str rest = {(const char *)data + 2, size - 2};
    while (err == FB_OK && rest.len > 0) {
        struct fb_str piece = fb_str_first(rest, step);
        rest = fb_str_skip(rest, piece.len);
        err = fb_http2_receive(all.session, piece, now_ms++);
        flush(all.session);
    }
    for (size_t i = 0; i < all.n; i++) {
        fb_http2_stream_done(all.session, &all.ones[i].call.stream);
        fb_reader_close(all.ones[i].body);
    }
    fb_http2_session_free(all.session);
    for (size_t i = 0; i < all.n; i++) {
        fb_arena_done(&all.ones[i].arena);
    }
    return 0;
}
