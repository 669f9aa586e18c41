#include "base/core/err.h"
#include "base/http/url.h"
#include "edge/fresh/key.h"
#include "edge/serve/serve_internal.h"
#include "edge/upstream/via.h"

#include <string.h>

/* A single range of what could be huge. Manifests are small, and wanted whole. */
static void gate_read_range(struct serve_request *request)
{
    request->has_range = request->conditions.range.ptr != NULL &&
                         request->client->method == FB_METHOD_GET &&
                         request->treatment.class != EDGE_CLASS_MANIFEST &&
                         fb_range_parse(request->conditions.range, &request->ranges) == FB_OK &&
                         request->ranges.n == 1;
}

/* The request as a GET of the target in its normal form, which the upstream is
 * asked for too: what has one key is one thing to everybody. */
static int gate_read_target(struct serve_request *request)
{
    struct fb_request_head *wanted = &request->wanted;
    struct fb_str path = FB_STR_NONE;

    *wanted = *request->client;
    wanted->method = FB_METHOD_GET;
    wanted->method_text = fb_method_text(FB_METHOD_GET);
    int err = fb_path_normalise(request->arena, request->client->path, &path);
    if (err < 0) {
        return err;
    }
    wanted->path = path;
    wanted->target = path;
    if (wanted->query.ptr != NULL) {
        size_t len = path.len + 1 + wanted->query.len;
        char *target = fb_arena_alloc(request->arena, len + 1);
        memcpy(target, path.ptr, path.len);
        target[path.len] = '?';
        memcpy(target + path.len + 1, wanted->query.ptr, wanted->query.len);
        wanted->target = (struct fb_str){target, len};
    }
    return edge_key_of(request->arena, wanted, &request->key);
}

void edge_serve_start(struct serve_request *request)
{
    const struct edge_serve_options *options = &request->serve->options;
    enum fb_method method = request->client->method;

    if (method == FB_METHOD_OTHER) {
        edge_serve_fail(request, 501, "the method is not supported");
        return;
    }
    if (edge_via_has(&request->client->headers, options->node)) {
        edge_serve_fail(request, 508,
                        "the request has passed this node before: "
                        "upstreams form a circle, or two nodes have one name");
        return;
    }
    int err = gate_read_target(request);
    if (err == FB_E_LIMIT) {
        edge_serve_fail(request, 414, "the target is too long");
    } else if (err < 0) {
        edge_serve_fail(request, 400, "the path or the host is malformed");
    } else if (method != FB_METHOD_GET && method != FB_METHOD_HEAD) {
        edge_serve_fetch(request, "method", NULL);
    } else if (request->conditions.has_strict) {
        edge_serve_fetch(request, "bypass", "precondition");
    } else {
        request->treatment =
            edge_rules_find(options->rules, options->n_rules, request->wanted.path);
        gate_read_range(request);
        edge_serve_lookup(request);
    }
}
