#include "edge/policy/rate.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

#include <stdbool.h>

enum {
    RATE_N_DRAWN = 32,
    RATE_TICKS = 8192,                /* in a turn */
    RATE_MEMORY_TURNS = 64,           /* evicted nodes are remembered */
    RATE_FIRST_BEAT = 4 * RATE_TICKS, /* until it is known */
    RATE_MIN_BEAT = 8,                /* ticks */
    RATE_BEAT_SCALE = 256,            /* units of the mean in a tick, and its inertia */
    RATE_HALVING_BEATS = 4,           /* the count is halved */
    RATE_REQUEST = 16,                /* one request in units of heat */
    RATE_FIRST_NODES = 64,            /* the first size of the table */
    RATE_SMALL_BYTES = 256 * 1024,    /* see rate.h */
    RATE_SMALLEST_BYTES = 16 * 1024   /* smaller ones count as this size */
};

/* ---- time ---------------------------------------------------------------- */

static uint32_t rate_now(const struct edge_rate *rate)
{
    return atomic_load_explicit(&rate->now, memory_order_relaxed);
}

static uint32_t rate_beat(const struct edge_rate *rate)
{
    uint32_t beat = atomic_load_explicit(&rate->beat, memory_order_relaxed) / RATE_BEAT_SCALE;
    return FB_MAX(beat, (uint32_t)RATE_MIN_BEAT);
}

/* Something known of `age` ticks is asked for again. One in 16 is enough for a mean,
 * and keeps loops from writing one line all the time; of two at once, one may be lost. */
static void rate_learn(struct edge_rate *rate, uint64_t id, uint32_t now, uint32_t age)
{
    uint32_t oldest = (uint32_t)RATE_MEMORY_TURNS * RATE_TICKS;

    if (((id ^ now) * 0x9E3779B97F4A7C15U) >> 60 == 0) {
        uint32_t mean = atomic_load_explicit(&rate->beat, memory_order_relaxed);
        mean += FB_MIN(age, oldest) - mean / RATE_BEAT_SCALE;
        atomic_store_explicit(&rate->beat, mean, memory_order_relaxed);
    }
}

/* ---- counts -------------------------------------------------------------- */

