#include "base/daemon/daemon.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/address.h"
#include "base/tls/config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* What a program says as it ends waits so long for a reader. */
enum { DAEMON_LAST_WORDS_MS = 100 };

/* ---- drain and stop ------------------------------------------------------------- */

static void daemon_on_admin_drained(struct fb_op *op)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(op, struct fb_daemon, admin_drain);

    daemon->is_admin_drained = true;
    fb_daemon_end(daemon);
}

static void daemon_drain_admin(struct fb_daemon *daemon)
{
    if (daemon->admin == NULL || daemon->is_admin_draining) {
        return;
    }
    daemon->is_admin_draining = true;
    fb_op_init(&daemon->admin_drain, daemon->loop, daemon_on_admin_drained);
    fb_daemon_admin_drain(daemon->admin, &daemon->admin_drain);
}

/* The admin address answers until the program has ended its work. */
void fb_daemon_end(struct fb_daemon *daemon)
{
    if (!daemon->is_drained || daemon->is_waiting || fb_daemon_is_restarting(daemon)) {
        return;
    }
    if (daemon->admin == NULL || daemon->is_admin_drained) {
        fb_loop_stop(daemon->loop);
    } else {
        daemon_drain_admin(daemon);
    }
}

static void daemon_on_drained(struct fb_op *op)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(op, struct fb_daemon, drain);

    daemon->is_drained = true;
    fb_daemon_restart_tell_free(daemon);
    fb_daemon_end(daemon);
}

static void daemon_drain(struct fb_daemon *daemon)
{
    daemon->state = FB_DAEMON_DRAINING;
    FB_LOG(INFO, "daemon", "draining");
    fb_op_init(&daemon->drain, daemon->loop, daemon_on_drained);
    if (daemon->program->drain != NULL) {
        daemon->program->drain(daemon->ctx, &daemon->drain);
    } else {
        fb_op_begin(&daemon->drain, NULL);
        fb_op_finish(&daemon->drain, FB_OK);
    }
}

void fb_daemon_quit(struct fb_daemon *daemon, int exit_code)
{
    if (daemon->state == FB_DAEMON_DRAINING) {
        return;
    }
    daemon->exit_code = exit_code;
    (void)sd_notify(0, "STOPPING=1"); /* without systemd there is nobody to tell */
    fb_daemon_call_restart_off(daemon);
    fb_daemon_stop_waiting(daemon);
    daemon_drain(daemon);
}

/* The new process is the one to ask from here on. */
void fb_daemon_give_way(struct fb_daemon *daemon)
{
    daemon_drain_admin(daemon);
    if (daemon->state != FB_DAEMON_DRAINING) {
        daemon_drain(daemon);
    }
    fb_daemon_end(daemon);
}

void fb_daemon_tell_quiet(struct fb_daemon *daemon)
{
    daemon->is_quiet = true;
    fb_daemon_restart_tell_quiet(daemon);
}

