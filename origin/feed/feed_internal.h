/*
 * What the files of origin/feed share.
 */
#pragma once

#include "origin/feed/feed.h"
#include "origin/feed/lessons.h"

#include <pthread.h>

struct fb_metrics_table;

struct origin_feed {
    struct origin_feed_options options;
    struct fb_metrics_table *table; /* the registry's; NULL: nobody counts */
    uint64_t seed; /* of users' numbers: they mean nothing outside of this process */

    /* The round's alone. */
    struct origin_watched *watched; /* owned, as all pointers here */
    struct origin_ranker *ranker;   /* learns under the lock */
    int64_t last_event;             /* that was taken in */
    uint64_t kept_lessons;          /* of the ranker, when it was last kept */
    uint64_t kept_ms;

    pthread_mutex_t lock;
    struct origin_feed_model *model; /* counted; NULL before the first round. Under the lock, as: */
    struct origin_lessons *lessons;
    struct origin_lists *lists;
};

/* A reference, or NULL before the first round. */
struct origin_feed_model *origin_feed_current(struct origin_feed *feed);

void origin_feed_shown(struct origin_feed *feed, const struct origin_id *user,
                       const int64_t *videos, const struct origin_features *features, size_t n);

void origin_feed_metrics_init(struct origin_feed *feed);
