/*
 * forebay-edge: the rooms of the edge, put together. What the node does while it lives: edge/node.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/work.h"
#include "base/net/network.h"
#include "base/net/tcp.h"
#include "base/server/clients.h"
#include "base/server/router.h"
#include "base/sys/random.h"
#include "edge/access_log/access_log.h"
#include "edge/admin/admin.h"
#include "edge/config/config.h"
#include "edge/config/tls.h"
#include "edge/fill/fill.h"
#include "edge/node/node.h"
#include "edge/node/signals.h"
#include "edge/purge/purge.h"
#include "edge/replay/command.h"
#include "edge/report/report.h"
#include "edge/serve/crew.h"
#include "edge/site/site.h"
#include "edge/store/store.h"
#include "edge/store/sweeper.h"
#include "edge/tool/tool.h"
#include "edge/upstream/upstream.h"
#include "edge/volume/volumes.h"

#include <unistd.h>

/* Tokens that wait to be verified; a thread verifies some thousands a second. */
enum { TOKENS_QUEUED_MAX = 1024, HANDSHAKES_QUEUED_MAX = 512, BITS_A_BYTE = 8 };

static void node_stop(void *ctx)
{
    struct edge_node *node = ctx;

    edge_crew_free(node->crew);
    edge_signals_close(node);
    edge_tls_free(node->tls);
    fb_pool_free(node->tls_pool);
    fb_pool_free(node->pool);
    edge_access_log_close(node->access_log);
    fb_clients_free(node->clients);
    edge_fill_table_free(node->fills);
    edge_sweeper_free(node->sweeper);
    edge_store_free(node->store);
    edge_volumes_free(node->volumes);
    edge_purges_close(node->purges);
    edge_upstreams_free(node->upstreams);
    fb_free(node);
}

static int node_make_upstreams(struct edge_node *node, struct fb_diag *diag)
{
    const struct edge_conf *conf = node->conf;
    struct edge_upstreams_options options = edge_conf_upstream_options(conf);

    node->upstreams = edge_upstreams_new(&options, fb_clock_system(), node->metrics);
    return edge_conf_use_upstreams(conf, NULL, node->upstreams, node->tls, diag);
}

static size_t node_workers(const struct edge_conf *conf)
{
    if (conf->workers != FB_CONF_AUTO) {
        return (size_t)conf->workers;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

static void node_make_clients(struct edge_node *node)
{
    const struct edge_conf *conf = node->conf;
    FB_AUTO(fb_freep) struct fb_network *trusted = edge_conf_trusted(conf);

    node->clients = fb_clients_new(&(struct fb_clients_options){
        .max_connections = (uint32_t)conf->clients.connections,
        .requests_per_s = (uint32_t)conf->clients.requests,
        .burst = (uint32_t)conf->clients.burst,
        .bits_v4 = (unsigned)conf->clients.prefix_v4,
        .bits_v6 = (unsigned)conf->clients.prefix_v6,
        .trusted = trusted,
        .n_trusted = conf->clients.trusted.n,
        .max_clients = 4 * (size_t)conf->limits.connections * node_workers(conf),
        .clock = fb_clock_system(),
    });
}

static int node_open_access_log(struct edge_node *node, struct fb_diag *diag)
{
    struct edge_access_log_options options = edge_conf_access_log(node->conf);

    options.seed = fb_random_u64();
    options.metrics = node->metrics;
    return edge_access_log_open(&options, &node->access_log, diag);
}

static void node_tell_quiet(void *ctx)
{
    fb_daemon_tell_quiet(((struct edge_node *)ctx)->daemon);
}

static int node_make_crew(struct edge_node *node, struct fb_loop *loop, struct edge_sites *sites,
                          struct fb_diag *diag)
{
    const struct edge_conf *conf = node->conf;
    struct edge_crew_options options = {
        .n_workers = node_workers(conf),
        .main_loop = loop,
        .clock = fb_clock_system(),
        .upstreams = node->upstreams,
        .volumes = node->volumes,
        .limits =
            {
                .max_connections = (uint32_t)conf->limits.connections,
                .max_head_bytes = (uint32_t)conf->limits.head,
                .max_headers = (uint32_t)conf->limits.headers,
                .max_body_bytes = conf->limits.body,
                .max_requests = (uint32_t)conf->limits.requests,
                .head_timeout_ms = (uint32_t)conf->timeouts.head,
                .body_timeout_ms = (uint32_t)conf->timeouts.body,
                .idle_timeout_ms = (uint32_t)conf->timeouts.idle,
                .write_timeout_ms = (uint32_t)conf->timeouts.write,
                .least_rate = conf->clients.least_rate,
                .has_no_http2 = !conf->http2.enabled,
                .max_streams = (uint32_t)conf->http2.streams,
                .h2_window = (uint32_t)conf->http2.window,
            },
        .grace_ms = (uint32_t)conf->timeouts.drain,
        .sockets = fb_daemon_sockets(node->daemon),
        .quiet = node_tell_quiet,
        .quiet_ctx = node,
        .serve =
            {
                .node = conf->node,
                .sites = sites,
                .store = node->store,
                .fills = node->fills,
                .metrics = node->metrics,
                .access_log = node->access_log,
                .views = node->signals->views,
                .take = node->signals->report != NULL ? edge_report_take : NULL,
                .take_ctx = node->signals->report,
                .clients = node->clients,
                .sends_tags = conf->role == EDGE_ROLE_REGIONAL,
                .pool = node->pool,
                .prefetch = conf->prefetch.next,
                .prefetch_parallel = (unsigned)conf->prefetch.parallel,
            },
    };
    return edge_crew_new(&options, &node->crew, diag);
}

static int node_make_sites_and_crew(struct edge_node *node, struct fb_loop *loop,
                                    struct fb_diag *diag)
{
    struct edge_sites *sites = NULL;

    int err = fb_pool_new("access", 1, TOKENS_QUEUED_MAX, &node->pool);
    if (err < 0) {
        return fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err));
    }
    err = edge_conf_sites(node->conf, node->upstreams, node->tls, fb_random_u64(), &sites, diag);
    if (err == FB_OK) {
        err = node_make_crew(node, loop, sites, diag);
    }
    edge_sites_unref(sites); /* the crew has its own reference */
    return err;
}

