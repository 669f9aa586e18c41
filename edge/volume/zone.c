#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

#include <string.h>

/*
 * The zone that is written.
 *
 *     NONE ──► SYNCING ──► HEADING ──► HEADED ──► OPEN ──► DRAINING ──► SUMMING ──► NONE
 *                  FOUND ────▲
 *
 * Two rules make crashes harmless. A header (or the ledger of a zone that is continued)
 * is durable before any record follows it, so that stale bytes of the zone's last life are
 * known for what they are, and the bytes to come are counted. And what was written to
 * other zones is durable before a header: a zone is used again only when what was
 * saved from it cannot be lost any more.
 */

uint64_t edge_zone_offset(const struct edge_volume *volume, uint32_t zone, uint32_t block)
{
    return edge_superblock_zone_offset(&volume->superblock, zone) +
           (uint64_t)block * EDGE_FORMAT_BLOCK;
}

static size_t zone_n_listings(const struct volume_zone *zone)
{
    return zone->listings.len / sizeof(struct edge_listing);
}

void edge_zone_list(struct edge_volume *volume, const struct edge_listing *listing)
{
    fb_buf_append(&volume->writer.zone.listings,
                  (struct fb_str){(const char *)listing, sizeof(*listing)});
}

/* Room for a summary is kept, and for one ledger, in case that the zone is continued. */
static bool zone_has_room(const struct edge_volume *volume, uint32_t n_blocks)
{
    const struct volume_zone *zone = &volume->writer.zone;
    uint32_t n_summary = edge_summary_blocks(zone_n_listings(zone) + 1);

    return zone->n_blocks + n_blocks + n_summary + 1 <= volume->n_zone_blocks;
}

static void on_zone_written(struct volume_io *io, int result);

static void zone_write(struct edge_volume *volume, uint32_t block, size_t n)
{
    struct volume_zone *zone = &volume->writer.zone;

    zone->io.done = on_zone_written;
    zone->io.io.verb = FB_DISK_WRITE;
    zone->io.io.offset = edge_zone_offset(volume, zone->number, block);
    zone->io.io.bytes = zone->bytes;
    zone->io.io.n = n;
    edge_volume_io_start(volume, &zone->io);
}

/* ---- opening ------------------------------------------------------------------ */

/* The least generation in use. */
static uint64_t zone_oldest(const struct edge_volume *volume)
{
    uint64_t oldest = volume->writer.zone.generation;

    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        uint64_t generation = edge_zones_generation(volume->zones, i);
        if (generation != 0) {
            oldest = FB_MIN(oldest, generation);
        }
    }
    return oldest;
}

static void zone_encode_header(struct edge_volume *volume, const struct edge_written *written)
{
    struct volume_zone *zone = &volume->writer.zone;
    struct edge_zone_header header = {
        .zone = zone->number,
        .generation = zone->generation,
        .oldest = zone_oldest(volume),
        .wall_ms = edge_volume_wall_ms(volume),
        .written = *written,
    };

    memcpy(header.uuid, volume->superblock.uuid, sizeof(header.uuid));
    edge_zone_header_encode(&header, zone->bytes);
}

static void zone_encode_ledger(struct edge_volume *volume, const struct edge_written *written)
{
    struct volume_zone *zone = &volume->writer.zone;
    struct edge_record record = {
        .kind = EDGE_RECORD_LEDGER,
        .generation = zone->generation,
        .block = zone->n_blocks,
        .n_blocks = 1,
        .n_head_blocks = 1,
        .head.wall_ms = edge_volume_wall_ms(volume),
        .written = *written,
        .previous = zone->sum,
    };

    edge_record_encode(&record, zone->bytes);
    zone->ledger_sum = record.sum;
}

/* Writes the header or the ledger. Its block was counted. */
static void zone_head(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;
    uint32_t block = zone->is_continued ? zone->n_blocks : 0;
    uint64_t in_zone = (uint64_t)(volume->n_zone_blocks - block - 1) * EDGE_FORMAT_BLOCK;
    struct edge_written written;

    zone->promise = edge_checkpointer_estimate(volume);
    zone->at_sequence = volume->checkpoint.sequence;
    edge_ledger_promise(volume, in_zone, zone->promise, &written);
    zone->bytes = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    if (zone->is_continued) {
        zone_encode_ledger(volume, &written);
    } else {
        zone_encode_header(volume, &written);
    }
    zone->step = VOLUME_ZONE_HEADING;
    zone_write(volume, block, EDGE_FORMAT_BLOCK);
}

/* The header is durable. */
static void zone_opened(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;

    zone->step = VOLUME_ZONE_OPEN;
    zone->n_blocks = zone->is_continued ? zone->n_blocks + 1 : 1;
    zone->sum = zone->is_continued ? zone->ledger_sum : 0;
    zone->written = zone->n_blocks;
    edge_zones_set_used(volume->zones, zone->number, zone->n_blocks);
    edge_pieces_seek(volume, edge_zone_offset(volume, zone->number, zone->n_blocks));
    volume->checkpoint.n_headed++;
    if (zone->at_sequence == volume->checkpoint.sequence) {
        volume->ledger.promised = zone->promise;
    }
}

static int zone_open(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;
    bool is_found = zone->step == VOLUME_ZONE_FOUND;

    if (!is_found && edge_zones_n_free(volume->zones) == 0) {
        edge_reclaim_poke(volume);
        edge_reclaim_hurry(volume);
    }
    if (!is_found && edge_zones_n_free(volume->zones) == 0) {
        return FB_E_LATER;
    }
    if (!edge_ledger_take(volume, VOLUME_METADATA, EDGE_FORMAT_BLOCK)) {
        return FB_E_LIMIT;
    }
    if (is_found) {
        zone_head(volume);
        return FB_E_LATER;
    }
    edge_zone_clear(volume);
    FB_REQUIRE(edge_zones_open(volume->zones, &zone->number, &zone->generation));
    zone->step = VOLUME_ZONE_SYNCING;
    zone->sync = edge_sync_ask(volume);
    return FB_E_LATER;
}

