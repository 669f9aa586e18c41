#include "origin/plan/plan.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "origin/catalog/view_hours.h"
#include "origin/plan/demand.h"
#include "origin/plan/plan_internal.h"

#include <string.h>

/* Fewer than one in twenty regions' worth of edges would ever be asked for it. */
#define LEAST_REQUESTS 0.05

static const struct fb_metric rows[ORIGIN_PLAN_METRICS_N] = {
    [ORIGIN_PLAN_MADE] = {"origin_plans_made_total", FB_METRIC_COUNTER, NULL,
                          "Plans that were signed."},
    [ORIGIN_PLAN_SAME] = {"origin_plans_same_total", FB_METRIC_COUNTER, NULL,
                          "Plans that said what the last one said, and were dropped."},
    [ORIGIN_PLAN_ENTRIES] = {"origin_plans_entries_total", FB_METRIC_COUNTER, NULL,
                             "Files that signed plans name."},
    [ORIGIN_PLAN_SECONDS] = {"origin_plans_make_seconds", FB_METRIC_HISTOGRAM, NULL,
                             "Time to make the plan of one region."},
};

int origin_plan_open(const struct origin_plan_options *options, struct origin_plan **ret_plan,
                     struct fb_diag *diag)
{
    struct origin_plan *plan = FB_NEW(struct origin_plan);

    plan->options = *options;
    int err = origin_plan_key_load(options->folder, &plan->key, plan->kid, diag);
    if (err < 0) {
        fb_free(plan);
        return err;
    }
    plan->options.folder = NULL; /* the caller's */
    plan->metrics = fb_metrics_table_new(options->metrics, rows, ORIGIN_PLAN_METRICS_N, NULL);
    (void)pthread_mutex_init(&plan->making, NULL);
    *ret_plan = plan;
    return FB_OK;
}

void origin_plan_close(struct origin_plan *plan)
{
    if (plan != NULL) {
        (void)pthread_mutex_destroy(&plan->making);
        fb_jose_key_free(plan->key);
        fb_free(plan);
    }
}

/* ---- one plan ---------------------------------------------------------------------------- */

struct choosing {
    struct origin_chooser *chooser;
    const struct origin_plan_video *video;
};

static int choose_file(void *ctx, const struct origin_plan_file *file)
{
    struct choosing *choosing = ctx;

    origin_chooser_add(choosing->chooser, choosing->video, file);
    return FB_OK;
}

static int plan_choose(struct origin_plan *plan, struct origin_demand_video *const *videos,
                       size_t n, struct fb_plan_draft *draft)
{
    struct choosing choosing = {
        .chooser = origin_chooser_new(&(struct origin_chooser_options){
            .max_entries = plan->options.max_entries,
            .max_bytes = plan->options.max_bytes,
            .least = LEAST_REQUESTS,
        }),
    };
    int err = FB_OK;

    for (size_t i = 0; i < n && err == FB_OK; i++) {
        choosing.video = &videos[i]->video;
        if (choosing.video->views >= LEAST_REQUESTS) {
            err = origin_catalog_plan_files(plan->options.catalog, videos[i]->seq, choose_file,
                                            &choosing);
        }
    }
    if (err == FB_OK) {
        err = origin_chooser_finish(choosing.chooser, draft);
    }
    origin_chooser_free(choosing.chooser);
    return err;
}

/* Signs the draft as the region's next plan, unless the last one says the same and lasts. */
static int plan_seal(struct origin_plan *plan, struct fb_str region,
                     const struct fb_plan_draft *draft, int64_t now_ms, bool *ret_is_new)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct origin_plan_head last = {.n_bytes = 0};
    uint8_t digest[FB_SHA256_SIZE];

    int err = origin_catalog_plan_get(plan->options.catalog, region, &last, &token);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        return err;
    }
    fb_sha256(fb_buf_str(&draft->body), digest);
    if (last.head.serial == 0 && draft->n_entries == 0) {
        *ret_is_new = false; /* there is nothing to say yet */
        return FB_OK;
    }
    if (last.head.serial > 0 && memcmp(digest, last.head.digest, sizeof(digest)) == 0 &&
        last.head.until_ms - now_ms > ORIGIN_PLAN_LASTS_MS / 2) {
        fb_metrics_add(plan->metrics, ORIGIN_PLAN_SAME, 1);
        *ret_is_new = false;
        return FB_OK;
    }
    struct origin_plan_head next = {
        .head = {.serial = last.head.serial + 1,
                 .made_ms = now_ms,
                 .until_ms = now_ms + ORIGIN_PLAN_LASTS_MS},
        .n_bytes = draft->n_bytes,
    };
    memcpy(next.head.region, region.ptr, region.len);
    fb_buf_clear(&token);
    err = fb_plan_seal(draft, plan->key, fb_str_from(plan->kid), &next.head, &token);
    if (err < 0) {
        return err;
    }
    next.token = fb_buf_str(&token);
    err = origin_catalog_plan_put(plan->options.catalog, &next, fb_buf_str(&draft->body));
    if (err < 0) {
        return err;
    }
    fb_metrics_add(plan->metrics, ORIGIN_PLAN_MADE, 1);
    fb_metrics_add(plan->metrics, ORIGIN_PLAN_ENTRIES, draft->n_entries);
    FB_LOG(INFO, "plan", "made a plan", FB_LOG_STR("region", region),
           FB_LOG_INT("serial", (int64_t)next.head.serial),
           FB_LOG_INT("entries", (int64_t)draft->n_entries),
           FB_LOG_INT("bytes", (int64_t)draft->n_bytes));
    *ret_is_new = true;
    return FB_OK;
}

