#include "base/metrics/metrics.h"
#include "source_fixture.h"

static bool text_has(const struct fb_buf *text, const char *part)
{
    struct fb_str all = fb_buf_str(text);
    return memmem(all.ptr, all.len, part, strlen(part)) != NULL;
}

/* ---- the graph -------------------------------------------------------------------- */

static void a_job_goes_from_its_upload_to_its_publication(void **state)
{
    struct site *site = *state;
    struct origin_id id = site_queue(site);

    assert_int_equal(site->n_wakes, 1);
    assert_int_equal(site_work(site, false), 5); /* two chunks and the sound between the ends */
    assert_int_equal(site->n_wakes, 6);
    struct origin_video video = get_video(site->f, &id);
    assert_int_equal(video.status, ORIGIN_VIDEO_READY);
    assert_int_equal(video.stage, ORIGIN_STAGE_FULL);
    assert_int_equal(video.duration_ms, 12167);
}

static void the_early_pass_is_out_before_the_late_one_is_made(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = site_queue(site);
    bool has_been_early = false;

    while (site_take(site, "w", &task) == FB_OK) {
        if (task.kind == ORIGIN_TASK_FINISH && task.pass == ORIGIN_PASS_LATE) {
            assert_int_equal(get_video(site->f, &id).stage, ORIGIN_STAGE_EARLY);
            has_been_early = true;
        }
        must(site_do(site, &task, true));
    }
    assert_true(has_been_early);
    assert_int_equal(get_video(site->f, &id).stage, ORIGIN_STAGE_FULL);
}

static void nothing_is_done_before_its_objects_are_there(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = site_queue(site);

    while (site_take(site, "w", &task) == FB_OK) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        if (task.kind == ORIGIN_TASK_PREPARE) {
            assert_int_equal(site->source.finish(site->source.ctx, &task, FB_STR("{}")),
                             FB_E_MALFORMED);
        } else if (task.kind == ORIGIN_TASK_FINISH) {
            site_finished(site, &task, &text);
            must(origin_objects_remove_prefix(site->objects, FB_STR("media")));
            assert_int_equal(site->source.finish(site->source.ctx, &task, fb_buf_str(&text)),
                             FB_E_CORRUPT);
        } else {
            assert_int_equal(site->source.finish(site->source.ctx, &task, FB_STR("{}")),
                             FB_E_CORRUPT);
        }
        assert_int_equal(site->source.finish(site->source.ctx, &task, FB_STR("{")), FB_E_MALFORMED);
        assert_int_not_equal(get_video(site->f, &id).status, ORIGIN_VIDEO_READY);
        must(site_do(site, &task, false));
    }
    assert_int_equal(get_video(site->f, &id).status, ORIGIN_VIDEO_READY);
}

static void a_result_with_other_files_than_are_there_is_refused(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_id id = site_queue(site);
    char key[ORIGIN_KEY_MAX + 1];

    do {
        must(site_take(site, "w", &task));
        if (task.kind != ORIGIN_TASK_FINISH) {
            must(site_do(site, &task, false));
        }
    } while (task.kind != ORIGIN_TASK_FINISH);
    site_finished(site, &task, &text);
    (void)snprintf(key, sizeof(key), "media/%s/%s/master.m3u8", id.text, task.version);
    must(origin_objects_put_bytes(site->objects, fb_str_from(key), FB_STR("#EXTM3U, and cut")));
    assert_int_equal(site->source.finish(site->source.ctx, &task, fb_buf_str(&text)), FB_E_CORRUPT);
    must(origin_objects_put_bytes(site->objects, fb_str_from(key), FB_STR("#EXTM4U")));
    assert_int_equal(site->source.finish(site->source.ctx, &task, fb_buf_str(&text)), FB_E_CORRUPT);
    assert_int_not_equal(get_video(site->f, &id).status, ORIGIN_VIDEO_READY);
    must(site_do(site, &task, false));
}

/* ---- leases ------------------------------------------------------------------------- */

/* One takes a task and falls silent; the next does it, and then the first comes with it too. */
static void contest(struct site *site)
{
    FB_AUTO(origin_task_done) struct origin_task slow = {.request = NULL};
    FB_AUTO(origin_task_done) struct origin_task quick = {.request = NULL};

    must(site_take(site, "slow", &slow));
    test_clock_advance_ms(&site->f->clock, 1000);
    assert_int_equal(site_take(site, "quick", &quick), FB_E_LATER);
    test_clock_advance_ms(&site->f->clock, 1000);
    must(site_take(site, "quick", &quick));
    assert_true(origin_id_equal(&slow.task, &quick.task));
    assert_int_equal(site_do(site, &slow, false), FB_E_CONFLICT);
    must(site_do(site, &quick, false));
    must(site_do(site, &quick, false)); /* the answer was lost */
    assert_int_equal(site_do(site, &slow, false), FB_E_CONFLICT);
    assert_int_equal(site->source.renew(site->source.ctx, &slow, 500), FB_E_CONFLICT);
}

