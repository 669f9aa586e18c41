#include "edge/site/site.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "edge/site/host.h"

#include <stdatomic.h>

struct edge_sites {
    atomic_uint n_refs;
    struct fb_arena arena;  /* what the sites point at */
    struct fb_map *by_host; /* owned; of struct edge_site, by edge_host_read() */
    uint32_t depths;        /* bit n: there is a wildcard of n labels */
    const struct edge_site *rest;
    size_t n;
    struct edge_site items[]; /* the first is the default */
};

/* ---- making ------------------------------------------------------------ */

static const struct fb_str *copy_strings(struct fb_arena *arena, const struct fb_str *from,
                                         size_t n)
{
    struct fb_str *copy = fb_arena_alloc(arena, n * sizeof(*copy));

    for (size_t i = 0; i < n; i++) {
        copy[i] = fb_arena_dup(arena, from[i]);
    }
    return copy;
}

static int site_add_host(struct edge_sites *sites, struct edge_site *site, struct fb_str text,
                         struct fb_diag *diag)
{
    struct edge_host host;

    int err = edge_host_read(text, &host, diag);
    if (err < 0) {
        return err;
    }
    if (host.is_rest ? sites->rest != &sites->items[0]
                     : fb_map_find(sites->by_host, edge_host_str(&host)) != NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "host '%.*s' is listed twice", FB_STR_ARG(text));
    }
    if (host.is_rest) {
        sites->rest = site;
        return FB_OK;
    }
    if (fb_map_count(sites->by_host) == EDGE_SITE_HOSTS_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "there are more than %d hosts",
                           EDGE_SITE_HOSTS_MAX);
    }
    if (host.is_wildcard) {
        sites->depths |= 1U << host.n_labels;
    }
    (void)fb_map_put(sites->by_host, edge_host_str(&host), site); /* there was none */
    return FB_OK;
}

static int site_init(struct edge_sites *sites, struct edge_site *site,
                     const struct edge_site_spec *spec, struct fb_diag *diag)
{
    struct fb_arena *arena = &sites->arena;

    *site = spec->site;
    site->rules = NULL;
    site->name = fb_arena_dup(arena, spec->site.name);
    site->key.included = copy_strings(arena, site->key.included, site->key.n_included);
    site->key.excluded = copy_strings(arena, site->key.excluded, site->key.n_excluded);
    site->edits = edge_edits_copy(arena, &site->edits);
    site->access = edge_access_ref(spec->site.access);
    site->hsts = fb_arena_dup(arena, spec->site.hsts);
    site->cors = edge_cors_copy(arena, spec->site.cors);
    return edge_rules_new(spec->rules, spec->n_rules, &site->rules, diag);
}

static int sites_fill(struct edge_sites *sites, const struct edge_sites_spec *spec,
                      struct fb_diag *diag)
{
    int err = site_init(sites, &sites->items[0], &spec->rest, diag);

    for (size_t i = 0; i < spec->n_sites && err == FB_OK; i++) {
        const struct edge_site_spec *from = &spec->sites[i];
        struct edge_site *site = &sites->items[i + 1];
        err = site_init(sites, site, from, diag);
        if (err == FB_OK && site->name.len == 0 && from->n_hosts > 0) {
            site->name = fb_arena_dup(&sites->arena, from->hosts[0]);
        }
        for (size_t j = 0; j < from->n_hosts && err == FB_OK; j++) {
            err = site_add_host(sites, site, from->hosts[j], diag);
        }
    }
    return err;
}

int edge_sites_new(const struct edge_sites_spec *spec, struct edge_sites **ret_sites,
                   struct fb_diag *diag)
{
    size_t n = spec->n_sites + 1;
    struct edge_sites *sites = fb_alloc(sizeof(*sites) + n * sizeof(sites->items[0]));

    atomic_init(&sites->n_refs, 1);
    sites->n = n;
    sites->by_host = fb_map_new(spec->seed);
    sites->rest = &sites->items[0];
    int err = sites_fill(sites, spec, diag);
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
    for (size_t i = 0; i < sites->n; i++) {
        edge_rules_unref(sites->items[i].rules);
        edge_access_unref(sites->items[i].access);
    }
    fb_map_free(sites->by_host);
    fb_arena_done(&sites->arena);
    fb_free(sites);
}

/* ---- using ------------------------------------------------------------- */

const struct edge_site *edge_sites_find(const struct edge_sites *sites, struct fb_str host)
{
    struct edge_host read;

    if (fb_map_count(sites->by_host) == 0 || !edge_host_of_request(host, &read)) {
        return sites->rest;
    }
    struct fb_str name = edge_host_str(&read);
    const struct edge_site *site = fb_map_find(sites->by_host, name);
    /* Without its first label, the first two … as long as there is a wildcard so deep. */
    while (site == NULL && sites->depths != 0 && read.n_labels > 1) {
        size_t dot = fb_str_find(fb_str_skip(name, 1), '.') + 1;
        name = fb_str_skip(name, dot);
        read.n_labels--;
        if (read.n_labels <= EDGE_SITE_DEPTH_MAX && (sites->depths >> read.n_labels & 1U) != 0) {
            site = fb_map_find(sites->by_host, name);
        }
    }
    return site != NULL ? site : sites->rest;
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
    struct edge_host read;

    return edge_host_read(host, &read, diag);
}
