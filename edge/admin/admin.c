#include "edge/admin/admin.h"

#include "base/core/clock.h"
#include "base/json/json.h"
#include "base/metrics/metrics.h"
#include "edge/serve/crew.h"
#include "edge/store/store.h"
#include "edge/upstream/upstream.h"
#include "edge/volume/volumes.h"

/* ---- status ------------------------------------------------------------ */

static void status_of_requests(const struct edge_admin *admin, struct fb_json *status)
{
    struct edge_serve_counts counts = edge_crew_count(admin->crew);
    const uint64_t *by = counts.by_result;
    uint64_t total = 0;

    for (size_t i = 0; i < EDGE_SERVE_N_RESULTS; i++) {
        total += by[i];
    }
    struct fb_json *requests = fb_json_set_object(status, "requests");
    fb_json_set_int(requests, "total", (int64_t)total);
    fb_json_set_int(requests, "hits", (int64_t)(by[EDGE_SERVE_HIT] + by[EDGE_SERVE_STALE]));
    fb_json_set_int(requests, "hits_memory", (int64_t)counts.hits_memory);
    fb_json_set_int(requests, "hits_volume", (int64_t)counts.hits_volume);
    fb_json_set_int(requests, "misses",
                    (int64_t)(by[EDGE_SERVE_MISS] + by[EDGE_SERVE_PARTIAL] +
                              by[EDGE_SERVE_REVALIDATED] + by[EDGE_SERVE_PASS]));
    fb_json_set_int(requests, "errors", (int64_t)by[EDGE_SERVE_ERROR]);

    struct fb_json *bytes = fb_json_set_object(status, "bytes");
    fb_json_set_int(bytes, "served", (int64_t)counts.bytes_served);
    fb_json_set_int(bytes, "from_upstream",
                    (int64_t)fb_metrics_sum(admin->metrics, "edge_upstream_bytes_total"));
}

static const char *volume_state_name(enum edge_volume_state state)
{
    static const char *const names[] = {
        [EDGE_VOLUME_STARTING] = "starting",
        [EDGE_VOLUME_ONLINE] = "online",
        [EDGE_VOLUME_OFFLINE] = "offline",
        [EDGE_VOLUME_REFUSED] = "refused",
    };

    return names[state];
}

static void status_of_volume(const struct edge_volume_status *from, struct fb_json *volume)
{
    fb_json_set_text(volume, "path", from->path);
    fb_json_set_text(volume, "state", volume_state_name(from->state));
    if (from->reason[0] != '\0') {
        fb_json_set_text(volume, "reason", from->reason);
    }
    fb_json_set_int(volume, "size", (int64_t)from->size);
    fb_json_set_int(volume, "zones", from->n_zones);
    fb_json_set_int(volume, "zones_free", from->n_zones_free);
    fb_json_set_int(volume, "extents", (int64_t)from->n_extents);
    fb_json_set_int(volume, "index_bytes", (int64_t)from->index_bytes);
    struct fb_json *written = fb_json_set_object(volume, "written");
    fb_json_set_int(written, "admission", (int64_t)from->written_admission);
    fb_json_set_int(written, "rewriting", (int64_t)from->written_rewriting);
    fb_json_set_int(written, "metadata", (int64_t)from->written_metadata);
    fb_json_set_int(written, "today", (int64_t)from->written_today);
    fb_json_set_int(written, "daily_limit", (int64_t)from->daily_bytes);
    fb_json_set_int(volume, "queued_bytes", (int64_t)from->queued_bytes);
    fb_json_set_int(volume, "corrupt", (int64_t)from->n_corrupt);
    fb_json_set_int(volume, "io_errors", (int64_t)from->n_io_errors);
}

static void status_of_volumes(const struct edge_admin *admin, struct fb_json *status)
{
    struct fb_json *volumes = fb_json_set_array(status, "volumes");
    size_t n = admin->volumes != NULL ? edge_volumes_count(admin->volumes) : 0;

    for (size_t i = 0; i < n; i++) {
        struct edge_volume_status volume;
        edge_volumes_status(admin->volumes, i, &volume);
        status_of_volume(&volume, fb_json_add_object(volumes));
    }
}

static void status_set_time(struct fb_json *json, const char *name, int64_t wall_ms)
{
    char text[FB_TIMESTAMP_MAX];

    fb_json_set_text(json, name, fb_timestamp(wall_ms, text));
}

static void status_of_upstreams(const struct edge_admin *admin, struct fb_json *status)
{
    struct fb_json *upstreams = fb_json_set_array(status, "upstreams");
    struct edge_upstream_status from;

    for (size_t i = 0; edge_upstreams_status(admin->upstreams, i, &from); i++) {
        struct fb_json *upstream = fb_json_add_object(upstreams);
        fb_json_set_str(upstream, "url", from.url);
        fb_json_set_bool(upstream, "up", from.is_up);
        fb_json_set_text(upstream, "tier", edge_tier_name(from.tier));
        if (from.tier == EDGE_TIER_REGIONAL) {
            fb_json_set_int(upstream, "weight", from.weight);
        }
        fb_json_set_text(upstream, "state", edge_upstream_state_name(from.state));
        if (from.protocol != NULL) {
            fb_json_set_text(upstream, "protocol", from.protocol);
        }
        fb_json_set_int(upstream, "requests", from.n_requests);
        struct fb_json *head = fb_json_set_object(upstream, "head_us");
        fb_json_set_int(head, "p50", (int64_t)from.head_p50_us);
        fb_json_set_int(head, "p95", (int64_t)from.head_p95_us);
        if (from.until_ms != 0) {
            status_set_time(upstream, "until", from.until_ms);
        }
        if (from.error[0] != '\0') {
            fb_json_set_text(upstream, "error", from.error);
            status_set_time(upstream, "error_at", from.error_ms);
        }
    }
}

void edge_admin_status(const struct edge_admin *admin, struct fb_json *status)
{
    fb_json_set_str(status, "node", admin->node);
    fb_json_set_text(status, "role", admin->role);
    status_of_requests(admin, status);

    struct edge_store_stats stats = edge_store_stats(admin->store);
    struct fb_json *store = fb_json_set_object(status, "store");
    fb_json_set_int(store, "memory_bytes", (int64_t)stats.memory_bytes);
    fb_json_set_int(store, "memory_limit", (int64_t)stats.memory_limit);
    fb_json_set_int(store, "objects", (int64_t)stats.n_objects);
    fb_json_set_int(store, "frozen_page_bytes", (int64_t)stats.frozen_page_bytes);

    status_of_volumes(admin, status);

    status_of_upstreams(admin, status);
}
