/*
 * Hostile children: this program again, told by its arguments what to try.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/confine/confine.h"
#include "tests/support/test_folder.h"
#include "tests/support/test_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the parent's ------------------------------------------------------------------ */

struct fixture {
    struct test_folder folder;
    char program[TEST_PATH_MAX];
    char output[TEST_PATH_MAX + 16];
    char source[TEST_PATH_MAX + 16];
    char other[TEST_PATH_MAX + 16];
    struct fb_buf lines;
    bool is_canceled_by_line;
    bool is_canceled;
    struct origin_confine_limits limits;
    struct fb_str input;
    struct origin_confine_end end;
};

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    ssize_t n = readlink("/proc/self/exe", f->program, sizeof(f->program) - 1);
    assert_true(n > 0);
    (void)snprintf(f->output, sizeof(f->output), "%s/output", f->folder.path);
    (void)snprintf(f->source, sizeof(f->source), "%s/source", f->folder.path);
    (void)snprintf(f->other, sizeof(f->other), "%s/other", f->folder.path);
    assert_int_equal(mkdir(f->output, 0700), 0);
    make_file(f->source);
    make_file(f->other);
    f->limits = (struct origin_confine_limits){.wall_ms = 60000};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_buf_done(&f->lines);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static void on_line(void *ctx, struct fb_str line)
{
    struct fixture *f = ctx;

    fb_buf_append(&f->lines, line);
    fb_buf_append(&f->lines, FB_STR("|"));
    f->is_canceled = f->is_canceled_by_line;
}

static bool is_canceled(void *ctx)
{
    return ((struct fixture *)ctx)->is_canceled;
}

static void run(struct fixture *f, const char *name, const char *arg)
{
    const char *const args[] = {"guest", name, arg, NULL};
    struct fb_diag diag = {0};

    int err = origin_confine_run(
        &(struct origin_confine_options){
            .program = f->program,
            .args = args,
            .readable = {f->source},
            .output = f->output,
            .input = f->input,
            .limits = f->limits,
            .is_background = true,
            .clock = fb_clock_system(),
            .ctx = f,
            .line = on_line,
            .is_canceled = is_canceled,
        },
        &f->end, &diag);
    assert_string_equal(diag.text, "");
    assert_int_equal(err, FB_OK);
}

static void assert_cause(struct fixture *f, enum origin_confine_cause cause, int code)
{
    if (f->end.cause != cause || f->end.code != code) {
        (void)fprintf(stderr, "cause %d, code %d, log:\n%s\n", (int)f->end.cause, f->end.code,
                      f->end.log);
    }
    assert_int_equal(f->end.cause, cause);
    assert_int_equal(f->end.code, code);
}

static void assert_refused(struct fixture *f, const char *name, const char *arg)
{
    run(f, name, arg);
    assert_cause(f, ORIGIN_ENDED_EXIT, GUEST_REFUSED);
}

static void assert_granted(struct fixture *f, const char *name, const char *arg)
{
    run(f, name, arg);
    assert_cause(f, ORIGIN_ENDED_EXIT, 0);
}

static const char *lines(struct fixture *f)
{
    return f->lines.len > 0 ? f->lines.ptr : "";
}

/* ---- what it can do ------------------------------------------------------------------- */

static void what_it_says_arrives_in_lines_and_its_log_apart(void **state)
{
    struct fixture *f = *state;

    assert_granted(f, "say", "more");
    assert_string_equal(lines(f), "one|two more|");
    assert_string_equal(f->end.log, "a word for the log\n");
}

static void it_reads_what_it_was_told(void **state)
{
    struct fixture *f = *state;

    f->input = FB_STR("an instruction\n");
    assert_granted(f, "repeat", NULL);
    assert_string_equal(lines(f), "an instruction|");
}

static void it_reads_its_source_and_writes_its_output(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 32];

    assert_granted(f, "read", f->source);
    (void)snprintf(path, sizeof(path), "%s/result", f->output);
    assert_granted(f, "write", path);
    assert_granted(f, "fill", "2");
    assert_true(f->end.output_bytes >= 2 * MIB);
}

