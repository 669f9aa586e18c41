/*
 * Whatever write of the database fails, and at whichever the process ends: a video has the whole of
 * one upload or none, what was answered is there, whoever tries again comes to an end, and no
 * multipart is left.
 */
#include "ledger_fixture.h"
#include "tests/support/test_db_faults.h"

enum { TRIES_MAX = 5, FAULTS_MAX = 1000 };

static void desk_reopen(struct desk *desk)
{
    origin_ledger_free(desk->ledger);
    origin_catalog_close(desk->f->catalog);
    test_db_faults_none();
    must(origin_catalog_open(fb_str_from(desk->f->url), 4, &desk->f->clock.clock, &desk->f->catalog,
                             NULL));
    desk_open(desk);
}

/* One way to bring a file: FB_OK once its client has been told that it is there. */
typedef int bring_fn(struct desk *desk, const struct origin_id *video);

static int bring_whole(struct desk *desk, const struct origin_id *video)
{
    return desk_put(desk, video, NULL, 0, LEDGER_BYTES, 'a');
}

/* Twice, so that one takes the other's place. */
static int bring_again(struct desk *desk, const struct origin_id *video)
{
    int err = bring_whole(desk, video);
    return err < 0 ? err : bring_whole(desk, video);
}

static int bring_parts(struct desk *desk, const struct origin_id *video)
{
    struct origin_id upload;

    int err = desk_begin(desk, video, &upload);
    if (err < 0 || (err = desk_put(desk, video, &upload, 1, LEDGER_BYTES, 'a')) < 0) {
        return err;
    }
    err = desk_complete(desk, video, &upload);
    if (err < 0 && desk->fault.kind == ORIGIN_FAULT_INTERNAL) {
        err = desk_complete(desk, video, &upload); /* clients ask again */
    }
    return err;
}

/* False if there is no n-th write. */
static bool run(struct desk *desk, bring_fn *bring, long n, bool stays)
{
    struct origin_id id = add_video(desk->f, &desk->f->user);
    bool happened = false;
    int err = -1;

    test_db_faults_after(n, stays);
    for (int tries = 0; err < 0; tries++) {
        assert_true(tries < TRIES_MAX);
        err = bring(desk, &id);
        happened = happened || test_db_faults_happened();
        if (test_db_faults_happened()) {
            if (stays) { /* the process ends here */
                desk_reopen(desk);
            }
            test_db_faults_after(-1, false);
        } else {
            must(err);
        }
    }
    test_db_faults_none();
    check_claimed(desk, &id, LEDGER_BYTES, 'a');
    must(origin_ledger_end_open(desk->ledger, &id));
    test_clock_advance_ms(&desk->f->clock, LEDGER_DAY_MS + 1);
    must(origin_ledger_sweep(desk->ledger));
    assert_int_equal(desk_multiparts(desk), 0);
    check_claimed(desk, &id, LEDGER_BYTES, 'a');
    must(origin_objects_remove_prefix(desk->objects, FB_STR("uploads")));
    must(origin_catalog_video_remove(desk->f->catalog, &id));
    return happened;
}

static void sweep(struct desk *desk, bring_fn *bring)
{
    for (int stays = 0; stays < 2; stays++) {
        long n = 0;
        while (run(desk, bring, n, stays)) {
            n++;
            assert_true(n < FAULTS_MAX);
        }
        assert_true(n > 3);
    }
}

static void a_whole_file_comes_whatever_fails(void **state)
{
    sweep(*state, bring_whole);
}

static void a_file_that_takes_anothers_place_comes_whatever_fails(void **state)
{
    sweep(*state, bring_again);
}

static void a_file_in_parts_comes_whatever_fails(void **state)
{
    sweep(*state, bring_parts);
}

static int install(void **state)
{
    (void)state;
    test_db_faults_install();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_file_comes_whatever_fails),
        TEST(a_file_that_takes_anothers_place_comes_whatever_fails),
        TEST(a_file_in_parts_comes_whatever_fails),
    };
#undef TEST
    return cmocka_run_group_tests(tests, install, NULL);
}
