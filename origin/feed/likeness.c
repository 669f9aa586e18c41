#include "origin/feed/likeness.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "origin/feed/order.h"

#include <math.h>
#include <stdlib.h>

static const float caution = 10;

enum { PAIRS_MIN = 1 << 12 };

/* Both videos in one number, the smaller one above. 0 is no pair: nothing is like itself. */
struct pair {
    uint64_t key;
    float weight;
};

struct neighbours {
    struct origin_alike alike[ORIGIN_LIKENESS_KEPT]; /* a heap, the least on top, until finished */
    uint32_t n;
};

struct origin_likeness {
    uint32_t n_videos;
    float *viewers;     /* owned: of each video */
    struct pair *pairs; /* owned, open addressing; NULL once finished */
    size_t n_pairs;
    size_t n_places;               /* a power of two */
    struct neighbours *neighbours; /* owned: of each video; NULL before */
};

struct origin_likeness *origin_likeness_new(uint32_t n_videos)
{
    struct origin_likeness *likeness = FB_NEW(struct origin_likeness);

    likeness->n_videos = n_videos;
    likeness->viewers = fb_alloc_array(n_videos, sizeof(*likeness->viewers));
    likeness->n_places = PAIRS_MIN;
    likeness->pairs = fb_alloc_array(PAIRS_MIN, sizeof(*likeness->pairs));
    return likeness;
}

void origin_likeness_free(struct origin_likeness *likeness)
{
    if (likeness == NULL) {
        return;
    }
    fb_free(likeness->neighbours);
    fb_free(likeness->pairs);
    fb_free(likeness->viewers);
    fb_free(likeness);
}

/* ---- counting ------------------------------------------------------------------ */

static struct pair *pair_place(struct pair *pairs, size_t n_places, uint64_t key)
{
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15U) >> 20) & (n_places - 1);

    while (pairs[at].key != 0 && pairs[at].key != key) {
        at = (at + 1) & (n_places - 1);
    }
    return &pairs[at];
}

static void pairs_grow(struct origin_likeness *likeness)
{
    size_t n_places = likeness->n_places * 2;
    struct pair *pairs = fb_alloc_array(n_places, sizeof(*pairs));

    for (size_t i = 0; i < likeness->n_places; i++) {
        if (likeness->pairs[i].key != 0) {
            *pair_place(pairs, n_places, likeness->pairs[i].key) = likeness->pairs[i];
        }
    }
    fb_free(likeness->pairs);
    likeness->pairs = pairs;
    likeness->n_places = n_places;
}

static void pair_add(struct origin_likeness *likeness, uint32_t a, uint32_t b, float weight)
{
    uint64_t key = (uint64_t)FB_MIN(a, b) << 32 | FB_MAX(a, b);
    struct pair *pair = pair_place(likeness->pairs, likeness->n_places, key);

    if (pair->key == 0) {
        if (likeness->n_pairs == ORIGIN_LIKENESS_PAIRS_MAX) {
            return;
        }
        if (likeness->n_pairs >= likeness->n_places / 2) {
            pairs_grow(likeness);
            pair = pair_place(likeness->pairs, likeness->n_places, key);
        }
        pair->key = key;
        likeness->n_pairs++;
    }
    pair->weight += weight;
}

void origin_likeness_add(struct origin_likeness *likeness, const uint32_t *history, size_t n)
{
    FB_REQUIRE(likeness->pairs != NULL);
    if (n == 0) {
        return;
    }
    float weight = (float)(1 / log1p((double)n));

    if (n > ORIGIN_LIKENESS_HISTORY_MAX) {
        history += n - ORIGIN_LIKENESS_HISTORY_MAX;
        n = ORIGIN_LIKENESS_HISTORY_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        FB_REQUIRE(history[i] < likeness->n_videos);
        likeness->viewers[history[i]] += 1;
        for (size_t k = 0; k < i; k++) {
            if (history[k] != history[i]) {
                pair_add(likeness, history[k], history[i], weight);
            }
        }
    }
}

/* ---- choosing ------------------------------------------------------------------- */

static void heap_sink(struct neighbours *heap, uint32_t at)
{
    struct origin_alike sinking = heap->alike[at];

    for (uint32_t below = 2 * at + 1; below < heap->n; below = 2 * at + 1) {
        if (below + 1 < heap->n && heap->alike[below + 1].likeness < heap->alike[below].likeness) {
            below++;
        }
        if (sinking.likeness <= heap->alike[below].likeness) {
            break;
        }
        heap->alike[at] = heap->alike[below];
        at = below;
    }
    heap->alike[at] = sinking;
}

static void heap_rise(struct neighbours *heap, uint32_t at)
{
    struct origin_alike rising = heap->alike[at];

    while (at > 0) {
        uint32_t above = (at - 1) / 2;
        if (heap->alike[above].likeness <= rising.likeness) {
            break;
        }
        heap->alike[at] = heap->alike[above];
        at = above;
    }
    heap->alike[at] = rising;
}

static void neighbours_offer(struct neighbours *heap, uint32_t video, float likeness)
{
    if (heap->n < ORIGIN_LIKENESS_KEPT) {
        heap->alike[heap->n] = (struct origin_alike){video, likeness};
        heap_rise(heap, heap->n++);
    } else if (heap->alike[0].likeness < likeness) {
        heap->alike[0] = (struct origin_alike){video, likeness};
        heap_sink(heap, 0);
    }
}

/* The likest first; of the same likeness in the order of their numbers, so that it can be repeated.
 */
static int alike_compare(const void *left, const void *right)
{
    const struct origin_alike *a = left;
    const struct origin_alike *b = right;

    return origin_feed_order((double)a->likeness, (double)b->likeness, a->video, b->video);
}

void origin_likeness_finish(struct origin_likeness *likeness)
{
    likeness->neighbours = fb_alloc_array(likeness->n_videos, sizeof(*likeness->neighbours));
    for (size_t i = 0; i < likeness->n_places; i++) {
        const struct pair *pair = &likeness->pairs[i];
        if (pair->key != 0) {
            uint32_t a = (uint32_t)(pair->key >> 32);
            uint32_t b = (uint32_t)pair->key;
            float common =
                sqrtf((likeness->viewers[a] + caution) * (likeness->viewers[b] + caution));
            neighbours_offer(&likeness->neighbours[a], b, pair->weight / common);
            neighbours_offer(&likeness->neighbours[b], a, pair->weight / common);
        }
    }
    fb_free(likeness->pairs);
    likeness->pairs = NULL;
    for (uint32_t i = 0; i < likeness->n_videos; i++) {
        struct neighbours *of = &likeness->neighbours[i];
        qsort(of->alike, of->n, sizeof(of->alike[0]), alike_compare);
    }
}

const struct origin_alike *origin_likeness_of(const struct origin_likeness *likeness,
                                              uint32_t video, size_t *ret_n)
{
    FB_REQUIRE(likeness->neighbours != NULL && video < likeness->n_videos);
    *ret_n = likeness->neighbours[video].n;
    return likeness->neighbours[video].alike;
}
