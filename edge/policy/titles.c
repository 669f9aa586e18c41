#include "edge/policy/titles.h"

#include "base/core/alloc.h"

enum { TITLES_PLACES = 4 /* a title may stand in */ };

static const float titles_weight = 0.05F; /* of the latest request */

void edge_titles_init(struct edge_titles *titles, size_t n)
{
    size_t cap = TITLES_PLACES;

    while (cap < n) {
        cap *= 2;
    }
    *titles = (struct edge_titles){.entries = fb_alloc_array(cap, sizeof(*titles->entries)),
                                   .n_entries = cap};
}

void edge_titles_done(struct edge_titles *titles)
{
    fb_free(titles->entries);
    *titles = (struct edge_titles){0};
}

/* Its own place, or the one that was asked for longest ago, made empty. */
static struct edge_titles_entry *titles_place(struct edge_titles *titles, uint32_t title)
{
    uint64_t hash = (title + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15);
    size_t first = (size_t)(hash >> 32) & (titles->n_entries - 1) & ~(size_t)(TITLES_PLACES - 1);
    struct edge_titles_entry *oldest = &titles->entries[first];

    for (size_t i = first; i < first + TITLES_PLACES; i++) {
        struct edge_titles_entry *entry = &titles->entries[i];
        if (entry->count > 0 && entry->title == title) {
            return entry;
        }
        if (oldest->count > 0 &&
            (entry->count == 0 || titles->turn - entry->turn > titles->turn - oldest->turn)) {
            oldest = entry;
        }
    }
    *oldest = (struct edge_titles_entry){.title = title};
    return oldest;
}

double edge_titles_add(struct edge_titles *titles, uint32_t title, bool known)
{
    struct edge_titles_entry *entry = titles_place(titles, title);
    float before = entry->known;

    entry->known += titles_weight * ((known ? 1.0F : 0.0F) - entry->known);
    entry->turn = titles->turn++;
    entry->count += entry->count < UINT32_MAX ? 1 : 0;
    return (double)before;
}
