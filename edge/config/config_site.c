#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "edge/config/config.h"
#include "edge/config/config_internal.h"
#include "edge/fresh/demands.h"
#include "edge/fresh/rule.h"
#include "edge/site/host.h"
#include "edge/site/site.h"
#include "edge/upstream/upstream.h"

/* ---- checks ------------------------------------------------------------ */

static int site_check_parameter(struct fb_str value, struct fb_diag *diag)
{
    if (value.len == 0 || fb_str_find(value, '&') < value.len ||
        fb_str_find(value, '=') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the name of a query parameter is expected");
    }
    switch (edge_parameter_of(value)) {
    case EDGE_PARAMETER_ALWAYS:
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' always counts: it selects what a playlist is to hold",
                           FB_STR_ARG(value));
    case EDGE_PARAMETER_NEVER:
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' never counts: it tells of the player",
                           FB_STR_ARG(value));
    case EDGE_PARAMETER_BY_POLICY:
        break;
    }
    return FB_OK;
}

static int site_check_key(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_key *key = conf;

    if (key->include.n > 0 && key->query != EDGE_KEY_NONE) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'include' is for 'query: none', which takes no others");
    }
    if (key->exclude.n > 0 && key->query == EDGE_KEY_NONE) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'exclude' is not for 'query: none', which takes none anyway");
    }
    return FB_OK;
}

/* Adds the hosts of `site` to those of the sites before it. */
static int site_add_hosts(struct fb_map *hosts, const struct edge_conf_site *site,
                          struct fb_diag *diag)
{
    for (size_t i = 0; i < site->hosts.n; i++) {
        struct fb_str text = *FB_CONF_AT(struct fb_str, site->hosts, i);
        struct edge_host host;
        int err = edge_host_read(text, &host, diag);
        if (err < 0) {
            return err;
        }
        struct fb_str name = host.is_rest ? FB_STR("*") : edge_host_str(&host);
        if (fb_map_put(hosts, name, &hosts) != NULL) {
            return fb_diag_set(diag, FB_E_MALFORMED, "host '%.*s' is listed twice",
                               FB_STR_ARG(text));
        }
    }
    return FB_OK;
}

int edge_conf_check_sites(const struct fb_conf_list *sites, size_t *ret_entry, struct fb_diag *diag)
{
    struct fb_map *hosts = fb_map_new(1);
    int err = FB_OK;

    for (size_t i = 0; i < sites->n && err == FB_OK; i++) {
        *ret_entry = i;
        err = site_add_hosts(hosts, FB_CONF_AT(struct edge_conf_site, *sites, i), diag);
    }
    if (err == FB_OK && fb_map_count(hosts) > EDGE_SITE_HOSTS_MAX) {
        err = fb_diag_set(diag, FB_E_LIMIT, "there are more than %d hosts", EDGE_SITE_HOSTS_MAX);
    }
    fb_map_free(hosts);
    return err;
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

enum { BITS_A_BYTE = 8 };

static const char *const query_names[] =
    {[EDGE_KEY_WHOLE] = "whole", [EDGE_KEY_ALL] = "all", [EDGE_KEY_NONE] = "none", NULL};

static const struct fb_conf_item key_items[] = {
    {"query", FB_CONF_ENUM, AT(edge_conf_key, query), .names = query_names, .preset = "whole",
     .help = "`whole`: every parameter, in the order in which they are written; `all`: every one, "
             "in the order of their names; `none`: only those of `include`, likewise."},
    {"include", FB_CONF_STRINGS, AT(edge_conf_key, include), .check = site_check_parameter,
     .check_all = fb_conf_check_distinct, .help = "Parameters that count, with `query: none`."},
    {"exclude", FB_CONF_STRINGS, AT(edge_conf_key, exclude), .check = site_check_parameter,
     .check_all = fb_conf_check_distinct, .help = "Parameters that do not count, with the others."},
    {"show", FB_CONF_BOOL, AT(edge_conf_key, show), .preset = "false",
     .help = "Whether Cache-Status tells the key of each request, if it has at most 1024 bytes: to "
             "find out why two URLs are, or are not, one object. It tells everybody what of a URL "
             "counts."},
    {0},
};

static const struct fb_conf_section key_section = {
    .name = "key",
    .help = "Which parameters of a URL's query select a response; the upstream is asked without "
            "the others. `CMCD` and `CMCD-…` never count, `_HLS_msn`, `_HLS_part` and `_HLS_skip` "
            "always do, in this order behind the others. Other methods than GET and HEAD keep "
            "their query.",
    .size = sizeof(struct edge_conf_key),
    .items = key_items,
    .check = site_check_key,
};

static const struct {
    const char *name;
    unsigned bit;
} demands[] = {
    {"only-if-cached", EDGE_DEMAND_ONLY_IF_CACHED},
    {"max-stale", EDGE_DEMAND_MAX_STALE},
    {"min-fresh", EDGE_DEMAND_MIN_FRESH},
    {"no-cache", EDGE_DEMAND_NO_CACHE},
    {"max-age", EDGE_DEMAND_MAX_AGE},
    {"no-store", EDGE_DEMAND_NO_STORE},
    {"stale-if-error", EDGE_DEMAND_STALE_IF_ERROR},
};

/* The bit of a directive, or 0. */
static unsigned site_demand(struct fb_str name)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(demands); i++) {
        if (fb_str_equal(name, fb_str_from(demands[i].name))) {
            return demands[i].bit;
        }
    }
    return 0;
}

