#include "edge/upstream/upstream.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream_internal.h"

#include <string.h>

static const struct fb_metric upstreams_rows[UPSTREAMS_N_METRICS] = {
    [UPSTREAMS_RETRIES_REFUSED] =
        {"edge_upstream_retries_refused_total", FB_METRIC_COUNTER, NULL,
         "Requests that failed and were not sent again: the budget was spent."},
    [UPSTREAMS_HEDGES_REFUSED] =
        {"edge_upstream_hedges_refused_total", FB_METRIC_COUNTER, NULL,
         "Requests that were slow and were not sent twice: the budget was spent."},
    [UPSTREAMS_UNANSWERED] = {"edge_upstream_unanswered_total", FB_METRIC_COUNTER, NULL,
                              "Requests that no upstream gave an answer to."},
};

/* ---- URLs -------------------------------------------------------------- */

static int upstream_parse(struct fb_str text, struct fb_url *ret_url, struct fb_diag *diag)
{
    struct fb_url url;

    int err = fb_url_parse(text, &url, NULL);
    if (err < 0) {
        return fb_diag_set(diag, err,
                           "'%.*s' is not of the form http://host:port or https://host:port",
                           FB_STR_ARG(text));
    }
    *ret_url = url;
    return FB_OK;
}

int edge_upstream_check_url(struct fb_str url, struct fb_diag *diag)
{
    struct fb_url parsed = {0};

    int err = upstream_parse(url, &parsed, diag);
    if (err == FB_OK && !fb_str_equal(parsed.target, FB_STR("/"))) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has a path: http://host:port is expected",
                          FB_STR_ARG(url));
    }
    return err;
}

int edge_upstream_check_check(struct fb_str url, struct fb_diag *diag)
{
    struct fb_url parsed = {0};

    return upstream_parse(url, &parsed, diag);
}

/* ---- what was configured ----------------------------------------------- */

static void preset(uint32_t *value, uint32_t standard)
{
    if (*value == 0) {
        *value = standard;
    }
}

static struct upstream_settings *settings_new(const struct edge_upstreams_options *options)
{
    struct upstream_settings *settings = FB_NEW(struct upstream_settings);
    struct edge_upstreams_options *own = &settings->options;

    *own = *options;
    own->node = FB_STR_NONE;
    preset(&own->connect_timeout_ms, 2000);
    preset(&own->head_timeout_ms, 15000);
    preset(&own->body_timeout_ms, 15000);
    preset(&own->max_connections, 256);
    preset(&own->max_queue, 1024);
    preset(&own->max_idle, 64);
    preset(&own->idle_ms, 20000);
    preset(&own->eject_after, 3);
    preset(&own->eject_min_ms, 1000);
    preset(&own->eject_max_ms, 30000);
    preset(&own->headroom, 25);
    preset(&own->hedge_least_ms, 50);
    preset(&own->hedge_share, 5);
    preset(&own->check_interval_ms, 5000);
    preset(&own->check_timeout_ms, 2000);
    preset(&own->check_healthy, 2);
    preset(&own->check_unhealthy, 3);
    if (options->check_path.len > 0) {
        settings->check_path = fb_str_dup(options->check_path);
        own->check_path = fb_str_from(settings->check_path);
    }
    return settings;
}

/* Fetches under way read the old settings: they stay until the end. */
static void upstreams_configure(struct edge_upstreams *upstreams,
                                const struct edge_upstreams_options *options)
{
    struct upstream_settings *settings = settings_new(options);

    settings->next = atomic_load(&upstreams->settings);
    atomic_store(&upstreams->settings, settings);
}

const struct edge_upstreams_options *edge_upstreams_options(struct edge_upstreams *upstreams)
{
    return &atomic_load_explicit(&upstreams->settings, memory_order_acquire)->options;
}

/* ---- pools ------------------------------------------------------------- */

/* Under the lock. */
static struct edge_server *upstreams_server(struct edge_upstreams *upstreams, struct fb_str url)
{
    struct edge_server *server = upstreams->servers;

    while (server != NULL && !fb_str_equal(fb_str_from(server->text), url)) {
        server = server->next;
    }
    if (server == NULL) {
        server = edge_server_new(url, upstreams->metrics);
        server->next = upstreams->servers;
        upstreams->servers = server;
    }
    return server;
}

static uint32_t spec_weight(const struct edge_upstream_spec *spec)
{
    return spec->weight != 0 ? spec->weight : 1;
}

static bool pool_equals(const struct edge_pool *pool, const struct edge_upstream_spec *servers,
                        size_t n)
{
    bool is_equal = pool->n == n;

    for (size_t i = 0; i < n && is_equal; i++) {
        const struct pool_member *member = &pool->members[i];
        struct fb_str check = member->check != NULL ? fb_str_from(member->check) : FB_STR_NONE;
        struct fb_str tls_name =
            member->tls_name != NULL ? fb_str_from(member->tls_name) : FB_STR_NONE;
        struct fb_str host = member->host != NULL ? fb_str_from(member->host) : FB_STR_NONE;
        is_equal =
            fb_str_equal(fb_str_from(member->server->text), servers[i].url) &&
            member->tier == servers[i].tier && member->weight == spec_weight(&servers[i]) &&
            member->tls == servers[i].tls && member->protocol == servers[i].protocol &&
            fb_str_equal(check, servers[i].check) && fb_str_equal(tls_name, servers[i].tls_name) &&
            fb_str_equal(host, servers[i].host) && member->forwarding == servers[i].forwarding;
    }
    return is_equal;
}

