#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "edge/fresh/key.h"
#include "edge/store/meta.h"
#include "edge/store/store_internal.h"

/* So many records are read before what was looked for counts as missing. */
enum { LOAD_MAX_TRIES = 8 };

/* Where a load looks: for the very chunk, for another of its extent, for the beginning. */
enum load_stage { LOAD_CHUNK, LOAD_EXTENT, LOAD_BEGINNING, LOAD_N_STAGES };

struct object_load {
    struct edge_volume_read read;
    struct edge_store *store;
    struct edge_store_load *load; /* the caller's */
    struct store_buffer *buffer;  /* counted, or NULL */
    uint64_t fingerprint;
    uint64_t n_purges; /* of the key's shard, when it began */
    unsigned stage;
    unsigned nth;
    unsigned n_tries;
};

/* ---- looking ----------------------------------------------------------- */

/* The nth record that may do at a stage. */
static bool stage_find(struct edge_store *store, uint64_t fingerprint, uint64_t offset,
                       unsigned stage, unsigned nth, struct edge_volume_read *read)
{
    bool is_chunk = stage == LOAD_CHUNK;
    uint64_t number = stage == LOAD_BEGINNING ? 0 : offset / EDGE_EXTENT_BYTES;

    if (number > UINT32_MAX) {
        return false;
    }
    read->id = (struct edge_extent_id){.fingerprint = fingerprint, .number = (uint32_t)number};
    read->chunk = is_chunk ? (int)(offset / EDGE_CHUNK_BYTES % EDGE_EXTENT_CHUNKS) : -1;
    return edge_volumes_find(store->volumes, &read->id, read->chunk, nth, &read->place);
}

bool edge_store_may_load(struct edge_store *store, struct fb_str key, uint64_t offset)
{
    struct edge_volume_read ignored = {0};

    if (store->volumes == NULL) {
        return false;
    }
    uint64_t fingerprint = edge_fingerprint_of(key);
    return (stage_find(store, fingerprint, offset, LOAD_EXTENT, 0, &ignored) ||
            stage_find(store, fingerprint, offset, LOAD_BEGINNING, 0, &ignored)) &&
           !edge_store_is_purging(store, fingerprint);
}

/* ---- making ------------------------------------------------------------ */

/* The object that a record tells of, if it suits the request. */
static int load_make(struct object_load *self, struct edge_object **ret_object)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct edge_extent_head *head = &self->read.head;
    const struct fb_headers *request = self->load->request;
    struct edge_meta meta;

    int err = edge_meta_decode(head->meta, edge_moment_now(self->store->clock), &arena, &meta);
    if (err < 0) {
        return err;
    }
    if (head->length > INT64_MAX || !fb_str_equal(edge_vary_of(&arena, &meta.headers), meta.vary) ||
        !fb_str_equal(edge_variant_of(&arena, meta.vary, request), meta.variant)) {
        return FB_E_NOT_FOUND;
    }
    struct edge_object_spec spec = {.key = self->load->key,
                                    .request = request,
                                    .status = meta.status,
                                    .headers = &meta.headers,
                                    .terms = meta.terms,
                                    .tags = meta.tags,
                                    .birth = meta.birth,
                                    .is_planned = meta.is_planned,
                                    .is_prefetched = meta.is_prefetched,
                                    .length = (int64_t)head->length};
    struct edge_object *object = NULL;
    err = edge_store_create(self->store, &spec, &object);
    if (err < 0) {
        return err;
    }
    if (edge_object_is_gone(object)) { /* by a purge that came just now */
        edge_object_unref(object);
        return FB_E_NOT_FOUND;
    }
    atomic_store_explicit(&object->body->version, head->id.version, memory_order_relaxed);
    atomic_store_explicit(&object->body->is_on_volumes, true, memory_order_relaxed);
    *ret_object = object;
    return FB_OK;
}

/* Gives the chunk that was read to `object`, if it is of the same bytes. */
static void load_install(struct object_load *self, struct edge_object *object)
{
    const struct edge_volume_read *read = &self->read;
    uint64_t chunk = (uint64_t)read->id.number * EDGE_EXTENT_CHUNKS + read->found_chunk;
    uint64_t version = atomic_load_explicit(&object->body->version, memory_order_relaxed);

    if (version != read->head.id.version ||
        edge_object_length(object) != (int64_t)read->head.length ||
        edge_chunk_bytes(read->head.length, chunk) != read->bytes.len) {
        return;
    }
    struct store_buffer *buffer = self->buffer;
    self->buffer = NULL;
    buffer->bytes = buffer->memory + (read->bytes.ptr - buffer->memory);
    atomic_fetch_add_explicit(&self->store->n_loaded, 1, memory_order_relaxed);
    edge_store_count(self->store, STORE_LOADED, 1);
    edge_chunk_install(object, chunk, buffer, (uint32_t)read->bytes.len);
    edge_extent_seen(object, read->id.number);
}

