/*
 * What creators are told of who watched, and admins of who reports it.
 */
#include "origin/views/analytics.h"

#include "base/core/clock.h"
#include "base/sketch/hyperloglog.h"
#include "origin/api/api_internal.h"
#include "origin/catalog/view_reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DATE_LEN = 10, DAYS_DEFAULT = 7, NODES_MAX = 1000, AUDIT_MAX = 200 };

/* ---- from when to when ---------------------------------------------------------------- */

static const char *date_of(int64_t day, char text[FB_TIMESTAMP_MAX])
{
    fb_timestamp(day * ORIGIN_MS_PER_DAY, text);
    text[DATE_LEN] = '\0';
    return text;
}

/* A day as RFC 3339 writes it, full-date. */
static int date_parse(struct fb_str text, int64_t *ret_day)
{
    char again[FB_TIMESTAMP_MAX];
    struct tm tm = {0};
    uint64_t year = 0;
    uint64_t month = 0;
    uint64_t day = 0;

    if (text.len != DATE_LEN || fb_str_to_u64(fb_str_first(text, 4), &year) < 0 ||
        fb_str_to_u64(fb_str_first(fb_str_skip(text, 5), 2), &month) < 0 ||
        fb_str_to_u64(fb_str_skip(text, 8), &day) < 0 || year < 1970) {
        return FB_E_MALFORMED;
    }
    tm.tm_year = (int)year - 1900;
    tm.tm_mon = (int)month - 1;
    tm.tm_mday = (int)day;
    int64_t number = (int64_t)timegm(&tm) * 1000 / ORIGIN_MS_PER_DAY;
    if (number < 0 || !fb_str_equal(text, fb_str_from(date_of(number, again)))) {
        return FB_E_MALFORMED; /* there is no such day */
    }
    *ret_day = number;
    return FB_OK;
}

