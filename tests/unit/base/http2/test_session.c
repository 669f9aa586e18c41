/*
 * Sessions without a server: what is gathered, and what is given back. How they treat clients is
 * proved through the server (tests/unit/base/server/test_h2*.c).
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/http2/session.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FRAME(len, type, flags, id) "\0\0" len type flags "\0\0\0" id
#define GET(id)                 \
    FRAME("\6", "\1", "\5", id) \
    "\x82\x86\x84\x41\x01"      \
    "a"
/* Streams may be sent as much as they like, or only one byte; so may the connection. */
#define WIDE \
    FRAME("\6", "\4", "\0", "\0") "\0\4\x7f\xff\xff\xff" FRAME("\4", "\x8", "\0", "\0") "\x7f\0\0\0"
#define NARROW FRAME("\6", "\4", "\0", "\0") "\0\4\0\0\0\1"

enum { MAX_STREAMS = 32, SLICE_BYTES = 10000, BATCH_BYTES = 64 * 1024, MAX_FIELDS = 300 };

/* A body of so many slices of SLICE_BYTES, that can be had again. */
struct body {
    struct fb_reader reader;
    size_t n_slices;
    uint64_t n_given;
    unsigned n_held; /* slices not released */
};

static char zeros[SLICE_BYTES];

static void slice_release(void *owner)
{
    struct body *body = owner;
    body->n_held--;
}

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct body *body = FB_CONTAINER_OF(reader, struct body, reader);

    if (body->n_given == (uint64_t)body->n_slices * SLICE_BYTES) {
        return FB_E_END;
    }
    size_t from = (size_t)(body->n_given % SLICE_BYTES);
    *ret_slice = (struct fb_slice){
        .bytes = {zeros + from, SLICE_BYTES - from}, .release = slice_release, .owner = body};
    body->n_given += ret_slice->bytes.len;
    body->n_held++;
    return FB_OK;
}

static void body_unread(struct fb_reader *reader, uint64_t n)
{
    struct body *body = FB_CONTAINER_OF(reader, struct body, reader);
    body->n_given -= n;
}

static void body_close(struct fb_reader *reader)
{
    (void)reader;
}

static const struct fb_reader_ops body_ops = {.next = body_next,
                                              .close = body_close,
                                              .unread = body_unread};

struct stream {
    struct fb_http2_stream part;
    struct fb_arena arena;
    struct body body;
};

struct fixture {
    struct fb_http2_session *session;
    struct stream streams[MAX_STREAMS];
    size_t n_streams;
    size_t n_requested;
    size_t n_ended;
    size_t n_closed;
    struct fb_str pieces[FB_HTTP2_MAX_PIECES];
};

static struct fb_http2_stream *on_opened(void *ctx)
{
    struct fixture *f = ctx;
    struct stream *stream = &f->streams[f->n_streams++];

    stream->part.arena = &stream->arena;
    return &stream->part;
}

static void on_requested(void *ctx, struct fb_http2_stream *part)
{
    struct fixture *f = ctx;
    (void)part;
    f->n_requested++;
}

static void on_content(void *ctx, struct fb_http2_stream *part, struct fb_str bytes)
{
    (void)ctx;
    (void)part;
    (void)bytes;
}

static void on_waiting(void *ctx, struct fb_http2_stream *part)
{
    (void)ctx;
    (void)part;
}

static void on_ended(void *ctx, struct fb_http2_stream *part)
{
    struct fixture *f = ctx;
    (void)part;
    f->n_ended++;
}

static void on_closed(void *ctx, struct fb_http2_stream *part)
{
    struct fixture *f = ctx;
    (void)part;
    f->n_closed++;
}

static void on_refused(void *ctx)
{
    (void)ctx;
}

static void receive(struct fixture *f, struct fb_str bytes)
{
    assert_int_equal(fb_http2_receive(f->session, bytes, 0), FB_OK);
}

