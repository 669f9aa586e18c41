#include "origin/trending/crowd.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/order.h"
#include "base/sketch/count_min.h"
#include "base/sketch/space_saving.h"

#include <stdlib.h>

/* Of n views a count is at most n / NAMED too high by the one sketch, and, but for one video in 54,
 * n * 4.1e-5 by the other. */
enum { CROWD_NAMED = 8192, CROWD_WIDTH = 1 << 16, CROWD_DEPTH = 4, N_HOURS = 2 };

static const int64_t hour_ms = 3600000;

struct crowd_hour {
    int64_t hour;                  /* since 1970 */
    struct fb_space_saving *named; /* owned, NULL while nothing was seen; as the next */
    struct fb_count_min *counts;
};

struct origin_crowd {
    uint64_t seed;
    struct crowd_hour hours[N_HOURS];
};

static void hour_done(struct crowd_hour *hour)
{
    fb_space_saving_free(hour->named);
    fb_count_min_free(hour->counts);
    *hour = (struct crowd_hour){0};
}

struct origin_crowd *origin_crowd_new(uint64_t seed)
{
    struct origin_crowd *crowd = FB_NEW(struct origin_crowd);

    crowd->seed = seed;
    return crowd;
}

void origin_crowd_free(struct origin_crowd *crowd)
{
    if (crowd == NULL) {
        return;
    }
    for (size_t i = 0; i < N_HOURS; i++) {
        hour_done(&crowd->hours[i]);
    }
    fb_free(crowd);
}

static void forget_old(struct origin_crowd *crowd, int64_t now)
{
    for (size_t i = 0; i < N_HOURS; i++) {
        if (crowd->hours[i].named != NULL && crowd->hours[i].hour <= now - N_HOURS) {
            hour_done(&crowd->hours[i]);
        }
    }
}

void origin_crowd_add(struct origin_crowd *crowd, int64_t now_ms, const struct origin_id *id,
                      uint64_t views)
{
    int64_t now = now_ms / hour_ms;
    struct crowd_hour *hour = &crowd->hours[now % N_HOURS];

    if (hour->named == NULL || hour->hour != now) {
        hour_done(hour);
        hour->hour = now;
        hour->named = fb_space_saving_new(CROWD_NAMED, crowd->seed);
        hour->counts = fb_count_min_new(CROWD_WIDTH, CROWD_DEPTH);
    }
    fb_space_saving_add(hour->named, origin_id_str(id), views);
    fb_count_min_add(hour->counts, fb_str_hash(origin_id_str(id), crowd->seed), views);
}

/* The lower of what the sketches say, of all hours. */
static double views_of(const struct origin_crowd *crowd, struct fb_str id)
{
    uint64_t hash = fb_str_hash(id, crowd->seed);
    uint64_t views = 0;

    for (size_t i = 0; i < N_HOURS; i++) {
        if (crowd->hours[i].counts != NULL) {
            views += fb_count_min_estimate(crowd->hours[i].counts, hash);
        }
    }
    return (double)views;
}

static int compare_items(const void *left, const void *right)
{
    const struct origin_crowd_item *a = left;
    const struct origin_crowd_item *b = right;

    int order = FB_ORDER(b->views, a->views);

    return order != 0 ? order : fb_str_compare(origin_id_str(&a->id), origin_id_str(&b->id));
}

size_t origin_crowd_top(struct origin_crowd *crowd, int64_t now_ms, struct origin_crowd_item *items,
                        size_t max)
{
    struct fb_space_saving *all = NULL;
    size_t n = 0;

    forget_old(crowd, now_ms / hour_ms);
    for (size_t i = 0; i < N_HOURS; i++) {
        if (crowd->hours[i].named != NULL) {
            all = all != NULL ? all : fb_space_saving_new(CROWD_NAMED, crowd->seed);
            fb_space_saving_merge(all, crowd->hours[i].named);
        }
    }
    if (all == NULL) {
        return 0;
    }
    struct fb_space_saving_item *named = fb_alloc_array(max, sizeof(*named));
    size_t n_named = fb_space_saving_top(all, named, max);
    for (size_t i = 0; i < n_named; i++) {
        double most = FB_MIN((double)named[i].count, views_of(crowd, named[i].key));
        if (origin_id_parse(named[i].key, &items[n].id) == FB_OK) {
            items[n++].views = most;
        }
    }
    qsort(items, n, sizeof(*items), compare_items);
    fb_free(named);
    fb_space_saving_free(all);
    return n;
}
