/*
 * A volume made by hand, block by block, for what reads volumes from outside.
 *
 * Four zones: 0 was given up, 1 is sealed, 2 is open and was continued once, 3 was never
 * opened. Each extent is one block of head and two of its only chunk.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "edge/volume/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
    MADE_BYTES = 40 * 1024 * 1024,
    MADE_BODY = 5000,
    MADE_SEALED = 3,       /* records of zone 1: two extents, and a purge */
    MADE_RECORDS = 5,      /* in all */
    MADE_LAST_OF_OPEN = 5, /* block of the second extent of zone 2, behind the ledger */
    MADE_HOUR = 497222
};

#define MADE_WALL_MS INT64_C(1790000000123)

struct made_volume {
    struct fb_disk *disk; /* borrowed */
    struct edge_superblock superblock;
    char *blocks; /* owned scratch */
    uint64_t sum; /* of the last record */
};

static inline void made_put(struct made_volume *made, uint64_t offset, size_t n_blocks)
{
    assert_int_equal(
        fb_disk_write_now(made->disk, offset, made->blocks, n_blocks * EDGE_FORMAT_BLOCK), FB_OK);
}

static inline uint64_t made_at(const struct made_volume *made, uint32_t zone, uint32_t block)
{
    return edge_superblock_zone_offset(&made->superblock, zone) +
           (uint64_t)block * EDGE_FORMAT_BLOCK;
}

static inline uint64_t made_generation_of(const struct made_volume *made, uint32_t zone)
{
    return edge_superblock_first_generation(&made->superblock) + zone;
}

static inline void made_put_header(struct made_volume *made, uint32_t zone)
{
    struct edge_zone_header header = {
        .zone = zone,
        .generation = made_generation_of(made, zone),
        .oldest = made_generation_of(made, zone > 0 ? zone - 1 : 0),
        .wall_ms = MADE_WALL_MS,
        .written = {.admission = 1000 * (zone + 1), .metadata = 10},
    };

    memcpy(header.uuid, made->superblock.uuid, sizeof(header.uuid));
    edge_zone_header_encode(&header, made->blocks);
    made_put(made, made_at(made, zone, 0), 1);
    made->sum = 0;
}

static inline void made_put_record(struct made_volume *made, uint32_t zone,
                                   struct edge_record *record)
{
    record->generation = made_generation_of(made, zone);
    record->n_head_blocks = 1;
    record->previous = made->sum;
    record->head.wall_ms = MADE_WALL_MS;
    edge_record_encode(record, made->blocks);
    made->sum = record->sum;
    if (record->kind == EDGE_RECORD_EXTENT) {
        memset(made->blocks + EDGE_FORMAT_BLOCK, 'b', MADE_BODY);
    }
    made_put(made, made_at(made, zone, record->block), record->n_blocks);
}

static inline struct edge_listing made_put_extent(struct made_volume *made, uint32_t zone,
                                                  uint32_t block, const char *key)
{
    char body[MADE_BODY];
    memset(body, 'b', sizeof(body));
    struct edge_record record = {
        .kind = EDGE_RECORD_EXTENT,
        .block = block,
        .n_blocks = 3,
        .head = {.id = {.fingerprint = edge_fingerprint_of(fb_str_from(key)), .version = 7},
                 .key = fb_str_from(key),
                 .meta = FB_STR("meta"),
                 .length = MADE_BODY,
                 .mask = 1},
        .chunk_bytes = {MADE_BODY},
        .chunk_sums = {edge_format_sum((struct fb_str){body, sizeof(body)})},
    };

    made_put_record(made, zone, &record);
    return (struct edge_listing){
        .kind = EDGE_RECORD_EXTENT,
        .id = record.head.id,
        .place = {.zone = zone,
                  .block = block,
                  .n_blocks = 3,
                  .hour = MADE_HOUR,
                  .n_head_blocks = 1,
                  .mask = 1},
    };
}