/* ---- sealing -------------------------------------------------------------------- */

static void zone_sealed(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;

    edge_zones_set_used(volume->zones, zone->number, zone->n_blocks);
    edge_zones_seal(volume->zones, zone->number);
    edge_zone_clear(volume);
}

/* Without a summary recovery walks the zone. */
static void zone_sum_up(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;
    size_t n_listings = zone_n_listings(zone);
    uint32_t n_blocks = edge_summary_blocks(n_listings);
    size_t n_bytes = (size_t)n_blocks * EDGE_FORMAT_BLOCK;
    struct edge_summary summary = {
        .generation = zone->generation,
        .zone = zone->number,
        .n = (uint32_t)n_listings,
        .n_blocks = n_blocks,
    };
    FB_AUTO(fb_buf_done) struct fb_buf blocks = {0};

    if (zone->n_blocks + n_blocks > volume->n_zone_blocks ||
        !edge_ledger_take(volume, VOLUME_METADATA, n_bytes)) {
        zone_sealed(volume);
        return;
    }
    edge_summary_encode(&summary, (const struct edge_listing *)(const void *)zone->listings.ptr,
                        &blocks);
    zone->bytes = fb_disk_buffer(n_bytes);
    memcpy(zone->bytes, blocks.ptr, n_bytes);
    zone->step = VOLUME_ZONE_SUMMING;
    zone_write(volume, volume->n_zone_blocks - n_blocks, n_bytes);
}

int edge_zone_prepare(struct edge_volume *volume, uint32_t n_blocks)
{
    struct volume_zone *zone = &volume->writer.zone;

    if (zone->step == VOLUME_ZONE_FOUND && !zone_has_room(volume, n_blocks + 1)) {
        zone_sealed(volume); /* not worth a ledger; it is walked if it must be */
    }
    if (zone->step == VOLUME_ZONE_NONE || zone->step == VOLUME_ZONE_FOUND) {
        return zone_open(volume);
    }
    if (zone->step != VOLUME_ZONE_OPEN) {
        return FB_E_LATER;
    }
    if (!zone->is_over && zone_has_room(volume, n_blocks)) {
        return FB_OK;
    }
    zone->step = VOLUME_ZONE_DRAINING;
    edge_pieces_submit(volume);
    edge_zone_step(volume);
    return FB_E_LATER;
}

/* ---- steps -------------------------------------------------------------------------- */

static void on_zone_written(struct volume_io *io, int result)
{
    struct edge_volume *volume = io->volume;
    struct volume_zone *zone = &volume->writer.zone;

    fb_free(zone->bytes);
    zone->bytes = NULL;
    if (result < 0) {
        edge_volume_fail(volume, result);
        return;
    }
    if (zone->step == VOLUME_ZONE_HEADING) {
        zone->step = VOLUME_ZONE_HEADED;
        zone->sync = edge_sync_ask(volume);
    } else {
        zone_sealed(volume);
        edge_checkpointer_poke(volume);
    }
    edge_writer_pump(volume);
}

void edge_zone_step(struct edge_volume *volume)
{
    const struct volume_writer *writer = &volume->writer;
    struct volume_zone *zone = &volume->writer.zone;

    if (!edge_volume_writes(volume)) {
        return;
    }
    if (zone->step == VOLUME_ZONE_SYNCING && writer->n_synced >= zone->sync) {
        zone_head(volume);
    } else if (zone->step == VOLUME_ZONE_HEADED && writer->n_synced >= zone->sync) {
        zone_opened(volume);
    } else if (zone->step == VOLUME_ZONE_DRAINING &&
               volume->pieces.written == volume->pieces.sent) {
        zone_sum_up(volume);
    }
}

/* ---- life ----------------------------------------------------------------------------- */

void edge_zone_clear(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;
    struct fb_buf listings = zone->listings;

    fb_buf_clear(&listings);
    FB_REQUIRE(zone->bytes == NULL);
    *zone = (struct volume_zone){.listings = listings, .io = zone->io};
}

/* Listings of what did not reach the disk. */
static void zone_trim_listings(struct volume_zone *zone)
{
    const struct edge_listing *listings =
        (const struct edge_listing *)(const void *)zone->listings.ptr;
    size_t n = zone_n_listings(zone);

    while (n > 0 && listings[n - 1].place.block >= zone->written) {
        n--;
    }
    fb_buf_truncate(&zone->listings, n * sizeof(struct edge_listing));
}

void edge_zone_reset(struct edge_volume *volume)
{
    struct volume_zone *zone = &volume->writer.zone;

    fb_free(zone->bytes);
    zone->bytes = NULL;
    if (zone->step == VOLUME_ZONE_NONE || zone->step == VOLUME_ZONE_FOUND) {
        return;
    }
    if (zone->step < VOLUME_ZONE_OPEN) { /* a header or ledger that may not be there */
        if (zone->is_continued) {
            zone->step = VOLUME_ZONE_FOUND;
        } else {
            edge_zones_release(volume->zones, zone->number);
            edge_zone_clear(volume);
        }
        return;
    }
    zone_trim_listings(zone);
    edge_index_note_gap(volume->index, zone->number);
    zone->n_blocks = zone->written;
    zone->step = VOLUME_ZONE_OPEN;
    zone->is_over = true;
}

void edge_zone_done(struct edge_volume *volume)
{
    fb_free(volume->writer.zone.bytes);
    fb_buf_done(&volume->writer.zone.listings);
}
