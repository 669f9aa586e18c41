#include "base/core/attr.h"
#include "origin/media/intact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t next(void *ctx, uint64_t offset, char bytes[16])
{
    const struct fb_str *file = ctx;
    size_t n = offset < file->len ? FB_MIN(file->len - offset, 16U) : 0;
    if (n > 0) {
        memcpy(bytes, file->ptr + offset, n);
    }
    return n;
}

static enum origin_intact judge(struct fb_str file)
{
    return origin_intact_judge(file.len, &file, next);
}

#define FTYP     \
    "\0\0\0\x10" \
    "ftypisom\0\0\0\0"

static void an_empty_file_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR("")), ORIGIN_INTACT_EMPTY);
}

static void text_and_pictures_are_no_video(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR("Dear diary, today")), ORIGIN_INTACT_FOREIGN);
    assert_int_equal(judge(FB_STR("\x89PNG\r\n\x1a\n")), ORIGIN_INTACT_FOREIGN);
    assert_int_equal(judge(FB_STR("x")), ORIGIN_INTACT_FOREIGN);
}

static void an_mp4_without_its_index_was_cut(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR(FTYP "\0\0\x10\0mdatxxxxxxxx")), ORIGIN_INTACT_CUT);
    assert_int_equal(judge(FB_STR(FTYP "\0\0\0\1mdat\0\0\0\1\0\0\0\0xx")), ORIGIN_INTACT_CUT);
    assert_int_equal(judge(FB_STR(FTYP)), ORIGIN_INTACT_CUT);
    assert_int_equal(judge(FB_STR(FTYP "\0\0\0\0mdat")), ORIGIN_INTACT_CUT);
}

static void an_index_cut_in_the_middle_was_cut(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR(FTYP "\0\0\1\0moovxxxxxxxx")), ORIGIN_INTACT_CUT);
}

static void a_whole_index_that_does_not_read_is_damage(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR(FTYP "\0\0\0\x10moovxxxxxxxx")), ORIGIN_INTACT_DAMAGED);
}

static void other_containers_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR("\x1a\x45\xdf\xa3 and nothing else")), ORIGIN_INTACT_DAMAGED);
    assert_int_equal(judge(FB_STR("RIFF")), ORIGIN_INTACT_DAMAGED);
}

static void boxes_of_no_size_end_the_walk(void **state)
{
    (void)state;
    assert_int_equal(judge(FB_STR(FTYP "\0\0\0\4freexxxxxxxx")), ORIGIN_INTACT_CUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_told_apart),
        cmocka_unit_test(text_and_pictures_are_no_video),
        cmocka_unit_test(an_mp4_without_its_index_was_cut),
        cmocka_unit_test(an_index_cut_in_the_middle_was_cut),
        cmocka_unit_test(a_whole_index_that_does_not_read_is_damage),
        cmocka_unit_test(other_containers_are_known_by_their_first_bytes),
        cmocka_unit_test(boxes_of_no_size_end_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
