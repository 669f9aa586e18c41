#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/json/json.h"
#include "edge/tool/tool.h"
#include "edge/volume/layout.h"
#include "made_volume.h"
#include "tests/support/test_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    char path[TEST_PATH_MAX + 16];
    char captured[TEST_PATH_MAX + 16];
    struct fb_disk *disk;
    struct made_volume made;
    struct fb_buf output;
};

static int set_up(void **state)
{
    struct fixture *fixture = FB_NEW(struct fixture);

    fixture->folder = test_folder_new();
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/volume", fixture->folder.path);
    (void)snprintf(fixture->captured, sizeof(fixture->captured), "%s/out", fixture->folder.path);
    assert_int_equal(fb_disk_open(fixture->path, &(struct fb_disk_options){.size = MADE_BYTES},
                                  &fixture->disk, NULL),
                     FB_OK);
    made_volume_init(&fixture->made, fixture->disk);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fb_disk_close(fixture->disk);
    made_volume_done(&fixture->made);
    fb_buf_done(&fixture->output);
    test_folder_done(&fixture->folder);
    fb_free(fixture);
    return 0;
}

/* ---- using the tool ------------------------------------------------------- */

/* The exit code; what goes to standard output comes into `output`, closed by a NUL. */
static int run(struct fixture *fixture, const char *verb, const char *option, const char *value)
{
    char name[] = "store";
    const char *words[] = {name, verb, fixture->path, option, value};
    char *argv[5];
    int argc = 3 + (option != NULL ? 1 : 0) + (value != NULL ? 1 : 0);

    for (int i = 0; i < argc; i++) {
        argv[i] = fb_str_dup(fb_str_from(words[i]));
    }
    (void)fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    int file = open(fixture->captured, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
    int exit_code = edge_store_tool_main(argc, argv);
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    for (int i = 0; i < argc; i++) {
        fb_free(argv[i]);
    }
    fb_buf_clear(&fixture->output);
    ssize_t n = pread(file, fb_buf_reserve(&fixture->output, 65536), 65536, 0);
    assert_true(n >= 0);
    fb_buf_add(&fixture->output, (size_t)n);
    (void)close(file);
    return exit_code;
}

/* As an edge that has stopped leaves it. */
static void release_disk(struct fixture *fixture)
{
    fb_disk_close(fixture->disk);
    fixture->disk = NULL;
}

static void flip(struct fixture *fixture, uint64_t offset)
{
    uint64_t block = offset / EDGE_FORMAT_BLOCK * EDGE_FORMAT_BLOCK;

    assert_int_equal(
        fb_disk_read_now(fixture->disk, block, fixture->made.blocks, EDGE_FORMAT_BLOCK), FB_OK);
    fixture->made.blocks[offset - block] ^= 4;
    made_put(&fixture->made, block, 1);
}

static int64_t number_of(const struct fb_json *json, const char *object, const char *member)
{
    return fb_json_int(fb_json_find(fb_json_find(json, object), member), -1);
}

static void inspect_counts_what_counts(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", "--json", NULL), 0);
    assert_int_equal(fb_json_parse(fb_buf_str(&fixture->output), 65536, &json, NULL), FB_OK);
    assert_int_equal(number_of(json, "zones", "free"), 2);
    assert_int_equal(number_of(json, "zones", "sealed"), 1);
    assert_int_equal(number_of(json, "zones", "open"), 1);
    assert_int_equal(number_of(json, "zones", "damaged"), 0);
    assert_int_equal(number_of(json, "records", "extents"), 4);
    assert_int_equal(number_of(json, "records", "purges"), 1);
    assert_int_equal(number_of(json, "bytes", "chunks"), 4 * 2 * EDGE_FORMAT_BLOCK);
    assert_int_equal(number_of(json, "bytes", "heads"), (5 + 2) * EDGE_FORMAT_BLOCK);
    assert_int_equal(number_of(json, "bytes", "summaries"), 2 * EDGE_FORMAT_BLOCK);
    assert_false(fb_json_bool(fb_json_find(json, "in_use"), true));
}

static void inspect_tells_what_the_last_ledger_counted(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", "--json", NULL), 0);
    assert_int_equal(fb_json_parse(fb_buf_str(&fixture->output), 65536, &json, NULL), FB_OK);
    assert_int_equal(number_of(json, "written", "admission"), 5000);
    assert_int_equal(number_of(json, "written", "rewriting"), 600);
    assert_int_equal(number_of(json, "written", "metadata"), 70);
    assert_int_equal(number_of(json, "written", "reserve"), 8);
}

static void inspect_tells_which_checkpoint_counts(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", NULL, NULL), 0);
    assert_non_null(strstr(fixture->output.ptr, "A: good, number 4 of 2026"));
    assert_non_null(strstr(fixture->output.ptr, "B: good, number 5 of 2026"));
    assert_non_null(strstr(strstr(fixture->output.ptr, "number 5"), "counts"));
    assert_null(strstr(fixture->output.ptr, "extents: counts\ncheckpoint   B"));
}

static void inspect_lists_a_sealed_zone(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", "--zone", "1"), 0);
    assert_non_null(strstr(fixture->output.ptr, "\"http://v/a\""));
    assert_non_null(strstr(fixture->output.ptr, "\"http://v/b\""));
    assert_non_null(strstr(fixture->output.ptr, "purge of 0000000000000005"));
    assert_non_null(strstr(fixture->output.ptr, "0---        5000"));
}

static void inspect_lists_an_open_zone_up_to_the_crash(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", "--zone", "2"), 0);
    assert_non_null(strstr(fixture->output.ptr, "\"http://v/c\""));
    assert_non_null(strstr(fixture->output.ptr, "\"http://v/\\u001b[31md\""));
    assert_null(strstr(fixture->output.ptr, "lost"));
}

static void a_zone_that_is_not_there_is_wrong_use(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "inspect", "--zone", "4"), 2);
    assert_int_equal(run(fixture, "inspect", "--zone", "x"), 2);
    assert_int_equal(run(fixture, "verify", "--zone", "1"), 2);
}

