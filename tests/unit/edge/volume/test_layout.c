#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "edge/volume/layout.h"
#include "tests/support/test_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)

struct fixture {
    struct test_disk *test;
    struct fb_disk *disk;
    char *block;
};

static int set_up(void **state)
{
    struct fixture *fixture = FB_NEW(struct fixture);

    fixture->test = test_disk_new(100 * MIB);
    test_disk_keep_history(fixture->test);
    fixture->disk = test_disk_open(fixture->test);
    fixture->block = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fb_disk_close(fixture->disk);
    test_disk_free(fixture->test);
    fb_free(fixture->block);
    fb_free(fixture);
    return 0;
}

static struct edge_superblock make(struct fb_disk *disk, const char *node)
{
    struct edge_superblock superblock;

    assert_int_equal(edge_layout_make(disk, fb_str_from(node), 5, &superblock, NULL), FB_OK);
    return superblock;
}

static struct edge_layout look(struct fb_disk *disk)
{
    struct edge_layout layout;

    assert_int_equal(edge_layout_look(disk, &layout), FB_OK);
    return layout;
}

static void fill(struct fixture *fixture, uint64_t offset, int byte)
{
    memset(fixture->block, byte, EDGE_FORMAT_BLOCK);
    assert_int_equal(fb_disk_write_now(fixture->disk, offset, fixture->block, EDGE_FORMAT_BLOCK),
                     FB_OK);
}

static void zeros_are_blank(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(look(fixture->disk).kind, EDGE_LAYOUT_BLANK);
}

static void a_disk_of_a_block_is_looked_at(void **state)
{
    (void)state;
    struct test_disk *test = test_disk_new(FB_DISK_BLOCK);
    struct fb_disk *disk = test_disk_open(test);
    struct edge_superblock superblock;
    struct fb_diag diag = {0};
    assert_int_equal(look(disk).kind, EDGE_LAYOUT_BLANK);
    assert_int_equal(edge_layout_make(disk, FB_STR("a"), 5, &superblock, &diag), FB_E_LIMIT);
    assert_non_null(strstr(diag.text, "too few"));
    fb_disk_close(disk);
    test_disk_free(test);
}

static void anything_within_the_first_mebibyte_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, MIB - EDGE_FORMAT_BLOCK, 1);
    assert_int_equal(look(fixture->disk).kind, EDGE_LAYOUT_FOREIGN);
    fill(fixture, MIB - EDGE_FORMAT_BLOCK, 0);
    fill(fixture, 0, 0xff);
    assert_int_equal(look(fixture->disk).kind, EDGE_LAYOUT_FOREIGN);
}

static void what_was_made_a_volume_is_one(void **state)
{
    struct fixture *fixture = *state;
    struct edge_superblock made = make(fixture->disk, "box-7");
    struct edge_layout layout = look(fixture->disk);
    assert_int_equal(layout.kind, EDGE_LAYOUT_VOLUME);
    assert_true(layout.is_first_good && layout.is_copy_good);
    assert_string_equal(layout.superblock.node, "box-7");
    assert_int_equal(layout.superblock.created_ms, 5);
    assert_memory_equal(layout.superblock.uuid, made.uuid, sizeof(made.uuid));
}

static void either_superblock_is_enough(void **state)
{
    struct fixture *fixture = *state;
    struct edge_superblock made = make(fixture->disk, "box-7");
    test_disk_flip(fixture->test, 1000, 3);
    struct edge_layout layout = look(fixture->disk);
    assert_int_equal(layout.kind, EDGE_LAYOUT_VOLUME);
    assert_true(!layout.is_first_good && layout.is_copy_good);
    assert_memory_equal(layout.superblock.uuid, made.uuid, sizeof(made.uuid));
    test_disk_flip(fixture->test, 1000, 3);
    fill(fixture, EDGE_FORMAT_BLOCK, 0);
    layout = look(fixture->disk);
    assert_int_equal(layout.kind, EDGE_LAYOUT_VOLUME);
    assert_true(layout.is_first_good && !layout.is_copy_good);
}

