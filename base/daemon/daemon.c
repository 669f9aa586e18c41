#include "base/daemon/daemon.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/address.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* ---- drain and stop ------------------------------------------------------------- */

static void daemon_on_admin_drained(struct fb_op *op)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(op, struct fb_daemon, drain);

    fb_loop_stop(daemon->loop);
}

/* The admin address answers until the program has ended its work. */
static void daemon_on_drained(struct fb_op *op)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(op, struct fb_daemon, drain);

    if (daemon->admin == NULL) {
        fb_loop_stop(daemon->loop);
        return;
    }
    fb_op_init(&daemon->drain, daemon->loop, daemon_on_admin_drained);
    fb_daemon_admin_drain(daemon->admin, &daemon->drain);
}

void fb_daemon_quit(struct fb_daemon *daemon, int exit_code)
{
    if (daemon->state == FB_DAEMON_DRAINING) {
        return;
    }
    daemon->state = FB_DAEMON_DRAINING;
    daemon->exit_code = exit_code;
    FB_LOG(INFO, "daemon", "draining");
    (void)sd_notify(0, "STOPPING=1"); /* without systemd there is nobody to tell */

    fb_op_init(&daemon->drain, daemon->loop, daemon_on_drained);
    if (daemon->program->drain != NULL) {
        daemon->program->drain(daemon->ctx, &daemon->drain);
    } else {
        fb_op_begin(&daemon->drain, NULL);
        fb_op_finish(&daemon->drain, FB_OK);
    }
}

static void daemon_on_signal(void *ctx, int signum)
{
    struct fb_daemon *daemon = ctx;

    if (daemon->state == FB_DAEMON_DRAINING) {
        FB_LOG(WARN, "daemon", "told twice, ending at once", FB_LOG_INT("signal", signum));
        _exit(FB_EXIT_FAILED);
    }
    fb_daemon_quit(daemon, FB_EXIT_OK);
}

/* ---- start -------------------------------------------------------------------- */

static void daemon_raise_limits(void)
{
    struct rlimit limit;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    /* A peer that closes early is a result of write(), not a signal. */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* the soft limit is then what there is */
    }
}

static int daemon_open_admin(struct fb_daemon *daemon, struct fb_diag *diag)
{
    const struct fb_daemon_program *program = daemon->program;

    if (program->admin_address == NULL) {
        return FB_OK;
    }
    struct fb_str address = program->admin_address(daemon->conf);
    return address.len == 0 ? FB_OK : fb_daemon_admin_open(daemon, address, &daemon->admin, diag);
}

static int daemon_set_up(struct fb_daemon *daemon, struct fb_diag *diag)
{
    int err = fb_loop_new(fb_clock_system(), &daemon->loop);
    if (err == FB_OK) {
        err = fb_loop_on_signal(daemon->loop, SIGTERM, daemon_on_signal, daemon);
    }
    if (err == FB_OK) {
        err = fb_loop_on_signal(daemon->loop, SIGINT, daemon_on_signal, daemon);
    }
    if (err == FB_OK && daemon->program->reload != NULL) {
        err = fb_loop_on_signal(daemon->loop, SIGHUP, fb_daemon_on_hangup, daemon);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "make the main loop: %s", fb_err_text(err));
    }
    daemon->metrics = fb_metrics_new();
    fb_daemon_process_metrics(daemon->metrics);
    daemon->started_ms = fb_clock_mono_ms(fb_clock_system());
    return FB_OK;
}

static void daemon_run(struct fb_daemon *daemon)
{
    daemon->state = FB_DAEMON_READY;
    FB_LOG(INFO, "daemon", "ready", FB_LOG_TEXT("program", daemon->program->name),
           FB_LOG_TEXT("version", FB_VERSION));
    (void)sd_notify(0, "READY=1");
    fb_loop_run(daemon->loop);
}

/* The loop's end gives signals their meanings of old back: one more SIGHUP or SIGTERM must not
 * turn a good end into death by a signal. */
static void daemon_block_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
}

/* From a good configuration to the exit code. */
static int daemon_live(struct fb_daemon *daemon)
{
    const struct fb_daemon_program *program = daemon->program;
    struct fb_diag diag = {0};

    daemon_raise_limits();
    int err = daemon_set_up(daemon, &diag);
    if (err == FB_OK) {
        err = program->start(daemon, &daemon->ctx, &diag);
        if (err == FB_OK) {
            err = daemon_open_admin(daemon, &diag);
            if (err < 0) {
                fb_daemon_quit(daemon, FB_EXIT_FAILED);
                fb_loop_run(daemon->loop);
            } else {
                daemon_run(daemon);
            }
            fb_daemon_admin_free(daemon->admin);
            program->stop(daemon->ctx);
        }
    }
    if (err < 0) {
        FB_LOG(ERROR, "daemon", "could not start", FB_LOG_TEXT("reason", diag.text));
        daemon->exit_code = FB_EXIT_FAILED;
    } else {
        FB_LOG(INFO, "daemon", "stopped", FB_LOG_INT("exit_code", daemon->exit_code));
    }
    fb_metrics_free(daemon->metrics);
    daemon_block_signals();
    fb_loop_free(daemon->loop);
    return daemon->exit_code;
}

