#include "edge/policy/titles.h"

#include "base/core/alloc.h"

#include <math.h>

enum {
    TITLES_PLACES = 4, /* where a title may stand */
    TITLES_HOUR_MS = 60 * 60 * 1000,
    TITLES_SHIFT_HOURS = 8,
    TITLES_DAY_HOURS = 24
};

static const float titles_weight = 0.05F; /* of the latest request in the share */
static const float titles_share = 0.3F;   /* where a title's share starts */

struct edge_titles_entry {
    int64_t last_ms;
    uint32_t title;
    float share;
    float hour;    /* requests, fading over an hour */
    float shift;   /* over a shift */
    float extents; /* requests of unknown extents, fading over a day; 0: place is empty */
};

void edge_titles_init(struct edge_titles *titles, size_t n)
{
    size_t n_entries = TITLES_PLACES;

    while (n_entries < n) {
        n_entries *= 2;
    }
    *titles = (struct edge_titles){
        .entries = fb_alloc_array(n_entries, sizeof(*titles->entries)),
        .n_entries = n_entries,
    };
}

void edge_titles_done(struct edge_titles *titles)
{
    fb_free(titles->entries);
    *titles = (struct edge_titles){0};
}

static bool entry_is_empty(const struct edge_titles_entry *entry)
{
    return entry->extents <= 0;
}

/* Its own place, or the one that was asked for longest ago, made empty. */
static struct edge_titles_entry *titles_place(struct edge_titles *titles, uint32_t title)
{
    uint64_t hash = (title + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15);
    size_t first = (size_t)(hash >> 32) & (titles->n_entries - 1) & ~(size_t)(TITLES_PLACES - 1);
    struct edge_titles_entry *oldest = &titles->entries[first];

    for (size_t i = first; i < first + TITLES_PLACES; i++) {
        struct edge_titles_entry *entry = &titles->entries[i];
        if (!entry_is_empty(entry) && entry->title == title) {
            return entry;
        }
        if (!entry_is_empty(oldest) &&
            (entry_is_empty(entry) || entry->last_ms < oldest->last_ms)) {
            oldest = entry;
        }
    }
    *oldest = (struct edge_titles_entry){.title = title, .share = titles_share};
    return oldest;
}

static void entry_fade(struct edge_titles_entry *entry, int64_t now_ms)
{
    double hours =
        now_ms > entry->last_ms ? (double)(now_ms - entry->last_ms) / (double)TITLES_HOUR_MS : 0;

    entry->hour *= (float)exp(-hours);
    entry->shift *= (float)exp(-hours / (double)TITLES_SHIFT_HOURS);
    entry->extents = fmaxf(entry->extents * (float)exp(-hours / (double)TITLES_DAY_HOURS), 1);
    entry->last_ms = now_ms;
}

struct edge_titles_view edge_titles_ask(struct edge_titles *titles, uint32_t title,
                                        bool is_extent_known, int64_t now_ms)
{
    struct edge_titles_entry *entry = titles_place(titles, title);
    struct edge_titles_view view = {.is_known = !entry_is_empty(entry)};

    if (view.is_known) {
        entry_fade(entry, now_ms);
        view.share = (double)entry->share;
        view.per_hour = (double)entry->hour / ((double)entry->extents + 1);
        view.per_shift = (double)entry->shift / ((double)entry->extents + 1);
    }
    entry->last_ms = now_ms;
    entry->share += titles_weight * ((is_extent_known ? 1.0F : 0.0F) - entry->share);
    entry->hour += 1;
    entry->shift += 1;
    entry->extents += is_extent_known && view.is_known ? 0 : 1;
    return view;
}

size_t edge_titles_bytes(const struct edge_titles *titles)
{
    return titles->n_entries * sizeof(*titles->entries);
}
