#include "origin/feed/features.h"

#include "base/core/attr.h"
#include "base/core/check.h"

#include <math.h>

/* One for each row of the table in the header; part of what is hashed, so the order is for ever. */
enum kind {
    ALWAYS,
    VIEWS,
    VIEWS_TODAY,
    COMPLETION,
    LIKES,
    SHARES,
    AGE,
    LENGTH,
    TRENDS,
    CATEGORY,
    TAG,
    OWNER,
    FOLLOWS,
    OWNER_INTEREST,
    TAG_INTEREST,
    LIKENESS,
    USUAL_LENGTH,
    SOURCE,
    LIKENESS_AND_VIEWS,
    TAGS_AND_VIEWS,
    HISTORY_AND_VIEWS,
    FOLLOWS_AND_AGE
};

enum { MS_PER_HOUR = 3600000, MS_PER_SECOND = 1000, MS_PER_MINUTE = 60000, NOBODY_KNOWS = 99 };

static void add(struct origin_features *features, enum kind kind, uint32_t bin, uint32_t other)
{
    uint64_t mixed = ((uint64_t)kind << 58) ^ ((uint64_t)bin << 20) ^ other;

    mixed = (mixed ^ (mixed >> 31)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 29)) * 0x94d049bb133111ebU;
    FB_REQUIRE(features->n < ORIGIN_FEATURES_MAX);
    features->slots[features->n++] = (uint32_t)(mixed >> (64 - ORIGIN_RANKER_BITS));
}

/* 0 for less than 1, then a bin for each doubling. */
static uint32_t doublings(double number)
{
    return number < 1 ? 0 : 1 + (uint32_t)FB_MIN(log2(number), 30.0);
}

/* Ten bins, 0 apart from them. */
static uint32_t tenths(double share)
{
    return share <= 0 ? 0 : 1 + (uint32_t)FB_MIN(share * 10, 9.0);
}

static double per_thousand_views(uint64_t count, uint64_t views)
{
    return 1000.0 * (double)count / ((double)views + 20);
}

static double share_of_tags(const struct origin_viewer *viewer,
                            const struct origin_shelf_video *video)
{
    double sum = 0;

    for (size_t i = 0; i < video->n_tags; i++) {
        sum += origin_interest_of(viewer->tags, viewer->n_tags, video->tags[i]);
    }
    return sum;
}

static void add_video(struct origin_features *features, const struct origin_shelf_video *video,
                      uint32_t age)
{
    add(features, VIEWS, doublings((double)video->views), 0);
    add(features, VIEWS_TODAY, doublings((double)video->views_today), 0);
    add(features, COMPLETION, video->completion < 0 ? NOBODY_KNOWS : tenths(video->completion), 0);
    add(features, LIKES, doublings(per_thousand_views(video->likes, video->views)), 0);
    add(features, SHARES, doublings(per_thousand_views(video->shares, video->views)), 0);
    add(features, AGE, age, 0);
    add(features, LENGTH, doublings((double)video->duration_ms / (double)MS_PER_SECOND), 0);
    add(features, TRENDS, video->trend > 0, 0);
    add(features, CATEGORY, 0, video->category);
    add(features, OWNER, 0, video->owner_number);
    for (size_t i = 0; i < video->n_tags; i++) {
        add(features, TAG, 0, video->tags[i]);
    }
}

static uint32_t usual_length_bin(const struct origin_viewer *viewer,
                                 const struct origin_shelf_video *video)
{
    double minutes = (double)video->duration_ms / (double)MS_PER_MINUTE;

    if (viewer->mean_minutes <= 0 || minutes <= 0) {
        return NOBODY_KNOWS;
    }
    return (uint32_t)FB_MIN(FB_MAX(log2(minutes / viewer->mean_minutes) + 5, 0.0), 10.0);
}

void origin_features_of(const struct origin_shelf *shelf, const struct origin_viewer *viewer,
                        const struct origin_candidate *candidate,
                        struct origin_features *ret_features)
{
    const struct origin_shelf_video *video = origin_shelf_at(shelf, candidate->video);
    int64_t age_ms = FB_MAX(origin_shelf_now_ms(shelf) - video->published_ms, (int64_t)0);
    uint32_t age = doublings((double)age_ms / (double)MS_PER_HOUR);
    uint32_t views = doublings((double)video->views);
    uint32_t follows = origin_viewer_follows(viewer, &video->owner);
    uint32_t likeness = doublings(candidate->likeness * 256);
    uint32_t tags = tenths(share_of_tags(viewer, video));
    double owner = origin_interest_of(viewer->owners, viewer->n_owners, video->owner_number);

    ret_features->n = 0;
    add(ret_features, ALWAYS, 0, 0);
    add_video(ret_features, video, age);
    add(ret_features, FOLLOWS, follows, 0);
    add(ret_features, OWNER_INTEREST, tenths(owner), 0);
    add(ret_features, TAG_INTEREST, tags, 0);
    add(ret_features, LIKENESS, likeness, 0);
    add(ret_features, USUAL_LENGTH, usual_length_bin(viewer, video), 0);
    add(ret_features, SOURCE, candidate->source, 0);
    add(ret_features, LIKENESS_AND_VIEWS, likeness, views);
    add(ret_features, TAGS_AND_VIEWS, tags, views);
    add(ret_features, HISTORY_AND_VIEWS, doublings((double)viewer->n_history), views);
    add(ret_features, FOLLOWS_AND_AGE, follows, age);
}