/* The caller holds `making`. */
static int plan_make(struct origin_plan *plan, struct fb_str region, bool *ret_is_new)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    FB_AUTO(fb_plan_draft_done) struct fb_plan_draft draft = {.n_entries = 0};
    struct origin_demand_video **videos = NULL;
    uint64_t since_ns = fb_clock_mono_ns(plan->options.clock);
    size_t n = 0;
    struct origin_demand_query query = {
        .catalog = plan->options.catalog,
        .views = plan->options.views,
        .region = region,
        .now_ms = fb_clock_wall_ms(plan->options.clock),
        .large = plan->options.large,
        .trends = &plan->options.trends,
    };

    int err = origin_demand_of(&query, &arena, &videos, &n);
    if (err < 0 || (err = plan_choose(plan, videos, n, &draft)) < 0) {
        return err;
    }
    err = plan_seal(plan, region, &draft, query.now_ms, ret_is_new);
    fb_metrics_observe_ns(plan->metrics, ORIGIN_PLAN_SECONDS,
                          fb_clock_mono_ns(plan->options.clock) - since_ns);
    return err;
}

int origin_plan_make(struct origin_plan *plan, struct fb_str region, bool *ret_is_new)
{
    if (!fb_plan_is_region(region)) {
        return FB_E_MALFORMED;
    }
    (void)pthread_mutex_lock(&plan->making);
    int err = plan_make(plan, region, ret_is_new);
    (void)pthread_mutex_unlock(&plan->making);
    return err;
}

/* ---- all plans ----------------------------------------------------------------------------- */

struct regions {
    struct fb_arena arena; /* owned */
    struct fb_str *names;  /* the arena's */
    size_t n;
    size_t room;
};

/* A region whose name no plan can bear has none. */
static int regions_add(void *ctx, struct fb_str name)
{
    struct regions *regions = ctx;

    if (!fb_plan_is_region(name)) {
        return FB_OK;
    }
    if (regions->n == regions->room) {
        size_t room = regions->room > 0 ? 2 * regions->room : 16;
        struct fb_str *names = fb_arena_alloc(&regions->arena, room * sizeof(*names));
        for (size_t i = 0; i < regions->n; i++) {
            names[i] = regions->names[i];
        }
        regions->names = names;
        regions->room = room;
    }
    regions->names[regions->n++] = fb_arena_dup(&regions->arena, name);
    return FB_OK;
}

/* The caller holds `making`. One region that fails keeps no other from its plan. */
static int plan_make_all(struct origin_plan *plan)
{
    struct regions regions = {.n = 0};
    bool is_new = false;

    int err = origin_catalog_regions(plan->options.catalog, regions_add, &regions);
    for (size_t i = 0; i < regions.n; i++) {
        int made = plan_make(plan, regions.names[i], &is_new);
        err = made < 0 ? made : err;
    }
    fb_arena_done(&regions.arena);
    return err;
}

struct releases {
    int64_t after_ms;
    int64_t last_ms;
    uint64_t large;
    bool any;
};

static int see_release(void *ctx, const struct origin_plan_release *release)
{
    struct releases *releases = ctx;

    releases->any |=
        release->followers >= releases->large && release->published_ms > releases->after_ms;
    releases->last_ms = FB_MAX(releases->last_ms, release->published_ms);
    return FB_OK;
}

/* Whether somebody whom many follow has published since this was asked last. */
static int plan_has_release(struct origin_plan *plan, int64_t now_ms, bool *ret_has)
{
    struct releases releases = {.after_ms = FB_MAX(plan->released_ms, now_ms - ORIGIN_MS_PER_DAY),
                                .large = plan->options.large};

    int err = origin_catalog_plan_releases(plan->options.catalog, FB_STR(""), releases.after_ms,
                                           see_release, &releases);
    if (err == FB_OK) {
        plan->released_ms = FB_MAX(plan->released_ms, releases.last_ms);
        *ret_has = releases.any;
    }
    return err;
}

int origin_plan_run(void *ctx)
{
    struct origin_plan *plan = ctx;
    bool is_due = false;

    (void)pthread_mutex_lock(&plan->making);
    int64_t now_ms = fb_clock_wall_ms(plan->options.clock);
    int err = plan_has_release(plan, now_ms, &is_due);
    is_due |= now_ms - plan->made_ms >= plan->options.every_ms || now_ms < plan->made_ms;
    if (err == FB_OK && is_due) {
        err = plan_make_all(plan);
        plan->made_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&plan->making);
    return err;
}

int origin_plan_release(struct origin_plan *plan, int64_t video, struct fb_str region)
{
    int64_t until_ms = fb_clock_wall_ms(plan->options.clock) + ORIGIN_PLAN_REQUEST_MS;
    bool is_new = false;

    int err = origin_catalog_plan_request(plan->options.catalog, video, region, until_ms);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&plan->making);
    err = region.len > 0 ? plan_make(plan, region, &is_new) : plan_make_all(plan);
    (void)pthread_mutex_unlock(&plan->making);
    return err;
}
