#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/thread.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];

/* Everything that was logged since the last call. */
static struct fb_str logged(void)
{
    static char text[64 * 1024];
    ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    return (struct fb_str){text, n < 0 ? 0 : (size_t)n};
}

static int set_up(void **state)
{
    (void)state;
    return pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
    (void)state;
    fb_log_open(STDERR_FILENO, FB_LOG_FORMAT_AUTO, FB_LOG_INFO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* What follows the time, which the test cannot know. */
static struct fb_str after_time(struct fb_str line)
{
    const struct fb_str start = FB_STR("{\"time\":\"2026-01-01T00:00:00.000Z\"");
    assert_true(line.len > start.len);
    return fb_str_skip(line, start.len);
}

static void anything_but_a_terminal_gets_json(void **state)
{
    (void)state;
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_AUTO, FB_LOG_INFO);
    FB_LOG(WARN, "fill", "upstream cut the body", FB_LOG_STR("key", FB_STR("/v \"7\"")),
           FB_LOG_INT("offset", -5), FB_LOG_BOOL("is_last", true));
    assert_string_equal(after_time(logged()).ptr,
                        ",\"level\":\"warn\",\"subject\":\"fill\",\"message\":\"upstream cut the "
                        "body\",\"key\":\"/v \\\"7\\\"\",\"offset\":-5,\"is_last\":true}\n");
}

static void text_lines_are_short_and_quote_what_needs_it(void **state)
{
    (void)state;
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_TEXT, FB_LOG_INFO);
    FB_LOG(INFO, "fill", "done", FB_LOG_TEXT("key", "/v/7"), FB_LOG_TEXT("name", "a b"),
           FB_LOG_TEXT("evil", "\x1b[2J\x7f\xc2\x9b"), FB_LOG_TEXT("none", ""));
    struct fb_str line = logged();
    assert_true(line.len > 12);
    assert_string_equal(line.ptr + 12, " INFO fill: done key=/v/7 name=\"a b\" "
                                       "evil=\"\\u001b[2J???\" none=\"\"\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_JSON, FB_LOG_WARN);
    FB_LOG(INFO, "fill", "done");
    assert_int_equal(logged().len, 0);
    assert_true(fb_log_is_on(FB_LOG_ERROR));
    assert_false(fb_log_is_on(FB_LOG_DEBUG));
}

static void long_line_is_cut_and_stays_valid(void **state)
{
    (void)state;
    static char big[20000];
    memset(big, '\n', sizeof(big)); /* each takes two bytes when escaped */
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_JSON, FB_LOG_INFO);

    for (size_t len = 7000; len <= sizeof(big); len += 321) {
        FB_LOG(INFO, "fill", "done", FB_LOG_STR("a", ((struct fb_str){big, len / 3})),
               FB_LOG_STR("b", ((struct fb_str){big, len})), FB_LOG_INT("c", 1));
        struct fb_str line = logged();
        assert_true(line.len <= 8192);
        assert_true(fb_str_ends_with(line, FB_STR("\",\"cut\":true}\n")));
        assert_int_equal(fb_str_find(line, '\n'), line.len - 1);
    }
}

static void many_fields_are_cut_too(void **state)
{
    (void)state;
    static char big[1500];
    memset(big, 'x', sizeof(big));
    struct fb_str value = {big, sizeof(big)};
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_JSON, FB_LOG_INFO);
    FB_LOG(INFO, "fill", "done", FB_LOG_STR("a", value), FB_LOG_STR("b", value),
           FB_LOG_STR("c", value), FB_LOG_STR("d", value), FB_LOG_STR("e", value),
           FB_LOG_STR("f", value), FB_LOG_INT("g", 1));
    struct fb_str line = logged();
    assert_true(line.len <= 8192);
    assert_true(fb_str_ends_with(line, FB_STR(",\"cut\":true}\n")));
}

enum { N_THREADS = 4, N_LINES = 100, FIELD_BYTES = 5000 };

