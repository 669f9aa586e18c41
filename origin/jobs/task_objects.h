/*
 * The objects of tasks, for workers that hold no store: what the holder of a lease may read and
 * write, and nothing else (the client's side is origin/objects/lease.h).
 *
 *     GET, HEAD /internal/v1/tasks/objects/<key>   200 | 206, Content-Length, Last-Modified
 *     PUT       /internal/v1/tasks/objects/<key>   204, with Content-Length; with Content-Digest
 *                                                  (sha-256) it has to be that
 *
 * with `Authorization: Bearer <worker token>` and `Forebay-Lease: <task> <lease>`. The source of
 * the task can be read, and what lies under media/<video>/<version>/ and work/<video>/<version>/
 * read and written; while a video is prepared it has no version, and nothing can be written.
 *
 * Bodies are streamed: whatever their size, a request takes the memory of two pieces. The lease
 * is looked at before the first byte, and once more before what came gets its name.
 *
 * Ownership  new → free. Each request owns itself until it has responded.
 * Threads    Handlers on any loop; objects and the catalog on the pool.
 * Failures   401 the token, 403 a key that is not the task's, 409 the lease is lost, 400 the
 *            content is not what was declared, 404, 411, 416, 503 a full pool, 507 a full disk,
 * 500.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>

struct fb_pool;
struct fb_route;
struct origin_catalog;
struct origin_objects;
struct origin_task_objects;

struct origin_task_objects_options {
    struct origin_catalog *catalog; /* borrowed */
    struct origin_objects *objects; /* borrowed */
    struct fb_pool *pool;           /* borrowed */
    struct fb_str worker_token;     /* borrowed; empty: there are no such routes */
};

struct origin_task_objects *
origin_task_objects_new(const struct origin_task_objects_options *options);

/* Requires that no request is under way. Accepts NULL. */
void origin_task_objects_free(struct origin_task_objects *service);

/* The routes, for a router with the service as ctx; none without a token. */
const struct fb_route *origin_task_objects_routes(const struct origin_task_objects *service,
                                                  size_t *ret_n);
