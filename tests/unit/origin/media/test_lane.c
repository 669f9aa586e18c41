#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 3 * ORIGIN_LANE_DEPTH };

struct fixture {
    int64_t indexes[MANY]; /* as they were taken */
    bool had_frame[MANY];
    unsigned n_taken;
    unsigned fail_at; /* 0: never; else at the so many'th */
    unsigned n_ends;
    AVFrame *frame;
};

static int take(void *ctx, AVFrame *frame, int64_t index, struct fb_diag *diag)
{
    struct fixture *f = ctx;
    f->indexes[f->n_taken] = index;
    f->had_frame[f->n_taken] = frame != NULL;
    f->n_taken++;
    return f->n_taken == f->fail_at ? fb_diag_set(diag, FB_E_FOREIGN, "no more") : FB_OK;
}

static int end(void *ctx, struct fb_diag *diag)
{
    struct fixture *f = ctx;
    (void)diag;
    f->n_ends++;
    return FB_OK;
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.frame = origin_av_frame_new()};
    f.frame->format = AV_PIX_FMT_YUV420P;
    f.frame->width = 16;
    f.frame->height = 16;
    assert_int_equal(av_frame_get_buffer(f.frame, 0), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    av_frame_free(&f->frame);
    return 0;
}

static struct origin_lane *lane_of(struct fixture *f)
{
    struct origin_lane *lane = NULL;
    struct origin_lane_work work = {f, take, end};
    assert_int_equal(origin_lane_new(&work, &lane, NULL), FB_OK);
    return lane;
}

static void pictures_are_taken_in_order_and_all(void **state)
{
    struct fixture *f = *state;
    struct origin_lane *lane = lane_of(f);

    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(origin_lane_push(lane, i % 2 == 0 ? f->frame : NULL, i, NULL), FB_OK);
    }
    assert_int_equal(origin_lane_finish(lane, NULL), FB_OK);
    assert_int_equal(f->n_taken, MANY);
    assert_int_equal(f->n_ends, 1);
    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(f->indexes[i], i);
        assert_int_equal(f->had_frame[i], i % 2 == 0);
    }
    origin_lane_free(lane);
}

static void a_failure_stops_who_pushes_and_keeps_its_sentence(void **state)
{
    struct fixture *f = *state;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_lane *lane = lane_of(f);
    int err = FB_OK;

    f->fail_at = 2;
    for (int64_t i = 0; err == FB_OK && i < MANY; i++) {
        err = origin_lane_push(lane, f->frame, i, &diag);
    }
    assert_int_equal(err, FB_E_FOREIGN);
    assert_string_equal(diag.text, "no more");
    assert_int_equal(origin_lane_finish(lane, NULL), FB_E_FOREIGN);
    assert_int_equal(f->n_taken, 2);
    assert_int_equal(f->n_ends, 0);
    origin_lane_free(lane);
}

static void what_is_freed_early_is_not_ended(void **state)
{
    struct fixture *f = *state;
    struct origin_lane *lane = lane_of(f);

    assert_int_equal(origin_lane_push(lane, f->frame, 0, NULL), FB_OK);
    origin_lane_free(lane);
    assert_int_equal(f->n_ends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pictures_are_taken_in_order_and_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_stops_who_pushes_and_keeps_its_sentence, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_freed_early_is_not_ended, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