/* ---- the steps ----------------------------------------------------------- */

static void load_end(struct object_load *self, int result)
{
    struct edge_store_load *load = self->load;

    edge_buffer_unref(self->buffer);
    fb_free(self);
    fb_op_finish(&load->op, result);
}

static bool load_is_unwanted(void *ctx, const struct edge_extent_head *head)
{
    struct object_load *self = ctx;
    bool is_gone = edge_store_record_is_gone(self->store, head);

    if (is_gone) {
        edge_note_key(self->store, self->fingerprint, EDGE_CAUSE_PURGED);
    }
    return is_gone;
}

static void load_on_read(struct fb_op *op);

/* Reads the next record that may do. */
static void load_next(struct object_load *self)
{
    struct edge_store *store = self->store;
    struct edge_volume_read *read = &self->read;
    uint64_t offset = self->load->offset;

    while (self->stage < LOAD_N_STAGES &&
           !stage_find(store, self->fingerprint, offset, self->stage, self->nth, read)) {
        self->stage++;
        self->nth = 0;
    }
    if (self->stage == LOAD_N_STAGES || self->n_tries++ == LOAD_MAX_TRIES) {
        load_end(self, FB_E_NOT_FOUND);
        return;
    }
    edge_buffer_unref(self->buffer);
    self->buffer = NULL;
    int err = edge_buffer_new_aligned(store, edge_volumes_read_bytes(&read->place), &self->buffer);
    if (err < 0) {
        load_end(self, err);
        return;
    }
    read->key = self->load->key;
    read->is_unwanted = load_is_unwanted;
    read->ctx = self;
    read->memory = self->buffer->memory;
    fb_op_init(&read->op, self->load->op.loop, load_on_read);
    edge_volumes_read(store->volumes, read);
}

/* The record did not do. One that is rotten or gone is not found any more, so that the next
 * has its place. */
static void load_go_on(struct object_load *self)
{
    struct edge_volume_read again = {0};
    const struct edge_place *place = &self->read.place.place;

    bool is_there = stage_find(self->store, self->fingerprint, self->load->offset, self->stage,
                               self->nth, &again) &&
                    again.place.volume == self->read.place.volume &&
                    again.place.place.zone == place->zone &&
                    again.place.place.block == place->block;
    self->nth += is_there ? 1 : 0;
    load_next(self);
}

static void load_on_read(struct fb_op *op)
{
    struct object_load *self = FB_CONTAINER_OF(op, struct object_load, read.op);
    struct edge_object *object = NULL;

    if (op->result < 0) {
        edge_store_count(self->store, STORE_LOAD_MISSES, 1);
        if (op->result != FB_E_NOT_FOUND) {
            edge_note_key(self->store, self->fingerprint, edge_cause_of_read(op->result));
        }
        load_go_on(self);
        return;
    }
    int err = load_make(self, &object);
    if (err == FB_E_BUSY) {
        load_end(self, err);
        return;
    }
    if (err < 0) {
        load_go_on(self);
        return;
    }
    struct edge_object *found = edge_store_publish_loaded(self->store, object, self->n_purges);
    edge_object_unref(object);
    if (found != NULL) {
        load_install(self, found);
    }
    self->load->object = found;
    load_end(self, found != NULL ? FB_OK : FB_E_NOT_FOUND);
}

void edge_store_load(struct edge_store *store, struct edge_store_load *load)
{
    fb_op_begin(&load->op, NULL);
    load->object = NULL;
    if (store->volumes == NULL) {
        fb_op_finish(&load->op, FB_E_NOT_FOUND);
        return;
    }
    struct object_load *self = FB_NEW(struct object_load);
    struct store_shard *shard = edge_store_shard(store, fb_str_hash(load->key, store->seed));
    self->store = store;
    self->load = load;
    self->fingerprint = edge_fingerprint_of(load->key);
    (void)pthread_mutex_lock(&shard->lock);
    self->n_purges = shard->n_purges;
    (void)pthread_mutex_unlock(&shard->lock);
    if (edge_store_is_purging(store, self->fingerprint)) { /* or it began later, and is counted */
        load_end(self, FB_E_NOT_FOUND);
        return;
    }
    load_next(self);
}
