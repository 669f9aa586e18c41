/*
 * What the files of the index share: entries, and how they are reached.
 *
 * Entries stand in segments that never move; free ones are chained. Buckets are those of
 * linear hashing: with each entry added one bucket is split, so that the index grows without
 * ever stopping. The lowest bits of a hash choose its bucket's lock whatever the number of
 * buckets, hence readers need only that lock.
 *
 * The one writer takes a lock only to change what readers follow. What it removes stays in
 * its zone's chain as a dead entry until the zone is swept or dropped: a chain with one link
 * per entry is enough.
 *
 * Threads    Functions on buckets under the lock of the hash; on chains of zones the owner.
 */
#pragma once

#include "base/core/attr.h"
#include "edge/volume/index.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENTRY_SEGMENT_BITS = 14,
    ENTRIES_A_SEGMENT = 1 << ENTRY_SEGMENT_BITS,
    BUCKET_SEGMENT_BITS = 14,
    BUCKETS_A_SEGMENT = 1 << BUCKET_SEGMENT_BITS,
    N_STRIPES = 128, /* a power of two, not more than there are buckets at first */
    CACHE_LINE = 64,
    MAX_BLOCK = UINT16_MAX,
    MAX_BLOCKS = (1 << 11) - 1,
    MAX_HEAD_BLOCKS = 4,

    GROUP_BITS = 4,   /* extents of a key whose numbers differ in these only share a chain */
    GROUP_FAR = 4096, /* beyond 256 GiB of a body all do, so that a purge need not go on for ever */
    SWEEP_DEAD = 64,  /* a zone is swept when it has so many dead more than others */
    N_MARKS = 4,      /* iterations over zones that go on at a time without walking */
    MASK_ALL = 0x0f,
    HEADS_SHIFT = 4, /* head blocks - 1: two bits */
    SHAPE_DEAD = 0x40
};

struct entry {
    uint64_t fingerprint;
    uint32_t version; /* upper half */
    uint32_t number;
    uint32_t next;         /* in its bucket; of a free one: among the free */
    uint32_t next_of_zone; /* the next one written */
    uint32_t zone:21;
    uint32_t n_blocks:11;
    uint16_t block;
    uint8_t shape; /* mask, head blocks, SHAPE_DEAD */
    uint8_t heat;  /* atomic */
    uint32_t title;
    uint32_t hour;
};

_Static_assert(sizeof(struct entry) == 40, "an entry costs what the header says");

/* As wide as a cache line, so that readers on several loops seldom share one. */
struct stripe {
    pthread_mutex_t lock;
    char rest[CACHE_LINE - sizeof(pthread_mutex_t)];
};

struct zone_chain {
    uint32_t first; /* 0: none */
    uint32_t last;
    uint32_t n_live;
    uint32_t n_dead;
    bool has_gaps;
};

/* Where an iteration stands: a cursor names the block after the last visited record's
 * first, so that it outlives any change; this is the entry itself. */
struct mark {
    uint32_t zone;
    uint32_t cursor; /* 0: unused */
    uint32_t entry;
};

struct marks {
    struct mark marks[N_MARKS];
    unsigned turn;
};

struct edge_index {
    struct stripe *stripes;
    struct entry **entries; /* segments; entry 0 is not used */
    uint32_t **buckets;     /* segments */
    struct zone_chain *zones;
    struct marks *marks;

    uint32_t n_zones;
    uint32_t max_entries;
    uint32_t n_entries; /* that were ever taken from the segments */
    uint32_t n_buckets; /* atomic: written under the lock of the bucket that is split */
    uint32_t first_free;
    uint32_t n_dead;
    uint32_t max_group; /* the largest ever added */
    size_t n_live;      /* atomic */
    size_t n_bytes;     /* atomic */
};

static inline struct entry *index_entry(const struct edge_index *index, uint32_t i)
{
    return &index->entries[i >> ENTRY_SEGMENT_BITS][i & (ENTRIES_A_SEGMENT - 1)];
}

