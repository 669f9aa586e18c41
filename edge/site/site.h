/*
 * Sites: what a Host names, and what holds for its requests.
 *
 * A site is found by the request's Host, in any case, whatever its port: first by
 * the name itself, then by the longest `*.suffix` that it ends with (in any depth), then by
 * `*`; else it is the default site, which the root of the configuration describes. A
 * look-up costs one hash, another for each depth of wildcards that there is, and no
 * allocation.
 *
 * Sites are compiled whole from what is written, and never change; a reload
 * compiles new ones.
 *
 * Ownership  Counted. Each loop holds one reference to the sites in force, and a
 *            request under way borrows the site it began with: see edge/serve.
 *            What the specification points at is copied.
 * Threads    Any.
 * Limits     EDGE_SITE_HOSTS_MAX hosts in all, of EDGE_SITE_HOST_BYTES each.
 * Failures   FB_E_MALFORMED with a sentence.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "edge/access/access.h"
#include "edge/access/cors.h"
#include "edge/fresh/edit.h"
#include "edge/fresh/key.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_pool;
struct edge_sites;

/* Labels of a wildcard are bounded too. */
enum { EDGE_SITE_HOSTS_MAX = 65536, EDGE_SITE_HOST_BYTES = 253, EDGE_SITE_DEPTH_MAX = 30 };

/* How fast media is sent to players that say what they need (CTA-5004). */
struct edge_pace {
    uint32_t bitrate; /* percent of `br`; 0: that does not matter */
    bool obeys_rtp;   /* `rtp` goes before it */
    uint64_t least;   /* bytes a second, whatever they say */
};

/* What holds for one site. In a specification it is borrowed; in what
 * edge_sites_find() gives it lives as long as the sites. */
struct edge_site {
    struct fb_str name;           /* for people: its first host; "" for the default */
    struct edge_key_policy key;   /* what of a URL selects a response */
    bool shows_key;               /* in Cache-Status */
    uint32_t demands;             /* of a client's Cache-Control, what is obeyed: EDGE_DEMAND_* */
    const struct edge_pool *pool; /* of edge_upstreams_pool(); NULL: the node's own */
    struct edge_edits edits;      /* of all responses, before those of the rule */
    struct edge_rules *rules;     /* NULL: none; the sites hold a reference */
    struct fb_str hsts;         /* Strict-Transport-Security over TLS; "": what the upstream says */
    struct edge_access *access; /* NULL: everybody; the sites take a reference */
    const struct edge_cors *cors; /* NULL: what the upstream says */
    struct edge_pace pace;        /* zero: as fast as it goes */
};

struct edge_site_spec {
    const struct fb_str *hosts; /* "video.example", "*.cdn.example" */
    size_t n_hosts;
    struct edge_site site;         /* without `rules` */
    const struct edge_rule *rules; /* in order */
    size_t n_rules;
};

struct edge_sites_spec {
    const struct edge_site_spec *sites;
    size_t n_sites;
    struct edge_site_spec rest; /* the default; its hosts are not read */
    uint64_t seed;              /* of the table's hash; drawn by the program */
};

FB_MUST_CHECK int edge_sites_new(const struct edge_sites_spec *spec, struct edge_sites **ret_sites,
                                 struct fb_diag *diag);

/* Both accept NULL. */
struct edge_sites *edge_sites_ref(struct edge_sites *sites);
void edge_sites_unref(struct edge_sites *sites);

/* The site of a request's Host, which may be anything; never NULL. */
const struct edge_site *edge_sites_find(const struct edge_sites *sites, struct fb_str host);

/* The treatment of a normalised path. */
struct edge_treatment edge_site_treat(const struct edge_site *site, struct fb_arena *arena,
                                      struct fb_str path);

/* The key of `request`, as edge_key_of(), under the site's policy. */
FB_MUST_CHECK int edge_site_key(const struct edge_site *site, struct fb_arena *arena,
                                const struct fb_request_head *request,
                                struct edge_target *ret_target);

/* Says what keeps `host` from being a host of a site, if anything does: a name, an address,
 * `*.` and a name, or `*`; without a port. */
FB_MUST_CHECK int edge_site_check_host(struct fb_str host, struct fb_diag *diag);
