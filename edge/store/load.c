#include "base/core/err.h"
#include "edge/store/store_internal.h"

bool edge_store_may_load(struct edge_store *store, struct fb_str key, uint64_t offset)
{
    (void)store;
    (void)key;
    (void)offset;
    return false;
}

void edge_store_load(struct edge_store *store, struct edge_store_load *load)
{
    (void)store;
    fb_op_begin(&load->op, NULL);
    fb_op_finish(&load->op, FB_E_NOT_FOUND);
}