static int site_check_demand(struct fb_str value, struct fb_diag *diag)
{
    if (site_demand(value) == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' is none of only-if-cached, max-stale, min-fresh, no-cache, "
                           "max-age, no-store, stale-if-error",
                           FB_STR_ARG(value));
    }
    return FB_OK;
}

static int site_check_pace(const void *conf, struct fb_diag *diag)
{
    enum { PLAYED = 100 };
    const struct edge_conf_pace *pace = conf;

    if (pace->bitrate != 0 && pace->bitrate < PLAYED) {
        int err = fb_diag_set(diag, FB_E_MALFORMED,
                              "'bitrate' is a percentage: below 100 media comes more slowly than "
                              "it is played, and players stall");
        return fb_diag_blame(diag, err, &pace->bitrate);
    }
    return FB_OK;
}

static const struct fb_conf_item pace_items[] = {
    {"bitrate", FB_CONF_INT, AT(edge_conf_pace, bitrate), .min = 0, .max = 10000, .preset = "0",
     .help = "Percent of the bitrate of what is fetched (`br`), such as 150: less than 125 leaves "
             "a player little to catch up with, and with less than 100, which is refused, it "
             "stalls. 0: that does not matter."},
    {"rtp", FB_CONF_BOOL, AT(edge_conf_pace, rtp), .preset = "false",
     .help = "Whether what a player asks for itself (`rtp`) holds, before `bitrate`."},
    {"least", FB_CONF_RATE, AT(edge_conf_pace, least), .min = 8000, .max = 100000000000,
     .preset = "1Mbit/s", .help = "But never slower than this; above `clients.least_rate`."},
    {0},
};

static const struct fb_conf_section pace_section = {
    .name = "pace",
    .help = "How fast media is sent to players that say by CMCD (CTA-5004) what they need, so that "
            "it comes evenly and not in bursts. One that begins (`su`) or has run dry (`bs`) gets "
            "all there is, as does one that says nothing. `rate` of the listener bounds all. On a "
            "connection of HTTP/2 the responses under way have their sum.",
    .size = sizeof(struct edge_conf_pace),
    .items = pace_items,
    .check = site_check_pace,
};

static const struct fb_conf_item site_items[] = {
    {"hosts", FB_CONF_STRINGS, AT(edge_conf_site, hosts), .min = 1, .is_required = true,
     .check = edge_site_check_host, .check_all = fb_conf_check_distinct,
     .help = "Names without port, such as `video.example`; `*.cdn.example` for all that end so, in "
             "any depth; `*` for what no other site names. A name comes before wildcards, and a "
             "longer wildcard before a shorter one."},
    {"upstreams", FB_CONF_SECTIONS, AT(edge_conf_site, upstreams),
     .section = &edge_conf_upstream_section, .min = 1, .max = EDGE_UPSTREAMS_MAX,
     .check_all = edge_conf_check_upstreams,
     .help = "Where it is filled from; the root's upstreams if not written."},
    {"key", FB_CONF_SECTION, AT(edge_conf_site, key), .section = &key_section,
     .help = "What of a URL selects a response."},
    {"rules", FB_CONF_SECTIONS, AT(edge_conf_site, rules), .section = &edge_conf_rule_section,
     .help = "What is known of its paths; the root's rules if not written."},
    {"requests", FB_CONF_STRINGS, AT(edge_conf_site, requests), .check = site_check_demand,
     .check_all = fb_conf_check_distinct, .preset = "[only-if-cached]",
     .help = "Directives of clients' Cache-Control that are obeyed, of `only-if-cached`, "
             "`max-stale`, `min-fresh`, `no-cache`, `max-age`, `no-store` and `stale-if-error`. "
             "Most let clients steer the traffic upstream, or past the cache."},
    {"cookies", FB_CONF_ENUM, AT(edge_conf_site, cookies), .names = edge_conf_cookie_names,
     .preset = "by-class",
     .help = "What becomes of a response with Set-Cookie where no rule says more, as there."},
    {"headers", FB_CONF_SECTION, AT(edge_conf_site, headers), .section = &edge_conf_headers_section,
     .help = "Changes to all its responses."},
    {"access", FB_CONF_SECTION, AT(edge_conf_site, access), .section = &edge_conf_access_section,
     .help = "Who is served; everybody if it has no `keys`."},
    {"cors", FB_CONF_SECTION, AT(edge_conf_site, cors), .section = &edge_conf_cors_section,
     .help = "Which pages may read its responses; what the upstream says if it has no `origins`."},
    {"hsts", FB_CONF_SECTION, AT(edge_conf_site, hsts), .section = &edge_conf_hsts_section,
     .help = "Keeps browsers from asking its hosts without TLS again."},
    {"pace", FB_CONF_SECTION, AT(edge_conf_site, pace), .section = &pace_section,
     .help = "How fast media is sent to players that say what they need; as fast as it goes if "
             "neither `bitrate` nor `rtp` is written."},
    {0},
};

