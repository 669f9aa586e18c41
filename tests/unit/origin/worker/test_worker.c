/*
 * Workers over a source and objects of the test; no video is transcoded here.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker.h"
#include "tests/support/test_folder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    struct origin_objects *objects;
    struct origin_workers *workers;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_task;   /* under lock, as all that follows */
    int take_result; /* what a take without a task gives */
    int renew_result;
    unsigned n_takes;
    unsigned n_fails;
    unsigned n_given_back;
    unsigned n_finishes;
    bool was_final;
    char reason[ORIGIN_REASON_MAX + 1];
};

static int fake_take(void *ctx, struct fb_str worker, struct origin_whole_task *ret_task)
{
    struct fixture *f = ctx;
    (void)worker;

    (void)pthread_mutex_lock(&f->lock);
    int err = f->has_task ? FB_OK : f->take_result;
    f->has_task = false;
    f->n_takes++;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    if (err == FB_OK) {
        *ret_task = (struct origin_whole_task){.job = origin_id_new(),
                                               .lease = origin_id_new(),
                                               .video = origin_id_new(),
                                               .source = "uploads/x/source",
                                               .lease_ms = 30000,
                                               .attempt = 1};
    }
    return err;
}

static int fake_renew(void *ctx, const struct origin_whole_task *task, uint32_t permille)
{
    struct fixture *f = ctx;
    (void)task;
    (void)permille;
    return f->renew_result;
}

static int fake_finish(void *ctx, const struct origin_whole_task *task,
                       const struct origin_result *result)
{
    struct fixture *f = ctx;
    (void)task;
    (void)result;
    (void)pthread_mutex_lock(&f->lock);
    f->n_finishes++;
    (void)pthread_mutex_unlock(&f->lock);
    return FB_OK;
}

static int fake_fail(void *ctx, const struct origin_whole_task *task, struct fb_str reason,
                     bool is_final)
{
    struct fixture *f = ctx;
    (void)task;
    (void)pthread_mutex_lock(&f->lock);
    f->n_fails++;
    f->was_final = is_final;
    (void)snprintf(f->reason, sizeof(f->reason), "%.*s", FB_STR_ARG(reason));
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    return FB_OK;
}

static int fake_give_back(void *ctx, const struct origin_whole_task *task)
{
    struct fixture *f = ctx;
    (void)task;
    (void)pthread_mutex_lock(&f->lock);
    f->n_given_back++;
    (void)pthread_mutex_unlock(&f->lock);
    return FB_OK;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char url[TEST_PATH_MAX + 16];

    f->folder = test_folder_new();
    f->take_result = FB_E_LATER;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    (void)snprintf(url, sizeof(url), "file:%s/objects", f->folder.path);
    assert_int_equal(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                                         &f->objects, NULL),
                     FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_objects_close(f->objects);
    (void)pthread_cond_destroy(&f->changed);
    (void)pthread_mutex_destroy(&f->lock);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static void start(struct fixture *f)
{
    char scratch[TEST_PATH_MAX + 16];

    (void)snprintf(scratch, sizeof(scratch), "%s/scratch", f->folder.path);
    assert_int_equal(
        origin_workers_start(
            &(struct origin_workers_options){
                .source = {f, fake_take, fake_renew, fake_finish, fake_fail, fake_give_back},
                .objects = f->objects,
                .clock = fb_clock_system(),
                .name = FB_STR("w"),
                .scratch = fb_str_from(scratch),
                .n_workers = 1,
                .n_threads = 1,
                .poll_ms = 60000,
            },
            &f->workers, NULL),
        FB_OK);
}

static void stop(struct fixture *f)
{
    origin_workers_stop(f->workers);
    origin_workers_join(f->workers);
}

static void put_source(struct fixture *f, const char *text)
{
    struct fb_str piece = fb_str_from(text);
    struct origin_put *put = NULL;
    assert_int_equal(origin_put_begin(f->objects, FB_STR("uploads/x/source"), piece.len, &put),
                     FB_OK);
    assert_int_equal(origin_put_write(put, &piece, 1), FB_OK);
    assert_int_equal(origin_put_commit(put), FB_OK);
}

static void wait_for_fail(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->n_fails == 0) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void wait_for_takes(struct fixture *f, unsigned n)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->n_takes < n) {
        (void)pthread_cond_wait(&f->changed, &f->lock);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void what_is_no_video_fails_for_good_with_a_sentence(void **state)
{
    struct fixture *f = *state;

    put_source(f, "not a video");
    f->has_task = true;
    start(f);
    wait_for_fail(f);
    stop(f);
    assert_true(f->was_final);
    assert_string_not_equal(f->reason, "");
    assert_null(strstr(f->reason, f->folder.path));
    assert_int_equal(f->n_fails, 1);
    assert_int_equal(f->n_finishes, 0);
}

static void a_missing_source_is_tried_again_and_not_explained(void **state)
{
    struct fixture *f = *state;

    f->has_task = true;
    start(f);
    wait_for_fail(f);
    stop(f);
    assert_false(f->was_final);
    assert_non_null(strstr(f->reason, "our side"));
}

static void a_wake_comes_before_the_next_poll(void **state)
{
    struct fixture *f = *state;

    start(f);
    wait_for_takes(f, 1);
    (void)pthread_mutex_lock(&f->lock);
    f->has_task = true;
    (void)pthread_mutex_unlock(&f->lock);
    origin_workers_wake(f->workers);
    wait_for_fail(f);
    stop(f);
    assert_int_equal(f->n_fails, 1);
}

static void an_unreachable_source_ends_nothing(void **state)
{
    struct fixture *f = *state;

    f->take_result = FB_E_UNAVAILABLE;
    start(f);
    wait_for_takes(f, 1);
    origin_workers_wake(f->workers);
    wait_for_takes(f, 2);
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
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fclose(file);
    start(f);
    stop(f);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_video_fails_for_good_with_a_sentence, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_missing_source_is_tried_again_and_not_explained, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wake_comes_before_the_next_poll, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreachable_source_ends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scratch_is_emptied_at_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
