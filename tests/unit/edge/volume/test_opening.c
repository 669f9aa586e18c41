#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "edge/volume/opening.h"
#include "tests/support/test_disk.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

static const uint64_t size = UINT64_C(80) * MIB;

static int open_memory(void *ctx, const char *path, const struct fb_disk_options *options,
                       struct fb_disk **ret_disk, struct fb_diag *diag)
{
    (void)path;
    (void)options;
    (void)diag;
    *ret_disk = test_disk_open(ctx);
    return FB_OK;
}

static int open_kernel(void *ctx, const char *path, const struct fb_disk_options *options,
                       struct fb_disk **ret_disk, struct fb_diag *diag)
{
    (void)ctx;
    return fb_disk_open(path, options, ret_disk, diag);
}

static struct edge_opening opening_of(struct test_disk *disk)
{
    return (struct edge_opening){
        .path = "memory", .node = FB_STR("box-1"), .wall_ms = 5, .open = open_memory, .ctx = disk};
}

/* Runs it, closes the disk, and gives the result. */
static int run(struct edge_opening *opening, struct fb_diag *diag)
{
    int err = edge_opening_run(opening, diag);

    if (err == FB_OK) {
        fb_disk_close(opening->disk);
    }
    return err;
}

static void write_at(struct test_disk *disk, uint64_t offset, char byte)
{
    struct fb_disk *opened = test_disk_open(disk);
    char *block = fb_disk_buffer(FB_DISK_BLOCK);

    memset(block, byte, FB_DISK_BLOCK);
    assert_int_equal(fb_disk_write_now(opened, offset, block, FB_DISK_BLOCK), FB_OK);
    fb_free(block);
    fb_disk_close(opened);
}

static void assert_same(const struct edge_superblock *a, const struct edge_superblock *b)
{
    char blocks[2][EDGE_FORMAT_BLOCK];

    edge_superblock_encode(a, blocks[0]);
    edge_superblock_encode(b, blocks[1]);
    assert_memory_equal(blocks[0], blocks[1], EDGE_FORMAT_BLOCK);
}

/* Fails the test if anything was written since `n_before` events. */
static void assert_refused(struct test_disk *disk, struct edge_opening *opening, int want,
                           const char *sentence)
{
    struct fb_diag diag = {0};
    size_t n_before = test_disk_n_events(disk);

    assert_int_equal(run(opening, &diag), want);
    assert_true(edge_opening_is_refusal(want));
    assert_non_null(strstr(diag.text, sentence));
    memset(&diag, 0, sizeof(diag));
    assert_int_equal(edge_opening_check(opening, &diag), want); /* says the same */
    assert_non_null(strstr(diag.text, sentence));
    assert_int_equal(test_disk_n_events(disk), n_before);
}

static void a_blank_disk_is_formatted_once(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening first = opening_of(disk);
    struct edge_opening second = opening_of(disk);

    (void)state;
    assert_int_equal(run(&first, NULL), FB_OK);
    assert_true(first.was_formatted);
    assert_string_equal(first.superblock.node, "box-1");
    assert_int_equal(first.superblock.created_ms, 5);
    assert_int_equal(run(&second, NULL), FB_OK);
    assert_false(second.was_formatted);
    assert_same(&second.superblock, &first.superblock);
    test_disk_free(disk);
}

static void who_checks_writes_nothing(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening opening = opening_of(disk);

    (void)state;
    assert_int_equal(edge_opening_check(&opening, NULL), FB_OK); /* blank */
    assert_int_equal(test_disk_n_events(disk), 0);
    assert_int_equal(run(&opening, NULL), FB_OK);
    size_t n_before = test_disk_n_events(disk);
    assert_int_equal(edge_opening_check(&opening, NULL), FB_OK); /* ours */
    write_at(disk, 0, 'x');
    assert_int_equal(edge_opening_check(&opening, NULL), FB_OK); /* its copy is good */
    assert_int_equal(test_disk_n_events(disk), n_before + 1);
    test_disk_free(disk);
}

