/* Starting the program anew, and giving way to it: the old process' part. */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/daemon/daemon_internal.h"
#include "base/json/json.h"
#include "base/loop/loop.h"
#include "base/server/exchange.h"

#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { READY_MS = 30000, TAKEN_MS = 10000 };

enum restart_state {
    RESTART_STARTING, /* the new process reads its configuration and sets up */
    RESTART_HOLDING,  /* what it has to know stands still */
    RESTART_GOING,    /* it begins */
    RESTART_GIVEN,
    RESTART_FAILED
};

static const struct fb_state restart_states[] = {
    [RESTART_STARTING] = {"starting", FB_TO(RESTART_HOLDING) | FB_TO(RESTART_FAILED)},
    [RESTART_HOLDING] = {"holding", FB_TO(RESTART_GOING) | FB_TO(RESTART_FAILED)},
    [RESTART_GOING] = {"going", FB_TO(RESTART_GIVEN) | FB_TO(RESTART_FAILED)},
    [RESTART_GIVEN] = {"given", 0},
    [RESTART_FAILED] = {"failed", 0},
};

struct fb_daemon_restart {
    struct fb_daemon *daemon;
    struct fb_machine machine;
    struct fb_handover *handover; /* owned, as all that follows */
    struct fb_sockets sockets;
    struct fb_buf words;
    struct fb_pool *pool;
    struct fb_work work;
    struct fb_op hold;
    struct fb_diag diag;          /* of the work */
    struct fb_exchange *exchange; /* to be answered; NULL: it came by signal */
    bool is_held;
};

void fb_daemon_restart_free(struct fb_daemon_restart *restart)
{
    if (restart == NULL) {
        return;
    }
    fb_pool_free(restart->pool);
    fb_sockets_done(&restart->sockets);
    fb_daemon_wipe(&restart->words);
    fb_handover_free(restart->handover);
    fb_free(restart);
}

bool fb_daemon_is_restarting(const struct fb_daemon *daemon)
{
    return daemon->restart != NULL && daemon->restart->machine.state != RESTART_GIVEN;
}

bool fb_daemon_has_heir(const struct fb_daemon *daemon)
{
    return daemon->restart != NULL && daemon->restart->machine.state == RESTART_GIVEN;
}

void fb_daemon_call_restart_off(struct fb_daemon *daemon)
{
    if (daemon->restart != NULL && daemon->restart->machine.state == RESTART_STARTING) {
        fb_handover_interrupt(daemon->restart->handover);
    }
}

void fb_daemon_restart_tell_quiet(struct fb_daemon *daemon)
{
    if (fb_daemon_has_heir(daemon)) {
        fb_handover_tell_quiet(daemon->restart->handover);
    }
}

void fb_daemon_restart_tell_free(struct fb_daemon *daemon)
{
    if (fb_daemon_has_heir(daemon)) {
        fb_handover_tell_free(daemon->restart->handover);
    }
}

/* ---- outcomes ------------------------------------------------------------ */

static void restart_fail(struct fb_daemon_restart *restart, int err)
{
    struct fb_daemon *daemon = restart->daemon;
    bool reloads = daemon->reloads_again && daemon->state == FB_DAEMON_READY;

    if (restart->diag.err == FB_OK) {
        (void)fb_diag_set(&restart->diag, err, "%s", fb_err_text(err));
    }
    FB_LOG(ERROR, "daemon", "not restarted, this process goes on",
           FB_LOG_TEXT("reason", restart->diag.text));
    fb_machine_move(&restart->machine, RESTART_FAILED);
    if (restart->handover != NULL) {
        fb_handover_kill(restart->handover);
    }
    if (restart->is_held) {
        daemon->program->succession->release(daemon->ctx);
    }
    if (restart->exchange != NULL) {
        fb_exchange_problem(restart->exchange, err == FB_E_DENIED ? 422 : 503, NULL,
                            restart->diag.text);
    }
    daemon->restart = NULL;
    fb_daemon_restart_free(restart);
    if (reloads) {
        daemon->reloads_again = false;
        fb_daemon_on_hangup(daemon, SIGHUP);
    }
    fb_daemon_end(daemon);
}

static void restart_answer(struct fb_exchange *exchange, pid_t pid)
{
    FB_AUTO(fb_json_freep) struct fb_json *answer = fb_json_new_object();

    fb_json_set_bool(answer, "restarted", true);
    fb_json_set_int(answer, "pid", pid);
    fb_daemon_answer(exchange, answer);
}

/* Signals that came meanwhile were meant for who serves. */
static void restart_succeed(struct fb_daemon_restart *restart)
{
    struct fb_daemon *daemon = restart->daemon;
    pid_t pid = fb_handover_pid(restart->handover);

    fb_machine_move(&restart->machine, RESTART_GIVEN);
    FB_LOG(INFO, "daemon", "a new process has taken over", FB_LOG_INT("pid", pid));
    (void)sd_notifyf(0, "MAINPID=%ld", (long)pid); /* without systemd there is nobody to tell */
    fb_sockets_done(&restart->sockets);
    fb_daemon_wipe(&restart->words);
    if (restart->exchange != NULL) {
        restart_answer(restart->exchange, pid);
    }
    if (daemon->reloads_again) {
        (void)kill(pid, SIGHUP);
    }
    if (daemon->state == FB_DAEMON_DRAINING) {
        (void)kill(pid, SIGTERM);
    }
    if (daemon->is_quiet) {
        fb_handover_tell_quiet(restart->handover);
    }
    if (daemon->is_drained) {
        fb_handover_tell_free(restart->handover);
    }
    fb_daemon_give_way(daemon);
}