static void log_many(void *ctx)
{
    static char big[FIELD_BYTES];
    for (int i = 0; i < N_LINES; i++) {
        FB_LOG(INFO, "fill", "done", FB_LOG_STR("a", ((struct fb_str){big, sizeof(big) / 6})),
               FB_LOG_INT("thread", (intptr_t)ctx));
    }
}

static void lines_of_threads_stay_whole(void **state)
{
    (void)state;
    struct fb_thread *threads[N_THREADS];
    int file = memfd_create("log", MFD_CLOEXEC);
    assert_true(file >= 0);
    fb_log_open(file, FB_LOG_FORMAT_JSON, FB_LOG_INFO);
    for (intptr_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(fb_thread_start_body("logger", log_many, (void *)i, &threads[i]), FB_OK);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        fb_thread_join(threads[i]);
    }
    static char text[N_THREADS * N_LINES * 8192];
    ssize_t len = pread(file, text, sizeof(text), 0);
    assert_true(len > 0);
    struct fb_str rest = {text, (size_t)len - 1};
    struct fb_str line;
    int n = 0;
    while (fb_str_cut(&rest, '\n', &line)) {
        assert_true(fb_str_starts_with(line, FB_STR("{\"time\":")));
        assert_int_equal(line.ptr[line.len - 1], '}');
        n++;
    }
    assert_int_equal(n, N_THREADS * N_LINES);
    close(file);
}

/* ---- a reader that stops -------------------------------------------------------- */

enum { LONG_WAIT_MS = 60000 };

static struct fb_str all_read(struct fb_buf *text)
{
    struct fb_str more;

    while ((more = logged()).len > 0) {
        fb_buf_append(text, more);
    }
    return fb_buf_str(text);
}

/* A pipe of `size` bytes, as a shell makes it: writing to it waits. */
static void open_pipe_that_blocks(int size)
{
    assert_int_equal(fcntl(pipe_fds[1], F_SETPIPE_SZ, size), size);
    assert_int_equal(fcntl(pipe_fds[1], F_SETFL, 0), 0);
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_JSON, FB_LOG_INFO);
}

static int count_whole_lines(struct fb_str text)
{
    struct fb_str line;
    int n = 0;

    assert_true(fb_str_ends_with(text, FB_STR("}\n")));
    while (text.len > 0 && fb_str_cut(&text, '\n', &line)) {
        assert_true(fb_str_starts_with(line, FB_STR("{\"time\":")));
        assert_int_equal(line.ptr[line.len - 1], '}');
        n++;
    }
    return n;
}

static void log_bytes(size_t n)
{
    static const char big[8000];
    FB_LOG(INFO, "fill", "done", FB_LOG_STR("a", ((struct fb_str){big, n / 6}))); /* \u0000 */
}

static void assert_tells_of(struct fb_str text, int n)
{
    FB_AUTO(fb_buf_done) struct fb_buf want = {0};

    fb_buf_printf(&want, "\"message\":\"lines were dropped, nobody read the log\",\"lines\":%d}\n",
                  n);
    assert_non_null(memmem(text.ptr, text.len, want.ptr, want.len));
}

static void full_pipe_drops_whole_lines_and_says_how_many(void **state)
{
    enum { N = 40 };
    FB_AUTO(fb_buf_done) struct fb_buf before = {0};
    FB_AUTO(fb_buf_done) struct fb_buf after = {0};
    (void)state;
    open_pipe_that_blocks(8192);
    for (int i = 0; i < N; i++) {
        log_bytes(600);
    }
    int n = count_whole_lines(all_read(&before));
    assert_true(n > 0 && n < N);

    FB_LOG(INFO, "fill", "again");
    struct fb_str text = all_read(&after);
    assert_int_equal(count_whole_lines(text), 2);
    assert_tells_of(text, N - n);
    FB_LOG(INFO, "fill", "again");
    assert_int_equal(count_whole_lines(logged()), 1); /* told once */
}

