#include "base/core/map.h"

#include "base/core/alloc.h"
#include "base/core/check.h"

#include <string.h>

enum { MAP_FIRST_SLOTS = 16 };

struct map_slot {
    uint64_t hash;
    char *key; /* owned; NULL marks an empty slot */
    size_t key_len;
    void *value; /* the caller's */
};

struct fb_map {
    struct map_slot *slots; /* owned */
    size_t n_slots;         /* a power of two */
    size_t n_used;
    uint64_t seed;
};

struct fb_map *fb_map_new(uint64_t seed)
{
    struct fb_map *map = FB_NEW(struct fb_map);
    map->slots = fb_alloc_array(MAP_FIRST_SLOTS, sizeof(struct map_slot));
    map->n_slots = MAP_FIRST_SLOTS;
    map->seed = seed;
    return map;
}

void fb_map_free(struct fb_map *map)
{
    if (map == NULL) {
        return;
    }
    for (size_t i = 0; i < map->n_slots; i++) {
        fb_free(map->slots[i].key);
    }
    fb_free(map->slots);
    fb_free(map);
}

static struct fb_str slot_key(const struct map_slot *slot)
{
    return (struct fb_str){slot->key, slot->key_len};
}

/* Where `key` is, or the empty slot where it would go. */
static size_t map_place(const struct fb_map *map, struct fb_str key, uint64_t hash)
{
    size_t mask = map->n_slots - 1;
    size_t at = hash & mask;

    while (map->slots[at].key != NULL &&
           (map->slots[at].hash != hash || !fb_str_equal(slot_key(&map->slots[at]), key))) {
        at = (at + 1) & mask;
    }
    return at;
}

void *fb_map_find(const struct fb_map *map, struct fb_str key)
{
    return map->slots[map_place(map, key, fb_str_hash(key, map->seed))].value;
}

static void map_grow(struct fb_map *map)
{
    struct map_slot *old = map->slots;
    size_t n_old = map->n_slots;

    map->n_slots *= 2;
    map->slots = fb_alloc_array(map->n_slots, sizeof(struct map_slot));
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].key != NULL) {
            map->slots[map_place(map, slot_key(&old[i]), old[i].hash)] = old[i];
        }
    }
    fb_free(old);
}

void *fb_map_put(struct fb_map *map, struct fb_str key, void *value)
{
    FB_REQUIRE(value != NULL);
    uint64_t hash = fb_str_hash(key, map->seed);
    size_t at = map_place(map, key, hash);

    void *old = map->slots[at].value;
    if (old != NULL) {
        map->slots[at].value = value;
        return old;
    }
    if ((map->n_used + 1) * 8 > map->n_slots * 7) {
        map_grow(map);
        at = map_place(map, key, hash);
    }
    map->slots[at] =
        (struct map_slot){.hash = hash, .key = fb_str_dup(key), .key_len = key.len, .value = value};
    map->n_used++;
    return NULL;
}

/* Closes the hole at `hole` by moving back what a probe would otherwise miss. */
static void map_close_hole(struct fb_map *map, size_t hole)
{
    size_t mask = map->n_slots - 1;

    for (size_t at = (hole + 1) & mask; map->slots[at].key != NULL; at = (at + 1) & mask) {
        size_t home = map->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct map_slot){0};
}

void *fb_map_remove(struct fb_map *map, struct fb_str key)
{
    size_t at = map_place(map, key, fb_str_hash(key, map->seed));
    void *value = map->slots[at].value;

    if (value != NULL) {
        fb_free(map->slots[at].key);
        map->n_used--;
        map_close_hole(map, at);
    }
    return value;
}

size_t fb_map_count(const struct fb_map *map)
{
    return map->n_used;
}

bool fb_map_next(const struct fb_map *map, size_t *cursor, struct fb_str *ret_key, void **ret_value)
{
    while (*cursor < map->n_slots) {
        const struct map_slot *slot = &map->slots[(*cursor)++];
        if (slot->key != NULL) {
            *ret_key = slot_key(slot);
            *ret_value = slot->value;
            return true;
        }
    }
    return false;
}