static inline uint32_t index_group(uint32_t number)
{
    return FB_MIN(number >> GROUP_BITS, (uint32_t)GROUP_FAR);
}

/* Fingerprints are random already; the group has to be spread. */
static inline uint64_t index_hash(uint64_t fingerprint, uint32_t group)
{
    uint64_t hash = fingerprint ^ (group * UINT64_C(0x9e3779b97f4a7c15));

    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ (hash >> 32);
}

static inline uint64_t index_hash_of(const struct edge_extent_id *id)
{
    return index_hash(id->fingerprint, index_group(id->number));
}

static inline pthread_mutex_t *index_lock(const struct edge_index *index, uint64_t hash)
{
    return &index->stripes[hash & (N_STRIPES - 1)].lock;
}

/* The bucket of a hash. While another one is split the number of buckets may be seen before
 * or after that, with the same result. */
static inline uint32_t *index_bucket(const struct edge_index *index, uint64_t hash)
{
    uint32_t n = __atomic_load_n(&index->n_buckets, __ATOMIC_ACQUIRE);
    uint32_t low = UINT32_C(1) << (31 - (unsigned)__builtin_clz(n)); /* low ≤ n < 2 low */
    uint32_t i = (uint32_t)hash & (low * 2 - 1);

    if (i >= n) {
        i -= low;
    }
    return &index->buckets[i >> BUCKET_SEGMENT_BITS][i & (BUCKETS_A_SEGMENT - 1)];
}

static inline bool entry_is_of(const struct entry *entry, const struct edge_extent_id *id)
{
    return entry->fingerprint == id->fingerprint && entry->number == id->number &&
           (id->version == 0 || entry->version == (uint32_t)(id->version >> 32));
}

static inline bool entry_is_at(const struct entry *entry, const struct edge_place *place)
{
    return entry->zone == place->zone && entry->block == place->block;
}

static inline struct edge_place entry_place(const struct entry *entry)
{
    return (struct edge_place){
        .zone = entry->zone,
        .block = entry->block,
        .n_blocks = entry->n_blocks,
        .title = entry->title,
        .hour = entry->hour,
        .n_head_blocks = (uint8_t)((entry->shape >> HEADS_SHIFT & 3) + 1),
        .mask = entry->shape & MASK_ALL,
        .heat = __atomic_load_n(&entry->heat, __ATOMIC_RELAXED),
    };
}

static inline struct edge_extent_id entry_id(const struct entry *entry)
{
    return (struct edge_extent_id){
        .fingerprint = entry->fingerprint,
        .version = (uint64_t)entry->version << 32,
        .number = entry->number,
    };
}

/* ---- index.c ---------------------------------------------------------------- */

/* The link to the entry of `id` at `place`, under the lock; NULL if it went. */
uint32_t *edge_index_link_to(const struct edge_index *index, const struct edge_extent_id *id,
                             const struct edge_place *place, uint64_t hash);

/* One live entry less, in the zone and in all. */
void edge_index_count_out(struct edge_index *index, struct entry *entry);

void edge_index_free_entry(struct edge_index *index, uint32_t i);

/* ---- index_zone.c ------------------------------------------------------------- */

/* The last entry of the zone before `block`, 0 if there is none. */
uint32_t edge_index_last_before(const struct edge_index *index, uint32_t zone, uint32_t block);

/* True if a live entry of the zone is at `block`; `before` is the last one before that. */
bool edge_index_is_taken(const struct edge_index *index, uint32_t zone, uint32_t block,
                         uint32_t before);

/* Puts entry `i` behind `before` in its zone's chain, 0: first. */
void edge_index_link_zone(struct edge_index *index, uint32_t i, uint32_t before);

/* Takes the dead out of a zone that has many, or of the first that has any. */
void edge_index_sweep_if_worth(struct edge_index *index, uint32_t zone);
void edge_index_sweep_any(struct edge_index *index);
