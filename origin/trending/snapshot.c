#include "base/core/alloc.h"
#include "origin/trending/snapshot_internal.h"

#include <stdlib.h>

struct origin_snapshot *origin_snapshot_new(int64_t made_ms)
{
    struct origin_snapshot *snapshot = FB_NEW(struct origin_snapshot);

    atomic_init(&snapshot->refs, 1);
    snapshot->made_ms = made_ms;
    return snapshot;
}

struct origin_snapshot *origin_snapshot_ref(struct origin_snapshot *snapshot)
{
    (void)atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

void origin_snapshot_unref(struct origin_snapshot *snapshot)
{
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    size_t n_lists = snapshot->n_regions * snapshot->n_categories * ORIGIN_TRENDING_N_WINDOWS;
    for (size_t i = 0; i < n_lists; i++) {
        fb_free(snapshot->lists[i].items);
    }
    fb_free(snapshot->lists);
    fb_free(snapshot->regions);
    fb_free(snapshot->categories);
    fb_free(snapshot->videos);
    fb_arena_done(&snapshot->arena);
    fb_free(snapshot);
}

struct origin_snapshot_list *origin_snapshot_list_at(const struct origin_snapshot *snapshot,
                                                     size_t region, size_t category,
                                                     enum origin_trending_window window)
{
    return &snapshot
                ->lists[(region * snapshot->n_categories + category) * ORIGIN_TRENDING_N_WINDOWS +
                        (size_t)window];
}

/* n if it is not among them. */
static size_t find_name(const struct fb_str *names, size_t n, struct fb_str name)
{
    size_t i = 0;

    while (i < n && !fb_str_equal(names[i], name)) {
        i++;
    }
    return i;
}

struct origin_snapshot_list origin_snapshot_list(const struct origin_snapshot *snapshot,
                                                 const struct origin_snapshot_query *query)
{
    size_t region = find_name(snapshot->regions, snapshot->n_regions, query->region);
    size_t category = find_name(snapshot->categories, snapshot->n_categories, query->category);

    if (region == snapshot->n_regions || category == snapshot->n_categories) {
        return (struct origin_snapshot_list){.n = 0};
    }
    return *origin_snapshot_list_at(snapshot, region, category, query->window);
}

static int compare_id(const void *key, const void *item)
{
    const struct origin_id *id = key;
    const struct origin_snapshot_video *video = item;

    return fb_str_compare(origin_id_str(id), origin_id_str(&video->id));
}

const struct origin_snapshot_video *origin_snapshot_find(const struct origin_snapshot *snapshot,
                                                         const struct origin_id *id)
{
    const struct origin_snapshot_video *video = NULL;

    if (snapshot->n_videos > 0) {
        video = bsearch(id, snapshot->videos, snapshot->n_videos, sizeof(*snapshot->videos),
                        compare_id);
    }
    return video != NULL && video->ranks[0] != 0 ? video : NULL;
}

size_t origin_snapshot_count(const struct origin_snapshot *snapshot)
{
    return snapshot->n_shown;
}

int64_t origin_snapshot_made_ms(const struct origin_snapshot *snapshot)
{
    return snapshot->made_ms;
}
