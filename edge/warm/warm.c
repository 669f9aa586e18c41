#include "edge/warm/warm.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/jose/jose.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/volume/volumes.h"
#include "edge/warm/warm_internal.h"

#include <string.h>

enum { WARM_TICK_MS = 1000, WARM_SAVE_MS = 60000, WARM_QUEUE = 8, WARM_PERCENT = 100 };

/* Clients want the line from `demand` on, until they want 90 % of it. */
enum { WARM_CALM_PERCENT = 90 };

/* Months have no more than that. */
static const int64_t warm_month_ms = INT64_C(31) * 24 * 3600 * 1000;

static const struct fb_metric warm_rows[WARM_N_ROWS] = {
    [WARM_ROW_FILLED] = {"edge_warm_filled_total", FB_METRIC_COUNTER, NULL,
                         "Objects that were filled by the plan, and are what it says."},
    [WARM_ROW_FILLED_BYTES] = {"edge_warm_filled_bytes_total", FB_METRIC_COUNTER, NULL,
                               "Bytes of them."},
    [WARM_ROW_JOINED] = {"edge_warm_joined_total", FB_METRIC_COUNTER, NULL,
                         "Entries of the plan that a client had begun to fetch already."},
    [WARM_ROW_WRONG] = {"edge_warm_wrong_total", FB_METRIC_COUNTER, NULL,
                        "Objects that are not what the plan says; none of them was kept."},
    [WARM_ROW_REFUSED] = {"edge_warm_refused_total", FB_METRIC_COUNTER, NULL,
                          "Entries of the plan whose answer may not be kept, or is an error."},
    [WARM_ROW_FAILED] = {"edge_warm_failed_total", FB_METRIC_COUNTER, NULL,
                         "Entries of the plan that no regional node gave; they are asked for "
                         "again."},
    [WARM_ROW_PLANS] = {"edge_warm_plans_total", FB_METRIC_COUNTER, NULL,
                        "Plans that came into force."},
    [WARM_ROW_PLANS_REFUSED] = {"edge_warm_plans_refused_total", FB_METRIC_COUNTER, NULL,
                                "Looks at a plan that was not to be taken: not signed by a known "
                                "key, another region's, older than the last, or damaged."},
    [WARM_ROW_SERIAL] = {"edge_warm_plan_serial", FB_METRIC_GAUGE, NULL,
                         "Serial of the plan in force; 0: none."},
    [WARM_ROW_ENTRIES] = {"edge_warm_plan_entries", FB_METRIC_GAUGE, NULL,
                          "Entries of it that fit in `warm.storage`."},
    [WARM_ROW_YIELD] = {"edge_warm_yield_percent", FB_METRIC_GAUGE, NULL,
                        "Bytes served of what was filled, in percent of the bytes filled, over "
                        "`warm.yield_span`."},
    [WARM_ROW_STOPPED] = {"edge_warm_stopped", FB_METRIC_GAUGE, NULL,
                          "1 while nothing is filled because the yield was below "
                          "`warm.least_yield`."},
    [WARM_ROW_FILLS] = {"edge_warm_fills", FB_METRIC_GAUGE, NULL, "Objects on their way."},
};

static const char *const phase_names[WARM_N_PHASES] = {
    [WARM_NO_PLAN] = "no-plan", [WARM_STARTING] = "starting", [WARM_EXPIRED] = "expired",
    [WARM_DONE] = "done",       [WARM_STOPPED] = "stopped",   [WARM_AWAY] = "upstream",
    [WARM_WINDOW] = "window",   [WARM_DEMAND] = "demand",     [WARM_GUARD] = "guard",
    [WARM_FILLING] = "filling",
};

const char *edge_warm_phase_name(enum warm_phase phase)
{
    return phase_names[phase];
}

void edge_warm_count(struct edge_warm *warm, enum warm_row row, uint64_t n)
{
    fb_metrics_add(warm->metrics, row, n);
}

int64_t edge_warm_mono_ms(const struct edge_warm *warm)
{
    return (int64_t)fb_clock_mono_ms(fb_loop_clock(warm->options.loop));
}

int64_t edge_warm_wall_ms(const struct edge_warm *warm)
{
    return fb_clock_wall_ms(fb_loop_clock(warm->options.loop));
}

/* ---- what outlives the process ------------------------------------------------ */

static int warm_run_save(struct fb_work *work)
{
    struct edge_warm *warm = FB_CONTAINER_OF(work, struct edge_warm, save);

    return edge_warm_state_store(warm->state, &warm->change);
}

static void warm_save(struct edge_warm *warm);

