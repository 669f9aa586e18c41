#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/order.h"
#include "edge/volume/volume_internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * A checkpoint is made while the volume goes on. It tells, for every zone, how far it was
 * written when the checkpoint began; then it lists, zone by zone and a slice a turn, what
 * the index has of that. What came after the beginning is found in the zones by recovery, and
 * is not listed; what was purged after it may be listed, but the purge is found too. What
 * a reclaimed zone held may be listed, and its generation tells.
 *
 * It is written to the slot that does not hold the last one.
 */

enum {
    SLICE = 4096,               /* listings a turn */
    WRITTEN_PER_METADATA = 100, /* one byte of checkpoint for so many written */
    GROWTH_MIN = 1024           /* listings more than now that a promise has room for */
};

/* ---- what is promised ------------------------------------------------------------ */

uint64_t edge_checkpointer_estimate(const struct edge_volume *volume)
{
    size_t n = edge_index_count(volume->index);
    uint64_t n_bytes = edge_checkpoint_bytes(volume->superblock.n_zones, n + n / 4 + GROWTH_MIN);

    return FB_MIN(n_bytes, volume->superblock.checkpoint_bytes);
}

static uint64_t checkpointer_total(const struct edge_volume *volume)
{
    uint64_t total = 0;

    for (unsigned use = 0; use <= VOLUME_METADATA; use++) {
        total += volume->ledger.written[use];
    }
    return total;
}

/* ---- steps ------------------------------------------------------------------------- */

void edge_checkpointer_reset(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;

    checkpoint->step = VOLUME_CHECKPOINT_IDLE;
    fb_buf_done(&checkpoint->bytes);
    fb_free(checkpoint->zones);
    fb_free(checkpoint->order);
    fb_free(checkpoint->piece);
    checkpoint->zones = NULL;
    checkpoint->order = NULL;
    checkpoint->piece = NULL;
}

static void checkpointer_write_piece(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    size_t n = FB_MIN(checkpoint->bytes.len - checkpoint->n_written, (size_t)VOLUME_PIECE_BYTES);
    uint64_t slot = checkpoint->sequence % 2 * volume->superblock.checkpoint_bytes;

    memcpy(checkpoint->piece, checkpoint->bytes.ptr + checkpoint->n_written, n);
    checkpoint->io.io.verb = FB_DISK_WRITE;
    checkpoint->io.io.offset = volume->superblock.checkpoint_offset + slot + checkpoint->n_written;
    checkpoint->io.io.bytes = checkpoint->piece;
    checkpoint->io.io.n = n;
    edge_volume_io_start(volume, &checkpoint->io);
}

static void on_piece_written(struct volume_io *io, int result)
{
    struct edge_volume *volume = io->volume;
    struct volume_checkpoint *checkpoint = &volume->checkpoint;

    if (result < 0) {
        edge_volume_fail(volume, result);
        return;
    }
    if (!edge_volume_writes(volume)) {
        return;
    }
    checkpoint->n_written += io->io.n;
    if (checkpoint->n_written < checkpoint->bytes.len) {
        checkpointer_write_piece(volume);
        return;
    }
    checkpoint->step = VOLUME_CHECKPOINT_SYNCING;
    checkpoint->sync = edge_sync_ask(volume);
}

/* What may still go to the zone that is written: nothing yet but a header, or the rest. */
static uint64_t checkpointer_left_in_zone(const struct edge_volume *volume)
{
    const struct volume_zone *zone = &volume->writer.zone;

    if (zone->step < VOLUME_ZONE_OPEN) {
        return 0;
    }
    return (uint64_t)(volume->n_zone_blocks - zone->n_blocks) * EDGE_FORMAT_BLOCK;
}

/* The head is made last: it has the count that includes the checkpoint itself. */
static void checkpointer_put_head(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    FB_AUTO(fb_buf_done) struct fb_buf block = {0};
    struct edge_checkpoint head = {
        .sequence = checkpoint->sequence,
        .wall_ms = edge_volume_wall_ms(volume),
        .n_zones = volume->superblock.n_zones,
    };

    memcpy(head.uuid, volume->superblock.uuid, sizeof(head.uuid));
    checkpoint->promise = checkpoint->is_last ? 0 : edge_checkpointer_estimate(volume);
    edge_ledger_promise(volume, checkpoint->is_last ? 0 : checkpointer_left_in_zone(volume),
                        checkpoint->promise, &head.written);
    edge_checkpoint_begin(&head, &block);
    memcpy(checkpoint->bytes.ptr, block.ptr, EDGE_FORMAT_BLOCK);
}

/* All is listed. */
static void checkpointer_write(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    uint64_t n_bytes = edge_checkpoint_bytes(volume->superblock.n_zones, checkpoint->n_listed);

    if (n_bytes > volume->superblock.checkpoint_bytes || n_bytes > volume->ledger.promised ||
        !edge_ledger_take(volume, VOLUME_METADATA, n_bytes)) {
        edge_checkpointer_reset(volume);
        return;
    }
    volume->ledger.promised = 0;
    checkpoint->sequence++;
    checkpoint->at_headed = checkpoint->n_headed;
    checkpointer_put_head(volume);
    edge_checkpoint_end(&checkpoint->bytes);
    checkpoint->step = VOLUME_CHECKPOINT_WRITING;
    checkpoint->n_written = 0;
    checkpoint->piece = fb_disk_buffer(VOLUME_PIECE_BYTES);
    checkpointer_write_piece(volume);
}