static void daemon_on_signal(void *ctx, int signum)
{
    struct fb_daemon *daemon = ctx;

    if (daemon->was_told) {
        FB_LOG(WARN, "daemon", "told twice, ending at once", FB_LOG_INT("signal", signum));
        _exit(FB_EXIT_FAILED);
    }
    daemon->was_told = true;
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
    if (err == FB_OK && daemon->program->succession != NULL) {
        err = fb_loop_on_signal(daemon->loop, SIGUSR2, fb_daemon_on_restart, daemon);
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

/* From what start() made to its end. */
static int daemon_serve(struct fb_daemon *daemon, struct fb_diag *diag)
{
    int err = daemon_open_admin(daemon, diag);
    if (err == FB_OK) {
        err = fb_daemon_begin(daemon, diag);
    }
    if (err == FB_OK) {
        daemon_run(daemon);
    } else if (daemon->program->succession == NULL) { /* it serves since its start */
        fb_daemon_quit(daemon, FB_EXIT_FAILED);
        fb_loop_run(daemon->loop);
    }
    fb_pool_free(daemon->heir_pool);
    fb_daemon_restart_free(daemon->restart);
    fb_daemon_admin_free(daemon->admin);
    daemon->program->stop(daemon->ctx);
    return err;
}

/* From a good configuration to the exit code. */
static int daemon_live(struct fb_daemon *daemon)
{
    struct fb_diag diag = {0};

    daemon_raise_limits();
    int err = daemon_set_up(daemon, &diag);
    if (err == FB_OK) {
        err = daemon->program->start(daemon, &daemon->ctx, &diag);
        if (err == FB_OK) {
            err = daemon_serve(daemon, &diag);
        }
    }
    fb_log_end(DAEMON_LAST_WORDS_MS);
    if (err < 0) {
        FB_LOG(ERROR, "daemon", "could not start", FB_LOG_TEXT("reason", diag.text));
        fb_heir_refuse(&daemon->heir, false, diag.text);
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
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};

    fb_buf_printf(&line, "%s: %s\n", program->name, diag->text);
    (void)fb_log_write_lines(fb_buf_str(&line), DAEMON_LAST_WORDS_MS);
    return FB_EXIT_USAGE;
}

static int daemon_check(const void *ctx, const void *conf, struct fb_diag *diag)
{
    const struct fb_daemon_program *program = ctx;
    struct fb_str address =
        program->admin_address != NULL ? program->admin_address(conf) : FB_STR_NONE;
    struct fb_address where;

    int err = address.len > 0 ? fb_address_parse(address, &where, diag) : FB_OK;
    if (err < 0) {
        return fb_diag_prefix(diag, err, "admin address");
    }
    return program->check != NULL ? program->check(conf, diag) : FB_OK;
}

int fb_daemon_load(const struct fb_daemon_program *program, const char *path, bool probes,
                   void *conf, struct fb_diag *diag)
{
    return fb_conf_load_with(program->conf,
                             &(struct fb_conf_loading){
                                 .path = path,
                                 .probes = probes,
                                 .check = daemon_check,
                                 .ctx = program,
                             },
                             conf, diag);
}

static int daemon_do(struct fb_daemon *daemon, const struct fb_daemon_args *args)
{
    const struct fb_daemon_program *program = daemon->program;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (args->task == FB_DAEMON_CHECK) {
        fb_buf_printf(&text, "%s: the configuration is good\n", args->config_path);
        return daemon_print(&text);
    }
    if (args->task == FB_DAEMON_PRINT_CONFIG) {
        fb_conf_print(program->conf, daemon->conf, &text);
        return daemon_print(&text);
    }
    return daemon_live(daemon);
}

static int daemon_with_config(struct fb_daemon *daemon, const struct fb_daemon_args *args)
{
    const struct fb_daemon_program *program = daemon->program;
    FB_AUTO(fb_freep) void *conf = fb_alloc(program->conf->size);
    struct fb_diag diag = {0};

    int err =
        fb_daemon_load(program, args->config_path, args->task == FB_DAEMON_CHECK, conf, &diag);
    if (err < 0) {
        fb_heir_refuse(&daemon->heir, true, diag.text);
        return daemon_usage(program, &diag);
    }
    daemon->conf = conf;
    int exit_code = daemon_do(daemon, args);
    fb_conf_done(program->conf, conf);
    return exit_code;
}

static int daemon_with_heirloom(const struct fb_daemon_program *program,
                                const struct fb_daemon_args *args, char **argv)
{
    struct fb_daemon daemon = {.program = program, .config_path = args->config_path, .argv = argv};
    struct fb_diag diag = {0};
    int err = FB_OK;

    if (args->task == FB_DAEMON_RUN && program->succession != NULL) {
        (void)fb_buf_reserve(&daemon.words, FB_HANDOVER_WORDS_MAX); /* it leaves no copies */
        err = fb_heir_receive(&daemon.heir, &daemon.sockets, &daemon.words, &diag);
    }
    int exit_code = err < 0 ? daemon_usage(program, &diag) : daemon_with_config(&daemon, args);
    fb_sockets_done(&daemon.sockets);
    fb_daemon_wipe(&daemon.words);
    fb_heir_done(&daemon.heir);
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
        fb_buf_printf(&text, "%s %s (%s)\n", program->name, FB_VERSION, fb_tls_about());
        return daemon_print(&text);
    case FB_DAEMON_PRINT_REFERENCE:
        fb_conf_reference(program->conf, &text);
        return daemon_print(&text);
    case FB_DAEMON_RUN:
    case FB_DAEMON_CHECK:
    case FB_DAEMON_PRINT_CONFIG:
        break;
    }
    return daemon_with_heirloom(program, &args, argv);
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
