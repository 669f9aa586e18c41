#include "origin/feed/candidates.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "origin/feed/order.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 8192, /* of the table; more than 20 × 32 alike and all others together */
    FOLLOWED_OF_EACH = 3,
    ALIKE_TO_LAST = 20,
    TAGS_ASKED = 6,
    TAGGED_OF_EACH = 20,
    TRENDING_ASKED = 50,
    WATCHED_ASKED = 60,
    NEW_ASKED = 60,
    NEW_VIEWS_MAX = 200
};

static const int64_t new_ms = (int64_t)7 * 24 * 3600 * 1000;
static const double step_back = 0.92;

const char *origin_feed_source_name(enum origin_feed_source source)
{
    static const char *const names[ORIGIN_FEED_N_SOURCES] = {
        "followed", "alike", "tagged", "trending", "watched", "new",
    };
    return names[source];
}

/* Who is among the candidates, by number + 1; 0 is free. */
struct gathering {
    const struct origin_shelf *shelf;
    const struct origin_viewer *viewer;
    struct origin_candidate *candidates;
    size_t n;
    uint32_t *places;   /* owned: PLACES */
    uint32_t *indices;  /* owned: PLACES, into candidates */
    size_t n_of_source; /* of the source that is being asked */
};

static uint32_t *gathering_place(struct gathering *gathering, uint32_t video)
{
    size_t at = (video * 0x9e3779b1U >> 8) % PLACES;

    while (gathering->places[at] != 0 && gathering->places[at] != video + 1) {
        at = (at + 1) % PLACES;
    }
    return &gathering->places[at];
}

static void gathering_offer(struct gathering *gathering, uint32_t video,
                            enum origin_feed_source source, double likeness)
{
    uint32_t *place = gathering_place(gathering, video);

    if (*place != 0) {
        gathering->candidates[gathering->indices[place - gathering->places]].likeness += likeness;
        return;
    }
    if (gathering->n == ORIGIN_CANDIDATES_MAX ||
        gathering->n_of_source == ORIGIN_CANDIDATES_OF_SOURCE ||
        origin_viewer_has_watched(gathering->viewer, video)) {
        return;
    }
    *place = video + 1;
    gathering->indices[place - gathering->places] = (uint32_t)gathering->n;
    gathering->candidates[gathering->n++] =
        (struct origin_candidate){.video = video, .source = source, .likeness = likeness};
    gathering->n_of_source++;
}

static void gathering_offer_list(struct gathering *gathering, const uint32_t *numbers, size_t n,
                                 enum origin_feed_source source)
{
    for (size_t i = 0; i < n; i++) {
        gathering_offer(gathering, numbers[i], source, 0);
    }
}

static void gather_followed(struct gathering *gathering)
{
    const struct origin_viewer *viewer = gathering->viewer;

    for (size_t i = 0; i < viewer->n_follows; i++) {
        size_t n = 0;
        const uint32_t *owned = origin_shelf_owned(gathering->shelf, &viewer->follows[i], &n);
        gathering_offer_list(gathering, owned, FB_MIN(n, (size_t)FOLLOWED_OF_EACH),
                             ORIGIN_FEED_FOLLOWED);
    }
}

struct sum {
    uint32_t video;
    double likeness;
};

static int sum_compare(const void *left, const void *right)
{
    const struct sum *a = left;
    const struct sum *b = right;

    return origin_feed_order(a->likeness, b->likeness, a->video, b->video);
}

/* Visits what is like each of the last videos, with the weight of that: the later the more. */
struct alike_visit {
    const struct origin_viewer *viewer;
    const struct origin_likeness *likeness;
    size_t back; /* steps from the last video */
    double weight;
};

static const struct origin_alike *alike_next(struct alike_visit *visit, size_t *ret_n)
{
    size_t n_history = visit->viewer->n_history;

    if (visit->back == FB_MIN(n_history, (size_t)ALIKE_TO_LAST)) {
        return NULL;
    }
    visit->weight = visit->back == 0 ? 1 : visit->weight * step_back;
    visit->back++;
    return origin_likeness_of(visit->likeness, visit->viewer->history[n_history - visit->back],
                              ret_n);
}