void edge_checkpointer_on_sync(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;

    if (checkpoint->step != VOLUME_CHECKPOINT_SYNCING ||
        volume->writer.n_synced < checkpoint->sync) {
        return;
    }
    if (checkpoint->at_headed == checkpoint->n_headed) {
        volume->ledger.promised = checkpoint->promise;
    }
    volume_count(&volume->shared.counts.n_checkpoints, 1);
    edge_checkpointer_reset(volume);
}

/* ---- listing --------------------------------------------------------------------------- */

/* True when all zones are listed. */
static bool checkpointer_list_slice(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    struct edge_listing listing = {.kind = EDGE_RECORD_EXTENT};

    for (unsigned n = 0; n < SLICE && checkpoint->next < checkpoint->n_order;) {
        uint32_t number = checkpoint->order[checkpoint->next];
        const struct edge_checkpoint_zone *zone = &checkpoint->zones[number];
        if (edge_zones_generation(volume->zones, number) == zone->generation &&
            edge_index_next_of_zone(volume->index, number, &checkpoint->cursor, &listing.id,
                                    &listing.place) &&
            listing.place.block < zone->n_blocks) {
            edge_checkpoint_add_listing(&checkpoint->bytes, &listing);
            checkpoint->n_listed++;
            n++;
        } else {
            checkpoint->next++;
            checkpoint->cursor = 0;
        }
    }
    return checkpoint->next == checkpoint->n_order;
}

static void checkpointer_go_on(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;

    if (checkpoint->step != VOLUME_CHECKPOINT_LISTING || !edge_volume_writes(volume)) {
        return;
    }
    if (checkpointer_list_slice(volume)) {
        checkpointer_write(volume);
    } else {
        checkpoint->is_posted = true;
        fb_loop_post(volume->loop, &checkpoint->post);
    }
}

static void on_next_slice(struct fb_post *post)
{
    struct edge_volume *volume = FB_CONTAINER_OF(post, struct edge_volume, checkpoint.post);

    volume->checkpoint.is_posted = false;
    checkpointer_go_on(volume);
    edge_volume_settle(volume);
}

static int compare_generations(const void *a, const void *b, void *zones)
{
    const struct edge_checkpoint_zone *all = zones;
    uint64_t left = all[*(const uint32_t *)a].generation;
    uint64_t right = all[*(const uint32_t *)b].generation;

    return FB_ORDER(left, right);
}

static void checkpointer_take_zones(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    uint32_t n_zones = volume->superblock.n_zones;

    checkpoint->zones = fb_alloc_array(n_zones, sizeof(*checkpoint->zones));
    checkpoint->order = fb_alloc_array(n_zones, sizeof(*checkpoint->order));
    checkpoint->n_order = 0;
    for (uint32_t i = 0; i < n_zones; i++) {
        enum edge_zone_state state = edge_zones_state(volume->zones, i);
        uint32_t n_blocks = edge_zones_used(volume->zones, i);
        if (state != EDGE_ZONE_FREE && n_blocks > 0) { /* 0: its header may not be there yet */
            checkpoint->zones[i] = (struct edge_checkpoint_zone){
                .generation = edge_zones_generation(volume->zones, i),
                .n_blocks = n_blocks,
                .is_sealed = state != EDGE_ZONE_OPEN,
                .has_gaps = edge_index_has_gaps(volume->index, i),
            };
            checkpoint->order[checkpoint->n_order++] = i;
        }
        edge_checkpoint_add_zone(&checkpoint->bytes, &checkpoint->zones[i]);
    }
    qsort_r(checkpoint->order, checkpoint->n_order, sizeof(*checkpoint->order), compare_generations,
            checkpoint->zones);
}

static void checkpointer_begin(struct edge_volume *volume, bool is_last)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    struct edge_checkpoint blank = {.n_zones = volume->superblock.n_zones};

    checkpoint->was_tried = true;
    checkpoint->at_total = checkpointer_total(volume);
    if (volume->ledger.promised == 0) {
        return; /* nothing was written since we came */
    }
    checkpoint->is_last = is_last;
    checkpoint->step = VOLUME_CHECKPOINT_LISTING;
    checkpoint->next = 0;
    checkpoint->cursor = 0;
    checkpoint->n_listed = 0;
    (void)fb_buf_reserve(&checkpoint->bytes, edge_checkpointer_estimate(volume));
    edge_checkpoint_begin(&blank, &checkpoint->bytes);
    checkpointer_take_zones(volume);
    checkpointer_go_on(volume);
}

/* ---- entry points ------------------------------------------------------------------------- */

void edge_checkpointer_init(struct edge_volume *volume)
{
    volume->checkpoint.post.run = on_next_slice;
    volume->checkpoint.io.done = on_piece_written;
}

void edge_checkpointer_poke(struct edge_volume *volume)
{
    struct volume_checkpoint *checkpoint = &volume->checkpoint;
    uint64_t n_bytes =
        edge_checkpoint_bytes(volume->superblock.n_zones, edge_index_count(volume->index));
    uint64_t due = FB_MAX(n_bytes * WRITTEN_PER_METADATA, volume->superblock.zone_bytes);

    if (checkpoint->step == VOLUME_CHECKPOINT_IDLE && edge_volume_is(volume, VOLUME_ONLINE) &&
        checkpointer_total(volume) - checkpoint->at_total >= due) {
        checkpointer_begin(volume, false);
    }
}

void edge_checkpointer_finish(struct edge_volume *volume)
{
    if (volume->checkpoint.step == VOLUME_CHECKPOINT_IDLE) {
        checkpointer_begin(volume, true);
    }
}
