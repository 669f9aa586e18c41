/*
 * The survey of a volume: which of its zones are in use, by the header and the footer of each
 * and by what the checkpoint knows. The rules stand in recovery.c.
 */
#include "base/core/err.h"
#include "base/core/order.h"
#include "edge/volume/recovery_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- which zones are in use ------------------------------------------------------------- */

static bool recovery_is_of_this_life(const struct volume_recovery *recovery, uint64_t generation)
{
    uint64_t first = edge_superblock_first_generation(&recovery->volume->superblock);

    return generation >= first && generation - first <= UINT32_MAX;
}

/* The generation that a zone without a readable header has by other signs; 0: none. */
static uint64_t recovery_guess(const struct volume_recovery *recovery,
                               const struct recovery_zone *zone,
                               const struct edge_checkpoint_zone *known)
{
    if (known->generation != 0 && recovery_is_of_this_life(recovery, known->generation)) {
        return known->generation;
    }
    return zone->summary.generation;
}

static int compare_generations(const void *a, const void *b, void *ctx)
{
    const struct volume_recovery *recovery = ctx;
    uint64_t left = recovery->zones[*(const uint32_t *)a].generation;
    uint64_t right = recovery->zones[*(const uint32_t *)b].generation;

    return FB_ORDER(left, right);
}

/* Takes what the checkpoint knows; returns the oldest generation in use then, and the newest. */
static uint64_t recovery_take_known(struct volume_recovery *recovery, uint64_t *ret_newest)
{
    const struct edge_checkpoint *head = &recovery->heads[FB_MAX(recovery->slot, 0)];
    uint64_t oldest = UINT64_MAX;
    uint64_t newest = 0;

    for (uint32_t i = 0; recovery->slot >= 0 && i < head->n_zones; i++) {
        struct edge_checkpoint_zone *known = &recovery->zones[i].known;
        edge_checkpoint_zone(recovery->bytes, head, i, known);
        if (known->generation != 0) {
            edge_zones_saw(recovery->volume->zones, known->generation);
            oldest = FB_MIN(oldest, known->generation);
            newest = FB_MAX(newest, known->generation);
        }
    }
    *ret_newest = newest;
    return oldest == UINT64_MAX ? 0 : oldest;
}

/* What a zone bears is of no use any more: it was reclaimed. */
static bool recovery_is_stale(const struct recovery_zone *zone, uint64_t floor, uint64_t newest)
{
    return zone->generation < floor || (zone->known.generation == 0 && zone->generation <= newest);
}

/* Zones that are free are opened in the order of what they bear, as they were reclaimed: what
 * a purge applied to is written over before the purge is. */
static void recovery_order_free(struct volume_recovery *recovery)
{
    struct edge_zones *zones = recovery->volume->zones;

    qsort_r(recovery->order, recovery->n_order, sizeof(*recovery->order), compare_generations,
            recovery);
    for (uint32_t i = 0; i < recovery->n_order; i++) {
        uint32_t number = recovery->order[i];
        edge_zones_adopt(zones, number, EDGE_ZONE_SEALED, recovery->zones[number].generation);
        edge_zones_reclaim(zones, number);
        edge_zones_release(zones, number);
        recovery->zones[number] = (struct recovery_zone){0};
    }
    recovery->n_order = 0;
}

static void recovery_order_zones(struct volume_recovery *recovery, uint64_t floor, uint64_t newest)
{
    struct edge_volume *volume = recovery->volume;

    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        struct recovery_zone *zone = &recovery->zones[i];
        if (!zone->has_header) {
            zone->generation = recovery_guess(recovery, zone, &zone->known);
        }
        edge_zones_saw(volume->zones, zone->generation);
        if (zone->generation != 0 && recovery_is_stale(zone, floor, newest)) {
            recovery->order[recovery->n_order++] = i;
        }
    }
    recovery_order_free(recovery);
    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        struct recovery_zone *zone = &recovery->zones[i];
        if (zone->known.generation != zone->generation) {
            zone->known = (struct edge_checkpoint_zone){0};
        }
        if (zone->summary.generation != zone->generation) {
            zone->summary = (struct edge_summary){0};
        }
        if (zone->known.has_gaps) {
            edge_index_note_gap(volume->index, i);
        }
        if (zone->generation != 0) {
            recovery->order[recovery->n_order++] = i;
        }
    }
    qsort_r(recovery->order, recovery->n_order, sizeof(*recovery->order), compare_generations,
            recovery);
}

