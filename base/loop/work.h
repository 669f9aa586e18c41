/*
 * Work: blocking calls on a pool of threads, finished as operations.
 *
 * Files, SQLite, password hashing and everything else that can hold a thread
 * goes here. Programs make one pool for what is quick (a small read, a look-up)
 * and one for what is slow (a scan, a transcode), so that the slow never makes
 * the quick wait.
 *
 *     loop ── fb_work_start ──► queue ──► thread: run() ── post ──► loop: done
 *
 * Work may be for a client. The first that one has waiting, and what is nobody's, go in turn with
 * what clients have waiting besides: nobody waits for all of another's crowd.
 *
 * Ownership  The caller owns the struct fb_work until `done` is entered.
 * Threads    fb_work_start() on the operation's loop; `run` on a pool thread.
 * Limits     At most `max_queued` wait, half of it for one client; more finish with
 *            FB_E_BUSY. Clients whose numbers end alike (10 bits) count as one.
 * Failures   FB_E_BUSY; FB_E_CANCELED while still queued; else what `run`
 *            returned.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"

struct fb_pool;

struct fb_work {
    struct fb_op op;
    int (*run)(struct fb_work *work); /* in: what to do, off the loop */
    uint64_t client;                  /* in: a number, random for others; 0: nobody's */

    /* Private to base/loop. */
    struct fb_pool *pool;
    struct fb_list link;
    struct fb_post post;
    int outcome;
    bool is_queued;
};

FB_MUST_CHECK int fb_pool_new(const char *name, unsigned n_threads, unsigned max_queued,
                              struct fb_pool **ret_pool);

/* Its threads give way to loops: where both want a core, the loop has three quarters of it, and has
 * it at once when it wakes. For work that comes in bursts, such as handshakes. Called before the
 * first work. */
void fb_pool_give_way(struct fb_pool *pool);

/* Waits for running work, whose `done` must have been awaited before. */
void fb_pool_free(struct fb_pool *pool);

/* Starts `work`, whose op was set up with fb_op_init() and `run` assigned. */
void fb_work_start(struct fb_pool *pool, struct fb_work *work);

/* How many wait now, for metrics. Any thread. */
unsigned fb_pool_queued(struct fb_pool *pool);
