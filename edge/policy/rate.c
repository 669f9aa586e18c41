#include "edge/policy/rate.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

#include <stdbool.h>

enum {
    RATE_N_DRAWN = 32,
    RATE_TICKS = 1024,                 /* in a turn */
    RATE_HALVING_SHIFT = 15,           /* 32 turns of ticks: the count is halved */
    RATE_PAUSE_TICKS = 2 * RATE_TICKS, /* what has just been seen is this old */
    RATE_MEMORY_TURNS = 64,            /* evicted nodes are remembered */
    RATE_REQUEST = 16,                 /* one request in units of heat */
    RATE_FIRST_NODES = 64,             /* the first size of the table */
    RATE_GHOST_ROOM = 16 * 1024,       /* of capacity for each that is remembered */
    RATE_GHOST_MIN = 4096,             /* entries, however small the capacity */
    RATE_SMALL_BYTES = 256 * 1024,     /* see rate.h */
    RATE_SMALLEST_BYTES = 16 * 1024    /* smaller ones count as this size */
};

/* ---- counts -------------------------------------------------------------- */

static uint32_t rate_now(const struct edge_rate *rate)
{
    return atomic_load_explicit(&rate->now, memory_order_relaxed);
}

/* `heat` after `age` ticks: halved each 32 turns, on a straight line in between. */
static uint32_t heat_after(uint32_t heat, uint32_t age)
{
    uint32_t n_halvings = age >> RATE_HALVING_SHIFT;
    uint32_t rest = age & ((1U << RATE_HALVING_SHIFT) - 1);

    return n_halvings >= 16 ? 0 : (heat - (heat * rest >> (RATE_HALVING_SHIFT + 1))) >> n_halvings;
}

/* The heat of what was `note` and is asked for now. */
static uint16_t heat_raised(struct edge_ghost_note note, uint32_t now)
{
    return (uint16_t)FB_MIN(heat_after(note.heat, now - note.seen) + RATE_REQUEST, UINT16_MAX);
}

static struct edge_ghost_note note_of(const struct edge_policy_node *node)
{
    return (struct edge_ghost_note){
        .seen = atomic_load_explicit(&node->seen, memory_order_relaxed),
        .heat = atomic_load_explicit(&node->heat, memory_order_relaxed),
    };
}

static void note_put(struct edge_policy_node *node, struct edge_ghost_note note)
{
    atomic_store_explicit(&node->seen, note.seen, memory_order_relaxed);
    atomic_store_explicit(&node->heat, note.heat, memory_order_relaxed);
}

static double rate_worth(const struct edge_policy_node *node, uint32_t now)
{
    struct edge_ghost_note note = note_of(node);
    uint32_t age = now - note.seen;
    double heat = FB_MAX(heat_after(note.heat, age), (uint32_t)RATE_REQUEST);
    double size = (double)FB_MAX(node->size, (uint64_t)RATE_SMALLEST_BYTES);

    return heat / ((double)age + RATE_PAUSE_TICKS) * (1.0 + RATE_SMALL_BYTES / size);
}

/* ---- the table ----------------------------------------------------------- */

static void table_put(struct edge_rate *rate, struct edge_policy_node *node, size_t place)
{
    rate->nodes[place] = node;
    node->place = (uint32_t)place;
}

static void table_add(struct edge_rate *rate, struct edge_policy_node *node)
{
    if (rate->n_nodes == rate->max_nodes) {
        rate->max_nodes = rate->max_nodes == 0 ? RATE_FIRST_NODES : 2 * rate->max_nodes;
        rate->nodes = fb_realloc(rate->nodes, rate->max_nodes * sizeof(*rate->nodes));
    }
    table_put(rate, node, rate->n_nodes);
    rate->n_nodes++;
    rate->n_bytes += node->size;
}