static void foreign_data_is_left_alone(void **state)
{
    static const uint64_t places[] = {0, FB_DISK_BLOCK, UINT64_C(64) * 1024, MIB - FB_DISK_BLOCK};

    (void)state;
    for (size_t i = 0; i <= FB_ARRAY_LEN(places); i++) {
        struct test_disk *disk = test_disk_new(size);
        struct edge_opening opening = opening_of(disk);

        write_at(disk, i < FB_ARRAY_LEN(places) ? places[i] : size - FB_DISK_BLOCK, 'x');
        assert_refused(disk, &opening, FB_E_MALFORMED, "holds something else");
        test_disk_free(disk);
    }
}

static void another_nodes_volume_is_left_alone(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening mine = opening_of(disk);
    struct edge_opening other = opening_of(disk);

    (void)state;
    assert_int_equal(run(&mine, NULL), FB_OK);
    other.node = FB_STR("box-2");
    other.formats = true;
    assert_refused(disk, &other, FB_E_CONFLICT, "is a volume of node 'box-1', not of 'box-2'");
    test_disk_free(disk);
}

static void a_damaged_superblock_is_mended_from_its_copy(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening first = opening_of(disk);
    struct edge_opening second = opening_of(disk);

    (void)state;
    assert_int_equal(run(&first, NULL), FB_OK);
    write_at(disk, 0, 'x');
    assert_int_equal(run(&second, NULL), FB_OK);
    assert_same(&second.superblock, &first.superblock);
    write_at(disk, FB_DISK_BLOCK, 'x');
    assert_int_equal(run(&second, NULL), FB_OK);
    test_disk_flip(disk, 100, 3);
    test_disk_flip(disk, FB_DISK_BLOCK + 100, 3);
    assert_refused(disk, &second, FB_E_CORRUPT, "damaged");
    test_disk_free(disk);
}

static void what_is_too_small_is_refused(void **state)
{
    struct test_disk *disk = test_disk_new(UINT64_C(16) * MIB);
    struct test_disk *tiny = test_disk_new(FB_DISK_BLOCK);
    struct edge_opening opening = opening_of(disk);

    (void)state;
    assert_refused(disk, &opening, FB_E_LIMIT, "too few for a volume");
    opening.ctx = tiny;
    assert_refused(tiny, &opening, FB_E_LIMIT, "too few for a volume");
    test_disk_free(disk);
    test_disk_free(tiny);
}

static void ours_is_formatted_anew_when_told(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening opening = opening_of(disk);
    uint8_t uuid[16];

    (void)state;
    assert_int_equal(run(&opening, NULL), FB_OK);
    memcpy(uuid, opening.superblock.uuid, sizeof(uuid));
    opening.formats = true;
    assert_int_equal(run(&opening, NULL), FB_OK);
    assert_true(opening.was_formatted);
    assert_memory_not_equal(opening.superblock.uuid, uuid, sizeof(uuid));
    test_disk_free(disk);
}

/* What is in doubt when the volume is opened at `epoch`, with a log of purges or without. */
static uint64_t doubted_at(struct test_disk *disk, uint64_t epoch, bool has_log)
{
    struct edge_opening opening = opening_of(disk);

    opening.has_log = has_log;
    opening.epoch = epoch;
    assert_int_equal(run(&opening, NULL), FB_OK);
    return opening.superblock.doubted;
}

static void what_stood_beside_a_log_is_in_doubt_without_it(void **state)
{
    struct test_disk *disk = test_disk_new(size);

    (void)state;
    assert_int_equal(doubted_at(disk, 10, false), 0); /* there never was one */
    assert_int_equal(doubted_at(disk, 20, true), 0);
    assert_int_equal(doubted_at(disk, 30, false), 30);
    assert_int_equal(doubted_at(disk, 40, false), 30); /* what came since is not */
    assert_int_equal(doubted_at(disk, 50, true), 0);
    assert_int_equal(doubted_at(disk, 60, true), 0);
    assert_int_equal(doubted_at(disk, 70, false), 70);
    test_disk_free(disk);
}

static void a_log_is_noted_when_a_volume_is_made(void **state)
{
    struct test_disk *disk = test_disk_new(size);

    (void)state;
    assert_int_equal(doubted_at(disk, 10, true), 0);
    assert_int_equal(doubted_at(disk, 20, false), 20);
    test_disk_free(disk);
}

