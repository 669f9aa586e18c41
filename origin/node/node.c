#include "origin/node/node.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/server/server.h"
#include "origin/config/config.h"
#include "origin/jobs/jobs.h"
#include "origin/node/rounds.h"
#include "origin/push/push.h"
#include "origin/trending/trending.h"
#include "origin/worker/worker.h"

#include <stdio.h>

/* For what was accepted just before a new process took over to ask what it came for. */
enum { HEIR_LINGER_MS = 1000 };

/* ---- workers ---------------------------------------------------------------------- */

static int node_start_workers(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf *conf = node->conf;
    char scratch[ORIGIN_NODE_PATH + 16];
    struct origin_workers *workers = NULL;
    uint32_t n = 0;

    int err = origin_jobs_reclaim(node->jobs, conf->node, &n);
    if (err < 0) {
        /* A full disk, say. Their leases expire; what is there can be served. */
        FB_LOG(WARN, "origin", "could not take back the jobs of an earlier run",
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
    if (n > 0) {
        FB_LOG(INFO, "origin", "took back jobs of an earlier run", FB_LOG_INT("jobs", n));
    }
    if (conf->workers == 0) {
        return FB_OK;
    }
    (void)snprintf(scratch, sizeof(scratch), "%s/scratch", node->data);
    err = origin_workers_start(
        &(struct origin_workers_options){
            .source = origin_jobs_source(node->jobs),
            .objects = node->objects,
            .clock = fb_clock_system(),
            .name = conf->node,
            .scratch = fb_str_from(scratch),
            .n_workers = (uint32_t)conf->workers,
            .n_threads = conf->worker_threads == FB_CONF_AUTO ? 0 : (uint32_t)conf->worker_threads,
            .is_background = true, /* who asks the API goes first */
        },
        &workers, diag);
    if (err == FB_OK) {
        atomic_store(&node->workers, workers);
    }
    return err;
}

/* ---- draining -------------------------------------------------------------------- */

static int node_run_join(struct fb_work *work)
{
    struct origin_node *node = FB_CONTAINER_OF(work, struct origin_node, join);

    origin_workers_join(node->leaving);
    node->leaving = NULL;
    return FB_OK;
}

static void node_on_joined(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);

    fb_op_finish(FB_CONTAINER_OF(work, struct origin_node, join)->drained, FB_OK);
}

/* What the workers hold has been given back when they have ended: only then may the next process
 * take back what nobody holds. */
static void node_on_rounds_stopped(struct fb_op *op)
{
    struct origin_node *node = FB_CONTAINER_OF(op, struct origin_node, phase);

    node->leaving = atomic_exchange(&node->workers, NULL);
    node->join.run = node_run_join;
    fb_op_init(&node->join.op, node->loop, node_on_joined);
    fb_work_start(node->pool, &node->join);
}

/* No request runs any more. */
static void node_on_drained(struct fb_op *op)
{
    struct origin_node *node = FB_CONTAINER_OF(op, struct origin_node, phase);

    fb_op_init(&node->phase, node->loop, node_on_rounds_stopped);
    origin_rounds_stop(node->rounds, &node->phase);
}

static void node_drain_server(struct origin_node *node)
{
    fb_op_init(&node->phase, node->loop, node_on_drained);
    fb_server_drain(node->server, (uint32_t)node->conf->drain, &node->phase);
}

static void node_on_retreated(struct fb_op *op)
{
    node_drain_server(FB_CONTAINER_OF(op, struct origin_node, phase));
}

/* Nothing that begins here is in the way of the next process: it need not wait. */
void origin_node_drain(void *ctx, struct fb_op *op)
{
    struct origin_node *node = ctx;

    fb_op_begin(op, NULL);
    node->drained = op;
    fb_daemon_tell_quiet(node->daemon);
    origin_push_close(
        node->signals.push); /* who is told of changes connects anew, elsewhere or later */
    if (node->workers != NULL) {
        origin_workers_stop(node->workers);
    }
    if (!fb_daemon_has_heir(node->daemon)) {
        node_drain_server(node);
        return;
    }
    fb_op_init(&node->phase, node->loop, node_on_retreated);
    fb_server_retreat(node->server, HEIR_LINGER_MS, &node->phase);
}

/* ---- from one process to the next ------------------------------------------------ */

static int node_share(void *ctx, struct fb_sockets *sockets)
{
    return fb_server_share(((struct origin_node *)ctx)->server, sockets);
}

/* All that the two share is in the catalog and among the objects, which bear it. */
static void node_hold(void *ctx, struct fb_op *op)
{
    (void)ctx;
    fb_op_begin(op, NULL);
    fb_op_finish(op, FB_OK);
}

static void node_release(void *ctx)
{
    (void)ctx;
}

static int node_serve(void *ctx, struct fb_diag *diag)
{
    struct origin_node *node = ctx;

    if (fb_daemon_is_heir(node->daemon)) {
        return FB_OK;
    }
    int err = node_start_workers(node, diag);
    if (err == FB_OK) {
        origin_rounds_start(node->rounds);
    }
    return err;
}

/* The jobs, the rounds and the scratch folder were the other process' until now. */
static void node_own(void *ctx)
{
    struct origin_node *node = ctx;
    struct fb_diag diag = {0};

    if (!fb_daemon_is_heir(node->daemon)) {
        return; /* they were started where that may fail */
    }
    if (node_start_workers(node, &diag) < 0) {
        FB_LOG(ERROR, "origin", "could not start the workers, the program ends",
               FB_LOG_TEXT("reason", diag.text));
        fb_daemon_quit(node->daemon, FB_EXIT_FAILED);
        return;
    }
    origin_trending_forget(node->signals.trending); /* the other process took reports until now */
    origin_rounds_start(node->rounds);
}

const struct fb_daemon_succession origin_node_succession = {
    .share = node_share,
    .hold = node_hold,
    .release = node_release,
    .serve = node_serve,
    .own = node_own,
};

/* ---- its state ------------------------------------------------------------------- */

void origin_node_status(void *ctx, struct fb_json *status)
{
    struct origin_node *node = ctx;
    struct fb_metrics *metrics = node->metrics;

    fb_json_set_str(status, "node", node->conf->node);
    fb_json_set_text(status, "role", "origin");
    struct fb_json *requests = fb_json_set_object(status, "requests");
    fb_json_set_int(requests, "total",
                    (int64_t)fb_metrics_sum(metrics, "origin_media_requests_total"));
    fb_json_set_int(requests, "hits", 0);
    fb_json_set_int(requests, "misses", 0);
    fb_json_set_int(requests, "errors",
                    (int64_t)fb_metrics_sum(metrics, "origin_media_errors_total"));
    struct fb_json *bytes = fb_json_set_object(status, "bytes");
    fb_json_set_int(bytes, "served",
                    (int64_t)fb_metrics_sum(metrics, "origin_media_bytes_served_total"));
    fb_json_set_int(bytes, "from_upstream", 0);
    origin_jobs_status(node->jobs, status);
    struct fb_json *workers = fb_json_set_object(status, "workers");
    fb_json_set_int(workers, "total", node->conf->workers);
    struct origin_workers *running = node->workers;
    fb_json_set_int(workers, "busy", running != NULL ? origin_workers_busy(running) : 0);
    if (running != NULL) {
        fb_json_set_text(workers, "toolchain", origin_workers_toolchain(running));
        fb_json_set_text(workers, "sandbox", origin_workers_sandbox(running));
    }
}