/* Under the lock. */
static struct edge_pool *pool_new(struct edge_upstreams *upstreams,
                                  const struct edge_upstream_spec *servers, size_t n)
{
    struct edge_pool *pool = FB_NEW(struct edge_pool);

    for (size_t i = 0; i < n; i++) {
        pool->members[i] = (struct pool_member){
            .server = upstreams_server(upstreams, servers[i].url),
            .tier = servers[i].tier,
            .weight = spec_weight(&servers[i]),
            .check = servers[i].check.len > 0 ? fb_str_dup(servers[i].check) : NULL,
            .protocol = servers[i].protocol,
            .tls = servers[i].tls,
            .tls_name = servers[i].tls_name.len > 0 ? fb_str_dup(servers[i].tls_name) : NULL,
            .host = servers[i].host.len > 0 ? fb_str_dup(servers[i].host) : NULL,
            .forwarding = servers[i].forwarding,
        };
    }
    pool->n = n;
    pool->next = upstreams->pools;
    upstreams->pools = pool;
    return pool;
}

static int spec_check(const struct edge_upstream_spec *server, struct fb_diag *diag)
{
    int err = edge_upstream_check_url(server->url, diag);
    if (err == FB_OK && server->check.len > 0) {
        err = edge_upstream_check_check(server->check, diag);
    }
    if (err < 0) {
        return err;
    }
    FB_REQUIRE(server->url.ptr != NULL); /* what is good is not empty */
    if (fb_str_starts_with(server->url, FB_STR("https:")) != (server->tls != NULL)) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "TLS is for https://, and needed there");
    }
    return FB_OK;
}

static int specs_check(const struct edge_upstream_spec *servers, size_t n, struct fb_diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        int err = spec_check(&servers[i], diag);
        if (err < 0) {
            return fb_diag_prefix(diag, err, "upstream '%.*s'", FB_STR_ARG(servers[i].url));
        }
    }
    return FB_OK;
}

int edge_upstreams_pool(struct edge_upstreams *upstreams, const struct edge_upstream_spec *servers,
                        size_t n, const struct edge_pool **ret_pool, struct fb_diag *diag)
{
    FB_REQUIRE(n >= 1 && n <= EDGE_UPSTREAMS_MAX);
    int err = specs_check(servers, n, diag);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&upstreams->lock); /* cannot fail on a plain mutex */
    struct edge_pool *pool = upstreams->pools;
    while (pool != NULL && !pool_equals(pool, servers, n)) {
        pool = pool->next;
    }
    if (pool == NULL) {
        pool = pool_new(upstreams, servers, n);
    }
    (void)pthread_mutex_unlock(&upstreams->lock);
    *ret_pool = pool;
    return FB_OK;
}

/* ---- what is in use ---------------------------------------------------- */

/* Under the lock; `upstreams->used` has room. The first pool that has a server says
 * how it is shown and checked. */
static void upstreams_add_used(struct edge_upstreams *upstreams, const struct pool_member *member)
{
    struct edge_server *server = member->server;

    for (size_t i = 0; i < upstreams->n_used; i++) {
        if (upstreams->used[i] == server) {
            return;
        }
    }
    server->tier = member->tier;
    server->weight = member->weight;
    server->check = member->check != NULL ? fb_str_from(member->check) : FB_STR_NONE;
    server->protocol = member->protocol;
    server->tls = member->tls;
    server->tls_name = member->tls_name != NULL ? fb_str_from(member->tls_name) : FB_STR_NONE;
    server->host = member->host != NULL ? fb_str_from(member->host) : FB_STR_NONE;
    if (server->check.len == 0 && edge_upstreams_options(upstreams)->check_path.len == 0) {
        edge_server_unchecked(server);
    }
    upstreams->used[upstreams->n_used++] = server;
}

void edge_upstreams_use(struct edge_upstreams *upstreams,
                        const struct edge_upstreams_options *options,
                        const struct edge_pool *const *pools, size_t n_pools)
{
    FB_REQUIRE(n_pools >= 1);
    (void)pthread_mutex_lock(&upstreams->lock);
    if (options != NULL) {
        upstreams_configure(upstreams, options);
    }
    fb_free(upstreams->used);
    upstreams->used = fb_alloc_array(n_pools * EDGE_UPSTREAMS_MAX, sizeof(struct edge_server *));
    upstreams->n_used = 0;
    for (size_t i = 0; i < n_pools; i++) {
        for (size_t j = 0; j < pools[i]->n; j++) {
            upstreams_add_used(upstreams, &pools[i]->members[j]);
        }
    }
    atomic_store(&upstreams->own_pool, pools[0]);
    (void)pthread_mutex_unlock(&upstreams->lock);
}

