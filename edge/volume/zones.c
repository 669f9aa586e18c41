#include "edge/volume/zones.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/list.h"

struct zone {
    uint64_t generation; /* atomic; 0: free */
    uint64_t turn;       /* the least one is reclaimed first */
    uint64_t opened;     /* its turn when it was opened */
    uint32_t n_used;
    enum edge_zone_state state;
    struct fb_list link; /* in `free` */
};

struct edge_zones {
    uint32_t n;
    uint32_t n_free; /* atomic */
    uint64_t first;  /* generation of the volume's life */
    uint64_t last;   /* atomic; the greatest one given or seen */
    uint64_t last_turn;
    struct fb_list free; /* in the order in which they became so */
    struct zone *zones;
};

static struct zone *zones_get(const struct edge_zones *zones, uint32_t zone)
{
    FB_REQUIRE(zone < zones->n);
    return &zones->zones[zone];
}

static void zones_append_free(struct edge_zones *zones, struct zone *zone)
{
    fb_list_append(&zones->free, &zone->link);
    __atomic_store_n(&zones->n_free, zones->n_free + 1, __ATOMIC_RELAXED);
}

static void zones_remove_free(struct edge_zones *zones, struct zone *zone)
{
    fb_list_remove(&zone->link);
    __atomic_store_n(&zones->n_free, zones->n_free - 1, __ATOMIC_RELAXED);
}

/* Gives a zone a generation, before any reader can be told of a record in it. */
static void zones_set_generation(struct zone *zone, uint64_t generation)
{
    __atomic_store_n(&zone->generation, generation, __ATOMIC_RELEASE);
}

struct edge_zones *edge_zones_new(uint32_t n_zones, uint64_t first_generation)
{
    struct edge_zones *zones = FB_NEW(struct edge_zones);

    FB_REQUIRE(n_zones > 0 && first_generation > 0);
    zones->n = n_zones;
    zones->first = first_generation;
    zones->last = first_generation - 1;
    zones->zones = fb_alloc_array(n_zones, sizeof(*zones->zones));
    fb_list_init(&zones->free);
    for (uint32_t i = 0; i < n_zones; i++) {
        fb_list_init(&zones->zones[i].link);
        zones_append_free(zones, &zones->zones[i]);
    }
    return zones;
}

void edge_zones_free(struct edge_zones *zones)
{
    if (zones == NULL) {
        return;
    }
    fb_free(zones->zones);
    fb_free(zones);
}

void edge_zones_saw(struct edge_zones *zones, uint64_t generation)
{
    if (generation > zones->last) {
        __atomic_store_n(&zones->last, generation, __ATOMIC_RELAXED);
    }
}

void edge_zones_adopt(struct edge_zones *zones, uint32_t zone, enum edge_zone_state state,
                      uint64_t generation)
{
    struct zone *adopted = zones_get(zones, zone);

    FB_REQUIRE(adopted->state == EDGE_ZONE_FREE && generation > 0);
    FB_REQUIRE(state == EDGE_ZONE_SEALED || state == EDGE_ZONE_OPEN);
    zones_remove_free(zones, adopted);
    adopted->state = state;
    zones_set_generation(adopted, generation);
    adopted->turn = generation;
    adopted->opened = generation;
    zones->last_turn = FB_MAX(zones->last_turn, generation);
    edge_zones_saw(zones, generation);
}

static uint64_t zones_next_turn(struct edge_zones *zones)
{
    return ++zones->last_turn;
}

bool edge_zones_open(struct edge_zones *zones, uint32_t *ret_zone, uint64_t *ret_generation)
{
    struct fb_list *first = fb_list_first(&zones->free);
    struct zone *zone = NULL;

    if (first == NULL) {
        return false;
    }
    zone = FB_CONTAINER_OF(first, struct zone, link);
    zones_remove_free(zones, zone);
    edge_zones_saw(zones, zones->last + 1);
    zone->state = EDGE_ZONE_OPEN;
    zones_set_generation(zone, zones->last);
    zone->turn = zones_next_turn(zones);
    zone->opened = zone->turn;
    *ret_zone = (uint32_t)(zone - zones->zones);
    *ret_generation = zones->last;
    return true;
}

