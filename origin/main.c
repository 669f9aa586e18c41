/*
 * forebay-origin: the rooms of the origin, put together.
 *
 *     main loop: server ──► router by the first segment of the path
 *                             /api /internal   blocking handlers on the pool
 *                             /upload          what S3's clients send to the objects
 *                             /media /watch    files to the tiers
 *     workers:   threads that take tasks from the jobs, and have each done by a child process
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/daemon/daemon.h"
#include "base/log/log.h"
#include "base/loop/work.h"
#include "base/net/address.h"
#include "base/net/network.h"
#include "base/net/sockets.h"
#include "base/net/tcp.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "base/server/server.h"
#include "origin/api/api.h"
#include "origin/auth/auth.h"
#include "origin/auth/secret.h"
#include "origin/catalog/catalog.h"
#include "origin/config/config.h"
#include "origin/delivery/delivery.h"
#include "origin/engagement/engagement.h"
#include "origin/jobs/jobs.h"
#include "origin/node/ingest.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"
#include "origin/node/signals.h"
#include "origin/node/stores.h"
#include "origin/objects/objects.h"
#include "origin/search/search.h"
#include "origin/upload/upload.h"
#include "origin/worker/worker.h"

#include <stdatomic.h>
#include <stdio.h>

enum { POOL_QUEUE = 1024, EXTRA_CONNECTIONS = 4, UPLOADS_EVERY_MS = 60000 };

#define REGION "forebay"

/* ---- rooms ----------------------------------------------------------------------- */

/* The configured folder, or the one that the database is in. */
static int node_find_data(struct origin_node *node, struct fb_diag *diag)
{
    struct fb_str data = node->conf->data;
    struct fb_str file = origin_catalog_file(node->conf->database);

    if (data.len == 0) {
        data = file;
        while (data.len > 0 && data.ptr[data.len - 1] != '/') {
            data.len--;
        }
        data = data.len > 0 ? data : FB_STR(".");
    }
    int n = snprintf(node->data, sizeof(node->data), "%.*s", FB_STR_ARG(data));
    return n < ORIGIN_NODE_PATH ? FB_OK
                                : fb_diag_set(diag, FB_E_LIMIT, "the data folder's path is long");
}

static int node_load_secret(struct origin_node *node, const char *name,
                            uint8_t secret[ORIGIN_SECRET_BYTES], struct fb_diag *diag)
{
    char folder[ORIGIN_NODE_PATH + 8];

    (void)snprintf(folder, sizeof(folder), "%s/keys", node->data);
    return origin_secret_load(folder, name, secret, diag);
}

static int node_open_signer(struct origin_node *node, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    uint8_t secret[ORIGIN_SECRET_BYTES];

    int err = node_load_secret(node, "upload.key", secret, diag);
    if (err < 0) {
        return err;
    }
    fb_text_hex(&hex, (struct fb_str){(const char *)secret, sizeof(secret)});
    node->upload_secret = fb_str_dup(fb_buf_str(&hex));
    node->signer = (struct origin_presigner){
        .access_key = FB_STR("forebay"),
        .secret = fb_str_from(node->upload_secret),
        .region = FB_STR(REGION),
    };
    return FB_OK;
}

/* Hashes take half of the pool's threads (but two) at most, with those that wait: who
 * floods the log-in delays nobody's video. */
static struct origin_passwords_options node_passwords(const struct origin_conf *conf)
{
    int64_t share = FB_MAX(conf->threads / 2, 2);
    int64_t hashes = FB_MIN(conf->auth.max_hashes, share - 1);

    return (struct origin_passwords_options){.memory_bytes = (size_t)conf->auth.hash_memory,
                                             .max_hashes = (uint32_t)hashes,
                                             .max_waiting = (uint32_t)(share - hashes)};
}

static int node_open_auth(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf_auth *conf = &node->conf->auth;
    struct origin_auth_options options = {
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .access_ms = conf->access_ttl,
        .refresh_ms = conf->refresh_ttl,
        .passwords = node_passwords(node->conf),
    };

    int err = node_load_secret(node, "tokens.key", options.secret, diag);
    return err < 0 ? err : origin_auth_open(&options, &node->auth, diag);
}

static struct origin_pace pace_of(const struct origin_conf_pace *conf)
{
    return (struct origin_pace){.burst = (uint32_t)conf->burst,
                                .refill_ms = (uint32_t)conf->refill};
}

static struct fb_network *node_trusted(const struct origin_conf *conf)
{
    struct fb_network *networks = fb_alloc_array(conf->trusted.n, sizeof(*networks));

    for (size_t i = 0; i < conf->trusted.n; i++) {
        FB_IGNORE(fb_network_parse(*FB_CONF_AT(struct fb_str, conf->trusted, i), &networks[i],
                                   NULL)); /* was checked when loaded */
    }
    return networks;
}