static void warm_put_in_force(struct edge_warm *warm)
{
    fb_plan_free(warm->plan);
    warm->plan = warm->news;
    warm->news = NULL;
    edge_filler_restart(warm);
    edge_warm_count(warm, WARM_ROW_PLANS, 1);
    FB_LOG(INFO, "warm", "a plan is in force", FB_LOG_TEXT("region", warm->plan->head.region),
           FB_LOG_INT("serial", warm->plan->head.serial), FB_LOG_INT("entries", warm->plan->n),
           FB_LOG_INT("bytes", warm->plan->n_bytes), FB_LOG_INT("fitting", warm->filler.n_entries));
}

static void warm_on_saved(struct fb_op *op)
{
    struct edge_warm *warm = FB_CONTAINER_OF(op, struct edge_warm, save.op);

    if (op->result < 0) {
        FB_LOG(WARN, "warm", "the state cannot be written; after a restart an older plan counts",
               FB_LOG_TEXT("cause", fb_err_name(op->result)));
    }
    if (warm->news != NULL && warm->change.taken.serial == warm->news->head.serial) {
        warm_put_in_force(warm);
    }
    if (warm->is_stopping) {
        edge_warm_settle(warm);
    } else if (warm->next.taken.serial != 0) {
        warm_save(warm);
    } else {
        edge_filler_step(warm);
    }
}

static void warm_save(struct edge_warm *warm)
{
    int64_t now_ms = edge_warm_wall_ms(warm);

    if (!fb_op_is_idle(&warm->save.op)) {
        return; /* it is looked at again when that is done, or a second later */
    }
    warm->change = warm->next;
    warm->change.first_ms = warm->yield.first_ms;
    warm->change.stopped_ms = warm->yield.stopped_ms;
    warm->change.forget_ms = now_ms - FB_MAX(warm_month_ms, warm->options.settings.yield_span_ms);
    warm->next = (struct edge_warm_change){0};
    warm->is_dirty = false;
    warm->saved_ms = edge_warm_mono_ms(warm);
    fb_op_init(&warm->save.op, warm->options.loop, warm_on_saved);
    fb_work_start(warm->pool, &warm->save);
}

void edge_warm_take_plan(struct edge_warm *warm, struct fb_plan *plan)
{
    fb_plan_free(warm->news);
    warm->news = plan;
    warm->taken.serial = plan->head.serial;
    memcpy(warm->taken.digest, plan->head.digest, sizeof(warm->taken.digest));
    warm->next.taken = warm->taken;
    warm_save(warm);
}

/* ---- may it fill? ------------------------------------------------------------- */

enum warm_phase edge_warm_look(struct edge_warm *warm)
{
    const struct warm_filler *filler = &warm->filler;
    const struct edge_warm_options *options = &warm->options;

    if (warm->plan == NULL) {
        return WARM_NO_PLAN;
    }
    if (options->volumes != NULL && !edge_volumes_are_started(options->volumes)) {
        return WARM_STARTING; /* what they hold would be fetched again */
    }
    int64_t until_ms = warm->plan->head.until_ms;
    if (until_ms != 0 && until_ms <= edge_warm_wall_ms(warm)) {
        return WARM_EXPIRED;
    }
    if (!edge_filler_has_work(warm)) {
        return WARM_DONE;
    }
    if (edge_yield_is_stopped(&warm->yield)) {
        return WARM_STOPPED;
    }
    if (options->pool == NULL || filler->away_ms > edge_warm_mono_ms(warm)) {
        return WARM_AWAY;
    }
    bool has_now = options->settings.fills_now && filler->at_now < filler->n_entries;
    if (!filler->was_open && !has_now) {
        return WARM_WINDOW;
    }
    if (warm->is_crowded) {
        return WARM_DEMAND;
    }
    return edge_guard_allows(&warm->guard, edge_warm_wall_ms(warm), filler->n_coming) ? WARM_FILLING
                                                                                      : WARM_GUARD;
}

/* ---- every second --------------------------------------------------------------- */

static void warm_measure_demand(struct edge_warm *warm, int64_t elapsed_ms)
{
    uint64_t served = fb_metrics_sum(warm->options.metrics, "edge_bytes_served_total");
    uint64_t most = warm->options.settings.demand;
    uint64_t now = (served - warm->served) * WARM_TICK_MS / (uint64_t)FB_MAX(elapsed_ms, 1);

    warm->demand = (warm->demand + now) / 2;
    warm->served = served;
    if (most == 0 || warm->demand < most / WARM_PERCENT * WARM_CALM_PERCENT) {
        warm->is_crowded = false;
    } else if (warm->demand >= most) {
        warm->is_crowded = true;
    }
}

