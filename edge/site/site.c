#include "edge/site/site.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <stdatomic.h>

struct edge_sites {
    atomic_uint n_refs;
    struct edge_site rest;
};

int edge_sites_new(const struct edge_sites_spec *spec, struct edge_sites **ret_sites,
                   struct fb_diag *diag)
{
    struct edge_sites *sites = FB_NEW(struct edge_sites);

    atomic_init(&sites->n_refs, 1);
    sites->rest = spec->rest.site;
    int err = edge_rules_new(spec->rest.rules, spec->rest.n_rules, &sites->rest.rules, diag);
    if (err < 0) {
        edge_sites_unref(sites);
        return err;
    }
    *ret_sites = sites;
    return FB_OK;
}

struct edge_sites *edge_sites_ref(struct edge_sites *sites)
{
    if (sites != NULL) {
        atomic_fetch_add_explicit(&sites->n_refs, 1, memory_order_relaxed);
    }
    return sites;
}

void edge_sites_unref(struct edge_sites *sites)
{
    if (sites == NULL || atomic_fetch_sub_explicit(&sites->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    edge_rules_unref(sites->rest.rules);
    fb_free(sites);
}

const struct edge_site *edge_sites_find(const struct edge_sites *sites, struct fb_str host)
{
    (void)host;
    return &sites->rest;
}

struct edge_treatment edge_site_treat(const struct edge_site *site, struct fb_arena *arena,
                                      struct fb_str path)
{
    return edge_rules_find(site->rules, arena, path);
}

int edge_site_key(const struct edge_site *site, struct fb_arena *arena,
                  const struct fb_request_head *request, struct edge_target *ret_target)
{
    return edge_key_of(arena, request, &site->key, ret_target);
}

int edge_site_check_host(struct fb_str host, struct fb_diag *diag)
{
    return host.len > 0 ? FB_OK : fb_diag_set(diag, FB_E_MALFORMED, "a host is expected");
}
