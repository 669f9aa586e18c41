#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/volume/recovery_internal.h"

#include <string.h>

/*
 * Recovery: the index from what is on the disk.
 *
 *     heads of both slots ──► newest checkpoint
 *         ──► headers and footers of all zones: which are in use (recovery_survey.c)
 *         ──► checkpoint's listings ──► newer records, zone by zone (recovery_zone.c)
 *
 * The rules:
 *
 *   1. A zone's generation is what its header says. A header is durable before any record
 *      of its life, so a zone whose header cannot be read was free, or rotted: then it is in
 *      use if the checkpoint or its footer names it.
 *   2. A generation below the oldest that any header or the checkpoint knows of is free, and so
 *      is one that the checkpoint does not know though it knows a later one: such zones were
 *      reclaimed, whatever they still hold. The purges that applied to it may be gone already.
 *      Those that applied to what is still there are not: a zone of which something was purged
 *      is reclaimed, and written over, before the zone that has the purge (reclaim.c).
 *   3. The checkpoint's listings count for zones of the generation that it names, as
 *      far as it saw them written. What follows there, and all of newer zones, comes from the
 *      summary of a zone, or from a walk over its records if it has none.
 *   4. A walk goes from record to record. It ends where one is not whole, is of another
 *      generation, or does not name the one before it: that is where a crash cut.
 *   5. Everything is applied in the order in which it was written, so a purge takes out what
 *      is older than it, and of two extents the newer one is found first.
 *   6. The newest zone is gone on with behind its last whole record, if it is not sealed. If
 *      its records end before what the checkpoint saw, something rotted: then it is not.
 *   7. Heads are believed, chunks are not looked at: what a crash tore is found out when it is
 *      read, as a miss.
 *   8. What counts of the written bytes is the latest count that is found, with all of its
 *      reserve.
 *
 * A read that fails is tried once more. More than RECOVERY_MAX_ERRORS failures, and the
 * volume stays closed: then it is the disk, not a block of it.
 */

enum { SLICE = 4096 /* listings a turn */ };

/* ---- reading ----------------------------------------------------------------------- */

static void recovery_start_read(struct volume_recovery *recovery)
{
    edge_volume_io_start(recovery->volume, &recovery->io);
}

bool edge_recovery_tries_again(struct volume_recovery *recovery, int result, bool *was_retried)
{
    if (result == FB_OK) {
        return false;
    }
    recovery->n_errors++;
    volume_count(&recovery->volume->shared.counts.n_io_errors, 1);
    if (*was_retried || recovery->n_errors > RECOVERY_MAX_ERRORS) {
        return false;
    }
    *was_retried = true;
    return true;
}

static void on_read(struct volume_io *io, int result)
{
    struct volume_recovery *recovery = FB_CONTAINER_OF(io, struct volume_recovery, io);

    if (edge_recovery_tries_again(recovery, result, &recovery->was_retried)) {
        recovery_start_read(recovery);
    } else if (recovery->n_errors > RECOVERY_MAX_ERRORS) {
        edge_recovery_end(recovery, result < 0 ? result : FB_E_UNAVAILABLE);
    } else {
        recovery->then(recovery, result);
    }
}

void edge_recovery_read(struct volume_recovery *recovery, uint64_t offset, size_t n,
                        void (*then)(struct volume_recovery *recovery, int result))
{
    fb_free(recovery->bytes);
    recovery->bytes = fb_disk_buffer(n);
    recovery->was_retried = false;
    recovery->then = then;
    recovery->io.done = on_read;
    recovery->io.io.verb = FB_DISK_READ;
    recovery->io.io.offset = offset;
    recovery->io.io.bytes = recovery->bytes;
    recovery->io.io.n = n;
    recovery_start_read(recovery);
}

static void on_turn(struct fb_post *post)
{
    struct volume_recovery *recovery = FB_CONTAINER_OF(post, struct volume_recovery, post);
    struct edge_volume *volume = recovery->volume;

    recovery->is_posted = false;
    recovery->slice(recovery);
    edge_volume_settle(volume);
}

void edge_recovery_later(struct volume_recovery *recovery,
                         void (*slice)(struct volume_recovery *recovery))
{
    recovery->slice = slice;
    recovery->is_posted = true;
    recovery->post.run = on_turn;
    fb_loop_post(recovery->volume->loop, &recovery->post);
}

