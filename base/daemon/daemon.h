/*
 * Daemons: what every main() shares.
 *
 * A program describes itself in a table and hands it to fb_daemon_main(), which
 * reads the arguments and the configuration, opens the log, and runs the main
 * loop from start to stop:
 *
 *     arguments ─► configuration ─► start() ─► READY ─► … ─► SIGTERM ─► drain(op)
 *                                                            op done ─► stop() ─► exit
 *
 * `--config FILE`, `--check`, `--print-config`, `--print-reference`, `--log-level`,
 * `--log-format`, `--version` and `--help` are common to all programs. A second
 * SIGTERM or SIGINT while draining ends the process at once. SIGPIPE is ignored,
 * descriptors are raised to the hard limit, and systemd is told READY=1 and
 * STOPPING=1.
 *
 * A program may have commands beside: `PROGRAM NAME ...` runs the command's own main
 * and nothing of the above.
 *
 * A program with `reload` reads its configuration again on SIGHUP, and on POST /reload of
 * the admin address:
 *
 *     read and checked ─► reload(ctx, what) ─► op done: 200, and which keys need a restart
 *         └─ broken: nothing changes; logged, 422 with file:line:column
 *
 * One reload is under way at a time: a SIGHUP meanwhile is kept for later, a POST is answered
 * 409. systemd is told RELOADING=1 and READY=1.
 *
 * A program with `succession` is started anew by SIGUSR2, and by POST /restart: the new process, of
 * whatever program lies at that path by then, takes its listening sockets over (handover.h).
 *
 *     old   share ─►  …  ─► hold ─►  …  ─► drain: quiet ─► done ─► stop ─► exit
 *     new         start ─► ready ─► serve ─────────► READY ─► own
 *
 * If it cannot start, or is not ready within half a minute, the old process goes on: logged, 422
 * with the reason if that is the configuration, else 503. 200 when the new process serves.
 *
 * If the configuration names an admin address, an HTTP server on the main loop
 * gives /metrics, /healthz, /readyz (503 until ready and while draining),
 * /status, /reload and /restart, and the program's own routes beside them. /metrics has those of
 * the process too: memory, processor time, descriptors.
 *
 * Ownership  The daemon owns loop, metrics and configuration; all callbacks
 *            borrow them until `stop` has returned.
 * Threads    Every callback runs on the main thread.
 * Failures   Exit codes: 0 done (or checked), 1 could not start or broke,
 *            2 wrong arguments or configuration.
 */
#pragma once

#include "base/conf/conf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/log/log.h"
#include "base/loop/op.h"

#include <stdbool.h>
#include <stddef.h>

struct fb_buf;
struct fb_daemon;
struct fb_json;
struct fb_loop;
struct fb_metrics;
struct fb_route;
struct fb_sockets;
struct fb_tls_party;

enum { FB_EXIT_OK = 0, FB_EXIT_FAILED = 1, FB_EXIT_USAGE = 2 };

/* `PROGRAM NAME ...`, such as `forebay-edge replay`. */
struct fb_daemon_command {
    const char *name;
    const char *summary; /* one line for --help, a sentence */

    /* `argv[0]` is the name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

/* What a program does that a new process of it can take over from. All are called on the main
 * thread. */
struct fb_daemon_succession {
    /* Adds another descriptor of each listening socket to `sockets`. */
    int (*share)(void *ctx, struct fb_sockets *sockets);

    /* Appends what start() of the new process is to know, FB_HANDOVER_WORDS_MAX bytes at most:
     * secrets too, for it goes through no file. May be NULL. */
    void (*tell)(void *ctx, struct fb_buf *words);

    /* Begins `op`, and finishes it when nothing changes any more of what the new process reads
     * once it serves; after a failure nothing is held. release: the new process did not serve. */
    void (*hold)(void *ctx, struct fb_op *op);
    void (*release)(void *ctx);

    /* What start() prepared begins: until here no connection may be accepted, for the new process
     * may yet be turned down. */
    int (*serve)(void *ctx, struct fb_diag *diag);

