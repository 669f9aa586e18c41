/*
 * What is removed, when, and what never is.
 */
#include "jobs_fixture.h"
#include "origin/catalog/files.h"

#define DAY_MS UINT64_C(86400000)

static bool is_served(struct fixture *f, const struct origin_id *id, const char *version)
{
    enum origin_privacy privacy = ORIGIN_PRIVACY_PUBLIC;
    struct origin_result_file file;
    int err = origin_catalog_file_get(f->catalog, id, fb_str_from(version), FB_STR("master.m3u8"),
                                      &file, &privacy);
    assert_true(err == FB_OK || err == FB_E_NOT_FOUND);
    return err == FB_OK;
}

/* Publishes with this version; anew if it is published already. */
static void make(struct fixture *f, const struct origin_id *id, const char *version)
{
    struct origin_job_graph graph = jobs_graph(1, false);
    bool is_again = get_video(f, id).status == ORIGIN_VIDEO_READY;
    bool is_new = false;

    graph.version = fb_str_from(version);
    must(jobs_add(f, id, ORIGIN_PRIORITY_NORMAL, is_again, &is_new));
    jobs_work(f, &graph);
    assert_true(fb_str_equal(get_video(f, id).version, graph.version));
}

/* Does all sweeps whose time has come; a bit for each kind. */
static unsigned sweep_all(struct fixture *f)
{
    struct origin_sweep sweep;
    unsigned kinds = 0;

    while (origin_catalog_sweep_begin(f->catalog, &sweep) == FB_OK) {
        kinds |= 1U << sweep.kind;
        must(origin_catalog_sweep_end(f->catalog, &sweep));
    }
    return kinds;
}

static void a_replaced_version_stays_for_its_time_and_then_goes(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);

    make(f, &id, "1111111111111111");
    make(f, &id, "2222222222222222");
    test_clock_advance_ms(&f->clock, 3600000 - 1);
    assert_int_equal(sweep_all(f), 1U << ORIGIN_SWEEP_WORK);
    assert_true(is_served(f, &id, "1111111111111111"));
    test_clock_advance_ms(&f->clock, 1);
    assert_int_equal(sweep_all(f), 1U << ORIGIN_SWEEP_VERSION);
    assert_false(is_served(f, &id, "1111111111111111"));
    assert_true(is_served(f, &id, "2222222222222222"));
}

static void a_version_that_is_published_again_is_not_swept(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);

    make(f, &id, "1111111111111111");
    make(f, &id, "2222222222222222");
    make(f, &id, "1111111111111111");
    test_clock_advance_ms(&f->clock, DAY_MS);
    (void)sweep_all(f);
    assert_true(is_served(f, &id, "1111111111111111"));
    assert_false(is_served(f, &id, "2222222222222222"));
}

static void nothing_is_made_into_what_is_being_swept(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_sweep sweep;
    struct origin_sweep again;
    bool is_new = false;

    make(f, &id, "1111111111111111");
    make(f, &id, "2222222222222222");
    (void)sweep_all(f);
    test_clock_advance_ms(&f->clock, DAY_MS);
    do {
        must(origin_catalog_sweep_begin(f->catalog, &sweep));
        if (sweep.kind != ORIGIN_SWEEP_VERSION) {
            must(origin_catalog_sweep_end(f->catalog, &sweep));
        }
    } while (sweep.kind != ORIGIN_SWEEP_VERSION);
    must(jobs_add(f, &id, ORIGIN_PRIORITY_NORMAL, true, &is_new));
    must(jobs_take(f, &task));
    graph.version = FB_STR("1111111111111111");
    assert_int_equal(jobs_finish(f, &task, &graph), FB_E_BUSY);
    must(origin_catalog_sweep_begin(f->catalog, &again)); /* also after the process has ended */
    assert_int_equal(again.id, sweep.id);
    must(origin_catalog_sweep_end(f->catalog, &again));
    must(jobs_finish(f, &task, &graph));
}

static void the_source_goes_only_if_it_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(1, false);
    struct origin_job_rules rules = jobs_rules();
    struct origin_result result = {.version = JOBS_VERSION};
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    rules.keeps_original = false;
    while (jobs_take(f, &task) == FB_OK) {
        if (task.kind == ORIGIN_TASK_FINISH) {
            must(origin_catalog_task_finish_all(f->catalog, &rules, &task, &result));
        } else {
            must(jobs_finish(f, &task, &graph));
        }
    }
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_READY);
    assert_int_equal(sweep_all(f), 0); /* somebody may still write */
    test_clock_advance_ms(&f->clock, DAY_MS);
    assert_int_equal(sweep_all(f), 1U << ORIGIN_SWEEP_WORK | 1U << ORIGIN_SWEEP_SOURCE);
}

static void a_dead_letter_keeps_what_it_made_until_it_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool is_over = false;

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take(f, &task));
    must(jobs_finish(f, &task, &graph));
    must(jobs_take(f, &task));
    must(jobs_fail(f, &task, ORIGIN_REASON_CODEC, true, &is_over));
    test_clock_advance_ms(&f->clock, DAY_MS);
    must(origin_catalog_job_prune(f->catalog, 0, f->clock.wall_now_ms - 2 * (int64_t)DAY_MS, 10));
    assert_int_equal(sweep_all(f), 0);
    must(origin_catalog_job_prune(f->catalog, 0, f->clock.wall_now_ms, 10));
    test_clock_advance_ms(&f->clock, DAY_MS);
    assert_int_equal(sweep_all(f), 1U << ORIGIN_SWEEP_WORK | 1U << ORIGIN_SWEEP_VERSION);
    struct origin_job_counts counts;
    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.failed, 0);
}

static void who_publishes_behind_anothers_back_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool is_over = false;
    bool is_new = false;

    make(f, &id, "1111111111111111");
    must(jobs_add(f, &id, ORIGIN_PRIORITY_NORMAL, true, &is_new));
    must(jobs_take(f, &task));
    must(jobs_fail(f, &task, ORIGIN_REASON_CODEC, true, &is_over));
    struct origin_job letter = jobs_first(f, ORIGIN_JOB_FAILED);
    make(f, &id, "2222222222222222");
    must(origin_catalog_job_retry(f->catalog, &letter.id)); /* it knows the first version alone */
    for (int i = 0; i < 3; i++) {
        must(jobs_take(f, &task));
        must(jobs_finish(f, &task, &graph));
    }
    must(jobs_take(f, &task));
    assert_int_equal(jobs_publish(f, &task), FB_E_CONFLICT);
    assert_true(fb_str_equal(get_video(f, &id).version, FB_STR("2222222222222222")));
    assert_true(fb_str_equal(jobs_first(f, ORIGIN_JOB_FAILED).reason, FB_STR("superseded")));
    assert_int_equal(jobs_take(f, &task), FB_E_LATER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_replaced_version_stays_for_its_time_and_then_goes),
        TEST(a_version_that_is_published_again_is_not_swept),
        TEST(nothing_is_made_into_what_is_being_swept),
        TEST(the_source_goes_only_if_it_is_not_kept),
        TEST(a_dead_letter_keeps_what_it_made_until_it_is_forgotten),
        TEST(who_publishes_behind_anothers_back_changes_nothing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
