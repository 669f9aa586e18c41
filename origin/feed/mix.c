#include "origin/feed/mix.h"

#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/mix.h"
#include "origin/feed/order.h"

#include <stdbool.h>
#include <stdlib.h>

struct mix {
    const struct origin_shelf *shelf;
    struct origin_candidate *candidates;
    size_t n;
    size_t n_placed; /* of them, from the first */
    size_t window;
};

static int chance_compare(const void *left, const void *right)
{
    const struct origin_candidate *a = left;
    const struct origin_candidate *b = right;

    return origin_feed_order(a->chance, b->chance, a->video, b->video);
}

static const struct origin_shelf_video *mix_video(const struct mix *mix, size_t at)
{
    return origin_shelf_at(mix->shelf, mix->candidates[at].video);
}

static bool bears(const struct origin_shelf_video *video, uint32_t tag)
{
    for (size_t i = 0; i < video->n_tags; i++) {
        if (video->tags[i] == tag) {
            return true;
        }
    }
    return false;
}

/* How many of the last window - 1 places bear `tag`. */
static size_t mix_count_tag(const struct mix *mix, uint32_t tag)
{
    size_t from = mix->n_placed - FB_MIN(mix->n_placed, mix->window - 1);
    size_t n = 0;

    for (size_t i = from; i < mix->n_placed; i++) {
        n += bears(mix_video(mix, i), tag);
    }
    return n;
}

static bool mix_fits(const struct mix *mix, size_t at)
{
    const struct origin_shelf_video *video = mix_video(mix, at);

    if (mix->n_placed > 0 &&
        mix_video(mix, mix->n_placed - 1)->owner_number == video->owner_number) {
        return false;
    }
    for (size_t i = 0; i < video->n_tags; i++) {
        if (mix_count_tag(mix, video->tags[i]) >= ORIGIN_MIX_OF_TAG) {
            return false;
        }
    }
    return true;
}

/* Moves the one at `at` to the next place; those between keep their order. */
static void mix_place(struct mix *mix, size_t at)
{
    struct origin_candidate chosen = mix->candidates[at];

    for (size_t i = at; i > mix->n_placed; i--) {
        mix->candidates[i] = mix->candidates[i - 1];
    }
    mix->candidates[mix->n_placed++] = chosen;
}

/* One of what is new and fits, each as likely; mix->n if there is none. */
static size_t mix_draw_new(const struct mix *mix, uint64_t *seed)
{
    size_t chosen = mix->n;
    uint64_t n_seen = 0;

    for (size_t i = mix->n_placed; i < mix->n; i++) {
        if (mix->candidates[i].source == ORIGIN_FEED_NEW && mix_fits(mix, i) &&
            fb_draw(seed) % ++n_seen == 0) {
            chosen = i;
        }
    }
    return chosen;
}

static size_t mix_find_likeliest(const struct mix *mix)
{
    for (size_t i = mix->n_placed; i < mix->n; i++) {
        if (mix_fits(mix, i)) {
            return i;
        }
    }
    return mix->n;
}

size_t origin_mix(const struct origin_shelf *shelf, struct origin_candidate *candidates, size_t n,
                  const struct origin_mix_options *options)
{
    struct mix mix = {.shelf = shelf, .candidates = candidates, .n = n, .window = options->window};
    uint64_t seed = options->seed;

    FB_REQUIRE(options->window >= 1 && options->window <= ORIGIN_MIX_WINDOW_MAX);
    if (n > 1) {
        qsort(candidates, n, sizeof(*candidates), chance_compare);
    }
    while (mix.n_placed < FB_MIN(n, options->max)) {
        size_t at = n;
        if ((mix.n_placed + 1) % ORIGIN_MIX_NEW_EVERY == 0) {
            at = mix_draw_new(&mix, &seed);
        }
        if (at == n) {
            at = mix_find_likeliest(&mix);
        }
        if (at == n) {
            break;
        }
        mix_place(&mix, at);
    }
    return mix.n_placed;
}
