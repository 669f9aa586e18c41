#include "edge/volume/volumes.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/mix.h"
#include "base/disk/queue.h"
#include "edge/volume/volumes_internal.h"

#include <math.h>
#include <string.h>

/* ---- life --------------------------------------------------------------------- */

static int open_with_kernel(void *ctx, const char *path, const struct fb_disk_options *options,
                            struct fb_disk **ret_disk, struct fb_diag *diag)
{
    (void)ctx;
    return fb_disk_open(path, options, ret_disk, diag);
}

static void volumes_init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;

    /* Look-ups never end; a change of state must not wait for them to. */
    FB_REQUIRE(pthread_rwlockattr_init(&attributes) == 0);
    FB_REQUIRE(pthread_rwlockattr_setkind_np(&attributes,
                                             PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    FB_REQUIRE(pthread_rwlock_init(lock, &attributes) == 0);
    (void)pthread_rwlockattr_destroy(&attributes); /* frees nothing */
}

struct edge_volumes *edge_volumes_new(const struct edge_volumes_options *options)
{
    FB_REQUIRE(options->n <= EDGE_VOLUMES_MAX);
    struct edge_volumes *volumes =
        fb_alloc(sizeof(*volumes) + options->n * sizeof(volumes->slots[0]));

    volumes_init_lock(&volumes->lock);
    volumes->options = *options;
    volumes->options.volumes = NULL;
    volumes->node = fb_str_dup(options->node);
    volumes->options.node.ptr = volumes->node;
    if (options->open == NULL) {
        volumes->options.open = open_with_kernel;
    }
    volumes->n = options->n;
    for (size_t i = 0; i < options->n; i++) {
        struct edge_slot *slot = &volumes->slots[i];

        slot->set = volumes;
        slot->spec = options->volumes[i];
        slot->path = fb_str_dup(fb_str_from(options->volumes[i].path));
        slot->spec.path = slot->path;
        slot->state = EDGE_VOLUME_STARTING;
    }
    if (options->metrics != NULL) {
        edge_volumes_make_metrics(volumes, options->metrics);
    }
    return volumes;
}

void edge_volumes_free(struct edge_volumes *volumes)
{
    if (volumes == NULL) {
        return;
    }
    fb_pool_free(volumes->pool);
    for (size_t i = 0; i < volumes->n; i++) {
        struct edge_slot *slot = &volumes->slots[i];

        FB_REQUIRE(!volumes->is_started || slot->machine.state == EDGE_SLOT_CLOSED);
        edge_volume_free(slot->volume);
        fb_free(slot->missed.fingerprints);
        fb_free(slot->path);
    }
    for (size_t i = 0; i < volumes->n_loops; i++) {
        FB_REQUIRE(volumes->loops[i]->queue == NULL);
        fb_free(volumes->loops[i]);
    }
    (void)pthread_rwlock_destroy(&volumes->lock); /* cannot fail: nobody holds it */
    fb_free(volumes->loops);
    fb_free(volumes->node);
    fb_free(volumes);
}

int edge_volumes_attach(struct edge_volumes *volumes, struct fb_loop *loop)
{
    struct edge_volumes_loop *user = NULL;
    struct fb_disk_queue *queue = NULL;
    int err = FB_OK;

    FB_REQUIRE(!volumes->is_started);
    if (volumes->pool == NULL && volumes->n > 0) {
        /* Each slot has one call on it at a time. */
        err = fb_pool_new("volume", (unsigned)volumes->n, (unsigned)volumes->n, &volumes->pool);
    }
    if (err == FB_OK) {
        err = fb_disk_queue_new(loop, NULL, &queue);
    }
    if (err < 0) {
        return err;
    }
    user = FB_NEW(struct edge_volumes_loop);
    *user = (struct edge_volumes_loop){.set = volumes, .loop = loop, .queue = queue};
    volumes->loops =
        fb_realloc(volumes->loops, (volumes->n_loops + 1) * sizeof(struct edge_volumes_loop *));
    volumes->loops[volumes->n_loops++] = user;
    return FB_OK;
}

void edge_volumes_detach(struct edge_volumes *volumes, const struct fb_loop *loop)
{
    struct edge_volumes_loop *user = edge_volumes_loop_of(volumes, loop);

    if (user == NULL || user->queue == NULL) {
        return;
    }
    FB_REQUIRE(!volumes->is_started);
    fb_disk_queue_free(user->queue);
    user->queue = NULL;
}

void edge_volumes_start(struct edge_volumes *volumes)
{
    FB_REQUIRE(!volumes->is_started && (volumes->n_loops > 0 || volumes->n == 0));
    volumes->is_started = true;
    for (size_t i = 0; i < volumes->n; i++) {
        volumes->slots[i].owner = volumes->loops[i % volumes->n_loops];
    }
    for (size_t i = 0; i < volumes->n; i++) {
        edge_slot_start(&volumes->slots[i]);
    }
}

struct edge_volumes_loop *edge_volumes_loop_of(struct edge_volumes *volumes,
                                               const struct fb_loop *loop)
{
    for (size_t i = 0; i < volumes->n_loops; i++) {
        if (volumes->loops[i]->loop == loop) {
            return volumes->loops[i];
        }
    }
    return NULL;
}

void edge_volumes_loop_check(struct edge_volumes_loop *user)
{
    if (user == NULL || user->drain == NULL || user->n_ops > 0) {
        return;
    }
    struct edge_volumes *volumes = user->set;
    struct fb_op *drain = user->drain;

    for (size_t i = 0; i < volumes->n; i++) {
        const struct edge_slot *slot = &volumes->slots[i];

        if (slot->owner == user && slot->machine.state != EDGE_SLOT_CLOSED) {
            return;
        }
    }
    user->drain = NULL;
    fb_disk_queue_free(user->queue);
    user->queue = NULL;
    fb_op_finish(drain, FB_OK);
}

void edge_volumes_drain(struct edge_volumes *volumes, struct fb_loop *loop, struct fb_op *op)
{
    struct edge_volumes_loop *user = edge_volumes_loop_of(volumes, loop);

    FB_REQUIRE(user != NULL && user->drain == NULL && user->queue != NULL);
    fb_op_begin(op, NULL);
    for (size_t i = 0; i < volumes->n; i++) {
        if (volumes->slots[i].owner == user) {
            edge_slot_drain(&volumes->slots[i]);
        }
    }
    user->drain = op;
    edge_volumes_loop_check(user);
}

/* ---- ranks ----------------------------------------------------------------------- */

/* Rendezvous hashing, weighted: the least of an exponential variable for each, whose rate is
 * the weight. */
static double slot_rank(const struct edge_slot *slot, uint64_t fingerprint)
{
    uint64_t hash = fb_mix(fingerprint ^ slot->seed);

    return -log(((double)(hash >> 11) + 0.5) * 0x1p-53) / slot->weight;
}

/* Under the lock: those in service, the first one first. Returns how many. */
static size_t volumes_rank(struct edge_volumes *volumes, uint64_t fingerprint,
                           struct edge_slot *ret_slots[EDGE_VOLUMES_MAX])
{
    double ranks[EDGE_VOLUMES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < volumes->n; i++) {
        struct edge_slot *slot = &volumes->slots[i];
        double rank = 0;
        size_t at = n;

        if (!slot->is_serving || !edge_volume_is_online(slot->volume)) {
            continue;
        }
        rank = slot_rank(slot, fingerprint);
        for (; at > 0 && ranks[at - 1] > rank; at--) {
            ranks[at] = ranks[at - 1];
            ret_slots[at] = ret_slots[at - 1];
        }
        ranks[at] = rank;
        ret_slots[at] = slot;
        n++;
    }
    return n;
}

static void volumes_lock(struct edge_volumes *volumes)
{
    FB_REQUIRE(pthread_rwlock_rdlock(&volumes->lock) == 0);
}

static void volumes_unlock(struct edge_volumes *volumes)
{
    FB_REQUIRE(pthread_rwlock_unlock(&volumes->lock) == 0);
}

void edge_slot_enter(struct edge_slot *slot)
{
    __atomic_add_fetch(&slot->n_requests, 1, __ATOMIC_RELAXED);
}

void edge_slot_leave(struct edge_slot *slot)
{
    __atomic_sub_fetch(&slot->n_requests, 1, __ATOMIC_RELEASE);
}

/* ---- reading ---------------------------------------------------------------------- */

/* The `*nth` of the slot, or fewer left to go in *nth. */
static bool slot_find(const struct edge_slot *slot, const struct edge_extent_id *id, int chunk,
                      unsigned *nth, struct edge_place *ret_place)
{
    struct edge_place place = {0};

    for (unsigned k = 0; edge_volume_find(slot->volume, id, chunk, k, &place); k++) {
        if ((*nth)-- == 0) {
            *ret_place = place;
            return true;
        }
    }
    return false;
}

bool edge_volumes_find(struct edge_volumes *volumes, const struct edge_extent_id *id, int chunk,
                       unsigned nth, struct edge_volume_place *ret_place)
{
    struct edge_slot *slots[EDGE_VOLUMES_MAX];
    bool found = false;

    volumes_lock(volumes);
    size_t n = volumes_rank(volumes, id->fingerprint, slots);
    for (size_t i = 0; i < n && !found; i++) {
        found = slot_find(slots[i], id, chunk, &nth, &ret_place->place);
        if (found) {
            ret_place->volume = (unsigned)(slots[i] - volumes->slots);
        }
    }
    volumes_unlock(volumes);
    return found;
}

size_t edge_volumes_read_bytes(const struct edge_volume_place *place)
{
    return edge_volume_read_bytes(&place->place);
}

static void read_on_done(struct fb_op *op)
{
    struct edge_volume_read *read = FB_CONTAINER_OF(op, struct edge_volume_read, op);
    struct edge_volumes_loop *user = read->user;

    edge_slot_leave(read->slot);
    user->n_ops--;
    op->done = read->done;
    op->done(op); /* `read` may be gone */
    edge_volumes_loop_check(user);
}

void edge_volumes_read(struct edge_volumes *volumes, struct edge_volume_read *read)
{
    struct edge_slot *slot = &volumes->slots[read->place.volume];
    struct edge_volumes_loop *user = edge_volumes_loop_of(volumes, read->op.loop);

    FB_REQUIRE(read->place.volume < volumes->n && user != NULL && user->queue != NULL);
    volumes_lock(volumes);
    if (slot->is_serving) {
        edge_slot_enter(slot);
        user->n_ops++;
        read->user = user;
        read->slot = slot;
        read->done = read->op.done;
        read->op.done = read_on_done;
        edge_volume_read(slot->volume, user->queue, read);
        volumes_unlock(volumes);
        return;
    }
    volumes_unlock(volumes);
    fb_op_begin(&read->op, NULL);
    fb_op_finish(&read->op, FB_E_UNAVAILABLE);
}

void edge_volumes_touch(struct edge_volumes *volumes, const struct edge_extent_id *id,
                        unsigned hits)
{
    struct edge_slot *slots[EDGE_VOLUMES_MAX];
    struct edge_place place;
    bool found = false;

    volumes_lock(volumes);
    size_t n = volumes_rank(volumes, id->fingerprint, slots);
    for (size_t i = 0; i < n && !found; i++) {
        found = edge_volume_find(slots[i]->volume, id, -1, 0, &place);
        if (found) {
            edge_volume_touch(slots[i]->volume, id, hits);
        }
    }
    volumes_unlock(volumes);
}

/* ---- writing ----------------------------------------------------------------------- */

int edge_volumes_write(struct edge_volumes *volumes, const struct edge_volume_write *write)
{
    struct edge_slot *slots[EDGE_VOLUMES_MAX];
    int err = FB_E_UNAVAILABLE;

    volumes_lock(volumes);
    size_t n = volumes_rank(volumes, write->head.id.fingerprint, slots);
    for (size_t i = 0; i < n && err == FB_E_UNAVAILABLE; i++) {
        err = edge_volume_write(slots[i]->volume, write);
    }
    volumes_unlock(volumes);
    return err;
}

struct edge_volume_room edge_volumes_room(struct edge_volumes *volumes, uint64_t fingerprint)
{
    struct edge_slot *slots[EDGE_VOLUMES_MAX];
    struct edge_volume_room room = {0};

    volumes_lock(volumes);
    if (volumes_rank(volumes, fingerprint, slots) > 0) {
        room = edge_volume_room(slots[0]->volume);
    }
    volumes_unlock(volumes);
    return room;
}

bool edge_volumes_have_lost(struct edge_volumes *volumes, uint64_t fingerprint)
{
    double best = (double)INFINITY;
    bool is_lost = false;

    volumes_lock(volumes);
    for (size_t i = 0; i < volumes->n; i++) {
        const struct edge_slot *slot = &volumes->slots[i];
        if (slot->volume == NULL || slot->weight <= 0) {
            continue; /* never served: nothing was given to it */
        }
        double rank = slot_rank(slot, fingerprint);
        if (rank < best) {
            best = rank;
            is_lost = !slot->is_serving || !edge_volume_is_online(slot->volume);
        }
    }
    volumes_unlock(volumes);
    return is_lost;
}

size_t edge_volumes_count(const struct edge_volumes *volumes)
{
    return volumes->n;
}
