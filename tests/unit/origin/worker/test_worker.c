/*
 * Workers over a source and objects of the test. Their children are this program again, under
 * another name; what the object says that they are to work on, they do.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker.h"
#include "tests/support/test_child.h"
#include "tests/support/test_folder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CHILD      "forebay-transcode"
#define SOURCE_KEY "uploads/x/source"
#define VERSION    "0123456789abcdef"

/* ---- the worker's ----------------------------------------------------------------------- */

struct fixture {
    struct test_folder folder;
    char program[TEST_PATH_MAX + 32];
    struct origin_objects *objects;
    struct origin_workers *workers;
    enum origin_task_kind kind;
    uint32_t lease_ms;
    struct origin_task_limits limits;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_task;   /* under lock, as all that follows */
    int take_result; /* what a take without a task gives */
    int renew_result;
    int finish_result;
    unsigned n_takes;
    unsigned n_renewals;
    unsigned n_fails;
    unsigned n_given_back;
    unsigned n_finishes;
    bool was_final;
    enum origin_task_reason reason;
    char sentence[ORIGIN_REASON_MAX + 1];
    char log[ORIGIN_LOG_TAIL_MAX + 1];
    char toolchain[64];
    struct fb_buf result;
};

static void count(struct fixture *f, unsigned *counter)
{
    (void)pthread_mutex_lock(&f->lock);
    ++*counter;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
}

static int fake_take(void *ctx, const struct origin_task_ask *ask, struct origin_task *ret_task)
{
    struct fixture *f = ctx;

    (void)pthread_mutex_lock(&f->lock);
    int err = f->has_task ? FB_OK : f->take_result;
    f->has_task = false;
    (void)snprintf(f->toolchain, sizeof(f->toolchain), "%.*s", FB_STR_ARG(ask->toolchain));
    (void)pthread_mutex_unlock(&f->lock);
    if (err == FB_OK) {
        *ret_task = (struct origin_task){.job = origin_id_new(),
                                         .task = origin_id_new(),
                                         .lease = origin_id_new(),
                                         .video = origin_id_new(),
                                         .kind = f->kind,
                                         .source = SOURCE_KEY,
                                         .version = VERSION,
                                         .request = fb_str_dup(FB_STR("{}")),
                                         .recipe = fb_str_dup(FB_STR("{}")),
                                         .limits = f->limits,
                                         .lease_ms = f->lease_ms,
                                         .attempt = 1};
    }
    count(f, &f->n_takes);
    return err;
}

static int fake_renew(void *ctx, const struct origin_task *task, uint32_t permille)
{
    struct fixture *f = ctx;
    (void)task;
    (void)permille;
    count(f, &f->n_renewals);
    return f->renew_result;
}

static int fake_finish(void *ctx, const struct origin_task *task, struct fb_str result)
{
    struct fixture *f = ctx;
    (void)task;
    (void)pthread_mutex_lock(&f->lock);
    int err = f->finish_result;
    f->finish_result = FB_OK;
    fb_buf_clear(&f->result);
    fb_buf_append(&f->result, result);
    (void)pthread_mutex_unlock(&f->lock);
    count(f, &f->n_finishes);
    return err;
}

static int fake_fail(void *ctx, const struct origin_task *task,
                     const struct origin_task_failure *failure)
{
    struct fixture *f = ctx;
    (void)task;
    f->was_final = failure->is_final;
    f->reason = failure->reason;
    (void)snprintf(f->sentence, sizeof(f->sentence), "%.*s", FB_STR_ARG(failure->sentence));
    (void)snprintf(f->log, sizeof(f->log), "%.*s", FB_STR_ARG(failure->log));
    count(f, &f->n_fails);
    return FB_OK;
}

