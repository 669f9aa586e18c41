/*
 * Loops: one event loop per thread, on libuv.
 *
 * A turn of the loop polls the kernel, then runs what became ready: mail from
 * other threads, expired timers, finished operations, each in the order in
 * which it came. Operations that finish while others run wait for the next
 * batch, and batches per turn are bounded, so a chain of immediate completions
 * cannot starve sockets.
 *
 * Ownership  The caller owns the loop and frees it after all that uses it.
 * Threads    A loop belongs to the thread that runs it (until then, to the one
 *            that made it). Only fb_loop_post() and fb_loop_stop() may be
 *            called from elsewhere.
 * Failures   -ENOMEM and the like from libuv when a loop is made.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/list.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_clock;
struct fb_loop;

/* Mail: a call to make on a loop's own thread. Embed it in what it is about. */
struct fb_post {
    void (*run)(struct fb_post *post); /* on the loop; may free the post */

    /* Private to base/loop. */
    struct fb_list link;
};

/* `clock` (borrowed) is where the loop's timers read the time. The process
 * ignores SIGPIPE from here on, so that writing to a lost connection is an
 * error like any other. */
FB_MUST_CHECK int fb_loop_new(const struct fb_clock *clock, struct fb_loop **ret_loop);

/* Requires that no operation, timer or stream of it is left; a stream whose
 * close was begun counts as gone. Accepts NULL. */
void fb_loop_free(struct fb_loop *loop);

/* Runs until fb_loop_stop(); the calling thread becomes the loop's own. */
void fb_loop_run(struct fb_loop *loop);

/* Ends fb_loop_run() after the current turn, or as soon as it begins. Any
 * thread, any number of times. */
void fb_loop_stop(struct fb_loop *loop);

/* One turn that does not wait for events; for tests and for draining. The
 * calling thread becomes the loop's own, as in fb_loop_run(). */
void fb_loop_turn(struct fb_loop *loop);

/* One turn that waits for an event; for tests that talk to other threads. */
void fb_loop_turn_waiting(struct fb_loop *loop);

/* Monotonic milliseconds, read once per turn. */
uint64_t fb_loop_now_ms(const struct fb_loop *loop);

const struct fb_clock *fb_loop_clock(const struct fb_loop *loop);

/* Hands `post` over; its `run` is called once, on the loop, in order of
 * arrival. It must not be posted again before it runs. Any thread. */
void fb_loop_post(struct fb_loop *loop, struct fb_post *post);

/* True on the loop's own thread. */
bool fb_loop_is_mine(const struct fb_loop *loop);

/* Calls `caught` on the loop for every `signum` that the process receives.
 * Stays in force until the loop is freed; at most four per loop. */
FB_MUST_CHECK int fb_loop_on_signal(struct fb_loop *loop, int signum,
                                    void (*caught)(void *ctx, int signum), void *ctx);

/* ---- for base/net alone -------------------------------------------------- */

/* libuv's loop. */
struct uv_loop_s;
struct uv_loop_s *fb_loop_uv(struct fb_loop *loop);

/* Reads the time again: in a callback of libuv's, which may come after a long
 * wait, before calling anything that could set a timer. */
void fb_loop_read_clock(struct fb_loop *loop);

/* One thing kept with the loop; `release` runs first when the loop is freed. */
void fb_loop_keep(struct fb_loop *loop, void *kept, void (*release)(struct fb_loop *loop));
void *fb_loop_kept(const struct fb_loop *loop);
