#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"
#include "edge/config/config.h"
#include "edge/config/tls.h"
#include "tests/support/test_certificates.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_MS UINT64_C(86400000)

/* 2120-01-01, when the certificates of the tests end, but for one that ended in 2021. */
#define END_S   INT64_C(4733510400)
#define ENDED_S INT64_C(1609459200)

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_conf conf;
    struct edge_tls *tls;
    int log_fd;
};

static void put(const struct fixture *f, const char *name, const char *text)
{
    int dir = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(dir >= 0);
    assert_int_equal(fb_file_write(dir, name, fb_str_from(text), 0600, NULL), FB_OK);
    (void)close(dir);
}

static void load(const struct fixture *f, const char *name, struct edge_conf *conf)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_diag diag = {0};

    fb_buf_printf(&text,
                  "node: n\n"
                  "listen: [{address: '127.0.0.1:0', tls: %s}]\n"
                  "upstreams: [{url: 'http://127.0.0.1:1'}]\n"
                  "tls: [{name: %s, certificates: [{chain: %s/chain, key: %s/key}]}]\n",
                  name, name, f->folder.path, f->folder.path);
    if (fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e", conf, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
}

static void begin(struct fixture *f, int64_t now_s)
{
    const struct edge_tls_options options = {
        .clock = &f->clock.clock, .loop = f->loop, .metrics = f->metrics};

    f->clock.wall_now_ms = now_s * 1000;
    assert_int_equal(edge_tls_new(&f->conf, &options, &f->tls, NULL), FB_OK);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    char path[TEST_PATH_MAX + 8];

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    f->metrics = fb_metrics_new();
    assert_int_equal(fb_loop_new(&f->clock.clock, &f->loop), FB_OK);
    put(f, "chain", TEST_SERVER_PEM);
    put(f, "key", TEST_SERVER_KEY);
    load(f, "players", &f->conf);
    (void)snprintf(path, sizeof(path), "%s/log", f->folder.path);
    f->log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(f->log_fd >= 0);
    fb_log_open(f->log_fd, FB_LOG_FORMAT_TEXT, FB_LOG_WARN);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_log_open(STDERR_FILENO, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER);
    edge_tls_free(f->tls);
    fb_conf_done(&edge_conf_section, &f->conf);
    fb_loop_free(f->loop);
    fb_metrics_free(f->metrics);
    (void)close(f->log_fd);
    test_folder_done(&f->folder);
    test_free(f);
    return 0;
}

/* What was logged since it was last asked. */
static bool logged(struct fixture *f, const char *what)
{
    char text[4096] = "";

    assert_true(pread(f->log_fd, text, sizeof(text) - 1, 0) >= 0);
    assert_int_equal(ftruncate(f->log_fd, 0), 0);
    (void)lseek(f->log_fd, 0, SEEK_SET);
    return strstr(text, what) != NULL;
}

static void pass_days(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        test_clock_advance_ms(&f->clock, DAY_MS);
        fb_loop_turn(f->loop);
    }
}

static uint64_t shown(const struct fixture *f)
{
    return fb_metrics_sum(f->metrics, "tls_certificate_expires_seconds");
}

static void an_end_is_logged_each_day_from_two_weeks_before(void **state)
{
    struct fixture *f = *state;

    begin(f, END_S - (int64_t)20 * 86400);
    pass_days(f, 5);
    assert_false(logged(f, "certificate"));
    pass_days(f, 2);
    assert_true(logged(f, "ends soon"));
    pass_days(f, 1);
    assert_true(logged(f, "ends soon"));
    pass_days(f, 13);
    assert_true(logged(f, "has expired"));
}

static void whoever_only_checks_logs_it_at_once(void **state)
{
    struct fixture *f = *state;
    const struct edge_tls_options options = {.clock = &f->clock.clock};

    f->clock.wall_now_ms = (END_S - 86400) * 1000;
    assert_int_equal(edge_tls_new(&f->conf, &options, &f->tls, NULL), FB_OK);
    assert_true(logged(f, "ends soon"));
}

static void the_end_is_shown_and_that_of_a_reload(void **state)
{
    struct fixture *f = *state;
    struct edge_tls_news *news = NULL;

    begin(f, ENDED_S);
    assert_true(shown(f) == (uint64_t)END_S);
    put(f, "chain", TEST_EXPIRED_PEM);
    put(f, "key", TEST_EXPIRED_KEY);
    assert_int_equal(edge_tls_load(f->tls, &f->conf, &news, NULL), FB_OK);
    assert_true(shown(f) == (uint64_t)END_S); /* not in use yet */
    edge_tls_use(news);
    assert_true(shown(f) == (uint64_t)ENDED_S);
}

static void an_entry_that_is_renamed_goes_on_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct edge_tls_news *news = NULL;
    struct edge_conf renamed;

    begin(f, ENDED_S);
    put(f, "chain", TEST_EXPIRED_PEM);
    put(f, "key", TEST_EXPIRED_KEY);
    load(f, "viewers", &renamed);
    assert_int_equal(edge_tls_load(f->tls, &renamed, &news, NULL), FB_OK);
    edge_tls_use(news);
    assert_true(logged(f, "until a restart"));
    assert_true(shown(f) == (uint64_t)END_S);
    assert_non_null(edge_tls_server(f->tls, FB_STR("players")));
    fb_conf_done(&edge_conf_section, &renamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_is_logged_each_day_from_two_weeks_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_only_checks_logs_it_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_shown_and_that_of_a_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_that_is_renamed_goes_on_as_it_was, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