static int fake_give_back(void *ctx, const struct origin_task *task)
{
    struct fixture *f = ctx;
    (void)task;
    count(f, &f->n_given_back);
    return FB_OK;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char url[TEST_PATH_MAX + 16];
    char self[TEST_PATH_MAX] = "";

    f->folder = test_folder_new();
    f->take_result = FB_E_LATER;
    f->kind = ORIGIN_TASK_CHUNK;
    f->lease_ms = 30000;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    (void)snprintf(url, sizeof(url), "file:%s/objects", f->folder.path);
    assert_int_equal(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                                         &f->objects, NULL),
                     FB_OK);
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(f->program, sizeof(f->program), "%s/" CHILD, f->folder.path);
    assert_int_equal(symlink(self, f->program), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_buf_done(&f->result);
    origin_objects_close(f->objects);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->lock);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static int try_start(struct fixture *f, const char *program, struct fb_diag *diag)
{
    char scratch[TEST_PATH_MAX + 16];

    (void)snprintf(scratch, sizeof(scratch), "%s/scratch", f->folder.path);
    return origin_workers_start(
        &(struct origin_workers_options){
            .source = {f, fake_take, fake_renew, fake_finish, fake_fail, fake_give_back},
            .objects = f->objects,
            .clock = fb_clock_system(),
            .name = FB_STR("w"),
            .scratch = fb_str_from(scratch),
            .program = program,
            .n_workers = 1,
            .poll_ms = 60000,
            .reserve_bytes = 1,
        },
        &f->workers, diag);
}

static void start(struct fixture *f)
{
    struct fb_diag diag = {0};

    (void)try_start(f, f->program, &diag);
    assert_string_equal(diag.text, "");
}

static void stop(struct fixture *f)
{
    origin_workers_stop(f->workers);
    origin_workers_join(f->workers);
}

static void put_source(struct fixture *f, const char *text)
{
    assert_int_equal(origin_objects_put_bytes(f->objects, FB_STR(SOURCE_KEY), fb_str_from(text)),
                     FB_OK);
}