/* xorshift64 (Marsaglia): who is drawn need not be a secret. */
static uint64_t rate_draw(struct edge_rate *rate)
{
    rate->random ^= rate->random << 13;
    rate->random ^= rate->random >> 7;
    rate->random ^= rate->random << 17;
    return rate->random >> 20;
}

static struct edge_policy_node *rate_least_worthy(struct edge_rate *rate)
{
    bool all = rate->n_nodes <= RATE_N_DRAWN;
    size_t n_drawn = all ? rate->n_nodes : RATE_N_DRAWN;
    uint32_t now = rate_now(rate);
    struct edge_policy_node *least = NULL;
    double least_worth = 0.0;

    for (size_t i = 0; i < n_drawn; i++) {
        struct edge_policy_node *node = rate->nodes[all ? i : rate_draw(rate) % rate->n_nodes];
        double worth = rate_worth(node, now);
        if (least == NULL || worth < least_worth) {
            least = node;
            least_worth = worth;
        }
    }
    return least;
}

/* ---- the interface ------------------------------------------------------- */

/* The largest power of two that the room allows. */
static size_t ghost_entries(uint64_t capacity)
{
    size_t n = RATE_GHOST_MIN;

    while (n < EDGE_POLICY_GHOST_MAX && 2 * n <= capacity / RATE_GHOST_ROOM) {
        n *= 2;
    }
    return n;
}

void edge_rate_init(struct edge_rate *rate, uint64_t capacity)
{
    *rate = (struct edge_rate){
        .tick_bytes = FB_MAX(capacity / RATE_TICKS, 1U),
        .random = 0x9E3779B97F4A7C15U,
    };
    edge_ghost_init(&rate->ghost,
                    FB_MIN(capacity, UINT64_MAX / RATE_MEMORY_TURNS) * RATE_MEMORY_TURNS);
    rate->ghost.max_entries = ghost_entries(capacity);
}

void edge_rate_done(struct edge_rate *rate)
{
    edge_ghost_done(&rate->ghost);
    fb_free(rate->nodes);
    *rate = (struct edge_rate){0};
}

void edge_rate_insert(struct edge_rate *rate, struct edge_policy_node *node)
{
    uint32_t now = rate_now(rate);
    struct edge_ghost_note note = note_of(node);

    if (note.heat == 0) {
        (void)edge_ghost_take_noted(&rate->ghost, node->id, &note); /* stays zero if unknown */
        note.heat = heat_raised(note, now);
        note.seen = now;
        note_put(node, note);
    }
    table_add(rate, node);
    rate->n_inserted += node->size;
    atomic_store_explicit(&rate->now, now + (uint32_t)(rate->n_inserted / rate->tick_bytes),
                          memory_order_relaxed);
    rate->n_inserted %= rate->tick_bytes;
}

void edge_rate_hit(const struct edge_rate *rate, struct edge_policy_node *node)
{
    struct edge_ghost_note note = note_of(node);
    uint32_t now = rate_now(rate);

    if (note.heat != 0 && note.seen != now) {
        note_put(node, (struct edge_ghost_note){.seen = now, .heat = heat_raised(note, now)});
    }
}

void edge_rate_remove(struct edge_rate *rate, struct edge_policy_node *node)
{
    rate->n_nodes--;
    rate->n_bytes -= node->size;
    table_put(rate, rate->nodes[rate->n_nodes], node->place);
}

void edge_rate_replace(struct edge_rate *rate, struct edge_policy_node *old,
                       struct edge_policy_node *fresh)
{
    note_put(fresh, note_of(old));
    rate->n_bytes += fresh->size - old->size;
    table_put(rate, fresh, old->place);
}

struct edge_policy_node *edge_rate_evict(struct edge_rate *rate)
{
    struct edge_policy_node *node = rate_least_worthy(rate);

    if (node != NULL) {
        edge_rate_remove(rate, node);
        edge_ghost_add_noted(&rate->ghost, node->id, node->size, note_of(node));
        note_put(node, (struct edge_ghost_note){0});
    }
    return node;
}
