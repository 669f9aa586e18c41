#include "edge/policy/ghost.h"

#include "base/core/alloc.h"
#include "edge/policy/policy.h"

enum {
    GHOST_FIRST_CAP = 256,
    GHOST_ROOM = 16 * 1024,  /* of capacity for each entry */
    GHOST_MIN_ENTRIES = 4096 /* however small the capacity */
};

void edge_ghost_init(struct edge_ghost *ghost, uint64_t max_bytes)
{
    *ghost = (struct edge_ghost){.max_bytes = max_bytes, .max_entries = EDGE_POLICY_GHOST_MAX};
}

/* The largest power of two that the room allows. */
size_t edge_ghost_entries(uint64_t capacity)
{
    size_t n = GHOST_MIN_ENTRIES;

    while (n < EDGE_POLICY_GHOST_MAX && 2 * n <= capacity / GHOST_ROOM) {
        n *= 2;
    }
    return n;
}

uint64_t edge_ghost_most_bytes(size_t max_entries)
{
    /* The ring that is left is half as large. */
    return (uint64_t)max_entries * (sizeof(struct ghost_entry) + 2 * sizeof(uint32_t)) * 3 / 2;
}

void edge_ghost_done(struct edge_ghost *ghost)
{
    fb_free(ghost->ring);
    fb_free(ghost->slots);
    *ghost = (struct edge_ghost){0};
}

static size_t ghost_home(const struct edge_ghost *ghost, uint64_t id)
{
    /* Identities are hashes, but need not be good in their low bits. */
    return (size_t)((id * 0x9E3779B97F4A7C15U) >> 32) & (2 * ghost->cap - 1);
}

static struct ghost_entry *ghost_at(const struct edge_ghost *ghost, size_t slot)
{
    return &ghost->ring[ghost->slots[slot] - 1];
}

/* The slot of `id`, or the empty one where it would go. */
static size_t ghost_probe(const struct edge_ghost *ghost, uint64_t id)
{
    size_t slot = ghost_home(ghost, id);

    while (ghost->slots[slot] != 0 && ghost_at(ghost, slot)->id != id) {
        slot = (slot + 1) & (2 * ghost->cap - 1);
    }
    return slot;
}

/* Empties `slot` and moves back what had to step over it. */
static void ghost_clear_slot(struct edge_ghost *ghost, size_t slot)
{
    size_t mask = 2 * ghost->cap - 1;
    size_t hole = slot;

    for (size_t at = (slot + 1) & mask; ghost->slots[at] != 0; at = (at + 1) & mask) {
        size_t home = ghost_home(ghost, ghost_at(ghost, at)->id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            ghost->slots[hole] = ghost->slots[at];
            hole = at;
        }
    }
    ghost->slots[hole] = 0;
}

bool edge_ghost_take_noted(struct edge_ghost *ghost, uint64_t id, struct edge_ghost_note *ret_note)
{
    if (ghost->cap == 0) {
        return false;
    }
    size_t slot = ghost_probe(ghost, id);
    if (ghost->slots[slot] == 0) {
        return false;
    }
    struct ghost_entry *entry = ghost_at(ghost, slot);
    ghost_clear_slot(ghost, slot);
    entry->is_live = false;
    ghost->n_bytes -= entry->size;
    *ret_note = entry->note;
    return true;
}

bool edge_ghost_take(struct edge_ghost *ghost, uint64_t id)
{
    struct edge_ghost_note note;

    return edge_ghost_take_noted(ghost, id, &note);
}

static void ghost_drop_oldest(struct edge_ghost *ghost)
{
    struct ghost_entry *entry = &ghost->ring[ghost->head & (ghost->cap - 1)];

    if (entry->is_live) {
        (void)edge_ghost_take(ghost, entry->id); /* it is there */
    }
    ghost->head++;
}

static void ghost_grow(struct edge_ghost *ghost)
{
    struct edge_ghost old = *ghost;

    ghost->cap = old.cap == 0 ? GHOST_FIRST_CAP : 2 * old.cap;
    ghost->ring = fb_alloc_array(ghost->cap, sizeof(*ghost->ring));
    ghost->slots = fb_alloc_array(2 * ghost->cap, sizeof(*ghost->slots));
    ghost->head = 0;
    ghost->tail = 0;
    for (uint64_t n = old.head; n < old.tail; n++) {
        const struct ghost_entry *entry = &old.ring[n & (old.cap - 1)];
        if (entry->is_live) {
            ghost->ring[ghost->tail] = *entry;
            ghost->slots[ghost_probe(ghost, entry->id)] = (uint32_t)ghost->tail + 1;
            ghost->tail++;
        }
    }
    fb_free(old.ring);
    fb_free(old.slots);
}

void edge_ghost_add_noted(struct edge_ghost *ghost, uint64_t id, uint64_t size,
                          struct edge_ghost_note note)
{
    if (size > ghost->max_bytes) {
        return;
    }
    (void)edge_ghost_take(ghost, id); /* it goes to the young end */
    if (ghost->tail - ghost->head == ghost->cap) {
        if (ghost->cap < ghost->max_entries) {
            ghost_grow(ghost);
        } else {
            ghost_drop_oldest(ghost);
        }
    }
    while (ghost->n_bytes + size > ghost->max_bytes) {
        ghost_drop_oldest(ghost);
    }
    size_t place = ghost->tail & (ghost->cap - 1);
    ghost->ring[place] =
        (struct ghost_entry){.id = id, .size = size, .note = note, .is_live = true};
    ghost->slots[ghost_probe(ghost, id)] = (uint32_t)place + 1;
    ghost->tail++;
    ghost->n_bytes += size;
}

void edge_ghost_add(struct edge_ghost *ghost, uint64_t id, uint64_t size)
{
    edge_ghost_add_noted(ghost, id, size, (struct edge_ghost_note){0});
}