static void of_two_workers_with_one_task_the_second_counts(void **state)
{
    struct site *site = *state;
    struct fb_metrics *metrics = fb_metrics_new();
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_id id = site_queue(site);

    site->options.metrics = metrics;
    site_start(site);
    contest(site);
    for (int i = 0; i < 3; i++) {
        must(site_take(site, "w", &task));
        must(site_do(site, &task, false));
    }
    contest(site);
    assert_int_equal(get_video(site->f, &id).stage, ORIGIN_STAGE_FULL);
    fb_metrics_render(metrics, &text);
    assert_true(text_has(&text, "\norigin_jobs_published_total 1\n"));
    assert_true(text_has(&text, "origin_tasks_done_total{kind=\"prepare\"} 1\n"));
    assert_true(text_has(&text, "origin_tasks_done_total{kind=\"finish\"} 1\n"));
    assert_true(text_has(&text, "origin_task_failures_total{reason=\"lost\"} 2\n"));
    origin_jobs_free(site->jobs);
    site->jobs = NULL;
    fb_metrics_free(metrics);
}

static void what_is_made_for_a_video_that_is_gone_is_removed(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = site_queue(site);

    must(site_take(site, "w", &task));
    must(site_do(site, &task, false));
    must(site_take(site, "w", &task));
    must(origin_catalog_video_remove(site->f->catalog, &id));
    assert_int_equal(site_do(site, &task, false), FB_E_CONFLICT);
    assert_false(site_has(site, "work", &id));
    assert_false(site_has(site, "uploads", &id));
}

/* ---- attempts -------------------------------------------------------------------------- */

/* Lets the task fail until its job has; how often that was. */
static unsigned fail_until_over(struct site *site, const struct origin_id *id,
                                enum origin_task_reason reason)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    unsigned n = 0;

    while (get_video(site->f, id).status != ORIGIN_VIDEO_FAILED) {
        must(site_take(site, "w", &task));
        must(site_fail(site, &task, reason));
        test_clock_advance_ms(&site->f->clock, 4000);
        n++;
        assert_true(n < 20);
    }
    return n;
}

static void each_reason_has_a_number_of_attempts_and_a_sentence(void **state)
{
    struct site *site = *state;

    site->options.attempts[ORIGIN_REASON_TIME] = 4;
    site_start(site);
    for (unsigned i = 0; i < ORIGIN_N_REASONS; i++) {
        enum origin_task_reason reason = (enum origin_task_reason)i;
        struct origin_id id = site_queue(site);
        unsigned n = fail_until_over(site, &id, reason);

        assert_int_equal(n, reason == ORIGIN_REASON_TIME ? 4 : origin_jobs_attempts_preset(reason));
        struct origin_job letter = jobs_first(site->f, ORIGIN_JOB_FAILED);
        assert_true(origin_id_equal(&letter.video, &id));
        assert_true(fb_str_equal(letter.reason, fb_str_from(origin_task_reason_text(reason))));
        assert_true(letter.sentence.len > 20);
        assert_true(fb_str_equal(get_video(site->f, &id).reason, letter.sentence));
        test_clock_advance_ms(&site->f->clock, 1); /* the next letter is the newest */
    }
}

static void pauses_double_up_to_a_limit_and_half_of_each_is_chance(void **state)
{
    struct site *site = *state;
    static const uint32_t pauses[] = {1000, 2000, 4000, 4000, 4000};
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    bool has_come_early = false;

    (void)site_queue(site);
    for (size_t i = 0; i < FB_ARRAY_LEN(pauses); i++) {
        uint32_t waited = pauses[i] / 2 - 1;
        must(site_take(site, "w", &task));
        must(site_fail(site, &task, ORIGIN_REASON_STORE));
        test_clock_advance_ms(&site->f->clock, waited);
        int err = site_take(site, "w", &task);
        assert_int_equal(err, FB_E_LATER);
        while ((err = site_take(site, "w", &task)) == FB_E_LATER) {
            test_clock_advance_ms(&site->f->clock, 10);
            waited += 10;
        }
        must(err);
        assert_true(waited <= pauses[i] + 10);
        has_come_early = has_come_early || waited + 20 < pauses[i];
        must(site->source.give_back(site->source.ctx, &task));
    }
    assert_true(has_come_early); /* all five at their very end: one in 10^9 */
}

static void a_dead_letter_goes_on_where_it_stopped(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = site_queue(site);

    must(site_take(site, "w", &task));
    must(site_do(site, &task, false));
    assert_int_equal(fail_until_over(site, &id, ORIGIN_REASON_CRASHED),
                     origin_jobs_attempts_preset(ORIGIN_REASON_CRASHED));
    assert_int_equal(site_take(site, "w", &task), FB_E_LATER);
    struct origin_job letter = jobs_first(site->f, ORIGIN_JOB_FAILED);
    must(origin_catalog_job_retry(site->f->catalog, &letter.id));
    assert_int_equal(site_work(site, false), 4); /* all but the first */
    assert_int_equal(get_video(site->f, &id).status, ORIGIN_VIDEO_READY);
    assert_int_equal(origin_catalog_job_retry(site->f->catalog, &letter.id), FB_E_CONFLICT);
}

