/*
 * Prefetching: the next segment of who is watching, before it is asked for.
 *
 * When a segment is answered from the store or from a fill, what its player will ask for next
 * (edge/serve/next.h) is brought into the store, if no tier has it:
 *
 *     TOLD       what the player's CMCD names, if it has a session (`sid`)
 *     GUESSED    besides, the path with the next number: with a session at once, else when the same
 *                client has just asked for the number before
 *
 * So only who plays in order has anything fetched, one segment at a time: while one is on its way
 * for a session, no other is begun for it. What was fetched for nobody is told by the difference of
 * edge_prefetch_total and edge_prefetch_used_total.
 *
 * Ownership  One for each loop, of its struct edge_serve.
 * Threads    The loop's.
 * Limits     `parallel` at a time; PREFETCH_CLIENTS clients and as many results are remembered,
 *            of which the newer displace the older.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>

struct edge_prefetch;
struct edge_serve;
struct fb_metrics;
struct serve_request;

enum edge_prefetch_kind { EDGE_PREFETCH_OFF, EDGE_PREFETCH_TOLD, EDGE_PREFETCH_GUESSED };

enum { EDGE_PREFETCH_PARALLEL_MAX = 64 };

/* NULL with OFF, which all that follows accepts. `serve` is borrowed. */
struct edge_prefetch *edge_prefetch_new(struct edge_serve *serve, enum edge_prefetch_kind kind,
                                        unsigned parallel, struct fb_metrics *metrics);

/* Requires that nothing is on its way. */
void edge_prefetch_free(struct edge_prefetch *prefetch);

/* `request` is about to be answered from its object. */
void edge_prefetch_after(struct edge_prefetch *prefetch, struct serve_request *request);

/* Ends what is on its way, and begins nothing any more. */
void edge_prefetch_halt(struct edge_prefetch *prefetch);