/* ---- what the arguments ask for ------------------------------------------------- */

static int daemon_print(struct fb_buf *text)
{
    bool is_out = fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;

    return is_out ? FB_EXIT_OK : FB_EXIT_FAILED;
}

static int daemon_usage(const struct fb_daemon_program *program, const struct fb_diag *diag)
{
    (void)fprintf(stderr, "%s: %s\n", program->name, diag->text);
    return FB_EXIT_USAGE;
}

int fb_daemon_check(const struct fb_daemon_program *program, const void *conf, struct fb_diag *diag)
{
    struct fb_str address =
        program->admin_address != NULL ? program->admin_address(conf) : FB_STR_NONE;
    struct fb_address where;

    int err = address.len > 0 ? fb_address_parse(address, &where, diag) : FB_OK;
    if (err < 0) {
        return fb_diag_prefix(diag, err, "admin address");
    }
    return program->check != NULL ? program->check(conf, diag) : FB_OK;
}

static int daemon_with_config(const struct fb_daemon_program *program,
                              const struct fb_daemon_args *args)
{
    FB_AUTO(fb_freep) void *conf = fb_alloc(program->conf->size);
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_diag diag = {0};

    int err = args->task == FB_DAEMON_CHECK
                  ? fb_conf_load_probing(program->conf, args->config_path, conf, &diag)
                  : fb_conf_load(program->conf, args->config_path, conf, &diag);
    if (err < 0) {
        return daemon_usage(program, &diag);
    }
    int exit_code = FB_EXIT_OK;
    err = fb_daemon_check(program, conf, &diag);
    if (err < 0) {
        (void)fb_diag_prefix(&diag, err, "%s", args->config_path);
        exit_code = daemon_usage(program, &diag);
    } else if (args->task == FB_DAEMON_CHECK) {
        fb_buf_printf(&text, "%s: the configuration is good\n", args->config_path);
        exit_code = daemon_print(&text);
    } else if (args->task == FB_DAEMON_PRINT_CONFIG) {
        fb_conf_print(program->conf, conf, &text);
        exit_code = daemon_print(&text);
    } else {
        struct fb_daemon daemon = {
            .program = program, .conf = conf, .config_path = args->config_path};
        exit_code = daemon_live(&daemon);
    }
    fb_conf_done(program->conf, conf);
    return exit_code;
}

static const struct fb_daemon_command *daemon_find_command(const struct fb_daemon_program *program,
                                                           struct fb_str name)
{
    for (size_t i = 0; i < program->n_commands; i++) {
        if (fb_str_equal(name, fb_str_from(program->commands[i].name))) {
            return &program->commands[i];
        }
    }
    return NULL;
}

int fb_daemon_main(int argc, char **argv, const struct fb_daemon_program *program)
{
    const struct fb_daemon_command *command =
        argc > 1 ? daemon_find_command(program, fb_str_from(argv[1])) : NULL;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_daemon_args args;
    struct fb_diag diag = {0};

    if (command != NULL) {
        return command->run(argc - 1, argv + 1);
    }
    if (fb_daemon_args_parse(argc, argv, &args, &diag) < 0) {
        return daemon_usage(program, &diag);
    }
    fb_log_open(STDERR_FILENO, args.log_format, args.log_level);
    switch (args.task) {
    case FB_DAEMON_HELP:
        fb_daemon_args_help(program, &text);
        return daemon_print(&text);
    case FB_DAEMON_VERSION:
        fb_buf_printf(&text, "%s %s\n", program->name, FB_VERSION);
        return daemon_print(&text);
    case FB_DAEMON_PRINT_REFERENCE:
        fb_conf_reference(program->conf, &text);
        return daemon_print(&text);
    case FB_DAEMON_RUN:
    case FB_DAEMON_CHECK:
    case FB_DAEMON_PRINT_CONFIG:
        break;
    }
    return daemon_with_config(program, &args);
}

struct fb_loop *fb_daemon_loop(const struct fb_daemon *daemon)
{
    return daemon->loop;
}

struct fb_metrics *fb_daemon_metrics(const struct fb_daemon *daemon)
{
    return daemon->metrics;
}

const void *fb_daemon_conf(const struct fb_daemon *daemon)
{
    return daemon->conf;
}