static void it_has_threads(void **state)
{
    assert_granted(*state, "thread", NULL);
}

static void how_it_ended_is_told(void **state)
{
    struct fixture *f = *state;

    run(f, "unheard-of", NULL);
    assert_cause(f, ORIGIN_ENDED_EXIT, 1);
    run(f, "raise", "15");
    assert_cause(f, ORIGIN_ENDED_SIGNAL, SIGTERM);
}

static void a_program_that_is_not_there_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct fb_diag diag;

    int err = origin_confine_run(
        &(struct origin_confine_options){.program = "/nowhere", .clock = fb_clock_system()},
        &f->end, &diag);
    if (err == FB_OK) { /* without Landlock */
        assert_cause(f, ORIGIN_ENDED_EXIT, 126);
    } else {
        assert_int_equal(err, -ENOENT);
        assert_non_null(strstr(diag.text, "/nowhere"));
    }
}

/* ---- what it cannot --------------------------------------------------------------------- */

static void it_has_no_network(void **state)
{
    assert_refused(*state, "socket", NULL);
}

static void it_reads_nothing_else(void **state)
{
    struct fixture *f = *state;

    if ((origin_confine_rings() & ORIGIN_RING_LANDLOCK) == 0) {
        print_message("this kernel has no Landlock: the rights of the user alone hold\n");
        skip();
    }
    assert_refused(f, "read", "/etc/passwd");
    assert_refused(f, "read", f->other);
    assert_refused(f, "read", f->folder.path);
    assert_refused(f, "read", "/tmp");
}

static void it_writes_nowhere_else(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 32];

    if ((origin_confine_rings() & ORIGIN_RING_LANDLOCK) == 0) {
        print_message("this kernel has no Landlock: the rights of the user alone hold\n");
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s/new", f->folder.path);
    assert_refused(f, "write", f->source);
    assert_refused(f, "write", f->other);
    assert_refused(f, "write", path);
    assert_refused(f, "write", "/tmp/forebay-confined");
    (void)snprintf(path, sizeof(path), "%s/../new", f->output);
    assert_refused(f, "write", path);
}

static void it_starts_no_processes(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "fork", NULL);
    assert_refused(f, "settled-exec", f->program);
    if ((origin_confine_rings() & ORIGIN_RING_LANDLOCK) != 0) {
        assert_refused(f, "exec", "/usr/bin/true");
    }
}

static void it_reaches_no_other_process(void **state)
{
    struct fixture *f = *state;
    char pid[16];

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_refused(f, "signal", pid);
    assert_refused(f, "attach", pid);
    assert_refused(f, "outlive", NULL);
    assert_refused(f, "widen", NULL);
}

static void it_inherits_nothing(void **state)
{
    struct fixture *f = *state;
    int fd = dup(STDERR_FILENO); /* without FD_CLOEXEC */

    assert_int_equal(setenv("SECRET", "told", 1), 0);
    assert_granted(f, "look-around", NULL);
    assert_string_equal(lines(f), "nothing|");
    (void)close(fd);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void memory_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.memory_bytes = 64 * MIB;
    run(f, "eat", "400");
    assert_int_equal(f->end.cause, ORIGIN_ENDED_MEMORY);
    assert_true(f->end.peak_bytes > 64 * MIB);
}

static void time_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.wall_ms = 200;
    run(f, "wait", NULL);
    assert_cause(f, ORIGIN_ENDED_TIME, SIGKILL);
    assert_true(f->end.wall_ms >= 200);
}

static void the_processor_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.cpu_ms = 500;
    run(f, "spin", NULL);
    assert_int_equal(f->end.cause, ORIGIN_ENDED_TIME);
    assert_true(f->end.cpu_ms > 0);
}

