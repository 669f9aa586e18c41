/*
 * Clients of HTTP/2 that only make work, or break the rules.
 */
#include "h2_client.h"

#define GUARD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* More than any limit on tokens allows at once. */
enum { MANY = 3000 };

static uint64_t n_faults(const struct fixture *f)
{
    return fb_metrics_sum(f->metrics, "http2_faults_total");
}

static void is_told_to_calm_down(struct fixture *f)
{
    assert_int_equal(frame_error(&f->wire, NGHTTP2_GOAWAY), NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(n_faults(f), 1);
}

/* ---- only work ----------------------------------------------------------- */

static void add_canceled(struct fb_buf *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        frame_add(bytes, NGHTTP2_HEADERS, 5, 2 * i + 1, GET_BLOCK);
        frame_add(bytes, NGHTTP2_RST_STREAM, 0, 2 * i + 1, FB_STR("\0\0\0\10"));
    }
}

static void a_hundred_requests_may_be_canceled(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    add_canceled(&bytes, 100);
    send_frames(f, &bytes);
    assert_int_equal(f->wire.end, FB_OK);
    assert_int_equal(n_faults(f), 0);
}

static void who_does_nothing_but_cancel_is_sent_away(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    add_canceled(&bytes, 1000);
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
}

static void resets_that_mistakes_bring_count_as_well(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    for (uint32_t i = 0; i < 1000; i++) {
        frame_add(&bytes, NGHTTP2_HEADERS, 5, 2 * i + 1, FB_STR("\x82\x86"));
    }
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
    assert_int_equal(f->n_requests, 0);
}

/* Sends many frames that carry nothing. */
static void is_a_flood(struct fixture *f, unsigned type, unsigned flags, uint32_t id,
                       struct fb_str payload)
{
    struct fb_buf bytes = begun();

    for (int i = 0; i < MANY; i++) {
        frame_add(&bytes, type, flags, id, payload);
    }
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
}

static void a_flood_of_pings_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_PING, 0, 0, FB_STR("12345678"));
}

static void a_flood_of_answered_pings_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, FB_STR("12345678"));
}

static void a_flood_of_settings_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_SETTINGS, 0, 0, FB_STR(""));
}

static void a_flood_of_window_updates_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_WINDOW_UPDATE, 0, 0, FB_STR("\0\0\0\1"));
}

static void a_flood_of_priorities_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_PRIORITY_UPDATE, 0, 0, FB_STR("\0\0\0\1u=1"));
}

static void a_flood_of_old_priorities_ends(void **state)
{
    is_a_flood(*state, NGHTTP2_PRIORITY, 0, 1, FB_STR("\0\0\0\3\1"));
}

static void a_flood_of_frames_of_unknown_types_ends(void **state)
{
    is_a_flood(*state, 0xfa, 0, 0, FB_STR("whatever"));
}

static void a_flood_for_a_stream_that_is_no_more_ends(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1, GET_BLOCK);
    send_frames(f, &bytes);
    assert_int_equal(f->n_requests, 1);
    for (int i = 0; i < MANY; i++) {
        frame_add(&bytes, NGHTTP2_DATA, 0, 1, FB_STR(""));
    }
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
}

/* A request for /echo, of stream 1, whose content may follow. */
static void a_flood_of_content_without_any_ends(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    add_post(&bytes);
    for (int i = 0; i < MANY; i++) {
        frame_add(&bytes, NGHTTP2_DATA, 0, 1, FB_STR(""));
    }
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
    assert_int_equal(f->echo_err, FB_E_CLOSED);
}

static void a_flood_of_padding_ends(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();
    char padding[100] = {99};

    add_post(&bytes);
    for (int i = 0; i < MANY; i++) {
        frame_add(&bytes, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1,
                  (struct fb_str){padding, sizeof(padding)});
    }
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
}

static void heads_without_end_end(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 1, 1, GET_BLOCK);
    for (int i = 0; i < 40; i++) {
        frame_add(&bytes, NGHTTP2_CONTINUATION, 0, 1, FB_STR(""));
    }
    send_frames(f, &bytes);
    assert_true(f->wire.end < 0);
    assert_int_equal(n_faults(f), 1);
    assert_int_equal(f->n_requests, 0);
}

static void a_small_head_that_grows_when_it_is_read_ends(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();
    struct fb_buf block = {0};

    fb_buf_append(&block, GET_BLOCK);
    fb_buf_append(&block, FB_STR("\x40\x01x\x7f\xa1\x1e")); /* x, and 4000 bytes, to be kept */
    memset(fb_buf_reserve(&block, 4000), 'y', 4000);
    fb_buf_add(&block, 4000);
    for (int i = 0; i < 5000; i++) {
        fb_buf_append_byte(&block, '\xbe'); /* the same again */
    }
    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1, fb_buf_str(&block));
    fb_buf_done(&block);
    send_frames(f, &bytes);
    is_told_to_calm_down(f);
    assert_int_equal(f->n_requests, 0);
}

/* A GET for / of the host "a" that changes nothing in the table of fields. */
#define GET_UNKEPT                \
    FB_STR("\x82\x86\x84\x01\x01" \
           "a")