static void line_that_has_begun_is_ended_before_all_else(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    (void)state;
    open_pipe_that_blocks(8192);
    log_bytes(60);
    log_bytes(7000); /* PIPE_BUF of it go out */
    log_bytes(60);
    assert_false(fb_str_ends_with(all_read(&text), FB_STR("\n")));

    log_bytes(600);
    assert_int_equal(count_whole_lines(all_read(&text)), 4);
    assert_tells_of(fb_buf_str(&text), 1);
}

static void socket_is_not_waited_for_either(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    int n_gone = 0;
    (void)state;
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe_fds), 0);
    assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    fb_log_open(pipe_fds[1], FB_LOG_FORMAT_JSON, FB_LOG_INFO);
    while (fb_log_write_lines(FB_STR("{\"time\":0}\n{\"time\":1}\n"), 0) == 0) {
        n_gone += 2;
    }
    (void)all_read(&text);
    log_bytes(60);
    assert_int_equal(count_whole_lines(all_read(&text)), n_gone + 2);
    assert_tells_of(fb_buf_str(&text), 2);
}

static void lines_without_a_reader_are_dropped(void **state)
{
    (void)state;
    open_pipe_that_blocks(8192);
    (void)signal(SIGPIPE, SIG_IGN);
    close(pipe_fds[0]);
    assert_int_equal(fb_log_write_lines(FB_STR("a\nb\n"), LONG_WAIT_MS), 2);
    pipe_fds[0] = -1;
}

/* Reads until it finds the line "end". */
static void read_to_the_end(void *ctx)
{
    struct fb_buf *text = ctx;
    struct pollfd poller = {.fd = pipe_fds[0], .events = POLLIN};

    while (!fb_str_ends_with(fb_buf_str(text), FB_STR("end\n"))) {
        assert_int_equal(poll(&poller, 1, -1), 1);
        (void)all_read(text);
    }
}

static void who_may_wait_gets_more_through_than_a_pipe_holds(void **state)
{
    enum { N = 50000 };
    FB_AUTO(fb_buf_done) struct fb_buf lines = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_thread *reader = NULL;
    (void)state;
    open_pipe_that_blocks(4096);
    for (int i = 0; i < N; i++) {
        fb_buf_printf(&lines, "%d\n", i);
    }
    fb_buf_append(&lines, FB_STR("end\n"));
    assert_int_equal(fb_thread_start_body("reader", read_to_the_end, &text, &reader), FB_OK);
    assert_int_equal(fb_log_write_lines(fb_buf_str(&lines), LONG_WAIT_MS), 0);
    fb_thread_join(reader);
    assert_true(fb_str_equal(fb_buf_str(&text), fb_buf_str(&lines)));
}

static void last_words_wait_for_a_reader(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_thread *reader = NULL;
    (void)state;
    open_pipe_that_blocks(4096);
    while (fb_log_write_lines(FB_STR("{}\n"), 0) == 0) {
    }
    assert_int_equal(fb_log_write_lines(FB_STR("{}\n"), 1), 1); /* a bounded wait */
    fb_log_end(LONG_WAIT_MS);
    assert_int_equal(fb_thread_start_body("reader", read_to_the_end, &text, &reader), FB_OK);
    assert_int_equal(fb_log_write_lines(FB_STR("end\n"), 0), 0);
    fb_thread_join(reader);
    assert_tells_of(fb_buf_str(&text), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(anything_but_a_terminal_gets_json),
        TEST(text_lines_are_short_and_quote_what_needs_it),
        TEST(lines_below_the_level_are_not_written),
        TEST(long_line_is_cut_and_stays_valid),
        TEST(many_fields_are_cut_too),
        TEST(lines_of_threads_stay_whole),
        TEST(full_pipe_drops_whole_lines_and_says_how_many),
        TEST(line_that_has_begun_is_ended_before_all_else),
        TEST(socket_is_not_waited_for_either),
        TEST(lines_without_a_reader_are_dropped),
        TEST(who_may_wait_gets_more_through_than_a_pipe_holds),
        TEST(last_words_wait_for_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