void edge_warm_tell_guard(struct edge_warm *warm)
{
    uint64_t fetched = fb_metrics_sum(warm->options.metrics, "edge_upstream_bytes_total");

    if (edge_guard_tell(&warm->guard, edge_warm_wall_ms(warm), fetched, &warm->next.sample_begin_ms,
                        &warm->next.sample_bytes)) {
        warm->next.has_sample = true;
        warm->is_dirty = true;
    }
}

static void warm_judge_yield(struct edge_warm *warm)
{
    int64_t now_ms = edge_warm_wall_ms(warm);
    uint64_t planned = fb_metrics_sum(warm->options.metrics, "edge_bytes_planned_served_total");

    warm->is_dirty |= planned != warm->planned;
    warm->next.part = *edge_yield_add(&warm->yield, now_ms, 0, planned - warm->planned);
    warm->planned = planned;
    int64_t percent = edge_yield_percent(&warm->yield, now_ms);
    if (edge_yield_judge(&warm->yield, now_ms)) {
        bool is_stopped = edge_yield_is_stopped(&warm->yield);
        FB_LOG(WARN, "warm",
               is_stopped ? "the yield is too low: nothing is filled for a whole span"
                          : "filling is tried again for a whole span",
               FB_LOG_INT("percent", FB_MAX(percent, (int64_t)0)),
               FB_LOG_INT("least", warm->options.settings.least_yield));
        warm->is_dirty = true;
    }
    fb_metrics_set(warm->metrics, WARM_ROW_YIELD, percent < 0 ? 0 : (uint64_t)percent);
    fb_metrics_set(warm->metrics, WARM_ROW_STOPPED, edge_yield_is_stopped(&warm->yield));
}

static void warm_publish(struct edge_warm *warm)
{
    const struct warm_filler *filler = &warm->filler;
    int64_t now_ms = edge_warm_wall_ms(warm);
    enum warm_phase phase = edge_warm_look(warm);
    struct warm_report report = {
        .phase = phase,
        .n_fitting = filler->n_entries,
        .n_looked = filler->at_all,
        .demand = warm->demand,
        .level = warm->guard.percentile == 0 ? 0 : edge_guard_level(&warm->guard),
        .yield_percent = edge_yield_percent(&warm->yield, now_ms),
        .yield = edge_yield_sum(&warm->yield, now_ms),
        .stopped_ms = warm->yield.stopped_ms,
    };

    if (warm->plan != NULL) {
        report.head = warm->plan->head;
        report.plan_bytes = warm->plan->n_bytes;
    }
    if (phase != warm->phase) {
        FB_LOG(INFO, "warm", "filling goes on or waits", FB_LOG_TEXT("state", phase_names[phase]),
               FB_LOG_TEXT("before", phase_names[warm->phase]));
        warm->phase = phase;
    }
    fb_metrics_set(warm->metrics, WARM_ROW_SERIAL, report.head.serial);
    fb_metrics_set(warm->metrics, WARM_ROW_ENTRIES, filler->n_entries);
    fb_metrics_set(warm->metrics, WARM_ROW_FILLS, filler->n_busy);
    (void)pthread_mutex_lock(&warm->lock);
    warm->report = report;
    (void)pthread_mutex_unlock(&warm->lock);
}

static void warm_on_tick(struct fb_timer *timer)
{
    struct edge_warm *warm = FB_CONTAINER_OF(timer, struct edge_warm, tick);
    int64_t now_ms = edge_warm_mono_ms(warm);

    warm_measure_demand(warm, now_ms - warm->tick_ms);
    warm->tick_ms = now_ms;
    warm_judge_yield(warm);
    if (warm->is_dirty && now_ms - warm->saved_ms >= WARM_SAVE_MS) {
        warm_save(warm);
    }
    edge_filler_step(warm);
    warm_publish(warm);
    fb_timer_set(&warm->tick, WARM_TICK_MS);
}

/* ---- its life ------------------------------------------------------------------- */

static void warm_on_begin(struct fb_post *post)
{
    struct edge_warm *warm = FB_CONTAINER_OF(post, struct edge_warm, begin);

    if (warm->is_stopping) {
        return;
    }
    warm->is_started = true;
    warm->tick_ms = edge_warm_mono_ms(warm);
    warm->saved_ms = warm->tick_ms;
    warm->served = fb_metrics_sum(warm->options.metrics, "edge_bytes_served_total");
    warm->planned = fb_metrics_sum(warm->options.metrics, "edge_bytes_planned_served_total");
    warm->guard.total = fb_metrics_sum(warm->options.metrics, "edge_upstream_bytes_total");
    edge_filler_init(warm);
    edge_pull_begin(warm);
    fb_timer_init(&warm->tick, warm->options.loop, warm_on_tick);
    warm_on_tick(&warm->tick);
}

static void warm_on_ended(struct fb_post *post)
{
    fb_op_finish(FB_CONTAINER_OF(post, struct edge_warm, ended)->stopped, FB_OK);
}

