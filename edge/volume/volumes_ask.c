#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volumes_internal.h"

/*
 * What all volumes are asked for: a purge, a flush. Each gets a request of its own;
 * the caller's operation finishes with the last.
 */
enum { ASK_TRIES = 3 };

struct ask_part {
    struct edge_volume_request request;
    struct ask *ask;
    struct edge_slot *slot;
    unsigned n_tries;
};

struct ask {
    struct edge_volumes *set;
    struct edge_volumes_loop *user;   /* NULL: of a loop that is not attached */
    struct fb_op *op;                 /* the caller's */
    struct edge_volumes_purge *purge; /* its struct; NULL: a flush */
    uint64_t fingerprint;
    size_t n_extents;
    size_t n_pending;
    int result;
    struct ask_part parts[EDGE_VOLUMES_MAX];
};

static void ask_finish_one(struct ask *ask)
{
    struct edge_volumes_loop *user = ask->user;

    if (--ask->n_pending > 0) {
        return;
    }
    if (ask->purge != NULL) {
        ask->purge->n_extents = ask->n_extents;
    }
    fb_op_finish(ask->op, ask->result);
    fb_free(ask);
    if (user != NULL) {
        user->n_ops--;
        edge_volumes_loop_check(user);
    }
}

static void ask_part_on_done(struct fb_op *op);

/* Asks the slot's volume if it serves, or keeps a purge for when it does. Returns what is to
 * be said about a volume that was not asked. */
static int ask_part_start(struct ask_part *part)
{
    struct ask *ask = part->ask;
    struct edge_slot *slot = part->slot;
    int err = FB_OK;

    FB_REQUIRE(pthread_rwlock_wrlock(&ask->set->lock) == 0);
    if (slot->is_serving && part->n_tries++ < ASK_TRIES) {
        fb_op_init(&part->request.op, ask->op->loop, ask_part_on_done);
        part->request.fingerprint = ask->fingerprint;
        edge_slot_enter(slot);
        ask->n_pending++;
        if (ask->purge != NULL) {
            edge_volume_purge(slot->volume, &part->request);
        } else {
            edge_volume_flush(slot->volume, &part->request);
        }
    } else if (ask->purge != NULL && slot->state != EDGE_VOLUME_REFUSED) {
        edge_missed_add(&slot->missed, ask->fingerprint);
        err = FB_E_UNAVAILABLE;
    }
    FB_REQUIRE(pthread_rwlock_unlock(&ask->set->lock) == 0);
    return err;
}

static void ask_part_on_done(struct fb_op *op)
{
    struct ask_part *part = FB_CONTAINER_OF(op, struct ask_part, request.op);
    struct ask *ask = part->ask;
    int err = op->result;

    edge_slot_leave(part->slot);
    if (err == FB_OK) {
        ask->n_extents += part->request.n_extents;
    } else if (ask->purge != NULL) {
        err = ask_part_start(part); /* again, or later */
    }
    if (err != FB_OK) {
        ask->result = err;
    }
    ask_finish_one(ask);
}

static void ask_all(struct edge_volumes *volumes, struct fb_op *op,
                    struct edge_volumes_purge *purge)
{
    struct ask *ask = FB_NEW(struct ask);

    ask->set = volumes;
    ask->user = edge_volumes_loop_of(volumes, op->loop);
    ask->op = op;
    ask->purge = purge;
    ask->fingerprint = purge != NULL ? purge->fingerprint : 0;
    ask->n_pending = 1; /* this call */
    if (ask->user != NULL) {
        ask->user->n_ops++;
    }
    fb_op_begin(op, NULL);
    for (size_t i = 0; i < volumes->n; i++) {
        struct ask_part *part = &ask->parts[i];

        part->ask = ask;
        part->slot = &volumes->slots[i];
        int err = ask_part_start(part);
        if (err != FB_OK) {
            ask->result = err;
        }
    }
    ask_finish_one(ask);
}

void edge_volumes_purge(struct edge_volumes *volumes, struct edge_volumes_purge *purge)
{
    ask_all(volumes, &purge->op, purge);
}

void edge_volumes_flush(struct edge_volumes *volumes, struct fb_op *op)
{
    ask_all(volumes, op, NULL);
}