bool edge_recovery_saw_written(struct volume_recovery *recovery, const struct edge_written *written)
{
    if (recovery->has_written &&
        edge_written_total(written) <= edge_written_total(&recovery->written)) {
        return false;
    }
    recovery->has_written = true;
    recovery->written = *written;
    return true;
}

static void recovery_add(struct volume_recovery *recovery, const struct edge_listing *listing)
{
    struct edge_volume *volume = recovery->volume;

    /* Full, or listed twice: a miss at worst. */
    if (edge_index_add(volume->index, &listing->id, &listing->place) < 0) {
        edge_index_note_gap(volume->index, listing->place.zone);
    }
}

/* A crash may have torn its chunks: then the same bytes elsewhere are not superseded. */
static bool recovery_is_suspect(const struct volume_recovery *recovery,
                                const struct edge_listing *listing)
{
    return listing->place.zone == recovery->order[recovery->n_order - 1];
}

void edge_recovery_apply(struct volume_recovery *recovery, const struct edge_listing *listing)
{
    struct edge_volume *volume = recovery->volume;

    if (!edge_superblock_holds(&volume->superblock, &listing->place)) {
        return;
    }
    if (listing->kind == EDGE_RECORD_PURGE) {
        FB_IGNORE(edge_index_purge(volume->index, listing->id.fingerprint));
    } else if (listing->kind == EDGE_RECORD_EXTENT) {
        if (!recovery_is_suspect(recovery, listing)) {
            edge_index_supersede(volume->index, &listing->id, &listing->place);
        }
        recovery_add(recovery, listing);
    }
}

/* ---- the checkpoint's listings ------------------------------------------------------- */

static void recovery_list_slice(struct volume_recovery *recovery)
{
    const struct edge_checkpoint *head = &recovery->heads[recovery->slot];
    uint64_t end = FB_MIN(recovery->next_listing + SLICE, head->n_listings);
    struct edge_listing listing;

    for (; recovery->next_listing < end; recovery->next_listing++) {
        if (edge_checkpoint_listing(recovery->bytes, head, recovery->next_listing, &listing) < 0 ||
            listing.place.zone >= recovery->volume->superblock.n_zones) {
            continue;
        }
        const struct edge_checkpoint_zone *known = &recovery->zones[listing.place.zone].known;
        if (known->generation != 0 && listing.place.block < known->n_blocks &&
            listing.kind == EDGE_RECORD_EXTENT &&
            edge_superblock_holds(&recovery->volume->superblock, &listing.place)) {
            recovery_add(recovery, &listing); /* nothing was superseded there */
        }
    }
    if (end < head->n_listings) {
        edge_recovery_later(recovery, recovery_list_slice);
    } else {
        edge_recovery_replay(recovery);
    }
}

void edge_recovery_list(struct volume_recovery *recovery)
{
    recovery->next_listing = 0;
    if (recovery->slot >= 0) {
        recovery_list_slice(recovery);
    } else {
        edge_recovery_replay(recovery);
    }
}

/* ---- the checkpoint --------------------------------------------------------------------- */

/* The slot with the greater sequence that was not refused yet; -1: none. */
static int recovery_best_slot(const struct volume_recovery *recovery)
{
    uint64_t a = recovery->heads[0].sequence;
    uint64_t b = recovery->heads[1].sequence;

    if (a == 0 && b == 0) {
        return -1;
    }
    return a > b ? 0 : 1;
}

static void recovery_read_checkpoint(struct volume_recovery *recovery);

static void on_checkpoint(struct volume_recovery *recovery, int result)
{
    struct edge_checkpoint *head = &recovery->heads[recovery->slot];

    if (result == FB_OK) {
        result = edge_checkpoint_verify(recovery->bytes, head);
    }
    if (result < 0) {
        head->sequence = 0;
        recovery_read_checkpoint(recovery);
        return;
    }
    (void)edge_recovery_saw_written(recovery, &head->written);
    edge_recovery_survey(recovery);
}

static void recovery_read_checkpoint(struct volume_recovery *recovery)
{
    const struct edge_superblock *superblock = &recovery->volume->superblock;

    recovery->slot = recovery_best_slot(recovery);
    if (recovery->slot < 0) {
        edge_recovery_survey(recovery);
        return;
    }
    edge_recovery_read(recovery,
                       superblock->checkpoint_offset +
                           (uint64_t)recovery->slot * superblock->checkpoint_bytes,
                       recovery->heads[recovery->slot].n_bytes, on_checkpoint);
}

