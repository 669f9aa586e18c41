#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/store/store_internal.h"

void edge_store_purge(struct edge_store *store, struct edge_store_purge *purge)
{
    fb_op_begin(&purge->op, NULL);
    purge->n_objects = edge_store_purge_memory(store, purge->key);
    fb_op_finish(&purge->op, FB_OK);
}

void edge_store_invalidate(struct edge_store *store, struct fb_loop *loop, struct fb_str key)
{
    (void)loop;
    FB_IGNORE(edge_store_purge_memory(store, key)); /* how many is all one */
}
