#include "origin/node/signals.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "base/wire/view_report.h"
#include "origin/api/api.h"
#include "origin/calls/calls.h"
#include "origin/config/config.h"
#include "origin/feed/feed.h"
#include "origin/hooks/hooks.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"
#include "origin/plan/plan.h"
#include "origin/push/push.h"
#include "origin/status/status.h"
#include "origin/trending/trending.h"
#include "origin/views/views.h"

#include <stdio.h>

/* Releases are looked for each minute; plans have a period of their own. */
enum { VIEWS_ROUND_MS = 10 * 60 * 1000, PLAN_ROUND_MS = 60 * 1000, TRENDS_MAX = 200 };

static int views_run(void *ctx)
{
    return origin_views_prune(ctx);
}

static void signals_open_views(struct origin_node *node)
{
    node->signals.views = origin_views_new(&(struct origin_views_options){
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .token = node->conf->views.token,
    });
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "views",
                                                           .period_ms = VIEWS_ROUND_MS,
                                                           .run = views_run,
                                                           .ctx = node->signals.views});
}

static int feed_run(void *ctx)
{
    return origin_feed_round(ctx);
}

/* What trends over the day, in a region or everywhere. */
static void signals_tell_region(void *ctx, struct fb_str region, origin_plan_tell_fn *tell,
                                void *to)
{
    const struct origin_signals *signals = ctx;
    struct origin_snapshot *snapshot = origin_trending_hold(signals->trending);
    struct origin_snapshot_list list = origin_snapshot_list(
        snapshot, &(struct origin_snapshot_query){.window = ORIGIN_TRENDING_DAY, .region = region});
    for (size_t i = 0; i < FB_MIN(list.n, (size_t)TRENDS_MAX); i++) {
        tell(to, &list.items[i].video->id, list.items[i].score);
    }
    origin_snapshot_unref(snapshot);
}

static void signals_tell_trends(void *ctx, origin_feed_tell_fn *tell, void *to)
{
    signals_tell_region(ctx, FB_STR_NONE, tell, to);
}

static void signals_open_feed(struct origin_node *node)
{
    node->signals.feed = origin_feed_open(&(struct origin_feed_options){
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .trends = {.visit = signals_tell_trends, .ctx = &node->signals},
    });
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "feed",
                                                           .period_ms = ORIGIN_FEED_ROUND_MS,
                                                           .run = feed_run,
                                                           .ctx = node->signals.feed});
}

static int signals_open_plan(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf_plan *conf = &node->conf->plan;
    char folder[ORIGIN_NODE_PATH + 8];

    (void)snprintf(folder, sizeof(folder), "%s/keys", node->data);
    int err = origin_plan_open(
        &(struct origin_plan_options){.catalog = node->catalog,
                                      .views = node->signals.views,
                                      .clock = fb_clock_system(),
                                      .metrics = node->metrics,
                                      .folder = folder,
                                      .max_bytes = conf->storage,
                                      .max_entries = (size_t)conf->entries,
                                      .every_ms = (int64_t)conf->every,
                                      .large = (uint64_t)conf->followers,
                                      .trends = {signals_tell_region, &node->signals}},
        &node->signals.plan, diag);
    if (err == FB_OK) {
        origin_rounds_add(node->rounds, &(struct origin_round){.name = "plan",
                                                               .period_ms = PLAN_ROUND_MS,
                                                               .run = origin_plan_run,
                                                               .ctx = node->signals.plan});
    }
    return err;
}

/* Lists tell of a video what the API tells. */
static void signals_describe(void *ctx, const struct origin_video *video, struct fb_buf *json)
{
    origin_api_describe(((struct origin_node *)ctx)->api, video, json);
}

static void signals_open_trending(struct origin_node *node)
{
    const struct origin_conf_trending *conf = &node->conf->trending;
    struct origin_signals *signals = &node->signals;

    signals->trending = origin_trending_new(&(struct origin_trending_options){
        .catalog = node->catalog,
        .views = signals->views,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .half_life_ms = (int64_t)conf->half_life,
        .max_videos = (size_t)conf->videos,
        .describe = signals_describe,
        .ctx = node,
    });
    signals->push = origin_push_new(
        &(struct origin_push_options){.loop = node->loop, .metrics = node->metrics});
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "trending",
                                                           .period_ms = conf->every,
                                                           .run = origin_trending_run,
                                                           .ctx = signals->trending});
}