/* So many requests, each for 12 bytes and with seven fields of 4,000, to who takes no content. */
static void add_large_heads(struct fb_buf *bytes, uint32_t n)
{
    struct fb_buf block = {0};

    frame_add(bytes, NGHTTP2_SETTINGS, 0, 0, FB_STR("\0\4\0\0\0\0"));
    fb_buf_append(&block, GET_UNKEPT);
    fb_buf_append(&block, FB_STR("\x40\x01x\x7f\xa1\x1e")); /* x, and 4000 bytes, to be kept */
    memset(fb_buf_reserve(&block, 4000), 'y', 4000);
    fb_buf_add(&block, 4000);
    frame_add(bytes, NGHTTP2_HEADERS, 5, 1, fb_buf_str(&block));
    fb_buf_clear(&block);
    fb_buf_append(&block, GET_UNKEPT);
    fb_buf_append(&block, FB_STR("\xbe\xbe\xbe\xbe\xbe\xbe\xbe"));
    for (uint32_t i = 1; i < n; i++) {
        frame_add(bytes, NGHTTP2_HEADERS, 5, 2 * i + 1, fb_buf_str(&block));
    }
    fb_buf_done(&block);
}

static void heads_that_wait_with_their_responses_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();

    add_large_heads(&bytes, 40);
    send_frames(f, &bytes);
    unsigned n_kept = f->n_requests;
    assert_in_range(n_kept, 512 / 28, 512 / 28 + 2);
    assert_int_equal(fb_metrics_sum(f->metrics, "http2_refused_streams_total"), 40 - n_kept);
    assert_int_equal(f->wire.end, FB_OK);
    for (uint32_t i = 0; i < n_kept; i++) {
        frame_add(&bytes, NGHTTP2_RST_STREAM, 0, 2 * i + 1, FB_STR("\0\0\0\10"));
    }
    send_frames(f, &bytes);
    frame_add(&bytes, NGHTTP2_HEADERS, 5, 2 * 40 + 1, GET_UNKEPT);
    send_frames(f, &bytes);
    assert_int_equal(f->n_requests, n_kept + 1); /* there is room again */
    assert_int_equal(f->wire.end, FB_OK);
}

/* ---- broken rules -------------------------------------------------------- */

static void is_broken(struct fixture *f, struct fb_buf *bytes, uint32_t error)
{
    send_frames(f, bytes);
    assert_int_equal(frame_error(&f->wire, NGHTTP2_GOAWAY), error);
    assert_int_equal(f->wire.end, FB_E_END);
    assert_int_equal(n_faults(f), 1);
}

static void a_preface_that_goes_on_as_something_else_ends(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert_true(f->wire.end < 0);
    assert_int_equal(n_faults(f), 1);
}

static void a_first_frame_other_than_settings_ends(void **state)
{
    struct fb_buf bytes = {0};

    fb_buf_append(&bytes, fb_str_first(PREFACE, 24));
    frame_add(&bytes, NGHTTP2_PING, 0, 0, FB_STR("12345678"));
    is_broken(*state, &bytes, NGHTTP2_PROTOCOL_ERROR);
}

static void streams_of_the_servers_numbers_end(void **state)
{
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 5, 2, GET_BLOCK);
    is_broken(*state, &bytes, NGHTTP2_PROTOCOL_ERROR);
}

static void fields_that_cannot_be_unpacked_end(void **state)
{
    struct fb_buf bytes = begun();

    frame_add(&bytes, NGHTTP2_HEADERS, 5, 1, FB_STR("\xff\xff\xff\xff\xff\xff\xff"));
    is_broken(*state, &bytes, NGHTTP2_COMPRESSION_ERROR);
}

static void content_beyond_the_window_ends(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = begun();
    static const char zeros[16384];

    frame_add(&bytes, NGHTTP2_HEADERS, 4, 1,
              FB_STR("\x83\x86\x44\x06/later\x41\x01"
                     "a"));
    for (int i = 0; i < 5; i++) {
        frame_add(&bytes, NGHTTP2_DATA, 0, 1, (struct fb_str){zeros, sizeof(zeros)});
    }
    is_broken(f, &bytes, NGHTTP2_FLOW_CONTROL_ERROR);
    assert_int_equal(f->n_aborted, 1);
    respond_text(f->pending, "nobody");
    wire_turn(&f->wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARD_TEST(a_hundred_requests_may_be_canceled),
        GUARD_TEST(who_does_nothing_but_cancel_is_sent_away),
        GUARD_TEST(resets_that_mistakes_bring_count_as_well),
        GUARD_TEST(a_flood_of_pings_ends),
        GUARD_TEST(a_flood_of_answered_pings_ends),
        GUARD_TEST(a_flood_of_settings_ends),
        GUARD_TEST(a_flood_of_window_updates_ends),
        GUARD_TEST(a_flood_of_priorities_ends),
        GUARD_TEST(a_flood_of_old_priorities_ends),
        GUARD_TEST(a_flood_of_frames_of_unknown_types_ends),
        GUARD_TEST(a_flood_for_a_stream_that_is_no_more_ends),
        GUARD_TEST(a_flood_of_content_without_any_ends),
        GUARD_TEST(a_flood_of_padding_ends),
        GUARD_TEST(heads_without_end_end),
        GUARD_TEST(a_small_head_that_grows_when_it_is_read_ends),
        GUARD_TEST(heads_that_wait_with_their_responses_have_a_limit),
        GUARD_TEST(a_preface_that_goes_on_as_something_else_ends),
        GUARD_TEST(a_first_frame_other_than_settings_ends),
        GUARD_TEST(streams_of_the_servers_numbers_end),
        GUARD_TEST(fields_that_cannot_be_unpacked_end),
        GUARD_TEST(content_beyond_the_window_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
