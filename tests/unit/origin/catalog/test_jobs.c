#include "jobs_fixture.h"
#include "origin/catalog/files.h"
#include "origin/catalog/renditions.h"

/* ---- the graph -------------------------------------------------------------------- */

static void queueing_twice_makes_one_job(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool is_new = true;

    must(jobs_add(f, &id, ORIGIN_PRIORITY_NORMAL, false, &is_new));
    assert_false(is_new);
    must(jobs_take(f, &task));
    assert_true(origin_id_equal(&task.video, &id));
    assert_int_equal(task.kind, ORIGIN_TASK_PREPARE);
    assert_string_equal(task.source, "uploads/x/source");
    assert_string_equal(task.request, "{\"crf\":20}");
    assert_string_equal(task.recipe, "");
    assert_string_equal(task.version, "");
    assert_int_equal(task.attempt, 1);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_PROCESSING);
    assert_int_equal(jobs_take(f, &task), FB_E_LATER);
}

static void parts_follow_the_recipe_and_the_end_follows_all_parts(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(2, false);
    FB_AUTO(origin_task_done) struct origin_task prepare = {.request = NULL};
    struct origin_task parts[3] = {{.request = NULL}};
    FB_AUTO(origin_task_done) struct origin_task finish = {.request = NULL};
    unsigned seen = 0;

    must(jobs_take(f, &prepare));
    must(jobs_finish(f, &prepare, &graph));
    for (size_t i = 0; i < 3; i++) {
        must(jobs_take(f, &parts[i]));
        assert_string_equal(parts[i].version, JOBS_VERSION);
        assert_string_equal(parts[i].recipe, "{\"chunks\":[]}");
        seen |= parts[i].kind == ORIGIN_TASK_SOUND ? 4U : 1U << parts[i].index;
    }
    assert_int_equal(seen, 7);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(jobs_take(f, &finish), FB_E_LATER);
        must(jobs_finish(f, &parts[i], &graph));
        origin_task_done(&parts[i]);
    }
    must(jobs_take(f, &finish));
    assert_int_equal(finish.kind, ORIGIN_TASK_FINISH);
    assert_int_equal(finish.pass, ORIGIN_PASS_ALL);
    must(jobs_finish(f, &finish, &graph));
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_READY);
    assert_int_equal(jobs_take(f, &finish), FB_E_LATER);
}

static void finishing_publishes_all_at_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(1, false);
    struct origin_result_rendition renditions[ORIGIN_RENDITIONS_MAX];
    struct origin_result_file file;
    enum origin_privacy privacy = ORIGIN_PRIVACY_PRIVATE;
    size_t n = 0;

    assert_int_equal(origin_catalog_file_get(f->catalog, &id, FB_STR(JOBS_VERSION),
                                             FB_STR("master.m3u8"), &file, &privacy),
                     FB_E_NOT_FOUND);
    jobs_work(f, &graph);
    struct origin_video video = get_video(f, &id);
    assert_int_equal(video.status, ORIGIN_VIDEO_READY);
    assert_int_equal(video.permille, 1000);
    assert_true(fb_str_equal(video.version, FB_STR(JOBS_VERSION)));
    assert_int_equal(video.published_ms, f->clock.wall_now_ms);
    must(origin_catalog_rendition_list(f->catalog, &id, video.version, renditions, &n));
    assert_int_equal(n, 2);
    must(origin_catalog_file_get(f->catalog, &id, video.version, FB_STR("master.m3u8"), &file,
                                 &privacy));
    assert_int_equal(jobs_first(f, ORIGIN_JOB_DONE).permille, 1000);
}

static void an_early_pass_is_published_first_and_the_late_one_follows(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(2, true);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool was_late = false;

    while (jobs_take(f, &task) == FB_OK) {
        assert_false(was_late && task.pass == ORIGIN_PASS_EARLY);
        was_late = was_late || task.pass == ORIGIN_PASS_LATE;
        assert_int_equal(get_video(f, &id).status,
                         was_late ? ORIGIN_VIDEO_READY : ORIGIN_VIDEO_PROCESSING);
        must(jobs_finish(f, &task, &graph));
    }
    assert_true(was_late);
    assert_int_equal(get_video(f, &id).permille, 1000);
    (void)jobs_first(f, ORIGIN_JOB_DONE);
}

static void a_finish_that_comes_twice_is_good_and_counts_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    while (jobs_take(f, &task) == FB_OK) {
        must(jobs_finish(f, &task, &graph));
        must(jobs_finish(f, &task, &graph));
    }
    assert_int_equal(get_video(f, &id).permille, 1000);
}

