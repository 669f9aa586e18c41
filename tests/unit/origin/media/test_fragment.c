#include "base/core/err.h"
#include "origin/media/fragment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* styp, then a moof of one track with two samples of 4 and 2 bytes. */
#define STYP "\0\0\0\x0cstypmsdh"
#define MFHD "\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01"
#define TFHD "\0\0\0\x10tfhd\0\x02\0\0\0\0\0\x01"
#define TFDT "\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\x05"
#define TRUN "\0\0\0\x1ctrun\0\0\x02\x01\0\0\0\x02\0\0\0\x70\0\0\0\x04\0\0\0\x02"
#define TRAF "\0\0\0\x48traf" TFHD TFDT TRUN
#define MOOF "\0\0\0\x60moof" MFHD TRAF
#define MDAT "\0\0\0\x0emdatabcdef"

enum { MOOF_AT = 12, FIRST_END = MOOF_AT + 0x70 + 4 };

static struct fb_buf sample(void)
{
    struct fb_buf buf = {0};
    fb_buf_append(&buf, FB_STR(STYP MOOF "\0\0\0\x08"
                                         "free" MDAT));
    return buf;
}

static void a_fragment_gets_its_number_and_time(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf buf = sample();
    FB_AUTO(fb_buf_done) struct fb_buf before = sample();

    assert_int_equal(origin_fragment_place(&buf, 0x01020304, 0x100000000ULL), FB_OK);
    assert_memory_equal(buf.ptr + MOOF_AT + 8 + 12, "\x01\x02\x03\x04", 4);
    assert_memory_equal(buf.ptr + MOOF_AT + 8 + 16 + 8 + 16 + 12, "\0\0\0\x01\0\0\0\x05", 8);
    assert_int_equal(buf.len, before.len);
}

static void the_first_sample_ends_where_its_run_says(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf buf = sample();
    uint64_t end = 0;

    assert_int_equal(origin_fragment_first_end(fb_buf_str(&buf), &end), FB_OK);
    assert_int_equal(end, FIRST_END);
}

static void what_is_cut_anywhere_is_refused_or_read_within_bounds(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf whole = sample();

    for (size_t len = 0; len < whole.len; len++) {
        FB_AUTO(fb_buf_done) struct fb_buf cut = {0};
        uint64_t end = 0;
        fb_buf_append(&cut, fb_str_first(fb_buf_str(&whole), len));
        if (len < MOOF_AT + 0x60) {
            assert_int_equal(origin_fragment_place(&cut, 1, 1), FB_E_MALFORMED);
        }
        if (origin_fragment_first_end(fb_buf_str(&cut), &end) == FB_OK) {
            assert_true(end <= len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fragment_gets_its_number_and_time),
        cmocka_unit_test(the_first_sample_ends_where_its_run_says),
        cmocka_unit_test(what_is_cut_anywhere_is_refused_or_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