static void a_whole_volume_verifies(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "verify", NULL, NULL), 0);
    assert_string_equal(fixture->output.ptr, "5 records, 52.0 KiB: all is whole\n");
}

static void verify_says_what_is_damaged_and_where(void **state)
{
    struct fixture *fixture = *state;
    const struct {
        uint64_t offset;
        const char *said;
    } cases[] = {
        {100, "superblock: it does not fit its checksum; its copy is good"},
        {4096 + 100, "superblock: its copy does not fit its checksum"},
        {fixture->made.superblock.checkpoint_offset + 100, "checkpoint A: it does not fit"},
        {fixture->made.superblock.checkpoint_offset + 4096 + 3, "checkpoint A: it does not fit"},
        {fixture->made.superblock.checkpoint_offset + fixture->made.superblock.checkpoint_bytes +
             100,
         "checkpoint B: it does not fit"},
        {made_at(&fixture->made, 1, 0) + 100, "zone 1: its header does not fit its checksum"},
        {made_at(&fixture->made, 1, 1) + 3, "zone 1 block 1: extent of fingerprint "},
        {made_at(&fixture->made, 1, 1) + 3, "no record begins there"},
        {made_at(&fixture->made, 1, 1) + 4000, "its head does not fit its checksum"},
        {made_at(&fixture->made, 1, 2) + 7,
         "zone 1 block 1: extent 0 of \"http://v/a\": chunk 0 does not fit"},
        {made_at(&fixture->made, 1, 7) + 100,
         "zone 1 block 7: purge of fingerprint 0000000000000005"},
        {made_at(&fixture->made, 2, 0) - 8192 + 100,
         "zone 1: its summary does not fit its checksum"},
        {made_at(&fixture->made, 2, 0) - 4096 + 100,
         "zone 1: the footer of its summary does not fit"},
        {made_at(&fixture->made, 2, MADE_LAST_OF_OPEN) + 100,
         "zone 2 block 5: no record begins there, but the checkpoint saw some up to block 8"},
        {made_at(&fixture->made, 2, 2) + 7,
         "zone 2 block 1: extent 0 of \"http://v/c\": chunk 0 does not fit"},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        flip(fixture, cases[i].offset);
        release_disk(fixture);
        assert_int_equal(run(fixture, "verify", "--quiet", NULL), 1);
        assert_non_null(strstr(fixture->output.ptr, cases[i].said));
        assert_non_null(strstr(fixture->output.ptr, ": 1 damaged\n"));
        assert_int_equal(
            fb_disk_open(fixture->path, &(struct fb_disk_options){.size = 0}, &fixture->disk, NULL),
            FB_OK);
        fixture->made.disk = fixture->disk;
        flip(fixture, cases[i].offset);
    }
    release_disk(fixture);
    assert_int_equal(run(fixture, "verify", "--quiet", NULL), 0);
}