static int set_up(void **state)
{
    static const struct fb_http2_events events = {.opened = on_opened,
                                                  .requested = on_requested,
                                                  .content = on_content,
                                                  .waiting = on_waiting,
                                                  .ended = on_ended,
                                                  .closed = on_closed,
                                                  .refused = on_refused};
    const struct fb_http2_limits limits = {.max_streams = MAX_STREAMS};
    struct fixture *f = FB_NEW(struct fixture);

    assert_int_equal(fb_http2_session_new(&limits, &events, f, &f->session), FB_OK);
    receive(f, FB_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->n_streams; i++) {
        fb_http2_stream_done(f->session, &f->streams[i].part);
        fb_arena_done(&f->streams[i].arena);
    }
    fb_http2_session_free(f->session);
    for (size_t i = 0; i < f->n_streams; i++) {
        assert_int_equal(f->streams[i].body.n_held, 0);
    }
    fb_free(f);
    return 0;
}

static void respond(struct fixture *f, struct stream *stream, size_t n_slices)
{
    struct fb_http2_response response = {.status = 200,
                                         .says_length = true,
                                         .length = (int64_t)(n_slices * SLICE_BYTES),
                                         .body = &stream->body.reader};

    stream->body = (struct body){.reader = {&body_ops}, .n_slices = n_slices};
    fb_http2_respond(f->session, &stream->part, &response);
}

/* All that is to be sent at the moment, over and done with. */
static size_t gather_all(struct fixture *f)
{
    size_t n_bytes = 0;
    size_t n = 0;

    while ((n = fb_http2_gather(f->session, BATCH_BYTES, f->pieces)) > 0) {
        for (size_t i = 0; i < n; i++) {
            n_bytes += f->pieces[i].len;
        }
        fb_http2_sent(f->session);
    }
    return n_bytes;
}

static void small_responses_go_together(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3") GET("\5") GET("\7") GET("\x9")));
    assert_int_equal(f->n_requested, 5);
    for (size_t i = 0; i < 5; i++) {
        respond(f, &f->streams[i], 1);
    }
    size_t n = fb_http2_gather(f->session, BATCH_BYTES, f->pieces);
    assert_int_equal(n, 10); /* what frames say of each, and its content */
    assert_int_equal(f->n_ended, 5);
    assert_int_equal(f->n_closed, 5);
    fb_http2_sent(f->session);
    assert_int_equal(fb_http2_gather(f->session, BATCH_BYTES, f->pieces), 0);
}

static void content_is_viewed_and_kept_until_it_is_sent(void **state)
{
    struct fixture *f = *state;
    struct stream *stream = &f->streams[0];

    receive(f, FB_STR(WIDE GET("\1")));
    respond(f, stream, 1);
    size_t n = fb_http2_gather(f->session, BATCH_BYTES, f->pieces);
    assert_ptr_equal(f->pieces[n - 1].ptr, zeros);
    assert_int_equal(stream->body.n_held, 1);
    assert_int_equal(fb_http2_n_sent(f->session, &stream->part), 0);
    fb_http2_sent(f->session);
    assert_int_equal(stream->body.n_held, 0);
    assert_int_equal(fb_http2_n_sent(f->session, &stream->part), SLICE_BYTES);
}

static void a_gathering_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct stream *stream = &f->streams[0];

    receive(f, FB_STR(WIDE GET("\1")));
    respond(f, stream, 100);
    assert_true(fb_http2_gather(f->session, BATCH_BYTES, f->pieces) <= FB_HTTP2_MAX_PIECES);
    assert_true(stream->part.n_gathered >= BATCH_BYTES);
    assert_true(stream->part.n_gathered < BATCH_BYTES + 16384);
    fb_http2_sent(f->session);
    assert_true(gather_all(f) > (size_t)100 * SLICE_BYTES - 2 * BATCH_BYTES);
    assert_int_equal(f->n_ended, 1);
}

/* The stream of the first frame that was gathered, which is of content. */
static int32_t first_stream(const struct fixture *f)
{
    assert_int_equal(f->pieces[0].ptr[3], 0);
    return f->pieces[0].ptr[8];
}

