/*
 * Timers: deadlines on a loop.
 *
 * A timer is a node inside whatever waits; setting it again to a later time
 * costs nothing, so an idle timeout may be moved on every byte. There is one
 * libuv timer per loop, however many of these.
 *
 * Threads    The loop's own.
 * Precision  A millisecond, never early.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_loop;

struct fb_timer {
    /* Runs on the loop once per fb_timer_set(); may set or free the timer. */
    void (*expired)(struct fb_timer *timer);

    /* Private to base/loop. */
    struct fb_loop *loop;
    uint64_t deadline_ms; /* when it is due */
    uint64_t heap_ms;     /* where it stands in the heap; ≤ deadline_ms */
    size_t place;         /* 1-based place in the heap, 0: not set */
};

void fb_timer_init(struct fb_timer *timer, struct fb_loop *loop,
                   void (*expired)(struct fb_timer *timer));

/* Due in `delay_ms` from now; replaces an earlier setting. */
void fb_timer_set(struct fb_timer *timer, uint64_t delay_ms);

/* Not due any more. Required before the memory goes. Safe if not set. */
void fb_timer_clear(struct fb_timer *timer);

bool fb_timer_is_set(const struct fb_timer *timer);