void edge_warm_settle(struct edge_warm *warm)
{
    if (!warm->is_stopping || warm->filler.n_busy > 0 || !fb_op_is_idle(&warm->save.op) ||
        (warm->is_started && !edge_pull_is_idle(warm))) {
        return;
    }
    if (warm->is_dirty) {
        warm_save(warm);
        return;
    }
    if (warm->ended.run == NULL) {
        warm->ended.run = warm_on_ended;
        fb_loop_post(warm->home, &warm->ended);
    }
}

static void warm_on_end(struct fb_post *post)
{
    struct edge_warm *warm = FB_CONTAINER_OF(post, struct edge_warm, end);

    warm->is_stopping = true;
    if (warm->is_started) {
        fb_timer_clear(&warm->tick);
        edge_pull_cancel(warm);
        edge_filler_cancel(warm);
    }
    edge_warm_settle(warm);
}

void edge_warm_start(struct edge_warm *warm)
{
    warm->begin.run = warm_on_begin;
    fb_loop_post(warm->options.loop, &warm->begin);
}

void edge_warm_stop(struct edge_warm *warm, struct fb_op *op)
{
    fb_op_begin(op, NULL);
    warm->stopped = op;
    warm->home = op->loop;
    warm->end.run = warm_on_end;
    fb_loop_post(warm->options.loop, &warm->end);
}

void edge_warm_settings_done(struct edge_warm_settings *settings)
{
    edge_windows_free(settings->windows);
    for (size_t i = 0; i < settings->n_keys; i++) {
        fb_jose_key_free(settings->keys[i]);
    }
    *settings = (struct edge_warm_settings){0};
}

void edge_warm_close(struct edge_warm *warm)
{
    if (warm == NULL) {
        return;
    }
    if (warm->is_started) {
        edge_filler_done(warm);
        edge_pull_done(warm);
    }
    fb_pool_free(warm->pool);
    edge_warm_state_close(warm->state);
    fb_plan_free(warm->plan);
    fb_plan_free(warm->news);
    edge_warm_settings_done(&warm->options.settings);
    fb_buf_done(&warm->region);
    fb_buf_done(&warm->host);
    (void)pthread_mutex_destroy(&warm->lock);
    fb_free(warm);
}

static int warm_open_state(struct edge_warm *warm, struct fb_diag *diag)
{
    const struct edge_warm_settings *settings = &warm->options.settings;
    int64_t now_ms = edge_warm_wall_ms(warm);

    memcpy(warm->taken.region, settings->region.ptr, settings->region.len);
    int err = edge_warm_state_open(warm->options.folder, &warm->state, diag);
    if (err < 0) {
        return err;
    }
    err = edge_warm_state_load(warm->state, now_ms, &warm->taken, &warm->guard, &warm->yield);
    if (err < 0) {
        return fb_diag_set(diag, err, "read warm.db: %s", fb_err_text(err));
    }
    return FB_OK;
}

int edge_warm_open(struct edge_warm_options *options, struct edge_warm **ret_warm,
                   struct fb_diag *diag)
{
    struct edge_warm *warm = FB_NEW(struct edge_warm);
    const struct edge_warm_settings *settings = &options->settings;

    FB_REQUIRE(fb_plan_is_region(settings->region) && settings->parallel > 0 &&
               settings->parallel <= EDGE_WARM_PARALLEL_MAX);
    warm->options = *options;
    fb_buf_append(&warm->region, settings->region);
    fb_buf_append(&warm->host, settings->host);
    warm->options.settings.region = fb_buf_str(&warm->region);
    warm->options.settings.host = fb_buf_str(&warm->host);
    warm->bucket.rate = settings->rate;
    warm->guard.percentile = settings->percentile;
    warm->guard.commit = settings->commit;
    warm->yield.span_ms = settings->yield_span_ms;
    warm->yield.least = settings->least_yield;
    warm->metrics = fb_metrics_table_new(options->metrics, warm_rows, WARM_N_ROWS, NULL);
    warm->save.run = warm_run_save;
    warm->phase = WARM_NO_PLAN;
    fb_op_init(&warm->save.op, options->loop, warm_on_saved);
    (void)pthread_mutex_init(&warm->lock, NULL); /* cannot fail on Linux */
    int err = warm_open_state(warm, diag);
    if (err == FB_OK) {
        err = fb_pool_new("warm", 1, WARM_QUEUE, &warm->pool);
    }
    if (err < 0) {
        warm->options.settings = (struct edge_warm_settings){0}; /* still the caller's */
        edge_warm_close(warm);
        return err;
    }
    options->settings = (struct edge_warm_settings){0};
    *ret_warm = warm;
    return FB_OK;
}