    /* What only one process can have is free now: the one before, if there was one, has ended its
     * drain. */
    void (*own)(void *ctx);
};

/* One reading of the configuration, to be put into force. */
struct fb_daemon_reload {
    struct fb_op op;     /* finished on the main loop when all that comes later sees it */
    const void *conf;    /* in: checked; borrowed until then */
    struct fb_diag diag; /* out: why not, if it failed; then nothing has changed */
};

struct fb_daemon_program {
    const char *name;                   /* "forebay-edge" */
    const char *summary;                /* one line for --help */
    const struct fb_conf_section *conf; /* the root section */

    /* Checks beyond the tables, for --check too; what it blames is told with its place. May be
     * NULL. */
    int (*check)(const void *conf, struct fb_diag *diag);

    /* Where the admin server listens, or an empty string for none. May be NULL. */
    struct fb_str (*admin_address)(const void *conf);

    /* What the admin server is secured with (base/net/tls_stream.h), borrowed until `stop`; asked
     * for after `start`. NULL, or may give NULL: plain HTTP. */
    struct fb_tls_party *(*admin_tls)(void *ctx);

    /* Sets the program up on the main loop; *ret_ctx goes to all that follows.
     * On failure nothing may be left. */
    int (*start)(struct fb_daemon *daemon, void **ret_ctx, struct fb_diag *diag);

    /* Stops taking work, lets what is under way end and closes all that is on a
     * loop: begins `op`, and finishes it then. May be NULL. */
    void (*drain)(void *ctx, struct fb_op *op);

    /* Frees all. The loop does not turn any more. */
    void (*stop)(void *ctx);

    /* Begins reload->op, and takes of reload->conf the keys that are live (see base/conf). What
     * fb_daemon_conf() gave stays as it is. A drain that comes meanwhile finishes it first.
     * NULL: SIGHUP ends the program. */
    void (*reload)(void *ctx, struct fb_daemon_reload *reload);

    const struct fb_daemon_succession *succession; /* NULL: SIGUSR2 ends the program */

    /* Opens logs of its own again, since their files may have been renamed: before each reload,
     * also of a broken configuration. May be NULL. */
    void (*reopen_logs)(void *ctx);

    /* False while what was started is not up to its work yet: /readyz waits for it. May be
     * NULL. */
    bool (*is_ready)(void *ctx);

    /* Adds members to /status, beside version, state and uptime_s. May be NULL. */
    void (*status)(void *ctx, struct fb_json *status);

    /* Further routes of the admin server; their handlers get the ctx. */
    const struct fb_route *routes;
    size_t n_routes;

    const struct fb_daemon_command *commands;
    size_t n_commands;
};

/* Returns the exit code. */
int fb_daemon_main(int argc, char **argv, const struct fb_daemon_program *program);

/* For start() and what it sets up. */
struct fb_loop *fb_daemon_loop(const struct fb_daemon *daemon);
struct fb_metrics *fb_daemon_metrics(const struct fb_daemon *daemon);
const void *fb_daemon_conf(const struct fb_daemon *daemon);

/* For start(): the sockets that listen already, to be taken from. What is left is closed after it.
 */
struct fb_sockets *fb_daemon_sockets(struct fb_daemon *daemon);

/* For start(): what the process before told, empty if there was none. */
struct fb_str fb_daemon_words(const struct fb_daemon *daemon);

/* True if another process serves until this one does. */
bool fb_daemon_is_heir(const struct fb_daemon *daemon);

/* True if it drains for another process has taken over. */
bool fb_daemon_has_heir(const struct fb_daemon *daemon);

/* A program that drains says that it begins nothing any more. */
void fb_daemon_tell_quiet(struct fb_daemon *daemon);

/* Begins the drain as SIGTERM does, for a program that is done or broken; the
 * exit code becomes `exit_code`. Main thread only. */
void fb_daemon_quit(struct fb_daemon *daemon, int exit_code);
