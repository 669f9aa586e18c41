#include "base/loop/timer.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/loop/loop_internal.h"

/*
 * A binary heap ordered by heap_ms. A timer that moves to a later deadline
 * stays where it is and is put in its new place when its old time comes.
 */

static void heap_place(struct fb_loop *loop, size_t place, struct fb_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_up(struct fb_loop *loop, struct fb_timer *timer)
{
    size_t at = timer->place;

    while (at > 1 && loop->heap[at / 2]->heap_ms > timer->heap_ms) {
        heap_place(loop, at, loop->heap[at / 2]);
        at /= 2;
    }
    heap_place(loop, at, timer);
}

static void heap_down(struct fb_loop *loop, struct fb_timer *timer)
{
    size_t at = timer->place;

    while (at * 2 <= loop->n_timers) {
        size_t child = at * 2;
        if (child < loop->n_timers && loop->heap[child + 1]->heap_ms < loop->heap[child]->heap_ms) {
            child++;
        }
        if (loop->heap[child]->heap_ms >= timer->heap_ms) {
            break;
        }
        heap_place(loop, at, loop->heap[child]);
        at = child;
    }
    heap_place(loop, at, timer);
}

static void heap_remove(struct fb_loop *loop, struct fb_timer *timer)
{
    struct fb_timer *last = loop->heap[loop->n_timers--];

    if (last != timer) {
        heap_place(loop, timer->place, last);
        heap_up(loop, last);
        heap_down(loop, last);
    }
    timer->place = 0;
}

void fb_timer_init(struct fb_timer *timer, struct fb_loop *loop,
                   void (*expired)(struct fb_timer *timer))
{
    *timer = (struct fb_timer){.expired = expired, .loop = loop};
}

bool fb_timer_is_set(const struct fb_timer *timer)
{
    return timer->place != 0;
}

void fb_timer_set(struct fb_timer *timer, uint64_t delay_ms)
{
    struct fb_loop *loop = timer->loop;

    timer->deadline_ms = loop->steady_ms + delay_ms;
    if (timer->place != 0) {
        if (timer->deadline_ms < timer->heap_ms) {
            timer->heap_ms = timer->deadline_ms;
            heap_up(loop, timer);
        }
        return;
    }
    if (loop->n_timers + 1 >= loop->max_timers) {
        loop->max_timers = loop->max_timers == 0 ? 64 : loop->max_timers * 2;
        loop->heap = fb_realloc(loop->heap, loop->max_timers * sizeof(struct fb_timer *));
    }
    timer->heap_ms = timer->deadline_ms;
    heap_place(loop, ++loop->n_timers, timer);
    heap_up(loop, timer);
}

void fb_timer_clear(struct fb_timer *timer)
{
    if (timer->place != 0) {
        heap_remove(timer->loop, timer);
    }
}

void fb_loop_set_alarm(struct fb_loop *loop)
{
    uint64_t next_ms = loop->n_timers == 0 ? UINT64_MAX : loop->heap[1]->heap_ms;

    if (next_ms == loop->alarm_ms) {
        return;
    }
    loop->alarm_ms = next_ms;
    if (next_ms == UINT64_MAX) {
        (void)uv_timer_stop(&loop->alarm);
        return;
    }
    /* libuv counts from its own reading of the clock, ours may be fake. */
    uint64_t delay_ms = next_ms > loop->steady_ms ? next_ms - loop->steady_ms : 0;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->alarm, fb_loop_on_alarm, delay_ms, 0);
}

void fb_loop_run_timers(struct fb_loop *loop)
{
    /* Bounded, for a timer that sets itself to no delay. */
    for (size_t n = loop->n_timers; n > 0 && loop->n_timers > 0; n--) {
        struct fb_timer *timer = loop->heap[1];
        if (timer->heap_ms > loop->steady_ms) {
            break;
        }
        if (timer->deadline_ms > loop->steady_ms) {
            timer->heap_ms = timer->deadline_ms;
            heap_down(loop, timer);
            continue;
        }
        heap_remove(loop, timer);
        timer->expired(timer); /* may free the timer */
    }
}