double origin_viewer_likeness(const struct origin_viewer *viewer,
                              const struct origin_likeness *likeness, uint32_t video)
{
    struct alike_visit visit = {.viewer = viewer, .likeness = likeness};
    const struct origin_alike *alike = NULL;
    double sum = 0;
    size_t n = 0;

    while ((alike = alike_next(&visit, &n)) != NULL) {
        for (size_t i = 0; i < n; i++) {
            sum += alike[i].video == video ? visit.weight * (double)alike[i].likeness : 0;
        }
    }
    return sum;
}

/* All that is like one of the last videos; then the likest of them, summed, are offered. */
static void gather_alike(struct gathering *gathering, const struct origin_likeness *likeness)
{
    struct alike_visit visit = {.viewer = gathering->viewer, .likeness = likeness};
    const struct origin_alike *alike = NULL;
    FB_AUTO(fb_freep)
    struct sum *sums = fb_alloc_array((size_t)ALIKE_TO_LAST * ORIGIN_LIKENESS_KEPT, sizeof(*sums));
    size_t n_sums = 0;
    size_t n = 0;

    while ((alike = alike_next(&visit, &n)) != NULL) {
        for (size_t k = 0; k < n; k++) {
            size_t at = 0;
            while (at < n_sums && sums[at].video != alike[k].video) {
                at++;
            }
            if (at == n_sums) {
                sums[n_sums++] = (struct sum){alike[k].video, 0};
            }
            sums[at].likeness += visit.weight * (double)alike[k].likeness;
        }
    }
    qsort(sums, n_sums, sizeof(sums[0]), sum_compare);
    for (size_t i = 0; i < n_sums; i++) {
        gathering_offer(gathering, sums[i].video, ORIGIN_FEED_ALIKE, sums[i].likeness);
    }
}

static void gather_tagged(struct gathering *gathering)
{
    const struct origin_viewer *viewer = gathering->viewer;

    for (size_t i = 0; i < FB_MIN(viewer->n_tags, (size_t)TAGS_ASKED); i++) {
        size_t n = 0;
        const uint32_t *tagged = origin_shelf_tagged(gathering->shelf, viewer->tags[i].what, &n);
        gathering_offer_list(gathering, tagged, FB_MIN(n, (size_t)TAGGED_OF_EACH),
                             ORIGIN_FEED_TAGGED);
    }
}

static void gather_new(struct gathering *gathering)
{
    int64_t now_ms = origin_shelf_now_ms(gathering->shelf);
    size_t n = 0;
    const uint32_t *newest = origin_shelf_in(gathering->shelf, ORIGIN_SHELF_NEWEST, &n);

    for (size_t i = 0; i < n && gathering->n_of_source < NEW_ASKED; i++) {
        const struct origin_shelf_video *video = origin_shelf_at(gathering->shelf, newest[i]);
        if (now_ms - video->published_ms > new_ms) {
            return;
        }
        if (video->views <= NEW_VIEWS_MAX) {
            gathering_offer(gathering, newest[i], ORIGIN_FEED_NEW, 0);
        }
    }
}

static void gather_order(struct gathering *gathering, enum origin_shelf_order order, size_t max,
                         enum origin_feed_source source)
{
    size_t n = 0;
    const uint32_t *numbers = origin_shelf_in(gathering->shelf, order, &n);

    gathering_offer_list(gathering, numbers, FB_MIN(n, max), source);
}

size_t origin_candidates_gather(const struct origin_shelf *shelf,
                                const struct origin_likeness *likeness,
                                const struct origin_viewer *viewer,
                                struct origin_candidate candidates[ORIGIN_CANDIDATES_MAX])
{
    struct gathering gathering = {.shelf = shelf, .viewer = viewer, .candidates = candidates};
    FB_AUTO(fb_freep) uint32_t *tables = fb_alloc_array(2 * (size_t)PLACES, sizeof(*tables));

    gathering.places = tables;
    gathering.indices = tables + PLACES;
    gather_followed(&gathering);
    gathering.n_of_source = 0;
    if (likeness != NULL) {
        gather_alike(&gathering, likeness);
    }
    gathering.n_of_source = 0;
    gather_tagged(&gathering);
    gathering.n_of_source = 0;
    gather_order(&gathering, ORIGIN_SHELF_TRENDING, TRENDING_ASKED, ORIGIN_FEED_TRENDING);
    gathering.n_of_source = 0;
    gather_order(&gathering, ORIGIN_SHELF_WATCHED, WATCHED_ASKED, ORIGIN_FEED_WATCHED);
    gathering.n_of_source = 0;
    gather_new(&gathering);
    return gathering.n;
}
