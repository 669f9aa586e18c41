/*
 * Lists: what was last made for each viewer, so that one list serves a while, and its pages fit
 * together.
 *
 * A first page comes from a list no older than ORIGIN_LISTS_FRESH_MS; a further page from the very
 * list that its cursor names, as long as that is kept.
 *
 * Ownership  new → free. What is put is copied, what is taken out is the caller's.
 * Threads    One at a time.
 * Limits     ORIGIN_LISTS_MAX lists; beyond, the one that was used longest ago gives way.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/feed/candidates.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_LIST_ITEMS_MAX = 100,
    ORIGIN_LISTS_MAX = 10000,
    ORIGIN_LISTS_FRESH_MS = 45 * 1000,
    ORIGIN_LISTS_KEPT_MS = 20 * 60 * 1000
};

struct origin_list_item {
    int64_t seq;
    struct origin_id video;
    enum origin_feed_source source;
};

struct origin_list {
    uint64_t id; /* names it in cursors; not 0 */
    bool is_ranked;
    size_t n;
    struct origin_list_item items[ORIGIN_LIST_ITEMS_MAX];
};

struct origin_lists;

struct origin_lists *origin_lists_new(void);
void origin_lists_free(struct origin_lists *lists);

/* In the place of the viewer's last one. */
void origin_lists_put(struct origin_lists *lists, struct fb_str viewer,
                      const struct origin_list *list, int64_t now_ms);

/* The viewer's list: that of `id`, or with 0 whichever is fresh; borrowed until the next call. NULL
 * if there is none. */
const struct origin_list *origin_lists_find(struct origin_lists *lists, struct fb_str viewer,
                                            uint64_t id, int64_t now_ms);