static void what_cannot_be_handed_out_fails_on_our_side(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    site->options.request.encryption = ORIGIN_SCHEME_CENC; /* and there are no keys */
    site_start(site);
    struct origin_id id = site_queue(site);
    for (uint32_t i = 0; i < origin_jobs_attempts_preset(ORIGIN_REASON_INTERNAL); i++) {
        assert_int_equal(site_take(site, "w", &task), FB_E_LATER);
        test_clock_advance_ms(&site->f->clock, 4000);
    }
    assert_int_equal(get_video(site->f, &id).status, ORIGIN_VIDEO_FAILED);
    assert_true(fb_str_equal(jobs_first(site->f, ORIGIN_JOB_FAILED).reason, FB_STR("internal")));
}

/* ---- rounds ------------------------------------------------------------------------------ */

/* What the rounds have decided. */
static bool is_in_need(struct site *site)
{
    FB_AUTO(fb_json_freep) struct fb_json *status = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    must(origin_jobs_count_round(site->jobs));
    origin_jobs_status(site->jobs, status);
    fb_json_dump(status, &text);
    return text_has(&text, "\"degraded\":true");
}

/* What the next worker is asked for; it keeps the task. */
static bool is_asked_for_less(struct site *site)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    must(site_take(site, "w", &task));
    assert_int_equal(task.kind, ORIGIN_TASK_PREPARE);
    return strstr(task.request, "\"is_degraded\":true") != NULL;
}

static void options_are_left_out_from_an_age_until_half_of_it(void **state)
{
    struct site *site = *state;

    site->options.degrade_after_ms = 60000;
    site->options.lease_ms = 1000000;
    site_start(site);
    (void)site_queue(site);
    test_clock_advance_ms(&site->f->clock, 30000);
    (void)site_queue(site);
    test_clock_advance_ms(&site->f->clock, 1);
    (void)site_queue(site);
    test_clock_advance_ms(&site->f->clock, 29998);
    assert_false(is_in_need(site));
    test_clock_advance_ms(&site->f->clock, 1);
    assert_true(is_in_need(site));
    assert_true(is_asked_for_less(site));
    assert_true(is_in_need(site)); /* the next has waited for half of it */
    assert_true(is_asked_for_less(site));
    assert_false(is_in_need(site));
    assert_false(is_asked_for_less(site));
}

static void what_no_worker_can_go_on_with_is_prepared_anew(void **state)
{
    struct site *site = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    const struct origin_task_ask other = {.worker = FB_STR("w"), .toolchain = FB_STR("tools 2")};

    site->options.toolchain_wait_ms = 60000;
    site_start(site);
    (void)site_queue(site);
    must(site_take(site, "w", &task));
    must(site_do(site, &task, false));
    test_clock_advance_ms(&site->f->clock, 59999);
    origin_task_done(&task);
    assert_int_equal(site->source.take(site->source.ctx, &other, &task), FB_E_LATER);
    must(origin_jobs_sweep_round(site->jobs));
    assert_int_equal(site->source.take(site->source.ctx, &other, &task), FB_E_LATER);
    test_clock_advance_ms(&site->f->clock, 1);
    must(origin_jobs_sweep_round(site->jobs));
    must(site->source.take(site->source.ctx, &other, &task));
    assert_int_equal(task.kind, ORIGIN_TASK_PREPARE);
}

static void what_a_published_video_does_not_need_is_swept(void **state)
{
    struct site *site = *state;

    site->options.drops_original = true;
    site_start(site);
    struct origin_id id = site_queue(site);
    (void)site_work(site, false);
    assert_true(site_has(site, "work", &id) && site_has(site, "uploads", &id));
    test_clock_advance_ms(&site->f->clock, UINT64_C(24) * 3600 * 1000);
    must(origin_jobs_sweep_round(site->jobs));
    assert_false(site_has(site, "work", &id));
    assert_false(site_has(site, "uploads", &id));
    assert_true(site_has(site, "media", &id));
    assert_int_equal(origin_jobs_remake(site->jobs, &id), FB_E_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, site_set_up, site_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_job_goes_from_its_upload_to_its_publication),
        TEST(the_early_pass_is_out_before_the_late_one_is_made),
        TEST(nothing_is_done_before_its_objects_are_there),
        TEST(a_result_with_other_files_than_are_there_is_refused),
        TEST(of_two_workers_with_one_task_the_second_counts),
        TEST(what_is_made_for_a_video_that_is_gone_is_removed),
        TEST(each_reason_has_a_number_of_attempts_and_a_sentence),
        TEST(pauses_double_up_to_a_limit_and_half_of_each_is_chance),
        TEST(a_dead_letter_goes_on_where_it_stopped),
        TEST(what_cannot_be_handed_out_fails_on_our_side),
        TEST(options_are_left_out_from_an_age_until_half_of_it),
        TEST(what_no_worker_can_go_on_with_is_prepared_anew),
        TEST(what_a_published_video_does_not_need_is_swept),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
