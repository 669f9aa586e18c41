#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/target.h"
#include "edge/config/config_internal.h"
#include "edge/config/tls.h"
#include "edge/upstream/upstream.h"

enum { DAY_MS = 86400000 };

/* ---- checks ------------------------------------------------------------ */

static int conf_check_failover(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_failover *failover = conf;

    if (failover->min > failover->max) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'min' is longer than 'max'");
    }
    return FB_OK;
}

static int conf_check_health_path(struct fb_str value, struct fb_diag *diag)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] <= ' ' || value.ptr[i] == '#' || value.ptr[i] == 0x7f) {
            return fb_diag_set(diag, FB_E_MALFORMED, "a path has no spaces and no '#'");
        }
    }
    if (!fb_str_starts_with(value, FB_STR("/"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a path such as /healthz is expected");
    }
    return FB_OK;
}

int edge_conf_check_upstreams(const struct fb_conf_list *upstreams, size_t *ret_entry,
                              struct fb_diag *diag)
{
    return fb_conf_check_distinct_by(upstreams, FB_CONF_TEXT("upstream", edge_conf_upstream, url),
                                     ret_entry, diag);
}

bool edge_conf_is_https(const struct edge_conf_upstream *upstream)
{
    return fb_str_starts_with(upstream->url, FB_STR("https:"));
}

static int conf_check_host(struct fb_str value, struct fb_diag *diag)
{
    return fb_host_is_valid(value)
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no host, nor one with a port",
                             FB_STR_ARG(value));
}

