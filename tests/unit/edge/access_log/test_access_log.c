#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"
#include "edge/access_log/access_log.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    char path[TEST_PATH_MAX + 16];
    struct fb_metrics *metrics;
    struct edge_access_log *log;
    struct fb_request_head request;
    struct edge_access_entry entry;
    struct fb_buf text;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .folder = test_folder_new(),
        .metrics = fb_metrics_new(),
        .request = {.method_text = FB_STR("GET"), .path = FB_STR("/v/1.m4s"), .host = FB_STR("a")},
        .entry = {.status = 200}};
    f.entry.request = &f.request;
    (void)snprintf(f.path, sizeof(f.path), "%s/access.log", f.folder.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_access_log_close(f->log);
    fb_metrics_free(f->metrics);
    fb_buf_done(&f->text);
    test_folder_done(&f->folder);
    return 0;
}

static void open_log(struct fixture *f, enum edge_access_format format, uint32_t sample)
{
    struct fb_diag diag = {0};
    struct edge_access_log_options options = {.format = format,
                                              .path = fb_str_from(f->path),
                                              .sample = sample,
                                              .node = FB_STR("n"),
                                              .seed = 1,
                                              .metrics = f->metrics};

    if (edge_access_log_open(&options, &f->log, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
}

static void close_log(struct fixture *f)
{
    edge_access_log_close(f->log);
    f->log = NULL;
}

static size_t lines_of(struct fixture *f, const char *path)
{
    size_t n = 0;

    fb_buf_done(&f->text);
    assert_int_equal(fb_file_read_path(path, 64 << 20, &f->text, NULL), FB_OK);
    for (size_t i = 0; i < f->text.len; i++) {
        n += f->text.ptr[i] == '\n';
    }
    return n;
}

static void what_was_logged_is_in_the_file_after_the_end(void **state)
{
    struct fixture *f = *state;

    open_log(f, EDGE_ACCESS_JSON, 1);
    struct edge_access_writer *first = edge_access_writer_new(f->log);
    struct edge_access_writer *second = edge_access_writer_new(f->log);
    for (int i = 0; i < 100; i++) {
        edge_access_writer_add(i % 2 == 0 ? first : second, &f->entry);
    }
    close_log(f);
    assert_int_equal(lines_of(f, f->path), 100);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_access_log_lines_total"), 100);
}

static void off_is_no_log_at_all(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    open_log(f, EDGE_ACCESS_OFF, 1);
    assert_null(f->log);
    assert_null(edge_access_writer_new(f->log));
    edge_access_writer_add(NULL, &f->entry);
    edge_access_log_reopen(f->log);
    assert_int_equal(stat(f->path, &info), -1);
}

static void a_file_is_appended_to(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        open_log(f, EDGE_ACCESS_W3C, 1);
        edge_access_writer_add(edge_access_writer_new(f->log), &f->entry);
        close_log(f);
    }
    assert_int_equal(lines_of(f, f->path), 2 * 6);
}

static void what_cannot_be_opened_is_said_so(void **state)
{
    struct fixture *f = *state;
    struct fb_diag diag = {0};
    struct edge_access_log_options options = {.format = EDGE_ACCESS_JSON,
                                              .path = fb_str_from(f->folder.path)};

    assert_int_equal(edge_access_log_open(&options, &f->log, &diag), -EISDIR);
    assert_non_null(strstr(diag.text, f->folder.path));
}

static void a_renamed_file_is_left_to_whoever_renamed_it(void **state)
{
    struct fixture *f = *state;
    char old[TEST_PATH_MAX + 32];

    (void)snprintf(old, sizeof(old), "%s.1", f->path);
    open_log(f, EDGE_ACCESS_W3C, 1);
    struct edge_access_writer *writer = edge_access_writer_new(f->log);
    edge_access_writer_add(writer, &f->entry);
    assert_int_equal(rename(f->path, old), 0);
    edge_access_log_reopen(f->log);
    struct stat info;
    while (stat(f->path, &info) < 0 || info.st_size == 0) {
        sched_yield();
    }
    edge_access_writer_add(writer, &f->entry);
    close_log(f);
    assert_int_equal(lines_of(f, old), 5 + 1);
    assert_int_equal(lines_of(f, f->path), 5 + 1);
}

/* A pipe that nobody reads is the slowest disk there is. */
static void a_slow_disk_costs_lines_and_no_time(void **state)
{
    struct fixture *f = *state;
    char bytes[4096];
    enum { N_LINES = 40000 };

    assert_int_equal(mkfifo(f->path, 0600), 0);
    int fd = open(f->path, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    open_log(f, EDGE_ACCESS_JSON, 1);
    struct edge_access_writer *writer = edge_access_writer_new(f->log);
    for (int i = 0; i < N_LINES; i++) {
        edge_access_writer_add(writer, &f->entry);
    }
    uint64_t n_dropped = fb_metrics_sum(f->metrics, "edge_access_log_dropped_total");
    uint64_t n_kept = fb_metrics_sum(f->metrics, "edge_access_log_lines_total");
    assert_true(n_dropped > 0);
    assert_int_equal(n_dropped + n_kept, N_LINES);

    size_t n_read = 0;
    while (n_read < n_kept) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        for (ssize_t i = 0; i < n; i++) {
            n_read += bytes[i] == '\n';
        }
        if (n < 0) {
            sched_yield();
        }
    }
    assert_int_equal(n_read, n_kept);
    close_log(f);
    (void)close(fd);
}

static void a_sample_is_about_its_share_whatever_comes_in_turns(void **state)
{
    struct fixture *f = *state;
    enum { N_PAIRS = 5000 };
    struct fb_request_head other = f->request;
    size_t n_other = 0;

    other.path = FB_STR("/other");
    open_log(f, EDGE_ACCESS_JSON, 10);
    struct edge_access_writer *writer = edge_access_writer_new(f->log);
    for (int i = 0; i < N_PAIRS; i++) {
        f->entry.request = &f->request;
        edge_access_writer_add(writer, &f->entry);
        f->entry.request = &other;
        edge_access_writer_add(writer, &f->entry);
    }
    close_log(f);
    size_t n = lines_of(f, f->path);
    for (const char *at = f->text.ptr; (at = strstr(at, "/other")) != NULL; at++) {
        n_other++;
    }
    assert_in_range(n_other, 400, 600);
    assert_in_range(n - n_other, 400, 600);
}

/* ---- many threads ------------------------------------------------------------ */

enum { N_THREADS = 3, N_LINES_EACH = 3000 };

static void *add_many(void *ctx)
{
    struct fixture *f = ctx;
    struct edge_access_writer *writer = edge_access_writer_new(f->log);

    for (int i = 0; i < N_LINES_EACH; i++) {
        edge_access_writer_add(writer, &f->entry);
        if (i % 500 == 0) {
            edge_access_log_reopen(f->log);
        }
    }
    return NULL;
}

static void lines_of_many_loops_stay_whole(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[N_THREADS];

    open_log(f, EDGE_ACCESS_JSON, 1);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, f), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    close_log(f);
    assert_int_equal(lines_of(f, f->path), N_THREADS * N_LINES_EACH);
    for (char *line = f->text.ptr; *line != '\0';) {
        char *end = strchr(line, '\n');
        assert_true(end != NULL && line[0] == '{' && end[-1] == '}');
        line = end + 1;
    }
}

static void wait_for(struct fixture *f, const char *metric)
{
    while (fb_metrics_sum(f->metrics, metric) == 0) {
        sched_yield();
    }
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_costs_no_line_that_comes_after(void **state)
{
    struct fixture *f = *state;

    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(10); /* within the first line */
    open_log(f, EDGE_ACCESS_JSON, 1);
    struct edge_access_writer *writer = edge_access_writer_new(f->log);
    edge_access_writer_add(writer, &f->entry);
    wait_for(f, "edge_access_log_failed_total");
    limit_files(RLIM_INFINITY);
    edge_access_writer_add(writer, &f->entry);
    edge_access_writer_add(writer, &f->entry);
    close_log(f);
    assert_int_equal(lines_of(f, f->path), 3);
    assert_int_equal(strcspn(f->text.ptr, "\n"), 10);
    assert_int_equal(f->text.ptr[11], '{');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_logged_is_in_the_file_after_the_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(off_is_no_log_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_appended_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_said_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_renamed_file_is_left_to_whoever_renamed_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_slow_disk_costs_lines_and_no_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sample_is_about_its_share_whatever_comes_in_turns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lines_of_many_loops_stay_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_costs_no_line_that_comes_after, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
