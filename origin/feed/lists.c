#include "origin/feed/lists.h"

#include "base/core/alloc.h"
#include "base/core/lru.h"
#include "base/sys/random.h"

#include <string.h>

struct kept {
    int64_t made_ms;
    struct origin_list *list; /* owned; no longer than its items */
};

struct origin_lists {
    struct fb_lru *by_viewer; /* owned; of struct kept */
};

static void kept_done(void *value)
{
    struct kept *kept = value;

    fb_free(kept->list);
}

struct origin_lists *origin_lists_new(void)
{
    struct origin_lists *lists = FB_NEW(struct origin_lists);

    lists->by_viewer = fb_lru_new(&(struct fb_lru_options){.max = ORIGIN_LISTS_MAX,
                                                           .value_bytes = sizeof(struct kept),
                                                           .seed = fb_random_u64(),
                                                           .done = kept_done});
    return lists;
}

void origin_lists_free(struct origin_lists *lists)
{
    if (lists != NULL) {
        fb_lru_free(lists->by_viewer);
        fb_free(lists);
    }
}

void origin_lists_put(struct origin_lists *lists, struct fb_str viewer,
                      const struct origin_list *list, int64_t now_ms)
{
    struct kept *kept = fb_lru_touch(lists->by_viewer, viewer);
    size_t size = offsetof(struct origin_list, items) + list->n * sizeof(list->items[0]);

    fb_free(kept->list);
    kept->list = fb_alloc(size);
    memcpy(kept->list, list, size);
    kept->made_ms = now_ms;
}

const struct origin_list *origin_lists_find(struct origin_lists *lists, struct fb_str viewer,
                                            uint64_t id, int64_t now_ms)
{
    const struct kept *kept = fb_lru_find(lists->by_viewer, viewer);

    if (kept == NULL) {
        return NULL;
    }
    int64_t age_ms = now_ms - kept->made_ms;
    if (id == 0 ? age_ms >= ORIGIN_LISTS_FRESH_MS
                : kept->list->id != id || age_ms >= ORIGIN_LISTS_KEPT_MS) {
        return NULL;
    }
    (void)fb_lru_touch(lists->by_viewer, viewer);
    return kept->list;
}
