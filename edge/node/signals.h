/*
 * Signals: what a node tells upstream of what is watched, and what it does about plans.
 *
 *     edge_signals_open ──► (crew made) ──► edge_signals_join_crew ──► (listening)
 *                                                                         │
 *          … serving … ◄── edge_signals_own ◄── edge_signals_start ◄──────┘
 *               │
 *     edge_signals_halt ──► (crew drained and freed) ──► edge_signals_close
 *
 * Open comes before the crew, whose loops write to what it makes. Start comes once the node
 * listens: what asks upstreams by itself begins here. Halt is the beginning of the drain: nothing
 * is begun any more. Close comes when no loop writes any more: what is in memory goes to where it
 * outlives the process.
 *
 * Ownership  The struct is the node's, its members are owned by it.
 * Threads    The main loop's.
 * Failures   Opening gives a sentence; what was made until then is closed by edge_signals_close().
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

#include <stdbool.h>

struct edge_node;
struct edge_report;
struct edge_views;
struct edge_warm;
struct fb_json;
struct fb_op;

/* A member is NULL while it is not configured. */
struct edge_signals {
    struct edge_report *report; /* what is counted goes upstream */
    struct edge_views *views;   /* requests become views; the crew's loops write to it */
    struct edge_warm *warm;     /* fills by the plan, on the crew's first loop */
    bool is_warming;
};

/* Makes node->signals of node->conf. Needs all of the node that is made before the crew. */
FB_MUST_CHECK int edge_signals_open(struct edge_node *node, struct fb_diag *diag);

/* Makes what works on the crew's loops. Needs the crew. */
FB_MUST_CHECK int edge_signals_join_crew(struct edge_node *node, struct fb_diag *diag);

FB_MUST_CHECK int edge_signals_start(struct edge_node *node, struct fb_diag *diag);

/* No other process has the node's volumes and state any more. */
void edge_signals_own(struct edge_node *node);

/* `op`, of the main loop, finishes when nothing is left that was begun on the crew's loops. */
void edge_signals_halt(struct edge_node *node, struct fb_op *op);

/* Accepts a node without signals. */
void edge_signals_close(struct edge_node *node);

/* Adds what signals say of themselves to the answer of GET /status. */
void edge_signals_status(const struct edge_node *node, struct fb_json *status);