static void what_lies_where_nothing_counts_is_not_damage(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t offsets[] = {
        made_at(&fixture->made, 0, 1) + 100,                     /* a zone that was given up */
        made_at(&fixture->made, 1, 2) + MADE_BODY,               /* padding of a chunk */
        made_at(&fixture->made, 1, 100),                         /* behind the last record */
        made_at(&fixture->made, 2, MADE_LAST_OF_OPEN + 3) + 100, /* what a crash left */
        made_at(&fixture->made, 3, 0),                           /* a zone that was never opened */
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(offsets); i++) {
        flip(fixture, offsets[i]);
    }
    release_disk(fixture);
    assert_int_equal(run(fixture, "verify", "--quiet", NULL), 0);
}

static void a_volume_in_use_is_read_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    assert_int_equal(run(fixture, "inspect", "--json", NULL), 0);
    assert_int_equal(fb_json_parse(fb_buf_str(&fixture->output), 65536, &json, NULL), FB_OK);
    assert_true(fb_json_bool(fb_json_find(json, "in_use"), false));
    assert_int_equal(run(fixture, "verify", NULL, NULL), 0);
    assert_int_equal(run(fixture, "format", "--node=box-7", "--force"), 1);
}

static void format_gives_up_only_what_it_is_told_to(void **state)
{
    struct fixture *fixture = *state;
    release_disk(fixture);
    assert_int_equal(run(fixture, "format", NULL, NULL), 2);
    assert_int_equal(run(fixture, "format", "--node", "two words"), 2);
    assert_int_equal(run(fixture, "format", "--node", "box-8"), 1);
    assert_int_equal(run(fixture, "verify", NULL, NULL), 0);
    assert_non_null(strstr(fixture->output.ptr, "5 records"));
    assert_int_equal(run(fixture, "format", "--node=box-8", "--force"), 0);
    assert_int_equal(run(fixture, "verify", NULL, NULL), 0);
    assert_non_null(strstr(fixture->output.ptr, "0 records"));
}

#define WITH_FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(inspect_counts_what_counts),
        WITH_FIXTURE(inspect_tells_what_the_last_ledger_counted),
        WITH_FIXTURE(inspect_tells_which_checkpoint_counts),
        WITH_FIXTURE(inspect_lists_a_sealed_zone),
        WITH_FIXTURE(inspect_lists_an_open_zone_up_to_the_crash),
        WITH_FIXTURE(a_zone_that_is_not_there_is_wrong_use),
        WITH_FIXTURE(a_whole_volume_verifies),
        WITH_FIXTURE(verify_says_what_is_damaged_and_where),
        WITH_FIXTURE(what_lies_where_nothing_counts_is_not_damage),
        WITH_FIXTURE(a_volume_in_use_is_read_all_the_same),
        WITH_FIXTURE(format_gives_up_only_what_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
