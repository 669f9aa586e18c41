/*
 * What the files of base/daemon share.
 */
#pragma once

#include "base/core/buf.h"
#include "base/daemon/daemon.h"
#include "base/daemon/handover.h"
#include "base/loop/work.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_daemon_restart;
struct fb_exchange;
struct fb_request_head;

/* ---- arguments: args.c ------------------------------------------------------ */

enum fb_daemon_task {
    FB_DAEMON_RUN,
    FB_DAEMON_CHECK,
    FB_DAEMON_PRINT_CONFIG,
    FB_DAEMON_PRINT_REFERENCE,
    FB_DAEMON_VERSION,
    FB_DAEMON_HELP
};

struct fb_daemon_args {
    enum fb_daemon_task task;
    const char *config_path; /* borrowed from argv; NULL if not given */
    enum fb_log_level log_level;
    enum fb_log_format log_format;
};

FB_MUST_CHECK int fb_daemon_args_parse(int argc, char **argv, struct fb_daemon_args *ret_args,
                                       struct fb_diag *diag);

/* Appends the manual page that --help shows. */
void fb_daemon_args_help(const struct fb_daemon_program *program, struct fb_buf *buf);

/* Reads the configuration into `conf`, and checks also what the tables cannot see; `probes` as in
 * base/conf. */
FB_MUST_CHECK int fb_daemon_load(const struct fb_daemon_program *program, const char *path,
                                 bool probes, void *conf, struct fb_diag *diag);

/* ---- the running program: daemon.c ------------------------------------------ */

enum fb_daemon_state { FB_DAEMON_STARTING, FB_DAEMON_READY, FB_DAEMON_DRAINING };

struct fb_daemon {
    const struct fb_daemon_program *program; /* borrowed */
    void *conf;                              /* owned */
    struct fb_loop *loop;                    /* owned */
    struct fb_metrics *metrics;              /* owned */
    struct fb_daemon_admin *admin;           /* owned; NULL without an admin address */
    void *ctx;                               /* the program's, from start to stop */
    enum fb_daemon_state state;
    uint64_t started_ms; /* monotonic */
    int exit_code;
    struct fb_op drain;
    struct fb_op admin_drain;
    bool was_told; /* to end, by a signal */
    bool is_drained;
    bool is_admin_draining;
    bool is_admin_drained;

    char **argv;                       /* borrowed */
    struct fb_daemon_restart *restart; /* owned; under way, or given way to */
    bool is_quiet;                     /* nothing begins any more */
    struct fb_heir heir;
    struct fb_sockets sockets; /* of the heir */
    struct fb_buf words;       /* of the heir, as long as it starts */
    struct fb_pool *heir_pool; /* owned; NULL: nothing is waited for */
    struct fb_work heir_work;
    bool is_waiting; /* for the process before */

    const char *config_path;             /* borrowed */
    struct fb_daemon_reload reload;      /* under way while `reloading` is set */
    void *reloading;                     /* owned: the configuration of `reload` */
    struct fb_exchange *reload_exchange; /* to be answered; NULL: it came by signal */
    bool reloads_again;                  /* a signal came meanwhile */
};

/* The loop stops when nothing is left that ends. */
void fb_daemon_end(struct fb_daemon *daemon);

/* Begins the drain for there is a process that has taken over. */
void fb_daemon_give_way(struct fb_daemon *daemon);

/* ---- starting anew: restart.c -------------------------------------------------- */

void fb_daemon_on_restart(void *ctx, int signum);

/* POST /restart. */
void fb_daemon_admin_restart(void *ctx, struct fb_exchange *exchange);

/* True while it is not decided yet. */
bool fb_daemon_is_restarting(const struct fb_daemon *daemon);

/* For a drain that another cause began: it is called off if that can be. */
void fb_daemon_call_restart_off(struct fb_daemon *daemon);

void fb_daemon_restart_tell_quiet(struct fb_daemon *daemon);
void fb_daemon_restart_tell_free(struct fb_daemon *daemon);

/* Accepts NULL. */
void fb_daemon_restart_free(struct fb_daemon_restart *restart);

/* Empties what may hold secrets, and leaves no trace of them. */
void fb_daemon_wipe(struct fb_buf *words);

/* ---- taking over: heir.c ---------------------------------------------------------- */

/* From what was set up to what serves, in agreement with the process before, if there is one. */
FB_MUST_CHECK int fb_daemon_begin(struct fb_daemon *daemon, struct fb_diag *diag);

/* Waits no longer for the process before. */
void fb_daemon_stop_waiting(struct fb_daemon *daemon);

/* ---- reading the configuration again: reload.c -------------------------------- */

/* Answers 200. */
void fb_daemon_answer(struct fb_exchange *exchange, const struct fb_json *answer);

/* What a signal asks for. */
void fb_daemon_on_hangup(void *ctx, int signum);

/* POST /reload. */
void fb_daemon_admin_reload(void *ctx, struct fb_exchange *exchange);

/* ---- the admin address: admin.c ----------------------------------------------- */

FB_MUST_CHECK int fb_daemon_admin_open(struct fb_daemon *daemon, struct fb_str address,
                                       struct fb_daemon_admin **ret_admin, struct fb_diag *diag);

/* Adds another descriptor of its listening socket. */
FB_MUST_CHECK int fb_daemon_admin_share(const struct fb_daemon_admin *admin,
                                        struct fb_sockets *sockets);

/* Finishes `op` when no connection is left. */
void fb_daemon_admin_drain(struct fb_daemon_admin *admin, struct fb_op *op);

/* Accepts NULL. */
void fb_daemon_admin_free(struct fb_daemon_admin *admin);

/* ---- whose orders are taken: foreign.c ------------------------------------------ */

/* True if a page that is not of the admin address may have an operator's browser send this: the
 * address may be out of everybody's reach but that browser's. What only reads is never foreign,
 * nor is what no browser sent. Requires a host that fb_host_is_valid(), or none. */
bool fb_daemon_is_foreign(const struct fb_request_head *request);

/* ---- the process itself: process.c ---------------------------------------------- */

/* Adds the metrics of the process, fresh at each rendering. */
void fb_daemon_process_metrics(struct fb_metrics *metrics);