/* Requires that the zone is in `from`. */
static void zones_move(struct edge_zones *zones, uint32_t zone, enum edge_zone_state from,
                       enum edge_zone_state to)
{
    struct zone *moved = zones_get(zones, zone);

    FB_REQUIRE(moved->state == from);
    moved->state = to;
}

void edge_zones_seal(struct edge_zones *zones, uint32_t zone)
{
    zones_move(zones, zone, EDGE_ZONE_OPEN, EDGE_ZONE_SEALED);
}

void edge_zones_reclaim(struct edge_zones *zones, uint32_t zone)
{
    zones_move(zones, zone, EDGE_ZONE_SEALED, EDGE_ZONE_RECLAIMING);
}

void edge_zones_keep(struct edge_zones *zones, uint32_t zone)
{
    zones_move(zones, zone, EDGE_ZONE_RECLAIMING, EDGE_ZONE_SEALED);
}

void edge_zones_release(struct edge_zones *zones, uint32_t zone)
{
    struct zone *released = zones_get(zones, zone);

    FB_REQUIRE(released->state == EDGE_ZONE_RECLAIMING || released->state == EDGE_ZONE_OPEN);
    released->state = EDGE_ZONE_FREE;
    released->n_used = 0;
    zones_set_generation(released, 0);
    zones_append_free(zones, released);
}

bool edge_zones_oldest_sealed(const struct edge_zones *zones, uint32_t *ret_zone)
{
    const struct zone *oldest = NULL;

    /* Once for each zone that is written; a walk over them costs nothing beside that. */
    for (uint32_t i = 0; i < zones->n; i++) {
        const struct zone *zone = &zones->zones[i];

        if (zone->state == EDGE_ZONE_SEALED && (oldest == NULL || zone->turn < oldest->turn)) {
            oldest = zone;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    *ret_zone = (uint32_t)(oldest - zones->zones);
    return true;
}

void edge_zones_pass(struct edge_zones *zones, uint32_t zone)
{
    struct zone *passed = zones_get(zones, zone);

    FB_REQUIRE(passed->state == EDGE_ZONE_SEALED);
    passed->turn = zones_next_turn(zones);
}

void edge_zones_unpass(struct edge_zones *zones, uint32_t zone)
{
    zones_get(zones, zone)->turn = zones_get(zones, zone)->opened;
}

void edge_zones_set_used(struct edge_zones *zones, uint32_t zone, uint32_t n_blocks)
{
    FB_REQUIRE(zones_get(zones, zone)->state != EDGE_ZONE_FREE);
    zones->zones[zone].n_used = n_blocks;
}

uint32_t edge_zones_used(const struct edge_zones *zones, uint32_t zone)
{
    return zones_get(zones, zone)->n_used;
}

enum edge_zone_state edge_zones_state(const struct edge_zones *zones, uint32_t zone)
{
    return zones_get(zones, zone)->state;
}

uint64_t edge_zones_last_generation(const struct edge_zones *zones)
{
    return zones->last;
}

uint64_t edge_zones_generation(const struct edge_zones *zones, uint32_t zone)
{
    if (zone >= zones->n) {
        return 0;
    }
    return __atomic_load_n(&zones->zones[zone].generation, __ATOMIC_ACQUIRE);
}

uint32_t edge_zones_n_free(const struct edge_zones *zones)
{
    return __atomic_load_n(&zones->n_free, __ATOMIC_RELAXED);
}

bool edge_zones_was_full(const struct edge_zones *zones)
{
    return __atomic_load_n(&zones->last, __ATOMIC_RELAXED) - (zones->first - 1) > zones->n;
}
