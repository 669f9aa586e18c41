/*
 * The origin's part of the loop of signals: what becomes of what people watch.
 *
 * Ownership  open → close, before what the node opened first.
 * Threads    The main loop's.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

struct origin_feed;
struct origin_node;

/* In the order in which each stands on those before. */
struct origin_signals {
    struct origin_feed *feed; /* owned */
};

/* After the catalog, the pool and the rounds; before the handlers. */
FB_MUST_CHECK int origin_signals_open(struct origin_node *node, struct fb_diag *diag);

/* After the rounds have stopped and the handlers are gone. Safe on zero. */
void origin_signals_close(struct origin_signals *signals);
