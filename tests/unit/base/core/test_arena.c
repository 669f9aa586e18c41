#include "base/core/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void pieces_are_zero_aligned_and_apart(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    unsigned char *last = NULL;

    for (size_t size = 0; size < 300; size++) {
        unsigned char *piece = fb_arena_alloc(&arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(piece[i], 0);
        }
        memset(piece, 0xff, size);
        if (last != NULL && size > 1) {
            assert_int_equal(last[size - 2], 0xff);
        }
        last = piece;
    }
    assert_int_equal(fb_arena_bytes(&arena), 299 * 300 / 2);
}

static void piece_larger_than_a_block_is_whole(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    char *small = fb_arena_alloc(&arena, 10);
    char *large = fb_arena_alloc(&arena, 100000);
    memset(large, 1, 100000);
    assert_int_equal(small[9], 0);
    fb_arena_reset(&arena);
    assert_int_equal(fb_arena_bytes(&arena), 0);
}

static void pieces_after_a_reset_are_zero_again(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            char *piece = fb_arena_alloc(&arena, 500);
            assert_int_equal(piece[0], 0);
            assert_int_equal(piece[499], 0);
            memset(piece, 0xff, 500);
        }
        fb_arena_reset(&arena);
    }
    fb_arena_reset(&arena);
}

static void copies_have_a_nul_behind_them(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    assert_string_equal(fb_arena_dup(&arena, fb_str_first(FB_STR("abc"), 2)).ptr, "ab");
    assert_string_equal(fb_arena_dup(&arena, FB_STR_NONE).ptr, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zero_aligned_and_apart),
        cmocka_unit_test(piece_larger_than_a_block_is_whole),
        cmocka_unit_test(pieces_after_a_reset_are_zero_again),
        cmocka_unit_test(copies_have_a_nul_behind_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