static void a_power_cut_while_a_log_is_noted_loses_no_volume(void **state)
{
    struct test_disk *disk = test_disk_new(size);

    (void)state;
    test_disk_keep_history(disk);
    assert_int_equal(doubted_at(disk, 10, true), 0);
    size_t n_before = test_disk_n_events(disk);
    assert_int_equal(doubted_at(disk, 20, false), 20);
    for (size_t n = n_before; n <= test_disk_n_events(disk); n++) {
        struct test_disk *after = test_disk_cut_after(disk, n, 7 * n + 1);
        uint64_t doubted = doubted_at(after, 30, false);
        assert_true(doubted == 20 || doubted == 30);
        test_disk_free(after);
    }
    test_disk_free(disk);
}

static void a_power_cut_while_formatting_leaves_it_blank_or_whole(void **state)
{
    struct test_disk *disk = test_disk_new(size);
    struct edge_opening opening = opening_of(disk);

    (void)state;
    test_disk_keep_history(disk);
    assert_int_equal(run(&opening, NULL), FB_OK);
    for (size_t n = 0; n <= test_disk_n_events(disk); n++) {
        struct test_disk *after = test_disk_cut_after(disk, n, 7 * n + 1);
        struct edge_opening again = opening_of(after);
        int err = run(&again, NULL);

        /* A torn block looks foreign; what was synced before never does. */
        assert_true(err == FB_OK || (n < 2 && edge_opening_is_refusal(err)));
        test_disk_free(after);
    }
    test_disk_free(disk);
}

static void every_failing_read_and_write_is_told(void **state)
{
    static const enum fb_disk_verb verbs[] = {FB_DISK_READ, FB_DISK_WRITE, FB_DISK_SYNC};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(verbs); i++) {
        int err = -EIO;

        for (uint64_t n = 0; err != FB_OK; n++) {
            struct test_disk *disk = test_disk_new(size);
            struct edge_opening opening = opening_of(disk);
            struct fb_diag diag = {0};

            test_disk_fail(disk,
                           (struct test_disk_fault){.verb = verbs[i], .n_good = n, .err = -EIO});
            err = run(&opening, &diag);
            assert_true(err == FB_OK || (err == -EIO && diag.text[0] != '\0'));
            assert_false(edge_opening_is_refusal(err));
            test_disk_free(disk);
        }
    }
}

static void a_missing_file_is_made_only_if_it_has_a_size(void **state)
{
    struct test_folder folder = test_folder_new();
    char path[TEST_PATH_MAX + 8];
    struct edge_opening opening = {.path = path, .node = FB_STR("box-1"), .open = open_kernel};

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/v", folder.path);
    assert_int_equal(run(&opening, NULL), -ENOENT);
    assert_int_not_equal(access(path, F_OK), 0);
    opening.size = UINT64_C(40) * MIB;
    assert_int_equal(run(&opening, NULL), FB_OK);
    assert_true(opening.was_formatted);
    opening.size = 0;
    assert_int_equal(run(&opening, NULL), FB_OK);
    assert_false(opening.was_formatted);
    test_folder_done(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blank_disk_is_formatted_once),
        cmocka_unit_test(who_checks_writes_nothing),
        cmocka_unit_test(foreign_data_is_left_alone),
        cmocka_unit_test(another_nodes_volume_is_left_alone),
        cmocka_unit_test(a_damaged_superblock_is_mended_from_its_copy),
        cmocka_unit_test(what_is_too_small_is_refused),
        cmocka_unit_test(ours_is_formatted_anew_when_told),
        cmocka_unit_test(what_stood_beside_a_log_is_in_doubt_without_it),
        cmocka_unit_test(a_log_is_noted_when_a_volume_is_made),
        cmocka_unit_test(a_power_cut_while_a_log_is_noted_loses_no_volume),
        cmocka_unit_test(a_power_cut_while_formatting_leaves_it_blank_or_whole),
        cmocka_unit_test(every_failing_read_and_write_is_told),
        cmocka_unit_test(a_missing_file_is_made_only_if_it_has_a_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
