#include "base/http/cache_status.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/serve/serve_internal.h"

/* ---- counters ---------------------------------------------------------- */

#define RESULT_ROW(result)                                                 \
    {                                                                      \
        "edge_requests_total", FB_METRIC_COUNTER, "result=\"" result "\"", \
            "Requests, by the way they were answered."                     \
    }

#define HIT_ROW(tier)                                                              \
    {                                                                              \
        "edge_hits_total", FB_METRIC_COUNTER, "tier=\"" tier "\"",                 \
            "Responses that needed no upstream, by the tier that had their bytes." \
    }

#define MISS_ROW(cause)                                                                                  \
    {                                                                                                    \
        "edge_misses_total", FB_METRIC_COUNTER, "cause=\"" cause "\"",                                   \
            "Responses that were asked for upstream, by why they, or some of their bytes, were not had." \
    }

static const struct fb_metric trail_rows[SERVE_N_ROWS] = {
    [EDGE_SERVE_HIT] = RESULT_ROW("hit"),
    [EDGE_SERVE_PARTIAL] = RESULT_ROW("partial"),
    [EDGE_SERVE_MISS] = RESULT_ROW("miss"),
    [EDGE_SERVE_STALE] = RESULT_ROW("stale"),
    [EDGE_SERVE_REVALIDATED] = RESULT_ROW("revalidated"),
    [EDGE_SERVE_PASS] = RESULT_ROW("pass"),
    [EDGE_SERVE_ERROR] = RESULT_ROW("error"),
    [SERVE_ROW_HITS_MEMORY] = HIT_ROW("memory"),
    [SERVE_ROW_HITS_VOLUME] = HIT_ROW("volume"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_FIRST_TOUCH] = MISS_ROW("first-touch"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_NOT_ADMITTED] = MISS_ROW("not-admitted"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_CAPACITY] = MISS_ROW("capacity"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_EXPIRED] = MISS_ROW("expired"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_PURGED] = MISS_ROW("purged"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_VOLUME_LOST] = MISS_ROW("volume-lost"),
    [SERVE_ROW_MISSES + EDGE_CAUSE_CORRUPT] = MISS_ROW("corrupt"),
    [SERVE_ROW_BYTES] = {"edge_bytes_served_total", FB_METRIC_COUNTER, NULL,
                         "Bytes of content sent to clients."},
    [SERVE_ROW_PLANNED] = {"edge_bytes_planned_served_total", FB_METRIC_COUNTER, NULL,
                           "Those of them that came from objects which a plan had filled."},
    [SERVE_ROW_PREFETCHED] = {"edge_bytes_prefetched_served_total", FB_METRIC_COUNTER, NULL,
                              "Those of them that came from objects which were fetched as next "
                              "segments."},
    [SERVE_ROW_CUT] = {"edge_responses_cut_total", FB_METRIC_COUNTER, NULL,
                       "Responses that ended before their content did."},
};

static const char *const trail_result_names[] = {
    [EDGE_SERVE_HIT] = "hit",
    [EDGE_SERVE_PARTIAL] = "partial",
    [EDGE_SERVE_MISS] = "miss",
    [EDGE_SERVE_STALE] = "stale",
    [EDGE_SERVE_REVALIDATED] = "revalidated",
    [EDGE_SERVE_PASS] = "pass",
    [EDGE_SERVE_ERROR] = "error",
};

struct fb_metrics_table *edge_trail_table(struct fb_metrics *metrics)
{
    return fb_metrics_table_new(metrics, trail_rows, SERVE_N_ROWS, NULL);
}

/* Counted before the first byte leaves, so that whoever has the response finds
 * it in the metrics. */
void edge_serve_settle(struct serve_request *request, enum edge_serve_result result)
{
    fb_machine_move(&request->machine, SERVE_SENT);
    request->result = result;
    fb_metrics_add(request->serve->metrics, result, 1);
    if (request->trail.has_cause) {
        fb_metrics_add(request->serve->metrics, SERVE_ROW_MISSES + request->trail.cause, 1);
    }
    if (request->trail.is_hit) {
        fb_metrics_add(
            request->serve->metrics,
            request->where == EDGE_IN_MEMORY ? SERVE_ROW_HITS_MEMORY : SERVE_ROW_HITS_VOLUME, 1);
    }
}

const char *edge_trail_result_name(enum edge_serve_result result)
{
    return trail_result_names[result];
}

/* ---- Cache-Status ------------------------------------------------------ */

const char *edge_trail_detail(const struct serve_request *request)
{
    const struct serve_trail *trail = &request->trail;

    if (trail->detail != NULL) {
        return trail->detail;
    }
    if (trail->is_hit) {
        return request->where == EDGE_IN_MEMORY ? "memory" : "volume";
    }
    return trail->has_cause ? edge_cause_name(trail->cause) : NULL;
}

/* Each client has a bound for a head, and so has each tier: a key that would take much of it is
 * not told. */
enum { TRAIL_KEY_MAX = 1024 };

static struct fb_str trail_key(const struct serve_request *request)
{
    bool is_shown = request->site != NULL && request->site->shows_key;

    return is_shown && request->key.len <= TRAIL_KEY_MAX ? request->key : (struct fb_str){0};
}

struct fb_str edge_trail_text(struct serve_request *request, bool has_ttl, int64_t ttl_s)
{
    const struct serve_trail *trail = &request->trail;
    struct fb_buf *scratch = &request->serve->scratch;

    fb_buf_clear(scratch);
    fb_cache_status_append(scratch, &(struct fb_cache_status){
                                        .cache = request->serve->options.node,
                                        .is_hit = trail->is_hit,
                                        .fwd = fb_str_from(trail->forward),
                                        .fwd_status = trail->upstream_status,
                                        .has_ttl = has_ttl,
                                        .ttl = ttl_s,
                                        .is_stored = trail->is_stored,
                                        .is_collapsed = trail->is_collapsed,
                                        .key = trail_key(request),
                                        .detail = fb_str_from(edge_trail_detail(request)),
                                    });
    return fb_arena_dup(request->arena, fb_buf_str(scratch));
}
