/*
 * forebay-worker: workers of an origin in another process.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "origin/config/config.h"
#include "origin/objects/objects.h"
#include "origin/worker/remote.h"
#include "origin/worker/worker.h"

#include <unistd.h>

struct origin_worker_node {
    const struct origin_worker_conf *conf; /* borrowed from the daemon */
    struct origin_objects *objects;        /* owned, as all that follows; NULL: by lease */
    struct origin_remote *remote;
    struct origin_workers *workers;
};

static void node_stop(void *ctx)
{
    struct origin_worker_node *node = ctx;

    if (node->workers != NULL) {
        origin_workers_stop(node->workers);
        origin_workers_join(node->workers);
    }
    origin_remote_close(node->remote);
    origin_objects_close(node->objects);
    fb_free(node);
}

static int node_open(struct origin_worker_node *node, struct fb_metrics *metrics,
                     struct fb_diag *diag)
{
    const struct origin_worker_conf *conf = node->conf;

    int err = FB_OK;

    /* Without a store of its own it has what its leases open. */
    if (conf->objects.len > 0) {
        err = origin_objects_open(
            &(struct origin_objects_options){.url = conf->objects, .metrics = metrics},
            &node->objects, diag);
    }
    if (err < 0) {
        return err;
    }
    err = origin_remote_open(&(struct origin_remote_options){.clock = fb_clock_system(),
                                                             .metrics = metrics,
                                                             .origin = conf->origin,
                                                             .authorities = conf->authorities.ptr,
                                                             .spool = conf->scratch,
                                                             .token = conf->worker_token},
                             &node->remote, diag);
    if (err < 0) {
        return err;
    }
    return origin_workers_start(
        &(struct origin_workers_options){
            .source = origin_remote_source(node->remote),
            .objects = node->objects,
            .objects_ctx = node->remote,
            .open_objects = origin_remote_open_objects,
            .clock = fb_clock_system(),
            .name = conf->node,
            .scratch = conf->scratch,
            .n_workers = (uint32_t)conf->workers,
            .n_threads = conf->worker_threads == FB_CONF_AUTO ? 0 : (uint32_t)conf->worker_threads,
            .cache_bytes = conf->cache,
            .reserve_bytes = conf->reserve,
            .is_background = conf->background,
        },
        &node->workers, diag);
}

static int node_start(struct fb_daemon *daemon, void **ret_ctx, struct fb_diag *diag)
{
    struct origin_worker_node *node = FB_NEW(struct origin_worker_node);

    node->conf = fb_daemon_conf(daemon);
    int err = node_open(node, fb_daemon_metrics(daemon), diag);
    if (err < 0) {
        node_stop(node);
        return err;
    }
    FB_LOG(INFO, "worker", "taking tasks", FB_LOG_STR("origin", node->conf->origin),
           FB_LOG_INT("workers", node->conf->workers));
    *ret_ctx = node;
    return FB_OK;
}

static void node_status(void *ctx, struct fb_json *status)
{
    struct origin_worker_node *node = ctx;

    fb_json_set_str(status, "node", node->conf->node);
    fb_json_set_text(status, "role", "worker");
    struct fb_json *workers = fb_json_set_object(status, "workers");
    fb_json_set_int(workers, "total", node->conf->workers);
    fb_json_set_int(workers, "busy", origin_workers_busy(node->workers));
    fb_json_set_text(workers, "toolchain", origin_workers_toolchain(node->workers));
    fb_json_set_text(workers, "sandbox", origin_workers_sandbox(node->workers));
}

static struct fb_str node_admin_address(const void *conf)
{
    return ((const struct origin_worker_conf *)conf)->admin.address;
}

static const struct fb_daemon_program program = {
    .name = "forebay-worker",
    .summary = "transcodes for an origin; has no public address and no database",
    .conf = &origin_worker_conf_section,
    .admin_address = node_admin_address,
    .start = node_start,
    .stop = node_stop,
    .status = node_status,
};

int main(int argc, char **argv)
{
    return fb_daemon_main(argc, argv, &program);
}