static int conf_check_upstream(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_upstream *upstream = conf;
    bool is_secure = edge_conf_is_https(upstream);

    if (!is_secure && (upstream->tls.ptr != NULL || upstream->tls_name.ptr != NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'tls' and 'tls_name' are for https://");
    }
    if (!is_secure && fb_str_starts_with(upstream->check, FB_STR("https:"))) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a 'check' by https:// needs an upstream by https://");
    }
    return FB_OK;
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const char *const forwarded_names[] = {[EDGE_FORWARDING_OFF] = "off",
                                              [EDGE_FORWARDING_X] = "x-forwarded",
                                              [EDGE_FORWARDING_RFC7239] = "rfc7239",
                                              NULL};

static const char *const tier_names[] =
    {[EDGE_TIER_ORIGIN] = "origin", [EDGE_TIER_REGIONAL] = "regional", NULL};

static const char *const protocol_names[] =
    {[FB_CLIENT_AUTO] = "auto", [FB_CLIENT_HTTP1] = "h1", [FB_CLIENT_HTTP2] = "h2", NULL};

static const struct fb_conf_item upstream_items[] = {
    {"url", FB_CONF_STRING, AT(edge_conf_upstream, url), .is_required = true,
     .check = edge_upstream_check_url,
     .help = "`http://host` or `http://host:port`, or with `https`."},
    {"protocol", FB_CONF_ENUM, AT(edge_conf_upstream, protocol), .names = protocol_names,
     .preset = "auto",
     .help = "`auto`: by `https`, HTTP/2 where the upstream chooses it (ALPN), else HTTP/1.1. "
             "`h1`: HTTP/1.1. `h2`: HTTP/2 or nothing; by `http`, without asking first."},
    {"tls", FB_CONF_STRING, AT(edge_conf_upstream, tls),
     .help =
         "For `https`: the name of the entry of `tls` whose `authorities` must have signed its "
         "certificate, and whose first certificate is shown if one is asked for. Unset: what the "
         "system trusts, and none."},
    {"tls_name", FB_CONF_STRING, AT(edge_conf_upstream, tls_name),
     .help = "The name that its certificate must be for; the URL's host if unset."},
    {"tier", FB_CONF_ENUM, AT(edge_conf_upstream, tier), .names = tier_names, .preset = "origin",
     .help = "`regional` nodes share what is asked for among them, each object with one of them, "
             "as its key says; write their URLs alike on all edges. `origin` servers are asked "
             "after them, in the order they are listed in."},
    {"weight", FB_CONF_INT, AT(edge_conf_upstream, weight), .min = 1, .max = 1000, .preset = "1",
     .help = "Share of a regional node among its like."},
    {"check", FB_CONF_STRING, AT(edge_conf_upstream, check), .check = edge_upstream_check_check,
     .help = "URL of its active health check, such as `http://10.0.0.2:9100/readyz` on a "
             "regional node's address for operators; `health.path` on `url` if unset."},
    {"host", FB_CONF_STRING, AT(edge_conf_upstream, host), .max = 255, .check = conf_check_host,
     .help = "The host that its requests name, such as `media.example` or `media.example:8443`, "
             "where it knows no other. Unset: the one that the client named. What is kept is kept "
             "under that in any case."},
    {"forwarded", FB_CONF_ENUM, AT(edge_conf_upstream, forwarded), .names = forwarded_names,
     .preset = "off",
     .help = "How it is told of the client: `x-forwarded` (For, Proto and Host), `rfc7239` "
             "(`Forwarded`), or not at all. Only with requests that are answered for one client "
             "alone, for what is fetched for all is nobody's. Of what the client claims itself "
             "only that of `clients.trusted` is passed on, such as of a tier below."},
    {0},
};

const struct fb_conf_section edge_conf_upstream_section = {
    .name = "upstreams",
    .help = "Where this node fills itself from: from the regional node that the key says, from "
            "the next one if that fails, else from the first origin that is in service.",
    .size = sizeof(struct edge_conf_upstream),
    .items = upstream_items,
    .check = conf_check_upstream,
};

static const char *const hedge_names[] =
    {[EDGE_HEDGE_OFF] = "off", [EDGE_HEDGE_P95] = "p95", [EDGE_HEDGE_FIXED] = "least", NULL};

static const struct fb_conf_item hedge_items[] = {
    {"after", FB_CONF_ENUM, AT(edge_conf_hedge, after), .names = hedge_names, .preset = "off",
     .help = "When a request without an answer is sent to a second upstream as well: `p95`, after "
             "the 95th percentile of the first one's recent times; `least`, after `least`; `off`, "
             "never."},
    {"least", FB_CONF_DURATION, AT(edge_conf_hedge, least), .min = 1, .max = DAY_MS,
     .preset = "50ms", .help = "But not before."},
    {"share", FB_CONF_INT, AT(edge_conf_hedge, share), .min = 1, .max = 100, .preset = "5",
     .help = "Percent of the requests that may be sent twice, beside ten saved up."},
    {0},
};

static const struct fb_conf_section hedge_section = {
    .name = "hedge",
    .help = "Asking a second upstream when the first is slow. The first usable answer counts, the "
            "other request is canceled; only requests without content that are safe to repeat.",
    .size = sizeof(struct edge_conf_hedge),
    .items = hedge_items,
};

static const struct fb_conf_item failover_items[] = {
    {"after", FB_CONF_INT, AT(edge_conf_failover, after), .min = 1, .max = 1000, .preset = "3",
     .help = "Failures in a row after which an upstream is tried last."},
    {"min", FB_CONF_DURATION, AT(edge_conf_failover, min), .min = 1, .max = DAY_MS, .preset = "1s",
     .help = "For how long at first; doubles while it keeps failing."},
    {"max", FB_CONF_DURATION, AT(edge_conf_failover, max), .min = 1, .max = DAY_MS, .preset = "30s",
     .help = "For how long at most; then one request probes it."},
    {"share", FB_CONF_INT, AT(edge_conf_failover, share), .min = 0, .max = 100, .preset = "50",
     .help = "Percent of failures among at least 20 recent answers, at which it is tried last as "
             "well; 502 and 504 of a regional node count, and being overtaken by a hedged request. "
             "0: never."},
    {"slow_start", FB_CONF_DURATION, AT(edge_conf_failover, slow_start), .min = 0, .max = DAY_MS,
     .preset = "10s",
     .help = "How long a regional node that comes back takes a growing share of its keys."},
    {"retries", FB_CONF_INT, AT(edge_conf_failover, retries), .min = 0, .max = 100, .preset = "20",
     .help = "Percent of the requests that may be sent to another upstream after one failed, "
             "beside 10 a second and `limits.upstream_connections` saved up, per worker."},
    {"headroom", FB_CONF_INT, AT(edge_conf_failover, headroom), .min = 1, .max = 1000,
     .preset = "25",
     .help = "Percent by which the requests under way with a regional node may exceed its share "
             "of all before the next one is asked; at least 8 may always be."},
    {"requests", FB_CONF_INT, AT(edge_conf_failover, requests), .min = 0, .max = UINT32_MAX,
     .preset = "0",
     .help = "Requests under way with one upstream, all workers together; it is passed over for "
             "more, and if all are that full the answer is 503. 0: no bound but the connections."},
    {"hedge", FB_CONF_SECTION, AT(edge_conf_failover, hedge), .section = &hedge_section,
     .help = "Asking a second upstream when the first is slow."},
    {0},
};

const struct fb_conf_section edge_conf_failover_section = {
    .name = "failover",
    .help = "When an upstream counts as out of service, and what is done then. An upstream is "
            "never refused for that: if all are out of service, all are still tried.",
    .size = sizeof(struct edge_conf_failover),
    .items = failover_items,
    .check = conf_check_failover,
};

static const struct fb_conf_item health_items[] = {
    {"path", FB_CONF_STRING, AT(edge_conf_health, path), .check = conf_check_health_path,
     .help = "Asked of every upstream that has no `check` of its own; 2xx is expected. Unset: only "
             "those that have one are checked."},
    {"interval", FB_CONF_DURATION, AT(edge_conf_health, interval), .min = 10, .max = DAY_MS,
     .preset = "5s", .help = "Between two checks of one upstream, a quarter more or less."},
    {"timeout", FB_CONF_DURATION, AT(edge_conf_health, timeout), .min = 1, .max = DAY_MS,
     .preset = "2s", .help = "For the head of the answer, and for connecting."},
    {"healthy", FB_CONF_INT, AT(edge_conf_health, healthy), .min = 1, .max = 1000, .preset = "2",
     .help = "Checks in a row that bring it back into service."},
    {"unhealthy", FB_CONF_INT, AT(edge_conf_health, unhealthy), .min = 1, .max = 1000,
     .preset = "3", .help = "Checks in a row that take it out of service."},
    {0},
};

const struct fb_conf_section edge_conf_health_section = {
    .name = "health",
    .help = "Active checks of upstreams, beside what requests tell of them.",
    .size = sizeof(struct edge_conf_health),
    .items = health_items,
};

static const struct fb_conf_item keepalive_items[] = {
    {"idle", FB_CONF_INT, AT(edge_conf_keepalive, idle), .min = 1, .max = 65536, .preset = "64",
     .help = "Idle connections kept per upstream and worker."},
    {"timeout", FB_CONF_DURATION, AT(edge_conf_keepalive, timeout), .min = 1, .max = DAY_MS,
     .preset = "20s", .help = "How long; less if the upstream's `Keep-Alive` says so."},
    {"requests", FB_CONF_INT, AT(edge_conf_keepalive, requests), .min = 0, .max = UINT32_MAX,
     .preset = "0", .help = "Requests of one connection; 0: no bound."},
    {"age", FB_CONF_DURATION, AT(edge_conf_keepalive, age), .min = 0, .max = DAY_MS, .preset = "0",
     .help = "Of a connection that is used again, so that changes in DNS get "
             "through; 0: no bound."},
    {"queue", FB_CONF_INT, AT(edge_conf_keepalive, queue), .min = 1, .max = 1000000,
     .preset = "1024",
     .help = "Requests that may wait per upstream and worker when all connections are taken; "
             "further ones go to the next upstream."},
    {0},
};

const struct fb_conf_section edge_conf_keepalive_section = {
    .name = "keepalive",
    .help = "Connections to upstreams. A change needs a restart.",
    .size = sizeof(struct edge_conf_keepalive),
    .items = keepalive_items,
};

/* ---- what is made of it ------------------------------------------------ */

struct edge_upstreams_options edge_conf_upstream_options(const struct edge_conf *conf)
{
    const struct edge_conf_failover *failover = &conf->failover;

    return (struct edge_upstreams_options){
        .node = conf->node,
        .connect_timeout_ms = (uint32_t)conf->timeouts.connect,
        .head_timeout_ms = (uint32_t)conf->timeouts.upstream_head,
        .body_timeout_ms = (uint32_t)conf->timeouts.upstream_body,
        .max_connections = (uint32_t)conf->limits.upstream_connections,
        .max_queue = (uint32_t)conf->keepalive.queue,
        .max_idle = (uint32_t)conf->keepalive.idle,
        .idle_ms = (uint32_t)conf->keepalive.timeout,
        .max_reuses = (uint32_t)conf->keepalive.requests,
        .max_age_ms = (uint32_t)conf->keepalive.age,
        .eject_after = (uint32_t)failover->after,
        .eject_min_ms = (uint32_t)failover->min,
        .eject_max_ms = (uint32_t)failover->max,
        .failure_share = (uint32_t)failover->share,
        .max_requests = (uint32_t)failover->requests,
        .slow_start_ms = (uint32_t)failover->slow_start,
        .headroom = (uint32_t)failover->headroom,
        .retry_share = (uint32_t)failover->retries,
        .hedge_after = (enum edge_hedge_after)failover->hedge.after,
        .hedge_least_ms = (uint32_t)failover->hedge.least,
        .hedge_share = (uint32_t)failover->hedge.share,
        .check_path = conf->health.path,
        .check_interval_ms = (uint32_t)conf->health.interval,
        .check_timeout_ms = (uint32_t)conf->health.timeout,
        .check_healthy = (uint32_t)conf->health.healthy,
        .check_unhealthy = (uint32_t)conf->health.unhealthy,
    };
}

int edge_conf_pool(const struct fb_conf_list *list, struct edge_upstreams *upstreams,
                   struct edge_tls *tls, const struct edge_pool **ret_pool, struct fb_diag *diag)
{
    struct edge_upstream_spec specs[EDGE_UPSTREAMS_MAX];

    for (size_t i = 0; i < list->n; i++) {
        const struct edge_conf_upstream *from = FB_CONF_AT(struct edge_conf_upstream, *list, i);
        specs[i] = (struct edge_upstream_spec){
            .url = from->url,
            .protocol = (enum fb_client_protocol)from->protocol,
            .tier = (enum edge_tier)from->tier,
            .weight = (uint32_t)from->weight,
            .check = from->check,
            .host = from->host,
            .forwarding = (enum edge_forwarding)from->forwarded,
        };
        if (edge_conf_is_https(from)) {
            specs[i].tls = edge_tls_client(tls, from->tls, specs[i].protocol);
            specs[i].tls_name = from->tls_name;
        }
    }
    return edge_upstreams_pool(upstreams, specs, list->n, ret_pool, diag);
}