static void what_is_urgent_goes_next_though_others_were_under_way(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3")));
    respond(f, &f->streams[0], 100);
    (void)fb_http2_gather(f->session, BATCH_BYTES, f->pieces);
    fb_http2_sent(f->session);
    receive(f, FB_STR(FRAME("\x7", "\x10", "\0", "\0") "\0\0\0\3u=0"));
    respond(f, &f->streams[1], 100);
    (void)fb_http2_gather(f->session, 1, f->pieces); /* the head is not content, so a frame too */
    assert_int_equal(f->streams[1].part.n_gathered, 16384);
    fb_http2_sent(f->session);
    (void)fb_http2_gather(f->session, 1, f->pieces);
    assert_int_equal(first_stream(f), 3);
    fb_http2_sent(f->session);
}

static void what_waits_for_a_window_is_given_back(void **state)
{
    struct fixture *f = *state;
    struct stream *stream = &f->streams[0];

    receive(f, FB_STR(NARROW GET("\1")));
    respond(f, stream, 2);
    (void)gather_all(f);
    assert_int_equal(stream->part.n_gathered, 1);
    assert_true(fb_http2_is_blocked(f->session, &stream->part));
    assert_int_equal(stream->body.n_held, 1);
    fb_http2_retract(f->session, &stream->part);
    assert_int_equal(stream->body.n_held, 0);
    assert_int_equal(stream->body.n_given, 1);
    receive(f, FB_STR(FRAME("\4", "\x8", "\0", "\1") "\0\1\0\0"));
    (void)gather_all(f);
    assert_int_equal(stream->part.n_gathered, 2 * SLICE_BYTES);
    assert_int_equal(f->n_ended, 1);
    assert_int_equal(f->n_closed, 1);
}

static void a_reset_while_content_is_gathered_keeps_what_was(void **state)
{
    struct fixture *f = *state;
    struct stream *stream = &f->streams[0];

    receive(f, FB_STR(WIDE GET("\1")));
    respond(f, stream, 100);
    (void)fb_http2_gather(f->session, BATCH_BYTES, f->pieces);
    receive(f, FB_STR(FRAME("\4", "\3", "\0", "\1") "\0\0\0\x8"));
    assert_int_equal(f->n_closed, 1);
    assert_true(stream->body.n_held > 0);
    fb_http2_sent(f->session);
    assert_int_equal(stream->body.n_held, 0);
}

/* A response whose head has so many fields of 1,000 bytes. */
static void respond_with_fields(struct fixture *f, struct stream *stream, size_t n)
{
    static char letters[1000];
    static struct fb_header headers[MAX_FIELDS];
    struct fb_http2_response response = {.status = 200,
                                         .headers = headers,
                                         .n_headers = n,
                                         .length = SLICE_BYTES,
                                         .body = &stream->body.reader};

    memset(letters, 'a', sizeof(letters));
    for (size_t i = 0; i < n; i++) {
        headers[i] = (struct fb_header){FB_STR("x-long"), {letters, sizeof(letters)}};
    }
    stream->body = (struct body){.reader = {&body_ops}, .n_slices = 1};
    fb_http2_respond(f->session, &stream->part, &response);
}

/* Reads all heads of what can be sent, whose table is of `table_bytes`; returns how many fields
 * they have. */
static size_t read_heads(struct fixture *f, size_t table_bytes)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    nghttp2_hd_inflater *inflater = NULL;
    size_t n_fields = 0;
    size_t n = 0;

    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, table_bytes), 0);
    while ((n = fb_http2_gather(f->session, BATCH_BYTES, f->pieces)) > 0) {
        for (size_t i = 0; i < n; i++) {
            fb_buf_append(&bytes, f->pieces[i]);
        }
        fb_http2_sent(f->session);
    }
    for (const char *at = bytes.ptr; at < bytes.ptr + bytes.len;) {
        const uint8_t *frame = (const uint8_t *)at;
        size_t length = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        bool is_head = frame[3] == NGHTTP2_HEADERS || frame[3] == NGHTTP2_CONTINUATION;
        bool is_last = (frame[4] & NGHTTP2_FLAG_END_HEADERS) != 0;
        const uint8_t *block = frame + 9;
        int flags = NGHTTP2_HD_INFLATE_EMIT;
        assert_true(length <= 16384);
        while (is_head && (flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            nghttp2_nv nv;
            size_t n_left = (size_t)(frame + 9 + length - block);
            ssize_t n_read = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, n_left, is_last);
            assert_true(n_read >= 0);
            block += n_read;
            n_fields += (flags & NGHTTP2_HD_INFLATE_EMIT) != 0 ? 1 : 0;
        }
        if (is_head && is_last) {
            assert_true((flags & NGHTTP2_HD_INFLATE_FINAL) != 0);
            assert_int_equal(nghttp2_hd_inflate_end_headers(inflater), 0);
        }
        at += 9 + length;
    }
    nghttp2_hd_inflate_del(inflater);
    return n_fields;
}