static void wait_for(struct fixture *f, const unsigned *counter, unsigned n)
{
    (void)pthread_mutex_lock(&f->lock);
    while (*counter < n) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

/* Has a task done whose source says `text`, until `counter` is 1. */
static void do_task(struct fixture *f, const char *text, const unsigned *counter)
{
    put_source(f, text);
    f->has_task = true;
    start(f);
    wait_for(f, counter, 1);
    stop(f);
}

static bool is_scratch_clean(struct fixture *f)
{
    char path[TEST_PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/scratch/0/out", f->folder.path);
    return access(path, F_OK) < 0;
}

static bool has_object_ending(struct fixture *f, const char *prefix, const char *end)
{
    struct origin_listed items[8];
    size_t n = 0;

    assert_int_equal(origin_objects_list(f->objects, fb_str_from(prefix), FB_STR(""), items, 8, &n),
                     FB_OK);
    for (size_t i = 0; i < n; i++) {
        if (fb_str_ends_with(fb_str_from(items[i].key), fb_str_from(end))) {
            return true;
        }
    }
    return false;
}

/* ---- what becomes of tasks ------------------------------------------------------------------ */

static void what_a_child_made_is_stored_and_the_task_finished(void **state)
{
    struct fixture *f = *state;

    do_task(f, "make", &f->n_finishes);
    assert_string_equal(f->toolchain, "toolchain 1");
    assert_true(has_object_ending(f, "media", "/" VERSION "/v/seg-00001.m4s"));
    assert_true(has_object_ending(f, "work", "/" VERSION "/chunk-0-00000.json"));
    assert_string_equal(
        f->result.ptr,
        "{\"files\":[{\"path\":\"v/seg-00001.m4s\",\"type\":\"application/octet-stream\","
        "\"size\":7,\"sha256\":"
        "\"03e71c6d7dc6bd4e89ceaf32f6488ca0aa69b0de784b706cac5818d680e9d97f\"}]}");
    assert_int_equal(f->n_fails + f->n_given_back, 0);
    assert_true(is_scratch_clean(f));
}

static void of_a_prepare_the_recipe_is_told(void **state)
{
    struct fixture *f = *state;

    f->kind = ORIGIN_TASK_PREPARE;
    do_task(f, "make", &f->n_finishes);
    assert_memory_equal(f->result.ptr, "{\"recipe\":{", 11);
    assert_false(has_object_ending(f, "media", ""));
}

static void a_fault_of_the_input_fails_for_good_with_the_childs_sentence(void **state)
{
    struct fixture *f = *state;

    do_task(f, "fail -20006", &f->n_fails);
    assert_true(f->was_final);
    assert_int_equal(f->reason, ORIGIN_REASON_INPUT);
    assert_string_equal(f->sentence, "a sentence of the child's");
}

static void a_codecs_failure_is_tried_again(void **state)
{
    struct fixture *f = *state;

    do_task(f, "fail -20017", &f->n_fails);
    assert_false(f->was_final);
    assert_int_equal(f->reason, ORIGIN_REASON_CODEC);
}

static void a_crash_is_told_with_the_childs_last_words(void **state)
{
    struct fixture *f = *state;

    do_task(f, "crash", &f->n_fails);
    assert_false(f->was_final);
    assert_int_equal(f->reason, ORIGIN_REASON_CRASHED);
    assert_non_null(strstr(f->log, "about to crash"));
    assert_null(strstr(f->sentence, "about to crash"));
}

static void a_child_that_leaves_without_a_word_has_crashed(void **state)
{
    struct fixture *f = *state;

    do_task(f, "leave", &f->n_fails);
    assert_int_equal(f->reason, ORIGIN_REASON_CRASHED);
}

static void time_is_up_when_the_task_says(void **state)
{
    struct fixture *f = *state;

    f->limits.seconds = 1;
    do_task(f, "wait", &f->n_fails);
    assert_int_equal(f->reason, ORIGIN_REASON_TIME);
}

static void a_missing_source_is_the_stores_fault(void **state)
{
    struct fixture *f = *state;

    f->has_task = true;
    start(f);
    wait_for(f, &f->n_fails, 1);
    stop(f);
    assert_false(f->was_final);
    assert_int_equal(f->reason, ORIGIN_REASON_STORE);
    assert_non_null(strstr(f->sentence, "our side"));
}

static void files_with_odd_names_are_not_stored(void **state)
{
    struct fixture *f = *state;

    do_task(f, "litter", &f->n_fails);
    assert_int_equal(f->reason, ORIGIN_REASON_STORE);
    assert_false(has_object_ending(f, "media", ""));
}

static void a_child_sees_no_other_videos_source_and_no_network(void **state)
{
    struct fixture *f = *state;
    char text[TEST_PATH_MAX + 64];

    do_task(f, "connect", &f->n_fails);
    assert_string_equal(f->sentence, "refused");
    f->n_fails = 0;
    assert_int_equal(origin_objects_put_bytes(f->objects, FB_STR("uploads/y/source"), FB_STR("y")),
                     FB_OK);
    (void)snprintf(text, sizeof(text), "read %s/objects/uploads/y/source", f->folder.path);
    do_task(f, text, &f->n_fails);
    assert_string_equal(f->sentence, "refused");
}

/* ---- leases ------------------------------------------------------------------------------------
 */

static void a_lease_is_renewed_while_the_child_is_silent(void **state)
{
    struct fixture *f = *state;

    f->lease_ms = 100;
    put_source(f, "wait");
    f->has_task = true;
    start(f);
    wait_for(f, &f->n_renewals, 3);
    stop(f);
    assert_int_equal(f->n_given_back, 1);
    assert_int_equal(f->n_fails, 0);
}

static void who_lost_the_lease_drops_the_work(void **state)
{
    struct fixture *f = *state;

    f->lease_ms = 100;
    f->renew_result = FB_E_CONFLICT;
    do_task(f, "wait", &f->n_given_back);
    assert_int_equal(f->n_fails + f->n_finishes, 0);
    assert_true(is_scratch_clean(f));
}

static void who_reaches_nobody_for_as_long_as_the_lease_drops_the_work(void **state)
{
    struct fixture *f = *state;

    f->lease_ms = 100;
    f->renew_result = FB_E_UNAVAILABLE;
    do_task(f, "wait", &f->n_given_back);
    assert_int_equal(f->n_fails + f->n_finishes, 0);
}

static void a_finish_is_told_again_until_it_is_heard(void **state)
{
    struct fixture *f = *state;

    f->finish_result = FB_E_UNAVAILABLE;
    put_source(f, "make");
    f->has_task = true;
    start(f);
    wait_for(f, &f->n_finishes, 2);
    stop(f);
    assert_int_equal(f->n_fails + f->n_given_back, 0);
}

static void a_finish_without_its_objects_fails_as_missing(void **state)
{
    struct fixture *f = *state;

    f->finish_result = FB_E_CORRUPT;
    do_task(f, "make", &f->n_fails);
    assert_int_equal(f->reason, ORIGIN_REASON_MISSING);
}

/* ---- waiting
 * -------------------------------------------------------------------------------------- */

static void a_wake_comes_before_the_next_poll(void **state)
{
    struct fixture *f = *state;

    put_source(f, "make");
    start(f);
    wait_for(f, &f->n_takes, 1);
    (void)pthread_mutex_lock(&f->lock);
    f->has_task = true;
    (void)pthread_mutex_unlock(&f->lock);
    origin_workers_wake(f->workers);
    wait_for(f, &f->n_finishes, 1);
    stop(f);
}

static void an_unreachable_source_ends_nothing(void **state)
{
    struct fixture *f = *state;

    f->take_result = FB_E_UNAVAILABLE;
    start(f);
    wait_for(f, &f->n_takes, 1);
    origin_workers_wake(f->workers);
    wait_for(f, &f->n_takes, 2);
    stop(f);
    assert_int_equal(f->n_fails, 0);
}

static void scratch_is_emptied_at_start(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 32];

    start(f);
    stop(f);
    (void)snprintf(path, sizeof(path), "%s/scratch/left", f->folder.path);
    child_write(path, "x");
    start(f);
    stop(f);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void without_children_there_are_no_workers(void **state)
{
    struct fixture *f = *state;
    struct fb_diag diag = {0};

    assert_true(try_start(f, "/usr/bin/true", &diag) < 0);
    assert_non_null(strstr(diag.text, "/usr/bin/true"));
    assert_true(try_start(f, "/nowhere", &diag) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_child_made_is_stored_and_the_task_finished),
        TEST(of_a_prepare_the_recipe_is_told),
        TEST(a_fault_of_the_input_fails_for_good_with_the_childs_sentence),
        TEST(a_codecs_failure_is_tried_again),
        TEST(a_crash_is_told_with_the_childs_last_words),
        TEST(a_child_that_leaves_without_a_word_has_crashed),
        TEST(time_is_up_when_the_task_says),
        TEST(a_missing_source_is_the_stores_fault),
        TEST(files_with_odd_names_are_not_stored),
        TEST(a_child_sees_no_other_videos_source_and_no_network),
        TEST(a_lease_is_renewed_while_the_child_is_silent),
        TEST(who_lost_the_lease_drops_the_work),
        TEST(who_reaches_nobody_for_as_long_as_the_lease_drops_the_work),
        TEST(a_finish_is_told_again_until_it_is_heard),
        TEST(a_finish_without_its_objects_fails_as_missing),
        TEST(a_wake_comes_before_the_next_poll),
        TEST(an_unreachable_source_ends_nothing),
        TEST(scratch_is_emptied_at_start),
        TEST(without_children_there_are_no_workers),
    };
    if (argc == 1 && fb_str_ends_with(fb_str_from(argv[0]), FB_STR("/" CHILD))) {
        return child_main();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
