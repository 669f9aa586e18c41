#include "origin/node/signals.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "origin/feed/feed.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"

static int feed_run(void *ctx)
{
    return origin_feed_round(ctx);
}

static void signals_open_feed(struct origin_node *node)
{
    node->signals.feed = origin_feed_open(&(struct origin_feed_options){
        .catalog = node->catalog,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
    });
    origin_rounds_add(node->rounds, &(struct origin_round){.name = "feed",
                                                           .period_ms = ORIGIN_FEED_ROUND_MS,
                                                           .run = feed_run,
                                                           .ctx = node->signals.feed});
}

int origin_signals_open(struct origin_node *node, struct fb_diag *diag)
{
    (void)diag;
    signals_open_feed(node);
    return FB_OK;
}

void origin_signals_close(struct origin_signals *signals)
{
    origin_feed_close(signals->feed);
    *signals = (struct origin_signals){.feed = NULL};
}