size_t edge_upstreams_count(struct edge_upstreams *upstreams)
{
    (void)pthread_mutex_lock(&upstreams->lock);
    size_t n = upstreams->n_used;
    (void)pthread_mutex_unlock(&upstreams->lock);
    return n;
}

struct edge_server *edge_upstreams_used(struct edge_upstreams *upstreams, size_t index,
                                        struct upstream_check *ret_check)
{
    struct edge_server *server = NULL;

    (void)pthread_mutex_lock(&upstreams->lock);
    if (index < upstreams->n_used) {
        server = upstreams->used[index];
        *ret_check = (struct upstream_check){
            .url = server->check,
            .protocol = server->protocol,
            .tls = server->tls,
            .tls_name = server->tls_name,
            .host = server->host,
        };
    }
    (void)pthread_mutex_unlock(&upstreams->lock);
    return server;
}

bool edge_upstreams_status(struct edge_upstreams *upstreams, size_t index,
                           struct edge_upstream_status *ret_status)
{
    (void)pthread_mutex_lock(&upstreams->lock);
    bool is_there = index < upstreams->n_used;
    if (is_there) {
        struct edge_server *server = upstreams->used[index];
        enum edge_upstream_state state = edge_server_state(upstreams, server);
        if (state == EDGE_UPSTREAM_SLOW_START && server->tier == EDGE_TIER_ORIGIN) {
            state = EDGE_UPSTREAM_UP; /* origins are asked in order, by whatever key */
        }
        *ret_status = (struct edge_upstream_status){
            .url = fb_str_from(server->text),
            .tier = server->tier,
            .weight = server->weight,
            .state = state,
            .protocol = atomic_load_explicit(&server->spoken, memory_order_relaxed),
            .is_up = state <= EDGE_UPSTREAM_FULL,
            .n_requests = atomic_load(&server->n_under_way),
            .head_p50_us = edge_delays_quantile(&server->delays, 50),
            .head_p95_us = edge_delays_quantile(&server->delays, 95),
            .until_ms = edge_server_until_ms(upstreams, server),
            .error_ms = server->error_ms,
        };
        memcpy(ret_status->error, server->error, sizeof(ret_status->error));
    }
    (void)pthread_mutex_unlock(&upstreams->lock);
    return is_there;
}

const char *edge_upstream_state_name(enum edge_upstream_state state)
{
    static const char *const names[] = {
        [EDGE_UPSTREAM_UP] = "up",           [EDGE_UPSTREAM_SLOW_START] = "slow-start",
        [EDGE_UPSTREAM_FULL] = "full",       [EDGE_UPSTREAM_EJECTED] = "ejected",
        [EDGE_UPSTREAM_OPEN] = "open",       [EDGE_UPSTREAM_PROBING] = "probing",
        [EDGE_UPSTREAM_RESTING] = "resting",
    };
    return names[state];
}

const char *edge_tier_name(enum edge_tier tier)
{
    return tier == EDGE_TIER_REGIONAL ? "regional" : "origin";
}

/* ---- life -------------------------------------------------------------- */

void edge_upstreams_note(struct edge_upstreams *upstreams, enum upstreams_metric row)
{
    if (upstreams->table != NULL) {
        fb_metrics_add(upstreams->table, row, 1);
    }
}

struct edge_upstreams *edge_upstreams_new(const struct edge_upstreams_options *options,
                                          const struct fb_clock *clock, struct fb_metrics *metrics)
{
    struct edge_upstreams *upstreams = FB_NEW(struct edge_upstreams);

    upstreams->clock = clock;
    upstreams->metrics = metrics;
    upstreams->node = fb_str_dup(options->node);
    (void)pthread_mutex_init(&upstreams->lock, NULL); /* cannot fail on Linux */
    if (metrics != NULL) {
        upstreams->table = fb_metrics_table_new(metrics, upstreams_rows, UPSTREAMS_N_METRICS, NULL);
    }
    upstreams_configure(upstreams, options);
    return upstreams;
}

static void upstreams_free_settings(struct edge_upstreams *upstreams)
{
    struct upstream_settings *settings = atomic_load(&upstreams->settings);

    while (settings != NULL) {
        struct upstream_settings *next = settings->next;
        fb_free(settings->check_path);
        fb_free(settings);
        settings = next;
    }
}

void edge_upstreams_free(struct edge_upstreams *upstreams)
{
    if (upstreams == NULL) {
        return;
    }
    while (upstreams->pools != NULL) {
        struct edge_pool *pool = upstreams->pools;
        upstreams->pools = pool->next;
        for (size_t i = 0; i < pool->n; i++) {
            fb_free(pool->members[i].check);
            fb_free(pool->members[i].tls_name);
            fb_free(pool->members[i].host);
        }
        fb_free(pool);
    }
    while (upstreams->servers != NULL) {
        struct edge_server *server = upstreams->servers;
        upstreams->servers = server->next;
        edge_server_free(server);
    }
    upstreams_free_settings(upstreams);
    (void)pthread_mutex_destroy(&upstreams->lock);
    fb_free(upstreams->used);
    fb_free(upstreams->node);
    fb_free(upstreams);
}
