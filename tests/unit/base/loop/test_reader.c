#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned n_released;

static void count_release(void *owner)
{
    (void)owner;
    n_released++;
}

static int set_up(void **state)
{
    (void)state;
    n_released = 0;
    return 0;
}

static struct fb_reader *open_text(struct fb_str text)
{
    return fb_reader_of_slice(
        (struct fb_slice){.bytes = text, .release = count_release, .owner = NULL});
}

static void a_slice_is_given_once_and_then_the_end(void **state)
{
    (void)state;
    struct fb_reader *reader = open_text(FB_STR("text"));
    struct fb_slice slice;

    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    assert_int_equal(fb_reader_next(reader, &(struct fb_slice){0}), FB_E_END);
    fb_reader_close(reader);
    assert_int_equal(n_released, 0);
    assert_true(fb_str_equal(slice.bytes, FB_STR("text")));
    fb_slice_release(&slice);
    fb_slice_release(&slice);
    assert_int_equal(n_released, 1);
}

static void a_slice_nobody_took_is_released_with_the_reader(void **state)
{
    (void)state;

    fb_reader_close(open_text(FB_STR("text")));
    assert_int_equal(n_released, 1);
    fb_reader_close(NULL);
}

static void an_empty_slice_is_an_end_and_released(void **state)
{
    (void)state;
    struct fb_reader *reader = open_text(FB_STR_NONE);
    struct fb_slice slice;

    assert_int_equal(fb_reader_next(reader, &slice), FB_E_END);
    fb_reader_close(reader);
    assert_int_equal(n_released, 1);
}

static void a_buffer_is_taken_over(void **state)
{
    (void)state;
    struct fb_buf buf = {0};
    struct fb_slice slice;

    fb_buf_append(&buf, FB_STR("in a buffer"));
    struct fb_reader *reader = fb_reader_of_buf(&buf);
    assert_null(buf.ptr);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    fb_reader_close(reader);
    assert_true(fb_str_equal(slice.bytes, FB_STR("in a buffer")));
    fb_slice_release(&slice);

    struct fb_buf empty = {0};
    reader = fb_reader_of_buf(&empty);
    assert_int_equal(fb_reader_next(reader, &slice), FB_E_END);
    fb_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_slice_is_given_once_and_then_the_end, set_up),
        cmocka_unit_test_setup(a_slice_nobody_took_is_released_with_the_reader, set_up),
        cmocka_unit_test_setup(an_empty_slice_is_an_end_and_released, set_up),
        cmocka_unit_test_setup(a_buffer_is_taken_over, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
