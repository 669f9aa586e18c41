#include "origin/node/rounds.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/loop/work.h"
#include "base/metrics/metrics.h"

#include <stdbool.h>

enum { MS_PER_S = 1000 };

enum rounds_metric { METRIC_SECONDS, METRIC_FAILED, METRIC_LAST, METRIC_RUNS };

static const struct fb_metric rows[] = {
    [METRIC_SECONDS] = {"origin_round_seconds", FB_METRIC_HISTOGRAM, NULL,
                        "What a run took, also one that failed."},
    [METRIC_FAILED] = {"origin_round_failures_total", FB_METRIC_COUNTER, NULL,
                       "Runs that failed, and those that the pool had no room for."},
    [METRIC_LAST] = {"origin_round_last_success_seconds", FB_METRIC_GAUGE, NULL,
                     "When a run last ended well, in Unix time; 0 before."},
    [METRIC_RUNS] = {"origin_round_runs_total", FB_METRIC_COUNTER, NULL, "Runs that ended."},
};

/* One round and the run of it. */
struct turn {
    struct origin_rounds *rounds;
    struct origin_round round;
    struct fb_metrics_table *metrics; /* NULL: nobody counts */
    struct fb_timer timer;
    struct fb_work work;
    uint64_t started_ns;
};

struct origin_rounds {
    struct origin_rounds_options options;
    size_t n;
    size_t n_running;
    bool has_started;
    bool is_stopping;
    struct fb_op *stop; /* whoever waits for the end, or NULL */
    struct turn turns[ORIGIN_ROUNDS_MAX];
};

static uint64_t turn_age_ns(const struct turn *turn)
{
    return fb_clock_mono_ns(fb_loop_clock(turn->rounds->options.loop)) - turn->started_ns;
}

static void turn_count(const struct turn *turn, int result)
{
    const struct fb_clock *clock = fb_loop_clock(turn->rounds->options.loop);

    if (turn->metrics == NULL) {
        return;
    }
    fb_metrics_add(turn->metrics, METRIC_RUNS, 1);
    fb_metrics_observe_ns(turn->metrics, METRIC_SECONDS, turn_age_ns(turn));
    if (result < 0) {
        fb_metrics_add(turn->metrics, METRIC_FAILED, 1);
    } else {
        fb_metrics_set(turn->metrics, METRIC_LAST, (uint64_t)(fb_clock_wall_ms(clock) / MS_PER_S));
    }
}

static void rounds_settle(struct origin_rounds *rounds)
{
    struct fb_op *stop = rounds->stop;

    if (stop != NULL && rounds->n_running == 0) {
        rounds->stop = NULL;
        fb_op_finish(stop, FB_OK);
    }
}

static int turn_run(struct fb_work *work)
{
    struct turn *turn = FB_CONTAINER_OF(work, struct turn, work);

    return turn->round.run(turn->round.ctx);
}

static void turn_start(struct turn *turn)
{
    turn->started_ns = fb_clock_mono_ns(fb_loop_clock(turn->rounds->options.loop));
    turn->rounds->n_running++;
    fb_work_start(turn->rounds->options.pool, &turn->work);
}

static void turn_on_timer(struct fb_timer *timer)
{
    turn_start(FB_CONTAINER_OF(timer, struct turn, timer));
}

static void turn_on_ran(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct turn *turn = FB_CONTAINER_OF(work, struct turn, work);
    struct origin_rounds *rounds = turn->rounds;
    uint64_t age_ms = turn_age_ns(turn) / FB_NS_PER_MS;

    rounds->n_running--;
    if (rounds->is_stopping) {
        rounds_settle(rounds);
        return;
    }
    turn_count(turn, op->result);
    if (op->result < 0) {
        FB_LOG(WARN, "origin", "a round failed, it is tried again in its time",
               FB_LOG_TEXT("round", turn->round.name),
               FB_LOG_TEXT("cause", fb_err_text(op->result)));
    }
    fb_timer_set(&turn->timer, age_ms < turn->round.period_ms ? turn->round.period_ms - age_ms : 1);
}

struct origin_rounds *origin_rounds_new(const struct origin_rounds_options *options)
{
    struct origin_rounds *rounds = FB_NEW(struct origin_rounds);

    rounds->options = *options;
    return rounds;
}

void origin_rounds_add(struct origin_rounds *rounds, const struct origin_round *round)
{
    FB_REQUIRE(!rounds->has_started && rounds->n < ORIGIN_ROUNDS_MAX && round->period_ms > 0);
    struct turn *turn = &rounds->turns[rounds->n++];

    turn->rounds = rounds;
    turn->round = *round;
    turn->work.run = turn_run;
    fb_op_init(&turn->work.op, rounds->options.loop, turn_on_ran);
    fb_timer_init(&turn->timer, rounds->options.loop, turn_on_timer);
    if (rounds->options.metrics != NULL) {
        FB_AUTO(fb_buf_done) struct fb_buf label = {0};
        fb_metrics_label(&label, "round", fb_str_from(round->name));
        turn->metrics =
            fb_metrics_table_new(rounds->options.metrics, rows, FB_ARRAY_LEN(rows), label.ptr);
    }
}

void origin_rounds_start(struct origin_rounds *rounds)
{
    FB_REQUIRE(!rounds->has_started && !rounds->is_stopping);
    rounds->has_started = true;
    for (size_t i = 0; i < rounds->n; i++) {
        turn_start(&rounds->turns[i]);
    }
}

void origin_rounds_stop(struct origin_rounds *rounds, struct fb_op *op)
{
    FB_REQUIRE(!rounds->is_stopping);
    rounds->is_stopping = true;
    rounds->stop = op;
    fb_op_begin(op, NULL);
    for (size_t i = 0; i < rounds->n; i++) {
        fb_timer_clear(&rounds->turns[i].timer);
        fb_op_cancel(&rounds->turns[i].work.op); /* while it waits for a thread */
    }
    rounds_settle(rounds);
}

void origin_rounds_free(struct origin_rounds *rounds)
{
    if (rounds == NULL) {
        return;
    }
    FB_REQUIRE(!rounds->has_started || (rounds->is_stopping && rounds->n_running == 0));
    fb_free(rounds);
}
