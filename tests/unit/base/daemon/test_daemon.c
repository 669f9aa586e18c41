/* Runs a small daemon in a child process and talks to it. */
#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/daemon/daemon.h"
#include "base/json/json.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "base/server/router.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the program ------------------------------------------------------------------ */

struct toy_conf {
    struct fb_str admin;
    bool is_broken;
    bool is_strange;
    bool is_eager;
    int64_t speed;
};

static const struct fb_conf_item toy_items[] = {
    {"admin", FB_CONF_STRING, offsetof(struct toy_conf, admin), .help = "Address."},
    {"broken", FB_CONF_BOOL, offsetof(struct toy_conf, is_broken), .help = "Cannot start."},
    {"strange", FB_CONF_BOOL, offsetof(struct toy_conf, is_strange), .help = "Fails its check."},
    {"eager", FB_CONF_BOOL, offsetof(struct toy_conf, is_eager), .help = "Drains at once."},
    {"speed", FB_CONF_INT, offsetof(struct toy_conf, speed), .max = 100, .is_live = true,
     .help = "What a reload changes; 13 is refused, 99 takes long."},
    {0},
};

static const struct fb_conf_section toy_section = {.name = "toy.yaml",
                                                   .size = sizeof(struct toy_conf),
                                                   .items = toy_items};

struct toy {
    struct fb_op *drain;              /* not NULL while draining */
    struct fb_daemon_reload *waiting; /* takes long */
    int64_t speed;
    int64_t n_reopened;
    bool is_eager;
    bool is_busy;
};

static int toy_check(const void *conf, struct fb_diag *diag)
{
    bool is_strange = ((const struct toy_conf *)conf)->is_strange;
    return is_strange ? fb_diag_set(diag, FB_E_MALFORMED, "too strange") : FB_OK;
}

static struct fb_str toy_admin_address(const void *conf)
{
    return ((const struct toy_conf *)conf)->admin;
}

static int toy_start(struct fb_daemon *daemon, void **ret_ctx, struct fb_diag *diag)
{
    static const struct fb_metric rows[] = {
        {"toy_things_total", FB_METRIC_COUNTER, NULL, "Things."}};
    const struct toy_conf *conf = fb_daemon_conf(daemon);
    if (conf->is_broken) {
        return fb_diag_set(diag, FB_E_FOREIGN, "it is broken");
    }
    fb_metrics_add(fb_metrics_table_new(fb_daemon_metrics(daemon), rows, 1, NULL), 0, 5);
    struct toy *toy = FB_NEW(struct toy);
    toy->is_eager = conf->is_eager;
    *ret_ctx = toy;
    return FB_OK;
}

static void toy_drain(void *ctx, struct fb_op *op)
{
    struct toy *toy = ctx;
    fb_op_begin(op, NULL);
    toy->drain = op;
    if (toy->waiting != NULL) {
        fb_op_finish(&toy->waiting->op, FB_E_CANCELED);
    }
    if (toy->is_eager) {
        fb_op_finish(op, FB_OK);
    }
}

static void toy_stop(void *ctx)
{
    fb_free(ctx);
}

static void toy_status(void *ctx, struct fb_json *status)
{
    struct toy *toy = ctx;
    fb_json_set_int(status, "things", 5);
    fb_json_set_int(status, "speed", toy->speed);
    fb_json_set_int(status, "reopened", toy->n_reopened);
}

static void toy_reload(void *ctx, struct fb_daemon_reload *reload)
{
    struct toy *toy = ctx;
    const struct toy_conf *conf = reload->conf;

    fb_op_begin(&reload->op, NULL);
    if (conf->speed == 99) {
        toy->waiting = reload;
        FB_LOG(INFO, "toy", "takes long");
        return;
    }
    int err = conf->speed == 13 ? fb_diag_set(&reload->diag, FB_E_LIMIT, "13 is too much") : FB_OK;
    if (err == FB_OK) {
        toy->speed = conf->speed;
    }
    fb_op_finish(&reload->op, err);
}

static void toy_reopen_logs(void *ctx)
{
    ((struct toy *)ctx)->n_reopened++;
}

/* Ends the reload that takes long. */
static void toy_speed(void *ctx, struct fb_exchange *exchange)
{
    struct toy *toy = ctx;
    if (toy->waiting != NULL) {
        toy->speed = 99;
        fb_op_finish(&toy->waiting->op, FB_OK);
        toy->waiting = NULL;
    }
    fb_exchange_respond(exchange, &(struct fb_response){.status = 204});
}

static void toy_finish(void *ctx, struct fb_exchange *exchange)
{
    struct toy *toy = ctx;
    fb_exchange_respond(exchange, &(struct fb_response){.status = 204});
    if (toy->drain != NULL) {
        fb_op_finish(toy->drain, FB_OK);
    }
}

static bool toy_is_ready(void *ctx)
{
    return !((struct toy *)ctx)->is_busy;
}

static void toy_busy(void *ctx, struct fb_exchange *exchange)
{
    struct toy *toy = ctx;
    toy->is_busy = !toy->is_busy;
    fb_exchange_respond(exchange, &(struct fb_response){.status = 204});
}