/* Handshakes that wait are bounded: a burst holds some milliseconds of a thread each, and a client
 * that is turned away comes back. */
static int node_make_tls(struct edge_node *node, struct fb_diag *diag)
{
    if (edge_conf_has_tls(node->conf)) {
        unsigned n_threads = (unsigned)(node_workers(node->conf) + 1) / 2;
        int err = fb_pool_new("tls", n_threads, HANDSHAKES_QUEUED_MAX, &node->tls_pool);
        if (err < 0) {
            return fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err));
        }
        fb_pool_give_way(node->tls_pool);
    }
    const struct edge_tls_options options = {
        .clock = fb_clock_system(),
        .pool = node->tls_pool,
        .loop = fb_daemon_loop(node->daemon),
        .metrics = node->metrics,
        .told = fb_daemon_words(node->daemon),
    };
    return edge_tls_new(node->conf, &options, &node->tls, diag);
}

static int node_listen(struct edge_node *node, struct fb_diag *diag)
{
    for (size_t i = 0; i < node->conf->listen.n; i++) {
        const struct edge_conf_listen *listen =
            FB_CONF_AT(struct edge_conf_listen, node->conf->listen, i);
        struct fb_tls_party *tls = edge_tls_server(node->tls, listen->tls);
        struct fb_address address;
        int err = fb_address_parse(listen->address, &address, diag);
        if (err == FB_OK) {
            struct fb_tcp_tuning tuning = {.congestion = listen->congestion,
                                           .max_rate = listen->rate / BITS_A_BYTE};
            err = edge_crew_listen(node->crew, &address, tls, &tuning, &address, diag);
        }
        if (err < 0) {
            return err;
        }
        char bound[FB_ADDRESS_TEXT_MAX];
        FB_LOG(INFO, "edge", "listening", FB_LOG_STR("node", node->conf->node),
               FB_LOG_TEXT("role", edge_role_name(node->conf->role)),
               FB_LOG_TEXT("address", fb_address_text(&address, bound)),
               FB_LOG_TEXT("scheme", tls == NULL ? "http" : "https"));
    }
    return FB_OK;
}

static void node_doubt(void *ctx, uint64_t epoch)
{
    edge_purges_doubt(((struct edge_node *)ctx)->purges, epoch);
}

static void node_make_volumes(struct edge_node *node)
{
    const struct edge_conf *conf = node->conf;

    if (conf->store.volumes.n == 0) {
        return;
    }
    if (conf->state.len == 0) {
        FB_LOG(WARN, "purge", "volumes without a folder 'state': only URLs can be purged");
    }
    FB_AUTO(fb_freep) struct edge_volume_spec *specs = edge_conf_volumes(conf);
    node->volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = specs,
        .n = conf->store.volumes.n,
        .node = conf->node,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .has_log = edge_purges_are_durable(node->purges),
        .epoch = edge_purges_epoch(node->purges),
        .doubt = node_doubt,
        .doubt_ctx = node,
    });
}

static int node_make_purges(struct edge_node *node, struct fb_diag *diag)
{
    return edge_purges_open(&(struct edge_purges_options){.folder = node->conf->state.ptr,
                                                          .clock = fb_clock_system(),
                                                          .metrics = node->metrics,
                                                          .seed = fb_random_u64()},
                            &node->purges, diag);
}

