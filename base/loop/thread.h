/*
 * Threads that run a loop each.
 *
 * Ownership  The caller owns the loops; a thread borrows one from start to
 *            join.
 */
#pragma once

#include "base/core/attr.h"

struct fb_loop;
struct fb_thread;

/* Starts a thread named `name` (at most 15 bytes) that runs `loop`. */
FB_MUST_CHECK int fb_thread_start(const char *name, struct fb_loop *loop,
                                  struct fb_thread **ret_thread);

/* Starts a thread that runs `body(ctx)` once. */
FB_MUST_CHECK int fb_thread_start_body(const char *name, void (*body)(void *ctx), void *ctx,
                                       struct fb_thread **ret_thread);

/* Waits until the thread has ended (after fb_loop_stop()) and frees it. */
void fb_thread_join(struct fb_thread *thread);