const struct fb_conf_section edge_conf_site_section = {
    .name = "sites",
    .help = "What holds for some hosts. Hosts that no site names share the root's `rules`, and "
            "the preset of everything else.",
    .size = sizeof(struct edge_conf_site),
    .items = site_items,
};

/* ---- what is made of it ------------------------------------------------ */

static uint32_t site_demands(const struct fb_conf_list *names)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < names->n; i++) {
        bits |= site_demand(*FB_CONF_AT(struct fb_str, *names, i));
    }
    return bits;
}

static int site_spec(const struct edge_conf *conf, const struct edge_conf_site *from,
                     struct fb_arena *arena, struct edge_site_spec *spec, struct fb_diag *diag)
{
    const struct fb_conf_list *rules = from->rules.items != NULL ? &from->rules : &conf->rules;

    *spec = (struct edge_site_spec){
        .hosts = from->hosts.items,
        .n_hosts = from->hosts.n,
        .site =
            {
                .key = {.query = (enum edge_key_query)from->key.query,
                        .included = from->key.include.items,
                        .n_included = from->key.include.n,
                        .excluded = from->key.exclude.items,
                        .n_excluded = from->key.exclude.n},
                .shows_key = from->key.show,
                .demands = site_demands(&from->requests),
                .edits = edge_conf_edits(arena, &from->headers),
                .cors = edge_conf_cors(arena, &from->cors),
                .hsts = edge_conf_hsts(arena, &from->hsts),
                .pace = {.bitrate = (uint32_t)from->pace.bitrate,
                         .obeys_rtp = from->pace.rtp,
                         .least = from->pace.least / BITS_A_BYTE},
            },
    };
    int err = edge_conf_access(&from->access, *FB_CONF_AT(struct fb_str, from->hosts, 0),
                               &spec->site.access, diag);
    if (err < 0) {
        return err;
    }
    spec->rules = edge_conf_rules(arena, rules, (enum edge_cookies)from->cookies, &spec->n_rules);
    return FB_OK;
}

int edge_conf_sites(const struct edge_conf *conf, struct edge_upstreams *upstreams,
                    struct edge_tls *tls, uint64_t seed, struct edge_sites **ret_sites,
                    struct fb_diag *diag)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_site_spec *sites = fb_arena_alloc(&arena, conf->sites.n * sizeof(*sites));
    struct edge_sites_spec spec = {.sites = sites, .n_sites = conf->sites.n, .seed = seed};
    int err = FB_OK;

    for (size_t i = 0; i < conf->sites.n && err == FB_OK; i++) {
        const struct edge_conf_site *from = FB_CONF_AT(struct edge_conf_site, conf->sites, i);
        err = site_spec(conf, from, &arena, &sites[i], diag);
        if (err == FB_OK && from->upstreams.items != NULL && upstreams != NULL) {
            err = edge_conf_pool(&from->upstreams, upstreams, tls, &sites[i].site.pool, diag);
        }
    }
    spec.rest.site.demands = EDGE_DEMANDS_PRESET;
    spec.rest.rules =
        edge_conf_rules(&arena, &conf->rules, EDGE_COOKIES_BY_CLASS, &spec.rest.n_rules);
    if (err == FB_OK) {
        err = edge_sites_new(&spec, ret_sites, diag);
    }
    for (size_t i = 0; i < conf->sites.n; i++) {
        edge_access_unref(sites[i].site.access); /* the sites have references of their own */
    }
    return err;
}

int edge_conf_use_upstreams(const struct edge_conf *conf,
                            const struct edge_upstreams_options *options,
                            struct edge_upstreams *upstreams, struct edge_tls *tls,
                            struct fb_diag *diag)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct edge_pool **pools =
        fb_arena_alloc(&arena, (conf->sites.n + 1) * sizeof(const struct edge_pool *));
    size_t n = 1;

    int err = edge_conf_pool(&conf->upstreams, upstreams, tls, &pools[0], diag);
    for (size_t i = 0; i < conf->sites.n && err == FB_OK; i++) {
        const struct edge_conf_site *site = FB_CONF_AT(struct edge_conf_site, conf->sites, i);
        if (site->upstreams.items != NULL) {
            err = edge_conf_pool(&site->upstreams, upstreams, tls, &pools[n++], diag);
        }
    }
    if (err < 0) {
        return err;
    }
    edge_upstreams_use(upstreams, options, pools, n);
    return FB_OK;
}
