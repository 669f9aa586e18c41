#include "base/core/lru.h"

#include "base/core/alloc.h"
#include "base/core/list.h"
#include "base/core/map.h"

#include <stdalign.h>
#include <string.h>

struct entry {
    struct fb_list link; /* in lru->order */
    size_t key_len;
    alignas(max_align_t) char value[]; /* then the key */
};

struct fb_lru {
    struct fb_lru_options options;
    struct fb_map *map;   /* owned; of struct entry, owned */
    struct fb_list order; /* the one used longest ago first */
};

static struct entry *entry_of(void *value)
{
    return (struct entry *)(void *)((char *)value - offsetof(struct entry, value));
}

static struct entry *entry_at(struct fb_list *link)
{
    return FB_CONTAINER_OF(link, struct entry, link);
}

struct fb_lru *fb_lru_new(const struct fb_lru_options *options)
{
    struct fb_lru *lru = FB_NEW(struct fb_lru);

    lru->options = *options;
    lru->options.max = FB_MAX(options->max, (size_t)1);
    lru->map = fb_map_new(options->seed);
    fb_list_init(&lru->order);
    return lru;
}

static void entry_free(struct fb_lru *lru, struct entry *entry)
{
    fb_list_remove(&entry->link);
    if (lru->options.done != NULL) {
        lru->options.done(entry->value);
    }
    fb_free(entry);
}

void fb_lru_free(struct fb_lru *lru)
{
    if (lru == NULL) {
        return;
    }
    FB_LIST_EACH(link, &lru->order) {
        entry_free(lru, entry_at(link));
    }
    fb_map_free(lru->map);
    fb_free(lru);
}

static struct entry *entry_new(struct fb_lru *lru, struct fb_str key)
{
    if (fb_map_count(lru->map) >= lru->options.max) {
        fb_lru_remove(lru, fb_lru_oldest(lru));
    }
    struct entry *entry = fb_alloc(sizeof(*entry) + lru->options.value_bytes + key.len);
    entry->key_len = key.len;
    if (key.len > 0) {
        memcpy(entry->value + lru->options.value_bytes, key.ptr, key.len);
    }
    fb_list_init(&entry->link);
    (void)fb_map_put(lru->map, key, entry);
    return entry;
}

void *fb_lru_touch(struct fb_lru *lru, struct fb_str key)
{
    struct entry *entry = fb_map_find(lru->map, key);

    if (entry == NULL) {
        entry = entry_new(lru, key);
    }
    fb_list_remove(&entry->link);
    fb_list_append(&lru->order, &entry->link);
    return entry->value;
}

void *fb_lru_find(const struct fb_lru *lru, struct fb_str key)
{
    struct entry *entry = fb_map_find(lru->map, key);
    return entry == NULL ? NULL : entry->value;
}

void *fb_lru_oldest(const struct fb_lru *lru)
{
    struct fb_list *link = fb_list_first(&lru->order);
    return link == NULL ? NULL : entry_at(link)->value;
}

void fb_lru_remove(struct fb_lru *lru, void *value)
{
    struct entry *entry = entry_of(value);
    struct fb_str key = {entry->value + lru->options.value_bytes, entry->key_len};

    (void)fb_map_remove(lru->map, key);
    entry_free(lru, entry);
}

size_t fb_lru_count(const struct fb_lru *lru)
{
    return fb_map_count(lru->map);
}
