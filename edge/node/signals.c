#include "edge/node/signals.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "edge/config/config.h"
#include "edge/node/node.h"
#include "edge/views/views.h"

int edge_signals_open(struct edge_node *node, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct edge_views_options options;

    node->signals = FB_NEW(struct edge_signals);
    int err = edge_conf_views(node->conf, &key, &options, diag);
    if (err < 0) {
        return err;
    }
    options.clock = fb_clock_system();
    options.metrics = node->metrics;
    return edge_views_open(&options, &node->signals->views, diag);
}

void edge_signals_start(struct edge_node *node)
{
    (void)node;
}

void edge_signals_halt(struct edge_node *node)
{
    (void)node;
}

void edge_signals_close(struct edge_node *node)
{
    if (node->signals == NULL) {
        return;
    }
    edge_views_close(node->signals->views);
    fb_free(node->signals);
    node->signals = NULL;
}

void edge_signals_status(const struct edge_node *node, struct fb_json *status)
{
    edge_views_status(node->signals->views, status);
}