static void recovery_decide(struct volume_recovery *recovery, uint64_t floor)
{
    uint64_t newest = 0;
    uint64_t oldest = recovery_take_known(recovery, &newest);

    recovery_order_zones(recovery, FB_MAX(floor, oldest), newest);
    edge_recovery_list(recovery);
}

/* ---- headers and footers ---------------------------------------------------------------- */

static void recovery_take_header(struct volume_recovery *recovery, struct recovery_probe *probe)
{
    struct recovery_zone *zone = &recovery->zones[probe->zone];
    struct edge_zone_header header;

    if (edge_zone_header_decode(probe->block, &header) == FB_OK && header.zone == probe->zone &&
        memcmp(header.uuid, recovery->volume->superblock.uuid, sizeof(header.uuid)) == 0 &&
        recovery_is_of_this_life(recovery, header.generation)) {
        zone->has_header = true;
        zone->generation = header.generation;
        recovery->floor = FB_MAX(recovery->floor, header.oldest);
        (void)edge_recovery_saw_written(recovery, &header.written);
    }
}

static void recovery_take_footer(struct volume_recovery *recovery, struct recovery_probe *probe)
{
    struct edge_summary summary;

    if (edge_summary_decode_footer(probe->block, &summary) == FB_OK &&
        summary.zone == probe->zone && summary.n_blocks < recovery->volume->n_zone_blocks &&
        recovery_is_of_this_life(recovery, summary.generation)) {
        recovery->zones[probe->zone].summary = summary;
    }
}

static void on_probed(struct volume_io *io, int result)
{
    struct recovery_probe *probe = FB_CONTAINER_OF(io, struct recovery_probe, io);
    struct volume_recovery *recovery = probe->recovery;

    if (!recovery->is_ended && edge_recovery_tries_again(recovery, result, &probe->was_retried)) {
        edge_volume_io_start(recovery->volume, io);
        return;
    }
    probe->is_busy = false;
    recovery->n_probing--;
    if (recovery->is_ended) {
        return;
    }
    if (recovery->n_errors > RECOVERY_MAX_ERRORS) {
        edge_recovery_end(recovery, result < 0 ? result : FB_E_UNAVAILABLE);
        return;
    }
    if (result == FB_OK && probe->is_footer) {
        recovery_take_footer(recovery, probe);
    } else if (result == FB_OK) {
        recovery_take_header(recovery, probe);
    }
    edge_recovery_survey(recovery);
}

static void recovery_probe_start(struct volume_recovery *recovery, struct recovery_probe *probe)
{
    struct edge_volume *volume = recovery->volume;

    probe->recovery = recovery;
    probe->zone = recovery->next_probe / 2;
    probe->is_footer = recovery->next_probe % 2 == 1;
    probe->was_retried = false;
    probe->is_busy = true;
    if (probe->block == NULL) {
        probe->block = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    }
    recovery->next_probe++;
    recovery->n_probing++;
    probe->io.done = on_probed;
    probe->io.io.verb = FB_DISK_READ;
    probe->io.io.offset =
        edge_zone_offset(volume, probe->zone, probe->is_footer ? volume->n_zone_blocks - 1 : 0);
    probe->io.io.bytes = probe->block;
    probe->io.io.n = EDGE_FORMAT_BLOCK;
    edge_volume_io_start(volume, &probe->io);
}

void edge_recovery_survey(struct volume_recovery *recovery)
{
    uint32_t n = recovery->volume->superblock.n_zones * 2;

    for (unsigned i = 0; i < RECOVERY_READS && recovery->next_probe < n; i++) {
        if (!recovery->probes[i].is_busy) {
            recovery_probe_start(recovery, &recovery->probes[i]);
        }
    }
    if (recovery->next_probe == n && recovery->n_probing == 0) {
        recovery_decide(recovery, recovery->floor);
    }
}
