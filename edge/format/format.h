/*
 * The format of a volume: bytes on the drive and back (docs/store-format.md).
 *
 *     | superblock | copy | checkpoint A | checkpoint B | zone 0 | zone 1 | …
 *
 *     zone:  | header | record | record | …            | summary, footer |
 *     record:| head, 1 to 4 blocks | chunk | chunk | …  (an extent)
 *            | one block                                (a purge, a ledger)
 *
 * All numbers are little-endian; everything begins at a block of FB_DISK_BLOCK
 * bytes, and bears a magic number, its kind's version, and an XXH3-64 of itself.
 * A record names the generation of its zone: what a zone's last life left behind
 * is no record of this one.
 *
 * Encoders fill whole blocks, zero-padded. Decoders take hostile bytes, allocate
 * nothing, and borrow from what they read.
 *
 * Threads    Pure functions, any thread.
 * Failures   FB_E_MALFORMED: not this kind of thing at all (such as blank).
 *            FB_E_UNSUPPORTED: of another format version. FB_E_CORRUPT: the
 *            checksum does not fit, or a number is out of its range.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "edge/format/extent.h"
#include "edge/policy/budget.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EDGE_FORMAT_VERSION = 1,
    EDGE_FORMAT_BLOCK = 4096, /* FB_DISK_BLOCK */
    EDGE_FORMAT_MAX_HEAD_BLOCKS = 4,
    EDGE_FORMAT_MIN_ZONES = 4,
    EDGE_FORMAT_MAX_ZONES = 1 << 20,
    EDGE_FORMAT_NODE_MAX = 64 /* bytes of a node's name */
};

#define EDGE_FORMAT_MIN_ZONE_BYTES ((uint64_t)8 * 1024 * 1024)
#define EDGE_FORMAT_MAX_ZONE_BYTES ((uint64_t)256 * 1024 * 1024)

/* ---- the superblock ------------------------------------------------------ */

struct edge_superblock {
    uint8_t uuid[16];
    char node[EDGE_FORMAT_NODE_MAX + 1]; /* whose volume it is; NUL-terminated, not empty */
    int64_t created_ms;                  /* wall time */
    uint64_t size;                       /* of the whole volume, bytes */
    uint64_t zone_bytes;                 /* a power of two */
    uint32_t n_zones;
    uint64_t zones_offset;      /* of zone 0 */
    uint64_t checkpoint_offset; /* of slot A; B follows */
    uint64_t checkpoint_bytes;  /* of one slot */
    bool was_logged;            /* a log of purges governed it last, or does */
    uint64_t doubted;           /* what is older than this epoch may have been purged by a log
                                   that went missing; 0: nothing */
};

/* Lays a volume of `size` bytes out; uuid, node and time are the caller's, and zero
 * here. FB_E_LIMIT if it is too small. */
FB_MUST_CHECK int edge_superblock_plan(uint64_t size, struct edge_superblock *ret_superblock);

/* Into one block. */
void edge_superblock_encode(const struct edge_superblock *superblock, char *block);
FB_MUST_CHECK int edge_superblock_decode(const char *block, struct edge_superblock *ret_superblock);

/* How many entries a volume's index and checkpoint have room for. */
size_t edge_superblock_max_entries(const struct edge_superblock *superblock);

/* The generation of the first zone ever opened. It comes from the uuid, so that what a
 * volume held before it was formatted again is of no generation that it will have. */
uint64_t edge_superblock_first_generation(const struct edge_superblock *superblock);

/* Blocks of a zone, and where it begins on the volume. */
uint32_t edge_superblock_zone_blocks(const struct edge_superblock *superblock);
uint64_t edge_superblock_zone_offset(const struct edge_superblock *superblock, uint32_t zone);

/* True if all of `place` lies within a zone of the volume. What listings and records say is
 * believed only then. */
bool edge_superblock_holds(const struct edge_superblock *superblock,
                           const struct edge_place *place);

/* ---- zones --------------------------------------------------------------- */

/* What was written to the drive, which outlives a restart. It is durable before the
 * bytes that it counts are written, so it counts some that are still to come. */
struct edge_written {
    uint64_t admission; /* bytes ever */
    uint64_t rewriting;
    uint64_t metadata;
    struct edge_budget_state budget; /* by days; `reserve` is in the latest one */
    uint64_t reserve;                /* may be written before the next one of these is durable */
};

struct edge_zone_header {
    uint8_t uuid[16]; /* the volume's */
    uint32_t zone;
    uint64_t generation; /* grows by one with every zone opened on the volume */
    uint64_t oldest;     /* generation among the zones in use when this one was opened: a zone
                            that bears a lower one is free, whatever it still holds, lest an
                            extent outlive the purge of it. At most `generation`. */
    int64_t wall_ms;
    struct edge_written written;
};

/* Into one block. */
void edge_zone_header_encode(const struct edge_zone_header *header, char *block);
FB_MUST_CHECK int edge_zone_header_decode(const char *block, struct edge_zone_header *ret_header);

/* ---- records ------------------------------------------------------------- */

/* A ledger takes one block: what was written, each time that an open zone is continued
 * after a restart. Summaries and checkpoints do not list it. */
enum edge_record_kind { EDGE_RECORD_EXTENT = 1, EDGE_RECORD_PURGE = 2, EDGE_RECORD_LEDGER = 3 };

