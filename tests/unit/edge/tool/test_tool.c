#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/json/json.h"
#include "edge/tool/tool.h"
#include "edge/volume/layout.h"
#include "tests/support/test_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A volume of four zones: 0 was given up, 1 is sealed, 2 is open and was continued once, 3
 * was never opened. Each extent is one block of head and two of its only chunk.
 */
enum {
    SIZE = 40 * 1024 * 1024,
    BODY = 5000,
    N_SEALED = 3,     /* records: two extents, and a purge */
    LAST_OF_OPEN = 5, /* block of the second extent of zone 2, behind the ledger */
    WALL_HOUR = 497222
};

static const int64_t wall_ms = 1790000000123;

struct fixture {
    struct test_folder folder;
    char path[TEST_PATH_MAX + 16];
    char captured[TEST_PATH_MAX + 16];
    struct fb_disk *disk;
    struct edge_superblock superblock;
    char *blocks; /* scratch */
    uint64_t sum; /* of the last record */
    struct fb_buf output;
};

/* ---- making the volume --------------------------------------------------- */

static void put(struct fixture *fixture, uint64_t offset, size_t n_blocks)
{
    assert_int_equal(
        fb_disk_write_now(fixture->disk, offset, fixture->blocks, n_blocks * EDGE_FORMAT_BLOCK),
        FB_OK);
}

static uint64_t at(const struct fixture *fixture, uint32_t zone, uint32_t block)
{
    return edge_superblock_zone_offset(&fixture->superblock, zone) +
           (uint64_t)block * EDGE_FORMAT_BLOCK;
}

static uint64_t generation_of(const struct fixture *fixture, uint32_t zone)
{
    return edge_superblock_first_generation(&fixture->superblock) + zone;
}

static void put_header(struct fixture *fixture, uint32_t zone)
{
    struct edge_zone_header header = {
        .zone = zone,
        .generation = generation_of(fixture, zone),
        .oldest = generation_of(fixture, zone > 0 ? zone - 1 : 0),
        .wall_ms = wall_ms,
        .written = {.admission = 1000 * (zone + 1), .metadata = 10},
    };

    memcpy(header.uuid, fixture->superblock.uuid, sizeof(header.uuid));
    edge_zone_header_encode(&header, fixture->blocks);
    put(fixture, at(fixture, zone, 0), 1);
    fixture->sum = 0;
}

static void put_record(struct fixture *fixture, uint32_t zone, struct edge_record *record)
{
    record->generation = generation_of(fixture, zone);
    record->n_head_blocks = 1;
    record->previous = fixture->sum;
    record->head.wall_ms = wall_ms;
    edge_record_encode(record, fixture->blocks);
    fixture->sum = record->sum;
    if (record->kind == EDGE_RECORD_EXTENT) {
        memset(fixture->blocks + EDGE_FORMAT_BLOCK, 'b', BODY);
    }
    put(fixture, at(fixture, zone, record->block), record->n_blocks);
}

static struct edge_listing put_extent(struct fixture *fixture, uint32_t zone, uint32_t block,
                                      const char *key)
{
    char body[BODY];
    memset(body, 'b', sizeof(body));
    struct edge_record record = {
        .kind = EDGE_RECORD_EXTENT,
        .block = block,
        .n_blocks = 3,
        .head = {.id = {.fingerprint = edge_fingerprint_of(fb_str_from(key)), .version = 7},
                 .key = fb_str_from(key),
                 .meta = FB_STR("meta"),
                 .length = BODY,
                 .mask = 1},
        .chunk_bytes = {BODY},
        .chunk_sums = {edge_format_sum((struct fb_str){body, sizeof(body)})},
    };

    put_record(fixture, zone, &record);
    return (struct edge_listing){
        .kind = EDGE_RECORD_EXTENT,
        .id = record.head.id,
        .place = {.zone = zone,
                  .block = block,
                  .n_blocks = 3,
                  .hour = WALL_HOUR,
                  .n_head_blocks = 1,
                  .mask = 1},
    };
}

static void put_sealed_zone(struct fixture *fixture)
{
    struct edge_listing listings[N_SEALED];
    struct edge_summary summary = {
        .generation = generation_of(fixture, 1), .zone = 1, .n = N_SEALED};
    FB_AUTO(fb_buf_done) struct fb_buf blocks = {0};

    put_header(fixture, 1);
    listings[0] = put_extent(fixture, 1, 1, "http://v/a");
    listings[1] = put_extent(fixture, 1, 4, "http://v/b");
    struct edge_record purge = {
        .kind = EDGE_RECORD_PURGE, .block = 7, .n_blocks = 1, .head.id.fingerprint = 5};
    put_record(fixture, 1, &purge);
    listings[2] = (struct edge_listing){
        .kind = EDGE_RECORD_PURGE,
        .id.fingerprint = 5,
        .place = {.zone = 1, .block = 7, .n_blocks = 1, .hour = WALL_HOUR, .n_head_blocks = 1},
    };
    edge_summary_encode(&summary, listings, &blocks);
    memcpy(fixture->blocks, blocks.ptr, blocks.len);
    put(fixture, at(fixture, 2, 0) - blocks.len, blocks.len / EDGE_FORMAT_BLOCK);
}

