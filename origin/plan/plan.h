/*
 * Plans: what the edges of each region should hold before anybody asks (docs/plans.md).
 *
 *     demand ──► files, chosen by what they save ──► signed, numbered, kept by digest
 *     (demand.h)             (choose.h)              GET /internal/v1/plans/{region}
 *                                                    GET /internal/v1/plans/{region}/{sha256}
 *
 * A plan is made for each region that nodes report from: every `every_ms`, and when a video is to
 * be everywhere at once, because somebody asked for that or because its owner has `large`
 * followers. A plan that says the same as the last is not given another number, unless that one
 * ends soon.
 *
 * The key is drawn at the first start, into `folder`: plan.jwk is its secret half, plan.pub.jwk
 * what edges trust. To change it, give edges both public halves, replace plan.jwk, restart, and
 * take the old one from the edges once a new plan has reached them.
 *
 * Ownership  open → close; everything given is borrowed.
 * Threads    Blocking; any thread. Plans are made one at a time.
 * Limits     `max_entries`, `max_bytes`.
 * Failures   The catalog's; those of the key's file.
 */
#pragma once

#include "origin/catalog/plans.h"

struct fb_clock;
struct fb_metrics;
struct fb_route;
struct origin_catalog;
struct origin_plan;
struct origin_views;

#define ORIGIN_PLAN_LASTS_MS   (INT64_C(26) * 3600 * 1000)
#define ORIGIN_PLAN_REQUEST_MS (INT64_C(24) * 3600 * 1000)

/* Who tells what trends over the day: in `region`, or everywhere if that is empty. Calls `tell` for
 * each video that does, the highest score first; the same state tells the same. */
typedef void origin_plan_tell_fn(void *to, const struct origin_id *video, double score);
struct origin_plan_trends {
    void (*visit)(void *ctx, struct fb_str region, origin_plan_tell_fn *tell,
                  void *to); /* NULL: nothing trends */
    void *ctx;
};

struct origin_plan_options {
    struct origin_catalog *catalog;
    struct origin_views *views;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    const char *folder; /* of keys */
    uint64_t max_bytes;
    size_t max_entries;
    int64_t every_ms;
    uint64_t large; /* followers */
    struct origin_plan_trends trends;
};

FB_MUST_CHECK int origin_plan_open(const struct origin_plan_options *options,
                                   struct origin_plan **ret_plan, struct fb_diag *diag);
void origin_plan_close(struct origin_plan *plan); /* accepts NULL */

/* What is done every so often, with the plan as ctx: makes what is due. */
FB_MUST_CHECK int origin_plan_run(void *ctx);

/* Makes the region's plan now. *ret_is_new is false if it says what the last one says. */
FB_MUST_CHECK int origin_plan_make(struct origin_plan *plan, struct fb_str region,
                                   bool *ret_is_new);

/* A video is to be everywhere at once (`region` empty) or in a region, and plans are made for that.
 * FB_E_CONFLICT if there is no such video. */
FB_MUST_CHECK int origin_plan_release(struct origin_plan *plan, int64_t video,
                                      struct fb_str region);

/* For a router with the plan as ctx. */
const struct fb_route *origin_plan_routes(size_t *ret_n);