/* ---- steps ----------------------------------------------------------------- */

static void restart_work(struct fb_daemon_restart *restart, int (*run)(struct fb_work *),
                         fb_op_done_fn *done)
{
    restart->work.run = run;
    fb_op_init(&restart->work.op, restart->daemon->loop, done);
    fb_work_start(restart->pool, &restart->work);
}

static int restart_run_go(struct fb_work *work)
{
    struct fb_daemon_restart *restart = FB_CONTAINER_OF(work, struct fb_daemon_restart, work);

    int err = fb_handover_go(restart->handover, TAKEN_MS, &restart->diag);
    if (err < 0) {
        fb_handover_kill(restart->handover);
    }
    return err;
}

static void restart_on_gone(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct fb_daemon_restart *restart = FB_CONTAINER_OF(work, struct fb_daemon_restart, work);

    if (op->result < 0) {
        restart_fail(restart, op->result);
    } else {
        restart_succeed(restart);
    }
}

static void restart_on_held(struct fb_op *op)
{
    struct fb_daemon_restart *restart = FB_CONTAINER_OF(op, struct fb_daemon_restart, hold);

    restart->is_held = op->result == FB_OK;
    if (op->result < 0 || restart->daemon->state != FB_DAEMON_READY) {
        restart_fail(restart, op->result < 0 ? op->result : FB_E_CANCELED);
        return;
    }
    fb_machine_move(&restart->machine, RESTART_GOING);
    restart_work(restart, restart_run_go, restart_on_gone);
}

static int restart_run_start(struct fb_work *work)
{
    struct fb_daemon_restart *restart = FB_CONTAINER_OF(work, struct fb_daemon_restart, work);

    const struct fb_handover_gift gift = {.sockets = &restart->sockets,
                                          .words = fb_buf_str(&restart->words)};

    int err = fb_handover_start(restart->handover, restart->daemon->argv, &gift, READY_MS,
                                &restart->diag);
    if (err < 0) {
        fb_handover_kill(restart->handover);
    }
    return err;
}

static void restart_on_ready(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct fb_daemon_restart *restart = FB_CONTAINER_OF(work, struct fb_daemon_restart, work);
    struct fb_daemon *daemon = restart->daemon;

    if (op->result < 0 || daemon->state != FB_DAEMON_READY) {
        restart_fail(restart, op->result < 0 ? op->result : FB_E_CANCELED);
        return;
    }
    fb_machine_move(&restart->machine, RESTART_HOLDING);
    fb_op_init(&restart->hold, daemon->loop, restart_on_held);
    daemon->program->succession->hold(daemon->ctx, &restart->hold);
}

/* ---- asked for ------------------------------------------------------------- */

static int restart_prepare(struct fb_daemon_restart *restart)
{
    struct fb_daemon *daemon = restart->daemon;

    int err = fb_handover_new(&restart->handover);
    if (err == FB_OK) {
        err = fb_pool_new("restart", 1, 1, &restart->pool);
    }
    if (err == FB_OK) {
        err = daemon->program->succession->share(daemon->ctx, &restart->sockets);
    }
    if (err == FB_OK && daemon->admin != NULL) {
        err = fb_daemon_admin_share(daemon->admin, &restart->sockets);
    }
    if (err == FB_OK && daemon->program->succession->tell != NULL) {
        (void)fb_buf_reserve(&restart->words, FB_HANDOVER_WORDS_MAX); /* it leaves no copies */
        daemon->program->succession->tell(daemon->ctx, &restart->words);
    }
    return err;
}

/* `exchange` is to be answered, or NULL. */
static void restart_begin(struct fb_daemon *daemon, struct fb_exchange *exchange)
{
    struct fb_daemon_restart *restart = FB_NEW(struct fb_daemon_restart);

    restart->daemon = daemon;
    restart->exchange = exchange;
    fb_machine_init(&restart->machine, restart_states, RESTART_STARTING);
    daemon->restart = restart;
    int err = restart_prepare(restart);
    if (err < 0) {
        restart_fail(restart, err);
        return;
    }
    FB_LOG(INFO, "daemon", "starting anew", FB_LOG_TEXT("program", daemon->argv[0]));
    restart_work(restart, restart_run_start, restart_on_ready);
}

/* Why it cannot be now, or NULL. */
static const char *restart_obstacle(const struct fb_daemon *daemon)
{
    if (daemon->state != FB_DAEMON_READY) {
        return "The program is starting or draining.";
    }
    if (daemon->reloading != NULL || daemon->restart != NULL) {
        return "Another reload or restart is under way.";
    }
    if (daemon->is_waiting) {
        return "The process before this one has not ended yet.";
    }
    if (getpid() == 1) {
        return "This is the first process of its system or container, which would end with it.";
    }
    return NULL;
}

void fb_daemon_on_restart(void *ctx, int signum)
{
    struct fb_daemon *daemon = ctx;
    const char *obstacle = restart_obstacle(daemon);

    (void)signum;
    if (obstacle != NULL) {
        FB_LOG(WARN, "daemon", "not restarted", FB_LOG_TEXT("reason", obstacle));
        return;
    }
    restart_begin(daemon, NULL);
}

void fb_daemon_admin_restart(void *ctx, struct fb_exchange *exchange)
{
    struct fb_daemon *daemon = ctx;
    const char *obstacle = restart_obstacle(daemon);

    if (obstacle != NULL) {
        fb_exchange_problem(exchange, 409, NULL, obstacle);
        return;
    }
    restart_begin(daemon, exchange);
}
