#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/server/exchange.h"
#include "edge/access_log/access_log.h"
#include "edge/serve/serve_internal.h"

void edge_serve_record(struct serve_request *request, const struct fb_exchange_outcome *outcome)
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