static void put_open_zone(struct fixture *fixture)
{
    struct edge_record ledger = {
        .kind = EDGE_RECORD_LEDGER,
        .block = 4,
        .n_blocks = 1,
        .written = {.admission = 5000, .rewriting = 600, .metadata = 70, .reserve = 8},
    };

    put_header(fixture, 2);
    (void)put_extent(fixture, 2, 1, "http://v/c");
    put_record(fixture, 2, &ledger);
    (void)put_extent(fixture, 2, LAST_OF_OPEN, "http://v/\x1b[31md");

    /* What a crash left behind: whole, but following a record that is not there. */
    fixture->sum = 12345;
    (void)put_extent(fixture, 2, LAST_OF_OPEN + 3, "http://v/lost");
}

static void put_checkpoint(struct fixture *fixture, unsigned slot, uint64_t sequence)
{
    struct edge_checkpoint checkpoint = {
        .sequence = sequence, .wall_ms = wall_ms, .n_zones = fixture->superblock.n_zones};
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    memcpy(checkpoint.uuid, fixture->superblock.uuid, sizeof(checkpoint.uuid));
    edge_checkpoint_begin(&checkpoint, &bytes);
    for (uint32_t i = 0; i < checkpoint.n_zones; i++) {
        bool is_used = i == 1 || i == 2;
        edge_checkpoint_add_zone(&bytes, &(struct edge_checkpoint_zone){
                                             .generation = is_used ? generation_of(fixture, i) : 0,
                                             .n_blocks = is_used ? LAST_OF_OPEN + 3 : 0,
                                             .is_sealed = i == 1,
                                         });
    }
    edge_checkpoint_end(&bytes);
    memcpy(fixture->blocks, bytes.ptr, bytes.len);
    put(fixture,
        fixture->superblock.checkpoint_offset + slot * fixture->superblock.checkpoint_bytes,
        bytes.len / EDGE_FORMAT_BLOCK);
}

static int set_up(void **state)
{
    struct fixture *fixture = FB_NEW(struct fixture);

    fixture->folder = test_folder_new();
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/volume", fixture->folder.path);
    (void)snprintf(fixture->captured, sizeof(fixture->captured), "%s/out", fixture->folder.path);
    assert_int_equal(
        fb_disk_open(fixture->path, &(struct fb_disk_options){.size = SIZE}, &fixture->disk, NULL),
        FB_OK);
    assert_int_equal(
        edge_layout_make(fixture->disk, FB_STR("box-7"), wall_ms, &fixture->superblock, NULL),
        FB_OK);
    assert_int_equal(fixture->superblock.n_zones, 4);
    fixture->blocks = fb_disk_buffer((size_t)4 * EDGE_FORMAT_BLOCK);
    put_header(fixture, 0);
    (void)put_extent(fixture, 0, 1, "http://v/old");
    put_sealed_zone(fixture);
    put_open_zone(fixture);
    put_checkpoint(fixture, 0, 4);
    put_checkpoint(fixture, 1, 5);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fb_disk_close(fixture->disk);
    fb_free(fixture->blocks);
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

    assert_int_equal(fb_disk_read_now(fixture->disk, block, fixture->blocks, EDGE_FORMAT_BLOCK),
                     FB_OK);
    fixture->blocks[offset - block] ^= 4;
    put(fixture, block, 1);
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
        {fixture->superblock.checkpoint_offset + 100, "checkpoint A: it does not fit"},
        {fixture->superblock.checkpoint_offset + 4096 + 3, "checkpoint A: it does not fit"},
        {fixture->superblock.checkpoint_offset + fixture->superblock.checkpoint_bytes + 100,
         "checkpoint B: it does not fit"},
        {at(fixture, 1, 0) + 100, "zone 1: its header does not fit its checksum"},
        {at(fixture, 1, 1) + 3, "zone 1 block 1: extent of fingerprint "},
        {at(fixture, 1, 1) + 3, "no record begins there"},
        {at(fixture, 1, 1) + 4000, "its head does not fit its checksum"},
        {at(fixture, 1, 2) + 7, "zone 1 block 1: extent 0 of \"http://v/a\": chunk 0 does not fit"},
        {at(fixture, 1, 7) + 100, "zone 1 block 7: purge of fingerprint 0000000000000005"},
        {at(fixture, 2, 0) - 8192 + 100, "zone 1: its summary does not fit its checksum"},
        {at(fixture, 2, 0) - 4096 + 100, "zone 1: the footer of its summary does not fit"},
        {at(fixture, 2, LAST_OF_OPEN) + 100,
         "zone 2 block 5: no record begins there, but the checkpoint saw some up to block 8"},
        {at(fixture, 2, 2) + 7, "zone 2 block 1: extent 0 of \"http://v/c\": chunk 0 does not fit"},
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
        flip(fixture, cases[i].offset);
    }
    release_disk(fixture);
    assert_int_equal(run(fixture, "verify", "--quiet", NULL), 0);
}

static void what_lies_where_nothing_counts_is_not_damage(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t offsets[] = {
        at(fixture, 0, 1) + 100,                /* a zone that was given up */
        at(fixture, 1, 2) + BODY,               /* padding of a chunk */
        at(fixture, 1, 100),                    /* behind the last record */
        at(fixture, 2, LAST_OF_OPEN + 3) + 100, /* what a crash left */
        at(fixture, 3, 0),                      /* a zone that was never opened */
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
