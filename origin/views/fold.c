#include "origin/views/fold.h"

#include "base/core/alloc.h"
#include "base/core/order.h"
#include "base/sketch/hyperloglog.h"
#include "origin/views/views.h"

#include <stdlib.h>

#define MS_PER_MINUTE INT64_C(60000)

/* An entry and the moment that it counts at. */
struct item {
    const struct fb_view_entry *entry; /* borrowed from its report */
    int64_t at_ms;
};

int64_t origin_fold_slots_from(int64_t now_ms)
{
    return (now_ms - ORIGIN_SLOTS_KEPT_MS) / ORIGIN_MS_PER_HOUR * ORIGIN_MS_PER_HOUR;
}

/* ---- what entries say ---------------------------------------------------------------- */

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void sums_add(struct origin_view_sums *sums, const struct fb_view_entry *entry)
{
#define ADD(name) sums->name = sum_of(sums->name, entry->name);
    ORIGIN_VIEW_SUMS(ADD)
#undef ADD
}

static void counts_add(uint64_t *counts, const uint64_t *more, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        counts[i] = sum_of(counts[i], more[i]);
    }
}

/* Adds to a sketch that the fold owns. */
static void sketch_add(struct fb_hyperloglog **into, const struct fb_hyperloglog *more)
{
    if (fb_hyperloglog_is_empty(more)) {
        return;
    }
    if (*into == NULL) {
        *into = fb_hyperloglog_copy(more);
    } else {
        fb_hyperloglog_merge(*into, more);
    }
}

static void day_add(struct origin_view_day *day, const struct fb_view_entry *entry)
{
    counts_add(day->sources, entry->sources, FB_VIEW_SOURCES_N);
    counts_add(day->uncounted, entry->uncounted, FB_VIEW_REASONS_N);
    counts_add(day->startup, entry->startup, FB_VIEW_STARTUP_N);
    sketch_add(&day->viewers, entry->viewers);
    sketch_add(&day->networks, entry->networks);
}

/* ---- one video --------------------------------------------------------------------------- */

/* The last of `parts` if it is the one of `when` and `rendition`, else a new one behind it. */
static struct origin_view_part *part_at(struct origin_view_part *parts, size_t *n, int64_t when,
                                        struct fb_str rendition)
{
    if (*n > 0 && parts[*n - 1].when == when && fb_str_equal(parts[*n - 1].rendition, rendition)) {
        return &parts[*n - 1];
    }
    parts[*n] = (struct origin_view_part){.when = when, .rendition = rendition};
    return &parts[(*n)++];
}

static int64_t day_of(const struct item *item)
{
    return item->at_ms / ORIGIN_MS_PER_DAY;
}

static int compare_renditions(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;

    int order = FB_ORDER(day_of(a), day_of(b));

    return order != 0 ? order : fb_str_compare(a->entry->rendition, b->entry->rendition);
}

static void video_times(struct origin_fold *fold, struct origin_view_video *video,
                        const struct item *items, size_t n, int64_t slots_from_ms)
{
    video->hours = fb_arena_alloc(fold->arena, n * sizeof(*video->hours));
    video->slots = fb_arena_alloc(fold->arena, n * sizeof(*video->slots));
    video->days = fb_arena_alloc(fold->arena, n * sizeof(*video->days));
    for (size_t i = 0; i < n; i++) {
        const struct fb_view_entry *entry = items[i].entry;
        sums_add(&video->sum, entry);
        sums_add(&part_at(video->hours, &video->n_hours, items[i].at_ms / ORIGIN_MS_PER_HOUR,
                          FB_STR_NONE)
                      ->sums,
                 entry);
        if (items[i].at_ms >= slots_from_ms) {
            sums_add(&part_at(video->slots, &video->n_slots, items[i].at_ms / ORIGIN_MS_PER_SLOT,
                              FB_STR_NONE)
                          ->sums,
                     entry);
        }
        if (video->n_days == 0 || video->days[video->n_days - 1].day != day_of(&items[i])) {
            video->days[video->n_days++].day = day_of(&items[i]);
        }
        day_add(&video->days[video->n_days - 1], entry);
    }
}

/* Sorts the items anew. */
static void video_renditions(struct origin_fold *fold, struct origin_view_video *video,
                             struct item *items, size_t n)
{
    video->renditions = fb_arena_alloc(fold->arena, n * sizeof(*video->renditions));
    qsort(items, n, sizeof(*items), compare_renditions);
    for (size_t i = 0; i < n; i++) {
        sums_add(&part_at(video->renditions, &video->n_renditions, day_of(&items[i]),
                          items[i].entry->rendition)
                      ->sums,
                 items[i].entry);
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;

    int order = fb_str_compare(a->entry->video, b->entry->video);
    return order != 0 ? order : FB_ORDER(a->at_ms, b->at_ms);
}

/* The moment of an entry, by a clock near ours. */
static int64_t clamp(struct origin_fold *fold, int64_t minute, int64_t now_ms)
{
    int64_t oldest_ms = now_ms - ORIGIN_VIEWS_OLDEST_MS;

    if (minute > now_ms / MS_PER_MINUTE) {
        fold->n_ahead += minute > (now_ms + ORIGIN_VIEWS_SKEW_MS) / MS_PER_MINUTE;
        return now_ms;
    }
    if (minute < oldest_ms / MS_PER_MINUTE) {
        fold->n_behind++;
        return oldest_ms;
    }
    return minute * MS_PER_MINUTE;
}

static struct item *items_of(struct origin_fold *fold, const struct fb_view_report *reports,
                             size_t n_reports, int64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < n_reports; i++) {
        n += reports[i].n_entries;
    }
    struct item *items = fb_arena_alloc(fold->arena, FB_MAX(n, 1U) * sizeof(*items));
    for (size_t i = 0; i < n_reports; i++) {
        for (size_t k = 0; k < reports[i].n_entries; k++) {
            const struct fb_view_entry *entry = &reports[i].entries[k];
            items[fold->n_entries++] = (struct item){entry, clamp(fold, entry->minute, now_ms)};
        }
    }
    qsort(items, n, sizeof(*items), compare_items);
    return items;
}

struct origin_fold origin_fold_reports(struct fb_arena *arena, const struct fb_view_report *reports,
                                       size_t n, int64_t now_ms)
{
    struct origin_fold fold = {.arena = arena};
    struct item *items = items_of(&fold, reports, n, now_ms);
    int64_t slots_from_ms = origin_fold_slots_from(now_ms);

    fold.videos = fb_arena_alloc(arena, FB_MAX(fold.n_entries, 1U) * sizeof(*fold.videos));
    for (size_t from = 0, to = 0; from < fold.n_entries; from = to) {
        struct origin_view_video *video = &fold.videos[fold.n_videos++];
        video->name = items[from].entry->video;
        while (to < fold.n_entries && fb_str_equal(items[to].entry->video, video->name)) {
            to++;
        }
        video_times(&fold, video, &items[from], to - from, slots_from_ms);
        video_renditions(&fold, video, &items[from], to - from);
    }
    return fold;
}

void origin_fold_done(struct origin_fold *fold)
{
    for (size_t i = 0; i < fold->n_videos; i++) {
        for (size_t k = 0; k < fold->videos[i].n_days; k++) {
            fb_hyperloglog_free(fold->videos[i].days[k].viewers);
            fb_hyperloglog_free(fold->videos[i].days[k].networks);
        }
    }
    *fold = (struct origin_fold){0};
}
