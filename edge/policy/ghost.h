/*
 * Ghosts: identities of what was evicted lately, oldest forgotten first.
 *
 * A ring in order of eviction, and a table of probes that finds an identity in
 * it. Both grow as needed up to a bound of entries.
 *
 * Threads    One at a time.
 * Limits     `max_bytes` of evicted sizes, `max_entries` identities.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may be noted of an identity. */
struct edge_ghost_note {
    uint32_t seen; /* when it was last asked for */
    uint16_t heat; /* how often */
};

struct ghost_entry {
    uint64_t id;
    uint64_t size;
    struct edge_ghost_note note;
    bool is_live; /* false once forgotten before its turn */
};

struct edge_ghost {
    uint64_t max_bytes;
    size_t max_entries; /* a power of two; EDGE_POLICY_GHOST_MAX unless lowered before use */

    /* Private to ghost.c. */
    struct ghost_entry *ring; /* owned; `cap` entries, a power of two */
    uint32_t *slots;          /* owned; 2 × cap places in the ring + 1; 0: empty */
    size_t cap;
    uint64_t head; /* counts of entries ever taken out and put in */
    uint64_t tail;
    uint64_t n_bytes; /* of live entries */
};

void edge_ghost_init(struct edge_ghost *ghost, uint64_t max_bytes);

/* How many entries suit a room of `capacity` bytes, and the most memory that so many take: also
 * while they are moved to a larger ring. */
size_t edge_ghost_entries(uint64_t capacity);
uint64_t edge_ghost_most_bytes(size_t max_entries);
void edge_ghost_done(struct edge_ghost *ghost);

/* Remembers `id`, which was `size` bytes. */
void edge_ghost_add(struct edge_ghost *ghost, uint64_t id, uint64_t size);

void edge_ghost_add_noted(struct edge_ghost *ghost, uint64_t id, uint64_t size,
                          struct edge_ghost_note note);

/* True if `id` was remembered; it no longer is. */
bool edge_ghost_take(struct edge_ghost *ghost, uint64_t id);
bool edge_ghost_take_noted(struct edge_ghost *ghost, uint64_t id, struct edge_ghost_note *ret_note);