static void a_result_of_another_version_is_refused(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    for (int i = 0; i < 3; i++) {
        must(jobs_take(f, &task));
        must(jobs_finish(f, &task, &graph));
    }
    must(jobs_take(f, &task));
    (void)snprintf(task.version, sizeof(task.version), "fedcba9876543210");
    assert_int_equal(jobs_publish(f, &task), FB_E_MALFORMED);
}

static void progress_grows_with_the_parts_and_never_falls(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    struct origin_job_graph graph = jobs_graph(2, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    uint32_t before = 0;

    while (jobs_take(f, &task) == FB_OK) {
        static const uint32_t steps[] = {500, 200, 1000};
        for (size_t i = 0; i < FB_ARRAY_LEN(steps); i++) {
            must(origin_catalog_task_renew(f->catalog, &rules, &task, steps[i]));
            uint32_t now = get_video(f, &id).permille;
            assert_true(now >= before && now < 1000);
            before = now;
        }
        must(jobs_finish(f, &task, &graph));
    }
    assert_int_equal(get_video(f, &id).permille, 1000);
    assert_true(before > 900);
}

/* ---- leases and attempts ----------------------------------------------------------------- */

static void an_expired_lease_goes_to_the_next_and_the_first_loses(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task first = {.request = NULL};
    FB_AUTO(origin_task_done) struct origin_task second = {.request = NULL};
    struct origin_task holder;
    bool is_over = false;

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take_by(f, "w1", JOBS_TOOLS, &first));
    test_clock_advance_ms(&f->clock, 999);
    must(origin_catalog_task_renew(f->catalog, &rules, &first, 400));
    test_clock_advance_ms(&f->clock, 999);
    assert_int_equal(jobs_take_by(f, "w2", JOBS_TOOLS, &second), FB_E_LATER);
    test_clock_advance_ms(&f->clock, 1);
    must(origin_catalog_task_holder(f->catalog, &first.task, &first.lease, &holder));
    assert_int_equal(jobs_take_by(f, "w2", JOBS_TOOLS, &second), FB_E_LATER); /* it waits a while */
    test_clock_advance_ms(&f->clock, rules.backoff_ms);
    must(jobs_take_by(f, "w2", JOBS_TOOLS, &second));
    assert_int_equal(second.attempt, 2);

    assert_int_equal(origin_catalog_task_renew(f->catalog, &rules, &first, 500), FB_E_CONFLICT);
    assert_int_equal(jobs_finish(f, &first, &graph), FB_E_CONFLICT);
    assert_int_equal(jobs_fail(f, &first, ORIGIN_REASON_CODEC, true, &is_over), FB_E_CONFLICT);
    assert_int_equal(origin_catalog_task_give_back(f->catalog, &first), FB_E_CONFLICT);
    assert_int_equal(origin_catalog_task_holder(f->catalog, &first.task, &first.lease, &holder),
                     FB_E_CONFLICT);
    must(jobs_finish(f, &second, &graph));
}

static void a_failed_attempt_waits_and_the_last_of_a_reason_is_for_good(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    /* Two of one reason leave the other its three. */
    static const enum origin_task_reason reasons[] = {ORIGIN_REASON_CRASHED, ORIGIN_REASON_STORE,
                                                      ORIGIN_REASON_CRASHED, ORIGIN_REASON_STORE};
    static const uint32_t pauses[] = {100, 150, 150, 150};
    bool is_over = true;

    for (size_t i = 0; i < FB_ARRAY_LEN(reasons); i++) {
        must(jobs_take(f, &task));
        must(jobs_fail(f, &task, reasons[i], false, &is_over));
        assert_false(is_over);
        assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_QUEUED);
        test_clock_advance_ms(&f->clock, pauses[i] - 1);
        assert_int_equal(jobs_take(f, &task), FB_E_LATER);
        test_clock_advance_ms(&f->clock, 1);
    }
    must(jobs_take(f, &task));
    must(jobs_fail(f, &task, ORIGIN_REASON_STORE, false, &is_over));
    assert_true(is_over);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_FAILED);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("It broke.")));
    assert_true(fb_str_equal(jobs_first(f, ORIGIN_JOB_FAILED).reason, FB_STR("store")));
}

static void a_pause_has_a_share_of_chance_and_never_more_than_that(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool is_over = false;

    rules.jitter = 500;
    rules.attempts[ORIGIN_REASON_STORE] = 100;
    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    for (int i = 0; i < 20; i++) {
        must(jobs_take(f, &task));
        must(origin_catalog_task_fail(
            f->catalog, &rules, &task,
            &(struct origin_task_failure){.reason = ORIGIN_REASON_STORE, .sentence = FB_STR("x")},
            &is_over));
        test_clock_advance_ms(&f->clock, i == 0 ? 49 : 74);
        assert_int_equal(jobs_take(f, &task), FB_E_LATER);
        test_clock_advance_ms(&f->clock, 76);
    }
}

