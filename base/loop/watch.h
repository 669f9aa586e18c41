/*
 * Watches and flushes: for what talks to the kernel by its own means.
 *
 * A watch calls back whenever a descriptor can be read. A flush is a call made
 * once, just before the loop polls next: what gathers requests during a turn
 * hands them to the kernel there, all in one system call.
 *
 * Ownership  A watch is freed before its loop and before its descriptor is
 *            closed. A flush is a node in whatever gathers.
 * Threads    The loop's own.
 * Failures   What epoll says of a descriptor that cannot be watched (-EPERM
 *            for a plain file).
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/list.h"

struct fb_loop;
struct fb_watch;

/* Calls `readable` on the loop for as long as `fd` (borrowed) has something to
 * read; it is made non-blocking. */
FB_MUST_CHECK int fb_watch_new(struct fb_loop *loop, int fd, void (*readable)(void *ctx), void *ctx,
                               struct fb_watch **ret_watch);

/* No call comes any more, also from within one. Accepts NULL. */
void fb_watch_free(struct fb_watch *watch);

struct fb_flush {
    /* Runs once per fb_flush_soon(); asked for again from within, it runs
     * before the loop polls the time after. */
    void (*run)(struct fb_flush *flush);

    /* Private to base/loop. */
    struct fb_list link;
};

void fb_flush_init(struct fb_flush *flush, void (*run)(struct fb_flush *flush));

/* Asks for a run before the loop polls next; asking twice is asking once. */
void fb_flush_soon(struct fb_flush *flush, struct fb_loop *loop);

/* Not run any more. Required before the memory goes. Safe if not asked for. */
void fb_flush_clear(struct fb_flush *flush);
