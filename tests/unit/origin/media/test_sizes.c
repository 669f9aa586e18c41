#include "base/core/err.h"
#include "origin/media/sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct origin_size ladder[] = {{1920, 1080}, {1280, 720}, {854, 480},
                                            {640, 360},   {426, 240},  {256, 144}};
enum { N_LADDER = sizeof(ladder) / sizeof(ladder[0]) };

static AVFrame *new_picture(int width, int height)
{
    AVFrame *frame = origin_av_frame_new();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    for (int i = 0; i < 3; i++) {
        int n_lines = i == 0 ? height : height / 2;
        memset(frame->data[i], 40 * (i + 1), (size_t)frame->linesize[i] * (size_t)n_lines);
    }
    return frame;
}

static void a_size_is_made_from_the_next_that_is_far_larger(void **state)
{
    static const size_t wanted[] = {ORIGIN_SIZES_WHOLE, 0, 1, 1, 3, 4};

    (void)state;
    for (size_t i = 0; i < N_LADDER; i++) {
        assert_int_equal(origin_sizes_parent(ladder, N_LADDER, i), wanted[i]);
    }
}

static void a_size_without_a_far_larger_one_is_made_from_the_whole(void **state)
{
    static const struct origin_size sizes[] = {{640, 360}, {500, 280}, {640, 200}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(origin_sizes_parent(sizes, 3, i), ORIGIN_SIZES_WHOLE);
    }
}

static void the_order_of_sizes_does_not_matter(void **state)
{
    static const struct origin_size sizes[] = {{256, 144}, {1280, 720}, {640, 360}};

    (void)state;
    assert_int_equal(origin_sizes_parent(sizes, 3, 0), 2);
    assert_int_equal(origin_sizes_parent(sizes, 3, 2), 1);
    struct origin_sizes *made = origin_sizes_new(sizes, 3);
    AVFrame *whole = new_picture(1920, 1080);
    assert_int_equal(origin_sizes_make(made, whole, NULL), FB_OK);
    for (size_t i = 0; i < 3; i++) {
        const AVFrame *frame = origin_sizes_get(made, i);
        assert_int_equal(frame->width, sizes[i].width);
        assert_int_equal(frame->height, sizes[i].height);
        assert_int_equal(frame->data[0][frame->linesize[0] + 1], 40);
        assert_int_equal(frame->data[2][frame->linesize[2] + 1], 120);
    }
    av_frame_free(&whole);
    origin_sizes_free(made);
}

static void equal_sizes_share_one_picture(void **state)
{
    static const struct origin_size sizes[] = {{640, 360}, {320, 180}, {640, 360}, {320, 180}};

    (void)state;
    struct origin_sizes *made = origin_sizes_new(sizes, 4);
    AVFrame *whole = new_picture(640, 360);
    assert_int_equal(origin_sizes_make(made, whole, NULL), FB_OK);
    assert_ptr_equal(origin_sizes_get(made, 0)->data[0], whole->data[0]);
    assert_ptr_equal(origin_sizes_get(made, 2)->data[0], whole->data[0]);
    assert_ptr_equal(origin_sizes_get(made, 3)->data[0], origin_sizes_get(made, 1)->data[0]);
    av_frame_free(&whole);
    origin_sizes_free(made);
}

static void a_picture_of_another_kind_is_taken_as_well(void **state)
{
    static const struct origin_size sizes[] = {{320, 180}};

    (void)state;
    struct origin_sizes *made = origin_sizes_new(sizes, 1);
    for (int i = 0; i < 2; i++) {
        AVFrame *whole = new_picture(i == 0 ? 640 : 854, i == 0 ? 360 : 480);
        assert_int_equal(origin_sizes_make(made, whole, NULL), FB_OK);
        assert_int_equal(origin_sizes_get(made, 0)->width, 320);
        av_frame_free(&whole);
    }
    origin_sizes_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_is_made_from_the_next_that_is_far_larger),
        cmocka_unit_test(a_size_without_a_far_larger_one_is_made_from_the_whole),
        cmocka_unit_test(the_order_of_sizes_does_not_matter),
        cmocka_unit_test(equal_sizes_share_one_picture),
        cmocka_unit_test(a_picture_of_another_kind_is_taken_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