static void signals_open_status(struct origin_node *node)
{
    struct origin_signals *signals = &node->signals;

    signals->status = origin_status_new(&(struct origin_status_options){
        .catalog = node->catalog,
        .access = node->gates.access,
        .push = signals->push,
        .describe = origin_api_describe_status,
    });
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "status",
                                                           .period_ms = ORIGIN_STATUS_PERIOD_MS,
                                                           .run = origin_status_run,
                                                           .ctx = signals->status});
}

/* Also without any, so that nobody is told who was named before. */
static int signals_open_hooks(struct origin_node *node, struct fb_diag *diag)
{
    struct origin_signals *signals = &node->signals;
    const struct origin_conf_webhook *conf = node->conf->webhooks.items;
    struct origin_hooks_options options = {
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .n_hooks = node->conf->webhooks.n,
    };

    for (size_t i = 0; i < options.n_hooks; i++) {
        options.hooks[i] = (struct origin_hook){.url = conf[i].url, .secret = conf[i].secret};
    }
    int err = origin_calls_open(&(struct origin_calls_options){.key = FB_STR_NONE}, &signals->calls,
                                diag);
    if (err < 0) {
        return err;
    }
    options.calls = signals->calls;
    err = origin_hooks_new(&options, &signals->hooks);
    if (err < 0) {
        return fb_diag_set(diag, err, "note the receivers of webhooks: %s", fb_err_text(err));
    }
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "webhooks",
                                                           .period_ms = ORIGIN_HOOKS_PERIOD_MS,
                                                           .run = origin_hooks_run,
                                                           .ctx = signals->hooks});
    return FB_OK;
}

int origin_signals_open(struct origin_node *node, struct fb_diag *diag)
{
    signals_open_views(node);
    signals_open_trending(node);
    signals_open_status(node);
    signals_open_feed(node);
    int err = signals_open_hooks(node, diag);
    return err < 0 ? err : signals_open_plan(node, diag);
}

/* A failure is no reason not to serve: the rounds go on. */
void origin_signals_begin(struct origin_node *node)
{
    struct origin_signals *signals = &node->signals;

    int err = origin_trending_load(signals->trending);
    if (err < 0) {
        FB_LOG(WARN, "origin", "could not read what trends, lists are incomplete",
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
    origin_trending_on_changed(signals->trending, origin_push_changed, signals->push);
}

void origin_signals_route(struct origin_node *node)
{
    size_t n = 0;

    const struct fb_route *routes = origin_views_routes(node->signals.views, &n);
    node->signals.views_router = fb_router_new(routes, n, node->pool, node->signals.views);
    routes = origin_plan_routes(&n);
    node->signals.plan_router = fb_router_new(routes, n, node->pool, node->signals.plan);
}

bool origin_signals_handle(const struct origin_signals *signals, struct fb_exchange *exchange)
{
    struct fb_str path = fb_exchange_request(exchange)->path;

    if (fb_str_starts_with(path, FB_STR(FB_VIEW_REPORTS_PATH))) {
        fb_router_handle(signals->views_router, exchange);
        return true;
    }
    if (fb_str_starts_with(path, FB_STR("/internal/v1/plans/"))) {
        fb_router_handle(signals->plan_router, exchange);
        return true;
    }
    return false;
}

void origin_signals_close(struct origin_signals *signals)
{
    if (signals->views_router != NULL) {
        fb_router_free(signals->views_router);
        fb_router_free(signals->plan_router);
    }
    origin_hooks_free(signals->hooks);
    origin_calls_close(signals->calls);
    origin_status_free(signals->status);
    origin_push_free(signals->push);
    origin_feed_close(signals->feed);
    origin_trending_free(signals->trending);
    origin_plan_close(signals->plan);
    origin_views_free(signals->views);
    *signals = (struct origin_signals){.feed = NULL};
}
