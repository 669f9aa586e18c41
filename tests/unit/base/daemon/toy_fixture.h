/*
 * A small daemon in a child process, and who talks to it.
 */
#pragma once

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

static void end(struct fixture *f)
{
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

#define TOY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
