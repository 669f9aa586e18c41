/*
 * Upstreams that break the rules of HTTP/2, or keep to them to do harm: frames written by hand.
 */
#include "upstream.h"

enum {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS,
    FRAME_PING = 6,
    FRAME_GOAWAY,
    FRAME_CONTINUATION = 9
};
enum { FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4 };

#define STATUS_200 "\x88"
#define NO_ERROR   "\0\0\0\0"

static void add_frame(struct fb_buf *buf, unsigned type, unsigned flags, unsigned stream,
                      struct fb_str payload)
{
    const char head[9] = {(char)(payload.len >> 16),
                          (char)(payload.len >> 8),
                          (char)payload.len,
                          (char)type,
                          (char)flags,
                          0,
                          0,
                          (char)(stream >> 8),
                          (char)stream};

    fb_buf_append(buf, (struct fb_str){head, sizeof(head)});
    fb_buf_append(buf, payload);
}

#define ADD(buf, type, flags, stream, text) \
    add_frame((buf), (type), (flags), (stream), (struct fb_str){(text), sizeof(text) - 1})

/* A literal that no table keeps. */
static void add_field(struct fb_buf *buf, const char *name, const char *value)
{
    fb_buf_printf(buf, "%c%c%s%c%s", '\0', (int)strlen(name), name, (int)strlen(value), value);
}

static void start(struct fixture *f, struct get *get)
{
    get_init(get, f);
    get->fetch.protocol = FB_CLIENT_HTTP2;
    fb_client_fetch(f->client, &get->fetch);
}

/* Whether the connection lived on. */
static bool was_kept;

/* One request on a new connection, which is answered with `bytes` after the settings; how that
 * ends. */
static int answered_with(struct fixture *f, struct fb_buf *bytes)
{
    FB_AUTO(fb_buf_done) struct fb_buf all = {0};
    struct get get;

    f->answer = FB_STR_NONE;
    start(f, &get);
    unsigned number = f->n_peers;
    UNTIL(f, f->n_peers == number + 1 && f->peers[number]->in.len > 0);
    ADD(&all, FRAME_SETTINGS, 0, 0, "");
    fb_buf_append(&all, fb_buf_str(bytes));
    peer_send(f->peers[number], fb_buf_str(&all));
    UNTIL(f, get.end != FB_OK);
    quiet(f);
    was_kept = metric(f, "fb_client_connections") == 1;
    peer_close(f->peers[number]);
    UNTIL(f, metric(f, "fb_client_connections") == 0);
    assert_int_equal(get.n_done, 1);
    get_done(&get);
    fb_buf_done(bytes);
    return get.end;
}

static void responses_that_are_none_are_malformed(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};
    struct fb_buf head = {0};

    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1,
        "\x08\x03"
        "101");
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    assert_true(was_kept);

    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1,
        "\x08\x03"
        "600");
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);

    add_field(&head, "x-without", "status");
    add_frame(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, fb_buf_str(&head));
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);

    fb_buf_clear(&head);
    fb_buf_append(&head, FB_STR(STATUS_200));
    add_field(&head, "content-length", "3");
    add_frame(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1, fb_buf_str(&head));
    ADD(&bytes, FRAME_DATA, FLAG_END_STREAM, 1, "hello");
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);

    fb_buf_clear(&head);
    fb_buf_append(&head, FB_STR(STATUS_200));
    add_field(&head, "X-Upper", "case");
    add_frame(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, fb_buf_str(&head));
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    fb_buf_done(&head);
}

static void what_is_no_http2_is_malformed(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};

    fb_buf_append(&bytes, FB_STR("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 2, STATUS_200); /* nobody asked */
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
}

static void a_head_without_end_is_over_the_limit(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};
    struct fb_buf head = {0};

    fb_buf_append(&head, FB_STR(STATUS_200));
    for (int i = 0; i < 200; i++) {
        add_field(&head, "x", "y");
    }
    add_frame(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, fb_buf_str(&head));
    assert_int_equal(answered_with(f, &bytes), FB_E_LIMIT);

    ADD(&bytes, FRAME_HEADERS, 0, 1, STATUS_200);
    for (int i = 0; i < 64; i++) {
        ADD(&bytes, FRAME_CONTINUATION, 0, 1, "");
    }
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    fb_buf_done(&head);
}

/* A field in the table costs a byte each time that it comes back. */
static void a_head_that_unpacks_to_more_than_it_may_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};
    struct fb_buf head = {0};
    char value[3000];

    memset(value, 'v', sizeof(value));
    fb_buf_append(&head, FB_STR(STATUS_200));
    fb_buf_append(&head, FB_STR("\x40\x01"
                                "a"
                                "\x7f\xb9\x16")); /* its length: 3000 */
    fb_buf_append(&head, (struct fb_str){value, sizeof(value)});
    for (int i = 0; i < 10000; i++) {
        fb_buf_append(&head, FB_STR("\xbe"));
    }
    add_frame(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1, fb_buf_str(&head));
    assert_int_not_equal(answered_with(f, &bytes), FB_E_END);
    assert_false(was_kept);
    fb_buf_done(&head);
}

