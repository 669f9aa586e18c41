#include "base/core/diag.h"
#include "edge/tool/survey.h"
#include "made_volume.h"
#include "tests/support/test_disk.h"

#include <errno.h>

struct fixture {
    struct test_disk *disk;
    struct made_volume made;
};

static int set_up(void **state)
{
    struct fixture *fixture = FB_NEW(struct fixture);

    fixture->disk = test_disk_new(MADE_BYTES);
    struct fb_disk *disk = test_disk_open(fixture->disk);
    made_volume_init(&fixture->made, disk);
    fb_disk_close(disk);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    made_volume_done(&fixture->made);
    test_disk_free(fixture->disk);
    fb_free(fixture);
    return 0;
}

/* Records of all zones that are read with nothing wrong; or the first error. */
static int read_all(const struct tool_survey *survey, enum tool_depth depth, unsigned *ret_n)
{
    unsigned n = 0;

    for (uint32_t zone = 0; zone < survey->layout.superblock.n_zones; zone++) {
        struct tool_cursor cursor;
        struct tool_item item;
        int err = edge_tool_cursor_init(&cursor, survey, zone, depth);
        if (err < 0) {
            return err;
        }
        while ((err = edge_tool_cursor_next(&cursor, &item)) == FB_OK) {
            n += item.wrong == NULL ? 1 : 0;
        }
        edge_tool_cursor_done(&cursor);
        if (err != FB_E_END) {
            return err;
        }
    }
    *ret_n = n;
    return FB_OK;
}

static void every_depth_finds_the_same_records(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(edge_tool_survey_close) struct tool_survey survey = {.disk = NULL};
    unsigned n = 0;
    assert_int_equal(edge_tool_survey_take(test_disk_open(fixture->disk), &survey, NULL), FB_OK);
    assert_int_equal(read_all(&survey, TOOL_LISTINGS, &n), FB_OK);
    assert_int_equal(n, MADE_RECORDS);
    assert_int_equal(read_all(&survey, TOOL_HEADS, &n), FB_OK);
    assert_int_equal(n, MADE_RECORDS);
    assert_int_equal(read_all(&survey, TOOL_WHOLE, &n), FB_OK);
    assert_int_equal(n, MADE_RECORDS);
}

static void a_survey_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(edge_tool_survey_close) struct tool_survey survey = {.disk = NULL};
    uint64_t n_writes = test_disk_counts(fixture->disk).n_writes;
    unsigned n = 0;
    assert_int_equal(edge_tool_survey_take(test_disk_open(fixture->disk), &survey, NULL), FB_OK);
    assert_int_equal(read_all(&survey, TOOL_WHOLE, &n), FB_OK);
    assert_int_equal(test_disk_counts(fixture->disk).n_writes, n_writes);
}

static void a_zone_that_cannot_be_read_hides_no_other(void **state)
{
    struct fixture *fixture = *state;
    FB_AUTO(edge_tool_survey_close) struct tool_survey survey = {.disk = NULL};
    unsigned n = 0;
    /* The front, the two slots with head and body, zone 0 with header and footer: then zone 1. */
    test_disk_fail(fixture->disk,
                   (struct test_disk_fault){.verb = FB_DISK_READ, .n_good = 7, .err = -EIO});
    assert_int_equal(edge_tool_survey_take(test_disk_open(fixture->disk), &survey, NULL), FB_OK);
    assert_int_equal(survey.zones[1].state, TOOL_ZONE_DAMAGED);
    assert_int_equal(survey.zones[1].err, -EIO);
    assert_int_equal(survey.zones[2].state, TOOL_ZONE_OPEN);
    assert_int_equal(read_all(&survey, TOOL_HEADS, &n), FB_OK);
    assert_int_equal(n, MADE_RECORDS - MADE_SEALED);
}

static void each_failing_read_is_told_and_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    unsigned n_failed = 0;
    for (uint64_t n_good = 0;; n_good++) {
        struct tool_survey survey = {.disk = NULL};
        struct fb_diag diag = {0};
        unsigned n = 0;
        uint64_t n_faults = test_disk_counts(fixture->disk).n_faults;
        test_disk_fail(fixture->disk, (struct test_disk_fault){
                                          .verb = FB_DISK_READ, .n_good = n_good, .err = -EIO});
        int err = edge_tool_survey_take(test_disk_open(fixture->disk), &survey, &diag);
        if (err == FB_OK) {
            err = read_all(&survey, TOOL_WHOLE, &n);
            bool is_hidden = n < MADE_RECORDS; /* with the zone */
            assert_true(err == -EIO || is_hidden ||
                        test_disk_counts(fixture->disk).n_faults == n_faults ||
                        survey.zones[0].err == -EIO || survey.zones[3].err == -EIO);
        } else {
            assert_non_null(strstr(diag.text, "cannot read"));
        }
        edge_tool_survey_close(&survey);
        test_disk_heal(fixture->disk);
        if (test_disk_counts(fixture->disk).n_faults == n_faults) {
            break;
        }
        n_failed++;
    }
    assert_true(n_failed > 10);
}

#define WITH_FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_depth_finds_the_same_records),
        WITH_FIXTURE(a_survey_writes_nothing),
        WITH_FIXTURE(a_zone_that_cannot_be_read_hides_no_other),
        WITH_FIXTURE(each_failing_read_is_told_and_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