static void a_fault_of_the_input_fails_at_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_job_counts counts;
    bool is_over = false;

    must(jobs_take(f, &task));
    must(jobs_fail(f, &task, ORIGIN_REASON_INPUT, false, &is_over));
    assert_true(is_over);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("It broke.")));
    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.active + counts.ready + counts.running, 0);
}

static void a_job_that_kills_its_workers_ends(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    for (uint32_t i = 0; i < rules.attempts[ORIGIN_REASON_LEASE_LOST]; i++) {
        must(jobs_take(f, &task));
        test_clock_advance_ms(&f->clock, rules.lease_ms);
        assert_int_equal(jobs_take(f, &task), FB_E_LATER);
        test_clock_advance_ms(&f->clock, rules.max_backoff_ms);
    }
    assert_int_equal(jobs_take(f, &task), FB_E_LATER);
    assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_FAILED);
    assert_true(fb_str_equal(get_video(f, &id).reason, FB_STR("too often")));
}

static void giving_back_costs_no_attempt(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    for (int i = 0; i < 5; i++) {
        must(jobs_take(f, &task));
        assert_int_equal(task.attempt, 1);
        must(origin_catalog_task_give_back(f->catalog, &task));
        assert_int_equal(get_video(f, &id).status, ORIGIN_VIDEO_QUEUED);
    }
}

static void reclaiming_takes_ones_own_tasks_alone(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    FB_AUTO(origin_task_done) struct origin_task mine = {.request = NULL};
    FB_AUTO(origin_task_done) struct origin_task theirs = {.request = NULL};
    FB_AUTO(origin_task_done) struct origin_task again = {.request = NULL};
    uint32_t n = 0;

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take_by(f, "me", JOBS_TOOLS, &mine));
    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take_by(f, "them", JOBS_TOOLS, &theirs));
    must(origin_catalog_task_reclaim(f->catalog, FB_STR("me"), &n));
    assert_int_equal(n, 1);
    assert_int_equal(jobs_take_by(f, "me", JOBS_TOOLS, &again), FB_E_LATER);
    test_clock_advance_ms(&f->clock, rules.backoff_ms);
    must(jobs_take_by(f, "me", JOBS_TOOLS, &again));
    assert_true(origin_id_equal(&again.task, &mine.task));
    assert_int_equal(again.attempt, 2);
    must(origin_catalog_task_renew(f->catalog, &rules, &theirs, 1));
}

static void removing_the_video_ends_the_lease(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    struct origin_id id = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    must(jobs_take(f, &task));
    must(origin_catalog_video_remove(f->catalog, &id));
    assert_int_equal(origin_catalog_task_renew(f->catalog, &rules, &task, 1), FB_E_CONFLICT);
}

/* ---- order ------------------------------------------------------------------------------- */

static void who_came_first_is_served_first_within_a_priority(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id order[4];

    order[3] = jobs_queue(f, ORIGIN_PRIORITY_LATER);
    test_clock_advance_ms(&f->clock, 1000);
    order[1] = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    test_clock_advance_ms(&f->clock, 1000);
    order[2] = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    test_clock_advance_ms(&f->clock, 1000);
    order[0] = jobs_queue(f, ORIGIN_PRIORITY_FIRST);
    for (size_t i = 0; i < FB_ARRAY_LEN(order); i++) {
        must(jobs_take(f, &task));
        assert_true(origin_id_equal(&task.video, &order[i]));
    }
}

static void what_waits_long_enough_goes_before_any_priority(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id old = jobs_queue(f, ORIGIN_PRIORITY_LATER);

    test_clock_advance_ms(&f->clock, UINT64_C(25) * 3600 * 1000 + 1);
    (void)jobs_queue(f, ORIGIN_PRIORITY_FIRST);
    must(jobs_take(f, &task));
    assert_true(origin_id_equal(&task.video, &old));
}

static void a_long_video_yields_to_those_that_come_while_it_is_made(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(20, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id lengthy = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);

    must(jobs_take(f, &task));
    must(jobs_finish(f, &task, &graph));
    test_clock_advance_ms(&f->clock, 60000);
    struct origin_id brief = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    unsigned n = 0;
    do {
        must(jobs_take(f, &task));
        n++;
    } while (origin_id_equal(&task.video, &lengthy));
    assert_true(origin_id_equal(&task.video, &brief));
    assert_true(n < 10);
}

