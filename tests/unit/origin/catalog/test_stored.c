#include "jobs_fixture.h"
#include "origin/catalog/stored.h"

static struct origin_result_file file_of(const char *path, unsigned char digest)
{
    struct origin_result_file file = {.type = "video/mp4", .size = 10, .sha256 = {digest}};

    (void)snprintf(file.path, sizeof(file.path), "%s", path);
    return file;
}

/* A task whose version is known. */
static void take_prepared(struct fixture *f, struct origin_task *task)
{
    struct origin_job_graph graph = jobs_graph(1, false);

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take(f, task));
    must(jobs_finish(f, task, &graph));
    must(jobs_take(f, task));
}

static enum origin_stored_match compare(struct fixture *f, const struct origin_task *task,
                                        const struct origin_result_file *file)
{
    enum origin_stored_match match = ORIGIN_STORED_SAME;

    must(origin_catalog_stored_compare(f->catalog, &task->video, JOBS_VERSION, file, 1, &match));
    return match;
}

static void what_was_noted_last_counts(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_result_file one = file_of("a.mp4", 1);
    struct origin_result_file two = file_of("a.mp4", 2);

    take_prepared(f, &task);
    assert_int_equal(compare(f, &task, &one), ORIGIN_STORED_UNKNOWN);
    must(origin_catalog_stored_note(f->catalog, &task, &one, 1));
    assert_int_equal(compare(f, &task, &one), ORIGIN_STORED_SAME);
    assert_int_equal(compare(f, &task, &two), ORIGIN_STORED_OTHER);
    must(origin_catalog_stored_note(f->catalog, &task, &two, 1));
    assert_int_equal(compare(f, &task, &one), ORIGIN_STORED_OTHER);
    one = two;
    one.size = 11;
    assert_int_equal(compare(f, &task, &one), ORIGIN_STORED_OTHER);
}

static void only_the_holder_of_the_lease_notes(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_result_file file = file_of("a.mp4", 1);

    take_prepared(f, &task);
    struct origin_task other = {.task = task.task, .lease = task.video};
    assert_int_equal(origin_catalog_stored_note(f->catalog, &other, &file, 1), FB_E_CONFLICT);
    must(origin_catalog_task_finish_part(f->catalog, &task));
    assert_int_equal(origin_catalog_stored_note(f->catalog, &task, &file, 1), FB_E_CONFLICT);
    assert_int_equal(compare(f, &task, &file), ORIGIN_STORED_UNKNOWN);
}

static void before_there_is_a_version_there_is_nothing_to_note(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_result_file file = file_of("a.mp4", 1);

    (void)jobs_queue(f, ORIGIN_PRIORITY_NORMAL);
    must(jobs_take(f, &task));
    assert_int_equal(origin_catalog_stored_note(f->catalog, &task, &file, 1), FB_E_CONFLICT);
}

static void notes_go_once_the_version_is_published_for_a_while(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_job_graph graph = jobs_graph(1, false);
    struct origin_result_file file = file_of("a.mp4", 1);
    struct origin_sweep sweep;

    take_prepared(f, &task);
    must(origin_catalog_stored_note(f->catalog, &task, &file, 1));
    must(jobs_finish(f, &task, &graph));
    jobs_work(f, &graph);
    assert_int_equal(compare(f, &task, &file), ORIGIN_STORED_SAME);
    test_clock_advance_ms(&f->clock, UINT64_C(3600000));
    must(origin_catalog_sweep_begin(f->catalog, &sweep));
    assert_int_equal(sweep.kind, ORIGIN_SWEEP_WORK);
    assert_int_equal(compare(f, &task, &file), ORIGIN_STORED_UNKNOWN);
    must(origin_catalog_sweep_end(f->catalog, &sweep));
}

static void what_is_published_may_be_put_as_it_is_alone(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct origin_job_graph graph = jobs_graph(1, false);
    struct origin_result_file file = file_of("v/a.mp4", 1);
    struct origin_result_file other = file_of("v/a.mp4", 2);
    struct origin_job_rules rules = jobs_rules();
    struct origin_result result = {.version = JOBS_VERSION, .files = &file, .n_files = 1};

    take_prepared(f, &task);
    must(origin_catalog_stored_may_put(f->catalog, &task, &other));
    do {
        if (task.kind != ORIGIN_TASK_FINISH) {
            must(jobs_finish(f, &task, &graph));
        }
    } while (task.kind != ORIGIN_TASK_FINISH && jobs_take(f, &task) == FB_OK);
    must(origin_catalog_task_finish_all(f->catalog, &rules, &task, &result));
    must(origin_catalog_stored_may_put(f->catalog, &task, &file));
    assert_int_equal(origin_catalog_stored_may_put(f->catalog, &task, &other), FB_E_CORRUPT);
    other = file_of("v/b.mp4", 2);
    must(origin_catalog_stored_may_put(f->catalog, &task, &other));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_noted_last_counts),
        CASE(only_the_holder_of_the_lease_notes),
        CASE(before_there_is_a_version_there_is_nothing_to_note),
        CASE(notes_go_once_the_version_is_published_for_a_while),
        CASE(what_is_published_may_be_put_as_it_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
