#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/store/store_internal.h"

/* A purge that goes on to the volumes. They take their time: meanwhile nothing of the key is
 * loaded. */
struct store_purge {
    struct edge_volumes_purge io;
    struct fb_list link; /* in store->purges */
    struct edge_store *store;
    struct edge_store_purge *purge; /* the caller's; NULL: nobody waits */
    bool is_for_clients;            /* else what is in the index stays */
};

bool edge_store_is_purging(struct edge_store *store, uint64_t fingerprint)
{
    bool is_purging = false;

    (void)pthread_mutex_lock(&store->purge_lock);
    FB_LIST_EACH(node, &store->purges) {
        const struct store_purge *purge = FB_CONTAINER_OF(node, struct store_purge, link);
        is_purging |= purge->io.fingerprint == fingerprint;
    }
    (void)pthread_mutex_unlock(&store->purge_lock);
    return is_purging;
}

static void purge_on_done(struct fb_op *op)
{
    struct store_purge *self = FB_CONTAINER_OF(op, struct store_purge, io.op);
    struct edge_store *store = self->store;
    struct edge_store_purge *purge = self->purge;

    (void)pthread_mutex_lock(&store->purge_lock);
    fb_list_remove(&self->link);
    (void)pthread_mutex_unlock(&store->purge_lock);
    if (self->is_for_clients && self->io.n_extents > 0) {
        edge_note_key(store, self->io.fingerprint, EDGE_CAUSE_PURGED);
    }
    if (purge != NULL) {
        purge->is_durable = op->result == FB_OK;
        if (purge->n_objects == 0 && self->io.n_extents > 0) {
            purge->n_objects = 1; /* that we know of */
        }
        fb_op_finish(&purge->op, FB_OK);
    }
    fb_free(self);
}

/* Keeps loads away from now on. */
static struct store_purge *purge_new(struct edge_store *store, struct fb_loop *loop,
                                     uint64_t fingerprint, struct edge_store_purge *purge)
{
    struct store_purge *self = FB_NEW(struct store_purge);

    self->store = store;
    self->purge = purge;
    fb_op_init(&self->io.op, loop, purge_on_done);
    self->io.fingerprint = fingerprint;
    fb_list_init(&self->link);
    (void)pthread_mutex_lock(&store->purge_lock);
    fb_list_append(&store->purges, &self->link);
    (void)pthread_mutex_unlock(&store->purge_lock);
    return self;
}

void edge_store_forget(struct edge_store *store, struct fb_loop *loop, uint64_t fingerprint)
{
    edge_volumes_purge(store->volumes, &purge_new(store, loop, fingerprint, NULL)->io);
}

/* Returns how many objects there were in memory. */
static size_t purge_start(struct edge_store *store, struct fb_loop *loop, struct fb_str key,
                          struct edge_store_purge *purge)
{
    struct store_purge *self = NULL;

    if (store->volumes != NULL) {
        self = purge_new(store, loop, edge_fingerprint_of(key), purge);
        self->is_for_clients = true;
    }
    size_t n = edge_store_purge_memory(store, key);
    edge_store_count(store, STORE_PURGED, (int64_t)n);
    if (n > 0) {
        edge_note_key(store, edge_fingerprint_of(key), EDGE_CAUSE_PURGED);
    }
    if (self != NULL) {
        edge_volumes_purge(store->volumes, &self->io);
    }
    return n;
}

void edge_store_purge(struct edge_store *store, struct edge_store_purge *purge)
{
    fb_op_begin(&purge->op, NULL);
    purge->is_durable = true;
    purge->n_objects = purge_start(store, purge->op.loop, purge->key, purge);
    if (store->volumes == NULL) {
        fb_op_finish(&purge->op, FB_OK);
    }
}

void edge_store_invalidate(struct edge_store *store, struct fb_loop *loop, struct fb_str key)
{
    FB_IGNORE(purge_start(store, loop, key, NULL)); /* how many is all one */
}