static const struct fb_route toy_routes[] = {
    {.method = FB_METHOD_POST, .pattern = "/busy", .handle = toy_busy},
    {.method = FB_METHOD_POST, .pattern = "/finish", .handle = toy_finish},
    {.method = FB_METHOD_POST, .pattern = "/speed", .handle = toy_speed},
};

static const struct fb_daemon_program toy_program = {
    .name = "toy",
    .summary = "be tested",
    .conf = &toy_section,
    .check = toy_check,
    .admin_address = toy_admin_address,
    .start = toy_start,
    .drain = toy_drain,
    .stop = toy_stop,
    .reload = toy_reload,
    .reopen_logs = toy_reopen_logs,
    .is_ready = toy_is_ready,
    .status = toy_status,
    .routes = toy_routes,
    .n_routes = FB_ARRAY_LEN(toy_routes),
};

/* ---- the fixture -------------------------------------------------------------------- */

struct fixture {
    char config[32];
    pid_t pid;
    FILE *output; /* of the child: both streams */
    uint16_t port;
};

static void write_config(struct fixture *f, const char *text)
{
    (void)strcpy(f->config, "/tmp/fb-toy-XXXXXX");
    int fd = mkstemp(f->config);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void spawn(struct fixture *f, const char *option)
{
    char *argv[] = {strdup("toy"), strdup("--config"), f->config, strdup("--log-format=json"),
                    strdup(option)};
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        _exit(fb_daemon_main(FB_ARRAY_LEN(argv), argv, &toy_program));
    }
    close(fds[1]);
    f->output = fdopen(fds[0], "re");
    assert_non_null(f->output);
    free(argv[0]);
    free(argv[1]);
    free(argv[3]);
    free(argv[4]);
}

/* Reads the child's output up to a line with `part`, which is returned. */
static const char *await(struct fixture *f, const char *part)
{
    static char line[8192];
    while (fgets(line, sizeof(line), f->output) != NULL) {
        if (strstr(line, part) != NULL) {
            return line;
        }
    }
    fail_msg("no line with '%s'", part);
    return "";
}

