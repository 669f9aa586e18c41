/*
 * Whatever breaks or is repeated, and wherever: every video ends published once, or failed with a
 * reason.
 */
#include "jobs_fixture.h"
#include "origin/catalog/files.h"
#include "tests/support/test_db_faults.h"
#include "tests/support/test_random.h"

/* Where sanitizers slow everything down, a third of all writes. */
#ifdef FB_SANITIZED
enum { STRIDE = 3 };
#else
enum { STRIDE = 1 };
#endif

enum { WORKERS = 5, VIDEOS = 4, STEPS = 400, STALE = 8 };

static void reopen(struct fixture *f)
{
    origin_catalog_close(f->catalog);
    test_db_faults_none();
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
}

/* Nothing of the job is left to do, and what it says it published can be found. */
static void check_ready(struct fixture *f, const struct origin_id *id)
{
    struct origin_video video = get_video(f, id);
    enum origin_privacy privacy = ORIGIN_PRIVACY_PUBLIC;
    struct origin_result_file file;

    assert_int_equal(video.status, ORIGIN_VIDEO_READY);
    assert_int_equal(video.stage, ORIGIN_STAGE_FULL);
    assert_int_equal(video.permille, 1000);
    assert_true(fb_str_equal(video.version, FB_STR(JOBS_VERSION)));
    must(origin_catalog_file_get(f->catalog, id, video.version, FB_STR("master.m3u8"), &file,
                                 &privacy));
}

static void check_nothing_left(struct fixture *f)
{
    struct origin_job_counts counts;

    must(origin_catalog_job_count(f->catalog, &counts));
    assert_int_equal(counts.active + counts.ready + counts.delayed + counts.running, 0);
}

/* ---- each write in turn ----------------------------------------------------------------- */

/* What the one worker of a sweep does next; what fails it tries again. */
static int sweep_step(struct fixture *f, const struct origin_id *id, struct origin_task *task,
                      bool *has_failed)
{
    struct origin_job_graph graph = jobs_graph(1, true);
    struct origin_job_rules rules = jobs_rules();
    bool is_new = false;
    bool is_over = false;
    int err = FB_OK;

    if (task->request == NULL) {
        err = jobs_add(f, id, ORIGIN_PRIORITY_NORMAL, false, &is_new);
        return err < 0 ? err : jobs_take(f, task);
    }
    if (task->kind == ORIGIN_TASK_SOUND && !*has_failed) {
        err = jobs_fail(f, task, ORIGIN_REASON_CRASHED, false, &is_over);
        *has_failed = err == FB_OK;
        assert_false(is_over);
    } else {
        err = origin_catalog_task_renew(f->catalog, &rules, task, 500);
        if (err == FB_OK) {
            err = jobs_finish(f, task, &graph);
        }
    }
    if (err == FB_OK || err == FB_E_CONFLICT) {
        origin_task_done(task);
    }
    return err;
}

/* From upload to publication, with a fault at the n-th write. False if there is no such write. */
static bool sweep_run(struct fixture *f, long n, bool stays)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_id id = add_video(f, &f->user);
    bool has_failed = false;
    bool happened = false;
    uint32_t permille = 0;

    test_db_faults_after(n, stays);
    for (int steps = 0; get_video(f, &id).status != ORIGIN_VIDEO_READY ||
                        get_video(f, &id).stage != ORIGIN_STAGE_FULL;
         steps++) {
        assert_true(steps < 200);
        int err = sweep_step(f, &id, &task, &has_failed);
        if (test_db_faults_happened() && !happened) {
            happened = true;
            if (stays) { /* the process ends here, and the worker with it */
                reopen(f);
                origin_task_done(&task);
            }
        } else if (err == FB_E_LATER) {
            test_clock_advance_ms(&f->clock, 500);
        } else {
            assert_true(err == FB_OK || err == FB_E_CONFLICT);
        }
        assert_true(get_video(f, &id).permille >= permille);
        permille = get_video(f, &id).permille;
        fb_arena_done(&f->arena);
        f->arena = (struct fb_arena){0};
    }
    test_db_faults_none();
    check_ready(f, &id);
    check_nothing_left(f);
    return happened;
}