struct edge_record {
    enum edge_record_kind kind;
    uint64_t generation; /* of its zone */
    uint32_t block;      /* where it begins in its zone */
    uint32_t n_blocks;   /* head and chunks */
    uint8_t n_head_blocks;
    struct edge_extent_head head;             /* of a purge: id.fingerprint and wall_ms only */
    uint32_t chunk_bytes[EDGE_EXTENT_CHUNKS]; /* 0: absent */
    uint64_t chunk_sums[EDGE_EXTENT_CHUNKS];  /* edge_format_sum() of the chunk's bytes */
    bool is_rewritten;                        /* moved here when its zone was reclaimed */
    struct edge_written written;              /* of a ledger only */

    /* The chain: `previous` is the `sum` of the record before it in its zone, 0 for the
     * first. So what a crash left behind the last whole record never counts as following
     * what was written there later. */
    uint64_t previous;
    uint64_t sum; /* out, of encode and decode: the head's own checksum, never 0 */
};

/* Blocks that the head of an extent with this key and meta takes; 0: too long. */
unsigned edge_record_head_blocks(size_t key_len, size_t meta_len);

/* Blocks of one chunk. */
unsigned edge_record_chunk_blocks(uint32_t chunk_bytes);

/* True if the numbers of a record fit each other: blocks and mask and the bytes of each chunk,
 * which follow from the object's length. An extent has a chunk at least; purges and ledgers
 * take one block. */
bool edge_record_is_sound(const struct edge_record *record);

/* Into `n_head_blocks` blocks, and sets `sum`. Requires that the record is sound. */
void edge_record_encode(struct edge_record *record, char *blocks);

/* From `n` bytes, whole blocks, one at least. Strings of *ret_record point into them. FB_E_LIMIT if
 * the head has more blocks than `n` holds: n_head_blocks is set even then. */
FB_MUST_CHECK int edge_record_decode(const char *blocks, size_t n, struct edge_record *ret_record);

/* Block in its record at which chunk `chunk` (0 to 3) begins. Requires that it is there. */
unsigned edge_record_chunk_block(const struct edge_record *record, unsigned chunk);

/* The checksum of a chunk. */
uint64_t edge_format_sum(struct fb_str bytes);

/* ---- summaries and checkpoints ------------------------------------------- */

/* One record as summaries and checkpoints list it. */
struct edge_listing {
    enum edge_record_kind kind;
    struct edge_extent_id id;
    struct edge_place place; /* of a purge: zone, block, n_blocks, n_head_blocks, hour */
};

enum { EDGE_LISTING_BYTES = 48 };

/* The table at the end of a sealed zone: its last block is the footer, the listings
 * stand before it. */
struct edge_summary {
    uint64_t generation;
    uint32_t zone;
    uint32_t n;        /* listings, in the order of their records */
    uint32_t n_blocks; /* footer included: it takes the last blocks of the zone; to encode, not
                          read */
};

/* Blocks of a summary of `n` listings. */
uint32_t edge_summary_blocks(size_t n);

/* Appends the blocks. The places' zone is the summary's. */
void edge_summary_encode(const struct edge_summary *summary, const struct edge_listing *listings,
                         struct fb_buf *blocks);

/* From the last block of a zone: how much to read. */
FB_MUST_CHECK int edge_summary_decode_footer(const char *block, struct edge_summary *ret_summary);

/* Listing `i` of a summary of which `blocks` are all the blocks, verified by
 * edge_summary_verify() before. */
FB_MUST_CHECK int edge_summary_verify(const char *blocks, const struct edge_summary *summary);
FB_MUST_CHECK int edge_summary_get(const char *blocks, const struct edge_summary *summary,
                                   uint32_t i, struct edge_listing *ret_listing);

/* A checkpoint: the index as it stood, with the generations of the zones it
 * speaks of. Written in one go into a slot. */
struct edge_checkpoint {
    uint8_t uuid[16];  /* the volume's: the slot may hold what another life left behind */
    uint64_t sequence; /* the greater one of the two slots counts */
    int64_t wall_ms;
    struct edge_written written;
    uint32_t n_zones;
    uint64_t n_listings; /* this and n_bytes are counted by end(), not read */
    uint64_t n_bytes;    /* of the whole, head included, whole blocks */
};

/* What a checkpoint knows of one zone. */
struct edge_checkpoint_zone {
    uint64_t generation; /* 0: free */
    uint32_t n_blocks;   /* written so far, as indexed here */
    bool is_sealed;
    bool has_gaps; /* some of its records are not listed: edge_index_has_gaps() */
};

uint64_t edge_checkpoint_bytes(uint32_t n_zones, size_t n_listings);

/* A checkpoint is made by parts in an empty buffer: begin, then all zones, then all
 * listings, then end, which fills in sums and counts. */
void edge_checkpoint_begin(const struct edge_checkpoint *checkpoint, struct fb_buf *bytes);
void edge_checkpoint_add_zone(struct fb_buf *bytes, const struct edge_checkpoint_zone *zone);
void edge_checkpoint_add_listing(struct fb_buf *bytes, const struct edge_listing *listing);
void edge_checkpoint_end(struct fb_buf *bytes);

/* From its first block: how much to read. Then the whole. */
FB_MUST_CHECK int edge_checkpoint_decode_head(const char *block,
                                              struct edge_checkpoint *ret_checkpoint);
FB_MUST_CHECK int edge_checkpoint_verify(const char *bytes,
                                         const struct edge_checkpoint *checkpoint);
void edge_checkpoint_zone(const char *bytes, const struct edge_checkpoint *checkpoint, uint32_t i,
                          struct edge_checkpoint_zone *ret_zone);
FB_MUST_CHECK int edge_checkpoint_listing(const char *bytes,
                                          const struct edge_checkpoint *checkpoint, uint64_t i,
                                          struct edge_listing *ret_listing);
