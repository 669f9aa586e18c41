#include "catalog_fixture.h"
#include "origin/catalog/files.h"
#include "origin/catalog/renditions.h"
#include "origin/catalog/whole_jobs.h"

static const struct origin_whole_job_rules rules = {
    .lease_ms = 1000,
    .max_attempts = 3,
    .backoff_ms = 100,
    .max_backoff_ms = 150,
    .exhausted = "too often",
};

static struct origin_id queue_video(struct fixture *f)
{
    struct origin_id id = add_video(f, &f->user);
    bool is_new = false;
    must(origin_catalog_video_queue(f->catalog, &id, FB_STR("uploads/x/source"), &is_new));
    assert_true(is_new);
    return id;
}

static int take(struct fixture *f, const char *worker, struct origin_whole_task *task)
{
    return origin_catalog_whole_job_take(f->catalog, &rules, fb_str_from(worker), task);
}

static struct origin_result result_of(const char *version)
{
    struct origin_result result = {.duration_ms = 4000, .width = 640, .height = 360};

    (void)snprintf(result.version, sizeof(result.version), "%s", version);
    result.n_renditions = 2;
    result.renditions[0] = (struct origin_result_rendition){360, 640, 1000, "avc1"};
    result.renditions[1] = (struct origin_result_rendition){144, 256, 100, "avc1"};
    result.n_files = 1;
    result.files = FB_NEW(struct origin_result_file);
    result.files[0] = (struct origin_result_file){"master.m3u8", "text/plain", 10, {1, 2, 3}};
    return result;
}

static void queueing_twice_makes_one_job(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;
    bool is_new = true;

    must(origin_catalog_video_queue(f->catalog, &id, FB_STR("uploads/x/source"), &is_new));
    assert_false(is_new);
    must(take(f, "w", &task));
    assert_true(origin_id_equal(&task.video, &id));
    assert_string_equal(task.source, "uploads/x/source");
    assert_int_equal(task.attempt, 1);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_PROCESSING);
    assert_int_equal(take(f, "w", &task), FB_E_LATER);
}

static void finishing_publishes_all_at_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    FB_AUTO(origin_result_done) struct origin_result result = result_of("0123456789abcdef");
    struct origin_result_rendition renditions[ORIGIN_RENDITIONS_MAX];
    struct origin_result_file file;
    enum origin_privacy privacy = ORIGIN_PRIVACY_PRIVATE;
    struct origin_whole_task task;
    size_t n = 0;

    must(take(f, "w", &task));
    assert_int_equal(origin_catalog_file_get(f->catalog, &id, FB_STR("0123456789abcdef"),
                                             FB_STR("master.m3u8"), &file, &privacy),
                     FB_E_NOT_FOUND);
    must(origin_catalog_whole_job_finish(f->catalog, &task, &result));

    struct origin_video video = get_video(f, &id);
    assert_int_equal(video.status, ORIGIN_VIDEO_READY);
    assert_true(fb_str_equal(video.version, FB_STR("0123456789abcdef")));
    assert_int_equal(video.published_ms, f->clock.wall_now_ms);
    must(origin_catalog_rendition_list(f->catalog, &id, video.version, renditions, &n));
    assert_int_equal(n, 2);
    assert_int_equal(renditions[1].height, 144);
    must(origin_catalog_file_get(f->catalog, &id, video.version, FB_STR("master.m3u8"), &file,
                                 &privacy));
    assert_memory_equal(&file, &result.files[0], sizeof(file));
    assert_int_equal(origin_catalog_whole_job_finish(f->catalog, &task, &result), FB_E_CONFLICT);
}

static void an_expired_lease_goes_to_the_next_and_the_first_loses(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    FB_AUTO(origin_result_done) struct origin_result result = result_of("0123456789abcdef");
    struct origin_whole_task first;
    struct origin_whole_task second;
    bool is_over = false;

    must(take(f, "w1", &first));
    test_clock_advance_ms(&f->clock, 999);
    must(origin_catalog_whole_job_renew(f->catalog, &rules, &first, 400));
    test_clock_advance_ms(&f->clock, 999);
    assert_int_equal(take(f, "w2", &second), FB_E_LATER);
    test_clock_advance_ms(&f->clock, 1);
    must(take(f, "w2", &second));
    assert_int_equal(second.attempt, 2);

    assert_int_equal(origin_catalog_whole_job_renew(f->catalog, &rules, &first, 500),
                     FB_E_CONFLICT);
    assert_int_equal(origin_catalog_whole_job_finish(f->catalog, &first, &result), FB_E_CONFLICT);
    assert_int_equal(
        origin_catalog_whole_job_fail(f->catalog, &rules, &first, FB_STR("x"), true, &is_over),
        FB_E_CONFLICT);
    assert_int_equal(origin_catalog_whole_job_give_back(f->catalog, &first), FB_E_CONFLICT);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_PROCESSING);
    must(origin_catalog_whole_job_finish(f->catalog, &second, &result));
}

