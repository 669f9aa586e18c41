#include "edge/store/sweeper.h"

#include "base/core/alloc.h"
#include "base/loop/timer.h"
#include "edge/store/store.h"

enum { SWEEPER_PAUSE_MS = 1 };

struct edge_sweeper {
    struct edge_store *store; /* borrowed */
    struct fb_timer timer;
    struct edge_store_sweep sweep;
    uint64_t n_freed; /* by the sweeps before */
    bool is_running;
};

static void sweeper_begin(struct edge_sweeper *sweeper)
{
    sweeper->n_freed += sweeper->sweep.n_freed;
    edge_store_sweep_init(sweeper->store, &sweeper->sweep);
    sweeper->is_running = true;
}

static void sweeper_on_time(struct fb_timer *timer)
{
    struct edge_sweeper *sweeper = FB_CONTAINER_OF(timer, struct edge_sweeper, timer);

    sweeper->is_running = edge_store_sweep_step(sweeper->store, &sweeper->sweep, NULL);
    if (sweeper->is_running) {
        fb_timer_set(&sweeper->timer, SWEEPER_PAUSE_MS);
    }
}

struct edge_sweeper *edge_sweeper_new(struct fb_loop *loop, struct edge_store *store)
{
    struct edge_sweeper *sweeper = FB_NEW(struct edge_sweeper);

    sweeper->store = store;
    fb_timer_init(&sweeper->timer, loop, sweeper_on_time);
    return sweeper;
}

void edge_sweeper_free(struct edge_sweeper *sweeper)
{
    if (sweeper != NULL) {
        fb_timer_clear(&sweeper->timer);
        fb_free(sweeper);
    }
}

void edge_sweeper_wake(struct edge_sweeper *sweeper)
{
    sweeper_begin(sweeper);
    fb_timer_set(&sweeper->timer, SWEEPER_PAUSE_MS);
}

struct edge_sweeper_status edge_sweeper_status(const struct edge_sweeper *sweeper)
{
    return (struct edge_sweeper_status){
        .is_running = sweeper->is_running,
        .epoch = sweeper->sweep.epoch,
        .n_freed = sweeper->n_freed + sweeper->sweep.n_freed,
    };
}
