#include "base/core/err.h"
#include "origin/media/boxes.h"
#include "origin/media/sidx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct origin_track track_of(size_t n, uint64_t duration, uint64_t bytes)
{
    struct origin_track track = {.path = "v/720p", .timescale = 12800};

    for (size_t i = 0; i < n; i++) {
        origin_track_add(&track,
                         &(struct origin_segment){.duration = duration, .bytes = bytes + i});
    }
    return track;
}

static void it_tells_of_each_segment_as_others_write_it(void **state)
{
    FB_AUTO(origin_track_done) struct origin_track track = track_of(2, 25600, 0x10001);
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    static const uint8_t box[] = {
        0, 0, 0, 56, 's', 'i', 'd',  'x', 0,    0, 0, 0, 0, 0, 0, 1, 0, 0, 0x32, 0, /* timescale */
        0, 0, 0, 0,  0,   0,   0,    0,   0,    0, 0, 2,                            /* references */
        0, 1, 0, 1,  0,   0,   0x64, 0,   0x90, 0, 0, 0,                            /* the first */
        0, 1, 0, 2,  0,   0,   0x64, 0,   0x90, 0, 0, 0,
    };
    (void)state;

    assert_int_equal(origin_sidx_write(&buf, &track), FB_OK);
    assert_int_equal(buf.len, sizeof(box));
    assert_memory_equal(buf.ptr, box, sizeof(box));
    assert_int_equal(origin_sidx_size(&track), buf.len);
}

static void more_segments_than_it_can_count_go_several_to_a_reference(void **state)
{
    enum { N = 65535 * 2 - 1 };
    FB_AUTO(origin_track_done) struct origin_track track = track_of(N, 100, 1);
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    uint64_t bytes = 0;
    uint64_t duration = 0;
    (void)state;

    assert_int_equal(origin_sidx_write(&buf, &track), FB_OK);
    assert_int_equal(buf.len, 32 + 65535 * 12);
    assert_int_equal(origin_sidx_size(&track), buf.len);
    for (size_t at = 32; at < buf.len; at += 12) {
        bytes += origin_box_u32(fb_buf_str(&buf), at);
        duration += origin_box_u32(fb_buf_str(&buf), at + 4);
    }
    assert_int_equal(bytes, (uint64_t)N * (N + 1) / 2);
    assert_int_equal(duration, (uint64_t)N * 100);
}

static void what_it_cannot_tell_of_is_refused(void **state)
{
    FB_AUTO(origin_track_done) struct origin_track large = track_of(1, 100, 1ULL << 31);
    FB_AUTO(origin_track_done) struct origin_track largest = track_of(1, 100, INT32_MAX);
    FB_AUTO(origin_track_done) struct origin_track longest = track_of(1, 1ULL << 32, 1);
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    (void)state;

    assert_int_equal(origin_sidx_write(&buf, &large), FB_E_LIMIT);
    assert_int_equal(origin_sidx_write(&buf, &longest), FB_E_LIMIT);
    assert_int_equal(origin_sidx_write(&buf, &largest), FB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_of_each_segment_as_others_write_it),
        cmocka_unit_test(more_segments_than_it_can_count_go_several_to_a_reference),
        cmocka_unit_test(what_it_cannot_tell_of_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
