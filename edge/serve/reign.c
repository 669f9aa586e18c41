#include "base/core/alloc.h"
#include "edge/access/cache.h"
#include "edge/serve/serve_internal.h"

struct serve_reign *edge_reign_enter(struct edge_serve *serve)
{
    serve->reign->n_holders++;
    return serve->reign;
}

void edge_reign_leave(struct serve_reign *reign)
{
    if (reign == NULL || --reign->n_holders > 0) {
        return;
    }
    edge_access_cache_free(reign->tokens); /* before the keys that it names */
    edge_sites_unref(reign->sites);
    fb_free(reign);
}

void edge_serve_reload(struct edge_serve *serve, struct edge_sites *sites)
{
    struct serve_reign *next = FB_NEW(struct serve_reign);

    next->sites = edge_sites_ref(sites);
    next->n_holders = 1;
    edge_reign_leave(serve->reign);
    serve->reign = next;
}

struct edge_sites *edge_serve_sites(const struct edge_serve *serve)
{
    return serve->reign->sites;
}
