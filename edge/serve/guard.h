/*
 * The guard of a site: CORS, and who is let in (edge/access).
 *
 * What it takes out of a request, such as a token, nobody behind it sees: not the key,
 * nor the upstream, nor the access log. A site that has neither costs two comparisons.
 *
 *     enter ──► the request without its token ──► target ──► check ──► edge_serve_admit()
 *       └─ preflight: answered                                 └─ refused: answered
 *
 * A signed URL is verified where it comes in, in some microseconds; an ECDSA signature on a
 * thread of the pool, and once for each token and loop.
 */
#pragma once

#include <stdbool.h>

struct fb_metrics;
struct fb_metrics_table;
struct serve_request;

struct fb_metrics_table *edge_guard_table(struct fb_metrics *metrics);

/* Before the target is read. False if the request is answered. */
bool edge_guard_enter(struct serve_request *request);

/* The first half of it: what nobody behind the guard sees is taken out. */
void edge_guard_strip(struct serve_request *request);

/* When it is read, of a site with access control: admits the request now or later, or answers
 * it. */
void edge_guard_check(struct serve_request *request);

/* The client went away in the state SERVE_GUARD. */
void edge_guard_cancel(struct serve_request *request);