static void sweep(struct fixture *f, bool stays)
{
    long n = 0;

    while (sweep_run(f, n, stays)) {
        n += STRIDE;
        assert_true(n < 2000);
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

/* ---- histories --------------------------------------------------------------------------- */

struct history {
    struct fixture *f;
    struct test_random random;
    struct origin_id videos[VIDEOS];
    struct origin_job_graph graphs[VIDEOS];
    uint32_t permille[VIDEOS];
    bool is_ready[VIDEOS];
    struct origin_task tasks[WORKERS]; /* request NULL: none */
    struct origin_task stale[STALE];   /* leases that were lost, or not: copies without texts */
    unsigned n_stale;
};

static unsigned below(struct history *h, unsigned n)
{
    return (unsigned)test_random_below(&h->random, n);
}

static const struct origin_job_graph *graph_of(const struct history *h,
                                               const struct origin_task *task)
{
    for (unsigned i = 0; i < VIDEOS; i++) {
        if (origin_id_equal(&h->videos[i], &task->video)) {
            return &h->graphs[i];
        }
    }
    fail();
    return NULL;
}

/* Somebody remembers the lease, and may use it at any time. */
static void remember(struct history *h, const struct origin_task *task)
{
    struct origin_task copy = *task;

    copy.request = NULL;
    copy.recipe = NULL;
    h->stale[h->n_stale++ % STALE] = copy;
}

/* Faults make any of these fail; without them a lease that is lost is all that can be wrong. */
static void expect(int err, bool has_faults)
{
    if (!has_faults) {
        assert_true(err == FB_OK || err == FB_E_CONFLICT || err == FB_E_LATER);
    }
}

static void history_work(struct history *h, unsigned who, bool has_faults)
{
    struct origin_job_rules rules = jobs_rules();
    struct origin_task *task = &h->tasks[who];
    char name[8];
    int err = FB_OK;
    bool is_over = false;

    (void)snprintf(name, sizeof(name), "w%u", who);
    if (task->request == NULL) {
        expect(jobs_take_by(h->f, name, JOBS_TOOLS, task), has_faults);
        return;
    }
    remember(h, task);
    switch (below(h, 10)) {
    case 0: /* it dies */
        origin_task_done(task);
        return;
    case 1:
        err = jobs_fail(h->f, task, (enum origin_task_reason)(1 + below(h, ORIGIN_N_REASONS - 1)),
                        false, &is_over);
        break;
    case 2:
        err = origin_catalog_task_give_back(h->f->catalog, task);
        break;
    case 3:
    case 4:
        err = origin_catalog_task_renew(h->f->catalog, &rules, task, below(h, 1000));
        expect(err, has_faults);
        if (err != FB_E_CONFLICT) {
            return;
        }
        break;
    default:
        err = jobs_finish(h->f, task, graph_of(h, task));
        break;
    }
    expect(err, has_faults);
    if (err == FB_OK || err == FB_E_CONFLICT) {
        origin_task_done(task);
    }
}

/* A lease from before: its holder was slow, or says everything twice. */
static void history_repeat(struct history *h)
{
    struct origin_job_rules rules = jobs_rules();
    unsigned n = FB_MIN(h->n_stale, (unsigned)STALE);
    bool is_over = false;

    if (n == 0) {
        return;
    }
    const struct origin_task *task = &h->stale[below(h, n)];
    switch (below(h, 4)) {
    case 0:
        expect(origin_catalog_task_renew(h->f->catalog, &rules, task, 900), false);
        break;
    case 1:
        expect(jobs_fail(h->f, task, ORIGIN_REASON_STORE, false, &is_over), false);
        break;
    default:
        expect(jobs_finish(h->f, task, graph_of(h, task)), false);
        break;
    }
}

static void history_check(struct history *h)
{
    for (unsigned i = 0; i < VIDEOS; i++) {
        struct origin_video video = get_video(h->f, &h->videos[i]);

        assert_true(video.permille >= h->permille[i]);
        h->permille[i] = video.permille;
        assert_false(h->is_ready[i] && video.status != ORIGIN_VIDEO_READY);
        h->is_ready[i] = video.status == ORIGIN_VIDEO_READY;
        assert_true((video.version.ptr != NULL) == h->is_ready[i]);
        assert_true((video.status == ORIGIN_VIDEO_FAILED) == (video.reason.ptr != NULL));
    }
    fb_arena_done(&h->f->arena);
    h->f->arena = (struct fb_arena){0};
}

static void history_step(struct history *h)
{
    unsigned what = below(h, 100);
    bool has_faults = what >= 85;

    if (what < 3) { /* the origin is killed; its workers may be elsewhere */
        reopen(h->f);
    } else if (what < 15) {
        history_repeat(h);
    } else if (what < 20) {
        struct origin_sweep sweep;
        int err = origin_catalog_sweep_begin(h->f->catalog, &sweep);
        assert_true(err == FB_OK || err == FB_E_LATER);
        if (err == FB_OK && below(h, 2) == 0) {
            must(origin_catalog_sweep_end(h->f->catalog, &sweep));
        }
    } else {
        if (has_faults) {
            test_db_faults_after((long)below(h, 30), false);
        }
        history_work(h, below(h, WORKERS), has_faults);
        test_db_faults_none();
    }
    test_clock_advance_ms(&h->f->clock, below(h, 300));
    history_check(h);
}

/* Now nothing goes wrong any more. */
static void history_end(struct history *h)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    for (unsigned i = 0; i < WORKERS; i++) {
        origin_task_done(&h->tasks[i]);
    }
    for (int idle = 0; idle < 20; idle++) {
        while (jobs_take(h->f, &task) == FB_OK) {
            must(jobs_finish(h->f, &task, graph_of(h, &task)));
        }
        test_clock_advance_ms(&h->f->clock, 500);
    }
    history_check(h);
    check_nothing_left(h->f);
    for (unsigned i = 0; i < VIDEOS; i++) {
        if (get_video(h->f, &h->videos[i]).stage == ORIGIN_STAGE_FULL) {
            check_ready(h->f, &h->videos[i]);
        } else {
            (void)jobs_first(h->f, ORIGIN_JOB_FAILED); /* and says why */
        }
    }
}

/* And what failed can be let go on, to its end. */
static void history_retry(struct history *h)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    for (unsigned reason = 0; reason < ORIGIN_N_REASONS; reason++) {
        size_t n = 0;
        must(origin_catalog_job_retry_all(h->f->catalog, (enum origin_task_reason)reason, 100, &n));
    }
    while (jobs_take(h->f, &task) == FB_OK) {
        must(jobs_finish(h->f, &task, graph_of(h, &task)));
    }
    for (unsigned i = 0; i < VIDEOS; i++) {
        check_ready(h->f, &h->videos[i]);
    }
    check_nothing_left(h->f);
}

static void every_history_ends_in_a_video_or_a_reason(void **state)
{
    struct history *h = FB_NEW(struct history);

    h->f = *state;
    h->random = test_random_new();
    for (unsigned i = 0; i < VIDEOS; i++) {
        h->videos[i] = jobs_queue(h->f, (enum origin_priority)(i % ORIGIN_N_PRIORITIES));
        h->graphs[i] = jobs_graph(1 + i, i % 2 == 0);
    }
    for (int i = 0; i < STEPS; i++) {
        history_step(h);
    }
    history_end(h);
    history_retry(h);
    fb_free(h);
}

static int install(void **state)
{
    (void)state;
    test_db_faults_install();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_write_may_fail_once),
        TEST(the_process_may_end_at_each_write),
        TEST(every_history_ends_in_a_video_or_a_reason),
        TEST(every_history_ends_in_a_video_or_a_reason),
        TEST(every_history_ends_in_a_video_or_a_reason),
    };
#undef TEST
    return cmocka_run_group_tests(tests, install, NULL);
}
