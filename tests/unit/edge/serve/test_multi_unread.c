#include "base/core/alloc.h"
#include "film_fixture.h"

/* Pulls a body to its end into `to`; with `step`, gives a part of each slice back. */
static size_t pull(struct fb_reader *body, char *to, size_t step)
{
    struct fb_slice slice;
    size_t len = 0;

    while (fb_reader_next(body, &slice) == FB_OK) {
        assert_true(len + slice.bytes.len < MAX_BODY);
        memcpy(to + len, slice.bytes.ptr, slice.bytes.len);
        len += slice.bytes.len;
        size_t back = step > 0 && slice.bytes.len > 1 ? (slice.bytes.len * step / 7) % len : 0;
        fb_slice_release(&slice);
        if (back > 0) {
            fb_reader_unread(body, back);
            len -= back;
        }
    }
    return len;
}

static void parts_that_were_given_back_are_given_again(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;
    char *once = fb_alloc(MAX_BODY);
    char *again = fb_alloc(MAX_BODY);

    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range", "bytes=0-2621439");
    answer_film(f, 0, LENGTH);
    (void)finish(f, &exchange);
    ask(f, &exchange, FB_METHOD_GET, "/1.m4s", "Range",
        "bytes=2000000-2000009, 0-99, 500000-1500000, -5");
    struct fb_reader *body = exchange.response.body;
    assert_true(fb_reader_can_unread(body));
    size_t len = pull(body, once, 0);
    assert_int_equal(len, exchange.response.length);
    for (size_t step = 1; step < 6; step++) {
        fb_reader_unread(body, len);
        assert_int_equal(pull(body, again, step), len);
        assert_memory_equal(again, once, len);
    }
    fb_reader_unread(body, 3);
    (void)finish(f, &exchange);
    fb_free(once);
    fb_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILM_TEST(parts_that_were_given_back_are_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