static inline void made_put_sealed_zone(struct made_volume *made)
{
    struct edge_listing listings[MADE_SEALED];
    struct edge_summary summary = {
        .generation = made_generation_of(made, 1), .zone = 1, .n = MADE_SEALED};
    FB_AUTO(fb_buf_done) struct fb_buf blocks = {0};

    made_put_header(made, 1);
    listings[0] = made_put_extent(made, 1, 1, "http://v/a");
    listings[1] = made_put_extent(made, 1, 4, "http://v/b");
    struct edge_record purge = {
        .kind = EDGE_RECORD_PURGE, .block = 7, .n_blocks = 1, .head.id.fingerprint = 5};
    made_put_record(made, 1, &purge);
    listings[2] = (struct edge_listing){
        .kind = EDGE_RECORD_PURGE,
        .id.fingerprint = 5,
        .place = {.zone = 1, .block = 7, .n_blocks = 1, .hour = MADE_HOUR, .n_head_blocks = 1},
    };
    edge_summary_encode(&summary, listings, &blocks);
    memcpy(made->blocks, blocks.ptr, blocks.len);
    made_put(made, made_at(made, 2, 0) - blocks.len, blocks.len / EDGE_FORMAT_BLOCK);
}

static inline void made_put_open_zone(struct made_volume *made)
{
    struct edge_record ledger = {
        .kind = EDGE_RECORD_LEDGER,
        .block = 4,
        .n_blocks = 1,
        .written = {.admission = 5000, .rewriting = 600, .metadata = 70, .reserve = 8},
    };

    made_put_header(made, 2);
    (void)made_put_extent(made, 2, 1, "http://v/c");
    made_put_record(made, 2, &ledger);
    (void)made_put_extent(made, 2, MADE_LAST_OF_OPEN, "http://v/\x1b[31md");

    /* What a crash left behind: whole, but following a record that is not there. */
    made->sum = 12345;
    (void)made_put_extent(made, 2, MADE_LAST_OF_OPEN + 3, "http://v/lost");
}

static inline void made_put_checkpoint(struct made_volume *made, unsigned slot, uint64_t sequence)
{
    struct edge_checkpoint checkpoint = {
        .sequence = sequence, .wall_ms = MADE_WALL_MS, .n_zones = made->superblock.n_zones};
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    memcpy(checkpoint.uuid, made->superblock.uuid, sizeof(checkpoint.uuid));
    edge_checkpoint_begin(&checkpoint, &bytes);
    for (uint32_t i = 0; i < checkpoint.n_zones; i++) {
        bool is_used = i == 1 || i == 2;
        edge_checkpoint_add_zone(&bytes,
                                 &(struct edge_checkpoint_zone){
                                     .generation = is_used ? made_generation_of(made, i) : 0,
                                     .n_blocks = is_used ? MADE_LAST_OF_OPEN + 3 : 0,
                                     .is_sealed = i == 1,
                                 });
    }
    edge_checkpoint_end(&bytes);
    memcpy(made->blocks, bytes.ptr, bytes.len);
    made_put(made, made->superblock.checkpoint_offset + slot * made->superblock.checkpoint_bytes,
             bytes.len / EDGE_FORMAT_BLOCK);
}

/* On an empty disk of MADE_BYTES. */
static inline void made_volume_init(struct made_volume *made, struct fb_disk *disk)
{
    *made =
        (struct made_volume){.disk = disk, .blocks = fb_disk_buffer((size_t)4 * EDGE_FORMAT_BLOCK)};
    assert_int_equal(edge_layout_make(disk, FB_STR("box-7"), MADE_WALL_MS, &made->superblock, NULL),
                     FB_OK);
    assert_int_equal(made->superblock.n_zones, 4);
    made_put_header(made, 0);
    (void)made_put_extent(made, 0, 1, "http://v/old");
    made_put_sealed_zone(made);
    made_put_open_zone(made);
    made_put_checkpoint(made, 0, 4);
    made_put_checkpoint(made, 1, 5);
}

static inline void made_volume_done(struct made_volume *made)
{
    fb_free(made->blocks);
}