static void output_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.output_bytes = 4 * MIB;
    run(f, "fill", "20");
    assert_int_equal(f->end.cause, ORIGIN_ENDED_OUTPUT);
}

static void the_number_of_files_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.output_files = 100;
    run(f, "litter", "200");
    assert_int_equal(f->end.cause, ORIGIN_ENDED_OUTPUT);
}

static void a_file_is_bounded(void **state)
{
    struct fixture *f = *state;

    f->limits.file_bytes = 4 * MIB;
    run(f, "large", "5");
    assert_cause(f, ORIGIN_ENDED_OUTPUT, SIGXFSZ);
}

static void a_line_is_bounded(void **state)
{
    struct fixture *f = *state;

    run(f, "babble", "64");
    assert_int_equal(f->end.cause, ORIGIN_ENDED_TALK);
    assert_string_equal(lines(f), "");
}

static void of_the_log_the_end_is_kept(void **state)
{
    struct fixture *f = *state;

    assert_granted(f, "complain", "5000");
    assert_int_equal(f->end.log_len, ORIGIN_CONFINE_LOG_MAX);
    const char *last = "complaint 2\ncomplaint 1\n";
    assert_string_equal(f->end.log + f->end.log_len - strlen(last), last);
}

static void who_is_canceled_dies(void **state)
{
    struct fixture *f = *state;

    f->is_canceled_by_line = true;
    run(f, "wait", NULL);
    assert_cause(f, ORIGIN_ENDED_CANCELED, SIGKILL);
}

/* ---- the parent's end ------------------------------------------------------------------------ */

static void tell_child(void *ctx, struct fb_str line)
{
    (void)line;
    (void)!write(*(int *)ctx, "x", 1);
}

static void it_dies_with_its_parent(void **state)
{
    struct fixture *f = *state;
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    pid_t parent = fork();
    if (parent == 0) {
        const char *const args[] = {"guest", "wait", NULL};
        struct origin_confine_end end;
        FB_IGNORE(origin_confine_run(&(struct origin_confine_options){.program = f->program,
                                                                      .args = args,
                                                                      .output = f->output,
                                                                      .clock = fb_clock_system(),
                                                                      .ctx = &ready[1],
                                                                      .line = tell_child},
                                     &end, NULL));
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    /* The grandchild is this process's now. */
    int status = 0;
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(ready[0]);
}

static void what_is_in_force_has_words(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    origin_confine_describe(ORIGIN_RING_SECCOMP | ORIGIN_RING_NAMESPACES, &text);
    assert_string_equal(text.ptr, "seccomp, namespaces");
    assert_true((origin_confine_rings() & ORIGIN_RING_SECCOMP) != 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(what_it_says_arrives_in_lines_and_its_log_apart),
        TEST(it_reads_what_it_was_told),
        TEST(it_reads_its_source_and_writes_its_output),
        TEST(it_has_threads),
        TEST(how_it_ended_is_told),
        TEST(a_program_that_is_not_there_is_a_failure),
        TEST(it_has_no_network),
        TEST(it_reads_nothing_else),
        TEST(it_writes_nowhere_else),
        TEST(it_starts_no_processes),
        TEST(it_reaches_no_other_process),
        TEST(it_inherits_nothing),
        TEST(memory_is_bounded),
        TEST(time_is_bounded),
        TEST(the_processor_is_bounded),
        TEST(output_is_bounded),
        TEST(the_number_of_files_is_bounded),
        TEST(a_file_is_bounded),
        TEST(a_line_is_bounded),
        TEST(of_the_log_the_end_is_kept),
        TEST(who_is_canceled_dies),
        TEST(it_dies_with_its_parent),
        TEST(what_is_in_force_has_words),
    };
    if (argc >= 4 && strcmp(argv[2], "settled-exec") == 0) {
        return origin_confine_settle() < 0 ? 1 : guest_exec(argv[3]);
    }
    if (argc >= 3 && strcmp(argv[1], "guest") == 0) {
        return guest_main(argv[2], argc >= 4 ? argv[3] : NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
