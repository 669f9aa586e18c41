#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

/*
 * One chunk, read on the loop that asks, without a lock: what may change under
 * it is found out afterwards, by the zone's generation.
 *
 *     head | chunk                        one transfer
 *     head | …other chunks… | chunk       two, at the same time
 */

enum { CHUNK_BLOCKS = EDGE_CHUNK_BYTES / EDGE_FORMAT_BLOCK };

struct volume_read {
    struct edge_volume_read *read; /* borrowed; NULL once it was answered */
    struct edge_volume *volume;
    uint64_t generation;
    struct fb_disk_io ios[2];
    unsigned n_left;
    int result;
    unsigned chunk;
    uint32_t chunk_at; /* in memory, bytes */
    uint32_t chunk_blocks;
    struct fb_post post;
    bool is_inside; /* the gate */
};

/* ---- the gate ------------------------------------------------------------------ */

static bool gate_enter(struct edge_volume *volume)
{
    uint64_t gate = __atomic_load_n(&volume->shared.gate, __ATOMIC_ACQUIRE);

    while ((gate & VOLUME_GATE_SHUT) == 0) {
        if (__atomic_compare_exchange_n(&volume->shared.gate, &gate, gate + 1, true,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    return false;
}

/* True for the last one out of a gate that is shut, whom the owner awaits. */
static bool gate_leave(struct edge_volume *volume)
{
    return __atomic_sub_fetch(&volume->shared.gate, 1, __ATOMIC_ACQ_REL) == VOLUME_GATE_SHUT;
}

/* On the owner's loop. */
static void on_last_out(struct fb_post *post)
{
    struct volume_read *inside = FB_CONTAINER_OF(post, struct volume_read, post);
    struct edge_volume *volume = inside->volume;

    fb_free(inside);
    edge_volume_settle(volume);
}

static void read_leave(struct volume_read *inside)
{
    struct fb_loop *owner = inside->volume->loop;

    if (gate_leave(inside->volume)) {
        inside->post.run = on_last_out;
        fb_loop_post(owner, &inside->post);
    } else {
        fb_free(inside);
    }
}

/* ---- what is rotten is forgotten ------------------------------------------------- */

/* On the asking loop again. */
static void on_forgotten(struct fb_post *post)
{
    struct volume_read *inside = FB_CONTAINER_OF(post, struct volume_read, post);

    fb_op_finish(&inside->read->op, inside->result);
    read_leave(inside);
}

/* On the owner's loop: rotten, or not wanted. */
static void on_rotten(struct fb_post *post)
{
    struct volume_read *inside = FB_CONTAINER_OF(post, struct volume_read, post);
    struct edge_volume *volume = inside->volume;
    const struct edge_place *place = &inside->read->place.place;

    if (edge_zones_generation(volume->zones, place->zone) == inside->generation) {
        FB_IGNORE(edge_index_remove(volume->index, &inside->read->id, place));
    }
    inside->post.run = on_forgotten;
    fb_loop_post(inside->read->op.loop, &inside->post);
}

/* ---- verifying --------------------------------------------------------------------- */

/* FB_OK; FB_E_NOT_FOUND: intact, but not what was asked for; FB_E_CORRUPT. */
static int read_verify(struct volume_read *inside, uint64_t **ret_counter)
{
    struct edge_volume_read *read = inside->read;
    const struct edge_place *place = &read->place.place;
    struct edge_volume_counts *counts = &inside->volume->shared.counts;
    struct edge_record record;
    size_t n_head = (size_t)place->n_head_blocks * EDGE_FORMAT_BLOCK;

    *ret_counter = &counts->n_rotten_heads;
    if (edge_record_decode(read->memory, n_head, &record) < 0 ||
        record.kind != EDGE_RECORD_EXTENT || record.generation != inside->generation ||
        record.block != place->block || record.n_head_blocks != place->n_head_blocks) {
        return FB_E_CORRUPT;
    }
    if (record.head.id.fingerprint != read->id.fingerprint ||
        record.head.id.number != read->id.number ||
        (read->id.version != 0 && record.head.id.version != read->id.version) ||
        !fb_str_equal(record.head.key, read->key)) {
        return FB_E_NOT_FOUND;
    }
    *ret_counter = &counts->n_rotten_chunks;
    uint32_t n_bytes = record.chunk_bytes[inside->chunk];
    struct fb_str bytes = {read->memory + inside->chunk_at, n_bytes};
    if (n_bytes == 0 || edge_record_chunk_blocks(n_bytes) != inside->chunk_blocks ||
        edge_format_sum(bytes) != record.chunk_sums[inside->chunk]) {
        return FB_E_CORRUPT;
    }
    read->head = record.head;
    read->bytes = bytes;
    read->found_chunk = inside->chunk;
    return FB_OK;
}

static void read_finish(struct volume_read *inside)
{
    struct edge_volume *volume = inside->volume;
    struct edge_volume_read *read = inside->read;
    const struct edge_place *place = &read->place.place;
    int result = inside->result;
    uint64_t *counter = NULL;

    edge_volume_count_read(volume, result);
    if (result == FB_OK) {
        result = read_verify(inside, &counter);
        /* Written over meanwhile? The generation changes before the first byte does. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (edge_zones_generation(volume->zones, place->zone) != inside->generation) {
            volume_count(&volume->shared.counts.n_reclaimed, 1);
            result = FB_E_NOT_FOUND;
        }
    }
    bool is_unwanted =
        result == FB_OK && read->is_unwanted != NULL && read->is_unwanted(read->ctx, &read->head);
    if (result == FB_E_CORRUPT) {
        edge_volume_count_bad(volume, place, inside->generation, counter);
    }
    if (result == FB_E_CORRUPT || is_unwanted) {
        inside->result = is_unwanted ? FB_E_NOT_FOUND : FB_E_CORRUPT;
        inside->post.run = on_rotten;
        fb_loop_post(volume->loop, &inside->post);
        return;
    }
    if (result == FB_OK) {
        edge_index_touch(volume->index, &read->id, place, 1);
    }
    fb_op_finish(&read->op, result);
    read_leave(inside);
}

/* ---- reading ------------------------------------------------------------------------ */

static void read_on_io(struct volume_read *inside, int result)
{
    if (inside->result == FB_OK) {
        inside->result = result;
    }
    if (--inside->n_left == 0) {
        read_finish(inside);
    }
}

static void on_first_io(struct fb_op *op)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    read_on_io(FB_CONTAINER_OF(io, struct volume_read, ios[0]), op->result);
}

static void on_second_io(struct fb_op *op)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    read_on_io(FB_CONTAINER_OF(io, struct volume_read, ios[1]), op->result);
}

static void read_start_io(struct volume_read *inside, struct fb_disk_queue *queue, unsigned i)
{
    struct fb_disk_io *io = &inside->ios[i];

    fb_op_init(&io->op, inside->read->op.loop, i == 0 ? on_first_io : on_second_io);
    io->disk = inside->volume->disk;
    io->verb = FB_DISK_READ;
    fb_disk_start(queue, io);
}

/* Where chunk `chunk` lies: all before it are whole, only an object's last one is
 * shorter. False if the extent has no such chunk. */
static bool read_locate(const struct edge_place *place, int wanted, unsigned *ret_chunk,
                        uint32_t *ret_block, uint32_t *ret_n_blocks)
{
    unsigned mask = place->mask & ((1U << EDGE_EXTENT_CHUNKS) - 1);
    unsigned chunk = wanted < 0 && mask != 0 ? (unsigned)__builtin_ctz(mask) : (unsigned)wanted;
    uint32_t before = 0;

    if (chunk >= EDGE_EXTENT_CHUNKS || (mask >> chunk & 1) == 0) {
        return false;
    }
    before = place->n_head_blocks +
             CHUNK_BLOCKS * (uint32_t)__builtin_popcount(mask & ((1U << chunk) - 1));
    if (before >= place->n_blocks) {
        return false;
    }
    *ret_chunk = chunk;
    *ret_block = before;
    *ret_n_blocks = FB_MIN(place->n_blocks - before, (uint32_t)CHUNK_BLOCKS);
    return true;
}

size_t edge_volume_read_bytes(const struct edge_place *place)
{
    uint32_t rest = place->n_blocks - place->n_head_blocks;

    return (size_t)(place->n_head_blocks + FB_MIN(rest, (uint32_t)CHUNK_BLOCKS)) *
           EDGE_FORMAT_BLOCK;
}

static void read_start(struct volume_read *inside, struct fb_disk_queue *queue,
                       uint32_t chunk_block)
{
    const struct edge_place *place = &inside->read->place.place;
    size_t n_head = (size_t)place->n_head_blocks * EDGE_FORMAT_BLOCK;
    size_t n_chunk = (size_t)inside->chunk_blocks * EDGE_FORMAT_BLOCK;
    struct fb_disk_io *ios = inside->ios;

    inside->chunk_at = (uint32_t)n_head;
    ios[0].offset = edge_zone_offset(inside->volume, place->zone, place->block);
    ios[0].bytes = inside->read->memory;
    ios[0].n = n_head;
    inside->n_left = 1;
    if (chunk_block == place->n_head_blocks) {
        ios[0].n += n_chunk;
    } else {
        ios[1].offset = edge_zone_offset(inside->volume, place->zone, place->block + chunk_block);
        ios[1].bytes = inside->read->memory + n_head;
        ios[1].n = n_chunk;
        inside->n_left = 2;
        read_start_io(inside, queue, 1);
    }
    read_start_io(inside, queue, 0);
}

void edge_volume_read(struct edge_volume *volume, struct fb_disk_queue *queue,
                      struct edge_volume_read *read)
{
    const struct edge_place *place = &read->place.place;
    struct volume_read *inside = NULL;
    uint32_t chunk_block = 0;

    fb_op_begin(&read->op, NULL);
    if (!edge_volume_is_online(volume) || !gate_enter(volume)) {
        fb_op_finish(&read->op, FB_E_UNAVAILABLE);
        return;
    }
    inside = FB_NEW(struct volume_read);
    inside->read = read;
    inside->volume = volume;
    inside->generation = edge_zones_generation(volume->zones, place->zone);
    volume_count(&volume->shared.counts.n_reads, 1);
    if (inside->generation == 0 || !edge_superblock_holds(&volume->superblock, place) ||
        !read_locate(place, read->chunk, &inside->chunk, &chunk_block, &inside->chunk_blocks)) {
        volume_count(&volume->shared.counts.n_reclaimed, 1);
        fb_op_finish(&read->op, FB_E_NOT_FOUND);
        read_leave(inside);
        return;
    }
    read_start(inside, queue, chunk_block);
}