static int node_open_engagement(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf *conf = node->conf;
    struct origin_engagement_options options = {
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .paces = {[ORIGIN_LIMIT_REACTIONS] = pace_of(&conf->limits.reactions),
                  [ORIGIN_LIMIT_COMMENTS] = pace_of(&conf->limits.comments)},
        .admins = conf->admins.items,
        .n_admins = conf->admins.n,
    };

    int err = node_load_secret(node, "networks.key", options.secret, diag);
    if (err == FB_OK) {
        node->engagement = origin_engagement_new(&options);
        node->search = origin_search_new(&(struct origin_search_options){
            .catalog = node->catalog,
            .clock = fb_clock_system(),
            .metrics = node->metrics,
            .burst = (uint32_t)conf->limits.searches.burst,
            .refill_ms = (uint32_t)conf->limits.searches.refill,
        });
    }
    return err;
}

/* On any thread. They are not freed before the last request has ended. */
static void node_wake_workers(void *ctx)
{
    struct origin_workers *workers = atomic_load(&((struct origin_node *)ctx)->workers);

    if (workers != NULL) {
        origin_workers_wake(workers);
    }
}

static int node_open_rooms(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf *conf = node->conf;
    unsigned connections = (unsigned)(conf->threads + conf->workers) + EXTRA_CONNECTIONS;

    int err = node_find_data(node, diag);
    if (err < 0 || (err = node_open_signer(node, diag)) < 0 ||
        (err = origin_catalog_open(conf->database, connections, fb_clock_system(), &node->catalog,
                                   diag)) < 0 ||
        (err = origin_stores_open(node, diag)) < 0 || (err = node_open_auth(node, diag)) < 0 ||
        (err = node_open_engagement(node, diag)) < 0) {
        return err;
    }
    err = fb_pool_new("origin", (unsigned)conf->threads, POOL_QUEUE, &node->pool);
    if (err < 0) {
        return fb_diag_set(diag, err, "start the pool: %s", fb_err_text(err));
    }
    err = origin_stores_make(node, diag);
    if (err < 0) {
        return err;
    }
    node->rounds = origin_rounds_new(&(struct origin_rounds_options){
        .loop = node->loop, .pool = node->pool, .metrics = node->metrics});
    err = origin_gates_open(node, diag);
    if (err < 0) {
        return err;
    }
    origin_ingest_open(node);
    origin_jobs_on_queued(node->jobs, node_wake_workers, node);
    return origin_signals_open(node, diag);
}

/* ---- HTTP ------------------------------------------------------------------------- */

static int node_sweep_uploads(void *ctx)
{
    return origin_ledger_sweep(origin_upload_ledger(((struct origin_node *)ctx)->upload));
}

static void node_make_handlers(struct origin_node *node)
{
    const struct origin_conf *conf = node->conf;

    node->upload = origin_upload_new(&(struct origin_upload_options){
        .catalog = node->catalog,
        .objects = node->objects,
        .pool = node->stores.pool,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .signer = &node->signer,
        .unfinished_ms = conf->upload.unfinished,
    });
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "uploads",
                                                           .period_ms = UPLOADS_EVERY_MS,
                                                           .run = node_sweep_uploads,
                                                           .ctx = node});
    node->trusted = node_trusted(conf);
    node->api = origin_api_new(&(struct origin_api_options){
        .catalog = node->catalog,
        .objects = node->objects,
        .auth = node->auth,
        .access = node->gates.access,
        .keys = node->gates.keys,
        .removals = node->gates.removals,
        .jobs = node->jobs,
        .upload = node->upload,
        .engagement = node->engagement,
        .search = node->search,
        .feed = node->signals.feed,
        .trending = node->signals.trending,
        .push = node->signals.push,
        .status = node->signals.status,
        .views = node->signals.views,
        .plan = node->signals.plan,
        .clock = fb_clock_system(),
        .public_url = conf->public_url,
        .upload_url = conf->upload.url,
        .max_upload_bytes = conf->upload.max_size,
        .upload_expires_s = (uint32_t)(conf->upload.expires / 1000),
        .multipart_from = conf->upload.multipart_from,
        .max_uploads = (uint32_t)conf->upload.per_hour,
        .max_user_bytes = conf->upload.quota,
        .categories = conf->categories.items,
        .n_categories = conf->categories.n,
        .trusted = node->trusted,
        .n_trusted = conf->trusted.n,
    });
    node->delivery = origin_delivery_new(&(struct origin_delivery_options){
        .catalog = node->catalog,
        .objects = node->objects,
        .object_pool = node->stores.pool,
        .access = node->gates.access,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .public_url = conf->public_url,
        .upload_url = conf->upload.url,
        .web = conf->web,
    });
}

static void node_make_routers(struct origin_node *node)
{
    size_t n = 0;

    const struct fb_route *routes = origin_api_routes(&n);
    node->api_router = fb_router_new(routes, n, node->pool, node->api);
    routes = origin_jobs_routes(node->jobs, &n);
    node->jobs_router = fb_router_new(routes, n, node->pool, node->jobs);
    routes = origin_upload_routes(&n);
    node->upload_router = fb_router_new(routes, n, node->pool, node->upload);
    routes = origin_delivery_routes(&n);
    node->delivery_router = fb_router_new(routes, n, node->pool, node->delivery);
    origin_signals_route(node);
}

