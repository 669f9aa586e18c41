#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

/* Largest extent: its head, and every chunk. */
enum { FETCH_BYTES = EDGE_FORMAT_MAX_HEAD_BLOCKS * EDGE_FORMAT_BLOCK + EDGE_EXTENT_BYTES };

struct fb_str edge_fetch_chunk(const struct volume_fetch *fetch, unsigned chunk)
{
    size_t block = edge_record_chunk_block(&fetch->record, chunk);

    return (struct fb_str){fetch->bytes + block * EDGE_FORMAT_BLOCK,
                           fetch->record.chunk_bytes[chunk]};
}

/* FB_OK, or FB_E_CORRUPT with what it is to be counted as. */
static int fetch_verify(struct edge_volume *volume, struct volume_fetch *fetch,
                        uint64_t **ret_counter)
{
    const struct edge_place *place = &fetch->place;
    struct edge_record *record = &fetch->record;
    struct edge_volume_counts *counts = &volume->shared.counts;

    *ret_counter = &counts->n_rotten_heads;
    if (edge_record_decode(fetch->bytes, fetch->io.io.n, record) < 0 ||
        record->kind != EDGE_RECORD_EXTENT || record->generation != fetch->generation ||
        record->block != place->block || record->n_blocks != place->n_blocks ||
        record->head.id.fingerprint != fetch->id.fingerprint ||
        record->head.id.number != fetch->id.number ||
        record->head.id.version >> 32 != fetch->id.version >> 32) {
        return FB_E_CORRUPT;
    }
    *ret_counter = &counts->n_rotten_chunks;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (record->chunk_bytes[i] > 0 &&
            edge_format_sum(edge_fetch_chunk(fetch, i)) != record->chunk_sums[i]) {
            return FB_E_CORRUPT;
        }
    }
    return FB_OK;
}

static void on_fetched(struct volume_io *io, int result)
{
    struct volume_fetch *fetch = FB_CONTAINER_OF(io, struct volume_fetch, io);
    struct edge_volume *volume = io->volume;
    uint64_t *counter = NULL;

    edge_volume_count_read(volume, result);
    if (result == FB_OK &&
        edge_zones_generation(volume->zones, fetch->place.zone) != fetch->generation) {
        result = FB_E_NOT_FOUND; /* reclaimed, perhaps written over */
    }
    if (result == FB_OK && (result = fetch_verify(volume, fetch, &counter)) < 0) {
        edge_volume_count_bad(volume, &fetch->place, fetch->generation, counter);
        FB_IGNORE(edge_index_remove(volume->index, &fetch->id, &fetch->place));
    }
    fetch->done(fetch, result);
}

void edge_fetch_start(struct edge_volume *volume, struct volume_fetch *fetch)
{
    const struct edge_place *place = &fetch->place;
    size_t n = (size_t)place->n_blocks * EDGE_FORMAT_BLOCK;

    FB_REQUIRE(n <= FETCH_BYTES);
    if (fetch->bytes == NULL) {
        fetch->bytes = fb_disk_buffer(FETCH_BYTES);
    }
    fetch->is_busy = true;
    fetch->generation = edge_zones_generation(volume->zones, place->zone);
    fetch->io.done = on_fetched;
    fetch->io.io.verb = FB_DISK_READ;
    fetch->io.io.offset = edge_zone_offset(volume, place->zone, place->block);
    fetch->io.io.bytes = fetch->bytes;
    fetch->io.io.n = n;
    edge_volume_io_start(volume, &fetch->io);
}

void edge_fetch_done(struct volume_fetch *fetch)
{
    fb_free(fetch->bytes);
    fetch->bytes = NULL;
}