static void progress_never_falls_and_is_whole_only_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;

    must(take(f, "w", &task));
    must(origin_catalog_whole_job_renew(f->catalog, &rules, &task, 700));
    must(origin_catalog_whole_job_renew(f->catalog, &rules, &task, 300));
    assert_int_equal(get_video(f, &id).permille, 700);
    must(origin_catalog_whole_job_renew(f->catalog, &rules, &task, 1000));
    assert_int_equal(get_video(f, &id).permille, 999);
}

static void a_failed_attempt_waits_and_the_last_is_for_good(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;
    bool is_over = true;

    static const uint32_t pauses[] = {100, 150}; /* doubled, but bounded */
    for (size_t i = 0; i < FB_ARRAY_LEN(pauses); i++) {
        must(take(f, "w", &task));
        must(origin_catalog_whole_job_fail(f->catalog, &rules, &task, FB_STR("passing"), false,
                                           &is_over));
        assert_false(is_over);
        assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_QUEUED);
        test_clock_advance_ms(&f->clock, pauses[i] - 1);
        assert_int_equal(take(f, "w", &task), FB_E_LATER);
        test_clock_advance_ms(&f->clock, 1);
    }
    must(take(f, "w", &task));
    must(origin_catalog_whole_job_fail(f->catalog, &rules, &task, FB_STR("passing"), false,
                                       &is_over));
    assert_true(is_over);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_FAILED);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("passing")));
}

static void a_fault_of_the_input_fails_at_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_job_counts counts;
    struct origin_whole_task task;
    bool is_over = false;

    must(take(f, "w", &task));
    must(origin_catalog_whole_job_fail(f->catalog, &rules, &task, FB_STR("no video"), true,
                                       &is_over));
    assert_true(is_over);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("no video")));
    must(origin_catalog_whole_job_count(f->catalog, &counts));
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.queued + counts.running, 0);
}

static void a_job_that_kills_its_workers_ends(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;

    for (uint32_t i = 0; i < rules.max_attempts; i++) {
        must(take(f, "w", &task));
        test_clock_advance_ms(&f->clock, rules.lease_ms);
    }
    assert_int_equal(take(f, "w", &task), FB_E_LATER);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_FAILED);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("too often")));
}

static void giving_back_costs_no_attempt(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;

    for (int i = 0; i < 5; i++) {
        must(take(f, "w", &task));
        assert_int_equal(task.attempt, 1);
        must(origin_catalog_whole_job_give_back(f->catalog, &task));
        assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_QUEUED);
    }
}

static void reclaiming_takes_ones_own_jobs_alone(void **state)
{
    struct fixture *f = *state;
    struct origin_whole_task mine;
    struct origin_whole_task theirs;
    struct origin_whole_task again;
    uint32_t n = 0;

    (void)queue_video(f);
    must(take(f, "me", &mine));
    (void)queue_video(f);
    must(take(f, "them", &theirs));
    must(origin_catalog_whole_job_reclaim(f->catalog, FB_STR("me"), &n));
    assert_int_equal(n, 1);
    must(take(f, "me", &again));
    assert_true(origin_id_equal(&again.job, &mine.job));
    assert_int_equal(again.attempt, 2);
    assert_int_equal(take(f, "me", &again), FB_E_LATER);
    must(origin_catalog_whole_job_renew(f->catalog, &rules, &theirs, 1));
}

static void removing_the_video_ends_the_lease(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = queue_video(f);
    struct origin_whole_task task;

    must(take(f, "w", &task));
    must(origin_catalog_video_remove(f->catalog, &id));
    assert_int_equal(origin_catalog_whole_job_renew(f->catalog, &rules, &task, 1), FB_E_CONFLICT);
    assert_int_equal(origin_catalog_video_remove(f->catalog, &id), FB_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(queueing_twice_makes_one_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finishing_publishes_all_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_lease_goes_to_the_next_and_the_first_loses,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_never_falls_and_is_whole_only_at_the_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_attempt_waits_and_the_last_is_for_good, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fault_of_the_input_fails_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_kills_its_workers_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(giving_back_costs_no_attempt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reclaiming_takes_ones_own_jobs_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_the_video_ends_the_lease, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
