#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/server/exchange.h"
#include "edge/access_log/access_log.h"
#include "edge/serve/serve_internal.h"
#include "edge/views/views.h"

/* All of the object: it was sent now, or the client has it from before. */
static bool record_is_whole(const struct serve_request *request,
                            const struct fb_exchange_outcome *outcome)
{
    if (outcome->result < 0 || outcome->status != 206 || request->object == NULL) {
        return outcome->result == FB_OK && (outcome->status == 200 || outcome->status == 304);
    }
    return edge_object_length(request->object) == (int64_t)outcome->body_bytes;
}

static bool record_is_missed(const struct serve_request *request)
{
    return request->result == EDGE_SERVE_MISS || request->result == EDGE_SERVE_PARTIAL ||
           request->result == EDGE_SERVE_PASS;
}

static void record_view(struct serve_request *request, const struct fb_exchange_outcome *outcome)
{
    if (request->serve->views == NULL || request->key.len == 0) {
        return;
    }
    edge_views_writer_add(request->serve->views, &(struct edge_views_request){
                                                     .head = request->client,
                                                     .path = request->wanted.path,
                                                     .client = fb_exchange_peer(request->exchange),
                                                     .subject = request->subject,
                                                     .status = outcome->status,
                                                     .bytes = outcome->body_bytes,
                                                     .is_whole = record_is_whole(request, outcome),
                                                     .is_missed = record_is_missed(request),
                                                 });
}

static void record_line(struct serve_request *request, const struct fb_exchange_outcome *outcome)
{
    struct edge_serve *serve = request->serve;
    const struct edge_site *site = request->site;

    if (serve->access_log == NULL) {
        return;
    }
    struct edge_access_entry entry = {
        .wall_ms = fb_clock_wall_ms(fb_loop_clock(serve->loop)),
        .request = request->client,
        .client = fb_exchange_peer(request->exchange),
        .status = outcome->status,
        .bytes = outcome->body_bytes,
        .duration_ns = outcome->duration_ns,
        .is_complete = outcome->result == FB_OK,
        .result = edge_trail_result_name(request->result),
        .forward = request->trail.forward,
        .cause = edge_trail_detail(request),
        .upstream_status = request->trail.upstream_status,
        .tier = fb_str_from(request->trail.tier),
        .protocol = fb_exchange_protocol(request->exchange),
    };
    if (site != NULL) {
        entry.site = site->name;
        entry.hidden = site->key.excluded;
        entry.n_hidden = site->key.n_excluded;
    }
    edge_access_writer_add(serve->access_log, &entry);
}

void edge_serve_record(struct serve_request *request, const struct fb_exchange_outcome *outcome)
{
    record_line(request, outcome);
    record_view(request, outcome);
}
