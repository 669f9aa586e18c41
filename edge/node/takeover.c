/* From one process to the next. */
#include "base/core/err.h"
#include "base/daemon/handover.h"
#include "edge/config/tls.h"
#include "edge/node/node.h"
#include "edge/node/signals.h"
#include "edge/serve/crew.h"
#include "edge/upstream/checks.h"
#include "edge/volume/volumes.h"

static int node_share(void *ctx, struct fb_sockets *sockets)
{
    return edge_crew_share(((struct edge_node *)ctx)->crew, sockets);
}

static void node_tell(void *ctx, struct fb_buf *words)
{
    edge_tls_tell(((struct edge_node *)ctx)->tls, words, FB_HANDOVER_WORDS_MAX);
}

static void node_on_held(struct fb_op *op)
{
    struct edge_node *node = FB_CONTAINER_OF(op, struct edge_node, hold.op);

    fb_op_finish(node->held, op->result);
}

/* No purge may be lost between the two: the new process reads the log when this is done, and takes
 * purges itself when no request begins here any more. What is still written to the volumes is
 * judged by its age when it is read again, as after a crash. */
static void node_hold(void *ctx, struct fb_op *op)
{
    struct edge_node *node = ctx;

    fb_op_begin(op, NULL);
    node->held = op;
    fb_op_init(&node->hold.op, fb_daemon_loop(node->daemon), node_on_held);
    edge_purges_hold(node->purges, &node->hold);
}

static void node_release(void *ctx)
{
    edge_purges_release(((struct edge_node *)ctx)->purges);
}

static int node_serve(void *ctx, struct fb_diag *diag)
{
    struct edge_node *node = ctx;

    int err = fb_daemon_is_heir(node->daemon) ? edge_purges_catch_up(node->purges, diag) : FB_OK;
    if (err == FB_OK) {
        err = edge_crew_start(node->crew, diag);
    }
    if (err == FB_OK) {
        node->checks = edge_checks_new(node->upstreams, fb_daemon_loop(node->daemon));
    }
    return err;
}

/* It serves from memory until they are ready. */
static void node_own(void *ctx)
{
    struct edge_node *node = ctx;

    if (node->volumes != NULL) {
        edge_volumes_start(node->volumes);
    }
    edge_signals_own(node);
}

const struct fb_daemon_succession edge_node_succession = {
    .share = node_share,
    .tell = node_tell,
    .hold = node_hold,
    .release = node_release,
    .serve = node_serve,
    .own = node_own,
};
