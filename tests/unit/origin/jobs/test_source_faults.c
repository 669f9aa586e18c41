/*
 * Whatever write of the database fails, and at whichever the process ends: a video is published
 * once, with the objects that are listed, or waits for the next attempt.
 */
#include "origin/catalog/files.h"
#include "source_fixture.h"
#include "tests/support/test_db_faults.h"

enum { STEPS_MAX = 200, FAULTS_MAX = 2000 };

/* Where sanitizers slow everything down, a third of all. */
#ifdef FB_SANITIZED
enum { STRIDE = 3 };
#else
enum { STRIDE = 1 };
#endif

static void site_reopen(struct site *site)
{
    origin_catalog_close(site->f->catalog);
    test_db_faults_none();
    must(origin_catalog_open(fb_str_from(site->f->url), 4, &site->f->clock.clock, &site->f->catalog,
                             NULL));
    site_start(site);
}

/* What the one worker does next: a task whose end was not seen is ended again. */
static int step(struct site *site, struct origin_task *task)
{
    if (task->request == NULL) {
        return site_take(site, "w", task);
    }
    int err = site_do(site, task, false);
    if (err == FB_OK || err == FB_E_CONFLICT) {
        origin_task_done(task);
    }
    return err;
}

static void check_published(struct site *site, const struct origin_id *id)
{
    struct origin_video video = get_video(site->f, id);
    enum origin_privacy privacy = ORIGIN_PRIVACY_PUBLIC;
    struct origin_result_file file;
    struct origin_job_counts counts;

    must(origin_catalog_file_get(site->f->catalog, id, video.version, FB_STR("master.m3u8"), &file,
                                 &privacy));
    must(origin_catalog_job_count(site->f->catalog, &counts));
    assert_int_equal(counts.active + counts.ready + counts.delayed + counts.running, 0);
    assert_int_equal(counts.failed, 0);
    assert_true(site_has(site, "media", id));
}

/* From the end of an upload to its publication. False if there is no n-th write. */
static bool run(struct site *site, long n, bool stays)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = add_video(site->f, &site->f->user);
    bool is_new = false;
    bool is_queued = false; /* as far as its uploader knows */
    bool happened = false;

    test_db_faults_after(n, stays);
    for (int steps = 0; get_video(site->f, &id).stage != ORIGIN_STAGE_FULL; steps++) {
        assert_true(steps < STEPS_MAX);
        int err = is_queued
                      ? step(site, &task)
                      : origin_jobs_queue(site->jobs, &id, FB_STR("uploads/x/source"), &is_new);
        is_queued = is_queued || err == FB_OK;
        if (test_db_faults_happened() && !happened) {
            happened = true;
            if (stays) { /* the process ends here, and its worker with it */
                site_reopen(site);
                origin_task_done(&task);
            }
        } else if (err == FB_E_LATER) {
            test_clock_advance_ms(&site->f->clock, 1000);
        } else {
            assert_true(err == FB_OK || err == FB_E_CONFLICT);
        }
        fb_arena_done(&site->f->arena);
        site->f->arena = (struct fb_arena){0};
    }
    test_db_faults_none();
    check_published(site, &id);
    return happened;
}

static void sweep(struct site *site, bool stays)
{
    long n = 0;

    while (run(site, n, stays)) {
        n += STRIDE;
        assert_true(n < FAULTS_MAX);
    }
    assert_true(n > 20);
}

static void each_write_may_fail_once(void **state)
{
    sweep(*state, false);
}

static void the_process_may_end_at_each_write(void **state)
{
    sweep(*state, true);
}

static int install(void **state)
{
    (void)state;
    test_db_faults_install();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, site_set_up, site_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_write_may_fail_once),
        TEST(the_process_may_end_at_each_write),
    };
#undef TEST
    return cmocka_run_group_tests(tests, install, NULL);
}