/* The store, and the fills that bring what it lacks. */
static void node_make_store(struct edge_node *node)
{
    const struct edge_conf *conf = node->conf;

    node->store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = conf->store.memory,
        .policy =
            edge_policy_resolve((enum edge_policy_kind)conf->store.eviction, node->volumes != NULL),
        .seed = fb_random_u64(),
        .volumes = node->volumes,
        .purges = node->purges,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
    });
    FB_LOG(
        INFO, "store", "made",
        FB_LOG_INT("frozen_page_bytes", (int64_t)edge_store_stats(node->store).frozen_page_bytes));
    node->sweeper = edge_sweeper_new(fb_daemon_loop(node->daemon), node->store);
    node->fills = edge_fill_table_new(&(struct edge_fill_options){
        .store = node->store,
        .max_fills = (unsigned)conf->limits.fills,
        .verifies_digests = conf->fills.verify_digest,
        .complete_percent = (unsigned)conf->fills.complete_abandoned,
        .complete_missing = conf->fills.complete_missing,
        .blocking_ms = (uint32_t)conf->timeouts.upstream_blocking,
        .seed = fb_random_u64(),
        .fetch = edge_uplink_fetch,
        .metrics = node->metrics,
    });
}

/* What the node does, from the ground up, to where it listens. */
static int node_open(struct edge_node *node, struct fb_diag *diag)
{
    int err = node_make_purges(node, diag);
    if (err < 0) {
        return err;
    }
    node_make_volumes(node);
    node_make_store(node);
    node_make_clients(node);
    if ((err = node_open_access_log(node, diag)) < 0 || (err = node_make_tls(node, diag)) < 0 ||
        (err = node_make_upstreams(node, diag)) < 0 || (err = edge_signals_open(node, diag)) < 0 ||
        (err = node_make_sites_and_crew(node, fb_daemon_loop(node->daemon), diag)) < 0 ||
        (err = edge_signals_join_crew(node, diag)) < 0) {
        return err;
    }
    return node_listen(node, diag);
}

static int node_start(struct fb_daemon *daemon, void **ret_ctx, struct fb_diag *diag)
{
    struct edge_node *node = FB_NEW(struct edge_node);
    const struct edge_conf *conf = fb_daemon_conf(daemon);

    node->daemon = daemon;
    node->conf = conf;
    node->was_ready = fb_daemon_is_heir(daemon); /* nobody shall notice */
    node->metrics = fb_daemon_metrics(daemon);
    int err = node_open(node, diag);
    if (err < 0) {
        node_stop(node);
        return err;
    }
    node->admin = (struct edge_admin){
        .node = conf->node,
        .role = edge_role_name(conf->role),
        .crew = node->crew,
        .store = node->store,
        .purges = node->purges,
        .sweeper = node->sweeper,
        .volumes = node->volumes,
        .upstreams = node->upstreams,
        .metrics = node->metrics,
    };
    err = edge_signals_start(node, diag);
    if (err < 0) {
        node_stop(node);
        return err;
    }
    *ret_ctx = node;
    return FB_OK;
}

static struct fb_str node_admin_address(const void *conf)
{
    return ((const struct edge_conf *)conf)->admin.address;
}

static struct fb_tls_party *node_admin_tls(void *ctx)
{
    struct edge_node *node = ctx;

    return edge_tls_server(node->tls, node->conf->admin.tls);
}

static const struct fb_route node_routes[] = {
    {.method = FB_METHOD_POST, .pattern = "/purge", .handle = edge_node_purge},
    {.method = FB_METHOD_GET, .pattern = "/purges", .handle = edge_node_list_purges},
};

static const struct fb_daemon_command node_commands[] = {
    {"replay", "Print what the store would have done with the requests of a trace.",
     edge_replay_main},
    {"store", "Look after a volume of the store: inspect, verify, format, bench.",
     edge_store_tool_main},
};

static const struct fb_daemon_program program = {
    .name = "forebay-edge",
    .summary = "the cache of Forebay: an ISP's box, or a regional node",
    .conf = &edge_conf_section,
    .admin_address = node_admin_address,
    .admin_tls = node_admin_tls,
    .check = edge_node_check,
    .start = node_start,
    .drain = edge_node_drain,
    .stop = node_stop,
    .reload = edge_node_reload,
    .succession = &edge_node_succession,
    .reopen_logs = edge_node_reopen_logs,
    .is_ready = edge_node_is_ready,
    .status = edge_node_status,
    .routes = node_routes,
    .n_routes = FB_ARRAY_LEN(node_routes),
    .commands = node_commands,
    .n_commands = FB_ARRAY_LEN(node_commands),
};

int main(int argc, char **argv)
{
    fb_alloc_map_large();
    return fb_daemon_main(argc, argv, &program);
}
