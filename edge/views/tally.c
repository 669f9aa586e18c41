#include "edge/views/tally.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/bytes.h"
#include "base/core/list.h"
#include "base/core/map.h"

#define MINUTE_MS INT64_C(60000)

struct tally_item {
    struct fb_view_entry entry; /* its names stand behind this struct */
    struct fb_list link;
    char names[];
};

struct edge_tally {
    struct edge_tally_options options;
    struct fb_map *map; /* of struct tally_item */
    struct fb_list items;
    struct fb_buf key; /* for look-ups */
    uint64_t n_delivered;
};

static int64_t minute_of(int64_t wall_ms)
{
    return wall_ms >= 0 ? wall_ms / MINUTE_MS : 0;
}

struct edge_tally *edge_tally_new(const struct edge_tally_options *options)
{
    struct edge_tally *tally = FB_NEW(struct edge_tally);

    tally->options = *options;
    tally->options.max = FB_MAX(options->max, 1U);
    tally->map = fb_map_new(options->seed);
    fb_list_init(&tally->items);
    return tally;
}

static struct fb_str tally_key(struct edge_tally *tally, int64_t minute, struct fb_str video,
                               struct fb_str rendition)
{
    char head[sizeof(uint64_t) + sizeof(uint32_t)];

    fb_put_u64(head, (uint64_t)minute);
    fb_put_u32(head + sizeof(uint64_t), (uint32_t)video.len);
    fb_buf_clear(&tally->key);
    fb_buf_append(&tally->key, (struct fb_str){head, sizeof(head)});
    fb_buf_append(&tally->key, video);
    fb_buf_append(&tally->key, rendition);
    return fb_buf_str(&tally->key);
}

static void item_free(struct edge_tally *tally, struct tally_item *item)
{
    struct fb_str key =
        tally_key(tally, item->entry.minute, item->entry.video, item->entry.rendition);

    (void)fb_map_remove(tally->map, key);
    fb_list_remove(&item->link);
    fb_view_entry_done(&item->entry);
    fb_free(item);
}

void edge_tally_free(struct edge_tally *tally)
{
    if (tally == NULL) {
        return;
    }
    FB_LIST_EACH(node, &tally->items) {
        item_free(tally, FB_CONTAINER_OF(node, struct tally_item, link));
    }
    fb_map_free(tally->map);
    fb_buf_done(&tally->key);
    fb_free(tally);
}

static struct tally_item *item_new(int64_t minute, struct fb_str video, struct fb_str rendition)
{
    struct tally_item *item = fb_alloc(sizeof(*item) + video.len + rendition.len);

    memcpy(item->names, video.ptr, video.len);
    if (rendition.len > 0) {
        memcpy(item->names + video.len, rendition.ptr, rendition.len);
    }
    item->entry.video = (struct fb_str){item->names, video.len};
    item->entry.rendition = (struct fb_str){item->names + video.len, rendition.len};
    item->entry.minute = minute;
    item->entry.span = 1;
    fb_list_init(&item->link);
    return item;
}

struct fb_view_entry *edge_tally_at(struct edge_tally *tally, int64_t wall_ms, struct fb_str video,
                                    struct fb_str rendition)
{
    int64_t minute = minute_of(wall_ms);
    struct tally_item *item = fb_map_find(tally->map, tally_key(tally, minute, video, rendition));

    if (item == NULL) {
        if (fb_map_count(tally->map) >= tally->options.max) {
            edge_tally_finish(tally);
        }
        item = item_new(minute, video, rendition);
        (void)fb_map_put(tally->map, tally_key(tally, minute, video, rendition), item);
        fb_list_append(&tally->items, &item->link);
    }
    return &item->entry;
}

/* Those that are over are at the front, but for what a clock that was set has mixed. */
static void tally_deliver(struct edge_tally *tally, const int64_t *keep)
{
    struct fb_view_entry *entries =
        fb_alloc_array(fb_map_count(tally->map), sizeof(struct fb_view_entry));
    size_t n = 0;

    FB_LIST_EACH(node, &tally->items) {
        struct tally_item *item = FB_CONTAINER_OF(node, struct tally_item, link);
        if (keep == NULL || item->entry.minute != *keep) {
            entries[n++] = item->entry;
        }
    }
    if (n > 0 && tally->options.deliver != NULL) {
        tally->options.deliver(tally->options.ctx, entries, n);
    }
    tally->n_delivered += n;
    fb_free(entries);
    FB_LIST_EACH(node, &tally->items) {
        struct tally_item *item = FB_CONTAINER_OF(node, struct tally_item, link);
        if (keep == NULL || item->entry.minute != *keep) {
            item_free(tally, item);
        }
    }
}

void edge_tally_flush(struct edge_tally *tally, int64_t wall_ms)
{
    int64_t minute = minute_of(wall_ms);
    struct fb_list *first = fb_list_first(&tally->items);

    if (first != NULL && FB_CONTAINER_OF(first, struct tally_item, link)->entry.minute != minute) {
        tally_deliver(tally, &minute);
    }
}

void edge_tally_finish(struct edge_tally *tally)
{
    if (fb_map_count(tally->map) > 0) {
        tally_deliver(tally, NULL);
    }
}

size_t edge_tally_count(const struct edge_tally *tally)
{
    return fb_map_count(tally->map);
}

uint64_t edge_tally_delivered(const struct edge_tally *tally)
{
    return tally->n_delivered;
}