static void heads_of_many_frames_are_whole(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3")));
    respond_with_fields(f, &f->streams[0], 200);
    respond(f, &f->streams[1], 1);
    assert_int_equal(read_heads(f, 4096), 1 + 200 + 1 + 1);
    assert_int_equal(f->n_ended, 2);
}

static void fields_that_are_lines_as_well_are_sent_once(void **state)
{
    static const struct fb_header headers[] = {{FB_STR("ETag"), FB_STR("\"1\"")},
                                               {FB_STR("Vary"), FB_STR("Accept")},
                                               {FB_STR("Age"), FB_STR("7")}};
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3") GET("\5")));
    for (size_t i = 0; i < 3; i++) {
        struct fb_http2_response response = {.status = 404,
                                             .headers = headers,
                                             .n_headers = FB_ARRAY_LEN(headers),
                                             .n_checked = FB_ARRAY_LEN(headers),
                                             .lines = FB_STR("ETag: \"1\"\r\nVary: Accept\r\n"),
                                             .n_lines = 2};
        fb_http2_respond(f->session, &f->streams[i].part, &response);
    }
    assert_int_equal(read_heads(f, 4096), 3 * (1 + 3));
    assert_int_equal(f->n_closed, 3);
}

static void a_client_chooses_how_much_it_remembers(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE FRAME("\6", "\4", "\0", "\0") "\0\1\0\0\0\0" GET("\1") GET("\3")));
    for (size_t i = 0; i < 2; i++) {
        const struct fb_header header = {FB_STR("X-Same"), FB_STR("value")};
        struct stream *stream = &f->streams[i];
        struct fb_http2_response response = {.status = 404, .headers = &header, .n_headers = 1};
        fb_http2_respond(f->session, &stream->part, &response);
    }
    assert_int_equal(read_heads(f, 0), 4);
    assert_int_equal(f->n_closed, 2);
}

static void a_head_of_any_length_that_an_upstream_may_send_is_sent(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3")));
    respond_with_fields(f, &f->streams[0], 100);
    respond_with_fields(f, &f->streams[1], 200);
    (void)gather_all(f);
    assert_int_equal(f->n_ended, 2);
    assert_int_equal(f->n_closed, 2);
}

static void a_head_beyond_the_limit_resets_its_stream_alone(void **state)
{
    struct fixture *f = *state;

    receive(f, FB_STR(WIDE GET("\1") GET("\3")));
    respond_with_fields(f, &f->streams[0], MAX_FIELDS);
    respond(f, &f->streams[1], 1);
    (void)gather_all(f);
    assert_int_equal(f->n_closed, 2);
    assert_int_equal(f->n_ended, 1);
    assert_true(f->streams[0].part.is_closed);
    assert_int_equal(f->streams[0].part.body_err, FB_E_FOREIGN);
    assert_true(f->streams[1].part.has_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_responses_go_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_is_viewed_and_kept_until_it_is_sent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_gathering_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_urgent_goes_next_though_others_were_under_way,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_for_a_window_is_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_while_content_is_gathered_keeps_what_was, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(heads_of_many_frames_are_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_that_are_lines_as_well_are_sent_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_client_chooses_how_much_it_remembers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_of_any_length_that_an_upstream_may_send_is_sent,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_beyond_the_limit_resets_its_stream_alone, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
