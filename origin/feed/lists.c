#include "origin/feed/lists.h"

#include "base/core/alloc.h"
#include "base/core/list.h"
#include "base/core/map.h"
#include "base/sys/random.h"

#include <string.h>

struct entry {
    struct fb_list link; /* in lists->order */
    char *viewer;        /* owned */
    size_t viewer_len;
    int64_t made_ms;
    struct origin_list *list; /* owned; no longer than its items */
};

struct origin_lists {
    struct fb_map *by_viewer; /* of struct entry, owned */
    struct fb_list order;     /* the one used longest ago first */
};

struct origin_lists *origin_lists_new(void)
{
    struct origin_lists *lists = FB_NEW(struct origin_lists);

    lists->by_viewer = fb_map_new(fb_random_u64());
    fb_list_init(&lists->order);
    return lists;
}

static void entry_forget(struct origin_lists *lists, struct entry *entry)
{
    (void)fb_map_remove(lists->by_viewer, (struct fb_str){entry->viewer, entry->viewer_len});
    fb_list_remove(&entry->link);
    fb_free(entry->viewer);
    fb_free(entry->list);
    fb_free(entry);
}

static struct entry *lists_oldest(const struct origin_lists *lists)
{
    struct fb_list *link = fb_list_first(&lists->order);
    return link == NULL ? NULL : FB_CONTAINER_OF(link, struct entry, link);
}

void origin_lists_free(struct origin_lists *lists)
{
    struct entry *entry = NULL;

    if (lists == NULL) {
        return;
    }
    while ((entry = lists_oldest(lists)) != NULL) {
        entry_forget(lists, entry);
    }
    fb_map_free(lists->by_viewer);
    fb_free(lists);
}

static void entry_use(struct origin_lists *lists, struct entry *entry)
{
    fb_list_remove(&entry->link);
    fb_list_append(&lists->order, &entry->link);
}

static struct entry *entry_new(struct origin_lists *lists, struct fb_str viewer)
{
    struct entry *oldest = lists_oldest(lists);
    if (fb_map_count(lists->by_viewer) == ORIGIN_LISTS_MAX && oldest != NULL) {
        entry_forget(lists, oldest);
    }
    struct entry *entry = FB_NEW(struct entry);
    entry->viewer = fb_str_dup(viewer);
    entry->viewer_len = viewer.len;
    fb_list_init(&entry->link);
    (void)fb_map_put(lists->by_viewer, viewer, entry);
    return entry;
}

void origin_lists_put(struct origin_lists *lists, struct fb_str viewer,
                      const struct origin_list *list, int64_t now_ms)
{
    struct entry *entry = fb_map_find(lists->by_viewer, viewer);
    size_t size = offsetof(struct origin_list, items) + list->n * sizeof(list->items[0]);

    if (entry == NULL) {
        entry = entry_new(lists, viewer);
    }
    fb_free(entry->list);
    entry->list = fb_alloc(size);
    memcpy(entry->list, list, size);
    entry->made_ms = now_ms;
    entry_use(lists, entry);
}

const struct origin_list *origin_lists_find(struct origin_lists *lists, struct fb_str viewer,
                                            uint64_t id, int64_t now_ms)
{
    struct entry *entry = fb_map_find(lists->by_viewer, viewer);

    if (entry == NULL) {
        return NULL;
    }
    int64_t age_ms = now_ms - entry->made_ms;
    if (id == 0 ? age_ms >= ORIGIN_LISTS_FRESH_MS
                : entry->list->id != id || age_ms >= ORIGIN_LISTS_KEPT_MS) {
        return NULL;
    }
    entry_use(lists, entry);
    return entry->list;
}
