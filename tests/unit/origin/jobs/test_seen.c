/*
 * Who has asked for tasks, as /status tells it.
 */
#include "../catalog/jobs_fixture.h"
#include "base/json/json.h"
#include "origin/jobs/jobs.h"

enum { LEASE_MS = 30000 };

#define HOUR_MS UINT64_C(3600000)

struct rig {
    struct fixture *f; /* the catalog's */
    struct origin_jobs *jobs;
    struct origin_task_source source;
    struct origin_task task; /* the last that was taken */
};

static int rig_set_up(void **state)
{
    struct rig *rig = FB_NEW(struct rig);
    void *fixture = NULL;

    (void)set_up(&fixture);
    rig->f = fixture;
    rig->jobs = origin_jobs_new(&(struct origin_jobs_options){.catalog = rig->f->catalog,
                                                              .clock = &rig->f->clock.clock,
                                                              .request = origin_request_preset(),
                                                              .lease_ms = LEASE_MS});
    rig->source = origin_jobs_source(rig->jobs);
    *state = rig;
    return 0;
}

static int rig_tear_down(void **state)
{
    struct rig *rig = *state;
    void *fixture = rig->f;

    origin_task_done(&rig->task);
    origin_jobs_free(rig->jobs);
    (void)tear_down(&fixture);
    fb_free(rig);
    return 0;
}

static int take(struct rig *rig, const char *name)
{
    const struct origin_task_ask ask = {.worker = fb_str_from(name),
                                        .toolchain = FB_STR(JOBS_TOOLS)};

    origin_task_done(&rig->task);
    return rig->source.take(rig->source.ctx, &ask, &rig->task);
}

static struct fb_json *look(struct rig *rig)
{
    struct fb_json *root = fb_json_new_object();

    must(origin_jobs_count_round(rig->jobs));
    origin_jobs_status(rig->jobs, root);
    return root;
}

static const struct fb_json *worker_of(const struct fb_json *root, const char *name)
{
    const struct fb_json *workers = fb_json_find(fb_json_find(root, "jobs"), "workers");

    for (size_t i = 0; i < fb_json_count(workers); i++) {
        const struct fb_json *worker = fb_json_at(workers, i);
        if (fb_str_equal(fb_json_str(fb_json_find(worker, "name")), fb_str_from(name))) {
            return worker;
        }
    }
    return NULL;
}

static int64_t seconds_of(const struct fb_json *item, const char *name)
{
    return fb_json_int(fb_json_find(item, name), -1);
}

static void who_works_is_told_with_what_it_does(void **state)
{
    struct rig *rig = *state;
    struct origin_id video = jobs_queue(rig->f, ORIGIN_PRIORITY_NORMAL);

    must(take(rig, "shed-7"));
    assert_int_equal(take(rig, "idle-1"), FB_E_LATER);
    test_clock_advance_ms(&rig->f->clock, 12000);
    FB_AUTO(fb_json_freep) struct fb_json *root = look(rig);
    const struct fb_json *worker = worker_of(root, "shed-7");
    const struct fb_json *task = fb_json_at(fb_json_find(worker, "tasks"), 0);
    assert_true(fb_str_equal(fb_json_str(fb_json_find(task, "video")), origin_id_str(&video)));
    assert_true(fb_str_equal(fb_json_str(fb_json_find(task, "kind")), FB_STR("prepare")));
    assert_int_equal(seconds_of(task, "seconds"), 12);
    assert_int_equal(seconds_of(worker, "seen_seconds"), 12);
    assert_int_equal(fb_json_count(fb_json_find(worker_of(root, "idle-1"), "tasks")), 0);
}

static void who_renews_its_lease_has_been_heard_of(void **state)
{
    struct rig *rig = *state;

    (void)jobs_queue(rig->f, ORIGIN_PRIORITY_NORMAL);
    must(take(rig, "shed-7"));
    test_clock_advance_ms(&rig->f->clock, 12000);
    must(rig->source.renew(rig->source.ctx, &rig->task, 500));
    test_clock_advance_ms(&rig->f->clock, 3000);
    FB_AUTO(fb_json_freep) struct fb_json *root = look(rig);
    const struct fb_json *worker = worker_of(root, "shed-7");
    const struct fb_json *task = fb_json_at(fb_json_find(worker, "tasks"), 0);
    assert_int_equal(seconds_of(worker, "seen_seconds"), 3);
    assert_int_equal(seconds_of(task, "progress"), 50);
    assert_int_equal(seconds_of(task, "seconds"), 15);
}

static void who_was_not_heard_of_for_a_day_is_forgotten(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(take(rig, "gone-1"), FB_E_LATER);
    test_clock_advance_ms(&rig->f->clock, 23 * HOUR_MS);
    assert_int_equal(take(rig, "shed-7"), FB_E_LATER);
    test_clock_advance_ms(&rig->f->clock, 2 * HOUR_MS);
    FB_AUTO(fb_json_freep) struct fb_json *root = look(rig);
    assert_null(worker_of(root, "gone-1"));
    assert_int_equal(seconds_of(worker_of(root, "shed-7"), "seen_seconds"), 2 * 3600);
}

static void of_more_than_there_is_room_for_the_latest_are_told(void **state)
{
    struct rig *rig = *state;
    char name[16];

    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "w-%u", i);
        test_clock_advance_ms(&rig->f->clock, 1000);
        assert_int_equal(take(rig, name), FB_E_LATER);
    }
    FB_AUTO(fb_json_freep) struct fb_json *root = look(rig);
    assert_int_equal(fb_json_count(fb_json_find(fb_json_find(root, "jobs"), "workers")), 256);
    assert_null(worker_of(root, "w-43"));
    assert_non_null(worker_of(root, "w-44"));
    assert_non_null(worker_of(root, "w-299"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_works_is_told_with_what_it_does),
        CASE(who_renews_its_lease_has_been_heard_of),
        CASE(who_was_not_heard_of_for_a_day_is_forgotten),
        CASE(of_more_than_there_is_room_for_the_latest_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