static int exit_code(struct fixture *f)
{
    int status = 0;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void start(struct fixture *f)
{
    write_config(f, "admin: 127.0.0.1:0\n");
    spawn(f, "--log-level=info");
    const char *colon = strstr(await(f, "admin address open"), "127.0.0.1:");
    assert_non_null(colon);
    f->port = (uint16_t)strtoul(colon + 10, NULL, 10);
    (void)await(f, "ready");
}

/* The whole response, borrowed until the next call. */
static const char *ask(const struct fixture *f, const char *method, const char *path)
{
    static char text[16 * 1024];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);

    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: toy\r\nConnection: close\r\n\r\n",
                     method, path);
    assert_int_equal(send(fd, text, (size_t)n, 0), n);
    size_t len = 0;
    ssize_t got = 0;
    while ((got = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(fd);
    return text;
}

static void assert_answer(const struct fixture *f, const char *path, const char *status,
                          const char *part)
{
    const char *text = ask(f, "GET", path);
    if (strncmp(text + 9, status, 3) != 0 || strstr(text, part) == NULL) {
        fail_msg("%s answered: %s", path, text);
    }
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    (void)fclose(f->output);
    unlink(f->config);
    free(f);
    return 0;
}

static void rewrite_config(const struct fixture *f, const char *text)
{
    int fd = open(f->config, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void end(struct fixture *f)
{
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void assert_reload(const struct fixture *f, const char *status, const char *part)
{
    const char *text = ask(f, "POST", "/reload");
    if (strncmp(text + 9, status, 3) != 0 || strstr(text, part) == NULL) {
        fail_msg("/reload answered: %s", text);
    }
}

/* ---- tests ------------------------------------------------------------------------- */

static void admin_address_tells_how_the_program_is(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_answer(f, "/healthz", "200", "\r\n\r\nok\n");
    assert_answer(f, "/readyz", "200", "\r\n\r\nready\n");
    assert_answer(f, "/metrics", "200", "\ntoy_things_total 5\n");
    assert_answer(f, "/metrics", "200", "\nforebay_build_info{version=\"" FB_VERSION "\"} 1\n");
    assert_answer(f, "/metrics", "200", "\nprocess_open_fds ");
    assert_answer(f, "/metrics", "200", "Content-Type: text/plain; version=0.0.4");
    assert_answer(f, "/status", "200",
                  "\"state\":\"ready\",\"uptime_s\":0,\"things\":5,\"speed\":0");
    assert_answer(f, "/nowhere", "404", "application/problem+json");

    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void program_that_is_not_up_to_its_work_is_not_ready(void **state)
{
    struct fixture *f = *state;
    start(f);
    (void)ask(f, "POST", "/busy");
    assert_answer(f, "/readyz", "503", "starting");
    assert_answer(f, "/status", "200", "\"state\":\"starting\"");
    (void)ask(f, "POST", "/busy");
    assert_answer(f, "/readyz", "200", "ready");
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void draining_program_is_not_ready_until_it_ends(void **state)
{
    struct fixture *f = *state;
    start(f);
    kill(f->pid, SIGINT);
    (void)await(f, "draining");
    assert_answer(f, "/readyz", "503", "draining");
    assert_answer(f, "/healthz", "200", "ok");
    (void)ask(f, "POST", "/finish");
    (void)await(f, "stopped");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void a_reload_takes_what_is_live(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    assert_reload(f, "200", "{\"reloaded\":true,\"restart_needed\":[]}\n");
    assert_answer(f, "/status", "200", "\"speed\":7,\"reopened\":1");

    rewrite_config(f, "admin: 127.0.0.1:1\nspeed: 8\neager: true\n");
    assert_reload(f, "200", "\"restart_needed\":[\"admin\",\"eager\"]");
    (void)await(f, "\"keys\":\"admin, eager\"");
    assert_answer(f, "/status", "200", "\"speed\":8,\"reopened\":2");
    end(f);
}

static void a_signal_reloads_too(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "configuration reloaded");
    assert_answer(f, "/status", "200", "\"speed\":7,\"reopened\":1");
    end(f);
}

static void a_broken_configuration_changes_nothing(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: fast\n");
    assert_reload(f, "422", ":2:8: 'speed' is 'fast', expected a whole number");
    (void)await(f, "nothing has changed");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\nstrange: true\n");
    assert_reload(f, "422", ": too strange.");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 13\n");
    assert_reload(f, "422", "13 is too much.");
    unlink(f->config);
    assert_reload(f, "422", "/tmp/fb-toy-");
    kill(f->pid, SIGHUP);
    (void)await(f, "nothing has changed");
    assert_answer(f, "/status", "200", "\"speed\":0,\"reopened\":5");
    end(f);
}

static void reloads_come_one_after_another(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 99\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "takes long");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "another will follow");
    assert_reload(f, "409", "Another reload or restart is under way.");
    (void)ask(f, "POST", "/speed");
    (void)await(f, "configuration reloaded");
    (void)await(f, "configuration reloaded"); /* the signal that came meanwhile */
    assert_answer(f, "/status", "200", "\"speed\":7");
    end(f);
}

static void a_program_may_end_during_a_reload(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 99\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "takes long");
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)await(f, "nothing has changed");
    assert_reload(f, "409", "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void second_signal_ends_at_once(void **state)
{
    struct fixture *f = *state;
    start(f);
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    kill(f->pid, SIGTERM);
    (void)await(f, "told twice");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
}

static void program_that_cannot_start_says_why(void **state)
{
    struct fixture *f = *state;
    write_config(f, "broken: true\n");
    spawn(f, "--log-level=info");
    (void)await(f, "\"could not start\",\"reason\":\"it is broken\"");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
}

static void admin_address_in_use_ends_the_start(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    char config[64];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);

    (void)snprintf(config, sizeof(config), "admin: 127.0.0.1:%d\neager: true\n",
                   ntohs(address.sin_port));
    write_config(f, config);
    spawn(f, "--log-level=info");
    (void)await(f, "draining"); /* the program had begun, so it is asked to end */
    (void)await(f, "\"could not start\",\"reason\":\"listen on admin address");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
    close(fd);
}

static void bad_admin_address_is_a_bad_configuration(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: nonsense\n");
    spawn(f, "--check");
    (void)await(f, ": admin address: ");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void check_accepts_a_good_configuration(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\n");
    spawn(f, "--check");
    (void)await(f, "the configuration is good");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void check_refuses_a_bad_one_with_its_place(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\nbrokn: true\n");
    spawn(f, "--check");
    (void)await(f, ":2:1: unknown key 'brokn' (did you mean 'broken'?)");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void programs_own_check_counts_too(void **state)
{
    struct fixture *f = *state;
    write_config(f, "strange: true\n");
    spawn(f, "--check");
    (void)await(f, ": too strange");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void printed_configuration_has_the_presets(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\n");
    spawn(f, "--print-config");
    (void)await(f, "admin: 127.0.0.1:0\n");
    (void)await(f, "broken: false\n");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(admin_address_tells_how_the_program_is),
        TEST(program_that_is_not_up_to_its_work_is_not_ready),
        TEST(draining_program_is_not_ready_until_it_ends),
        TEST(a_reload_takes_what_is_live),
        TEST(a_signal_reloads_too),
        TEST(a_broken_configuration_changes_nothing),
        TEST(reloads_come_one_after_another),
        TEST(a_program_may_end_during_a_reload),
        TEST(second_signal_ends_at_once),
        TEST(program_that_cannot_start_says_why),
        TEST(admin_address_in_use_ends_the_start),
        TEST(bad_admin_address_is_a_bad_configuration),
        TEST(check_accepts_a_good_configuration),
        TEST(check_refuses_a_bad_one_with_its_place),
        TEST(programs_own_check_counts_too),
        TEST(printed_configuration_has_the_presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