static void without_either_it_is_damaged_and_not_blank(void **state)
{
    struct fixture *fixture = *state;
    (void)make(fixture->disk, "box-7");
    test_disk_flip(fixture->test, 1000, 3);
    test_disk_flip(fixture->test, EDGE_FORMAT_BLOCK + 1000, 3);
    assert_int_equal(look(fixture->disk).kind, EDGE_LAYOUT_DAMAGED);
}

static void a_volume_longer_than_its_disk_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    (void)make(fixture->disk, "box-7");
    assert_int_equal(fb_disk_read_now(fixture->disk, 0, fixture->block, EDGE_FORMAT_BLOCK), FB_OK);
    struct test_disk *test = test_disk_new(99 * MIB);
    struct fb_disk *disk = test_disk_open(test);
    assert_int_equal(fb_disk_write_now(disk, 0, fixture->block, EDGE_FORMAT_BLOCK), FB_OK);
    assert_int_equal(look(disk).kind, EDGE_LAYOUT_DAMAGED);
    fb_disk_close(disk);
    test_disk_free(test);
}

static void made_again_it_is_another_volume(void **state)
{
    struct fixture *fixture = *state;
    struct edge_superblock first = make(fixture->disk, "box-7");
    struct edge_superblock second = make(fixture->disk, "box-7");
    assert_memory_not_equal(first.uuid, second.uuid, sizeof(first.uuid));
}

static void a_power_cut_leaves_the_old_volume_or_the_new_one(void **state)
{
    struct fixture *fixture = *state;
    (void)make(fixture->disk, "old");
    size_t n_before = test_disk_n_events(fixture->test);
    (void)make(fixture->disk, "new");
    size_t n_events = test_disk_n_events(fixture->test);
    for (size_t n = n_before; n <= n_events; n++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct test_disk *cut = test_disk_cut_after(fixture->test, n, seed);
            struct fb_disk *disk = test_disk_open(cut);
            struct edge_layout layout = look(disk);
            assert_int_equal(layout.kind, EDGE_LAYOUT_VOLUME);
            if (n == n_before) {
                assert_string_equal(layout.superblock.node, "old");
            } else if (n == n_events) {
                assert_string_equal(layout.superblock.node, "new");
            }
            fb_disk_close(disk);
            test_disk_free(cut);
        }
    }
}

static void every_failure_of_the_disk_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct edge_layout layout;
    struct edge_superblock superblock;
    test_disk_fail(fixture->test, (struct test_disk_fault){.verb = FB_DISK_READ, .err = -EIO});
    assert_int_equal(edge_layout_look(fixture->disk, &layout), -EIO);
    for (uint64_t n = 0; n < 2; n++) {
        test_disk_fail(fixture->test,
                       (struct test_disk_fault){.verb = FB_DISK_WRITE, .n_good = n, .err = -EIO});
        assert_int_equal(edge_layout_make(fixture->disk, FB_STR("a"), 5, &superblock, NULL), -EIO);
        test_disk_heal(fixture->test);
        test_disk_fail(fixture->test,
                       (struct test_disk_fault){.verb = FB_DISK_SYNC, .n_good = n, .err = -EIO});
        assert_int_equal(edge_layout_make(fixture->disk, FB_STR("a"), 5, &superblock, NULL), -EIO);
        test_disk_heal(fixture->test);
    }
}

#define WITH_FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(zeros_are_blank),
        cmocka_unit_test(a_disk_of_a_block_is_looked_at),
        WITH_FIXTURE(anything_within_the_first_mebibyte_is_foreign),
        WITH_FIXTURE(what_was_made_a_volume_is_one),
        WITH_FIXTURE(either_superblock_is_enough),
        WITH_FIXTURE(without_either_it_is_damaged_and_not_blank),
        WITH_FIXTURE(a_volume_longer_than_its_disk_is_damaged),
        WITH_FIXTURE(made_again_it_is_another_volume),
        WITH_FIXTURE(a_power_cut_leaves_the_old_volume_or_the_new_one),
        WITH_FIXTURE(every_failure_of_the_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
