#include "base/core/clock.h"
#include "base/json/json.h"
#include "base/metrics/metrics.h"
#include "edge/warm/warm_internal.h"

enum { BITS_A_BYTE = 8 };

static void status_set_time(struct fb_json *object, const char *key, int64_t wall_ms)
{
    char text[FB_TIMESTAMP_MAX];

    if (wall_ms != 0) {
        fb_json_set_text(object, key, fb_timestamp(wall_ms, text));
    } else {
        fb_json_set_null(object, key);
    }
}

static void status_set_count(const struct edge_warm *warm, struct fb_json *object, const char *key,
                             enum warm_row row)
{
    fb_json_set_int(object, key, (int64_t)fb_metrics_get(warm->metrics, row));
}

static void status_add_plan(struct fb_json *status, const struct warm_report *report)
{
    if (report->head.serial == 0) {
        fb_json_set_null(status, "plan");
        return;
    }
    struct fb_json *plan = fb_json_set_object(status, "plan");
    fb_json_set_int(plan, "serial", (int64_t)report->head.serial);
    status_set_time(plan, "made", report->head.made_ms);
    status_set_time(plan, "until", report->head.until_ms);
    fb_json_set_int(plan, "entries", (int64_t)report->head.n_entries);
    fb_json_set_int(plan, "bytes", (int64_t)report->plan_bytes);
    fb_json_set_int(plan, "fitting", (int64_t)report->n_fitting);
    fb_json_set_int(plan, "looked_at", (int64_t)report->n_looked);
}

static void status_add_window(const struct edge_warm *warm, struct fb_json *status)
{
    const struct edge_windows *windows = warm->options.settings.windows;
    struct fb_json *window = fb_json_set_object(status, "window");
    int64_t now_ms = edge_warm_wall_ms(warm);

    fb_json_set_bool(window, "open", edge_windows_are_open(windows, now_ms));
    status_set_time(window, "changes", edge_windows_next_change(windows, now_ms));
}

static void status_add_yield(struct fb_json *status, const struct warm_report *report)
{
    struct fb_json *yield = fb_json_set_object(status, "yield");

    fb_json_set_int(yield, "filled", (int64_t)report->yield.filled);
    fb_json_set_int(yield, "served", (int64_t)report->yield.served);
    if (report->yield_percent >= 0) {
        fb_json_set_int(yield, "percent", report->yield_percent);
    } else {
        fb_json_set_null(yield, "percent");
    }
    status_set_time(yield, "stopped", report->stopped_ms);
}

void edge_warm_status(struct edge_warm *warm, struct fb_json *status)
{
    struct fb_json *json = fb_json_set_object(status, "warm");

    (void)pthread_mutex_lock(&warm->lock);
    struct warm_report report = warm->report;
    (void)pthread_mutex_unlock(&warm->lock);
    fb_json_set_text(json, "state", edge_warm_phase_name(report.phase));
    fb_json_set_str(json, "region", warm->options.settings.region);
    status_add_plan(json, &report);
    status_add_window(warm, json);
    status_add_yield(json, &report);
    struct fb_json *filled = fb_json_set_object(json, "filled");
    status_set_count(warm, filled, "objects", WARM_ROW_FILLED);
    status_set_count(warm, filled, "bytes", WARM_ROW_FILLED_BYTES);
    status_set_count(warm, filled, "joined", WARM_ROW_JOINED);
    status_set_count(warm, filled, "wrong", WARM_ROW_WRONG);
    status_set_count(warm, filled, "refused", WARM_ROW_REFUSED);
    status_set_count(warm, filled, "failed", WARM_ROW_FAILED);
    fb_json_set_int(json, "demand", (int64_t)report.demand * BITS_A_BYTE);
    if (report.level > 0) {
        fb_json_set_int(json, "guard", (int64_t)report.level * BITS_A_BYTE);
    }
}