static int read_day(struct fb_call *call, const char *key, int64_t preset, int64_t *ret_day)
{
    struct fb_str text = fb_query_param(call->request->query, call->arena, fb_str_from(key));

    *ret_day = preset;
    if (text.ptr != NULL && date_parse(text, ret_day) < 0) {
        fb_call_problem(call, 400, "bad-day", "\"%s\" must be a day such as 2026-01-31.", key);
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static int read_days(const struct origin_api *api, struct fb_call *call, int64_t max_days,
                     struct origin_view_scope *scope)
{
    int64_t today = fb_clock_wall_ms(api->options.clock) / ORIGIN_MS_PER_DAY;

    if (read_day(call, "to", today, &scope->until_day) < 0 ||
        read_day(call, "from", scope->until_day - DAYS_DEFAULT + 1, &scope->since_day) < 0) {
        return FB_E_MALFORMED;
    }
    if (scope->since_day > scope->until_day || scope->until_day - scope->since_day >= max_days) {
        fb_call_problem(call, 400, "bad-days", "Ask for 1 to %d days.", (int)max_days);
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static int read_by(struct fb_call *call, bool *ret_by_region)
{
    struct fb_str by = fb_query_param(call->request->query, call->arena, FB_STR("by"));

    *ret_by_region = fb_str_equal(by, FB_STR("region"));
    if (by.ptr != NULL && !*ret_by_region && !fb_str_equal(by, FB_STR("day"))) {
        fb_call_problem(call, 400, "bad-by", "\"by\" must be day or region.");
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

/* ---- rows as JSON ----------------------------------------------------------------------- */

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void store_startup(struct fb_json *root, const char *key, const struct origin_view_day *day,
                          unsigned percent)
{
    uint64_t ms = origin_analytics_startup_ms(day, percent);

    if (ms == 0 || ms == UINT64_MAX) {
        fb_json_set_null(root, key); /* nothing started, or beyond what is measured */
    } else {
        fb_json_set_int(root, key, (int64_t)ms);
    }
}

static void store_uncounted(struct fb_json *root, const struct origin_view_day *day)
{
    struct fb_json *reasons = fb_json_set_object(root, "uncounted");

    for (int i = 0; i < FB_VIEW_REASONS_N; i++) {
        fb_json_set_int(reasons, fb_view_reason_name((enum fb_view_reason)i),
                        (int64_t)day->uncounted[i]);
    }
}

static void store_sums(struct fb_json *root, const struct origin_analytics_row *row)
{
    const struct origin_view_sums *sums = &row->sums;

    fb_json_set_int(root, "views", (int64_t)sums->views);
    fb_json_set_int(root, "unique_viewers", (int64_t)fb_hyperloglog_estimate(row->detail.viewers));
    fb_json_set_int(root, "sessions", (int64_t)sums->sessions);
    fb_json_set_int(root, "watch_ms", (int64_t)sums->watch_ms);
    fb_json_set_int(root, "average_watch_ms",
                    sums->views > 0 ? (int64_t)(sums->watch_ms / sums->views) : 0);
    fb_json_set_real(root, "completion", ratio(sums->ends, sums->views));
    fb_json_set_int(root, "stalls", (int64_t)sums->stalls);
    fb_json_set_int(root, "stall_ms", (int64_t)sums->stall_ms);
    fb_json_set_int(root, "bytes", (int64_t)sums->bytes);
    store_startup(root, "startup_p50_ms", &row->detail, 50);
    store_startup(root, "startup_p95_ms", &row->detail, 95);
    struct fb_json *sources = fb_json_set_object(root, "sources");
    for (int i = 0; i < FB_VIEW_SOURCES_N; i++) {
        fb_json_set_int(sources, fb_view_source_name((enum fb_view_source)i),
                        (int64_t)row->detail.sources[i]);
    }
    store_uncounted(root, &row->detail);
}

static void store_label(struct fb_json *root, const struct origin_analytics *analytics,
                        const struct origin_analytics_row *row)
{
    char text[FB_TIMESTAMP_MAX];

    if (analytics->by_region) {
        fb_json_set_str(root, "region", row->region);
    } else {
        fb_json_set_text(root, "day", date_of(row->day, text));
    }
}

static void store_range(struct fb_json *root, const struct origin_view_scope *scope)
{
    char text[FB_TIMESTAMP_MAX];

    fb_json_set_text(root, "from", date_of(scope->since_day, text));
    fb_json_set_text(root, "to", date_of(scope->until_day, text));
}

static void answer(const struct origin_api *api, struct fb_call *call,
                   const struct origin_view_scope *scope, struct fb_json *root)
{
    struct origin_analytics analytics = {0};
    bool by_region = false;

    if (read_by(call, &by_region) < 0) {
        return;
    }
    int err = origin_views_analytics(api->options.views, call->arena, scope, by_region, &analytics);
    if (err < 0) {
        origin_api_broken(call, err, "read analytics");
        return;
    }
    store_range(root, scope);
    fb_json_set_text(root, "by", by_region ? "region" : "day");
    store_sums(fb_json_set_object(root, "total"), &analytics.total);
    struct fb_json *rows = fb_json_set_array(root, "rows");
    for (size_t i = 0; i < analytics.n_rows; i++) {
        struct fb_json *item = fb_json_add_object(rows);
        store_label(item, &analytics, &analytics.rows[i]);
        store_sums(item, &analytics.rows[i]);
    }
    origin_analytics_done(&analytics);
    origin_api_reply(call, 200, root);
}

void origin_api_analytics(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_view_scope scope = {.seq = 0};
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0 ||
        read_days(api, call, ORIGIN_ANALYTICS_DAYS_MAX, &scope) < 0) {
        return;
    }
    scope.seq = video.seq;
    fb_json_set_text(root, "video", video.id.text);
    answer(api, call, &scope, root);
}

void origin_api_my_analytics(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_view_scope scope = {.seq = 0};
    struct origin_id user;

    if (origin_api_user(api, call, &user) < 0 ||
        read_days(api, call, ORIGIN_ANALYTICS_OWNER_DAYS_MAX, &scope) < 0) {
        return;
    }
    scope.owner = &user;
    answer(api, call, &scope, root);
}

/* Why sessions were no views. */
void origin_api_uncounted(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_analytics analytics = {0};
    struct origin_view_scope scope = {.seq = 0};
    struct origin_video video;

    if (origin_api_own_video(api, call, &video) < 0 ||
        read_days(api, call, ORIGIN_ANALYTICS_DAYS_MAX, &scope) < 0) {
        return;
    }
    scope.seq = video.seq;
    int err = origin_views_analytics(api->options.views, call->arena, &scope, false, &analytics);
    if (err < 0) {
        origin_api_broken(call, err, "read what was not counted");
        return;
    }
    fb_json_set_text(root, "video", video.id.text);
    store_range(root, &scope);
    struct fb_json *rows = fb_json_set_array(root, "rows");
    for (size_t i = 0; i < analytics.n_rows; i++) {
        struct fb_json *item = fb_json_add_object(rows);
        store_label(item, &analytics, &analytics.rows[i]);
        fb_json_set_int(item, "sessions", (int64_t)analytics.rows[i].sums.sessions);
        fb_json_set_int(item, "views", (int64_t)analytics.rows[i].sums.views);
        store_uncounted(item, &analytics.rows[i].detail);
    }
    origin_analytics_done(&analytics);
    origin_api_reply(call, 200, root);
}

/* ---- who reports -------------------------------------------------------------------------- */

static void store_stream(struct fb_json *item, struct fb_str node, uint64_t epoch)
{
    char text[17];

    (void)snprintf(text, sizeof(text), "%016" PRIx64, epoch);
    fb_json_set_str(item, "node", node);
    fb_json_set_text(item, "epoch", text);
}

static int store_node(void *ctx, const struct origin_view_node *node)
{
    struct fb_json *item = fb_json_add_object(ctx);

    store_stream(item, node->node, node->epoch);
    fb_json_set_str(item, "region", node->region);
    fb_json_set_str(item, "via", node->via);
    fb_json_set_int(item, "sequence", (int64_t)node->sequence);
    fb_json_set_int(item, "reports", (int64_t)node->n_reports);
    origin_api_set_time(item, "first_at", node->first_ms);
    origin_api_set_time(item, "last_at", node->last_ms);
    fb_json_set_int(item, "bytes_served", (int64_t)node->totals.bytes_served);
    fb_json_set_int(item, "bytes_missed", (int64_t)node->totals.bytes_missed);
    fb_json_set_int(item, "plan_filled", (int64_t)node->totals.plan_filled);
    fb_json_set_int(item, "plan_served", (int64_t)node->totals.plan_served);
    fb_json_set_int(item, "prefetch_filled", (int64_t)node->totals.prefetch_filled);
    fb_json_set_int(item, "prefetch_served", (int64_t)node->totals.prefetch_served);
    fb_json_set_int(item, "dropped_events", (int64_t)node->totals.dropped_events);
    fb_json_set_int(item, "folded_entries", (int64_t)node->totals.folded_entries);
    return FB_OK;
}

static int store_audit(void *ctx, const struct origin_view_audit *audit)
{
    struct fb_json *item = fb_json_add_object(ctx);

    store_stream(item, audit->node, audit->epoch);
    fb_json_set_str(item, "reason", audit->reason);
    fb_json_set_int(item, "sequence", (int64_t)audit->sequence);
    fb_json_set_int(item, "expected", (int64_t)audit->expected);
    fb_json_set_int(item, "times", (int64_t)audit->n);
    origin_api_set_time(item, "first_at", audit->first_ms);
    origin_api_set_time(item, "last_at", audit->last_ms);
    return FB_OK;
}

int origin_api_admin(const struct origin_api *api, struct fb_call *call)
{
    struct origin_id user;
    bool is_admin = false;

    int err = origin_api_user(api, call, &user);
    if (err < 0) {
        return err;
    }
    err = origin_engagement_is_admin(api->options.engagement, &user, &is_admin);
    if (err < 0) {
        origin_api_broken(call, err, "look whether somebody is an admin");
        return err;
    }
    if (!is_admin) {
        fb_call_problem(call, 403, "not-an-admin", "Only admins can do this.");
        return FB_E_DENIED;
    }
    return FB_OK;
}

void origin_api_reports(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    if (origin_api_admin(api, call) < 0) {
        return;
    }
    struct fb_json *nodes = fb_json_set_array(root, "streams");
    struct fb_json *audit = fb_json_set_array(root, "audit");
    int err = origin_catalog_view_nodes(api->options.catalog, NODES_MAX, store_node, nodes);
    if (err == FB_OK) {
        err = origin_catalog_view_audit_list(api->options.catalog, AUDIT_MAX, store_audit, audit);
    }
    if (err < 0) {
        origin_api_broken(call, err, "list who reports");
        return;
    }
    origin_api_reply(call, 200, root);
}
