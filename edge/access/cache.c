#include "edge/access/cache.h"

#include "base/core/alloc.h"
#include "base/core/list.h"
#include "base/core/map.h"

struct cache_entry {
    struct fb_list link; /* those asked for last are at the end */
    struct edge_access_grant grant;
    struct fb_buf key;
    size_t n_bytes;
};

struct edge_access_cache {
    struct fb_map *map; /* of struct cache_entry */
    struct fb_list order;
    struct fb_buf key; /* for look-ups */
    size_t n_bytes;
};

struct edge_access_cache *edge_access_cache_new(uint64_t seed)
{
    struct edge_access_cache *cache = FB_NEW(struct edge_access_cache);

    cache->map = fb_map_new(seed);
    fb_list_init(&cache->order);
    return cache;
}

static void cache_forget(struct edge_access_cache *cache, struct cache_entry *entry)
{
    (void)fb_map_remove(cache->map, fb_buf_str(&entry->key));
    fb_list_remove(&entry->link);
    cache->n_bytes -= entry->n_bytes;
    edge_access_grant_done(&entry->grant);
    fb_buf_done(&entry->key);
    fb_free(entry);
}

void edge_access_cache_free(struct edge_access_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    FB_LIST_EACH(node, &cache->order) {
        cache_forget(cache, FB_CONTAINER_OF(node, struct cache_entry, link));
    }
    fb_map_free(cache->map);
    fb_buf_done(&cache->key);
    fb_free(cache);
}

/* A token is good where it was verified, and nowhere else. */
static struct fb_str cache_key(struct edge_access_cache *cache, const struct edge_access *access,
                               struct fb_str token)
{
    const void *where = access;

    fb_buf_clear(&cache->key);
    fb_buf_append(&cache->key, (struct fb_str){(const char *)&where, sizeof(where)});
    fb_buf_append(&cache->key, token);
    return fb_buf_str(&cache->key);
}

const struct edge_access_grant *edge_access_cache_find(struct edge_access_cache *cache,
                                                       const struct edge_access *access,
                                                       struct fb_str token)
{
    struct cache_entry *entry = fb_map_find(cache->map, cache_key(cache, access, token));

    if (entry == NULL) {
        return NULL;
    }
    fb_list_remove(&entry->link);
    fb_list_append(&cache->order, &entry->link);
    return &entry->grant;
}

const struct edge_access_grant *edge_access_cache_put(struct edge_access_cache *cache,
                                                      const struct edge_access *access,
                                                      struct fb_str token,
                                                      struct edge_access_grant *grant)
{
    struct fb_str key = cache_key(cache, access, token);
    struct cache_entry *old = fb_map_find(cache->map, key);

    if (old != NULL) {
        cache_forget(cache, old);
    }
    struct cache_entry *entry = FB_NEW(struct cache_entry);
    fb_buf_append(&entry->key, key);
    entry->grant = *grant;
    *grant = (struct edge_access_grant){0};
    /* The map has a copy of the key. */
    entry->n_bytes =
        sizeof(*entry) + 2 * key.len + entry->grant.paths.len + entry->grant.subject.len;
    fb_list_init(&entry->link);
    fb_list_append(&cache->order, &entry->link);
    (void)fb_map_put(cache->map, key, entry);
    cache->n_bytes += entry->n_bytes;
    while (cache->n_bytes > EDGE_ACCESS_CACHE_BYTES ||
           fb_map_count(cache->map) > EDGE_ACCESS_CACHE_MAX) {
        cache_forget(cache,
                     FB_CONTAINER_OF(fb_list_first(&cache->order), struct cache_entry, link));
    }
    return &entry->grant;
}

size_t edge_access_cache_bytes(const struct edge_access_cache *cache)
{
    return cache->n_bytes;
}
