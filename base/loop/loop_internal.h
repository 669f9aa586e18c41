/*
 * What the files of base/loop share of a loop.
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"

#include <uv.h>

#include <pthread.h>

struct fb_op;
struct fb_timer;

enum { LOOP_MAX_SIGNALS = 4 };

struct loop_signal {
    uv_signal_t handle;
    void (*caught)(void *ctx, int signum);
    void *ctx;
};

struct fb_loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* before polling: timers and what they finished */
    uv_check_t check;     /* after polling: what the events finished */
    uv_idle_t idle;       /* active while finished operations are left over */
    uv_async_t async;     /* mail has come */
    uv_timer_t alarm;     /* the earliest timer */
    struct loop_signal signals[LOOP_MAX_SIGNALS];
    unsigned n_signals;

    const struct fb_clock *clock;
    uint64_t now_ms;
    uint64_t steady_ms; /* the time of timers */
    pthread_t owner;
    struct fb_list ready;   /* of struct fb_op, finished */
    struct fb_list flushes; /* of struct fb_flush, to run before polling */
    size_t n_ops;           /* begun, and `done` not yet entered */

    struct fb_timer **heap; /* owned; 1-based */
    size_t n_timers;
    size_t max_timers;
    uint64_t alarm_ms; /* when `alarm` rings; UINT64_MAX: not set */

    pthread_mutex_t mail_lock;
    struct fb_list mail; /* of struct fb_post, under mail_lock */
    struct fb_post stop; /* the mail of fb_loop_stop() */
    bool is_stop_posted; /* under mail_lock */

    void *kept; /* base/net's */
    void (*release_kept)(struct fb_loop *loop);
};

/* Queues a finished operation. */
void fb_loop_ready(struct fb_loop *loop, struct fb_op *op);

/* Runs every timer that is due. */
void fb_loop_run_timers(struct fb_loop *loop);

/* Runs every flush that was asked for. */
void fb_loop_run_flushes(struct fb_loop *loop);

/* Sets the alarm to the earliest timer; the last thing before polling. */
void fb_loop_set_alarm(struct fb_loop *loop);

/* The alarm rang: on_check() sees to the timers. */
void fb_loop_on_alarm(uv_timer_t *alarm);