static void frames_that_carry_nothing_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};

    for (int i = 0; i < 3000; i++) {
        ADD(&bytes, FRAME_PING, 1, 0, "12345678");
    }
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    for (int i = 0; i < 3000; i++) {
        ADD(&bytes, 0xfa, 0, 0, "whatever");
    }
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1, STATUS_200);
    for (int i = 0; i < 3000; i++) {
        ADD(&bytes, FRAME_DATA, 0, 1, "");
    }
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
    assert_false(was_kept);
}

static void frames_without_content_win_no_time_for_it(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf head = {0};
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};
    FB_AUTO(fb_buf_done) struct fb_buf nothing = {0};
    struct get get;

    f->answer = FB_STR_NONE;
    start(f, &get);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 0);
    ADD(&head, FRAME_SETTINGS, 0, 0, "");
    ADD(&head, FRAME_HEADERS, FLAG_END_HEADERS, 1, STATUS_200);
    ADD(&content, FRAME_DATA, 0, 1, "hello");
    ADD(&nothing, FRAME_DATA, 0, 1, "");
    ADD(&nothing, FRAME_DATA, 8, 1, "\2..");
    peer_send(f->peers[0], fb_buf_str(&head));
    const struct fb_str pieces[] = {fb_buf_str(&nothing), fb_buf_str(&nothing),
                                    fb_buf_str(&content), fb_buf_str(&nothing)};
    assert_int_equal(seconds_to_the_end(f, &get, pieces, FB_ARRAY_LEN(pieces)), 2 + 30);
    assert_int_equal(get.end, FB_E_TIMEOUT);
    get_done(&get);
}

static void interim_responses_are_passed_over_up_to_a_number(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};

    for (int i = 0; i < 16; i++) {
        ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1,
            "\x08\x03"
            "103");
    }
    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, STATUS_200);
    assert_int_equal(answered_with(f, &bytes), FB_E_END);
    for (int i = 0; i < 17; i++) {
        ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1,
            "\x08\x03"
            "103");
    }
    assert_int_equal(answered_with(f, &bytes), FB_E_MALFORMED);
}

static bool has_reset(const struct peer *peer)
{
    static const char head[] = {0, 0, 4, FRAME_RST_STREAM, 0, 0, 0, 0, 1};

    return memmem(peer->in.ptr, peer->in.len, head, sizeof(head)) != NULL;
}

/* More than the window: a peer that keeps to the rules would stop. */
static void content_beyond_the_window_is_not_taken(void **state)
{
    static const char zeros[16384];
    struct fixture *f = *state;
    struct fb_buf bytes = {0};
    struct get get;

    f->answer = FB_STR_NONE;
    get_init(&get, f);
    get.by_hand = true;
    get.fetch.protocol = FB_CLIENT_HTTP2;
    fb_client_fetch(f->client, &get.fetch);
    UNTIL(f, f->n_peers == 1 && f->peers[0]->in.len > 0);
    ADD(&bytes, FRAME_SETTINGS, 0, 0, "");
    ADD(&bytes, FRAME_SETTINGS, 1, 0, "");
    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS, 1, STATUS_200);
    for (int i = 0; i < 65; i++) {
        add_frame(&bytes, FRAME_DATA, 0, 1, (struct fb_str){zeros, sizeof(zeros)});
    }
    peer_send(f->peers[0], fb_buf_str(&bytes));
    UNTIL(f, has_reset(f->peers[0]));
    get_read(&get);
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_MALFORMED);
    UNTIL(f, fb_op_is_idle(&f->peers[0]->write.op));
    get_done(&get);
    fb_buf_done(&bytes);
}

/* Those of a request whose content was sent already are not: it may have been acted upon. */
static void a_request_is_sent_again_when_nobody_looked_at_it_but_once(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};
    struct get get;

    f->answer = FB_STR_NONE;
    start(f, &get);
    ADD(&bytes, FRAME_SETTINGS, 0, 0, "");
    ADD(&bytes, FRAME_RST_STREAM, 0, 1, "\0\0\0\x07");
    for (unsigned i = 0; i < 2; i++) {
        UNTIL(f, f->n_peers == i + 1 && f->peers[i]->in.len > 0);
        peer_send(f->peers[i], fb_buf_str(&bytes));
    }
    UNTIL(f, get.end != FB_OK);
    assert_int_equal(get.end, FB_E_CLOSED);
    assert_int_equal(f->n_peers, 2);
    assert_int_equal(metric(f, "fb_client_retries_total"), 1);
    get_done(&get);
    fb_buf_done(&bytes);
}

static void a_reset_before_the_head_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct fb_buf bytes = {0};

    ADD(&bytes, FRAME_RST_STREAM, 0, 1, "\0\0\0\x02");
    assert_int_equal(answered_with(f, &bytes), FB_E_CLOSED);
    ADD(&bytes, FRAME_GOAWAY, 0, 0, "\0\0\0\x01" NO_ERROR);
    ADD(&bytes, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1, STATUS_200);
    assert_int_equal(answered_with(f, &bytes), FB_E_END); /* it ends what it has begun */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(responses_that_are_none_are_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_http2_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_without_end_is_over_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_that_unpacks_to_more_than_it_may_ends_the_connection,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_that_carry_nothing_end_the_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(frames_without_content_win_no_time_for_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(interim_responses_are_passed_over_up_to_a_number, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(content_beyond_the_window_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_is_sent_again_when_nobody_looked_at_it_but_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_before_the_head_is_a_failure, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