static void node_handle(void *ctx, struct fb_exchange *exchange)
{
    struct origin_node *node = ctx;
    struct fb_str path = fb_exchange_request(exchange)->path;
    struct fb_router *router = node->delivery_router;

    if (origin_signals_handle(&node->signals, exchange)) {
        return;
    }
    if (fb_str_starts_with(path, FB_STR("/api/"))) {
        router = node->api_router;
    } else if (fb_str_starts_with(path, FB_STR("/internal/v1/tasks/objects/"))) {
        router = node->stores.router;
    } else if (fb_str_starts_with(path, FB_STR("/internal/"))) {
        router = node->jobs_router;
    } else if (origin_upload_is_for(fb_exchange_request(exchange))) {
        router = node->upload_router;
    }
    fb_router_handle(router, exchange);
}

/* On a socket of the process before, if there is one. Nothing is accepted before the loop turns. */
static int node_listen_on(struct origin_node *node, const struct fb_address *address,
                          struct fb_address *ret_bound)
{
    int fd = fb_sockets_take(fb_daemon_sockets(node->daemon), address);

    if (fd >= 0) {
        *ret_bound = *address;
        return fb_server_adopt(node->server, fd, NULL);
    }
    int err = fb_listener_probe(address);
    return err == FB_OK ? fb_server_listen(node->server, address, ret_bound) : err;
}

static int node_listen(struct origin_node *node, struct fb_diag *diag)
{
    for (size_t i = 0; i < node->conf->listen.n; i++) {
        struct fb_str text = FB_CONF_AT(struct origin_conf_listen, node->conf->listen, i)->address;
        struct fb_address address;
        struct fb_address bound;
        char shown[FB_ADDRESS_TEXT_MAX];

        int err = fb_address_parse(text, &address, diag);
        if (err < 0) {
            return err;
        }
        err = node_listen_on(node, &address, &bound);
        if (err < 0) {
            return fb_diag_set(diag, err, "listen on %.*s: %s", FB_STR_ARG(text), fb_err_text(err));
        }
        FB_LOG(INFO, "origin", "listening", FB_LOG_STR("node", node->conf->node),
               FB_LOG_TEXT("address", fb_address_text(&bound, shown)));
    }
    return FB_OK;
}

/* ---- the daemon -------------------------------------------------------------------- */

static void node_stop(void *ctx)
{
    struct origin_node *node = ctx;

    if (node->workers != NULL) {
        origin_workers_stop(node->workers);
        origin_workers_join(node->workers);
    }
    origin_workers_join(node->leaving); /* if the pool could not */
    if (node->server != NULL) {
        fb_server_free(node->server);
        fb_router_free(node->delivery_router);
        fb_router_free(node->upload_router);
        fb_router_free(node->jobs_router);
        fb_router_free(node->api_router);
        origin_delivery_free(node->delivery);
        origin_api_free(node->api);
        origin_upload_free(node->upload);
    }
    origin_stores_close(&node->stores);
    fb_pool_free(node->pool);
    origin_rounds_free(node->rounds);
    origin_jobs_free(node->jobs);
    origin_search_free(node->search);
    origin_signals_close(&node->signals);
    origin_gates_close(&node->gates);
    origin_engagement_free(node->engagement);
    fb_free(node->trusted);
    origin_auth_close(node->auth);
    origin_objects_close(node->objects);
    origin_catalog_close(node->catalog);
    fb_free(node->upload_secret);
    fb_free(node);
}

static int node_start(struct fb_daemon *daemon, void **ret_ctx, struct fb_diag *diag)
{
    struct origin_node *node = FB_NEW(struct origin_node);

    node->daemon = daemon;
    node->conf = fb_daemon_conf(daemon);
    node->loop = fb_daemon_loop(daemon);
    node->metrics = fb_daemon_metrics(daemon);
    int err = node_open_rooms(node, diag);
    if (err == FB_OK) {
        node_make_handlers(node);
        origin_signals_begin(node);
        node_make_routers(node);
        node->server = fb_server_new(node->loop, &(struct fb_server_options){
                                                     .name = "origin",
                                                     .metrics = node->metrics,
                                                     .handle = node_handle,
                                                     .ctx = node,
                                                 });
        err = node_listen(node, diag);
    }
    if (err < 0) {
        node_stop(node);
        return err;
    }
    *ret_ctx = node;
    return FB_OK;
}

/* ---- the program ------------------------------------------------------------------ */

static struct fb_str node_admin_address(const void *conf)
{
    return ((const struct origin_conf *)conf)->admin.address;
}

static const struct fb_daemon_program program = {
    .name = "forebay-origin",
    .summary = "API, uploads, transcoding and media of Forebay",
    .conf = &origin_conf_section,
    .admin_address = node_admin_address,
    .start = node_start,
    .drain = origin_node_drain,
    .stop = node_stop,
    .succession = &origin_node_succession,
    .status = origin_node_status,
};

int main(int argc, char **argv)
{
    return fb_daemon_main(argc, argv, &program);
}
