#include "edge/policy/recall.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

enum {
    RECALL_PLACES = 8,
    RECALL_COUNT_BITS = 4, /* of `seen`; the rest is the tick of the last request */
    RECALL_WINDOW_TICKS = 1 << 20
};

struct edge_recall_place {
    uint32_t tag; /* 0: empty */
    uint32_t seen;
};

static const uint32_t recall_tick_mask = UINT32_MAX >> RECALL_COUNT_BITS;

void edge_recall_init(struct edge_recall *recall, uint64_t window, size_t n)
{
    size_t n_sets = 1;

    while (n_sets * RECALL_PLACES < n) {
        n_sets *= 2;
    }
    *recall = (struct edge_recall){
        .places = fb_alloc_array(n_sets * RECALL_PLACES, sizeof(*recall->places)),
        .n_sets = n_sets,
        .tick = FB_MAX(window / RECALL_WINDOW_TICKS, 1U),
    };
}

void edge_recall_done(struct edge_recall *recall)
{
    fb_free(recall->places);
    *recall = (struct edge_recall){0};
}

/* Ticks since the last request; wraps after 256 windows, when sets have long been renewed. */
static uint32_t recall_age(const struct edge_recall_place *place, uint32_t now)
{
    return (now - (place->seen >> RECALL_COUNT_BITS)) & recall_tick_mask;
}

/* The place of `tag`, or the one that makes way. */
static struct edge_recall_place *recall_find(struct edge_recall_place *set, uint32_t tag,
                                             uint32_t now)
{
    struct edge_recall_place *oldest = set;

    for (unsigned i = 0; i < RECALL_PLACES; i++) {
        struct edge_recall_place *place = &set[i];
        if (place->tag == tag) {
            return place;
        }
        if (oldest->tag != 0 &&
            (place->tag == 0 || recall_age(place, now) > recall_age(oldest, now))) {
            oldest = place;
        }
    }
    return oldest;
}

unsigned edge_recall_ask(struct edge_recall *recall, uint64_t id, uint64_t clock, double *ret_age)
{
    /* Identities are hashes, but need not be good in all their bits. */
    uint64_t hash = (id ^ (id >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t tag = (uint32_t)hash | 1U;
    uint32_t now = (uint32_t)(clock / recall->tick) & recall_tick_mask;
    size_t set = (size_t)(hash >> 32) & (recall->n_sets - 1);
    struct edge_recall_place *place = recall_find(&recall->places[set * RECALL_PLACES], tag, now);
    unsigned count = 0;

    if (place->tag == tag && recall_age(place, now) < RECALL_WINDOW_TICKS) {
        count = place->seen & EDGE_RECALL_MAX;
        uint32_t age = recall_age(place, now);
        *ret_age = (double)age / (double)RECALL_WINDOW_TICKS;
    }
    place->tag = tag;
    place->seen = now << RECALL_COUNT_BITS | FB_MIN(count + 1U, (unsigned)EDGE_RECALL_MAX);
    return count;
}

size_t edge_recall_bytes(const struct edge_recall *recall)
{
    return recall->n_sets * RECALL_PLACES * sizeof(*recall->places);
}
