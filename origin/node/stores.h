/*
 * The objects of an origin: the store that is configured, who waits for it, and its routes for
 * workers elsewhere.
 *
 * Ownership  open → make → close; safe on zero.
 * Threads    The loop's.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

struct fb_pool;
struct fb_router;
struct origin_node;
struct origin_objects;
struct origin_task_objects;

struct origin_stores {
    struct fb_pool *pool;     /* whose threads wait for objects; borrowed if they are local */
    struct fb_pool *own_pool; /* owned, as all that follows; NULL if they are */
    struct origin_task_objects *task_objects;
    struct fb_router *router;
};

/* Opens the node's objects. */
FB_MUST_CHECK int origin_stores_open(struct origin_node *node, struct fb_diag *diag);

/* The pool, and the routes. Requires the node's pool. */
FB_MUST_CHECK int origin_stores_make(struct origin_node *node, struct fb_diag *diag);

/* After the server, before the node's pool. */
void origin_stores_close(struct origin_stores *stores);