static void a_changed_priority_moves_what_is_left(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id first = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);

    test_clock_advance_ms(&f->clock, 1000);
    struct origin_job job = jobs_first(f, ORIGIN_JOB_ACTIVE);
    struct origin_id second = jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(origin_catalog_job_set_priority(f->catalog, &job.id, ORIGIN_PRIORITY_LATER));
    must(jobs_take(f, &task));
    assert_true(origin_id_equal(&task.video, &second));
    must(jobs_take(f, &task));
    assert_true(origin_id_equal(&task.video, &first));
    struct origin_id none = origin_id_new();
    assert_int_equal(origin_catalog_job_set_priority(f->catalog, &none, ORIGIN_PRIORITY_FIRST),
                     FB_E_NOT_FOUND);
}

static void tasks_go_to_the_toolchain_that_prepared_them(void **state)
{
    struct fixture *f = *state;
    struct origin_job_graph graph = jobs_graph(1, false);
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    const struct fb_str others[] = {FB_STR("tools 2")};
    size_t n = 0;

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take(f, &task));
    must(jobs_finish(f, &task, &graph));
    assert_int_equal(jobs_take_by(f, "w", "tools 2", &task), FB_E_LATER);
    must(origin_catalog_job_reprepare(f->catalog, others, 1, 10, &n));
    assert_int_equal(n, 1);
    must(jobs_take_by(f, "w", "tools 2", &task));
    assert_int_equal(task.kind, ORIGIN_TASK_PREPARE);
    assert_string_equal(task.recipe, "");
    assert_int_equal(task.attempt, 1);
    must(origin_catalog_job_reprepare(f->catalog, others, 1, 10, &n));
    assert_int_equal(n, 0);
}

static void what_is_prepared_in_need_is_marked(void **state)
{
    struct fixture *f = *state;
    struct origin_job_rules rules = jobs_rules();
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    uint32_t n_lost = 0;

    rules.is_degraded = true;
    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(origin_catalog_task_take(
        f->catalog, &rules,
        &(struct origin_task_ask){.worker = FB_STR("w"), .toolchain = FB_STR(JOBS_TOOLS)}, &task,
        &n_lost));
    assert_true(jobs_first(f, ORIGIN_JOB_ACTIVE).is_degraded);
    must(origin_catalog_task_give_back(f->catalog, &task));
    must(jobs_take(f, &task));
    assert_false(jobs_first(f, ORIGIN_JOB_ACTIVE).is_degraded);
}

static void the_backlog_is_told_without_what_may_wait(void **state)
{
    struct fixture *f = *state;
    struct origin_job_counts counts;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    (void)jobs_queue(f, ORIGIN_PRIORITY_LATER);
    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.ready, 1);
    assert_int_equal(counts.oldest_ms, 0);
    test_clock_advance_ms(&f->clock, 5000);
    int64_t since_ms = f->clock.wall_now_ms;
    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    test_clock_advance_ms(&f->clock, 5000);
    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.active, 2);
    assert_int_equal(counts.ready, 2);
    assert_int_equal(counts.oldest_ms, since_ms);
    must(jobs_take(f, &task));
    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.oldest_ms, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(queueing_twice_makes_one_job),
        TEST(parts_follow_the_recipe_and_the_end_follows_all_parts),
        TEST(finishing_publishes_all_at_once),
        TEST(an_early_pass_is_published_first_and_the_late_one_follows),
        TEST(a_finish_that_comes_twice_is_good_and_counts_once),
        TEST(a_result_of_another_version_is_refused),
        TEST(progress_grows_with_the_parts_and_never_falls),
        TEST(an_expired_lease_goes_to_the_next_and_the_first_loses),
        TEST(a_failed_attempt_waits_and_the_last_of_a_reason_is_for_good),
        TEST(a_pause_has_a_share_of_chance_and_never_more_than_that),
        TEST(a_fault_of_the_input_fails_at_once),
        TEST(a_job_that_kills_its_workers_ends),
        TEST(giving_back_costs_no_attempt),
        TEST(reclaiming_takes_ones_own_tasks_alone),
        TEST(removing_the_video_ends_the_lease),
        TEST(who_came_first_is_served_first_within_a_priority),
        TEST(what_waits_long_enough_goes_before_any_priority),
        TEST(a_long_video_yields_to_those_that_come_while_it_is_made),
        TEST(a_changed_priority_moves_what_is_left),
        TEST(tasks_go_to_the_toolchain_that_prepared_them),
        TEST(what_is_prepared_in_need_is_marked),
        TEST(the_backlog_is_told_without_what_may_wait),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
