#include "film_fixture.h"

/* ---- helpers ----------------------------------------------------------- */

/* Fills the store with the bytes of the film from `first` up to `end`. */
static void fetch_film(struct fixture *f, const char *range, size_t first, size_t end)
{
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", range);
    answer_film(f, first, end);
    (void)finish(f, &exchange);
}

/* Takes a response of `n` parts, each of which begins and ends as `ranges` say. */
static void finish_parts(struct fixture *f, struct fb_exchange *exchange, const size_t ranges[][2],
                         size_t n)
{
    const char *prefix = "multipart/byteranges; boundary=";
    char boundary[64] = "";
    int64_t length = exchange->response.length;
    char head[256];

    assert_int_equal(exchange->response.status, 206);
    assert_null(field(exchange, "Content-Range").ptr);
    struct fb_str type = field(exchange, "Content-Type");
    assert_true(fb_str_starts_with(type, fb_str_from(prefix)));
    (void)snprintf(boundary, sizeof(boundary), "%.*s",
                   FB_STR_ARG(fb_str_skip(type, strlen(prefix))));

    const char *at = finish(f, exchange);
    for (size_t i = 0; i < n; i++) {
        size_t len = ranges[i][1] - ranges[i][0];
        (void)snprintf(head, sizeof(head), "%s--%s\r\nContent-Range: bytes %zu-%zu/%d\r\n\r\n",
                       i > 0 ? "\r\n" : "", boundary, ranges[i][0], ranges[i][1] - 1, (int)LENGTH);
        assert_memory_equal(at, head, strlen(head));
        at += strlen(head);
        assert_memory_equal(at, film + ranges[i][0], len);
        at += len;
    }
    (void)snprintf(head, sizeof(head), "\r\n--%s--\r\n", boundary);
    assert_string_equal(at, head);
    assert_int_equal(length, at + strlen(at) - f->body);
}

/* ---- tests ------------------------------------------------------------- */

static void several_ranges_come_from_the_store_as_parts(void **state)
{
    static const size_t parts[][2] = {{2000000, 2000010}, {0, 100}, {LENGTH - 5, LENGTH}};
    struct fixture *f = *state;
    struct fb_exchange exchange;

    fetch_film(f, "bytes=0-2621439", 0, LENGTH);
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=2000000-2000009, 0-99, -5");
    assert_int_equal(n_fetches, 0);
    assert_field(&exchange, "ETag", "\"a\"");
    finish_parts(f, &exchange, parts, 3);
}

static void each_part_says_its_type(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    struct edge_fetch *fetch = take_fetch();
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    fetch->response = (struct fb_response_head){.status = 200};
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Content-Type"),
                   FB_STR("text/plain"));
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Cache-Control"),
                   FB_STR("max-age=60"));
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Content-Digest"),
                   FB_STR("sha-256=:x:"));
    fetch->length = 1000;
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = {text, 1000}});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
    (void)finish(f, &exchange);

    ask(f, &exchange, FB_METHOD_GET, "/x", "Range", "bytes=0-0,999-");
    assert_null(field(&exchange, "Content-Digest").ptr); /* it was of the whole */
    const char *body = finish(f, &exchange);
    assert_non_null(strstr(body, "\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/1000"
                                 "\r\n\r\nx\r\n--"));
    assert_non_null(strstr(body, "Content-Range: bytes 999-999/1000\r\n\r\nx\r\n--"));
}

static void a_miss_fetches_only_what_the_parts_touch(void **state)
{
    static const size_t parts[][2] = {{0, 10}, {2500000, 2500010}};
    struct fixture *f = *state;
    struct fb_exchange exchange;
    struct fb_slice slice;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=0-9,2500000-2500009");
    assert_asked("bytes=0-1048575", "");
    answer_film(f, 0, MIB);
    assert_int_equal(exchange.response.status, 206);
    for (int i = 0; i < 3; i++) { /* a head, its bytes, a head */
        assert_int_equal(fb_reader_next(exchange.response.body, &slice), FB_OK);
        fb_slice_release(&slice);
    }
    assert_int_equal(fb_reader_next(exchange.response.body, &slice), FB_E_LATER);
    fb_reader_close(exchange.response.body);
    struct fb_exchange_outcome outcome = {.result = FB_E_CLOSED, .status = 206};
    exchange.hooks.finished(exchange.hooks.ctx, &outcome);
    fb_arena_done(&exchange.arena);

    fetch_film(f, "bytes=2500000-", 2 * MIB, LENGTH);
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=0-9,2500000-2500009");
    finish_parts(f, &exchange, parts, 2);
}

static void a_range_past_the_end_does_not_hide_the_others(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=9000000-,8000000-,5-9");
    assert_asked("bytes=8388608-", "");
    answer(f, 416, "Content-Range", "bytes */2621440", "");
    assert_int_equal(exchange.n_responses, 0);
    assert_asked("bytes=0-1048575", "");
    answer_film(f, 0, MIB);
    assert_field(&exchange, "Content-Range", "bytes 5-9/2621440");
    finish_film(f, &exchange, 5, 10);

    ask(f, &exchange, FB_METHOD_GET, "/2.m4s", "Range", "bytes=9000000-,8000000-");
    answer(f, 416, "Content-Range", "bytes */2621440", "");
    assert_int_equal(exchange.response.status, 416);
    assert_field(&exchange, "Content-Range", "bytes */2621440");
    (void)finish(f, &exchange);
}

static void if_range_rules_several_ranges_too(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange = {.loop = f->loop,
                                   .request = {.method = FB_METHOD_GET,
                                               .method_text = FB_STR("GET"),
                                               .target = FB_STR("/1.m4s"),
                                               .path = FB_STR("/1.m4s"),
                                               .host = FB_STR("h")}};

    fetch_film(f, "bytes=0-2621439", 0, LENGTH);
    fb_headers_add(&exchange.request.headers, &exchange.arena, FB_STR("Range"),
                   FB_STR("bytes=0-9,1000-1009"));
    fb_headers_add(&exchange.request.headers, &exchange.arena, FB_STR("If-Range"),
                   FB_STR("\"old\""));
    edge_serve_handle(f->serve, &exchange);
    assert_int_equal(exchange.response.status, 200);
    finish_film(f, &exchange, 0, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILM_TEST(several_ranges_come_from_the_store_as_parts),
        FILM_TEST(each_part_says_its_type),
        FILM_TEST(a_miss_fetches_only_what_the_parts_touch),
        FILM_TEST(a_range_past_the_end_does_not_hide_the_others),
        FILM_TEST(if_range_rules_several_ranges_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