/* `heat` after `age` ticks: halved every `halving` of them, on a straight line in between. */
static uint32_t heat_after(uint32_t heat, uint32_t age, uint32_t halving)
{
    uint32_t n_halvings = age / halving;
    uint32_t lost = (uint32_t)((uint64_t)heat * (age % halving) / (2 * (uint64_t)halving));

    return n_halvings >= 16 ? 0 : (heat - lost) >> n_halvings;
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

/* One request more for `node`, which stood at `note`; no heat: it was not known. */
static void rate_raise(struct edge_rate *rate, struct edge_policy_node *node,
                       struct edge_ghost_note note)
{
    uint32_t now = rate_now(rate);
    uint32_t heat = RATE_REQUEST;

    if (note.heat != 0) {
        uint32_t age = now - note.seen;
        heat += heat_after(note.heat, age, RATE_HALVING_BEATS * rate_beat(rate));
        rate_learn(rate, node->id, now, age);
    }
    note_put(node,
             (struct edge_ghost_note){.seen = now, .heat = (uint16_t)FB_MIN(heat, UINT16_MAX)});
}

static double rate_worth(const struct edge_rate *rate, const struct edge_policy_node *node,
                         uint32_t now, uint32_t beat)
{
    struct edge_ghost_note note = note_of(node);
    uint32_t age = now - note.seen;
    if (rate->is_by_recency) {
        return 1.0 / (1.0 + age);
    }
    uint32_t heat = heat_after(note.heat, age, RATE_HALVING_BEATS * beat);
    double size = (double)FB_MAX(node->size, (uint64_t)RATE_SMALLEST_BYTES);

    return FB_MAX(heat, (uint32_t)RATE_REQUEST) / (age + 3.0 / 8.0 * beat) *
           (1.0 + (double)RATE_SMALL_BYTES / size);
}

/* ---- the table ----------------------------------------------------------- */

static void table_put(struct edge_rate *rate, struct edge_policy_node *node, size_t place)
{
    rate->nodes[place] = node;
    node->place = (uint32_t)place;
}

static void table_resize(struct edge_rate *rate, size_t max_nodes)
{
    rate->max_nodes = max_nodes;
    rate->nodes = fb_realloc(rate->nodes, max_nodes * sizeof(struct edge_policy_node *));
}

static void table_add(struct edge_rate *rate, struct edge_policy_node *node)
{
    if (rate->n_nodes == rate->max_nodes) {
        table_resize(rate, rate->max_nodes == 0 ? RATE_FIRST_NODES : 2 * rate->max_nodes);
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
    uint32_t beat = rate_beat(rate);
    struct edge_policy_node *least = NULL;
    double least_worth = 0.0;

    for (size_t i = 0; i < n_drawn; i++) {
        struct edge_policy_node *node = rate->nodes[all ? i : rate_draw(rate) % rate->n_nodes];
        double worth = rate_worth(rate, node, now, beat);
        if (least == NULL || worth < least_worth) {
            least = node;
            least_worth = worth;
        }
    }
    return least;
}

/* ---- the interface ------------------------------------------------------- */

void edge_rate_init(struct edge_rate *rate, uint64_t capacity, bool is_by_recency)
{
    *rate = (struct edge_rate){
        .is_by_recency = is_by_recency,
        .tick_bytes = FB_MAX(capacity / RATE_TICKS, 1U),
        .beat = (uint32_t)RATE_FIRST_BEAT * RATE_BEAT_SCALE,
        .random = 0x9E3779B97F4A7C15U,
    };
    edge_ghost_init(&rate->ghost,
                    FB_MIN(capacity, UINT64_MAX / RATE_MEMORY_TURNS) * RATE_MEMORY_TURNS);
    rate->ghost.max_entries = edge_ghost_entries(capacity);
}

void edge_rate_done(struct edge_rate *rate)
{
    edge_ghost_done(&rate->ghost);
    fb_free(rate->nodes);
    *rate = (struct edge_rate){0};
}

void edge_rate_insert(struct edge_rate *rate, struct edge_policy_node *node)
{
    struct edge_ghost_note note = note_of(node);

    if (note.heat == 0) {
        (void)edge_ghost_take_noted(&rate->ghost, node->id, &note); /* stays zero if unknown */
        rate_raise(rate, node, note);
    }
    table_add(rate, node);
    rate->n_inserted += node->size;
    atomic_fetch_add_explicit(&rate->now, (uint32_t)(rate->n_inserted / rate->tick_bytes),
                              memory_order_relaxed);
    rate->n_inserted %= rate->tick_bytes;
}

void edge_rate_hit(struct edge_rate *rate, struct edge_policy_node *node)
{
    struct edge_ghost_note note = note_of(node);

    if (note.heat != 0 && note.seen != rate_now(rate)) {
        rate_raise(rate, node, note);
    }
}

void edge_rate_remove(struct edge_rate *rate, struct edge_policy_node *node)
{
    rate->n_nodes--;
    rate->n_bytes -= node->size;
    table_put(rate, rate->nodes[rate->n_nodes], node->place);
    if (rate->max_nodes > RATE_FIRST_NODES && rate->n_nodes < rate->max_nodes / 4) {
        table_resize(rate, rate->max_nodes / 2);
    }
}

struct edge_policy_node *edge_rate_evict(struct edge_rate *rate)
{
    struct edge_policy_node *node = rate_least_worthy(rate);

    if (node != NULL) {
        edge_rate_remove(rate, node);
        if (!rate->is_by_recency) {
            edge_ghost_add_noted(&rate->ghost, node->id, node->size, note_of(node));
        }
        note_put(node, (struct edge_ghost_note){0});
    }
    return node;
}