static void on_slot_head(struct volume_recovery *recovery, int result)
{
    const struct edge_superblock *superblock = &recovery->volume->superblock;
    struct volume_checkpoint *checkpoint = &recovery->volume->checkpoint;
    struct edge_checkpoint head;

    if (result == FB_OK && edge_checkpoint_decode_head(recovery->bytes, &head) == FB_OK &&
        memcmp(head.uuid, superblock->uuid, sizeof(head.uuid)) == 0 &&
        head.n_zones == superblock->n_zones && head.n_bytes <= superblock->checkpoint_bytes) {
        recovery->heads[recovery->slot] = head;
        checkpoint->sequence = FB_MAX(checkpoint->sequence, head.sequence);
    }
    if (++recovery->slot == 2) {
        recovery_read_checkpoint(recovery);
        return;
    }
    edge_recovery_read(recovery,
                       superblock->checkpoint_offset +
                           (uint64_t)recovery->slot * superblock->checkpoint_bytes,
                       EDGE_FORMAT_BLOCK, on_slot_head);
}

/* ---- life -------------------------------------------------------------------------------- */

/* What is in memory makes way for what is on the disk. */
static void recovery_empty(struct edge_volume *volume)
{
    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        FB_IGNORE(edge_index_drop_zone(volume->index, i));
        if (edge_zones_state(volume->zones, i) == EDGE_ZONE_SEALED) {
            edge_zones_reclaim(volume->zones, i);
        }
        if (edge_zones_state(volume->zones, i) != EDGE_ZONE_FREE) {
            edge_zones_release(volume->zones, i);
        }
    }
    edge_zone_clear(volume);
}

static struct volume_recovery *recovery_new(struct edge_volume *volume)
{
    struct volume_recovery *recovery = FB_NEW(struct volume_recovery);

    edge_recovery_free(volume->recovery);
    volume->recovery = recovery;
    recovery->volume = volume;
    return recovery;
}

void edge_recovery_start(struct edge_volume *volume)
{
    struct volume_recovery *recovery = recovery_new(volume);

    recovery->zones = fb_alloc_array(volume->superblock.n_zones, sizeof(*recovery->zones));
    recovery->order = fb_alloc_array(volume->superblock.n_zones, sizeof(*recovery->order));
    recovery_empty(volume);
    recovery->slot = 0;
    edge_recovery_read(recovery, volume->superblock.checkpoint_offset, EDGE_FORMAT_BLOCK,
                       on_slot_head);
}

void edge_recovery_end(struct volume_recovery *recovery, int result)
{
    struct edge_volume *volume = recovery->volume;

    recovery->is_ended = true;
    if (result == FB_OK) {
        edge_recovery_free(recovery);
        volume->recovery = NULL;
    }
    edge_volume_recovered(volume, result);
}

/* ---- is it still what we know? ----------------------------------------------------------- */

static void on_known_header(struct volume_recovery *recovery, int result)
{
    struct edge_volume *volume = recovery->volume;
    struct edge_zone_header header;

    if (result == FB_OK && edge_zone_header_decode(recovery->bytes, &header) == FB_OK &&
        memcmp(header.uuid, volume->superblock.uuid, sizeof(header.uuid)) == 0 &&
        header.generation == edge_zones_generation(volume->zones, header.zone)) {
        edge_recovery_end(recovery, FB_OK);
    } else if (result < 0) {
        edge_recovery_end(recovery, result);
    } else {
        edge_recovery_start(volume);
    }
}

void edge_recovery_verify(struct edge_volume *volume)
{
    struct volume_recovery *recovery = recovery_new(volume);
    uint64_t newest = 0;
    uint32_t zone = 0;

    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        uint64_t generation = edge_zones_generation(volume->zones, i);
        if (generation > newest) {
            newest = generation;
            zone = i;
        }
    }
    if (newest == 0) {
        edge_recovery_start(volume);
        return;
    }
    edge_recovery_read(recovery, edge_zone_offset(volume, zone, 0), EDGE_FORMAT_BLOCK,
                       on_known_header);
}

bool edge_recovery_is_posted(const struct volume_recovery *recovery)
{
    return recovery != NULL && recovery->is_posted;
}

void edge_recovery_free(struct volume_recovery *recovery)
{
    if (recovery == NULL) {
        return;
    }
    for (unsigned i = 0; i < RECOVERY_READS; i++) {
        fb_free(recovery->probes[i].block);
    }
    fb_free(recovery->bytes);
    fb_free(recovery->zones);
    fb_free(recovery->order);
    fb_free(recovery);
}
