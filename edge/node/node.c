#include "edge/node/node.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/sys/random.h"
#include "edge/access_log/access_log.h"
#include "edge/config/config.h"
#include "edge/config/tls.h"
#include "edge/node/signals.h"
#include "edge/serve/crew.h"
#include "edge/site/site.h"
#include "edge/upstream/checks.h"
#include "edge/upstream/upstream.h"
#include "edge/views/views.h"
#include "edge/volume/volumes.h"
#include "edge/warm/warm.h"

/* For what was accepted just before a new process took over to ask what it came for. */
enum { HEIR_LINGER_MS = 1000 };

static void node_on_halted(struct fb_op *op)
{
    struct edge_node *node = FB_CONTAINER_OF(op, struct edge_node, halt);

    edge_crew_drain(node->crew, fb_daemon_has_heir(node->daemon) ? HEIR_LINGER_MS : 0,
                    node->drained);
}

void edge_node_drain(void *ctx, struct fb_op *op)
{
    struct edge_node *node = ctx;

    edge_checks_close(node->checks);
    node->checks = NULL;
    node->drained = op;
    fb_op_init(&node->halt, fb_daemon_loop(node->daemon), node_on_halted);
    edge_signals_halt(node, &node->halt);
}

/* What the volumes hold counts: without it, all would be asked of the upstream. */
bool edge_node_is_ready(void *ctx)
{
    struct edge_node *node = ctx;

    node->was_ready |= node->volumes == NULL || edge_volumes_are_started(node->volumes);
    return node->was_ready;
}

void edge_node_status(void *ctx, struct fb_json *status)
{
    struct edge_node *node = ctx;

    edge_admin_status(&node->admin, status);
    edge_tls_status(node->tls, status);
    edge_signals_status(node, status);
}

void edge_node_purge(void *ctx, struct fb_exchange *exchange)
{
    edge_admin_purge(&((struct edge_node *)ctx)->admin, exchange);
}

void edge_node_list_purges(void *ctx, struct fb_exchange *exchange)
{
    edge_admin_list_purges(&((struct edge_node *)ctx)->admin, exchange);
}

/* Sites and upstreams are made anew, beside those in force: only when all of it is good does
 * anything change. */
void edge_node_reload(void *ctx, struct fb_daemon_reload *reload)
{
    struct edge_node *node = ctx;
    const struct edge_conf *conf = reload->conf;
    struct edge_upstreams_options options = edge_conf_upstream_options(conf);
    struct edge_sites *sites = NULL;
    struct edge_tls_news *tls = NULL;

    int err = edge_tls_load(node->tls, conf, &tls, &reload->diag);
    if (err == FB_OK) {
        err = edge_conf_sites(conf, node->upstreams, node->tls, fb_random_u64(), &sites,
                              &reload->diag);
    }
    if (err == FB_OK) {
        err = edge_conf_use_upstreams(conf, &options, node->upstreams, node->tls, &reload->diag);
    }
    if (err < 0) {
        edge_tls_news_free(tls);
        edge_sites_unref(sites);
        fb_op_begin(&reload->op, NULL);
        fb_op_finish(&reload->op, err);
        return;
    }
    edge_tls_use(tls);
    edge_crew_reload(node->crew, sites, &reload->op);
    edge_sites_unref(sites); /* the crew has its own reference */
}

void edge_node_reopen_logs(void *ctx)
{
    edge_access_log_reopen(((struct edge_node *)ctx)->access_log);
}

int edge_node_check(const void *conf, struct fb_diag *diag)
{
    struct edge_sites *sites = NULL;
    struct edge_tls *tls = NULL;
    struct edge_warm_settings warm = {0};

    int err = edge_conf_sites(conf, NULL, NULL, 0, &sites, diag);
    edge_sites_unref(sites);
    if (err == FB_OK) {
        err = edge_conf_warm(conf, &warm, diag);
        edge_warm_settings_done(&warm);
    }
    if (err == FB_OK) {
        err =
            edge_tls_new(conf, &(struct edge_tls_options){.clock = fb_clock_system()}, &tls, diag);
        edge_tls_free(tls);
    }
    if (err == FB_OK) {
        FB_AUTO(fb_buf_done) struct fb_buf key = {0};
        struct edge_views_options views;
        err = edge_conf_views(conf, &key, &views, diag);
    }
    if (err == FB_OK) {
        edge_conf_warn(conf);
    }
    return err;
}
